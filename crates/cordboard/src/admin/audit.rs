//! The trail of what operators did: one line of JSON for each operating call, in `audit.jsonl` in the data folder, synced
//! before the call is answered. Past its size the file becomes `audit.1.jsonl`, and the one before that goes.
//!
//! Looking at customers' words counts as operating; looking at anything else does not. No line holds such words.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use http::Method;
use http::request::Parts;
use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Role;
use super::query::{Query, decoded};

const FILE: &str = "audit.jsonl";
const EARLIER: &str = "audit.1.jsonl";
/// A line has some 250 bytes.
const FILE_MAX_BYTES: u64 = 8 * 1024 * 1024;
const TEXT_MAX_CHARS: usize = 500;

/// What was done, by whom, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// In which role: `read`, `operate`, or `owner` of the data folder while no server ran.
    pub role: String,
    /// The user at the other end of the socket, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// By name, where the machine's list of users has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What: `dead-letters drop`, `bots disable`.
    pub what: String,
    /// On which letter, conversation or bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// More about it, such as the reason that the operator gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `done`, or the status and the word of the refusal.
    pub outcome: String,
}

/// Something that is entered, before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) what: String,
    pub(super) on: Option<String>,
}

/// What an answer adds to its entry; travels in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Detail(pub(super) String);

impl Operation {
    /// What a call does that is to be entered: whatever changes something, and looking at customers' words. Of those who
    /// follow a conversation, the first look is entered.
    pub(super) fn of(head: &Parts, role: Role) -> Option<Self> {
        let path: Vec<&str> = head.uri.path().split('/').skip(2).collect();
        let query = Query(head.uri.query().unwrap_or_default());
        let looks = matches!(head.method, Method::GET | Method::HEAD);
        let wants_words = query.flag("words").ok().flatten().unwrap_or(false);
        let (noun, on, verb) = match path.as_slice() {
            ["dead-letters", id] if looks && role == Role::Operate => ("dead-letters", Some(*id), "words"),
            // Refused to whoever may only read, and that is entered each time.
            [noun, rest @ ..] if looks && wants_words && (role == Role::Read || !query.has("after")) => {
                (*noun, rest.first().copied(), "words")
            }
            _ if looks => return None,
            [noun, on] if head.method == Method::DELETE => (*noun, Some(*on), "drop"),
            [noun, on, verb] => (*noun, Some(*on), *verb),
            [noun, on] => (*noun, Some(*on), ""),
            [noun, ..] => (*noun, None, ""),
            [] => ("", None, ""),
        };
        let what = cut(format!("{noun} {verb}").trim());
        Some(Self { what, on: on.map(|on| cut(&decoded(on))) })
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX_CHARS).collect()
}

impl Entry {
    pub(super) fn new(
        operation: Operation,
        at: Timestamp,
        role: &str,
        uid: Option<u32>,
        detail: Option<&str>,
        outcome: String,
    ) -> Self {
        Self {
            at_ms: at.0,
            role: role.to_owned(),
            uid,
            user: uid.and_then(name_of),
            what: operation.what,
            on: operation.on,
            detail: detail.map(cut),
            outcome,
        }
    }

    /// What the owner of the data folder does while no server runs.
    #[must_use]
    pub fn of_owner(at: Timestamp, what: &str, on: &str, outcome: &str) -> Self {
        let operation = Operation { what: what.to_owned(), on: Some(cut(on)) };
        let uid = rustix::process::getuid().as_raw();
        Self::new(operation, at, "owner", Some(uid), None, outcome.to_owned())
    }
}

/// The name of a user in the machine's own list.
pub(super) fn name_of(uid: u32) -> Option<String> {
    let list = fs::read_to_string("/etc/passwd").ok()?;
    let uid = uid.to_string();
    let of_user = |line: &&str| line.split(':').nth(2) == Some(uid.as_str());
    list.lines().find(of_user)?.split(':').next().map(str::to_owned)
}

