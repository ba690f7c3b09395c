//! Values with every member filled and every variant present.

use std::collections::{BTreeMap, VecDeque};

use conversation::{
    BotPolicy, Conversation, Gathering, Leg, OnFailure, OpenRequest, Opening, Policies, Seat, Session, Texts, Turn,
    Unconfirmed, UnderWay, Waiting, Wants, Wording,
};
use model::{
    Answer, Ask, Attributes, BotKey, Button, Card, Carousel, Channel, Choice, Choices, ConnectorKey, Cut, Door, Effect,
    Event, Evidence, Fact, Failure, Floor, HandOver, Holder, Input, Intent, Item, Late, LegId, LegName, Masked, Media,
    MediaKind, News, Next, Notice, Opaque, Outcome, Part, Poll, PollButton, PollNumber, Push, PushNumber, PushOutcome,
    Reply, RequestId, Said, SeatId, SeatKind, Sensitive, SlotValue, Slots, Tap, Timestamp, TurnNumber, Undelivered,
    Usage,
};

use crate::fit::{Basis, Change, Confidence, Source, What};
use crate::stored::{Changed, Seen};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

const HOLDERS: [Holder; 5] = [Holder::Bot, Holder::HandingOver, Holder::Queued, Holder::Human, Holder::Ended];
const EVIDENCE: [Evidence; 11] = [
    Evidence::Opened,
    Evidence::Returned,
    Evidence::BotHandedOver,
    Evidence::PolicyHandedOver,
    Evidence::OutOfService,
    Evidence::BotEnded,
    Evidence::SessionExpired,
    Evidence::FollowUpExpired,
    Evidence::PlatformClosed,
    Evidence::Notified,
    Evidence::Operator,
];
const FAILURES: [Failure; 8] = [
    Failure::Unreachable,
    Failure::TimedOut,
    Failure::Refused,
    Failure::Unavailable,
    Failure::Nonsense,
    Failure::OutcomeUnknown,
    Failure::Internal,
    Failure::NoBot,
];
const UNDELIVERED: [Undelivered; 8] = [
    Undelivered::SessionEnded,
    Undelivered::SessionClosed,
    Undelivered::Rejected,
    Undelivered::GaveUp,
    Undelivered::OutcomeUnknown,
    Undelivered::FloorTaken,
    Undelivered::Superseded,
    Undelivered::TooMuchHeld,
];
const PUSH_OUTCOMES: [PushOutcome; 5] = [
    PushOutcome::Delivered,
    PushOutcome::SessionClosed,
    PushOutcome::Rejected,
    PushOutcome::GaveUp,
    PushOutcome::OutcomeUnknown,
];
const CUTS: [Cut; 9] = [
    Cut::Items,
    Cut::Text,
    Cut::Choices,
    Cut::ControlCharacters,
    Cut::Degraded,
    Cut::Dropped,
    Cut::Values,
    Cut::EngineState,
    Cut::Addresses,
];

pub(super) fn seat_1() -> SeatId {
    SeatId(1)
}

pub(super) fn reason() -> Undelivered {
    Undelivered::FloorTaken
}

