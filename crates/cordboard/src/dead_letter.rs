//! Dead letters, as an operator sees them: listed, read, dropped, tried again.
//!
//! Trying again is a new event for the core, and the letter is gone with the step that applies it. The core decides
//! whether it may still happen; nothing here goes round it, and there is no force. The one caller is the admin API.

use std::sync::Arc;

use bytes::Bytes;
use conversation::{Conversation, apply};
use model::{ConnectorKey, ConversationId, Effect, Event, Fact};

use crate::connector::{Message, Parsed};
use crate::gateway::Shared;
use crate::runner::Told;
use crate::store::{self, Letter, LetterQuery};
use crate::stored;

/// A platform's request that was not understood; its payload is the raw body.
pub const INPUT: &str = "input";
/// An engine's callback that was not understood; its payload is the raw body.
pub const CALLBACK: &str = "callback";
/// An answer that was not delivered; its payload is a stored letter.
pub const ANSWER: &str = "answer";

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It is on its way, and the letter is gone.
    Done,
    /// It was not tried; it would work, in this way.
    WouldWork(&'static str),
    /// The core refuses it: it would speak after the end or over a human. The letter stays.
    Refused(&'static str),
    /// There is no such letter.
    NotThere,
    /// It cannot be tried. The letter stays.
    NotPossible(String),
}

/// What is to be told to which conversation.
struct Attempt {
    to: To,
    event: Event,
}

enum To {
    Known(ConversationId),
    /// The platform's conversation; it may be new.
    Key(store::Key),
}

impl Shared {
    /// Letters, ascending by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn letters(&self, query: LetterQuery) -> Result<Vec<Letter>, store::Error> {
        self.store.dead_letters(query).await
    }

    /// One letter.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn letter(&self, id: u64) -> Result<Option<Letter>, store::Error> {
        self.store.dead_letter(id).await
    }

    /// Drops a letter for good; false when it is not there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn drop_letter(&self, id: u64) -> Result<bool, store::Error> {
        self.store.drop_letter(id).await
    }

    /// Tries a letter again, or says what that would do.
    ///
    /// # Errors
    /// When the store cannot be used now. Nothing happened then, and it may be tried again.
    pub async fn redrive(self: &Arc<Self>, id: u64, dry_run: bool) -> Result<Redriven, store::Error> {
        let shared = self.clone();
        // A task of its own: an operator who loses patience must not leave a letter that is being spoken to the next.
        let outcome = self.runtime.detached(async move {
            let _one_at_a_time = shared.redriving.lock().await;
            shared.redrive_alone(id, dry_run).await
        });
        outcome.await.unwrap_or_else(|| Err(store::Error::Unavailable("trying the letter failed inside".into())))
    }

    async fn redrive_alone(self: &Arc<Self>, id: u64, dry_run: bool) -> Result<Redriven, store::Error> {
        let Some(letter) = self.store.dead_letter(id).await? else { return Ok(Redriven::NotThere) };
        let attempt = match self.attempt_of(&letter) {
            Ok(attempt) => attempt,
            Err(outcome) => return Ok(outcome),
        };
        if dry_run {
            return self.rehearse(attempt).await;
        }
        let conversation = match attempt.to {
            To::Known(conversation) if self.store.load(conversation).await?.is_none() => return Ok(forgotten()),
            To::Known(conversation) => conversation,
            To::Key(key) => self.conversation_of(key).await?,
        };
        match self.ask_core(conversation, attempt.event, Some(id), None).await {
            Told::Applied(facts) => Ok(refusal(facts.iter()).unwrap_or(Redriven::Done)),
            Told::NotStored | Told::Repeated => Err(store::Error::Unavailable("the step could not be stored".into())),
        }
    }

    fn attempt_of(&self, letter: &Letter) -> Result<Attempt, Redriven> {
        let payload = letter.payload.payload().ok_or_else(|| not_possible("its payload has an unknown envelope"))?;
        match &*letter.kind {
            ANSWER => {
                let conversation = letter.conversation.ok_or_else(|| not_possible("it names no conversation"))?;
                let undelivered =
                    stored::decode_letter(&payload).map_err(|error| Redriven::NotPossible(error.to_string()))?;
                let event = Event::Redriven { seat: undelivered.seat, part: Box::new(undelivered.part) };
                Ok(Attempt { to: To::Known(conversation), event })
            }
            INPUT => self.attempt_input(letter, &payload),
            CALLBACK => Err(not_possible("the engine was told that it was not understood and has to send it anew")),
            "event" => Err(not_possible("handling it failed inside Cordboard, and would again; please report it")),
            _ => Err(not_possible("nothing of this kind is tried again: it was news, and is old now")),
        }
    }

    /// Reads a message anew: with a corrected configuration it may be understood now.
    fn attempt_input(&self, letter: &Letter, payload: &Bytes) -> Result<Attempt, Redriven> {
        let (roster, key) = (self.roster(), ConnectorKey(letter.place.clone()));
        let connector =
            roster.connectors.get(&key).ok_or_else(|| not_possible("its connector is not configured any more"))?;
        let message = match connector.parse(payload) {
            Parsed::Message(message) => *message,
            Parsed::NotUnderstood { reason, .. } => {
                return Err(Redriven::NotPossible(format!("it is still not understood: {reason}")));
            }
            Parsed::NotJson => return Err(not_possible("it is no JSON")),
        };
        let now = self.runtime.now();
        if letter.died + message.session_lifetime_ms <= now {
            return Err(Redriven::Refused(model::Undelivered::SessionEnded.word()));
        }
        let key = self.identities().conversation(connector.org(), &message.conversation);
        let session_lifetime_ms = (letter.died + message.session_lifetime_ms).ms_since(now);
        let message = Message { session_lifetime_ms, ..message };
        let mask = &roster.policies.of(&message.bot).mask;
        let said = message.said(&**connector, mask, None, now, self.runtime.ids.uuid());
        Ok(Attempt { to: To::Key(key), event: Event::Said(Box::new(said)) })
    }

    /// What the core would make of it, on a copy.
    async fn rehearse(&self, attempt: Attempt) -> Result<Redriven, store::Error> {
        let now = self.runtime.now();
        let state = match attempt.to {
            To::Known(conversation) => match self.peek(conversation).await? {
                Some(state) => state,
                None => return Ok(forgotten()),
            },
            To::Key(key) => match self.store.find(key).await? {
                Some(conversation) => self.peek(conversation).await?.unwrap_or_else(|| Conversation::new(now)),
                None => Conversation::new(now),
            },
        };
        let (_, effects) = apply(&self.roster().policies, state, &[attempt.event], now);
        let facts = effects.iter().filter_map(|effect| match effect {
            Effect::Record(fact) => Some(fact),
            _ => None,
        });
        Ok(refusal(facts).unwrap_or_else(|| Redriven::WouldWork(way(&effects))))
    }
}

fn not_possible(why: &str) -> Redriven {
    Redriven::NotPossible(why.to_owned())
}

fn forgotten() -> Redriven {
    not_possible("its conversation is not kept any more")
}

fn refusal<'a>(mut facts: impl Iterator<Item = &'a Fact>) -> Option<Redriven> {
    facts.find_map(|fact| match fact {
        Fact::RedriveRefused { reason } => Some(Redriven::Refused(reason.word())),
        _ => None,
    })
}

/// How the words would reach whom they are for.
fn way(effects: &[Effect]) -> &'static str {
    let any = |is: fn(&Effect) -> bool| effects.iter().any(is);
    if any(|effect| matches!(effect, Effect::Push(_))) {
        "it would be pushed to the customer"
    } else if any(|effect| matches!(effect, Effect::Seal { .. })) {
        "it would go out in the answer to a request that waits"
    } else if any(|effect| matches!(effect, Effect::Ask(_))) {
        "the bot would be asked"
    } else {
        "it would wait: for the running turn, or for the customer's next message"
    }
}
