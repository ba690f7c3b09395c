//! When a rule matches: by words, by a piece of text, by a regular expression, or by what a tapped choice carries.

use model::Input;
use serde::Deserialize;

use super::config::one_or_many;

/// A rule's condition. It holds when any of what it lists is found. Letters match in either case.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Pattern {
    /// Words, or phrases of words, found as whole words.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) words: Vec<String>,
    /// Texts found anywhere, also inside words.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) contains: Vec<String>,
    /// A regular expression found anywhere. Case is ignored for ASCII letters only.
    pub(super) regex: Option<Regex>,
    /// What a tapped choice carries, as a whole; also when it comes back as typed text, as on channels without buttons.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) payload: Vec<String>,
}

impl Pattern {
    /// Whether the customer's input is meant.
    pub(super) fn matches(&self, input: &Input) -> bool {
        let shown = input.shown();
        let payload = match input {
            Input::Start => return false,
            Input::Text(text) => text.trim(),
            Input::Choice { payload, .. } => payload.trim(),
        };
        let lower = shown.to_lowercase();
        let said = words(&lower);
        self.payload.iter().any(|wanted| wanted.to_lowercase() == payload.to_lowercase())
            || self.words.iter().any(|wanted| contains_phrase(&said, &words(&wanted.to_lowercase())))
            || self.contains.iter().any(|wanted| lower.contains(&wanted.to_lowercase()))
            || self.regex.as_ref().is_some_and(|regex| regex.0.is_match(shown))
    }

    /// What the regular expression finds in what the customer said.
    pub(super) fn found<'a>(&self, input: &'a Input) -> Option<&'a str> {
        self.regex.as_ref()?.find(input.shown())
    }

    /// What keeps this condition from ever making sense.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.words.is_empty() && self.contains.is_empty() && self.payload.is_empty() && self.regex.is_none() {
            return Some("`when` lists nothing; the answer to everything else is `default`");
        }
        if self.words.iter().any(|wanted| words(wanted).is_empty()) {
            return Some("`words` has an entry without a word; use `contains` for signs");
        }
        if self.contains.iter().chain(&self.payload).any(|wanted| wanted.trim().is_empty()) {
            return Some("`contains` or `payload` has a blank entry");
        }
        None
    }
}

/// The words of a text: runs of letters and digits.
fn words(text: &str) -> Vec<&str> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

fn contains_phrase(said: &[&str], phrase: &[&str]) -> bool {
    !phrase.is_empty() && said.windows(phrase.len()).any(|window| window == phrase)
}

/// A regular expression, compiled when the script is loaded. Matching takes time linear in the text.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Regex(regex_lite::Regex);

impl Regex {
    /// What the expression finds: its first group, or the whole match.
    pub(super) fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        let captures = self.0.captures(text)?;
        captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str())
    }
}

impl TryFrom<String> for Regex {
    type Error = regex_lite::Error;

    fn try_from(text: String) -> Result<Self, regex_lite::Error> {
        regex_lite::RegexBuilder::new(&text).case_insensitive(true).build().map(Self)
    }
}
