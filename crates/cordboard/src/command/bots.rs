//! `cordboard bots`: the bots, taking one out of service, and the lists of bots as the platform takes them.
//!
//! A running server is told through its admin socket; when none runs, the store is, and the next start goes by it.

mod push;

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use model::{BotKey, Timestamp};

use super::at_hand::{AtHand, Common, beside_now, now_ms, print_json};
use super::{ConfigFile, Failed};
use crate::admin::audit::{Entry, Trail};
use crate::admin::look;
use crate::admin::view::{BotPage, BotView, OutView, ServiceView, TokensView};
use crate::config::unknown;
use crate::connector::registry::Integration;
use crate::service::REASON_MAX_CHARS;
use crate::store::OutOfService;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lists the bots and which are out of service; with --door, what the platform has to know of them.
    List(List),
    /// Registers the bots of a Bot Connector (v1) with Genesys, or says how the list there differs.
    Push(push::Arguments),
    /// Takes a bot out of service: its new turns ask no engine and go to humans, until it is enabled again.
    Disable(Disable),
    /// Puts a bot in service again.
    Enable(Enable),
}

#[derive(Debug, Args)]
#[command(after_help = "\
It survives restarts and reloads. Readiness is not affected: the gateway goes on answering, and
hands over.

Examples:
  cordboard bots disable parcels --reason 'the parcel service is down' --config cordboard.toml
  cordboard bots disable parcels --reason 'it promises refunds' --now --config cordboard.toml")]
