//! The org's bearer token: fetched once for everybody who waits, renewed before it ends, given up when it is refused.

use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use genesys::cloud::oauth::{SHORTEST_LIFETIME_S, TokenRefusal, TokenReply, TokenRequest};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use model::{OrgKey, Timestamp};
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
    org: OrgKey,
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
    /// How often in a row the fetching failed.
    failures: u32,
    /// Nobody asks before this time, and everybody gets this reason.
    pause: Option<(Timestamp, Reason)>,
    /// Since when there is trouble, and which was told last.
    trouble: Option<(Timestamp, Reason)>,
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
            org: org.key.clone(),
            transport,
            clock,
            url: org.token_url(),
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
        let outcome = match self.transport.send(token_call(&self.url, &self.request)).await {
            Ok(reply) => read(&reply),
            Err(_) => Err(Unread { reason: Reason::Unavailable, retry_after_ms: None, answer: None }),
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
                if let Some((since, _)) = known.trouble {
                    tracing::info!(org = %self.org, after_s = now.ms_since(since) / 1000, "there are tokens again; pushes go on");
                }
                (known.failures, known.pause, known.trouble) = (0, None, None);
                Ok(bearer)
            }
            Err(Unread { reason, retry_after_ms, answer }) => {
                self.tell(&mut known, now, reason, answer.as_ref());
                known.failures = known.failures.saturating_add(1);
                let pause_ms = self.pause_ms(&known, now).max(retry_after_ms.unwrap_or(0).min(LONGEST_PAUSE_MS));
                known.pause = Some((now + pause_ms, reason));
                Err(NoToken { reason, retry_after_ms: pause_ms })
            }
        }
    }

    /// Trouble is told when it begins and when it changes its kind, however many wait.
    fn tell(&self, known: &mut Known, now: Timestamp, reason: Reason, answer: Option<&Answered>) {
        let (since, told) = known.trouble.map_or((now, None), |(since, told)| (since, Some(told)));
        known.trouble = Some((since, reason));
        if told == Some(reason) {
            return;
        }
        let (status, code) = answer.map_or((None, ""), |answer| (Some(answer.status), answer.code.as_str()));
        let next = match reason {
            Reason::Unavailable => "its pushes wait, and go on by themselves",
            Reason::Refused | Reason::Nonsense => {
                "its pushes fail until somebody mends it: `cordboard doctor` says what to look at"
            }
        };
        tracing::warn!(org = %self.org, status, code, %reason, "no new token for an org; {next}");
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
}

enum Look {
    Fresh(Bearer),
    Renewable(Bearer),
    Paused(NoToken),
    Absent,
}

/// The call that fetches a token.
pub(super) fn token_call(url: &str, request: &TokenRequest) -> Call {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TokenRequest::CONTENT_TYPE));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Base64 is always a header; without one the login host refuses, which is the honest outcome.
    if let Ok(mut value) = HeaderValue::from_str(request.authorization().expose_secret()) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Call {
        method: Method::POST,
        url: url.to_owned(),
        headers,
        body: Bytes::from_static(TokenRequest::BODY.as_bytes()),
        timeout_ms: TIMEOUT_MS,
        reply_max_bytes: REPLY_MAX_BYTES,
    }
}

/// What came back is no token.
pub(crate) struct Unread {
    pub(crate) reason: Reason,
    retry_after_ms: Option<u64>,
    /// Nothing when nothing came back.
    pub(crate) answer: Option<Answered>,
}

/// The refusal, without its sentence, which may repeat what was sent.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// A word of the standard; empty when there is none.
    pub(crate) code: String,
}

/// Reads what the login host answered: the header that shows the token, and the rest.
pub(crate) fn read(reply: &Reply) -> Result<(HeaderValue, TokenReply), Unread> {
    let unread = |reason, retry_after_ms, code| Unread {
        reason,
        retry_after_ms,
        answer: Some(Answered { status: reply.status, code }),
    };
    match reply.status {
        200..=299 => {
            let nonsense = || unread(Reason::Nonsense, None, String::new());
            let token: TokenReply = genesys::cloud::read(&reply.body).map_err(|_| nonsense())?;
            let mut header = HeaderValue::from_str(token.authorization().expose_secret()).map_err(|_| nonsense())?;
            header.set_sensitive(true);
            Ok((header, token))
        }
        429 | 500..=599 | 408 => Err(unread(Reason::Unavailable, reply.retry_after_ms(), String::new())),
        _ => {
            let refusal = TokenRefusal::read(&reply.body);
            Err(unread(Reason::Refused, None, refusal.error.filter(|code| is_code(code)).unwrap_or_default()))
        }
    }
}

/// Only a word is repeated: whatever else stands there may be what was sent.
fn is_code(code: &str) -> bool {
    code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.')
}

#[cfg(test)]
mod tests;
