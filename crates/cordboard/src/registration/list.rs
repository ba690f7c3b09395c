//! What becomes of a v1 integration's list of bots: sending one replaces it whole (`reference/bot-connector-v1.md`, section
//! 3), so what is there and not ours has to be sent along. Pure; [`super::platform`] reads and writes.
//!
//! Entries that are not ours are carried over as they came, unknown members included. Of our own bots the earlier
//! versions stay, since a flow may still name them.

use std::collections::BTreeMap;

use genesys::cloud::bot_connector::{BotList, ChatBot};
use genesys::cloud::entity::EntityType;
use serde_json::{Value, json};

use crate::connector::declared::{Change, Declared};

/// The platform's limit of bots, and of versions of each (section 3.1).
const LIST_MAX: usize = 50;
/// Members that the platform makes itself.
const READ_ONLY: [&str; 2] = ["botCompositeTag", "selfUri"];

/// What may go from the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropping {
    /// Bots that are not ours.
    pub others: bool,
    /// Versions of our bots that are not configured.
    pub earlier_versions: bool,
}

/// The list that is to be sent, and how it differs from what is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The bots, as they are sent.
    pub chat_bots: Vec<Value>,
    /// Bot by bot, ours and others.
    pub bots: Vec<BotDifference>,
    /// The ids of ours in the list, with their table keys.
    pub ours: BTreeMap<String, String>,
}

/// How one thing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is not there yet.
    New,
    /// It is there, and otherwise.
    Changed,
    /// It is there as it should be.
    Same,
    /// It is there, and shall not be.
    Gone,
}

impl Difference {
    /// The sign in front of a line.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::New => '+',
            Self::Changed => '~',
            Self::Same => '=',
            Self::Gone => '-',
        }
    }

    /// The word for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Gone => "gone",
        }
    }
}

/// How a bot differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotDifference {
    /// Its id in the list.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Altogether.
    pub difference: Difference,
    /// Name and description, as lines with a sign.
    pub details: Vec<String>,
    /// Version by version.
    pub versions: Vec<VersionDifference>,
}

/// How a version of a bot differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionDifference {
    /// Which version.
    pub version: String,
    /// Altogether.
    pub difference: Difference,
    /// Languages, intents and slots.
    pub changes: Vec<Change>,
}

/// Why no list can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another bot has the name.
    #[error(
        "bots.{bot} and another bot at Genesys (id {other}) are both called \"{name}\", and Genesys calls a bot by its name: \
         give ours another `name`, or take the other one from the list with --replace-all"
    )]
    NameTaken {
        /// Our bot.
        bot: String,
        /// The name.
        name: String,
        /// The id of the other one.
        other: String,
    },
    /// Ours and those that are there are too many.
    #[error(
        "the list would have {count} bots, {others} of them not of this connector; Genesys takes {LIST_MAX}: use another \
         integration, name fewer in `bots` of the connector, or drop the others with --replace-all"
    )]
    TooManyBots {
        /// All of them.
        count: usize,
        /// Not ours.
        others: usize,
    },
    /// A bot has too many versions.
    #[error(
        "bots.{bot} would have {count} versions in the list; Genesys takes {LIST_MAX}: drop the earlier ones with \
         --drop-versions, when no flow names them any more"
    )]
    TooManyVersions {
        /// Which bot.
        bot: String,
        /// How many.
        count: usize,
    },
}

