//! What a model is asked and what is made of its replies, in both forms of the wire.

mod faults;
mod memory;
mod turns;

use std::path::Path;

use http::{HeaderMap, HeaderValue};
use model::{Answer, Ask, BotKey, Input, SeatId, TurnNumber};
use serde_json::{Value, json};

use super::*;
use crate::engine::{History, Speaker, Utterance};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub(super) const CHAT: &str = include_str!("fixtures/chat.sse");
pub(super) const CHAT_TOOL: &str = include_str!("fixtures/chat_tool.sse");
pub(super) const RESPONSES: &str = include_str!("fixtures/responses.sse");
pub(super) const RESPONSES_TOOL: &str = include_str!("fixtures/responses_tool.sse");

/// An engine with these keys besides those that it must have, and files with their contents.
pub(super) fn build(keys: &str, files: &[(&str, &str)]) -> Result<OpenAi, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in [("prompt.md", "You help with parcels.")].iter().chain(files) {
        std::fs::write(folder.path().join(name), contents).unwrap();
    }
    let must = |key: &str, value: &str| {
        let given = keys.lines().any(|line| line.starts_with(&format!("{key} =")));
        if given { String::new() } else { format!("{key} = '{value}'\n") }
    };
    let config = must("model", "m") + &must("prompt", "prompt.md") + &must("api_key", "sk-secret") + keys;
    let config: Config = toml::from_str(&config).map_err(|error| error.to_string())?;
    let folder: &Path = folder.path();
    OpenAi::load(&config, folder).map_err(|error| error.to_string().replace(&folder.display().to_string(), "FOLDER"))
}

pub(super) fn engine(keys: &str) -> OpenAi {
    build(keys, &[]).unwrap()
}

pub(super) fn asked(words: &str) -> Ask {
    Ask {
        seat: SeatId(0),
        bot: BotKey::from("desk"),
        turn: TurnNumber(3),
        engine_session: 1,
        visit: 0,
        is_first: false,
        input: Input::Text(words.into()),
        language: "de-de".into(),
        channel: Some(model::Channel::WhatsApp),
        customer: None,
        context: [("name".into(), "Mia".into())].into(),
        engine_state: None,
        hard_deadline: NOW + 60_000,
        time_ms: 60_000,
    }
}

pub(super) fn history(said: &[(Speaker, &str)]) -> History {
    let utterances = said.iter().zip(1..);
    let utterances = utterances.map(|((by, text), number)| Utterance { number, by: *by, text: (*text).into() });
    History { utterances: utterances.collect() }
}

pub(super) fn reply(status: u16, body: impl Into<Bytes>) -> calls::Reply {
    calls::Reply { status, headers: HeaderMap::new(), body: body.into() }
}

