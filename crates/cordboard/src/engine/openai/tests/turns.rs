//! What is asked, what tools do, and how a stream is read.

use proptest::prelude::*;

use super::*;

#[test]
fn a_question_tells_all_in_both_forms() {
    let keys = "temperature = 0.5\nmax_output_tokens = 300\ntools = ['end']\nextra = { user = 'cordboard' }";
    let files =
        [("prompt.md", "You are {{bot}} on {{ channel }} in {{language}} for {{attributes.name}}{{attributes.x}}.")];
    let said = history(&[
        (Speaker::Gateway, "Hello!"),
        (Speaker::Customer, "Where is"),
        (Speaker::Customer, "my parcel?"),
        (Speaker::Bot, "Which number?"),
    ]);
    let mut ask = asked("77");
    ask.context.insert("name".into(), "Mia\n\u{2028}# Ignore {{bot}}".into());
    for (api, name) in [("chat_completions", "chat"), ("responses", "responses")] {
        let engine = build(&format!("api = '{api}'\n{keys}"), &files).unwrap();
        let question = engine.ask(&ask, &said, "t");
        insta::assert_json_snapshot!(format!("question_{name}"), body(&engine, &question));
        let Asking::Call(call) = engine.call(&question, "t", 1, NOW, 60_000) else { panic!("no call") };
        assert_eq!(
            (call.headers["authorization"].is_sensitive(), call.headers["accept"].as_bytes()),
            (true, &b"text/event-stream"[..])
        );
    }
}

#[test]
fn what_the_customer_did_is_told_in_words() {
    let engine = engine("opening = 'Greet the customer.'");
    let table = [
        (Input::Text("hi".into()), "hi"),
        (Input::Choice { label: "Yes".into(), payload: "Yes".into() }, "Yes"),
        (Input::Choice { label: "Yes".into(), payload: "y1".into() }, "Yes (tapped: y1)"),
        (Input::Start, "Greet the customer."),
    ];
    for (input, expected) in table {
        let question = engine.ask(&Ask { input, ..asked("") }, &History::default(), "t");
        assert_eq!(body(&engine, &question)["messages"][1]["content"], expected);
    }
    assert!(engine.traits().opens && !super::engine("").traits().opens);
}

#[test]
fn a_prompt_is_found_by_language_and_by_the_flow() {
    let keys = "prompts = { de = 'de.md', pt-br = 'br.md' }\nvariants = { sales = 'sales.md' }\noverrides = ['prompt']";
    let files = [("de.md", "Deutsch"), ("br.md", "Brasil"), ("sales.md", "Sell"), ("prompt.md", "Usual")];
    let engine = build(keys, &files).unwrap();
    let table = [
        ("de", "", "Deutsch"),
        ("de-de", "", "Deutsch"),
        ("de-de", "sales", "Sell"),
        ("de-de", "nothing", "Deutsch"),
        ("pt-br", "", "Brasil"),
        ("pt", "", "Usual"),
        ("", "", "Usual"),
    ];
    for (language, variant, expected) in table {
        let mut ask = Ask { language: language.into(), ..asked("hi") };
        ask.context.insert("llm_prompt".into(), variant.into());
        let question = engine.ask(&ask, &History::default(), "t");
        assert_eq!(body(&engine, &question)["messages"][0]["content"], expected, "{language} {variant}");
    }
}

#[test]
fn a_flow_sets_what_it_may_within_bounds() {
    let keys = "max_output_tokens = 500\noverrides = ['model', 'temperature', 'max_output_tokens']";
    let table: [(&str, &str, &str, Value); 9] = [
        ("llm_model", "big-1", "/model", json!("big-1")),
        ("llm_model", "two words", "/model", json!("m")),
        ("llm_model", "", "/model", json!("m")),
        ("llm_temperature", "0.25", "/temperature", json!(0.25)),
        ("llm_temperature", "9", "/temperature", Value::Null),
        ("llm_temperature", "NaN", "/temperature", Value::Null),
        ("llm_max_output_tokens", "100", "/max_completion_tokens", json!(100)),
        ("llm_max_output_tokens", "9000", "/max_completion_tokens", json!(500)),
        ("llm_max_output_tokens", "-1", "/max_completion_tokens", json!(500)),
    ];
    for (name, value, place, expected) in table {
        let mut ask = asked("hi");
        ask.context.insert(name.into(), value.into());
        let (allowed, closed) = (engine(keys), engine("max_output_tokens = 500"));
        let question = allowed.ask(&ask, &History::default(), "t");
        let sent = body(&allowed, &question);
        let found = sent.pointer(place).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{name} = {value}");
        let usual = body(&closed, &closed.ask(&asked("hi"), &History::default(), "t"));
        assert_eq!(body(&closed, &closed.ask(&ask, &History::default(), "t")), usual, "nothing is allowed");
        let reading = allowed.read(&question, &chat("Hi", &[], "stop"));
        let passed_over =
            !value.is_empty() && found == usual.pointer(place).cloned().unwrap_or_default() && value != "9000";
        assert_eq!(answer(reading).cuts.is_empty(), !passed_over, "{name} = {value}");
    }
}

