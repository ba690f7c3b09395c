//! Chats that were typed into a pipe: what a customer would see, what is explained below it, and what is saved of it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use regex_lite::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::called::{cordboard, file, run, text};

/// Deadlines are short, and `warehouse` is slower than each of them.
const CONFIG: &str = r#"
version = 1

[orgs.acme]
region = "mypurecloud.de"
client_id = "${NEVER_SET}"
client_secret = "${NEVER_SET_EITHER}"

[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/web"
credentials = { x-api-key = "${NEVER_SET_AT_ALL}" }
soft_deadline_ms = 1000
bots = ["parcels"]

[connectors.patient]
type = "digital_bot_connector"
org = "acme"
path = "/patient"
credentials = { x-api-key = "${NEVER_SET_AT_ALL}" }
bots = ["far"]

[connectors.old]
type = "bot_connector"
org = "acme"
path = "/old"
credentials = { x-api-key = "${NEVER_SET_AT_ALL}" }
budget_ms = 1500
bots = ["parcels"]

[bots.parcels]
languages = ["en-us", "de-de"]
engine = { type = "script", file = "parcels.toml" }
[[bots.parcels.intents]]
name = "Tracked"
slots = { number = "Integer" }

[bots.far]
hard_deadline_ms = 5000
on_failure = "say"
engine = { type = "webhook", url = "http://127.0.0.1:9/hook/T0KEN?key=abc", secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }
"#;

const PARCELS: &str = r#"
[opening]
say = "Hello, this is the parcel desk."
choices = { prompt = "What can I do for you?", options = ["Track a parcel", "Talk to a human"] }

[default]
say = "I did not understand that."

[[rules]]
when.regex = '\d{4}'
then.set.number = "{match}"
then.say = "Parcel {number} comes today."
then.intent = "Tracked"
then.slots = ["number"]
then.end = true

[[rules]]
when.words = "track a parcel"
then.say = "What is its number?"

[[rules]]
when.words = "warehouse"
then.delay_ms = 3000
then.say = "It is on the belt to the van."

[[rules]]
when.words = "sizes"
[rules.then.show.carousel]
prompt = "Two sizes:"
cards = [
  { title = "Small", text = "Up to 2 kg", buttons = [{ label = "Take it", value = "size:s" }] },
  { title = "Large", text = "Up to 20 kg", buttons = [{ label = "Take it", value = "size:l" }] },
]

[[rules]]
when.words = "anything"
then.choices = { prompt = "And else?", options = ["Track a parcel", "Nothing"] }
[rules.then.show.carousel]
prompt = "One of these?"
cards = [
  { title = "Small", buttons = [{ label = "Take it", value = "size:s" }] },
  { title = "Large", buttons = [{ label = "Take it", value = "size:l" }] },
]

[[rules]]
when.words = "nothing"
then.say = "Then goodbye."

[[rules]]
when.payload = "size:s"
then.say = "A small one."

[[rules]]
when.payload = "size:l"
then.say = "A large one."

[[rules]]
when.words = "human"
then.say = "I will get you a colleague."
then.hand_over = { reason = "customer_asked", note = "Last words: {input}" }
"#;

/// A folder with a configuration and a bot.
pub(crate) fn desk() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "parcels.toml", PARCELS);
    let config = file(folder.path(), "cordboard.toml", CONFIG);
    (folder, config)
}

