//! What is said below a message: why it came late, in another form, or from the gateway and not from the bot.
//!
//! Pure: a row of the conversation's journal in, sentences out. The journal is the only witness, so nothing is told here
//! that did not happen.

use model::{Effect, Event, Fact, Failure, HandOver, Input, Outcome, Part, PushOutcome, Reply, Timestamp, Undelivered};

use crate::admin::timeline::cut_in_words;
use crate::stored::{Journal, Seen};

/// Who takes part, in words.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    pub(super) bot: String,
    pub(super) connector: String,
    /// Where the engine is, without what may be secret; nothing for one that answers here.
    pub(super) address: Option<String>,
}

/// What a row makes visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Whether it lets messages reach the customer.
    pub(super) shows: bool,
    /// What is said below them.
    pub(super) notes: Vec<String>,
    /// What of the messages is the gateway's own.
    pub(super) by_policy: Vec<String>,
}

/// Tells one conversation, row by row.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    cast: Cast,
    said: Option<Timestamp>,
    put_off: Option<Timestamp>,
    holding_lines: u32,
    address_told: bool,
    typed: Option<Typed>,
}

/// What the customer typed last, until its row tells what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Words.
    Words,
    /// A number that nothing has that can be tapped. It may be the one of a line.
    Number,
}

impl Typed {
    /// What is said of what was understood, unless it was plainly meant.
    fn understood(self, input: &Input) -> Option<String> {
        match (self, input) {
            (_, Input::Choice { label, .. }) => Some(format!("understood as a tap on '{label}'")),
            (Self::Number, _) => Some("said as words: nothing with this number is offered now".to_owned()),
            (Self::Words, _) => None,
        }
    }
}

impl Teller {
    pub(super) fn new(cast: Cast) -> Self {
        Self { cast, said: None, put_off: None, holding_lines: 0, address_told: false, typed: None }
    }

    /// Whether the customer still waits for an answer that was late.
    pub(super) const fn is_put_off(&self) -> bool {
        self.put_off.is_some()
    }

    /// The customer types: the next row that brings it tells how it was understood.
    pub(super) const fn types(&mut self, typed: Typed) {
        self.typed = Some(typed);
    }

    pub(super) fn row(&mut self, at: Timestamp, journal: &Journal) -> Told {
        let mut told = Told::default();
        let says_nothing = |effect: &Effect| {
            matches!(effect, Effect::Record(Fact::NotOpened { .. } | Fact::Blank | Fact::Merged { .. }))
        };
        let nothing_follows = journal.effects.iter().any(says_nothing);
        for event in &journal.events {
            self.event(at, event, &mut told);
        }
        for effect in &journal.effects {
            if nothing_follows && matches!(effect, Effect::Seal { reply: Reply::Parts(said), .. } if said.is_empty()) {
                continue;
            }
            self.effect(at, effect, &journal.seen, &mut told);
        }
        told.notes.extend(journal.changes.iter().map(|changed| format!("changed: {}", changed.change)));
        told
    }

    fn event(&mut self, at: Timestamp, event: &Event, told: &mut Told) {
        match event {
            Event::Said(said) => {
                if said.poll.is_none() {
                    (self.said, self.put_off, self.holding_lines) = (Some(at), None, 0);
                } else {
                    self.said = Some(at);
                }
                told.notes.extend(self.typed.take().and_then(|typed| typed.understood(&said.input)));
                for masked in &said.masked {
                    let (count, kind) = (masked.count, masked.kind.word());
                    told.notes.push(format!("masked before the bot saw it: {count} × {kind}"));
                }
            }
            Event::Accepted { .. } => {
                told.notes.push("the bot took the turn and answers it by a callback".to_owned());
            }
            Event::Settled { outcome, .. } => told.notes.extend(push_outcome(*outcome).map(str::to_owned)),
            _ => {}
        }
    }

