//! Somebody who begins: a first configuration, what to enter in Genesys, and what stands in the way of a start.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::called::{Served, cordboard, file, text};
use crate::set_up::gateway_file;

const SECRETS: [(&str, &str); 5] = [
    ("GENESYS_CLIENT_ID", "id"),
    ("GENESYS_CLIENT_SECRET", "hush-hush-hush-hush"),
    ("DIGITAL_KEY", "hush-hush-hush-digital"),
    ("CLASSIC_KEY", "hush-hush-hush-classic"),
    ("BOT_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
];

/// Calls it in a folder; gives the exit code, and what it said on both streams without the folder's name.
async fn called(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = cordboard(arguments).current_dir(folder).envs(SECRETS).output().await.unwrap();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), said.replace(&folder.display().to_string(), "/folder"))
}

/// The warning about the data folder depends on where the test's folder lies.
fn without_the_folder(said: &str) -> String {
    said.lines().filter(|line| !line.starts_with("warning: server.data_dir")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn a_first_configuration_is_written_checked_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = called(folder.path(), &["config", "init"]).await;
    assert_eq!(code, Some(0), "{said}");
    insta::assert_snapshot!("init", said);
    let (code, said) = called(folder.path(), &["config", "init"]).await;
    assert_eq!((code, said.contains("--force replaces it")), (Some(1), true), "{said}");
    assert_eq!(called(folder.path(), &["config", "init", "--force"]).await.0, Some(0));

    let (code, said) = called(folder.path(), &["check", "--config", "cordboard.toml"]).await;
    assert_eq!(code, Some(0), "{said}");
    insta::assert_snapshot!("check", without_the_folder(&said));
    let (_, said) = called(folder.path(), &["check", "--config", "cordboard.toml", "--json"]).await;
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&found["ok"], &found["connectors"][1]["headers"][0]), (&true.into(), &"x-api-key".into()));

    let (code, said) = called(folder.path(), &["config", "show", "--config", "cordboard.toml"]).await;
    assert_eq!((code, said.contains("hush")), (Some(0), false), "{said}");
    for line in
        ["drain_ms = 5000", "client_secret = \"(secret)\"", "x-api-key = \"(secret)\"", "secrets = [\"(secret)\"]"]
    {
        assert!(said.contains(line), "{line} is missing:\n{said}");
    }
    let (_, schema) = called(folder.path(), &["config", "schema"]).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["type"], "object");

    let broken = std::fs::read_to_string(folder.path().join("cordboard.toml")).unwrap().replace("region =", "regoin =");
    file(folder.path(), "cordboard.toml", &broken);
    let (code, said) = called(folder.path(), &["check", "--config", "cordboard.toml", "--json"]).await;
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &found["ok"], &found["problems"][0]["column"]), (Some(78), &false.into(), &1.into()), "{said}");
}

/// What a tired person meets at a start, each in one line with what to do.
#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = gateway_file(folder.path(), "http://127.0.0.1:9");
    let good = std::fs::read_to_string(&config).unwrap();
    let served = Served::start(folder.path(), &config).await;
    let port = served.address.rsplit_once(':').unwrap().1.to_owned();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let changes = [
        ("data_dir = \"data\"", "data_dir = \"data\"".to_owned()),
        ("127.0.0.1:0\"\ndata_dir = \"data\"", format!("127.0.0.1:{port}\"\ndata_dir = \"other\"")),
        ("127.0.0.1:0\"\ndata_dir = \"data\"", "192.0.2.1:80\"\ndata_dir = \"other\"".to_owned()),
        ("data_dir = \"data\"", "data_dir = \"file\"".to_owned()),
        ("data_dir = \"data\"", "data_dir = \"/proc/cordboard\"".to_owned()),
        ("\"simulated-secret\"", "\"${file:secret}\"".to_owned()),
    ];
    let mut said = String::new();
    for (before, after) in changes {
        assert!(good.contains(before), "{before}");
        let path = file(folder.path(), "changed.toml", &good.replacen(before, &after, 1));
        let (code, message) = called(folder.path(), &["serve", "--config", &path]).await;
        let message = without_warnings(&message).replace(&port, "PORT");
        said += &format!("{} ({})\n    {message}\n", after.replace('\n', "⏎").replace(&port, "PORT"), code.unwrap());
    }
    insta::assert_snapshot!(said);
    served.signal("-INT").await;
    assert_eq!(served.ended().await, Some(0));
}

/// The last line; the log has stood before it.
fn without_warnings(said: &str) -> &str {
    said.trim_end().lines().last().unwrap_or_default()
}
