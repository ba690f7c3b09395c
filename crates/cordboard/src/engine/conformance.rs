//! What every engine must do, tested the same way for each. A new engine adds a [`Subject`]: how to make it, and what its
//! bot platform would answer in each [`Situation`].

mod subjects;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use model::{
    Answer, Ask, BotKey, Card, Carousel, Choices, Cut, Failure, HandOver, Input, Item, News, Next, Notice, Opaque,
    SeatId, SlotValue, Tap, Timestamp, TurnNumber,
};
use proptest::prelude::*;

use super::{Asking, Engine, History, Limits, Reading, Replay, Speaker, Utterance};
use crate::http as calls;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const NEWS: [News; 4] = [News::Opened, News::Ended, News::HandedOver, News::Returned];

/// One engine under test.
struct Subject {
    make: fn(Limits) -> Arc<dyn Engine>,
    /// What its platform answers over HTTP; engines that answer inside the process find the situation in the input.
    platform: fn(Situation) -> calls::Reply,
    /// Whether it gives us a state to keep.
    keeps_state: bool,
}

/// What the bot behind the engine does. The customer says its name.
#[derive(Clone, Copy, Debug)]
enum Situation {
    /// It says `Hello`.
    Hello,
    /// It says a text of 100 letters and a control character, then three short ones.
    Babble,
    /// It says `Bye`, and that it is done, with the intent `Done` and the slot `number` = `42`.
    Ends,
    /// It says `Wait`, and asks for a human because of `asked`, with the note `be kind`.
    HandsOver,
    /// It has no time now.
    Busy,
    /// It refuses the turn.
    Refuses,
    /// What it answers cannot be read.
    Nonsense,
    /// It wants another call, and again another, where its platform knows such a thing; else it says `Hello`.
    GoesOn,
}

const SITUATIONS: [Situation; 8] = [
    Situation::Hello,
    Situation::Babble,
    Situation::Ends,
    Situation::HandsOver,
    Situation::Busy,
    Situation::Refuses,
    Situation::Nonsense,
    Situation::GoesOn,
];

