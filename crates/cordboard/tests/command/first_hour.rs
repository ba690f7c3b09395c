//! The hour of `docs/guides/first-hour.md`, in its order: from an empty folder to a bot that is taken out of service and a
//! configuration that is broken and mended.

use std::process::Stdio;

use simulator::{Conversation, FlowSettings, Integration, Settings, Simulator};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::called::{Served, file, run, text};
use crate::stopping::PATIENCE;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: &str = "the-key-of-the-first-hour";

/// The bot that the guide takes, and its address.
async fn bot() -> (Child, String) {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/webhook/python/bot.py");
    let mut command = Command::new("python3");
    command.args([sample, "0"]).env("CORDBOARD_SECRET", SECRET).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    (child, line.strip_prefix("listening on ").unwrap().to_owned())
}

async fn said(code: i32, arguments: &[&str], config: &str) -> String {
    let output = run(&[arguments, &["--config", config]].concat()).await;
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    text(&output.stdout) + &text(&output.stderr)
}

async fn says(customer: &Conversation, words: &str) {
    customer.say(words);
    assert!(customer.settled(PATIENCE).await, "{}", customer.text());
}

#[tokio::test]
async fn the_first_hour_goes_as_its_guide_says() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("cordboard.toml").display().to_string();
    let init = run(&["config", "init", "--file", &config]).await;
    assert_eq!(init.status.code(), Some(0), "{init:?}");
    let written = std::fs::read_to_string(&config).unwrap();
    let unset = said(78, &["check"], &config).await;
    assert!(unset.contains("the variable DIGITAL_KEY is not set"), "{unset}");

    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let (bot, bot_url) = bot().await;
    let mut good = written;
    for (before, after) in [
        ("# listen = \"127.0.0.1:8080\"", "listen = \"127.0.0.1:0\"".to_owned()),
        ("# drain_ms = 5000", "drain_ms = 100".to_owned()),
        ("# api_url = \"http://127.0.0.1:8090\"", format!("api_url = \"{}\"", simulator.url())),
        ("# login_url = \"http://127.0.0.1:8090\"", format!("login_url = \"{}\"", simulator.url())),
        ("${GENESYS_CLIENT_ID}", "simulated-client".to_owned()),
        ("${GENESYS_CLIENT_SECRET}", "simulated-secret".to_owned()),
        ("${DIGITAL_KEY}", KEY.to_owned()),
        ("${CLASSIC_KEY}", "the-other-key-of-the-hour".to_owned()),
        ("${BOT_SECRET}", SECRET.to_owned()),
        ("http://127.0.0.1:9000/", bot_url),
    ] {
        assert!(good.contains(before), "{before}");
        good = good.replace(before, &after);
    }
    file(folder.path(), "cordboard.toml", &good);
    let checked = said(0, &["check"], &config).await;
    assert!(checked.contains("https://YOUR-HOST/genesys/acme/digital\n"), "{checked}");

    let served = Served::start(folder.path(), &config).await;
    let base = format!("http://{}/genesys/acme/digital", served.address);
    let door = simulator.register(Integration::v2(base).header("x-api-key", KEY));
    let doctor = said(0, &["doctor"], &config).await;
    assert!(doctor.contains("a gateway runs on it") && doctor.contains(" 0 failed"), "{doctor}");

    let customer = simulator.conversation(&door, "hello", FlowSettings::default()).await.unwrap();
    says(&customer, "good morning").await;
    assert!(customer.text().contains("Message 1: good morning"), "{}", customer.text());
    let id = customer.id().to_owned();
    let told = said(0, &["conversations", "follow", "--platform-id", &id, "--once"], &config).await;
    assert!(["came in", "asked", "answered", "replied"].iter().all(|word| told.contains(word)), "{told}");
    assert!(!told.contains("good morning"), "{told}");

    said(0, &["bots", "disable", "hello", "--reason", "it repeats itself"], &config).await;
    says(&customer, "are you there?").await;
    assert!(customer.text().contains("\"handOverReason\":\"out_of_service\""), "{}", customer.text());
    let bots = said(0, &["bots", "list"], &config).await;
    assert!(bots.starts_with("hello: OUT OF SERVICE") && bots.contains("it repeats itself"), "{bots}");
    said(0, &["bots", "enable", "hello"], &config).await;

    file(folder.path(), "cordboard.toml", &good.replace("# max_turns = 200", "max_truns = 100"));
    let broken = said(78, &["reload"], &config).await;
    assert!(broken.contains("unknown key `max_truns`; did you mean `max_turns`?"), "{broken}");
    let next = simulator.conversation(&door, "hello", FlowSettings::default()).await.unwrap();
    says(&next, "still in order?").await;
    assert!(next.text().contains("Message 1: still in order?"), "{}", next.text());
    file(folder.path(), "cordboard.toml", &good.replace("# max_turns = 200", "max_turns = 100"));
    let mended = said(0, &["reload"], &config).await;
    assert!(mended.contains("bots.hello.max_turns: 200 → 100"), "{mended}");

    let audit = said(0, &["audit"], &config).await;
    let steps: Vec<&str> =
        audit.lines().filter_map(|line| line.split_once("(operate)  ")).map(|(_, step)| step).collect();
    insta::assert_snapshot!(steps.join("\n"), @r"
    bots disable hello: done (it repeats itself)
    bots enable hello: done
    reload: done
    ");
    served.stops().await;
    drop(bot);
    simulator.stop().await;
}
