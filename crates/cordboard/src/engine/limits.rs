//! What an engine may say at most. Every engine passes its answers through [`Limits::fit`], so that hostile or broken
//! output is cut to size where it comes in, and visibly: each kind of cut is named in [`Answer::cuts`].
//!
//! What a channel can show is narrower still; that is the connector's affair.

mod rich;

pub(crate) use rich::leads_to_the_web;

use std::collections::BTreeSet;

use model::{Answer, Attributes, Choice, Choices, Cut, HandOver, Intent, Item, Next, SlotValue, Slots};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ends a text that was shortened, so that the reader sees it too.
const ELLIPSIS: char = '…';

/// The limits of one bot's answers. Characters are Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Items of one answer; later ones are left out. Default 50.
    pub items_max: usize,
    /// Characters of one text item. Default 4000: what web messaging, WhatsApp and open messaging take.
    pub text_max_chars: usize,
    /// Characters of the prompt over choices. Default 1000.
    pub prompt_max_chars: usize,
    /// Choices under one prompt; later ones are left out. Default 20.
    pub choices_max: usize,
    /// Characters of the label of a choice or a button. Default 80.
    pub label_max_chars: usize,
    /// Characters of what a choice or a button carries. A longer one cannot come back whole, so what carries it is left
    /// out. Default 1000.
    pub payload_max_chars: usize,
    /// Cards of a carousel; later ones are left out. More than a channel takes become several carousels. Default 50.
    pub cards_max: usize,
    /// Buttons of one card; later ones are left out. Default 10.
    pub buttons_max: usize,
    /// Characters of a card's title. Default 200.
    pub title_max_chars: usize,
    /// Characters of a card's description. Default 1000.
    pub description_max_chars: usize,
    /// Characters of an address. A longer one leads nowhere, so it is left out. Default 2000.
    pub url_max_chars: usize,
    /// How many slots, how many attributes, and how many values of one slot. Default 100.
    pub values_max: usize,
    /// Characters of the name of an intent, a slot or an attribute. A longer one names nothing in Genesys, so it is left
    /// out. Default 100.
    pub name_max_chars: usize,
    /// Characters of one slot value or attribute. Default 2000.
    pub value_max_chars: usize,
    /// Characters of a hand-over's note. Default 4000.
    pub note_max_chars: usize,
    /// Bytes of the engine's state. A larger one is not taken, and the earlier one stays. Default 16 KiB.
    pub engine_state_max_bytes: usize,
    /// Bytes of the engine's whole reply, before it is read. Default 256 KiB.
    pub reply_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            items_max: 50,
            text_max_chars: 4000,
            prompt_max_chars: 1000,
            choices_max: 20,
            label_max_chars: 80,
            payload_max_chars: 1000,
            cards_max: 50,
            buttons_max: 10,
            title_max_chars: 200,
            description_max_chars: 1000,
            url_max_chars: 2000,
            values_max: 100,
            name_max_chars: 100,
            value_max_chars: 2000,
            note_max_chars: 4000,
            engine_state_max_bytes: 16 * 1024,
            reply_max_bytes: 256 * 1024,
        }
    }
}

impl Limits {
    /// Cuts an answer to size. What it reports is added to what was reported already; every kind is named once.
    #[must_use]
    pub fn fit(&self, answer: Answer) -> Answer {
        let mut cuts: BTreeSet<Cut> = answer.cuts.into_iter().collect();
        let mut fitting = Fitting { limits: self, cuts: &mut cuts };
        let items = fitting.items(answer.items);
        let next = match answer.next {
            Next::HandOver(hand_over) => Next::HandOver(fitting.hand_over(hand_over)),
            other @ (Next::Await | Next::More | Next::End) => other,
        };
        let intent = answer.intent.and_then(|intent| fitting.intent(intent));
        let slots = fitting.slots(answer.slots);
        let attributes = fitting.attributes(answer.attributes);
        let engine_state = answer.engine_state.filter(|state| {
            let fits = state.0.len() <= self.engine_state_max_bytes;
            fitting.note_unless(fits, Cut::EngineState);
            fits
        });
        let cuts = cuts.into_iter().collect();
        Answer { items, next, intent, slots, attributes, engine_state, cuts, usage: answer.usage }
    }
}

/// One answer on its way through the limits.
struct Fitting<'a> {
    limits: &'a Limits,
    cuts: &'a mut BTreeSet<Cut>,
}

