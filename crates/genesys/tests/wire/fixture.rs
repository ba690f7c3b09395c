//! Every fixture is read into its type and written back as the same document, with and without foreign members.

use std::fs;
use std::path::Path;

use genesys::cloud::bot_connector::{BotList, UtteranceRequest, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{
    IncomingMessagesRequest, IncomingMessagesResponse, Manifest, OutgoingMessagesReply, OutgoingMessagesRequest,
};
use genesys::cloud::error::ErrorBody;
use genesys::cloud::oauth::{TokenRefusal, TokenReply};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a fixture's document becomes when it is read and written.
type Rewrite = fn(&[u8]) -> Result<Value, genesys::cloud::Unreadable>;

fn rewrite<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<Value, genesys::cloud::Unreadable> {
    genesys::cloud::read::<T>(body).map(|message| serde_json::to_value(message).expect("wire forms can be written"))
}

fn rewrite_token_reply(body: &[u8]) -> Result<Value, genesys::cloud::Unreadable> {
    use secrecy::ExposeSecret as _;
    genesys::cloud::read::<TokenReply>(body).map(|reply| {
        json!({
            "access_token": reply.access_token.expose_secret(),
            "token_type": reply.token_type,
            "expires_in": reply.expires_in_s,
        })
    })
}

/// Every fixture with its type.
pub(crate) const FIXTURES: &[(&str, Rewrite)] = &[
    ("bot_connector/bot_list.json", rewrite::<BotList>),
    ("bot_connector/request_button_beneath_message.json", rewrite::<UtteranceRequest>),
    ("bot_connector/request_first.json", rewrite::<UtteranceRequest>),
    ("bot_connector/response_complete.json", rewrite::<UtteranceResponse<'static>>),
    ("bot_connector/response_failed.json", rewrite::<UtteranceResponse<'static>>),
    ("bot_connector/response_more_data.json", rewrite::<UtteranceResponse<'static>>),
    ("digital_bot_connector/manifest.json", rewrite::<Manifest>),
    ("digital_bot_connector/outgoing.json", rewrite::<OutgoingMessagesRequest<'static>>),
    ("digital_bot_connector/outgoing_reply.json", rewrite::<OutgoingMessagesReply>),
    ("digital_bot_connector/request_button.json", rewrite::<IncomingMessagesRequest>),
    ("digital_bot_connector/request_text.json", rewrite::<IncomingMessagesRequest>),
    ("digital_bot_connector/response_complete.json", rewrite::<IncomingMessagesResponse<'static>>),
    ("digital_bot_connector/response_failed.json", rewrite::<IncomingMessagesResponse<'static>>),
    ("digital_bot_connector/response_more_data.json", rewrite::<IncomingMessagesResponse<'static>>),
    ("platform/error_body.json", rewrite::<ErrorBody>),
    ("platform/token_refusal.json", rewrite::<TokenRefusal>),
    ("platform/token_reply.json", rewrite_token_reply),
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn document(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn read<T: DeserializeOwned>(name: &str) -> T {
    genesys::cloud::read(&bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_fixture_is_listed() {
    let mut found = Vec::new();
    for door in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(door.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.push(path.strip_prefix(folder()).unwrap().to_string_lossy().replace('\\', "/"));
        }
    }
    found.sort();
    assert_eq!(found, FIXTURES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn every_fixture_comes_back_as_it_was() {
    for (name, rewrite) in FIXTURES {
        assert_eq!(rewrite(&bytes(name)), Ok(document(name)), "{name}");
    }
}

#[test]
fn foreign_members_are_ignored_everywhere() {
    for (name, rewrite) in FIXTURES {
        // Content of other types, slots and variables are open maps: there, a foreign member is a member.
        let open = ["parameters", "slotValues", "slots", "messageParams", "content"];
        let mut crowded = document(name);
        add_foreign_members(&mut crowded, &open);
        assert_ne!(crowded, document(name), "{name}");
        assert_eq!(rewrite(crowded.to_string().as_bytes()), Ok(document(name)), "{name}");
    }
}

fn add_foreign_members(value: &mut Value, open: &[&str]) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if !open.contains(&name.as_str()) {
                    add_foreign_members(member, open);
                }
            }
            members.insert(
                "addedLater".to_owned(),
                json!({"deep": [1, {"a": null}], "big": 18_446_744_073_709_551_615_u64}),
            );
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| add_foreign_members(element, open)),
        _ => {}
    }
}
