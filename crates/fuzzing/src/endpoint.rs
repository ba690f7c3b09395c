//! What middleware says that was written for the platform: in the response of either contract, or later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use ::bytes::Bytes;
use cordboard::config::{Variables, Written};
use cordboard::engine::{Engine, NotTaken, Reading};
use cordboard::http::Reply;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use model::{BotKey, Timestamp};

use crate::path::shown;

const NOW: Timestamp = Timestamp(1_731_000_000_000);

static ENGINES: LazyLock<BTreeMap<BotKey, Arc<dyn Engine>>> = LazyLock::new(|| {
    let text = include_str!("endpoints.toml").to_owned();
    let written = Written::parse(Path::new("endpoints.toml"), text, &Variables::of_the_process());
    written.and_then(Written::check).expect("endpoints.toml is a configuration").engines
});

/// A byte that chooses the contract, and a body: of a response, or of a message that comes later. The first line of the
/// latter is shown as credentials.
///
/// # Panics
/// When a promise about answers is broken.
pub fn endpoint_reply(data: &[u8]) -> &'static str {
    let (choice, body) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    match choice % 3 {
        0 => response("v1", body),
        1 => response("v2", body),
        _ => late(body),
    }
}

fn response(bot: &str, body: &[u8]) -> &'static str {
    let reply = Reply { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) };
    match ENGINES[&bot.into()].read(&Bytes::new(), &reply) {
        Reading::Answer(answer) => shown(&answer),
        Reading::Accepted => {
            assert_eq!(bot, "v2", "v1 has no answers that come later");
            "later"
        }
        Reading::Failed(_) => "nonsense",
        reading @ (Reading::Continue { .. } | Reading::Later { .. }) => panic!("a 200 is none of these: {reading:?}"),
    }
}

fn late(data: &[u8]) -> &'static str {
    let bot = BotKey::from("v2");
    let stand_in = ENGINES[&bot].stand_in().expect("a bot with callbacks has the platform's doors");
    let (line, body) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    if let Ok(value) = HeaderValue::from_bytes(line) {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        assert!(stand_in.grant(&headers, NOW).is_err(), "nobody guesses the secret");
        assert!(stand_in.admit(&headers, NOW).is_err(), "nobody can sign a token without it");
    }
    match stand_in.read_message(&bot, body) {
        Ok(message) => {
            if let Ok(answer) = message.said {
                shown(&answer);
            }
            "a late answer"
        }
        Err(NotTaken::NotAMessage(why)) => {
            assert!(why.len() < 1_000, "a refusal quotes nothing long");
            "no late answer"
        }
        Err(_) => "refused",
    }
}
