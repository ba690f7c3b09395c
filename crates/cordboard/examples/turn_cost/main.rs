//! What a whole turn costs: the release binary in a process of its own, called over loopback as a platform calls it.
//!
//! `scripts/measure` builds both and runs it: `turn_cost BINARY [seconds] [rounds]`.
//!
//! CPU is user and system time of the gateway's process alone, as the kernel counts it. Every figure stands beside that
//! of a ceiling taken in the same minute: the same listener, the same check of credentials and the same reading of the
//! message, and then a constant answer with nothing stored. Load and duration are bounded; nothing leaves the machine.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

mod bot;
mod ceiling;
mod load;
mod process;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use load::Load;
use process::Process;
use tempfile::TempDir;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many connections talk at once.
const MANY: usize = 64;
/// As many wait at once where a wait lasts 100 ms.
const WAITING: usize = 512;

/// What one run gave.
struct Figures {
    cpu_us: f64,
    per_second: f64,
    p50_us: u128,
    p99_us: u128,
    written_kb: f64,
}

/// What is measured, and whether its answer is in the response.
struct Case {
    name: &'static str,
    path: &'static str,
    bot: &'static str,
    answered: bool,
}

const CEILING: Case = Case { name: "ceiling, nothing stored", path: "/digital", bot: "quick", answered: true };
const SCRIPT: Case = Case { name: "turn, bot in the gateway", path: "/digital", bot: "quick", answered: true };
const WEBHOOK: Case = Case { name: "turn, bot behind a webhook", path: "/digital", bot: "hook", answered: true };
const LATE: Case = Case { name: "acknowledged at the deadline", path: "/late", bot: "hang", answered: false };

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--ceiling") => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(ceiling::serve(Path::new(arguments.get(1).ok_or("no file for the address")?)))
        }
        Some(binary) => {
            let number = |index: usize, default: u64| arguments.get(index).map_or(Ok(default), |text| text.parse());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(measure(Path::new(binary), Duration::from_secs(number(1, 3)?), number(2, 5)?))
        }
        None => Err("turn_cost BINARY [seconds] [rounds]".into()),
    }
}

/// A gateway with an empty store.
fn gateway(binary: &Path, bot: &str) -> Result<(Process, TempDir), Failure> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("quick.toml"), "[default]\nsay = \"You said: {input}.\"\n")?;
    std::fs::write(folder.path().join("hang.toml"), "[default]\nfail = \"hang\"\n")?;
    let config = folder.path().join("cordboard.toml");
    std::fs::write(&config, include_str!("cordboard.toml").replace("BOT", bot))?;
    let ready = folder.path().join("ready");
    let config: PathBuf = config;
    let process = Process::start(
        std::process::Command::new(binary).arg("serve").arg("--config").arg(config).arg("--ready-file").arg(&ready),
        &ready,
    )?;
    Ok((process, folder))
}

async fn measure(binary: &Path, long: Duration, rounds: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let ready = folder.path().join("ready");
    let own = std::env::current_exe()?;
    let ceiling = Process::start(std::process::Command::new(own).arg("--ceiling").arg(&ready), &ready)?;
    let (address, _bot) = bot::start().await?;
    let (gateway_process, _data) = gateway(binary, &address.to_string())?;
    println!("resident when it starts: {:.0} MB", gateway_process.resident_mb()?);
    for connections in [MANY, 1] {
        println!("\n{connections} connection(s), {rounds} rounds of {long:?} each; the median of each figure");
        let cases = [(&CEILING, &ceiling), (&SCRIPT, &gateway_process), (&WEBHOOK, &gateway_process)];
        let mut all: Vec<Vec<Figures>> = cases.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for ((case, process), figures) in cases.iter().zip(&mut all) {
                figures.push(run(case, process, connections, long).await?);
            }
        }
        for ((case, _), figures) in cases.iter().zip(&all) {
            show(case, figures, &all[0]);
        }
    }
    println!("\nresident after the load: {:.0} MB", gateway_process.resident_mb()?);
    drop(gateway_process);

    println!(
        "\n{WAITING} connections whose bot never answers, a wait of 100 ms each, one run of {long:?} after a warm-up"
    );
    let (late, _data) = gateway(binary, &address.to_string())?;
    let ceiling_figures = [run(&CEILING, &ceiling, MANY, long).await?];
    let figures = [run(&LATE, &late, WAITING, long).await?];
    show(&LATE, &figures, &ceiling_figures);
    println!("resident with as many open turns as that left: {:.0} MB", late.resident_mb()?);
    Ok(())
}

async fn run(case: &Case, process: &Process, connections: usize, long: Duration) -> Result<Figures, Failure> {
    let load = Load::start(process.address, case.path, case.bot, case.answered, connections).await?;
    tokio::time::sleep(long / 4).await;
    load.begin();
    let (cpu, written, began) = (process.cpu_us()?, process.written_bytes()?, Instant::now());
    tokio::time::sleep(long).await;
    let took = began.elapsed();
    let (cpu, written) = (process.cpu_us()? - cpu, process.written_bytes()? - written);
    let mut times = load.end().await?;
    times.sort_unstable();
    let place = |percent: usize| times.get(times.len() * percent / 100).map_or(0, Duration::as_micros);
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let (count, written) = (times.len().max(1) as f64, written as f64);
    Ok(Figures {
        cpu_us: cpu / count,
        per_second: count / took.as_secs_f64(),
        p50_us: place(50),
        p99_us: place(99),
        written_kb: written / 1_024.0 / count,
    })
}

fn show(case: &Case, figures: &[Figures], ceiling: &[Figures]) {
    let median = |of: &dyn Fn(&Figures) -> f64| {
        let mut values: Vec<f64> = figures.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mut ratios: Vec<f64> = figures.iter().zip(ceiling).map(|(one, ceiling)| one.cpu_us / ceiling.cpu_us).collect();
    ratios.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "figures for a reader")]
    let times = (median(&|one| one.p50_us as f64 / 1_000.0), median(&|one| one.p99_us as f64 / 1_000.0));
    println!(
        "  {:30} {:6.1} us CPU ({:4.1} x the ceiling's), {:6.0} per second, p50 {:6.2} ms, p99 {:6.2} ms, {:5.1} KB written",
        case.name,
        median(&|one| one.cpu_us),
        ratios[ratios.len() / 2],
        median(&|one| one.per_second),
        times.0,
        times.1,
        median(&|one| one.written_kb),
    );
}
