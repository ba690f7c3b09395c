//! The gateway of the demonstration: a process of the same executable, which may be killed and started again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use simulator::Hooks;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

const READY_PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The process, running or not.
pub(super) struct Process {
    folder: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), child: Mutex::default() }
    }

    /// Starts the gateway and waits until it answers.
    pub(super) async fn start(&self) -> Result<(), String> {
        let ready = self.folder.join("ready");
        let log = self.folder.join("gateway.log");
        // A file of an earlier run would be taken for this one's.
        drop(std::fs::remove_file(&ready));
        let mut child = self.spawn(&ready, &log).map_err(|error| format!("cannot start the gateway: {error}"))?;
        let answers = async {
            while !ready.exists() {
                tokio::select! {
                    biased;
                    _ended = child.wait() => return false,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
            true
        };
        if tokio::time::timeout(READY_PATIENCE, answers).await.unwrap_or(false) {
            *self.child.lock().await = Some(child);
            return Ok(());
        }
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        Err(format!("the gateway did not start:\n{said}"))
    }

    fn spawn(&self, ready: &Path, log: &Path) -> std::io::Result<Child> {
        let log = File::options().create(true).append(true).open(log)?;
        Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg("--config")
            .arg(self.folder.join("cordboard.toml"))
            .arg("--ready-file")
            .arg(ready)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
    }

    /// Kills it, as a power cut would.
    pub(super) async fn kill(&self) {
        if let Some(mut child) = self.child.lock().await.take() {
            // It fails only when the process has ended already.
            drop(child.kill().await);
        }
    }
}

impl Hooks for Process {
    fn run<'a>(&'a self, name: &'a str) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            match name {
                "kill_gateway_and_start_again" => {
                    self.kill().await;
                    self.start().await
                }
                _ => Err(format!("there is no action '{name}'")),
            }
        })
    }
}
