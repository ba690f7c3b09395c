//! One turn of a scripted dialogue: pure, from the stored question to what the engine says.

use std::collections::BTreeMap;

use model::{Answer, Attributes, Choice, Choices, Failure, HandOver, Input, Intent, Item, Next, Opaque, SlotValue};
use serde::{Deserialize, Serialize};

use super::config::{Action, Ask, Dialogue, Fail, Node, Offer, Rule};
use super::template::{Template, Values};
use crate::engine::limits::Limits;
use crate::engine::{Asking, Reading};

/// The version of [`Question`] and [`State`]. Questions of another version fail, states of another version begin anew.
const VERSION: u32 = 1;

/// A question as it is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    version: u32,
    text: String,
    /// Present when a choice was tapped; the text is its label.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    /// The customer said nothing yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_start: bool,
    context: Attributes,
    is_first: bool,
    visit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
}

/// What the script remembers between turns.
#[derive(Serialize, Deserialize)]
struct State {
    version: u32,
    /// The node the conversation is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Invalid answers to the question of that node.
    tries: u32,
    slots: BTreeMap<String, String>,
}

impl State {
    fn fresh() -> Self {
        Self { version: VERSION, at: None, tries: 0, slots: BTreeMap::new() }
    }

    /// A state that cannot be read was left by another script; the dialogue begins anew.
    fn read(bytes: &Opaque) -> Option<Self> {
        serde_json::from_slice(&bytes.0).ok().filter(|state: &Self| state.version == VERSION)
    }
}

impl Question {
    pub(super) fn new(ask: &model::Ask) -> Self {
        let (text, payload) = match &ask.input {
            Input::Text(text) => (text.clone(), None),
            Input::Choice { label, payload } => (label.clone(), Some(payload.clone())),
            Input::Start => (String::new(), None),
        };
        Self {
            version: VERSION,
            text,
            payload,
            is_start: ask.input == Input::Start,
            context: ask.context.clone(),
            is_first: ask.is_first,
            visit: ask.visit,
            state: ask.engine_state.as_ref().and_then(State::read),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|question: &Self| question.version == VERSION)
    }
}

/// Answers one attempt of a turn.
pub(super) fn answer(dialogue: &Dialogue, limits: &Limits, question: Question, attempt: u32) -> Asking {
    let Question { text, payload, is_start, context, is_first, visit, state, .. } = question;
    let input = match payload {
        None if is_start => Input::Start,
        None => Input::Text(text),
        Some(payload) => Input::Choice { label: text, payload },
    };
    let mut state = state.unwrap_or_else(State::fresh);
    if is_first || state.at.as_ref().is_some_and(|at| !dialogue.nodes.contains_key(at)) {
        state.at = None;
        state.tries = 0;
    }
    let answer = Answer::saying(Vec::new());
    let mut turn = Turn {
        dialogue,
        input: &input,
        context: &context,
        matched: "",
        attempt,
        state,
        answer,
        delay_ms: 0,
        failed: None,
    };
    let opening =
        if visit > 0 { dialogue.returned.as_ref().or(dialogue.opening.as_ref()) } else { dialogue.opening.as_ref() };
    match opening {
        Some(opening) if is_first || is_start => turn.open(opening),
        // There are no words to answer.
        None if is_start => {}
        Some(_) | None => turn.respond(),
    }
    turn.finish(limits)
}

struct Turn<'a> {
    dialogue: &'a Dialogue,
    input: &'a Input,
    context: &'a Attributes,
    /// What the regular expression of the rule that answers found.
    matched: &'a str,
    attempt: u32,
    state: State,
    answer: Answer,
    delay_ms: u64,
    failed: Option<Fail>,
}

impl<'a> Turn<'a> {
    /// The opening, and the answer to the first words if a rule knows them: then what the opening says and shows comes
    /// before it, and its choices are left out.
    fn open(&mut self, opening: &'a Action) {
        self.act(opening);
        let rule = find(&self.dialogue.rules, self.input).filter(|_| self.answer.next == Next::Await);
        match (rule, &opening.goto) {
            (Some(rule), _) => {
                self.answer.items.retain(|item| !matches!(item, Item::Choices(_)));
                self.follow_rule(rule);
            }
            (None, Some(node)) => self.enter(node),
            (None, None) => {}
        }
    }

    fn respond(&mut self) {
        let dialogue = self.dialogue;
        let node: Option<&'a Node> = self.state.at.as_ref().and_then(|at| dialogue.nodes.get(at));
        if let Some(rule) = node.and_then(|node| find(&node.rules, self.input)) {
            return self.follow_rule(rule);
        }
        let ask = node.and_then(|node| node.ask.as_ref());
        if let Some((ask, value)) = ask.and_then(|ask| Some((ask, self.valid(ask)?))) {
            self.state.slots.insert(ask.slot.clone(), value);
            return self.enter(&ask.then);
        }
        if let Some(rule) = find(&dialogue.rules, self.input) {
            return self.follow_rule(rule);
        }
        match ask {
            Some(ask) => self.ask_again(ask),
            None => self.act_and_follow(node.and_then(|node| node.default.as_ref()).unwrap_or(&dialogue.default)),
        }
    }