impl Fitting<'_> {
    fn note_unless(&mut self, fine: bool, cut: Cut) {
        if !fine {
            self.cuts.insert(cut);
        }
    }

    fn items(&mut self, items: Vec<Item>) -> Vec<Item> {
        let mut kept = Vec::with_capacity(items.len().min(self.limits.items_max));
        for item in items {
            if kept.len() == self.limits.items_max {
                self.cuts.insert(Cut::Items);
                break;
            }
            let fitted = match item {
                Item::Text(text) => self.text_item(text),
                Item::Markdown(text) => self.text_item(text).map(|item| match item {
                    Item::Text(text) => Item::Markdown(text),
                    other => other,
                }),
                Item::Choices(choices) => self.choices(choices),
                Item::Card(card) => self.card_item(card),
                Item::Carousel(carousel) => self.carousel(carousel),
                Item::Media(media) => self.media(media),
            };
            self.note_unless(fitted.is_some(), Cut::Dropped);
            kept.extend(fitted);
        }
        kept
    }

    fn text_item(&mut self, text: String) -> Option<Item> {
        let text = self.text(text, self.limits.text_max_chars, Cut::Text);
        (!text.trim().is_empty()).then_some(Item::Text(text))
    }

    /// Choices need something to tap; without it, the prompt is a text. A prompt may be missing: the text before them may
    /// stand for it, which is the connector's affair.
    fn choices(&mut self, choices: Choices) -> Option<Item> {
        let mut options = Vec::with_capacity(choices.options.len().min(self.limits.choices_max));
        for option in choices.options {
            if options.len() == self.limits.choices_max {
                self.cuts.insert(Cut::Choices);
                break;
            }
            options.extend(self.choice(option));
        }
        let prompt = self.text(choices.prompt, self.limits.prompt_max_chars, Cut::Text);
        match (prompt.trim().is_empty(), options.is_empty()) {
            (true, true) => None,
            (false, true) => {
                self.cuts.insert(Cut::Degraded);
                Some(Item::Text(prompt))
            }
            (_, false) => Some(Item::Choices(Choices { prompt, options })),
        }
    }

    fn choice(&mut self, choice: Choice) -> Option<Choice> {
        let label = self.text(choice.label.replace('\n', " "), self.limits.label_max_chars, Cut::Text);
        let value = self.clean(choice.value);
        let fine = !label.trim().is_empty() && !exceeds(&value, self.limits.payload_max_chars);
        self.note_unless(fine, Cut::Choices);
        fine.then(|| Choice { label, value, image: self.address(choice.image) })
    }

    fn hand_over(&mut self, hand_over: HandOver) -> HandOver {
        HandOver {
            reason: self.text(hand_over.reason, self.limits.name_max_chars, Cut::Text),
            note: hand_over.note.map(|note| self.text(note, self.limits.note_max_chars, Cut::Text)),
        }
    }

    fn intent(&mut self, intent: Intent) -> Option<Intent> {
        let name = self.name(intent.name)?;
        let confidence_permille = intent.confidence_permille.filter(|permille| *permille <= 1000);
        self.note_unless(confidence_permille == intent.confidence_permille, Cut::Values);
        Some(Intent { name, confidence_permille })
    }

    fn slots(&mut self, slots: Slots) -> Slots {
        self.note_unless(slots.len() <= self.limits.values_max, Cut::Values);
        slots
            .into_iter()
            .take(self.limits.values_max)
            .filter_map(|(name, value)| {
                let value = match value {
                    SlotValue::One(value) => SlotValue::One(self.value(value)),
                    SlotValue::Many(values) => {
                        self.note_unless(values.len() <= self.limits.values_max, Cut::Values);
                        let kept = values.into_iter().take(self.limits.values_max);
                        SlotValue::Many(kept.map(|value| self.value(value)).collect())
                    }
                };
                Some((self.name(name)?, value))
            })
            .collect()
    }

    fn attributes(&mut self, attributes: Attributes) -> Attributes {
        self.note_unless(attributes.len() <= self.limits.values_max, Cut::Values);
        attributes
            .into_iter()
            .take(self.limits.values_max)
            .filter_map(|(name, value)| Some((self.name(name)?, self.value(value))))
            .collect()
    }

    fn name(&mut self, name: String) -> Option<String> {
        let name = self.clean(name);
        let fine = !name.trim().is_empty() && !exceeds(&name, self.limits.name_max_chars);
        self.note_unless(fine, Cut::Values);
        fine.then_some(name)
    }

    fn value(&mut self, value: String) -> String {
        self.text(value, self.limits.value_max_chars, Cut::Values)
    }

    fn text(&mut self, text: String, max_chars: usize, cut: Cut) -> String {
        let text = self.clean(text);
        if !exceeds(&text, max_chars) {
            return text;
        }
        self.cuts.insert(cut);
        let mut shortened: String = text.chars().take(max_chars.saturating_sub(1)).collect();
        shortened.push(ELLIPSIS);
        shortened
    }

    /// Removes control characters other than line feed and tab. A line end of two characters becomes one, which loses
    /// nothing and is not reported.
    fn clean(&mut self, text: String) -> String {
        let text = if text.contains("\r\n") { text.replace("\r\n", "\n") } else { text };
        if !text.chars().any(is_unwanted) {
            return text;
        }
        self.cuts.insert(Cut::ControlCharacters);
        text.chars().filter(|character| !is_unwanted(*character)).collect()
    }
}

