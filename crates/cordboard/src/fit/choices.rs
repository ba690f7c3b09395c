//! Quick replies: complete, different from each other, no more than the channel takes, or numbered lines.

use std::borrow::Cow;
use std::fmt::Write as _;

use model::{Choice, Choices, Item};

use super::{Fitting, RULES, What, text};

impl Fitting<'_> {
    /// Choices under this prompt, which is their own or the text before them.
    pub(super) fn choices(&mut self, choices: &Choices, mut prompt: Cow<'_, str>) {
        let mut options = self.options(&choices.options);
        if options.is_empty() {
            if choices.options.is_empty() {
                self.note(What::NoOptions, 1, 0, RULES);
            }
            return self.say(prompt);
        }
        let max = self.to.quick_replies_max;
        if max.value == 0 {
            self.note(What::ChoicesAsText, options.len(), 0, max.basis);
            let text = self.listed(&prompt, &options);
            return self.say(Cow::Owned(text));
        }
        let too_many = options.len() > max.value;
        if too_many {
            self.note(What::OptionsListed, options.len(), max.value, max.basis);
        }
        let label_max = self.to.label_max_chars.value;
        if too_many || options.iter().any(|option| text::exceeds(&option.label, label_max)) {
            // What does not stand on a button as it was written is read in the lines.
            prompt = Cow::Owned(self.listed(&prompt, &options));
            options.truncate(max.value);
        } else if text::is_blank(&prompt) {
            self.note(What::PromptMade, 1, 0, RULES);
            let labels: Vec<&str> = options.iter().map(|option| option.label.as_str()).collect();
            prompt = Cow::Owned(labels.join(" / "));
        }
        self.shorten_labels(&mut options);
        let prompt = self.all_but_last(prompt).into_owned();
        self.fitted.items.push(Item::Choices(Choices { prompt, options }));
    }

    /// A prompt with its options as numbered lines, which a customer can answer by label or by number. Numbers go on from
    /// the lines before, so that one means one thing.
    fn listed(&mut self, prompt: &str, options: &[Choice]) -> String {
        let mut text = prompt.trim_end().to_owned();
        for option in options {
            let newline = if text.is_empty() { "" } else { "\n" };
            let wrote = write!(text, "{newline}{}. {}", self.fitted.offered.len() + 1, option.label);
            debug_assert!(wrote.is_ok(), "memory takes every character");
            self.fitted.offered.push(Choice::new(option.label.as_str(), option.value.as_str()));
        }
        text
    }

    /// The options that can be tapped: with label and value, each once.
    fn options(&mut self, options: &[Choice]) -> Vec<Choice> {
        let mut kept: Vec<Choice> = Vec::with_capacity(options.len());
        for option in options {
            let (mut label, mut value) = (self.clean(&option.label), self.clean(&option.value));
            match (label.is_empty(), value.is_empty()) {
                (true, true) => {
                    self.note(What::OptionsBlank, 1, 0, RULES);
                    continue;
                }
                (true, false) => label.clone_from(&value),
                (false, true) => value.clone_from(&label),
                (false, false) => {}
            }
            if text::is_blank(&option.label) || text::is_blank(&option.value) {
                self.note(What::OptionsCompleted, 1, 0, RULES);
            }
            if kept.iter().any(|other| other.label == label && other.value == value) {
                self.note(What::OptionsRepeated, 1, 0, RULES);
                continue;
            }
            let image = option.image.as_deref().map(|image| self.clean(image)).filter(|image| !image.is_empty());
            kept.push(Choice { label, value, image });
        }
        kept
    }

    fn shorten_labels(&mut self, options: &mut Vec<Choice>) {
        let max = self.to.label_max_chars;
        let long = options.iter_mut().filter(|option| text::exceeds(&option.label, max.value));
        let shortened = long.map(|option| option.label = text::shortened(&option.label, max.value)).count();
        if shortened == 0 {
            return;
        }
        self.note(What::LabelsShortened, shortened, max.value, max.basis);
        let before = options.len();
        let mut seen: Vec<(String, String)> = Vec::with_capacity(before);
        options.retain(|option| {
            let pair = (option.label.clone(), option.value.clone());
            let is_new = !seen.contains(&pair);
            seen.push(pair);
            is_new
        });
        if options.len() < before {
            self.note(What::OptionsRepeated, before - options.len(), 0, RULES);
        }
    }
}
