//! The contract as it stands on the wire, against its JSON Schema. Bots that share no code with us are in `tests/it/samples.rs`.

mod rich;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{
    Answer, Ask, Attributes, BotKey, Channel, Choice, Choices, Cut, Failure, HandOver, Input, Intent, Item, News, Next,
    Notice, Opaque, SeatId, SlotValue, Timestamp, TurnNumber,
};
use serde_json::{Value, json};

use super::{Config, Error, Webhook, signature};
use crate::engine::History;
use crate::engine::{Asking, Callbacks, Engine, Limits, Reading, Rejected, Unreadable};
use crate::http as calls;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NOW: Timestamp = Timestamp(1_614_265_330_000);

fn webhook(more: &str) -> Webhook {
    try_webhook(&format!("url = \"https://bot.example.org/\"\n{more}")).unwrap()
}

fn try_webhook(config: &str) -> Result<Webhook, Error> {
    let config: Config = toml::from_str(config).unwrap();
    Webhook::new(&config)
}

fn signed(more: &str) -> Webhook {
    webhook(&format!("secrets = [\"{SECRET}\"]\n{more}"))
}

fn ask(input: Input) -> Ask {
    Ask {
        seat: SeatId(0),
        bot: BotKey::from("parcels"),
        turn: TurnNumber(4),
        engine_session: 0x6e0a_6c0e_2f0b_4e52_9f0e_3d0a_5b1f_7a10,
        visit: 0,
        is_first: false,
        input,
        language: "de-de".into(),
        channel: None,
        customer: None,
        context: Attributes::from([("queue_hint".into(), "parcels".into())]),
        engine_state: Some(Opaque(br#"{"v": 1}"#.to_vec())),
        hard_deadline: NOW + 20_000,
        time_ms: 20_000,
    }
}

fn text(text: &str) -> Input {
    Input::Text(text.into())
}

fn read(status: u16, body: impl Into<Vec<u8>>) -> Reading {
    let reply = calls::Reply { status, headers: HeaderMap::new(), body: body.into().into() };
    signed("").read(&Bytes::new(), &reply)
}

fn answer(body: &Value) -> Answer {
    match read(200, body.to_string()) {
        Reading::Answer(answer) => *answer,
        other => panic!("{body}: {other:?}"),
    }
}

/// The schema of one part of the contract.
fn schema(part: &str) -> jsonschema::Validator {
    let mut schema: Value =
        serde_json::from_str(include_str!("../../../../../docs/reference/webhook.schema.json")).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let root = schema.as_object_mut().unwrap();
    root.remove("anyOf");
    root.insert("$ref".into(), format!("#/$defs/{part}").into());
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn what_we_send_is_what_the_schema_says() {
    let webhook = signed("notify = [\"opened\", \"ended\", \"handed_over\", \"returned\"]");
    let (questions, notices) = (schema("question"), schema("notice"));
    let first = Ask { engine_state: None, is_first: true, language: String::new(), ..ask(text("")) };
    let tapped = Input::Choice { label: "Change address".into(), payload: "addr_change".into() };
    let known = |channel| Ask { channel: Some(channel), customer: Some("c-991".into()), ..ask(text("hi")) };
    let asks = [first, ask(text("Grüße\n\u{0}")), ask(tapped), ask(Input::Start)];
    for ask in asks.into_iter().chain(Channel::ALL.map(known)) {
        let question: Value = serde_json::from_slice(&webhook.ask(&ask, &History::default(), "t-000123")).unwrap();
        questions.validate(&question).unwrap();
        assert!(!notices.is_valid(&question));
    }
    for news in [News::Opened, News::Ended, News::HandedOver, News::Returned] {
        let notice = Notice { seat: SeatId(0), bot: BotKey::from("parcels"), number: 1, engine_session: 1, news };
        let notice: Value = serde_json::from_slice(&webhook.notice(&notice, "n-1").unwrap()).unwrap();
        notices.validate(&notice).unwrap();
        assert!(!questions.is_valid(&notice));
    }
}

#[test]
fn a_question_on_the_wire() {
    let webhook = signed("bearer = \"secret-token\"");
    let ask = Ask { channel: Some(Channel::Sms), customer: Some("c-991".into()), ..ask(text("Where is it?")) };
    let question = webhook.ask(&ask, &History::default(), "t-000123");
    let Asking::Call(call) = webhook.call(&question, "t-000123", 2, NOW, 8000) else { panic!("a call") };
    insta::assert_snapshot!(std::str::from_utf8(&call.body).unwrap(), @r#"{"contract":"1","bot":"parcels","conversation":{"id":"6e0a6c0e-2f0b-4e52-9f0e-3d0a5b1f7a10","attempt":0,"locale":"de-de","channel":"sms"},"turn":{"id":"t-000123","seq":4,"is_first":false,"deadline_ms":20000},"input":{"kind":"text","text":"Where is it?"},"user":{"id":"c-991"},"context":{"queue_hint":"parcels"},"engine_state":{"v": 1}}"#);
    insta::assert_debug_snapshot!(call.headers, @r#"
    {
        "content-type": "application/json",
        "accept": "application/json",
        "cordboard-time-left-ms": "8000",
        "webhook-id": "t-000123",
        "authorization": Sensitive,
        "webhook-timestamp": "1614265330",
        "webhook-signature": Sensitive,
    }
    "#);
    assert_eq!(
        signature::verify(&[signature::Key::parse(SECRET).unwrap()], &call.headers, &call.body, NOW).unwrap(),
        "t-000123"
    );
    assert_eq!(call.headers["authorization"], "Bearer secret-token");
}

#[test]
fn notices_are_opt_in_one_by_one() {
    let webhook = signed("notify = [\"ended\"]");
    let notice = |news| Notice { seat: SeatId(0), bot: BotKey::from("b"), number: 1, engine_session: 1, news };
    assert!(webhook.notice(&notice(News::Ended), "n-1").is_some());
    assert!(webhook.notice(&notice(News::Opened), "n-2").is_none());
}

#[test]
fn a_full_reply_is_read() {
    let reply = json!({
        "items": [
            {"id": "i1", "kind": "text", "text": "Your parcel is in Leipzig.", "format": "plain"},
            {"id": "i2", "kind": "choices", "prompt": "What next?", "style": "quick_reply", "free_text_ok": true, "options": [
                {"label": "Change address", "action": {"kind": "postback", "value": "addr_change"}},
                {"label": "Thanks"},
                {"label": "Track online", "action": {"kind": "open_url", "value": "https://example.org/track/77"}}
            ]},
            {"kind": "date_picker", "fallback_text": "Which day suits you?"},
            {"kind": "text", "text": "**Bold**", "format": "markdown", "fallback_text": "Bold"}
        ],
        "next": {"kind": "handoff", "reason": "address", "note_to_agent": "Be quick.", "summary": "Moves house.",
                 "attributes": {"skill": "moves"}},
        "nlu": {"intent": {"name": "track_parcel", "confidence": 0.93},
                "slots": {"parcel_no": {"value": 77, "original": "number 77"}, "tags": ["a", true], "plain": "p"}},
        "set_attributes": {"last_topic": "tracking", "count": 1.5, "vip": false},
        "engine_state": {"b": 1e3, "a": [ ]},
        "trace": {"request_id": "r-0192"}
    });
    schema("reply").validate(&reply).unwrap();
    let raw = reply.to_string().replace(r#"{"a":[],"b":1000.0}"#, r#"{"b": 1e3, "a": [ ]}"#);
    let Reading::Answer(answer) = read(200, raw) else { panic!("an answer") };
    let choice = |label: &str, value: &str| Choice::new(label, value);
    let text = |text: &str| text.to_owned();
    assert_eq!(
        *answer,
        Answer {
            items: vec![
                Item::text("Your parcel is in Leipzig."),
                Item::Choices(Choices {
                    prompt: "What next?\nTrack online: https://example.org/track/77".into(),
                    options: vec![choice("Change address", "addr_change"), choice("Thanks", "Thanks")],
                }),
                Item::text("Which day suits you?"),
                Item::Markdown("**Bold**".into()),
            ],
            next: Next::HandOver(HandOver { reason: "address".into(), note: Some("Be quick.\n\nMoves house.".into()) }),
            intent: Some(Intent { name: "track_parcel".into(), confidence_permille: Some(930) }),
            slots: [
                (text("parcel_no"), SlotValue::One("77".into())),
                (text("plain"), SlotValue::One("p".into())),
                (text("tags"), SlotValue::Many(vec!["a".into(), "true".into()])),
            ]
            .into(),
            attributes: [("count", "1.5"), ("last_topic", "tracking"), ("skill", "moves"), ("vip", "false")]
                .map(|(name, value)| (text(name), text(value)))
                .into(),
            engine_state: Some(Opaque(br#"{"b": 1e3, "a": [ ]}"#.to_vec())),
            cuts: vec![Cut::Degraded],
            usage: None,
        }
    );
}

#[test]
fn replies_in_the_schema_are_read_and_others_are_not() {
    let replies = schema("reply");
    let good = [
        json!({"text": "hi"}),
        json!([{"text": "hi"}, {"text": "ho"}]),
        json!([]),
        json!({"items": []}),
        json!({"items": [{"kind": "text", "text": "hi"}], "next": {"kind": "more"}}),
        json!({"items": [{"kind": "text", "text": "Which?"}, {"kind": "choices", "options": [{"label": "A"}]}]}),
        json!({"next": {"kind": "end"}}),
        json!({"next": {"kind": "await_input"}, "engine_state": 7}),
        json!({"in_reply_to": "t-1", "items": [{"kind": "typing", "fallback_text": ""}]}),
    ];
    for reply in good {
        replies.validate(&reply).unwrap_or_else(|error| panic!("{reply}: {error}"));
        assert!(matches!(read(200, reply.to_string()), Reading::Answer(_)), "{reply}");
    }
    // What cannot be read is also refused by the schema, and so is what would be read but not as meant.
    let unreadable = [
        json!({}),
        json!("hi"),
        json!({"items": "hi"}),
        json!({"items": [{"kind": "text"}]}),
        json!({"items": [{"text": "no kind"}]}),
        json!({"items": [{"kind": "choices", "prompt": "?", "options": [{"action": {"kind": "say"}}]}]}),
        json!({"next": {"kind": "handover"}}),
        json!({"next": "end"}),
        json!({"nlu": {"intent": "track"}}),
        json!([{"text": "hi"}, {"txt": "ho"}]),
    ];
    for reply in unreadable {
        assert!(!replies.is_valid(&reply), "{reply}");
        assert_eq!(read(200, reply.to_string()), Reading::Failed(Failure::Nonsense), "{reply}");
    }
    let misread: [(Value, &[Cut]); 5] = [
        (json!({"text": "hi", "nxt": {"kind": "end"}}), &[]),
        (json!({"items": [{"kind": "hologram"}]}), &[Cut::Dropped]),
        (json!({"set_attributes": {"a": {"b": 1}}}), &[Cut::Values]),
        (json!({"nlu": {"intent": {"name": "i", "confidence": 93}}}), &[Cut::Values]),
        (json!({"nlu": {"slots": {"a": null, "b": [{}]}}}), &[Cut::Values]),
    ];
    for (reply, cuts) in misread {
        assert!(!replies.is_valid(&reply), "{reply}");
        assert_eq!(answer(&reply).cuts, cuts, "{reply}");
    }
}

#[test]
fn every_status_has_a_meaning() {
    let later = |after_ms| Reading::Later { after_ms, failure: Failure::Unavailable };
    let failed = Reading::Failed;
    let hi = r#"{"text": "hi"}"#;
    let safe: Vec<(u16, &str, Reading)> = vec![
        (204, "", Reading::Answer(Box::new(Answer::saying(vec![])))),
        (202, "", Reading::Accepted),
        (201, hi, failed(Failure::Nonsense)),
        (301, "", failed(Failure::Refused)),
        (401, hi, failed(Failure::Refused)),
        (410, "", failed(Failure::Refused)),
        (429, "", later(None)),
        (500, hi, later(None)),
        (503, "", later(None)),
        (599, "", later(None)),
        (600, hi, failed(Failure::Nonsense)),
    ];
    for (status, body, reading) in safe {
        assert_eq!(read(status, body), reading, "{status}");
    }

    let mut busy = calls::Reply { status: 429, headers: HeaderMap::new(), body: bytes::Bytes::new() };
    busy.headers.insert("retry-after", HeaderValue::from_static("3"));
    assert_eq!(signed("").read(&Bytes::new(), &busy), later(Some(3000)));
    let unsafe_to_repeat = signed("replay = \"unsafe\"");
    assert_eq!(unsafe_to_repeat.read(&Bytes::new(), &busy), later(Some(3000)));
    busy.status = 502;
    assert_eq!(unsafe_to_repeat.read(&Bytes::new(), &busy), failed(Failure::OutcomeUnknown));

    // Without a secret its callbacks would be refused, so a bot cannot answer later.
    busy.status = 202;
    assert_eq!(webhook("").read(&Bytes::new(), &busy), failed(Failure::Nonsense));
    let mut stream = calls::Reply { status: 200, headers: HeaderMap::new(), body: hi.into() };
    stream.headers.insert("content-type", HeaderValue::from_static("Text/Event-Stream; charset=utf-8"));
    assert_eq!(signed("").read(&Bytes::new(), &stream), failed(Failure::Nonsense));
}

#[test]
fn callbacks_say_why_they_cannot_be_read() {
    let webhook = webhook(&format!("secrets = [\"{SECRET}\"]\nlimits.reply_max_bytes = 60"));
    let callback = webhook.read_callback(br#"{"in_reply_to": "t-7", "text": "Here I am."}"#).unwrap();
    assert_eq!(callback.in_reply_to.as_deref(), Some("t-7"));
    assert_eq!(callback.answer, Answer::saying(vec![Item::text("Here I am.")]));
    assert_eq!(webhook.read_callback(br#"[{"text": "By the way"}]"#).unwrap().in_reply_to, None);

    let table: [(&[u8], Unreadable); 3] = [
        (&[b' '; 61], Unreadable::TooLarge { max_bytes: 60 }),
        (b"{\"text\":\n \"customer's words", Unreadable::NotJson { line: 2, column: 18 }),
        (
            br#"{"items": [{"kind": "typing"}, {"kind": "text", "text": 5}]}"#,
            Unreadable::NotAReply("items[1].text is not a text".into()),
        ),
    ];
    for (body, expected) in table {
        assert_eq!(webhook.read_callback(body).unwrap_err(), expected);
    }
    let said = webhook.read_callback(br#"{"next": "customer's words"}"#).unwrap_err().to_string();
    assert!(!said.contains("customer"), "{said}");
}

#[test]
fn signatures_are_those_of_the_standard() {
    // Computed with another implementation.
    let keys = [signature::Key::parse(SECRET).unwrap()];
    let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
    let signed = signature::sign(&keys, id, 1_614_265_330, body);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn only_authentic_callbacks_pass() {
    let key = |secret| signature::Key::parse(secret).unwrap();
    let body = br#"{"text": "hi"}"#;
    let seconds = 1_614_265_330;
    let by_first = signature::sign(&[key(SECRET)], "m-1", seconds, body);
    let by_other = signature::sign(&[key(OTHER_SECRET)], "m-1", seconds, body);
    let by_both = signature::sign(&[key(OTHER_SECRET), key(SECRET)], "m-1", seconds, body);
    let crowded = format!("{}{by_first}", "v1,AAAA ".repeat(8));
    let webhook = signed("");
    let at = seconds.to_string();

    let check = |id: &str, timestamp: &str, signatures: &str, body: &[u8], now: Timestamp| {
        let mut headers = HeaderMap::new();
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures)] {
            if value != "absent" {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            }
        }
        webhook.verify(&headers, body, now)
    };
    for now in [NOW, NOW + 300_000, Timestamp(NOW.0 - 300_000)] {
        assert_eq!(check("m-1", &at, &by_first, body, now).as_deref(), Ok("m-1"));
    }
    assert!(check("m-1", &at, &by_both, body, NOW).is_ok(), "while a secret is rotated");
    assert!(check("m-1", &at, &format!("v1a,AAAA v2,x {by_first}"), body, NOW).is_ok(), "beside other versions");

    let table = [
        (check("absent", &at, &by_first, body, NOW), Rejected::Header("webhook-id")),
        (check("", &at, &by_first, body, NOW), Rejected::Header("webhook-id")),
        (check("m-1", "absent", &by_first, body, NOW), Rejected::Header("webhook-timestamp")),
        (check("m-1", &at, "absent", body, NOW), Rejected::Header("webhook-signature")),
        (check("m-1", "soon", &by_first, body, NOW), Rejected::Timestamp),
        (check("m-1", "99999999999999999999", &by_first, body, NOW), Rejected::Timestamp),
        (check("m-1", "-9223372036854775808", &by_first, body, NOW), Rejected::TooOld),
        (check("m-1", &at, &by_first, body, NOW + 301_000), Rejected::TooOld),
        (check("m-1", &at, &by_first, body, Timestamp(NOW.0 - 301_000)), Rejected::TooNew),
        (check("m-2", &at, &by_first, body, NOW), Rejected::Signature),
        (check("m-1", "1614265331", &by_first, body, NOW), Rejected::Signature),
        (check("m-1", &at, &by_first, b"{}", NOW), Rejected::Signature),
        (check("m-1", &at, &by_other, body, NOW), Rejected::Signature),
        (check("m-1", &at, by_first.trim_start_matches("v1,"), body, NOW), Rejected::Signature),
        (check("m-1", &at, "v1,", body, NOW), Rejected::Signature),
        (check("m-1", &at, &by_first[..20], body, NOW), Rejected::Signature),
        (check("m-1", &at, &crowded, body, NOW), Rejected::Signature),
    ];
    for (row, (result, expected)) in table.into_iter().enumerate() {
        assert_eq!(result, Err(expected), "row {row}");
    }

    let mut twice = HeaderMap::new();
    twice.append("webhook-id", HeaderValue::from_static("m-1"));
    twice.append("webhook-id", HeaderValue::from_static("m-2"));
    assert_eq!(webhook.verify(&twice, body, NOW), Err(Rejected::Header("webhook-id")));
}

#[test]
fn while_a_secret_is_rotated_both_count() {
    let rotating = webhook(&format!("secrets = [\"{SECRET}\", \"{OTHER_SECRET}\"]"));
    let question = rotating.ask(&ask(text("hi")), &History::default(), "t-1");
    let Asking::Call(call) = rotating.call(&question, "t-1", 1, NOW, 8000) else { panic!("a call") };
    for secret in [SECRET, OTHER_SECRET] {
        let bot = webhook(&format!("secrets = [\"{secret}\"]"));
        assert_eq!(bot.verify(&call.headers, &call.body, NOW).as_deref(), Ok("t-1"));
        let Asking::Call(signed_by_bot) = bot.call(&question, "m-1", 1, NOW, 8000) else { panic!("a call") };
        assert_eq!(rotating.verify(&signed_by_bot.headers, &question, NOW).as_deref(), Ok("m-1"));
    }
}

#[test]
fn a_configuration_is_checked_without_quoting_secrets() {
    let url = |url: &str| format!("url = \"{url}\"");
    let secrets = |secrets: &[&str]| format!("url = \"http://localhost:9000\"\nsecrets = {secrets:?}");
    let short = "whsec_c2hvcnQ=";
    let table = [
        (url("localhost:9000"), "starts with https:// or http://"),
        (url("/turns"), "starts with https:// or http://"),
        (url("ftp://example.org"), "starts with https:// or http://"),
        (url("https://"), "url: "),
        (url("https://user:pw@example.org"), "use `bearer`"),
        (url("https://example.org/#top"), "no fragment"),
        (secrets(&[short]), "24 to 64 random bytes"),
        (secrets(&["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]), "24 to 64 random bytes"),
        (secrets(&[SECRET, OTHER_SECRET, SECRET]), "at most 2"),
        (format!("{}\nbearer = \"a b\"", url("https://example.org")), "bearer: "),
    ];
    for (config, expected) in table {
        let Err(error) = try_webhook(&config) else { panic!("{config} is taken") };
        let error = error.to_string();
        assert!(error.contains(expected), "{config}: {error}");
        assert!(!error.contains("pw@") && !error.contains("c2hvcnQ"), "{error}");
    }
    let config: Config = toml::from_str(&secrets(&[SECRET])).unwrap();
    assert!(!format!("{config:?}").contains("MfKQ"), "{config:?}");
    for wrong in ["url = 1", "url = \"http://a\"\nulr = 1", "url = \"http://a\"\nnotify = [\"all\"]"] {
        assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn limits_are_configured_with_the_bot() {
    let webhook = webhook("limits = { text_max_chars = 3 }");
    let reply = calls::Reply { status: 200, headers: HeaderMap::new(), body: r#"{"text": "abcd"}"#.into() };
    let Reading::Answer(answer) = webhook.read(&Bytes::new(), &reply) else { panic!("an answer") };
    assert_eq!((answer.items, answer.cuts), (vec![Item::text("ab…")], vec![Cut::Text]));
    assert!(toml::from_str::<Limits>("text_max = 3").is_err());
}

#[test]
fn the_examples_of_the_guide_are_valid() {
    let guide = include_str!("../../../../../docs/guides/write-a-webhook-bot.md");
    let parts: Vec<Value> = guide
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split_once("```").unwrap().0).unwrap())
        .collect();
    let [question, reply, rich, callback] = parts.as_slice() else { panic!("{} examples", parts.len()) };
    schema("question").validate(question).unwrap();
    for example in [reply, rich, callback] {
        schema("reply").validate(example).unwrap();
        assert_eq!(answer(example).cuts, []);
    }
}
