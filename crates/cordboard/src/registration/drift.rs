//! Whether bots still declare what their platform knows under the same version.
//!
//! Of each version the first declaration and the latest are known. A flow holds the one that was current when it was
//! published, which nobody tells us; so a version is in order only when both are what the bot declares now. Whoever takes a
//! change back is in order again, though a flow that was published meanwhile is not: what was between is not remembered.

use std::collections::BTreeMap;
use std::fmt;

use model::ConnectorKey;

use super::Known;
use crate::connector::bots::{DONE_INTENT, HAND_OVER_INTENT};
use crate::connector::declared::{Change, Declaration, Declared};
use crate::connector::registry::Integration;
use crate::store::Store;

/// More changes than this are counted instead of told.
const CHANGES_TOLD: usize = 4;
/// More intents than this are counted instead of named.
const INTENTS_NAMED: usize = 6;

/// What was found of one bot at one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which connector, by its table key.
    pub connector: String,
    /// Which bot, by its table key.
    pub bot: String,
    /// The version that is configured.
    pub version: String,
    /// Whether the platform is sent its bots (v1); else it reads them.
    pub is_sent: bool,
    /// How it stands.
    pub state: State,
    /// A version that the platform does not know yet.
    next_version: Option<String>,
}

/// How a version stands at its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The platform does not know the version.
    Unknown {
        /// The latest version that it knows, and since when.
        earlier: Option<(String, i64)>,
    },
    /// It knows what is declared.
    InOrder {
        /// Since when.
        since_ms: i64,
    },
    /// It knows something else.
    Changed {
        /// Since when.
        since_ms: i64,
        /// The intents that it knows.
        intents: Vec<String>,
        /// What is otherwise now.
        changes: Vec<Change>,
    },
    /// It knows what is declared, and knew something else under the same version before.
    ChangedBefore {
        /// When it came to know the former.
        first_ms: i64,
        /// And the present one.
        latest_ms: i64,
        /// What was changed.
        changes: Vec<Change>,
    },
}

/// What is found of every bot at every connector.
#[must_use]
pub fn examine<'a>(
    integrations: impl IntoIterator<Item = (&'a ConnectorKey, &'a Integration)>,
    known: &[Known],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, integration) in integrations {
        let is_sent = matches!(integration, Integration::BotConnector(_));
        let declarations = integration.declarations();
        findings.extend(declarations.iter().map(|declaration| finding(key, is_sent, declaration, known)));
    }
    findings
}

/// One line for each bot whose declaration changed under its version, as the running gateway's store knows it.
pub async fn warnings(store: &dyn Store, integrations: &BTreeMap<ConnectorKey, Integration>) -> Vec<String> {
    match store.manifests().await {
        Ok(manifests) => told(&examine(integrations, &Known::all(&manifests))),
        Err(error) => vec![format!("whether bots changed under their versions cannot be told: {error}")],
    }
}

/// One line for each finding that is drift.
#[must_use]
pub fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| finding.is_drift()).map(ToString::to_string).collect()
}

fn finding(connector: &ConnectorKey, is_sent: bool, declaration: &Declaration, known: &[Known]) -> Finding {
    let Declaration { bot, version, declared } = declaration;
    let of_the_bot: Vec<&Known> =
        known.iter().filter(|known| known.connector == connector.as_str() && known.bot == bot.as_str()).collect();
    let state = match of_the_bot.iter().find(|known| known.version == **version) {
        None => {
            let latest = of_the_bot.iter().max_by_key(|known| known.latest_ms);
            State::Unknown { earlier: latest.map(|known| (known.version.clone(), known.latest_ms)) }
        }
        Some(known) if known.latest != *declared => State::Changed {
            since_ms: known.latest_ms,
            intents: own_intents(&known.latest),
            changes: known.latest.changes_to(declared),
        },
        Some(known) if known.first != *declared => State::ChangedBefore {
            first_ms: known.first_ms,
            latest_ms: known.latest_ms,
            changes: known.first.changes_to(declared),
        },
        Some(known) => State::InOrder { since_ms: known.first_ms },
    };
    // The bot has one version at all its connectors.
    let is_free = |version: &str| !known.iter().any(|known| known.bot == bot.as_str() && known.version == version);
    Finding {
        connector: connector.to_string(),
        bot: bot.to_string(),
        version: version.to_string(),
        is_sent,
        state,
        next_version: next_version(version, is_free),
    }
}

