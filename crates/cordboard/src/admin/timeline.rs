//! A conversation's journal as an operator reads it: one hop after the other, what came in, what was asked, answered,
//! decided, said, cut, pushed, put in doubt.
//!
//! Pure: rows in, hops out. What customers and bots said stands apart from the sentence about it, so that it can be left
//! out; nothing of it is ever in a sentence.

use std::collections::BTreeMap;

use conversation::Conversation;
use model::{
    Answer, BotKey, ConversationId, Cut, Effect, Event, Fact, Holder, Item, LegId, LegName, News, Next, Outcome, Part,
    Poll, PushOutcome, Reply, Said, SeatId, Timestamp, TurnNumber, Usage,
};
use serde::{Deserialize, Serialize};

use crate::stored::{Journal, Seen};

/// One thing that happened, or was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The conversation.
    pub conversation: String,
    /// The row of its journal.
    pub row: u64,
    /// What it is, in a word or two.
    pub what: String,
    /// The sentence about it. Never a customer's or a bot's words.
    pub text: String,
    /// What was said, when it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// How many characters were said, when anything was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub characters: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What seats and legs are called. A journal row tells only their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seats: BTreeMap<SeatId, BotKey>,
    legs: BTreeMap<LegId, LegName>,
}

impl Names {
    pub(super) fn of(state: &Conversation) -> Self {
        Self {
            seats: state.seats.iter().map(|seat| (seat.id, seat.bot.clone())).collect(),
            legs: state.legs.iter().map(|leg| (leg.id, leg.name.clone())).collect(),
        }
    }

    fn bot(&self, seat: SeatId) -> String {
        self.seats.get(&seat).map_or_else(|| seat.to_string(), ToString::to_string)
    }

    fn leg(&self, leg: LegId) -> String {
        self.legs.get(&leg).map_or_else(|| leg.to_string(), |name| name.connector.to_string())
    }
}

/// Lays out the hops of one row.
pub(super) fn hops(
    conversation: ConversationId,
    (row, at): (u64, Timestamp),
    journal: &Journal,
    names: &Names,
    with_words: bool,
) -> Vec<Hop> {
    let mut told = Told { conversation, row, at, names, with_words, seen: &journal.seen, hops: Vec::new() };
    for event in &journal.events {
        told.event(event, journal.effects.is_empty());
    }
    for effect in &journal.effects {
        told.effect(effect);
    }
    for changed in &journal.changes {
        told.tell("fitted", format!("for {}: {}", names.leg(changed.leg), changed.change));
    }
    told.hops
}

struct Told<'a> {
    conversation: ConversationId,
    row: u64,
    at: Timestamp,
    names: &'a Names,
    with_words: bool,
    seen: &'a [Seen],
    hops: Vec<Hop>,
}

