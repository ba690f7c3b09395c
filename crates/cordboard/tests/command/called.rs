//! How the binary is called.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::stopping::PATIENCE;

/// The binary with these arguments, in the repository's folder.
pub(crate) fn cordboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordboard"));
    command
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .env_remove("CORDBOARD_LOG")
        .env_remove("CORDBOARD_CONFIG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) async fn run(arguments: &[&str]) -> Output {
    cordboard(arguments).output().await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a command says that succeeds.
pub(crate) async fn said(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

/// The same, of one that speaks JSON.
pub(crate) async fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&said(arguments).await).unwrap()
}

pub(crate) fn file(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A gateway in a process of its own.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Served {
    pub(crate) async fn start(folder: &Path, config: &str) -> Self {
        let ready = folder.join("ready");
        drop(std::fs::remove_file(&ready));
        let child = cordboard(&["serve", "--config", config, "--ready-file", &ready.display().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self::of(child, folder).await
    }

    /// One that was started, once it is ready.
    pub(crate) async fn of(mut child: Child, folder: &Path) -> Self {
        let ready = folder.join("ready");
        let address = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(address) = std::fs::read_to_string(&ready) {
                    return address.trim().to_owned();
                }
                assert_eq!(child.try_wait().unwrap(), None, "the gateway ended");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let address = address.await.unwrap();
        Self { child, address }
    }

    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
    }

    /// It is told to stop, as a service manager tells it, and does so in order.
    pub(crate) async fn stops(self) {
        self.signal("-TERM").await;
        assert_eq!(self.ended().await, Some(0));
    }

    /// The exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code()
    }
}