/// The intents that a bot's author wrote: not those that each bot has.
fn own_intents(declared: &Declared) -> Vec<String> {
    let given = |name: &str| {
        [DONE_INTENT, HAND_OVER_INTENT].contains(&name) || crate::connector::bot_connector::is_of_the_connector(name)
    };
    declared.intents().filter(|name| !given(name)).map(str::to_owned).collect()
}

/// The version after one that ends in a number; `3` → `4`, `1.9` → `1.10`. Others are not guessed.
pub(crate) fn next_version(version: &str, is_free: impl Fn(&str) -> bool) -> Option<String> {
    let (front, last) = version.rsplit_once('.').map_or(("", version), |(front, last)| (front, last));
    if !last.bytes().all(|byte| byte.is_ascii_digit()) || !front.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let number: u64 = last.parse().ok()?;
    let after = |number: u64| if front.is_empty() { number.to_string() } else { format!("{front}.{number}") };
    (1..=1_000).filter_map(|more| number.checked_add(more)).map(after).find(|version| is_free(version))
}

impl Finding {
    /// Whether published flows may hold something else than the bot declares.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self.state, State::Changed { .. } | State::ChangedBefore { .. })
    }

    /// What was found, without whose it is.
    #[must_use]
    pub fn found(&self) -> String {
        let (version, connector) = (&self.version, &self.connector);
        let through = format!("through connectors.{connector}");
        let (known, unknown, as_known) = match self.is_sent {
            true => (
                format!("version {version} was sent to Genesys {through}"),
                format!("version {version} was not sent to Genesys {through} yet"),
                format!("version {version} is as it was sent to Genesys {through}"),
            ),
            false => (
                format!("Genesys read version {version} {through}"),
                format!("Genesys has not read version {version} {through} yet"),
                format!("version {version} is as Genesys read it {through}"),
            ),
        };
        match &self.state {
            State::Unknown { earlier: None } => unknown,
            State::Unknown { earlier: Some((earlier, at_ms)) } => {
                format!("{unknown}; it knows version {earlier}, since {}", day(*at_ms))
            }
            State::InOrder { since_ms } => format!("{as_known} on {}", day(*since_ms)),
            State::Changed { since_ms, intents, changes } => {
                format!("{known} on {} {}; now {}", day(*since_ms), with_intents(intents), sentence(changes))
            }
            State::ChangedBefore { first_ms, latest_ms, changes } => format!(
                "{known} on {}, and otherwise on {} ({}): a flow that was published between them holds the former",
                day(*first_ms),
                day(*latest_ms),
                sentence(changes)
            ),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next_step(&self) -> String {
        let action = if self.is_sent { "Call Bot Connector" } else { "Call Digital Bot Connector" };
        let send = if self.is_sent { "send the list again (cordboard bots push), " } else { "" };
        match &self.state {
            State::Unknown { earlier: None } if self.is_sent => {
                "cordboard bots push sends it; then choose it in the Call Bot Connector action, and publish the flow"
                    .to_owned()
            }
            State::Unknown { .. } => format!("{send}choose it in the {action} action, and publish the flow"),
            State::InOrder { .. } => "nothing".to_owned(),
            State::Changed { .. } | State::ChangedBefore { .. } => {
                let raise = match &self.next_version {
                    Some(next) => format!("raise `version` to \"{next}\""),
                    None => "give it another `version`".to_owned(),
                };
                format!("{raise}, {send}choose it in the {action} action, and publish the flow")
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "bots.{}: {}: {}", self.bot, self.found(), self.next_step())
    }
}

fn with_intents(intents: &[String]) -> String {
    match intents {
        [] => "without intents of its own".to_owned(),
        [one] => format!("with the intent {one}"),
        few if few.len() <= INTENTS_NAMED => format!("with the intents {}", few.join(", ")),
        many => {
            let named = many[..INTENTS_NAMED].join(", ");
            format!("with the intents {named} and {} more", many.len() - INTENTS_NAMED)
        }
    }
}

/// Changes on one line.
pub(crate) fn sentence(changes: &[Change]) -> String {
    let is_of_a_new_intent = |change: &&Change| match change {
        Change::SlotNew { intent, .. } => changes.contains(&Change::IntentNew(intent.clone())),
        _ => false,
    };
    let changes: Vec<String> =
        changes.iter().filter(|change| !is_of_a_new_intent(change)).map(ToString::to_string).collect();
    match changes.len().saturating_sub(CHANGES_TOLD) {
        0 => changes.join(", "),
        1 => format!("{}, and 1 more change", changes[..CHANGES_TOLD].join(", ")),
        more => format!("{}, and {more} more changes", changes[..CHANGES_TOLD].join(", ")),
    }
}

fn day(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(intents: &[&str]) -> Declared {
        let all = intents.iter().chain(&["done", "human"]);
        Declared::new(["en-us".to_owned()], all.map(|name| ((*name).to_owned(), BTreeMap::new())))
    }

    fn known(version: &str, first: &[&str], latest: &[&str]) -> Known {
        Known {
            connector: "digital".into(),
            bot: "orders".into(),
            version: version.into(),
            first_ms: 86_400_000,
            first: declared(first),
            latest_ms: if first == latest { 86_400_000 } else { 2 * 86_400_000 },
            latest: declared(latest),
        }
    }

    #[test]
    fn what_a_platform_knows_is_compared_with_what_is_declared() {
        let said = |version: &str, intents: &[&str], known: &[Known], is_sent| {
            let declaration =
                Declaration { bot: "orders".into(), version: version.into(), declared: declared(intents) };
            let finding = finding(&"digital".into(), is_sent, &declaration, known);
            format!("{}{finding}", if finding.is_drift() { "! " } else { "" })
        };
        let many = ["A", "B", "C", "D", "E", "F", "G"];
        let elsewhere = |version| Known { connector: "other".into(), ..known(version, &["X"], &["X"]) };
        let lines = [
            said("3", &["A", "B"], &[], false),
            said("3", &["A", "B"], &[elsewhere("3")], false),
            said("3", &["A", "B"], &[], true),
            said("4", &["A"], &[known("3", &["A"], &["A"])], false),
            said("3", &["A", "B"], &[known("3", &["A", "B"], &["A", "B"])], false),
            said("3", &["A", "B", "C"], &[known("3", &["A", "B"], &["A", "B"])], false),
            said("3", &["A", "B", "C"], &[known("3", &["A", "B"], &["A", "B"]), known("4", &[], &[])], true),
            said("3", &["A", "C"], &[known("3", &["A"], &["A", "C"])], false),
            said("1.9", &[], &[known("1.9", &["A"], &["A"])], false),
            said("3", &[], &[known("3", &["A"], &["A"]), elsewhere("4")], false),
            said("autumn", &many, &[known("autumn", &[], &[])], false),
            said("autumn", &[], &[known("autumn", &many, &many)], false),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn the_next_version_is_not_known_yet() {
        for (version, taken, next) in [
            ("1", "", Some("2")),
            ("1", "2", Some("3")),
            ("1.9", "", Some("1.10")),
            ("2026-11", "", None),
            ("v1", "", None),
            ("", "", None),
            ("18446744073709551615", "", None),
        ] {
            assert_eq!(next_version(version, |other| other != taken).as_deref(), next, "{version}");
        }
    }
}
