//! What a customer can answer by number: things to tap, and the lines that the gateway itself numbered.
//!
//! Pure. A number means one thing, and the gateway's lines come first: whoever types it on the channel itself means the
//! line, whatever stands beside it on this screen.

use std::collections::BTreeMap;

use simulator::Choice;

/// What is offered now.
#[derive(Clone, Debug, Default)]
pub(super) struct Offered {
    /// What the gateway takes a typed number for, the first being number 1.
    lines: Vec<model::Choice>,
    /// What can be tapped, by the number that it was shown with.
    taps: BTreeMap<usize, Choice>,
}

impl Offered {
    /// The gateway understands these lines from here on. What was shown with a number of theirs has lost it.
    pub(super) fn list(&mut self, lines: Vec<model::Choice>) {
        self.taps.retain(|number, choice| lines.get(number - 1).is_none_or(|line| is_same(line, choice)));
        self.lines = lines;
    }

    /// Numbers what can be tapped of a message: by its line when it has one, else behind all numbers that are taken.
    pub(super) fn number(&mut self, choices: &[Choice]) -> Vec<usize> {
        let numbers = choices.iter().map(|choice| {
            let line = self.lines.iter().position(|line| is_same(line, choice)).map(|index| index + 1);
            let number = line.filter(|number| !self.taps.contains_key(number)).unwrap_or_else(|| {
                let last = self.taps.last_key_value().map_or(0, |(number, _)| *number);
                last.max(self.lines.len()) + 1
            });
            self.taps.insert(number, choice.clone());
            number
        });
        numbers.collect()
    }

    /// Quick replies are gone once the customer did something else; buttons stay on their cards, with their numbers.
    pub(super) fn keep_buttons(&mut self) {
        self.taps.retain(|_, choice| choice.kind == "Button");
    }

    /// Nothing can be tapped any more.
    pub(super) fn clear(&mut self) {
        self.taps.clear();
    }

    /// What is tapped by this number.
    pub(super) fn tap(&self, number: usize) -> Option<&Choice> {
        self.taps.get(&number)
    }

    /// Whether something else of the same label can be tapped.
    pub(super) fn is_ambiguous(&self, choice: &Choice) -> bool {
        self.taps.values().any(|other| other.label == choice.label && other.payload != choice.payload)
    }

    /// Whether a number means anything here.
    pub(super) fn has(&self, number: usize) -> bool {
        self.taps.contains_key(&number) || (1..=self.lines.len()).contains(&number)
    }
}

/// A channel may cut the label of what can be tapped, and never what it stands for.
fn is_same(line: &model::Choice, choice: &Choice) -> bool {
    let label = choice.label.trim_end_matches('…').trim_end();
    line.value == choice.payload
        && (line.label == choice.label || (label != choice.label && line.label.starts_with(label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(kind: &'static str, label: &str) -> Choice {
        Choice { label: label.to_owned(), payload: label.to_lowercase(), kind, card: None }
    }

    fn line(label: &str) -> model::Choice {
        model::Choice::new(label, label.to_lowercase())
    }

    #[test]
    fn a_number_means_what_the_gateway_takes_it_for() {
        let mut offered = Offered::default();
        assert_eq!(offered.number(&[choice("QuickReply", "Yes"), choice("Button", "Buy")]), [1, 2]);
        // The bot's next answer has lines and things to tap; one is both.
        offered.keep_buttons();
        offered.list(vec![line("Small"), line("Large")]);
        assert_eq!(offered.tap(2), None, "the button on the old card has lost its number to a line");
        let shown = [choice("QuickReply", "Large"), choice("QuickReply", "Neither"), choice("QuickReply", "Large")];
        assert_eq!(offered.number(&shown), [2, 3, 4]);
        let tapped = |number| offered.tap(number).map(|choice| choice.label.as_str());
        assert_eq!([1, 2, 3].map(tapped), [None, Some("Large"), Some("Neither")]);
        assert_eq!([0, 1, 4, 5].map(|number| offered.has(number)), [false, true, true, false]);
    }

    #[test]
    fn a_button_keeps_the_number_that_stands_on_its_card() {
        let mut offered = Offered::default();
        offered.number(&[choice("QuickReply", "Yes"), choice("Button", "Buy")]);
        offered.keep_buttons();
        assert_eq!((offered.tap(1), offered.tap(2).map(|choice| choice.label.as_str())), (None, Some("Buy")));
        assert_eq!(offered.number(&[choice("Button", "Rent")]), [3]);
    }
}
