//! `cordboard demo`: everything that can happen, shown without Genesys.
//!
//! The gateway runs as a process of its own, from the same executable, so that one story can kill it. The simulator
//! takes the place of Genesys Cloud. Bots and conversations are part of the executable.

mod process;
mod story;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use simulator::{Registered, Settings, Simulator, Target};
use tempfile::TempDir;

use self::process::Process;
use self::story::{STORIES, Story};
use super::Failed;
use super::rehearsal::set_up;
use super::signals::Signals;
use super::simulate::{Next, explain};
use crate::config::Config;
use crate::http::CredentialsConfig;

const CONFIG: &str = include_str!("demo/cordboard.toml");
const PARCELS: &str = include_str!("../../../../examples/bots/parcels.toml");
const CLUMSY: &str = include_str!("../../../../examples/bots/clumsy.toml");

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cordboard demo             plays, then goes on serving until Ctrl-C
  cordboard demo --once      plays and ends; exit code 0 when everything ended as it must")]
pub(super) struct Arguments {
    /// Ends after the last conversation.
    #[arg(long)]
    once: bool,
    /// The gateway's port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// A demonstration under way.
struct Stage {
    simulator: Simulator,
    process: Arc<Process>,
    integrations: Vec<(String, Arc<Registered>)>,
    folder: TempDir,
    gateway: SocketAddr,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let mut signals = Signals::new()?;
    let stage = Stage::set(arguments.port).await?;
    writeln!(
        out,
        "A gateway with two bots, and a simulated Genesys Cloud that calls it by both bot doors. {} conversations.\n\
         Deadlines are short here, so that nobody has to wait long.",
        STORIES.len()
    )?;
    let mut failed = Vec::new();
    for (n, story) in STORIES.iter().enumerate() {
        let played = tokio::select! {
            biased;
            () = signals.next() => return Err(Failed::because("interrupted")),
            played = stage.play(story) => played?,
        };
        story::show(n + 1, story, &played, out)?;
        if !played.passed {
            failed.push(played.title);
        }
    }
    match failed.as_slice() {
        [] => writeln!(out, "\nAll {} conversations ended as they must.", STORIES.len())?,
        _ => writeln!(out, "\n{} of {} conversations did not end as they must.", failed.len(), STORIES.len())?,
    }
    if !arguments.once {
        stage.look_next(out)?;
        signals.next().await;
    }
    stage.strike().await;
    if failed.is_empty() { Ok(()) } else { Err(Failed::because(failed.join("; "))) }
}

impl Stage {
    async fn set(port: u16) -> Result<Self, Failed> {
        let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() });
        let simulator = simulator.await.map_err(Failed::because)?;
        let folder = tempfile::Builder::new().prefix("cordboard-demo-").tempdir()?;
        let gateway = SocketAddr::from(([127, 0, 0, 1], if port == 0 { free_port()? } else { port }));
        let text = CONFIG.replace("GATEWAY", &gateway.to_string()).replace("SIMULATOR", &simulator.url());
        write_files(folder.path(), &text)?;
        let file = folder.path().join("cordboard.toml");
        let config = Config::load(&file)?;
        let process = Arc::new(Process::new(folder.path()));
        process.start().await.map_err(Failed::Because)?;
        let credentials: CredentialsConfig =
            toml::from_str("x-demo-key = \"the-key-of-the-demonstration\"").map_err(Failed::because)?;
        let integrations = config.connectors.iter().map(|(key, integration)| {
            (key.to_string(), simulator.register(set_up(integration, &credentials, gateway)))
        });
        let integrations = integrations.collect();
        Ok(Self { simulator, process, integrations, folder, gateway })
    }

    async fn play(&self, story: &Story) -> Result<simulator::Played, Failed> {
        let file = story.file().map_err(Failed::because)?;
        let registered = self.integrations.iter().find(|(key, _)| key == story.connector);
        let registered = registered.map(|(_, registered)| registered.clone());
        let target = match file.door {
            simulator::Door::V1 => Target { v1: registered, v2: None },
            simulator::Door::V2 => Target { v2: registered, v1: None },
        };
        Ok(self.simulator.play(&file, &target, self.process.as_ref()).await)
    }

    fn look_next(&self, out: &mut (dyn Write + Send)) -> std::io::Result<()> {
        let folder = self.folder.path().display();
        writeln!(
            out,
            "\nWhere to look next\n\
             \x20 {folder}/cordboard.toml      the configuration of this gateway\n\
             \x20 {folder}/bots/               the dialogues of its bots\n\
             \x20 {folder}/gateway.log         what the gateway logged; no customer's word is in it\n\
             \x20 http://{}/readyz      whether it is ready\n",
            self.gateway
        )?;
        writeln!(out, "Integrations: {}.", self.integrations_in_words())?;
        let digital = self.integrations.iter().position(|(key, _)| key == "digital").unwrap_or_default();
        let next = Next { integration: digital, bot: "parcels", conversation: STORIES.len() + 1 };
        explain(self.simulator.address(), &next, out)
    }

    fn integrations_in_words(&self) -> String {
        let words = self.integrations.iter().enumerate().map(|(n, (key, _))| format!("{n} is {key}"));
        words.collect::<Vec<_>>().join(", ")
    }

    async fn strike(self) {
        self.process.kill().await;
        self.simulator.stop().await;
    }
}

fn write_files(folder: &Path, config: &str) -> std::io::Result<()> {
    std::fs::create_dir(folder.join("bots"))?;
    std::fs::write(folder.join("bots/parcels.toml"), PARCELS)?;
    std::fs::write(folder.join("bots/clumsy.toml"), CLUMSY)?;
    std::fs::write(folder.join("cordboard.toml"), config)
}

/// A port that is free now. It lies below those that systems give out by themselves, so that no connection gets it by
/// chance while the gateway is killed and started again.
fn free_port() -> std::io::Result<u16> {
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    // Two demonstrations at once begin to look in different places.
    let from = PORTS.start + u16::try_from(std::process::id() % 12_000).unwrap_or_default();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let free = (from..PORTS.end).chain(PORTS.start..from).find(is_free);
    free.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::AddrInUse, "no port is free; name one with --port"))
}
