//! The org's bearer token: fetched once for everybody who waits, renewed before it ends, given up when it is refused.

use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use genesys::cloud::oauth::{SHORTEST_LIFETIME_S, TokenRefusal, TokenReply, TokenRequest};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use model::Timestamp;
use secrecy::ExposeSecret as _;
use siphasher::sip::SipHasher13;

use super::Org;
use crate::http::{Call, Reply, Transport};
use crate::runtime::Clock;

const TIMEOUT_MS: u64 = 10_000;
const REPLY_MAX_BYTES: usize = 64 * 1024;
const FIRST_PAUSE_MS: u64 = 500;
const LONGEST_PAUSE_MS: u64 = 60_000;

/// The tokens of one org. Whoever sends shares one of these.
pub struct Tokens {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    url: String,
    request: TokenRequest,
    /// Held by the one task that fetches; the others wait for it and then find the token.
    flight: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    token: Option<Token>,
    /// Counts the tokens, so that a late refusal of an old one costs nothing.
    fetched: u64,
    /// How often fetching failed since the start.
    failed: u64,
    /// How often in a row the fetching failed.
    failures: u32,
    /// Nobody asks before this time, and everybody gets this reason.
    pause: Option<(Timestamp, Reason)>,
}

#[derive(Clone)]
struct Token {
    bearer: Bearer,
    renew_at: Timestamp,
    ends_at: Timestamp,
}

/// A token, ready to be a header. Nothing of it can be printed.
#[derive(Clone, Debug)]
pub struct Bearer {
    header: HeaderValue,
    number: u64,
}

impl Bearer {
    /// A token that no login host gave.
    #[cfg(test)]
    pub(crate) fn new(header: HeaderValue, number: u64) -> Self {
        Self { header, number }
    }

    /// Adds the token to a call.
    pub fn authorise(&self, call: &mut Call) {
        call.headers.insert(AUTHORIZATION, self.header.clone());
    }
}

/// How it goes with the tokens of an org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHealth {
    /// How many were fetched.
    pub fetched: u64,
    /// How often fetching failed.
    pub failed: u64,
    /// What is left of the current one.
    pub left_ms: i64,
}

/// There is no token now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no token: {reason}; asking again helps in {retry_after_ms} ms at the earliest")]
pub struct NoToken {
    /// Why.
    pub reason: Reason,
    /// When asking again makes sense.
    pub retry_after_ms: u64,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The login host refuses the client: an operator has to look at `client_id` and `client_secret`.
    #[error("the login host refuses client_id or client_secret")]
    Refused,
    /// The login host cannot be reached or is in trouble; it will pass.
    #[error("the login host gives no answer")]
    Unavailable,
    /// What came back is no token.
    #[error("the login host's answer holds no token")]
    Nonsense,
}

