//! The text of a configuration file, and what is wrong with it.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A line longer than this many characters is not shown with a problem.
const SHOWN_MAX_CHARS: usize = 120;
/// A line with one of these words may hold a secret and is not shown.
const HUSHED: [&str; 9] = ["secret", "credential", "bearer", "token", "password", "key", "whsec_", "proxy", "header"];

/// A file's text and its name for messages.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) folder: PathBuf,
    pub(super) text: String,
}

impl fmt::Debug for Source {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let next = match error.kind() {
                ErrorKind::NotFound => "; --config names it, and `cordboard config init` writes one to start from",
                ErrorKind::IsADirectory => "; --config names a file in it",
                ErrorKind::PermissionDenied => "; give it to the user of this process, or to a group of that user",
                ErrorKind::InvalidData => "; save it as UTF-8",
                _ => "",
            };
            Problems(vec![Problem::of_file(&file, format!("the file cannot be read: {error}{next}"))])
        })?;
        // Some editors begin a file with a byte order mark, which is no part of TOML.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { file, folder, text })
    }

    /// A problem at a byte offset.
    pub(super) fn problem(&self, at: usize, message: String) -> Problem {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        let written = self.text[line_start..].lines().next().unwrap_or_default();
        let written = showable(written).filter(|_| !self.is_hushed(line_start, written));
        Problem { file: self.file.clone(), line, column, message, written }
    }

    /// Whether a line may hold a secret: by its own words, by the name of its table, or, inside a value of several lines,
    /// by the words of the line on which the value begins.
    fn is_hushed(&self, line_start: usize, line: &str) -> bool {
        let is_header = |line: &&str| line.trim_start().starts_with('[') && !line.contains(['"', '\'']);
        let earlier = || self.text[..line_start].lines().rev();
        let table = earlier().find(is_header).filter(|_| !is_header(&line));
        let begins = earlier().find(|earlier| earlier.contains('=')).filter(|_| !line.contains('='));
        [Some(line), table, begins].into_iter().flatten().any(may_hold_a_secret)
    }
}

fn may_hold_a_secret(line: &str) -> bool {
    let lower = line.to_lowercase();
    HUSHED.iter().any(|word| lower.contains(word))
}

fn showable(line: &str) -> Option<String> {
    let fine = !line.trim().is_empty()
        && line.chars().count() <= SHOWN_MAX_CHARS
        && !line.contains(|letter: char| letter.is_control() && letter != '\t');
    fine.then(|| line.replace('\t', " "))
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    file: String,
    line: usize,
    column: usize,
    message: String,
    /// The line, unless it is too long, or may hold a secret.
    written: Option<String>,
}

impl Problem {
    fn of_file(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message, written: None }
    }

    /// The file and its line and column; 0 is the file as a whole.
    #[must_use]
    pub fn place(&self) -> (&str, usize, usize) {
        (&self.file, self.line, self.column)
    }

    /// What is wrong, and what to write instead.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line with a mark under the place.
    fn excerpt(&self) -> Option<String> {
        let written = self.written.as_ref()?;
        let number = self.line.to_string();
        let (gap, before) = (" ".repeat(number.len()), " ".repeat(self.column - 1));
        let word = |letter: &char| letter.is_alphanumeric() || "_-$".contains(*letter);
        let marked = written.chars().skip(self.column - 1).take_while(word).count().max(1);
        Some(format!("  {number} | {written}\n  {gap} | {before}{}", "^".repeat(marked)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

/// Everything that is wrong, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// For a person at a terminal: each problem with its line of the file. A line that may hold a secret is left out.
    #[must_use]
    pub fn with_excerpts(&self) -> String {
        let shown = self.0.iter().map(|problem| match problem.excerpt() {
            Some(excerpt) => format!("{problem}\n{excerpt}"),
            None => problem.to_string(),
        });
        shown.collect::<Vec<String>>().join("\n")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let newline = if n == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
