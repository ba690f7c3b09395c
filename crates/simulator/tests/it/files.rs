//! Conversation files: what may be written, and how a played one reads.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use simulator::file::ConversationFile;
use simulator::{Hooks, NoHooks, Target};

use crate::connector::{Reply, text, v1_with, v2_with};

const HEAD: &str = "title = \"t\"\ndoor = \"v2\"\nbot = \"b\"\n";

#[test]
fn errors_name_file_line_and_column() {
    let table = [
        ("title = \"t\"\ndoor = \"v3\"", "a.toml:2:8: unknown variant `v3`, expected `v1` or `v2`"),
        ("title = \"t\"", "a.toml:1:1: missing field `door`"),
        (
            &format!("{HEAD}colour = 1"),
            "a.toml:4:1: unknown field `colour`, expected one of `title`, `door`, `bot`, `seed`, `customer`, `channel`, `expect_timeout_ms`, `flow`, `faults`, `step`",
        ),
        (
            &format!("{HEAD}channel = \"fax\""),
            "a.toml:4:11: unknown variant `fax`, expected one of `web_messaging`, `sms`",
        ),
        (&format!("{HEAD}[flow]\nretires = 1"), "a.toml:5:1: unknown field `retires`"),
        (&format!("{HEAD}[faults]\nblank_text = 2"), "a.toml:5:14: 2 is no probability from 0 to 1"),
        (&format!("{HEAD}[[step]]\nsay = 1"), "a.toml:5:7: invalid type: integer `1`, expected a string"),
        (&format!("{HEAD}[[step]]\nsya = \"x\""), "a.toml:5:1: unknown field `sya`"),
        (&format!("{HEAD}[[step]]\nsay = \"x\"\n[[step]]\n"), "a.toml:6:1: the step is empty"),
        (&format!("{HEAD}[[step]]\nsay = \"x\"\ntap = \"y\""), "a.toml:4:1: a step does one thing"),
        (&format!("{HEAD}[[step]]\nexpect = \"x\"\nexpect_exactly = \"y\""), "a.toml:4:1: a step has either"),
        (&format!("{HEAD}[[step]]\npayload = \"x\""), "a.toml:4:1: payload belongs to a tap"),
        (&format!("{HEAD}[[step]]\nleave = false"), "a.toml:4:1: leave is true or absent"),
        (HEAD, "a.toml:1:1: a conversation needs at least one [[step]]"),
        (&format!("{HEAD}[[step]]\nsay = \"x"), "a.toml:5:"),
    ];
    for (toml, wanted) in table {
        let error = ConversationFile::parse(toml, "a.toml").unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}\nwanted {wanted}");
    }
}

const STORY: &str = r#"
title = "Found by its number"
door = "v2"
bot = "parcels"
expect_timeout_ms = 20000
[flow]
response_timeout_ms = 2000000
parameters = { tier = "gold" }
[faults]
unknown_members = false
[[step]]
say = "Where is my parcel?"
[[step]]
expect = "number"
expect_choices = ["I have it", "Human"]
[[step]]
do = "look_up"
[[step]]
set = { tier = "platinum" }
[[step]]
tap = "I have it"
payload = "I have it"
[[step]]
expect_exactly = "Parcel 12 is on its way."
[[step]]
expect_path = "found"
expect_parameters = { carrier = "post" }
expect_slots = { number = 12 }
[[step]]
expect_nothing_ms = 1
[[step]]
leave = true
"#;

fn bot(request: &crate::connector::Request) -> Reply {
    let choice = |label: &str| json!({"contentType": "QuickReply", "quickReply": {"text": label, "payload": label}});
    Reply::Json(match request.n {
        1 => json!({"botState": "MoreData", "replyMessages": [{"type": "Structured",
            "text": "Do you have its number?", "content": [choice("I have it"), choice("Human")]}]}),
        _ => json!({"botState": "Complete", "intent": "found", "parameters": {"carrier": "post"},
            "entities": [{"name": "number", "type": "Integer", "value": "12"}],
            "replyMessages": [text("Parcel 12 is on its way.")]}),
    })
}

#[derive(Default)]
struct LookUps(AtomicUsize);

