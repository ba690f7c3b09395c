//! Compares the tables of a configuration with each other, and builds from each what runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use conversation::{BotPolicy, Opening, Policies};
use model::{BotKey, ConnectorKey, OrgKey};

use super::reader::{Places, Reader};
use super::texts::{TextsOf, WrittenTexts};
use super::written::Written;
use super::{Config, Problems, risks};
use crate::connector::Misconfigured;
use crate::connector::bots::{Bot, Bots};
use crate::connector::registry::{ConnectorConfig, Integration};
use crate::doors::RESERVED_PATHS;
use crate::engine::{Engine, EngineConfig};
use crate::org::Org;

impl Written {
    /// Compares the tables and builds what runs.
    ///
    /// # Errors
    ///
    /// Everything that does not fit.
    pub fn check(self) -> Result<Config, Problems> {
        let mut reader = Reader::new(&self.source);
        let mut config = self.build(&mut reader);
        config.warnings.extend(risks::of(&self, &config));
        reader.end(Some(config))
    }

    fn build(&self, reader: &mut Reader<'_>) -> Config {
        for what in self.server.out_of_range() {
            reader.problem(self.server_places.named_in(&what), what);
        }
        for what in self.server.unusable() {
            reader.problem(self.server_places.named_in(&what), what);
        }
        for what in self.outgoing.problems() {
            reader.problem(self.outgoing_places.named_in(&what), what);
        }
        for what in self.observe.problems() {
            reader.problem(self.observe_places.named_in(&what), what);
        }
        let mut server = self.server.clone();
        server.data_dir = self.data_dir();
        if let Some(tls) = &mut server.tls {
            tls.cert_file = self.source.folder.join(&tls.cert_file);
            tls.key_file = self.source.folder.join(&tls.key_file);
        }
        for (what, count) in
            [("orgs", self.orgs.len()), ("connectors", self.connectors.len()), ("bots", self.bots.len())]
        {
            if count == 0 {
                reader.problem(0, format!("there is no [{what}.…] table, and at least one is needed"));
            }
        }
        let orgs = self.build_orgs(reader);
        let bots = self.build_bots(reader);
        // What a connector misses because a bot is wrong would be a consequence, not a mistake.
        let connectors = match bots.iter().count() == self.bots.len() {
            true => self.build_connectors(reader, &orgs, &bots),
            false => BTreeMap::new(),
        };
        self.check_paths(reader, &connectors);
        self.check_shadows(reader);
        let mut warnings = self.warnings.clone();
        for connector in connectors.values() {
            warnings.extend(connector.entrance().credentials().warnings().iter().cloned());
        }
        let engines = self.build_engines(reader);
        let policies = self.build_policies(reader, &engines, &mut warnings);
        Config {
            server,
            outgoing: self.outgoing.clone().below(&self.source.folder),
            observe: self.observe.clone(),
            orgs,
            connectors,
            bots,
            engines,
            policies,
            file: self.file.clone(),
            effective: self.effective.clone(),
            warnings,
        }
    }

    fn build_orgs(&self, reader: &mut Reader<'_>) -> BTreeMap<OrgKey, Org> {
        let mut orgs = BTreeMap::new();
        for (key, config) in &self.orgs {
            let key_of_org = OrgKey::from(key.as_str());
            if let Some(org) = built(reader, &self.org_places[key], Org::new(key_of_org.clone(), config)) {
                orgs.insert(key_of_org, org);
            }
        }
        orgs
    }

    fn build_bots(&self, reader: &mut Reader<'_>) -> Bots {
        let mut bots = Vec::new();
        for (key, config) in &self.bots {
            bots.extend(built(reader, &config.places, Bot::new(BotKey::from(key.as_str()), config.face.clone())));
        }
        Bots::new(bots)
    }

    fn build_engines(&self, reader: &mut Reader<'_>) -> BTreeMap<BotKey, Arc<dyn Engine>> {
        let mut engines = BTreeMap::new();
        for (key, config) in &self.bots {
            match config.engine.build(&self.source.folder) {
                Ok(engine) => {
                    engines.insert(BotKey::from(key.as_str()), engine);
                }
                Err(error) => {
                    let error = error.to_string();
                    let named = error.split(':').next().and_then(|key| config.engine_places.get(key));
                    reader.problem(named.unwrap_or(config.engine_at), format!("bots.{key}.engine: {error}"));
                }
            }
        }
        engines
    }