impl Told<'_> {
    fn tell(&mut self, what: &str, text: impl Into<String>) {
        self.tell_words(what, text, Vec::new());
    }

    fn tell_words(&mut self, what: &str, text: impl Into<String>, words: Vec<String>) {
        let characters = words.iter().map(|words| words.chars().count()).sum();
        self.hops.push(Hop {
            at_ms: self.at.0,
            conversation: self.conversation.to_string(),
            row: self.row,
            what: what.to_owned(),
            text: text.into(),
            words: if self.with_words { words } else { Vec::new() },
            characters,
        });
    }

    fn event(&mut self, event: &Event, is_idle: bool) {
        let names = self.names;
        match event {
            Event::Said(said) => self.said(said),
            Event::Accepted { seat, turn } => {
                self.tell("taken", format!("{} took {turn} and answers it by a callback", names.bot(*seat)));
            }
            Event::Answered { seat, turn, answer } => {
                self.answer("answered", format!("{}: {turn}", names.bot(*seat)), answer);
            }
            Event::Failed { seat, turn, failure } => {
                let seen = self.seen.iter().find(|seen| seen.seat == *seat && seen.turn == *turn);
                let seen = seen.map(|seen| format!(" ({})", seen.what)).unwrap_or_default();
                self.tell("failed", format!("{}: {turn}, {}{seen}", names.bot(*seat), failure.word()));
            }
            Event::Pushed { seat, answer } => {
                self.answer("spoke", format!("{}, without having been asked", names.bot(*seat)), answer);
            }
            Event::Settled { leg, push, outcome } => {
                let what = if *outcome == PushOutcome::Delivered { "delivered" } else { "undelivered" };
                self.tell(what, format!("{push} to {}: {}", names.leg(*leg), push_outcome(*outcome)));
            }
            Event::ReplyOut { request, at } => {
                let now = std::mem::replace(&mut self.at, *at);
                self.tell("sent", format!("the response to {request} left"));
                self.at = now;
            }
            Event::ReplyAborted { request } => {
                self.tell("in doubt", format!("the client of {request} went away; its response may not have arrived"));
            }
            Event::Refused { request } => {
                self.tell(
                    "refused",
                    format!("{request} got the constant refusal, because nothing was decided in time"),
                );
            }
            Event::TimePassed if is_idle => {}
            Event::TimePassed => self.tell("time", "something is due"),
            Event::Draining => self.tell("stopping", "the process stops; open waits end now"),
            Event::FloorSeen { holder } => {
                self.tell("seen", format!("the platform showed who holds the floor: {}", in_words(*holder)));
            }
            Event::EndedByOperator => self.tell("operator", "an operator ends the conversation"),
            Event::HandedOverByOperator { bot, .. } => {
                self.tell("operator", format!("an operator takes {bot} out of service; a human shall take over"));
            }
            Event::Redriven { seat, part } => {
                let words = said_in(std::slice::from_ref(part.as_ref()));
                self.tell_words("operator", format!("an operator sends again: {}", self.part(*seat, part)), words);
            }
        }
    }

    fn said(&mut self, said: &Said) {
        let request = said.request.map_or_else(|| "a redriven message".to_owned(), |request| request.to_string());
        let how = match (&said.poll, &said.input) {
            (Some(Poll::Number(number)), _) => format!("fetches late answer {number}"),
            (Some(Poll::Any), _) => "fetches a late answer".to_owned(),
            (None, model::Input::Text(_)) => "says".to_owned(),
            (None, model::Input::Choice { .. }) => "taps".to_owned(),
            (None, model::Input::Start) => "has come, and the flow opens the conversation".to_owned(),
        };
        let words = match &said.input {
            model::Input::Start => Vec::new(),
            model::Input::Text(_) | model::Input::Choice { .. } => vec![said.input.shown().to_owned()],
        };
        let LegName { connector, session } = &said.leg;
        let mut text = format!(
            "{request} by {connector}, session {session}, for {} ({}): the customer {how}",
            said.bot, said.language
        );
        if !said.masked.is_empty() {
            let kinds: Vec<String> =
                said.masked.iter().map(|masked| format!("{} {}", masked.count, masked.kind.word())).collect();
            text += &format!("; masked: {}", kinds.join(", "));
        }
        self.tell_words("came in", text, words);
    }

    fn answer(&mut self, what: &str, mut text: String, answer: &Answer) {
        text += match answer.next {
            Next::Await => "; the customer's turn",
            Next::More => "; more follows",
            Next::HandOver(_) => "; asks for a human",
            Next::End => "; ends",
        };
        if let Next::HandOver(hand_over) = &answer.next {
            text += &format!(" ({})", hand_over.reason);
        }
        if let Some(intent) = &answer.intent {
            text += &format!("; intent {}", intent.name);
        }
        if !answer.slots.is_empty() {
            let slots: Vec<&str> = answer.slots.keys().map(String::as_str).collect();
            text += &format!("; slots {}", slots.join(", "));
        }
        if let Some(Usage { input_tokens, output_tokens }) = answer.usage {
            text += &format!("; {input_tokens} tokens read, {output_tokens} written");
        }
        self.tell_words(what, text, shown(&answer.items));
    }

    fn effect(&mut self, effect: &Effect) {
        let names = self.names;
        match effect {
            Effect::Ask(ask) => {
                let within = seconds(ask.time_ms);
                self.tell("asked", format!("{}: {}, answer wanted within {within}", ask.bot, ask.turn));
            }
            Effect::WithdrawAsk { seat, turn } => {
                self.tell("withdrawn", format!("the question to {}: {turn}", names.bot(*seat)));
            }
            Effect::Notify(notice) => {
                let news = match notice.news {
                    News::Opened => "it opened",
                    News::Ended => "it ended",
                    News::HandedOver => "a human takes over",
                    News::Returned => "it came back",
                };
                self.tell("notified", format!("{}: {news}", notice.bot));
            }
            Effect::Seal { request, leg, reply } => self.seal(&format!("{request} on {}", names.leg(*leg)), reply),
            Effect::SealSame { request, of } => {
                self.tell("replied", format!("{request} gets the same bytes as {of}"));
            }
            Effect::Push(push) => {
                let parts: Vec<String> = push.parts.iter().map(|part| self.part(push.seat, part)).collect();
                let text = format!("{} to {}: {}", push.number, names.leg(push.leg), parts.join(", "));
                self.tell_words("pushed", text, said_by_policy(&push.parts));
            }
            Effect::WithdrawPushes { leg, pushes } => {
                let pushes: Vec<String> = pushes.iter().map(ToString::to_string).collect();
                self.tell("withdrawn", format!("{} to {}", pushes.join(", "), names.leg(*leg)));
            }
            Effect::Bury { seat, part, reason } => {
                self.tell("dead letter", format!("{}: {}", self.part(*seat, part), reason.word()));
            }
            Effect::Record(fact) => self.fact(fact),
        }
    }

    fn seal(&mut self, to: &str, reply: &Reply) {
        let turns = |parts: &[Part]| -> String {
            let turns: Vec<String> = parts.iter().map(part_name).collect();
            if turns.is_empty() { String::new() } else { format!(" with {}", turns.join(", ")) }
        };
        match reply {
            Reply::Parts(parts) if parts.is_empty() => {
                self.tell("acknowledged", format!("{to}: nothing is said yet, the answer comes later"));
            }
            Reply::Parts(parts) => {
                let ends = match parts.last().map(|part| &part.outcome) {
                    Some(Outcome::Done) => "; the session ends",
                    Some(Outcome::HandOver(_)) => "; the flow shall bring a human",
                    Some(Outcome::Open) | None => "",
                };
                self.tell_words("replied", format!("{to}{}{ends}", turns(parts)), said_by_policy(parts));
            }
            Reply::Holding { parts, line, button } => {
                let button = button.as_ref().map(|button| format!(", with button {}", button.poll)).unwrap_or_default();
                let mut words = said_by_policy(parts);
                words.extend(line.clone());
                self.tell_words("held off", format!("{to}{}: a line to wait by{button}", turns(parts)), words);
            }
            Reply::Pending { parts, poll } => {
                let text = format!("{to}{}: the flow shall come back for late answer {poll}", turns(parts));
                self.tell_words("held off", text, said_by_policy(parts));
            }
            Reply::Failed { code } => self.tell("replied", format!("{to}: failed, {code}")),
            Reply::Refused => self.tell("refused", format!("{to}: too much is open")),
        }
    }

    fn part(&self, seat: SeatId, part: &Part) -> String {
        format!("{} of {}", part_name(part), self.names.bot(seat))
    }

    fn fact(&mut self, fact: &Fact) {
        let names = self.names;
        let turn = |seat: SeatId, turn: TurnNumber| format!("{}: {turn}", names.bot(seat));
        match fact {
            Fact::Floor(floor) => {
                let because = floor.evidence.word().replace('_', " ");
                self.tell("floor", format!("{}, because: {because}", in_words(floor.holder)));
            }
            Fact::FellBack { seat, turn: number, failure } => {
                let text = format!("{}: the policy answers, {}", turn(*seat, *number), failure.word());
                self.tell("fell back", text);
            }
            Fact::StaleAnswer { seat, turn: number } => {
                self.tell("too late", format!("{}: nobody wants this answer any more", turn(*seat, *number)));
            }
            Fact::Blank => self.tell("blank", "nothing was said, so nobody is asked"),
            Fact::EmptyPoll => self.tell("nothing yet", "there is no late answer to fetch"),
            Fact::Joined { request, to } => self.tell("joined", format!("{request} repeats {to} and gets its answer")),
            Fact::Unasked { seat, turn: number } => {
                self.tell("not asked", format!("{}: the session ended before", turn(*seat, *number)));
            }
            Fact::PossibleDuplicate { leg } => {
                self.tell("in doubt", format!("what may have reached {} goes out again", names.leg(*leg)));
            }
            Fact::TakenAsDelivered { leg } => {
                let text =
                    format!("the customer went on, so the last reply to {} counts as delivered", names.leg(*leg));
                self.tell("delivered", text);
            }
            Fact::PushEnded { leg, push, outcome } => {
                self.tell("undelivered", format!("{push} to {}: {}", names.leg(*leg), push_outcome(*outcome)));
            }
            Fact::LegEnded { leg, evidence } => {
                let because = evidence.word().replace('_', " ");
                self.tell("session over", format!("{}, because: {because}", names.leg(*leg)));
            }
            Fact::OutOfService { seat, turn: number } => {
                self.tell("not asked", format!("{}: the bot is out of service", turn(*seat, *number)));
            }
            Fact::Greeted { seat, turn: number } => {
                self.tell("greeted", format!("{}: the configured greeting, no engine is asked", turn(*seat, *number)));
            }
            Fact::NotOpened { seat } => {
                let why = "the conversation is open already, or the customer speaks first";
                self.tell("not opened", format!("{}: {why}", names.bot(*seat)));
            }
            Fact::Merged { seat, turn: number } => {
                self.tell("merged", format!("{}: with the message that waits", turn(*seat, *number)));
            }
            Fact::TurnLimit => self.tell("limit", "the conversation has as many turns as it may have"),
            Fact::HoldingLimit => self.tell("limit", "the customer was asked to wait as often as allowed"),
            // Its words stand where they leave.
            Fact::PolicySaid { .. } => {}
            Fact::Cut { seat, cuts } => {
                let cuts: Vec<&str> = cuts.iter().map(|cut| cut_in_words(*cut)).collect();
                self.tell("cut", format!("{}: {}", names.bot(*seat), cuts.join(", ")));
            }
            Fact::Redriven => self.tell("operator", "the answer is on its way again"),
            Fact::RedriveRefused { reason } => {
                self.tell("operator", format!("the answer stays a dead letter: {}", reason.word()));
            }
            Fact::PushRefused { reason } => {
                self.tell("not said", format!("the bot may not speak now: {}", reason.word()));
            }
            Fact::Nothing => self.tell("nothing", "it came too late, or names something that is not there"),
        }
    }
}

