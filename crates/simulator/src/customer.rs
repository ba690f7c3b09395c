//! How customers behave. Used by the load generator, by tests and by played files.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Conversation, Path, Seen};

/// A customer's manner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Waits for an answer before the next words.
    #[default]
    Patient,
    /// Says the next words without waiting.
    Hasty,
    /// Says the first words and nothing after.
    Silent,
    /// Says everything twice at once, as after a double tap on the send button; each is a message of its own.
    DoubleSending,
}

/// What became of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Everything seen, in order.
    pub seen: Vec<Seen>,
    /// How the flow left the bot, if it did.
    pub path: Option<Path>,
    /// How many times an answer was waited for in vain.
    pub unanswered: usize,
}

/// Says `lines` in a manner; `patience` bounds each wait for an answer.
pub async fn converse(conversation: &Conversation, manner: Manner, lines: &[&str], patience: Duration) -> Served {
    let mut unanswered = 0;
    for (n, line) in lines.iter().enumerate() {
        if manner == Manner::Silent && n > 0 {
            break;
        }
        conversation.say(*line);
        if manner == Manner::DoubleSending {
            conversation.say(*line);
        }
        if manner != Manner::Hasty && conversation.next_bot_message(patience).await.is_none() {
            unanswered += 1;
        }
    }
    if manner == Manner::Hasty && !conversation.settled(patience).await {
        unanswered += 1;
    }
    if manner == Manner::Silent {
        conversation.wait_path(patience).await;
    }
    Served { seen: conversation.seen(), path: conversation.path(), unanswered }
}
