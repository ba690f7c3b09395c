//! A bot's author looks at a reply before it is sent.

use crate::called::{file, run, text};

const REPLY: &str = r###"{
  "items": [
    { "kind": "text", "format": "markdown", "text": "## Boots\n\nThese **three** fit; see [sizes](https://shop.example/sizes)." },
    { "kind": "carousel", "cards": [
      { "title": "Light", "body": "For the city", "actions": [
        { "kind": "postback", "label": "Take it", "value": "boot:1" },
        { "kind": "open_url", "label": "Look", "value": "https://shop.example/1" } ] },
      { "title": "Warm", "actions": [ { "kind": "postback", "label": "Take it", "value": "boot:2" } ] } ] },
    { "kind": "media", "media": "image", "url": "https://shop.example/map.png", "caption": "Where we are" },
    { "kind": "choices", "prompt": "And now?", "options": [ { "label": "None of them, thank you" }, { "label": "Human" } ] }
  ]
}"###;

#[tokio::test]
async fn a_reply_is_shown_as_each_channel_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let reply = file(folder.path(), "reply.json", REPLY);
    for (name, arguments) in [
        ("whatsapp", &["--channel", "whatsapp"][..]),
        ("sms", &["--channel", "sms", "--door", "v1"]),
        ("web_messaging", &["--channel", "web-messaging", "--attachments"]),
        ("all", &["--all"]),
    ] {
        let output = run(&[&["lint", &reply], arguments].concat()).await;
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{name}");
        insta::assert_snapshot!(name, text(&output.stdout));
    }

    let output = run(&["lint", &reply, "--channel", "voice", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["messages"][0]["text"], "Boots\n\nThese three fit; see sizes.");
    assert_eq!((&shown["changes"][0]["what"], &shown["changes"][0]["item"]), (&"unmarked".into(), &1.into()));
    let output = run(&["lint", &reply, "--all", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown.as_array().map(Vec::len), Some(10));
}

const BOTS: &str = r#"
version = 1

[orgs.acme]
region = "mypurecloud.de"
client_id = "${NEVER_SET}"
client_secret = "${NEVER_SET}"

[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/web"
credentials = { x-api-key = "${NEVER_SET}" }
bots = ["terse", "older"]

[bots.terse]
languages = ["en-us"]
engine = { type = "webhook", url = "http://127.0.0.1:9", secrets = ["${NEVER_SET}"], limits = { text_max_chars = 3 } }

[bots.older]
languages = ["en-us"]
engine = { type = "connector", speaks = "v1", url = "http://127.0.0.1:9" }
"#;

#[tokio::test]
async fn a_bot_s_own_contract_and_what_a_rule_shows_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| file(folder.path(), name, text);
    let config = file("bots.toml", BOTS);
    let older = r#"{"replymessages": [{"type": "Text", "text": "Which?"}, {"type": "Structured", "text": "Which?",
        "content": [{"contentType": "QuickReply", "quickReply": {"text": "Red", "payload": "r"}}]}],
        "botState": "MOREDATA"}"#;
    let rule = "say = \"Which?\"\n[show.card]\ntitle = \"Boots\"\nbuttons = [\"Take them\"]";
    for (reply, name) in [(older, "older.json"), (rule, "rule.toml")] {
        let reply = file(name, reply);
        let output = run(&["lint", &reply, "--channel", "sms", "--bot", "older", "--config", &config]).await;
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{name}");
        insta::assert_snapshot!(name, text(&output.stdout));
    }
}

#[tokio::test]
async fn lint_says_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| file(folder.path(), name, text);
    let (plain, blank) = (file("plain.json", r#"{"text": "Hello"}"#), file("blank.json", r#"{"items": []}"#));
    let (broken, lacking) = (
        file("broken.json", "{\n  \"text\": oops }"),
        file("lacking.json", r#"{"items": [{"kind": "text", "text": "a"}, {"kind": "text"}]}"#),
    );
    let (reply, unkind) = (file("reply.json", REPLY), file("unkind.json", r#"{"items": [{"type": "text"}]}"#));
    let example = "examples/simulated.toml";
    let (misspelt, rule, short) = (
        file(
            "misspelt.json",
            r#"{"items": [{"kind": "text", "text": "Hello", "fromat": "markdown"}, {"kind": "crad"}]}"#,
        ),
        file("rule.toml", "say = \"Hello\"\nshow.card = { titel = \"Boots\" }"),
        file("short.toml", "say = \"Hello\""),
    );
    let config = file("bots.toml", BOTS);
    let renamed = file("renamed.json", r#"{"items": [{"kind": "text", "txet": "Hello"}]}"#);
    let cases: [(&[&str], i32, &str); 19] = [
        (&["lint", &plain, "--strict"], 0, ""),
        (&["lint", &blank], 0, ""),
        (&["lint", &reply, "--channel", "sms", "--strict"], 1, "changes, and --strict takes none"),
        (&["lint", "nowhere.json"], 1, "cannot read nowhere.json"),
        (&["lint", &broken], 1, "broken.json: the body is not JSON (line 2, column"),
        (&["lint", &lacking], 1, "items[1].text is missing; docs/reference/webhook.schema.json"),
        (&["lint", &unkind], 1, "items[0] has no `kind`, such as \"text\""),
        (&["lint", &plain, "--channel", "fax"], 2, "there are web_messaging, sms"),
        (&["lint", &plain, "--connector", "digital"], 1, "give that with --config"),
        (&["lint", &plain, "--connector", "x", "--config", example], 1, "no connector is called \"x\"; there are:"),
        (
            &["lint", &misspelt],
            1,
            "items[0]: unknown member `fromat`; did you mean `format`?; items[1]: unknown kind `crad`",
        ),
        (&["lint", &renamed], 1, "items[0].text is missing; items[0]: unknown member `txet`; did you mean `text`?"),
        (&["lint", &rule], 1, "unknown field `titel`"),
        (&["lint", &short, "--strict"], 0, ""),
        (&["lint", &plain, "--bot", "terse"], 1, "--bot names a bot of a configuration; give that with --config"),
        (&["lint", &plain, "--bot", "ters", "--config", &config], 1, "unknown bot `ters`; did you mean `terse`?"),
        (&["lint", &plain, "--bot", "terse", "--config", &config, "--strict"], 1, "1 change, and --strict takes none"),
        (
            &["lint", &plain, "--bot", "older", "--config", &config],
            1,
            "plain.json: the body is JSON but not the expected",
        ),
        (&["lint"], 2, "<REPLY>"),
    ];
    for (arguments, code, said) in cases {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {output:?}");
    }
}
