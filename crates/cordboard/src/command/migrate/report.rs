//! The report: what is so now, what will be so, and what is to be done, with where it stands written.

use std::io::{self, Write};

use serde::Serialize;

use super::findings;
use super::shadow::Shadow;
use crate::config::{Config, Written};
use crate::connector::registry::ConnectorConfig;
use crate::connector::{bot_connector, digital_bot_connector};

/// Widest line.
const WIDTH: usize = 110;

/// What changes for a bot.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) bot: String,
    /// The Bot Connector that it is behind; nothing when there is none.
    pub(super) from: Option<Here>,
    /// The Digital Bot Connector that it is to be behind; nothing when there is none yet.
    pub(super) to: Option<String>,
    /// Other Bot Connectors of the bot: each needs a report of its own reading.
    pub(super) also_behind: Vec<String>,
    pub(super) sections: Vec<Section>,
    /// The table to add to the configuration, when there is no such connector yet.
    pub(super) block: Option<Block>,
    /// What the shadow found, when there is one.
    pub(super) shadow: Option<Shadow>,
}

/// A connector that is to be written.
#[derive(Debug, Serialize)]
pub(super) struct Block {
    pub(super) key: String,
    pub(super) toml: String,
}

/// The door that is left.
#[derive(Debug, Serialize)]
pub(super) struct Here {
    pub(super) key: String,
    pub(super) shadow: Option<String>,
}

/// Findings about one thing.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) findings: Vec<Finding>,
}

/// One change.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) now: String,
    pub(super) then: String,
    /// What somebody has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) todo: Option<String>,
    /// Where it stands written.
    pub(super) source: &'static str,
    /// Whether the platform's documents leave it open, and this is a conclusion.
    pub(super) inferred: bool,
}

impl Finding {
    pub(super) fn new(source: &'static str, now: impl Into<String>, then: impl Into<String>) -> Self {
        Self { now: now.into(), then: then.into(), todo: None, source, inferred: false }
    }

    pub(super) fn but(self, todo: impl Into<String>) -> Self {
        Self { todo: Some(todo.into()), ..self }
    }

    pub(super) fn inferred(self) -> Self {
        Self { inferred: true, ..self }
    }
}

impl Report {
    pub(super) fn of(written: &Written, config: &Config, bot: &str) -> Self {
        let offers = |bots: &Option<Vec<String>>| bots.as_ref().is_none_or(|bots| bots.iter().any(|key| key == bot));
        let mut classic = Vec::new();
        let mut digital = Vec::new();
        for (key, connector) in &written.connectors {
            match connector {
                ConnectorConfig::BotConnector(config) if offers(&config.bots) => classic.push((key, config)),
                ConnectorConfig::DigitalBotConnector(config) if offers(&config.bots) => digital.push((key, config)),
                _ => {}
            }
        }
        let mut report = Self {
            bot: bot.to_owned(),
            from: None,
            to: None,
            also_behind: classic.iter().skip(1).map(|(key, _)| (*key).clone()).collect(),
            sections: Vec::new(),
            block: None,
            shadow: None,
        };
        let Some((from, here)) = classic.first() else { return report };
        let there = to(&digital, here);
        report.from = Some(Here { key: (*from).clone(), shadow: here.shadow.clone() });
        report.to = there.map(|(key, _)| key.clone());
        if there.is_none() {
            report.block = Some(block(from, here, bot, written));
        }
        let move_of = Move { key: bot, from, here, to: there, written, config };
        report.sections = findings::all(&move_of);
        report
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let bot = &self.bot;
        let Some(from) = &self.from else {
            return writeln!(out, "bots.{bot} is behind no bot_connector, so there is nothing to move");
        };
        let to = self
            .to
            .as_deref()
            .map_or_else(|| "which is not configured yet".to_owned(), |to| format!("connectors.{to}"));
        writeln!(
            out,
            "bots.{bot}: from the Bot Connector (connectors.{}) to the Digital Bot Connector ({to})",
            from.key
        )?;
        if !self.also_behind.is_empty() {
            writeln!(
                out,
                "It is also behind connectors.{}; this is about the first.",
                self.also_behind.join(", connectors.")
            )?;
        }
        for Section { title, findings } in &self.sections {
            writeln!(out, "\n{title}")?;
            for Finding { now, then, todo, source, inferred } in findings {
                fold(out, "  now   ", now)?;
                fold(out, "  then  ", then)?;
                if let Some(todo) = todo {
                    fold(out, "  do    ", todo)?;
                }
                let inferred = if *inferred { "; inferred, the documents leave it open" } else { "" };
                writeln!(out, "        [{source}{inferred}]")?;
            }
        }
        if let Some(Block { toml, .. }) = &self.block {
            writeln!(out, "\nAdd to the configuration, and set its variables:\n\n{toml}")?;
        }
        match (&self.shadow, &from.shadow) {
            (Some(shadow), _) => write!(out, "\nShadow\n{shadow}"),
            (None, Some(shadow)) => {
                writeln!(
                    out,
                    "\nShadow\n  connectors.{shadow} is compared with from the next reload or start on; nothing was counted yet"
                )
            }
            (None, None) => {
                let (when, to) = match &self.block {
                    None => ("", self.to.as_deref().unwrap_or_default()),
                    Some(block) => ("once the new table is there, ", block.key.as_str()),
                };
                writeln!(out, "\nShadow")?;
                fold(
                    out,
                    "  ",
                    &format!(
                        "{when}write `shadow = \"{to}\"` into [connectors.{}]: every answer is then compared with what the \
                         new door would give, without sending anything, and this command shows what differs",
                        from.key
                    ),
                )
            }
        }
    }
}

