//! The types of entities (v2) and slots (v1), and which texts fit them.
//!
//! Source: `reference/digital-bot-connector.md`, section 1.5; `reference/bot-connector-v1.md`, sections 3.1 and 4.5.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::spelling::spellings;

spellings! {
    /// Type of an entity or slot. In v2 every value travels as text, see [`EntityType::accepts`]; in v1 as JSON, see
    /// [`SlotValue`](super::bot_connector::SlotValue).
    pub enum EntityType {
        /// Any text of at most [`STRING_LIMIT_CHARS`] characters.
        String = "String",
        /// A whole number within ±999,999,999,999,999.
        Integer = "Integer",
        /// A decimal number of at most 40 digits.
        Decimal = "Decimal",
        /// An ISO 8601 duration of days, hours, minutes and seconds; no years, no months.
        Duration = "Duration",
        /// `true` or `false`.
        Boolean = "Boolean",
        /// An amount with an ISO 4217 code.
        Currency = "Currency",
        /// An ISO 8601 date and time, from the year 1800 to 2200.
        Datetime = "Datetime",
        /// Several texts.
        StringCollection = "StringCollection",
        /// Several whole numbers.
        IntegerCollection = "IntegerCollection",
        /// Several decimal numbers.
        DecimalCollection = "DecimalCollection",
        /// Several durations.
        DurationCollection = "DurationCollection",
        /// Several booleans.
        BooleanCollection = "BooleanCollection",
        /// Several amounts.
        CurrencyCollection = "CurrencyCollection",
        /// Several dates.
        DatetimeCollection = "DatetimeCollection",
    }
}

/// Longest text of type `String`, in characters.
pub const STRING_LIMIT_CHARS: usize = 32_000;
/// Greatest absolute value of type `Integer`.
pub const INTEGER_LIMIT: u64 = 999_999_999_999_999;
/// Most digits of type `Decimal`.
pub const DECIMAL_LIMIT_DIGITS: usize = 40;
/// Nobody writes more zeros than this.
const DECIMAL_LIMIT_BYTES: usize = 100;
/// Longest duration in milliseconds, either way: 11,574,074 days, 1 hour, 46 minutes and 39.999 seconds.
pub const DURATION_LIMIT_MS: u64 = 999_999_999_999_999;

impl EntityType {
    /// Whether the type holds several values.
    #[must_use]
    pub fn is_collection(&self) -> bool {
        self.element() != *self
    }

    /// The type of one value of a collection; a simple type is its own.
    #[must_use]
    pub fn element(&self) -> EntityType {
        match self {
            EntityType::StringCollection => EntityType::String,
            EntityType::IntegerCollection => EntityType::Integer,
            EntityType::DecimalCollection => EntityType::Decimal,
            EntityType::DurationCollection => EntityType::Duration,
            EntityType::BooleanCollection => EntityType::Boolean,
            EntityType::CurrencyCollection => EntityType::Currency,
            EntityType::DatetimeCollection => EntityType::Datetime,
            simple => simple.clone(),
        }
    }

    /// Whether a text is a value of this type in v2's form; for a collection, whether it is one of its values.
    /// An unknown type accepts nothing.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        match self.element() {
            EntityType::String => text.chars().count() <= STRING_LIMIT_CHARS,
            EntityType::Integer => is_integer(text),
            EntityType::Decimal => is_decimal(text),
            EntityType::Boolean => matches!(text, "true" | "false"),
            EntityType::Duration => duration_ms(text).is_some_and(|ms| ms <= DURATION_LIMIT_MS),
            EntityType::Datetime => is_datetime(text),
            EntityType::Currency => Money::read(text).is_some(),
            _ => false,
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_digits(digits) && digits.parse::<u64>().is_ok_and(|value| value <= INTEGER_LIMIT)
}

