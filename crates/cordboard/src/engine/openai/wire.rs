//! The wire, in both of its forms (`reference/bot-platforms.md`, section 4): what is asked, and what comes back whole or
//! event by event. Servers that speak as OpenAI's does differ in what they leave out, so nothing is required that is not
//! needed, and what is not known is passed over.

pub(super) mod chat;
pub(super) mod responses;

use model::Usage;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A model that calls more tools at once is confused.
pub(super) const CALLS_MAX: usize = 32;

/// What a model said in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Completion {
    /// Its words; most models say one text.
    pub(super) texts: Vec<String>,
    /// Why it does not answer, in its own words.
    pub(super) refusal: Option<String>,
    /// The tools it uses.
    pub(super) calls: Vec<ToolCall>,
    /// How it ended; nothing when it was cut off before it did.
    pub(super) end: Option<End>,
    /// What it took, where the server says so.
    pub(super) usage: Option<Usage>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The model had nothing more to say.
    Finished,
    /// It came to its limit of tokens.
    Length,
    /// A filter stopped it.
    Filtered,
}

/// The use of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToolCall {
    /// The server's id of it; empty where it has none.
    pub(super) id: String,
    /// Which tool.
    pub(super) name: String,
    /// JSON, or what the model takes for it.
    pub(super) arguments: String,
}

/// Why nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has another form.
    Nonsense,
    /// The server says that something went wrong.
    Error(ServerError),
}

/// What a server says of an error: words for programs, never its sentence, which may quote the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ServerError {
    #[serde(default, rename = "type", deserialize_with = "word")]
    pub(super) kind: Option<String>,
    /// A word; a status as text from LiteLLM, a number from others.
    #[serde(default, deserialize_with = "word")]
    pub(super) code: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub(super) param: Option<String>,
}

impl ServerError {
    /// Out of the value of a member `error`, which some servers fill with a sentence alone.
    pub(super) fn of(value: Value) -> Self {
        serde_json::from_value(value).unwrap_or_default()
    }

    /// Out of the body of a reply that is not a 200.
    pub(super) fn of_body(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Value,
        }
        serde_json::from_slice::<Body>(body).map(|body| Self::of(body.error)).unwrap_or_default()
    }

    /// Whether it is about what the customer said, and not about the set-up: Azure's filter of what is asked, LiteLLM's word
    /// for the filters of others, and OpenAI's for what its policy forbids. All three are known from use, not from a
    /// specification.
    pub(super) fn is_refusal(&self) -> bool {
        ["content_filter", "content_policy_violation", "invalid_prompt"].into_iter().any(|word| self.says(word))
    }

    /// Whether one of its words is this one.
    pub(super) fn says(&self, word: &str) -> bool {
        [&self.kind, &self.code].into_iter().flatten().any(|said| said == word)
    }
}

/// A short word out of letters that no sentence is made of; anything else is left out, since it may be logged.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let word = match Value::deserialize(deserializer)? {
        Value::String(word) => word,
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Ok(None),
    };
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    Ok(Some(word).filter(|word| (1..=64).contains(&word.len()) && word.bytes().all(fine)))
}

/// What a token count is written as; nothing when it is no count.
pub(super) fn usage(input: Option<&Value>, output: Option<&Value>) -> Option<Usage> {
    let count = |value: Option<&Value>| value.and_then(Value::as_u64);
    match (count(input), count(output)) {
        (None, None) => None,
        (input, output) => Some(Usage { input_tokens: input.unwrap_or(0), output_tokens: output.unwrap_or(0) }),
    }
}

/// A tool's arguments: JSON in a text, though some servers write the object itself.
pub(super) fn arguments(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    }
}

/// The members of a request in their order, without those that the configuration writes itself, and then those.
pub(super) struct Members<'a> {
    pub(super) ours: Vec<(&'static str, Member<'a>)>,
    pub(super) extra: &'a std::collections::BTreeMap<String, Value>,
}

/// One value in a request.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Member<'a> {
    Text(&'a str),
    Flag(bool),
    Count(u32),
    Number(f64),
    Raw(&'a serde_json::value::RawValue),
    Value(Value),
    Messages(&'a [Message<'a>]),
}

/// Something that was said: the same in both forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Message<'a> {
    pub(super) role: Role,
    pub(super) content: std::borrow::Cow<'a, str>,
}

/// By whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ours = self.ours.iter().filter(|(name, _)| !self.extra.contains_key(*name));
        let ours = ours.map(|(name, value)| (*name, Either::Ours(value)));
        let extra = self.extra.iter().map(|(name, value)| (name.as_str(), Either::Extra(value)));
        serializer.collect_map(ours.chain(extra))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Either<'a> {
    Ours(&'a Member<'a>),
    Extra(&'a Value),
}
