//! Every answer is read back with the platform's eyes.

use std::collections::BTreeSet;

use genesys::cloud::bot_connector::{self as v1, UtteranceResponse};
use genesys::cloud::digital_bot_connector::{self as v2, IncomingMessagesResponse};
use model::{BotKey, Opaque};
use serde_json::Value;

use super::super::Connector;
use super::{bots, digital, doors, leg, replies, utterances};

#[test]
fn every_answer_of_v2_is_valid_and_declared() {
    let (door, claims, nothing) = (digital("").unwrap(), BotKey::from("claims"), Opaque::default());
    let bots = bots();
    let bot = bots.get(&claims).unwrap();
    for (name, reply) in replies() {
        let rendered = door.render(&reply, leg(&claims, &nothing, &nothing));
        if rendered.reply.status == 503 {
            continue;
        }
        let answer: IncomingMessagesResponse<'_> = genesys::cloud::read(&rendered.reply.body).unwrap();
        assert_eq!(answer.validate(), [], "{name}");
        let Some(intent) = answer.intent.as_deref() else {
            assert_ne!(answer.bot_state, v2::BotState::Complete, "{name}");
            continue;
        };
        let slots = &bot.intent(intent).unwrap().slots;
        for entity in &answer.entities {
            assert_eq!(slots.get(&*entity.name), Some(&entity.entity_type), "{name}");
        }
    }
}

#[test]
fn every_answer_of_v1_is_taken_by_a_flow() {
    let (door, claims, nothing) = (utterances("").unwrap(), BotKey::from("claims"), Opaque::default());
    let list: v1::BotList = serde_json::from_slice(&door.bot_list()).unwrap();
    let declared: BTreeSet<&str> =
        list.chat_bots[0].versions[0].intents.iter().map(|intent| intent.name.as_str()).collect();
    let refusal = ("the refusal", door.refusal());
    let rendered =
        replies().into_iter().map(|(name, reply)| (name, door.render(&reply, leg(&claims, &nothing, &nothing)).reply));
    for (name, reply) in rendered.chain([refusal]) {
        assert_eq!((reply.status, reply.retry_after_s), (200, None), "{name}");
        let answer: UtteranceResponse<'_> = genesys::cloud::read(&reply.body).unwrap();
        assert!(declared.contains(answer.intent.as_deref().unwrap()), "{name}: {:?}", answer.intent);
        assert!(answer.reply_messages.iter().all(|message| message.validate().is_empty()), "{name}");
        assert_ne!(answer.bot_state, v1::BotState::Failed, "{name}");
        // The lower-case key and texts only in `parameters`, or the platform drops the answer.
        let json: Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(json["replymessages"].is_array() && json.get("replyMessages").is_none(), "{name}");
        let parameters = json.get("parameters").and_then(Value::as_object);
        assert!(parameters.is_none_or(|parameters| parameters.values().all(Value::is_string)), "{name}");
    }
}

#[test]
fn rendering_is_pure() {
    let (claims, nothing) = (BotKey::from("claims"), Opaque::default());
    for door in doors() {
        for (name, reply) in replies() {
            let view = leg(&claims, &nothing, &nothing);
            assert_eq!(door.render(&reply, view), door.render(&reply, view), "{name}");
        }
        assert_eq!(door.refusal(), door.refusal());
        assert!(door.refuse_after_ms() > door.wait_ms());
    }
}
