//! The admin API: HTTP over a Unix socket in the data folder, for the operator's commands on the same machine.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /v1/dead-letters?after=&limit=` | lists letters, ascending, without their payloads |
//! | `GET /v1/dead-letters/{id}` | one letter, with its payload for the role operate |
//! | `POST /v1/dead-letters/{id}/retry?dry_run=` | tries it again, or says what that would do |
//! | `DELETE /v1/dead-letters/{id}` | drops it |
//! | `GET /v1/counts` | what was counted since the start |
//! | `GET /v1/metrics` | the metrics, in the OpenMetrics text form |
//! | `GET /v1/conversations?bot=&floor=&open=&since_ms=&before=&limit=` | lists conversations, the latest touched first |
//! | `GET /v1/conversations?platform_id=` | the one that a platform knows by this id |
//! | `GET /v1/conversations/{id}` | one conversation, without what was said in it |
//! | `GET /v1/conversations/{id}/journal?after=&words=&wait_ms=` | its timeline; waits until it goes on |
//! | `POST /v1/conversations/{id}/end` | ends a conversation |
//! | `GET /v1/journal?after=&words=&wait_ms=` | what happens in all conversations; without `after`, from now on |
//! | `GET /v1/requests?after=&refused=&wait_ms=` | the latest calls of platforms |
//! | `GET /v1/audit?limit=` | what operators did |
//! | `GET /v1/bots` | the bots, and which are out of service |
//! | `POST /v1/bots/{name}/disable` | takes one out of service: new turns go to humans, with `now` open conversations too |
//! | `POST /v1/bots/{name}/enable` | puts one in service again |
//! | `GET /v1/manifests` | what platforms know of the bots, by version |
//! | `POST /v1/connectors/{key}/sent` | notes the list of bots that a platform was sent |
//! | `GET /v1/shadows` | what shadows found: by connector, bot and kind |
//! | `POST /v1/reload` | reads the configuration again |
//!
//! Two roles. Whoever shows the token of `admin.token` operates. Whoever shows that of `read.token` may look at everything
//! but what customers and bots said, and change nothing. Both files and the socket are for the owner of the data folder
//! alone, unless `group_may_read` lets the folder's group have the role read; the tokens are new ones at every start.
//! What is done in the role operate, looking at words too, is entered in the [`audit`] trail before it is answered. The
//! command line talks through [`client`].

pub mod audit;
mod bots;
pub mod client;
mod conversations;
mod files;
pub mod look;
mod manifests;
mod query;
mod shadows;
pub mod timeline;
pub mod view;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use model::{ConversationId, Event, Fact, Holder, Timestamp};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use audit::{Detail, Entry, Operation, Trail};
pub use files::Error;
use files::Files;
use query::Query;
use view::{CountsView, EndView, LetterPage, LetterView, ReloadView, RetryView};

use crate::dead_letter::Redriven;
use crate::gateway::Shared;
use crate::http::body::{self, Answer, Cap, Reason};
use crate::http::server::{self, Handler, LocalUser};
use crate::observe::page;
use crate::reload::Reloading;
use crate::runner::Told;
use crate::store::{self, LetterQuery};

/// Options of a call are short.
const CAP: Cap = Cap { max_bytes: 16 * 1024, timeout_ms: 5_000 };
/// Letters on one page, unless asked otherwise, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1_000;
/// Operators are few.
const CONNECTIONS_MAX: usize = 64;

/// The admin API, bound and not served yet.
pub struct Admin {
    listener: UnixListener,
    operator: Operator,
    files: Files,
}

