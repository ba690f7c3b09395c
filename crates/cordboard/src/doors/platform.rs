//! The doors of the platforms: one mount for each configured integration.
//!
//! In this order: the path, the credentials, the method, the cap, the body. Whoever shows no credentials learns nothing
//! but that a path is guarded, and costs no body.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use genesys::cloud::digital_bot_connector::{BOTS_PATH, MESSAGES_PATH};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use model::{ConnectorKey, RequestId, Timestamp};
use serde::Serialize;

use crate::connector::declared::Declaration;
use crate::connector::registry::Integration;
use crate::connector::{Arrival, Connector, Parsed, SealedReply};
use crate::dead_letter;
use crate::gateway::Shared;
use crate::http::body::{self, Answer, Cap, Unread};
use crate::http::signature::correlation;
use crate::http::{ClientAddress, Credentials};
use crate::observe::metrics::{OfConnector, RequestOutcome};
use crate::observe::trace::{Hop, Trace};
use crate::registration;
use crate::store::{Blob, Letter};

/// What an operator is told of the constant refusal.
const REFUSED: &str = "the store did not decide in time or takes nothing, or too many requests are open; see the log";

/// One integration, ready to be called.
pub(super) struct Mount {
    base: String,
    credentials: Credentials,
    connector: Arc<dyn Connector>,
    pages: Option<Pages>,
    known: Vec<String>,
    shared: Arc<Shared>,
    cap: Cap,
    metrics: Arc<OfConnector>,
    stranger_told: AtomicBool,
}

/// What the platform reads of a v2 integration before anybody says anything.
struct Pages {
    manifest: Bytes,
    bots: BTreeMap<String, Page>,
}

/// What it reads of one bot.
struct Page {
    body: Bytes,
    declaration: Declaration,
    /// Whether it is known to the store that it was read.
    noted: Arc<AtomicBool>,
}

/// What a path beneath a mount names.
enum Place<'a> {
    Messages,
    Manifest,
    Bot(Cow<'a, str>),
    Elsewhere,
}

/// What is said to an authentic call of a path that is none.
#[derive(Serialize)]
struct NoSuchPath<'a> {
    error: &'static str,
    message: &'static str,
    paths: &'a [String],
}

impl Mount {
    pub(super) fn new(integration: &Integration, shared: Arc<Shared>, cap: Cap) -> Self {
        let pages = match integration {
            Integration::DigitalBotConnector(connector) => {
                let bots = connector.declarations().into_iter().filter_map(|declaration| {
                    let id = declaration.bot.as_str();
                    let (id, body) = (id.to_owned(), connector.bot(id)?);
                    Some((id, Page { body, declaration, noted: Arc::default() }))
                });
                Some(Pages { manifest: connector.manifest(), bots: bots.collect() })
            }
            Integration::BotConnector(_) => None,
        };
        let entrance = integration.entrance();
        Self {
            base: entrance.path().to_owned(),
            credentials: entrance.credentials().clone(),
            connector: integration.connector(),
            pages,
            known: integration.paths(),
            metrics: shared.metrics().connector(entrance.key()),
            shared,
            cap,
            stranger_told: AtomicBool::new(false),
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn key(&self) -> &ConnectorKey {
        self.connector.key()
    }

    pub(super) const fn is_v1(&self) -> bool {
        self.pages.is_none()
    }

    /// Whether something is at this path.
    pub(super) fn leads(&self, path: &str) -> bool {
        self.rest_of(path).is_some_and(|rest| !matches!(self.place(rest), Place::Elsewhere))
    }

    /// Whether something would be at this path if upper and lower case letters were the same.
    pub(super) fn leads_in_lower_case(&self, lower: &str) -> bool {
        lower
            .strip_prefix(&self.base.to_ascii_lowercase())
            .is_some_and(|rest| self.leads(&format!("{}{rest}", self.base)))
    }

    /// What follows the mount's path in one that lies at it or beneath it.
    pub(super) fn rest_of<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.base.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn place<'a>(&self, rest: &'a str) -> Place<'a> {
        if self.pages.is_none() {
            return if rest.is_empty() { Place::Messages } else { Place::Elsewhere };
        }
        match rest {
            MESSAGES_PATH => Place::Messages,
            BOTS_PATH => Place::Manifest,
            _ => match rest.strip_prefix(BOTS_PATH).and_then(|rest| rest.strip_prefix('/')) {
                Some(id) if !id.is_empty() && !id.contains('/') => Place::Bot(percent_decoded(id)),
                _ => Place::Elsewhere,
            },
        }
    }

