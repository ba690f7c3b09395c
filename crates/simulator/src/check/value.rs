//! Entity and slot values: the type names and the string forms that they allow.
//!
//! `reference/digital-bot-connector.md`, section 1.5 (all values are strings), and `reference/bot-connector-v1.md`,
//! section 4.5 (native JSON values).

use serde_json::Value;

use super::kind;

const SIMPLE: [&str; 7] = ["String", "Integer", "Decimal", "Duration", "Boolean", "Currency", "Datetime"];
const COLLECTIONS: [&str; 7] = [
    "StringCollection",
    "IntegerCollection",
    "DecimalCollection",
    "DurationCollection",
    "BooleanCollection",
    "CurrencyCollection",
    "DatetimeCollection",
];
const STRING_MAX_CHARS: usize = 32_000;
const INTEGER_MAX: i64 = 999_999_999_999_999;
/// 11574074 days, 1 hour, 46 minutes and 39.999 seconds.
const DURATION_MAX_MS: u128 = (11_574_074 * 86_400 + 6_399) * 1_000 + 999;

/// Whether this is a type name in its exact spelling.
pub(crate) fn is_type(name: &str) -> bool {
    SIMPLE.contains(&name) || COLLECTIONS.contains(&name)
}

/// The exact spelling of a type name given in any case, which v1 tolerates.
pub(crate) fn canonical_type(name: &str) -> Option<&'static str> {
    SIMPLE.iter().chain(&COLLECTIONS).copied().find(|canonical| canonical.eq_ignore_ascii_case(name))
}

/// The type of one element, when `name` is a collection.
pub(crate) fn element_type(name: &str) -> Option<&str> {
    name.strip_suffix("Collection")
}

/// Checks the string form of a simple type.
pub(crate) fn check_text(kind: &str, text: &str) -> Result<(), String> {
    let fits = match kind {
        "String" => text.chars().count() <= STRING_MAX_CHARS,
        "Integer" => text.parse::<i64>().is_ok_and(|n| !text.starts_with('+') && n.abs() <= INTEGER_MAX),
        "Decimal" => is_decimal(text),
        "Boolean" => matches!(text, "true" | "false"),
        "Duration" => is_duration(text),
        "Datetime" => is_datetime(text),
        "Currency" => serde_json::from_str::<Value>(text).is_ok_and(|value| is_currency(&value, false)),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("'{}' is no {kind}", shorten(text))) }
}

/// Checks the native JSON form that v1 uses in `slotValues`.
pub(crate) fn check_native(kind: &str, value: &Value) -> Result<(), String> {
    if let Some(element) = element_type(kind) {
        let Value::Array(items) = value else {
            return Err(format!("a {kind} must be an array, not {}", self::kind(value)));
        };
        return items.iter().try_for_each(|item| check_native(element, item));
    }
    let fits = match (kind, value) {
        ("Integer", Value::Number(n)) => n.as_i64().is_some_and(|n| n.abs() <= INTEGER_MAX),
        ("Decimal", Value::Number(_)) | ("Boolean", Value::Bool(_)) => true,
        ("Currency", Value::Object(_)) => is_currency(value, true),
        ("Currency", Value::String(text)) => {
            text.split_once('|').is_some_and(|(amount, code)| is_decimal(amount) && is_currency_code(code))
        }
        ("String" | "Duration" | "Datetime", Value::String(text)) => return check_text(kind, text),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{} is no {kind}", shorten(&value.to_string()))) }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Up to 40 digits of precision, no exponent.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return false;
    }
    whole.trim_start_matches('0').len() + fraction.trim_end_matches('0').len() <= 40
}

fn is_currency(value: &Value, amount_as_text: bool) -> bool {
    let amount = match value.get("amount") {
        Some(Value::Number(_)) => true,
        Some(Value::String(text)) => amount_as_text && is_decimal(text),
        _ => false,
    };
    amount && value.get("code").and_then(Value::as_str).is_some_and(is_currency_code)
}

fn is_currency_code(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// An XSD day-time duration: no years, no months.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-').unwrap_or(text).strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return false,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return false;
    }
    let mut total_ms = 0_u128;
    for (part, units) in
        [(days, &[('D', 86_400_000_u128)][..]), (time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])]
    {
        let mut rest = part;
        for (unit, ms) in units {
            let Some((number, after)) = rest.split_once(*unit) else { continue };
            let Some(amount) = duration_part(number, *unit == 'S', *ms) else { return false };
            total_ms = total_ms.saturating_add(amount);
            rest = after;
        }
        if !rest.is_empty() {
            return false;
        }
    }
    total_ms <= DURATION_MAX_MS
}

fn duration_part(number: &str, fraction_allowed: bool, unit_ms: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if fraction_allowed && !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, "0"),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<u128>().ok()?.saturating_mul(unit_ms).saturating_add(padded.parse::<u128>().ok()?))
}

/// ISO-8601 extended, with an offset, `Z` or none, from 1800 to 2200.
fn is_datetime(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let number = |part: Option<&str>, len: usize| {
        part.filter(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|part| part.parse::<u32>().ok())
    };
    let mut parts = date.split('-');
    let (Some(year), Some(month), Some(day), None) =
        (number(parts.next(), 4), number(parts.next(), 2), number(parts.next(), 2), parts.next())
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let clock_end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(clock_end);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = whole.split(':');
    let (Some(hour), Some(minute), Some(second), None) =
        (number(parts.next(), 2), number(parts.next(), 2), number(parts.next(), 2), parts.next())
    else {
        return false;
    };
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        Some(offset) => offset.split_once(':').is_some_and(|(h, m)| {
            number(Some(h), 2).is_some_and(|h| h < 24) && number(Some(m), 2).is_some_and(|m| m < 60)
        }),
        None => zone.is_empty() || zone == "Z",
    };
    (1800..=2200).contains(&year)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && zone_fits
}
