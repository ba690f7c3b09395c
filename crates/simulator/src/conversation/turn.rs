//! A turn: one utterance taken to the connector and its answer brought back, with deadlines, retries and faults.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Input;
use super::line::{After, Line, Turn};
use crate::call::{self, Outcome};
use crate::check::{Findings, answer, answer_v1};
use crate::fault::Point;
use crate::flow::ParametersSent;
use crate::org::with_headers;
use crate::record::Event;
use crate::{Door, Path, lock};

/// What a message came to after all attempts.
enum Delivered {
    /// A 200 with this body.
    Answer(Bytes),
    /// Another status.
    Status(u16),
    TimedOut,
    Broken(String),
}

impl Line {
    /// One turn beside others.
    pub(super) async fn one_turn(self: Arc<Self>, input: Input, start: Instant) {
        tokio::time::sleep_until(start).await;
        self.turn(input).await;
        self.turn_over();
    }

    /// One turn after the other, until nothing waits.
    pub(super) async fn turns_in_order(self: Arc<Self>) {
        while let Some(input) = self.next_waiting() {
            self.turn(input).await;
            self.turn_over();
        }
    }

    async fn turn(self: &Arc<Self>, input: Input) {
        let stop = self.org.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.undisturbed_turn(input) => {}
        }
    }

    async fn undisturbed_turn(self: &Arc<Self>, input: Input) {
        if self.strikes(Point::BlankText, |faults| faults.blank_text) {
            self.add(Event::Fault { name: "blank_text" });
            self.exchange(&Input::Text(String::new()), None).await;
        }
        let mut after = self.exchange(&input, None).await;
        let mut polls = 0;
        while let After::Poll(poll_id) = after {
            polls += 1;
            if polls > self.flow.poll_limit {
                self.give_up_polling();
                return;
            }
            tokio::time::sleep(self.org.scaled(Duration::from_millis(self.flow.poll_wait_ms))).await;
            after = self.exchange(&Input::Text(self.flow.poll_text.clone()), Some(&poll_id)).await;
        }
    }

    /// The flow's own limit, as an author would build it.
    fn give_up_polling(self: &Arc<Self>) {
        if let Some(turn) = self.begin() {
            self.fail(&turn.session, Path::failure("TooManyPolls", ""));
        }
    }

    /// One message and its answer.
    async fn exchange(self: &Arc<Self>, input: &Input, poll_id: Option<&str>) -> After {
        let Some(turn) = self.begin() else { return After::Left };
        let body = self.body(&turn, input, poll_id).to_string();
        let delivered = if self.strikes(Point::DuplicateInFlight, |faults| faults.duplicate_in_flight) {
            self.add(Event::Fault { name: "duplicate_in_flight" });
            let (first, second) = tokio::join!(self.deliver(&body), self.duplicate(&body));
            self.compare(&first, &second);
            first
        } else {
            if self.strikes(Point::AbortThenRetry, |faults| faults.abort_then_retry) {
                self.abort(&body).await;
            }
            self.deliver(&body).await
        };
        let invalid_status = |status: u16| Path::failure("ServiceProviderErrorResponse", format!("status {status}"));
        let path = match (self.door(), &delivered) {
            (_, Delivered::Answer(bytes)) => {
                let after = self.read(&turn.session, bytes);
                // A v1 request has no id: a repeat after the answer is an honest second utterance there.
                if self.door() == Door::V2
                    && self.strikes(Point::DuplicateAfterAnswer, |faults| faults.duplicate_after_answer)
                {
                    self.add(Event::Fault { name: "duplicate_after_answer" });
                    let second = self.duplicate(&body).await;
                    self.compare(&delivered, &second);
                }
                return after;
            }
            (Door::V1, Delivered::Status(status)) => Path::failure("InternalServerError", format!("status {status}")),
            (Door::V1, Delivered::TimedOut) => Path::failure("InternalServerError", "no answer in time"),
            (Door::V1, Delivered::Broken(problem)) => Path::failure("InternalServerError", problem),
            (Door::V2, Delivered::Status(status)) => invalid_status(*status),
            (Door::V2, Delivered::TimedOut) => Path::failure("ServiceProviderTimeout", ""),
            (Door::V2, Delivered::Broken(problem)) => Path::failure("ServiceProviderErrorResponse", problem),
        };
        self.fail(&turn.session, path);
        After::Left
    }

    fn read(&self, session: &str, bytes: &[u8]) -> After {
        let rules = self.rules();
        let answer = match serde_json::from_slice::<Value>(bytes) {
            Ok(body) if self.door() == Door::V2 => answer::read(&body, &self.version, rules, &[]),
            Ok(body) => answer_v1::read(&body, &self.version, rules),
            Err(error) => {
                let mut findings = Findings::default();
                findings.schema("json", format!("the answer is not JSON: {error}"));
                answer::Answer { findings, ..answer::Answer::default() }
            }
        };
        self.answered(session, answer)
    }

    /// Sends the message, trying again after a 5xx with the very same body.
    async fn deliver(&self, body: &str) -> Delivered {
        let retries = self.flow.retries(self.door());
        let mut attempt = 1;
        loop {
            let outcome = self.attempt(body, attempt).await;
            let last = attempt > retries;
            match outcome {
                Outcome::Response { status: 200, body } => return Delivered::Answer(body),
                Outcome::Response { status: 500..=599, .. } if !last => {}
                Outcome::Response { status, .. } => {
                    if !(400..600).contains(&status) {
                        let mut findings = Findings::default();
                        findings.meaning("exactly-200", format!("status {status} is neither 200 nor an error"));
                        self.broke(&findings.0);
                    }
                    return Delivered::Status(status);
                }
                Outcome::TimedOut => return Delivered::TimedOut,
                Outcome::Broken(_) if !last && self.flow.retry_refused_connection => {}
                Outcome::Broken(problem) => return Delivered::Broken(problem),
            }
            tokio::time::sleep(self.org.scaled(self.flow.backoff(attempt))).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, body: &str, attempt: u32) -> Outcome {
        self.add(Event::Asked { attempt, body: body.to_owned() });
        let outcome = self.post(body).await;
        self.add_outcome(&outcome, None);
        outcome
    }

    async fn post(&self, body: &str) -> Outcome {
        let request = with_headers(self.org.client.post(self.integration.messages_url()), &self.integration)
            .header("content-type", "application/json")
            .header("inin-correlation-id", self.uuid())
            .body(body.to_owned());
        let deadline = self.org.scaled(self.flow.response_timeout(self.door()));
        call::send(request, deadline, self.slow_reading()).await
    }

    fn add_outcome(&self, outcome: &Outcome, ignored: Option<&str>) {
        self.add(match outcome {
            Outcome::Response { status, body } => Event::Answered {
                status: *status,
                body: String::from_utf8_lossy(body).into_owned(),
                ignored: ignored.map(str::to_owned),
            },
            Outcome::TimedOut => Event::NoAnswer { problem: "deadline".to_owned() },
            Outcome::Broken(problem) => Event::NoAnswer { problem: problem.clone() },
        });
    }

    /// The same message once more, for its answer to be compared.
    async fn duplicate(&self, body: &str) -> Outcome {
        self.add(Event::Asked { attempt: 1, body: body.to_owned() });
        let outcome = self.post(body).await;
        self.add_outcome(&outcome, Some("duplicate"));
        outcome
    }

    /// A repeat of a message must get the answer of the first.
    fn compare(&self, first: &Delivered, second: &Outcome) {
        let (Delivered::Answer(first), Outcome::Response { status, body: second }) = (first, second) else { return };
        if *status != 200 || first != second {
            let mut findings = Findings::default();
            findings
                .meaning("same-question-same-answer", format!("a repeat was answered differently, status {status}"));
            self.broke(&findings.0);
        }
    }

    /// Sends the message and hangs up after a moment, as a broken network would.
    async fn abort(&self, body: &str) {
        self.add(Event::Fault { name: "abort_then_retry" });
        self.add(Event::Asked { attempt: 1, body: body.to_owned() });
        if let Ok(outcome) = tokio::time::timeout(self.abort_after(), self.post(body)).await {
            self.add_outcome(&outcome, Some("connection dropped"));
        } else {
            self.add(Event::NoAnswer { problem: "connection dropped by the caller".to_owned() });
        }
    }

    fn body(&self, turn: &Turn, input: &Input, poll_id: Option<&str>) -> Value {
        let mut body = json!({
            "botVersion": self.version.version,
            "botSessionId": turn.session,
            "inputMessage": self.input_message(input),
            "languageCode": self.language(),
            "botSessionTimeout": self.flow.session_timeout_min(self.door()),
            "genesysConversationId": self.id,
        });
        match self.door() {
            Door::V2 => {
                body["botId"] = json!(self.bot_id);
                body["messageId"] = json!(self.uuid());
            }
            Door::V1 => {
                // botId carries the registered name; three captures agree.
                body["botId"] = json!(self.bot_name);
                body["chatBot"] = json!({"id": self.bot_id, "name": self.bot_name});
            }
        }
        let parameters = lock(&self.parameters);
        match poll_id {
            Some(poll_id) => body["parameters"] = json!({"pollId": poll_id}),
            None if parameters.is_empty() => {}
            None if self.flow.parameters_sent == ParametersSent::FirstTurn && !turn.is_first => {}
            None => body["parameters"] = json!(*parameters),
        }
        drop(parameters);
        if self.strikes(Point::UnknownMembers, |faults| faults.unknown_members) {
            self.add(Event::Fault { name: "unknown_members" });
            body["addedLater"] = json!({"nested": [1, null, "two"]});
            body["inputMessage"]["addedLater"] = json!(true);
        }
        body
    }

    fn input_message(&self, input: &Input) -> Value {
        match input {
            Input::Text(text) => json!({"type": "Text", "text": text}),
            Input::Tap(choice) if self.door() == Door::V1 && self.flow.old_buttons => {
                json!({"type": "Structured", "buttonResponse": {"payload": choice.payload}})
            }
            Input::Tap(choice) => json!({
                "type": "Structured",
                "text": choice.label,
                "content": [{
                    "contentType": "ButtonResponse",
                    "buttonResponse": {"type": choice.kind, "text": choice.label, "payload": choice.payload},
                }],
            }),
        }
    }

    /// `en-us`, or `en-US` where the fault strikes.
    fn language(&self) -> String {
        let language = &self.flow.language;
        if !self.strikes(Point::LanguageCase, |faults| faults.language_case) {
            return language.clone();
        }
        self.add(Event::Fault { name: "language_case" });
        language
            .split_once('-')
            .map_or_else(|| language.to_uppercase(), |(primary, region)| format!("{primary}-{}", region.to_uppercase()))
    }
}
