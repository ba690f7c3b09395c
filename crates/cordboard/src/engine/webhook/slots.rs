//! Slots of a reply, in the texts that Genesys knows each type by (`reference/digital-bot-connector.md`, section 1.5).
//! Numbers keep their digits: they are taken from the bytes, since binary fractions would change them.

use std::collections::BTreeMap;

use model::{Cut, SlotValue, Slots};
use serde_json::value::RawValue;

use super::read::parse;
use super::wire::SlotObject;
use crate::engine::callback::Unreadable;

/// A slot is a value, a list of values, or an object that holds either as `value`. A value is a text, a number, a truth
/// value, or an amount of money: `{"amount": 19.90, "code": "EUR"}`.
pub(super) fn read(slots: BTreeMap<String, Box<RawValue>>, cuts: &mut Vec<Cut>) -> Result<Slots, Unreadable> {
    let mut read = Slots::new();
    for (name, raw) in slots {
        match slot(&raw, cuts)? {
            Some(slot) => drop(read.insert(name, slot)),
            None => cuts.push(Cut::Values),
        }
    }
    Ok(read)
}

fn slot(raw: &RawValue, cuts: &mut Vec<Cut>) -> Result<Option<SlotValue>, Unreadable> {
    let held = if starts_with(raw, b'{') { parse::<SlotObject<'_>>(raw.get().as_bytes())?.value } else { None };
    let raw = held.unwrap_or(raw);
    if !starts_with(raw, b'[') {
        return Ok(value(raw)?.map(SlotValue::One));
    }
    let mut texts = Vec::new();
    for element in parse::<Vec<&RawValue>>(raw.get().as_bytes())? {
        match value(element)? {
            Some(text) => texts.push(text),
            None => cuts.push(Cut::Values),
        }
    }
    Ok(Some(SlotValue::Many(texts)))
}

/// One value as text; nothing for `null`, a list, and an object that is no amount of money.
fn value(raw: &RawValue) -> Result<Option<String>, Unreadable> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => Some(parse(text.as_bytes())?),
        Some(b't' | b'f') => Some(text.to_owned()),
        Some(b'-' | b'0'..=b'9') if text.contains(['e', 'E']) => {
            Some(parse::<serde_json::Number>(text.as_bytes())?.to_string())
        }
        Some(b'-' | b'0'..=b'9') => Some(text.to_owned()),
        Some(b'{') => money(&parse(text.as_bytes())?),
        Some(_) | None => None,
    })
}

/// The form of v2, which both doors read; an amount is a number or a text.
fn money(slot: &SlotObject<'_>) -> Option<String> {
    let amount = slot.amount.filter(|amount| !starts_with(amount, b'{') && !starts_with(amount, b'['))?;
    let code = serde_json::Value::from(slot.code.as_deref()?);
    Some(format!(r#"{{"amount":{amount},"code":{code}}}"#))
}

fn starts_with(raw: &RawValue, first: u8) -> bool {
    raw.get().as_bytes().first() == Some(&first)
}
