//! Bot Connector v1: the shape seen in the field, the loop guard, and waiting for an answer by `pending`.

use serde_json::{Value, json};
use simulator::{Door, FlowSettings, Simulator};

use crate::connector::{PATIENCE, Platform, Reply, bot_list, flow, settings, text, v1_with};

/// The stamp of each turn, and after how many the flow has left.
type StampedTurns = (fn(usize) -> usize, Option<usize>);

type AnswerAndPath = (fn() -> Reply, &'static str);

fn more(stamp: usize) -> Reply {
    Reply::Json(json!({"botState": "MOREDATA", "intent": "turn", "slotValues": {"stamp": stamp},
        "replymessages": [text("go on")]}))
}

#[tokio::test]
async fn the_request_has_the_shape_seen_in_the_field() {
    let (simulator, connector, integration) = v1_with(|request| match request.n {
        1 => Reply::Json(json!({"botState": "MoreData", "intent": "turn", "replymessages": [
            {"type": "Structured", "text": "Drivable?", "content": [{"contentType": "QuickReply", "quickReply": {"text": "No"}}]}]})),
        _ => Reply::Json(json!({"botState": "complete", "intent": "human", "replymessages": [], "parameters": {"why": "asked"}})),
    })
    .await;
    let customer = simulator.conversation(&integration, "claims", flow()).await.unwrap();
    assert_eq!(customer.ask("My windscreen broke", PATIENCE).await.unwrap().labels(), ["No"]);
    assert!(customer.tap("No"));
    assert!(customer.wait_path(PATIENCE).await.unwrap().is("human"));
    assert_eq!(customer.parameters()["why"], "asked");
    assert_eq!(connector.requests()[0].headers["verify-token"], "s3cr3t");
    insta::assert_snapshot!(customer.text(), @r#"
    customer | My windscreen broke
    session  | session-1 opens
    flow     > {"botId":"Claims Helper","botSessionId":"session-1","botSessionTimeout":4320,"botVersion":"2","chatBot":{"id":"claims","name":"Claims Helper"},"genesysConversationId":"conversation-1","inputMessage":{"text":"My windscreen broke","type":"Text"},"languageCode":"en-us"}
    flow     < 200 {"botState":"MoreData","intent":"turn","replymessages":[{"content":[{"contentType":"QuickReply","quickReply":{"text":"No"}}],"text":"Drivable?","type":"Structured"}]}
    bot      | Drivable? [No]
    customer | [No] No
    flow     > {"botId":"Claims Helper","botSessionId":"session-1","botSessionTimeout":4320,"botVersion":"2","chatBot":{"id":"claims","name":"Claims Helper"},"genesysConversationId":"conversation-1","inputMessage":{"content":[{"buttonResponse":{"payload":"No","text":"No","type":"QuickReply"},"contentType":"ButtonResponse"}],"text":"No","type":"Structured"},"languageCode":"en-us"}
    flow     < 200 {"botState":"complete","intent":"human","parameters":{"why":"asked"},"replymessages":[]}
    session  | session-1 closes: Complete
    path     | human
    "#);
}

#[tokio::test]
async fn the_loop_guard_leaves_after_four_equal_turns() {
    let cases: [StampedTurns; 2] = [(|_| 1, Some(4)), (|n| n, None)];
    for (stamp, left_after) in cases {
        let (simulator, connector, integration) = v1_with(move |request| more(stamp(request.n))).await;
        let customer = simulator.conversation(&integration, "claims", flow()).await.unwrap();
        for _ in 0..6 {
            customer.say("again");
        }
        assert!(customer.settled(PATIENCE).await);
        match left_after {
            Some(turns) => {
                assert_eq!(connector.requests().len(), turns);
                assert!(customer.path().unwrap().is("failure:NoMatchError"));
                assert_eq!(customer.seen().len(), turns, "the last answer is shown all the same");
            }
            None => assert_eq!((connector.requests().len(), customer.path()), (6, None)),
        }
    }
}

#[tokio::test]
async fn a_pending_answer_is_polled_in_a_new_session() {
    let (simulator, connector, integration) = v1_with(|request| match request.n {
        1 => Reply::Json(json!({"botState": "COMPLETE", "intent": "pending", "parameters": {"pollId": "17"},
            "replymessages": [text("One moment.")]})),
        2 => Reply::Json(json!({"botState": "COMPLETE", "intent": "pending", "parameters": {"pollId": "18"}})),
        _ => Reply::Json(json!({"botState": "MOREDATA", "intent": "turn", "replymessages": [text("Found it.")]})),
    })
    .await;
    let parameters = [("tier".to_owned(), "gold".to_owned())].into();
    let flow = FlowSettings { parameters, ..flow() };
    let customer = simulator.conversation(&integration, "claims", flow).await.unwrap();
    assert_eq!(customer.ask("Where?", PATIENCE).await.unwrap().text(), "One moment.");
    assert_eq!(customer.next_bot_message(PATIENCE).await.unwrap().text(), "Found it.");
    let requests = connector.requests();
    let polled: Vec<(&str, Value)> = requests.iter().map(|r| (r.text(), r.body["parameters"].clone())).collect();
    let wanted = [
        ("Where?", json!({"tier": "gold"})),
        ("__poll__", json!({"pollId": "17"})),
        ("__poll__", json!({"pollId": "18"})),
    ];
    assert_eq!(polled, wanted);
    let session = |n: usize| requests[n].body["botSessionId"].clone();
    assert!(session(0) != session(1) && session(1) != session(2));
    assert_eq!(requests[0].body["genesysConversationId"], requests[2].body["genesysConversationId"]);
    assert_eq!(customer.path(), None);
}

#[tokio::test]
async fn failure_paths_of_v1() {
    let cases: [AnswerAndPath; 7] = [
        (|| Reply::Json(json!({"botState": "COMPLETE", "intent": "lost"})), "NoMatchError (intent-declared)"),
        (|| Reply::Json(json!({"botState": "COMPLETE"})), "NoMatchError (complete-needs-intent)"),
        (
            || Reply::Json(json!({"botState": "COMPLETE", "intent": "human", "parameters": {"n": 1}})),
            "InternalServerError (parameters-are-strings)",
        ),
        (|| Reply::Raw(500, ""), "InternalServerError (status 500)"),
        (|| Reply::Raw(200, "nonsense"), "InternalServerError (json)"),
        (|| Reply::Hang, "InternalServerError (no answer in time)"),
        (|| Reply::Json(json!({"botState": "COMPLETE", "intent": "pending"})), "pending"),
    ];
    for (reply, wanted) in cases {
        let (simulator, _connector, integration) = v1_with(move |_| reply()).await;
        let hurried = FlowSettings { response_timeout_ms: Some(2_000), ..flow() };
        let deadline = if wanted.ends_with("(no answer in time)") { hurried } else { flow() };
        let customer = simulator.conversation(&integration, "claims", deadline).await.unwrap();
        customer.say("hi");
        let path = customer.wait_path(PATIENCE).await.unwrap().to_string();
        assert_eq!(path.trim_start_matches("failure:"), wanted);
        assert_eq!(customer.text().matches("flow     >").count(), 1, "v1 does not try again: {wanted}");
    }
}

#[tokio::test]
async fn silence_ends_in_no_input_and_a_tap_may_have_the_older_shape() {
    let (simulator, connector, integration) = v1_with(|_| {
        Reply::Json(json!({"botState": "MOREDATA", "intent": "turn", "replymessages": [{"type": "Structured",
            "text": "?", "content": [{"contentType": "QuickReply", "quickReply": {"text": "Yes", "payload": "y"}}]}]}))
    })
    .await;
    let old = FlowSettings { old_buttons: true, follow_up_timeout_ms: Some(200_000), ..flow() };
    let customer = simulator.conversation(&integration, "claims", old).await.unwrap();
    customer.ask("hi", PATIENCE).await.unwrap();
    assert!(customer.tap("Yes"));
    assert!(customer.wait_path(PATIENCE).await.unwrap().is("failure:NoInputError"));
    let tapped = &connector.requests()[1].body["inputMessage"];
    assert_eq!(*tapped, json!({"type": "Structured", "buttonResponse": {"payload": "y"}}));
}

#[tokio::test]
async fn the_bot_list_is_pushed_and_read_back() {
    let simulator = Simulator::start(settings()).await.unwrap();
    let integration = simulator.register(simulator::Integration::v1("http://127.0.0.1:9/").id("the-id"));
    assert_eq!(integration.integration.door, Door::V1);
    let unpublished = simulator.publish(&integration).await.unwrap_err();
    assert!(unpublished.to_string().ends_with("no bot list was given or pushed"), "{unpublished}");
    let platform = Platform::of(&simulator).await;
    let path = "/api/v2/integrations/botconnector/the-id/bots";

    let mut broken = bot_list();
    broken["chatBots"][0]["versions"][0]["intents"] = json!([{"name": ""}]);
    broken["chatBots"][0]["name"] = Value::Null;
    let refused = platform.call("PUT", path, Some(&broken)).await;
    assert_eq!(refused.code(), (400, "bad.request"));
    assert_eq!(refused.body["details"].as_array().unwrap().len(), 2, "{}", refused.body);

    assert_eq!(platform.call("PUT", path, Some(&bot_list())).await.status, 204);
    let got = platform.call("GET", path, None).await;
    assert_eq!(got.body["chatBots"][0]["versions"], bot_list()["chatBots"][0]["versions"]);
    let summaries = platform.call("GET", &format!("{path}/summaries?pageSize=1"), None).await.body;
    assert_eq!(
        summaries["entities"],
        json!([{"id": "claims", "name": "Claims Helper",
        "botCompositeTag": "GenesysBotConnector:claims"}])
    );
    assert_eq!((&summaries["total"], &summaries["pageCount"]), (&json!(1), &json!(1)));
    let versions = platform.call("GET", &format!("{path}/claims/versions"), None).await.body;
    assert_eq!(versions["entities"][0]["version"], "2");
    assert_eq!(platform.call("GET", &format!("{path}/nobody"), None).await.code(), (404, "not.found"));
    let elsewhere = platform.call("GET", "/api/v2/integrations/botconnector/other/bots", None).await;
    assert_eq!(elsewhere.code(), (404, "not.found"));
    assert_eq!(simulator.publish(&integration).await.unwrap().bots.len(), 1);
}
