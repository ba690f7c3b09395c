//! Where a reply departs from the contract, by the path to it: what makes it unreadable, and what is passed over in
//! silence because a later contract may know it, though it is more likely misspelt.
//!
//! Pure. Whoever looks at a reply before a bot sends it is told all of it; an operator only what made one unreadable, whose
//! paths are made of the contract's words and of numbers, never of what the reply holds.

use serde_json::{Map, Value};

use crate::config::unknown;

/// Something that is not as the contract says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, and what is wrong with it.
    pub text: String,
    /// Whether the whole reply counts as nonsense for it.
    pub fatal: bool,
}

/// What may stand in a place.
enum Shape {
    /// What is not read, or is checked elsewhere.
    Anything,
    Text,
    Number,
    /// A number of bytes.
    Whole,
    Object(&'static [Member]),
    /// An object whose `kind` tells its other members; those of `other` kinds are not looked at. A reply is read in spite
    /// of a kind that is not known, unless `strict`.
    Kinds {
        known: &'static [(&'static str, &'static [Member])],
        other: &'static [&'static str],
        strict: bool,
    },
    List(&'static Self),
    /// An address, bare or as `url`.
    Picture,
    /// Names of the bot's own.
    Named,
}

/// A member of an object.
struct Member {
    name: &'static str,
    shape: Shape,
    needed: bool,
}

const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, needed: false }
}

const fn must(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, needed: true }
}

const REPLY: Shape = Shape::Object(&[
    may("in_reply_to", Shape::Text),
    may("items", Shape::List(&ITEM)),
    may("text", Shape::Text),
    may("next", NEXT),
    may("nlu", Shape::Object(NLU)),
    may("set_attributes", Shape::Named),
    may("engine_state", Shape::Anything),
    may("usage", Shape::Anything),
    may("trace", Shape::Anything),
]);

/// The other short form.
const BARE_TEXTS: Shape = Shape::List(&Shape::Object(&[must("text", Shape::Text)]));

const ITEM: Shape = Shape::Kinds {
    strict: false,
    other: &["date_picker", "form", "location", "typing", "pause", "custom"],
    known: &[
        ("text", &[ID, FALLBACK, must("text", Shape::Text), may("format", Shape::Text)]),
        (
            "choices",
            &[
                ID,
                FALLBACK,
                may("prompt", Shape::Text),
                may("style", Shape::Anything),
                may("free_text_ok", Shape::Anything),
                must("options", Shape::List(&Shape::Object(OPTION))),
            ],
        ),
        ("card", CARD),
        (
            "carousel",
            &[
                ID,
                FALLBACK,
                may("prompt", Shape::Text),
                may("layout", Shape::Anything),
                must("cards", Shape::List(&Shape::Object(CARD))),
            ],
        ),
        (
            "list",
            &[
                ID,
                FALLBACK,
                may("title", Shape::Text),
                may("subtitle", Shape::Text),
                may("button", Shape::Anything),
                must("items", Shape::List(&Shape::Object(CARD))),
            ],
        ),
        (
            "media",
            &[
                ID,
                FALLBACK,
                may("media", Shape::Text),
                may("url", Shape::Text),
                may("inline", Shape::Anything),
                may("name", Shape::Text),
                may("mime", Shape::Text),
                may("bytes", Shape::Whole),
                may("alt", Shape::Text),
                may("caption", Shape::Text),
            ],
        ),
    ],
};

const ID: Member = may("id", Shape::Anything);
const FALLBACK: Member = may("fallback_text", Shape::Text);

const CARD: &[Member] = &[
    ID,
    FALLBACK,
    may("title", Shape::Text),
    may("subtitle", Shape::Text),
    may("body", Shape::Text),
    may("image", Shape::Picture),
    may("video", Shape::Picture),
    may("actions", Shape::List(&Shape::Kinds { known: BUTTONS, other: &[], strict: false })),
    may("default_action", Shape::Kinds { known: ACTIONS, other: &[], strict: false }),
];

const OPTION: &[Member] = &[
    must("label", Shape::Text),
    may("description", Shape::Anything),
    may("image", Shape::Picture),
    may("action", Shape::Kinds { known: ACTIONS, other: &[], strict: false }),
];

/// What a tap can do; an action and a button differ in what stands beside it.
const fn taps(members: &'static [Member]) -> [(&'static str, &'static [Member]); 9] {
    [
        ("say", members),
        ("postback", members),
        ("open_url", members),
        ("call", members),
        ("intent", members),
        ("download", members),
        ("sign_in", members),
        ("share_location", members),
        ("other", members),
    ]
}

