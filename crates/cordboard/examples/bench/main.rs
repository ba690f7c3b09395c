//! What a message costs: the release binary in a process of its own, called over loopback as a platform calls it, and
//! controls on the same HTTP stack in turns with it.
//!
//! `scripts/bench` builds both and runs it. CPU is user and system time of the gateway's process alone, as the kernel
//! counts it. Load and duration are bounded; nothing leaves the machine, and what is started ends with it.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

mod aims;
mod control;
mod disk;
mod gateway;
mod load;
mod process;
mod report;
mod world;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gateway::Gateway;
use load::{Load, Script, Talk};
use process::{Process, Used};
use report::{CEILING, Figures, Findings, Life, Row, Table};
use tempfile::TempDir;
use world::World;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How much is measured.
struct Extent {
    rounds: usize,
    long: Duration,
    connections: Vec<usize>,
    /// Conversations in memory, and in the store.
    open: u64,
    stored: u64,
    starts: usize,
    /// One case beside the ceiling at 64 connections, and nothing else: to look into it.
    only: Option<String>,
}

impl Extent {
    fn named(name: &str) -> Option<Self> {
        let all = |rounds, ms, open, stored| Self {
            rounds,
            long: Duration::from_millis(ms),
            connections: vec![1, 64, 256],
            open,
            stored,
            starts: 5,
            only: None,
        };
        match name {
            "" => Some(all(5, 2_000, 10_000, 100_000)),
            "--long" => Some(all(11, 4_000, 10_000, 100_000)),
            "--quick" => Some(all(2, 1_000, 10_000, 100_000)),
            "--smoke" => Some(Self { connections: vec![8], starts: 1, ..all(1, 200, 200, 400) }),
            _ => None,
        }
    }
}

/// Who is called.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Ceiling,
    CommitEach,
    CommitShared,
    Gateway,
    /// A gateway of its own for each run: what hangs in it would be in the way of the next.
    FreshGateway,
    World,
}

struct Case {
    key: &'static str,
    name: &'static str,
    at: At,
    script: Script,
}

const fn case(key: &'static str, name: &'static str, at: At, script: Script) -> Case {
    Case { key, name, at, script }
}

const fn script(talk: Talk, path: &'static str, bot: &'static str, messages_each: u64) -> Script {
    Script { talk, path, bot, messages_each }
}

/// One question and as many messages as may wait behind it, in one conversation.
const HUNG: u64 = 9;
const USUAL: u64 = 30;

const CASES: &[Case] = &[
    case(CEILING, "ceiling: nothing stored", At::Ceiling, script(Talk::Acknowledged, "/digital", "quick", USUAL)),
    case(
        "commit_each",
        "control: a commit for each request",
        At::CommitEach,
        script(Talk::Acknowledged, "/digital", "quick", USUAL),
    ),
    case(
        "commit_shared",
        "control: the bare store, commits shared",
        At::CommitShared,
        script(Talk::Acknowledged, "/digital", "quick", USUAL),
    ),
    case("acknowledged", "acknowledgement", At::FreshGateway, script(Talk::Acknowledged, "/at-once", "hang", HUNG)),
    case(
        "first",
        "acknowledgement, each the first of a conversation",
        At::FreshGateway,
        script(Talk::Acknowledged, "/at-once", "hang", 1),
    ),
    case(
        "script",
        "turn answered in the response, bot in the gateway",
        At::Gateway,
        script(Talk::Answered, "/digital", "quick", USUAL),
    ),
    case(
        "answered",
        "turn answered in the response, webhook bot",
        At::Gateway,
        script(Talk::Answered, "/digital", "hook", USUAL),
    ),
    case(
        "pushed",
        "turn acknowledged and pushed, webhook bot",
        At::Gateway,
        script(Talk::Pushed, "/at-once", "hook", USUAL),
    ),
    case("bot", "the bot alone", At::World, script(Talk::ToBot, "", "hook", USUAL)),
    case("platform", "the platform alone", At::World, script(Talk::ToPlatform, "", "hook", USUAL)),
];

