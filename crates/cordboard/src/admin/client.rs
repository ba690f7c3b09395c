//! The command line's side of the admin API.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use model::ConversationId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::Role;
use super::files;
use super::look::{self, Hops, Wanted};
use super::query::encoded;
use super::view::{
    AuditPage, BotPage, CallPage, CountsView, EndView, ErrorView, LetterPage, LetterView, ManifestPage, ReloadView,
    RetryView, SentView, ServiceView, ShadowPage,
};

/// A page of letters is far smaller.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Handing over every open conversation of a bot is a step for each of them.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(900);

/// Talks to the server of a data folder. Every call is a connection of its own.
pub struct Client {
    data_dir: PathBuf,
    authorization: HeaderValue,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server may run, and not for this user.
    #[error(
        "this user may not look into {}: call as the user that runs the server, or let its group look \
         (`group_may_read` in [server])",
        folder.display()
    )]
    Denied {
        /// The data folder.
        folder: PathBuf,
    },
    /// The server went away.
    #[error("the server does not answer any more: {0}")]
    Gone(String),
    /// The server refused.
    #[error("{message} ({error})")]
    Refused {
        /// The status.
        status: u16,
        /// The word for programs.
        error: String,
        /// The sentence for people.
        message: String,
    },
    /// What came back is not of this version.
    #[error("the server's answer is not understood; is it of another version?")]
    Unreadable,
}

