//! What a reply means: an answer, another call, or why there is none. Total over any bytes.

use bytes::Bytes;
use model::{Answer, Cut, Failure, HandOver, Item, Next, Usage};

use super::config::OnRefusal;
use super::question::{Header, Question, Round};
use super::stream::Stream;
use super::tools::{self, DONE};
use super::trouble::Useless;
use super::wire::{Completion, End, ServerError, ToolCall, Unread, chat, responses};
use super::{Api, Inner, trouble};
use crate::engine::Reading;
use crate::http::Reply;

/// The reason of a hand-over because the model refused.
const REFUSED: &str = "refused";
const ELLIPSIS: char = '…';

impl Inner {
    /// Reads a whole reply.
    pub(super) fn read(&self, question: &Bytes, reply: &Reply) -> Reading {
        let question = Question::read(question);
        let header = question.as_ref().map(|question| question.header.clone()).unwrap_or_default();
        if header.summing_up.is_some() {
            return self.read_summary(question, reply);
        }
        if reply.status != 200 {
            let error = ServerError::of_body(&reply.body);
            if error.is_refusal() {
                return self.refused(&header, None);
            }
            return self.troubles.of_status(reply, &error, &header.bot);
        }
        self.read_completion(question.as_ref(), header, self.completion(&reply.body), String::new())
    }

    /// Some servers stream though they were not asked to, and some do not though they were.
    fn completion(&self, body: &[u8]) -> Result<Completion, Unread> {
        if is_stream(body) {
            let mut stream = Stream::new(self.config.api);
            stream.more(body);
            return stream.end().0;
        }
        match self.config.api {
            Api::ChatCompletions => chat::whole(body),
            Api::Responses => responses::whole(body),
        }
    }

    /// A summary that could not be made costs no turn: the next one tries again.
    fn read_summary(&self, question: Option<Question>, reply: &Reply) -> Reading {
        let completion = match reply.status {
            200 => self.completion(&reply.body).ok(),
            _ => None,
        };
        let usage = completion.as_ref().and_then(|completion| completion.usage);
        let summary =
            completion.filter(|completion| completion.refusal.is_none() && completion.end == Some(End::Finished));
        let summary = summary.map(|completion| completion.texts.join("\n\n")).filter(|text| !text.trim().is_empty());
        self.after_summary(question.as_ref(), summary.as_deref(), usage)
    }

    /// Goes on with the question behind a summary.
    pub(super) fn after_summary(
        &self,
        question: Option<&Question>,
        summary: Option<&str>,
        usage: Option<Usage>,
    ) -> Reading {
        let max_bytes = self.config.limits.engine_state_max_bytes;
        let next = question.and_then(|question| question.after_summary(summary, usage, max_bytes, self.config.api));
        match next {
            Some(question) => Reading::Continue { question },
            None => Reading::Failed(Failure::Internal),
        }
    }