impl Admin {
    /// Writes a new token and binds the socket in the data folder, whose lock must be ours: what an earlier run left
    /// there is replaced.
    ///
    /// # Errors
    /// When the folder cannot be written, or its path is too long for a socket.
    pub fn bind(shared: Arc<Shared>, data_dir: &Path) -> Result<Self, Error> {
        let (files, listener, tokens) = Files::create(data_dir)?;
        let operator = Operator {
            shared,
            operate: digest(tokens.operate.expose_secret().as_bytes()),
            read: digest(tokens.read.expose_secret().as_bytes()),
            trail: Arc::new(Trail::of(data_dir)),
            closing: CancellationToken::new(),
            refusals: Refusals::default(),
            reloading: None,
        };
        Ok(Self { listener, operator, files })
    }

    /// Lets the group of the data folder have the role read: it may enter the folder, reach the socket and read
    /// `read.token`, and no other file in it.
    ///
    /// # Errors
    /// When the permissions cannot be set.
    pub fn let_group_read(&self) -> Result<(), Error> {
        self.files.let_group_read()
    }

    /// Lets an operator put a changed configuration into effect.
    #[must_use]
    pub fn with_reload(self, reloading: Arc<Reloading>) -> Self {
        Self { operator: Operator { reloading: Some(reloading), ..self.operator }, ..self }
    }

    /// Serves until `stop`; then the socket and the tokens are gone.
    pub async fn serve(self, stop: CancellationToken) {
        let limits = server::Limits { connections_max: CONNECTIONS_MAX, ..server::Limits::default() };
        let runtime = self.operator.shared.runtime().clone();
        let closing = self.operator.closing.clone();
        // Who waits for news is answered at once when it ends.
        let ends = async {
            stop.cancelled().await;
            closing.cancel();
        };
        tokio::join!(server::serve(self.listener, Arc::new(self.operator), limits, runtime, stop.clone()), ends);
        drop(self.files);
    }
}

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look at everything but words.
    Read,
    /// Look at words too, and change what there is to change.
    Operate,
}

impl Role {
    /// The word used in the audit trail.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
        }
    }
}

