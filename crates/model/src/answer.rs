//! What an engine answered, and how a turn can fail.

use crate::content::{Attributes, Intent, Item, Opaque, Slots};

/// One engine reply: a part of the answer to a turn, or a message of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What to say, in order. Said before what `next` asks for.
    pub items: Vec<Item>,
    /// What comes after.
    pub next: Next,
    /// The intent found.
    pub intent: Option<Intent>,
    /// The slots found; they go with the intent.
    pub slots: Slots,
    /// Attributes for the flow and for agents; merged into the seat's.
    pub attributes: Attributes,
    /// What the engine wants to be given again at the next turn.
    pub engine_state: Option<Opaque>,
    /// What was cut or degraded on the way in, for the journal: names of limits, never words.
    pub cuts: Vec<Cut>,
    /// What the engine says that the answer took; absent when it does not say.
    pub usage: Option<Usage>,
}

/// What a language model read and wrote for an answer, all its calls together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

impl Answer {
    /// An answer that says these items and waits for the customer.
    #[must_use]
    pub fn saying(items: Vec<Item>) -> Self {
        Self {
            items,
            next: Next::Await,
            intent: None,
            slots: Slots::new(),
            attributes: Attributes::new(),
            engine_state: None,
            cuts: Vec::new(),
            usage: None,
        }
    }
}

/// What comes after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The customer's turn.
    Await,
    /// The engine goes on with this turn: another part follows.
    More,
    /// A human shall take over.
    HandOver(HandOver),
    /// The bot is done.
    End,
}

/// Why and how a human shall take over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// Why, as a short machine-readable word.
    pub reason: String,
    /// What the agent should know.
    pub note: Option<String>,
}

impl HandOver {
    /// The reason of a hand-over that an operator ordered.
    pub const BY_OPERATOR: &str = "operator";
    /// The reason of a hand-over because the bot is out of service.
    pub const OUT_OF_SERVICE: &str = "out_of_service";
}

/// Something that was cut to a limit or degraded, so that nothing is lost silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Items past the limit of one answer were left out, or cards past that of a carousel.
    Items,
    /// A text was shortened.
    Text,
    /// Choices or buttons past the limit were left out.
    Choices,
    /// Control characters were removed.
    ControlCharacters,
    /// An item that the channel cannot show became its fallback text.
    Degraded,
    /// An item without anything to show was left out.
    Dropped,
    /// A slot or attribute was shortened or left out.
    Values,
    /// The engine's state was over its limit; the earlier one was kept.
    EngineState,
    /// An address that nobody can open was left out, with what hung on it.
    Addresses,
}

/// Why a turn has no answer. Each says what the asker should do: these are final, retries happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The engine could not be reached.
    Unreachable,
    /// The engine did not answer before the hard deadline.
    TimedOut,
    /// The engine refused the turn (a 4xx).
    Refused,
    /// The engine was down or overloaded to the end of the deadline (5xx, 429).
    Unavailable,
    /// What the engine answered cannot be read.
    Nonsense,
    /// Nobody knows whether the engine got the turn, and it must not be asked twice.
    OutcomeUnknown,
    /// Asking failed inside Cordboard each time it was tried.
    Internal,
    /// The bot is switched off or not configured any more.
    NoBot,
}

impl Failure {
    /// The word used in journals, logs and error codes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "engine.unreachable",
            Self::TimedOut => "engine.timed_out",
            Self::Refused => "engine.refused",
            Self::Unavailable => "engine.unavailable",
            Self::Nonsense => "engine.nonsense",
            Self::OutcomeUnknown => "engine.outcome_unknown",
            Self::Internal => "engine.internal",
            Self::NoBot => "engine.no_bot",
        }
    }
}
