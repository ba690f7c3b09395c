//! The Bot Connector ("v1"): one address, one question, one answer in the same response, no push.
//!
//! The platform posts an [`UtteranceRequest`] to the configured address and reads an [`UtteranceResponse`]. The bots
//! on offer are pushed to the platform: `PUT` of a [`BotList`] to [`bots_path`].
//!
//! Source: `reference/bot-connector-v1.md`.

mod bot_list;
mod slot;
mod utterance;

pub use bot_list::{BotIntent, BotList, BotSlot, BotVersion, ChatBot, bots_path};
pub use slot::{Decimal, SlotValue};
pub use utterance::{BotState, ChatBotName, UtteranceRequest, UtteranceResponse};
