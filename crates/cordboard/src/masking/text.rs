//! A text as recognisers read it: its characters with their places, and its runs of digits.

use std::ops::Range;

/// Characters and where they begin.
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) characters: Vec<(usize, char)>,
}

/// A run of digits, with what separates it from the next.
#[derive(Clone, Copy)]
pub(super) struct Group {
    /// The index of its first character.
    pub(super) first: usize,
    /// The index behind its last.
    pub(super) end: usize,
}

impl Group {
    pub(super) const fn len(self) -> usize {
        self.end - self.first
    }
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, characters: text.char_indices().collect() }
    }

    /// Takes these bytes out of sight.
    pub(super) fn blank(&mut self, bytes: &Range<usize>) {
        let first = self.characters.partition_point(|(place, _)| *place < bytes.start);
        for (_, character) in self.characters[first..].iter_mut().take_while(|(place, _)| *place < bytes.end) {
            *character = '\0';
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<char> {
        self.characters.get(index).map(|(_, character)| *character)
    }

    pub(super) fn before(&self, index: usize) -> Option<char> {
        index.checked_sub(1).and_then(|index| self.at(index))
    }

    /// The bytes of these characters.
    pub(super) fn bytes(&self, first: usize, end: usize) -> Range<usize> {
        let place = |index: usize| self.characters.get(index).map_or(self.text.len(), |(place, _)| *place);
        place(first)..place(end)
    }

    /// The digits of these characters, whatever stands between them.
    pub(super) fn digits(&self, first: usize, end: usize) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.characters[first..end].iter().filter_map(|(_, character)| digit(*character))
    }

    /// Runs of digits that stand together: between two of them there are at most `SEPARATORS_MAX` separators.
    pub(super) fn digit_chains(&self) -> Vec<Vec<Group>> {
        let mut chains: Vec<Vec<Group>> = Vec::new();
        let mut index = 0;
        while index < self.characters.len() {
            if self.at(index).and_then(digit).is_none() {
                index += 1;
                continue;
            }
            let first = index;
            while self.at(index).and_then(digit).is_some() {
                index += 1;
            }
            let group = Group { first, end: index };
            let follows = chains.last().and_then(|chain| chain.last()).is_some_and(|last| {
                let between = &self.characters[last.end..first];
                between.len() <= SEPARATORS_MAX && between.iter().all(|(_, character)| is_separator(*character))
            });
            match chains.last_mut() {
                Some(chain) if follows => chain.push(group),
                _ => chains.push(vec![group]),
            }
        }
        chains
    }
}

/// As in "4111 - 1111".
const SEPARATORS_MAX: usize = 3;

/// What people put between the digits of a number: blanks, dots, slashes, the dashes of all keyboards; and what copying
/// puts there unseen.
pub(super) fn is_separator(character: char) -> bool {
    let is_dash = matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}' | '\u{ff0d}');
    let is_unseen = matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let is_blank = character.is_whitespace() && !matches!(character, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    is_dash || is_unseen || is_blank || character == '.' || character == '/'
}

/// Whether a number beside this is a piece of something longer, such as an id. These are made of Latin letters; others may
/// be the words of a language that is written without blanks.
pub(super) fn joins_an_id(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_ascii_alphabetic())
}

/// The zeros of the scripts that keyboards of phones write: Latin, Arabic-Indic, Persian, Devanagari, Bengali, Gujarati,
/// Tamil, Thai, Lao, Myanmar, Khmer, full-width.
const ZEROS: [char; 12] = [
    '0', '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{ae6}', '\u{be6}', '\u{e50}', '\u{ed0}', '\u{1040}',
    '\u{17e0}', '\u{ff10}',
];

/// A decimal digit.
pub(super) fn digit(character: char) -> Option<u32> {
    let beyond = |zero: &char| u32::from(character).checked_sub(u32::from(*zero));
    ZEROS.iter().filter_map(beyond).find(|digit| *digit <= 9)
}
