//! What people write: configurations, scripts, conversation files.

use std::collections::BTreeMap;
use std::path::Path;

use cordboard::config::{Variables, Written};
use cordboard::engine::script::Script;
use cordboard::engine::{Asking, Engine, History, Limits, Reading};
use model::{Ask, Attributes, Input, Opaque, SeatId, Timestamp, TurnNumber};
use simulator::file::ConversationFile;

use crate::bytes::text;

/// A configuration names files; a device among them could be read for ever.
const NOT_TO_BE_OPENED: [&str; 3] = ["/dev/", "/proc/", "/sys/"];

/// A configuration file, with one variable set.
///
/// # Panics
/// When a promise about configurations is broken.
pub fn configuration(data: &[u8]) -> &'static str {
    let Some(text) = text(data) else { return "no text" };
    if NOT_TO_BE_OPENED.iter().any(|path| text.contains(path)) {
        return "wrong";
    }
    let variables = Variables::given(BTreeMap::from([("SECRET".to_owned(), "a-secret-of-some-length".to_owned())]));
    let file = Path::new("a-folder-that-is-not-there/cordboard.toml");
    match Written::parse(file, text.to_owned(), &variables) {
        Err(problems) => {
            assert!(!problems.to_string().is_empty(), "a refusal says why");
            "wrong"
        }
        Ok(written) => match written.check() {
            Err(problems) => {
                assert!(!problems.to_string().is_empty(), "a refusal says why");
                "does not fit"
            }
            Ok(config) => {
                assert_eq!(config.engines.len(), config.policies.bots.len(), "every bot has an engine and a policy");
                "right"
            }
        },
    }
}

/// A conversation file of the simulator.
///
/// # Panics
/// When a promise about conversation files is broken.
pub fn conversation_file(data: &[u8]) -> &'static str {
    let Some(text) = text(data) else { return "no text" };
    match ConversationFile::parse(text, "a.toml") {
        Ok(file) => {
            assert!(!file.steps.is_empty(), "a conversation has steps");
            "right"
        }
        Err(error) => {
            let lines = text.lines().count().max(1);
            assert!((1..=lines + 1).contains(&error.line), "{error}: the place is in the file");
            "wrong"
        }
    }
}

/// What stands between a script and the customer's words in the bytes of [`script`].
const WORDS_FOLLOW: &str = "\n=== the customer ===\n";
/// So many of the customer's lines are said.
const LINES_MAX: usize = 16;

/// A script, and what a customer says to it: its patterns meet arbitrary words, its texts arbitrary values.
///
/// # Panics
/// When a promise about scripts is broken.
pub fn script(data: &[u8]) -> &'static str {
    let Some(text) = text(data) else { return "no text" };
    let (script, words) = text.split_once(WORDS_FOLLOW).unwrap_or((text, "hello\n\n12345678\nyes"));
    let limits = Limits::default();
    let Ok(script) = Script::parse(script, limits) else { return "wrong" };
    let mut state = None;
    let mut fate = "silent";
    for (n, line) in words.lines().take(LINES_MAX).enumerate() {
        let ask = question(n, line, state.clone());
        let question = script.ask(&ask, &History::default(), "t-1");
        let answer = match script.call(&question, "t-1", 1, Timestamp(0), 60_000) {
            Asking::Local { reading: Reading::Answer(answer), .. } => answer,
            Asking::Local { .. } | Asking::Never => {
                fate = "failed";
                continue;
            }
            Asking::Call(_) => panic!("a script calls nobody"),
        };
        assert_eq!(limits.fit((*answer).clone()), *answer, "an answer within its limits stays as it is");
        if !answer.items.is_empty() {
            fate = "said";
        }
        state = answer.engine_state.or(state);
    }
    fate
}

pub(crate) fn question(n: usize, line: &str, engine_state: Option<Opaque>) -> Ask {
    let input = match line.split_once(" => ") {
        Some((label, payload)) => Input::Choice { label: label.into(), payload: payload.into() },
        None => Input::Text(line.into()),
    };
    Ask {
        seat: SeatId(0),
        bot: "script".into(),
        turn: TurnNumber(u32::try_from(n).unwrap_or(0) + 1),
        engine_session: 7,
        visit: 0,
        is_first: n == 0,
        input,
        language: "en-us".into(),
        channel: None,
        customer: None,
        context: Attributes::from([("name".into(), line.into())]),
        engine_state,
        hard_deadline: Timestamp(60_000),
        time_ms: 60_000,
    }
}
