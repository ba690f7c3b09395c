//! The command line: what an operator, a bot's author or a build server can ask of the one binary.
//!
//! Each command is a module. They write to the writer they are given, which is standard output; logs go to standard
//! error. What they return decides the exit code: 0 done, 1 failed, 2 called wrongly, 78 a bad configuration.

mod at_hand;
mod audit;
mod bots;
mod chat;
mod check;
mod completions;
mod config;
mod conversations;
mod dead_letters;
mod demo;
mod doctor;
mod healthcheck;
mod lint;
mod log;
mod metrics;
mod migrate;
mod rehearsal;
mod reload;
mod requests;
mod serve;
mod signals;
mod simulate;
mod test;
mod version;

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use model::{BotKey, ConnectorKey, OrgKey};

use crate::config::{Config, Problems, Server, Variables, Written};
use crate::observe::config::LogFormat;

/// `EX_CONFIG` of `sysexits.h`: service managers know it and do not restart.
const BAD_CONFIGURATION: u8 = 78;

/// Plugs any bot into Genesys Cloud.
#[derive(Debug, Parser)]
#[command(name = "cordboard", version = version::line(), after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines are written to standard error; `serve` takes it from the configuration when it is not given.
    #[arg(long, global = true, value_enum)]
    log_format: Option<LogFormat>,
}

const EXAMPLES: &str = "\
Examples:
  cordboard demo
      see everything at work, without Genesys
  cordboard config init
      write a configuration to start from
  cordboard check --config cordboard.toml
      is the configuration right, and what belongs where in Genesys?
  cordboard doctor --config cordboard.toml
      what is wrong with the set-up, and what to do?
  cordboard serve --config cordboard.toml
      run the gateway
  cordboard test conversations/answered-at-once.toml --config cordboard.toml
      play a conversation against the configured bots
  cordboard chat --bot parcels --config cordboard.toml
      talk to a bot as a customer would
  cordboard lint reply.json --channel whatsapp
      what would a customer see of this reply?
  cordboard conversations follow --config cordboard.toml
      what is going on?
  cordboard requests --refused --config cordboard.toml
      why does Genesys get errors?
  cordboard simulate --v2-url http://127.0.0.1:8080/genesys/acme/digital --header x-api-key=SECRET
      a Genesys Cloud of your own, to talk to with curl

