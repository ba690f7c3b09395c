//! `cordboard metrics`: the metrics page, by the operator's socket.

use std::io::Write;

use clap::Args;

use super::{ConfigFile, Failed};
use crate::admin::client::Client;

#[derive(Debug, Args)]
#[command(after_help = "\
The same page is answered on `metrics_listen` of [observe], for a collector. What each metric means stands in \
docs/reference/metrics.md.

Example:
  cordboard metrics --config cordboard.toml | grep cordboard_outbox")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let data_dir = arguments.config.data_dir()?;
    let Some(client) = Client::connect(&data_dir).await else {
        return Err(Failed::because(format!(
            "no gateway runs on {}; start it with `cordboard serve`, or name its configuration with --config",
            data_dir.display()
        )));
    };
    let text = client.metrics().await.map_err(Failed::because)?;
    out.write_all(text.as_bytes())?;
    Ok(())
}
