//! Log lines about what a step decided, written once, when it is committed.

use conversation::Conversation;
use model::{ConversationId, Fact, Failure};

use super::words::Pushed;
use crate::stored::Seen;

/// Tells of turns that the policy answered in place of the bot, however they failed, and of answers that never arrived.
pub(crate) fn facts(conversation: ConversationId, state: &Conversation, facts: &[Fact], seen: &[Seen]) {
    for fact in facts {
        if let Fact::PushEnded { leg, outcome, .. } = fact {
            let connector = state.leg(*leg).map_or("unknown", |leg| leg.name.connector.as_str());
            let outcome = Pushed::from(*outcome).word();
            tracing::warn!(%conversation, connector, outcome, "an answer was not pushed; it is kept as a dead letter");
        }
        let Fact::FellBack { seat, turn, failure } = fact else { continue };
        let bot = state.seat(*seat).map_or("unknown", |seat| seat.bot.as_str());
        let seen = seen.iter().find(|seen| seen.seat == *seat && seen.turn == *turn).map(|seen| seen.what.as_str());
        tracing::warn!(
            %conversation,
            bot,
            turn = turn.0,
            failure = failure.word(),
            reason = seen,
            "a bot did not answer a turn; {}",
            next_step(*failure)
        );
    }
}

/// What an operator can do about a failed turn.
const fn next_step(failure: Failure) -> &'static str {
    match failure {
        Failure::Unreachable => "does it run, and is its engine's address right?",
        Failure::TimedOut => "it took longer than `hard_deadline_ms`",
        Failure::Refused => "its engine refused the question: compare address and secrets, and look into its log",
        Failure::Unavailable => "its engine was down or overloaded: look into its log",
        Failure::Nonsense => "what its engine answered cannot be read: compare it with the engine's contract",
        Failure::OutcomeUnknown => "its engine may have got the question, and `replay` forbids to ask twice",
        Failure::Internal => "asking failed inside Cordboard; please report it",
        Failure::NoBot => "it is not configured any more",
    }
}