/// A line with a head, folded.
fn fold(out: &mut dyn Write, head: &str, text: &str) -> io::Result<()> {
    let mut line = head.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = " ".repeat(head.len());
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    writeln!(out, "{line}")
}

/// A bot on its way from one door to another.
pub(super) struct Move<'a> {
    pub(super) key: &'a str,
    pub(super) from: &'a str,
    pub(super) here: &'a bot_connector::Config,
    pub(super) to: Option<(&'a String, &'a digital_bot_connector::Config)>,
    pub(super) written: &'a Written,
    pub(super) config: &'a Config,
}

/// The shadow, or else the first of the same org.
fn to<'a>(
    digital: &[(&'a String, &'a digital_bot_connector::Config)],
    here: &bot_connector::Config,
) -> Option<(&'a String, &'a digital_bot_connector::Config)> {
    let shadow = digital.iter().find(|(key, _)| here.shadow.as_ref() == Some(*key));
    shadow.or_else(|| digital.iter().find(|(_, config)| config.org == here.org)).copied()
}

/// The new connector's table, with what is other than its default.
fn block(from: &str, here: &bot_connector::Config, bot: &str, written: &Written) -> Block {
    let free = |key: &String| !written.connectors.contains_key(key);
    let names = (0_u32..).map(|n| if n == 0 { format!("{from}-v2") } else { format!("{from}-v2-{n}") });
    let key = names.into_iter().find(free).unwrap_or_default();
    let variable: String =
        key.chars().map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' }).collect();
    let headers = here.credentials.0.keys().enumerate().map(|(index, name)| match index {
        0 => format!("{name} = \"${{{variable}_KEY}}\""),
        more => format!("{name} = \"${{{variable}_KEY_{}}}\"", more + 1),
    });
    let headers: Vec<String> = headers.collect();
    let mut lines = vec![
        format!("[connectors.{key}]"),
        "type = \"digital_bot_connector\"".to_owned(),
        format!("org = \"{}\"", here.org),
        format!("path = \"{}-v2\"", here.path),
        format!("credentials = {{ {} }}", headers.join(", ")),
        format!("bots = [\"{bot}\"]"),
    ];
    for (name, value, usual) in [
        ("start_text", &here.start_text, "__start__"),
        ("channel_parameter", &here.channel_parameter, "channel"),
        ("customer_parameter", &here.customer_parameter, "customer_id"),
    ] {
        if value != usual {
            lines.push(format!("{name} = \"{value}\""));
        }
    }
    lines.push(
        "# The follow-up timeout of the new action; it is 6 hours unless the flow's author changes it.".to_owned(),
    );
    lines.push("# follow_up_timeout_ms = 21600000".to_owned());
    Block { key, toml: lines.join("\n") }
}
