//! A conversation that was had, as a conversation file: what was said becomes steps, what was seen becomes expectations.
//!
//! Pure, but for a look whether there is a place for it. The form is that of `docs/guides/conversation-files.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path as FilePath;

use serde_json::{Value, json};
use simulator::{Channel, Choice, Door, Message, Path};

use super::super::rehearsal::word;
use crate::connector::NOTE_PARAMETER;

/// The player's own patience.
const PATIENCE_MS: u64 = 10_000;
const TITLE_MAX_CHARS: usize = 60;

/// Why a file cannot be written where it is wanted, as far as that can be known before.
pub(super) fn writable(file: &FilePath) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("there is no folder {}", folder.display())),
        None if file.is_dir() => Err(format!("{} is a folder", file.display())),
        None => Ok(()),
    }
}

/// One thing that happened, as far as a file can repeat it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Happened {
    Said {
        text: String,
        /// Said while the bot worked.
        hasty: bool,
    },
    /// The flow let the bot speak first.
    Opened {
        text: String,
    },
    Tapped {
        choice: Choice,
        /// Whether something else had the same label.
        ambiguous: bool,
    },
    Set {
        name: String,
        value: String,
    },
    /// Without this pause the repetition would ask too early.
    Waited {
        ms: u64,
    },
    /// A person waited so long on purpose, and nothing came.
    Nothing {
        ms: u64,
    },
    Left,
    Returned,
    Saw {
        message: Message,
        /// Whether the words are the same each time.
        fixed: bool,
    },
    Path {
        path: Path,
        parameters: BTreeMap<String, String>,
        slots: BTreeMap<String, Value>,
    },
}

/// A conversation since its beginning.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) door: Door,
    pub(super) bot: String,
    pub(super) language: String,
    pub(super) channel: Option<Channel>,
    /// Session variables from the beginning on, beside the channel.
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) happened: Vec<Happened>,
    /// The longest time between two things that happened.
    pub(super) longest_ms: u64,
}

impl Conversation {
    pub(super) fn is_empty(&self) -> bool {
        self.happened.iter().all(|happened| matches!(happened, Happened::Set { .. }))
    }

    /// The flow left the bot. Session variables that come back unchanged are nothing to expect, nor is a note in words
    /// that vary.
    pub(super) fn left(
        &mut self,
        path: Path,
        mut parameters: BTreeMap<String, String>,
        slots: BTreeMap<String, Value>,
        fixed: bool,
    ) {
        let set = self.happened.iter().filter_map(|happened| match happened {
            Happened::Set { name, value } => Some((name, value)),
            _ => None,
        });
        let given: BTreeMap<&String, &String> = self.parameters.iter().chain(set).collect();
        let channel = self.channel.map(Channel::word);
        parameters.retain(|name, _| fixed || name != NOTE_PARAMETER);
        parameters.retain(|name, value| given.get(name) != Some(&&*value));
        parameters.retain(|name, value| name != "channel" || Some(value.as_str()) != channel);
        self.happened.push(Happened::Path { path, parameters, slots });
    }

    /// The conversation file.
    pub(super) fn to_file(&self) -> String {
        let mut file =
            String::from("# Saved from `cordboard chat`. Play it: cordboard test FILE --config cordboard.toml\n");
        put(&mut file, "title", &self.title().into());
        put(&mut file, "door", &word(self.door).into());
        put(&mut file, "bot", &self.bot.as_str().into());
        if let Some(channel) = self.channel {
            put(&mut file, "channel", &channel.word().into());
        }
        if self.happened.iter().any(|happened| matches!(happened, Happened::Said { hasty: true, .. })) {
            put(&mut file, "customer", &"hasty".into());
        }
        let patience_ms = self.longest_ms.saturating_mul(2).div_ceil(1_000) * 1_000;
        if patience_ms > PATIENCE_MS {
            put(&mut file, "expect_timeout_ms", &patience_ms.into());
        }
        file.push_str("\n[flow]\n");
        put(&mut file, "language", &self.language.as_str().into());
        if !self.parameters.is_empty() {
            put(&mut file, "parameters", &table(&self.parameters));
        }
        for happened in &self.happened {
            step(&mut file, happened);
        }
        file
    }

    fn title(&self) -> String {
        let words = self.happened.iter().find_map(|happened| match happened {
            Happened::Said { text, .. } | Happened::Tapped { choice: Choice { label: text, .. }, .. } => {
                Some(text.as_str())
            }
            _ => None,
        });
        let words = words.and_then(|words| words.lines().next()).unwrap_or("A conversation");
        words.chars().filter(|character| !character.is_control()).take(TITLE_MAX_CHARS).collect()
    }
}

