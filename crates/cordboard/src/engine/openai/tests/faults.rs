//! What a model and its server do wrong, and what is made of it.

use model::Failure;
use proptest::prelude::*;

use super::*;

const LATER: Reading = Reading::Later { after_ms: None, failure: Failure::Unavailable };
/// Of a server that is busy and does not say for how long.
const BUSY: Reading = Reading::Later { after_ms: Some(1_000), failure: Failure::Unavailable };

fn chunk(delta: &str, finish_reason: &str) -> String {
    format!(r#"data: {{"choices":[{{"delta":{delta},"finish_reason":{finish_reason}}}]}}"#) + "\n\n"
}

#[test]
fn each_fault_says_whether_to_ask_again() {
    let quota = r#"{"error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"}}"#;
    let half: String = CHAT.split_inclusive("\n\n").take(4).collect();
    let failed = |failure| Reading::Failed(failure);
    let table: Vec<(&str, calls::Reply, Reading)> = vec![
        ("no answer", chat("", &[], "stop"), failed(Failure::Nonsense)),
        ("a blank answer", chat(" \n", &[], "stop"), failed(Failure::Nonsense)),
        ("no choices", reply(200, r#"{"choices": []}"#), failed(Failure::Nonsense)),
        ("nothing at all", reply(200, ""), failed(Failure::Nonsense)),
        ("all thought and no word", chat("", &[], "length"), failed(Failure::Nonsense)),
        ("half a stream", reply(200, half), LATER),
        ("a stream of nonsense", reply(200, "data: {\"choices\":[{\"delta\":"), failed(Failure::Nonsense)),
        (
            "no end, but done",
            reply(200, chunk(r#"{"content":" "}"#, "null") + "data: [DONE]\n\n"),
            failed(Failure::Nonsense),
        ),
        ("wrong key", reply(401, r#"{"error": {"code": "invalid_api_key"}}"#), failed(Failure::Refused)),
        ("not allowed", reply(403, ""), failed(Failure::Refused)),
        ("no such model", reply(404, r#"{"error": {"code": "model_not_found"}}"#), failed(Failure::Refused)),
        ("too long", reply(400, r#"{"error": {"code": "context_length_exceeded"}}"#), failed(Failure::Refused)),
        ("a status as text", reply(400, r#"{"error": {"message": "bad", "code": "400"}}"#), failed(Failure::Refused)),
        ("an error as text", reply(500, r#"{"error": "boom"}"#), LATER),
        ("too often", later("7"), Reading::Later { after_ms: Some(7_000), failure: Failure::Unavailable }),
        ("too often, no header", reply(429, ""), BUSY),
        ("no quota", reply(429, quota), failed(Failure::Refused)),
        ("down", reply(503, "<html>"), BUSY),
        ("a gateway in front", reply(502, "<html>"), LATER),
        ("moved", reply(302, ""), failed(Failure::Refused)),
        ("an error in a 200", reply(200, r#"{"error": {"type": "server_error"}}"#), LATER),
        ("no quota in a 200", reply(200, quota), failed(Failure::Refused)),
        (
            "an error in a stream",
            reply(200, chunk(r#"{"content":"Hel"}"#, "null") + "data: {\"error\":{\"code\":\"server_error\"}}\n\n"),
            LATER,
        ),
        (
            "a broken request in a stream",
            reply(200, "data: {\"error\":{\"type\":\"invalid_request_error\"}}\n\n"),
            failed(Failure::Refused),
        ),
    ];
    let engine = engine("");
    for (what, reply, expected) in table {
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        assert_eq!(engine.read(&question, &reply), expected, "{what}");
    }
}

/// What an operator reads while a closure runs.
fn logged(does: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, does);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn what_somebody_must_mend_is_told_once_until_it_is_mended() {
    let engine = engine("");
    let question = engine.ask(&asked("hi"), &History::default(), "t");
    let quoting =
        r#"{"error": {"message": "hi is not allowed", "code": "hi there", "param": "messages.0", "type": "a_type"}}"#;
    let lines = logged(|| {
        for _ in 0..3 {
            engine.read(&question, &reply(401, r#"{"error": {"message": "Incorrect key sk-secret"}}"#));
        }
        engine.read(&question, &reply(400, quoting));
        engine.read(&question, &chat("Hi", &[], "stop"));
        engine.read(&question, &reply(400, quoting));
        engine.read(&question, &reply(429, ""));
    });
    insta::assert_snapshot!(lines);
}

#[test]
fn an_answer_that_cannot_be_said_is_told_with_what_to_do() {
    let engine = engine("max_tool_rounds = 1");
    let question = engine.ask(&asked("hi"), &History::default(), "t");
    let notes = chat("", &[("set_attributes", r#"{"attributes": {"parcel": "77"}}"#)], "tool_calls");
    let lines = logged(|| {
        for reply in [
            reply(200, "<html>Hello</html>"),
            reply(200, "<html>Hello</html>"),
            chat("", &[], "stop"),
            chat("", &[], "length"),
            notes,
            chat("Hi", &[], "stop"),
            chat("", &[], "stop"),
        ] {
            engine.read(&question, &reply);
        }
    });
    insta::assert_snapshot!(lines);
}

#[test]
fn the_other_form_has_faults_of_its_own() {
    let failed = |failure| Reading::Failed(failure);
    let cut_off: String = RESPONSES.split_inclusive("\n\n").take(4).collect();
    let table = [
        ("half a stream", cut_off.clone(), LATER),
        ("an error event", cut_off.clone() + "data: {\"type\":\"error\",\"code\":\"server_error\"}\n\n", LATER),
        (
            "a failed response",
            cut_off
                + "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"insufficient_quota\"}}}\n\n",
            failed(Failure::Refused),
        ),
        ("failed, and no more", r#"{"status": "failed", "output": []}"#.into(), LATER),
        ("no output", r#"{"status": "completed"}"#.into(), failed(Failure::Nonsense)),
        (
            "filtered",
            r#"{"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}"#.into(),
            failed(Failure::Refused),
        ),
        (
            "cut without a word",
            r#"{"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}"#.into(),
            failed(Failure::Nonsense),
        ),
    ];
    let engine = engine("api = 'responses'\non_refusal = 'say'");
    for (what, body, expected) in table {
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        assert_eq!(engine.read(&question, &reply(200, body)), expected, "{what}");
    }
}

#[test]
fn a_refusal_is_said_or_handed_over() {
    let refusal = r#"{"choices": [{"message": {"refusal": "I cannot help with that."}, "finish_reason": "stop"}]}"#;
    let streamed = chunk(r#"{"refusal":"I cannot "}"#, "null") + &chunk(r#"{"refusal":"help."}"#, "\"stop\"");
    let filtered = r#"{"choices": [{"message": {"content": "Half of"}, "finish_reason": "content_filter"}]}"#;
    let stopped = chunk("{}", "null") + "data: {\"error\":{\"code\":\"content_filter\",\"status\":400}}\n\n";
    let item = json!({"type": "message", "content": [{"type": "refusal", "refusal": "No."}]});
    let other = json!({"status": "completed", "output": [item]}).to_string();
    let human = r#"HandOver(HandOver { reason: "refused", note: None })"#;
    for (api, body, said) in [
        ("chat_completions", refusal.to_owned(), Some(r#""I cannot help with that.""#)),
        ("chat_completions", streamed, Some(r#""I cannot help.""#)),
        ("chat_completions", filtered.to_owned(), None),
        ("chat_completions", stopped, None),
        ("responses", other, Some(r#""No.""#)),
    ] {
        let (hands_over, says) =
            (engine(&format!("api = '{api}'")), engine(&format!("api = '{api}'\non_refusal = 'say'")));
        assert_eq!(told(&answer(hands_over.read(&Bytes::new(), &reply(200, body.clone())))), human);
        match (says.read(&Bytes::new(), &reply(200, body)), said) {
            (Reading::Failed(failure), None) => assert_eq!(failure, Failure::Refused),
            (reading, said) => assert_eq!(Some(told(&answer(reading)).as_str()), said),
        }
    }
}

#[test]
fn what_a_filter_in_front_of_the_model_stops_is_refused_and_nobody_has_to_mend() {
    let lines = logged(|| {
        for code in ["content_filter", "content_policy_violation", "invalid_prompt"] {
            let body = json!({"error": {"message": "hi", "type": "invalid_request_error", "code": code}}).to_string();
            let handed_over = answer(engine("").read(&Bytes::new(), &reply(400, body.clone())));
            assert_eq!(told(&handed_over), r#"HandOver(HandOver { reason: "refused", note: None })"#, "{code}");
            let reading = engine("on_refusal = 'say'").read(&Bytes::new(), &reply(400, body));
            assert_eq!(reading, Reading::Failed(Failure::Refused), "{code}");
        }
    });
    assert_eq!(lines, "");
}

#[test]
fn broken_arguments_are_told_to_the_model_once() {
    let engine = engine("");
    let question = || engine.ask(&asked("hi"), &History::default(), "t");
    let broken = chat("", &[("report_intent", r#"{"name": "Tra"#)], "tool_calls");
    let (sent, reading) = turn(&engine, question(), &[broken.clone(), chat("Sorry, here it is.", &[], "stop")]);
    assert_eq!(told(&answer(reading)), r#""Sorry, here it is.""#);
    let messages = sent[1]["messages"].as_array().unwrap();
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], "{}", "what is not JSON is not sent back");
    let result = messages[3]["content"].as_str().unwrap();
    assert!(result.contains("not valid JSON"), "{result}");
    let (_, reading) = turn(&engine, question(), &[broken.clone(), broken.clone()]);
    assert_eq!(reading, Reading::Failed(Failure::Nonsense));
    // Who said something besides is heard, however often the tool fails.
    let both = chat("Here it is.", &[("no_such_tool", "{}")], "tool_calls");
    let (_, reading) = turn(&engine, question(), &[both.clone(), both]);
    assert_eq!(told(&answer(reading)), r#""Here it is." "Here it is.""#);
}

#[test]
fn a_tool_loop_ends() {
    let engine = engine("max_tool_rounds = 3");
    let question = || engine.ask(&asked("hi"), &History::default(), "t");
    let call = chat("", &[("set_attributes", r#"{"a":"1"}"#)], "tool_calls");
    let replies = vec![call.clone(); 5];
    let (sent, reading) = turn(&engine, question(), &replies);
    assert_eq!((sent.len(), reading), (3, Reading::Failed(Failure::Nonsense)));
    let choice: Vec<&Value> = sent.iter().map(|body| &body["tool_choice"]).collect();
    assert_eq!(choice, [&Value::Null, &Value::Null, &json!("none")], "the last call is for words");
    let many: Vec<(&str, &str)> = vec![("set_attributes", "{}"); 100];
    assert_eq!(engine.read(&question(), &chat("Hi", &many, "stop")), Reading::Failed(Failure::Nonsense));
}

#[test]
fn servers_differ_and_are_understood() {
    let pieces =
        |pieces: &[&str]| pieces.iter().map(|piece| chunk(piece, "null")).collect::<String>() + "data: [DONE]\n";
    let table = [
        // No index and no id after the first piece; the arguments as an object; the name with every piece.
        pieces(&[
            r#"{"tool_calls":[{"id":"a","function":{"name":"end","arguments":""}}]}"#,
            r#"{"tool_calls":[{"function":{"name":"end","arguments":"{}"}}]}"#,
        ]),
        pieces(&[r#"{"content":null,"tool_calls":[{"index":0,"function":{"name":"end","arguments":{}}}]}"#]),
        r#"{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"end","arguments":{}}}]}}]}"#
            .into(),
        r#"{"choices":[{"message":{"content":"","tool_calls":[{"id":null,"function":{"name":"end"}}]}}],"usage":null}"#
            .into(),
    ];
    let engine = engine("");
    for body in table {
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        let reading = engine.read(&question, &reply(200, body.clone()));
        assert_eq!(told(&answer(reading)), "End", "{body}");
    }
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "data: ",
        "\n\n",
        "\n",
        "[DONE]",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"choices\":[{\"delta\":{",
        "\"content\":",
        "\"a\\n\\n\"",
        "\"tool_calls\":[{\"index\":1,\"function\":{\"name\":\"end\",\"arguments\":\"{\"}}]",
        "\"finish_reason\":\"stop\"",
        "}}]}",
        "{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}",
        "{\"type\":\"response.completed\",\"response\":",
        "{\"output\":[],\"status\":\"completed\"}",
        "\"error\":",
        "null",
        "1e400",
        "\"\\ud800\"",
        "\u{202e}",
        "\"refusal\":\"no\"",
        "\"usage\":{\"prompt_tokens\":-1}",
    ]);
    prop_oneof![
        3 => prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]
    #[test]
    fn any_bytes_are_read_without_harm(body in any_body(), responses in any::<bool>(), at in 0_usize..300) {
        let api = if responses { "responses" } else { "chat_completions" };
        let engine = engine(&format!("api = '{api}'\ndeliver = 'paragraphs'"));
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        let reading = engine.read(&question, &reply(200, body.clone()));
        if let Reading::Continue { question } = &reading {
            prop_assert!(matches!(engine.call(question, "t", 1, NOW, 1_000), Asking::Call(_)));
        }
        let mut reader = engine.reader(&question).unwrap();
        let (one, other) = body.split_at(at.min(body.len()));
        let early = reader.more(one, u32::MAX).len() + reader.more(other, u32::MAX).len();
        let listened = reader.end(&reply(200, body));
        if early == 0 {
            prop_assert_eq!(listened, reading);
        }
    }
}
