//! The latest calls of platforms and engines, kept in memory for whoever connects a platform and sees nothing but its
//! error: which calls came, and for each refused one why, in words that say what to do.
//!
//! The doors write here, the admin API reads. No bodies, no values of headers, no queries. Refused calls have places of
//! their own, so that neither a busy day nor a stranger who tries paths pushes the others out.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::Response;
use http::request::Parts;
use model::Timestamp;
use tokio::sync::Notify;

use crate::gateway::Shared;
use crate::http::ClientAddress;
use crate::http::body::{Answer, Reason};

/// So many calls are kept of each sort.
pub const KEPT: usize = 200;
const PATH_MAX_CHARS: usize = 200;
const ADVICE_MAX_CHARS: usize = 300;

/// A call, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Ascending in the order in which calls ended, from 1.
    pub number: u64,
    /// When its head was read.
    pub at: Timestamp,
    /// Until its answer was decided.
    pub took_ms: u64,
    /// From where, as far as that is known.
    pub client: Option<IpAddr>,
    /// Its method.
    pub method: String,
    /// Its path without the query, cut to 200 characters.
    pub path: String,
    /// The connector it reached, or `engine callback`.
    pub place: Option<String>,
    /// The status of the answer; nothing when the client went away before there was one.
    pub status: Option<u16>,
    /// Why it was refused, or taken and not understood.
    pub reason: Option<Reason>,
    /// The platform's own id of the call.
    pub correlation: Option<String>,
}

/// The latest calls.
#[derive(Default)]
pub struct Calls {
    kept: Mutex<Kept>,
    pub(crate) grown: Notify,
}

#[derive(Default)]
struct Kept {
    last: u64,
    taken: VecDeque<Call>,
    refused: VecDeque<Call>,
}

impl Calls {
    /// Calls after a number, in the order in which they ended.
    #[must_use]
    pub fn after(&self, number: u64, only_refused: bool) -> Vec<Call> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kept.taken.iter().filter(|_| !only_refused);
        let mut calls: Vec<Call> = taken.chain(&kept.refused).filter(|call| call.number > number).cloned().collect();
        calls.sort_by_key(|call| call.number);
        calls
    }

    /// The number of the latest call.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    fn keep(&self, mut call: Call) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.last += 1;
        call.number = kept.last;
        let ring = if call.reason.is_some() { &mut kept.refused } else { &mut kept.taken };
        if ring.len() >= KEPT {
            ring.pop_front();
        }
        ring.push_back(call);
        drop(kept);
        self.grown.notify_waiters();
    }
}

/// A call under way. Dropped without an answer, its client went away.
pub(super) struct Watched<'a> {
    shared: &'a Shared,
    call: Option<Call>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        head: &Parts,
        at: Timestamp,
        place: Option<String>,
        correlation: Option<Arc<str>>,
    ) -> Self {
        let call = Call {
            number: 0,
            at,
            took_ms: 0,
            client: head.extensions.get::<ClientAddress>().map(|client| client.0),
            method: head.method.as_str().chars().take(16).collect(),
            path: head.uri.path().chars().take(PATH_MAX_CHARS).collect(),
            place,
            status: None,
            reason: None,
            correlation: correlation.map(|correlation| correlation.to_string()),
        };
        Self { shared, call: Some(call) }
    }

    pub(super) fn ended(mut self, answer: &Response<Answer>) {
        if let Some(mut call) = self.call.take() {
            let status = answer.status();
            call.status = Some(status.as_u16());
            let unsaid = || Reason::new(status.canonical_reason().unwrap_or("refused"), "");
            let failed = status.is_client_error() || status.is_server_error();
            call.reason = answer.extensions().get::<Reason>().cloned().or_else(|| failed.then(unsaid));
            self.keep(call);
        }
    }

    fn keep(&self, mut call: Call) {
        call.took_ms = self.shared.runtime().now().ms_since(call.at);
        if let Some(reason) = &mut call.reason {
            reason.advice = reason.advice.chars().take(ADVICE_MAX_CHARS).collect();
        }
        self.shared.calls.keep(call);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(mut call) = self.call.take() {
            call.reason = Some(Reason::new("client.gone", "the client went away before its answer was decided"));
            self.keep(call);
        }
    }
}