fn is_unwanted(character: char) -> bool {
    character.is_control() && character != '\n' && character != '\t'
}

/// Whether a text has more characters than allowed; looks no further than needed.
fn exceeds(text: &str, max_chars: usize) -> bool {
    text.len() > max_chars && text.chars().nth(max_chars).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Opaque;

    fn texts(answer: &Answer) -> Vec<&str> {
        answer
            .items
            .iter()
            .map(|item| match item {
                Item::Text(text) | Item::Choices(Choices { prompt: text, .. }) => text.as_str(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn choices(prompt: &str, options: &[(&str, &str)]) -> Item {
        let options = options.iter().map(|(label, value)| Choice::new(*label, *value));
        Item::Choices(Choices { prompt: prompt.into(), options: options.collect() })
    }

    #[test]
    fn what_fits_is_left_alone() {
        let mut answer = Answer::saying(vec![Item::text("Grüße\n\t👋"), choices("Which?", &[("A", "a")])]);
        answer.next = Next::HandOver(HandOver { reason: "asked".into(), note: Some("n".into()) });
        answer.engine_state = Some(Opaque(b"{}".to_vec()));
        assert_eq!(Limits::default().fit(answer.clone()), answer);
    }

    #[test]
    fn items_are_cut_one_by_one() {
        let limits =
            Limits { text_max_chars: 4, prompt_max_chars: 6, items_max: 2, choices_max: 2, ..Limits::default() };
        let long = "x".repeat(5000);
        let table: Vec<(Vec<Item>, Vec<&str>, Vec<Cut>)> = vec![
            (vec![Item::text("ééééé")], vec!["ééé…"], vec![Cut::Text]),
            (vec![Item::text("éééé")], vec!["éééé"], vec![]),
            (vec![Item::text("a\u{0}\u{1b}\u{85}b")], vec!["ab"], vec![Cut::ControlCharacters]),
            (vec![Item::text("a\r\nb")], vec!["a\nb"], vec![]),
            (vec![Item::text(" \u{7} "), Item::text("a")], vec!["a"], vec![Cut::ControlCharacters, Cut::Dropped]),
            (vec![Item::text("1"), Item::text("2"), Item::text("3")], vec!["1", "2"], vec![Cut::Items]),
            (vec![choices("", &[("A", "a"), ("B", "b")])], vec![""], vec![]),
            (vec![choices("Hm?", &[])], vec!["Hm?"], vec![Cut::Degraded]),
            (vec![choices("Hm?", &[("A", &long), ("B", "b")])], vec!["Hm?"], vec![Cut::Choices]),
            (vec![choices("Hm?", &[("A", "a"), ("B", "b"), ("C", "c")])], vec!["Hm?"], vec![Cut::Choices]),
            (vec![choices(" ", &[(" ", "a")])], vec![], vec![Cut::Choices, Cut::Dropped]),
        ];
        for (items, expected, cuts) in table {
            let fitted = limits.fit(Answer::saying(items.clone()));
            assert_eq!((texts(&fitted), &fitted.cuts), (expected, &cuts), "{items:?}");
            assert!(fitted.items.iter().all(|item| !matches!(item, Item::Choices(c) if c.options.len() > 2)));
        }
    }

    #[test]
    fn values_and_state_are_cut_and_reported() {
        let limits = Limits::default();
        let mut answer = Answer::saying(vec![]);
        answer.intent = Some(Intent { name: "i".repeat(101), confidence_permille: None });
        answer.slots = (0..200).map(|n| (format!("slot{n:03}"), SlotValue::One("v".repeat(3000)))).collect();
        answer.attributes = [("a".repeat(101), "1".into()), ("kept".into(), "2".into())].into();
        answer.engine_state = Some(Opaque(vec![b'x'; 16 * 1024 + 1]));
        let fitted = limits.fit(answer);
        assert_eq!(fitted.cuts, [Cut::Values, Cut::EngineState]);
        assert_eq!((fitted.intent, fitted.engine_state), (None, None));
        assert_eq!(fitted.slots.len(), 100);
        let SlotValue::One(value) = &fitted.slots["slot000"] else { panic!("one value") };
        assert_eq!(value.chars().count(), 2000);
        assert_eq!(fitted.attributes.into_keys().collect::<Vec<_>>(), ["kept"]);
    }

    #[test]
    fn cut_twice_is_cut_once() {
        let limits = Limits { text_max_chars: 3, ..Limits::default() };
        let once = limits.fit(Answer::saying(vec![Item::text("abcdef\u{0}")]));
        assert_eq!(limits.fit(once.clone()), once);
    }
}
