//! Reading that forgives: an optional member of the wrong type is absent, a scalar of the wrong kind becomes text.
//!
//! Used by the wire types' `deserialize_with` attributes only. Nothing here recurses, so the depth of a hostile body
//! is bounded by the JSON reader alone.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Parameters;

/// Any JSON value, of which only scalars are kept.
pub(crate) enum Scalar {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Compound,
}

impl Scalar {
    /// The text of a string, number or boolean.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Scalar::Null | Scalar::Compound => None,
            Scalar::Bool(value) => Some(value.to_string()),
            Scalar::Unsigned(value) => Some(value.to_string()),
            Scalar::Signed(value) => Some(value.to_string()),
            Scalar::Float(value) => Some(value.to_string()),
            Scalar::Text(value) => Some(value),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }
            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Unsigned(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Signed(value))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
            fn visit_string<E: Error>(self, value: String) -> Result<Scalar, E> {
                Ok(Scalar::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Scalar, A::Error> {
                drain_elements(elements)?;
                Ok(Scalar::Compound)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Scalar, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Compound)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

fn drain_elements<'de, A: SeqAccess<'de>>(mut elements: A) -> Result<(), A::Error> {
    while elements.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// The visits in which a reader of objects or lists finds a scalar, and therefore nothing.
macro_rules! scalars_are_nothing {
    ($value:ty, $nothing:expr) => {
        fn visit_unit<E: Error>(self) -> Result<$value, E> {
            Ok($nothing)
        }
        fn visit_bool<E: Error>(self, _: bool) -> Result<$value, E> {
            Ok($nothing)
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<$value, E> {
            Ok($nothing)
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<$value, E> {
            Ok($nothing)
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<$value, E> {
            Ok($nothing)
        }
        fn visit_str<E: Error>(self, _: &str) -> Result<$value, E> {
            Ok($nothing)
        }
    };
}

/// An object read as `T`; anything else is nothing.
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            scalars_are_nothing!(Object<T>, Object(None));

            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Object<T>, A::Error> {
                drain_elements(elements)?;
                Ok(Object(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(|value| Object(Some(value)))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// A list of objects: `null` and whatever is no list are an empty one, elements that are no objects are left out.
struct Objects<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Objects<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }
            scalars_are_nothing!(Objects<T>, Objects(Vec::new()));

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Objects<T>, A::Error> {
                let mut kept = Vec::new();
                while let Some(Object(element)) = elements.next_element()? {
                    kept.extend(element);
                }
                Ok(Objects(kept))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Objects<T>, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Objects(Vec::new()))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// An optional text.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Scalar::deserialize(deserializer).map(Scalar::into_text)
}

/// An optional text that is written by us elsewhere, and therefore held in a `Cow`.
pub(crate) fn cow<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'static, str>>, D::Error> {
    Ok(text(deserializer)?.map(Cow::Owned))
}

/// A language tag, in lower case, since the platform's own documents write both forms.
pub(crate) fn language<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text(deserializer)?.map(|tag| tag.trim().to_ascii_lowercase()).filter(|tag| !tag.is_empty()))
}

/// A required identifier: without it the message cannot be placed, and an empty one would merge strangers.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer)?
        .filter(|id| !id.trim().is_empty())
        .ok_or_else(|| D::Error::custom("an identifier must be a non-empty string"))
}

/// A whole number that may not be negative; a string of digits counts.
pub(crate) fn unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Unsigned(value) => Some(value),
        Scalar::Text(value) => value.trim().parse().ok(),
        // Some writers send 720.0; whatever has a fraction or is out of range is not a count.
        Scalar::Float(value) if value.fract() == 0.0 && (0.0..=9e15).contains(&value) => Some(value as u64),
        Scalar::Null | Scalar::Bool(_) | Scalar::Signed(_) | Scalar::Float(_) | Scalar::Compound => None,
    })
}

/// As [`unsigned`], for counts that fit 32 bits.
pub(crate) fn small_unsigned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(unsigned(deserializer)?.and_then(|value| u32::try_from(value).ok()))
}

/// An optional number; a string that holds one counts.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = match Scalar::deserialize(deserializer)? {
        Scalar::Unsigned(value) => Some(value as f64),
        Scalar::Signed(value) => Some(value as f64),
        Scalar::Float(value) => Some(value),
        Scalar::Text(value) => value.trim().parse().ok(),
        Scalar::Null | Scalar::Bool(_) | Scalar::Compound => None,
    };
    Ok(value.filter(|value| value.is_finite()))
}

/// An optional object.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// A required object.
pub(crate) fn required_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    object(deserializer)?.ok_or_else(|| D::Error::custom("a required object is something else"))
}

/// A list of objects.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Objects::deserialize(deserializer).map(|Objects(values)| values)
}

/// A list, a map or any other value that has an empty form: `null` is that form.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A map of session variables, see [`Parameters`].
pub(crate) fn parameters<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Parameters<'a>, D::Error> {
    let members: Option<serde_json::Map<String, serde_json::Value>> = object(deserializer)?;
    Ok(members.unwrap_or_default().into_iter().map(|(name, value)| (name.into(), stringified(value).into())).collect())
}

fn stringified(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
