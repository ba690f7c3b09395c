//! Stories of middleware that was written for one door and works behind the other, and of a bot behind both.

use serde_json::{Value, json};
use simulator::FlowSettings;

use crate::endpoint::{CLIENT, Call, Endpoint, Platform, late};
use crate::world::{Customer, Wishes, World};

/// Every request is acknowledged at once, so that every answer is a push.
const PUSHED: Wishes =
    Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", classic: "", bots: "", webhook: "" };

/// What an endpoint was asked, with the ids that are made at random in words.
fn asked(call: &Call) -> String {
    let mut body = call.body.clone();
    for id in ["botSessionId", "genesysConversationId", "messageId"] {
        if let Some(value) = body.get_mut(id) {
            assert_eq!(value.as_str().unwrap().len(), 36, "a UUID, as the platform has them");
            *value = "(a UUID)".into();
        }
    }
    format!("{} {body}", call.path())
}

#[tokio::test]
async fn a_bot_that_only_speaks_v1_is_served_through_v2_with_its_late_answers() {
    let mut endpoint = Endpoint::start().await;
    let world = World::with_more(PUSHED, &endpoint.bot("v1", "")).await;
    let flow = FlowSettings { parameters: [("tier".to_owned(), "gold".to_owned())].into(), ..FlowSettings::default() };
    let customer = world.v2_with("earlier", flow).await;
    customer.says("My windscreen broke");
    let first = endpoint.asked().await;
    world.hurries_no_more().await;
    // It takes longer than the platform waits.
    customer.is_answered().await;
    insta::assert_snapshot!(asked(&first), @r#"/botconnector {"botId":"Claims Helper","botSessionId":"(a UUID)","botSessionTimeout":4320,"botVersion":"7","chatBot":{"id":"gw-claims","name":"Claims Helper"},"genesysConversationId":"(a UUID)","inputMessage":{"text":"My windscreen broke","type":"Text"},"languageCode":"en-us","parameters":{"tier":"gold"}}"#);
    first.replies(&json!({
        "replyMessages": [
            {"type": "text", "text": "Sorry to hear that."},
            {"type": "Structured", "text": "Can you drive?", "content": [
                {"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "drive:yes"}},
                {"contentType": "QuickReply", "quickReply": {"text": "No", "payload": "drive:no"}},
            ]},
        ],
        "botState": "MOREDATA", "intent": "None",
    }));
    assert_eq!(customer.sees().await, "Sorry to hear that.");
    customer.sees().await;
    customer.taps("No");
    let second = endpoint.asked().await;
    assert_eq!(second.body["inputMessage"]["content"][0]["buttonResponse"]["payload"], "drive:no");
    second.replies(&json!({
        "replymessages": [{"type": "Text", "text": "Your claim is filed."}], "botState": "COMPLETE", "intent": "Filed",
        "slotValues": {"claim": "55-812", "sum": {"amount": "240.00", "code": "EUR"}}, "parameters": {"csat": "true"},
    }));
    assert_eq!(customer.leaves_by().await, "Filed");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | My windscreen broke
    session  | session-1 opens
    flow     > session-1/1: My windscreen broke
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"earlier","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"Sorry to hear that."},{"type":"Structured","text":"Can you drive?","content":[{"contentType":"QuickReply","quickReply":{"text":"Yes","payload":"drive:yes"}},{"contentType":"QuickReply","quickReply":{"text":"No","payload":"drive:no"}}]}]} -> 200
    push     | Sorry to hear that.
    push     | Can you drive? [Yes] [No]
    customer | [No] drive:no
    flow     > session-1/2: No [drive:no]
    flow     < 200 {"botState":"Complete","intent":"Filed","entities":[{"name":"claim","type":"String","value":"55-812"},{"name":"sum","type":"Currency","value":"{\"amount\": 240.00, \"code\": \"EUR\"}"}],"replyMessages":[{"type":"Text","text":"Your claim is filed."}],"parameters":{"csat":"true","tier":"gold"}}
    bot      | Your claim is filed.
    session  | session-1 closes: Complete
    path     | Filed
    "#);
}

async fn says_and_is_asked(customer: &Customer, endpoint: &mut Endpoint, text: &str) -> Call {
    customer.says(text);
    endpoint.asked().await
}

const ACKNOWLEDGED: &str = r#"{"botState": "MoreData", "replyMessages": []}"#;

fn acknowledges(call: Call) -> String {
    let session = call.session();
    call.replies(&serde_json::from_str::<Value>(ACKNOWLEDGED).unwrap());
    session
}

#[tokio::test]
async fn a_bot_that_speaks_v2_answers_later_although_its_customers_are_on_v1() {
    let mut endpoint = Endpoint::start().await;
    let world = World::with_more(Wishes::default(), &endpoint.bot("v2", "")).await;
    let customer = world.v1_with("earlier", FlowSettings::default()).await;
    let call = says_and_is_asked(&customer, &mut endpoint, "hello").await;
    insta::assert_snapshot!(asked(&call), @r#"/botconnector/messages {"botId":"gw-claims","botSessionId":"(a UUID)","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"(a UUID)","inputMessage":{"text":"hello","type":"Text"},"languageCode":"en-us","messageId":"(a UUID)"}"#);
    let session = acknowledges(call);
    let platform = Platform { address: world.address(), bot: "earlier" };
    let token = platform.token().await;

    // A sign of life is no answer. The answer to the turn leaves in the response; the same again is a retry, and changes nothing.
    let mut alive = late(&session, "MoreData", "");
    alive["replyMessages"] = json!([]);
    assert_eq!(platform.sends(&token, &alive.to_string()).await.status, 200);
    let answer = late(&session, "MoreData", "Good evening.").to_string();
    let sent = platform.sends(&token, &answer).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    assert_eq!(customer.sees().await, "Good evening.");
    customer.is_answered().await;
    assert_eq!(platform.sends(&token, &answer).await.json(), sent.json());

    // What it says of its own accord waits for the customer, and a hand-over by its intent ends the session.
    let reminder = platform.sends(&token, &late(&session, "MoreData", "Still there?").to_string()).await;
    assert_ne!(reminder.json()["messageId"], sent.json()["messageId"]);
    acknowledges(says_and_is_asked(&customer, &mut endpoint, "yes").await);
    let mut human = late(&session, "Complete", "I get somebody.");
    human["intent"] = "human".into();
    assert_eq!(platform.sends(&token, &human.to_string()).await.status, 200);
    assert_eq!((customer.sees().await, customer.sees().await), ("Still there?".into(), "I get somebody.".into()));
    assert_eq!(customer.leaves_by().await, "human");
    let closed = platform.sends(&token, &late(&session, "MoreData", "And").to_string()).await;
    assert_eq!((closed.status, closed.json()["code"].as_str()), (409, Some("session.already.closed")));
    assert!(!world.has_letters().await);
}

#[tokio::test]
async fn the_platforms_own_doors_answer_as_the_platform_does() {
    let mut endpoint = Endpoint::start().await;
    let limit = "[bots.second]\n[bots.second.engine]\ntype = \"connector\"\nspeaks = \"v2\"\nurl = \"http://127.0.0.1:9/\"\n\
                 callbacks = { client_id = \"second\", client_secret = \"the-secret-of-another\", requests_per_minute = 10 }\n";
    let world = World::with_more(Wishes::default(), &(endpoint.bot("v2", "") + limit)).await;
    let customer = world.v2_with("earlier", FlowSettings::default()).await;
    let session = acknowledges(says_and_is_asked(&customer, &mut endpoint, "hello").await);
    let platform = Platform { address: world.address(), bot: "earlier" };
    let token = platform.token().await;

    let form = "grant_type=client_credentials";
    for (bot, id, secret) in
        [("earlier", CLIENT.0, "wrong"), ("nobody", CLIENT.0, CLIENT.1), ("helper", CLIENT.0, CLIENT.1)]
    {
        let refused = Platform { address: world.address(), bot }.asks_for_token(id, secret, form).await;
        assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_client"), "{bot}");
    }
    let refused = platform.asks_for_token(CLIENT.0, CLIENT.1, "grant_type=password").await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "unsupported_grant_type"));

    let second = Platform { address: world.address(), bot: "second" };
    let with = |name: &str, value: &str| {
        let mut body = late(&session, "MoreData", "hi");
        body[name] = value.into();
        body.to_string()
    };
    let table = [
        (&platform, "no-token", with("botState", "MoreData"), 401, "bad.credentials"),
        (&second, token.as_str(), with("botState", "MoreData"), 401, "bad.credentials"),
        (&platform, &token, with("botSessionId", "0198c0de-0000-7000-8000-000000000000"), 409, "session.not.found"),
        (&platform, &token, with("botSessionId", "session-1"), 409, "session.not.found"),
        (&platform, &token, with("botId", "gw-other"), 409, "session.bot.id.mismatch"),
        (&platform, &token, with("botVersion", "8"), 409, "session.bot.version.mismatch"),
        (&platform, &token, "<html>".to_owned(), 400, "bad.request"),
        (&platform, &token, "{}".to_owned(), 400, "bad.request"),
    ];
    for (platform, token, body, status, code) in table {
        let answer = platform.sends(token, &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(answer.json()["status"], status);
    }
    assert_eq!(world.letters().await.0, ["callback earlier: missing field `botId`"]);

    let token = second.asks_for_token("second", "the-secret-of-another", form).await.json()["access_token"].clone();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer = second.sends(token.as_str().unwrap(), &with("botId", "second")).await;
        statuses.push((answer.status, answer.head.contains("retry-after: 1")));
    }
    assert_eq!(statuses, [(409, false), (429, true)]);
}

#[tokio::test]
async fn an_endpoint_gets_a_session_of_its_own_for_each_visit_and_keeps_its_conversation() {
    let mut endpoint = Endpoint::start().await;
    let world = World::with_more(Wishes::default(), &endpoint.bot("v2", "")).await;
    let flow = FlowSettings { loop_back: vec!["Filed".to_owned()], ..FlowSettings::default() };
    let customer = world.v2_with("earlier", flow).await;
    let first = says_and_is_asked(&customer, &mut endpoint, "hello").await;
    let (conversation, session) = (first.body["genesysConversationId"].clone(), first.session());
    first.replies(&json!({"botState": "Complete", "intent": "Filed", "replyMessages": []}));
    customer.is_answered().await;
    // The flow calls the bot again in the same conversation of the platform.
    let second = says_and_is_asked(&customer, &mut endpoint, "hello again").await;
    assert_eq!(second.body["genesysConversationId"], conversation);
    assert_ne!(second.session(), session);
    let now = acknowledges(second);

    let platform = Platform { address: world.address(), bot: "earlier" };
    let token = platform.token().await;
    let gone = platform.sends(&token, &late(&session, "MoreData", "late").to_string()).await;
    assert_eq!((gone.status, gone.json()["code"].as_str()), (409, Some("session.already.closed")));
    assert_eq!(platform.sends(&token, &late(&now, "MoreData", "in time").to_string()).await.status, 200);
    assert_eq!(customer.sees().await, "in time");
}

#[tokio::test]
async fn a_bot_behind_both_doors_at_once_is_compared_before_it_moves() {
    let wishes = Wishes { classic: "budget_ms = 10000\nshadow = \"digital\"", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let (old, new) = (world.v1().await, world.v2().await);
    for customer in [&old, &new] {
        customer.says("hello");
        let choices =
            json!({"items": [{"kind": "choices", "prompt": "Which?", "options": [{"label": "A", "value": "a"}]}]});
        world.bot.asked().await.replies(200, &choices.to_string());
        customer.sees().await;
        customer.is_answered().await;
    }
    // One that the old door cannot give in time.
    world.reload("\nbudget_ms = 10000\n", "\nbudget_ms = 1000\n").await.unwrap();
    old.says("and now?");
    let slow = world.bot.asked().await;
    world.hurries_no_more().await;
    old.is_answered().await;
    slow.says("here it is");
    old.sees().await;
    old.taps("OK");
    assert_eq!(old.sees().await, "here it is");
    old.is_answered().await;
    let counts = world.operator(|shared| async move { shared.store().shadows().await.unwrap() }).await;
    let told: Vec<String> = counts
        .iter()
        .map(|count| {
            format!("{} {}: {} {}", count.latest.connector, count.latest.bot, count.answers, count.latest.kind)
        })
        .collect();
    assert_eq!(told, ["classic helper: 3 compared", "classic helper: 1 late"]);
    assert_eq!(world.bot.heard(), ["hello", "hello", "and now?"], "no bot is asked twice");
    let metrics = world.operator(|shared| async move { shared.metrics_text().await }).await;
    assert!(metrics.contains("cordboard_shadow_answers_total{connector=\"classic\",found=\"late\"} 1"), "{metrics}");
}