impl Plan {
    /// What the list becomes with our bots in it.
    ///
    /// # Errors
    ///
    /// [`Error`], when the platform would not take it or could not tell bots apart.
    pub fn new(ours: &BotList, there: &[Value], dropping: Dropping) -> Result<Self, Error> {
        let mut left: Vec<&ChatBot> = ours.chat_bots.iter().collect();
        let mut plan = Self { chat_bots: Vec::new(), bots: Vec::new(), ours: BTreeMap::new() };
        let mut others: Vec<(&str, &str)> = Vec::new();
        for entry in there {
            match ours_of(ours, there, entry) {
                // An id that is there twice; the first counts.
                Some(bot) if plan.ours.values().any(|placed| *placed == bot.id) => {}
                Some(bot) => {
                    left.retain(|one| one.id != bot.id);
                    plan.add(bot, text(entry, "id"), versions(entry), dropping)?;
                }
                None if dropping.others => {}
                None => {
                    others.push((text(entry, "id"), text(entry, "name")));
                    plan.chat_bots.push(without_read_only(entry));
                }
            }
        }
        for bot in left {
            plan.add(bot, &bot.id, &[], dropping)?;
        }
        for bot in &ours.chat_bots {
            if let Some((other, name)) = others.iter().find(|(_, name)| *name == bot.name) {
                let (bot, name, other) = (bot.id.clone(), (*name).to_owned(), (*other).to_owned());
                return Err(Error::NameTaken { bot, name, other });
            }
        }
        let count = plan.chat_bots.len();
        if count > LIST_MAX {
            return Err(Error::TooManyBots { count, others: others.len() });
        }
        plan.bots = differences(there, &plan.chat_bots);
        Ok(plan)
    }

    fn add(&mut self, bot: &ChatBot, id: &str, there: &[Value], dropping: Dropping) -> Result<(), Error> {
        let own: Vec<Value> = bot.versions.iter().map(|version| json!(version)).collect();
        let is_own = |version: &Value| own.iter().any(|own| own["version"] == version["version"]);
        let earlier = there.iter().filter(|version| !is_own(version)).cloned();
        let mut versions: Vec<Value> = match dropping.earlier_versions || dropping.others {
            true => Vec::new(),
            false => earlier.collect(),
        };
        versions.extend(own);
        if versions.len() > LIST_MAX {
            return Err(Error::TooManyVersions { bot: bot.id.clone(), count: versions.len() });
        }
        let mut entry = json!(bot);
        entry["id"] = json!(id);
        entry["versions"] = versions.into();
        self.chat_bots.push(entry);
        self.ours.insert(id.to_owned(), bot.id.clone());
        Ok(())
    }

    /// Whether there is anything to send.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.bots.iter().any(|bot| bot.difference != Difference::Same)
    }

    /// Our bots that the platform knows by another id than their key. It keeps that id, since flows may name it.
    pub fn kept_ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ours.iter().filter(|(id, key)| id != key).map(|(id, key)| (id.as_str(), key.as_str()))
    }

    /// Versions of ours that the platform knows otherwise: flows that were published hold what it knew.
    pub fn changed_under_their_version(&self) -> impl Iterator<Item = (&str, &VersionDifference)> {
        self.bots.iter().filter_map(|bot| Some((self.ours.get(&bot.id)?, bot))).flat_map(|(key, bot)| {
            let changed = bot.versions.iter().filter(|version| version.difference == Difference::Changed);
            changed.map(|version| (key.as_str(), version))
        })
    }
}

/// Which of ours an entry is: by its id, else by its name, unless another entry has the id.
fn ours_of<'a>(ours: &'a BotList, there: &[Value], entry: &Value) -> Option<&'a ChatBot> {
    let (id, name) = (text(entry, "id"), text(entry, "name"));
    let by_id = ours.chat_bots.iter().find(|bot| bot.id == id);
    by_id.or_else(|| {
        let bot = ours.chat_bots.iter().find(|bot| bot.name == name)?;
        let is_the_first = there.iter().find(|other| text(other, "name") == name).is_some_and(|first| first == entry);
        let has_its_own = there.iter().any(|other| text(other, "id") == bot.id);
        (is_the_first && !has_its_own).then_some(bot)
    })
}

