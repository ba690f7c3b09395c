//! v1's bot list: `PUT` and `GET /api/v2/integrations/botconnector/{integrationId}/bots` and what is read beside it.
//!
//! `reference/bot-connector-v1.md`, section 3. Mind the singular; the plural paths belong to v2.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Refusal;
use crate::check::manifest;
use crate::org::{Org, Registered};
use crate::record::Event;
use crate::{Door, lock};

type Decision = Result<(u16, Option<Value>), Refusal>;

fn respond(org: &Org, method: &str, uri: &Uri, decision: Decision) -> Response {
    let status = decision.as_ref().map_or_else(|refusal| refusal.status, |(status, _)| *status);
    super::record_call(org, format!("{method} {}", uri.path()), status);
    match decision {
        Ok((status, body)) => super::answer(org, status, body.as_ref()),
        Err(refusal) => super::refuse(org, &refusal),
    }
}

fn integration(org: &Org, headers: &HeaderMap, id: &str, what: &str) -> Result<Arc<Registered>, Refusal> {
    super::admit(org, headers, &format!("integration:botconnector:{what}"))?;
    org.integration(id)
        .filter(|found| found.door() == Door::V1)
        .ok_or_else(|| Refusal::new(404, "not.found", "The integration was not found."))
}

/// Replaces the whole list: 204, or 400 with one detail for every breach.
pub(crate) async fn put(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let decision = integration(&org, &headers, &id, "edit").and_then(|integration| {
        let body = super::json_body(&headers, &body)?;
        let (_, findings) = manifest::read(Door::V1, &body);
        for violation in &findings.0 {
            org.record.add(None, Event::Broke { violation: violation.clone() });
        }
        if findings.0.iter().any(crate::Violation::is_error) {
            return Err(Refusal::bad_request(&findings.0));
        }
        if !integration.is_active() {
            return Err(Refusal::new(409, "integration.not.active", "The integration is not active."));
        }
        *lock(&integration.bot_list) = Some(body);
        Ok((204, None))
    });
    respond(&org, "PUT", &uri, decision)
}

pub(crate) async fn get(State(org): State<Arc<Org>>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    let decision = integration(&org, &headers, &id, "view")
        .map(|integration| (200, Some(json!({"chatBots": tagged(&bots(&integration))}))));
    respond(&org, "GET", &uri, decision)
}

/// The paging of the platform.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Paging {
    #[serde(default = "first_page")]
    page_number: usize,
    #[serde(default = "page_size")]
    page_size: usize,
}

fn first_page() -> usize {
    1
}

fn page_size() -> usize {
    25
}

pub(crate) async fn summaries(
    State(org): State<Arc<Org>>,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let decision = integration(&org, &headers, &id, "view").map(|integration| {
        let items = tagged(&bots(&integration)).into_iter().map(|mut bot| {
            if let Some(bot) = bot.as_object_mut() {
                bot.retain(|member, _| ["id", "name", "description", "botCompositeTag"].contains(&member.as_str()));
            }
            bot
        });
        (200, Some(page(items.collect(), &paging, uri.path())))
    });
    respond(&org, "GET", &uri, decision)
}

#[derive(Debug, Deserialize)]
pub(crate) struct OneVersion {
    version: Option<String>,
}

pub(crate) async fn bot(
    State(org): State<Arc<Org>>,
    Path((id, bot)): Path<(String, String)>,
    Query(OneVersion { version }): Query<OneVersion>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let decision = integration(&org, &headers, &id, "view").and_then(|integration| {
        let mut found = find(&integration, &bot)?;
        if let (Some(wanted), Some(versions)) = (version, found["versions"].as_array_mut()) {
            versions.retain(|version| version["version"] == wanted.as_str());
        }
        Ok((200, Some(found)))
    });
    respond(&org, "GET", &uri, decision)
}

pub(crate) async fn versions(
    State(org): State<Arc<Org>>,
    Path((id, bot)): Path<(String, String)>,
    Query(paging): Query<Paging>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let decision = integration(&org, &headers, &id, "view").and_then(|integration| {
        let found = find(&integration, &bot)?;
        let versions = found["versions"].as_array().cloned().unwrap_or_default();
        let items = versions.iter().map(|version| {
            json!({"id": found["id"], "name": found["name"], "description": found["description"],
                "botCompositeTag": found["botCompositeTag"], "version": version["version"]})
        });
        Ok((200, Some(page(items.collect(), &paging, uri.path()))))
    });
    respond(&org, "GET", &uri, decision)
}

fn bots(integration: &Registered) -> Vec<Value> {
    let list = integration.bot_list().unwrap_or_default();
    list["chatBots"].as_array().cloned().unwrap_or_default()
}

fn find(integration: &Registered, id: &str) -> Result<Value, Refusal> {
    tagged(&bots(integration))
        .into_iter()
        .find(|bot| bot["id"] == id)
        .ok_or_else(|| Refusal::new(404, "not.found", "The bot was not found."))
}

/// Adds what the platform generates.
fn tagged(bots: &[Value]) -> Vec<Value> {
    let mut bots = bots.to_vec();
    for bot in &mut bots {
        let tag = format!("GenesysBotConnector:{}", bot["id"].as_str().unwrap_or_default());
        if let Some(bot) = bot.as_object_mut() {
            bot.insert("botCompositeTag".to_owned(), Value::String(tag));
        }
    }
    bots
}

fn page(items: Vec<Value>, paging: &Paging, path: &str) -> Value {
    let size = paging.page_size.max(1);
    let total = items.len();
    let count = total.div_ceil(size).max(1);
    let number = paging.page_number.max(1);
    let uri = |number: usize| format!("{path}?pageSize={size}&pageNumber={number}");
    let shown: Vec<Value> = items.into_iter().skip((number - 1).saturating_mul(size)).take(size).collect();
    let mut page = json!({
        "entities": shown, "pageSize": size, "pageNumber": number, "total": total, "pageCount": count,
        "selfUri": uri(number), "firstUri": uri(1), "lastUri": uri(count),
    });
    if number < count {
        page["nextUri"] = Value::String(uri(number + 1));
    }
    if number > 1 {
        page["previousUri"] = Value::String(uri(number - 1));
    }
    page
}
