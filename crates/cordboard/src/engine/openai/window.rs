//! How much of a conversation a model reads: the newest utterances whose tokens fit, and a word about what came before.
//!
//! When the window is full it is emptied to half, so that what is left out changes seldom: a summary is seldom made, and a
//! server that keeps the beginning of a question finds it unchanged. Utterances are never split.

use model::Opaque;
use serde::{Deserialize, Serialize};

use crate::engine::{History, Utterance};

/// Tokens are words or parts of words. Models differ, and none of them has more than one for every three bytes of the
/// languages of Europe; the scripts of Asia have three bytes for one character and about one token.
const BYTES_PER_TOKEN: usize = 3;
/// What stands around a message.
const MESSAGE_TOKENS: usize = 4;
/// Longer windows are emptied too, however short what was said is: an utterance that left the gateway's own window would be
/// forgotten before it is summed up.
const UTTERANCES_MAX: usize = crate::window::UTTERANCES_MAX / 2;
const VERSION: u8 = 1;
/// A summary that is longer is no summary.
const SUMMARY_MAX_CHARS: usize = 4_000;

/// What is remembered of the utterances that are left out. It is the engine's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    v: u8,
    /// The number of the last utterance that is left out.
    pub(super) until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<String>,
}

impl Memory {
    /// Shortens a summary until the whole is within the limit of the state.
    pub(super) fn new(until: u64, summary: Option<&str>, max_bytes: usize) -> Self {
        let mut memory = Self { v: VERSION, until, summary: None };
        let mut max_chars = SUMMARY_MAX_CHARS;
        while let Some(summary) = summary.filter(|_| max_chars > 0) {
            memory.summary = Some(summary.trim().chars().take(max_chars).collect());
            if memory.to_state().0.len() <= max_bytes {
                return memory;
            }
            max_chars /= 2;
        }
        memory.summary = None;
        memory
    }

    /// What an earlier turn kept; nothing where that cannot be read, and the model begins anew.
    pub(super) fn of(state: Option<&Opaque>) -> Option<Self> {
        let memory: Self = serde_json::from_slice(&state?.0).ok()?;
        (memory.v == VERSION).then_some(memory)
    }

    pub(super) fn to_state(&self) -> Opaque {
        // A number, a number and a text: nothing that `serde_json` refuses to write.
        Opaque(serde_json::to_vec(self).expect("a memory is always JSON"))
    }
}

/// What a turn reads of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window<'a> {
    /// What the model reads as it was said.
    pub(super) kept: &'a [Utterance],
    /// What is left out from now on; empty in most turns.
    pub(super) fell_out: &'a [Utterance],
}

impl<'a> Window<'a> {
    /// Looks at what was said after `until`.
    pub(super) fn of(history: &'a History, until: Option<u64>, max_tokens: u32) -> Self {
        let max_tokens = usize::try_from(max_tokens).unwrap_or(usize::MAX);
        let from = history.utterances.partition_point(|utterance| until.is_some_and(|until| utterance.number <= until));
        let live = &history.utterances[from..];
        let fits = |max_tokens: usize, max_utterances: usize| {
            let mut tokens = 0_usize;
            let newest = live.iter().rev().take(max_utterances).take_while(|utterance| {
                tokens = tokens.saturating_add(tokens_of(&utterance.text));
                tokens <= max_tokens
            });
            newest.count()
        };
        if fits(max_tokens, UTTERANCES_MAX) == live.len() {
            return Self { kept: live, fell_out: &[] };
        }
        // One that takes more than half alone is still better than none.
        let kept = fits(max_tokens / 2, UTTERANCES_MAX / 2).max(fits(max_tokens, 1));
        let (fell_out, kept) = live.split_at(live.len() - kept);
        Self { kept, fell_out }
    }
}

/// How many tokens a message takes, rather too many than too few.
pub(super) fn tokens_of(text: &str) -> usize {
    text.len().div_ceil(BYTES_PER_TOKEN) + MESSAGE_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Speaker;

    fn history(texts: &[&str]) -> History {
        let utterances = texts.iter().zip(10..).map(|(text, number)| Utterance {
            number,
            by: if number % 2 == 0 { Speaker::Customer } else { Speaker::Bot },
            text: (*text).to_owned(),
        });
        History { utterances: utterances.collect() }
    }

    fn numbers(utterances: &[Utterance]) -> Vec<u64> {
        utterances.iter().map(|utterance| utterance.number).collect()
    }

    #[test]
    fn a_full_window_is_emptied_to_half() {
        // Five tokens each: one of three bytes, four around it.
        let five = history(&["one", "two", "six", "ten", "few"]);
        let long = "x".repeat(60);
        type Case<'a> = (&'a History, Option<u64>, u32, &'a [u64], &'a [u64]);
        let table: Vec<Case<'_>> = vec![
            (&five, None, 25, &[10, 11, 12, 13, 14], &[]),
            (&five, None, 24, &[13, 14], &[10, 11, 12]),
            (&five, Some(12), 24, &[13, 14], &[]),
            (&five, Some(99), 24, &[], &[]),
            (&five, None, 4, &[], &[10, 11, 12, 13, 14]),
            (&five, None, 0, &[], &[10, 11, 12, 13, 14]),
        ];
        for (history, until, max_tokens, kept, fell_out) in table {
            let window = Window::of(history, until, max_tokens);
            assert_eq!((numbers(window.kept), numbers(window.fell_out)), (kept.to_vec(), fell_out.to_vec()));
        }
        let many: Vec<&str> = std::iter::repeat_n("one", UTTERANCES_MAX + 1).collect();
        let many = history(&many);
        let window = Window::of(&many, None, 16_000);
        assert_eq!((window.kept.len(), window.fell_out.len()), (UTTERANCES_MAX / 2, UTTERANCES_MAX / 2 + 1));
        assert_eq!(Window::of(&many, Some(10), 16_000).kept.len(), UTTERANCES_MAX);
        let one_long = history(&["one", &long]);
        assert_eq!(numbers(Window::of(&one_long, None, 26).kept), [11], "more than half, and still whole");
        assert_eq!(Window::of(&History::default(), None, 10).kept, []);
    }

    #[test]
    fn over_a_long_conversation_it_moves_seldom() {
        let texts: Vec<String> = (0..1000).map(|n| format!("utterance {n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let whole = history(&texts);
        let (mut until, mut moved) = (None, 0);
        for length in 1..=whole.utterances.len() {
            let so_far = History { utterances: whole.utterances[..length].to_vec() };
            let window = Window::of(&so_far, until, 400);
            let tokens: usize = window.kept.iter().map(|utterance| tokens_of(&utterance.text)).sum();
            assert!(tokens <= 400);
            if let Some(last) = window.fell_out.last() {
                assert_eq!(window.fell_out[0].number, until.map_or(10, |until| until + 1), "none is forgotten");
                (until, moved) = (Some(last.number), moved + 1);
            }
        }
        assert!((30..=60).contains(&moved), "{moved} times in 1,000 utterances of nine tokens");
    }

    #[test]
    fn a_memory_is_read_again_and_stays_within_its_limit() {
        for max_bytes in [20, 64, 200, 5_000] {
            let memory = Memory::new(7, Some(&"ü\"".repeat(3_000)), max_bytes);
            assert!(memory.to_state().0.len() <= max_bytes.max(20), "{max_bytes}");
            assert_eq!(Memory::of(Some(&memory.to_state())), Some(memory));
        }
        for state in [&b""[..], b"{}", b"{\"v\":2,\"until\":1}", b"\xff"] {
            assert_eq!(Memory::of(Some(&Opaque(state.to_vec()))), None);
        }
    }
}
