//! Values of slots: JSON by type, unlike v2, where everything is text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::{Error as _, SerializeStruct as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cloud::entity::{EntityType, Money, is_decimal};
use crate::cloud::lenient;

/// The value of a slot (`reference/bot-connector-v1.md`, section 4.5).
///
/// Durations and dates are texts on the wire, so they are read back as [`SlotValue::Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotValue<'a> {
    /// `String`, `Duration` or `Datetime`: a JSON string.
    Text(Cow<'a, str>),
    /// `Integer`: a JSON number.
    Integer(i64),
    /// `Decimal`: a JSON number with its digits as written.
    Decimal(Decimal<'a>),
    /// `Boolean`: a JSON boolean.
    Boolean(bool),
    /// `Currency`: an object whose amount is a string.
    Currency(Money),
    /// Any collection: a JSON array.
    Collection(Vec<SlotValue<'a>>),
}

impl<'a> SlotValue<'a> {
    /// The value of a declared type from its text form in v2. `None` when the text is no such value, when the type
    /// is unknown, or when it is a collection: use [`SlotValue::collection`] for those.
    #[must_use]
    pub fn of(slot_type: &EntityType, text: &'a str) -> Option<Self> {
        if !slot_type.accepts(text) {
            return None;
        }
        match slot_type {
            EntityType::String | EntityType::Duration | EntityType::Datetime => Some(SlotValue::Text(text.into())),
            EntityType::Integer => text.parse().ok().map(SlotValue::Integer),
            EntityType::Decimal => Decimal::new(text).map(SlotValue::Decimal),
            EntityType::Boolean => text.parse().ok().map(SlotValue::Boolean),
            EntityType::Currency => Money::read(text).map(SlotValue::Currency),
            _ => None,
        }
    }

    /// The text form that the value has in v2. `None` for a collection, whose elements have one each.
    #[must_use]
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            SlotValue::Text(text) => Cow::Borrowed(text.as_ref()),
            SlotValue::Integer(value) => value.to_string().into(),
            SlotValue::Decimal(value) => value.as_str().into(),
            SlotValue::Boolean(value) => value.to_string().into(),
            SlotValue::Currency(Money { amount, code }) => {
                format!(r#"{{"amount": {amount}, "code": "{code}"}}"#).into()
            }
            SlotValue::Collection(_) => return None,
        })
    }

    /// The values of a declared collection type from their text forms. `None` when one of them does not fit, or when
    /// the type is no collection.
    #[must_use]
    pub fn collection(slot_type: &EntityType, texts: &'a [impl AsRef<str>]) -> Option<Self> {
        let element = slot_type.element();
        let values = texts.iter().map(|text| SlotValue::of(&element, text.as_ref())).collect::<Option<_>>()?;
        slot_type.is_collection().then_some(SlotValue::Collection(values))
    }
}

/// A decimal number of at most 40 digits, kept as it was written: binary fractions would change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal<'a>(Cow<'a, str>);

