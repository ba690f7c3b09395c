//! The control door: a whole conversation led over HTTP.

use serde_json::json;
use simulator::{Integration, Settings};

use crate::connector::{Platform, Reply, text, v2_with};

#[tokio::test]
async fn a_conversation_led_over_http() {
    let (simulator, _connector, _integration) =
        v2_with(|request| Reply::Json(json!({"botState": "MoreData", "replyMessages": [text(request.text())]}))).await;
    let control = Platform::of(&simulator).await;
    let post = async |path: &str, body| control.call("POST", &format!("/control/{path}"), Some(&body)).await;

    assert_eq!(post("integrations/0/publish", json!({})).await.body, json!({"bots": ["parcels"], "violations": []}));
    assert_eq!(post("conversations", json!({"bot": "nobody"})).await.status, 502);
    assert_eq!(post("conversations", json!({"bot": "parcels", "flow": {"retires": 1}})).await.status, 400);
    assert_eq!(post("conversations", json!({"bot": "parcels", "channel": "fax"})).await.status, 400);
    let opened =
        post("conversations", json!({"bot": "parcels", "flow": {"retries": 1, "response_timeout_ms": 2_000_000}, "seed": 3, "channel": "sms"})).await;
    assert_eq!(opened.body["number"], 1);
    assert_eq!(post("conversations/1/say", json!({"text": "hello"})).await.body, json!({"heard": true}));
    let next = control.call("GET", "/control/conversations/1/next?patience_ms=20000", None).await;
    assert_eq!(next.body["message"]["text"], "hello");
    assert_eq!(post("conversations/1/tap", json!({"label": "Yes"})).await.status, 409);
    assert_eq!(post("conversations/1/sing", json!({})).await.status, 404);
    assert_eq!(post("conversations/2/leave", json!({})).await.status, 404);
    assert_eq!(post("conversations/1/leave", json!({})).await.body["path"], "left");

    let faults = control.call("PUT", "/control/faults", Some(&json!({"blank_text": 0.5}))).await;
    assert_eq!(faults.body["blank_text"], 0.5);
    assert_eq!(control.call("PUT", "/control/faults", Some(&json!({"blank": 1}))).await.status, 400);
    assert_eq!(post("tokens/revoke", json!({})).await.body["issued"], 1);
    let record = control.call("GET", "/control/record", None).await.body;
    let numbers: Vec<u64> = record.as_array().unwrap().iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(control.call("GET", "/control/conversations", None).await.body[0]["messages"], 1);
    simulator.stop().await;
}

#[tokio::test]
async fn a_simulator_that_runs_alone_serves_until_told_to_stop() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let alone = simulator::serve_forever(
        Settings::default(),
        vec![Integration::v2("http://127.0.0.1:9/base")],
        |address| tell.send(address).unwrap(),
        async { stopped.await.unwrap() },
    );
    let caller = async {
        let address = told.await.unwrap();
        let listed = Platform::anonymous(format!("http://{address}")).call("GET", "/control/integrations", None).await;
        assert_eq!(listed.body[0]["url"], "http://127.0.0.1:9/base");
        stop.send(()).unwrap();
    };
    let (served, ()) = tokio::join!(alone, caller);
    served.unwrap();
}
