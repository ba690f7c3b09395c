//! What is done with arbitrary bytes: one function for each way in which bytes from outside, or from the store, are
//! read, and one that makes events of them and applies these.
//!
//! A target takes bytes, panics when a promise is broken, and says in a word what became of them. libFuzzer calls the
//! targets (`fuzz/`, `scripts/fuzz`); the tests of this crate replay `fuzz/corpus` on stable and look whether the corpus
//! still reaches every word of every target. Nothing here does I/O, and nothing of the product knows this crate.

mod apply;
mod bytes;
mod endpoint;
mod files;
mod headers;
mod language_model;
mod masking;
mod path;
mod platform;
mod stored;
mod words;

pub use apply::apply;
pub use endpoint::endpoint_reply;
pub use files::{configuration, conversation_file, script};
pub use headers::headers;
pub use language_model::model_reply;
pub use masking::masking;
pub use path::{callback, v1_body, v2_body, webhook_reply, webhook_signature};
pub use platform::{bot_list, push_reply};
pub use stored::stored;
pub use words::words;

/// One way to read bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of the function, of the libFuzzer target and of the corpus folder.
    pub name: &'static str,
    /// What it does with bytes; the word says what became of them.
    pub run: fn(&[u8]) -> &'static str,
    /// Words that the corpus has to reach.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "v2_body", run: v2_body, words: &["not JSON", "not understood", "asked", "nothing to ask"] },
    Target { name: "v1_body", run: v1_body, words: &["not JSON", "not understood", "asked", "nothing to ask"] },
    Target { name: "webhook_reply", run: webhook_reply, words: &["nonsense", "said", "handed over", "ended", "more"] },
    Target {
        name: "model_reply",
        run: model_reply,
        words: &["nonsense", "said", "handed over", "ended", "refused", "later"],
    },
    Target { name: "callback", run: callback, words: &["not JSON", "not a reply", "a reply", "of its own accord"] },
    Target {
        name: "endpoint_reply",
        run: endpoint_reply,
        words: &["nonsense", "said", "handed over", "ended", "later", "a late answer", "no late answer", "refused"],
    },
    Target { name: "webhook_signature", run: webhook_signature, words: &["refused", "signed"] },
    Target {
        name: "push_reply",
        run: push_reply,
        words: &["over", "unauthorised", "not taken", "unknown", "misconfigured"],
    },
    Target { name: "bot_list", run: bot_list, words: &["no list", "does not fit", "news", "no news"] },
    Target { name: "configuration", run: configuration, words: &["no text", "wrong", "does not fit", "right"] },
    Target { name: "script", run: script, words: &["no text", "wrong", "said", "failed", "silent"] },
    Target { name: "conversation_file", run: conversation_file, words: &["no text", "wrong", "right"] },
    Target { name: "stored", run: stored, words: &["refused", "state", "journal", "event", "letter", "item", "reply"] },
    Target { name: "headers", run: headers, words: &["a trace", "a client", "nothing"] },
    Target { name: "masking", run: masking, words: &["no text", "nothing", "card", "iban", "email", "phone", "token"] },
    Target { name: "words", run: words, words: &["no text", "a region", "a number", "a time", "nothing"] },
    Target { name: "apply", run: apply, words: &["bot", "handing_over", "human", "queued", "ended"] },
];
