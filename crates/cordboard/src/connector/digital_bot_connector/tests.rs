use bytes::Bytes;
use http::HeaderMap;
use model::{BotKey, Channel, Choice, Choices, Input, Item, Late, Opaque, PushOutcome};

use super::super::tests::{digital, done, leg, part, shown};
use super::*;
use crate::connector::entrance::check_path;

fn read_message(body: &[u8]) -> Message {
    match digital("").unwrap().parse(body) {
        Parsed::Message(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_read_with_all_it_says() {
    let typed = read_message(include_bytes!("fixtures/text.json"));
    let expected = Message {
        conversation: "9d0a6a2c-6c55-4d32-b3f7-6a1c2d9e4b22".to_owned(),
        session: "5b0a3a3e-5a3c-4f0e-9a55-0d3f5d1f6a01".to_owned(),
        message: Some("0c2c3b5a-6a0e-4a38-8a0a-2f7f6f2f1b11".to_owned()),
        bot: "returns".into(),
        input: Input::Text("I want to send my order back".to_owned()),
        is_form: false,
        language: "en-us".to_owned(),
        parameters: [("customerTier".to_owned(), "gold".to_owned())].into(),
        session_lifetime_ms: 720 * 60_000,
        address: Opaque(br#"{"v":1,"bot":"returns","version":"2026-11","language":"en-us"}"#.to_vec()),
        body_hash: typed.body_hash,
        poll: None,
        channel: None,
        customer: None,
    };
    assert_eq!(typed, expected);

    let text = String::from_utf8(include_bytes!("fixtures/text.json").to_vec()).unwrap();
    let start = read_message(text.replace("I want to send my order back", "__start__").as_bytes());
    assert_eq!(start.input, Input::Start);

    let button = read_message(include_bytes!("fixtures/button.json"));
    assert_eq!(button.input, Input::Choice { label: "Refund".to_owned(), payload: "opt-refund".to_owned() });
    assert_eq!(button.message.as_deref(), Some("7f1f2f9b-0f77-4b44-9e53-5c7a8e1d2c33"));
}

#[test]
fn an_unknown_bot_is_a_valid_failure_and_an_unknown_version_is_served() {
    let body = |bot: &str, version: &str| {
        let text = String::from_utf8(include_bytes!("fixtures/text.json").to_vec()).unwrap();
        text.replace("\"returns\"", bot).replace("\"2026-11\"", version)
    };
    let door = digital("").unwrap();
    let Parsed::NotUnderstood { reply, reason } = door.parse(body("\"RETURNS\"", "\"1\"").as_bytes()) else {
        panic!("ids are compared with case")
    };
    let expected = r#"{"botState":"Failed","errorInfo":{"errorCode":"bot.unknown","errorMessage":"the message was kept for an operator"}}"#;
    assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (200, expected));
    assert!(reason.starts_with("bot.unknown") && !reason.contains("RETURNS"));

    let old = read_message(body("\"returns\"", "\"2025-01\"").as_bytes());
    let memory = Opaque::default();
    let view = leg(&old.bot, &old.address, &memory);
    assert_eq!(door.render(&Reply::Parts(vec![part(vec![Item::text("Hello")])]), view).noted.changes.len(), 1);
    let push = door.render_push(&[part(vec![Item::text("Hello")])], view).unwrap();
    assert!(std::str::from_utf8(&push.body).unwrap().contains(r#""botVersion":"2025-01""#), "the session's own");
    assert_eq!(push.noted.changes.len(), 1);
}

#[test]
fn every_reply_has_these_bytes() {
    let (claims, memory) = (BotKey::from("claims"), Opaque::default());
    let address = Address::new("claims".to_owned(), "2".to_owned(), "de".to_owned()).write();
    insta::assert_snapshot!(shown(&digital("").unwrap(), leg(&claims, &address, &memory)));
}

#[test]
fn a_push_repeats_the_session_and_closes_it_with_its_last_part() {
    let (claims, memory) = (BotKey::from("claims"), Opaque::default());
    let address = Address::new("claims".to_owned(), "2".to_owned(), "de".to_owned()).write();
    let door = digital("").unwrap();
    let parts = [part(vec![Item::text("Found it.")]), done(Some("Filed"), &[("claimNumber", &["55-812"])])];
    let push = door.render_push(&parts, leg(&claims, &address, &memory)).unwrap();
    insta::assert_snapshot!(std::str::from_utf8(&push.body).unwrap());
    assert_eq!((push.noted.changes, push.memory), (Vec::new(), None));

    let call = door.call(&push.body).unwrap();
    assert_eq!(call.url, "https://api.example.com/api/v2/integrations/botconnectors/outgoing/messages");
    assert_eq!((call.method, call.body, call.timeout_ms), (Method::POST, push.body, 10_000));
    assert_eq!(call.headers[CONTENT_TYPE], "application/json");
}

#[test]
fn the_platforms_answer_to_a_push_says_what_to_do() {
    let door = digital("").unwrap();
    let gone = PushReading::Over(PushOutcome::SessionClosed);
    let not_taken = |after_ms: Option<u64>| PushReading::NotTaken { after_ms };
    let cases = [
        (200, r#"{"messageId":"d2f6"}"#, None, PushReading::Over(PushOutcome::Delivered)),
        (200, "", None, PushReading::Over(PushOutcome::Delivered)),
        (401, r#"{"code":"bad.credentials"}"#, None, PushReading::Unauthorised),
        (409, r#"{"code":"session.already.closed"}"#, None, gone),
        (409, r#"{"code":"session.not.found"}"#, None, gone),
        (
            409,
            r#"{"code":"integration.not.active"}"#,
            None,
            PushReading::Misconfigured { why: "the integration is inactive" },
        ),
        (
            409,
            r#"{"code":"session.bot.id.mismatch"}"#,
            None,
            PushReading::Misconfigured { why: "the session belongs to another bot" },
        ),
        (
            409,
            r#"{"code":"session.bot.version.mismatch"}"#,
            None,
            PushReading::Misconfigured { why: "the session belongs to another version of the bot" },
        ),
        (
            403,
            r#"{"code":"missing.permissions"}"#,
            None,
            PushReading::Misconfigured { why: "the OAuth client lacks the permission integration:botconnector:send" },
        ),
        (429, r#"{"code":"too.many.requests"}"#, Some("7"), not_taken(Some(7_000))),
        (503, "<html>", None, not_taken(None)),
        (400, r#"{"code":"bad.request"}"#, None, PushReading::Over(PushOutcome::Rejected)),
        (409, "[]", None, PushReading::Over(PushOutcome::Rejected)),
        (500, r#"{"code":"internal.server.error"}"#, None, PushReading::Unknown),
        (504, "", None, PushReading::Unknown),
    ];
    for (status, body, retry_after, expected) in cases {
        let headers: HeaderMap =
            retry_after.map(|after| (http::header::RETRY_AFTER, HeaderValue::from_static(after))).into_iter().collect();
        let reply = outgoing::Reply { status, headers, body: Bytes::from_static(body.as_bytes()) };
        assert_eq!(door.read_push(&reply), expected, "{status} {body}");
    }
}

#[test]
fn the_manifest_offers_the_chosen_bots() {
    let all = digital("provider = 'Acme'").unwrap();
    insta::assert_snapshot!(std::str::from_utf8(&all.manifest()).unwrap());
    let one = digital("bots = ['returns']").unwrap();
    let (manifest, bot) = (one.manifest(), one.bot("returns").unwrap());
    assert_eq!(
        std::str::from_utf8(&manifest).unwrap(),
        format!(r#"{{"entities":[{}]}}"#, std::str::from_utf8(&bot).unwrap())
    );
    assert_eq!((one.bot("claims"), one.bot("Returns")), (None, None));
}

#[test]
fn the_door_is_what_the_configuration_says() {
    let plain = digital("").unwrap();
    let door = Door {
        late: Late::Push,
        join_identical_ms: 0,
        retry_window_ms: 15_000,
        push_after_ack_ms: 100,
        follow_up_ms: 21_600_000,
        merge_quiet_ms: 0,
        merge_max_ms: 5_000,
    };
    assert_eq!((plain.door(), plain.wait_ms(), plain.refuse_after_ms()), (door, 8_000, 9_500));
    assert!(plain.resends_unknown() && !digital("on_unknown_send = 'drop'").unwrap().resends_unknown());
    assert_eq!(
        (plain.entrance().path(), plain.key().as_str(), plain.org().as_str()),
        ("/genesys/acme/digital", "web", "acme")
    );

    let mistakes = [
        ("soft_deadline_ms = 55001", "`soft_deadline_ms` lies between 0 and 55000"),
        ("soft_deadline = 99", "unknown field"),
        ("merge_quiet_ms = 6000", "`merge_max_ms` lies between 6000 and 30000"),
        ("bots = ['clams']", "there are claims, returns"),
        ("provider = ' x'", "entities[0].provider begins or ends with a blank"),
        ("on_unknown_send = 'maybe'", "unknown variant"),
        (
            "[channels.watsapp]",
            "connectors.web.channels: no channel is called \"watsapp\"; there are web_messaging, sms",
        ),
        (
            "[channels.sms]\ntext_max_chars = 7",
            "connectors.web.channels.sms: `text_max_chars` lies between 20 and 100000",
        ),
        ("[channels.sms]\nmarkdown = 'html'", "unknown variant"),
        ("[channels.sms]\nquick_reply_max = 1", "unknown field"),
    ];
    for (toml, part) in mistakes {
        let error = digital(toml).unwrap_err();
        assert!(error.contains(part), "{toml}: {error}");
    }
    for path in ["", "/", "genesys", "/a/", "/a//b", "/a?b", "/a b", "/../a", "/ä", "/{a}", "/*a"] {
        let error = check_path("connectors.web", path).unwrap_err().to_string();
        assert!(error.contains("`path`"), "{path}: {error}");
    }
}

#[test]
fn a_channel_takes_what_the_configuration_says_of_it() {
    let (claims, nothing) = (BotKey::from("claims"), Opaque::default());
    let choices = |count: usize| {
        let options = (1..=count).map(|n| Choice::new(format!("O{n}"), format!("o{n}")));
        Item::Choices(Choices { prompt: "O?".to_owned(), options: options.collect() })
    };
    let picture = Item::Markdown("![map](https://x.example/map.png)".to_owned());
    let reply = Reply::Parts(vec![part(vec![choices(3), picture])]);
    let shown = |config: &str, channel: &str| {
        let view = LegView { channel: Channel::read(channel), ..leg(&claims, &nothing, &nothing) };
        let rendered = digital(config).unwrap().render(&reply, view);
        let body: serde_json::Value = serde_json::from_slice(&rendered.reply.body).unwrap();
        let messages = body["replyMessages"].as_array().unwrap();
        let contents = messages.iter().map(|message| message["content"].as_array().map_or(0, Vec::len));
        contents.collect::<Vec<_>>()
    };
    let two = "attachments = true\n[channels.line]\nquick_replies_max = 2\n[channels.unknown]\nattachments = false";
    assert_eq!(shown("", "line"), [3, 0]);
    assert_eq!(shown("attachments = true", "line"), [3, 1]);
    assert_eq!(shown(two, "line"), [2, 1]);
    assert_eq!(shown(two, "nobody said"), [3, 0]);
    assert_eq!(shown(two, "sms"), [0, 0]);
}
