//! An answer judged without a conversation, for whoever has its bytes and no flow: tests of what a connector renders.

use serde_json::Value;

use super::content::{Message, Rules};
use super::{Violation, answer, answer_v1, manifest};
use crate::Door;
use crate::channel::{Channel, Screen};

/// Where an answer is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Which contract it is judged by.
    pub door: Door,
    /// What the customer uses; a screen that shows everything when it is not known.
    pub channel: Option<Channel>,
    /// Whether the bot was told the channel. One that could not know is only warned.
    pub told: bool,
    /// Whether the integration lets attachments through.
    pub attachments: bool,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What the customer sees; nothing of an answer that the platform does not take.
    pub seen: Vec<Message>,
    /// Every rule that it broke.
    pub violations: Vec<Violation>,
}

/// Judges an answer as a flow would in which the first bot of this list was published in its first version.
#[must_use]
pub fn judge(place: Place, list: &Value, body: &Value) -> Judged {
    let Place { door, channel, told, attachments } = place;
    let (bots, listed) = manifest::read(door, list);
    let mut violations = listed.0;
    let Some(version) = bots.first().and_then(|bot| bot.versions.first()) else {
        return Judged { seen: Vec::new(), violations };
    };
    let rules = Rules { door, attachments, screen: channel.map(|channel| Screen { channel, told }) };
    let answer = match door {
        Door::V1 => answer_v1::read(body, version, rules),
        Door::V2 => answer::read(body, version, rules, &[]),
    };
    let seen = if answer.is_usable() { answer.messages } else { Vec::new() };
    violations.extend(answer.findings.0);
    Judged { seen, violations }
}