/// Answers the operator.
struct Operator {
    shared: Arc<Shared>,
    operate: [u8; 32],
    read: [u8; 32],
    trail: Arc<Trail>,
    /// The process ends: nobody waits any more.
    closing: CancellationToken,
    reloading: Option<Arc<Reloading>>,
    /// Of calls that the role read may not make.
    refusals: Refusals,
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a retry can be told in its body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryOptions {
    dry_run: Option<bool>,
}

/// What takes no options.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

/// A call that ends here.
type Ended = Box<Response<Answer>>;

/// How many calls that the role read may not make are entered within a minute.
const REFUSALS_PER_MINUTE_MAX: u32 = 30;

/// Counts the calls that the role read may not make.
#[derive(Debug, Default)]
struct Refusals(Mutex<(Timestamp, u32)>);

impl Refusals {
    /// Whether one more is entered.
    fn is_entered(&self, now: Timestamp) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.ms_since(counted.0) >= 60_000 {
            *counted = (now, 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1 <= REFUSALS_PER_MINUTE_MAX
    }
}

impl Handler for Operator {
    async fn handle(self: Arc<Self>, mut head: Parts, body: Incoming, at: Timestamp) -> Response<Answer> {
        let Some(role) = self.role(&head.headers) else {
            let mut answer = body::refused(
                StatusCode::UNAUTHORIZED,
                "token",
                "the bearer token is neither that of admin.token nor that of read.token",
            );
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        };
        head.extensions.insert(role);
        let user = head.extensions.get::<LocalUser>().map(|user| user.0);
        let Some(operation) = Operation::of(&head, role) else {
            return self.route(&head, body).await.unwrap_or_else(|ended| *ended);
        };
        // A reader in a loop must not turn the operators' entries out of the trail.
        if role == Role::Read && !self.refusals.is_entered(at) {
            return may_only_read();
        }
        let operator = self.clone();
        // What was begun is done and entered, even when the operator goes away.
        let done = self.shared.runtime().detached(async move {
            let answer = match role {
                Role::Read => may_only_read(),
                Role::Operate => operator.route(&head, body).await.unwrap_or_else(|ended| *ended),
            };
            operator.enter(operation, at, role, user, &answer).await;
            answer
        });
        done.await.unwrap_or_else(|| body::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

fn may_only_read() -> Response<Answer> {
    let message = "this needs the role operate: the token of admin.token, which the user has that runs the server; \
                   read.token only looks, and not at what was said";
    body::refused(StatusCode::FORBIDDEN, "role", message)
}

impl Operator {
    /// Both tokens are compared, in constant time, whichever it is.
    fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let shown = digest(shown.unwrap_or_default());
        let (operates, reads) = (self.operate.ct_eq(&shown), self.read.ct_eq(&shown));
        if operates.into() { Some(Role::Operate) } else { bool::from(reads).then_some(Role::Read) }
    }

    /// Enters what was done in the trail and in the log.
    async fn enter(
        &self,
        operation: Operation,
        at: Timestamp,
        role: Role,
        user: Option<u32>,
        answer: &Response<Answer>,
    ) {
        let reason = answer.extensions().get::<Reason>();
        let outcome = match reason {
            _ if answer.status().is_success() => "done".to_owned(),
            Some(reason) => format!("{} {}", answer.status().as_u16(), reason.word),
            None => answer.status().as_u16().to_string(),
        };
        let detail = answer.extensions().get::<Detail>().map(|detail| detail.0.as_str());
        let entry = Entry::new(operation, at, role.word(), user, detail, outcome);
        tracing::info!(
            target: "cordboard::audit",
            role = entry.role, uid = entry.uid, user = entry.user, what = entry.what, on = entry.on, outcome = entry.outcome,
            "an operator's call"
        );
        let trail = self.trail.clone();
        let entered = tokio::task::spawn_blocking(move || trail.enter(&entry)).await;
        if let Err(error) = entered.unwrap_or_else(|gone| Err(gone.into())) {
            tracing::error!(%error, "an operator's call could not be entered in audit.jsonl; it stands in the log alone");
        }
    }

    async fn route(&self, head: &Parts, body: Incoming) -> Result<Response<Answer>, Ended> {
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let query = Query(head.uri.query().unwrap_or_default());
        match (&head.method, path.as_slice()) {
            (&Method::GET, ["v1", "dead-letters"]) => self.letters(query).await,
            (&Method::GET, ["v1", "dead-letters", id]) => self.letter(letter_id(id)?, role_of(head)).await,
            (&Method::DELETE, ["v1", "dead-letters", id]) => self.drop_letter(letter_id(id)?).await,
            (&Method::POST, ["v1", "dead-letters", id, "retry"]) => self.retry(letter_id(id)?, query, head, body).await,
            (&Method::GET, ["v1", "counts"]) => Ok(body::value(StatusCode::OK, &CountsView::of(&self.shared))),
            (&Method::GET, ["v1", "metrics"]) => Ok(page::answer(&self.shared).await),
            (&Method::POST, ["v1", "conversations", id, "end"]) => {
                options::<NoOptions>(head, body).await?;
                self.end(conversation_id(id)?).await
            }
            (&Method::GET, ["v1", "conversations"]) => self.conversations(query).await,
            (&Method::GET, ["v1", "conversations", id]) => self.conversation(conversation_id(id)?).await,
            (&Method::GET, ["v1", "conversations", id, "journal"]) => self.journal(conversation_id(id)?, query).await,
            (&Method::GET, ["v1", "journal"]) => self.log(query).await,
            (&Method::GET, ["v1", "requests"]) => self.requests(query).await,
            (&Method::GET, ["v1", "audit"]) => self.audit(query).await,
            (&Method::GET, ["v1", "bots"]) => self.bots().await,
            (&Method::POST, ["v1", "bots", name, "disable"]) => self.disable(name, head, body).await,
            (&Method::POST, ["v1", "bots", name, "enable"]) => self.enable(name, head, body).await,
            (&Method::GET, ["v1", "manifests"]) => self.manifests().await,
            (&Method::GET, ["v1", "shadows"]) => self.shadows().await,
            (&Method::POST, ["v1", "connectors", key, "sent"]) => self.sent(key, head, body).await,
            (&Method::POST, ["v1", "reload"]) => {
                options::<NoOptions>(head, body).await?;
                self.reload().await
            }
            (
                _,
                [
                    "v1",
                    "dead-letters" | "counts" | "metrics" | "conversations" | "journal" | "requests" | "audit" | "bots"
                    | "manifests" | "shadows",
                ]
                | ["v1", "conversations", _]
                | ["v1", "conversations", _, "journal"],
            ) => Ok(body::not_allowed("GET")),
            (_, ["v1", "dead-letters", _]) => Ok(body::not_allowed("GET, DELETE")),
            (
                _,
                ["v1", "dead-letters", _, "retry"]
                | ["v1", "conversations", _, "end"]
                | ["v1", "bots", _, "disable" | "enable"]
                | ["v1", "connectors", _, "sent"]
                | ["v1", "reload"],
            ) => Ok(body::not_allowed("POST")),
            _ => Ok(body::refused(StatusCode::NOT_FOUND, "path", "there is no such path")),
        }
    }

    async fn letters(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        query.knows(&["after", "limit"]).map_err(not_understood)?;
        let after = query.number("after").map_err(not_understood)?.unwrap_or(0);
        let limit = query.limit(PAGE, PAGE_MAX).map_err(not_understood)?;
        // One more than asked for tells whether there is a next page.
        let found = self.shared.letters(LetterQuery { after, limit: limit + 1 }).await.map_err(unavailable)?;
        let letters: Vec<LetterView> =
            found.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(LetterView::brief).collect();
        let next_after =
            if found.len() > letters.len() { letters.last().map(|letter| letter.id.clone()) } else { None };
        Ok(body::value(StatusCode::OK, &LetterPage { letters, next_after }))
    }

    async fn letter(&self, id: u64, role: Role) -> Result<Response<Answer>, Ended> {
        let letter = self.shared.letter(id).await.map_err(unavailable)?.ok_or_else(no_letter)?;
        let view = match role {
            Role::Operate => LetterView::whole(&letter),
            Role::Read => LetterView::brief(&letter),
        };
        Ok(body::value(StatusCode::OK, &view))
    }

    async fn drop_letter(&self, id: u64) -> Result<Response<Answer>, Ended> {
        if self.shared.drop_letter(id).await.map_err(unavailable)? {
            Ok(body::value(StatusCode::OK, &RetryView { outcome: "dropped".into(), message: None }))
        } else {
            Err(no_letter())
        }
    }

    async fn retry(
        &self,
        id: u64,
        query: Query<'_>,
        head: &Parts,
        incoming: Incoming,
    ) -> Result<Response<Answer>, Ended> {
        query.knows(&["dry_run"]).map_err(not_understood)?;
        let asked = query.flag("dry_run").map_err(not_understood)?;
        let options: RetryOptions = options(head, incoming).await?;
        let dry_run = options.dry_run.or(asked).unwrap_or(false);
        let answer = match self.shared.redrive(id, dry_run).await.map_err(unavailable)? {
            Redriven::Done => body::value(StatusCode::OK, &RetryView { outcome: "done".into(), message: None }),
            Redriven::WouldWork(way) => {
                let view = RetryView { outcome: "would_work".into(), message: Some(way.into()) };
                body::value(StatusCode::OK, &view)
            }
            Redriven::Refused(reason) => body::refused(
                StatusCode::CONFLICT,
                reason,
                "it would speak after the end or over a human; it stays here",
            ),
            Redriven::NotThere => *no_letter(),
            Redriven::NotPossible(why) => body::refused(StatusCode::UNPROCESSABLE_ENTITY, "letter.not_possible", &why),
        };
        Ok(if dry_run { with_detail(answer, "only asked what would happen") } else { answer })
    }

    async fn reload(&self) -> Result<Response<Answer>, Ended> {
        let Some(reloading) = &self.reloading else {
            return Err(not_understood("this gateway was not started from a file".to_owned()));
        };
        match reloading.reload("operator").await {
            Ok(reloaded) => Ok(body::value(StatusCode::OK, &ReloadView::of(&reloaded))),
            Err(refused) => {
                let message = refused.to_string();
                Err(Box::new(body::refused(StatusCode::UNPROCESSABLE_ENTITY, refused.word(), &message)))
            }
        }
    }

    async fn end(&self, id: ConversationId) -> Result<Response<Answer>, Ended> {
        match self.shared.ask_core(id, Event::EndedByOperator, None, None).await {
            Told::Applied(facts) => {
                // The step may hold late news of a reply besides, so only the floor tells.
                let ended = |fact: &Fact| matches!(fact, Fact::Floor(to) if to.holder == Holder::Ended);
                let was_over = !facts.iter().any(ended);
                let outcome = if was_over { "was_over" } else { "ended" };
                Ok(body::value(StatusCode::OK, &EndView { outcome: outcome.into() }))
            }
            Told::NotStored | Told::Repeated => match self.shared.peek(id).await.map_err(unavailable)? {
                Some(_) => Err(unavailable(store::Error::Unavailable("the step could not be stored".into()))),
                None => Err(no_conversation()),
            },
        }
    }
}

fn with_detail(mut answer: Response<Answer>, detail: &str) -> Response<Answer> {
    answer.extensions_mut().insert(Detail(detail.to_owned()));
    answer
}

fn role_of(head: &Parts) -> Role {
    head.extensions.get().copied().unwrap_or(Role::Read)
}

/// Options are an object, or nothing at all.
async fn options<T: Default + DeserializeOwned>(head: &Parts, incoming: Incoming) -> Result<T, Ended> {
    options_within(CAP, head, incoming).await
}

async fn options_within<T: Default + DeserializeOwned>(cap: Cap, head: &Parts, incoming: Incoming) -> Result<T, Ended> {
    let bytes = body::read(head, incoming, cap).await.map_err(|unread| Box::new(unread.answer()))?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    genesys::cloud::read(&bytes).map_err(|unreadable| match unreadable {
        genesys::cloud::Unreadable::NotJson => {
            Box::new(body::refused(StatusCode::BAD_REQUEST, "body.not_json", "the body is not JSON"))
        }
        genesys::cloud::Unreadable::NotUnderstood { .. } => {
            not_understood("the body holds something else than the options of this call".to_owned())
        }
    })
}

fn letter_id(text: &str) -> Result<u64, Ended> {
    text.parse().map_err(|_| not_understood("the id of a letter is a number".to_owned()))
}

fn conversation_id(text: &str) -> Result<ConversationId, Ended> {
    text.parse().map_err(|_| not_understood("the id of a conversation is 16 hexadecimal digits".to_owned()))
}

fn not_understood(message: String) -> Ended {
    Box::new(body::refused(StatusCode::UNPROCESSABLE_ENTITY, "call.not_understood", &message))
}

fn no_letter() -> Ended {
    Box::new(body::refused(StatusCode::NOT_FOUND, "letter.unknown", "there is no such letter"))
}

fn no_conversation() -> Ended {
    let message = "there is no such conversation";
    Box::new(body::refused(StatusCode::NOT_FOUND, "conversation.unknown", message))
}

fn unavailable(error: store::Error) -> Ended {
    Box::new(body::try_later("store", &error.to_string(), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_in_a_loop_does_not_fill_the_trail() {
        let refusals = Refusals::default();
        let start = 1_700_000_000_000;
        let entered = |from: i64| (from..from + 1_000).filter(|at| refusals.is_entered(Timestamp(*at))).count();
        assert_eq!((entered(start), entered(start + 30_000), entered(start + 60_000)), (30, 0, 30));
    }
}
