//! The control door: the simulator's own HTTP interface, beside the platform's, for people and scripts.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /control/integrations` | lists integrations |
//! | `POST /control/integrations/{n}/active` `{"active": false}` | switches one off or on |
//! | `POST /control/integrations/{n}/publish` | pulls or takes its bot list again, answers bots and violations |
//! | `GET /control/conversations` | lists conversations |
//! | `POST /control/conversations` `{"integration": 0, "bot": "parcels", "flow": {…}, "faults": {…}, "seed": 7, "channel": "sms"}` | opens one, answers its number |
//! | `GET /control/conversations/{number}` | its record as JSON, and where it stands |
//! | `GET /control/conversations/{number}/text` | its record as stable text |
//! | `POST /control/conversations/{number}/say` `{"text": "…"}` | the customer types |
//! | `POST /control/conversations/{number}/tap` `{"label": "…"}` | the customer taps an offered choice |
//! | `GET /control/conversations/{number}/next?patience_ms=5000` | waits for the next message to the customer |
//! | `POST /control/conversations/{number}/leave`, `/close`, `/return` | the customer leaves; the session is closed; the flow calls the bot again |
//! | `PUT /control/conversations/{number}/faults` `{…}` | sets this conversation's fault switches |
//! | `GET`, `PUT /control/faults` `{…}` | reads or sets the fault switches for all |
//! | `POST /control/tokens/revoke` | forgets every token |
//! | `GET /control/record`, `GET /control/record/text` | everything, as JSON or text |
//!
//! It has no authentication, and listens on the loopback address only.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::org::{Org, Registered};
use crate::{Channel, Conversation, Faults, FlowSettings, lock};

type Answer = Result<Shown, Problem>;

pub(crate) fn routes() -> Router<Arc<Org>> {
    Router::new()
        .route("/control/integrations", get(integrations))
        .route("/control/integrations/{n}/active", post(set_active))
        .route("/control/integrations/{n}/publish", post(publish))
        .route("/control/conversations", get(conversations).post(open))
        .route("/control/conversations/{number}", get(one))
        .route("/control/conversations/{number}/text", get(one_text))
        .route("/control/conversations/{number}/next", get(next))
        .route("/control/conversations/{number}/faults", put(set_one_faults))
        .route("/control/conversations/{number}/{action}", post(act))
        .route("/control/faults", get(faults).put(set_faults))
        .route("/control/tokens/revoke", post(revoke))
        .route("/control/record", get(record))
        .route("/control/record/text", get(record_text))
}

/// JSON with a line break behind it, for whoever calls with curl.
struct Shown(Value);

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], format!("{}\n", self.0)).into_response()
    }
}

/// Why a call was not obeyed.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Shown(json!({"error": self.1}))).into_response()
    }
}