const ACTIONS: &[(&str, &[Member])] = &taps(&[may("value", Shape::Text)]);
const BUTTONS: &[(&str, &[Member])] = &taps(&[must("label", Shape::Text), may("value", Shape::Text)]);

const NEXT: Shape = Shape::Kinds {
    strict: true,
    other: &[],
    known: &[
        ("await_input", &[]),
        ("more", &[]),
        (
            "handoff",
            &[
                may("reason", Shape::Text),
                may("note_to_agent", Shape::Text),
                may("summary", Shape::Text),
                may("attributes", Shape::Named),
            ],
        ),
        ("end", &[]),
    ],
};

const NLU: &[Member] = &[
    may("intent", Shape::Object(&[must("name", Shape::Text), may("confidence", Shape::Number)])),
    may("slots", Shape::Named),
    may("match_kind", Shape::Anything),
];

/// What is wrong with a reply that is JSON, in the order of its members; nothing when it is not.
#[must_use]
pub fn mistakes(reply: &[u8]) -> Vec<Mistake> {
    let Ok(reply) = serde_json::from_slice::<Value>(reply) else { return Vec::new() };
    let mut found = Found(Vec::new());
    match &reply {
        Value::Array(_) => found.look(&BARE_TEXTS, &reply, ""),
        _ => found.look(&REPLY, &reply, ""),
    }
    found.0
}

struct Found(Vec<Mistake>);

impl Found {
    fn tell(&mut self, fatal: bool, text: String) {
        self.0.push(Mistake { text, fatal });
    }

