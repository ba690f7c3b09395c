//! Where a chat is read and shown: a terminal with line editing and history, or plain lines that were piped in.
//!
//! A terminal's editor blocks, so it has a thread of its own; what comes meanwhile is printed above its prompt. It reads a
//! line only when it is told to, so that the prompt stands below what was answered at once.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::thread;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::mpsc;

use super::super::Failed;
use super::draw::{Line, Tone};

const COLUMNS: usize = 80;
const COLUMNS_MAX: usize = 120;
const PROMPT: &str = "you > ";

/// Where lines come from.
pub(super) enum Lines {
    Typed { lines: mpsc::Receiver<String>, next: mpsc::Sender<()>, _before: Restored },
    Piped(mpsc::Receiver<String>),
    Script(std::vec::IntoIter<String>),
}

/// The terminal as it was. The editor's thread may be in the middle of a line when the chat ends.
pub(super) struct Restored(Termios);

impl Drop for Restored {
    fn drop(&mut self) {
        // A terminal that went away needs no restoring.
        let _restored = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Where a chat is shown.
pub(super) struct Screen<'a> {
    out: Out<'a>,
    /// Whether it is a terminal, whose width can change at any time.
    is_terminal: bool,
    colour: bool,
    echo: bool,
}

enum Out<'a> {
    Writer(&'a mut (dyn Write + Send)),
    Above(Box<dyn ExternalPrinter + Send>),
}

/// Opens both ends. `script` is a file of lines, or `-` for what is piped in.
pub(super) fn open<'a>(script: Option<&Path>, out: &'a mut (dyn Write + Send)) -> Result<(Lines, Screen<'a>), Failed> {
    let is_terminal = io::stdout().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let colour = is_terminal && !plain && !dumb;
    if let Some(file) = script.filter(|file| *file != Path::new("-")) {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failed::because(format!("{}: {error}; a script has a line for each thing that is typed", file.display()))
        })?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        return Ok((
            Lines::Script(lines.into_iter()),
            Screen { out: Out::Writer(out), is_terminal, colour, echo: true },
        ));
    }
    if script.is_some() || !io::stdin().is_terminal() || !is_terminal {
        let (piped, lines) = mpsc::channel(1);
        thread::spawn(move || read(&piped));
        return Ok((Lines::Piped(lines), Screen { out: Out::Writer(out), is_terminal, colour, echo: true }));
    }
    let cannot =
        |error: ReadlineError| Failed::because(format!("this terminal cannot be used: {error}; pipe the lines in"));
    let before = Restored(tcgetattr(io::stdin()).map_err(Failed::because)?);
    let mut editor = DefaultEditor::new().map_err(cannot)?;
    // A terminal without a cursor (`TERM=dumb`) has no place above its prompt.
    let out = match editor.create_external_printer() {
        Ok(above) => Out::Above(Box::new(above)),
        Err(_) => Out::Writer(out),
    };
    let (next, wanted) = mpsc::channel(1);
    let (typed, lines) = mpsc::channel(1);
    thread::spawn(move || edit(editor, wanted, &typed));
    Ok((Lines::Typed { lines, next, _before: before }, Screen { out, is_terminal, colour, echo: false }))
}

/// Reads what is piped in, as fast as it is taken.
fn read(piped: &mpsc::Sender<String>) {
    for line in io::stdin().lines() {
        let Ok(line) = line else { return };
        if piped.blocking_send(line).is_err() {
            return;
        }
    }
}

/// Reads lines as they are wanted, until the end of input or Ctrl-C.
fn edit(mut editor: DefaultEditor, mut wanted: mpsc::Receiver<()>, typed: &mpsc::Sender<String>) {
    while wanted.blocking_recv().is_some() {
        let Ok(line) = editor.readline(PROMPT) else { return };
        // A line that cannot be remembered can still be said.
        drop(editor.add_history_entry(line.as_str()));
        if typed.blocking_send(line).is_err() {
            return;
        }
    }
}

fn columns(is_terminal: bool) -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let seen = if is_terminal { seen() } else { None };
    seen.or(named).unwrap_or(COLUMNS).clamp(30, COLUMNS_MAX)
}

impl Lines {
    /// Whether somebody waits for an answer before the next line.
    pub(super) const fn are_typed(&self) -> bool {
        matches!(self, Self::Typed { .. })
    }

    /// Lets the next line be typed.
    pub(super) fn want(&self) {
        if let Self::Typed { next, .. } = self {
            // It is full when a line is wanted already, and closed when the editor has ended.
            let _wanted = next.try_send(());
        }
    }

    /// The next line; nothing at the end.
    pub(super) async fn next(&mut self) -> Option<String> {
        match self {
            Self::Typed { lines, .. } | Self::Piped(lines) => lines.recv().await,
            Self::Script(lines) => lines.next(),
        }
    }
}

impl Screen<'_> {
    pub(super) fn columns(&self) -> usize {
        columns(self.is_terminal)
    }

    /// Shows lines, together.
    pub(super) fn show(&mut self, lines: &[Line]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for line in lines {
            let (before, after) = match line.tone {
                _ if !self.colour => ("", ""),
                Tone::Plain => ("", ""),
                Tone::Dim => ("\u{1b}[2m", "\u{1b}[0m"),
                Tone::Strong => ("\u{1b}[1m", "\u{1b}[0m"),
            };
            text += &format!("{before}{}{after}\n", line.text.trim_end());
        }
        match &mut self.out {
            Out::Writer(out) => {
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            Out::Above(printer) => printer.print(text).map_err(io::Error::other),
        }
    }

    /// Shows what was typed, where nobody saw it being typed.
    pub(super) fn echo(&mut self, line: &str) -> io::Result<()> {
        if self.echo { self.show(&[Line::new(Tone::Strong, format!("{PROMPT}{line}"))]) } else { Ok(()) }
    }
}
