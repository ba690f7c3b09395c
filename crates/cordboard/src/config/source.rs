//! The text of a configuration file, and what is wrong with it.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file's text and its name for messages.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) folder: PathBuf,
    pub(super) text: String,
}

impl Source {
    pub(super) fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let next = match error.kind() {
                ErrorKind::NotFound => "; --config names it, and examples/cordboard.toml is one to start from",
                ErrorKind::IsADirectory => "; --config names a file in it",
                _ => "",
            };
            Problems(vec![Problem::of_file(&file, format!("the file cannot be read: {error}{next}"))])
        })?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { file, folder, text })
    }

    /// A problem at a byte offset.
    pub(super) fn problem(&self, at: usize, message: String) -> Problem {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Problem { file: self.file.clone(), line, column, message }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl Problem {
    fn of_file(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message }
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

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