/// Whether a text is a plain decimal number, which is also a JSON number: no exponent, no superfluous zero in front. Zeros
/// at the end of a fraction are no digits that count: the greatest number is written with one (section 1.5 of v2).
pub(crate) fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    let well_formed = is_digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(is_digits);
    let fraction_digits = fraction.map_or(0, |fraction| fraction.trim_end_matches('0').len());
    well_formed && text.len() <= DECIMAL_LIMIT_BYTES && whole.len() + fraction_digits <= DECIMAL_LIMIT_DIGITS
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The length of an ISO 8601 day-time duration without its sign, in milliseconds; below milliseconds is ignored.
fn duration_ms(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text).strip_prefix('P')?;
    let (date, time) = unsigned.split_once('T').map_or((unsigned, None), |(date, time)| (date, Some(time)));
    let mut total_ms = 0_u64;
    if !date.is_empty() {
        total_ms = whole(date.strip_suffix('D')?)?.checked_mul(86_400_000)?;
    }
    let Some(mut rest) = time else {
        return (!date.is_empty()).then_some(total_ms);
    };
    if rest.is_empty() {
        return None;
    }
    for (unit, unit_ms) in [('H', 3_600_000), ('M', 60_000)] {
        if let Some((amount, after)) = rest.split_once(unit) {
            total_ms = total_ms.checked_add(whole(amount)?.checked_mul(unit_ms)?)?;
            rest = after;
        }
    }
    if rest.is_empty() {
        return Some(total_ms);
    }
    let (seconds, fraction) = rest.strip_suffix('S').map(|all| all.split_once('.').unwrap_or((all, "0")))?;
    if !is_digits(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("00".chars()).take(3).collect();
    total_ms.checked_add(whole(seconds)?.checked_mul(1000)?)?.checked_add(whole(&thousandths)?)
}

fn whole(digits: &str) -> Option<u64> {
    is_digits(digits).then(|| digits.parse().ok()).flatten()
}

/// Checks `YYYY-MM-DDThh:mm`, optionally with seconds, a fraction and an offset. The year is taken as written.
fn is_datetime(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(start) => time.split_at(start),
        None => (time, "Z"),
    };
    is_date(date) && is_clock(clock) && is_offset(offset)
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let (year, month, day) = (field(parts.next(), 4), field(parts.next(), 2), field(parts.next(), 2));
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1800..=2200).contains(&year) && (1..=days).contains(&day)
}

fn is_clock(text: &str) -> bool {
    let (whole_seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fields: Vec<Option<u64>> = whole_seconds.split(':').map(|part| field(Some(part), 2)).collect();
    let has_seconds = fields.len() == 3;
    let in_range = fields.iter().zip([23, 59, 59]).all(|(value, limit)| value.is_some_and(|value| value <= limit));
    in_range && is_digits(fraction) && (has_seconds || (fields.len() == 2 && !text.contains('.')))
}

fn is_offset(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let Some((hours, minutes)) = text.get(1..).and_then(|rest| rest.split_once(':')) else { return false };
    field(Some(hours), 2).is_some_and(|hours| hours <= 18) && field(Some(minutes), 2).is_some_and(|min| min <= 59)
}

fn field(digits: Option<&str>, length: usize) -> Option<u64> {
    digits.filter(|digits| digits.len() == length).and_then(whole)
}

/// An amount of money, with the digits as they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// The amount, a decimal number such as `19.90`.
    pub amount: String,
    /// The ISO 4217 code, such as `EUR`.
    pub code: String,
}

