//! An operator registers the bots of a v1 integration at Genesys.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use simulator::record::Event;
use simulator::{Integration, RateLimit, Registered, Settings, Simulator};

use crate::called::{Served, file, json as json_of, run, text};
use crate::set_up::head;

const ID: &str = "0c2d7f6a-classic";

/// A gateway with a v1 connector whose bots are `orders`, with these versions and intents, and `bookings`.
fn configured(folder: &Path, simulator: &str, version: &str, intents: &[&str]) -> String {
    let intents: String = intents
        .iter()
        .map(|name| format!("[[bots.orders.intents]]\nname = \"{name}\"\nslots = {{ number = \"Integer\" }}\n"))
        .collect();
    let doors = format!(
        r#"[connectors.classic]
type = "bot_connector"
org = "acme"
path = "/genesys"
integration_id = "{ID}"
credentials = {{ x-key = "a-secret-of-some-length" }}
[bots.orders]
name = "Order desk"
version = "{version}"
{intents}[bots.orders.engine]
type = "script"
file = "bot.toml"
[bots.bookings.engine]
type = "script"
file = "bot.toml"
"#
    );
    file(folder, "cordboard.toml", &(head(folder, simulator) + &doors))
}

fn integration() -> Integration {
    let version = json!({"version": "7", "supportedLanguages": ["en-us"], "intents": [{"name": "x"}]});
    let legacy = json!({"id": "legacy", "name": "Legacy", "versions": [version]});
    let other_id = json!({"id": "b-17", "name": "bookings", "description": "by hand", "versions": []});
    Integration::v1("http://127.0.0.1:9/unused").id(ID).bots(json!({"chatBots": [legacy, other_id]}))
}

fn ids(door: &Arc<Registered>) -> Vec<String> {
    let list = door.bot_list().unwrap();
    list["chatBots"].as_array().unwrap().iter().map(|bot| bot["id"].as_str().unwrap().to_owned()).collect()
}

fn versions(door: &Arc<Registered>, id: &str) -> Vec<String> {
    let list = door.bot_list().unwrap();
    let bot = list["chatBots"].as_array().unwrap().iter().find(|bot| bot["id"] == id).unwrap().clone();
    bot["versions"].as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap().to_owned()).collect()
}

/// How often a list was put.
fn puts(simulator: &Simulator) -> usize {
    let is_put = |event: &Event| matches!(event, Event::Called { call, status: 204 } if call.starts_with("PUT "));
    simulator.record().entries().iter().filter(|entry| is_put(&entry.event)).count()
}

