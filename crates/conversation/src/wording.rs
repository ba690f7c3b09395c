//! What the gateway itself says, and in which language.

use std::collections::BTreeMap;

/// What the gateway itself says, by language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The texts of each language, by its tag in lower case (`de`, `de-at`).
    pub languages: BTreeMap<String, Texts>,
    /// For every other language: those of the bot's default language.
    pub otherwise: Texts,
}

impl Wording {
    /// The languages that need no configuration.
    pub const BUILT_IN: [&str; 2] = ["de", "en"];

    /// A language's tag, in lower case, and what is left of it without its last subtag, and so on.
    pub fn tags(language: &str) -> impl Iterator<Item = String> {
        let tag = language.trim().to_ascii_lowercase().replace('_', "-");
        std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(shorter, _)| shorter.to_owned()))
    }

    /// The texts of a language: those of the exact tag, else of a shorter one (`de` for `de-at`), else of the default
    /// language.
    #[must_use]
    pub fn of(&self, language: &str) -> &Texts {
        Self::tags(language).find_map(|tag| self.languages.get(&tag)).unwrap_or(&self.otherwise)
    }

    /// The texts of every language.
    pub fn all(&self) -> impl Iterator<Item = &Texts> {
        self.languages.values().chain([&self.otherwise])
    }
}

impl Default for Wording {
    fn default() -> Self {
        let languages =
            Self::BUILT_IN.iter().filter_map(|tag| Some(((*tag).to_owned(), Texts::built_in(tag)?))).collect();
        Self { languages, otherwise: Texts::default() }
    }
}

impl From<Texts> for Wording {
    /// The same in every language.
    fn from(texts: Texts) -> Self {
        Self { languages: BTreeMap::new(), otherwise: texts }
    }
}

/// What the gateway itself says in one language. An absent text says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// When a conversation is opened and no engine is asked.
    pub greeting: Option<String>,
    /// At the soft deadline of a door that can push.
    pub holding: Option<String>,
    /// At the budget's end of a door that cannot push.
    pub still_working: String,
    /// On the button under it.
    pub poll_label: String,
    /// When the engine failed and the bot keeps the floor.
    pub fallback: String,
    /// When the policy calls a human, or the engine does so without a word.
    pub hand_over: Option<String>,
}

impl Texts {
    /// The texts of a language that needs no configuration, by its exact tag.
    #[must_use]
    pub fn built_in(language: &str) -> Option<Self> {
        match language {
            "en" => Some(Self::default()),
            "de" => Some(Self::german()),
            _ => None,
        }
    }

    fn german() -> Self {
        Self {
            greeting: Some("Guten Tag! Wie kann ich Ihnen helfen?".into()),
            holding: None,
            still_working: "Einen Moment noch, ich arbeite daran. Tippen Sie auf OK, um die Antwort zu sehen.".into(),
            poll_label: "OK".into(),
            fallback: "Das hat leider nicht geklappt. Bitte versuchen Sie es noch einmal.".into(),
            hand_over: Some("Ich verbinde Sie mit einer Kollegin oder einem Kollegen.".into()),
        }
    }
}

impl Default for Texts {
    /// In English.
    fn default() -> Self {
        Self {
            greeting: Some("Hello! How can I help you?".into()),
            holding: None,
            still_working: "I am still working on it. Tap OK to see the answer.".into(),
            poll_label: "OK".into(),
            fallback: "Sorry, that did not work. Please try again.".into(),
            hand_over: Some("I am connecting you to a colleague.".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_finds_its_texts_or_those_of_a_wider_one_or_the_default() {
        let texts = |word: &str| Texts { fallback: word.into(), ..Texts::default() };
        let languages = ["de", "de-at", "zh-hant"].map(|tag| (tag.to_owned(), texts(tag))).into();
        let wording = Wording { languages, otherwise: texts("otherwise") };
        for (language, expected) in [
            ("de", "de"),
            ("de-at", "de-at"),
            ("DE_AT", "de-at"),
            ("de-ch", "de"),
            ("zh-hant-tw", "zh-hant"),
            ("zh", "otherwise"),
            ("d", "otherwise"),
            ("", "otherwise"),
        ] {
            assert_eq!(wording.of(language).fallback, expected, "{language}");
        }
        assert_eq!(wording.all().count(), 4);
    }

    #[test]
    fn every_built_in_language_is_complete() {
        for tag in Wording::BUILT_IN {
            let texts = Texts::built_in(tag).unwrap();
            assert!(texts.greeting.is_some() && texts.hand_over.is_some(), "{tag}");
            assert!(texts.still_working.contains(&texts.poll_label), "{tag}: the line names the button under it");
        }
        assert_eq!(Texts::built_in("fr"), None);
        assert_eq!(Wording::default().of("de-at"), &Texts::german());
    }
}