macro_rules! every_engine {
    ($($engine:ident: $tests:tt;)*) => { $(mod $engine { every_engine!(@ $engine $tests); })* };
    (@ $engine:ident [$($test:ident,)*]) => { $(#[test] fn $test() { super::$test(&super::subjects::$engine()); })* };
}
macro_rules! suite {
    ($($engine:ident),*) => {
        every_engine! { $($engine: [
            questions_and_calls_are_the_same_every_time,
            traits_are_honest,
            answers_and_signals_are_read,
            failures_say_whether_to_ask_again,
            limits_hold_and_are_reported,
            state_comes_back,
            hostile_replies_are_read_without_harm,
            any_reply_is_read_without_harm,
            what_was_said_is_told_or_left_out,
            an_attempt_comes_to_an_end,
            replies_mean_the_same_while_they_come,
        ];)* }
    };
}
suite!(script, webhook, connector_v1, connector_v2, chat_completions, responses);

fn reply(status: u16, body: impl Into<Bytes>) -> calls::Reply {
    calls::Reply { status, headers: HeaderMap::new(), body: body.into() }
}

/// Whether bytes are a part of others.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

/// What a customer reads where nothing but text can be shown.
fn words(answer: &Answer) -> Vec<&str> {
    let texts = answer.items.iter().map(|item| match item {
        Item::Text(text) | Item::Markdown(text) => text.as_str(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}

fn ask(input: Input) -> Ask {
    Ask {
        seat: SeatId(0),
        bot: BotKey::from("bot"),
        turn: TurnNumber(3),
        engine_session: 0x0190_0000_0000_7000_8000_0000_0000_0001,
        visit: 1,
        is_first: false,
        input,
        language: "de-de".into(),
        channel: None,
        customer: None,
        context: [("name".into(), "Mia".into())].into(),
        engine_state: None,
        hard_deadline: NOW + 20_000,
        time_ms: 20_000,
    }
}

fn notice(news: News) -> Notice {
    Notice { seat: SeatId(0), bot: BotKey::from("bot"), number: 1, engine_session: 1, news }
}

/// A question of nothing in particular.
fn question(engine: &dyn Engine) -> Bytes {
    engine.ask(&ask(Input::Text("hi".into())), &History::default(), "t-1")
}

impl Subject {
    fn engine(&self) -> Arc<dyn Engine> {
        (self.make)(Limits::default())
    }

    fn reading(&self, engine: &dyn Engine, situation: Situation, attempt: u32) -> Reading {
        let question = engine.ask(&ask(Input::Text(format!("{situation:?}"))), &History::default(), "t-1");
        self.reading_of(engine, &question, situation, attempt)
    }

    fn reading_of(&self, engine: &dyn Engine, question: &Bytes, situation: Situation, attempt: u32) -> Reading {
        match engine.call(question, "t-1", attempt, NOW, 8000) {
            Asking::Call(_) => engine.read(question, &(self.platform)(situation)),
            Asking::Local { reading, .. } => reading,
            Asking::Never => panic!("the engine hangs"),
        }
    }

    fn answer(&self, engine: &dyn Engine, situation: Situation) -> Answer {
        match self.reading(engine, situation, 1) {
            Reading::Answer(answer) => *answer,
            other => panic!("{situation:?}: {other:?}"),
        }
    }
}

fn questions_and_calls_are_the_same_every_time(subject: &Subject) {
    let (one, other) = (subject.engine(), subject.engine());
    let mut asks = vec![
        ask(Input::Text("Grüße \u{0}\u{2028}\"\\ 👋".into())),
        ask(Input::Choice { label: "Yes".into(), payload: "yes".into() }),
        ask(Input::Text("x".repeat(100_000))),
        ask(Input::Start),
    ];
    for state in [&b"{}"[..], b"", b"\xff\xfe", b"{\"version\":", &[b'['; 16_384]] {
        asks.push(Ask { engine_state: Some(Opaque(state.to_vec())), is_first: true, ..ask(Input::Text("hi".into())) });
    }
    for ask in asks {
        let question = one.ask(&ask, &History::default(), "t-1");
        assert_eq!(question, other.ask(&ask.clone(), &History::default(), "t-1"));
        for attempt in 1..=2 {
            let Asking::Call(call) = one.call(&question, "t-1", attempt, NOW, 8000) else { continue };
            assert!(holds(&question, &call.body), "what is sent was not stored");
            assert!(call.timeout_ms <= 8000);
            assert_eq!(call.reply_max_bytes, Limits::default().reply_max_bytes);
            let printed = format!("{call:?}");
            assert!(!printed.contains("token") && !printed.contains("v1,"), "a credential is printed: {printed}");
        }
    }
}

fn traits_are_honest(subject: &Subject) {
    let engine = subject.engine();
    let traits = engine.traits();
    assert_eq!(traits.callbacks, engine.callbacks().is_some() || engine.stand_in().is_some());
    for news in NEWS {
        let rendered = engine.notice(&notice(news), "n-1");
        assert_eq!(rendered, engine.notice(&notice(news), "n-1"));
        assert_eq!(rendered.is_some(), traits.notices, "{news:?}");
    }
    if !traits.callbacks {
        assert_ne!(engine.read(&question(&*engine), &reply(202, "")), Reading::Accepted);
    }
    if traits.replay == Replay::Unsafe {
        for status in [500, 502, 504] {
            assert!(!matches!(engine.read(&question(&*engine), &reply(status, "")), Reading::Later { .. }), "{status}");
        }
    }
}

fn answers_and_signals_are_read(subject: &Subject) {
    let engine = subject.engine();
    let hello = subject.answer(&*engine, Situation::Hello);
    assert_eq!((words(&hello), &hello.next, &hello.cuts), (vec!["Hello"], &Next::Await, &vec![]));

    let ends = subject.answer(&*engine, Situation::Ends);
    assert_eq!((words(&ends), &ends.next), (vec!["Bye"], &Next::End));
    assert_eq!(ends.intent.unwrap().name, "Done");
    assert_eq!(ends.slots, [("number".into(), SlotValue::One("42".into()))].into());

    let hands_over = subject.answer(&*engine, Situation::HandsOver);
    let expected = HandOver { reason: "asked".into(), note: Some("be kind".into()) };
    assert_eq!((words(&hands_over), &hands_over.next), (vec!["Wait"], &Next::HandOver(expected)));
}

fn failures_say_whether_to_ask_again(subject: &Subject) {
    let engine = subject.engine();
    for attempt in [1, 7] {
        let busy = subject.reading(&*engine, Situation::Busy, attempt);
        assert!(matches!(busy, Reading::Later { failure: Failure::Unavailable, .. }), "{busy:?}");
        let refused = Reading::Failed(Failure::Refused);
        assert_eq!(subject.reading(&*engine, Situation::Refuses, attempt), refused);
        let nonsense = Reading::Failed(Failure::Nonsense);
        assert_eq!(subject.reading(&*engine, Situation::Nonsense, attempt), nonsense);
    }
}

fn limits_hold_and_are_reported(subject: &Subject) {
    let limits = Limits { text_max_chars: 10, items_max: 3, ..Limits::default() };
    let answer = subject.answer(&*(subject.make)(limits), Situation::Babble);
    assert_eq!(answer.cuts, [Cut::Items, Cut::Text, Cut::ControlCharacters]);
    assert_eq!(words(&answer), ["aaaaaaaaa…", "1", "2"]);
    if !subject.keeps_state {
        return;
    }
    let limits = Limits { engine_state_max_bytes: 1, ..Limits::default() };
    let answer = subject.answer(&*(subject.make)(limits), Situation::Hello);
    assert_eq!((answer.engine_state, answer.cuts), (None, vec![Cut::EngineState]));
}

/// What the engine gave comes back to it byte for byte: the question carries it.
fn state_comes_back(subject: &Subject) {
    let engine = subject.engine();
    let state = subject.answer(&*engine, Situation::Hello).engine_state;
    assert_eq!(state.is_some(), subject.keeps_state);
    let Some(state) = state else { return };
    let with = Ask { engine_state: Some(state.clone()), ..ask(Input::Text("hi".into())) };
    let question = engine.ask(&with, &History::default(), "t-1");
    assert!(holds(&question, &state.0), "{}", String::from_utf8_lossy(&question));
}

/// Replies made to harm, and whether they can be anything but nonsense.
fn hostile() -> Vec<(&'static str, Bytes, bool)> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let held = |depth: usize| format!("{}1{}", r#"{"value":"#.repeat(depth), "}".repeat(depth));
    let nonsense: Vec<(&'static str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("blank", b" \n\t ".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"42".to_vec()),
        ("a text", b"\"hello\"".to_vec()),
        ("nothing", b"{}".to_vec()),
        ("a page", b"<!doctype html><h1>It works!</h1>".to_vec()),
        ("cut off", br#"{"items": [{"kind": "text", "text": "he"#.to_vec()),
        ("two replies", br#"{"text": "a"}{"text": "b"}"#.to_vec()),
        ("the same key twice", br#"{"text": "a", "text": "b"}"#.to_vec()),
        ("not UTF-8", b"{\"text\": \"\xff\xfe\"}".to_vec()),
        ("half a surrogate", br#"{"text": "\ud800"}"#.to_vec()),
        ("a byte order mark", "\u{feff}{\"text\": \"a\"}".into()),
        ("a text of 1 MB", format!(r#"{{"text": "{}"}}"#, "x".repeat(1 << 20)).into()),
        ("deep lists", deep("[", "]").into()),
        ("deep lists, never closed", "[".repeat(200_000).into()),
        ("deep objects", format!("{}1{}", r#"{"a":"#.repeat(40_000), "}".repeat(40_000)).into()),
        ("deep items", format!(r#"{{"items": {}}}"#, deep("[", "]")).into()),
        ("a deep next", format!(r#"{{"next": {{"kind": "end", "x": {}}}}}"#, deep("[", "]")).into()),
        ("a deep attribute", format!(r#"{{"set_attributes": {{"a": {}}}}}"#, deep("[", "]")).into()),
        ("items of no kind", br#"{"items": [1, null, "a"]}"#.to_vec()),
        ("items as a text", br#"{"items": "hello"}"#.to_vec()),
        ("a text as a number", br#"{"items": [{"kind": "text", "text": 5}]}"#.to_vec()),
        ("cards as a text", br#"{"items": [{"kind": "carousel", "cards": "a"}]}"#.to_vec()),
        ("deep cards", format!(r#"{{"items": [{{"kind": "list", "items": {}}}]}}"#, deep("[", "]")).into()),
        ("choices as a text", br#"{"items": [{"kind": "choices", "prompt": "?", "options": "a"}]}"#.to_vec()),
        ("an unknown next", br#"{"text": "a", "next": {"kind": "hand_over"}}"#.to_vec()),
        ("a next of no kind", br#"{"text": "a", "next": "end"}"#.to_vec()),
        ("a huge number", br#"{"text": "a", "set_attributes": {"n": 1e999}}"#.to_vec()),
        ("a huge confidence", br#"{"text": "a", "nlu": {"intent": {"name": "i", "confidence": 1e999}}}"#.to_vec()),
    ];
    let harmless: Vec<(&'static str, Vec<u8>)> = vec![
        ("1,000 texts", format!("[{}]", vec![r#"{"text": "a"}"#; 1000].join(",")).into()),
        ("1,000 choices", {
            let options = vec![r#"{"label": "a"}"#; 1000].join(",");
            format!(r#"{{"items": [{{"kind": "choices", "prompt": "?", "options": [{options}]}}]}}"#).into()
        }),
        ("a text of 200 KB", format!(r#"{{"text": "{}"}}"#, "x".repeat(200_000)).into()),
        ("control characters", br#"{"text": "\u0000\u001b[31mred\u007f"}"#.to_vec()),
        ("deep, where nobody looks", format!(r#"{{"text": "a", "trace": {}}}"#, deep("[", "]")).into()),
        ("a deep state", format!(r#"{{"text": "a", "engine_state": {}}}"#, deep("[", "]")).into()),
        ("cards without end", {
            let card = r#"{"title": "\u0007t", "image": "javascript:alert(1)", "actions": [{"kind": "postback", "label": "A"}]}"#;
            let cards = vec![card; 1000].join(",");
            format!(r#"{{"items": [{{"kind": "carousel", "cards": [{cards}]}}]}}"#).into()
        }),
        ("a card of buttons", {
            let buttons = vec![r#"{"kind": "open_url", "label": "A", "value": "https://a b"}"#; 1000].join(",");
            format!(r#"{{"items": [{{"kind": "card", "title": "", "actions": [{buttons}]}}]}}"#).into()
        }),
        ("a file from nowhere", br#"{"items": [{"kind": "media", "url": "file:///etc/passwd"}]}"#.to_vec()),
        ("a confidence in percent", br#"{"nlu": {"intent": {"name": "i", "confidence": 93}}}"#.to_vec()),
        ("deep in a slot", format!(r#"{{"nlu": {{"slots": {{"a": {}}}}}}}"#, deep("[", "]")).into()),
        ("deep in the value of a slot", format!(r#"{{"nlu": {{"slots": {{"a": {}}}}}}}"#, held(20_000)).into()),
        ("a long intent", format!(r#"{{"nlu": {{"intent": {{"name": "{}"}}}}}}"#, "i".repeat(5000)).into()),
        ("values of wrong types", br#"{"set_attributes": {"a": {}, "b": [1], "c": null, "": "x"}}"#.to_vec()),
    ];
    let nonsense = nonsense.into_iter().map(|(name, body)| (name, body.into(), true));
    nonsense.chain(harmless.into_iter().map(|(name, body)| (name, body.into(), false))).collect()
}

fn hostile_replies_are_read_without_harm(subject: &Subject) {
    let engine = subject.engine();
    for (name, body, is_nonsense) in hostile() {
        match engine.read(&question(&*engine), &reply(200, body.clone())) {
            Reading::Answer(answer) => {
                assert!(!is_nonsense, "{name} is an answer: {answer:?}");
                assert!(!answer.cuts.is_empty() || name.starts_with("deep"), "{name}: nothing reported");
                assert_within(&Limits::default(), &answer);
            }
            reading => assert_eq!(reading, Reading::Failed(Failure::Nonsense), "{name}"),
        }
        if let Some(callbacks) = engine.callbacks() {
            assert_eq!(callbacks.read_callback(&body).is_err(), is_nonsense, "{name}");
        }
        if let Some(stand_in) = engine.stand_in() {
            assert!(stand_in.read_message(&BotKey::from("bot"), &body).is_err(), "{name}");
        }
        for status in [0, 100, 201, 206, 302, 404, 500, 999] {
            assert!(
                !matches!(engine.read(&question(&*engine), &reply(status, body.clone())), Reading::Answer(_)),
                "{name}, {status}"
            );
        }
    }
}

fn any_reply_is_read_without_harm(subject: &Subject) {
    // Small alphabets of what replies are made of, so that random ones come near to sense.
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "-1",
        "0.5",
        "1e400",
        "\"",
        "\"a\"",
        "\"\\u0000\"",
        "\"kind\":",
        "\"text\"",
        "\"text\":",
        "\"items\":[",
        "\"choices\"",
        "\"options\":[",
        "\"card\"",
        "\"carousel\"",
        "\"cards\":[",
        "\"title\":",
        "\"actions\":[",
        "\"media\"",
        "\"url\":",
        "\"http://a\"",
        "\"label\":",
        "\"next\":{",
        "\"handoff\"",
        "\"nlu\":{",
        "\"intent\":{",
        "\"name\":",
        "\"slots\":{",
        "\"value\":",
        "\"engine_state\":",
        "\"set_attributes\":{",
        "\u{202e}",
        " ",
    ]);
    let body = prop_oneof![
        3 => prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    let limits = Limits {
        text_max_chars: 3,
        items_max: 2,
        choices_max: 1,
        values_max: 1,
        value_max_chars: 2,
        ..Limits::default()
    };
    let engine = (subject.make)(limits);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) }, |(
        body in body, status in prop_oneof![4 => Just(200_u16), 1 => 0..1000_u16], retry_after in "[0-9]{0,30}|\\PC{0,5}"
    )| {
        let mut reply = reply(status, body);
        if let Ok(value) = HeaderValue::from_str(&retry_after) {
            reply.headers.insert("retry-after", value);
        }
        if let Reading::Answer(answer) = engine.read(&question(&*engine), &reply) {
            assert_within(&limits, &answer);
        }
    });
}

fn short(text: &str, max: usize) {
    assert!(text.chars().count() <= max, "{} characters, at most {max}", text.chars().count());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
}

fn assert_address_within(limits: &Limits, address: &str) {
    short(address, limits.url_max_chars);
    assert!(!address.contains(char::is_whitespace), "{address:?}");
    let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    assert!(matches!(scheme.as_deref(), Some("http" | "https")), "{address:?}");
}

fn assert_card_within(limits: &Limits, card: &Card) {
    assert!(!card.title.trim().is_empty());
    short(&card.title, limits.title_max_chars);
    short(card.description.as_deref().unwrap_or(""), limits.description_max_chars);
    short(card.fallback.as_deref().unwrap_or(""), limits.text_max_chars);
    card.image.iter().chain(&card.video).for_each(|address| assert_address_within(limits, address));
    assert!(card.buttons.len() <= limits.buttons_max);
    card.buttons.iter().for_each(|button| short(&button.label, limits.label_max_chars));
    for tap in card.buttons.iter().map(|button| &button.tap).chain(&card.tap) {
        match tap {
            Tap::Link(url) => assert_address_within(limits, url),
            Tap::Postback(payload) => short(payload, limits.payload_max_chars),
        }
    }
}

/// Holds for whatever passed the limits.
pub(super) fn assert_within(limits: &Limits, answer: &Answer) {
    assert!(answer.items.len() <= limits.items_max);
    for item in &answer.items {
        match item {
            Item::Text(text) | Item::Markdown(text) => short(text, limits.text_max_chars),
            Item::Card(card) => assert_card_within(limits, card),
            Item::Carousel(Carousel { prompt, cards, fallback }) => {
                short(prompt.as_deref().unwrap_or(""), limits.prompt_max_chars);
                short(fallback.as_deref().unwrap_or(""), limits.text_max_chars);
                assert!((1..=limits.cards_max).contains(&cards.len()));
                cards.iter().for_each(|card| assert_card_within(limits, card));
            }
            Item::Media(media) => {
                assert_address_within(limits, &media.url);
                short(media.name.as_deref().unwrap_or(""), limits.name_max_chars);
                short(media.mime.as_deref().unwrap_or(""), limits.name_max_chars);
                short(media.caption.as_deref().unwrap_or(""), limits.text_max_chars);
                short(media.fallback.as_deref().unwrap_or(""), limits.text_max_chars);
            }
            Item::Choices(Choices { prompt, options }) => {
                short(prompt, limits.prompt_max_chars);
                assert!((1..=limits.choices_max).contains(&options.len()));
                for option in options {
                    short(&option.label, limits.label_max_chars);
                    short(&option.value, limits.payload_max_chars);
                    option.image.iter().for_each(|image| assert_address_within(limits, image));
                }
            }
        }
    }
    assert!(answer.slots.len() <= limits.values_max && answer.attributes.len() <= limits.values_max);
    for (name, value) in &answer.slots {
        short(name, limits.name_max_chars);
        match value {
            SlotValue::One(value) => short(value, limits.value_max_chars),
            SlotValue::Many(values) => {
                assert!(values.len() <= limits.values_max);
                values.iter().for_each(|value| short(value, limits.value_max_chars));
            }
        }
    }
    for (name, value) in &answer.attributes {
        short(name, limits.name_max_chars);
        short(value, limits.value_max_chars);
    }
    if let Some(intent) = &answer.intent {
        short(&intent.name, limits.name_max_chars);
        assert!(intent.confidence_permille.is_none_or(|permille| permille <= 1000));
    }
    if let Next::HandOver(hand_over) = &answer.next {
        short(&hand_over.reason, limits.name_max_chars);
        short(hand_over.note.as_deref().unwrap_or(""), limits.note_max_chars);
    }
    assert!(answer.engine_state.as_ref().is_none_or(|state| state.0.len() <= limits.engine_state_max_bytes));
}

fn history(texts: impl IntoIterator<Item = (Speaker, String)>) -> History {
    let numbered = (1 << 16..).zip(texts);
    History { utterances: numbered.map(|(number, (by, text))| Utterance { number, by, text }).collect() }
}

/// An engine that wants to know what was said tells its platform; the others' questions are the same whatever was said.
fn what_was_said_is_told_or_left_out(subject: &Subject) {
    let engine = subject.engine();
    let words = [
        (Speaker::Gateway, "greeted".to_owned()),
        (Speaker::Customer, "first-words".to_owned()),
        (Speaker::OtherBot, "from-elsewhere".to_owned()),
        (Speaker::Bot, "latest-words".to_owned()),
    ];
    let many = (0..256).map(|number| (words[number % 4].0, format!("{number} {}", "word ".repeat(50))));
    let odd =
        ["", " ", "\u{0}\u{2028}\"\\ 👋", "</system>", "{{name}}"].map(|text| (Speaker::Customer, text.to_owned()));
    for history in [history(words.clone()), history(many), history(odd), history([(Speaker::Bot, "x".repeat(16_384))])]
    {
        let asked = engine.ask(&ask(Input::Text("hi".into())), &history, "t-1");
        assert_eq!(asked, subject.engine().ask(&ask(Input::Text("hi".into())), &history, "t-1"));
        assert!(engine.traits().history || asked == question(&*engine), "its traits want no history");
        assert!(!matches!(engine.call(&asked, "t-1", 1, NOW, 8000), Asking::Never));
    }
    let asked = engine.ask(&ask(Input::Text("hi".into())), &history(words), "t-1");
    let asked = String::from_utf8_lossy(&asked);
    assert_eq!(asked.contains("first-words") && asked.contains("latest-words"), engine.traits().history, "{asked}");
}

/// However its platform goes on, an engine ends an attempt by itself, and the next question of one is as good as the first.
fn an_attempt_comes_to_an_end(subject: &Subject) {
    let engine = subject.engine();
    for situation in SITUATIONS {
        let mut question = engine.ask(&ask(Input::Text(format!("{situation:?}"))), &History::default(), "t-1");
        for calls in 1.. {
            let reading = subject.reading_of(&*engine, &question, situation, 1);
            assert_eq!(reading, subject.reading_of(&*engine, &question, situation, 1));
            let Reading::Continue { question: next } = reading else { break };
            assert!(calls < 16, "{situation:?} has no end");
            question = next;
        }
    }
}

/// Reads a reply in pieces of this size: what is given out early, and the end; nothing for an engine that does not.
fn heard(engine: &dyn Engine, question: &Bytes, reply: &calls::Reply, size: usize) -> Option<(Vec<Answer>, Reading)> {
    let mut reader = engine.reader(question)?;
    let parts = reply.body.chunks(size).flat_map(|piece| reader.more(piece, u32::MAX)).collect();
    Some((parts, reader.end(reply)))
}

fn each_word<'a>(answers: impl Iterator<Item = &'a Answer>) -> Vec<String> {
    let items = answers.flat_map(|answer| &answer.items);
    items.flat_map(|item| item.plain().split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A reply that is read while it comes says what it says when it is whole, however it is cut into pieces.
fn replies_mean_the_same_while_they_come(subject: &Subject) {
    let engine = subject.engine();
    let question = question(&*engine);
    if engine.reader(&question).is_none() {
        return;
    }
    let told =
        SITUATIONS.map(|situation| (subject.platform)(situation)).into_iter().filter(|reply| reply.status == 200);
    let hostile = hostile().into_iter().map(|(_, body, _)| reply(200, body));
    for reply in told.chain(hostile) {
        let whole = engine.read(&question, &reply);
        let (parts, end) = heard(&*engine, &question, &reply, usize::MAX).unwrap();
        for part in &parts {
            assert_eq!(part.next, Next::More);
            assert_within(&Limits::default(), part);
        }
        let sizes: &[usize] = if reply.body.len() < 10_000 { &[1, 3, 100] } else { &[1_000] };
        for size in sizes {
            assert_eq!(heard(&*engine, &question, &reply, *size).unwrap(), (parts.clone(), end.clone()));
        }
        match (whole, &end) {
            (Reading::Answer(whole), Reading::Answer(last)) => {
                assert_within(&Limits::default(), last);
                assert_eq!(each_word([&*whole].into_iter()), each_word(parts.iter().chain([&**last])));
                assert_eq!((&whole.next, &whole.intent, &whole.slots), (&last.next, &last.intent, &last.slots));
                assert_eq!(whole.usage, last.usage);
            }
            (whole, end) => assert_eq!(whole, *end),
        }
    }
}
