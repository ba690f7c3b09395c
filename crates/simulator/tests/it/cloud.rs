//! The platform's answers to a connector: every error code, in the order of the checks.

use serde_json::json;
use simulator::{Integration, RateLimit, Settings, Simulator};

use crate::connector::{PATIENCE, Platform, Reply, flow, outgoing, settings, text, v2_with};

#[tokio::test]
async fn every_refusal_of_an_outgoing_message() {
    let (simulator, _connector, integration) = v2_with(|_| Reply::Json(json!({"botState": "MoreData"}))).await;
    let customer = simulator.conversation(&integration, "parcels", flow()).await.unwrap();
    customer.say("hi");
    assert!(customer.settled(PATIENCE).await);
    let session = customer.session().unwrap();
    let good = outgoing(&session, "MoreData", json!([text("late")]));
    let with = |member: &str, value: &str| {
        let mut body = good.clone();
        body[member] = json!(value);
        body
    };
    let platform = Platform::of(&simulator).await;

    let broken = json!({"botSessionId": session, "botState": "Done", "replyMessages": [{"type": "Text"}]});
    let refused = platform.push(&broken).await;
    assert_eq!(refused.code(), (400, "bad.request"));
    let details: Vec<&str> =
        refused.body["details"].as_array().unwrap().iter().filter_map(|detail| detail["errorCode"].as_str()).collect();
    assert_eq!(details, ["bot-state", "text-needs-text", "required", "required", "required"]);
    assert!(refused.body["contextId"].is_string() && refused.headers.contains_key("inin-correlation-id"));

    let unknown = with("botSessionId", "00000000-0000-4000-8000-000000000000");
    assert_eq!(platform.push(&unknown).await.code(), (409, "session.not.found"));
    assert_eq!(platform.push(&with("botId", "other")).await.code(), (409, "session.bot.id.mismatch"));
    assert_eq!(platform.push(&with("botVersion", "6")).await.code(), (409, "session.bot.version.mismatch"));
    integration.set_active(false);
    assert_eq!(platform.push(&with("botId", "other")).await.code(), (409, "integration.not.active"));
    integration.set_active(true);

    for (set, code) in
        [("401", (401, "bad.credentials")), ("429", (429, "too.many.requests")), ("503", (503, "service.unavailable"))]
    {
        customer.set_faults(|faults| match set {
            "401" => faults.outgoing_401 = 1,
            "429" => faults.outgoing_429 = 1,
            _ => faults.outgoing_5xx = 1,
        });
        let refused = platform.push(&good).await;
        assert_eq!(refused.code(), code);
        assert_eq!(
            refused.headers.get("retry-after").map(|value| value.to_str().unwrap()),
            (set == "429").then_some("1")
        );
    }
    customer.set_faults(|faults| faults.revoke_in_flight = 1);
    assert_eq!(platform.push(&good).await.code(), (401, "bad.credentials"));
    let platform = Platform::of(&simulator).await;
    assert_eq!(simulator.tokens_issued(), 2);
    assert_eq!(customer.seen(), [], "nothing refused was shown");

    assert_eq!(platform.push(&good).await.status, 200);
    let complete = json!({"intent": "human"});
    let mut closing = outgoing(&session, "Complete", json!([]));
    closing["intent"] = complete["intent"].clone();
    assert_eq!(platform.push(&closing).await.status, 200);
    assert!(customer.path().unwrap().is("human"));
    assert_eq!(platform.push(&good).await.code(), (409, "session.already.closed"));
    insta::assert_snapshot!(customer.text(), @r#"
    customer | hi
    session  | session-1 opens
    flow     > {"botId":"parcels","botSessionId":"session-1","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"conversation-1","inputMessage":{"text":"hi","type":"Text"},"languageCode":"en-us","messageId":"message-1"}
    flow     < 200 {"botState":"MoreData"}
    outgoing < {"botSessionId":"session-1","botState":"Done","replyMessages":[{"type":"Text"}]} -> 400 bad.request
    broken   | violation bot-state: botState 'Done' is not Complete, Failed or MoreData
    broken   | violation text-needs-text: replyMessages[0] is a Text message without text
    broken   | violation required: body.botId is missing
    broken   | violation required: body.botVersion is missing
    broken   | violation required: body.languageCode is missing
    outgoing < {"botId":"other","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 409 session.bot.id.mismatch
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"6","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 409 session.bot.version.mismatch
    outgoing < {"botId":"other","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 409 integration.not.active
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 401 bad.credentials
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 429 too.many.requests
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 503 service.unavailable
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 401 bad.credentials
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 200
    push     | late
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"Complete","botVersion":"7","intent":"human","languageCode":"en-us","replyMessages":[]} -> 200
    session  | session-1 closes: Complete
    path     | human
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"late","type":"Text"}]} -> 409 session.already.closed
    "#);
}

#[tokio::test]
async fn tokens_expire_are_limited_and_need_their_permission() {
    let short = Settings { token_lifetime_ms: 0, ..settings() };
    let limited = Settings { rate_limit: Some(RateLimit { requests: 2, window_ms: 600_000 }), ..settings() };
    let mut powerless = Integration::v2("http://127.0.0.1:9/");
    powerless.permissions.clear();
    for (settings, integration, codes) in [
        (short, Integration::v2("http://127.0.0.1:9/"), [401, 401, 401]),
        (limited, Integration::v2("http://127.0.0.1:9/"), [409, 409, 429]),
        (self::settings(), powerless, [403, 403, 403]),
    ] {
        let simulator = Simulator::start(settings).await.unwrap();
        simulator.register(integration);
        let platform = Platform::of(&simulator).await;
        assert_eq!(platform.log_in("simulated-client", "wrong").await.status, 401);
        for wanted in codes {
            let got = platform.push(&outgoing("none", "MoreData", json!([]))).await;
            assert_eq!(got.status, wanted);
            if wanted == 429 {
                let seconds: u64 = got.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=600).contains(&seconds));
            }
        }
        simulator.stop().await;
    }
}

#[tokio::test]
async fn a_stalled_message_was_delivered_all_the_same() {
    let (simulator, _connector, integration) = v2_with(|_| Reply::Json(json!({"botState": "MoreData"}))).await;
    let customer = simulator.conversation(&integration, "parcels", flow()).await.unwrap();
    customer.say("hi");
    assert!(customer.settled(PATIENCE).await);
    let body = outgoing(&customer.session().unwrap(), "MoreData", json!([text("late")]));
    let platform = Platform::of(&simulator).await;
    customer.set_faults(|faults| faults.outgoing_stall = 1);
    let pushed = tokio::select! {
        biased;
        pushed = platform.push(&body) => Some(pushed.status),
        seen = customer.next_bot_message(PATIENCE) => {
            assert_eq!(seen.unwrap().text(), "late");
            None
        }
    };
    assert_eq!(pushed, None, "no answer comes");
}
