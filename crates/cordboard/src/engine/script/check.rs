//! What must hold between the parts of a script. All problems are found at once and named with the place they are in.

use std::collections::BTreeSet;

use super::config::{Action, Ask, Dialogue, Fail, Node, Offer, Rule};
use super::show::{self, Show, Use};
use super::template::{Template, is_name};

/// Every problem of a script, in the order of the script; none when it can be used.
pub(super) fn problems(dialogue: &Dialogue) -> Vec<String> {
    let mut check =
        Check { dialogue, slots: slots(dialogue), reached: BTreeSet::new(), may_match: false, problems: Vec::new() };
    for (place, action) in [("opening", &dialogue.opening), ("returned", &dialogue.returned)] {
        if let Some(action) = action {
            check.action(place, action);
        }
    }
    check.action("default", &dialogue.default);
    check.rules("", &dialogue.rules);
    for (name, node) in &dialogue.nodes {
        check.node(name, node);
    }
    for name in dialogue.nodes.keys() {
        if !check.reached.contains(name.as_str()) {
            check.problems.push(format!("nodes.{name}: nothing goes there"));
        }
        if circles(dialogue, name) {
            check.problems.push(format!("nodes.{name}: `goto` comes back here without waiting for the customer"));
        }
    }
    check.problems
}

/// All slots that something gives a value to.
fn slots(dialogue: &Dialogue) -> BTreeSet<&str> {
    let asked = dialogue.nodes.values().filter_map(|node| node.ask.as_ref()).map(|ask| ask.slot.as_str());
    let set = actions(dialogue).flat_map(|action| action.set.keys()).map(String::as_str);
    asked.chain(set).collect()
}

fn actions(dialogue: &Dialogue) -> impl Iterator<Item = &Action> {
    let everywhere = dialogue.opening.iter().chain(&dialogue.returned).chain([&dialogue.default]);
    let rules = dialogue.rules.iter().map(|rule| &rule.then);
    let nodes = dialogue
        .nodes
        .values()
        .flat_map(|node| node.enter.iter().chain(&node.default).chain(node.rules.iter().map(|rule| &rule.then)));
    everywhere.chain(rules).chain(nodes)
}

/// Whether entering a node leads back to it without a question between.
fn circles(dialogue: &Dialogue, name: &str) -> bool {
    let mut at = name;
    for _ in 0..dialogue.nodes.len() {
        let next = dialogue.nodes.get(at).and_then(|node| node.enter.as_ref()).and_then(|enter| enter.goto.as_deref());
        match next {
            None => return false,
            Some(next) if next == name => return true,
            Some(next) => at = next,
        }
    }
    false
}

struct Check<'a> {
    dialogue: &'a Dialogue,
    slots: BTreeSet<&'a str>,
    reached: BTreeSet<&'a str>,
    /// Whether the place is a rule with a `regex`, so that `{match}` means something.
    may_match: bool,
    problems: Vec<String>,
}

