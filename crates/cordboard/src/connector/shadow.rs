//! What an answer of a Bot Connector (v1) would have been at a Digital Bot Connector (v2), as its customer and its flow
//! would have seen it. A step renders the answer for both doors, seals the first, and keeps of the second only what
//! differed: words of this module, never the customer's.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use genesys::cloud::bot_connector::{self as v1, SlotValue, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{self as v2, BotEntityValue, IncomingMessagesResponse};
use genesys::cloud::entity::Money;
use genesys::cloud::reply::ReplyMessage;
use genesys::cloud::{Parameters, read};
use model::Reply;

use super::{Connector, LegView, SealedReply};

/// What was found of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// It was compared.
    Compared,
    /// It differs in time alone: what held the customer here would have been an acknowledgement there, and a push.
    Late,
    /// The text of this message differs, or one of the doors has no such message. Counted from 1.
    Message(u16),
    /// The rich content of this message differs.
    Rich(u16),
    /// The session is left otherwise: open, by another intent, or by the flow's failure path.
    End,
    /// The slots of the end differ.
    Slots,
    /// The output variables differ.
    Parameters,
    /// The other door panicked over it: a defect of ours, and no reason to fail the answer that counts.
    Failed,
}

impl Found {
    /// Every word.
    #[cfg(test)]
    pub(crate) const WORDS: [&str; 8] =
        ["compared", "late", "messages", "rich_content", "end", "slots", "parameters", "failed"];

    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Compared => "compared",
            Self::Late => "late",
            Self::Message(_) => "messages",
            Self::Rich(_) => "rich_content",
            Self::End => "end",
            Self::Slots => "slots",
            Self::Parameters => "parameters",
            Self::Failed => "failed",
        }
    }

    /// The message that it is about; 0 for none.
    pub(crate) const fn item(self) -> u16 {
        match self {
            Self::Message(item) | Self::Rich(item) => item,
            _ => 0,
        }
    }
}

/// An answer, as it is seen from outside.
struct Seen<'a> {
    messages: Vec<ReplyMessage<'a>>,
    /// The intent by which the session ends, or why it does otherwise.
    end: End,
    slots: BTreeMap<String, Vec<String>>,
    parameters: Parameters<'a>,
}

#[derive(PartialEq, Eq)]
enum End {
    Open,
    By(String),
    Failed,
}

/// Renders what was sealed as `here` as `other` would have, and compares. Each kind is found once, at its first message.
pub(crate) fn compare(reply: &Reply, here: &SealedReply, other: &dyn Connector, leg: LegView<'_>) -> Vec<Found> {
    // Connectors are pure, so one that panics leaves nothing half done.
    catch_unwind(AssertUnwindSafe(|| differences(reply, here, other, leg)))
        .unwrap_or_else(|_| vec![Found::Compared, Found::Failed])
}

fn differences(reply: &Reply, here: &SealedReply, other: &dyn Connector, leg: LegView<'_>) -> Vec<Found> {
    let mut found = vec![Found::Compared];
    let there = match reply {
        // The line and its button, or the way back of the flow, are not needed there.
        Reply::Holding { parts, .. } | Reply::Pending { parts, .. } => {
            found.push(Found::Late);
            other.render(&Reply::Parts(parts.clone()), leg).reply
        }
        whole => other.render(whole, leg).reply,
    };
    let is_late = found.len() > 1;
    let (Some(mut here), Some(there)) = (seen_v1(&here.body), seen_v2(&there.body)) else {
        found.push(Found::End);
        return found;
    };
    if is_late {
        here.messages.truncate(there.messages.len());
        here.parameters.retain(|name, _| there.parameters.contains_key(name));
    }
    found.extend(messages(&here, &there));
    if here.end != there.end && !is_late {
        found.push(Found::End);
    }
    if here.slots != there.slots && !is_late {
        found.push(Found::Slots);
    }
    if here.parameters != there.parameters {
        found.push(Found::Parameters);
    }
    found
}

fn messages(here: &Seen<'_>, there: &Seen<'_>) -> Vec<Found> {
    let number = |index: usize| u16::try_from(index + 1).unwrap_or(u16::MAX);
    let both = || here.messages.iter().zip(&there.messages);
    let (many, few) = (here.messages.len().max(there.messages.len()), here.messages.len().min(there.messages.len()));
    let text = both().position(|(one, other)| one.text != other.text).or_else(|| (many > few).then_some(few));
    let rich = both().position(|(one, other)| one.content != other.content);
    let found = [text.map(|index| Found::Message(number(index))), rich.map(|index| Found::Rich(number(index)))];
    found.into_iter().flatten().collect()
}

fn seen_v1(body: &[u8]) -> Option<Seen<'static>> {
    let answer: UtteranceResponse<'static> = read(body).ok()?;
    let intent = answer.intent.unwrap_or_default().into_owned();
    let end = match answer.bot_state {
        v1::BotState::MoreData => End::Open,
        v1::BotState::Complete => End::By(intent),
        v1::BotState::Failed | v1::BotState::Other(_) => End::Failed,
    };
    // Those of an open answer are the guard's against loops (`reference/bot-connector-v1.md`, section 6).
    let slots = if end == End::Open { BTreeMap::new() } else { answer.slot_values };
    let texts = |value: SlotValue<'_>| {
        let values = match value {
            SlotValue::Collection(values) => values,
            one => vec![one],
        };
        values.iter().filter_map(SlotValue::to_text).map(|text| canonical(&text)).collect()
    };
    Some(Seen {
        messages: answer.reply_messages,
        end,
        slots: slots.into_iter().map(|(name, value)| (name.into_owned(), texts(value))).collect(),
        parameters: answer.parameters,
    })
}

fn seen_v2(body: &[u8]) -> Option<Seen<'static>> {
    let answer: IncomingMessagesResponse<'static> = read(body).ok()?;
    let intent = answer.intent.unwrap_or_default().into_owned();
    let end = match answer.bot_state {
        v2::BotState::MoreData => End::Open,
        v2::BotState::Complete => End::By(intent),
        v2::BotState::Failed | v2::BotState::Other(_) => End::Failed,
    };
    let texts = |entity: BotEntityValue<'_>| {
        let values = entity.value.into_iter().chain(entity.values.unwrap_or_default());
        (entity.name.into_owned(), values.map(|text| canonical(&text)).collect())
    };
    Some(Seen {
        messages: answer.reply_messages,
        end,
        slots: answer.entities.into_iter().map(texts).collect(),
        parameters: answer.parameters,
    })
}

/// A value without what v1's JSON cannot carry: zeros at the end of a number.
fn canonical(text: &str) -> String {
    let number = |text: &str| text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string());
    match Money::read(text) {
        Some(Money { amount, code }) => format!("{} {code}", number(&amount)),
        None => number(text),
    }
}