/// What is measured again on a full store; what hangs comes last, since it leaves no place for other calls of bots.
const ON_A_FULL_STORE: [&[&str]; 2] = [&[CEILING, "answered", "pushed"], &[CEILING, "acknowledged"]];
const ON_A_FULL_STORE_CONNECTIONS: usize = 64;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    if argument(0) == "--control" {
        let folder = Some(Path::new(argument(2))).filter(|folder| !folder.as_os_str().is_empty());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(control::serve(Path::new(argument(1)), folder, argument(3).parse().unwrap_or(1)));
    }
    let json = arguments.iter().any(|argument| argument == "--json");
    let only = arguments.iter().find_map(|argument| argument.strip_prefix("--case="));
    let mut rest = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| *argument != "--json" && !argument.starts_with("--case="));
    let (Some(binary), Some(extent)) = (rest.next(), Extent::named(rest.next().unwrap_or_default())) else {
        return Err("bench BINARY [--quick | --long | --smoke] [--json] [--case=KEY]".into());
    };
    let extent = match only {
        Some(only) => Extent { only: Some(only.to_owned()), connections: vec![64], ..extent },
        None => extent,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let findings = runtime.block_on(async { Bench::start(Path::new(binary), extent).await?.run().await })?;
    if json {
        let whole = serde_json::json!({ "findings": findings, "aims": aims::judge(&findings) });
        println!("{}", serde_json::to_string_pretty(&whole)?);
    } else {
        println!("{}", findings.markdown()?);
    }
    Ok(())
}

/// Everything that runs for the whole of the measurement.
struct Bench {
    binary: PathBuf,
    extent: Extent,
    world: World,
    ceiling: Process,
    commit_each: Process,
    commit_shared: Process,
    gateway: Gateway,
    peak_mb: f64,
    folder: TempDir,
}

fn control(ready: &Path, store: Option<(&Path, usize)>) -> Result<Process, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--control").arg(ready);
    if let Some((folder, batch_max)) = store {
        command.arg(folder).arg(batch_max.to_string());
    }
    Process::start(&mut command, ready)
}