/// How one list differs from another, bot by bot, those that are gone last.
#[must_use]
pub fn differences(before: &[Value], now: &[Value]) -> Vec<BotDifference> {
    let find = |list: &[Value], id: &str| list.iter().find(|bot| text(bot, "id") == id).cloned();
    let here = now.iter().map(|bot| difference(find(before, text(bot, "id")).as_ref(), Some(bot)));
    let gone = before.iter().filter(|bot| find(now, text(bot, "id")).is_none());
    here.chain(gone.map(|bot| difference(Some(bot), None))).collect()
}

fn difference(before: Option<&Value>, now: Option<&Value>) -> BotDifference {
    let shown = now.or(before).unwrap_or(&Value::Null);
    let mut details = Vec::new();
    if let (Some(before), Some(now)) = (before, now) {
        for member in ["name", "description"] {
            let (before, now) = (text(before, member), text(now, member));
            if before != now {
                details.push(format!("~ {member}: \"{before}\" → \"{now}\""));
            }
        }
    }
    let (versions_before, versions_now) =
        (before.map_or(&[][..], |bot| versions(bot)), now.map_or(&[][..], |bot| versions(bot)));
    let find = |list: &[Value], version: &str| list.iter().find(|one| text(one, "version") == version).map(declared);
    let mut of_versions = Vec::new();
    for version in versions_now {
        let name = text(version, "version");
        let before = find(versions_before, name);
        let changes = before.clone().unwrap_or_default().changes_to(&declared(version));
        let difference = match before {
            None => Difference::New,
            Some(_) if changes.is_empty() => Difference::Same,
            Some(_) => Difference::Changed,
        };
        of_versions.push(VersionDifference { version: name.to_owned(), difference, changes });
    }
    for version in versions_before {
        let name = text(version, "version");
        if find(versions_now, name).is_none() {
            let difference = Difference::Gone;
            of_versions.push(VersionDifference { version: name.to_owned(), difference, changes: Vec::new() });
        }
    }
    let is_same = details.is_empty() && of_versions.iter().all(|version| version.difference == Difference::Same);
    let difference = match (before, now) {
        (None, _) => Difference::New,
        (_, None) => Difference::Gone,
        (Some(_), Some(_)) if is_same => Difference::Same,
        (Some(_), Some(_)) => Difference::Changed,
    };
    let (id, name) = (text(shown, "id").to_owned(), text(shown, "name").to_owned());
    BotDifference { id, name, difference, details, versions: of_versions }
}

/// What a version of the list declares. Read as leniently as a platform's answer deserves: what is no name is left out.
fn declared(version: &Value) -> Declared {
    let languages = array(version, "supportedLanguages").iter().filter_map(Value::as_str).map(str::to_owned);
    let intents = array(version, "intents").iter().map(|intent| {
        let slots = intent["slots"].as_object().into_iter().flatten();
        let slots = slots.map(|(name, slot)| (name.clone(), EntityType::from(text(slot, "type"))));
        (text(intent, "name").to_owned(), slots.collect())
    });
    Declared::new(languages, intents)
}

fn versions(bot: &Value) -> &[Value] {
    array(bot, "versions")
}

