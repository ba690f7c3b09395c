//! Prompts: Markdown files with a few places for what is known in a turn. What is put there is data: capped, on one line,
//! and never read for places again.

use std::path::Path;

use model::{Ask, Channel};

/// A prompt goes out with every question.
const PROMPT_MAX_BYTES: usize = 64 * 1024;
/// What a flow says of a customer is a word or a line.
const VALUE_MAX_CHARS: usize = 500;
const UNKNOWN: &str = "unknown";
const PLACES: &str = "{{language}}, {{channel}}, {{bot}} and {{attributes.NAME}}";

/// A prompt, read and understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Language,
    Channel,
    Bot,
    Attribute(String),
}

/// Why a prompt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("it cannot be read ({0}); write the prompt there, or name another file")]
    File(#[from] std::io::Error),
    /// It is in another encoding.
    #[error("it is no UTF-8 text; save it as UTF-8")]
    Encoding,
    /// It says nothing.
    #[error("it is empty; say what the bot is and what it does")]
    Empty,
    /// It is too long.
    #[error(
        "it has {bytes} bytes, and a prompt has at most {PROMPT_MAX_BYTES}; shorten it, it goes out with every question"
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It has a place that nothing can fill.
    #[error("line {line}: {{{{{name}}}}} is not known; there are {PLACES}")]
    UnknownPlace {
        /// What stands between the braces.
        name: String,
        /// Where.
        line: usize,
    },
    /// A place has no end.
    #[error("line {line}: {{{{ without }}}} on the same line")]
    Open {
        /// Where.
        line: usize,
    },
}

impl Prompt {
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path)?;
        Self::parse(std::str::from_utf8(&bytes).map_err(|_| Error::Encoding)?)
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > PROMPT_MAX_BYTES {
            return Err(Error::TooLong { bytes: text.len() });
        }
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((words, behind)) = rest.split_once("{{") {
            let line = 1 + text[..text.len() - behind.len()].matches('\n').count();
            let end = behind.find("}}").filter(|end| !behind[..*end].contains('\n')).ok_or(Error::Open { line })?;
            pieces.push(Piece::Words(words.to_owned()));
            pieces.push(Piece::of(behind[..end].trim(), line)?);
            rest = &behind[end + 2..];
        }
        pieces.push(Piece::Words(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Words(String::new()));
        Ok(Self { pieces })
    }

    /// The prompt for one turn.
    pub(super) fn filled(&self, ask: &Ask) -> String {
        let mut filled = String::with_capacity(4096);
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => filled.push_str(words),
                Piece::Language if ask.language.is_empty() => filled.push_str(UNKNOWN),
                Piece::Language => put(&mut filled, &ask.language),
                Piece::Channel => filled.push_str(ask.channel.map_or(UNKNOWN, Channel::word)),
                Piece::Bot => put(&mut filled, ask.bot.as_str()),
                Piece::Attribute(name) => put(&mut filled, ask.context.get(name).map_or("", String::as_str)),
            }
        }
        filled
    }
}

impl Piece {
    fn of(name: &str, line: usize) -> Result<Self, Error> {
        match name {
            "language" => Ok(Self::Language),
            "channel" => Ok(Self::Channel),
            "bot" => Ok(Self::Bot),
            _ => match name.strip_prefix("attributes.") {
                Some(attribute) if !attribute.is_empty() => Ok(Self::Attribute(attribute.to_owned())),
                _ => Err(Error::UnknownPlace { name: name.chars().take(60).collect(), line }),
            },
        }
    }
}

/// Puts a value in: on one line, since a line of its own could look like one of the prompt's.
fn put(filled: &mut String, value: &str) {
    if value.trim().is_empty() {
        filled.push_str(UNKNOWN);
        return;
    }
    let shown = value.chars().take(VALUE_MAX_CHARS);
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    filled.extend(shown.map(|character| if breaks(character) { ' ' } else { character }));
}