impl Tokens {
    /// The tokens of an org, none of them fetched yet.
    #[must_use]
    pub fn new(org: &Org, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            clock,
            url: format!("{}{}", org.login_base, TokenRequest::PATH),
            request: org.request.clone(),
            flight: tokio::sync::Mutex::new(()),
            known: Mutex::default(),
        }
    }

    /// The current token; fetched when there is none, renewed when nine tenths of its life are over.
    ///
    /// However many ask, one call is under way. While an old token still works, only the one who renews it waits. Dropping
    /// the future leaves the fetching to the next who asks.
    ///
    /// # Errors
    ///
    /// [`NoToken`], at once while a pause after a failure lasts.
    pub async fn bearer(&self) -> Result<Bearer, NoToken> {
        match self.look() {
            Look::Fresh(bearer) => return Ok(bearer),
            Look::Paused(no_token) => return Err(no_token),
            Look::Renewable(bearer) => {
                let Ok(_flight) = self.flight.try_lock() else { return Ok(bearer) };
                return self.fetch_unless_fresh().await.or(Ok(bearer));
            }
            Look::Absent => {}
        }
        let _flight = self.flight.lock().await;
        self.fetch_unless_fresh().await
    }

    /// The platform did not accept the token: unless it was replaced meanwhile, the next who asks fetches a new one.
    pub fn invalidate(&self, refused: &Bearer) {
        let mut known = self.known();
        if known.token.as_ref().is_some_and(|token| token.bearer.number == refused.number) {
            known.token = None;
        }
    }

    /// What is known now, for whoever watches.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> TokenHealth {
        let known = self.known();
        let left_ms = known.token.as_ref().map_or(0, |token| token.ends_at.ms_since(now));
        TokenHealth {
            fetched: known.fetched,
            failed: known.failed,
            left_ms: i64::try_from(left_ms).unwrap_or(i64::MAX),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Look {
        let now = self.clock.now();
        let known = self.known();
        let pause = known.pause.filter(|(until, _)| now < *until);
        match (&known.token, pause) {
            (Some(token), _) if now < token.renew_at => Look::Fresh(token.bearer.clone()),
            (Some(token), Some(_)) if now < token.ends_at => Look::Fresh(token.bearer.clone()),
            (Some(token), None) if now < token.ends_at => Look::Renewable(token.bearer.clone()),
            (_, Some((until, reason))) => Look::Paused(NoToken { reason, retry_after_ms: until - now }),
            (_, None) => Look::Absent,
        }
    }

    /// Runs inside the flight: whoever was before may have fetched already, or have failed.
    async fn fetch_unless_fresh(&self) -> Result<Bearer, NoToken> {
        match self.look() {
            Look::Fresh(bearer) => return Ok(bearer),
            Look::Paused(no_token) => return Err(no_token),
            Look::Renewable(_) | Look::Absent => {}
        }
        // The token's life counts from before the call, so that it never ends later here than there.
        let asked = self.clock.now();
        let outcome = match self.transport.send(self.call()).await {
            Ok(reply) => read(&reply),
            Err(_) => Err((Reason::Unavailable, None)),
        };
        let now = self.clock.now();
        let mut known = self.known();
        match outcome {
            Ok((header, reply)) => {
                known.fetched += 1;
                let bearer = Bearer { header, number: known.fetched };
                let lifetime_s = reply.expires_in_s.unwrap_or(SHORTEST_LIFETIME_S).max(1);
                known.token = Some(Token {
                    bearer: bearer.clone(),
                    renew_at: asked + reply.renew_after_s().saturating_mul(1000),
                    ends_at: asked + lifetime_s.saturating_mul(1000),
                });
                (known.failures, known.pause) = (0, None);
                Ok(bearer)
            }
            Err((reason, retry_after_ms)) => {
                known.failures = known.failures.saturating_add(1);
                known.failed += 1;
                let pause_ms = self.pause_ms(&known, now).max(retry_after_ms.unwrap_or(0).min(LONGEST_PAUSE_MS));
                known.pause = Some((now + pause_ms, reason));
                Err(NoToken { reason, retry_after_ms: pause_ms })
            }
        }
    }

    /// Doubles with every failure, up to a bound; between half of it and all of it. The spread comes from a hash of the
    /// address and the time, so that replicas differ and a simulation repeats itself.
    fn pause_ms(&self, known: &Known, now: Timestamp) -> u64 {
        let doubled = FIRST_PAUSE_MS << (known.failures - 1).min(16);
        let longest = doubled.min(LONGEST_PAUSE_MS);
        let mut hasher = SipHasher13::new();
        (&self.url, known.failures, now).hash(&mut hasher);
        longest / 2 + hasher.finish() % (longest / 2 + 1)
    }

    fn call(&self) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(TokenRequest::CONTENT_TYPE));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Base64 is always a header; without one the login host refuses, which is the honest outcome.
        if let Ok(mut value) = HeaderValue::from_str(self.request.authorization().expose_secret()) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Call {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: Bytes::from_static(TokenRequest::BODY.as_bytes()),
            timeout_ms: TIMEOUT_MS,
            reply_max_bytes: REPLY_MAX_BYTES,
        }
    }
}

enum Look {
    Fresh(Bearer),
    Renewable(Bearer),
    Paused(NoToken),
    Absent,
}

fn read(reply: &Reply) -> Result<(HeaderValue, TokenReply), (Reason, Option<u64>)> {
    match reply.status {
        200..=299 => {
            let token: TokenReply = genesys::cloud::read(&reply.body).map_err(|_| (Reason::Nonsense, None))?;
            let mut header =
                HeaderValue::from_str(token.authorization().expose_secret()).map_err(|_| (Reason::Nonsense, None))?;
            header.set_sensitive(true);
            Ok((header, token))
        }
        429 | 500..=599 | 408 => Err((Reason::Unavailable, reply.retry_after_ms())),
        status => {
            let refusal = TokenRefusal::read(&reply.body);
            // The code is a word of the standard; the sentence beside it may repeat what was sent.
            let code = refusal.error.filter(|code| code.len() <= 40).unwrap_or_default();
            tracing::warn!(status, code, "the login host refuses the OAuth client");
            Err((Reason::Refused, None))
        }
    }
}

#[cfg(test)]
mod tests;
