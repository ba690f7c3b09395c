//! Typed wire forms for the bot doors of Genesys Cloud.
//!
//! The crate says what travels between Genesys Cloud and an outside bot, and nothing more. It opens no socket, reads no
//! clock and keeps no state: it turns bytes into types and types into bytes, and it names the paths, the headers and
//! the meaning of a refusal. Whoever owns the sockets calls it; it calls nobody.
//!
//! Reading is lenient, because the platform adds members without notice: unknown members are ignored, and an optional
//! member of the wrong type is read as absent. Writing is strict: exact spellings, absent members left out.
//!
//! # A turn over the Digital Bot Connector
//!
//! ```
//! use genesys::cloud::digital_bot_connector::{
//!     BotState, IncomingMessagesRequest, IncomingMessagesResponse, OutgoingMessagesRequest,
//! };
//! use genesys::cloud::reply::ReplyMessage;
//!
//! let body = br#"{
//!     "botId": "harbour-bot", "botVersion": "3", "botSessionId": "session-1", "messageId": "message-1",
//!     "inputMessage": {"type": "Text", "text": "When does the ferry leave?"},
//!     "languageCode": "en-US", "botSessionTimeout": 720, "genesysConversationId": "conversation-1"
//! }"#;
//! let request: IncomingMessagesRequest = genesys::cloud::read(body)?;
//! assert_eq!(request.input_message.said(), Some("When does the ferry leave?"));
//! assert_eq!(request.language_code.as_deref(), Some("en-us"));
//!
//! // The engine is slow: the request is acknowledged at once …
//! let acknowledgement = IncomingMessagesResponse::new(BotState::MoreData);
//! assert_eq!(serde_json::to_string(&acknowledgement)?, r#"{"botState":"MoreData"}"#);
//!
//! // … and the answer is pushed when it is there.
//! let push = OutgoingMessagesRequest {
//!     bot_id: request.bot_id.as_str().into(),
//!     bot_version: request.bot_version.as_deref().unwrap_or_default().into(),
//!     bot_session_id: request.bot_session_id.as_str().into(),
//!     language_code: "en-us".into(),
//!     answer: IncomingMessagesResponse {
//!         reply_messages: vec![ReplyMessage::text("At noon.")],
//!         ..IncomingMessagesResponse::new(BotState::MoreData)
//!     },
//! };
//! assert!(serde_json::to_string(&push)?.ends_with(r#""replyMessages":[{"type":"Text","text":"At noon."}]}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cloud;
