//! `[texts.LANGUAGE]` and `[bots.KEY.texts]`: what the gateway itself says, and in which language.
//!
//! A text of a language is looked for in the bot's own table, then in the file's, then among the built-in ones; then the
//! same with a shorter tag (`de` for `de-at`); and when no table has it, in the bot's default language.

use std::collections::BTreeMap;

use conversation::{Texts, Wording};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::reader::{Reader, Table};

/// What is left out of a table is looked for elsewhere; an empty text says nothing where that is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TextsConfig {
    /// Opens a conversation when no engine is asked; an empty one says nothing. Default "Hello! How can I help you?".
    pub greeting: Option<String>,
    /// Said at the soft deadline of a door that can push, while the answer is awaited. Default: nothing is said.
    pub holding: Option<String>,
    /// Said at the budget's end of a door that cannot push, over the button. Default "I am still working on it. Tap OK to
    /// see the answer.".
    pub still_working: Option<String>,
    /// On the button that fetches a late answer. Default "OK".
    pub poll_label: Option<String>,
    /// Said when the engine failed and `on_failure` is "say". Default "Sorry, that did not work. Please try again.".
    pub fallback: Option<String>,
    /// Said when a human is called and the bot says nothing itself; an empty one says nothing. Default "I am connecting you to a colleague.".
    pub hand_over: Option<String>,
}

/// A whole `[bots.KEY.texts]` table, as the schema shows it.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct TextsTable {
    #[serde(flatten)]
    plain: TextsConfig,
    #[serde(flatten)]
    languages: BTreeMap<String, TextsConfig>,
}

/// The texts by language, as one table of the file has them.
#[derive(Clone, Debug, Default)]
pub(super) struct WrittenTexts {
    /// Those without a language: of a bot's default language.
    pub(super) plain: TextsConfig,
    /// By tag in lower case.
    pub(super) languages: BTreeMap<String, TextsConfig>,
}

/// A text of a table.
type Member = fn(&TextsConfig) -> Option<&String>;

/// The texts that are said when nothing else is written, by name.
const NAMES: [(&str, Member); 6] = [
    ("greeting", |texts| texts.greeting.as_ref()),
    ("holding", |texts| texts.holding.as_ref()),
    ("still_working", |texts| texts.still_working.as_ref()),
    ("poll_label", |texts| texts.poll_label.as_ref()),
    ("fallback", |texts| texts.fallback.as_ref()),
    ("hand_over", |texts| texts.hand_over.as_ref()),
];
/// Those of them without which a customer would be left alone.
const MUST_SPEAK: [&str; 3] = ["still_working", "poll_label", "fallback"];

impl WrittenTexts {
    /// Reads a table whose tables are languages. Only a bot's may have texts beside them.
    pub(super) fn read(reader: &mut Reader<'_>, name: &str, value: Spanned<DeValue<'_>>, is_of_bot: bool) -> Self {
        let Some(mut table) = reader.table(name, value) else { return Self::default() };
        let is_table = |value: &Spanned<DeValue<'_>>| matches!(value.get_ref(), DeValue::Table(_));
        let keys: Vec<String> = table
            .entries_mut()
            .iter()
            .filter(|(_, value)| is_table(value))
            .map(|(key, _)| key.get_ref().to_string())
            .collect();
        let mut languages = BTreeMap::new();
        for key in &keys {
            let at = table.places.of(key);
            if !is_language(key) {
                let what = "a table here is a language, such as `en` or `de-at`";
                reader.problem(at, format!("[{name}.{key}]: {what}"));
                table.take(key);
                continue;
            }
            let texts = table.take(key).and_then(|value| reader.table(key, value));
            if let Some(texts) = texts.and_then(|texts| read_texts(reader, &format!("{name}.{key}"), texts)) {
                languages.insert(key.to_ascii_lowercase(), texts);
            }
        }
        if !is_of_bot && !table.entries_mut().is_empty() {
            reader.problem(table.places.start, format!("[{name}]: texts belong to a language; write [{name}.en]"));
            return Self { languages, ..Self::default() };
        }
        Self { plain: read_texts(reader, name, table).unwrap_or_default(), languages }
    }

    fn of(&self, language: &str, default: &str) -> [Option<&TextsConfig>; 2] {
        let plain = Some(&self.plain).filter(|_| Wording::tags(default).any(|tag| tag == language));
        [self.languages.get(language), plain]
    }
}

