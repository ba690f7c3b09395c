//! OAuth client credentials: `POST /oauth/token`, and what a bearer token is worth.
//!
//! `reference/digital-bot-connector.md`, section 2.1.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Refusal;
use crate::org::Org;
use crate::{Integration, RateLimit, lock};

/// Clients, their tokens, and how much they called lately.
#[derive(Debug)]
pub(crate) struct Tokens {
    lifetime: Duration,
    rate_limit: Option<RateLimit>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Client id to secret and permissions.
    clients: BTreeMap<String, (String, Vec<String>)>,
    /// Token to client id and end of life.
    tokens: BTreeMap<String, (String, Instant)>,
    calls: BTreeMap<String, VecDeque<Instant>>,
    issued: u64,
}

impl Tokens {
    pub(crate) fn new(lifetime_ms: u64, rate_limit: Option<RateLimit>) -> Self {
        Self { lifetime: Duration::from_millis(lifetime_ms), rate_limit, inner: Mutex::default() }
    }

    /// Makes the client of an integration known. Integrations that name the same client share it.
    pub(crate) fn allow(&self, integration: &Integration) {
        let client = (integration.client_secret.clone(), integration.permissions.clone());
        lock(&self.inner).clients.insert(integration.client_id.clone(), client);
    }

    pub(crate) fn issued(&self) -> u64 {
        lock(&self.inner).issued
    }

    pub(crate) fn revoke_all(&self) {
        lock(&self.inner).tokens.clear();
    }

    fn issue(&self, client: &str, secret: &str, token: String) -> Option<String> {
        let mut inner = lock(&self.inner);
        inner.clients.get(client).filter(|(wanted, _)| wanted == secret)?;
        inner.issued += 1;
        let now = Instant::now();
        inner.tokens.retain(|_, (_, until)| *until > now);
        inner.tokens.insert(token.clone(), (client.to_owned(), now + self.lifetime));
        Some(token)
    }

    pub(crate) fn admit(&self, token: &str, permission: &str) -> Result<(), Refusal> {
        let mut inner = lock(&self.inner);
        let now = Instant::now();
        let Some(client) = inner.tokens.get(token).filter(|(_, until)| *until > now).map(|(client, _)| client.clone())
        else {
            return Err(Refusal::new(401, "bad.credentials", "Invalid login credentials."));
        };
        if let Some(limit) = self.rate_limit {
            let calls = inner.calls.entry(client.clone()).or_default();
            let window = Duration::from_millis(limit.window_ms);
            while calls.front().is_some_and(|at| now.duration_since(*at) >= window) {
                calls.pop_front();
            }
            if calls.len() >= limit.requests {
                let free_in = calls.front().map_or(window, |at| window.saturating_sub(now.duration_since(*at)));
                let refusal = Refusal::new(429, "too.many.requests", "Rate limit exceeded.");
                return Err(Refusal { retry_after_s: Some(free_in.as_secs() + 1), ..refusal });
            }
            calls.push_back(now);
        }
        let permitted = inner.clients.get(&client).is_some_and(|(_, held)| held.iter().any(|held| held == permission));
        if permitted {
            Ok(())
        } else {
            Err(Refusal::new(
                403,
                "missing.permissions",
                format!("Unable to perform the requested action: {permission}."),
            ))
        }
    }
}

/// `POST /oauth/token`
pub(crate) async fn issue(State(org): State<Arc<Org>>, headers: HeaderMap, body: Bytes) -> Response {
    let (status, body) = decide(&org, &headers, &body);
    super::record_call(&org, "POST /oauth/token", status);
    super::answer(&org, status, Some(&body))
}

fn decide(org: &Org, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
    let form = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if !form {
        return (415, json!({"error": "invalid_request", "error_description": "send a form"}));
    }
    let body = String::from_utf8_lossy(body);
    if !body.split('&').any(|pair| pair == "grant_type=client_credentials") {
        return (400, json!({"error": "unsupported_grant_type", "error_description": "only client_credentials"}));
    }
    let issued = basic(headers).and_then(|(client, secret)| org.tokens.issue(&client, &secret, org.uuid()));
    match issued {
        Some(token) => {
            let seconds = org.tokens.lifetime.as_millis().div_ceil(1_000);
            (200, json!({"access_token": token, "token_type": "bearer", "expires_in": seconds}))
        }
        None => (401, json!({"error": "invalid_client", "error_description": "client not found or wrong secret"})),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (client, secret) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (client.to_owned(), secret.to_owned()))
}
