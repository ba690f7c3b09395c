//! `cordboard chat`: you are the customer. The configured bot answers through gateway and simulator, and every line that
//! was late, cut, in another form, or not the bot's own says why.
//!
//! The configuration rehearses, as for `cordboard test`: no org is contacted, nothing is kept. What was said and seen can
//! be saved as a conversation file, so that a good conversation becomes a test.

mod asked;
mod draw;
mod offered;
mod saved;
mod session;
mod terminal;
mod told;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use model::{BotKey, Channel};
use simulator::{Door, FlowSettings};

use self::asked::Asked;
use self::draw::{Line, Tone};
use self::session::Session;
use self::terminal::{Lines, Screen};
use self::told::{Cast, Teller};
use super::rehearsal::{Offer, Rehearsal, word};
use super::signals::Signals;
use super::{ConfigFile, Failed};
use crate::config::{Written, unknown};
use crate::engine::EngineConfig;

/// Who types waits so long for an answer before the next prompt.
const PROMPT_AFTER: Duration = Duration::from_millis(1_500);
const GONE: &str = "the customer has gone; /reset begins a new conversation";

#[derive(Debug, Args)]
#[command(after_help = "\
You type what the customer says, and the number of something offered to tap it; /help shows what else can be typed. \
Genesys is never contacted: a simulator takes its place, and secrets of orgs and connectors that are not set in the \
environment do not matter. The bot's engine is asked as configured.

Examples:
  cordboard chat --bot parcels --config cordboard.toml
  cordboard chat --bot parcels --door v1 --channel sms --config cordboard.toml
  printf 'hello\\n1\\n' | cordboard chat --bot parcels --save tracked.toml --config cordboard.toml")]
pub(super) struct Arguments {
    /// The bot, by its table key. Default: the only one.
    #[arg(long, value_name = "BOT")]
    bot: Option<String>,
    #[command(flatten)]
    config: ConfigFile,
    /// The door: v2 is the Digital Bot Connector, v1 the Bot Connector. Default: the one that has the bot, v2 first.
    #[arg(long, value_parser = asked::door)]
    door: Option<Door>,
    /// What the customer uses, as the flow would say it: `web_messaging`, `sms`, `whatsapp`, ... Default: the flow does
    /// not say.
    #[arg(long, value_parser = asked::channel)]
    channel: Option<Channel>,
    /// The flow's language. Default: the bot's first.
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Reads what is typed from a file, a line each; `-` reads what is piped in.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Saves the conversation as a conversation file when the chat ends, in place of one that is there.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Whom the customer talks to.
struct Bot {
    key: String,
    /// What answers for it, in words.
    engine: String,
    address: Option<String>,
    /// Whether it says the same each time.
    fixed: bool,
    languages: Vec<String>,
}

/// How the next conversation begins.
struct Setting {
    door: Door,
    channel: Option<Channel>,
    language: String,
}

struct Chat<'a> {
    rehearsal: &'a Rehearsal,
    bot: Bot,
    setting: Setting,
    session: Session,
    /// Files that this chat wrote, which it may write again.
    written: BTreeSet<PathBuf>,
    /// The conversation before, for whoever saves too late.
    before: Option<saved::Conversation>,
    screen: Screen<'a>,
    traced: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut (dyn Write + Send)) -> Result<(), Failed> {
    let mut signals = Signals::new()?;
    let written = arguments.config.load_without_secrets()?;
    let key = choose(&written, arguments.bot.as_deref())?;
    let engine = written.bots[&key].engine.clone();
    let languages = written.bots[&key].face.languages.clone();
    if let Some(file) = &arguments.save {
        saved::writable(file).map_err(|why| Failed::because(format!("--save: {why}")))?;
    }
    let (mut lines, screen) = terminal::open(arguments.script.as_deref(), out)?;
    let rehearsal = Rehearsal::start(written).await?;
    let bot = Bot::of(key, &engine, languages, &rehearsal);
    let outcome = async {
        let setting = Setting::of(arguments, &bot, &rehearsal)?;
        let session = open(&rehearsal, &bot, &setting).await?;
        let (written, before) = (BTreeSet::new(), None);
        let mut chat = Chat { rehearsal: &rehearsal, bot, setting, session, written, before, screen, traced: false };
        chat.introduce(&lines)?;
        tokio::select! {
            biased;
            () = signals.next() => {}
            talked = chat.talk(&mut lines) => talked?,
        }
        match &arguments.save {
            Some(file) => chat.save(file).and_then(|saved| saved.map_err(Failed::Because)),
            None => Ok(()),
        }
    };
    let outcome = outcome.await;
    drop(lines);
    rehearsal.stop().await?;
    outcome
}