async fn chat(folder: &Path, arguments: &[&str], typed: &str) -> Output {
    let mut child = cordboard(&[&["chat"], arguments].concat())
        .current_dir(folder)
        .env_remove("COLUMNS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(typed.as_bytes()).await.unwrap();
    drop(input);
    child.wait_with_output().await.unwrap()
}

/// What was shown, with times and ids that differ from run to run replaced.
fn shown(output: &Output) -> String {
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let times = Regex::new(r"\d+\.\d+ s\b").unwrap();
    let ids = Regex::new(r"\br\d{12,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let shown = text(&output.stdout);
    ids.replace_all(&times.replace_all(&shown, "N s"), "ID").into_owned()
}

#[tokio::test]
async fn a_chat_explains_what_a_customer_sees_and_becomes_a_test() {
    let (folder, config) = desk();
    let typed = "/open\n1\n7\nwarehouse\n/trase\n/save early.toml\nhuman\nstill there?\n";
    let arguments = ["--bot", "parcels", "--save", "saved.toml", "--config", &config];
    let output = chat(folder.path(), &arguments, typed).await;
    insta::assert_snapshot!(shown(&output));
    insta::assert_snapshot!(std::fs::read_to_string(folder.path().join("saved.toml")).unwrap());

    let saved = folder.path().join("saved.toml").display().to_string();
    let early = folder.path().join("early.toml").display().to_string();
    let played = run(&["test", &saved, &early, "--config", &config]).await;
    assert_eq!(played.status.code(), Some(0), "{played:?}");
    file(folder.path(), "parcels.toml", &PARCELS.replace("on the belt", "on the way"));
    let changed = run(&["test", &saved, "--config", &config]).await;
    assert_eq!(changed.status.code(), Some(1), "{changed:?}");
    assert!(text(&changed.stdout).contains("wanted 'It is on the belt to the van.'"), "{changed:?}");
}

#[tokio::test]
async fn on_the_older_door_a_late_answer_is_fetched_and_the_saved_file_waits_as_long() {
    let (folder, config) = desk();
    let typed = "hello\nwarehouse\n1\n/set tier=gold\n1234\n/return\nhi\n";
    let arguments = ["--bot", "parcels", "--door", "v1", "--channel", "web", "--language", "de", "--config", &config];
    let output = chat(folder.path(), &[&arguments[..], &["--save", "saved.toml"]].concat(), typed).await;
    insta::assert_snapshot!(shown(&output));
    let saved = folder.path().join("saved.toml").display().to_string();
    let played = run(&["test", &saved, "--show", "--config", &config]).await;
    assert_eq!(played.status.code(), Some(0), "{}", text(&played.stdout));
}

#[tokio::test]
async fn each_channel_shows_what_it_can_and_says_what_was_changed() {
    let (folder, config) = desk();
    let typed = "sizes\n2\n/save web.toml\n/channel sms\nsizes\n2\n/channel whatsapp\nsizes\n1\n";
    let output = chat(folder.path(), &["--bot", "parcels", "--config", &config], typed).await;
    insta::assert_snapshot!(shown(&output));
    let saved = folder.path().join("web.toml").display().to_string();
    let played = run(&["test", &saved, "--config", &config]).await;
    assert_eq!(played.status.code(), Some(0), "{played:?}");
    let text = std::fs::read_to_string(&saved).unwrap();
    assert!(text.contains("tap = \"Take it\"\npayload = \"size:l\"\n"), "{text}");
}

#[tokio::test]
async fn a_number_is_the_one_that_the_customer_sees() {
    let (folder, config) = desk();
    // Cards become numbered lines there, and what is not on a card stays to tap.
    let arguments = ["--bot", "parcels", "--channel", "apple", "--config", &config];
    let output = chat(folder.path(), &arguments, "anything?\n1\nanything?\n2\nanything?\n3\nanything?\n4\n5\n").await;
    insta::assert_snapshot!(shown(&output));
}

#[tokio::test]
async fn orders_begin_new_conversations_and_say_what_is_wrong() {
    let (folder, config) = desk();
    let typed = "/save nothing.toml\nhello\n/channel pigeon\n/channel whatsapp\n/language fr\n/language de\n/door v1\n\
        /save before.toml\n/leave\nhello?\n/return\n/wait 200ms\n/wait soon\n/engine\n//engine\n/quit\nnever read\n";
    let output = chat(folder.path(), &["--bot", "parcels", "--config", &config], typed).await;
    insta::assert_snapshot!(shown(&output));
    let before = std::fs::read_to_string(folder.path().join("before.toml")).unwrap();
    assert!(before.contains("say = \"hello\""), "{before}");
    let script = file(folder.path(), "typed.txt", "hello\n/trace\n");
    let traced = chat(folder.path(), &["--bot", "parcels", "--script", &script, "--config", &config], "").await;
    insta::assert_snapshot!(shown(&traced));
}

#[tokio::test]
async fn nothing_is_lost_by_saving_in_the_wrong_place() {
    let (folder, config) = desk();
    let arguments = ["--bot", "parcels", "--config", &config];
    let kept = file(folder.path(), "kept.toml", "# Worked on since it was saved.");
    let output = chat(folder.path(), &arguments, "hello\n/save kept.toml\n/save new.toml\n/save new.toml\n").await;
    let shown = text(&output.stdout);
    assert_eq!(
        (shown.matches("kept.toml is there already").count(), shown.matches("saved; ").count()),
        (1, 2),
        "{shown}"
    );
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "# Worked on since it was saved.");
    // Said before anybody talks for an hour.
    let early = chat(folder.path(), &[&arguments[..], &["--save", "no/where.toml"]].concat(), "hello\n").await;
    assert_eq!((early.status.code(), text(&early.stdout).as_str()), (Some(1), ""));
    assert_eq!(text(&early.stderr), "cordboard: --save: there is no folder no\n");
    // The file to mend is named, not the one that names it alone.
    file(folder.path(), "parcels.toml", "say = \"");
    let broken = chat(folder.path(), &arguments, "").await;
    assert!(
        text(&broken.stderr).contains("parcels.toml: the script is not valid: TOML parse error at line 1"),
        "{broken:?}"
    );
}

#[tokio::test]
async fn three_mistakes_of_a_tired_user() {
    let (folder, config) = desk();
    let wrong = chat(folder.path(), &["--bot", "parcel", "--config", &config], "").await;
    assert_eq!((wrong.status.code(), text(&wrong.stdout).as_str()), (Some(1), ""));
    insta::assert_snapshot!(text(&wrong.stderr));
    let nowhere = chat(folder.path(), &["--config", "nowhere.toml"], "").await;
    assert_eq!(nowhere.status.code(), Some(78));
    insta::assert_snapshot!(text(&nowhere.stderr));
    let door = chat(folder.path(), &["--bot", "far", "--door", "v1", "--config", &config], "").await;
    assert_eq!(door.status.code(), Some(1));
    insta::assert_snapshot!(text(&door.stderr));
    let far = chat(folder.path(), &["--bot", "far", "--config", &config], "hello\nhello?\n").await;
    assert!(!text(&far.stdout).contains("T0KEN"));
    insta::assert_snapshot!(shown(&far));
}

/// A model's server that says one paragraph, thinks, says another, and is gone.
async fn breaks_off(listener: TcpListener) {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut asked = Vec::new();
    while !asked.ends_with(b"}") {
        assert_ne!(connection.read_buf(&mut asked).await.unwrap(), 0);
    }
    let said = |words: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{words}\\n\\n\"}}}}]}}\n\n");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    connection.write_all((head.to_owned() + &said("One moment.")).as_bytes()).await.unwrap();
    // The model thinks, so that two messages go out by themselves; were it faster, the paragraphs would be one.
    tokio::time::sleep(Duration::from_millis(300)).await;
    connection.write_all(said("I am looking.").as_bytes()).await.unwrap();
}

#[tokio::test]
async fn what_is_pushed_by_itself_at_the_same_time_is_shown_too() {
    let (folder, _) = desk();
    file(folder.path(), "prompt.md", "You track parcels.");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let engine = format!(
        "[bots.model.engine]\ntype = \"openai\"\nbase_url = \"http://{address}/v1\"\nmodel = \"m\"\nprompt = \"prompt.md\"\n\
         deliver = \"paragraphs\"\n"
    );
    let config = CONFIG.replacen("bots = [\"parcels\"]", "bots = [\"parcels\", \"model\"]", 1) + &engine;
    let config = file(folder.path(), "model.toml", &config);
    let arguments = ["--bot", "model", "--config", &config];
    let (output, ()) = tokio::join!(chat(folder.path(), &arguments, "hello\n"), breaks_off(listener));
    let shown = shown(&output);
    // In one message or in several, as the paragraphs came.
    let sentences = ["One moment.", "I am looking.", "I am connecting you to a colleague."];
    let said: Vec<&str> = shown.lines().map(|line| line.trim_start_matches("bot").trim()).collect();
    let said: Vec<&str> = said.into_iter().filter(|line| sentences.contains(line)).collect();
    assert_eq!(said, sentences, "{shown}");
}