    fn effect(&mut self, at: Timestamp, effect: &Effect, seen: &[Seen], told: &mut Told) {
        match effect {
            Effect::Seal { reply, .. } => self.reply(at, reply, told),
            Effect::Push(push) => {
                if let Some(put_off) = self.put_off.take() {
                    told.notes.push(format!("pushed {} later", seconds(put_off, at)));
                } else if push.parts.iter().any(|part| part.turn.is_none()) {
                    told.notes.push("pushed: the bot speaks without having been asked".to_owned());
                }
                parts(&push.parts, told);
            }
            Effect::Bury { reason, .. } => told.notes.push(format!("not shown: {}", undelivered(*reason))),
            Effect::Record(fact) => told.notes.extend(self.fact(fact, seen)),
            Effect::Ask(_)
            | Effect::WithdrawAsk { .. }
            | Effect::Notify(_)
            | Effect::SealSame { .. }
            | Effect::WithdrawPushes { .. } => {}
        }
    }

    fn reply(&mut self, at: Timestamp, reply: &Reply, told: &mut Told) {
        let Cast { connector, .. } = &self.cast;
        let waited = seconds(self.said.unwrap_or(at), at);
        match reply {
            Reply::Parts(said) if said.is_empty() => {
                self.put_off = Some(at);
                told.notes.push(format!(
                    "no answer after {waited} (soft_deadline_ms of {connector}): acknowledged, the answer will be pushed"
                ));
            }
            Reply::Parts(said) => {
                if let Some(put_off) = self.put_off.take() {
                    told.notes.push(format!("the late answer, fetched {} after it was put off", seconds(put_off, at)));
                }
                parts(said, told);
            }
            Reply::Holding { parts: said, line, button } => {
                self.put_off = self.put_off.or(Some(at));
                parts(said, told);
                told.shows |= line.is_some() || button.is_some();
                told.by_policy.extend(line.clone());
                self.holding_lines += 1;
                let next = match button {
                    Some(_) => {
                        "the button, or its label typed, fetches the answer, since nothing can be pushed on this door"
                    }
                    None => "the answer will be pushed",
                };
                told.notes.push(format!(
                    "no answer after {waited} ({} of {connector}): line {} to wait by; {next}",
                    if button.is_some() { "budget_ms" } else { "soft_deadline_ms" },
                    self.holding_lines
                ));
            }
            Reply::Pending { parts: said, .. } => {
                self.put_off = self.put_off.or(Some(at));
                parts(said, told);
                told.notes.push(format!(
                    "no answer after {waited} (budget_ms of {connector}): the flow goes by its path `pending` and comes back"
                ));
            }
            Reply::Failed { code } => told.notes.push(format!("the platform is told that the turn failed: {code}")),
            Reply::Refused => told.notes.push("refused: too much is open".to_owned()),
        }
    }

    fn fact(&mut self, fact: &Fact, seen: &[Seen]) -> Option<String> {
        let bot = &self.cast.bot;
        Some(match fact {
            Fact::FellBack { seat, turn, failure } => {
                let seen = seen.iter().find(|seen| seen.seat == *seat && seen.turn == *turn);
                let seen = seen.map(|seen| format!(" ({})", seen.what)).unwrap_or_default();
                format!("{}{seen}: the gateway answers instead (on_failure)", self.failed(*failure))
            }
            Fact::StaleAnswer { .. } => "an answer came when nobody wanted it any more".to_owned(),
            Fact::Blank => "nothing was said, so the bot is not asked".to_owned(),
            Fact::Greeted { .. } => {
                format!("the greeting of the configuration (opening of bots.{bot}); the bot was not asked")
            }
            Fact::NotOpened { .. } => {
                "an opening says nothing here: the conversation is open, or the customer speaks first".to_owned()
            }
            Fact::Merged { .. } => "merged with the message before: both are one turn (merge_quiet_ms)".to_owned(),
            Fact::EmptyPoll => "there is no late answer to fetch".to_owned(),
            Fact::Unasked { .. } => "not asked: the session was over before its turn".to_owned(),
            Fact::PushEnded { outcome, .. } => push_outcome(*outcome)?.to_owned(),
            Fact::OutOfService { .. } => "the bot is out of service: a human is asked for".to_owned(),
            Fact::TurnLimit => format!("the conversation has as many turns as it may have (max_turns of bots.{bot})"),
            Fact::HoldingLimit => {
                format!("the customer waited as often as allowed (max_holding_turns of bots.{bot})")
            }
            Fact::Cut { cuts, .. } => {
                let cuts: Vec<&str> = cuts.iter().map(|cut| cut_in_words(*cut)).collect();
                format!("changed on its way in (bots.{bot}.engine.limits): {}", cuts.join(", "))
            }
            Fact::PushRefused { reason } => format!("not said: {}", undelivered(*reason)),
            // What the policy said is told where its words are shown.
            Fact::PolicySaid { .. }
            | Fact::Floor(_)
            | Fact::Joined { .. }
            | Fact::PossibleDuplicate { .. }
            | Fact::TakenAsDelivered { .. }
            | Fact::LegEnded { .. }
            | Fact::Redriven
            | Fact::RedriveRefused { .. }
            | Fact::Nothing => return None,
        })
    }