/// The bot that is named, or the only one.
fn choose(written: &Written, named: Option<&str>) -> Result<String, Failed> {
    let known: Vec<&str> = written.bots.keys().map(String::as_str).collect();
    match (named, known.as_slice()) {
        (Some(named), _) if written.bots.contains_key(named) => Ok(named.to_owned()),
        (Some(named), _) => {
            let there = known.join(", ");
            Err(Failed::because(format!("{}; the configuration has {there}", unknown("bot", named, &[]))))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, known) => Err(Failed::because(format!("say whom to talk to with --bot: {}", known.join(", ")))),
    }
}

impl Bot {
    fn of(key: String, config: &EngineConfig, languages: Vec<String>, rehearsal: &Rehearsal) -> Self {
        let roster = rehearsal.gateway.shared().roster();
        let engine = roster.engines.get(&BotKey::from(key.as_str()));
        let address = engine.and_then(|engine| engine.address()).and_then(bare);
        let fixed = engine.is_none_or(|engine| !engine.traits().history);
        let engine = match (config, &address) {
            (EngineConfig::Script(script), _) => format!("script {}", script.file.display()),
            (other, Some(address)) => format!("{} at {address}", other.kind()),
            (other, None) => other.kind().to_owned(),
        };
        Self { key, engine, address, fixed, languages }
    }
}

/// Scheme, host and port: path and query may hold what is secret.
fn bare(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    let port = url.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme_str()?, url.host()?))
}

impl Setting {
    fn of(arguments: &Arguments, bot: &Bot, rehearsal: &Rehearsal) -> Result<Self, Failed> {
        let door = match arguments.door {
            Some(door) => door,
            None if rehearsal.choose(Door::V2, &bot.key, None).is_some() => Door::V2,
            None => Door::V1,
        };
        let language = match &arguments.language {
            Some(wanted) => language(wanted, &bot.languages).map_err(Failed::Because)?,
            None => bot.languages.first().cloned().unwrap_or_default(),
        };
        Ok(Self { door, channel: arguments.channel, language })
    }
}

/// The bot's language that is meant: `de` means `de-de` where there is nothing nearer.
fn language(wanted: &str, known: &[String]) -> Result<String, String> {
    let wanted = wanted.to_lowercase();
    let longer = |known: &&String| known.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('-'));
    let found = known.iter().find(|known| **known == wanted).or_else(|| known.iter().find(longer));
    found.cloned().ok_or_else(|| format!("the bot does not speak `{wanted}`; its languages are {}", known.join(", ")))
}

/// Begins a conversation; nothing is sent before the customer's first words.
async fn open(rehearsal: &Rehearsal, bot: &Bot, setting: &Setting) -> Result<Session, Failed> {
    let offer = offer(rehearsal, bot, setting.door).map_err(Failed::Because)?;
    let mut parameters = BTreeMap::new();
    if let Some(channel) = setting.channel {
        if offer.channel_parameter.is_empty() {
            let why = "`channel_parameter` is empty, so no flow can say what the customer uses";
            return Err(Failed::because(format!("connectors.{}: {why}", offer.key)));
        }
        // A flow of the simulator says it as `channel`, where the connector is not told to read another variable.
        if offer.channel_parameter != "channel" {
            parameters.insert(offer.channel_parameter.to_owned(), channel.word().to_owned());
        }
    }
    let channel = setting.channel.map(seen);
    let flow = FlowSettings {
        language: setting.language.clone(),
        parameters: parameters.clone(),
        channel,
        ..FlowSettings::default()
    };
    let conversation = rehearsal.simulator.conversation(offer.registered, &bot.key, flow).await;
    let conversation = conversation.map_err(Failed::because)?;
    let cast = Cast { bot: bot.key.clone(), connector: offer.key.to_owned(), address: bot.address.clone() };
    let saved = saved::Conversation {
        door: setting.door,
        bot: bot.key.clone(),
        language: setting.language.clone(),
        channel,
        parameters,
        happened: Vec::new(),
        longest_ms: 0,
    };
    Ok(Session::new(rehearsal.gateway.shared().clone(), conversation, Teller::new(cast), bot.fixed, saved))
}

/// The simulator's word for a channel: it shares no type with the product.
const fn seen(channel: Channel) -> simulator::Channel {
    match channel {
        Channel::WebMessaging => simulator::Channel::WebMessaging,
        Channel::Sms => simulator::Channel::Sms,
        Channel::WhatsApp => simulator::Channel::WhatsApp,
        Channel::Messenger => simulator::Channel::Messenger,
        Channel::Apple => simulator::Channel::Apple,
        Channel::Instagram => simulator::Channel::Instagram,
        Channel::Line => simulator::Channel::Line,
        Channel::Open => simulator::Channel::Open,
        Channel::Voice => simulator::Channel::Voice,
    }
}

