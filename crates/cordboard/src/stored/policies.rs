//! The policies of a revision, so that a journal can be applied again with those that were in force.
//!
//! They differ from the other documents in that equal policies must be equal bytes: the store gives them one revision.
//! The revision itself is therefore not in them.

use std::collections::BTreeMap;

use conversation::{BotPolicy, OnFailure, Opening, Policies, Texts, Wording};
use model::{BotKey, Channel, News, Sensitive};
use serde::{Deserialize, Serialize};

use super::form::{self, Form, forms, is_default};
use super::{Members, Unreadable, VERSION, read, version, written};

forms!(
    BotPolicyForm => BotPolicy,
    OnFailureForm => OnFailure,
    OpeningForm => Opening,
    WordingForm => Wording,
    TextsForm => Texts,
);

/// The members of policies.
const MEMBERS: Members = &[("v", "version"), ("b", "bots"), ("f", "fallback"), ("o", "out of service")];

/// Writes policies, without their revision.
#[must_use]
pub fn encode_policies(policies: &Policies) -> Vec<u8> {
    let Policies { revision: _, bots, fallback, out_of_service } = policies;
    let bots = Bots(bots.clone());
    let out_of_service = out_of_service.iter().map(|(bot, reason)| (bot.to_string(), reason.clone())).collect();
    written(&PoliciesForm { v: VERSION, bots, fallback: fallback.clone(), out_of_service }, 1024)
}

/// Reads policies of any version; they get the revision under which they were kept.
///
/// # Errors
/// When the bytes are of a later version, damaged, or no policies.
pub fn decode_policies(bytes: &[u8], revision: u32) -> Result<Policies, Unreadable> {
    match version(bytes)? {
        version @ 2..=3 => {
            let PoliciesForm { v: _, bots, fallback, out_of_service } = read(bytes, version, MEMBERS)?;
            let out_of_service = out_of_service.into_iter().map(|(bot, reason)| (BotKey::from(bot), reason)).collect();
            Ok(Policies { revision, bots: bots.0, fallback, out_of_service })
        }
        // Version 1 had no policies.
        1 => Err(Unreadable::Unversioned),
        version => Err(Unreadable::Newer { version }),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoliciesForm {
    v: u32,
    #[serde(rename = "b", with = "form")]
    bots: Bots,
    #[serde(rename = "f", with = "form")]
    fallback: BotPolicy,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    out_of_service: BTreeMap<String, String>,
}

struct Bots(BTreeMap<BotKey, BotPolicy>);

impl Form for Bots {
    fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(bot, policy)| (bot.as_str(), form::Out(policy))))
    }

    fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bots = BTreeMap::<String, BotPolicy>::read(deserializer)?;
        Ok(Self(bots.into_iter().map(|(bot, policy)| (BotKey::from(bot), policy)).collect()))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BotPolicy", deny_unknown_fields)]
struct BotPolicyForm {
    #[serde(rename = "d")]
    hard_deadline_ms: u64,
    #[serde(rename = "y", with = "form")]
    on_failure: OnFailure,
    #[serde(rename = "w")]
    max_waiting_inputs: u32,
    #[serde(rename = "h")]
    max_holding_turns: u32,
    #[serde(rename = "t")]
    max_turns: u32,
    #[serde(rename = "n", default, skip_serializing_if = "is_default", with = "form")]
    notify: Vec<News>,
    #[serde(rename = "g", with = "form")]
    texts: Wording,
    #[serde(rename = "o", with = "form")]
    opening: Opening,
    #[serde(rename = "ch", default, skip_serializing_if = "is_default", with = "form")]
    channel: Option<Channel>,
    #[serde(rename = "m", default, skip_serializing_if = "is_default", with = "form")]
    mask: Vec<Sensitive>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OnFailure", rename_all = "snake_case")]
enum OnFailureForm {
    Say,
    HandOver,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Opening", rename_all = "snake_case")]
enum OpeningForm {
    Engine,
    Greeting,
    Silent,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Wording", deny_unknown_fields)]
struct WordingForm {
    #[serde(rename = "l", with = "form")]
    languages: BTreeMap<String, Texts>,
    #[serde(rename = "o", with = "form")]
    otherwise: Texts,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Texts", deny_unknown_fields)]
struct TextsForm {
    #[serde(rename = "g", default, skip_serializing_if = "is_default")]
    greeting: Option<String>,
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    holding: Option<String>,
    #[serde(rename = "w")]
    still_working: String,
    #[serde(rename = "l")]
    poll_label: String,
    #[serde(rename = "f")]
    fallback: String,
    #[serde(rename = "o", default, skip_serializing_if = "is_default")]
    hand_over: Option<String>,
}
