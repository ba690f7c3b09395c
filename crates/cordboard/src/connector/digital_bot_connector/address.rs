//! What a push must repeat of its session: the platform refuses another bot or version with 409
//! (`reference/digital-bot-connector.md`, section 2.1).

use model::Opaque;
use serde::{Deserialize, Serialize};

/// The version of the stored form; a later one may only add members.
const FORM: u8 = 1;

/// A session's own bot, version and language, as the platform wrote them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    v: u8,
    pub(super) bot: String,
    pub(super) version: String,
    pub(super) language: String,
}

impl Address {
    pub(super) fn new(bot: String, version: String, language: String) -> Self {
        Self { v: FORM, bot, version, language }
    }

    pub(super) fn write(&self) -> Opaque {
        Opaque(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Nothing when the bytes are not ours.
    pub(super) fn read(stored: &Opaque) -> Option<Self> {
        serde_json::from_slice(&stored.0).ok().filter(|address: &Self| address.v == FORM)
    }
}
