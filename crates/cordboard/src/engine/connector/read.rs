//! Reads what an endpoint says, in either contract, as what the platform would make of it. Total; what the platform would
//! not take is nonsense.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use genesys::cloud::bot_connector::{self as v1, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{self as v2, BotEntityValue, IncomingMessagesResponse};
use genesys::cloud::reply::{ErrorInfo, ReplyMessage};
use genesys::cloud::{Parameters, Unreadable, read};
use model::{Answer, Failure, HandOver, Intent, Next, SlotValue, Slots};

use super::config::{Config, Failed, Silence, Speaks};
use super::messages;
use crate::engine::limits::Limits;

/// How answers are to be understood.
pub(super) struct Reader {
    pub(super) speaks: Speaks,
    pub(super) limits: Limits,
    /// Whether silence is an early acknowledgement.
    is_late: bool,
    hand_over_intents: BTreeSet<String>,
    reason_parameter: String,
    note_parameter: String,
    failed: Failed,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It answers.
    Answer(Box<Answer>),
    /// The answer comes later.
    Late,
    /// The turn failed.
    Failed(Failure),
}

/// Where the session is left.
enum State {
    Open,
    Complete,
    Failed,
}

/// An answer in neither contract's words.
struct Said<'a> {
    state: State,
    intent: Option<Cow<'a, str>>,
    confidence: Option<f64>,
    slots: Slots,
    messages: Vec<ReplyMessage<'a>>,
    parameters: Parameters<'a>,
    error: Option<ErrorInfo<'a>>,
}

impl Reader {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            speaks: config.speaks,
            limits: config.limits,
            is_late: config.callbacks.is_some() && config.silence == Silence::Late,
            hand_over_intents: config.hand_over_intents.iter().cloned().collect(),
            reason_parameter: config.reason_parameter.clone(),
            note_parameter: config.note_parameter.clone(),
            failed: config.failed,
        }
    }

    /// The body of a response with status 200.
    pub(super) fn response(&self, body: &[u8]) -> Meaning {
        let said = match self.speaks {
            Speaks::V1 => read(body).ok().and_then(of_v1),
            Speaks::V2 => read(body).ok().and_then(of_v2),
        };
        match said {
            Some(Said { state: State::Open, messages, parameters, .. })
                if self.is_late && messages.is_empty() && parameters.is_empty() =>
            {
                Meaning::Late
            }
            Some(said) => self.meaning(said),
            None => Meaning::Failed(Failure::Nonsense),
        }
    }

    /// Why the body of a response with status 200 is no answer, without any value from it.
    pub(super) fn unread(&self, body: &[u8]) -> Option<String> {
        let unreadable = match self.speaks {
            Speaks::V1 => read::<UtteranceResponse<'_>>(body).err(),
            Speaks::V2 => read::<IncomingMessagesResponse<'_>>(body).err(),
        };
        match (unreadable, self.response(body)) {
            (Some(unreadable), _) => Some(unreadable.to_string()),
            (None, Meaning::Failed(Failure::Nonsense)) => Some("its state of the bot is unknown".to_owned()),
            (None, Meaning::Failed(_)) => Some("it says that the bot failed".to_owned()),
            (None, Meaning::Answer(_) | Meaning::Late) => None,
        }
    }

    /// An answer that came later.
    pub(super) fn late(
        &self,
        answer: IncomingMessagesResponse<'_>,
    ) -> Result<Result<Box<Answer>, Failure>, Unreadable> {
        let unknown = || Unreadable::NotUnderstood { line: 1, column: 0, reason: "botState is unknown".to_owned() };
        Ok(match self.meaning(of_v2(answer).ok_or_else(unknown)?) {
            Meaning::Answer(answer) => Ok(answer),
            Meaning::Failed(failure) => Err(failure),
            Meaning::Late => Ok(Box::new(Answer::saying(Vec::new()))),
        })
    }

    fn meaning(&self, said: Said<'_>) -> Meaning {
        // Without an intent the flow leaves by its failure path (`reference/digital-bot-connector.md`, section 1.4).
        let ends = said.intent.as_deref().is_some_and(|intent| !intent.trim().is_empty());
        let next = match said.state {
            State::Open => Next::Await,
            State::Complete if ends => self.ending(&said),
            State::Complete | State::Failed => match self.failed {
                Failed::HandOver => Next::HandOver(self.failure(&said)),
                Failed::Fail => return Meaning::Failed(Failure::Refused),
            },
        };
        let mut cuts = BTreeSet::new();
        let mut answer = Answer::saying(messages::items(said.messages, &mut cuts));
        answer.next = next;
        answer.intent = said
            .intent
            .filter(|_| ends)
            .map(|name| Intent { name: name.into_owned(), confidence_permille: said.confidence.and_then(permille) });
        answer.slots = said.slots;
        answer.attributes =
            said.parameters.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        answer.cuts = cuts.into_iter().collect();
        Meaning::Answer(Box::new(self.limits.fit(answer)))
    }

    fn ending(&self, said: &Said<'_>) -> Next {
        let intent = said.intent.as_deref().unwrap_or_default();
        if !self.hand_over_intents.contains(intent) {
            return Next::End;
        }
        let variable =
            |name: &str| said.parameters.get(name).filter(|text| !text.is_empty()).map(|text| text.to_string());
        let reason = variable(&self.reason_parameter).unwrap_or_else(|| intent.to_owned());
        Next::HandOver(HandOver { reason, note: variable(&self.note_parameter) })
    }

    /// A failed session, as the agent learns of it.
    fn failure(&self, said: &Said<'_>) -> HandOver {
        let filled = |text: &Cow<'_, str>| Some(text.to_string()).filter(|text| !text.is_empty());
        let error = said.error.as_ref();
        let reason = error.and_then(|error| filled(&error.error_code));
        HandOver {
            reason: reason.unwrap_or_else(|| "failed".to_owned()),
            note: said.parameters.get(self.note_parameter.as_str()).and_then(filled),
        }
    }
}