impl Money {
    /// Reads the JSON form of v2, `{"amount": 19.90, "code": "EUR"}` with the amount as a number or a text, and v1's
    /// short form `19.90|EUR`. `None` when it is neither.
    #[must_use]
    pub fn read(text: &str) -> Option<Money> {
        #[derive(Deserialize)]
        struct Written {
            amount: Box<RawValue>,
            code: String,
        }
        let (amount, code) = match text.split_once('|') {
            Some((amount, code)) if !text.starts_with('{') => (amount.to_owned(), code.to_owned()),
            _ => {
                let written: Written = serde_json::from_str(text).ok()?;
                (written.amount.get().trim_matches('"').to_owned(), written.code)
            }
        };
        let known_form = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        (is_decimal(&amount) && known_form).then_some(Money { amount, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_accepts_its_own_form_and_range() {
        let long = "ä".repeat(STRING_LIMIT_CHARS);
        let cases: [(EntityType, &[&str], &[&str]); 7] = [
            (EntityType::String, &["", "x", &long], &[&format!("{long}x")]),
            (
                EntityType::Integer,
                &["0", "-7", "999999999999999", "-999999999999999"],
                &["", "-", "+1", "1.0", "1000000000000000", "99999999999999999999999", "1e3", " 1"],
            ),
            (
                EntityType::Decimal,
                &[
                    "42.5",
                    "-0.1",
                    "9999999999999999999999999999999999999999",
                    "-9999999999999999999999999999999999999999.0",
                    "3",
                ],
                &["", ".5", "5.", "1e3", "01", "NaN", "99999999999999999999999999999999999999999"],
            ),
            (EntityType::Boolean, &["true", "false"], &["True", "1", ""]),
            (
                EntityType::Duration,
                &["PT1H30M", "P30D", "-P1DT0.5S", "P11574074DT1H46M39.999S", "PT36H", "PT5M"],
                &[
                    "",
                    "P",
                    "PT",
                    "P1DT",
                    "P1Y",
                    "P1M",
                    "1H",
                    "PT1M1H",
                    "PTS",
                    "PT.5S",
                    "P11574074DT1H46M40S",
                    "P99999999999999999999D",
                ],
            ),
            (
                EntityType::Datetime,
                &[
                    "2026-11-20T14:30:00Z",
                    "1955-11-05T12:00:00",
                    "2024-02-29T00:00:00.123+05:30",
                    "2200-12-31T23:59:59Z",
                    "1800-01-01T00:00",
                ],
                &[
                    "2026-11-20",
                    "2025-02-29T00:00:00Z",
                    "1799-12-31T23:59:59Z",
                    "2201-01-01T00:00:00Z",
                    "2026-13-01T00:00:00Z",
                    "2026-11-20T24:00:00Z",
                    "2026-11-20T10Z",
                    "2026-11-20T10:00:00+5",
                    "2026-11-20T10:00.5Z",
                    "26-11-20T10:00:00Z",
                ],
            ),
            (
                EntityType::Currency,
                &[r#"{"amount": 10.50, "code": "USD"}"#, r#"{"code":"EUR","amount":"5.00"}"#, "17.00|USD"],
                &["", "17.00", "17.00|usd", r#"{"amount": 10.50}"#, r#"{"amount": true, "code": "USD"}"#, "{", "|"],
            ),
        ];
        for (entity_type, good, bad) in cases {
            for text in good {
                assert!(entity_type.accepts(text), "{entity_type} {text:?}");
            }
            for text in bad {
                assert!(!entity_type.accepts(text), "{entity_type} {text:?}");
            }
        }
        assert!(!EntityType::from("Postcode").accepts("1"));
    }

    #[test]
    fn money_keeps_its_digits() {
        let money = Money::read(r#"{"amount": 19.90, "code": "EUR"}"#).unwrap();
        assert_eq!((money.amount.as_str(), money.code.as_str()), ("19.90", "EUR"));
    }

    #[test]
    fn half_of_the_types_are_collections_of_the_other_half() {
        let (collections, simple): (Vec<_>, Vec<_>) = EntityType::KNOWN.iter().partition(|each| each.is_collection());
        assert_eq!((collections.len(), simple.len()), (7, 7));
        for collection in collections {
            assert_eq!(format!("{}Collection", collection.element()), collection.as_str());
        }
        assert_eq!(EntityType::from("integercollection"), EntityType::IntegerCollection);
    }
}
