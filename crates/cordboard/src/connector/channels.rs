//! What an integration's channels take: the capability table, and what the configuration says otherwise.

use std::collections::BTreeMap;

use model::Channel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Misconfigured;
use crate::fit::{Basis, Capabilities, Confidence, DoorKind, Fact, Source, Style};

/// The table of the channel that nobody named.
const NOT_KNOWN: &str = "unknown";

/// One `[connectors.KEY.channels.NAME]` table: limits of a channel, where they differ from `docs/reference/channels.md`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelConfig {
    /// Characters of one text, 20 to 100000; longer ones become several. Default: what the channel takes.
    pub text_max_chars: Option<usize>,
    /// How the Markdown of language models is shown. Default: "whatsapp" on WhatsApp, "spoken" in calls, "plain" elsewhere.
    pub markdown: Option<Markdown>,
    /// Quick replies under one prompt, at most 100; 0 turns them into numbered lines. Default: what the channel takes.
    pub quick_replies_max: Option<usize>,
    /// Characters of a quick reply's label, 2 to 1000; longer ones are shortened. Default: what the channel takes.
    pub label_max_chars: Option<usize>,
    /// Whether cards are shown; if not, they become text. Default: whether the channel shows them.
    pub cards: Option<bool>,
    /// Buttons of one card, 1 to 100; more are spread over several cards. Default: what the channel takes.
    pub card_buttons_max: Option<usize>,
    /// Whether a card's button may open an address; if not, it becomes text. Default: whether the channel has them.
    pub link_buttons: Option<bool>,
    /// Cards of one carousel, at most 10; 0 sends them one after the other. Default: what the channel takes.
    pub carousel_cards_max: Option<usize>,
    /// Whether files are shown, on an integration that lets them through. Default: whether the channel shows them.
    pub attachments: Option<bool>,
}

/// How Markdown is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Markdown {
    /// As readable text without marks.
    Plain,
    /// With the marks of WhatsApp.
    Whatsapp,
    /// As it is written.
    Kept,
    /// As it is read aloud: neither marks nor addresses.
    Spoken,
}

impl From<Markdown> for Style {
    fn from(markdown: Markdown) -> Self {
        match markdown {
            Markdown::Plain => Self::Plain,
            Markdown::Whatsapp => Self::WhatsApp,
            Markdown::Kept => Self::Markdown,
            Markdown::Spoken => Self::Spoken,
        }
    }
}

/// What each channel of an integration takes.
#[derive(Clone, Debug)]
pub struct Channels {
    rows: Vec<Capabilities>,
}

impl Channels {
    /// The table of a door, with what the configuration says otherwise.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] for a channel or a number that is not there.
    pub fn new(
        owner: &str,
        door: DoorKind,
        attachments: bool,
        config: &BTreeMap<String, ChannelConfig>,
    ) -> Result<Self, Misconfigured> {
        let mut rows: Vec<Capabilities> = Capabilities::rows(door).collect();
        for (name, config) in config {
            let channel = if name == NOT_KNOWN { None } else { Channel::read(name) };
            if channel.is_none() && name != NOT_KNOWN {
                let words: Vec<&str> = Channel::ALL.into_iter().map(Channel::word).chain([NOT_KNOWN]).collect();
                return Err(Misconfigured(format!(
                    "{owner}.channels: no channel is called \"{name}\"; there are {}",
                    words.join(", ")
                )));
            }
            for row in rows.iter_mut().filter(|row| row.channel == channel) {
                config.apply(&format!("{owner}.channels.{name}"), row)?;
            }
        }
        if !attachments {
            rows = rows.into_iter().map(Capabilities::without_attachments).collect();
        }
        Ok(Self { rows })
    }

    /// What every channel takes.
    #[must_use]
    pub fn into_rows(self) -> Vec<Capabilities> {
        self.rows
    }

    /// What this channel takes.
    #[must_use]
    pub fn of(&self, channel: Option<Channel>) -> &Capabilities {
        let row = self.rows.iter().find(|row| row.channel == channel).or_else(|| self.rows.last());
        row.expect("there is a row for every channel, and one for none")
    }
}

impl ChannelConfig {
    fn apply(&self, owner: &str, row: &mut Capabilities) -> Result<(), Misconfigured> {
        let number = |fact: &mut Fact<usize>, name: &str, value: Option<usize>, least: usize, most: usize| {
            let Some(value) = value else { return Ok(()) };
            if !(least..=most).contains(&value) {
                return Err(Misconfigured(format!("{owner}: `{name}` lies between {least} and {most}")));
            }
            *fact = configured(value);
            Ok(())
        };
        let flag = |fact: &mut Fact<bool>, value: Option<bool>| {
            if let Some(value) = value {
                *fact = configured(value);
            }
        };
        number(&mut row.text_max_chars, "text_max_chars", self.text_max_chars, 20, 100_000)?;
        number(&mut row.quick_replies_max, "quick_replies_max", self.quick_replies_max, 0, 100)?;
        number(&mut row.label_max_chars, "label_max_chars", self.label_max_chars, 2, 1_000)?;
        number(&mut row.card_buttons_max, "card_buttons_max", self.card_buttons_max, 1, 100)?;
        number(&mut row.carousel_cards_max, "carousel_cards_max", self.carousel_cards_max, 0, 10)?;
        flag(&mut row.cards, self.cards);
        flag(&mut row.link_buttons, self.link_buttons);
        if row.door == DoorKind::DigitalBotConnector {
            flag(&mut row.attachments, self.attachments);
        } else if self.attachments == Some(true) {
            return Err(Misconfigured(format!(
                "{owner}: files cannot be sent by a bot_connector; leave `attachments` out"
            )));
        }
        if let Some(markdown) = self.markdown {
            row.style = configured(markdown.into());
        }
        Ok(())
    }
}

const fn configured<T: Copy>(value: T) -> Fact<T> {
    Fact { value, basis: Basis { source: Source::Configuration, confidence: Confidence::Confirmed } }
}
