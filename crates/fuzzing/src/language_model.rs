//! What a language model's server answers, in both forms, whole and as a stream.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use ::bytes::Bytes;
use cordboard::engine::{Asking, Engine, EngineConfig, History, Reading};
use cordboard::http::Reply;
use http::HeaderMap;
use model::{Next, Timestamp};

use crate::files::question;
use crate::path::shown;

/// A model that wants more calls than this in one turn has lost its way.
const CALLS_MAX: usize = 4;
const FORMS: [&str; 2] = ["chat_completions", "responses"];

static ENGINES: LazyLock<Vec<Arc<dyn Engine>>> = LazyLock::new(|| {
    let engines = FORMS.iter().flat_map(|api| ["whole", "paragraphs"].map(|deliver| (api, deliver)));
    engines
        .map(|(api, deliver)| {
            let config = format!(
                r#"{{"type": "openai", "model": "m", "prompt": "prompt.md", "api_key": "k", "api": "{api}", "deliver": "{deliver}"}}"#
            );
            let config: EngineConfig = serde_json::from_str(&config).expect("it is a configuration");
            let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/llm"));
            config.build(folder).expect("its prompt is there")
        })
        .collect()
});

/// A byte that chooses the form and how it is delivered, a byte that says where the body is divided in two, and the body.
/// Every call of the turn gets it.
///
/// # Panics
/// When a promise about replies is broken.
pub fn model_reply(data: &[u8]) -> &'static str {
    let [form, divided, body @ ..] = data else { return "nonsense" };
    let engine = &ENGINES[usize::from(*form) % ENGINES.len()];
    let reply = Reply { status: 200, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) };
    let mut asked = engine.ask(&question(0, "hello", None), &History::default(), "t-1");
    for call in 1..=CALLS_MAX {
        assert!(matches!(engine.call(&asked, "t-1", 1, Timestamp(0), 60_000), Asking::Call(_)), "call {call} is none");
        let mut reader = engine.reader(&asked).expect("it asks for a stream");
        let (one, other) = body.split_at(usize::from(*divided).min(body.len()));
        let mut early = reader.more(one, u32::MAX);
        early.extend(reader.more(other, u32::MAX));
        for answer in &early {
            assert_eq!(answer.next, Next::More, "what is said early is not all");
            shown(answer);
        }
        let listened = reader.end(&reply);
        let read = engine.read(&asked, &reply);
        assert!(!early.is_empty() || listened == read, "what was said late is what was to be said");
        let mut silent = engine.reader(&asked).expect("it asks for a stream");
        assert!(silent.more(body, 0).is_empty(), "it may say nothing early");
        assert_eq!(silent.end(&reply), read, "what may not come early comes at the end");
        match read {
            Reading::Answer(answer) => return shown(&answer),
            Reading::Failed(model::Failure::Refused) => return "refused",
            Reading::Failed(_) => return "nonsense",
            Reading::Later { .. } => return "later",
            Reading::Continue { question } => asked = question,
            Reading::Accepted => panic!("a model has no callbacks"),
        }
    }
    panic!("the turn has no end")
}
