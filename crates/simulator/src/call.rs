//! One HTTP call of the flow on a connector: deadline, refused connections, slow reading.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

/// No answer of a connector may be larger.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// What one attempt came to.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// A whole response was read.
    Response { status: u16, body: Bytes },
    /// The deadline passed first.
    TimedOut,
    /// The connection was refused or broke.
    Broken(String),
}

/// The client of a simulator. A process-wide TLS provider is needed even for plain HTTP; whoever set one first wins.
#[expect(clippy::disallowed_methods, reason = "the simulator does not share the product's HTTP client")]
pub(crate) fn client() -> reqwest::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::debug!("another TLS provider was installed meanwhile");
    }
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

/// Sends `request` and reads its whole response within `deadline`.
pub(crate) async fn send(request: reqwest::RequestBuilder, deadline: Duration, slow_reading: Duration) -> Outcome {
    match tokio::time::timeout(deadline, read(request, slow_reading)).await {
        Ok(Ok((status, body))) => Outcome::Response { status, body },
        Ok(Err(problem)) => Outcome::Broken(problem),
        Err(_) => Outcome::TimedOut,
    }
}

async fn read(request: reqwest::RequestBuilder, slow_reading: Duration) -> Result<(u16, Bytes), String> {
    let mut response = request.send().await.map_err(|error| problem(&error))?;
    let mut body = BytesMut::new();
    loop {
        if !slow_reading.is_zero() {
            tokio::time::sleep(slow_reading).await;
        }
        let Some(piece) = response.chunk().await.map_err(|error| problem(&error))? else { break };
        if body.len() + piece.len() > ANSWER_MAX_BYTES {
            return Err(format!("the answer is larger than {ANSWER_MAX_BYTES} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok((response.status().as_u16(), body.freeze()))
}

/// In few words: the address and its port would make records differ from run to run.
fn problem(error: &reqwest::Error) -> String {
    if error.is_connect() { "connection refused".to_owned() } else { "connection broken".to_owned() }
}
