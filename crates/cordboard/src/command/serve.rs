//! `cordboard serve`.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::signals::{Signals, hangup};
use super::{ConfigFile, Failed, log};
use crate::observe::config::LogFormat;
use crate::serve::{Options, serve};

#[derive(Debug, Args)]
#[command(after_help = "\
The first SIGTERM or Ctrl-C stops in order: readiness goes off, requests are still answered for `drain_ms`, and calls to \
engines may end within `grace_ms`. The second one stops at once. Nothing that was acknowledged is lost either way.
\
SIGHUP reads the configuration again, as `cordboard reload` does; a bad one changes nothing.

Example:
  cordboard serve --config /etc/cordboard/cordboard.toml --log-format json")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Written when requests are answered: the address on one line.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, log_format: Option<LogFormat>) -> Result<(), Failed> {
    let mut signals = Signals::new()?;
    let mut hangup = hangup()?;
    let config = arguments.config.load()?;
    log::start(log_format, Some(&config.observe.log));
    let options = Options { ready_file: arguments.ready_file };
    let stop = CancellationToken::new();
    let twice = async {
        signals.next().await;
        stop.cancel();
        signals.next().await;
    };
    tokio::select! {
        biased;
        served = serve(config, &options, stop.cancelled(), &mut hangup) => served.map_err(Failed::because),
        () = twice => Err(Failed::because("stopped at once, by a second signal")),
    }
}
