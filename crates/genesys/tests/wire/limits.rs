//! The limits of the platform: a document within them is clean, and every broken rule is named with its place.

use genesys::cloud::bot_connector::{BotIntent as SlotIntent, BotList, BotSlot, bots_path};
use genesys::cloud::digital_bot_connector::{
    Bot, BotEntity, BotEntityValue, BotIntent, BotState, BotVersion, IncomingMessagesResponse, Manifest,
    OutgoingMessagesRequest,
};
use genesys::cloud::entity::EntityType;
use genesys::cloud::reply::{Attachment, Card, CardAction, Carousel, Content, MediaType, QuickReply, ReplyMessage};
use genesys::cloud::violation::Violation;

use crate::fixture::read;

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(|violation| format!("{violation}\n")).collect()
}

fn manifest() -> Manifest {
    read("digital_bot_connector/manifest.json")
}

#[test]
fn the_fixtures_are_clean() {
    assert_eq!(manifest().validate(), []);
    assert_eq!(read::<BotList>("bot_connector/bot_list.json").validate(), []);
    for name in ["response_complete", "response_failed", "response_more_data"] {
        let response: IncomingMessagesResponse<'_> = read(&format!("digital_bot_connector/{name}.json"));
        assert_eq!(response.validate(), [], "{name}");
    }
    let push: OutgoingMessagesRequest<'_> = read("digital_bot_connector/outgoing.json");
    assert_eq!(push.answer.validate(), []);
}

#[test]
fn lengths_count_characters_and_lists_count_elements() {
    // Each case sets one thing to `size`; it must be clean at the limit and broken one above it.
    type Grow = fn(&mut Manifest, usize);
    fn version(manifest: &mut Manifest) -> &mut BotVersion {
        &mut manifest.entities[0].versions[0]
    }
    let cases: [(&str, usize, Grow); 11] = [
        ("entities", 50, |manifest, size| {
            let bot = manifest.entities[0].clone();
            manifest.entities = (0..size).map(|n| Bot { id: n.to_string(), ..bot.clone() }).collect();
        }),
        ("versions", 50, |manifest, size| {
            let first = version(manifest).clone();
            manifest.entities[0].versions =
                (0..size).map(|n| BotVersion { version: n.to_string(), ..first.clone() }).collect();
        }),
        ("intents", 50, |manifest, size| {
            version(manifest).intents =
                (0..size).map(|n| BotIntent { name: n.to_string(), entities: Vec::new() }).collect();
        }),
        ("entities", 50, |manifest, size| {
            version(manifest).intents[0].entities =
                (0..size).map(|n| BotEntity { name: n.to_string(), entity_type: EntityType::String }).collect();
        }),
        ("id", 100, |manifest, size| manifest.entities[0].id = "ö".repeat(size)),
        ("name", 100, |manifest, size| manifest.entities[0].name = "ö".repeat(size)),
        ("provider", 100, |manifest, size| manifest.entities[0].provider = "⛴".repeat(size)),
        ("description", 256, |manifest, size| manifest.entities[0].description = Some("ö".repeat(size))),
        ("version", 100, |manifest, size| version(manifest).version = "ö".repeat(size)),
        ("name", 100, |manifest, size| version(manifest).intents[0].name = "ö".repeat(size)),
        ("name", 100, |manifest, size| version(manifest).intents[0].entities[0].name = "ö".repeat(size)),
    ];
    for (member, limit, grow) in cases {
        let mut grown = manifest();
        grow(&mut grown, limit);
        assert_eq!(grown.validate(), [], "{member} at {limit}");
        grow(&mut grown, limit + 1);
        let violations = grown.validate();
        assert_eq!(violations.len(), 1, "{member}: {}", listed(&violations));
        let text = violations[0].to_string();
        assert!(violations[0].path.ends_with(member) && text.contains(&format!("at most {limit} ")), "{text}");
    }
}

#[test]
fn every_broken_rule_of_a_manifest_is_named() {
    let mut broken = manifest();
    let mut second = broken.entities[0].clone();
    second.versions.clear();
    broken.entities.push(second);
    let bot = &mut broken.entities[0];
    bot.name = " Harbour".to_owned();
    bot.provider = String::new();
    bot.description = Some("two\nlines".to_owned());
    let version = &mut bot.versions[0];
    version.supported_languages = vec!["de".to_owned(), "da-DK".to_owned(), "de".to_owned()];
    version.intents[1].name = version.intents[0].name.clone();
    version.intents[0].entities[1].entity_type = EntityType::from("Knots");
    version.intents[0].entities[3].name = version.intents[0].entities[0].name.clone();
    let empty = BotVersion { version: "empty".to_owned(), ..BotVersion::default() };
    bot.versions.push(empty);
    insta::assert_snapshot!(listed(&broken.validate()));
}

#[test]
fn every_broken_rule_of_a_bot_list_is_named() {
    let mut broken: BotList = read("bot_connector/bot_list.json");
    let twin = broken.chat_bots[0].clone();
    broken.chat_bots.push(twin);
    let intents = &mut broken.chat_bots[0].versions[0].intents;
    intents[0].slots.insert("stride".to_owned(), BotSlot { name: "step".to_owned(), slot_type: "Knots".into() });
    let many = (0..51).map(|n| (format!("slot-{n}"), EntityType::String));
    intents[1] = SlotIntent::new("x".repeat(101), many);
    insta::assert_snapshot!(listed(&broken.validate()));
}

#[test]
fn every_broken_rule_of_an_answer_is_named() {
    let postback = || CardAction::postback("Take it", "boat:1");
    let card = || Card { title: "Boat".into(), actions: vec![postback()], ..Card::default() };
    let attachment = || Attachment {
        id: None,
        media_type: MediaType::Image,
        url: Some("https://pier.example/a.png".into()),
        filename: None,
        mime: None,
        sha256: None,
        content_size_bytes: None,
    };
    let answer = IncomingMessagesResponse {
        confidence: Some(1.5),
        error_info: Some(Default::default()),
        entities: vec![
            BotEntityValue::single("seats", EntityType::Integer, "four"),
            BotEntityValue::single("crew", EntityType::StringCollection, "Ada"),
            BotEntityValue::collection("fare", EntityType::Currency, vec!["1.00|EUR".into()]),
            BotEntityValue::single("wind", "Knots".into(), "7"),
        ],
        reply_messages: vec![
            ReplyMessage::text(""),
            ReplyMessage::quick_replies("Which?", Vec::new()),
            ReplyMessage::quick_replies("Which?", vec![QuickReply { text: "A".into(), ..QuickReply::default() }]),
            ReplyMessage::structured("", vec![Content::Attachment(attachment())]),
            ReplyMessage { content: vec![Content::Card(card())], ..ReplyMessage::text("card") },
            ReplyMessage::structured("", vec![Content::Card(Card { title: "Bare".into(), ..Card::default() })]),
            ReplyMessage::structured("", vec![Content::Carousel(Carousel { cards: vec![card(); 11] })]),
            ReplyMessage { reply_type: "Receipt".into(), ..ReplyMessage::text("x") },
        ],
        ..IncomingMessagesResponse::new(BotState::Complete)
    };
    insta::assert_snapshot!(listed(&answer.validate()));
}

#[test]
fn the_id_of_an_integration_cannot_leave_its_path() {
    let path = "/api/v2/integrations/botconnector/4f-A_1/bots";
    assert_eq!(bots_path("4f-A_1").as_deref(), Some(path));
    for id in ["", "a/b", "..", "a?b", "a%2fb", "ä"] {
        assert_eq!(bots_path(id), None, "{id}");
    }
}
