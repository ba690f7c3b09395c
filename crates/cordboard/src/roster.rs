//! Who is in service: the doors, the engines, the accesses to orgs and the policies, as one piece.
//!
//! A reload replaces the roster whole. Whoever takes a decision takes the roster once and keeps it until the decision is
//! made, so a step never sees half of an old configuration and half of a new one. What is under way ends with what it
//! began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use conversation::Policies;
use model::{BotKey, ConnectorKey, OrgKey};

use crate::connector::Connector;
use crate::connector::registry::Integration;
use crate::engine::Engine;
use crate::outbox::PushAccess;

/// Everything that a configuration puts in service.
#[derive(Clone, Default)]
pub struct Roster {
    /// The doors, by key.
    pub connectors: BTreeMap<ConnectorKey, Arc<dyn Connector>>,
    /// The engines, by bot.
    pub engines: BTreeMap<BotKey, Arc<dyn Engine>>,
    /// Who lets us push to an org.
    pub access: BTreeMap<OrgKey, Arc<dyn PushAccess>>,
    /// The policies, by bot.
    pub policies: Arc<Policies>,
}

impl Roster {
    /// What a configuration puts in service, with the accesses that are kept or made for its orgs.
    #[must_use]
    pub fn new(
        integrations: &BTreeMap<ConnectorKey, Integration>,
        engines: BTreeMap<BotKey, Arc<dyn Engine>>,
        access: BTreeMap<OrgKey, Arc<dyn PushAccess>>,
        policies: Policies,
    ) -> Self {
        let connectors = integrations.iter().map(|(key, integration)| (key.clone(), integration.connector())).collect();
        Self { connectors, engines, access, policies: Arc::new(policies) }
    }

    /// How to push through a connector; nothing when it, or its org, is not in service any more.
    pub(crate) fn pushing(&self, connector: &ConnectorKey) -> Option<Pushing<'_>> {
        let door = self.connectors.get(connector)?;
        Some(Pushing { door, access: self.access.get(door.org())? })
    }
}

/// What a push needs.
#[derive(Clone, Copy)]
pub(crate) struct Pushing<'a> {
    pub(crate) door: &'a Arc<dyn Connector>,
    pub(crate) access: &'a Arc<dyn PushAccess>,
}
