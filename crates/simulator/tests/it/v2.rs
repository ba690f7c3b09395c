//! Digital Bot Connector v2: what the flow does with a connector's answers, and with their absence.

use serde_json::{Value, json};
use simulator::customer::{Manner, converse};
use simulator::{Chance, Faults, FlowSettings, Severity};

use crate::connector::{PATIENCE, Platform, Reply, flow, manifest, outgoing, text, v2_with};

/// An answer, how many requests it takes, and the path.
type AnswerAndPath = (fn() -> Reply, usize, &'static str);

fn more(messages: Value) -> Reply {
    Reply::Json(json!({"botState": "MoreData", "replyMessages": messages}))
}

#[tokio::test]
async fn an_answer_pushed_late_a_tap_and_the_way_out() {
    let (simulator, connector, integration) = v2_with(|request| match request.n {
        1 => more(json!([])),
        _ => Reply::Json(json!({
            "botState": "Complete", "intent": "found", "parameters": {"carrier": "post"},
            "entities": [{"name": "number", "type": "Integer", "value": "12"}], "replyMessages": [text("It is number 12.")],
        })),
    })
    .await;
    let flow = FlowSettings { parameters: [("tier".to_owned(), "gold".to_owned())].into(), ..flow() };
    let customer = simulator.conversation(&integration, "parcels", flow).await.unwrap();
    customer.say("Where is my parcel?");
    assert!(customer.settled(PATIENCE).await);
    let platform = Platform::of(&simulator).await;
    let choices = json!([text("Looking."), {"type": "Structured", "text": "By number?", "content": [
        {"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "by:number"}}]}]);
    let pushed = platform.push(&outgoing(&customer.session().unwrap(), "MoreData", choices)).await;
    assert_eq!(pushed.status, 200);
    assert!(pushed.body["messageId"].is_string());
    assert!(pushed.headers.contains_key("inin-correlation-id"));
    assert_eq!(customer.next_bot_message(PATIENCE).await.unwrap().text(), "Looking.");
    assert_eq!(customer.next_bot_message(PATIENCE).await.unwrap().labels(), ["Yes"]);
    assert!(!customer.tap("No"), "only what was offered can be tapped");
    assert!(customer.tap("Yes"));
    assert!(customer.wait_path(PATIENCE).await.unwrap().is("found"));
    assert_eq!(customer.parameters()["carrier"], "post");
    assert_eq!(customer.slots()["number"], "12");
    assert!(!customer.say("Thanks"), "the flow has left the bot");
    assert_eq!(connector.requests()[0].headers["x-secret"], "s3cr3t");
    insta::assert_snapshot!(customer.text(), @r#"
    customer | Where is my parcel?
    session  | session-1 opens
    flow     > {"botId":"parcels","botSessionId":"session-1","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"conversation-1","inputMessage":{"text":"Where is my parcel?","type":"Text"},"languageCode":"en-us","messageId":"message-1","parameters":{"tier":"gold"}}
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"parcels","botSessionId":"session-1","botState":"MoreData","botVersion":"7","languageCode":"en-us","replyMessages":[{"text":"Looking.","type":"Text"},{"content":[{"contentType":"QuickReply","quickReply":{"payload":"by:number","text":"Yes"}}],"text":"By number?","type":"Structured"}]} -> 200
    push     | Looking.
    push     | By number? [Yes]
    customer | [Yes] by:number
    flow     > {"botId":"parcels","botSessionId":"session-1","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"conversation-1","inputMessage":{"content":[{"buttonResponse":{"payload":"by:number","text":"Yes","type":"QuickReply"},"contentType":"ButtonResponse"}],"text":"Yes","type":"Structured"},"languageCode":"en-us","messageId":"message-2","parameters":{"tier":"gold"}}
    flow     < 200 {"botState":"Complete","entities":[{"name":"number","type":"Integer","value":"12"}],"intent":"found","parameters":{"carrier":"post"},"replyMessages":[{"text":"It is number 12.","type":"Text"}]}
    bot      | It is number 12.
    session  | session-1 closes: Complete
    path     | found
    customer | Thanks (no bot listens)
    "#);
    simulator.stop().await;
}

#[tokio::test]
async fn a_published_flow_keeps_its_manifest() {
    let (simulator, connector, integration) = v2_with(|_| more(json!([]))).await;
    assert_eq!(simulator.publish(&integration).await.unwrap().violations, []);
    let mut changed = manifest();
    changed["entities"][0]["versions"][0]["version"] = json!("8");
    changed["entities"][0]["versions"][0]["supportedLanguages"] = json!(["DE"]);
    connector.set_manifest(changed);
    let customer = simulator.conversation(&integration, "parcels", flow()).await.unwrap();
    customer.say("hi");
    assert!(customer.settled(PATIENCE).await);
    assert_eq!(connector.requests()[0].body["botVersion"], "7");
    let published = simulator.publish(&integration).await.unwrap();
    let rules: Vec<&str> = published.violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["language-lower-case", "no-language"]);
    let refused = simulator.conversation(&integration, "parcels", flow()).await.unwrap_err();
    assert_eq!(refused.to_string(), "the published list has no language 'en-us' in version '8' of bot 'parcels'");
}

#[tokio::test]
async fn failure_paths_by_kind_of_answer() {
    let cases: [AnswerAndPath; 7] = [
        (|| Reply::Raw(403, "no"), 1, "failure:ServiceProviderErrorResponse (status 403)"),
        (|| Reply::Raw(503, "later"), 3, "failure:ServiceProviderErrorResponse (status 503)"),
        (|| Reply::Hang, 1, "failure:ServiceProviderTimeout"),
        (|| Reply::Raw(200, "<html>"), 1, "failure:ServiceProviderInvalidResponse (json)"),
        (|| Reply::Raw(202, "{}"), 1, "failure:ServiceProviderErrorResponse (status 202)"),
        (
            || Reply::Json(json!({"botState": "Complete", "intent": "lost"})),
            1,
            "failure:ServiceProviderInvalidResponse (intent-declared)",
        ),
        (
            || Reply::Json(json!({"botState": "Failed", "errorInfo": {"errorCode": "down", "errorMessage": "sorry"}})),
            1,
            "failure:BotFailed (down sorry)",
        ),
    ];
    for (reply, requests, path) in cases {
        let (simulator, _connector, integration) = v2_with(move |_| reply()).await;
        let hurried = FlowSettings { response_timeout_ms: Some(2_000), ..flow() };
        let deadline = if path == "failure:ServiceProviderTimeout" { hurried } else { flow() };
        let customer = simulator.conversation(&integration, "parcels", deadline).await.unwrap();
        customer.say("hi");
        assert_eq!(customer.wait_path(PATIENCE).await.unwrap().to_string(), path);
        assert_eq!(customer.text().matches("flow     >").count(), requests, "{path}");
        assert_eq!(customer.session(), None, "{path}");
    }
}

#[tokio::test]
async fn a_retry_after_5xx_repeats_the_very_same_message() {
    let (simulator, connector, integration) = v2_with(|request| match request.n {
        1 | 2 => Reply::Raw(503, ""),
        _ => more(json!([text("here")])),
    })
    .await;
    let customer = simulator.conversation(&integration, "parcels", flow()).await.unwrap();
    assert_eq!(customer.ask("hi", PATIENCE).await.unwrap().text(), "here");
    let bodies: Vec<Value> = connector.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies.len() == 3 && bodies[0] == bodies[1] && bodies[1] == bodies[2]);
}

#[tokio::test]
async fn a_refused_connection_counts_as_5xx_unless_switched_off() {
    let (simulator, _connector, integration) = v2_with(|_| Reply::Hang).await;
    simulator.publish(&integration).await.unwrap();
    integration.set_url("http://127.0.0.1:9/base");
    for (retry, attempts) in [(true, 3), (false, 1)] {
        let flow = FlowSettings { retry_refused_connection: retry, ..flow() };
        let customer = simulator.conversation(&integration, "parcels", flow).await.unwrap();
        customer.say("hi");
        let path = customer.wait_path(PATIENCE).await.unwrap();
        assert_eq!(path.to_string(), "failure:ServiceProviderErrorResponse (connection refused)");
        assert_eq!(customer.text().matches("nothing: connection refused").count(), attempts);
    }
}

#[tokio::test]
async fn sessions_end_by_silence_by_age_and_by_the_customer_leaving() {
    let cases = [
        (FlowSettings { follow_up_timeout_ms: Some(1_000), ..flow() }, "failure:FollowUpTimeout"),
        // One minute is 600 ms at this time scale.
        (FlowSettings { session_timeout_min: Some(1), ..flow() }, "failure:SessionTimeout"),
        (flow(), "left"),
    ];
    for (flow, path) in cases {
        let (simulator, connector, integration) = v2_with(|_| more(json!([text("yes?")]))).await;
        let customer = simulator.conversation(&integration, "parcels", flow).await.unwrap();
        customer.say("hi");
        if path == "left" {
            assert!(customer.settled(PATIENCE).await);
            customer.leave();
        }
        assert_eq!(customer.wait_path(PATIENCE).await.unwrap().to_string(), path);
        assert!(customer.settled(PATIENCE).await);
        let session = connector.requests()[0].body["botSessionId"].as_str().unwrap().to_owned();
        let late = Platform::of(&simulator).await.push(&outgoing(&session, "MoreData", json!([]))).await;
        assert_eq!(late.code(), (409, "session.already.closed"), "{path}");
    }
}

#[tokio::test]
async fn a_repeated_message_must_be_answered_alike() {
    let with = |faults: Faults| FlowSettings { faults, ..flow() };
    let in_flight = Faults { duplicate_in_flight: Chance::ALWAYS, ..Faults::default() };
    let afterwards = Faults { duplicate_after_answer: Chance::ALWAYS, ..Faults::default() };
    for faults in [in_flight, afterwards] {
        for (honest, broken) in [(true, vec![]), (false, vec!["same-question-same-answer"])] {
            let (simulator, connector, integration) = v2_with(move |request| {
                more(json!([text(&if honest { "hello".to_owned() } else { request.n.to_string() })]))
            })
            .await;
            let customer = simulator.conversation(&integration, "parcels", with(faults.clone())).await.unwrap();
            customer.ask("hi", PATIENCE).await.unwrap();
            assert!(customer.settled(PATIENCE).await);
            let requests = connector.requests();
            assert_eq!(requests.len(), 2);
            assert_eq!(requests[0].body["messageId"], requests[1].body["messageId"]);
            assert_eq!(customer.seen().len(), 1, "the repeat is not shown");
            let rules: Vec<&str> = customer.violations().iter().map(|violation| violation.rule).collect();
            assert_eq!(rules, broken);
        }
    }
}

#[tokio::test]
async fn the_other_faults_show_on_the_wire() {
    let faults = Faults {
        blank_text: Chance::ALWAYS,
        language_case: Chance::ALWAYS,
        unknown_members: Chance::ALWAYS,
        slow_reading_ms: 1,
        ..Faults::default()
    };
    let (simulator, connector, integration) = v2_with(|request| match request.text() {
        "" => more(json!([])),
        _ => more(json!([text("hello")])),
    })
    .await;
    let flow = FlowSettings { faults, ..flow() };
    let customer = simulator.conversation(&integration, "parcels", flow).await.unwrap();
    assert_eq!(customer.ask("hi", PATIENCE).await.unwrap().text(), "hello");
    let requests = connector.requests();
    assert_eq!(requests.iter().map(|request| request.text()).collect::<Vec<_>>(), ["", "hi"]);
    assert_eq!(requests[1].body["languageCode"], "en-US");
    assert!(requests[1].body["inputMessage"]["addedLater"].is_boolean());

    customer.set_faults(|faults| {
        *faults = Faults {
            abort_then_retry: Chance::ALWAYS,
            abort_after_ms: Some(10_000),
            close_after_ack: Chance::ALWAYS,
            ..Faults::default()
        };
    });
    customer.say("");
    assert!(customer.wait_path(PATIENCE).await.unwrap().is("left"), "closed between acknowledgement and answer");
    let requests = connector.requests();
    assert_eq!(requests[2].body, requests[3].body, "the dropped call is repeated");
}

#[tokio::test]
async fn the_same_seed_makes_the_same_choices() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let (simulator, connector, integration) = v2_with(|_| more(json!([text("hello")]))).await;
        let faults = Faults { language_case: Chance::new(0.5), ..Faults::default() };
        let flow = FlowSettings { seed: Some(seed), faults, ..flow() };
        let customer = simulator.conversation(&integration, "parcels", flow).await.unwrap();
        converse(&customer, Manner::Patient, &["a"; 16], PATIENCE).await;
        let languages: Vec<Value> =
            connector.requests().iter().map(|request| request.body["languageCode"].clone()).collect();
        runs.push((languages, connector.requests()[0].body["botSessionId"].clone()));
    }
    assert_eq!(runs[0].0, runs[1].0);
    assert_ne!(runs[0].0, runs[2].0);
    assert_ne!(runs[0].1, runs[1].1, "ids differ from run to run, or a store would take them for retries");
}

#[tokio::test]
async fn customers_of_every_manner_at_once() {
    let (simulator, connector, integration) = v2_with(|request| more(json!([text(request.text())]))).await;
    // A flow hangs up only on those who fall silent, however busy the machine.
    let listens_for = |manner| FlowSettings {
        follow_up_timeout_ms: Some(if manner == Manner::Silent { 100_000 } else { 20_000_000 }),
        ..flow()
    };
    let tasks = tokio_util::task::TaskTracker::new();
    let mut customers = Vec::new();
    for manner in [Manner::Patient, Manner::Hasty, Manner::Silent, Manner::DoubleSending].repeat(25) {
        let customer = simulator.conversation(&integration, "parcels", listens_for(manner)).await.unwrap();
        customers.push((
            manner,
            tasks.spawn(async move { converse(&customer, manner, &["one", "two", "three"], PATIENCE).await }),
        ));
    }
    for (manner, customer) in customers {
        let served = customer.await.unwrap();
        assert_eq!(served.unanswered, 0, "{manner:?}");
        let mut texts: Vec<String> = served.seen.iter().map(|seen| seen.text().to_owned()).collect();
        match manner {
            Manner::Patient => assert_eq!(texts, ["one", "two", "three"]),
            // Their answers may overtake each other.
            Manner::Hasty => {
                texts.sort();
                assert_eq!(texts, ["one", "three", "two"]);
            }
            Manner::Silent => {
                assert_eq!(texts, ["one"]);
                assert!(served.path.unwrap().is("failure:FollowUpTimeout"));
            }
            Manner::DoubleSending => assert!(texts.len() >= 3),
        }
    }
    let mut ids: Vec<String> = connector.requests().iter().map(|r| r.body["messageId"].to_string()).collect();
    let sent = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((sent, ids.len()), (25 * (3 + 3 + 1 + 6), sent), "every message has an id of its own");
}

#[tokio::test]
async fn one_bot_of_the_manifest_must_be_had_alone() {
    let (simulator, connector, integration) = v2_with(|_| Reply::Hang).await;
    let mut doubled = manifest();
    let mut second = doubled["entities"][0].clone();
    second["name"] = json!("Second");
    doubled["entities"].as_array_mut().unwrap().push(second);
    connector.set_manifest(doubled);
    let published = simulator.publish(&integration).await.unwrap();
    let rules: Vec<(&str, Severity)> = published.violations.iter().map(|v| (v.rule, v.severity)).collect();
    assert_eq!(rules, [("unique", Severity::Schema), ("one-bot", Severity::Schema)]);
}

#[tokio::test]
async fn a_path_that_loops_back_opens_a_new_session_in_the_same_conversation() {
    let (simulator, connector, integration) =
        v2_with(|_| Reply::Json(json!({"botState": "Complete", "intent": "found"}))).await;
    let looping = FlowSettings { loop_back: vec!["found".to_owned()], ..flow() };
    let customer = simulator.conversation(&integration, "parcels", looping).await.unwrap();
    for _ in 0..2 {
        assert!(customer.say("hi"));
        assert!(customer.settled(PATIENCE).await);
    }
    customer.return_to_bot();
    assert!(customer.say("hi"));
    assert!(customer.settled(PATIENCE).await);
    let ids = |member: &str| {
        let mut ids: Vec<String> = connector.requests().iter().map(|r| r.body[member].to_string()).collect();
        ids.sort();
        ids.dedup();
        ids.len()
    };
    assert_eq!((ids("botSessionId"), ids("genesysConversationId")), (3, 1));
}

#[tokio::test]
async fn words_said_during_a_turn_go_out_at_once_or_wait() {
    for (concurrent_turns, requests) in [(true, 2), (false, 1)] {
        let (simulator, connector, integration) = v2_with(|request| match request.text() {
            "one" => Reply::Hang,
            _ => more(json!([text("two")])),
        })
        .await;
        let hurried = FlowSettings { concurrent_turns, response_timeout_ms: Some(200_000), ..flow() };
        let customer = simulator.conversation(&integration, "parcels", hurried).await.unwrap();
        customer.say("one");
        customer.say("two");
        assert!(customer.wait_path(PATIENCE).await.unwrap().is("failure:ServiceProviderTimeout"));
        assert!(customer.settled(PATIENCE).await);
        assert_eq!((connector.requests().len(), customer.seen().len()), (requests, requests - 1));
    }
}

#[tokio::test]
async fn a_flow_may_be_published_with_what_the_connector_no_longer_has() {
    let (simulator, connector, integration) = v2_with(|_| Reply::Raw(403, "no")).await;
    let mut old = manifest();
    old["entities"][0]["versions"][0]["version"] = json!("6");
    assert_eq!(simulator.publish_as(&integration, &old).await.violations, []);
    let customer = simulator.conversation(&integration, "parcels", flow()).await.unwrap();
    customer.say("hi");
    customer.wait_path(PATIENCE).await.unwrap();
    assert_eq!(connector.requests()[0].body["botVersion"], "6");
    let (status, body) = simulator.post_raw(&integration, &[("x-secret", "wrong")], "{}").await.unwrap();
    assert_eq!((status, &*body), (403, b"no".as_slice()));
    assert_eq!(connector.requests()[1].headers["x-secret"], "wrong");
}