fn array<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn without_read_only(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(members) = entry.as_object_mut() {
        members.retain(|member, _| !READ_ONLY.contains(&member.as_str()));
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(list: Value) -> BotList {
        serde_json::from_value(json!({ "chatBots": list })).unwrap()
    }

    fn version(name: &str, intents: &[&str]) -> Value {
        let intents: Vec<Value> = intents.iter().map(|name| json!({ "name": name })).collect();
        json!({ "version": name, "supportedLanguages": ["en-us"], "intents": intents })
    }

    fn bot(id: &str, name: &str, versions: &[Value]) -> Value {
        json!({ "id": id, "name": name, "versions": versions })
    }

    /// Every line of a plan, with what is sent of each bot in brackets.
    fn shown(plan: &Plan) -> String {
        let mut lines = String::new();
        for bot in &plan.bots {
            lines += &format!("{} {} ({})\n", bot.difference.sign(), bot.id, bot.name);
            for detail in &bot.details {
                lines += &format!("    {detail}\n");
            }
            for version in &bot.versions {
                let changes: Vec<String> = version.changes.iter().map(Change::line).collect();
                let changes = changes.join("; ");
                lines += &format!("    {} {} {changes}\n", version.difference.sign(), version.version);
            }
        }
        lines
    }

    #[test]
    fn a_list_keeps_what_is_not_ours_and_the_earlier_versions() {
        let mine = ours(json!([
            bot("orders", "Orders", &[version("2", &["Return", "done"])]),
            bot("bookings", "Bookings", &[version("1", &["done"])]),
            bot("parcels", "Parcels", &[version("1", &["done"])]),
        ]));
        let mut foreign = bot("legacy", "Legacy", &[version("7", &["x"])]);
        foreign["botCompositeTag"] = json!("made by the platform");
        foreign["novelty"] = json!({ "kept": true });
        let there = [
            foreign,
            bot("orders", "Order desk", &[version("1", &["Return"])]),
            bot("0c2d", "Bookings", &[version("1", &["done", "Cancel"])]),
        ];
        let plan = Plan::new(&mine, &there, Dropping::default()).unwrap();
        insta::assert_snapshot!("merged", shown(&plan));
        assert_eq!(plan.kept_ids().collect::<Vec<_>>(), [("0c2d", "bookings")]);
        let changed: Vec<_> = plan.changed_under_their_version().map(|(key, one)| (key, &*one.version)).collect();
        assert_eq!(changed, [("bookings", "1")]);
        assert_eq!(
            (&plan.chat_bots[0]["novelty"]["kept"], &plan.chat_bots[0]["botCompositeTag"]),
            (&json!(true), &Value::Null)
        );
        assert_eq!(plan.chat_bots[1]["versions"].as_array().unwrap().len(), 2);

        // What was sent and is read back as it was is no news.
        let again = Plan::new(&mine, &plan.chat_bots, Dropping::default()).unwrap();
        assert!(!again.is_news());
        assert_eq!(again.chat_bots, plan.chat_bots);

        let alone = Plan::new(&mine, &there, Dropping { others: true, earlier_versions: false }).unwrap();
        insta::assert_snapshot!("replaced", shown(&alone));
        let tidy = Plan::new(&mine, &there, Dropping { others: false, earlier_versions: true }).unwrap();
        assert_eq!(tidy.chat_bots.len(), 4);
        assert_eq!(tidy.chat_bots[1]["versions"], json!([version("2", &["Return", "done"])]));
    }

    #[test]
    fn a_list_that_genesys_would_not_take_is_refused() {
        let one = ours(json!([bot("orders", "Orders", &[version("1", &["done"])])]));
        let said = |there: &[Value]| Plan::new(&one, there, Dropping::default()).map(|_| ()).unwrap_err();
        let many: Vec<Value> = (0..50).map(|n| bot(&format!("b{n}"), &format!("Bot {n}"), &[])).collect();
        assert_eq!(said(&many), Error::TooManyBots { count: 51, others: 50 });
        let versions: Vec<Value> = (2..52).map(|n| version(&n.to_string(), &["done"])).collect();
        assert_eq!(
            said(&[bot("orders", "Orders", &versions)]),
            Error::TooManyVersions { bot: "orders".into(), count: 51 }
        );
        let taken = [bot("orders", "Old name", &[]), bot("x", "Orders", &[])];
        assert_eq!(said(&taken), Error::NameTaken { bot: "orders".into(), name: "Orders".into(), other: "x".into() });
        let others = Dropping { others: true, earlier_versions: false };
        assert_eq!(Plan::new(&one, &taken, others).unwrap().chat_bots.len(), 1);
        assert!(Plan::new(&one, &many, others).is_ok());
    }
}
