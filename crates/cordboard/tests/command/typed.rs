//! Chats that are typed into a terminal: a prompt, lines pasted in one piece, a tap, and the keys that end it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::called::cordboard;
use crate::chat::desk;

/// Somebody at a terminal.
struct Typist {
    /// Our end of the terminal.
    keys: File,
    shown: mpsc::UnboundedReceiver<Vec<u8>>,
    /// What was shown since the last wait.
    seen: String,
    /// The other end, as it was left.
    terminal: File,
    child: Child,
}

impl Typist {
    fn sits_down(folder: &std::path::Path, arguments: &[&str]) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let terminal = File::from(rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap());
        tcsetwinsize(&terminal, Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let child = cordboard(&[&["chat"], arguments].concat())
            .current_dir(folder)
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keys = File::from(keys);
        let (told, shown) = mpsc::unbounded_channel();
        let mut screen = keys.try_clone().unwrap();
        // Ends with the terminal.
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length) = screen.read(&mut piece) {
                if length == 0 || told.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keys, shown, seen: String::new(), terminal, child }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and forgets what stood before it.
    async fn sees(&mut self, words: &str) {
        let patience = tokio::time::sleep(Duration::from_secs(60));
        tokio::pin!(patience);
        loop {
            if let Some(at) = self.seen.find(words) {
                self.seen.drain(..at + words.len());
                return;
            }
            tokio::select! {
                Some(piece) = self.shown.recv() => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                () = &mut patience => panic!("'{words}' is not shown, but: {}", self.seen),
            }
        }
    }

    /// Waits until the chat has ended by itself, and wants the terminal back as it was.
    async fn gets_up(mut self) -> Option<i32> {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await;
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG), "{modes:?}");
        ended.expect("the chat ends").unwrap().code()
    }
}

#[tokio::test]
async fn a_conversation_is_typed_pasted_tapped_and_saved_by_ctrl_c() {
    let (folder, config) = desk();
    let arguments = ["--bot", "parcels", "--save", "saved.toml", "--config", &config];
    let mut typist = Typist::sits_down(folder.path(), &arguments);
    typist.sees("You are the customer.").await;
    typist.sees("you > ").await;
    typist.types("hello\rsizes\r");
    typist.sees("bot   Hello, this is the parcel desk.").await;
    typist.sees("[2] Take it").await;
    typist.sees("you > ").await;
    typist.types("2\r");
    typist.sees("bot   A large one.").await;
    typist.sees("you > ").await;
    typist.types("\u{3}");
    typist.sees("saved; ").await;
    assert_eq!(typist.gets_up().await, Some(0));
    let saved = std::fs::read_to_string(folder.path().join("saved.toml")).unwrap();
    let said: Vec<&str> = saved.lines().filter(|line| line.starts_with("say") || line.starts_with("tap")).collect();
    assert_eq!(said, ["say = \"hello\"", "say = \"sizes\"", "tap = \"Take it\""], "{saved}");
}

#[tokio::test]
async fn ctrl_d_ends_a_chat() {
    let (folder, config) = desk();
    let mut typist = Typist::sits_down(folder.path(), &["--bot", "parcels", "--config", &config]);
    typist.sees("you > ").await;
    typist.types("\u{4}");
    assert_eq!(typist.gets_up().await, Some(0));
}
