//! A changed configuration in the place of the running one, without a restart. A signal or an operator asks for it.
//!
//! The file is read and checked whole before anything is replaced; a bad one changes nothing. Then the roster is replaced
//! as one piece, and after it the doors, so that no door lets in what the roster does not know yet. Conversations are not
//! touched: what is under way ends with what it began with, and the next step goes by the new roster. An org that did not
//! change keeps its access, and with it its token and its rate.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::OrgKey;

use crate::config::{Change, Config, Effective, Problems, Server};
use crate::connector::registry::Integration;
use crate::doors::Doors;
use crate::gateway::Shared;
use crate::outbox::{OrgAccess, PushAccess};
use crate::registration::drift;
use crate::roster::Roster;
use crate::store;
use crate::systemd;

/// The tables that a reload puts into effect, and the keys of `[server]`; everything else needs a restart.
const TAKEN: [&str; 8] = [
    "orgs",
    "connectors",
    "bots",
    "texts",
    "server.public_url",
    "server.body_max_kb",
    "server.drain_ms",
    "server.grace_ms",
];

/// Puts changed configurations into effect, one at a time.
pub struct Reloading {
    shared: Arc<Shared>,
    doors: Arc<Doors>,
    file: Option<PathBuf>,
    running: Mutex<Running>,
    /// One reload at a time.
    changing: tokio::sync::Mutex<()>,
}

/// What is in effect.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) effective: Effective,
    /// What was told already.
    pub(crate) warnings: Vec<String>,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// What is in effect now.
    pub changed: Vec<Change>,
    /// What is not, before a restart.
    pub needs_restart: Vec<Change>,
    /// What an operator should know about the new configuration.
    pub warnings: Vec<String>,
}

/// Why everything stays as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The configuration is bad.
    #[error("{0}")]
    Bad(#[from] Problems),
    /// There is nothing to read.
    #[error("this gateway was not started from a file alone; start it again instead")]
    NoFile,
    /// The store cannot keep what would be in effect.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Refused {
    /// The word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Bad(_) => "configuration",
            Self::NoFile => "no_file",
            Self::Store(_) => "store",
        }
    }
}

impl Reloading {
    pub(crate) fn new(shared: Arc<Shared>, doors: Arc<Doors>, file: Option<PathBuf>, running: Running) -> Self {
        Self { shared, doors, file, running: Mutex::new(running), changing: tokio::sync::Mutex::default() }
    }

    /// `[server]`, as it is in effect.
    #[must_use]
    pub fn server(&self) -> Server {
        self.running().server.clone()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the configuration again and puts it into effect. What came of it is logged, in the name of `by`.
    ///
    /// # Errors
    ///
    /// [`Refused`]; then nothing has changed.
    pub async fn reload(&self, by: &str) -> Result<Reloaded, Refused> {
        systemd::reloading();
        let reloaded = self.read_and_replace().await;
        self.shared.metrics().reloaded(reloaded.is_ok().then(|| self.shared.runtime().now()));
        systemd::ready(match reloaded {
            Ok(_) => "answering, with the configuration read again",
            Err(_) => "answering, with the earlier configuration; the log says what is wrong with the new one",
        });
        match &reloaded {
            Ok(reloaded) => tell(reloaded, by),
            Err(refused) => {
                let problems = match refused {
                    Refused::Bad(problems) => problems.iter().map(ToString::to_string).collect(),
                    Refused::NoFile | Refused::Store(_) => vec![refused.to_string()],
                };
                for problem in problems {
                    tracing::error!("not reloaded: {problem}");
                }
                let outcome = refused.word();
                tracing::info!(target: "cordboard::audit", what = "reload", who = by, outcome, "the configuration stays");
            }
        }
        reloaded
    }

    async fn read_and_replace(&self) -> Result<Reloaded, Refused> {
        let _one_at_a_time = self.changing.lock().await;
        let file = self.file.clone().ok_or(Refused::NoFile)?;
        // Secrets and scripts are files too, perhaps on a slow disk.
        let loaded = tokio::task::spawn_blocking(move || Config::load(&file)).await;
        let mut config = loaded.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        config.warnings.extend(drift::warnings(self.shared.store().as_ref(), &config.connectors).await);
        let (changes, server) = {
            let mut running = self.running();
            for warning in config.warnings.iter().filter(|warning| !running.warnings.contains(warning)) {
                tracing::warn!("{warning}");
            }
            running.warnings.clone_from(&config.warnings);
            (running.effective.changes_to(&config.effective), running.server.clone())
        };
        let (changed, needs_restart): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| TAKEN.iter().any(|taken| is_below(&change.path, taken)));
        let warnings = config.warnings.clone();
        if !changed.is_empty() {
            let server = Server {
                public_url: config.server.public_url.clone(),
                body_max_kb: config.server.body_max_kb,
                drain_ms: config.server.drain_ms,
                grace_ms: config.server.grace_ms,
                ..server
            };
            let effective = config.effective.clone();
            self.replace(config, &changed, &server).await?;
            let kept = needs_restart.iter().map(|change| change.path.as_str());
            let mut running = self.running();
            running.effective = effective.keeping(&running.effective, kept);
            running.server = server;
        }
        Ok(Reloaded { changed, needs_restart, warnings })
    }

    async fn replace(&self, config: Config, changed: &[Change], server: &Server) -> Result<(), store::Error> {
        let Config { orgs, connectors, engines, policies, .. } = config;
        let before = self.shared.roster();
        let mut access: BTreeMap<OrgKey, Arc<dyn PushAccess>> = BTreeMap::new();
        for (key, org) in &orgs {
            let path = format!("orgs.{key}");
            let other = changed.iter().any(|change| is_below(&change.path, &path) || is_below(&path, &change.path));
            let kept = before.access.get(key).filter(|_| !other).cloned();
            let access_to = || OrgAccess::to(org, &self.shared.transport, self.shared.runtime());
            access.insert(key.clone(), kept.unwrap_or_else(access_to));
        }
        self.shared.replace_roster(Roster::new(&connectors, engines, access, policies)).await?;
        let integrations: Vec<Integration> = connectors.into_values().collect();
        self.doors.replace(&integrations, &server.limits_of_doors());
        Ok(())
    }
}

fn tell(reloaded: &Reloaded, by: &str) {
    for change in &reloaded.changed {
        tracing::info!("reloaded: {change}");
    }
    for change in &reloaded.needs_restart {
        tracing::warn!("not in effect before a restart: {change}");
    }
    if reloaded.changed.is_empty() && reloaded.needs_restart.is_empty() {
        tracing::info!("reloaded: nothing changed");
    }
    let (changed, needs_restart) = (reloaded.changed.len(), reloaded.needs_restart.len());
    tracing::info!(
        target: "cordboard::audit",
        what = "reload",
        who = by,
        outcome = "done",
        changed,
        needs_restart,
        "the configuration was read again"
    );
}

/// Whether a key path is another, or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