impl<'a> Check<'a> {
    fn problem(&mut self, place: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("{place}: {what}"));
    }

    fn node(&mut self, name: &str, node: &'a Node) {
        let place = format!("nodes.{name}");
        if !is_name(name) {
            self.problem(&place, "the name of a node is letters, digits, `_` and `-`");
        }
        if let Some(enter) = &node.enter {
            self.action(&format!("{place}.enter"), enter);
            if node.ask.is_some() && (enter.goto.is_some() || enter.end || enter.hand_over.is_some()) {
                self.problem(&place, "it asks, but leaves on entering; let `ask.then` or a rule lead on");
            }
        }
        if let Some(ask) = &node.ask {
            self.ask(&format!("{place}.ask"), ask);
        }
        if let Some(default) = &node.default {
            self.action(&format!("{place}.default"), default);
            if node.ask.is_some() {
                self.problem(&place, "where something is asked, `ask.retry` is the answer to everything else");
            }
        }
        self.rules(&format!("{place}."), &node.rules);
    }

    fn rules(&mut self, place: &str, rules: &'a [Rule]) {
        for (index, rule) in rules.iter().enumerate() {
            let place = format!("{place}rules[{index}]");
            if let Some(problem) = rule.when.problem() {
                self.problem(&place, problem);
            }
            self.may_match = rule.when.regex.is_some();
            self.action(&format!("{place}.then"), &rule.then);
            self.may_match = false;
        }
    }

    fn ask(&mut self, place: &str, ask: &'a Ask) {
        self.slot_name(place, &ask.slot);
        self.template(place, &ask.prompt);
        if let Some(retry) = &ask.retry {
            self.template(place, retry);
        }
        self.offers(place, &ask.options);
        self.goto(place, &ask.then);
        if let Some(otherwise) = &ask.otherwise {
            self.goto(place, otherwise);
        }
        if ask.tries == 0 {
            self.problem(place, "`tries` is at least 1");
        }
    }

    fn action(&mut self, place: &str, action: &'a Action) {
        let leaves = [action.goto.is_some(), action.end, action.hand_over.is_some()];
        if leaves.iter().filter(|leaves| **leaves).count() > 1 {
            self.problem(place, "only one of `goto`, `end` and `hand_over`");
        }
        if action.fail_times.is_some() && !matches!(action.fail, Some(Fail::Unavailable | Fail::Hang)) {
            self.problem(
                place,
                "`fail_times` goes with `fail = \"unavailable\"` or \"hang\"; other failures end the turn",
            );
        }
        if action.intent.is_none() && (action.slots.is_some() || action.confidence_percent.is_some()) {
            self.problem(place, "`slots` and `confidence_percent` go with an `intent`");
        }
        if action.confidence_percent.is_some_and(|percent| percent > 100) {
            self.problem(place, "`confidence_percent` is at most 100");
        }
        for slot in action.slots.iter().flatten() {
            self.known_slot(place, slot);
        }
        for (name, value) in &action.set {
            self.slot_name(place, name);
            self.template(place, value);
        }
        for text in action.say.iter().chain(action.attributes.values()) {
            self.template(place, text);
        }
        for (index, show) in action.show.iter().enumerate() {
            self.show(&format!("{place}.show[{index}]"), show);
        }
        if let Some(choices) = &action.choices {
            self.template(place, &choices.prompt);
            if choices.options.is_empty() {
                self.problem(place, "`choices` without options");
            }
            self.offers(place, &choices.options);
        }
        if let Some(note) = action.hand_over.as_ref().and_then(|hand_over| hand_over.note.as_ref()) {
            self.template(place, note);
        }
        if let Some(goto) = &action.goto {
            self.goto(place, goto);
        }
    }

    fn show(&mut self, place: &str, show: &Show) {
        for (at, used, template) in show.templates() {
            let place = format!("{place}.{at}");
            self.template(&place, template);
            if let Some(problem) = show::problem(used, template) {
                self.problem(&place, problem);
            }
        }
        for (at, problem) in show.problems() {
            self.problem(&format!("{place}.{at}"), problem);
        }
    }

    fn offers(&mut self, place: &str, offers: &'a [Offer]) {
        let mut labels = BTreeSet::new();
        for offer in offers {
            self.template(place, &offer.label);
            if let Some(value) = &offer.value {
                self.template(place, value);
            }
            if let Some(image) = &offer.image {
                self.template(place, image);
                if let Some(problem) = show::problem(Use::Address, image) {
                    self.problem(place, format_args!("`image`: {problem}"));
                }
            }
            if let Some(label) = offer.label.literal()
                && !labels.insert(label)
            {
                self.problem(place, format_args!("two options are called {label:?}"));
            }
        }
    }

    fn goto(&mut self, place: &str, node: &'a str) {
        self.reached.insert(node);
        if !self.dialogue.nodes.contains_key(node) {
            self.problem(place, format_args!("there is no node {node:?}"));
        }
    }

    fn template(&mut self, place: &str, template: &Template) {
        for slot in template.slots() {
            self.known_slot(place, slot);
        }
        if template.names_match() && !self.may_match {
            self.problem(place, "`{match}` means something only in a rule with a `regex`");
        }
    }

    fn known_slot(&mut self, place: &str, slot: &str) {
        if !self.slots.contains(slot) {
            self.problem(place, format_args!("nothing asks for or sets the slot {slot:?}"));
        }
    }

    fn slot_name(&mut self, place: &str, name: &str) {
        if !is_name(name) || matches!(name, "input" | "match") {
            self.problem(
                place,
                format_args!(
                    "{name:?} cannot name a slot: letters, digits, `_` and `-`, and neither `input` nor `match`"
                ),
            );
        }
    }
}