async fn pushed(arguments: &[&str], config: &str) -> (Option<i32>, String) {
    let output = run(&[&["bots", "push", "--config", config], arguments].concat()).await;
    (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[tokio::test]
async fn a_list_is_compared_sent_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let door = simulator.register(integration());
    let config = configured(folder.path(), &simulator.url(), "1", &["Return"]);
    let mut said = String::new();
    let mut tell = |what: &str, (code, output): (Option<i32>, String)| {
        said += &format!(
            "# {what} ({})\n{}",
            code.unwrap(),
            output.replace(&folder.path().display().to_string(), "FOLDER")
        );
    };

    tell("what would be sent", pushed(&["--dry-run"], &config).await);
    assert_eq!((puts(&simulator), ids(&door)), (0, vec!["legacy".to_owned(), "b-17".to_owned()]));
    tell("it is sent", pushed(&[], &config).await);
    assert_eq!(
        (puts(&simulator), ids(&door).as_slice()),
        (1, ["legacy", "b-17", "orders"].map(str::to_owned).as_slice())
    );
    tell("once more", pushed(&[], &config).await);

    configured(folder.path(), &simulator.url(), "1", &["Return", "Refund"]);
    tell("an intent is new under the same version", pushed(&[], &config).await);
    let refused = run(&["bots", "push", "--json", "--config", &config]).await;
    let report: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((refused.status.code(), report["outcome"].as_str()), (Some(1), Some("refused")));
    assert_eq!(
        report["bots"][2]["versions"][0]["changes"],
        json!(["+ intent Refund", "+ slot Refund.number: Integer"])
    );
    assert_eq!(puts(&simulator), 1, "nothing was sent that was not wanted");
    configured(folder.path(), &simulator.url(), "2", &["Return", "Refund"]);
    tell("the version was raised", pushed(&[], &config).await);
    assert_eq!(versions(&door, "orders"), ["1", "2"]);

    configured(folder.path(), &simulator.url(), "2", &["Refund"]);
    tell("by force", pushed(&["--force", "--drop-versions"], &config).await);
    assert_eq!(versions(&door, "orders"), ["2"]);
    tell("ours alone", pushed(&["--replace-all"], &config).await);
    assert_eq!(ids(&door), ["b-17", "orders"]);
    assert_eq!(puts(&simulator), 4);
    insta::assert_snapshot!(said);
    assert!(simulator.record().violations().is_empty(), "{:?}", simulator.record().violations());
    simulator.stop().await;
}

#[tokio::test]
async fn each_mistake_of_a_push_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    let door = simulator.register(integration());
    let config = configured(folder.path(), &simulator.url(), "1", &[]);
    let good = std::fs::read_to_string(&config).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        file(folder.path(), "changed.toml", &good.replace(from, to))
    };
    let mut said = String::new();
    let mut tell = |what: &str, (code, output): (Option<i32>, String)| {
        let last = output.trim_end().lines().last().unwrap().replace(&simulator.url(), "SIMULATOR");
        said += &format!("{what} ({}):\n    {last}\n", code.unwrap());
    };
    let no_id = changed(&format!("integration_id = \"{ID}\"\n"), "");
    tell("no integration", pushed(&[], &no_id).await);
    tell("another connector", pushed(&["--connector", "clasic"], &config).await);
    tell("another integration", pushed(&["--integration", "v2-of-another"], &config).await);
    tell("another secret", pushed(&[], &changed("simulated-secret", "another-secret")).await);
    tell("nobody answers", pushed(&[], &changed(&simulator.url(), "http://127.0.0.1:1")).await);
    door.set_active(false);
    tell("inactive", pushed(&[], &config).await);
    door.set_active(true);
    let second = "[connectors.second]\ntype = \"bot_connector\"\norg = \"acme\"\npath = \"/second\"\n\
                  credentials = { x-key = \"a-secret-of-some-length\" }\n[bots.orders]\n";
    tell("two of them", pushed(&[], &changed("[bots.orders]\n", second)).await);
    let of_v2 = changed("\"bot_connector\"", "\"digital_bot_connector\"");
    let of_v2 = file(
        folder.path(),
        "v2.toml",
        &std::fs::read_to_string(of_v2).unwrap().replace(&format!("integration_id = \"{ID}\"\n"), ""),
    );
    let (code, output) = pushed(&[], &of_v2).await;
    said += &format!("a Digital Bot Connector ({}):\n{output}", code.unwrap());
    for (permissions, what) in [(&[][..], "may not look"), (&["integration:botconnector:view"], "may not send")] {
        let permissions = permissions.iter().map(|one| (*one).to_owned()).collect();
        simulator.register(Integration { permissions, ..integration() });
        let (code, output) = pushed(&[], &config).await;
        said += &format!("{what} ({}):\n    {}\n", code.unwrap(), output.trim_end().lines().last().unwrap());
    }
    // What others wrote there is shown without what a terminal would obey.
    let taken = json!({"chatBots": [{"id": "x\u{1b}[31m", "name": "Order desk", "versions": []}, {"id": "orders", "name": "Old"}]});
    simulator.register(integration().id("taken").bots(taken));
    let (code, output) = pushed(&["--integration", "taken"], &config).await;
    said += &format!("a name that is taken ({}):\n    {}\n", code.unwrap(), output.trim_end().lines().last().unwrap());
    assert_eq!(puts(&simulator), 0);
    insta::assert_snapshot!(said);
    simulator.stop().await;
}