    fn build_policies(
        &self,
        reader: &mut Reader<'_>,
        engines: &BTreeMap<BotKey, Arc<dyn Engine>>,
        warnings: &mut Vec<String>,
    ) -> Policies {
        let nothing = WrittenTexts::default();
        let of_the_file = TextsOf { bot: &nothing, file: &self.texts, languages: &[] };
        let fallback = BotPolicy { texts: of_the_file.wording(), ..BotPolicy::default() };
        let mut policies = Policies { fallback, ..Policies::default() };
        for (key, bot) in &self.bots {
            let texts = TextsOf { bot: &bot.texts, file: &self.texts, languages: &bot.face.languages };
            for (language, missing) in texts.missing() {
                warnings.push(format!(
                    "bots.{key}: its language {language} has no text for {}; until they are in [texts.{language}], \
                     customers read them in another language",
                    missing.join(", ")
                ));
            }
            let key_of_bot = BotKey::from(key.as_str());
            let can_open = engines.get(&key_of_bot).is_none_or(|engine| engine.traits().opens);
            if bot.opening == Some(Opening::Engine) && !can_open {
                let missing = match &bot.engine {
                    EngineConfig::Connector(_) => "the engine has no `start_text`; write it",
                    EngineConfig::OpenAi(_) => "the engine has no `opening`; write it",
                    _ => "the script has no [opening]; write one",
                };
                let message = format!(
                    "bots.{key}: `opening` is \"engine\", but {missing} there, or choose \"greeting\" or \"silent\""
                );
                reader.problem(bot.places.of("opening"), message);
            }
            let usual = if can_open { Opening::Engine } else { Opening::Greeting };
            let opening = bot.opening.unwrap_or(usual);
            policies.bots.insert(key_of_bot, BotPolicy { texts: texts.wording(), opening, ..bot.policy.clone() });
        }
        policies
    }

    fn build_connectors(
        &self,
        reader: &mut Reader<'_>,
        orgs: &BTreeMap<OrgKey, Org>,
        bots: &Bots,
    ) -> BTreeMap<ConnectorKey, Integration> {
        let mut connectors = BTreeMap::new();
        for (key, config) in &self.connectors {
            let places = &self.connector_places[key];
            let Some(org) = orgs.get(&OrgKey::from(config.org())) else {
                // An org that is there but wrong was reported already.
                if !self.orgs.contains_key(config.org()) {
                    let known: Vec<&str> = self.orgs.keys().map(String::as_str).collect();
                    let (name, known) = (config.org(), known.join(", "));
                    let message = format!("connectors.{key}: there is no [orgs.{name}]; there are: {known}");
                    reader.problem(places.of("org"), message);
                }
                continue;
            };
            let key = ConnectorKey::from(key.as_str());
            let connector = config.build(key.clone(), org, bots);
            if let Some(connector) = built(reader, places, connector) {
                connectors.insert(key, connector);
            }
        }
        connectors
    }

    /// A shadow is the other kind of door, and offers the same bots.
    fn check_shadows(&self, reader: &mut Reader<'_>) {
        let others: Vec<&str> = self
            .connectors
            .iter()
            .filter(|(_, config)| matches!(config, ConnectorConfig::DigitalBotConnector(_)))
            .map(|(key, _)| key.as_str())
            .collect();
        for (key, config) in &self.connectors {
            let ConnectorConfig::BotConnector(classic) = config else { continue };
            let Some(shadow) = &classic.shadow else { continue };
            let place = self.connector_places[key].of("shadow");
            let Some(ConnectorConfig::DigitalBotConnector(digital)) = self.connectors.get(shadow) else {
                let known = match others.as_slice() {
                    [] => "there is none".to_owned(),
                    some => format!("there are: {}", some.join(", ")),
                };
                let message =
                    format!("connectors.{key}: `shadow` names a digital_bot_connector, not `{shadow}`; {known}");
                reader.problem(place, message);
                continue;
            };
            let offers =
                |offered: &Option<Vec<String>>, bot: &String| offered.as_ref().is_none_or(|bots| bots.contains(bot));
            let missing = self.bots.keys().find(|bot| offers(&classic.bots, bot) && !offers(&digital.bots, bot));
            if let Some(bot) = missing {
                let message = format!(
                    "connectors.{key}: its `shadow` {shadow} does not offer bots.{bot}; add it to the `bots` of connectors.{shadow}"
                );
                reader.problem(place, message);
            }
        }
    }

    fn check_paths(&self, reader: &mut Reader<'_>, connectors: &BTreeMap<ConnectorKey, Integration>) {
        let place = |key: &ConnectorKey| self.connector_places.get(key.as_str()).map_or(0, |places| places.of("path"));
        let mut earlier: Vec<(&ConnectorKey, String)> = Vec::new();
        for (key, connector) in connectors {
            let paths = connector.paths();
            let reserved = RESERVED_PATHS.iter().find(|reserved| paths.iter().any(|path| overlap(path, reserved)));
            if let Some(reserved) = reserved {
                let message = format!("connectors.{key}: `{reserved}` is the gateway's own; choose another path");
                reader.problem(place(key), message);
            }
            let clash =
                paths.iter().find_map(|path| Some((path, earlier.iter().find(|(_, taken)| overlap(path, taken))?)));
            if let Some((path, (other, taken))) = clash {
                let message = format!(
                    "connectors.{key}: its path {path} overlaps with {taken} of connectors.{other}; give each its own"
                );
                reader.problem(place(key), message);
            }
            earlier.extend(paths.into_iter().map(|path| (key, path)));
        }
    }
}

fn built<T>(reader: &mut Reader<'_>, places: &Places, outcome: Result<T, Misconfigured>) -> Option<T> {
    match outcome {
        Ok(built) => Some(built),
        Err(Misconfigured(message)) => {
            reader.problem(places.named_in(&message), message);
            None
        }
    }
}

/// Whether one path is the other, or stands below it.
fn overlap(one: &str, other: &str) -> bool {
    let below =
        |path: &str, base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below(one, other) || below(other, one)
}