    /// What the model said and did in this call, behind what it did in those before. The customer has what was given out.
    pub(super) fn read_completion(
        &self,
        question: Option<&Question>,
        mut header: Header,
        completion: Result<Completion, Unread>,
        given_out: String,
    ) -> Reading {
        header.given_out |= !given_out.is_empty();
        let completion = match completion {
            Ok(completion) => completion,
            Err(Unread::Nonsense) => return self.troubles.useless(Useless::Unread, &header.bot),
            Err(Unread::Error(error)) if error.is_refusal() => return self.refused(&header, None),
            Err(Unread::Error(error)) => return self.troubles.of_error(&error, &header.bot),
        };
        let Some(end) = completion.end else { return trouble::AGAIN };
        header.count(completion.usage);
        let refused = completion.refusal.is_some() || end == End::Filtered;
        if refused {
            return self.refused(&header, completion.refusal);
        }
        let mut cut = false;
        let Completion { mut texts, calls, .. } = completion;
        texts.retain(|text| !text.trim().is_empty());
        if let Some(last) = texts.last_mut().filter(|_| end == End::Length && calls.is_empty()) {
            last.push(ELLIPSIS);
            cut = true;
        }
        let round = Round { given_out, texts, calls: with_ids(calls) };
        let mut answer = self.so_far(&header);
        let results = self.take(&round, &mut answer);
        let is_wrong = results.iter().any(|(_, result)| *result != DONE);
        let said = header.given_out || !answer.items.is_empty();
        let over = !matches!(answer.next, Next::Await);
        let goes_on = !over && if is_wrong { !header.was_wrong } else { !said && !results.is_empty() };
        if goes_on && header.rounds + 1 < self.config.max_tool_rounds {
            header.was_wrong |= is_wrong;
            header.rounds += 1;
            header.earlier.push(round.clone());
            let last = header.rounds + 1 == self.config.max_tool_rounds;
            let next = question.and_then(|question| question.go_on(&header, &round, &results, last, self.config.api));
            return match next {
                Some(question) => Reading::Continue { question },
                None => Reading::Failed(Failure::Nonsense),
            };
        }
        if !over && !said {
            // Nothing for the customer: an empty answer, or tools without end.
            let useless = match (results.is_empty(), end) {
                (false, _) => Useless::Endless,
                (true, End::Length) => Useless::CutOff,
                (true, _) => Useless::Silent,
            };
            return self.troubles.useless(useless, &header.bot);
        }
        if cut {
            answer.cuts.push(Cut::Text);
        }
        self.whole_answer(&header, answer)
    }

    /// What the rounds before led to. They are played again, since an item has no stored form here.
    fn so_far(&self, header: &Header) -> Answer {
        let mut answer = Answer::saying(Vec::new());
        for round in &header.earlier {
            self.take(round, &mut answer);
        }
        answer
    }

    /// Takes what a model said and did into the answer; says what came of each tool.
    fn take(&self, round: &Round, answer: &mut Answer) -> Vec<(ToolCall, &'static str)> {
        answer.items.extend(round.texts.iter().map(|text| Item::Markdown(text.trim().to_owned())));
        let calls = round.calls.iter();
        let results = calls.map(|call| match tools::apply(call, &self.config.tools, answer) {
            Ok(()) => (call.clone(), DONE),
            // Some servers read the arguments again, and refuse what is not JSON.
            Err(what) => (ToolCall { arguments: "{}".to_owned(), ..call.clone() }, what),
        });
        results.collect()
    }

    fn refused(&self, header: &Header, words: Option<String>) -> Reading {
        let mut answer = self.so_far(header);
        match (self.config.on_refusal, words) {
            (OnRefusal::HandOver, _) => {
                answer.next = Next::HandOver(HandOver { reason: REFUSED.to_owned(), note: None });
            }
            (OnRefusal::Say, Some(words)) => answer.items.push(Item::Markdown(words.trim().to_owned())),
            (OnRefusal::Say, None) => return Reading::Failed(Failure::Refused),
        }
        self.whole_answer(header, answer)
    }

    fn whole_answer(&self, header: &Header, mut answer: Answer) -> Reading {
        self.troubles.over();
        answer.engine_state = header.memory.as_ref().map(super::window::Memory::to_state);
        if header.passed_over {
            answer.cuts.push(Cut::Values);
        }
        let Header { input_tokens, output_tokens, .. } = *header;
        answer.usage = (input_tokens > 0 || output_tokens > 0).then_some(Usage { input_tokens, output_tokens });
        Reading::Answer(Box::new(self.config.limits.fit(answer)))
    }
}

/// Some servers give a tool call no id, and all of them want one back.
fn with_ids(mut calls: Vec<ToolCall>) -> Vec<ToolCall> {
    for (number, call) in calls.iter_mut().enumerate() {
        if call.id.is_empty() {
            call.id = format!("call_{number}");
        }
    }
    calls
}

/// Whether a body is a stream of events, whatever its header says: one of the two begins with a brace.
pub(super) fn is_stream(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|field| body.starts_with(field))
}