impl<'a> Decimal<'a> {
    /// A decimal from its text, such as `-12.50`. `None` for any other form, exponents included.
    #[must_use]
    pub fn new(text: impl Into<Cow<'a, str>>) -> Option<Self> {
        let text = text.into();
        is_decimal(&text).then_some(Decimal(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for SlotValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SlotValue::Text(text) => serializer.serialize_str(text),
            SlotValue::Integer(value) => serializer.serialize_i64(*value),
            SlotValue::Decimal(value) => {
                RawValue::from_string(value.as_str().to_owned()).map_err(S::Error::custom)?.serialize(serializer)
            }
            SlotValue::Boolean(value) => serializer.serialize_bool(*value),
            SlotValue::Currency(money) => {
                let mut object = serializer.serialize_struct("Currency", 2)?;
                object.serialize_field("amount", &money.amount)?;
                object.serialize_field("code", &money.code)?;
                object.end()
            }
            SlotValue::Collection(values) => values.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SlotValue<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        of_json(Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("not the value of a slot"))
    }
}

/// Slots by name; what is no slot's value is left out.
pub(super) fn values<'de, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Cow<'a, str>, SlotValue<'a>>, D::Error> {
    let members: Option<serde_json::Map<String, Value>> = lenient::object(deserializer)?;
    let read = members.unwrap_or_default().into_iter();
    Ok(read.filter_map(|(name, value)| Some((name.into(), of_json(value)?))).collect())
}

fn of_json(value: Value) -> Option<SlotValue<'static>> {
    match value {
        Value::String(text) => Some(SlotValue::Text(text.into())),
        Value::Bool(value) => Some(SlotValue::Boolean(value)),
        Value::Number(number) => match number.as_i64() {
            Some(value) => Some(SlotValue::Integer(value)),
            // Its own text has an exponent where that is shorter, which a decimal must not have.
            None => {
                let text = number.as_u64().map(|value| value.to_string());
                let text = text.or_else(|| number.as_f64().map(|value| value.to_string()))?;
                Decimal::new(text).map(SlotValue::Decimal)
            }
        },
        Value::Array(values) => values.into_iter().map(of_json).collect::<Option<_>>().map(SlotValue::Collection),
        Value::Object(_) => Money::read(&value.to_string()).map(SlotValue::Currency),
        Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_written_as_its_json() {
        let cases = [
            (EntityType::String, "x\"y", Some(r#""x\"y""#)),
            (EntityType::Integer, "-27", Some("-27")),
            (EntityType::Integer, "27.0", None),
            (
                EntityType::Decimal,
                "3.1400000000000000000000000000000000001",
                Some("3.1400000000000000000000000000000000001"),
            ),
            (EntityType::Decimal, "1e9", None),
            (EntityType::Boolean, "true", Some("true")),
            (EntityType::Boolean, "yes", None),
            (EntityType::Duration, "P1D", Some(r#""P1D""#)),
            (EntityType::Datetime, "1955-11-05T12:00:00", Some(r#""1955-11-05T12:00:00""#)),
            (EntityType::Currency, r#"{"amount": 5.00, "code": "USD"}"#, Some(r#"{"amount":"5.00","code":"USD"}"#)),
            (EntityType::Currency, "17.00|USD", Some(r#"{"amount":"17.00","code":"USD"}"#)),
            (EntityType::StringCollection, "x", None),
            (EntityType::Other("Odd".to_owned()), "x", None),
        ];
        for (slot_type, text, expected) in cases {
            let written = SlotValue::of(&slot_type, text).map(|value| serde_json::to_string(&value).unwrap());
            assert_eq!(written.as_deref(), expected, "{slot_type} {text}");
            let read = written.map(|json| serde_json::from_str::<SlotValue<'_>>(&json).unwrap());
            let back = read.as_ref().and_then(SlotValue::to_text);
            // Of money the short form is not written in v2, and binary fractions have fewer digits than decimal ones.
            if !text.contains('|') && text.len() < 30 {
                assert_eq!(back.as_deref(), expected.map(|_| text), "{slot_type} {text}");
            }
        }
    }

    #[test]
    fn a_number_is_read_however_large_or_small_it_is() {
        for (json, text) in [
            ("27", "27"),
            ("3.14", "3.14"),
            ("0.00000015", "0.00000015"),
            ("1.5e-7", "0.00000015"),
            ("1e3", "1000"),
            ("2.5e21", "2500000000000000000000"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            let value: SlotValue<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(value.to_text().as_deref(), Some(text), "{json}");
        }
        assert!(serde_json::from_str::<SlotValue<'_>>("1e300").is_err(), "no decimal has so many digits");
    }

    #[test]
    fn a_collection_holds_only_values_of_its_type() {
        let numbers = SlotValue::collection(&EntityType::IntegerCollection, &["1", "2"]).unwrap();
        assert_eq!(serde_json::to_string(&numbers).unwrap(), "[1,2]");
        assert_eq!(SlotValue::collection(&EntityType::IntegerCollection, &["1", "x"]), None);
        assert_eq!(SlotValue::collection(&EntityType::Integer, &["1"]), None);
    }
}
