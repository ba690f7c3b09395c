//! An operator changes the configuration of a gateway that runs.

use simulator::{FlowSettings, Integration, Settings, Simulator};

use crate::called::{Served, file, run, text};
use crate::set_up::gateway_file;
use crate::stopping::PATIENCE;

const OLD: &str = "a-secret-of-some-length";
const NEW: &str = "the-next-secret-of-some-length";

#[tokio::test]
async fn by_command_and_by_signal_a_changed_file_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url());
    let good = std::fs::read_to_string(&config).unwrap();
    let reload = ["reload", "--config", &config];
    let nobody = run(&reload).await;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(text(&nobody.stderr).contains("`cordboard serve` starts one"), "{nobody:?}");

    let served = Served::start(folder.path(), &config).await;
    let door = simulator.register(Integration::v2(format!("http://{}/genesys", served.address)).header("x-key", OLD));
    let customer = simulator.conversation(&door, "thinker", FlowSettings::default()).await.unwrap();
    customer.say("think");
    let status = async |secret| simulator.post_raw(&door, &[("x-key", secret)], "{".to_owned()).await.unwrap().0;

    // The secret stands in a file, and the file is rotated.
    file(folder.path(), "key", NEW);
    let rotated = good.replace(&format!("\"{OLD}\""), "\"${file:key}\"").replace("drain_ms = 300", "drain_ms = 301");
    file(folder.path(), "cordboard.toml", &rotated.replace("127.0.0.1:0", "127.0.0.1:1"));
    let reloaded = run(&reload).await;
    assert_eq!(reloaded.status.code(), Some(0), "{reloaded:?}");
    insta::assert_snapshot!(without_warnings(&text(&reloaded.stdout)), @r#"
    in effect now:
      connectors.web.credentials.x-key: changed
      server.drain_ms: 300 → 301
    not before a restart:
      server.listen: "127.0.0.1:0" → "127.0.0.1:1"
    "#);
    assert_eq!((status(OLD).await, status(NEW).await), (403, 400));

    // A bad file changes nothing, whoever asks for it.
    file(folder.path(), "cordboard.toml", &rotated.replace("thinker.engine", "thinker.engin"));
    let refused = run(&reload).await;
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    assert!(text(&refused.stderr).contains("did you mean `engine`"), "{refused:?}");
    // Only the gateway sees that a script is missing, since the command builds nothing.
    file(folder.path(), "cordboard.toml", &rotated.replace("bot.toml", "nothing.toml"));
    let refused = run(&reload).await;
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
    assert!(text(&refused.stderr).ends_with("\nthe gateway keeps its configuration\n"), "{refused:?}");
    served.signal("-HUP").await;
    assert_eq!((status(OLD).await, status(NEW).await), (403, 400));

    file(folder.path(), "cordboard.toml", &good);
    served.signal("-HUP").await;
    tokio::time::timeout(PATIENCE, async { while status(OLD).await != 400 {} }).await.unwrap();

    // The customer of the beginning noticed nothing of all this.
    assert!(customer.next_bot_message(PATIENCE).await.is_some_and(|seen| seen.text() == "I thought about it."));
    served.signal("-INT").await;
    assert_eq!(served.ended().await, Some(0));
    simulator.stop().await;
}

/// The warnings depend on where the test's folder lies.
fn without_warnings(said: &str) -> String {
    said.lines().filter(|line| !line.starts_with("warning: ")).map(|line| format!("{line}\n")).collect()
}
