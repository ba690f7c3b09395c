//! The gateway's binary as a process: started, killed and asked to stop by its own id.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::dice::Dice;
use crate::address::free_address;

pub(super) const V2: &str = "/genesys/digital";
pub(super) const V1: &str = "/genesys/classic";
pub(super) const KEY: (&str, &str) = ("x-key", "a-secret-of-some-length");

/// What a story wants of the configuration.
pub(super) struct Setup {
    pub(super) drain_ms: u64,
    pub(super) soft_deadline_ms: u64,
    pub(super) budget_ms: u64,
}

/// One data folder and one address, over many runs.
pub(super) struct Binary {
    folder: TempDir,
    pub(super) address: SocketAddr,
    outside: SocketAddr,
    setup: Setup,
    child: Option<Child>,
    /// How often it was started. Each run asks the bot at an address of its own, so that what a dead run had sent is told
    /// apart from what a living one sends.
    pub(super) run: u32,
}

impl Binary {
    pub(super) fn new(outside: SocketAddr, setup: Setup, dice: &Dice) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The same for all runs; a customer who calls while nobody listens must not get that very port for its own end.
        let address = free_address(dice.roll(12_000));
        Self { folder, address, outside, setup, child: None, run: 0 }
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.path().join("cordboard.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    /// The end of its log, for whoever has to find out why a story failed.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Starts the next run. It answers some time later.
    pub(super) fn start(&mut self) {
        self.run += 1;
        let config = self.config_file();
        std::fs::write(&config, self.config()).unwrap();
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        self.child = Some(spawn(&config, log));
    }

    /// Ends it as a power cut would.
    pub(super) async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself:\n{}", self.last_words());
        child.kill().await.unwrap();
    }

    /// Asks it to end.
    pub(super) async fn terminate(&self) {
        let id = self.child.as_ref().and_then(Child::id).unwrap();
        let sent = Command::new("kill").args(["-TERM", &id.to_string()]).status().await.unwrap();
        assert!(sent.success());
    }

    /// How it ended, once it was asked to.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.as_mut().unwrap().wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not end:\n{}", self.last_words())).unwrap();
        self.child = None;
        status
    }

    fn config(&self) -> String {
        let (address, outside, run) = (self.address, self.outside, self.run);
        let Setup { drain_ms, soft_deadline_ms, budget_ms } = self.setup;
        let (name, secret) = KEY;
        format!(
            r#"
version = 1
[server]
listen = "{address}"
data_dir = "data"
drain_ms = {drain_ms}
grace_ms = 20000
[orgs.acme]
api_url = "http://{outside}"
login_url = "http://{outside}"
client_id = "id"
client_secret = "a-client-secret"
requests_per_minute = 100000
[connectors.digital]
type = "digital_bot_connector"
org = "acme"
path = "{V2}"
credentials = {{ {name} = "{secret}" }}
soft_deadline_ms = {soft_deadline_ms}
push_after_ack_ms = 300
platform_retry_window_ms = 2000
[connectors.classic]
type = "bot_connector"
org = "acme"
path = "{V1}"
credentials = {{ {name} = "{secret}" }}
budget_ms = {budget_ms}
[bots.claims]
version = "1"
max_turns = 100000
max_holding_turns = 1000
[bots.claims.engine]
type = "webhook"
url = "http://{outside}/bot/{run}"
"#
        )
    }
}

fn spawn(config: &Path, log: File) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordboard"));
    command.arg("serve").arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.kill_on_drop(true).spawn().unwrap()
}
