//! How a scripted dialogue is written: a TOML file, read here and checked in [`super::check`].

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::pattern::{Pattern, Regex};
use super::show::{Show, one_or_several};
use super::template::Template;

/// A whole script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dialogue {
    /// Said at the first turn. When a rule knows the customer's first words, its answer follows what the opening says and
    /// shows; the opening's choices and `goto` count only when none does. Default: nothing.
    #[serde(default)]
    pub(super) opening: Option<Action>,
    /// Takes the place of the opening when the conversation comes back from a human. Default: the opening.
    #[serde(default)]
    pub(super) returned: Option<Action>,
    /// The answer when nothing matches.
    pub(super) default: Action,
    /// Rules that hold everywhere, tried in order after those of the node.
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    /// Places in the dialogue, reached by `goto`.
    #[serde(default)]
    pub(super) nodes: BTreeMap<String, Node>,
}

/// When the customer says this, do that.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) when: Pattern,
    pub(super) then: Action,
}

/// A place in the dialogue. The conversation stays there until something goes elsewhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    /// Done on entering. Default: nothing.
    #[serde(default)]
    pub(super) enter: Option<Action>,
    /// Asked on entering; the customer's next words are the answer.
    #[serde(default)]
    pub(super) ask: Option<Ask>,
    /// Tried in order before everything else.
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    /// The answer when nothing matches here or everywhere. Default: the script's.
    #[serde(default)]
    pub(super) default: Option<Action>,
}

/// A value to ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// Where the value goes.
    pub(super) slot: String,
    /// The question.
    pub(super) prompt: Template,
    /// Quick replies under it. Default: none.
    #[serde(default)]
    pub(super) options: Vec<Offer>,
    /// What a valid answer contains. The slot gets the first group, or the whole match. Default: anything.
    #[serde(default)]
    pub(super) regex: Option<Regex>,
    /// Said when the answer is not valid. Default: the prompt again.
    #[serde(default)]
    pub(super) retry: Option<Template>,
    /// How many invalid answers are too many. Default 3.
    #[serde(default = "three")]
    pub(super) tries: u32,
    /// Where to go with a valid answer.
    pub(super) then: String,
    /// Where to go after too many invalid ones. Default: the question is asked for ever.
    #[serde(default)]
    pub(super) otherwise: Option<String>,
}

const fn three() -> u32 {
    3
}

/// What the bot does, in the order of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Action {
    /// Fails instead of everything below. Default: not.
    pub(super) fail: Option<Fail>,
    /// At how many attempts of a turn it fails before it succeeds. Default: at all.
    pub(super) fail_times: Option<u32>,
    /// How long the answer takes. Delays on the way through several nodes add up. Default 0.
    pub(super) delay_ms: u64,
    /// Values for slots. Default: none.
    pub(super) set: BTreeMap<String, Template>,
    /// Attributes for the flow and for agents. Default: none.
    pub(super) attributes: BTreeMap<String, Template>,
    /// One text or several. Default: none.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) say: Vec<Template>,
    /// Markdown, cards, carousels and files, one or several, after the texts. Default: none.
    #[serde(deserialize_with = "one_or_several")]
    pub(super) show: Vec<Show>,
    /// A question with quick replies, after everything shown. Default: none.
    pub(super) choices: Option<Choices>,
    /// The intent to report, with the slots. Default: none.
    pub(super) intent: Option<String>,
    /// How sure the bot says it is of the intent, in percent. Default: it does not say.
    pub(super) confidence_percent: Option<u16>,
    /// Which slots go with the intent. Default: all that have a value.
    pub(super) slots: Option<Vec<String>>,
    /// A human shall take over.
    pub(super) hand_over: Option<HandOver>,
    /// The bot is done, and forgets the slots. Default: not.
    pub(super) end: bool,
    /// Goes to a node, and does what that node does on entering.
    pub(super) goto: Option<String>,
}

/// How a script fails, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fail {
    /// Not now; worth another try.
    Unavailable,
    /// It answers nonsense.
    Nonsense,
    /// It refuses the turn.
    Refused,
    /// It never answers.
    Hang,
}

/// A prompt with quick replies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choices {
    pub(super) prompt: Template,
    pub(super) options: Vec<Offer>,
}

/// One quick reply: its label, or a table with the label and what it carries.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) label: Template,
    /// The label, when absent.
    pub(super) value: Option<Template>,
    /// The address of a picture beside the label.
    pub(super) image: Option<Template>,
}

/// Why and how a human shall take over.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandOver {
    /// A short machine-readable word.
    pub(super) reason: String,
    /// What the agent should know. Default: nothing.
    #[serde(default)]
    pub(super) note: Option<Template>,
}

impl<'de> Deserialize<'de> for Offer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            label: Template,
            value: Template,
            image: Option<Template>,
        }
        struct OfferVisitor;
        impl<'de> Visitor<'de> for OfferVisitor {
            type Value = Offer;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a label, or { label = \"…\", value = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Offer, E> {
                Ok(Offer { label: Template::parse(text).map_err(E::custom)?, value: None, image: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Offer, A::Error> {
                let Table { label, value, image } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Offer { label, value: Some(value), image })
            }
        }
        deserializer.deserialize_any(OfferVisitor)
    }
}

/// A text, or a list of texts.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error: fmt::Display>,
{
    struct OneOrMany<T>(PhantomData<T>);
    impl<'de, T: TryFrom<String, Error: fmt::Display>> Visitor<'de> for OneOrMany<T> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a text, or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
            Ok(vec![T::try_from(text.to_owned()).map_err(E::custom)?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = sequence.next_element::<String>()? {
                all.push(T::try_from(text).map_err(A::Error::custom)?);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMany(PhantomData))
}