/// Whoever sends a list from a machine of their own has the org's client, and no secret of connectors and bots.
#[tokio::test]
async fn a_push_wants_the_secrets_of_the_org_alone() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    simulator.register(integration());
    let config = configured(folder.path(), &simulator.url(), "1", &[]);
    let with = |secret: &str| {
        let text = std::fs::read_to_string(&config).unwrap().replace(secret, "${NOT_SET_HERE}");
        std::fs::write(&config, text).unwrap();
    };
    with("a-secret-of-some-length");
    let (code, output) = pushed(&["--dry-run"], &config).await;
    assert_eq!(code, Some(0), "{output}");
    with("simulated-secret");
    let (_, output) = pushed(&["--dry-run"], &config).await;
    assert!(output.contains("the variable NOT_SET_HERE is not set"), "{output}");
    simulator.stop().await;
}

/// Reading, sending and reading back are three calls; the third comes when the platform lets it.
#[tokio::test]
async fn a_push_waits_while_genesys_wants_no_calls() {
    let folder = tempfile::tempdir().unwrap();
    let rate_limit = Some(RateLimit { requests: 2, window_ms: 5_000 });
    let simulator = Simulator::start(Settings { rate_limit, ..Settings::default() }).await.unwrap();
    simulator.register(integration());
    let config = configured(folder.path(), &simulator.url(), "1", &[]);
    let (code, output) = pushed(&[], &config).await;
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains("Genesys wants no call now; waiting for") && output.contains("read back the same"),
        "{output}"
    );
    simulator.stop().await;
}

#[tokio::test]
async fn what_was_sent_is_noted_at_the_server_and_in_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings::default()).await.unwrap();
    simulator.register(integration());
    let config = configured(folder.path(), &simulator.url(), "1", &["Return"]);
    let (_, output) = pushed(&[], &config).await;
    assert!(output.contains("not noted here"), "{output}");
    let doctor = async || text(&run(&["doctor", "--config", &config]).await.stdout);
    let said = doctor().await;
    assert!(
        said.contains(
            "skipped  manifest    bots.orders: version 1 was not sent to Genesys through connectors.classic yet"
        ),
        "{said}"
    );
    assert!(
        said.contains("ok       bot_list    connectors.classic: Genesys has the bots that are configured"),
        "{said}"
    );

    let served = Served::start(folder.path(), &config).await;
    let sent = json_of(&["bots", "push", "--json", "--config", &config]).await;
    assert_eq!((sent["outcome"].as_str(), sent["noted"].as_bool()), (Some("same"), Some(true)));
    let audit = text(&run(&["audit", "--config", &config]).await.stdout);
    assert!(audit.contains("connectors sent classic: done (bookings 1, orders 1)"), "{audit}");
    served.signal("-TERM").await;
    served.ended().await;

    configured(folder.path(), &simulator.url(), "1", &["Refund"]);
    let said = doctor().await;
    assert!(said.contains("ok       manifest    bots.bookings: version 1 is as it was sent"), "{said}");
    assert!(said.contains("with the intent Return; now intent `Refund` is new"), "{said}");
    assert!(said.contains("→ raise `version` to \"2\", send the list again (cordboard bots push)"), "{said}");
    assert!(said.contains("the list at Genesys is not what is configured: orders is otherwise"), "{said}");
    let (code, output) = pushed(&["--force"], &config).await;
    assert_eq!((code, output.contains("noted")), (Some(0), false), "{output}");
    let audit = text(&run(&["audit", "--config", &config]).await.stdout);
    assert_eq!(audit.matches("connectors sent classic").count(), 2, "{audit}");
    simulator.stop().await;
}
