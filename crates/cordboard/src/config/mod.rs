//! The configuration: one TOML file, read whole, checked whole, before anything is opened.
//!
//! It is read in two steps. [`Written`] is what the file says, with variables put in and every key known; a command may
//! lay other addresses over it. [`Written::check`] makes of it the [`Config`] that runs: orgs, connectors, bots with
//! their engines and policies, each built by its own module. Both steps report all they find, with line and column.
//! Neither opens anything but the scripts that bots name, and no message quotes a secret.

mod bot;
mod check;
mod effective;
mod network;
mod reader;
#[cfg(test)]
mod reference;
mod risks;
mod schema;
mod secret_file;
mod server;
mod source;
mod syntax;
mod texts;
mod variables;
mod written;

#[cfg(test)]
mod kept_in_step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conversation::Policies;
use model::{BotKey, ConnectorKey, OrgKey};

use crate::connector::bots::Bots;
use crate::connector::registry::Integration;
use crate::engine::Engine;
use crate::observe::Observe;
use crate::org::Org;

pub use self::bot::BotConfig;
pub use self::effective::{Change, Effective};
pub(crate) use self::network::NEVER_BY_PROXY;
pub use self::network::{Outgoing, Tls, TlsVersion, TrustedProxies};
pub(crate) use self::reader::{distance, unknown};
pub(crate) use self::schema::{SecretText, schema};
pub use self::server::Server;
pub use self::source::{Problem, Problems};
pub use self::texts::TextsConfig;
pub(crate) use self::texts::is_language;
pub use self::variables::Variables;
pub use self::written::{VERSION, Written};

/// The commented default file, with every key and its default.
pub const INIT: &str = include_str!("init.toml");

/// A checked configuration: everything that a gateway is made of, nothing of it started.
pub struct Config {
    /// Where it listens and keeps its data.
    pub server: Server,
    /// How it calls out.
    pub outgoing: Outgoing,
    /// How it is watched.
    pub observe: Observe,
    /// The orgs.
    pub orgs: BTreeMap<OrgKey, Org>,
    /// The doors.
    pub connectors: BTreeMap<ConnectorKey, Integration>,
    /// What connectors know of the bots.
    pub bots: Bots,
    /// What answers for each bot.
    pub engines: BTreeMap<BotKey, Arc<dyn Engine>>,
    /// How each bot is held to its promises.
    pub policies: Policies,
    /// The file, when it is the file alone that says all this: what a reload reads again.
    pub file: Option<PathBuf>,
    /// The values that all this was made of.
    pub effective: Effective,
    /// What an operator should know; no message quotes a secret.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Written::load(path, &Variables::of_the_process())?.check()
    }
}