impl Client {
    /// The server of a data folder, in the widest role that the caller's user has; nothing when none runs there.
    ///
    /// # Errors
    /// [`Error::Denied`] when one runs and this user has no role there.
    pub async fn reach(data_dir: &Path) -> Result<Option<Self>, Error> {
        let denied = || Error::Denied { folder: data_dir.to_owned() };
        match files::connect(data_dir).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(denied()),
            Err(_) => return Ok(None),
        }
        let token = files::read_token(data_dir, Role::Operate).or_else(|_| files::read_token(data_dir, Role::Read));
        let token: SecretString = token.map_err(|_| denied())?;
        Self::with_token(data_dir, &token).map(Some)
    }

    /// The same without saying why not.
    pub async fn connect(data_dir: &Path) -> Option<Self> {
        Self::reach(data_dir).await.ok().flatten()
    }

    /// The server of a data folder, if one runs, in the role read even where operate could be had.
    ///
    /// # Errors
    /// [`Error::Denied`] without a token.
    pub fn reader(data_dir: &Path) -> Result<Self, Error> {
        let token = files::read_token(data_dir, Role::Read);
        Self::with_token(data_dir, &token.map_err(|_| Error::Denied { folder: data_dir.to_owned() })?)
    }

    fn with_token(data_dir: &Path, token: &SecretString) -> Result<Self, Error> {
        let denied = |_| Error::Denied { folder: data_dir.to_owned() };
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(denied)?;
        authorization.set_sensitive(true);
        Ok(Self { data_dir: data_dir.to_owned(), authorization })
    }

    /// Letters after an id, ascending.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn letters(&self, after: u64, limit: u32) -> Result<LetterPage, Error> {
        self.call(Method::GET, &format!("/v1/dead-letters?after={after}&limit={limit}")).await
    }

    /// One letter with its payload.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn letter(&self, id: u64) -> Result<LetterView, Error> {
        self.call(Method::GET, &format!("/v1/dead-letters/{id}")).await
    }

    /// Tries a letter again, or asks what that would do.
    ///
    /// # Errors
    /// See [`Error`]; 409 when it would speak after the end or over a human, 422 when it cannot be tried.
    pub async fn retry(&self, id: u64, dry_run: bool) -> Result<RetryView, Error> {
        self.call(Method::POST, &format!("/v1/dead-letters/{id}/retry?dry_run={dry_run}")).await
    }

    /// Drops a letter.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn drop_letter(&self, id: u64) -> Result<RetryView, Error> {
        self.call(Method::DELETE, &format!("/v1/dead-letters/{id}")).await
    }

    /// Lets the server read its configuration again.
    ///
    /// # Errors
    /// See [`Error`]; 422 when the configuration is bad, with everything that is wrong in the message.
    pub async fn reload(&self) -> Result<ReloadView, Error> {
        self.call(Method::POST, "/v1/reload").await
    }

    /// What was counted since the server's start.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn counts(&self) -> Result<CountsView, Error> {
        self.call(Method::GET, "/v1/counts").await
    }

    /// The metrics, in the OpenMetrics text form.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn metrics(&self) -> Result<String, Error> {
        let body = self.whole(Method::GET, "/v1/metrics", String::new(), CALL_TIMEOUT).await?;
        String::from_utf8(body.into()).map_err(|_| Error::Unreadable)
    }

    /// Ends a conversation.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn end(&self, conversation: model::ConversationId) -> Result<EndView, Error> {
        self.call(Method::POST, &format!("/v1/conversations/{conversation}/end")).await
    }

    /// Conversations, the latest touched first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn conversations(&self, wanted: &Wanted) -> Result<look::Page, Error> {
        let mut path = format!("/v1/conversations?limit={}&open={}", wanted.limit, wanted.open);
        if let Some(bot) = &wanted.bot {
            path += &format!("&bot={}", encoded(bot.as_str()));
        }
        if let Some(floor) = wanted.floor {
            path += &format!("&floor={}", floor.word());
        }
        if let Some(since) = wanted.since {
            path += &format!("&since_ms={}", since.0.max(0));
        }
        if let Some(before) = wanted.before {
            path += &format!("&before={before}");
        }
        self.call(Method::GET, &path).await
    }

    /// One conversation.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn conversation(&self, id: ConversationId) -> Result<look::View, Error> {
        self.call(Method::GET, &format!("/v1/conversations/{id}")).await
    }

    /// The conversation that a platform knows by this id.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn by_platform_id(&self, id: &str) -> Result<look::View, Error> {
        self.call(Method::GET, &format!("/v1/conversations?platform_id={}", encoded(id))).await
    }

    /// What happened in a conversation, or in all of them, after a row; waits until there is more. Without a row, a
    /// conversation is told from its beginning, and all of them from now on.
    ///
    /// # Errors
    /// See [`Error`]; 403 when words are asked for in the role read.
    pub async fn hops(
        &self,
        of: Option<ConversationId>,
        after: Option<u64>,
        words: bool,
        wait_ms: u64,
    ) -> Result<Hops, Error> {
        let of = of.map_or_else(|| "/v1/journal".to_owned(), |id| format!("/v1/conversations/{id}/journal"));
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        self.call(Method::GET, &format!("{of}?words={words}&wait_ms={wait_ms}{after}")).await
    }

    /// The latest calls of platforms after a number; waits until there are more.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn requests(&self, after: u64, refused: bool, wait_ms: u64) -> Result<CallPage, Error> {
        self.call(Method::GET, &format!("/v1/requests?after={after}&refused={refused}&wait_ms={wait_ms}")).await
    }

    /// What operators did.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn audit(&self, limit: u32) -> Result<AuditPage, Error> {
        self.call(Method::GET, &format!("/v1/audit?limit={limit}")).await
    }

    /// The bots.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bots(&self) -> Result<BotPage, Error> {
        self.call(Method::GET, "/v1/bots").await
    }

    /// What shadows found.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn shadows(&self) -> Result<ShadowPage, Error> {
        self.call(Method::GET, "/v1/shadows").await
    }

    /// Takes a bot out of service.
    ///
    /// # Errors
    /// See [`Error`]; 404 when there is no such bot, 422 without a reason.
    pub async fn disable(&self, bot: &str, reason: &str, now: bool) -> Result<ServiceView, Error> {
        let options = serde_json::json!({ "reason": reason, "now": now }).to_string();
        self.call_with(
            Method::POST,
            &format!("/v1/bots/{}/disable", encoded(bot)),
            options,
            if now { HAND_OVER_TIMEOUT } else { CALL_TIMEOUT },
        )
        .await
    }

    /// Puts a bot in service again.
    ///
    /// # Errors
    /// See [`Error`]; 404 when there is no such bot.
    pub async fn enable(&self, bot: &str) -> Result<ServiceView, Error> {
        self.call(Method::POST, &format!("/v1/bots/{}/enable", encoded(bot))).await
    }

    /// What platforms know of the bots.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn manifests(&self) -> Result<ManifestPage, Error> {
        self.call(Method::GET, "/v1/manifests").await
    }

    /// Tells what a platform was sent through a connector.
    ///
    /// # Errors
    /// See [`Error`]; 403 in the role read.
    pub async fn sent(&self, connector: &str, sent: &SentView) -> Result<RetryView, Error> {
        let body = serde_json::to_string(sent).map_err(|_| Error::Unreadable)?;
        let path = format!("/v1/connectors/{}/sent", encoded(connector));
        self.call_with(Method::POST, &path, body, CALL_TIMEOUT).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Error> {
        self.call_with(method, path, String::new(), CALL_TIMEOUT).await
    }

    async fn call_with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
        within: Duration,
    ) -> Result<T, Error> {
        let body = self.whole(method, path, body, within).await?;
        serde_json::from_slice(&body).map_err(|_| Error::Unreadable)
    }

    async fn whole(&self, method: Method, path: &str, body: String, within: Duration) -> Result<Bytes, Error> {
        let called = tokio::time::timeout(within, self.exchange(method, path, body)).await;
        let (status, body) = called.map_err(|_| Error::Gone("time-out".to_owned()))??;
        if status.is_success() {
            return Ok(body);
        }
        let refused: ErrorView = serde_json::from_slice(&body).map_err(|_| Error::Unreadable)?;
        Err(Error::Refused { status: status.as_u16(), error: refused.error, message: refused.message })
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, Bytes), Error> {
        let stream = files::connect(&self.data_dir).await.map_err(|error| Error::Gone(error.to_string()))?;
        let gone = |error: hyper::Error| Error::Gone(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "cordboard")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Error::Gone(error.to_string()))?;
        let mut exchange = pin!(async move {
            let response = sender.send_request(request).await.map_err(gone)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
            body.map(|body| (head.status, body.to_bytes())).map_err(|error| Error::Gone(error.to_string()))
        });
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            exchanged = exchange.as_mut() => exchanged,
            // The connection is over when everything it had is with the exchange.
            _ended = connection.as_mut() => exchange.await,
        }
    }
}
