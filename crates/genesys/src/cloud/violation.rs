//! Broken rules of a document we are about to publish or send, all of them at once and each with its place.

use std::collections::BTreeSet;
use std::fmt;

/// One broken rule. [`Display`](fmt::Display) names the place and the rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, as a path of members from the root: `entities[0].versions[1].intents`.
    pub path: String,
    /// What is wrong there.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.path, self.rule)
    }
}

/// A rule that a value can break. Lengths are in characters (Unicode scalar values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A required text is absent or empty.
    Missing,
    /// A text is too long.
    TooLong {
        /// The greatest allowed length.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// A text begins or ends with a blank.
    OuterBlanks,
    /// A text has control characters.
    NotDisplayable,
    /// A list has too many elements.
    TooMany {
        /// The greatest allowed number.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// A list that needs at least one element is empty.
    Empty,
    /// A language tag has capital letters; the platform matches tags exactly.
    NotLowerCase,
    /// The same name, or the same text and payload, occurs earlier in the list.
    Repeated,
    /// The value is none of those the platform documents for this member.
    Unknown,
    /// The name of a slot is not the key it is stored under.
    KeyDiffers,
    /// The element may not occur in a message of this type.
    OutOfPlace,
    /// The value is not in the form, or not in the range, that it must have.
    BadValue,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Missing => formatter.write_str("is required and missing or empty"),
            Rule::TooLong { limit, found } => write!(formatter, "has {found} characters, at most {limit} are allowed"),
            Rule::OuterBlanks => formatter.write_str("begins or ends with a blank"),
            Rule::NotDisplayable => formatter.write_str("contains control characters"),
            Rule::TooMany { limit, found } => write!(formatter, "has {found} elements, at most {limit} are allowed"),
            Rule::Empty => formatter.write_str("needs at least one element"),
            Rule::NotLowerCase => formatter.write_str("must be written in lower case"),
            Rule::Repeated => formatter.write_str("occurs more than once"),
            Rule::Unknown => formatter.write_str("is none of the values the platform documents"),
            Rule::KeyDiffers => formatter.write_str("differs from the key it is stored under"),
            Rule::OutOfPlace => formatter.write_str("may not occur in a message of this type"),
            Rule::BadValue => formatter.write_str("is not in the form or range it must have"),
        }
    }
}

/// Most bots, versions of a bot, intents of a version, and slots or entities of an intent, at both bot doors.
pub(crate) const LIST_LIMIT: usize = 50;
/// Longest id, name or version of what a bot offers.
pub(crate) const NAME_LIMIT_CHARS: usize = 100;
/// Longest description of a bot.
pub(crate) const DESCRIPTION_LIMIT_CHARS: usize = 256;

/// Collects violations while walking a document. Paths are only written out where a rule is broken, since a list of
/// bots may hold millions of names.
#[derive(Default)]
pub(crate) struct Inspection {
    path: Vec<(&'static str, usize)>,
    violations: Vec<Violation>,
}

impl Inspection {
    pub(crate) fn finish(self) -> Vec<Violation> {
        self.violations
    }

    /// Visits every element of a list.
    pub(crate) fn each<T>(&mut self, list: &'static str, elements: &[T], mut visit: impl FnMut(&mut Self, &T)) {
        for (index, element) in elements.iter().enumerate() {
            self.path.push((list, index));
            visit(self, element);
            self.path.pop();
        }
    }

    pub(crate) fn broken(&mut self, member: &str, rule: Rule) {
        let mut path: String = self.path.iter().map(|(list, index)| format!("{list}[{index}].")).collect();
        path.push_str(member);
        if member.is_empty() {
            path.pop();
        }
        self.violations.push(Violation { path, rule });
    }

    /// A list of what a bot offers: at least one element and not too many, each with a name of its own that `member` holds.
    pub(crate) fn list<T>(
        &mut self,
        list: &'static str,
        member: &str,
        elements: &[T],
        name: impl Fn(&T) -> &str,
        visit: impl FnMut(&mut Self, &T),
    ) {
        self.at_least_one(list, elements.len());
        self.count(list, elements.len(), LIST_LIMIT);
        self.unique(list, member, elements, name);
        self.each(list, elements, visit);
    }

    pub(crate) fn count(&mut self, list: &str, found: usize, limit: usize) {
        if found > limit {
            self.broken(list, Rule::TooMany { limit, found });
        }
    }

    pub(crate) fn at_least_one(&mut self, list: &str, found: usize) {
        if found == 0 {
            self.broken(list, Rule::Empty);
        }
    }

    /// A required text: not empty, not too long, displayable, no blanks around it.
    pub(crate) fn required(&mut self, member: &str, text: &str, limit: usize) {
        if text.is_empty() {
            self.broken(member, Rule::Missing);
        } else {
            self.optional(member, text, limit);
        }
    }

    /// As [`Self::required`], but may be empty.
    pub(crate) fn optional(&mut self, member: &str, text: &str, limit: usize) {
        let found = text.chars().count();
        if found > limit {
            self.broken(member, Rule::TooLong { limit, found });
        }
        if text.trim() != text {
            self.broken(member, Rule::OuterBlanks);
        }
        if text.chars().any(char::is_control) {
            self.broken(member, Rule::NotDisplayable);
        }
    }

    /// The tags of a version: at least one, lower case, since the platform matches them exactly and has no fallback.
    pub(crate) fn languages(&mut self, tags: &[String]) {
        self.at_least_one("supportedLanguages", tags.len());
        self.unique("supportedLanguages", "", tags, String::as_str);
        self.each("supportedLanguages", tags, |inspection, tag| {
            inspection.required("", tag, usize::MAX);
            if tag.chars().any(char::is_uppercase) {
                inspection.broken("", Rule::NotLowerCase);
            }
        });
    }

    /// Names that the platform looks up must differ; it does not say so, but could not tell them apart otherwise.
    pub(crate) fn unique<T>(&mut self, list: &'static str, member: &str, elements: &[T], name: impl Fn(&T) -> &str) {
        let mut seen = BTreeSet::new();
        for (index, element) in elements.iter().enumerate() {
            if !seen.insert(name(element)) {
                self.path.push((list, index));
                self.broken(member, Rule::Repeated);
                self.path.pop();
            }
        }
    }
}