fn part_name(part: &Part) -> String {
    let by = if part.by_policy { " by the policy" } else { "" };
    match part.turn {
        Some(turn) => format!("{turn} part {}{by}", part.number),
        None => format!("own message {}{by}", part.number),
    }
}

fn shown(items: &[Item]) -> Vec<String> {
    let shown = |item: &Item| match item {
        Item::Text(text) => text.clone(),
        Item::Choices(choices) => {
            let options: Vec<&str> = choices.options.iter().map(|option| option.label.as_str()).collect();
            format!("{} [{}]", choices.prompt, options.join(" | ")).trim_start().to_owned()
        }
        other => other.plain().into_owned(),
    };
    items.iter().map(shown).collect()
}

fn said_in(parts: &[Part]) -> Vec<String> {
    parts.iter().flat_map(|part| shown(&part.items)).collect()
}

/// What the bot said stands where it answered; what the policy says has no other place.
fn said_by_policy(parts: &[Part]) -> Vec<String> {
    parts.iter().filter(|part| part.by_policy).flat_map(|part| shown(&part.items)).collect()
}

/// Who may speak, in words.
pub(super) const fn in_words(holder: Holder) -> &'static str {
    match holder {
        Holder::Bot => "the bot's",
        Holder::HandingOver => "a human was asked for",
        Holder::Queued => "the customer waits for a human",
        Holder::Human => "a human's",
        Holder::Ended => "nobody's, it is over",
    }
}

const fn push_outcome(outcome: PushOutcome) -> &'static str {
    match outcome {
        PushOutcome::Delivered => "the platform took it",
        PushOutcome::SessionClosed => "the platform says that the session is closed",
        PushOutcome::Rejected => "the platform refused it for good",
        PushOutcome::GaveUp => "it was tried as often as allowed",
        PushOutcome::OutcomeUnknown => "nobody knows whether it arrived, and it must not be sent twice",
    }
}

/// What an engine's limits cut, in words.
pub(crate) const fn cut_in_words(cut: Cut) -> &'static str {
    match cut {
        Cut::Items => "items or cards past the limit",
        Cut::Text => "a text was shortened",
        Cut::Choices => "choices or buttons past the limit",
        Cut::ControlCharacters => "control characters",
        Cut::Degraded => "an item became its fallback text",
        Cut::Dropped => "an item had nothing to show",
        Cut::Values => "a slot or attribute was shortened or left out",
        Cut::EngineState => "the engine's state was too large; the earlier one stays",
        Cut::Addresses => "an address that nobody can open",
    }
}

fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { format!("{} s", ms / 1_000) } else { format!("{ms} ms") }
}