pub(super) struct Disable {
    /// The bot, by its table key.
    bot: String,
    /// Why, in at most 200 characters. Agents who get its conversations read it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Hands every open conversation of the bot to a human at once.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cordboard bots enable parcels --config cordboard.toml")]
pub(super) struct Enable {
    /// The bot, by its table key.
    bot: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Genesys Cloud reads the manifest of a v2 integration by itself. The list of a v1 integration is sent
to it by `cordboard bots push`; what is printed here can also be sent by other means, as the body of
PUT /api/v2/integrations/botconnector/INTEGRATION_ID/bots, which replaces the whole list.

Example:
  cordboard bots list --door v1 --config cordboard.toml > bots.json")]
pub(super) struct List {
    /// Prints what a platform has to know: the manifest (v2), or the body of the `PUT` (v1).
    #[arg(long, value_enum)]
    door: Option<Door>,
    /// Which connector, by its table key; needed when several have that door.
    #[arg(long, value_name = "KEY", requires = "door")]
    connector: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Door {
    /// Bot Connector.
    V1,
    /// Digital Bot Connector.
    V2,
}

pub(super) async fn run(command: &Command, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    match command {
        Command::List(List { door: Some(door), connector, common }) => {
            for_platform(*door, connector.as_deref(), &common.config, out)
        }
        Command::List(list) => list_all(&list.common, out).await,
        Command::Push(arguments) => push::run(arguments, out).await,
        Command::Disable(disable) => take_out(disable, out).await,
        Command::Enable(enable) => put_in(enable, out).await,
    }
}

async fn list_all(common: &Common, out: &mut dyn Write) -> Result<(), Failed> {
    let page = match AtHand::of(&common.config.data_dir()?).await? {
        AtHand::Running(client) => client.bots().await.map_err(Failed::because)?,
        AtHand::Resting(store, _) => {
            let open = look::open_by_bot(store.as_ref()).await.map_err(Failed::because)?;
            let out_of_service = store.out_of_service().await.map_err(Failed::because)?;
            let bots = common.config.bots()?.into_iter().map(|bot| {
                let service = out_of_service.iter().find(|service| service.bot == bot);
                BotView { out_of_service: service.map(Into::into), ..BotView::new(&bot, true, &open) }
            });
            BotPage { bots: bots.collect() }
        }
    };
    if common.json {
        return print_json(&page, out);
    }
    for BotView { bot, configured, open_conversations, tokens, out_of_service } in &page.bots {
        let spent = |TokensView { input, output }| format!(", tokens since the start: {input} read, {output} written");
        let tokens = tokens.map(spent).unwrap_or_default();
        let configured = if *configured { "" } else { ", not configured any more" };
        match out_of_service {
            None => writeln!(out, "{bot}: in service{configured}, open conversations: {open_conversations}{tokens}")?,
            Some(OutView { since_ms, reason, who }) => writeln!(
                out,
                "{bot}: OUT OF SERVICE since {} by {who}{configured}: {reason}; open conversations: {open_conversations}{tokens}",
                beside_now(*since_ms, now_ms())
            )?,
        }
    }
    Ok(())
}

async fn take_out(disable: &Disable, out: &mut dyn Write) -> Result<(), Failed> {
    let Disable { bot, reason, now, common } = disable;
    let view = match AtHand::of(&common.config.data_dir()?).await? {
        AtHand::Running(client) => client.disable(bot, reason, *now).await.map_err(Failed::because)?,
        AtHand::Resting(..) if *now => {
            return Err(Failed::because(
                "no server runs, and only a server hands conversations over; without --now, its next start takes the bot \
                 out of service",
            ));
        }
        AtHand::Resting(store, data_dir) => {
            let bot = known(bot, &common.config.bots()?)?;
            let reason = reason.trim();
            if !(1..=REASON_MAX_CHARS).contains(&reason.chars().count()) {
                return Err(Failed::because(crate::service::Error::Reason));
            }
            let entry = Entry::of_owner(Timestamp(now_ms()), "bots disable", bot.as_str(), "done");
            let who = entry.user.clone().unwrap_or_else(|| "the owner of the data folder".to_owned());
            let since = Timestamp(now_ms());
            let service = OutOfService { bot: bot.clone(), since, reason: reason.to_owned(), who };
            let before = store.out_of_service().await.map_err(Failed::because)?;
            store.disable(service).await.map_err(Failed::because)?;
            Trail::of(&data_dir).enter(&Entry { detail: Some(reason.to_owned()), ..entry })?;
            let open = look::open_by_bot(store.as_ref()).await.map_err(Failed::because)?;
            let again = before.iter().any(|service| service.bot == bot);
            let outcome = if again { "was_disabled" } else { "disabled" };
            ServiceView::new(outcome, &bot, &open)
        }
    };
    if common.json {
        return print_json(&view, out);
    }
    match view.outcome.as_str() {
        "disabled" => writeln!(out, "{bot} is out of service; its new turns go to humans")?,
        _ => writeln!(out, "{bot} was out of service already; the reason is replaced")?,
    }
    if let Some(handed_over) = view.handed_over {
        writeln!(out, "handed over to humans now: {handed_over}")?;
    }
    if view.open_conversations > 0 {
        writeln!(
            out,
            "open conversations with it: {}; each goes to a human with the customer's next message",
            view.open_conversations
        )?;
    }
    Ok(())
}

async fn put_in(enable: &Enable, out: &mut dyn Write) -> Result<(), Failed> {
    let Enable { bot, common } = enable;
    let view = match AtHand::of(&common.config.data_dir()?).await? {
        AtHand::Running(client) => client.enable(bot).await.map_err(Failed::because)?,
        AtHand::Resting(store, data_dir) => {
            let out_of_service = store.out_of_service().await.map_err(Failed::because)?;
            let mut there = common.config.bots()?;
            there.extend(out_of_service.into_iter().map(|service| service.bot));
            let bot = known(bot, &there)?;
            let was_out = store.enable(bot.clone()).await.map_err(Failed::because)?;
            Trail::of(&data_dir).enter(&Entry::of_owner(Timestamp(now_ms()), "bots enable", bot.as_str(), "done"))?;
            let open = look::open_by_bot(store.as_ref()).await.map_err(Failed::because)?;
            ServiceView::new(if was_out { "enabled" } else { "was_enabled" }, &bot, &open)
        }
    };
    if common.json {
        return print_json(&view, out);
    }
    match view.outcome.as_str() {
        "enabled" => writeln!(out, "{bot} is in service again")?,
        _ => writeln!(out, "{bot} was in service; nothing changed")?,
    }
    Ok(())
}

fn known(name: &str, there: &[BotKey]) -> Result<BotKey, Failed> {
    let names: Vec<&str> = there.iter().map(BotKey::as_str).collect();
    let found = there.iter().find(|bot| bot.as_str() == name);
    found.cloned().ok_or_else(|| Failed::because(unknown("bot", name, &names)))
}

/// The list of bots as the platform takes it.
fn for_platform(door: Door, connector: Option<&str>, config: &ConfigFile, out: &mut dyn Write) -> Result<(), Failed> {
    let (_, config) = config.load_and_check_without_any_secret()?;
    let of_the_door = config.connectors.iter().filter(|(key, integration)| {
        let its_door = match integration {
            Integration::DigitalBotConnector(_) => Door::V2,
            Integration::BotConnector(_) => Door::V1,
        };
        its_door == door && connector.is_none_or(|wanted| wanted == key.as_str())
    });
    let found: Vec<_> = of_the_door.collect();
    let body = match found.as_slice() {
        [] => {
            let keys: Vec<&str> = config.connectors.keys().map(|key| key.as_str()).collect();
            return Err(Failed::because(format!(
                "no connector of this door and name is configured; there are: {}",
                keys.join(", ")
            )));
        }
        [(_, Integration::DigitalBotConnector(connector))] => connector.manifest(),
        [(_, Integration::BotConnector(connector))] => connector.bot_list(),
        several => {
            let keys: Vec<&str> = several.iter().map(|(key, _)| key.as_str()).collect();
            return Err(Failed::because(format!(
                "several connectors have this door; choose one with --connector: {}",
                keys.join(", ")
            )));
        }
    };
    let body: serde_json::Value = serde_json::from_slice(&body).map_err(Failed::because)?;
    writeln!(out, "{body:#}")?;
    Ok(())
}
