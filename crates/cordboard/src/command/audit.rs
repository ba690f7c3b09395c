//! `cordboard audit`: what operators did.

use std::io::Write;

use clap::Args;

use super::Failed;
use super::at_hand::{Common, print_json, utc};
use crate::admin::audit::{Entry, Trail};
use crate::admin::client::Client;
use crate::admin::view::AuditPage;

#[derive(Debug, Args)]
#[command(after_help = "\
Whatever changed something, and whatever showed what customers or bots said. The entries are lines
of JSON in audit.jsonl in the data folder; past 8 MiB the file becomes audit.1.jsonl, and the one
before that goes.

Example:
  cordboard audit --limit 20 --config cordboard.toml")]
pub(super) struct Arguments {
    /// At most so many, the latest.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failed> {
    let data_dir = arguments.common.config.data_dir()?;
    let page = match Client::reach(&data_dir).await.map_err(Failed::because)? {
        Some(client) => client.audit(arguments.limit).await.map_err(Failed::because)?,
        None => AuditPage { entries: Trail::of(&data_dir).latest(arguments.limit as usize)? },
    };
    if arguments.common.json {
        return print_json(&page, out);
    }
    if page.entries.is_empty() {
        writeln!(out, "no entries")?;
    }
    for Entry { at_ms, role, uid, user, what, on, detail, outcome } in &page.entries {
        let uid = uid.map_or_else(|| "unknown".to_owned(), |uid| format!("uid {uid}"));
        let who = user.as_deref().unwrap_or(&uid);
        let on = on.as_ref().map_or_else(String::new, |on| format!(" {on}"));
        write!(out, "{}  {who} ({role})  {what}{on}: {outcome}", utc(*at_ms))?;
        match detail {
            Some(detail) => writeln!(out, " ({detail})")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}