impl Bench {
    async fn start(binary: &Path, extent: Extent) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let world = World::start().await?;
        Ok(Self {
            binary: binary.to_owned(),
            extent,
            ceiling: control(&at("ceiling"), None)?,
            commit_each: control(&at("each"), Some((&at("commit-each"), 1)))?,
            commit_shared: control(&at("shared"), Some((&at("commit-shared"), 256)))?,
            gateway: Gateway::start(binary, world.address)?,
            world,
            peak_mb: 0.0,
            folder,
        })
    }

    async fn run(mut self) -> Result<Findings, Failure> {
        let (mut tables, mut sync_over_ms, mut sync_grown_ms) = (Vec::new(), Vec::new(), Vec::new());
        let only = self.extent.only.clone();
        let cases: Vec<&Case> = CASES
            .iter()
            .filter(|case| case.key == CEILING || only.as_ref().is_none_or(|only| only == case.key))
            .collect();
        for connections in self.extent.connections.clone() {
            let mut rows = rows(cases.iter().copied());
            for round in 0..self.extent.rounds {
                for (case, row) in cases.iter().zip(&mut rows) {
                    say(&format!("{connections} at once, round {}: {}", round + 1, case.name))?;
                    row.runs.push(self.measure(case, connections).await?);
                }
                let sync = disk::sync(self.folder.path(), self.extent.long / 4)?;
                sync_over_ms.push(sync.over_ms);
                sync_grown_ms.push(sync.grown_ms);
            }
            tables.push(Table { connections, rows });
        }
        let life = if only.is_none() { Some(self.life().await?) } else { None };
        say("")?;
        Ok(Findings { tables, sync_over_ms, sync_grown_ms, peak_mb: self.peak_mb, life })
    }

    async fn measure(&mut self, case: &Case, connections: usize) -> Result<Figures, Failure> {
        let process = match case.at {
            At::Ceiling => Some(&self.ceiling),
            At::CommitEach => Some(&self.commit_each),
            At::CommitShared => Some(&self.commit_shared),
            At::Gateway => Some(&self.gateway.process),
            At::World => None,
            At::FreshGateway => {
                let fresh = Gateway::start(&self.binary, self.world.address)?;
                let figures = self.load(case, Some(&fresh.process), connections).await?;
                self.peak_mb = self.peak_mb.max(fresh.process.peak_mb()?);
                return Ok(figures);
            }
        };
        let figures = self.load(case, process, connections).await?;
        self.peak_mb = self.peak_mb.max(self.gateway.process.peak_mb()?);
        Ok(figures)
    }

    async fn load(&self, case: &Case, process: Option<&Process>, connections: usize) -> Result<Figures, Failure> {
        let to = process.map_or(self.world.address, |process| process.address);
        let used = || process.map_or(Ok(Used { cpu_us: f64::NAN, ..Used::default() }), Process::used);
        let load = Load::start(to, case.script, connections, &self.world.pushed()).await?;
        tokio::time::sleep(self.extent.long / 4).await;
        load.begin();
        let (before, began) = (used()?, Instant::now());
        tokio::time::sleep(self.extent.long).await;
        let (took, used) = (began.elapsed(), used()? - before);
        let mut times = load.end().await?;
        times.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
        let count = times.len().max(1) as f64;
        Ok(Figures {
            cpu_us: used.cpu_us / count,
            writer_us: used.writer_us / count,
            checkpoint_us: used.checkpoint_us / count,
            per_second: count / took.as_secs_f64(),
            p50_ms: report::place(&times, 50),
            p99_ms: report::place(&times, 99),
            written_kb: used.written_bytes / 1_024.0 / count,
        })
    }

    /// Memory, and how soon a gateway with a full store answers.
    async fn life(&mut self) -> Result<Life, Failure> {
        let (open, stored) = (self.extent.open, self.extent.stored);
        let each_its_own = script(Talk::Answered, "/digital", "quick", 1);
        let mut gateway = Gateway::start(&self.binary, self.world.address)?;
        let pushed = self.world.pushed();
        tokio::time::sleep(self.extent.long / 2).await;
        let idle_mb = gateway.process.resident_mb()?;
        say(&format!("{open} open conversations"))?;
        Load::say(open, gateway.process.address, each_its_own, 64, &pushed).await?;
        tokio::time::sleep(self.extent.long / 2).await;
        let open_mb = gateway.process.resident_mb()?;
        say(&format!("{stored} stored conversations"))?;
        Load::say(stored - open, gateway.process.address, each_its_own, 256, &pushed).await?;
        let stored_mb = gateway.process.resident_mb()?;
        let mut first_2xx_s = Vec::new();
        for _ in 0..self.extent.starts {
            gateway.restart()?;
            let began = Instant::now();
            while Load::say(1, gateway.process.address, each_its_own, 1, &pushed).await.is_err() {
                if gateway.process.has_ended()? {
                    return Err("a gateway did not start again; what it said stands above".into());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            first_2xx_s.push(began.elapsed().as_secs_f64());
        }
        let mut full = Vec::new();
        for keys in ON_A_FULL_STORE {
            full.push(self.on(&gateway, keys).await?);
        }
        Ok(Life { idle_mb, open, open_mb, stored, stored_mb, first_2xx_s, full })
    }

    /// Some cases once more, on this gateway.
    async fn on(&self, gateway: &Gateway, keys: &[&str]) -> Result<Table, Failure> {
        let connections = ON_A_FULL_STORE_CONNECTIONS;
        let cases: Vec<&Case> = CASES.iter().filter(|case| keys.contains(&case.key)).collect();
        let mut rows = rows(cases.iter().copied());
        for round in 0..self.extent.rounds {
            for (case, row) in cases.iter().zip(&mut rows) {
                say(&format!("full store, round {}: {}", round + 1, case.name))?;
                let process = if case.at == At::Ceiling { &self.ceiling } else { &gateway.process };
                row.runs.push(self.load(case, Some(process), connections).await?);
            }
        }
        Ok(Table { connections, rows })
    }
}

fn rows<'a>(cases: impl Iterator<Item = &'a Case>) -> Vec<Row> {
    cases.map(|case| Row { key: case.key, name: case.name, runs: Vec::new() }).collect()
}

/// What is going on, for whoever waits, on one line that is written over.
fn say(what: &str) -> Result<(), Failure> {
    write!(std::io::stderr(), "\r\x1b[K{what}")?;
    std::io::stderr().flush()?;
    Ok(())
}
