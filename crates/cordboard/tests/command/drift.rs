//! A bot's intents change under a version that Genesys has read.

use std::path::Path;
use std::process::Stdio;

use simulator::{Integration, Settings, Simulator};

use crate::called::{Served, cordboard, file, said};
use crate::set_up::gateway_file;

fn configured(folder: &Path, simulator: &str, version: &str, intents: &[&str]) -> String {
    let config = std::fs::read_to_string(gateway_file(folder, simulator)).unwrap();
    let intents: String = intents.iter().map(|name| format!("[[bots.thinker.intents]]\nname = \"{name}\"\n")).collect();
    let face = format!("[bots.thinker]\nversion = \"{version}\"\n{intents}");
    file(folder, "cordboard.toml", &config.replace("[bots.thinker]\n", &face))
}

/// The lines about what Genesys knows, without their times.
fn about(said: &str) -> String {
    let lines = said.lines().filter(|line| line.contains("through connectors.web ") || line.contains("→ raise"));
    let time = regex_lite::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC").unwrap();
    lines.map(|line| format!("{}\n", time.replace_all(line, "TIME"))).collect()
}

/// What a start has in its log about it.
async fn start_says(folder: &Path, config: &str) -> (Served, String) {
    drop(std::fs::remove_file(folder.join("ready")));
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let child = cordboard(&["serve", "--config", config, "--ready-file", &folder.join("ready").display().to_string()])
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let served = Served::of(child, folder).await;
    // What is wrong stands in the log before it is ready.
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    let lines = log.lines().filter_map(|line| line.find("bots.thinker").map(|at| format!("{}\n", &line[at..])));
    let said = about(&lines.collect::<String>());
    (served, said)
}

#[tokio::test]
async fn a_change_under_a_version_that_was_read_is_told_until_the_version_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let configured = |version: &str, intents: &[&str]| configured(folder.path(), &simulator.url(), version, intents);
    let config = configured("3", &["Return", "Track"]);
    let door =
        simulator.register(Integration::v2("http://127.0.0.1:9/unused").header("x-key", "a-secret-of-some-length"));
    let mut story = String::new();
    let mut tell = |what: &str, lines: String| story += &format!("# {what}\n{lines}");

    let (served, log) = start_says(folder.path(), &config).await;
    assert_eq!(log, "");
    tell("nothing was read: the doctor", about(&said(&["doctor", "--config", &config]).await));
    let read = async |served: &Served| {
        door.set_url(format!("http://{}/genesys", served.address));
        simulator.publish(&door).await.unwrap();
    };
    read(&served).await;
    // That it was read is noted behind the answer's back.
    let noted = async { while !said(&["doctor", "--config", &config]).await.contains("is as Genesys read it") {} };
    tokio::time::timeout(crate::stopping::PATIENCE, noted).await.unwrap();
    tell("it was read: the doctor", about(&said(&["doctor", "--config", &config]).await));

    configured("3", &["Return", "Refund"]);
    tell("other intents: check, beside the server", about(&said(&["check", "--config", &config]).await));
    tell("a reload", about(&said(&["reload", "--config", &config]).await));
    served.stops().await;
    tell("check, with the store alone", about(&said(&["check", "--config", &config]).await));
    tell("the doctor", about(&said(&["doctor", "--config", &config]).await));
    let (served, log) = start_says(folder.path(), &config).await;
    tell("a start", log);
    read(&served).await;
    let noted = async { while !said(&["check", "--config", &config]).await.contains("and otherwise on") {} };
    tokio::time::timeout(crate::stopping::PATIENCE, noted).await.unwrap();
    tell("it was read again: check", about(&said(&["check", "--config", &config]).await));
    configured("4", &["Return", "Refund"]);
    tell("the version is raised: a reload", about(&said(&["reload", "--config", &config]).await));
    tell("check", about(&said(&["check", "--config", &config]).await));
    tell("the doctor", about(&said(&["doctor", "--config", &config]).await));
    served.stops().await;
    insta::assert_snapshot!(story);
    simulator.stop().await;
}