fn of_v1(answer: UtteranceResponse<'_>) -> Option<Said<'_>> {
    let state = match answer.bot_state {
        v1::BotState::MoreData => State::Open,
        v1::BotState::Complete => State::Complete,
        v1::BotState::Failed => State::Failed,
        v1::BotState::Other(_) => return None,
    };
    let slots = answer.slot_values.into_iter().map(|(name, value)| (name.into_owned(), slot(&value)));
    Some(Said {
        state,
        intent: answer.intent,
        confidence: answer.confidence,
        slots: slots.collect(),
        messages: answer.reply_messages,
        parameters: answer.parameters,
        error: answer.error_info,
    })
}

fn of_v2(answer: IncomingMessagesResponse<'_>) -> Option<Said<'_>> {
    let state = match answer.bot_state {
        v2::BotState::MoreData => State::Open,
        v2::BotState::Complete => State::Complete,
        v2::BotState::Failed => State::Failed,
        v2::BotState::Other(_) => return None,
    };
    let slots: BTreeMap<String, SlotValue> = answer.entities.into_iter().filter_map(entity).collect();
    Some(Said {
        state,
        intent: answer.intent,
        confidence: answer.confidence,
        slots,
        messages: answer.reply_messages,
        parameters: answer.parameters,
        error: answer.error_info,
    })
}

fn entity(entity: BotEntityValue<'_>) -> Option<(String, SlotValue)> {
    let value = match (entity.value, entity.values) {
        (Some(one), _) => SlotValue::One(one.into_owned()),
        (None, Some(many)) => SlotValue::Many(many.into_iter().map(Cow::into_owned).collect()),
        (None, None) => return None,
    };
    Some((entity.name.into_owned(), value))
}

/// A slot as text: v2's form, in which every value is one (`reference/digital-bot-connector.md`, section 1.5).
fn slot(value: &v1::SlotValue<'_>) -> SlotValue {
    let text = |value: &v1::SlotValue<'_>| value.to_text().map(Cow::into_owned).unwrap_or_default();
    match value {
        v1::SlotValue::Collection(values) => SlotValue::Many(values.iter().map(text).collect()),
        one => SlotValue::One(text(one)),
    }
}

fn permille(confidence: f64) -> Option<u16> {
    (0.0..=1.0).contains(&confidence).then(|| (confidence * 1000.0).round() as u16)
}
