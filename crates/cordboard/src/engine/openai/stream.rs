//! A reply that comes while the model writes: server-sent events, put together again. Total over any bytes in any pieces;
//! memory is bounded by the size of the reply, which is the caller's.

use std::io::BufRead as _;

use super::config::Api;
use super::wire::{Completion, Unread, chat, responses};

/// Puts a stream together.
pub(super) struct Stream {
    api: Api,
    /// The line that is not at its end yet.
    line: Vec<u8>,
    /// The data of the event that is not at its end yet.
    data: String,
    so_far: Completion,
    place: Option<responses::Place>,
    /// How much of each text was given out.
    given: Vec<usize>,
    over: Option<Result<(), Unread>>,
}

impl Stream {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            line: Vec::new(),
            data: String::new(),
            so_far: Completion::default(),
            place: None,
            given: Vec::new(),
            over: None,
        }
    }

    /// More bytes came.
    pub(super) fn more(&mut self, mut bytes: &[u8]) {
        // Reading out of memory cannot fail.
        while bytes.read_until(b'\n', &mut self.line).is_ok_and(|read| read > 0) {
            if self.line.last() != Some(&b'\n') {
                return;
            }
            let mut line = std::mem::take(&mut self.line);
            let ends = if line.ends_with(b"\r\n") { 2 } else { 1 };
            self.line_is_whole(&line[..line.len() - ends]);
            line.clear();
            self.line = line;
        }
    }

    fn line_is_whole(&mut self, line: &[u8]) {
        if line.is_empty() {
            self.event_is_whole();
            return;
        }
        // Other fields name the event, which its data do as well, or are comments that keep the connection open.
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let Ok(data) = std::str::from_utf8(data.strip_prefix(b" ").unwrap_or(data)) else {
            self.over.get_or_insert(Err(Unread::Nonsense));
            return;
        };
        if !self.data.is_empty() {
            self.data.push('\n');
        }
        self.data.push_str(data);
    }

    fn event_is_whole(&mut self) {
        let mut data = std::mem::take(&mut self.data);
        if !data.is_empty() && self.over.is_none() {
            self.over = self.event(&data);
        }
        data.clear();
        self.data = data;
    }

    /// Takes in one event; says whether it was the last one.
    fn event(&mut self, data: &str) -> Option<Result<(), Unread>> {
        if data.trim() == "[DONE]" {
            return Some(Ok(()));
        }
        let taken = match self.api {
            Api::ChatCompletions => chat::event(data, &mut self.so_far),
            Api::Responses => responses::event(data, &mut self.so_far, &mut self.place),
        };
        taken.err().map(Err)
    }

    /// The paragraphs that are finished and were not given out yet.
    pub(super) fn paragraphs(&mut self) -> Vec<String> {
        let texts = &self.so_far.texts;
        self.given.resize(texts.len(), 0);
        let mut paragraphs = Vec::new();
        for (at, (text, given)) in texts.iter().zip(&mut self.given).enumerate() {
            let rest = &text[*given..];
            // A text with another behind it is finished.
            let finished = if at + 1 < texts.len() { rest.len() } else { finished(rest) };
            if !rest[..finished].trim().is_empty() {
                paragraphs.push(rest[..finished].trim().to_owned());
                *given += finished;
            }
        }
        paragraphs
    }

    /// What the model said, less what was given out; and that. A stream that stops before its end is no answer.
    pub(super) fn end(mut self) -> (Result<Completion, Unread>, String) {
        // The last event may lack its empty line.
        let line = std::mem::take(&mut self.line);
        self.line_is_whole(line.strip_suffix(b"\r").unwrap_or(&line));
        self.event_is_whole();
        let given_out = self.so_far.texts.iter_mut().zip(&self.given).flat_map(|(text, given)| text.drain(..*given));
        let given_out = given_out.collect::<String>().trim_end().to_owned();
        let done = match self.over {
            Some(Err(unread)) => return (Err(unread), given_out),
            Some(Ok(())) => true,
            None => false,
        };
        // Some servers say only one of the two: why it ended, or that it did.
        if done && self.so_far.end.is_none() {
            self.so_far.end = Some(super::wire::End::Finished);
        }
        (Ok(self.so_far), given_out)
    }
}

/// How many bytes of a text are paragraphs that are finished: up to its last empty line outside a block of code.
fn finished(text: &str) -> usize {
    let (mut end, mut at, mut in_code) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if line.ends_with('\n') && line.trim().is_empty() && !in_code {
            end = at;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_ends_with_an_empty_line_outside_code() {
        let table = [
            ("", 0),
            ("One", 0),
            ("One\n", 0),
            ("One\n\nTwo", 5),
            ("One\n\nTwo\n \nThree", 11),
            ("```\na\n\nb", 0),
            ("```\na\n\nb\n```\n\nOne", 14),
        ];
        for (text, expected) in table {
            assert_eq!(finished(text), expected, "{text:?}");
        }
    }
}
