//! What the engine `openai` itself costs a turn: rendering the question, making the call ready, reading the stream.
//!
//! `cargo run --release -p cordboard --example model_cost -- [turns]`
//!
//! The turn has a prompt of 4 KB, forty utterances of history and all tools, and is answered by 120 events. Time is that of
//! one thread that does nothing else.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use cordboard::engine::{Asking, Engine, EngineConfig, History, Reading, Speaker, Utterance};
use cordboard::http::Reply;
use http::HeaderMap;
use model::{Ask, Input, SeatId, Timestamp, TurnNumber};

const EVENTS: usize = 120;
/// What the transport hands out at once.
const PIECE_BYTES: usize = 1_500;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let turns: u32 = std::env::args().nth(1).map_or(Ok(20_000), |text| text.parse())?;
    let folder = tempfile::TempDir::new()?;
    std::fs::write(folder.path().join("prompt.md"), "You help {{attributes.name}} with parcels.\n".repeat(100))?;
    for (api, deliver) in [
        ("chat_completions", "whole"),
        ("chat_completions", "paragraphs"),
        ("responses", "whole"),
        ("responses", "paragraphs"),
    ] {
        let config = format!(
            r#"{{"type": "openai", "model": "m", "prompt": "prompt.md", "api_key": "k", "api": "{api}", "deliver": "{deliver}"}}"#
        );
        let engine = serde_json::from_str::<EngineConfig>(&config)?.build(folder.path())?;
        measure(&format!("{api}, {deliver}"), &*engine, &stream(api)?, turns)?;
    }
    Ok(())
}

fn measure(name: &str, engine: &dyn Engine, stream: &str, turns: u32) -> Result<(), Failure> {
    let (ask, history) = (ask(), history());
    let mut parts_us = [0.0; 3];
    let mut add = |part: usize, since: Instant| parts_us[part] += since.elapsed().as_secs_f64() * 1e6;
    let body = Bytes::copy_from_slice(stream.as_bytes());
    for _ in 0..turns {
        let begun = Instant::now();
        let question = black_box(engine.ask(&ask, &history, "t"));
        add(0, begun);
        let begun = Instant::now();
        let Asking::Call(call) = engine.call(&question, "t", 1, Timestamp(0), 60_000) else {
            return Err("no call".into());
        };
        black_box(call);
        add(1, begun);
        let begun = Instant::now();
        let mut reader = engine.reader(&question).ok_or("no stream")?;
        for piece in body.chunks(PIECE_BYTES) {
            black_box(reader.more(piece, u32::MAX));
        }
        let reply = Reply { status: 200, headers: HeaderMap::new(), body: body.clone() };
        let Reading::Answer(answer) = reader.end(&reply) else { return Err("no answer".into()) };
        black_box(answer);
        add(2, begun);
    }
    let [asking, calling, reading] = parts_us.map(|us| us / f64::from(turns));
    let whole = asking + calling + reading;
    println!("{name:28} {whole:6.1} us a turn: question {asking:.1}, call {calling:.1}, reading {reading:.1}");
    Ok(())
}

fn ask() -> Ask {
    Ask {
        seat: SeatId(0),
        bot: "desk".into(),
        turn: TurnNumber(21),
        engine_session: 1,
        visit: 0,
        is_first: false,
        input: Input::Text("And when does it come?".into()),
        language: "en-us".into(),
        channel: None,
        customer: None,
        context: [("name".into(), "Mia".into())].into(),
        engine_state: None,
        hard_deadline: Timestamp(60_000),
        time_ms: 60_000,
    }
}

fn history() -> History {
    let said =
        "Your parcel with the number 77 is in Leipzig since this morning, and leaves it tonight. \"Soon\", so to say.";
    let utterances = (0..40).map(|number| Utterance {
        number,
        by: if number % 2 == 0 { Speaker::Customer } else { Speaker::Bot },
        text: said.to_owned(),
    });
    History { utterances: utterances.collect() }
}

fn stream(api: &str) -> Result<String, std::fmt::Error> {
    let mut stream = String::new();
    for event in 0..EVENTS {
        let words = if event % 30 == 29 { "end.\\n\\n" } else { " parcel" };
        match api {
            "responses" => writeln!(
                stream,
                "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{event},\
                 \"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654\",\"output_index\":0,\"content_index\":0,\
                 \"delta\":\"{words}\",\"logprobs\":[],\"obfuscation\":\"aB3dE6gH\"}}\n"
            )?,
            _ => writeln!(
                stream,
                "data: {{\"id\":\"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT\",\"object\":\"chat.completion.chunk\",\
                 \"created\":1741569952,\"model\":\"gpt-5-mini\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":\
                 [{{\"index\":0,\"delta\":{{\"content\":\"{words}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n"
            )?,
        }
    }
    stream.push_str(match api {
        "responses" => {
            "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n"
        }
        _ => "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    });
    Ok(stream)
}