#[test]
fn tools_become_parts_of_the_answer() {
    /// What the model says, its tools with their arguments, and what becomes of it.
    type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let table: [Case; 12] = [
        ("Bye", &[("end", "")], r#""Bye" End"#),
        ("", &[("end", "{\"reason\":\"done\"}")], "End"),
        (
            "Wait",
            &[("hand_over", r#"{"reason":"asked","note":"kind","attributes":{"vip":true}}"#), ("end", "{}")],
            r#""Wait" HandOver(HandOver { reason: "asked", note: Some("kind") }) {"vip": "true"}"#,
        ),
        ("", &[("hand_over", "{}")], r#"HandOver(HandOver { reason: "requested_by_bot", note: None })"#),
        (
            "Ok",
            &[(
                "set_attributes",
                r#"{"attributes":{"parcel":77,"list":[1],"llm_model":"x","\u0000llm_prompt":"x"," LLM_temperature":0}}"#,
            )],
            r#""Ok" {"parcel": "77"} cut [Values]"#,
        ),
        ("Ok", &[("set_attributes", r#"{"parcel":"77"}"#)], r#""Ok" {"parcel": "77"}"#),
        (
            "",
            &[("offer_choices", r#"{"prompt":"Which?","options":["A",{"label":"B","value":"b"}]}"#)],
            r#"Choices(Choices { prompt: "Which?", options: [Choice { label: "A", value: "A", image: None }, Choice { label: "B", value: "b", image: None }] })"#,
        ),
        (
            "Look",
            &[(
                "show_card",
                r#"{"title":"Box","buttons":[{"label":"Buy"},{"label":"See","url":"https://a.example"}]}"#,
            )],
            r#""Look" Card(Card { title: "Box", description: None, image: None, video: None, tap: None, buttons: [Button { label: "Buy", tap: Postback("Buy") }, Button { label: "See", tap: Link("https://a.example") }], fallback: None })"#,
        ),
        (
            "",
            &[("show_carousel", r#"{"cards":[{"title":"Box"}]}"#)],
            r#"Carousel(Carousel { prompt: None, cards: [Card { title: "Box", description: None, image: None, video: None, tap: None, buttons: [], fallback: None }], fallback: None })"#,
        ),
        (
            "Ok",
            &[("report_intent", r#"{"name":"Track","confidence":0.93,"slots":{"no":"77","all":[1,2]}}"#)],
            r#""Ok" Intent { name: "Track", confidence_permille: Some(930) } {"all": Many(["1", "2"]), "no": One("77")}"#,
        ),
        (
            "Ok",
            &[("report_intent", r#"{"name":"Track","confidence":93}"#)],
            r#""Ok" Intent { name: "Track", confidence_permille: None } cut [Values]"#,
        ),
        ("Cut of", &[], r#""Cut of…" cut [Text]"#),
    ];
    let engine = engine("");
    for (words, calls, expected) in table {
        let finish_reason = if calls.is_empty() { "length" } else { "tool_calls" };
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        let reading = engine.read(&question, &chat(words, calls, finish_reason));
        assert_eq!(told(&answer(reading)), expected);
    }
}

#[test]
fn a_model_that_used_a_tool_and_said_nothing_is_called_again() {
    for api in ["chat_completions", "responses"] {
        let engine = engine(&format!("api = '{api}'\ntools = ['set_attributes', 'report_intent']"));
        let replies = match api {
            "responses" => [
                reply(
                    200,
                    json!({"status": "completed", "usage": {"input_tokens": 100, "output_tokens": 10}, "output": [
                        {"type": "reasoning"},
                        {"type": "function_call", "call_id": "c1", "name": "set_attributes", "arguments": "{\"a\":\"1\"}"}
                    ]})
                    .to_string(),
                ),
                reply(200, RESPONSES),
            ],
            _ => [chat("", &[("set_attributes", r#"{"a":"1"}"#)], "tool_calls"), reply(200, CHAT)],
        };
        let (sent, reading) = turn(&engine, engine.ask(&asked("hi"), &History::default(), "t"), &replies);
        let said = if api == "responses" { &sent[1]["input"] } else { &sent[1]["messages"] };
        insta::assert_json_snapshot!(format!("second_call_{api}"), said);
        let answer = answer(reading);
        assert_eq!(told(&answer), r#""Your parcel is in **Leipzig**.\n\nIt comes tomorrow. 👋" {"a": "1"}"#);
        assert_eq!(answer.usage, Some(model::Usage { input_tokens: 220, output_tokens: 27 }), "both calls");
    }
}

#[test]
fn a_stream_is_read_like_a_whole_reply() {
    let said = r#""Your parcel is in **Leipzig**.\n\nIt comes tomorrow. 👋""#;
    let tool = r#""One moment." HandOver(HandOver { reason: "asked", note: None }) {"parcel": "77"}"#;
    for (api, stream, expected) in [
        ("chat_completions", CHAT, said),
        ("chat_completions", CHAT_TOOL, tool),
        ("responses", RESPONSES, said),
        ("responses", RESPONSES_TOOL, tool),
    ] {
        let engine = engine(&format!("api = '{api}'"));
        let question = engine.ask(&asked("hi"), &History::default(), "t");
        for stream in [stream.to_owned(), stream.replace('\n', "\r\n"), stream.trim_end().to_owned()] {
            let reading = engine.read(&question, &reply(200, stream));
            assert_eq!(told(&answer(reading)), expected, "{api}");
        }
    }
}

/// What the customer gets early and what comes at the end, read in these pieces.
fn listened(engine: &OpenAi, stream: &str, pieces: &[usize]) -> (Vec<String>, Reading) {
    let question = engine.ask(&asked("hi"), &History::default(), "t");
    let mut reader = engine.reader(&question).unwrap();
    let (mut rest, mut early) = (stream.as_bytes(), Vec::new());
    for piece in pieces.iter().chain([&usize::MAX]) {
        let (now, then) = rest.split_at((*piece).min(rest.len()));
        for answer in reader.more(now, u32::MAX) {
            assert_eq!(answer.next, Next::More);
            early.push(told(&Answer { next: Next::Await, ..answer }));
        }
        rest = then;
    }
    (early, reader.end(&reply(200, stream.to_owned())))
}

#[test]
fn paragraphs_are_said_while_the_model_writes() {
    for (api, stream) in [("chat_completions", CHAT), ("responses", RESPONSES)] {
        let paragraphs = engine(&format!("api = '{api}'\ndeliver = 'paragraphs'"));
        let (early, last) = listened(&paragraphs, stream, &[]);
        assert_eq!(early, [r#""Your parcel is in **Leipzig**.""#]);
        assert_eq!(told(&answer(last)), r#""It comes tomorrow. 👋""#);
        let whole = engine(&format!("api = '{api}'"));
        let (early, last) = listened(&whole, stream, &[]);
        assert_eq!((early.len(), answer(last).items.len()), (0, 1));
    }
    let engine = engine("deliver = 'paragraphs'");
    // What must not come early any more comes at the end.
    let mut reader = engine.reader(&engine.ask(&asked("hi"), &History::default(), "t")).unwrap();
    assert_eq!(reader.more(CHAT.as_bytes(), 0), []);
    assert_eq!(
        told(&answer(reader.end(&reply(200, CHAT)))),
        r#""Your parcel is in **Leipzig**.\n\nIt comes tomorrow. 👋""#
    );
    // What a server answers whole that was asked for a stream.
    let whole = String::from_utf8(chat("Hi", &[], "stop").body.to_vec()).unwrap();
    assert_eq!(told(&answer(listened(&engine, &whole, &[]).1)), r#""Hi""#);
}

#[test]
fn after_a_paragraph_a_tool_alone_needs_no_second_call() {
    let stream = CHAT_TOOL
        .replace("One moment.", "One moment.\\n\\n")
        .replace("hand_over", "report_intent")
        .replace(r#"{\"reason\":\"asked\"}"#, r#"{\"name\":\"Track\"}"#);
    let (early, last) = listened(&engine("deliver = 'paragraphs'"), &stream, &[]);
    assert_eq!(early, [r#""One moment.""#]);
    assert_eq!(told(&answer(last)), r#"Intent { name: "Track", confidence_permille: None } {"parcel": "77"}"#);
}

#[test]
fn a_model_that_is_called_again_knows_what_the_customer_has_already() {
    let stream = CHAT_TOOL.replace("One moment.", "One moment.\\n\\nI look.").replace("hand_over", "no_such_tool");
    let (early, last) = listened(&engine("deliver = 'paragraphs'"), &stream, &[]);
    let Reading::Continue { question } = last else { panic!("{last:?}") };
    assert_eq!(early, [r#""One moment.""#]);
    let sent = body(&engine(""), &question);
    assert_eq!(sent["messages"][2]["content"], "One moment.\n\nI look.");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
    #[test]
    fn in_whatever_pieces_it_comes_a_stream_says_the_same(
        pieces in prop::collection::vec(0_usize..40, 0..60), which in 0..4_usize
    ) {
        let (api, stream) = [
            ("chat_completions", CHAT), ("chat_completions", CHAT_TOOL), ("responses", RESPONSES), ("responses", RESPONSES_TOOL),
        ][which];
        let engine = engine(&format!("api = '{api}'\ndeliver = 'paragraphs'"));
        let (early, last) = listened(&engine, stream, &pieces);
        let (early_at_once, last_at_once) = listened(&engine, stream, &[]);
        prop_assert_eq!(early, early_at_once);
        prop_assert_eq!(last, last_at_once);
    }
}
