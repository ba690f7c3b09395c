//! The Digital Bot Connector ("v2"): the platform asks, the bot answers at once or pushes later.
//!
//! The platform calls three paths beneath the configured address: `GET` [`BOTS_PATH`] for the [`Manifest`], `GET`
//! [`BOTS_PATH`]`/{botId}` for one [`Bot`], and `POST` [`MESSAGES_PATH`] with an [`IncomingMessagesRequest`] for each
//! turn. Late answers go to [`OUTGOING_MESSAGES_PATH`] of the platform's API as [`OutgoingMessagesRequest`].
//!
//! Source: `reference/digital-bot-connector.md`.

mod manifest;
mod message;

pub use manifest::{Bot, BotEntity, BotIntent, BotVersion, Manifest};
pub use message::{
    BotEntityValue, BotState, IncomingMessagesRequest, IncomingMessagesResponse, OutgoingMessagesReply,
    OutgoingMessagesRequest,
};

/// Path of the manifest beneath the connector's address (section 1.2).
pub const BOTS_PATH: &str = "/bots";
/// Path of the turns beneath the connector's address (section 1.4).
pub const MESSAGES_PATH: &str = "/messages";
/// Path of pushed answers on the platform's API (section 2.1); permission `integration:botconnector:send`.
pub const OUTGOING_MESSAGES_PATH: &str = "/api/v2/integrations/botconnectors/outgoing/messages";
