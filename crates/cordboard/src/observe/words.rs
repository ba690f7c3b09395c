//! The words that labels hold, so that their number is bounded. Each is an index, so that counting looks up no label.

use model::{Evidence, Failure, PushOutcome};

/// Words of a label: each is an index, so that counting needs no look at a label.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value of the label.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

words! {
    /// What became of a call of the platform.
    RequestOutcome {
        /// Its response held the answer.
        Answered = "answered",
        /// Its response held an acknowledgement or a holding line; the answer goes another way.
        Acknowledged = "acknowledged",
        /// Its response said that the session is over.
        Failed = "failed",
        /// It repeated an earlier one.
        Duplicate = "duplicate",
        /// The store was down, or we were full.
        Refused = "refused",
        /// Authentic JSON that is not understood; kept as a dead letter.
        NotUnderstood = "not_understood",
        /// Not JSON at all.
        NotJson = "not_json",
        /// Without this connector's credentials.
        Unauthorised = "unauthorised",
        /// Its body was over the cap.
        TooLarge = "too_large",
        /// Its body did not come, not in time, or in an encoding.
        Unreadable = "unreadable",
    }
}

words! {
    /// Which tokens of a language model.
    Tokens {
        /// Those it read.
        Input = "input",
        /// Those it wrote.
        Output = "output",
    }
}

words! {
    /// What came of a call to an engine, and what a turn ended with.
    EngineOutcome {
        /// An answer.
        Answered = "answered",
        /// The engine took the turn and answers by a callback.
        Accepted = "accepted",
        /// It was not asked, because the session ended before its turn.
        Unasked = "unasked",
        /// No connection.
        Unreachable = "unreachable",
        /// No answer in time.
        TimedOut = "timed_out",
        /// A 4xx.
        Refused = "refused",
        /// Down or overloaded.
        Unavailable = "unavailable",
        /// An answer that cannot be read.
        Nonsense = "nonsense",
        /// Nobody knows whether it was asked, and it must not be asked twice.
        OutcomeUnknown = "outcome_unknown",
        /// Asking failed inside Cordboard.
        Internal = "internal",
        /// The bot is switched off or not configured any more.
        NoBot = "no_bot",
    }
}

words! {
    /// What came of a push, or of one attempt at it.
    Pushed {
        /// The platform took it.
        Delivered = "delivered",
        /// The platform says that the session is closed or unknown.
        SessionClosed = "session_closed",
        /// The platform refuses it for good.
        Rejected = "rejected",
        /// It was tried as often as allowed.
        GaveUp = "gave_up",
        /// Nobody knows whether it arrived, and it must not be sent twice.
        OutcomeUnknown = "outcome_unknown",
        /// An attempt that was not the last.
        Again = "again",
    }
}

words! {
    /// Why a bot gave the floor to a human.
    HandOver {
        /// The bot asked for it.
        Bot = "bot_handed_over",
        /// The policy did, after failures or at a limit.
        Policy = "policy_handed_over",
        /// Something else moved the floor there.
        Other = "other",
    }
}

words! {
    /// What came of fetching a token.
    Fetched {
        /// There is a new token.
        Done = "done",
        /// There is none.
        Failed = "failed",
    }
}

words! {
    /// What became of a span.
    Exported {
        /// The collector took it.
        Done = "done",
        /// It was dropped: the queue was full, or the collector did not take it.
        Dropped = "dropped",
    }
}

impl From<Failure> for EngineOutcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable => Self::Unreachable,
            Failure::TimedOut => Self::TimedOut,
            Failure::Refused => Self::Refused,
            Failure::Unavailable => Self::Unavailable,
            Failure::Nonsense => Self::Nonsense,
            Failure::OutcomeUnknown => Self::OutcomeUnknown,
            Failure::Internal => Self::Internal,
            Failure::NoBot => Self::NoBot,
        }
    }
}

impl From<PushOutcome> for Pushed {
    fn from(outcome: PushOutcome) -> Self {
        match outcome {
            PushOutcome::Delivered => Self::Delivered,
            PushOutcome::SessionClosed => Self::SessionClosed,
            PushOutcome::Rejected => Self::Rejected,
            PushOutcome::GaveUp => Self::GaveUp,
            PushOutcome::OutcomeUnknown => Self::OutcomeUnknown,
        }
    }
}

impl From<Evidence> for HandOver {
    fn from(evidence: Evidence) -> Self {
        match evidence {
            Evidence::BotHandedOver => Self::Bot,
            Evidence::PolicyHandedOver => Self::Policy,
            _ => Self::Other,
        }
    }
}
