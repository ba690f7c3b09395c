//! The exact bytes we write: spellings, order and what is left out.

use genesys::cloud::bot_connector::{self, SlotValue, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{
    BotEntityValue, BotState, IncomingMessagesResponse, OutgoingMessagesRequest,
};
use genesys::cloud::entity::EntityType;
use genesys::cloud::reply::{
    Attachment, Card, CardAction, Carousel, Content, ErrorInfo, MediaType, QuickReply, ReplyMessage,
};
use serde::Serialize;

fn written(message: &impl Serialize) -> String {
    serde_json::to_string_pretty(message).expect("wire forms can be written")
}

fn every_kind_of_message() -> Vec<ReplyMessage<'static>> {
    let quick = |text: &'static str, payload: &'static str| QuickReply {
        text: text.into(),
        payload: payload.into(),
        image: None,
    };
    let card = Card {
        title: "Nordlicht".into(),
        description: Some("55 minutes".into()),
        default_action: Some(CardAction::open("https://pier.example/n")),
        actions: vec![CardAction::postback("Take it", "boat:n"), CardAction::link("Plan", "https://pier.example/p")],
        ..Card::default()
    };
    let other =
        Card { title: "Adler".into(), actions: vec![CardAction::postback("Take it", "boat:a")], ..Card::default() };
    let attachment = Attachment {
        id: Some("tt-26".into()),
        media_type: MediaType::File,
        url: Some("https://pier.example/t.pdf".into()),
        filename: Some("t.pdf".into()),
        mime: None,
        sha256: None,
        content_size_bytes: Some(48_211),
    };
    vec![
        ReplyMessage::text("Quote \" and ⛴"),
        ReplyMessage::quick_replies("One way?", vec![quick("Yes", "trip:1"), quick("No", "trip:2")]),
        ReplyMessage::structured("A boat", vec![Content::Card(card.clone())]),
        ReplyMessage::structured("Two boats", vec![Content::Carousel(Carousel { cards: vec![card, other] })]),
        ReplyMessage::attachment("Timetable", attachment),
    ]
}

#[test]
fn an_acknowledgement_says_nothing_but_its_state() {
    let acknowledgement = IncomingMessagesResponse::new(BotState::MoreData);
    assert_eq!(serde_json::to_string(&acknowledgement).unwrap(), r#"{"botState":"MoreData"}"#);
    let empty = UtteranceResponse::new(bot_connector::BotState::MoreData);
    assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"replymessages":[],"botState":"MOREDATA"}"#);
}

#[test]
fn a_pushed_answer_with_every_kind_of_message() {
    let push = OutgoingMessagesRequest {
        bot_id: "harbour-bot".into(),
        bot_version: "summer-3".into(),
        bot_session_id: "session-1".into(),
        language_code: "de".into(),
        answer: IncomingMessagesResponse {
            reply_messages: every_kind_of_message(),
            ..IncomingMessagesResponse::new(BotState::MoreData)
        },
    };
    assert_eq!(push.answer.validate(), []);
    insta::assert_snapshot!(written(&push));
}

#[test]
fn a_complete_answer_with_values_of_the_flow() {
    let answer = IncomingMessagesResponse {
        intent: Some("FerryBooked".into()),
        confidence: Some(0.81),
        entities: vec![
            BotEntityValue::single("seats", EntityType::Integer, "4"),
            BotEntityValue::collection("crew", EntityType::StringCollection, vec!["Ada".into(), "Grace".into()]),
            BotEntityValue::collection("delays", EntityType::DurationCollection, Vec::new()),
        ],
        reply_messages: vec![ReplyMessage::text("Booked.")],
        parameters: [("bookingCode".into(), "FO-1".into()), ("answered".into(), "true".into())].into(),
        ..IncomingMessagesResponse::new(BotState::Complete)
    };
    assert_eq!(answer.validate(), []);
    insta::assert_snapshot!(written(&answer));
}

#[test]
fn a_failure_with_its_reason() {
    let answer = IncomingMessagesResponse {
        error_info: Some(ErrorInfo { error_code: "engine.timeout".into(), error_message: "no answer".into() }),
        ..IncomingMessagesResponse::new(BotState::Failed)
    };
    insta::assert_snapshot!(written(&answer));
}

#[test]
fn a_v1_answer_with_slots_of_every_type() {
    let slots: [(&'static str, EntityType, &'static str); 7] = [
        ("arrival", EntityType::Datetime, "2026-12-03T19:00:00"),
        ("berth", EntityType::Integer, "7"),
        ("fee", EntityType::Currency, r#"{"amount": 38.00, "code": "DKK"}"#),
        ("lengthMetres", EntityType::Decimal, "11.40"),
        ("name", EntityType::String, "Seute Deern"),
        ("power", EntityType::Boolean, "true"),
        ("stay", EntityType::Duration, "P2D"),
    ];
    let mut values: std::collections::BTreeMap<_, _> =
        slots.iter().map(|(name, slot_type, text)| ((*name).into(), SlotValue::of(slot_type, text).unwrap())).collect();
    values.insert("depths".into(), SlotValue::collection(&EntityType::DecimalCollection, &["1.5", "2.0"]).unwrap());
    let answer = UtteranceResponse {
        reply_messages: every_kind_of_message().into_iter().take(2).collect(),
        intent: Some("reserved".into()),
        confidence: Some(1.0),
        slot_values: values,
        parameters: [("reservation".into(), "B7".into())].into(),
        ..UtteranceResponse::new(bot_connector::BotState::Complete)
    };
    insta::assert_snapshot!(written(&answer));
}
