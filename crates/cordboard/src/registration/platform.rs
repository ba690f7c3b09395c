//! A v1 integration's list of bots on the platform: reading it, and putting another in its place
//! (`reference/bot-connector-v1.md`, section 3). Token and rate are those of the org; how the platform's refusals are
//! answered is the same as for pushes. What its errors look like in detail is inferred, so they are read by their status.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use genesys::cloud::bot_connector::bots_path;
use genesys::cloud::error::{Advice, ErrorBody};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};

use crate::http::{Call, Failed, Reply, Transport};
use crate::org::{NoToken, Org, Tokens};
use crate::outbox::{OrgAccess, PushAccess};
use crate::runtime::Clock;

/// What whoever reads the list needs.
pub const VIEW: &str = "integration:botconnector:view";
/// What whoever replaces it needs.
pub const EDIT: &str = "integration:botconnector:edit";

const TIMEOUT_MS: u64 = 20_000;
/// 50 bots with many versions each.
const LIST_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How often it is waited when the platform wants no call now.
const WAITS_MAX: u32 = 3;
/// The wait when it does not say how long.
const WAIT_MS: u64 = 5_000;
/// Its limits are by the minute.
const WAIT_MAX_MS: u64 = 60_000;
/// The fields of a refusal that are shown.
const FIELDS_TOLD: usize = 5;

/// Why the list could not be read or replaced: what was found, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.found(), self.next_step())]
pub enum Error {
    /// No token.
    NoToken(NoToken),
    /// Nobody answers, and nothing was changed.
    NotReached(Failed),
    /// The call may have arrived.
    OutcomeUnknown(String),
    /// 401.
    Unauthorised,
    /// 403: which permission is missing.
    Forbidden(&'static str),
    /// 404: the id that was asked for.
    NoIntegration(String),
    /// 409.
    Inactive,
    /// 429 or 503, again and again.
    Busy(u16),
    /// 408 or 5xx, while nothing was to be changed.
    Trouble(u16),
    /// Anything else that is a refusal.
    Refused {
        /// The status.
        status: u16,
        /// The code and the fields, with what separates them.
        said: String,
    },
    /// Not a list.
    Unreadable,
}

impl Error {
    /// What was found.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::NoToken(no_token) => no_token.reason.to_string(),
            Self::NotReached(failed) => format!("the API host gives no answer ({failed}), and nothing was changed"),
            Self::OutcomeUnknown(why) => format!("{why}, so whether Genesys has the list is not known"),
            Self::Unauthorised => "the API host does not accept the token that the login host gave (401)".to_owned(),
            Self::Forbidden(permission) => format!("the OAuth client lacks {permission} (403)"),
            Self::NoIntegration(id) => format!("there is no Bot Connector integration {id} (404)"),
            Self::Inactive => "the integration is not active (409)".to_owned(),
            Self::Busy(status) => format!("Genesys takes no more calls now ({status})"),
            Self::Trouble(status) => format!("Genesys answers {status}, and nothing was changed"),
            Self::Refused { status, said } => format!("Genesys does not take it ({status}{said})"),
            Self::Unreadable => "what the API host answers is no list of bots".to_owned(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::NoToken(_) | Self::NotReached(_) => "`cordboard doctor` says what to look at",
            Self::OutcomeUnknown(_) => "call again; a list that is sent twice does no harm",
            Self::Unauthorised => "`api_url` and `login_url` must be of one region: write `region` alone",
            Self::Forbidden(_) => {
                "give the OAuth client a role with it (Integration > BotConnector): Admin > People & Permissions > Roles, then \
                 the roles of the client in Admin > Integrations > OAuth"
            }
            Self::NoIntegration(_) => {
                "copy `integration_id` from the address bar of the integration in Admin > Integrations; that of a Digital Bot \
                 Connector is none"
            }
            Self::Inactive => {
                "switch it to Active in Admin > Integrations; right after its installation that may take some minutes"
            }
            Self::Busy(_) => "call again in a few minutes",
            Self::Trouble(_) => "call again in a minute, and see status.mypurecloud.com",
            Self::Refused { .. } => "`cordboard bots list --door v1` shows what was sent",
            Self::Unreadable => "see whether `api_url` is right, and whether a proxy answers in its place",
        }
    }
}

/// The list of one integration.
pub struct Platform {
    access: OrgAccess,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    api_base: String,
    integration_id: String,
}

impl Platform {
    /// The list of an integration.
    #[must_use]
    pub fn new(org: &Org, integration_id: &str, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let tokens = Tokens::new(org, transport.clone(), clock.clone());
        Self {
            access: OrgAccess::new(tokens, org.rate()),
            transport,
            clock,
            api_base: org.api_base().to_owned(),
            integration_id: integration_id.to_owned(),
        }
    }

