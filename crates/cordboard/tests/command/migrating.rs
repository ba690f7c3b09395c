//! A bot that is about to move to the other door, at the command line.

use simulator::{FlowSettings, Integration, Settings, Simulator};

use crate::called::{Served, file, json, run, said, text};
use crate::set_up::head;
use crate::stopping::PATIENCE;

fn gateway_file(folder: &std::path::Path, simulator: &str, classic: &str, more: &str) -> String {
    let doors = format!(
        r#"[connectors.sms]
type = "bot_connector"
org = "acme"
path = "/genesys/sms"
credentials = {{ x-key = "a-secret-of-some-length" }}
{classic}
{more}
[bots.parcels]
[[bots.parcels.intents]]
name = "Paid"
slots = {{ sum = "Currency", parcel = "String" }}
[bots.parcels.engine]
type = "script"
file = "bot.toml"
"#
    );
    file(folder, "cordboard.toml", &(head(folder, simulator) + &doors))
}

const DIGITAL: &str = r#"
[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/genesys/web"
credentials = { x-key = "another-secret-of-some-length" }
"#;

async fn report(config: &str) -> String {
    said(&["migrate", "v1-to-v2", "--bot", "parcels", "--config", config]).await
}

#[tokio::test]
async fn what_changes_is_said_for_this_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        gateway_file(folder.path(), "http://127.0.0.1:9", "late_answers = \"pending_flow\"\nstart_text = \"Menu\"", "");
    insta::assert_snapshot!(report(&config).await);
    // What is to be added can be added.
    let said = report(&config).await;
    let block = said.split_once("set its variables:\n\n").unwrap().1.split("\nShadow").next().unwrap();
    let with =
        std::fs::read_to_string(&config).unwrap() + &block.replace("${SMS_V2_KEY}", "another-secret-of-some-length");
    std::fs::write(&config, with).unwrap();
    let check = run(&["check", "--config", &config]).await;
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let said = report(&config).await;
    assert!(said.starts_with(
        "bots.parcels: from the Bot Connector (connectors.sms) to the Digital Bot Connector (connectors.sms-v2)\n"
    ));
    assert!(said.contains("  then  the same, until attachments = true stands in connectors.sms-v2;"), "{said}");
    let with = std::fs::read_to_string(&config).unwrap().replace("bots = [", "attachments = true\nbots = [");
    std::fs::write(&config, with).unwrap();
    let said = report(&config).await;
    assert!(said.contains("  then  attachments = true of connectors.sms-v2: files are attachments\n"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_moved_is_said_with_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:9", "shadow = \"web\"", "");
    let bad = run(&["migrate", "v1-to-v2", "--bot", "parcels", "--config", &config]).await;
    assert_eq!(bad.status.code(), Some(78), "{bad:?}");
    let told = text(&bad.stderr);
    assert!(told.contains("`shadow` names a digital_bot_connector, not `web`; there is none"), "{told}");

    let config = gateway_file(folder.path(), "http://127.0.0.1:9", "", DIGITAL);
    let unknown = run(&["migrate", "v1-to-v2", "--bot", "parcles", "--config", &config]).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(text(&unknown.stderr).contains("unknown bot `parcles`; did you mean `parcels`?"), "{unknown:?}");
    let only_v2 = std::fs::read_to_string(&config).unwrap().replace("\"bot_connector\"", "\"digital_bot_connector\"");
    std::fs::write(&config, only_v2).unwrap();
    assert_eq!(report(&config).await, "bots.parcels is behind no bot_connector, so there is nothing to move\n");
}

#[tokio::test]
async fn what_a_shadow_found_is_shown_whether_a_server_runs_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let config = gateway_file(folder.path(), &simulator.url(), "shadow = \"web\"", DIGITAL);
    assert!(
        report(&config)
            .await
            .ends_with("connectors.web is compared with from the next reload or start on; nothing was counted yet\n")
    );
    let served = Served::start(folder.path(), &config).await;
    let bots = json(&["bots", "list", "--door", "v1", "--config", &config]).await;
    let url = format!("http://{}/genesys/sms", served.address);
    let door = simulator.register(Integration::v1(url).header("x-key", "a-secret-of-some-length").bots(bots));
    let customer = simulator.conversation(&door, "parcels", FlowSettings::default()).await.unwrap();
    for words in ["hello", "and you?"] {
        customer.say(words);
        assert!(customer.next_bot_message(PATIENCE).await.is_some());
    }
    let found = "\nShadow\n  2 answers compared; none differs in what it says\n";
    let running = report(&config).await;
    assert!(running.ends_with(found), "{running}");
    served.stops().await;
    assert!(report(&config).await.ends_with(found));
    let as_json = json(&["migrate", "v1-to-v2", "--bot", "parcels", "--json", "--config", &config]).await;
    assert_eq!((as_json["to"].as_str(), as_json["shadow"]["compared"].as_u64()), (Some("web"), Some(2)));
}

/// Where a report is read there need be no secret: nobody is called.
#[tokio::test]
async fn no_secret_need_be_set_for_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let others = r#"
[bots.claims.engine]
type = "connector"
speaks = "v2"
url = "https://claims.example.com/v2"
headers = { verify-token = "${CLAIMS_TOKEN}" }
callbacks = { client_id = "claims", client_secret = "${file:claims.key}" }
[bots.orders.engine]
type = "webhook"
url = "https://orders.example.com/turn"
secrets = ["${ORDERS_SECRET}", "${ORDERS_SECRET_OF_BEFORE}"]
"#;
    let config = gateway_file(folder.path(), "http://127.0.0.1:9", "", others);
    let strict = run(&["check", "--config", &config]).await;
    assert!(text(&strict.stderr).contains("the variable CLAIMS_TOKEN is not set"), "{strict:?}");
    assert!(report(&config).await.starts_with("bots.parcels: from the Bot Connector (connectors.sms)"));
    let bots = json(&["bots", "list", "--door", "v1", "--config", &config]).await;
    assert_eq!(bots["chatBots"].as_array().map(Vec::len), Some(3));

    // What is no secret has no stand-in.
    let with = std::fs::read_to_string(&config).unwrap().replace("https://orders.example.com/turn", "${ORDERS_URL}");
    std::fs::write(&config, with).unwrap();
    let bad = run(&["migrate", "v1-to-v2", "--bot", "parcels", "--config", &config]).await;
    assert!(text(&bad.stderr).contains("the variable ORDERS_URL is not set"), "{bad:?}");
}