CORDBOARD_LOG filters the log: `debug`, or `cordboard::outbox=debug,info`.
Exit codes: 0 done, 1 failed, 2 called wrongly, 78 bad configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway until SIGTERM or Ctrl-C.
    Serve(serve::Arguments),
    /// Checks a configuration, and says what to enter in Genesys.
    Check(check::Arguments),
    /// Lets a running gateway read its configuration again.
    Reload(reload::Arguments),
    /// Writes a configuration to start from, prints its schema, or the values in effect.
    #[command(subcommand)]
    Config(config::Command),
    /// Finds out what is wrong with a set-up, and says what to do: store, network, clock, tokens, permissions, engines.
    Doctor(doctor::Arguments),
    /// Plays everything that can happen against a simulated Genesys Cloud, and shows it.
    Demo(demo::Arguments),
    /// Runs a simulated Genesys Cloud alone, to be led over HTTP.
    Simulate(simulate::Arguments),
    /// Plays conversation files against the configured bots and a simulated Genesys Cloud.
    Test(test::Arguments),
    /// Lets you talk to a configured bot as a customer would, through the gateway and a simulated Genesys Cloud.
    Chat(chat::Arguments),
    /// Shows what a customer would get of a bot's reply on each channel, and what is changed for it.
    Lint(lint::Arguments),
    /// What customers and bots are at: lists conversations, shows where one stands, tells its timeline.
    #[command(subcommand)]
    Conversations(conversations::Command),
    /// The latest calls from Genesys, and why some were refused.
    Requests(requests::Arguments),
    /// What operators did.
    Audit(audit::Arguments),
    /// The bots: takes one out of service or puts it in again; what the platform has to know of them.
    #[command(subcommand)]
    Bots(bots::Command),
    /// What changes when a bot moves to another door, for this configuration.
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Shows the running gateway's metrics.
    Metrics(metrics::Arguments),
    /// What could not be delivered or understood: shows it, tries it again, drops it.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Asks whether the gateway of a configuration answers, for container engines.
    Healthcheck(healthcheck::Arguments),
    /// Writes the completions of a shell.
    Completions(completions::Arguments),
    /// Writes the man pages.
    Man(completions::ManArguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file.
    #[arg(long = "config", short = 'c', value_name = "FILE", env = "CORDBOARD_CONFIG")]
    file: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, Failed> {
        Ok(Config::load(&self.file)?)
    }

    /// For what sends nothing to an org: secrets of orgs and connectors need not be set.
    fn load_without_secrets(&self) -> Result<Written, Failed> {
        Ok(Written::load(&self.file, &Variables::of_the_process().with_stand_ins())?)
    }

    /// For what only wants the data folder: no secret need be set.
    fn data_dir(&self) -> Result<PathBuf, Failed> {
        Ok(self.load_without_any_secret()?.data_dir())
    }

    /// For what only wants to know where a server listens.
    fn server(&self) -> Result<Server, Failed> {
        Ok(self.load_without_any_secret()?.server)
    }

    fn load_without_any_secret(&self) -> Result<Written, Failed> {
        let variables = Variables::of_the_process().with_stand_ins_for_bots_too();
        Ok(Written::load(&self.file, &variables)?)
    }

    /// For what says something about the configuration, and calls nobody: no secret need be set.
    fn load_and_check_without_any_secret(&self) -> Result<(Written, Config), Failed> {
        let checked = || Ok::<_, Failed>((self.load_without_any_secret()?, self.load_without_any_secret()?.check()?));
        checked().or_else(|problems| {
            // What is wrong may be made up, where a variable is no secret; then that it is not set is what to say.
            self.load_without_secrets()?;
            Err(problems)
        })
    }

    /// For what calls the orgs alone: secrets of connectors and bots need not be set.
    fn load_for_orgs(&self) -> Result<Config, Failed> {
        let variables = Variables::of_the_process().with_stand_ins_but_for_orgs();
        let checked = || Ok::<_, Failed>(Written::load(&self.file, &variables)?.check()?);
        checked().or_else(|problems| {
            self.load()?;
            Err(problems)
        })
    }

    /// The bots that are configured, by key.
    fn bots(&self) -> Result<Vec<BotKey>, Failed> {
        Ok(self.load_without_any_secret()?.bots.keys().map(|key| key.as_str().into()).collect())
    }

    /// The orgs and the connectors that are configured, by key.
    fn outside_names(&self) -> Result<(Vec<OrgKey>, Vec<ConnectorKey>), Failed> {
        let written = self.load_without_any_secret()?;
        let orgs = written.orgs.keys().map(|key| key.as_str().into()).collect();
        Ok((orgs, written.connectors.keys().map(|key| key.as_str().into()).collect()))
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Failed {
    /// The configuration is wrong.
    Misconfigured(Problems),
    /// A running gateway found it wrong, and said why.
    BadThere(String),
    /// Something else, in words for the operator; empty when everything was said already.
    Because(String),
}

impl Failed {
    fn because(reason: impl fmt::Display) -> Self {
        Self::Because(reason.to_string())
    }
}

impl From<Problems> for Failed {
    fn from(problems: Problems) -> Self {
        Self::Misconfigured(problems)
    }
}

impl From<io::Error> for Failed {
    /// Of the writer: whoever read the output has gone, or the disk is full.
    fn from(error: io::Error) -> Self {
        Self::Because(if error.kind() == io::ErrorKind::BrokenPipe { String::new() } else { error.to_string() })
    }
}

/// Runs the command that the process was called with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if !matches!(cli.command, Command::Serve(_)) {
        log::start(cli.log_format, None);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Failed::because(format!("cannot start: {error}")))),
    };
    let outcome = runtime.block_on(run(cli.command, cli.log_format, &mut io::stdout()));
    // A reader that blocks must not keep the process.
    runtime.shutdown_background();
    ended(outcome)
}

async fn run(command: Command, log_format: Option<LogFormat>, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    match command {
        Command::Serve(arguments) => serve::run(arguments, log_format).await,
        Command::Check(arguments) => check::run(&arguments, out).await,
        Command::Reload(arguments) => reload::run(&arguments, out).await,
        Command::Config(command) => config::run(&command, out),
        Command::Doctor(arguments) => doctor::run(&arguments, out).await,
        Command::Demo(arguments) => demo::run(&arguments, out).await,
        Command::Simulate(arguments) => simulate::run(arguments, out).await,
        Command::Test(arguments) => test::run(&arguments, out).await,
        Command::Chat(arguments) => chat::run(&arguments, out).await,
        Command::Lint(arguments) => lint::run(&arguments, out),
        Command::Conversations(command) => conversations::run(&command, out).await,
        Command::Requests(arguments) => requests::run(&arguments, out).await,
        Command::Audit(arguments) => audit::run(&arguments, out).await,
        Command::Bots(command) => bots::run(&command, out).await,
        Command::Migrate(command) => migrate::run(&command, out).await,
        Command::Metrics(arguments) => metrics::run(&arguments, out).await,
        Command::DeadLetters(command) => dead_letters::run(&command, out).await,
        Command::Healthcheck(arguments) => healthcheck::run(&arguments, out).await,
        Command::Completions(arguments) => completions::run(&arguments, out),
        Command::Man(arguments) => completions::man(&arguments, out),
    }
}

#[expect(clippy::print_stderr, reason = "this is where a command says why it failed")]
fn ended(outcome: Result<(), Failed>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Misconfigured(problems)) => {
            // Lines of the file are for a person who looks at it, not for a log.
            match io::stderr().is_terminal() {
                _ if problems.iter().next().is_none() => {}
                true => eprintln!("{}", problems.with_excerpts()),
                false => eprintln!("{problems}"),
            }
            ExitCode::from(BAD_CONFIGURATION)
        }
        Err(Failed::BadThere(said)) => {
            eprintln!("{said}");
            ExitCode::from(BAD_CONFIGURATION)
        }
        Err(Failed::Because(reason)) => {
            if !reason.is_empty() {
                eprintln!("cordboard: {}", at_hand::plain(&reason));
            }
            ExitCode::FAILURE
        }
    }
}
