//! A configuration as written: every table read into its own type, nothing compared with anything else yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::bot::BotConfig;
use super::effective::Effective;
use super::network::Outgoing;
use super::reader::{Places, Reader, Table};
use super::server::Server;
use super::source::{Problems, Source};
use super::texts::WrittenTexts;
use super::variables::Variables;
use crate::connector::registry::ConnectorConfig;
use crate::observe::Observe;
use crate::org::OrgConfig;

/// The version of the file's form.
pub const VERSION: i64 = 1;
/// What stands at the top of a file; the schema has the same.
pub(super) const TABLES: [&str; 8] =
    ["version", "server", "outgoing", "observe", "orgs", "connectors", "bots", "texts"];
const CONNECTOR_KINDS: [&str; 2] = ["digital_bot_connector", "bot_connector"];

/// What a configuration file says.
#[derive(Clone, Debug)]
pub struct Written {
    pub(super) source: Source,
    /// Where it was read, unless something was laid over it.
    pub(super) file: Option<PathBuf>,
    /// `[server]`.
    pub server: Server,
    pub(super) server_places: Places,
    /// `[outgoing]`.
    pub outgoing: Outgoing,
    pub(super) outgoing_places: Places,
    /// `[observe]`.
    pub observe: Observe,
    pub(super) observe_places: Places,
    /// `[orgs.KEY]`.
    pub orgs: BTreeMap<String, OrgConfig>,
    pub(super) org_places: BTreeMap<String, Places>,
    /// `[connectors.KEY]`.
    pub connectors: BTreeMap<String, ConnectorConfig>,
    pub(super) connector_places: BTreeMap<String, Places>,
    /// `[bots.KEY]`.
    pub bots: BTreeMap<String, BotConfig>,
    /// The values in effect.
    pub effective: Effective,
    /// What an operator should know, found while reading.
    pub(super) warnings: Vec<String>,
    /// `[texts.LANGUAGE]`.
    pub(super) texts: WrittenTexts,
}

impl Written {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn load(path: &Path, variables: &Variables) -> Result<Self, Problems> {
        let written = Self::read(Source::load(path)?, variables)?;
        Ok(Self { file: Some(path.to_owned()), ..written })
    }

    /// Reads a text as the file at `path` would be: messages name it, and relative paths start at its folder.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn parse(path: &Path, text: String, variables: &Variables) -> Result<Self, Problems> {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::read(Source { file: path.display().to_string(), folder, text }, variables)
    }

    pub(super) fn read(source: Source, variables: &Variables) -> Result<Self, Problems> {
        let mut reader = Reader::new(&source);
        let root = reader.root();
        let mut effective = Effective::default();
        let read = root.and_then(|root| Read::from(&mut reader, root, variables, &mut effective));
        let mut warnings = std::mem::take(&mut reader.warnings);
        warnings.dedup();
        let Read { server, observe, outgoing, orgs, connectors, bots, texts } = reader.end(read)?;
        for (key, bot) in &bots {
            for (name, file) in bot.engine.files() {
                // A file that cannot be read is reported when the engine is built.
                if let Ok(contents) = std::fs::read(source.folder.join(file)) {
                    effective.note_contents(&format!("bots.{key}.engine.{name}"), &contents);
                }
            }
        }
        let (server_places, server) = server;
        let (outgoing_places, outgoing) = outgoing;
        let (observe_places, observe) = observe;
        let (org_places, orgs) = apart(orgs);
        let (connector_places, connectors) = apart(connectors);
        Ok(Self {
            source,
            file: None,
            server,
            server_places,
            outgoing,
            outgoing_places,
            observe,
            observe_places,
            orgs,
            org_places,
            connectors,
            connector_places,
            bots,
            texts,
            effective,
            warnings,
        })
    }

    /// The data folder; a relative path starts at the folder of the file.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.source.folder.join(&self.server.data_dir)
    }

    /// Lays a simulator over the orgs: nothing of theirs is contacted afterwards, and the listener speaks plain HTTP to it.
    pub fn talk_to_simulator(&mut self, url: &str, client_id: &str, client_secret: &str) {
        self.server.tls = None;
        self.file = None;
        (self.observe.metrics_listen, self.observe.otlp) = (None, None);
        for org in self.orgs.values_mut() {
            org.region = None;
            org.api_url = Some(url.to_owned());
            org.login_url = Some(url.to_owned());
            client_id.clone_into(&mut org.client_id);
            org.client_secret = SecretString::from(client_secret);
            // A simulator has no rate to protect, and a test shall not wait for one.
            org.requests_per_minute = 100_000;
        }
    }
}