fn read_texts(reader: &mut Reader<'_>, name: &str, table: Table<'_>) -> Option<TextsConfig> {
    let places = table.places.clone();
    let texts: TextsConfig = reader.read(table)?;
    for (member, text) in NAMES.iter().filter(|(member, _)| MUST_SPEAK.contains(member)) {
        if text(&texts).is_some_and(|text| text.trim().is_empty()) {
            let what = "cannot be empty; leave it out for the usual words";
            reader.problem(places.of(member), format!("{name}: `{member}` {what}"));
        }
    }
    Some(texts)
}

/// Whether a key can be the tag of a language: two or three letters, and perhaps more behind hyphens.
pub(crate) fn is_language(key: &str) -> bool {
    let mut subtags = key.split('-');
    let primary = subtags.next().unwrap_or_default();
    (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The texts of one bot, out of its own table and the file's.
pub(super) struct TextsOf<'a> {
    pub(super) bot: &'a WrittenTexts,
    pub(super) file: &'a WrittenTexts,
    /// The bot's languages; the first is its default.
    pub(super) languages: &'a [String],
}

impl TextsOf<'_> {
    fn default_language(&self) -> String {
        self.languages.first().map_or_else(|| "en".to_owned(), |language| language.to_ascii_lowercase())
    }

    /// One text as written or built in for a language, or a wider one.
    fn find(&self, language: &str, text: Member) -> Option<String> {
        let default = self.default_language();
        Wording::tags(language).find_map(|tag| {
            let own = self.bot.of(&tag, &default);
            let written = own.into_iter().chain([self.file.languages.get(&tag)]).flatten().find_map(text);
            written.cloned().or_else(|| built_in(&tag).and_then(|texts| text(&texts).cloned()))
        })
    }

    /// The texts of a language, each of the bot's default language, or else English, where it has none.
    fn texts(&self, language: &str) -> Texts {
        let default = self.default_language();
        let find = |text: Member| {
            let found = self.find(language, text).or_else(|| self.find(&default, text));
            found.or_else(|| self.find("en", text)).unwrap_or_default()
        };
        let spoken = |text: Member| Some(find(text)).filter(|text| !text.trim().is_empty());
        Texts {
            greeting: spoken(|texts| texts.greeting.as_ref()),
            holding: spoken(|texts| texts.holding.as_ref()),
            still_working: find(|texts| texts.still_working.as_ref()),
            poll_label: find(|texts| texts.poll_label.as_ref()),
            fallback: find(|texts| texts.fallback.as_ref()),
            hand_over: spoken(|texts| texts.hand_over.as_ref()),
        }
    }

    /// What the gateway says for the bot in every language that has texts, or that the bot has.
    pub(super) fn wording(&self) -> Wording {
        let written = self.bot.languages.keys().chain(self.file.languages.keys());
        let tags = self.languages.iter().chain(written).map(|tag| tag.to_ascii_lowercase());
        let tags = tags.chain(Wording::BUILT_IN.map(str::to_owned));
        let languages = tags.map(|tag| (self.texts(&tag), tag)).map(|(texts, tag)| (tag, texts)).collect();
        Wording { languages, otherwise: self.texts(&self.default_language()) }
    }

    /// The languages of the bot in which texts are missing, with the names of the texts.
    pub(super) fn missing(&self) -> Vec<(&str, Vec<&'static str>)> {
        let default = self.default_language();
        let missing_in = |language: &str| -> Vec<&'static str> {
            // What is said in no language is not missing in one.
            let said = |text: Member| self.find(&default, text).or_else(|| self.find("en", text)).is_some();
            let missing = NAMES.iter().filter(|(_, text)| said(*text) && self.find(language, *text).is_none());
            missing.map(|(name, _)| *name).collect()
        };
        let languages = self.languages.iter().map(|language| (language.as_str(), missing_in(language)));
        languages.filter(|(_, missing)| !missing.is_empty()).collect()
    }
}

/// The built-in texts of a language, as if they were written.
fn built_in(tag: &str) -> Option<TextsConfig> {
    let texts = Texts::built_in(tag)?;
    Some(TextsConfig {
        greeting: texts.greeting,
        holding: texts.holding,
        still_working: Some(texts.still_working),
        poll_label: Some(texts.poll_label),
        fallback: Some(texts.fallback),
        hand_over: texts.hand_over,
    })
}
