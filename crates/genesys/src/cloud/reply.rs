//! What the bot says, as both bot doors take it: text, quick replies, cards, carousels and attachments.
//!
//! Source: `reference/digital-bot-connector.md`, section 3; `reference/bot-connector-v1.md`, section 2.5. All forms
//! borrow their texts, so that writing an answer copies none of them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::lenient;
use super::spelling::spellings;
use super::violation::{Inspection, Rule, Violation};

spellings! {
    /// Kind of a reply message (section 3.1).
    pub enum ReplyType {
        /// Text, with or without an attachment.
        Text = "Text",
        /// Quick replies, a card or a carousel.
        Structured = "Structured",
    }
}

/// Most cards of a carousel (section 3.4).
pub const CAROUSEL_LIMIT_CARDS: usize = 10;

/// One message to the customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyMessage<'a> {
    /// `Text` or `Structured`.
    #[serde(rename = "type")]
    pub reply_type: ReplyType,
    /// Required for `Text`; for `Structured` the text of channels that cannot show the content.
    #[serde(default, deserialize_with = "lenient::cow", skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// Required for `Structured`; for `Text` at most attachments.
    #[serde(default, deserialize_with = "lenient::objects", skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Content<'a>>,
}

impl<'a> ReplyMessage<'a> {
    /// Plain text.
    #[must_use]
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        ReplyMessage { reply_type: ReplyType::Text, text: Some(text.into()), content: Vec::new() }
    }

    /// Rich content with the text shown where the channel cannot show it.
    #[must_use]
    pub fn structured(fallback: impl Into<Cow<'a, str>>, content: Vec<Content<'a>>) -> Self {
        ReplyMessage { reply_type: ReplyType::Structured, text: Some(fallback.into()), content }
    }

    /// A question with quick replies.
    #[must_use]
    pub fn quick_replies(text: impl Into<Cow<'a, str>>, replies: Vec<QuickReply<'a>>) -> Self {
        Self::structured(text, replies.into_iter().map(Content::QuickReply).collect())
    }

    /// A file with its caption; of type `Text`, although it has content (section 3.1).
    #[must_use]
    pub fn attachment(caption: impl Into<Cow<'a, str>>, attachment: Attachment<'a>) -> Self {
        ReplyMessage { content: vec![Content::Attachment(attachment)], ..Self::text(caption) }
    }

    /// Every rule of section 3 that this message breaks; the platform sends a conversation down the failure path for
    /// any of them. Content of other types is not judged.
    #[must_use]
    pub fn validate(&self) -> Vec<Violation> {
        let mut inspection = Inspection::default();
        let structured = match self.reply_type {
            ReplyType::Text => false,
            ReplyType::Structured => true,
            ReplyType::Other(_) => {
                inspection.broken("type", Rule::Unknown);
                return inspection.finish();
            }
        };
        if structured {
            inspection.at_least_one("content", self.content.len());
        } else if self.text.as_deref().is_none_or(|text| text.is_empty() && self.content.is_empty()) {
            inspection.broken("text", Rule::Missing);
        }
        let mut pairs = BTreeSet::new();
        inspection.each("content", &self.content, |inspection, content| {
            if matches!(content, Content::Attachment(_)) == structured {
                inspection.broken("contentType", Rule::OutOfPlace);
            }
            content.inspect(inspection, &mut pairs);
        });
        inspection.finish()
    }
}