fn attributes() -> Attributes {
    [("", "no name"), ("Kunde", "Jürgen \"J\" Ö\\\n"), ("tier", "")]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

fn slots() -> Slots {
    BTreeMap::from([
        ("date".into(), SlotValue::One("2026-01-01".into())),
        ("empty".into(), SlotValue::Many(Vec::new())),
        ("sizes".into(), SlotValue::Many(vec!["S".into(), "M".into()])),
    ])
}

fn items() -> Vec<Item> {
    let options = [("Yes", "y"), ("No \u{1f642}", "")];
    let mut options = options.map(|(label, value)| Choice::new(label, value));
    options[0].image = Some("https://a.example/y.png".into());
    let options = options.into();
    vec![
        Item::text("Hello \u{0001}\u{2028}world"),
        Item::Choices(Choices { prompt: "Sure?".into(), options }),
        Item::Choices(Choices { prompt: String::new(), options: Vec::new() }),
        Item::Markdown("**bold**".into()),
        Item::Card(card()),
        Item::Card(Card::default()),
        Item::Carousel(Carousel {
            prompt: Some("Which?".into()),
            cards: vec![card(), Card::default()],
            fallback: Some("two".into()),
        }),
        Item::Carousel(Carousel::default()),
        Item::Media(media()),
        Item::Media(Media {
            kind: MediaKind::File,
            name: None,
            mime: None,
            size_bytes: None,
            caption: None,
            fallback: None,
            ..media()
        }),
    ]
}

fn card() -> Card {
    let button = |label: &str, tap| Button { label: label.into(), tap };
    Card {
        title: "Standard".into(),
        description: Some("Up to 5 users".into()),
        image: Some("https://a.example/s.png".into()),
        video: Some("https://a.example/s.mp4".into()),
        tap: Some(Tap::Link("https://a.example".into())),
        buttons: vec![
            button("Choose", Tap::Postback("plan:s".into())),
            button("More", Tap::Link("https://a.example/s".into())),
        ],
        fallback: Some("Standard plan".into()),
    }
}

fn media() -> Media {
    Media {
        kind: MediaKind::Image,
        url: "https://a.example/l.png".into(),
        name: Some("l.png".into()),
        mime: Some("image/png".into()),
        size_bytes: Some(1 << 40),
        caption: Some("Your label".into()),
        fallback: Some("a label".into()),
    }
}

fn masked() -> Vec<Masked> {
    Sensitive::ALL.into_iter().zip(1..).map(|(kind, count)| Masked { kind, count }).collect()
}

fn hand_over() -> HandOver {
    HandOver { reason: "asked".into(), note: Some("wants a refund".into()) }
}

fn intent() -> Intent {
    Intent { name: "book".into(), confidence_permille: Some(1000) }
}

/// A part with everything.
pub(super) fn part() -> Part {
    Part {
        turn: Some(TurnNumber(4)),
        number: 2,
        items: items(),
        outcome: Outcome::HandOver(hand_over()),
        intent: Some(intent()),
        slots: slots(),
        attributes: attributes(),
        by_policy: true,
    }
}

/// A part with as little as possible.
fn bare_part() -> Part {
    Part {
        turn: None,
        number: 1,
        items: Vec::new(),
        outcome: Outcome::Open,
        intent: None,
        slots: Slots::new(),
        attributes: Attributes::new(),
        by_policy: false,
    }
}

fn done_part() -> Part {
    let intent = Some(Intent { name: String::new(), confidence_permille: None });
    Part { outcome: Outcome::Done, intent, ..bare_part() }
}

fn answer(next: Next) -> Answer {
    Answer {
        items: items(),
        next,
        intent: Some(intent()),
        slots: slots(),
        attributes: attributes(),
        engine_state: Some(Opaque(vec![0, 255, 128])),
        cuts: CUTS.into(),
        usage: Some(Usage { input_tokens: 812, output_tokens: 44 }),
    }
}

fn door(late: Late) -> Door {
    Door {
        late,
        join_identical_ms: 3_000,
        retry_window_ms: 15_000,
        push_after_ack_ms: 100,
        follow_up_ms: 21_600_000,
        merge_quiet_ms: 700,
        merge_max_ms: 5_000,
    }
}

fn no_door(late: Late) -> Door {
    Door {
        late,
        join_identical_ms: 0,
        retry_window_ms: 0,
        push_after_ack_ms: 0,
        follow_up_ms: 0,
        merge_quiet_ms: 0,
        merge_max_ms: 0,
    }
}

fn leg_name(session: &str) -> LegName {
    LegName { connector: ConnectorKey::from("contact-centre"), session: session.into() }
}

fn tapped() -> Input {
    Input::Choice { label: "Yes".into(), payload: "y".into() }
}

/// A message with everything.
pub(super) fn said() -> Event {
    Event::Said(Box::new(Said {
        request: Some(RequestId(u64::MAX)),
        wait_until: NOW + 8_000,
        leg: leg_name("5f3c2a9e-0b7d-4c54-9d5e-0d9f4a1c7b11"),
        door: door(Late::Push),
        bot: BotKey::from("orders"),
        fresh_session: 0x0192_f0c1_7a4b_7000_8000_0000_0000_0001,
        input: Input::Text("I want my money back".into()),
        language: "en-us".into(),
        parameters: attributes(),
        session_lifetime_ms: 259_200_000,
        address: Opaque(b"https://api.example".to_vec()),
        body_hash: u64::MAX,
        poll: Some(Poll::Number(PollNumber(7))),
        channel: Some(Channel::WhatsApp),
        customer: Some("c-991".into()),
        masked: masked(),
    }))
}

fn bare_said() -> Event {
    Event::Said(Box::new(Said {
        request: None,
        wait_until: Timestamp(i64::MIN),
        leg: leg_name(""),
        door: no_door(Late::PollButton),
        bot: BotKey::from(""),
        fresh_session: 0,
        input: tapped(),
        language: String::new(),
        parameters: Attributes::new(),
        session_lifetime_ms: 0,
        address: Opaque::default(),
        body_hash: 0,
        poll: Some(Poll::Any),
        channel: None,
        customer: None,
        masked: Vec::new(),
    }))
}

/// Policies of two bots: one with everything, one with as little as possible.
pub(super) fn policies() -> Policies {
    let silent = Texts { greeting: None, holding: None, hand_over: None, ..Texts::default() };
    let texts = Texts { holding: Some("Einen Moment".into()), ..silent.clone() };
    let full = BotPolicy {
        on_failure: OnFailure::Say,
        notify: vec![News::Opened, News::Ended, News::HandedOver, News::Returned],
        texts: Wording { languages: [("de".to_owned(), texts)].into(), otherwise: Texts::default() },
        opening: Opening::Engine,
        channel: Some(Channel::Open),
        mask: Sensitive::ALL.into(),
        ..BotPolicy::default()
    };
    let bare = BotPolicy { texts: silent.into(), opening: Opening::Silent, ..BotPolicy::default() };
    Policies {
        revision: 7,
        bots: [(BotKey::from("bookings"), bare), (BotKey::from("orders"), full)].into(),
        fallback: BotPolicy::default(),
        out_of_service: [(BotKey::from("orders"), "it says nonsense".to_owned())].into(),
    }
}

/// Every event.
pub(super) fn events() -> Vec<Event> {
    let (seat, turn, request) = (SeatId(0), TurnNumber(3), RequestId(9));
    let mut events = vec![said(), bare_said(), Event::Accepted { seat, turn }];
    for next in [Next::Await, Next::More, Next::HandOver(hand_over()), Next::HandOver(HandOver::default()), Next::End] {
        events.push(Event::Answered { seat, turn, answer: Box::new(answer(next)) });
    }
    events.extend(FAILURES.map(|failure| Event::Failed { seat, turn, failure }));
    events.push(Event::Pushed { seat, answer: Box::new(Answer::saying(Vec::new())) });
    events.extend(PUSH_OUTCOMES.map(|outcome| Event::Settled { leg: LegId(2), push: PushNumber(5), outcome }));
    events.extend([
        Event::ReplyOut { request, at: NOW },
        Event::ReplyAborted { request },
        Event::Refused { request },
        Event::TimePassed,
        Event::Draining,
    ]);
    events.extend(HOLDERS.map(|holder| Event::FloorSeen { holder }));
    events.push(Event::EndedByOperator);
    events.push(Event::HandedOverByOperator { bot: BotKey::from("orders"), reason: "it says nonsense".into() });
    events.push(Event::Redriven { seat, part: Box::new(part()) });
    events
}

/// Every effect.
pub(super) fn effects() -> Vec<Effect> {
    let (seat, turn, leg, request) = (SeatId(0), TurnNumber(3), LegId(2), RequestId(9));
    let mut effects = vec![Effect::Ask(Box::new(ask())), Effect::Ask(Box::new(bare_ask()))];
    effects.push(Effect::WithdrawAsk { seat, turn });
    effects.extend([News::Opened, News::Ended, News::HandedOver, News::Returned].map(|news| {
        Effect::Notify(Box::new(Notice { seat, bot: BotKey::from("orders"), number: 3, engine_session: 1, news }))
    }));
    effects.extend(replies().into_iter().map(|reply| Effect::Seal { request, leg, reply }));
    effects.push(Effect::SealSame { request, of: RequestId(8) });
    effects.push(Effect::Push(Box::new(Push {
        seat,
        leg,
        number: PushNumber(6),
        parts: vec![bare_part(), part()],
        not_before: NOW + 100,
        expires: NOW + 259_200_000,
    })));
    effects.push(Effect::WithdrawPushes { leg, pushes: vec![PushNumber(6), PushNumber(7)] });
    effects.extend(UNDELIVERED.map(|reason| Effect::Bury { seat, part: Box::new(done_part()), reason }));
    effects.extend(facts().into_iter().map(Effect::Record));
    effects
}

fn ask() -> Ask {
    Ask {
        seat: SeatId(0),
        bot: BotKey::from("orders"),
        turn: TurnNumber(4),
        engine_session: u128::MAX,
        visit: 1,
        is_first: true,
        input: Input::Text("hello".into()),
        language: "de-de".into(),
        channel: Some(Channel::Sms),
        customer: Some("c-991".into()),
        context: attributes(),
        engine_state: Some(Opaque(b"state".to_vec())),
        hard_deadline: NOW + 60_000,
        time_ms: 60_000,
    }
}

fn bare_ask() -> Ask {
    Ask {
        engine_session: 0,
        visit: 0,
        is_first: false,
        input: tapped(),
        language: String::new(),
        channel: None,
        customer: None,
        context: Attributes::new(),
        engine_state: None,
        ..ask()
    }
}

fn replies() -> Vec<Reply> {
    let button = Some(PollButton { label: "OK".into(), poll: PollNumber(2) });
    vec![
        Reply::Parts(vec![part(), done_part()]),
        Reply::Parts(Vec::new()),
        Reply::Holding { parts: vec![bare_part()], line: Some("one moment".into()), button },
        Reply::Holding { parts: Vec::new(), line: None, button: None },
        Reply::Pending { parts: vec![bare_part()], poll: PollNumber(2) },
        Reply::Pending { parts: Vec::new(), poll: PollNumber(0) },
        Reply::Failed { code: "conversation.too_many_bots" },
        Reply::Failed { code: "conversation.too_many_sessions" },
        Reply::Refused,
    ]
}

fn facts() -> Vec<Fact> {
    let (seat, turn, leg) = (SeatId(0), TurnNumber(3), LegId(2));
    let mut facts = vec![
        Fact::Floor(Floor { holder: Holder::Human, since: NOW, evidence: Evidence::Notified }),
        Fact::StaleAnswer { seat, turn },
        Fact::OutOfService { seat, turn },
        Fact::Greeted { seat, turn },
        Fact::NotOpened { seat },
        Fact::Merged { seat, turn },
        Fact::Blank,
        Fact::EmptyPoll,
        Fact::Joined { request: RequestId(9), to: RequestId(8) },
        Fact::Unasked { seat, turn },
        Fact::PossibleDuplicate { leg },
        Fact::TakenAsDelivered { leg },
        Fact::TurnLimit,
        Fact::HoldingLimit,
        Fact::PolicySaid { seat, text: "One moment.".into() },
        Fact::Cut { seat, cuts: CUTS.into() },
        Fact::Redriven,
        Fact::RedriveRefused { reason: Undelivered::SessionEnded },
        Fact::PushRefused { reason: Undelivered::FloorTaken },
        Fact::Nothing,
    ];
    facts.extend(FAILURES.map(|failure| Fact::FellBack { seat, turn, failure }));
    facts.extend(PUSH_OUTCOMES.map(|outcome| Fact::PushEnded { leg, push: PushNumber(1), outcome }));
    facts.extend(EVIDENCE.map(|evidence| Fact::LegEnded { leg, evidence }));
    facts
}

/// Three seats and three legs: one of each with everything, the others with as little as possible.
pub(super) fn state() -> Conversation {
    Conversation {
        now: NOW,
        floor: Floor { holder: Holder::Bot, since: NOW, evidence: Evidence::Returned },
        seats: vec![full_seat(), bare_seat(1, SeatKind::Whisper), bare_seat(2, SeatKind::Listener)],
        legs: vec![full_leg(), bare_leg(1, Late::PollButton), bare_leg(2, Late::PendingFlow)],
        next_leg: 3,
        turns: 5,
        customer: Some("c-991".into()),
    }
}

fn full_seat() -> Seat {
    let gathers = Some(Gathering { until: NOW + 700, latest: NOW + 5_000 });
    let waiting = [(tapped(), None), (Input::Start, None), (Input::Text("and now?".into()), gathers)];
    let waiting = waiting.into_iter().zip(5..).map(|((input, gathers), number)| Waiting {
        number: TurnNumber(number),
        input,
        language: "en-us".into(),
        gathers,
    });
    Seat {
        visits: 2,
        last_turn: 7,
        last_own_part: 3,
        last_notice: 4,
        last_poll: PollNumber(7),
        asked_in_visit: true,
        session: Some(Session { leg: LegId(0), follow_up: Some(NOW + 60_000), holding: 1, begun: true }),
        turn: Some(Turn {
            number: TurnNumber(4),
            hard_deadline: NOW + 60_000,
            parts: 2,
            accepted: true,
            language: "de-at".into(),
            is_opening: true,
        }),
        language: "de-at".into(),
        waiting: waiting.collect(),
        attributes: attributes(),
        engine_state: Some(Opaque(vec![1, 2, 3, 4])),
        engine_session: u128::MAX,
        ..bare_seat(0, SeatKind::Front)
    }
}

fn bare_seat(id: u8, kind: SeatKind) -> Seat {
    Seat {
        id: SeatId(id),
        kind,
        bot: BotKey::from("orders"),
        engine_session: u128::from(id),
        visits: 0,
        last_turn: 0,
        last_own_part: 0,
        last_notice: 0,
        last_poll: PollNumber(0),
        asked_in_visit: false,
        language: String::new(),
        session: None,
        turn: None,
        waiting: VecDeque::new(),
        attributes: Attributes::new(),
        engine_state: None,
    }
}

fn full_leg() -> Leg {
    let open = [Wants::Turn(TurnNumber(4)), Wants::Poll, Wants::Whatever].into_iter().zip(20..).map(|(wants, id)| {
        let joined = vec![RequestId(id + 10), RequestId(id + 20)];
        OpenRequest { id: RequestId(id), joined, wait_until: NOW, wants, body_hash: id << 57, gone: true }
    });
    let (request, until) = (RequestId(50), NOW + 15_000);
    let sealed = Unconfirmed {
        request,
        joined: vec![RequestId(51)],
        parts: vec![bare_part(), part()],
        until,
        aborted: Some(NOW),
        body_hash: 1,
    };
    let bare = Unconfirmed { request, joined: Vec::new(), parts: Vec::new(), until, aborted: None, body_hash: 0 };
    Leg {
        door: door(Late::Push),
        address: Opaque(b"https://api.example".to_vec()),
        memory: Opaque((0..=255).collect()),
        channel: Some(Channel::WebMessaging),
        offered: vec![Choice::new("Red", "r"), Choice::new("Blue", "b")],
        closed: Some(Evidence::PlatformClosed),
        comes_back: true,
        open: open.collect(),
        unconfirmed: vec![sealed, bare],
        held: vec![bare_part(), done_part()],
        pushes: vec![UnderWay { number: PushNumber(3), parts: vec![part()] }],
        last_push: PushNumber(3),
        push_not_before: NOW + 100,
        ..bare_leg(0, Late::Push)
    }
}

fn bare_leg(id: u32, late: Late) -> Leg {
    Leg {
        id: LegId(id),
        name: leg_name(&format!("session-{id}")),
        seat: SeatId(0),
        door: no_door(late),
        address: Opaque::default(),
        memory: Opaque::default(),
        channel: None,
        offered: Vec::new(),
        expires: NOW + 259_200_000,
        closed: None,
        comes_back: false,
        open: Vec::new(),
        unconfirmed: Vec::new(),
        held: Vec::new(),
        pushes: Vec::new(),
        last_push: PushNumber(0),
        push_not_before: Timestamp(0),
    }
}

/// Every kind of change, with every source and every degree of confidence.
pub(super) fn seen() -> Vec<Seen> {
    vec![Seen { seat: SeatId(1), turn: TurnNumber(7), what: "HTTP 401".to_owned() }]
}

pub(super) fn changes() -> Vec<Changed> {
    let bases = Source::ALL.into_iter().zip(Confidence::ALL.into_iter().cycle());
    let bases = bases.map(|(source, confidence)| Basis { source, confidence }).cycle();
    let changes = What::all().zip(bases).zip(0..);
    changes
        .map(|((what, basis), item)| Changed {
            leg: LegId(3),
            change: Change { item, what, found: item * 7, limit: item % 3, basis },
        })
        .collect()
}