    /// The value that the customer's words give to a question.
    fn valid(&self, ask: &Ask) -> Option<String> {
        let said = match self.input {
            Input::Text(text) => text.trim(),
            Input::Choice { payload, .. } => payload.trim(),
            Input::Start => return None,
        };
        match &ask.regex {
            Some(regex) => regex.find(said),
            None => Some(said),
        }
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
    }

    fn ask_again(&mut self, ask: &'a Ask) {
        self.state.tries = self.state.tries.saturating_add(1);
        match &ask.otherwise {
            Some(otherwise) if self.state.tries >= ask.tries => self.enter(otherwise),
            Some(_) | None => self.prompt(ask.retry.as_ref().unwrap_or(&ask.prompt), &ask.options),
        }
    }

    /// Goes to a node, and on from there while entering leads on. Scripts that go round in circles are not loaded; the
    /// bound is for those that get past that check.
    fn enter(&mut self, node: &str) {
        let dialogue = self.dialogue;
        let mut next = Some(node);
        for _ in 0..=dialogue.nodes.len() {
            let Some((name, node)) = next.and_then(|name| dialogue.nodes.get_key_value(name)) else { return };
            self.state.at = Some(name.clone());
            self.state.tries = 0;
            if let Some(enter) = &node.enter {
                self.act(enter);
            }
            if let Some(ask) = &node.ask {
                self.prompt(&ask.prompt, &ask.options);
            }
            next = node.enter.as_ref().and_then(|enter| enter.goto.as_deref());
        }
    }

    fn follow_rule(&mut self, rule: &'a Rule) {
        self.matched = rule.when.found(self.input).unwrap_or_default();
        self.act_and_follow(&rule.then);
    }

    fn act_and_follow(&mut self, action: &'a Action) {
        self.act(action);
        if let Some(node) = &action.goto {
            self.enter(node);
        }
    }

    /// Does everything of an action but its `goto`.
    fn act(&mut self, action: &'a Action) {
        if self.failed.is_none() && action.fail_times.is_none_or(|times| self.attempt <= times) {
            self.failed = action.fail;
        }
        self.delay_ms = self.delay_ms.saturating_add(action.delay_ms);
        for (name, value) in &action.set {
            let value = self.fill(value);
            self.state.slots.insert(name.clone(), value);
        }
        for (name, value) in &action.attributes {
            let value = self.fill(value);
            self.answer.attributes.insert(name.clone(), value);
        }
        for text in &action.say {
            let text = self.fill(text);
            self.answer.items.push(Item::Text(text));
        }
        for show in &action.show {
            let item = show.item(&|text| self.fill(text), &|url| url.fill_address(&self.values()));
            self.answer.items.push(item);
        }
        if let Some(choices) = &action.choices {
            self.prompt(&choices.prompt, &choices.options);
        }
        if let Some(name) = &action.intent {
            let confidence_permille = action.confidence_percent.map(|percent| percent.saturating_mul(10));
            self.answer.intent = Some(Intent { name: name.clone(), confidence_permille });
            let wanted = |name: &String| action.slots.as_ref().is_none_or(|names| names.contains(name));
            let slots = self.state.slots.iter().filter(|(name, _)| wanted(name));
            self.answer.slots = slots.map(|(name, value)| (name.clone(), SlotValue::One(value.clone()))).collect();
        }
        if let Some(hand_over) = &action.hand_over {
            let note = hand_over.note.as_ref().map(|note| self.fill(note));
            self.answer.next = Next::HandOver(HandOver { reason: hand_over.reason.clone(), note });
        }
        if action.end {
            self.answer.next = Next::End;
        }
    }

    fn prompt(&mut self, prompt: &Template, offers: &[Offer]) {
        let prompt = self.fill(prompt);
        let options = offers.iter().map(|offer| {
            let label = self.fill(&offer.label);
            let value = offer.value.as_ref().map_or_else(|| label.clone(), |value| self.fill(value));
            let image = offer.image.as_ref().map(|image| image.fill_address(&self.values()));
            Choice { label, value, image }
        });
        let options: Vec<Choice> = options.collect();
        let item = if options.is_empty() { Item::Text(prompt) } else { Item::Choices(Choices { prompt, options }) };
        self.answer.items.push(item);
    }

    fn fill(&self, template: &Template) -> String {
        template.fill(&self.values())
    }

    fn values(&self) -> Values<'_> {
        Values { input: self.input.shown(), matched: self.matched, context: self.context, slots: &self.state.slots }
    }

    fn finish(mut self, limits: &Limits) -> Asking {
        let reading = match self.failed {
            Some(Fail::Hang) => return Asking::Never,
            Some(Fail::Unavailable) => Reading::Later { after_ms: None, failure: Failure::Unavailable },
            Some(Fail::Nonsense) => Reading::Failed(Failure::Nonsense),
            Some(Fail::Refused) => Reading::Failed(Failure::Refused),
            None => {
                if self.answer.next == Next::End {
                    self.state = State::fresh();
                }
                // Texts and numbers, none of which `serde_json` refuses to write.
                let state = serde_json::to_vec(&self.state).expect("a state is always JSON");
                self.answer.engine_state = Some(Opaque(state));
                Reading::Answer(Box::new(limits.fit(self.answer)))
            }
        };
        Asking::Local { reading, delay_ms: self.delay_ms }
    }
}

fn find<'a>(rules: &'a [Rule], input: &Input) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.when.matches(input))
}