    /// Answers a call at this mount or beneath it; nothing when it is authentic and there is no such path.
    pub(super) async fn handle(
        &self,
        rest: &str,
        head: &Parts,
        incoming: Incoming,
        at: Timestamp,
    ) -> Option<Response<Answer>> {
        if !self.credentials.verify(&head.headers) {
            self.metrics.request(RequestOutcome::Unauthorised).inc();
            self.tell_of_a_stranger(head);
            let refused = body::refused(
                StatusCode::FORBIDDEN,
                "credentials",
                "a header with this integration's secret is missing or wrong",
            );
            return Some(body::because(refused, "credentials", &self.credentials.explain(&head.headers)));
        }
        self.stranger_told.store(false, Ordering::Relaxed);
        let place = self.place(rest);
        if !matches!(place, Place::Messages) {
            return self.page(&place, &head.method);
        }
        if head.method != Method::POST {
            return Some(body::not_allowed("POST"));
        }
        Some(match AssertUnwindSafe(self.message(head, incoming, at)).catch_unwind().await {
            Ok(answer) => answer,
            Err(_) => {
                let request = request_id(head);
                tracing::error!(connector = %self.connector.key(), request, "taking a message failed inside Cordboard; it was refused");
                self.refused()
            }
        })
    }

    /// A wrong secret is the commonest mistake of a set-up, and a stranger must not fill the log: it is told once, and
    /// again only after a call that was authentic.
    fn tell_of_a_stranger(&self, head: &Parts) {
        if !self.stranger_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connector = %self.connector.key(),
                client = ClientAddress::of(head).map(tracing::field::display),
                "a call without this connector's credentials was refused (403); if it was the platform's, compare the \
                 headers and secrets of its integration with `credentials`. It is not told again before a call is authentic"
            );
        }
    }

    fn page(&self, place: &Place<'_>, method: &Method) -> Option<Response<Answer>> {
        let (page, bots) = match (place, &self.pages) {
            (Place::Manifest, Some(pages)) => (Some(&pages.manifest), pages.bots.values().collect()),
            (Place::Bot(id), Some(pages)) => {
                let bot = pages.bots.get(id.as_ref());
                (bot.map(|bot| &bot.body), Vec::from_iter(bot))
            }
            _ => (None, Vec::new()),
        };
        Some(match (page, place) {
            (Some(page), _) if *method == Method::GET => {
                self.note(&bots);
                body::json(StatusCode::OK, page.clone())
            }
            (Some(_), _) => body::not_allowed("GET"),
            (None, Place::Bot(_)) => body::refused(StatusCode::NOT_FOUND, "bot.unknown", "there is no bot of this id"),
            (None, _) => return None,
        })
    }

    /// Notes behind the answer's back what was read, once for each bot: a flow may hold it from now on.
    fn note(&self, bots: &[&Page]) {
        let new: Vec<&Page> = bots.iter().filter(|bot| !bot.noted.swap(true, Ordering::Relaxed)).copied().collect();
        if new.is_empty() {
            return;
        }
        let now = self.shared.runtime().now();
        let key = self.key().clone();
        let notes = new.iter().map(|page| registration::note(&key, &page.declaration, now)).collect();
        let noted: Vec<Arc<AtomicBool>> = new.iter().map(|page| page.noted.clone()).collect();
        let store = self.shared.store().clone();
        self.shared.runtime().spawn(async move {
            if let Err(error) = store.note_manifests(notes).await {
                noted.iter().for_each(|noted| noted.store(false, Ordering::Relaxed));
                tracing::debug!(connector = %key, %error, "that the platform read the manifest is not noted; it will be with the next time");
            }
        });
    }

    /// Says to an authentic call which paths there are.
    pub(super) fn no_such_path(&self) -> Response<Answer> {
        let message = "this integration has no such path";
        body::value(StatusCode::NOT_FOUND, &NoSuchPath { error: "path", message, paths: &self.known })
    }

    async fn message(&self, head: &Parts, incoming: Incoming, at: Timestamp) -> Response<Answer> {
        let bytes = match body::read(head, incoming, self.cap).await {
            Ok(bytes) => bytes,
            Err(unread) => {
                let is_too_large = matches!(unread, Unread::TooLarge { .. });
                let outcome = if is_too_large { RequestOutcome::TooLarge } else { RequestOutcome::Unreadable };
                self.metrics.request(outcome).inc();
                return unread.answer();
            }
        };
        match self.connector.parse(&bytes) {
            Parsed::Message(message) => {
                let (trace, begun) = self.shared.begin_request(Trace::of(&head.headers));
                let request = head.extensions.get().copied();
                let arrival = Arrival { at, correlation: correlation(&head.headers), request, trace };
                let received = self.shared.receive(&self.connector, *message, arrival).await;
                let failed = received.reply.status >= 500;
                self.shared.end(begun, Hop::Request, failed, &[("cordboard.connector", self.connector.key().as_str())]);
                let is_refusal = received.delivery.is_refusal();
                let answer = body::sealed(received.reply, Some(received.delivery));
                if is_refusal { body::because(answer, "refused", REFUSED) } else { answer }
            }
            Parsed::NotUnderstood { reply, reason } => self.bury(head, &bytes, reason, reply, at).await,
            Parsed::NotJson => {
                self.metrics.request(RequestOutcome::NotJson).inc();
                body::refused(StatusCode::BAD_REQUEST, "body.not_json", "the body is not JSON; nothing was kept")
            }
        }
    }

    /// What is authentic and not understood is answered only once it is kept.
    async fn bury(
        &self,
        head: &Parts,
        raw: &Bytes,
        reason: Arc<str>,
        reply: SealedReply,
        at: Timestamp,
    ) -> Response<Answer> {
        let key = self.connector.key();
        let request = request_id(head);
        tracing::warn!(connector = %key, request, %reason, "a message was not understood; it is kept as a dead letter");
        let letter = Letter {
            id: self.shared.runtime().ids.letter(),
            conversation: None,
            kind: dead_letter::INPUT.into(),
            place: key.0.clone(),
            reason: reason.clone(),
            attempts: 1,
            died: at,
            payload: Blob::clear(raw),
        };
        if let Err(error) = self.shared.store().bury(letter).await {
            tracing::error!(connector = %key, request, %error, "a message that was not understood could not be kept; it was refused");
            return self.refused();
        }
        self.shared.counts.letters.fetch_add(1, Ordering::Relaxed);
        self.metrics.request(RequestOutcome::NotUnderstood).inc();
        body::because(body::sealed(reply, None), "not_understood", &reason)
    }

    fn refused(&self) -> Response<Answer> {
        self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
        self.metrics.request(RequestOutcome::Refused).inc();
        body::because(body::sealed(self.connector.refusal(), None), "refused", REFUSED)
    }
}

/// Our id of the request, which its answer names.
fn request_id(head: &Parts) -> String {
    head.extensions.get::<RequestId>().map(RequestId::to_string).unwrap_or_default()
}

/// A segment of a path as it was meant; what decodes to no text is taken as it is, and names no bot then.
pub(super) fn percent_decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        let digits = (ahead.next().and_then(hex), ahead.next().and_then(hex));
        match (byte, digits) {
            (b'%', (Some(high), Some(low))) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(segment), Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
