//! The admin API: HTTP over a Unix socket in the data folder, for the operator's commands on the same machine.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /v1/dead-letters?after=&limit=` | lists letters, ascending, without their payloads |
//! | `GET /v1/dead-letters/{id}` | one letter with its payload |
//! | `POST /v1/dead-letters/{id}/retry?dry_run=` | tries it again, or says what that would do |
//! | `DELETE /v1/dead-letters/{id}` | drops it |
//! | `GET /v1/counts` | what was counted since the start |
//! | `POST /v1/conversations/{id}/end` | ends a conversation |
//! | `POST /v1/reload` | reads the configuration again |
//!
//! Whoever may open the socket and read the token beside it is the operator: both are for the owner of the data folder
//! alone, and the token is a new one at every start. The command line talks through [`client`].

pub mod client;
mod files;
mod query;
pub mod view;

use std::path::Path;
use std::sync::Arc;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use model::{ConversationId, Event, Fact, Timestamp};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

pub use files::Error;
use files::Files;
use query::Query;
use view::{CountsView, EndView, LetterPage, LetterView, ReloadView, RetryView};

use crate::dead_letter::Redriven;
use crate::gateway::Shared;
use crate::http::body::{self, Answer, Cap};
use crate::http::server::{self, Handler};
use crate::reload::Reloading;
use crate::runner::Told;
use crate::store::{self, LetterQuery};

/// Options of a call are short.
const CAP: Cap = Cap { max_bytes: 16 * 1024, timeout_ms: 5_000 };
/// Letters on one page, unless asked otherwise, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;
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
        let (files, listener, token) = Files::create(data_dir)?;
        Ok(Self {
            listener,
            operator: Operator { shared, token: digest(token.expose_secret().as_bytes()), reloading: None },
            files,
        })
    }

    /// Lets an operator put a changed configuration into effect.
    #[must_use]
    pub fn with_reload(self, reloading: Arc<Reloading>) -> Self {
        Self { operator: Operator { reloading: Some(reloading), ..self.operator }, ..self }
    }

    /// Serves until `stop`; then the socket and the token are gone.
    pub async fn serve(self, stop: CancellationToken) {
        let limits = server::Limits { connections_max: CONNECTIONS_MAX, ..server::Limits::default() };
        let runtime = self.operator.shared.runtime().clone();
        server::serve(self.listener, Arc::new(self.operator), limits, runtime, stop).await;
        drop(self.files);
    }
}

/// Answers the operator.
struct Operator {
    shared: Arc<Shared>,
    token: [u8; 32],
    reloading: Option<Arc<Reloading>>,
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

impl Handler for Operator {
    async fn handle(self: Arc<Self>, head: Parts, body: Incoming, _at: Timestamp) -> Response<Answer> {
        if !self.is_known(&head.headers) {
            let mut answer =
                body::refused(StatusCode::UNAUTHORIZED, "token", "the bearer token is not that of admin.token");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        self.route(&head, body).await.unwrap_or_else(|ended| *ended)
    }
}

impl Operator {
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        self.token.ct_eq(&digest(shown.unwrap_or_default())).into()
    }

    async fn route(&self, head: &Parts, body: Incoming) -> Result<Response<Answer>, Ended> {
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let query = Query(head.uri.query().unwrap_or_default());
        match (&head.method, path.as_slice()) {
            (&Method::GET, ["v1", "dead-letters"]) => self.letters(query).await,
            (&Method::GET, ["v1", "dead-letters", id]) => self.letter(letter_id(id)?).await,
            (&Method::DELETE, ["v1", "dead-letters", id]) => self.drop_letter(letter_id(id)?).await,
            (&Method::POST, ["v1", "dead-letters", id, "retry"]) => self.retry(letter_id(id)?, query, head, body).await,
            (&Method::GET, ["v1", "counts"]) => Ok(body::value(StatusCode::OK, &CountsView::of(&self.shared))),
            (&Method::POST, ["v1", "conversations", id, "end"]) => {
                options::<NoOptions>(head, body).await?;
                self.end(conversation_id(id)?).await
            }
            (&Method::POST, ["v1", "reload"]) => {
                options::<NoOptions>(head, body).await?;
                self.reload().await
            }
            (_, ["v1", "dead-letters"] | ["v1", "counts"]) => Ok(body::not_allowed("GET")),
            (_, ["v1", "dead-letters", _]) => Ok(body::not_allowed("GET, DELETE")),
            (_, ["v1", "dead-letters", _, "retry"] | ["v1", "conversations", _, "end"] | ["v1", "reload"]) => {
                Ok(body::not_allowed("POST"))
            }
            _ => Ok(body::refused(StatusCode::NOT_FOUND, "path", "there is no such path")),
        }
    }

    async fn letters(&self, query: Query<'_>) -> Result<Response<Answer>, Ended> {
        query.knows(&["after", "limit"]).map_err(not_understood)?;
        let after = query.number("after").map_err(not_understood)?.unwrap_or(0);
        let limit = query.number("limit").map_err(not_understood)?.unwrap_or(PAGE);
        let limit = u32::try_from(limit).ok().filter(|_| (1..=PAGE_MAX).contains(&limit));
        let limit = limit.ok_or_else(|| not_understood(format!("limit lies between 1 and {PAGE_MAX}")))?;
        // One more than asked for tells whether there is a next page.
        let found = self.shared.letters(LetterQuery { after, limit: limit + 1 }).await.map_err(unavailable)?;
        let letters: Vec<LetterView> =
            found.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(LetterView::brief).collect();
        let next_after =
            if found.len() > letters.len() { letters.last().map(|letter| letter.id.clone()) } else { None };
        Ok(body::value(StatusCode::OK, &LetterPage { letters, next_after }))
    }

    async fn letter(&self, id: u64) -> Result<Response<Answer>, Ended> {
        let letter = self.shared.letter(id).await.map_err(unavailable)?.ok_or_else(no_letter)?;
        Ok(body::value(StatusCode::OK, &LetterView::whole(&letter)))
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
        Ok(match self.shared.redrive(id, dry_run).await.map_err(unavailable)? {
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
        })
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
                let was_over = facts.contains(&Fact::Nothing);
                let outcome = if was_over { "was_over" } else { "ended" };
                Ok(body::value(StatusCode::OK, &EndView { outcome: outcome.into() }))
            }
            Told::NotStored | Told::Repeated => match self.shared.peek(id).await.map_err(unavailable)? {
                Some(_) => Err(unavailable(store::Error::Unavailable("the step could not be stored".into()))),
                None => {
                    let message = "there is no such conversation";
                    Err(Box::new(body::refused(StatusCode::NOT_FOUND, "conversation.unknown", message)))
                }
            },
        }
    }
}

/// Options are an object, or nothing at all.
async fn options<T: Default + DeserializeOwned>(head: &Parts, incoming: Incoming) -> Result<T, Ended> {
    let bytes = body::read(head, incoming, CAP).await.map_err(|unread| Box::new(unread.answer()))?;
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

fn unavailable(error: store::Error) -> Ended {
    Box::new(body::try_later("store", &error.to_string(), 1))
}
