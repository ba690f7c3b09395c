//! Responses, OpenAI's newer form. Nothing is kept on the server (`store: false`), so every request tells all.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{CALLS_MAX, Completion, End, ServerError, ToolCall, Unread, arguments, usage};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    status: Option<String>,
    /// Absent from what is no response at all.
    #[serde(default)]
    output: Option<Vec<Value>>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    incomplete_details: Option<Details>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: Option<Value>,
    #[serde(default)]
    output_tokens: Option<Value>,
}

/// An item of the output: a message, the use of a tool, or what is passed over (reasoning).
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    content: Vec<Part>,
    #[serde(default)]
    call_id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

/// An event; what only some kinds have stays as it is until the kind is known.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    delta: Option<Value>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(default)]
    content_index: Option<u64>,
    #[serde(default, borrow)]
    item: Option<&'a RawValue>,
    #[serde(default, borrow)]
    response: Option<&'a RawValue>,
}

/// An error, in a member of its own or bare.
#[derive(Deserialize)]
struct ErrorEvent {
    #[serde(default)]
    error: Option<Value>,
    #[serde(flatten)]
    bare: ServerError,
}

/// Which text of a stream is being written.
pub(crate) type Place = (Option<u64>, Option<u64>);

/// Reads a whole reply.
pub(crate) fn whole(body: &[u8]) -> Result<Completion, Unread> {
    let mut completion = Completion::default();
    // An error beside no output, as some servers answer with 200.
    let value: Value = serde_json::from_slice(body).map_err(|_| Unread::Nonsense)?;
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Err(Unread::Error(ServerError::of(error.clone())));
    }
    if value.get("output").is_none() {
        return Err(Unread::Nonsense);
    }
    take_response(value, &mut completion)?;
    Ok(completion)
}

/// Takes in a response object. What a stream told already is not taken again.
fn take_response(value: Value, completion: &mut Completion) -> Result<(), Unread> {
    let read: Whole = serde_json::from_value(value).map_err(|_| Unread::Nonsense)?;
    if let Some(error) = read.error.filter(|error| !error.is_null()) {
        return Err(Unread::Error(ServerError::of(error)));
    }
    if completion.texts.is_empty() && completion.calls.is_empty() && completion.refusal.is_none() {
        for item in read.output.unwrap_or_default() {
            take_item(item, completion, true)?;
        }
    }
    completion.end = match read.status.as_deref() {
        Some("failed" | "cancelled") => return Err(Unread::Error(ServerError::default())),
        Some("incomplete") => match read.incomplete_details.and_then(|details| details.reason).as_deref() {
            Some("content_filter") => Some(End::Filtered),
            _ => Some(End::Length),
        },
        _ => Some(End::Finished),
    };
    let counts = read.usage.as_ref();
    completion.usage = counts
        .and_then(|counts| usage(counts.input_tokens.as_ref(), counts.output_tokens.as_ref()))
        .or(completion.usage);
    Ok(())
}

fn take_item(item: Value, completion: &mut Completion, with_words: bool) -> Result<(), Unread> {
    // An item of a kind we do not know may have any form.
    let Ok(item) = serde_json::from_value::<Item>(item) else { return Ok(()) };
    match item.kind.as_str() {
        "message" if with_words => {
            for part in item.content {
                match part.kind.as_str() {
                    "output_text" | "text" => completion.texts.extend(part.text),
                    "refusal" => completion.refusal = part.refusal.filter(|refusal| !refusal.trim().is_empty()),
                    _ => {}
                }
            }
        }
        "function_call" => {
            if completion.calls.len() == CALLS_MAX {
                return Err(Unread::Nonsense);
            }
            completion.calls.push(ToolCall {
                id: item.call_id.unwrap_or_default(),
                name: item.name.unwrap_or_default(),
                arguments: arguments(item.arguments),
            });
        }
        _ => {}
    }
    Ok(())
}

/// Takes in one event of a stream. Kinds that are not needed are passed over; there are more than fifty.
pub(crate) fn event(data: &str, so_far: &mut Completion, place: &mut Option<Place>) -> Result<(), Unread> {
    let event: Event<'_> = serde_json::from_str(data).map_err(|_| Unread::Nonsense)?;
    match &*event.kind {
        "response.output_text.delta" => {
            let Some(Value::String(words)) = event.delta else { return Ok(()) };
            let here = (event.output_index, event.content_index);
            match so_far.texts.last_mut().filter(|_| *place == Some(here)) {
                Some(text) => text.push_str(&words),
                None => so_far.texts.push(words),
            }
            *place = Some(here);
        }
        "response.refusal.delta" => {
            let Some(Value::String(words)) = event.delta else { return Ok(()) };
            so_far.refusal.get_or_insert_default().push_str(&words);
        }
        // The words of a message came as deltas; a tool's arguments are whole only here.
        "response.output_item.done" => take_item(value(event.item)?, so_far, false)?,
        "response.completed" | "response.incomplete" | "response.failed" => {
            take_response(value(event.response)?, so_far)?;
        }
        "error" => {
            let ErrorEvent { error, bare } = serde_json::from_str(data).map_err(|_| Unread::Nonsense)?;
            return Err(Unread::Error(error.filter(|error| !error.is_null()).map_or(bare, ServerError::of)));
        }
        _ => {}
    }
    Ok(())
}

fn value(raw: Option<&RawValue>) -> Result<Value, Unread> {
    raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()).map_err(|_| Unread::Nonsense))
}

/// The items that tell a model what it did and what came of it, behind those it had.
pub(crate) fn go_on(items: &mut Vec<Value>, words: &str, calls: &[(ToolCall, &str)]) {
    if !words.is_empty() {
        items.push(json!({"role": "assistant", "content": words}));
    }
    for (call, _) in calls {
        let (id, name, arguments) = (&call.id, &call.name, &call.arguments);
        items.push(json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}));
    }
    for (call, result) in calls {
        items.push(json!({"type": "function_call_output", "call_id": call.id, "output": result}));
    }
}
