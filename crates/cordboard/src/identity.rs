//! How what has a name outside is found in the store: by a keyed hash of the name, so that a copied table tells nothing.
//!
//! Every kind of name is spelt here and nowhere else, since whoever spelt one otherwise would not find what is there. The
//! spellings are part of the stored form: a store that an earlier build wrote is searched by them.

use std::hash::Hasher as _;

use model::{BotKey, ConnectorKey, OrgKey, RequestId};
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::store::Key;

/// The names of one store, under its key.
#[derive(Clone, Copy)]
pub struct Identities([u8; 16]);

impl Identities {
    /// Those of the store that has this key.
    #[must_use]
    pub fn new(hash_key: [u8; 16]) -> Self {
        Self(hash_key)
    }

    /// A platform's conversation.
    pub(crate) fn conversation(&self, org: &OrgKey, id: &str) -> Key {
        self.hash(&["conversation", org.as_str(), id])
    }

    /// A platform's session.
    pub(crate) fn leg(&self, connector: &ConnectorKey, session: &str) -> Key {
        self.hash(&["leg", connector.as_str(), session])
    }

    /// An engine's session.
    pub(crate) fn engine_session(&self, session: u128) -> Key {
        self.hash(&["engine session", &format!("{session:032x}")])
    }

    /// A message that its platform gave an id.
    pub(crate) fn message(&self, connector: &ConnectorKey, session: &str, id: &str) -> Key {
        self.hash(&["message", connector.as_str(), session, id])
    }

    /// A request that is like no other.
    pub(crate) fn request(&self, request: RequestId) -> Key {
        self.hash(&["request", &request.0.to_string()])
    }

    /// A callback of an engine.
    pub(crate) fn callback(&self, bot: &BotKey, id: &str) -> Key {
        self.hash(&["callback", bot.as_str(), id])
    }

    /// What an engine without ids says late: the digest of its bytes, after so many turns of this session of its own.
    pub(crate) fn late_answer(&self, bot: &BotKey, session: u128, after: u32, digest: [u8; 32]) -> Key {
        let (session, digest) = (session.to_string(), format!("{digest:x?}"));
        self.hash(&["late answer", bot.as_str(), &session, &after.to_string(), &digest])
    }

    fn hash(&self, parts: &[&str]) -> Key {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        for part in parts {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xff);
        }
        Key(hasher.finish128().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_an_earlier_build_is_searched_by_the_same_keys() {
        let names = Identities::new([7; 16]);
        let keys = [
            ("conversation", names.conversation(&"acme".into(), "c1")),
            ("leg", names.leg(&"web".into(), "s1")),
            ("engine session", names.engine_session(0xfeed)),
            ("message", names.message(&"web".into(), "s1", "m1")),
            ("request", names.request(RequestId(42))),
            ("callback", names.callback(&"helper".into(), "id-1")),
            ("late answer", names.late_answer(&"helper".into(), 0xfeed, 3, [1; 32])),
        ];
        let shown = keys.map(|(kind, key)| format!("{kind}: {:032x}\n", u128::from_be_bytes(key.0))).concat();
        insta::assert_snapshot!(shown, @r"
        conversation: bea6c01d2b8770689bcb12083f4ac1da
        leg: ecb9b8fe17af5599d77894bfc47203da
        engine session: c7a43f1383a7829537418452e24e3d40
        message: b8747c4a637195f4e2234a68f81d26df
        request: 05a6ba645c3ccaa34b9bcc92cfbc2804
        callback: 6286674b8a6730145da2ab3e3747a59f
        late answer: 729ab215c44cfed559ddb76c4d3f0ea9
        ");
    }
}