fn not_found(what: &str) -> Problem {
    Problem(StatusCode::NOT_FOUND, format!("there is no such {what}"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem(StatusCode::BAD_REQUEST, error.to_string()))
}

fn registered(org: &Org, n: usize) -> Result<Arc<Registered>, Problem> {
    lock(&org.integrations).get(n).cloned().ok_or_else(|| not_found("integration"))
}

fn conversation(org: &Org, number: u64) -> Result<Conversation, Problem> {
    org.conversation(number).map(Conversation::new).ok_or_else(|| not_found("conversation"))
}

async fn integrations(State(org): State<Arc<Org>>) -> Shown {
    let all = lock(&org.integrations).clone();
    let all = all.iter().enumerate().map(|(n, registered)| {
        let integration = &registered.integration;
        json!({"n": n, "door": integration.door, "url": registered.url(), "id": integration.integration_id,
            "active": registered.is_active()})
    });
    Shown(all.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Active {
    active: bool,
}

async fn set_active(State(org): State<Arc<Org>>, Path(n): Path<usize>, body: Bytes) -> Answer {
    let Active { active } = read(&body)?;
    registered(&org, n)?.set_active(active);
    Ok(Shown(json!({"active": active})))
}

async fn publish(State(org): State<Arc<Org>>, Path(n): Path<usize>) -> Answer {
    let registered = registered(&org, n)?;
    let published =
        org.publish(&registered).await.map_err(|error| Problem(StatusCode::BAD_GATEWAY, error.to_string()))?;
    let bots: Vec<&str> = published.bots.iter().map(|bot| bot.id.as_str()).collect();
    Ok(Shown(json!({"bots": bots, "violations": published.violations})))
}

async fn conversations(State(org): State<Arc<Org>>) -> Shown {
    let all = lock(&org.conversations).clone();
    Shown(all.into_values().map(|line| state(&Conversation::new(line))).collect())
}

fn state(conversation: &Conversation) -> Value {
    json!({
        "number": conversation.number(),
        "genesysConversationId": conversation.id(),
        "botSessionId": conversation.session(),
        "path": conversation.path().map(|path| path.to_string()),
        "messages": conversation.seen().len(),
        "violations": conversation.violations().len(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    #[serde(default)]
    integration: usize,
    bot: String,
    #[serde(default)]
    flow: FlowSettings,
    #[serde(default)]
    faults: Faults,
    seed: Option<u64>,
    channel: Option<Channel>,
}

async fn open(State(org): State<Arc<Org>>, body: Bytes) -> Answer {
    let opening: Opening = read(&body)?;
    let integration = registered(&org, opening.integration)?;
    let Opening { channel, seed, faults, .. } = opening;
    let flow = FlowSettings { channel, seed, faults, ..opening.flow };
    let opened = org.open(&integration, &opening.bot, flow).await;
    let conversation = opened.map_err(|error| Problem(StatusCode::BAD_GATEWAY, error.to_string()))?;
    Ok(Shown(state(&conversation)))
}

async fn one(State(org): State<Arc<Org>>, Path(number): Path<u64>) -> Answer {
    let conversation = conversation(&org, number)?;
    let mut answer = state(&conversation);
    answer["record"] = json!(conversation.entries());
    answer["parameters"] = json!(conversation.parameters());
    answer["slots"] = json!(conversation.slots());
    Ok(Shown(answer))
}

async fn one_text(State(org): State<Arc<Org>>, Path(number): Path<u64>) -> Result<String, Problem> {
    conversation(&org, number).map(|conversation| conversation.text())
}

#[derive(Deserialize)]
struct Patience {
    #[serde(default)]
    patience_ms: u64,
}

async fn next(State(org): State<Arc<Org>>, Path(number): Path<u64>, Query(query): Query<Patience>) -> Answer {
    let conversation = conversation(&org, number)?;
    // A test that waits must not hold up the stopping of the simulator.
    let seen = tokio::select! {
        biased;
        () = org.stop.cancelled() => None,
        seen = conversation.next_bot_message(Duration::from_millis(query.patience_ms.min(600_000))) => seen,
    };
    Ok(Shown(json!({"message": seen})))
}

async fn set_one_faults(State(org): State<Arc<Org>>, Path(number): Path<u64>, body: Bytes) -> Answer {
    let faults: Faults = read(&body)?;
    let conversation = conversation(&org, number)?;
    conversation.set_faults(|current| current.clone_from(&faults));
    Ok(Shown(json!(faults)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    label: String,
}

async fn act(State(org): State<Arc<Org>>, Path((number, action)): Path<(u64, String)>, body: Bytes) -> Answer {
    let conversation = conversation(&org, number)?;
    match action.as_str() {
        "say" => {
            let Words { text } = read(&body)?;
            let heard = conversation.say(text);
            return Ok(Shown(json!({"heard": heard})));
        }
        "tap" => {
            let Label { label } = read(&body)?;
            if !conversation.tap(&label) {
                return Err(Problem(StatusCode::CONFLICT, format!("nothing offered is called '{label}'")));
            }
        }
        "leave" => conversation.leave(),
        "close" => conversation.close_session(),
        "return" => conversation.return_to_bot(),
        _ => return Err(not_found("action; there are say, tap, leave, close and return")),
    }
    Ok(Shown(state(&conversation)))
}

async fn faults(State(org): State<Arc<Org>>) -> Shown {
    Shown(json!(lock(&org.faults).clone()))
}

async fn set_faults(State(org): State<Arc<Org>>, body: Bytes) -> Answer {
    let faults: Faults = read(&body)?;
    lock(&org.faults).clone_from(&faults);
    Ok(Shown(json!(faults)))
}

async fn revoke(State(org): State<Arc<Org>>) -> Shown {
    org.tokens.revoke_all();
    Shown(json!({"issued": org.tokens.issued()}))
}

async fn record(State(org): State<Arc<Org>>) -> Shown {
    Shown(org.record.json())
}

async fn record_text(State(org): State<Arc<Org>>) -> String {
    org.record.text()
}