    fn look(&mut self, shape: &Shape, value: &Value, at: &str) {
        let wanted = match (shape, value) {
            (Shape::Anything, _)
            | (Shape::Text, Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Picture, Value::String(_))
            | (Shape::Named, Value::Object(_)) => return,
            (Shape::Whole, Value::Number(number)) if number.is_u64() => return,
            (Shape::Object(members), Value::Object(object)) => return self.members(members, object, at, false),
            (Shape::Kinds { known, other, strict }, Value::Object(object)) => {
                return self.kinds(known, other, *strict, object, at);
            }
            (Shape::List(of), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    self.look(of, value, &format!("{at}[{index}]"));
                }
                return;
            }
            (Shape::Picture, Value::Object(object)) => {
                let members = [must("url", Shape::Text), may("alt", Shape::Anything)];
                return self.members(&members, object, at, false);
            }
            (Shape::Text, _) => "a text",
            (Shape::Number, _) => "a number",
            (Shape::Whole, _) => "a whole number",
            (Shape::Object(_) | Shape::Kinds { .. } | Shape::Named, _) => "an object",
            (Shape::List(_), _) => "a list",
            (Shape::Picture, _) => "an address, or an object with a `url`",
        };
        let at = if at.is_empty() { "the reply" } else { at };
        self.tell(true, format!("{at} is not {wanted}"));
    }

    fn kinds(
        &mut self,
        known: &[(&str, &[Member])],
        other: &[&str],
        strict: bool,
        object: &Map<String, Value>,
        at: &str,
    ) {
        let words: Vec<&str> = known.iter().map(|(kind, _)| *kind).chain(other.iter().copied()).collect();
        match object.get("kind") {
            None => self.tell(true, format!("{at} has no `kind`, such as \"{}\"", words.first().unwrap_or(&""))),
            Some(Value::String(kind)) => match known.iter().find(|(known, _)| known == kind) {
                Some((_, members)) => self.members(members, object, at, true),
                // An operator is not told what stands there: it is the reply's own word.
                None if other.contains(&kind.as_str()) => {}
                None if strict => self.tell(true, format!("{at}.kind is none of {}", words.join(", "))),
                None => self.tell(false, format!("{at}: {}", unknown("kind", kind, &words))),
            },
            Some(_) => self.tell(true, format!("{at}.kind is not a text")),
        }
    }

    fn members(&mut self, members: &[Member], object: &Map<String, Value>, at: &str, has_kind: bool) {
        let dot = if at.is_empty() { "" } else { "." };
        for Member { name, shape, needed } in members {
            match object.get(*name) {
                None | Some(Value::Null) if *needed => self.tell(true, format!("{at}{dot}{name} is missing")),
                None | Some(Value::Null) => {}
                Some(value) => self.look(shape, value, &format!("{at}{dot}{name}")),
            }
        }
        let known: Vec<&str> = members.iter().map(|member| member.name).chain(has_kind.then_some("kind")).collect();
        let place = if at.is_empty() { "the reply" } else { at };
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let word =
                if known.is_empty() { format!("unknown member `{name}`") } else { unknown("member", name, &known) };
            self.tell(false, format!("{place}: {word}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::limits::Limits;
    use crate::engine::webhook::read_reply;

    #[test]
    fn what_departs_from_the_contract_is_said_with_its_place() {
        let table = [
            json!({"items": [{"kind": "txt", "text": "Hello"}]}),
            json!({"items": [{"kind": "hologram"}]}),
            json!({"items": [{"kind": "date_picker", "from": "today", "fallback_text": "When?"}]}),
            json!({"items": [{"type": "text"}, {"kind": 1}]}),
            json!({"items": [{"kind": "text", "txet": "Hello"}]}),
            json!({"items": [{"kind": "card", "titel": "Boots", "buttons": []}]}),
            json!({"items": [{"kind": "carousel", "cards": [{"title": "Boots", "actions": [
                {"kind": "postbak", "label": "Buy"}, {"kind": "postback", "value": "b"}]}]}]}),
            json!({"items": [{"kind": "media", "url": "https://a.example", "bytes": "12", "image": 1}]}),
            json!({"items": [{"kind": "choices", "options": [{"label": "A", "payload": "a"}], "image": {"uri": 1}}]}),
            json!({"item": [], "text": "Hello"}),
            json!({"next": {"kind": "handover"}}),
            json!({"nlu": {"intent": "track", "slots": {"my own": 1}}, "set_attributes": {"my own": 1}}),
            json!([{"text": "a"}, {"txt": "b"}]),
            json!(7),
        ];
        let mut said = String::new();
        for reply in table {
            let found = mistakes(reply.to_string().as_bytes());
            for Mistake { text, fatal } in &found {
                said += &format!("{}{text}\n", if *fatal { "! " } else { "  " });
            }
            // What an operator is told is what the gateway stumbled over.
            let read = read_reply(reply.to_string().as_bytes(), &Limits::default());
            assert_eq!(read.is_err(), found.iter().any(|mistake| mistake.fatal), "{reply}: {read:?}");
        }
        insta::assert_snapshot!(said);
    }

    /// The names of a part of the schema, wherever they stand in it.
    fn names(schema: &Value, into: &mut Vec<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    into.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| names(value, into));
            }
            Value::Array(list) => list.iter().for_each(|value| names(value, into)),
            _ => {}
        }
    }

    #[test]
    fn whatever_the_schema_names_is_known() {
        let schema = include_str!("../../../../../docs/reference/webhook.schema.json");
        let schema: Value = serde_json::from_str(schema).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        let of_a_reply = definitions.iter().filter(|(name, _)| {
            let asked = ["question", "notice", "conversation_id", "slot_value", "money", "scalar", "nlu", "picture"];
            !asked.contains(&name.as_str())
        });
        let mut wanted = Vec::new();
        of_a_reply.for_each(|(_, schema)| names(schema, &mut wanted));
        let item = |kind: &str| json!({"kind": kind, "items": [], "cards": [], "options": [], "text": ""});
        for name in wanted {
            let anywhere = ["text", "choices", "card", "carousel", "list", "media"].map(|kind| {
                let mut item = item(kind);
                item[&name] = Value::Null;
                json!({"items": [item]})
            });
            let deeper = |mut what: Value| {
                what[&name] = Value::Null;
                what
            };
            let deeper = [
                deeper(json!({"text": ""})),
                json!({"next": deeper(json!({"kind": "handoff"}))}),
                json!({"items": [{"kind": "choices", "options": [deeper(json!({"label": ""}))]}]}),
                json!({"items": [{"kind": "card", "actions": [deeper(json!({"label": "", "kind": "say"}))]}]}),
            ];
            let misses = format!("`{name}`");
            let is_known = |reply: &Value| {
                let found = mistakes(reply.to_string().as_bytes());
                !found.iter().any(|mistake| mistake.text.contains(&format!("unknown member {misses}")))
            };
            assert!(anywhere.iter().chain(&deeper).any(is_known), "{name} is of the contract, and unknown here");
        }
    }
}