fn offer<'a>(rehearsal: &'a Rehearsal, bot: &Bot, door: Door) -> Result<Offer<'a>, String> {
    rehearsal.choose(door, &bot.key, None).ok_or_else(|| {
        let (bot, there) = (&bot.key, rehearsal.in_words());
        format!("no connector of the door {} has the bot '{bot}'; there are: {there}", word(door))
    })
}

impl Chat<'_> {
    fn introduce(&mut self, lines: &Lines) -> Result<(), Failed> {
        let mut text = vec![format!("{} ({}), {}", self.bot.key, self.bot.engine, self.setting_in_words())];
        if lines.are_typed() {
            text.push(
                "You are the customer. /help shows what can be typed, /open lets the bot speak first.".to_owned(),
            );
        }
        self.dim(&text)
    }

    fn setting_in_words(&self) -> String {
        let channel = self.setting.channel.map_or("not said", Channel::word);
        format!("door {}, channel {channel}, language {}", word(self.setting.door), self.setting.language)
    }

    fn dim(&mut self, text: &[String]) -> Result<(), Failed> {
        let columns = self.screen.columns();
        let lines = text.iter().flat_map(|text| draw::wrapped(&draw::harmless(text), columns));
        let lines: Vec<Line> = lines.map(|line| Line::new(Tone::Dim, line)).collect();
        Ok(self.screen.show(&lines)?)
    }

    fn note(&mut self, text: &str) -> Result<(), Failed> {
        let lines = draw::note(text, self.screen.columns());
        Ok(self.screen.show(&lines)?)
    }

    /// Until the end of input, or `/quit`.
    async fn talk(&mut self, lines: &mut Lines) -> Result<(), Failed> {
        loop {
            // Who types may go on while the bot thinks; a script is patient, so that it goes the same each time.
            let most = lines.are_typed().then_some(PROMPT_AFTER);
            self.session.until_quiet(most, &mut self.screen, self.traced).await?;
            lines.want();
            let line = loop {
                tokio::select! {
                    biased;
                    line = lines.next() => break line,
                    () = self.session.news() => {
                        self.session.tell(&mut self.screen, self.traced).await?;
                    }
                }
            };
            let Some(line) = line else { return Ok(()) };
            self.screen.echo(&draw::harmless(&line))?;
            match asked::read(&line, &self.session.offered) {
                Asked::Quit => return Ok(()),
                asked => self.follow(asked).await?,
            }
        }
    }

    async fn follow(&mut self, asked: Asked) -> Result<(), Failed> {
        match asked {
            Asked::Nothing | Asked::Quit => Ok(()),
            Asked::Unknown(why) => self.note(&why),
            Asked::Help => {
                let lines: Vec<Line> =
                    asked::help(self.screen.columns()).into_iter().map(|line| Line::new(Tone::Dim, line)).collect();
                Ok(self.screen.show(&lines)?)
            }
            Asked::Say(text) => {
                let heard = self.session.say(&text).await;
                self.unheard(heard)
            }
            Asked::Tap(number) => {
                let heard = self.session.tap(number);
                self.unheard(heard)
            }
            Asked::Open => self.open_first(),
            Asked::Trace(None) => {
                let lines = self.session.trace(self.screen.columns()).await?;
                Ok(self.screen.show(&lines)?)
            }
            Asked::Trace(Some(traced)) => {
                self.traced = traced;
                self.note(if traced { "every hop is shown from now on" } else { "hops are shown no more" })
            }
            Asked::Wait(time) => self.session.wait(time, &mut self.screen, self.traced).await,
            Asked::Channel(None) => {
                let known = Channel::ALL.map(Channel::word).join(", ");
                self.note(&format!("{}; there are: {known}", self.setting_in_words()))
            }
            Asked::Channel(Some(channel)) => {
                let setting = Setting { channel: Some(channel), ..self.setting_now() };
                self.begin(setting).await
            }
            Asked::Door(door) => {
                let setting = Setting { door, ..self.setting_now() };
                self.begin(setting).await
            }
            Asked::Language(wanted) => match language(&wanted, &self.bot.languages) {
                Ok(language) => {
                    let setting = Setting { language, ..self.setting_now() };
                    self.begin(setting).await
                }
                Err(why) => self.note(&why),
            },
            Asked::Set(name, value) => {
                self.session.set(&name, &value);
                self.note(&format!("the flow says {name} = {value} from the next input on"))
            }
            Asked::Engine => self.engine(),
            Asked::Save(file) => self.save_new(Path::new(&file)),
            Asked::Leave => {
                self.session.leave();
                Ok(())
            }
            Asked::Return => self.back_to_the_bot(),
            Asked::Reset => {
                let setting = self.setting_now();
                self.begin(setting).await
            }
        }
    }

    fn setting_now(&self) -> Setting {
        Setting { language: self.setting.language.clone(), ..self.setting }
    }

    fn unheard(&mut self, heard: bool) -> Result<(), Failed> {
        if heard {
            return Ok(());
        }
        self.note(match self.session.conversation.path() {
            Some(simulator::Path::CustomerLeft) => GONE,
            _ => "no bot listens: the flow has left it; /reset begins a new conversation, /return gives this one back",
        })
    }

    /// The flow calls the bot before the customer said anything, by the text that opens.
    fn open_first(&mut self) -> Result<(), Failed> {
        let offer = match offer(self.rehearsal, &self.bot, self.setting.door) {
            Ok(offer) => offer,
            Err(why) => return self.note(&why),
        };
        if offer.start_text.is_empty() {
            return self.note(&format!("connectors.{}: `start_text` is empty, so no flow can open", offer.key));
        }
        let heard = self.session.open(offer.start_text);
        self.unheard(heard)
    }

    /// A new conversation; the one before can still be saved while nothing was said.
    async fn begin(&mut self, setting: Setting) -> Result<(), Failed> {
        match open(self.rehearsal, &self.bot, &setting).await {
            Ok(session) => {
                let before = std::mem::replace(&mut self.session, session);
                before.conversation.leave();
                if !before.saved().is_empty() {
                    self.before = Some(before.saved().clone());
                }
                self.setting = setting;
                self.dim(&[format!("-- a new conversation: {}", self.setting_in_words())])
            }
            Err(Failed::Because(why)) => self.note(&why),
            Err(other) => Err(other),
        }
    }

    fn back_to_the_bot(&mut self) -> Result<(), Failed> {
        match self.session.conversation.path() {
            Some(simulator::Path::CustomerLeft) => self.note(GONE),
            Some(_) => {
                self.session.back_to_the_bot();
                self.note("the flow is at the bot again: what is said next opens a new session of it")
            }
            None => self.note("the flow is at the bot; nothing has to be given back"),
        }
    }

    fn engine(&mut self) -> Result<(), Failed> {
        let policies = self.rehearsal.gateway.shared().roster().policies.clone();
        let deadline = policies.of(&self.bot.key.as_str().into()).hard_deadline_ms;
        let deadline = trace::span(Duration::from_millis(deadline));
        let text = format!("{}: {}, answers within {deadline} (hard_deadline_ms)", self.bot.key, self.bot.engine);
        self.note(&text)?;
        let call = self.session.last_call();
        self.note(&call)
    }

    /// Keeps the conversation in a file that nobody else wrote: tests are worked on after they were saved.
    fn save_new(&mut self, file: &Path) -> Result<(), Failed> {
        if file.exists() && !self.written.contains(file) {
            return self.note(&format!("not saved: {} is there already; name another file", file.display()));
        }
        match self.save(file)? {
            Ok(()) => Ok(()),
            Err(why) => self.note(&format!("not saved: {why}; name another file")),
        }
    }

    /// Keeps the conversation; the one before when nothing was said in this one yet.
    fn save(&mut self, file: &Path) -> Result<Result<(), String>, Failed> {
        let saved = match (self.session.saved(), &self.before) {
            (now, Some(before)) if now.is_empty() => before,
            (now, _) => now,
        };
        if saved.is_empty() {
            return self.note("nothing was said yet, so there is nothing to save").map(Ok);
        }
        if let Err(why) = saved::writable(file) {
            return Ok(Err(why));
        }
        if let Err(error) = std::fs::write(file, saved.to_file()) {
            return Ok(Err(format!("{}: {error}", file.display())));
        }
        self.written.insert(file.to_owned());
        let file = file.display();
        self.note(&format!("saved; `cordboard test {file} --config …` plays it, and fails when the bot changes"))
            .map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_beginning() {
        let known = ["en-us", "de-de", "pt", "pt-br"].map(str::to_owned);
        for (wanted, found) in [("de", "de-de"), ("EN-US", "en-us"), ("pt", "pt")] {
            assert_eq!(language(wanted, &known).as_deref(), Ok(found));
        }
        let wrong = language("d", &known).unwrap_err();
        assert_eq!(wrong, "the bot does not speak `d`; its languages are en-us, de-de, pt, pt-br");
    }

    #[test]
    fn nothing_of_an_address_is_shown_but_where_it_is() {
        let table = [
            ("https://user:word@bots.example:8443/hooks/T0KEN?key=1", Some("https://bots.example:8443")),
            ("http://127.0.0.1:9000/", Some("http://127.0.0.1:9000")),
            ("/relative", None),
        ];
        for (url, shown) in table {
            assert_eq!(bare(url).as_deref(), shown);
        }
    }
}
