//! Chat Completions, which nearly every server speaks.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{CALLS_MAX, Completion, End, ServerError, ToolCall, Unread, arguments, usage};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Counts>,
}

#[derive(Deserialize)]
struct Choice {
    /// In a whole reply.
    #[serde(default)]
    message: Option<Said>,
    /// In an event of a stream.
    #[serde(default)]
    delta: Option<Said>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Call>>,
}

/// Nearly always a text; some servers write a list of parts.
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// Without a copy in between, since there is one for nearly every token.
impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a text or a list of parts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
                let mut read = Vec::new();
                while let Some(part) = parts.next_element()? {
                    read.push(part);
                }
                Ok(Content::Parts(read))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    /// In a stream: which call this is a piece of.
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<Function>,
}

#[derive(Default, Deserialize)]
struct Function {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Option<Value>,
    #[serde(default)]
    completion_tokens: Option<Value>,
}

fn end(reason: &str) -> End {
    match reason {
        "length" => End::Length,
        "content_filter" => End::Filtered,
        // "stop" and "tool_calls" are mixed up by some models, and others have words of their own.
        _ => End::Finished,
    }
}

/// Reads a whole reply.
pub(crate) fn whole(body: &[u8]) -> Result<Completion, Unread> {
    let mut completion = Completion::default();
    let mut read: Whole = serde_json::from_slice(body).map_err(|_| Unread::Nonsense)?;
    if let Some(error) = read.error.take().filter(|error| !error.is_null()) {
        return Err(Unread::Error(ServerError::of(error)));
    }
    let Some(choice) = read.choices.into_iter().next() else { return Err(Unread::Nonsense) };
    let said = choice.message.ok_or(Unread::Nonsense)?;
    match said.content {
        None => {}
        Some(Content::Text(text)) => completion.texts.push(text),
        Some(Content::Parts(parts)) => completion.texts.extend(parts.into_iter().filter_map(|part| part.text)),
    }
    completion.refusal = said.refusal.filter(|refusal| !refusal.trim().is_empty());
    for call in said.tool_calls.unwrap_or_default() {
        let Function { name, arguments: given } = call.function.unwrap_or_default();
        if completion.calls.len() == CALLS_MAX {
            return Err(Unread::Nonsense);
        }
        completion.calls.push(ToolCall {
            id: call.id.unwrap_or_default(),
            name: name.unwrap_or_default(),
            arguments: arguments(given),
        });
    }
    // A whole reply is at its end, whether it says so or not.
    completion.end = Some(choice.finish_reason.as_deref().map_or(End::Finished, end));
    completion.usage = counts(read.usage.as_ref());
    Ok(completion)
}

fn counts(read: Option<&Counts>) -> Option<model::Usage> {
    read.and_then(|counts| usage(counts.prompt_tokens.as_ref(), counts.completion_tokens.as_ref()))
}

/// Takes in one event of a stream.
pub(crate) fn event(data: &str, so_far: &mut Completion) -> Result<(), Unread> {
    let mut read: Whole = serde_json::from_str(data).map_err(|_| Unread::Nonsense)?;
    if let Some(error) = read.error.take().filter(|error| !error.is_null()) {
        return Err(Unread::Error(ServerError::of(error)));
    }
    so_far.usage = counts(read.usage.as_ref()).or(so_far.usage);
    let Some(choice) = read.choices.into_iter().next() else { return Ok(()) };
    let said = choice.delta.or(choice.message).unwrap_or_default();
    let words = match said.content {
        None => String::new(),
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
    };
    if !words.is_empty() {
        match so_far.texts.last_mut() {
            Some(text) => text.push_str(&words),
            None => so_far.texts.push(words),
        }
    }
    if let Some(words) = said.refusal.filter(|words| !words.is_empty()) {
        so_far.refusal.get_or_insert_default().push_str(&words);
    }
    for call in said.tool_calls.unwrap_or_default() {
        piece(call, &mut so_far.calls)?;
    }
    if let Some(reason) = choice.finish_reason {
        so_far.end = Some(end(&reason));
    }
    Ok(())
}

/// A piece of a tool call belongs to the call with its index; where a server leaves that out, a new id begins a new call.
fn piece(piece: Call, calls: &mut Vec<ToolCall>) -> Result<(), Unread> {
    let begins = piece.id.as_deref().is_some_and(|id| !id.is_empty() && calls.last().is_none_or(|last| last.id != id));
    let place = match piece.index {
        Some(index) => index,
        None if begins || calls.is_empty() => calls.len(),
        None => calls.len() - 1,
    };
    if place >= CALLS_MAX {
        return Err(Unread::Nonsense);
    }
    while calls.len() <= place {
        calls.push(ToolCall::default());
    }
    let call = &mut calls[place];
    if let Some(id) = piece.id.filter(|id| !id.is_empty()) {
        call.id = id;
    }
    let Function { name, arguments: given } = piece.function.unwrap_or_default();
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        // One server sends the name with every piece, others once.
        if call.name != name {
            call.name.push_str(&name);
        }
    }
    call.arguments.push_str(&arguments(given));
    Ok(())
}

/// The messages that tell a model what it did and what came of it, behind those it had.
pub(crate) fn go_on(messages: &mut Vec<Value>, words: &str, calls: &[(ToolCall, &str)]) {
    let used: Vec<Value> = calls
        .iter()
        .map(|(call, _)| {
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
        })
        .collect();
    let content = if words.is_empty() { Value::Null } else { words.into() };
    messages.push(json!({"role": "assistant", "content": content, "tool_calls": used}));
    for (call, result) in calls {
        messages.push(json!({"role": "tool", "tool_call_id": call.id, "content": result}));
    }
}