    /// The address of an engine that cannot be reached is said once.
    fn failed(&mut self, failure: Failure) -> String {
        match (failure, &self.cast.address) {
            (Failure::Unreachable, Some(address)) if !self.address_told => {
                self.address_told = true;
                format!("the bot's engine cannot be reached at {address} (does it run?)")
            }
            (Failure::Unreachable, _) => "the bot's engine cannot be reached".to_owned(),
            (Failure::TimedOut, _) => {
                format!("the bot did not answer in time (hard_deadline_ms of bots.{})", self.cast.bot)
            }
            (Failure::Refused, _) => "the bot's engine refused the turn".to_owned(),
            (Failure::Unavailable, _) => "the bot's engine was down or overloaded".to_owned(),
            (Failure::Nonsense, _) => "what the bot's engine answered cannot be read".to_owned(),
            (Failure::OutcomeUnknown, _) => {
                "nobody knows whether the bot's engine got the turn, and it must not be asked twice".to_owned()
            }
            (Failure::Internal, _) => "asking the bot failed inside the gateway".to_owned(),
            (Failure::NoBot, _) => "the bot is not configured any more".to_owned(),
        }
    }
}

/// What parts of an answer have to be told beside their words.
fn parts(parts: &[Part], told: &mut Told) {
    for part in parts {
        told.shows |= !part.items.is_empty();
        if part.by_policy && !part.items.is_empty() {
            told.by_policy.extend(part.items.iter().map(|item| item.plain().into_owned()));
            if told.notes.is_empty() {
                told.notes.push("these words are the gateway's own (texts)".to_owned());
            }
        }
        if let Outcome::HandOver(HandOver { reason, note }) = &part.outcome {
            let note = note.as_deref().map(|note| format!("; note for the agent: {note}")).unwrap_or_default();
            told.notes.push(format!("a human shall take over, reason: {reason}{note}"));
        }
    }
}

pub(super) fn seconds(from: Timestamp, to: Timestamp) -> String {
    let ms = (to.0 - from.0).max(0);
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

const fn push_outcome(outcome: PushOutcome) -> Option<&'static str> {
    Some(match outcome {
        PushOutcome::Delivered => return None,
        PushOutcome::SessionClosed => "the push came when the session was closed",
        PushOutcome::Rejected => "the platform refused the push for good",
        PushOutcome::GaveUp => "the push was tried as often as allowed",
        PushOutcome::OutcomeUnknown => "nobody knows whether the push arrived, and it must not be sent twice",
    })
}

const fn undelivered(reason: Undelivered) -> &'static str {
    match reason {
        Undelivered::SessionEnded => "the session was over",
        Undelivered::SessionClosed => "the platform had closed the session",
        Undelivered::Rejected => "the platform refused it",
        Undelivered::GaveUp => "it was tried as often as allowed",
        Undelivered::OutcomeUnknown => "nobody knows whether it arrived",
        Undelivered::FloorTaken => "a human has the floor",
        Undelivered::Superseded => "a new session of the platform took its place",
        Undelivered::TooMuchHeld => "more waited than a session may hold",
    }
}
