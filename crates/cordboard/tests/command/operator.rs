//! An operator at the command line, with a running server and without one.

use simulator::{FlowSettings, Integration, Settings, Simulator};

use crate::called::{Served, cordboard, json, run, said, text};
use crate::set_up::gateway_file;
use crate::stopping::PATIENCE;

async fn refused(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr)
}

#[tokio::test]
async fn conversations_calls_and_bots_are_at_hand_whether_a_server_runs_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url());
    let with = |arguments: &[&'static str]| [arguments, &["--config"]].concat();
    let config = config.as_str();
    let served = Served::start(folder.path(), config).await;
    let base = format!("http://{}/genesys", served.address);
    let door = simulator.register(Integration::v2(base).header("x-key", "a-secret-of-some-length"));
    let customer = simulator.conversation(&door, "thinker", FlowSettings::default()).await.unwrap();
    customer.say("a marked word");
    assert!(customer.next_bot_message(PATIENCE).await.is_some());
    assert_eq!(simulator.post_raw(&door, &[("x-key", "wrong")], "{}".to_owned()).await.unwrap().0, 403);

    let call = |arguments: &[&'static str]| {
        let mut call: Vec<&str> = with(arguments);
        call.push(config);
        call
    };
    let list = json(&call(&["conversations", "list", "--json"])).await;
    let line = &list["conversations"][0];
    assert_eq!((line["floor"].as_str(), line["bots"][0].as_str()), (Some("bot"), Some("thinker")));
    let id = line["id"].as_str().unwrap().to_owned();
    let follow = [&["conversations", "follow", &id, "--once", "--config", config][..]].concat();
    let timeline = said(&follow).await;
    assert!(timeline.contains("came in") && timeline.contains("(13 characters)"), "{timeline}");
    assert!(!timeline.contains("marked"), "{timeline}");
    let timeline = said(&[&follow[..], &["--words"]].concat()).await;
    assert!(timeline.contains("“a marked word”") && timeline.contains("“You said a marked word.”"), "{timeline}");
    let show = ["conversations", "show", &id, "--config", config];
    let is_told_out = async { while said(&show).await.contains("not known to have left") {} };
    tokio::time::timeout(PATIENCE, is_told_out).await.unwrap();
    let shown = said(&show).await;
    assert!(shown.contains("floor         the bot's, because: opened"), "{shown}");
    let calls = said(&call(&["requests", "--refused"])).await;
    assert!(calls.contains("credentials: header x-key differs from the configured secret"), "{calls}");

    let misspelt = refused(&call(&["bots", "disable", "thinkre", "--reason", "x"])).await;
    assert!(misspelt.contains("unknown bot `thinkre`; did you mean `thinker`?"), "{misspelt}");
    let disabled = said(&call(&["bots", "disable", "thinker", "--reason", "it muses"])).await;
    assert!(disabled.contains("open conversations with it: 1"), "{disabled}");
    served.stops().await;

    // Everything is in the store.
    assert_eq!(json(&call(&["conversations", "list", "--json"])).await["conversations"][0]["id"], *id);
    assert!(said(&follow).await.contains("came in"));
    let bots = said(&call(&["bots", "list"])).await;
    assert!(bots.starts_with("thinker: OUT OF SERVICE since ") && bots.contains("it muses"), "{bots}");
    let calls = refused(&call(&["requests"])).await;
    assert!(calls.contains("calls are remembered by a running server only"), "{calls}");
    let all = refused(&call(&["conversations", "follow"])).await;
    assert!(all.contains("no server runs"), "{all}");
    let now = refused(&call(&["bots", "disable", "thinker", "--reason", "x", "--now"])).await;
    assert!(now.contains("only a server hands conversations over"), "{now}");

    let again = Served::start(folder.path(), config).await;
    door.set_url(format!("http://{}/genesys", again.address));
    customer.say("still there?");
    assert!(customer.settled(PATIENCE).await);
    assert!(customer.text().contains("handOverReason\":\"out_of_service"), "{}", customer.text());
    assert_eq!(said(&call(&["bots", "enable", "thinker"])).await, "thinker is in service again\n");
    let audit = said(&call(&["audit"])).await;
    let done: Vec<&str> = audit.lines().filter_map(|line| line.split("  ").nth(2)).collect();
    let words = format!("conversations words {id}: done");
    assert_eq!(
        done,
        [
            words.as_str(),
            "bots disable thinkre: 404 bot.unknown",
            "bots disable thinker: done (it muses)",
            "bots enable thinker: done"
        ]
    );
    simulator.stop().await;
}

#[tokio::test]
async fn following_goes_on_until_it_is_interrupted() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url());
    let served = Served::start(folder.path(), &config).await;
    let base = format!("http://{}/genesys", served.address);
    let door = simulator.register(Integration::v2(base).header("x-key", "a-secret-of-some-length"));
    let mut following = cordboard(&["conversations", "follow", "--json", "--config", &config])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // What happens before it looks is not told, so customers come until one is told from the beginning.
    let told = async {
        loop {
            let customer = simulator.conversation(&door, "thinker", FlowSettings::default()).await.unwrap();
            customer.say("hello");
            assert!(customer.next_bot_message(PATIENCE).await.is_some());
            let line = tokio::time::timeout(std::time::Duration::from_millis(500), lines.next_line()).await;
            if let Ok(line) = line {
                let told: serde_json::Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
                if told["what"] == "came in" {
                    return told;
                }
            }
        }
    };
    assert_eq!(told.await["characters"].as_u64(), Some(5));
    let pid = following.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    assert_eq!(following.wait().await.unwrap().code(), Some(0));
    simulator.stop().await;
}
