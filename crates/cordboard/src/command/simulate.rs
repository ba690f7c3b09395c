//! `cordboard simulate`: the simulator alone, led over HTTP or by conversation files.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use simulator::{Integration, NoHooks, Settings, Simulator, Target};

use super::Failed;
use super::signals::Signals;
use super::test::{read_files, show};
use crate::words::some;

#[derive(Debug, Args)]
#[command(after_help = "\
The gateway's configuration names the simulator as its org:
  [orgs.simulated]
  api_url = \"http://127.0.0.1:8090\"
  login_url = \"http://127.0.0.1:8090\"
  client_id = \"simulated-client\"
  client_secret = \"simulated-secret\"

examples/simulated.toml is such a configuration. Beside a gateway that serves it:
  cordboard bots list --door v1 --config examples/simulated.toml > bots.json
  cordboard simulate --header x-api-key=the-key-of-the-examples \\
    --v2-url http://127.0.0.1:8080/genesys/digital \\
    --v1-url http://127.0.0.1:8080/genesys/classic --v1-bots bots.json

With --script it plays conversation files instead of waiting for curl:
  cordboard simulate --header x-api-key=the-key-of-the-examples \\
    --v2-url http://127.0.0.1:8080/genesys/digital --script conversations/answered-at-once.toml")]
pub(super) struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8090)]
    port: u16,
    /// A v2 integration: the base URI, to which `/bots` and `/messages` are appended.
    #[arg(long, value_name = "URL", value_parser = url)]
    v2_url: Option<String>,
    /// A v1 integration: the handle-utterance URL.
    #[arg(long, value_name = "URL", value_parser = url)]
    v1_url: Option<String>,
    /// The v1 integration's bots: what `cordboard bots list --door v1 --config FILE` printed. Without it, `cordboard bots
    /// push` can send them, to the integration id `v1`.
    #[arg(long, value_name = "FILE")]
    v1_bots: Option<PathBuf>,
    /// A credential field, sent as a header on every call. May be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The OAuth client that the gateway shows.
    #[arg(long, default_value = "simulated-client")]
    client_id: String,
    /// Its secret.
    #[arg(long, default_value = "simulated-secret")]
    client_secret: String,
    /// Conversation files to play; the simulator ends after the last one.
    #[arg(long, value_name = "FILES", num_args = 1..)]
    script: Vec<PathBuf>,
}

fn url(text: &str) -> Result<String, String> {
    if ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.to_owned());
    }
    Err("a URL begins with http:// or https://, such as http://127.0.0.1:8080/genesys/digital".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a header is written as name=value".to_owned()),
    }
}

impl Arguments {
    fn integrations(&self) -> Result<(Option<Integration>, Option<Integration>), Failed> {
        let complete = |integration: Integration| {
            let integration = integration.client(&self.client_id, &self.client_secret);
            self.headers.iter().fold(integration, |integration, (name, value)| integration.header(name, value))
        };
        let v2 = self.v2_url.as_ref().map(|url| complete(Integration::v2(url).id("v2")));
        let v1 = match (&self.v1_url, &self.v1_bots) {
            (Some(url), None) => Some(complete(Integration::v1(url).id("v1"))),
            (Some(url), Some(file)) => {
                let cannot = |error: &dyn std::fmt::Display| {
                    let file = file.display();
                    Failed::because(format!(
                        "{file}: {error}; make it with `cordboard bots list --door v1 --config FILE > {file}`"
                    ))
                };
                let bots = std::fs::read(file).map_err(|error| cannot(&error))?;
                let bots = serde_json::from_slice(&bots).map_err(|error| cannot(&error))?;
                Some(complete(Integration::v1(url).id("v1").bots(bots)))
            }
            _ => None,
        };
        if v2.is_none() && v1.is_none() {
            return Err(Failed::because("nothing to call: give --v2-url, --v1-url, or both; --help has an example"));
        }
        Ok((v2, v1))
    }
}

pub(super) async fn run(arguments: Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let mut signals = Signals::new()?;
    let (v2, v1) = arguments.integrations()?;
    let settings = Settings { port: arguments.port, ..Settings::default() };
    if !arguments.script.is_empty() {
        return play(&arguments, settings, (v2, v1), out).await;
    }
    let known = v1.as_ref().and_then(first_bot);
    let integrations = v2.into_iter().chain(v1).collect();
    let mut said = Ok(());
    let bot = known.as_deref().unwrap_or("KEY-OF-A-BOT");
    let started = |address| said = explain(address, &Next { integration: 0, bot, conversation: 1 }, out);
    simulator::serve_forever(settings, integrations, started, signals.next()).await.map_err(Failed::because)?;
    Ok(said?)
}

/// A bot of the list that a v1 integration was given; a v2 integration's bots are not read before a flow wants them.
fn first_bot(integration: &Integration) -> Option<String> {
    let bots = integration.bot_list.as_ref()?.get("chatBots")?;
    bots.get(0)?.get("id")?.as_str().map(str::to_owned)
}

async fn play(
    arguments: &Arguments,
    settings: Settings,
    (v2, v1): (Option<Integration>, Option<Integration>),
    out: &mut (dyn Write + Send),
) -> Result<(), Failed> {
    let files = read_files(&arguments.script)?;
    let simulator = Simulator::start(settings).await.map_err(Failed::because)?;
    let target = Target {
        v2: v2.map(|integration| simulator.register(integration)),
        v1: v1.map(|integration| simulator.register(integration)),
    };
    let mut failed = 0;
    for (_, file) in &files {
        let played = simulator.play(file, &target, &NoHooks).await;
        show(&played, false, out)?;
        failed += usize::from(!played.passed);
    }
    simulator.stop().await;
    if failed == 0 {
        Ok(())
    } else {
        Err(Failed::because(format!("{failed} of {} failed", some(files.len(), "conversation"))))
    }
}

/// What a reader may type next.
pub(super) struct Next<'a> {
    pub(super) integration: usize,
    pub(super) bot: &'a str,
    /// The number that the next conversation will get.
    pub(super) conversation: usize,
}

/// Says how to talk to a bot.
pub(super) fn explain(address: SocketAddr, next: &Next<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    let base = format!("http://{address}/control");
    let Next { integration, bot, conversation } = next;
    let one = format!("{base}/conversations/{conversation}");
    writeln!(
        out,
        "The simulator answers on http://{address}. Lead a conversation with curl:\n\
         \n\
         curl -s {base}/integrations\n\
         curl -s {base}/conversations -d '{{\"integration\": {integration}, \"bot\": \"{bot}\"}}'\n\
         curl -s {one}/say -d '{{\"text\": \"hello\"}}'\n\
         curl -s '{one}/next?patience_ms=5000'\n\
         curl -s {one}/tap -d '{{\"label\": \"OK\"}}'\n\
         curl -s {one}/text      # what Genesys received and what the customer saw\n\
         curl -s {base}/record/text               # the same of all conversations\n\
         \n\
         Ctrl-C ends it."
    )?;
    out.flush()
}
