//! The release binary with a data folder of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::Failure;
use super::process::Process;

/// A gateway that may be started again on what it stored.
pub(super) struct Gateway {
    /// Before the folder, so that it has ended when that goes.
    pub(super) process: Process,
    folder: TempDir,
    binary: std::path::PathBuf,
}

impl Gateway {
    /// Starts one with an empty store.
    pub(super) fn start(binary: &Path, world: SocketAddr) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("quick.toml"), "[default]\nsay = \"You said: {input}.\"\n")?;
        std::fs::write(folder.path().join("hang.toml"), "[default]\nfail = \"hang\"\n")?;
        let here = free_address()?;
        let config = include_str!("cordboard.toml")
            .replace("\"HERE\"", &format!("\"{here}\""))
            .replace("http://WORLD", &format!("http://{world}"));
        std::fs::write(folder.path().join("cordboard.toml"), config)?;
        let ready = folder.path().join("ready");
        let process = Process::start(serve(binary, folder.path()).arg("--ready-file").arg(&ready), &ready)?;
        Ok(Self { process, folder, binary: binary.to_owned() })
    }

    /// Kills it and starts it on the same folder and address; it may not answer yet.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        let address = self.process.address;
        // Its lock on the folder ends with it.
        self.process.end();
        self.process = Process::spawn(&mut serve(&self.binary, self.folder.path()), address)?;
        Ok(())
    }
}

fn serve(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    // That it is ready is told so often here that it hides what is wrong.
    command.env("CORDBOARD_LOG", "warn").arg("serve").arg("--config").arg(folder.join("cordboard.toml"));
    command
}

/// A port that was free a moment ago: a gateway that is started again must be found where it was.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
