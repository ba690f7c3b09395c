//! `POST /api/v2/integrations/botconnectors/outgoing/messages`: a late answer of a v2 bot.
//!
//! Order of the checks: authentication, permission, schema, integration, session found, session open, bot, version;
//! `reference/digital-bot-connector.md`, sections 2.1 and 7.7.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::Refusal;
use crate::check::answer::{self, Answer};
use crate::check::content::Rules;
use crate::check::manifest::BotVersion;
use crate::conversation::line::Line;
use crate::fault::Point;
use crate::org::Org;
use crate::record::Event;
use crate::{Door, Faults, Severity, Violation, lock};

/// Members that an outgoing message has beside those of an answer.
const MEMBERS: [&str; 4] = ["botId", "botVersion", "botSessionId", "languageCode"];

pub(crate) async fn receive(State(org): State<Arc<Org>>, headers: HeaderMap, body: Bytes) -> Response {
    let parsed = super::json_body(&headers, &body);
    let line = parsed
        .as_ref()
        .ok()
        .and_then(|body| body.get("botSessionId"))
        .and_then(Value::as_str)
        .and_then(|session| lock(&org.sessions).get(session).cloned());
    let hold_back = jitter(&org, line.as_deref());
    if !hold_back.is_zero() {
        tokio::time::sleep(hold_back).await;
    }
    let text = String::from_utf8_lossy(&body);
    if let Err((refusal, broken)) = decide(&org, line.as_deref(), &headers, parsed, &text) {
        let (status, code) = (refusal.status, Some(refusal.code.to_owned()));
        let number = line.as_ref().map(|line| line.number);
        org.record.add(number, Event::Outgoing { body: text.into_owned(), status, code });
        if let Some(line) = &line {
            line.broke(&broken);
        } else {
            for violation in broken {
                org.record.add(None, Event::Broke { violation });
            }
        }
        return super::refuse(&org, &refusal);
    }
    if take(&org, line.as_deref(), |faults| &mut faults.outgoing_stall) {
        org.stop.cancelled().await;
    }
    super::answer(&org, 200, Some(&json!({"messageId": org.uuid()})))
}

fn jitter(org: &Org, line: Option<&Line>) -> Duration {
    let limit = lock(&org.faults).outgoing_jitter_ms;
    let Some(line) = line else { return Duration::ZERO };
    let limit = limit.max(lock(&line.faults).outgoing_jitter_ms);
    if limit == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(lock(&line.dice).up_to(Point::OutgoingJitter, limit))
}

/// Uses up one of a counted fault, the conversation's before the simulator's.
fn take(org: &Org, line: Option<&Line>, pick: fn(&mut Faults) -> &mut u32) -> bool {
    let used = |faults: &mut Faults| {
        let left = pick(faults);
        let strikes = *left > 0;
        *left = left.saturating_sub(1);
        strikes
    };
    line.is_some_and(|line| used(&mut lock(&line.faults))) || used(&mut lock(&org.faults))
}

/// A refusal and the rules that were broken.
type Refused = (Refusal, Vec<Violation>);

/// Decides, and where the message is accepted, gives it to the conversation.
fn decide(
    org: &Org,
    line: Option<&Line>,
    headers: &HeaderMap,
    body: Result<Value, Refusal>,
    text: &str,
) -> Result<(), Refused> {
    let innocent = |refusal| (refusal, Vec::new());
    switched(org, line).map_err(innocent)?;
    super::admit(org, headers, "integration:botconnector:send").map_err(innocent)?;
    let body = body.map_err(innocent)?;
    let answer = read(&body, line);
    if answer.findings.0.iter().any(|violation| violation.severity == Severity::Schema) {
        return Err((Refusal::bad_request(&answer.findings.0), answer.findings.0));
    }
    let Some(line) = line else {
        // Whose integration it is cannot be told without a session.
        return Err(innocent(Refusal::new(409, "session.not.found", "The bot session was not found.")));
    };
    if !line.integration.is_active() {
        return Err(innocent(Refusal::new(409, "integration.not.active", "The integration is not active.")));
    }
    let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    line.push(member("botSessionId"), member("botId"), member("botVersion"), answer, text)
        .map_err(|(code, message)| innocent(Refusal::new(409, code, message)))
}

/// Refusals that a fault switch asks for.
fn switched(org: &Org, line: Option<&Line>) -> Result<(), Refusal> {
    if take(org, line, |faults| &mut faults.outgoing_5xx) {
        return Err(Refusal::new(503, "service.unavailable", "The service is temporarily unavailable."));
    }
    if take(org, line, |faults| &mut faults.revoke_in_flight) {
        org.tokens.revoke_all();
    }
    if take(org, line, |faults| &mut faults.outgoing_401) {
        return Err(Refusal::new(401, "bad.credentials", "Invalid login credentials."));
    }
    if take(org, line, |faults| &mut faults.outgoing_429) {
        let here = line.and_then(|line| lock(&line.faults).outgoing_429_retry_after_s);
        let seconds = here.or_else(|| lock(&org.faults).outgoing_429_retry_after_s).unwrap_or(1);
        let refusal = Refusal::new(429, "too.many.requests", "Rate limit exceeded.");
        return Err(Refusal { retry_after_s: Some(seconds), ..refusal });
    }
    Ok(())
}

/// Reads the body against the session's bot, or only for its shape when the session is unknown.
fn read(body: &Value, line: Option<&Line>) -> Answer {
    let unknown = BotVersion { version: String::new(), languages: Vec::new(), intents: BTreeMap::new() };
    let anyone = Rules { door: Door::V2, attachments: true, screen: None };
    let (version, rules) = line.map_or((&unknown, anyone), |line| (&line.version, line.rules()));
    let mut answer = answer::read(body, version, rules, &MEMBERS);
    if let Some(object) = body.as_object() {
        for name in MEMBERS {
            answer.findings.text(object, name, "body");
        }
        let language = object.get("languageCode").and_then(Value::as_str).unwrap_or_default();
        if line.is_some_and(|line| !language.is_empty() && !line.flow.language.eq_ignore_ascii_case(language)) {
            answer.findings.warning("session-language", format!("languageCode '{language}' is not the session's"));
        }
    }
    answer
}
