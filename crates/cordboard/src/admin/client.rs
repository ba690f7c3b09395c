//! The command line's side of the admin API.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::files;
use super::view::{CountsView, EndView, ErrorView, LetterPage, LetterView, ReloadView, RetryView};

/// A page of letters is far smaller.
const ANSWER_MAX_BYTES: usize = 64 * 1024 * 1024;
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Talks to the server of a data folder. Every call is a connection of its own.
pub struct Client {
    socket: PathBuf,
    authorization: HeaderValue,
}

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// The server of a data folder; nothing when none runs there.
    pub async fn connect(data_dir: &Path) -> Option<Self> {
        let socket = files::socket_path(data_dir);
        UnixStream::connect(&socket).await.ok()?;
        let token: SecretString = files::read_token(data_dir).ok()?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).ok()?;
        authorization.set_sensitive(true);
        Some(Self { socket, authorization })
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

    /// Ends a conversation.
    ///
    /// # Errors
    /// See [`Error`]; 404 when it is not there.
    pub async fn end(&self, conversation: model::ConversationId) -> Result<EndView, Error> {
        self.call(Method::POST, &format!("/v1/conversations/{conversation}/end")).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Error> {
        let called = tokio::time::timeout(CALL_TIMEOUT, self.exchange(method, path)).await;
        let (status, body) = called.map_err(|_| Error::Gone("time-out".to_owned()))??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| Error::Unreadable);
        }
        let refused: ErrorView = serde_json::from_slice(&body).map_err(|_| Error::Unreadable)?;
        Err(Error::Refused { status: status.as_u16(), error: refused.error, message: refused.message })
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| Error::Gone(error.to_string()))?;
        let gone = |error: hyper::Error| Error::Gone(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "cordboard")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Empty::<Bytes>::new())
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