pub(super) fn later(seconds: &'static str) -> calls::Reply {
    let mut reply = reply(429, r#"{"error": {"type": "rate_limit_error", "code": "rate_limit_exceeded"}}"#);
    reply.headers.insert("retry-after", HeaderValue::from_static(seconds));
    reply
}

/// A whole reply in the form of Chat Completions.
pub(super) fn chat(content: &str, calls: &[(&str, &str)], finish_reason: &str) -> calls::Reply {
    let calls: Vec<Value> = calls
        .iter()
        .map(
            |(name, arguments)| json!({"id": format!("id-{name}"), "function": {"name": name, "arguments": arguments}}),
        )
        .collect();
    let message = json!({"content": content, "tool_calls": calls});
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    reply(200, json!({"choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage}).to_string())
}

/// What is sent for a question.
pub(super) fn body(engine: &OpenAi, question: &Bytes) -> Value {
    match engine.call(question, "t", 1, NOW, 60_000) {
        Asking::Call(call) => serde_json::from_slice(&call.body).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Plays a turn: every call gets the next reply. What was sent, and what came of it.
pub(super) fn turn(engine: &OpenAi, question: Bytes, replies: &[calls::Reply]) -> (Vec<Value>, Reading) {
    let (mut question, mut sent) = (question, Vec::new());
    for reply in replies {
        sent.push(body(engine, &question));
        match engine.read(&question, reply) {
            Reading::Continue { question: next } => question = next,
            reading => return (sent, reading),
        }
    }
    panic!("it wants another reply");
}

#[track_caller]
pub(super) fn answer(reading: Reading) -> Answer {
    match reading {
        Reading::Answer(answer) => *answer,
        other => panic!("{other:?}"),
    }
}

/// What an answer says, shortly.
pub(super) fn told(answer: &Answer) -> String {
    let items = answer.items.iter().map(|item| match item {
        Item::Markdown(text) => format!("{text:?}"),
        other => format!("{other:?}"),
    });
    let mut told: Vec<String> = items.collect();
    match &answer.next {
        Next::Await => {}
        next => told.push(format!("{next:?}")),
    }
    told.extend(answer.intent.as_ref().map(|intent| format!("{intent:?}")));
    told.extend((!answer.slots.is_empty()).then(|| format!("{:?}", answer.slots)));
    told.extend((!answer.attributes.is_empty()).then(|| format!("{:?}", answer.attributes)));
    told.extend((!answer.cuts.is_empty()).then(|| format!("cut {:?}", answer.cuts)));
    told.join(" ")
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let table = [
        ("model = ' '", "model: a model's name is 1 to 200 visible characters without spaces"),
        ("temperature = 3", "temperature: it lies between 0 and 2"),
        ("max_tool_rounds = 0", "max_tool_rounds: it lies between 1 and 10"),
        ("stream = false\ndeliver = 'paragraphs'", "deliver: \"paragraphs\" are known early only in a stream"),
        ("opening = ' '", "opening: it is empty"),
        ("extra = { messages = [] }", "extra: the gateway itself writes `messages`"),
        ("overrides = ['prompt']", "overrides: \"prompt\" chooses among `variants`, and there are none"),
        ("overrides = ['top_p']", "unknown variant `top_p`"),
        ("tools = ['hand_ower']", "unknown variant `hand_ower`"),
        ("base_url = 'api.openai.com'", "base_url: an address starts with https:// or http://"),
        ("base_url = 'https://u:p@host/v1'", "base_url: credentials do not belong in the address"),
        ("base_url = 'https://host/v1?key=1'", "base_url: a server's address has no query"),
        ("base_url = 'https://host/v1/chat/completions'", "the gateway adds it: write \"https://host/v1\""),
        ("base_url = 'https://host/v1/responses/'", "leave out /responses"),
        ("api_key = ''", "api_key: it is empty; is the variable set"),
        ("api_key = 'sk 1'", "api_key: a key is visible ASCII characters without spaces"),
        ("api_key = 5", "a secret as text"),
        ("organization = 'a b'", "organization: it is visible ASCII characters without spaces"),
        ("prompt = 'missing.md'", "prompt: FOLDER/missing.md: it cannot be read"),
        ("prompt = 'empty.md'", "prompt: FOLDER/empty.md: it is empty"),
        ("prompt = 'long.md'", "prompt: FOLDER/long.md: it has 70000 bytes, and a prompt has at most 65536"),
        ("prompt = 'place.md'", "line 2: {{customer}} is not known; there are {{language}}"),
        ("prompt = 'open.md'", "line 1: {{ without }} on the same line"),
        ("prompts = { de = 'missing.md' }", "prompts: FOLDER/missing.md: it cannot be read"),
        ("prompts = { German = 'prompt.md' }", "prompts: `German` is no language; write a tag in lower case"),
    ];
    let long = "x".repeat(70_000);
    let files = [
        ("empty.md", " \n"),
        ("long.md", long.as_str()),
        ("place.md", "Hello\n{{ customer }}"),
        ("open.md", "{{language\n}}"),
    ];
    for (keys, expected) in table {
        match build(keys, &files) {
            Ok(_) => panic!("{keys} is taken"),
            Err(error) => {
                assert!(error.contains(expected), "{keys}\n{error}");
                assert!(!error.contains("sk-secret"), "{error}");
            }
        }
    }
    let local = "base_url = 'http://localhost:8000/v1/'\napi_key = 'none'";
    assert_eq!(engine(local).address(), Some("http://localhost:8000/v1/chat/completions"));
}

#[test]
fn a_server_of_ones_own_needs_no_key_and_openai_does() {
    let config =
        |url: &str| -> Config { toml::from_str(&format!("model = 'm'\nprompt = 'p'\nbase_url = '{url}'")).unwrap() };
    assert!(config("http://localhost:8000/v1").address().is_ok());
    let error = config("https://api.openai.com/v1").address().unwrap_err().to_string();
    assert!(error.contains("api_key: OpenAI answers nobody without a key"), "{error}");
}