/// One element of a message's content. On the wire it names its kind and holds one member of that kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    /// One quick reply; a message has one element per reply.
    QuickReply(QuickReply<'a>),
    /// A card.
    Card(Card<'a>),
    /// Several cards side by side.
    Carousel(Carousel<'a>),
    /// A file, in a message of type `Text`.
    Attachment(Attachment<'a>),
    /// Content outside the documented contract (section 3.3), or in an older form, members and all, as read or as an operator
    /// opted for.
    Other(Map<String, Value>),
}

impl<'a> Content<'a> {
    fn inspect(&self, inspection: &mut Inspection, pairs: &mut BTreeSet<(String, String)>) {
        match self {
            Content::QuickReply(reply) => {
                inspection.required("quickReply.text", &reply.text, usize::MAX);
                inspection.required("quickReply.payload", &reply.payload, usize::MAX);
            }
            Content::Card(card) => card.inspect("card", inspection, pairs),
            Content::Carousel(carousel) => {
                inspection.at_least_one("carousel.cards", carousel.cards.len());
                inspection.count("carousel.cards", carousel.cards.len(), CAROUSEL_LIMIT_CARDS);
                inspection.each("carousel.cards", &carousel.cards, |inspection, card| {
                    card.inspect("", inspection, pairs);
                });
            }
            Content::Attachment(attachment) => {
                let required = [
                    ("attachment.id", &attachment.id),
                    ("attachment.url", &attachment.url),
                    ("attachment.filename", &attachment.filename),
                ];
                for (member, text) in required {
                    inspection.required(member, text.as_deref().unwrap_or_default(), usize::MAX);
                }
            }
            Content::Other(_) => {}
        }
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn tagged<S: Serializer, T: Serialize>(
            serializer: S,
            tag: &'static str,
            member: &'static str,
            value: &T,
        ) -> Result<S::Ok, S::Error> {
            let mut element = serializer.serialize_struct("Content", 2)?;
            element.serialize_field("contentType", tag)?;
            element.serialize_field(member, value)?;
            element.end()
        }
        match self {
            Content::QuickReply(value) => tagged(serializer, "QuickReply", "quickReply", value),
            Content::Card(value) => tagged(serializer, "Card", "card", value),
            Content::Carousel(value) => tagged(serializer, "Carousel", "carousel", value),
            Content::Attachment(value) => tagged(serializer, "Attachment", "attachment", value),
            Content::Other(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn member<T: serde::de::DeserializeOwned, E: serde::de::Error>(
            members: &mut Map<String, Value>,
            name: &'static str,
        ) -> Result<T, E> {
            let value = members.remove(name).ok_or_else(|| E::missing_field(name))?;
            serde_json::from_value(value).map_err(|_| E::custom("the content is not what its contentType says"))
        }
        let mut members = Map::deserialize(deserializer).map_err(D::Error::custom)?;
        let kind = members.get("contentType").and_then(Value::as_str).unwrap_or_default();
        let of_kind = |name| members.contains_key(name);
        let is_documented = ["quickReply", "card", "carousel", "attachment"].into_iter().any(of_kind);
        Ok(match kind {
            // An older element of whatever kind has it all there (`reference/bot-connector-v1.md`, section 2.5).
            _ if of_kind("content") && !is_documented => Content::Other(members),
            "QuickReply" => Content::QuickReply(member(&mut members, "quickReply")?),
            "Card" => Content::Card(member(&mut members, "card")?),
            "Carousel" => Content::Carousel(member(&mut members, "carousel")?),
            "Attachment" => Content::Attachment(member(&mut members, "attachment")?),
            _ => Content::Other(members),
        })
    }
}

/// A suggested answer; tapping it sends `text` as the customer's words and `payload` in a button response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuickReply<'a> {
    /// What the customer sees.
    pub text: Cow<'a, str>,
    /// What the bot gets back; a public v1 example leaves it out, so reading allows that.
    #[serde(default)]
    pub payload: Cow<'a, str>,
    /// Address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Cow<'a, str>>,
}

/// A card: a title with optional description and picture, and buttons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card<'a> {
    /// The title.
    pub title: Cow<'a, str>,
    /// Text below the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    /// Address of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Cow<'a, str>>,
    /// Address of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Cow<'a, str>>,
    /// What a tap on the card itself does; several channels ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_action: Option<CardAction<'a>>,
    /// The buttons; required, at most three are advised.
    #[serde(default)]
    pub actions: Vec<CardAction<'a>>,
}

impl Card<'_> {
    fn inspect(&self, place: &str, inspection: &mut Inspection, pairs: &mut BTreeSet<(String, String)>) {
        let within = |member: &str| if place.is_empty() { member.to_owned() } else { format!("{place}.{member}") };
        inspection.required(&within("title"), &self.title, usize::MAX);
        inspection.at_least_one(&within("actions"), self.actions.len());
        for (index, action) in self.actions.iter().enumerate() {
            let at = |member: &str| within(&format!("actions[{index}]{member}"));
            let text = |value: &Option<Cow<'_, str>>| value.as_deref().unwrap_or_default().to_owned();
            let required: &[(&str, &Option<Cow<'_, str>>)] = match action.action_type {
                CardActionType::Link => &[(".text", &action.text), (".url", &action.url)],
                CardActionType::Postback => &[(".text", &action.text), (".payload", &action.payload)],
                CardActionType::Other(_) => {
                    inspection.broken(&at(".type"), Rule::Unknown);
                    continue;
                }
            };
            for (member, value) in required {
                inspection.required(&at(member), value.as_deref().unwrap_or_default(), usize::MAX);
            }
            // Links have no payload, so two links of the same text would count as the same pair without need.
            let is_postback = action.action_type == CardActionType::Postback;
            if is_postback && !pairs.insert((text(&action.text), text(&action.payload))) {
                inspection.broken(&at(""), Rule::Repeated);
            }
        }
    }
}

spellings! {
    /// What a button of a card does.
    pub enum CardActionType {
        /// Opens an address.
        Link = "Link",
        /// Sends its payload to the bot.
        Postback = "Postback",
    }
}

/// A button of a card. `Link` needs `url`, and `text` when it is a button; `Postback` needs `text` and `payload`, and
/// this pair must be unique in the message (section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAction<'a> {
    /// `Link` or `Postback`.
    #[serde(rename = "type")]
    pub action_type: CardActionType,
    /// What the customer sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// What the bot gets back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Cow<'a, str>>,
    /// The address to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Cow<'a, str>>,
}

impl<'a> CardAction<'a> {
    /// A button that sends its payload to the bot.
    #[must_use]
    pub fn postback(text: impl Into<Cow<'a, str>>, payload: impl Into<Cow<'a, str>>) -> Self {
        CardAction {
            action_type: CardActionType::Postback,
            text: Some(text.into()),
            payload: Some(payload.into()),
            url: None,
        }
    }

    /// A button that opens an address.
    #[must_use]
    pub fn link(text: impl Into<Cow<'a, str>>, url: impl Into<Cow<'a, str>>) -> Self {
        CardAction { text: Some(text.into()), ..Self::open(url) }
    }

    /// A default action, which has no text of its own.
    #[must_use]
    pub fn open(url: impl Into<Cow<'a, str>>) -> Self {
        CardAction { action_type: CardActionType::Link, text: None, payload: None, url: Some(url.into()) }
    }
}

/// Cards side by side, at most [`CAROUSEL_LIMIT_CARDS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carousel<'a> {
    /// The cards, in order.
    pub cards: Vec<Card<'a>>,
}

spellings! {
    /// What kind of file an attachment is.
    pub enum MediaType {
        /// A picture.
        Image = "Image",
        /// A film.
        Video = "Video",
        /// A recording.
        Audio = "Audio",
        /// Any other file.
        File = "File",
        /// An address only.
        Link = "Link",
    }
}

/// A file the bot sends. The integration must have file transfer switched on, or the whole answer is invalid.
///
/// The v2 document requires `id`, `mediaType`, `url` and `filename`; the SDK only `mediaType`. Reading follows the SDK,
/// [`ReplyMessage::validate`] the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment<'a> {
    /// An id of the sender's choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// The kind of file.
    pub media_type: MediaType,
    /// Where the platform fetches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Cow<'a, str>>,
    /// The name shown to the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<Cow<'a, str>>,
    /// The MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<Cow<'a, str>>,
    /// The checksum of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Cow<'a, str>>,
    /// The size in bytes.
    #[serde(default, deserialize_with = "lenient::unsigned", skip_serializing_if = "Option::is_none")]
    pub content_size_bytes: Option<u64>,
}

/// Why a bot failed, for the operators of the platform. There is no list of codes.
///
/// Written as `errorCode` and `errorMessage`. The SDK's shared model says `code` and `message`, so both are read
/// (`reference/digital-bot-connector.md`, section 9.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo<'a> {
    /// A stable name, such as `engine.unavailable`.
    pub error_code: Cow<'a, str>,
    /// A sentence. It appears in the platform's logs, so it holds nothing private.
    pub error_message: Cow<'a, str>,
}

impl<'de> Deserialize<'de> for ErrorInfo<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct BothForms {
            #[serde(default, deserialize_with = "lenient::text")]
            error_code: Option<String>,
            #[serde(default, deserialize_with = "lenient::text")]
            error_message: Option<String>,
            #[serde(default, deserialize_with = "lenient::text")]
            code: Option<String>,
            #[serde(default, deserialize_with = "lenient::text")]
            message: Option<String>,
        }
        let read = BothForms::deserialize(deserializer)?;
        Ok(ErrorInfo {
            error_code: read.error_code.or(read.code).unwrap_or_default().into(),
            error_message: read.error_message.or(read.message).unwrap_or_default().into(),
        })
    }
}