impl Hooks for LookUps {
    fn run<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        assert_eq!(name, "look_up");
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_played_file_that_passes() {
    let (simulator, _connector, integration) = v2_with(bot).await;
    let file = ConversationFile::parse(STORY, "story.toml").unwrap();
    let hooks = LookUps::default();
    let target = Target { v2: Some(integration), v1: None };
    let played = simulator.play(&file, &target, &hooks).await;
    assert!(played.passed, "{played}");
    assert_eq!(hooks.0.load(Ordering::SeqCst), 1);
    insta::assert_snapshot!(played.to_string(), @r#"
    Found by its number: passed
      customer | Where is my parcel?
      bot      | Do you have its number? [I have it] [Human]
      customer | [I have it]
      bot      | Parcel 12 is on its way.
      path     | found
      customer | (leaves)

    On the wire
      flow     > {"botId":"parcels","botSessionId":"session-1","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"conversation-1","inputMessage":{"text":"Where is my parcel?","type":"Text"},"languageCode":"en-us","messageId":"message-1","parameters":{"tier":"gold"}}
      flow     < 200 {"botState":"MoreData","replyMessages":[{"content":[{"contentType":"QuickReply","quickReply":{"payload":"I have it","text":"I have it"}},{"contentType":"QuickReply","quickReply":{"payload":"Human","text":"Human"}}],"text":"Do you have its number?","type":"Structured"}]}
      flow     > {"botId":"parcels","botSessionId":"session-1","botSessionTimeout":720,"botVersion":"7","genesysConversationId":"conversation-1","inputMessage":{"content":[{"buttonResponse":{"payload":"I have it","text":"I have it","type":"QuickReply"},"contentType":"ButtonResponse"}],"text":"I have it","type":"Structured"},"languageCode":"en-us","messageId":"message-2","parameters":{"tier":"platinum"}}
      flow     < 200 {"botState":"Complete","entities":[{"name":"number","type":"Integer","value":"12"}],"intent":"found","parameters":{"carrier":"post"},"replyMessages":[{"text":"Parcel 12 is on its way.","type":"Text"}]}
    "#);
}

#[tokio::test]
async fn a_played_file_says_what_differs() {
    let target = |v2| Target { v2: Some(v2), v1: None };
    let variants = [
        ("expect = \"number\"", "expect = \"name\""),
        ("\"Human\"]", "\"Robot\"]"),
        ("tap = \"I have it\"", "tap = \"Yes\""),
        ("expect_path = \"found\"", "expect_path = \"failure\""),
        ("carrier = \"post\"", "carrier = \"air\""),
        ("number = 12", "number = 13"),
        ("bot = \"parcels\"", "bot = \"letters\""),
        ("door = \"v2\"", "door = \"v1\""),
        ("leave = true", "do = \"sing\""),
    ];
    let mut differences = Vec::new();
    for (right, wrong) in variants {
        let (simulator, _connector, integration) = v2_with(bot).await;
        let text = STORY.replace(right, wrong).replace("look_up", "revoke_tokens");
        let file = ConversationFile::parse(&text, "story.toml").unwrap();
        let played = simulator.play(&file, &target(integration), &NoHooks).await;
        assert!(!played.passed);
        let found = &played.differences[0];
        differences.push(format!("step {} line {}: {} / {}", found.step, found.line, found.wanted, found.got));
    }
    insta::assert_snapshot!(differences.join("\n"), @r#"
    step 2 line 13: 'name' / 'Do you have its number? [I have it] [Human]'
    step 2 line 13: choices ["I have it", "Robot"] / ["I have it", "Human"]
    step 5 line 20: an offered 'Yes' / offered so far: ["I have it", "Human"]
    step 7 line 25: path 'failure' / found
    step 7 line 25: parameters {"carrier": "air"} / {"carrier": "post"}
    step 7 line 25: slots {"number":13} / {"number":"12"}
    step 0 line 0: a conversation / the published list has no bot 'letters'; it has parcels
    step 0 line 0: a conversation / there is no integration for this door
    step 9 line 31: do 'sing' / there is no action 'sing'
    "#);
}

#[tokio::test]
async fn a_broken_rule_fails_a_file_although_its_expectations_hold() {
    let (simulator, _connector, integration) =
        v1_with(|_| Reply::Json(json!({"botState": "MOREDATA", "intent": "turn", "slotValues": {"stamp": "1"}}))).await;
    let toml = "title = \"t\"\ndoor = \"v1\"\nbot = \"claims\"\nflow.response_timeout_ms = 2000000\n[[step]]\nsay = \"hi\"\n[[step]]\nexpect_path = \"failure:InternalServerError\"";
    let file = ConversationFile::parse(toml, "t.toml").unwrap();
    let played = simulator.play(&file, &Target { v1: Some(integration), v2: None }, &NoHooks).await;
    assert_eq!((played.passed, played.differences.len()), (false, 0));
    assert_eq!(played.violations[0].to_string(), "violation value-form: slotValues.stamp: \"1\" is no Integer");
}

#[tokio::test]
async fn a_channel_decides_what_is_seen_and_is_a_session_variable() {
    // A bot that offers a button, and says which channel it was told.
    let (simulator, _connector, integration) = v2_with(|request| {
        let told = request.body.pointer("/parameters/channel").and_then(Value::as_str).unwrap_or("nothing");
        let button = json!({"contentType": "QuickReply", "quickReply": {"text": "A", "payload": "a"}});
        let message = json!({"type": "Structured", "text": format!("told {told}"), "content": [button]});
        Reply::Json(json!({"botState": "MoreData", "replyMessages": [message]}))
    })
    .await;
    let target = Target { v2: Some(integration), v1: None };
    let mut told = String::new();
    for (channel, flow) in [
        ("", ""),
        ("channel = \"web_messaging\"", ""),
        ("channel = \"sms\"", ""),
        ("channel = \"sms\"", "pass_channel = false"),
        ("channel = \"sms\"", "parameters = { channel = \"text message\" }"),
    ] {
        let text = format!(
            "title = \"t\"\ndoor = \"v2\"\nbot = \"parcels\"\n{channel}\n[flow]\nresponse_timeout_ms = 2000000\n{flow}\n[[step]]\nsay = \"hi\"\n[[step]]\nexpect = \"told\""
        );
        let file = ConversationFile::parse(&text, "a.toml").unwrap();
        let played = simulator.play(&file, &target, &NoHooks).await;
        let seen = &played.transcript.last().unwrap().text;
        let found: Vec<String> = played.violations.iter().map(ToString::to_string).collect();
        told += &format!("{channel} {flow}: {seen}; passed: {}; {found:?}\n", played.passed);
    }
    insta::assert_snapshot!(told);
    simulator.stop().await;
}
