//! `cordboard requests`: the latest calls of platforms, and why some were refused. Only a running server knows them.

use std::io::Write;

use clap::Args;

use super::Failed;
use super::at_hand::{Common, print_json, print_json_line, server, utc};
use super::signals::Signals;
use crate::admin::view::CallView;

const WAIT_MS: u64 = 20_000;

#[derive(Debug, Args)]
#[command(after_help = "\
The latest 200 calls that were answered and the latest 200 that were refused, since the server
started. No bodies, no values of headers, no queries. A call that is not here never reached
Cordboard: look at the proxy, the firewall and the address in the platform's integration.

Examples:
  cordboard requests --refused --config cordboard.toml
  cordboard requests --follow --config cordboard.toml")]
pub(super) struct Arguments {
    /// Only calls that were refused, or taken and not understood.
    #[arg(long)]
    refused: bool,
    /// Goes on telling until Ctrl-C.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let data_dir = arguments.common.config.data_dir()?;
    let what = "calls are remembered by a running server only; start one with `cordboard serve`";
    let client = server(&data_dir, what).await?;
    let page = client.requests(0, arguments.refused, 0).await.map_err(Failed::because)?;
    if !arguments.follow {
        if arguments.common.json {
            return print_json(&page, out);
        }
        if page.requests.is_empty() {
            writeln!(out, "no calls since the server started")?;
        }
        return page.requests.iter().try_for_each(|call| print_call(call, out));
    }
    let mut signals = Signals::new()?;
    let mut page = page;
    loop {
        for call in &page.requests {
            if arguments.common.json { print_json_line(call, out)? } else { print_call(call, out)? }
        }
        out.flush()?;
        page = tokio::select! {
            biased;
            () = signals.next() => return Ok(()),
            page = client.requests(page.after, arguments.refused, WAIT_MS) => page.map_err(Failed::because)?,
        };
    }
}

fn print_call(call: &CallView, out: &mut dyn Write) -> Result<(), Failed> {
    let status = call.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
    let place = call.connector.as_deref().unwrap_or("-");
    let took = format!("{} ms", call.took_ms);
    write!(out, "{}  {status}  {took:>9}  {place:<12}  {} {}", utc(call.at_ms), call.method, call.path)?;
    if let Some(client) = &call.client {
        write!(out, "  from {client}")?;
    }
    if let Some(correlation) = &call.correlation_id {
        write!(out, "  correlation {correlation}")?;
    }
    writeln!(out)?;
    if let Some(reason) = &call.reason {
        let advice = call.advice.as_deref().map(|advice| format!(": {advice}")).unwrap_or_default();
        writeln!(out, "{:>26}{reason}{advice}", "")?;
    }
    Ok(())
}
