//! What was said before, for engines that remember nothing themselves. It is a window of the journal, not kept in the
//! state; `window` says what counts as said, and how far it goes back.

/// What was said in a conversation before the question, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Each thing that was said, as far back as is kept.
    pub utterances: Vec<Utterance>,
}

/// One thing that was said.
#[derive(Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Its place in the conversation: ascending, and stable over restarts, so that an engine can remember how far it read.
    pub number: u64,
    /// By whom.
    pub by: Speaker,
    /// The words, as the bot heard them or as the customer was shown them, rich content as its fallback text.
    pub text: String,
}

impl std::fmt::Debug for Utterance {
    /// Never the words.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Utterance({} {:?} {} bytes)", self.number, self.by, self.text.len())
    }
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// The customer.
    Customer,
    /// This bot.
    Bot,
    /// A bot that had the conversation before, or has it besides.
    OtherBot,
    /// The gateway in a bot's place: a greeting, a fallback.
    Gateway,
}