    /// The bots in it, as the platform writes them. `waits` is told before each wait that the platform asks for, in
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn read(&self, waits: &mut (dyn FnMut(u64) + Send)) -> Result<Vec<Value>, Error> {
        let call = reading(&self.api_base, &self.integration_id)
            .ok_or_else(|| Error::NoIntegration(self.integration_id.clone()))?;
        read(&self.send(call, waits).await?, &self.integration_id)
    }

    /// Puts these bots in the place of all that are there.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn replace(&self, chat_bots: &[Value], waits: &mut (dyn FnMut(u64) + Send)) -> Result<(), Error> {
        let call = reading(&self.api_base, &self.integration_id)
            .ok_or_else(|| Error::NoIntegration(self.integration_id.clone()))?;
        let mut call = Call { method: Method::PUT, body: json!({ "chatBots": chat_bots }).to_string().into(), ..call };
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.send(call, waits).await? {
            reply if (200..=299).contains(&reply.status) => Ok(()),
            reply => Err(refusal(&reply, &self.integration_id, EDIT)),
        }
    }

    async fn send(&self, call: Call, waits: &mut (dyn FnMut(u64) + Send)) -> Result<Reply, Error> {
        let (mut tokens_refused, mut waited) = (0, 0);
        loop {
            let bearer = self.access.bearer().await.map_err(Error::NoToken)?;
            pause(self.access.reserve(self.clock.now())).await;
            let mut call = call.clone();
            bearer.authorise(&mut call);
            let is_reading = call.method == Method::GET;
            let reply = self.transport.send(call).await.map_err(|failed| match failed {
                Failed::NotSent => Error::NotReached(failed),
                failed if is_reading => Error::NotReached(failed),
                failed => Error::OutcomeUnknown(failed.to_string()),
            })?;
            match Advice::of(reply.status, None, reply.header("retry-after")) {
                Advice::Unauthorised if tokens_refused == 0 => {
                    tokens_refused += 1;
                    self.access.refuse(&bearer);
                }
                Advice::NotSent { .. } if waited < WAITS_MAX => {
                    waited += 1;
                    let ms = reply.retry_after_ms().unwrap_or(WAIT_MS).clamp(1_000, WAIT_MAX_MS);
                    waits(ms);
                    pause(ms).await;
                }
                _ => return Ok(reply),
            }
        }
    }
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// The call that reads a list, without its token; nothing for an id that would change the path.
#[must_use]
pub fn reading(api_base: &str, integration_id: &str) -> Option<Call> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Some(Call {
        method: Method::GET,
        url: format!("{api_base}{}", bots_path(integration_id)?),
        headers,
        body: Bytes::new(),
        timeout_ms: TIMEOUT_MS,
        reply_max_bytes: LIST_MAX_BYTES,
    })
}

/// Reads what came of it. A list that was never sent is an empty one.
///
/// # Errors
///
/// [`Error`].
pub fn read(reply: &Reply, integration_id: &str) -> Result<Vec<Value>, Error> {
    match reply.status {
        200..=299 => {}
        status @ (408 | 500..=502 | 504..) => return Err(Error::Trouble(status)),
        _ => return Err(refusal(reply, integration_id, VIEW)),
    }
    let mut body: Value = serde_json::from_slice(&reply.body).map_err(|_| Error::Unreadable)?;
    match body.get_mut("chatBots").map(Value::take) {
        Some(Value::Array(bots)) => Ok(bots),
        Some(Value::Null) => Ok(Vec::new()),
        None if body.is_object() => Ok(Vec::new()),
        Some(_) | None => Err(Error::Unreadable),
    }
}

fn refusal(reply: &Reply, integration_id: &str, permission: &'static str) -> Error {
    match reply.status {
        401 => Error::Unauthorised,
        403 => Error::Forbidden(permission),
        404 => Error::NoIntegration(integration_id.to_owned()),
        409 => Error::Inactive,
        429 | 503 => Error::Busy(reply.status),
        status @ (408 | 500..) => Error::OutcomeUnknown(format!("Genesys answers {status}")),
        status => {
            let body = ErrorBody::read(&reply.body);
            let code = body.code.map(|code| format!(" {code}")).unwrap_or_default();
            let fields = body.details.iter().take(FIELDS_TOLD).map(|detail| {
                let [field, code] = [&detail.field_name, &detail.error_code].map(|text| text.as_deref().unwrap_or("?"));
                format!("; {field}: {code}")
            });
            Error::Refused { status, said: code + &fields.collect::<String>() }
        }
    }
}