fn step(file: &mut String, happened: &Happened) {
    if let Happened::Saw { fixed: false, .. } = happened {
        file.push_str("\n# The bot's words vary: keep what must be in them.");
    }
    file.push_str("\n[[step]]\n");
    match happened {
        Happened::Said { text, .. } => put(file, "say", &text.as_str().into()),
        Happened::Opened { text } => put(file, "say", &text.as_str().into()),
        Happened::Tapped { choice, ambiguous } => {
            put(file, "tap", &choice.label.as_str().into());
            if *ambiguous {
                put(file, "payload", &choice.payload.as_str().into());
            }
        }
        Happened::Set { name, value } => put(file, "set", &table(&BTreeMap::from([(name.clone(), value.clone())]))),
        Happened::Waited { ms } => put(file, "wait_ms", &(*ms).into()),
        Happened::Nothing { ms } => put(file, "expect_nothing_ms", &(*ms).into()),
        Happened::Left => put(file, "leave", &true.into()),
        Happened::Returned => put(file, "do", &"return_to_bot".into()),
        Happened::Saw { message, fixed } => {
            let title = message.cards.first().map(|card| card.title.as_str());
            match (message.text.as_str(), title) {
                ("", title) => put(file, "expect", &title.unwrap_or_default().into()),
                (text, _) => put(file, if *fixed { "expect_exactly" } else { "expect" }, &text.into()),
            }
            if !message.choices.is_empty() {
                let labels: Vec<&str> = message.choices.iter().map(|choice| choice.label.as_str()).collect();
                put(file, "expect_choices", &labels.into());
            }
        }
        Happened::Path { path, parameters, slots } => {
            let path = match path {
                Path::Intent { intent } => intent.clone(),
                Path::Failure { error_type, .. } => format!("failure:{error_type}"),
                Path::CustomerLeft => "left".to_owned(),
            };
            put(file, "expect_path", &path.into());
            if !parameters.is_empty() {
                put(file, "expect_parameters", &table(parameters));
            }
            if !slots.is_empty() {
                put(file, "expect_slots", &json!(slots));
            }
        }
    }
}

fn table(values: &BTreeMap<String, String>) -> Value {
    json!(values)
}

/// One `key = value`. JSON's values are TOML's, less the nulls, which a platform never shows.
fn put(file: &mut String, key: &str, value: &Value) {
    // Writing into a String cannot fail.
    let written = writeln!(file, "{key} = {}", inline(value));
    debug_assert!(written.is_ok());
}

fn inline(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(values) => {
            let pairs = values.iter().map(|(key, value)| format!("{} = {}", quoted_key(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted_key(key: &str) -> String {
    let bare = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

/// A basic string of TOML, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_control() => quoted += &format!("\\u{:04X}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use simulator::file::{Action, ConversationFile};

    use super::*;

    #[test]
    fn whatever_was_said_comes_back_out_of_the_file() {
        let hostile = "a \"quoted\" \\ line\nand\ttwo, \u{1}\u{7f} and 漢字\r";
        let choice = |payload: &str| Choice {
            label: "Take it".to_owned(),
            payload: payload.to_owned(),
            kind: "Button",
            card: Some(0),
        };
        let message = Message { text: hostile.to_owned(), choices: vec![choice("1")], ..Message::default() };
        let parameters = BTreeMap::from([("a key".to_owned(), hostile.to_owned())]);
        let happened = vec![
            Happened::Said { text: hostile.to_owned(), hasty: false },
            Happened::Saw { message: message.clone(), fixed: true },
            Happened::Saw { message, fixed: false },
            Happened::Tapped { choice: choice("2"), ambiguous: true },
            Happened::Set { name: "tier".to_owned(), value: "gold".to_owned() },
            Happened::Waited { ms: 300 },
            Happened::Path {
                path: Path::Intent { intent: "found".to_owned() },
                parameters: parameters.clone(),
                slots: BTreeMap::from([("numbers".to_owned(), json!(["1", 2]))]),
            },
            Happened::Returned,
            Happened::Left,
        ];
        let conversation = Conversation {
            door: Door::V1,
            bot: "parcels".to_owned(),
            language: "de".to_owned(),
            channel: Some(Channel::Sms),
            parameters: parameters.clone(),
            happened,
            longest_ms: 7_001,
        };
        let file = ConversationFile::parse(&conversation.to_file(), "saved.toml").unwrap();
        assert_eq!((file.door, file.bot.as_str(), file.expect_timeout_ms), (Door::V1, "parcels", 15_000));
        assert_eq!((file.flow.language.as_str(), file.flow.parameters), ("de", parameters.clone()));
        assert_eq!(file.flow.channel, Some(Channel::Sms));
        let mut varying = Conversation { happened: Vec::new(), ..conversation };
        let told =
            BTreeMap::from([(NOTE_PARAMETER, "in words"), ("channel", "sms"), ("a key", hostile), ("why", "asked")]);
        let told: BTreeMap<String, String> =
            told.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        varying.left(Path::Intent { intent: "human".to_owned() }, told, BTreeMap::new(), false);
        assert!(varying.to_file().ends_with("expect_path = \"human\"\nexpect_parameters = { why = \"asked\" }\n"));
        let actions: Vec<&Action> = file.steps.iter().map(|step| &step.action).collect();
        let Action::Expect(seen) = actions[1] else { panic!("{actions:?}") };
        assert_eq!(
            (seen.exactly.as_deref(), seen.choices.as_deref()),
            (Some(hostile), Some(&["Take it".to_owned()][..]))
        );
        let Action::Expect(seen) = actions[2] else { panic!("{actions:?}") };
        assert_eq!((seen.exactly.as_deref(), seen.contains.as_deref()), (None, Some(hostile)));
        let Action::Expect(ended) = actions[6] else { panic!("{actions:?}") };
        assert_eq!((ended.path.as_deref(), &ended.parameters), (Some("found"), &parameters));
        assert_eq!(*actions[0], Action::Say(hostile.to_owned()));
        assert_eq!(*actions[3], Action::Tap { label: "Take it".to_owned(), payload: Some("2".to_owned()) });
        assert_eq!(*actions[5], Action::WaitMs(300));
        assert_eq!((actions[7], actions[8]), (&Action::Do("return_to_bot".to_owned()), &Action::Leave));
    }
}
