//! What a model remembers of a long conversation.

use model::Failure;

use super::*;

const KEYS: &str = "history_max_tokens = 40\nmax_tool_rounds = 2";

const LEFT_OUT: &str = "(What was said earlier is left out here.)";

fn long() -> History {
    let words = "twenty-one letters it";
    let said: Vec<(Speaker, &str)> = [Speaker::Customer, Speaker::Bot].into_iter().cycle().zip([words; 8]).collect();
    history(&said)
}

/// What the model reads before what was said.
fn earlier(sent: &Value) -> &str {
    assert_eq!(sent["messages"][0]["content"], "You help with parcels.", "the prompt is the operator's alone");
    sent["messages"][1]["content"].as_str().unwrap()
}

#[test]
fn what_falls_out_of_the_window_is_summed_up_first() {
    let engine = engine(KEYS);
    let summary = chat("She wants her parcel.", &[], "stop");
    let question = engine.ask(&asked("and now?"), &long(), "t");
    let (sent, reading) = turn(&engine, question, &[summary, chat("It comes.", &[], "stop")]);
    insta::assert_json_snapshot!("summary_first", sent[0]);
    assert_eq!(earlier(&sent[1]), "(Earlier in this conversation, in short: She wants her parcel.)");
    // One utterance of eleven tokens fits into half of the window.
    assert_eq!(
        sent[1]["messages"].as_array().unwrap().len(),
        4,
        "the prompt, the summary, what fits, and the question"
    );
    let first = answer(reading);
    assert_eq!(first.usage, Some(model::Usage { input_tokens: 200, output_tokens: 20 }), "the summary counts");
    // The next turn has room, and says what was summed up.
    let next = Ask { engine_state: first.engine_state, ..asked("thanks") };
    let (sent, reading) = turn(&engine, engine.ask(&next, &long(), "t"), &[chat("Bye", &[], "stop")]);
    assert_eq!(earlier(&sent[0]), "(Earlier in this conversation, in short: She wants her parcel.)");
    assert_eq!(answer(reading).engine_state, None, "what is remembered stays as it is");
}

#[test]
fn a_summary_is_read_however_it_comes() {
    for keys in ["deliver = 'paragraphs'", "stream = false"] {
        let engine = engine(&format!("{KEYS}\n{keys}"));
        let question = engine.ask(&asked("and now?"), &long(), "t");
        let (sent, _) = turn(&engine, question.clone(), &[reply(200, CHAT), chat("It comes.", &[], "stop")]);
        assert_eq!(
            earlier(&sent[1]),
            "(Earlier in this conversation, in short: Your parcel is in **Leipzig**.\n\nIt comes tomorrow. 👋)"
        );
        if let Some(mut reader) = engine.reader(&question) {
            assert_eq!(reader.more(CHAT.as_bytes(), u32::MAX), [], "it is no answer");
            assert_eq!(reader.end(&reply(200, CHAT)), engine.read(&question, &reply(200, CHAT)));
        }
    }
}

#[test]
fn a_summary_that_fails_costs_no_turn() {
    let faults = [
        reply(500, ""),
        reply(401, ""),
        reply(200, "nonsense"),
        chat("", &[], "stop"),
        chat("Half a summ", &[], "length"),
        reply(200, CHAT.split_inclusive("\n\n").take(4).collect::<String>()),
        later("9"),
    ];
    let engine = engine(KEYS);
    for fault in faults {
        let question = engine.ask(&asked("and now?"), &long(), "t");
        let (sent, reading) = turn(&engine, question, &[fault, chat("It comes.", &[], "stop")]);
        assert_eq!(earlier(&sent[1]), LEFT_OUT);
        let answer = answer(reading);
        assert_eq!(
            (told(&answer).as_str(), answer.engine_state),
            (r#""It comes.""#, None),
            "the next turn tries again"
        );
    }
    // With one that was made before, that one stays.
    let state = super::super::window::Memory::new(2, Some("She is here."), 1_000).to_state();
    let question = engine.ask(&Ask { engine_state: Some(state), ..asked("and now?") }, &long(), "t");
    let (sent, _) = turn(&engine, question, &[reply(500, ""), chat("It comes.", &[], "stop")]);
    let before = "(Earlier in this conversation, in short: She is here.)";
    assert_eq!(earlier(&sent[1]), format!("{before}\n\n{LEFT_OUT}"));
    let question = engine.ask(&asked("and now?"), &long(), "t");
    assert!(matches!(engine.unanswered(&question), Some(Reading::Continue { .. })), "nor one that never came");
    assert!(
        matches!(engine.call(&question, "t", 2, NOW, 9_000), Asking::Local { reading: Reading::Continue { .. }, .. }),
        "a turn that is tried again does without"
    );
    let plain = engine.ask(&asked("hi"), &History::default(), "t");
    assert_eq!(engine.unanswered(&plain), None, "a question that no reply came to has failed");
}

#[test]
fn without_summaries_the_model_is_told_that_something_is_missing() {
    let engine = engine(&format!("summary = false\n{KEYS}"));
    let (sent, reading) =
        turn(&engine, engine.ask(&asked("and now?"), &long(), "t"), &[chat("It comes.", &[], "stop")]);
    assert_eq!(earlier(&sent[0]), LEFT_OUT);
    let state = answer(reading).engine_state;
    let next = Ask { engine_state: state, ..asked("thanks") };
    let question = engine.ask(&next, &long(), "t");
    assert_eq!(earlier(&body(&engine, &question)), LEFT_OUT);
    assert_eq!(answer(engine.read(&question, &chat("Bye", &[], "stop"))).engine_state, None);
}

#[test]
fn over_a_long_conversation_summaries_are_seldom_and_nothing_is_forgotten() {
    let engine = engine("history_max_tokens = 200");
    let (mut said, mut state, mut summaries) = (Vec::new(), None, 0);
    for n in 0..200 {
        let words = format!("word{n}");
        let ask = Ask { engine_state: state.clone(), ..asked(&words) };
        let history = History { utterances: said.clone() };
        let mut question = engine.ask(&ask, &history, "t");
        let mut sent = body(&engine, &question);
        if sent.get("tools").is_none() {
            summaries += 1;
            // The summary of a model that leaves nothing out.
            let text = sent["messages"][1]["content"].as_str().unwrap();
            let words: Vec<&str> = text.split_whitespace().filter(|word| word.starts_with("word")).collect();
            let Reading::Continue { question: next } = engine.read(&question, &chat(&words.join(" "), &[], "stop"))
            else {
                panic!("no second call");
            };
            question = next;
            sent = body(&engine, &question);
        }
        let read = sent["messages"].to_string();
        assert!((0..=n).all(|n| read.contains(&format!("word{n}"))), "turn {n}: {read}");
        let answer = answer(engine.read(&question, &chat("yes", &[], "stop")));
        state = answer.engine_state.or(state);
        for (by, text) in [(Speaker::Customer, words.as_str()), (Speaker::Bot, "yes")] {
            said.push(Utterance { number: said.len() as u64, by, text: text.to_owned() });
        }
    }
    assert!((10..=40).contains(&summaries), "{summaries} summaries in 200 turns");
    assert_eq!(engine.read(&Bytes::from_static(b"{}\n{}"), &reply(200, "")), Reading::Failed(Failure::Nonsense));
}
