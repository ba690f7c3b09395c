//! What an endpoint of earlier days is asked, and what becomes of what it says.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use model::{
    Answer, Ask, Cut, Failure, HandOver, Input, Item, MediaKind, Next, SeatId, SlotValue, Tap, Timestamp, TurnNumber,
};
use serde_json::{Value, json};

use super::*;
use crate::engine::NotTaken;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const CALLBACKS: &str = "callbacks = { client_id = 'returns', client_secret = 'a-client-secret!' }";

fn endpoint(speaks: &str, more: &str) -> Endpoint {
    let config = format!("speaks = '{speaks}'\nurl = 'https://bot.example.org/genesys'\n{more}");
    Endpoint::new(&toml::from_str(&config).unwrap()).unwrap()
}

fn ask(input: Input) -> Ask {
    Ask {
        seat: SeatId(0),
        bot: "returns".into(),
        turn: TurnNumber(3),
        engine_session: 0x0190_0000_0000_7000_8000_0000_0000_0010,
        visit: 1,
        is_first: false,
        input,
        language: "en-US".into(),
        channel: None,
        customer: None,
        context: [("tier".into(), "gold".into())].into(),
        engine_state: None,
        hard_deadline: NOW + 20_000,
        time_ms: 20_000,
    }
}

fn asked(endpoint: &Endpoint, input: Input) -> Value {
    serde_json::from_slice(&endpoint.ask(&ask(input), &History::default(), "t-3")).unwrap()
}

fn reads(endpoint: &Endpoint, body: &Value) -> Reading {
    let reply = calls::Reply { status: 200, headers: HeaderMap::new(), body: body.to_string().into() };
    endpoint.read(&Bytes::new(), &reply)
}

