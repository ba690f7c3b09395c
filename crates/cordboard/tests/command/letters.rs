//! An operator and the dead letters, with a running server and without one.

use simulator::{Integration, Settings, Simulator};

use crate::called::{Served, json, run, text};
use crate::set_up::gateway_file;

#[tokio::test]
async fn letters_are_seen_and_dropped_whether_a_server_runs_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url());
    let served = Served::start(folder.path(), &config).await;
    let door = simulator.register(Integration::v2(format!("http://{}/genesys", served.address)));
    let key = ("x-key", "a-secret-of-some-length");
    for words in ["one", "two"] {
        let body = format!("{{\"botId\":\"nobody\",\"words\":\"{words}\"}}");
        assert_eq!(simulator.post_raw(&door, &[key], body).await.unwrap().0, 200);
    }

    let list = ["dead-letters", "list", "--json", "--config", &config];
    let letters = json(&list).await;
    let id = |n: usize| letters["letters"][n]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (letters["letters"][0]["kind"].as_str(), letters["letters"].as_array().unwrap().len()),
        (Some("input"), 2)
    );
    assert!(!letters.to_string().contains("words"), "a list holds no customer's words");
    let shown = json(&["dead-letters", "show", &id(0), "--json", "--config", &config]).await;
    assert!(shown["payload"].as_str().unwrap().contains("one"));
    let retried = run(&["dead-letters", "retry", &id(0), "--dry-run", "--config", &config]).await;
    assert_eq!(retried.status.code(), Some(1), "it is still not understood: {retried:?}");
    let would = run(&["dead-letters", "drop", &id(0), "--dry-run", "--config", &config]).await;
    assert!(text(&would.stdout).starts_with("would drop: input of web"), "{would:?}");
    assert_eq!(text(&run(&["dead-letters", "drop", &id(0), "--config", &config]).await.stdout), "dropped\n");

    served.stops().await;
    let left = json(&list).await;
    assert_eq!(left["letters"].as_array().unwrap().len(), 1);
    let retried = run(&["dead-letters", "retry", &id(1), "--config", &config]).await;
    assert!(text(&retried.stderr).contains("no server runs"), "{retried:?}");
    assert_eq!(text(&run(&["dead-letters", "drop", &id(1), "--config", &config]).await.stdout), "dropped\n");
    assert_eq!(text(&run(&["dead-letters", "list", "--config", &config]).await.stdout), "no dead letters\n");
    simulator.stop().await;
}
