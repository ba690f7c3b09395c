//! Rich items and slots of a reply: each in the schema, and read as meant.

use model::{Button, Card, Carousel, Choice, Choices, Cut, Item, Media, MediaKind, SlotValue, Tap};
use serde_json::{Value, json};

use super::{answer, read, schema};
use crate::engine::Reading;

const PICTURE: &str = "https://cdn.example.org/a.png";

fn card(title: &str) -> Card {
    Card { title: title.into(), ..Card::default() }
}

fn postback(label: &str, payload: &str) -> Button {
    Button { label: label.into(), tap: Tap::Postback(payload.into()) }
}

fn link(label: &str, url: &str) -> Button {
    Button { label: label.into(), tap: Tap::Link(url.into()) }
}

fn file(kind: MediaKind) -> Media {
    Media { kind, url: PICTURE.into(), name: None, mime: None, size_bytes: None, caption: None, fallback: None }
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

/// Every kind that is shown, with all its fields and with as few as may be.
fn shown() -> Vec<(Value, Item)> {
    let buttons = json!([
        {"kind": "postback", "label": "Choose", "value": "plan:1"},
        {"kind": "say", "label": "Tell me more"},
        {"kind": "open_url", "label": "Details", "value": "https://example.org/1"}
    ]);
    let full = json!({
        "title": "Standard", "subtitle": "For five", "body": "Billed yearly", "image": {"url": PICTURE, "alt": "A plan"},
        "video": "https://cdn.example.org/a.mp4", "actions": buttons, "fallback_text": "Standard, for five",
        "default_action": {"kind": "open_url", "value": "https://example.org/"}
    });
    let as_card = Card {
        title: "Standard".into(),
        description: some("For five\nBilled yearly"),
        image: some(PICTURE),
        video: some("https://cdn.example.org/a.mp4"),
        tap: Some(Tap::Link("https://example.org/".into())),
        buttons: vec![
            postback("Choose", "plan:1"),
            postback("Tell me more", "Tell me more"),
            link("Details", "https://example.org/1"),
        ],
        fallback: some("Standard, for five"),
    };
    let mut item = full.clone();
    item["kind"] = "card".into();
    let choices = vec![Choice { image: some(PICTURE), ..Choice::new("Red", "r") }, Choice::new("Blue", "Blue")];
    let media = Media {
        name: some("label.png"),
        mime: some("image/png"),
        size_bytes: Some(2048),
        caption: some("Your label"),
        fallback: some("The label"),
        ..file(MediaKind::Image)
    };
    vec![
        (json!({"kind": "text", "text": "**Hi**", "format": "markdown"}), Item::Markdown("**Hi**".into())),
        (
            json!({"kind": "choices", "prompt": "Colour?", "options": [
                {"label": "Red", "image": PICTURE, "action": {"kind": "postback", "value": "r"}},
                {"label": "Blue", "action": {"kind": "say"}}
            ]}),
            Item::Choices(Choices { prompt: "Colour?".into(), options: choices }),
        ),
        (item, Item::Card(as_card.clone())),
        (json!({"kind": "card", "title": "Bare"}), Item::Card(card("Bare"))),
        (
            json!({"kind": "carousel", "prompt": "Offers", "layout": "stack", "cards": [full, {"title": "B"}], "fallback_text": "Two"}),
            Item::Carousel(Carousel { prompt: some("Offers"), cards: vec![as_card, card("B")], fallback: some("Two") }),
        ),
        (
            json!({"kind": "media", "media": "image", "url": PICTURE, "name": "label.png", "mime": "image/png",
                   "bytes": 2048, "caption": "Your label", "alt": "The label"}),
            Item::Media(media),
        ),
        (json!({"kind": "media", "mime": "audio/ogg", "url": PICTURE}), {
            Item::Media(Media { mime: some("audio/ogg"), ..file(MediaKind::Audio) })
        }),
        (json!({"kind": "media", "media": "video", "url": PICTURE}), Item::Media(file(MediaKind::Video))),
        (json!({"kind": "media", "url": PICTURE}), Item::Media(file(MediaKind::File))),
    ]
}

#[test]
fn every_kind_of_content_is_read() {
    for (item, expected) in shown() {
        let reply = json!({"items": [item]});
        schema("reply").validate(&reply).unwrap_or_else(|error| panic!("{item}: {error}"));
        let answer = answer(&reply);
        assert_eq!((answer.items, answer.cuts), (vec![expected], vec![]), "{item}");
    }
}

#[test]
fn what_has_no_place_becomes_less_and_says_so() {
    let degraded = vec![Cut::Degraded];
    let call = json!({"kind": "call", "label": "Call us", "value": "+49 1"});
    let table = [
        (
            json!({"kind": "card", "title": "A", "body": "B", "actions": [call]}),
            Item::Card(Card { description: some("B\nCall us: +49 1"), ..card("A") }),
            degraded.clone(),
        ),
        (json!({"kind": "card", "fallback_text": "Only this"}), Item::text("Only this"), degraded.clone()),
        (
            json!({"kind": "list", "title": "Parcels", "items": [{"title": "77", "body": "Leipzig"}, {"title": "78"}]}),
            Item::text("Parcels\n77\nLeipzig\n78"),
            degraded.clone(),
        ),
        (
            json!({"kind": "list", "title": "Parcels", "subtitle": "of today", "items": [
            {"title": "77", "actions": [{"kind": "postback", "label": "Track", "value": "77"}]}]}),
            Item::Carousel(Carousel {
                prompt: some("Parcels\nof today"),
                cards: vec![Card { buttons: vec![postback("Track", "77")], ..card("77") }],
                fallback: None,
            }),
            degraded.clone(),
        ),
        (
            json!({"kind": "media", "media": "image", "inline": {"mime": "image/png", "base64": "AA=="}, "alt": "A label"}),
            Item::text("A label"),
            degraded.clone(),
        ),
        (
            json!({"kind": "media", "media": "image", "url": "cid:1", "caption": "A label"}),
            Item::text("A label"),
            vec![Cut::Degraded, Cut::Addresses],
        ),
        (
            json!({"kind": "location", "lat": 51.3, "lon": 12.4, "fallback_text": "Leipzig"}),
            Item::text("Leipzig"),
            degraded,
        ),
    ];
    for (item, expected, cuts) in table {
        let answer = answer(&json!({"items": [item]}));
        assert_eq!((answer.items, answer.cuts), (vec![expected], cuts), "{item}");
    }
}

#[test]
fn what_is_mistyped_is_found_by_the_schema() {
    let mistakes = [
        json!({"kind": "card", "tittle": "A"}),
        json!({"kind": "card", "title": "A", "buttons": []}),
        json!({"kind": "card", "title": "A", "actions": [{"kind": "open_url", "label": "B"}]}),
        json!({"kind": "carousel", "cards": []}),
        json!({"kind": "media", "media": "picture", "url": PICTURE}),
        json!({"kind": "media", "media": "image"}),
        json!({"kind": "list", "cards": []}),
    ];
    for item in mistakes {
        assert!(!schema("reply").is_valid(&json!({"items": [item]})), "{item}");
    }
}

#[test]
fn schema_and_reader_agree_on_addresses() {
    let good = ["https://a.example/i.png?x=1#y", "HTTP://a", "http://[::1]:80/", "https://müller.example/ü"];
    let bad = [
        "",
        "a.example",
        "//a.example",
        "/i.png",
        "https://",
        "https:///i.png",
        "https://a b",
        "ftp://a",
        "javascript:alert(1)",
        "data:image/png;base64,AA==",
        "https://a\"b",
        "https://a<b>",
        "https://a\\b",
    ];
    let of = |address: &str| json!({"items": [{"kind": "media", "url": address, "caption": "c"}]});
    for address in good.into_iter().chain(bad) {
        let reply = of(address);
        assert_eq!(schema("reply").is_valid(&reply), good.contains(&address), "{address}");
        assert_eq!(answer(&reply).cuts.is_empty(), good.contains(&address), "{address}");
    }
}

/// The texts are those of `reference/digital-bot-connector.md`, section 1.5; the doors judge whether they fit.
#[test]
fn slots_of_every_type_become_their_texts() {
    let one = |text: &str| Some(SlotValue::One(text.into()));
    let many = |texts: &[&str]| Some(SlotValue::Many(texts.iter().map(|text| (*text).to_owned()).collect()));
    let table = [
        (r#""A-10077""#, one("A-10077")),
        ("42", one("42")),
        ("-0.50", one("-0.50")),
        ("9999999999999999999999999999999999999999.0", one("9999999999999999999999999999999999999999.0")),
        ("1.5e2", one("150.0")),
        ("true", one("true")),
        (r#""PT1H30M""#, one("PT1H30M")),
        (r#""2026-11-20T14:30:00Z""#, one("2026-11-20T14:30:00Z")),
        (r#"{"amount": 19.90, "code": "EUR"}"#, one(r#"{"amount":19.90,"code":"EUR"}"#)),
        (r#"{"amount": "19.90", "code": "EUR"}"#, one(r#"{"amount":"19.90","code":"EUR"}"#)),
        (r#"{"value": {"amount": 5, "code": "EUR"}, "original": "five euro"}"#, one(r#"{"amount":5,"code":"EUR"}"#)),
        (r#"{"value": 7, "confidence": 0.4}"#, one("7")),
        (r#"["damaged", "late"]"#, many(&["damaged", "late"])),
        ("[1, 2.50, false]", many(&["1", "2.50", "false"])),
        (r#"{"value": [1, 2]}"#, many(&["1", "2"])),
        (r#"[{"amount": 1, "code": "EUR"}]"#, many(&[r#"{"amount":1,"code":"EUR"}"#])),
        ("[]", many(&[])),
    ];
    for (slot, expected) in table {
        let body = format!(r#"{{"nlu": {{"slots": {{"s": {slot}}}}}}}"#);
        let Reading::Answer(answer) = read(200, body.clone()) else { panic!("{slot} is not read") };
        assert_eq!((answer.slots.get("s").cloned(), answer.cuts), (expected, vec![]), "{slot}");
        schema("reply")
            .validate(&serde_json::from_str(&body).unwrap())
            .unwrap_or_else(|error| panic!("{slot}: {error}"));
    }
    for slot in ["null", "{}", r#"{"amount": 1}"#, r#"{"amount": [1], "code": "EUR"}"#, r#"{"value": {"value": 1}}"#] {
        let body = format!(r#"{{"nlu": {{"slots": {{"s": {slot}}}}}}}"#);
        let Reading::Answer(answer) = read(200, body.clone()) else { panic!("{slot} is not read") };
        assert_eq!((answer.slots.len(), answer.cuts), (0, vec![Cut::Values]), "{slot}");
        assert!(!schema("reply").is_valid(&serde_json::from_str(&body).unwrap()), "{slot}");
    }
}