/// The files.
pub struct Trail {
    folder: PathBuf,
    file_max_bytes: u64,
    writing: Mutex<()>,
}

impl Trail {
    /// The trail of a data folder.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.to_owned(), file_max_bytes: FILE_MAX_BYTES, writing: Mutex::new(()) }
    }

    /// Writes an entry, and returns when it would survive a power cut. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn enter(&self, entry: &Entry) -> io::Result<()> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(FILE);
        if fs::metadata(&path).is_ok_and(|file| file.len() >= self.file_max_bytes) {
            fs::rename(&path, self.folder.join(EARLIER))?;
        }
        let is_new = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        // What a crash or a full disk cut short must not take the next entry along.
        let mut line = if ends_torn(&file)? { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        if is_new { File::open(&self.folder)?.sync_all() } else { Ok(()) }
    }

    /// The latest entries, ascending. Blocks. A line that a crash cut short is left out.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn latest(&self, limit: usize) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        for name in [EARLIER, FILE] {
            match fs::read(self.folder.join(name)) {
                Ok(bytes) => {
                    let lines = bytes.split(|byte| *byte == b'\n');
                    entries.extend(lines.filter_map(|line| serde_json::from_slice(line).ok()));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries.split_off(entries.len().saturating_sub(limit)))
    }
}

/// Whether the last line has no end.
fn ends_torn(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_kept_in_two_files_and_a_torn_line_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail { file_max_bytes: 400, ..Trail::of(folder.path()) };
        let entry = |n: i64| Entry::of_owner(Timestamp(n), "dead-letters drop", &n.to_string(), "done");
        assert_eq!(trail.latest(9).unwrap(), []);
        for n in 1..=20 {
            trail.enter(&entry(n)).unwrap();
        }
        let kept = trail.latest(100).unwrap();
        assert!((3..10).contains(&kept.len()), "{}", kept.len());
        assert_eq!(trail.latest(2).unwrap(), [entry(19), entry(20)]);
        let whole = fs::read(folder.path().join(FILE)).unwrap();
        // Cut in the middle of a letter.
        fs::write(folder.path().join(FILE), [&whole[..], &whole[..30], b"\xc3"].concat()).unwrap();
        assert_eq!(trail.latest(1).unwrap(), [entry(20)]);
        trail.enter(&entry(21)).unwrap();
        assert_eq!(trail.latest(2).unwrap(), [entry(20), entry(21)]);
    }

    #[test]
    fn what_changes_something_is_entered_and_what_shows_words() {
        let operation = |method: &str, uri: &str, role| {
            let head = http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0;
            Operation::of(&head, role).map(|operation| (operation.what, operation.on.unwrap_or_default()))
        };
        let cases = [
            ("GET", "/v1/dead-letters?after=0", None),
            ("GET", "/v1/dead-letters/7", Some(("dead-letters words", "7"))),
            ("DELETE", "/v1/dead-letters/7", Some(("dead-letters drop", "7"))),
            ("POST", "/v1/dead-letters/7/retry?dry_run=true", Some(("dead-letters retry", "7"))),
            ("POST", "/v1/bots/ein%20bot/disable", Some(("bots disable", "ein bot"))),
            ("POST", "/v1/reload", Some(("reload", ""))),
            ("GET", "/v1/conversations/1/journal?words=false", None),
            ("GET", "/v1/conversations/1/journal?words=true", Some(("conversations words", "1"))),
            ("GET", "/v1/conversations/1/journal?words=true&after=3", None),
            ("GET", "/v1/journal?words", Some(("journal words", ""))),
        ];
        for (method, uri, expected) in cases {
            let found = operation(method, uri, Role::Operate);
            assert_eq!(found, expected.map(|(what, on)| (what.to_owned(), on.to_owned())), "{method} {uri}");
        }
        assert_eq!(operation("GET", "/v1/dead-letters/7", Role::Read), None);
        assert!(operation("GET", "/v1/conversations/1/journal?words=true&after=3", Role::Read).is_some());
    }
}