fn answer(endpoint: &Endpoint, body: &Value) -> Answer {
    match reads(endpoint, body) {
        Reading::Answer(answer) => *answer,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn a_v1_endpoint_is_asked_as_the_platform_asks() {
    let endpoint = endpoint("v1", "bot_id = 'gw-returns'\nbot_name = 'Returns Helper'\nbot_version = '2'");
    // The reference's own example, section 7.3, with our ids.
    assert_eq!(
        asked(&endpoint, Input::Text("yesterday evening".into())),
        json!({
            "botId": "Returns Helper", "botVersion": "2",
            "botSessionId": "01900000-0000-7000-8000-000000000011",
            "inputMessage": {"type": "Text", "text": "yesterday evening"},
            "languageCode": "en-us", "botSessionTimeout": 4320,
            "chatBot": {"id": "gw-returns", "name": "Returns Helper"},
            "genesysConversationId": "01900000-0000-7000-8000-000000000010",
            "parameters": {"tier": "gold"},
        })
    );
}

#[test]
fn a_v2_endpoint_is_asked_as_the_platform_asks() {
    let endpoint = endpoint("v2", "start_text = 'Menu'");
    let expected = |input: Value| {
        json!({
            "botId": "returns", "botVersion": "1",
            "botSessionId": "01900000-0000-7000-8000-000000000011",
            "messageId": "01900000-0000-7000-8000-000300000010",
            "inputMessage": input,
            "languageCode": "en-us", "botSessionTimeout": 720,
            "genesysConversationId": "01900000-0000-7000-8000-000000000010",
            "parameters": {"tier": "gold"},
        })
    };
    let tap = Input::Choice { label: "Refund".into(), payload: "opt-refund".into() };
    let button = json!({"type": "QuickReply", "text": "Refund", "payload": "opt-refund"});
    let tapped = json!({
        "type": "Structured", "text": "Refund", "content": [{"contentType": "ButtonResponse", "buttonResponse": button}],
    });
    assert_eq!(asked(&endpoint, tap), expected(tapped));
    assert_eq!(asked(&endpoint, Input::Start), expected(json!({"type": "Text", "text": "Menu"})));
    assert!(endpoint.traits().opens);
}

#[test]
fn a_call_shows_the_integrations_headers_and_the_turn() {
    let endpoint = endpoint("v2", "headers = { Verify-Token = ['the-first', 'the-second'] }");
    let Asking::Call(call) = endpoint.call(&Bytes::from_static(b"{}"), "t-3", 1, NOW, 4000) else { panic!("no call") };
    assert_eq!(call.url, "https://bot.example.org/genesys/messages");
    assert_eq!((call.headers["verify-token"].as_bytes(), call.timeout_ms), (&b"the-first"[..], 4000));
    assert_eq!(call.headers["inin-correlation-id"], "t-3");
    assert!(!format!("{call:?}").contains("the-first"));
}

#[test]
fn every_kind_of_message_becomes_an_item() {
    let messages = json!([
        {"type": "text", "text": "Hello"},
        {"type": "Structured", "text": "Refund?", "content": [
            {"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "y", "image": "https://a/y.png"}},
            {"contentType": "QuickReply", "quickReply": {"text": "No"}},
        ]},
        {"type": "Structured", "text": "A label", "content": [{"contentType": "Card", "card": {
            "title": "Label", "defaultAction": {"type": "Link", "url": "https://a/l"},
            "actions": [{"type": "Postback", "text": "Mail it", "payload": "mail"}, {"type": "Link", "text": "Open", "url": "https://a"}],
        }}]},
        {"type": "Structured", "text": "Two", "content": [{"contentType": "Carousel", "carousel": {"cards": [
            {"title": "A", "actions": []}, {"title": "B", "actions": []},
        ]}}]},
        {"type": "Text", "text": "Your label", "content": [{"contentType": "Attachment", "attachment": {
            "id": "1", "mediaType": "Image", "url": "https://a/l.png", "filename": "l.png", "mime": "image/png",
        }}]},
        {"type": "Structured", "text": "Pick a day", "content": [{"contentType": "DatePicker", "datePicker": {}}]},
        {"type": "Structured", "text": "Monday?", "content": [{"contentType": "QuickReply", "content": "Monday"}]},
        {"type": "Structured", "content": [{"contentType": "DatePicker", "datePicker": {}}]},
    ]);
    for (speaks, key, state) in [("v1", "replyMessages", "MoreData"), ("v2", "replyMessages", "MOREDATA")] {
        let answer = answer(&endpoint(speaks, ""), &json!({key: messages, "botState": state}));
        let [hello, Item::Choices(choices), Item::Card(card), Item::Carousel(two), Item::Media(media), day, older] =
            answer.items.as_slice()
        else {
            panic!("{:?}", answer.items)
        };
        assert_eq!([hello, day, older], [&Item::text("Hello"), &Item::text("Pick a day"), &Item::text("Monday?")]);
        let options: Vec<(&str, &str)> =
            choices.options.iter().map(|it| (it.label.as_str(), it.value.as_str())).collect();
        assert_eq!((choices.prompt.as_str(), options), ("Refund?", vec![("Yes", "y"), ("No", "No")]));
        assert_eq!(choices.options[0].image.as_deref(), Some("https://a/y.png"));
        assert_eq!(card.tap, Some(Tap::Link("https://a/l".into())));
        assert_eq!(card.buttons[0].tap, Tap::Postback("mail".into()));
        assert_eq!((card.fallback.as_deref(), two.fallback.as_deref()), (Some("A label"), Some("Two")));
        assert_eq!((media.kind, media.caption.as_deref()), (MediaKind::Image, Some("Your label")));
        assert_eq!(answer.cuts, [Cut::Degraded, Cut::Dropped]);
    }
}

#[test]
fn what_cannot_be_tapped_is_left_out_and_told() {
    let card = json!({"title": "Call", "defaultAction": {"type": "Link"}, "actions": [
        {"type": "Call", "text": "Call us", "payload": "+49"}, {"type": "Postback", "text": "Chat", "payload": "c"},
    ]});
    let replies = [("A", "a"), ("", "")]
        .map(|(text, payload)| json!({"contentType": "QuickReply", "quickReply": {"text": text, "payload": payload}}));
    for content in [json!([{"contentType": "Card", "card": card}]), json!(replies)] {
        let message = json!({"type": "Structured", "text": "Which?", "content": content});
        let said = answer(&endpoint("v2", ""), &json!({"botState": "MoreData", "replyMessages": [message]}));
        assert_eq!(said.cuts, [Cut::Choices], "{content}");
    }
}

#[test]
fn slots_of_either_contract_are_the_same_texts() {
    let v1 = json!({
        "botState": "COMPLETE", "intent": "Filed", "confidence": 0.93, "replymessages": null,
        "slotValues": {"order": "A-1", "count": 2, "sum": {"amount": "19.90", "code": "EUR"}, "why": ["late", "wet"], "gone": null},
        "parameters": {"returnId": "R-5", "seconds": 94},
    });
    let entity = |name: &str, of: &str, value: &str| json!({"name": name, "type": of, "value": value});
    let v2 = json!({
        "botState": "Complete", "intent": "Filed", "confidence": 0.93,
        "entities": [
            entity("order", "String", "A-1"), entity("count", "Integer", "2"),
            entity("sum", "Currency", "{\"amount\": 19.90, \"code\": \"EUR\"}"),
            {"name": "why", "type": "StringCollection", "values": ["late", "wet"]},
        ],
        "parameters": {"returnId": "R-5", "seconds": "94"},
    });
    let (one, other) = (answer(&endpoint("v1", ""), &v1), answer(&endpoint("v2", ""), &v2));
    assert_eq!(one, other);
    assert_eq!(one.next, Next::End);
    assert_eq!(one.intent.unwrap().confidence_permille, Some(930));
    assert_eq!(one.slots["why"], SlotValue::Many(vec!["late".into(), "wet".into()]));
}

#[test]
fn the_end_of_a_session_is_what_its_flow_made_of_it() {
    let hand_over = |reason: &str, note: Option<&str>| {
        Reading::Answer(Box::new(Answer {
            next: Next::HandOver(HandOver { reason: reason.into(), note: note.map(Into::into) }),
            ..Answer::saying(vec![])
        }))
    };
    let next = |reading: Reading| match reading {
        Reading::Answer(answer) => format!("{:?}", answer.next),
        other => format!("{other:?}"),
    };
    let intents = "hand_over_intents = ['Escalate']\nnote_parameter = 'summary'";
    let cases = [
        ("", json!({"botState": "Complete", "intent": "human"}), hand_over("human", None)),
        (
            intents,
            json!({"botState": "Complete", "intent": "Escalate", "parameters": {"summary": "wet"}}),
            hand_over("Escalate", Some("wet")),
        ),
        (
            "",
            json!({"botState": "Failed", "errorInfo": {"code": "model.down", "message": "x"}}),
            hand_over("model.down", None),
        ),
        ("", json!({"botState": "Failed"}), hand_over("failed", None)),
        // Without an intent the flow takes its failure path.
        ("", json!({"botState": "Complete", "intent": " "}), hand_over("failed", None)),
        (
            "failed = 'fail'",
            json!({"botState": "Failed", "replyMessages": [{"type": "Text", "text": "Oh"}]}),
            Reading::Failed(Failure::Refused),
        ),
        ("", json!({"botState": "Done"}), Reading::Failed(Failure::Nonsense)),
        ("", json!({"replyMessages": []}), Reading::Failed(Failure::Nonsense)),
    ];
    for (more, body, expected) in cases {
        assert_eq!(next(reads(&endpoint("v2", more), &body)), next(expected), "{body}");
    }
}

#[test]
fn silence_is_an_early_acknowledgement_only_where_an_answer_can_come_later() {
    let silence = json!({"botState": "MoreData", "replyMessages": []});
    let nothing_said = Reading::Answer(Box::new(Answer::saying(vec![])));
    let table = [
        ("v1", String::new(), nothing_said.clone()),
        ("v2", String::new(), nothing_said.clone()),
        ("v2", CALLBACKS.to_owned(), Reading::Accepted),
        ("v2", format!("silence = 'nothing'\n{CALLBACKS}"), nothing_said),
    ];
    for (speaks, more, expected) in table {
        assert_eq!(reads(&endpoint(speaks, &more), &silence), expected, "{speaks} {more}");
    }
}

#[test]
fn a_turn_is_asked_again_only_where_the_endpoint_knows_its_id() {
    let status = |endpoint: &Endpoint, status| {
        endpoint.read(&Bytes::new(), &calls::Reply { status, headers: HeaderMap::new(), body: Bytes::new() })
    };
    let later = Reading::Later { after_ms: None, failure: Failure::Unavailable };
    assert_eq!(status(&endpoint("v1", ""), 500), Reading::Failed(Failure::OutcomeUnknown));
    assert_eq!(status(&endpoint("v2", ""), 500), later);
    assert_eq!(status(&endpoint("v1", "replay = 'safe'"), 500), later);
    assert_eq!(status(&endpoint("v1", ""), 503), later);
}

#[test]
fn a_token_counts_for_its_client_and_its_time() {
    let stand_in = endpoint("v2", CALLBACKS);
    let with = |value: &str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
    // `returns:a-client-secret!`
    let basic = with("Basic cmV0dXJuczphLWNsaWVudC1zZWNyZXQh");
    for wrong in [HeaderMap::new(), with("Basic cmV0dXJuczp3cm9uZw=="), with("Basic %"), with("Bearer cmV0dXJucw==")] {
        assert_eq!(stand_in.grant(&wrong, NOW).unwrap_err(), Rejected::Client);
    }
    let grant = stand_in.grant(&basic, NOW).unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&grant.token).to_owned();
    let bearer = with(&format!("Bearer {token}"));
    assert_eq!(stand_in.admit(&bearer, NOW + 3_599_000), Ok(()));
    assert_eq!(stand_in.admit(&bearer, NOW + 3_600_000), Err(Rejected::Token));
    let longer = token.replacen("17", "18", 1);
    for wrong in [longer, token[..token.len() - 1].to_owned(), format!("{token}A"), "x".to_owned(), ".".to_owned()] {
        assert_eq!(stand_in.admit(&with(&format!("Bearer {wrong}")), NOW), Err(Rejected::Token), "{wrong}");
    }
    let other = endpoint("v2", "callbacks = { client_id = 'returns', client_secret = 'another-secret-1' }");
    assert_eq!(other.admit(&bearer, NOW), Err(Rejected::Token));
}

#[test]
fn a_late_answer_names_the_sessions_own_bot() {
    let endpoint = endpoint("v2", CALLBACKS);
    let body = |bot: &str, version: &str, session: &str, state: &str| {
        json!({
            "botId": bot, "botVersion": version, "botSessionId": session, "languageCode": "en-us", "botState": state,
            "replyMessages": [{"type": "Text", "text": "hi"}],
        })
        .to_string()
    };
    let session = "01900000-0000-7000-8000-000000000011";
    let read = |body: String| endpoint.read_message(&"returns".into(), body.as_bytes());
    let taken = read(body("returns", "1", session, "MoreData")).unwrap();
    assert_eq!(taken.session, endpoint.session(ask(Input::Start).engine_session, 1));
    assert_eq!(taken.said.unwrap().items, [Item::text("hi")]);
    let table = [
        (body("refunds", "1", session, "MoreData"), NotTaken::OtherBot),
        (body("returns", "2", session, "MoreData"), NotTaken::OtherVersion),
        (body("returns", "1", "session-1", "MoreData"), NotTaken::NoSuchSession),
        (body("returns", "1", session, "Done"), NotTaken::NotAMessage("botState is unknown".into())),
        ("<html>".to_owned(), NotTaken::NotJson),
        ("{}".to_owned(), NotTaken::NotAMessage("missing field `botId`".into())),
    ];
    for (body, expected) in table {
        assert_eq!(read(body.clone()).unwrap_err(), expected, "{body}");
    }
}

#[test]
fn what_is_wrong_with_a_configuration_is_said() {
    let table = [
        ("speaks = 'v2'\nurl = 'https://a/b?c'", "has a query"),
        ("speaks = 'v2'\nurl = 'https://a/b/messages/'", "url: take /messages from its end"),
        ("speaks = 'v1'\nurl = 'https://user:word@a'", "use `headers`"),
        ("speaks = 'v1'\nurl = 'https://a'\nheaders = { 'a b' = 'c' }", "headers.a b: this is not the name"),
        ("speaks = 'v1'\nurl = 'https://a'\nheaders = { host = 'c' }", "HTTP needs it"),
        ("speaks = 'v1'\nurl = 'https://a'\nheaders = { x = '' }", "headers.x: a secret is visible ASCII"),
        ("speaks = 'v1'\nurl = 'https://a'\nbot_id = ''", "bot_id: a name has 1 to 100 characters"),
        ("speaks = 'v1'\nurl = 'https://a'\nsession_timeout_minutes = 4321", "between 1 and 4320"),
        (
            "speaks = 'v1'\nurl = 'https://a'\ncallbacks = { client_id = 'a', client_secret = 'b' }",
            "written for v1 cannot",
        ),
        (
            "speaks = 'v2'\nurl = 'https://a'\ncallbacks = { client_id = 'a', client_secret = 'b' }",
            "at least 16 characters",
        ),
        (
            "speaks = 'v2'\nurl = 'https://a'\ncallbacks = { client_id = 'a:b', client_secret = 'a-client-secret-1' }",
            "callbacks.client_id: an OAuth client id",
        ),
        (
            "speaks = 'v2'\nurl = 'https://a'\ncallbacks = { client_id = 'a', client_secret = 'a-client-secret-1', lifetime_s = 1 }",
            "callbacks.lifetime_s lies between 300 and 172800",
        ),
    ];
    for (config, expected) in table {
        let config: Config = toml::from_str(config).unwrap();
        let Err(error) = Endpoint::new(&config) else { panic!("{config:?} is taken") };
        let said = error.to_string();
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("word") && !said.contains("a-client-secret-1"), "{said}");
    }
}
