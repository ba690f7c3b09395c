//! How a session ends, in the words that the bot declared on the platform: an intent that the flow has a path for, and
//! slots of the types it was promised.

use genesys::cloud::Parameters;
use genesys::cloud::entity::EntityType;
use model::{HandOver, Outcome, Part, SlotValue};

use super::bots::{Bot, DONE_INTENT, HAND_OVER_INTENT};
use super::request::parameters;
use crate::fit::{Change, Source, What};

/// Output variable with the reason of a hand-over.
const REASON_PARAMETER: &str = "handOverReason";
/// Output variable with what the agent should know.
pub(crate) const NOTE_PARAMETER: &str = "handOverNote";

/// The end of a session.
pub(super) struct Ending<'a> {
    /// A declared intent.
    pub(super) intent: &'a str,
    /// How sure the engine was of it, 0 to 1.
    pub(super) confidence: Option<f64>,
    /// The slots of the intent that were found and fit.
    pub(super) slots: Vec<Slot<'a>>,
    /// Set when a human shall take over.
    hand_over: Option<&'a HandOver>,
    /// What had to be changed.
    pub(super) changes: Vec<Change>,
}

/// A found slot.
pub(super) struct Slot<'a> {
    /// Its declared name.
    pub(super) name: &'a str,
    /// Its declared type.
    pub(super) slot_type: &'a EntityType,
    /// Its values, all of the type; exactly one unless the type is a collection.
    pub(super) values: Vec<&'a str>,
}

impl<'a> Ending<'a> {
    /// How this part ends the session; nothing when it leaves it open.
    ///
    /// A flow has a path only for declared intents, and takes its failure path otherwise. So a hand-over always goes by
    /// its own intent, and an end by an undeclared one goes by [`DONE_INTENT`].
    pub(super) fn of(bot: &'a Bot, part: &'a Part) -> Option<Self> {
        let mut changes = Vec::new();
        let (name, confidence, hand_over) = match &part.outcome {
            Outcome::Open => return None,
            Outcome::HandOver(hand_over) => (HAND_OVER_INTENT, None, Some(hand_over)),
            Outcome::Done => match &part.intent {
                Some(intent) if bot.intent(&intent.name).is_some() => {
                    let confidence = intent.confidence_permille.map(|permille| f64::from(permille.min(1000)) / 1000.0);
                    (intent.name.as_str(), confidence, None)
                }
                Some(_) => {
                    changes.push(Change::of_answer(What::IntentUndeclared, 1, Source::Endings));
                    (DONE_INTENT, None, None)
                }
                None => (DONE_INTENT, None, None),
            },
        };
        let mut ending = Self { intent: name, confidence, slots: Vec::new(), hand_over, changes };
        let mut unfit = 0;
        for (name, value) in &part.slots {
            match bot.intent(ending.intent).and_then(|intent| typed(intent.slots.get_key_value(name)?, value)) {
                Some(slot) => ending.slots.push(slot),
                None => unfit += 1,
            }
        }
        if unfit > 0 {
            ending.changes.push(Change::of_answer(What::SlotsUnfit, unfit, Source::Endings));
        }
        Some(ending)
    }

    /// Output variables of an answer that ends so: those of its parts, and what a human is told who takes over.
    pub(super) fn parameters(&self, parts: &'a [Part]) -> Parameters<'a> {
        let mut parameters = parameters(parts);
        if let Some(hand_over) = self.hand_over {
            parameters.insert(REASON_PARAMETER.into(), hand_over.reason.as_str().into());
            if let Some(note) = &hand_over.note {
                parameters.insert(NOTE_PARAMETER.into(), note.as_str().into());
            }
        }
        parameters
    }
}

fn typed<'a>((name, slot_type): (&'a String, &'a EntityType), value: &'a SlotValue) -> Option<Slot<'a>> {
    let values: Vec<&str> = match value {
        SlotValue::One(one) => vec![one],
        SlotValue::Many(many) => many.iter().map(String::as_str).collect(),
    };
    let counts = slot_type.is_collection() || values.len() == 1;
    let fits = counts && values.iter().all(|text| slot_type.accepts(text));
    fits.then_some(Slot { name, slot_type, values })
}