type Placed<T> = BTreeMap<String, (Places, T)>;

fn apart<T>(placed: Placed<T>) -> (BTreeMap<String, Places>, BTreeMap<String, T>) {
    let mut both = (BTreeMap::new(), BTreeMap::new());
    for (key, (places, value)) in placed {
        both.0.insert(key.clone(), places);
        both.1.insert(key, value);
    }
    both
}

struct Read {
    server: (Places, Server),
    outgoing: (Places, Outgoing),
    observe: (Places, Observe),
    orgs: Placed<OrgConfig>,
    connectors: Placed<ConnectorConfig>,
    bots: BTreeMap<String, BotConfig>,
    texts: WrittenTexts,
}

impl Read {
    fn from(
        reader: &mut Reader<'_>,
        mut root: Table<'_>,
        variables: &Variables,
        effective: &mut Effective,
    ) -> Option<Self> {
        reader.only(&root, &TABLES);
        variables.put_into(reader, root.entries_mut());
        *effective = Effective::of(root.to_json());
        match root.take("version") {
            None => reader.problem(0, format!("the file begins with `version = {VERSION}`, the version of its form")),
            Some(version) => {
                let at = version.span().start;
                let version: Option<i64> = reader.read_value(version);
                if version.is_some_and(|version| version != VERSION) {
                    reader.problem(at, format!("this Cordboard reads files with `version = {VERSION}`"));
                }
            }
        }
        let server = root.take("server").and_then(|server| reader.table("server", server));
        let server_places = server.as_ref().map(|server| server.places.clone()).unwrap_or_default();
        let server = server.map_or_else(|| Some(Server::default()), |server| reader.read(server));
        let outgoing = root.take("outgoing").and_then(|outgoing| reader.table("outgoing", outgoing));
        let outgoing_places = outgoing.as_ref().map(|outgoing| outgoing.places.clone()).unwrap_or_default();
        let outgoing = outgoing.map_or_else(|| Some(Outgoing::default()), |outgoing| reader.read(outgoing));
        let observe = root.take("observe").and_then(|observe| reader.table("observe", observe));
        let observe_places = observe.as_ref().map(|observe| observe.places.clone()).unwrap_or_default();
        let observe = observe.map_or_else(|| Some(Observe::default()), |observe| reader.read(observe));
        let orgs = placed(reader, "orgs", root.take("orgs"), |reader, _, table| reader.read(table));
        let connectors =
            placed(reader, "connectors", root.take("connectors"), |reader, _, table| read_connector(reader, table));
        let bots = placed(reader, "bots", root.take("bots"), BotConfig::read);
        let bots = bots.into_iter().map(|(key, (_, bot))| (key, bot)).collect();
        let texts = root.take("texts").map(|texts| WrittenTexts::read(reader, "texts", texts, false));
        let texts = texts.unwrap_or_default();
        Some(Self {
            server: (server_places, server?),
            observe: (observe_places, observe?),
            outgoing: (outgoing_places, outgoing?),
            orgs,
            connectors,
            bots,
            texts,
        })
    }
}

fn placed<'i, T>(
    reader: &mut Reader<'_>,
    name: &str,
    value: Option<toml::Spanned<toml::de::DeValue<'i>>>,
    mut read: impl FnMut(&mut Reader<'_>, &str, Table<'i>) -> Option<T>,
) -> Placed<T> {
    let mut all = BTreeMap::new();
    for (key, table) in reader.tables(name, value) {
        let places = table.places.clone();
        if let Some(value) = read(reader, &key, table) {
            all.insert(key, (places, value));
        }
    }
    all
}

fn read_connector(reader: &mut Reader<'_>, mut table: Table<'_>) -> Option<ConnectorConfig> {
    match reader.kind(&mut table, &CONNECTOR_KINDS)?.as_str() {
        "digital_bot_connector" => reader.read(table).map(ConnectorConfig::DigitalBotConnector),
        _ => reader.read(table).map(ConnectorConfig::BotConnector),
    }
}
