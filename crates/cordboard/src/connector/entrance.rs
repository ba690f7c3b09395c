//! Where the platform comes in: what a door is that it calls, whatever is said there. An org, a path, what a call must
//! show, and the bots that are on offer.
//!
//! Each connector whose door is called makes one of its configuration; what flows say in words of their own is read by
//! `Reserved`. Nothing here knows a wire form.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use model::{BotKey, ConnectorKey, OrgKey};

use super::Misconfigured;
use super::bots::{Bot, Bots};
use crate::http::{Credentials, CredentialsConfig};
use crate::org::Org;

/// The side of a connector that the platform calls.
#[derive(Debug)]
pub struct Entrance {
    key: ConnectorKey,
    org: OrgKey,
    path: String,
    credentials: Credentials,
    bots: Bots,
}

impl Entrance {
    /// Checks the path and the credentials; `bots` are those that it serves.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`] with what to write instead.
    pub(super) fn new(
        key: ConnectorKey,
        path: &str,
        credentials: &CredentialsConfig,
        org: &Org,
        bots: Bots,
    ) -> Result<Self, Misconfigured> {
        let owner = owner(&key);
        check_path(&owner, path)?;
        Ok(Self {
            org: org.key().clone(),
            path: path.to_owned(),
            credentials: Credentials::new(&owner, credentials)?,
            bots,
            key,
        })
    }

    /// Its table key in the configuration.
    #[must_use]
    pub fn key(&self) -> &ConnectorKey {
        &self.key
    }

    /// The org it belongs to.
    #[must_use]
    pub fn org(&self) -> &OrgKey {
        &self.org
    }

    /// The path that an administrator enters in the platform's integration, behind the public host.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What every call must show.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The bots on offer.
    #[must_use]
    pub fn bots(&self) -> &Bots {
        &self.bots
    }

    /// A bot that sits in a conversation. When it is on offer no more, all that is known of it is its key.
    pub(super) fn seated(&self, bot: &BotKey) -> Cow<'_, Bot> {
        self.bots.get(bot).map_or_else(|| Cow::Owned(Bot::unknown(bot.clone())), Cow::Borrowed)
    }
}

/// How messages name the table of a connector.
pub(super) fn owner(key: &ConnectorKey) -> String {
    format!("connectors.{key}")
}

/// Checks that the platform takes the bots as they are listed for it.
pub(super) fn check_listed(owner: &str, violations: &[impl Display]) -> Result<(), Misconfigured> {
    if violations.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    Err(Misconfigured(format!("{owner}: the platform would not take its bots: {}", list.join("; "))))
}

/// Checks the path of a door: absolute, plain, without a slash at the end.
pub(super) fn check_path(owner: &str, path: &str) -> Result<(), Misconfigured> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    let fine = segments.is_some_and(|mut segments| {
        segments.all(|segment| !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain))
    });
    if fine {
        return Ok(());
    }
    Err(Misconfigured(match path {
        _ if path.contains("://") => {
            format!("{owner}: `path` is only what follows the host, such as \"/genesys/acme\"")
        }
        _ if path.len() > 1 && (path.ends_with('/') || path.contains("//")) => format!(
            "{owner}: `path` has a slash too many; take it away here, and in the integration's URI if it is there too"
        ),
        _ => format!(
            "{owner}: `path` starts with a slash, ends without one, and is made of letters, digits, hyphens and \
             underscores, such as \"/genesys/acme\""
        ),
    }))
}

/// Checks that a number lies in its range.
pub(super) fn check_range(
    owner: &str,
    name: &str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<(), Misconfigured> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Misconfigured(format!("{owner}: `{name}` lies between {} and {}", range.start(), range.end())))
}
