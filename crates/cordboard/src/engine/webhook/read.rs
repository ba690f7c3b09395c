//! Reads a reply of the webhook contract into an answer. Total, and without a copy of what is not used: items and the
//! engine's state stay raw until their kind is known, and what nests deeper than `serde_json` follows is refused by it.

use std::collections::BTreeMap;

use model::{Answer, Attributes, Cut, HandOver, Intent, Item, Next, Opaque};
use serde_json::Value;

use super::{items, mistakes, slots, wire};
use crate::engine::callback::{Callback, Unreadable};
use crate::engine::limits::Limits;

/// Reads the body of a reply or a callback, within limits.
pub(super) fn read(body: &[u8], limits: &Limits) -> Result<Callback, Unreadable> {
    read_whole(body, limits).map_err(|unreadable| match unreadable {
        // Where and what is looked for only when something is wrong.
        Unreadable::NotAReply(why) => {
            let first = mistakes::mistakes(body).into_iter().find(|mistake| mistake.fatal);
            Unreadable::NotAReply(first.map_or(why, |mistake| mistake.text))
        }
        other => other,
    })
}

fn read_whole(body: &[u8], limits: &Limits) -> Result<Callback, Unreadable> {
    if body.len() > limits.reply_max_bytes {
        return Err(Unreadable::TooLarge { max_bytes: limits.reply_max_bytes });
    }
    let reply = match body.trim_ascii_start().first() {
        Some(b'[') => {
            let texts: Vec<wire::BareText> = parse(body)?;
            let answer = Answer::saying(texts.into_iter().map(|bare| Item::Text(bare.text)).collect());
            return Ok(Callback { in_reply_to: None, answer: limits.fit(answer) });
        }
        Some(b'{') => parse::<wire::Reply>(body)?,
        Some(_) | None => {
            parse::<serde::de::IgnoredAny>(body)?;
            return Err(Unreadable::NotAReply("a reply is an object, or a list of texts".to_owned()));
        }
    };
    if !says_anything(&reply) {
        let hint = "none of items, text, next, nlu, set_attributes and engine_state is there; nothing to say is 204";
        return Err(Unreadable::NotAReply(hint.to_owned()));
    }
    let in_reply_to = reply.in_reply_to.clone();
    Ok(Callback { in_reply_to, answer: limits.fit(answer(reply)?) })
}

/// Reads a reply for those who look at one before a bot sends it.
///
/// # Errors
///
/// Why it would be refused.
pub fn read_reply(body: &[u8], limits: &Limits) -> Result<Answer, Unreadable> {
    read(body, limits).map(|callback| callback.answer)
}

/// `{}` and `{"message": "…"}` are mistakes, not silence.
fn says_anything(reply: &wire::Reply) -> bool {
    reply.items.is_some()
        || reply.text.is_some()
        || reply.next.is_some()
        || reply.nlu.is_some()
        || reply.set_attributes.is_some()
        || reply.engine_state.is_some()
}

fn answer(reply: wire::Reply) -> Result<Answer, Unreadable> {
    let mut answer = Answer::saying(Vec::new());
    answer.items.extend(reply.text.map(Item::Text));
    for (index, raw) in reply.items.unwrap_or_default().iter().enumerate() {
        // Positions inside an item count from its own start, so the item is named and they are not.
        items::read(raw, &mut answer)
            .map_err(|_| Unreadable::NotAReply(format!("items[{index}] lacks a field, or one has another type")))?;
    }
    read_values(reply.set_attributes.unwrap_or_default(), &mut answer.attributes, &mut answer.cuts);
    answer.next = match reply.next {
        None | Some(wire::Next::AwaitInput {}) => Next::Await,
        Some(wire::Next::More {}) => Next::More,
        Some(wire::Next::End {}) => Next::End,
        Some(wire::Next::Handoff { reason, note_to_agent, summary, attributes }) => {
            read_values(attributes.unwrap_or_default(), &mut answer.attributes, &mut answer.cuts);
            let notes: Vec<String> = [note_to_agent, summary].into_iter().flatten().collect();
            let note = (!notes.is_empty()).then(|| notes.join("\n\n"));
            Next::HandOver(HandOver { reason: reason.unwrap_or_else(|| "requested_by_bot".to_owned()), note })
        }
    };
    if let Some(nlu) = reply.nlu {
        answer.intent = nlu.intent.map(|intent| read_intent(intent, &mut answer.cuts));
        answer.slots = slots::read(nlu.slots.unwrap_or_default(), &mut answer.cuts)?;
    }
    answer.engine_state = reply.engine_state.map(|state| Opaque(state.get().as_bytes().to_vec()));
    Ok(answer)
}

fn read_intent(intent: wire::Intent, cuts: &mut Vec<Cut>) -> Intent {
    let confidence_permille = intent.confidence.and_then(|confidence| {
        if (0.0..=1.0).contains(&confidence) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 1000")]
            let permille = (confidence * 1000.0).round() as u16;
            Some(permille)
        } else {
            cuts.push(Cut::Values);
            None
        }
    });
    Intent { name: intent.name, confidence_permille }
}

fn read_values(values: BTreeMap<String, Value>, into: &mut Attributes, cuts: &mut Vec<Cut>) {
    for (name, value) in values {
        match scalar(value) {
            Some(text) => drop(into.insert(name, text)),
            None => cuts.push(Cut::Values),
        }
    }
}

/// Genesys carries text only.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Parses without quoting the input in the error: it may hold customers' words.
pub(super) fn parse<'de, T: serde::Deserialize<'de>>(body: &'de [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Unreadable::NotAReply(format!(
            "a field is missing, or has another type (line {}, column {})",
            error.line(),
            error.column()
        )),
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            Unreadable::NotJson { line: error.line(), column: error.column() }
        }
    })
}
