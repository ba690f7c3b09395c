//! Texts with places to fill: `{slot}`, `{input}` (the customer's words), `{match}` (what the rule's `regex` found in them),
//! `{context.NAME}`. `{{` and `}}` are braces.

use model::Attributes;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A text with places to fill.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Slot(String),
    Input,
    Match,
    Context(String),
}

/// What the places are filled with. A value that is not there is an empty text.
pub(super) struct Values<'a> {
    pub(super) input: &'a str,
    pub(super) matched: &'a str,
    pub(super) context: &'a Attributes,
    pub(super) slots: &'a BTreeMap<String, String>,
}

impl Template {
    /// Reads the written form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if brace.starts_with("{{") || brace.starts_with("}}") {
                literal.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let (name, after) = brace
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
                .ok_or_else(|| format!("a single brace in {text:?}; write {{{{ or }}}} for a brace"))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::parse(name).ok_or_else(|| format!("{{{name}}} in {text:?} is not a name"))?);
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The text with its places filled. What is filled in is not looked at again.
    pub(super) fn fill(&self, values: &Values<'_>) -> String {
        self.0.iter().map(|piece| piece.filled(values)).collect()
    }

    /// As an address. What is filled in behind its beginning is a part of it and no more: signs with a meaning there are
    /// written as their codes. An address may be filled in as a whole.
    pub(super) fn fill_address(&self, values: &Values<'_>) -> String {
        let mut address = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            let filled = piece.filled(values);
            match piece {
                Piece::Slot(_) | Piece::Input | Piece::Match | Piece::Context(_) if index > 0 => {
                    encode(filled, &mut address);
                }
                _ => address.push_str(filled),
            }
        }
        address
    }

    /// The slots it names.
    pub(super) fn slots(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(name) => Some(name.as_str()),
            Piece::Literal(_) | Piece::Input | Piece::Match | Piece::Context(_) => None,
        })
    }

    /// Whether it names what the rule's `regex` found.
    pub(super) fn names_match(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Match))
    }

    /// The text, when there is nothing to fill in.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// Writes a value into an address, with everything but letters, digits and `-_.~` as percent codes.
fn encode(value: &str, address: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push('%');
            address.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
        }
    }
}

impl Piece {
    fn filled<'a>(&'a self, values: &Values<'a>) -> &'a str {
        match self {
            Self::Literal(literal) => literal,
            Self::Slot(name) => values.slots.get(name).map_or("", String::as_str),
            Self::Input => values.input,
            Self::Match => values.matched,
            Self::Context(name) => values.context.get(name).map_or("", String::as_str),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name {
            "input" => return Some(Self::Input),
            "match" => return Some(Self::Match),
            _ => {}
        }
        if let Some(attribute) = name.strip_prefix("context.") {
            // Attributes come from elsewhere and may be called anything.
            return (!attribute.is_empty()).then(|| Self::Context(attribute.to_owned()));
        }
        is_name(name).then(|| Self::Slot(name.to_owned()))
    }
}

/// Whether a text can name a slot or a node.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-'))
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}
