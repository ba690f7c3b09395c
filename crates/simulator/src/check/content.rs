//! Reply messages: what a bot may show, and what the customer sees of it.
//!
//! `reference/digital-bot-connector.md`, section 3, and `reference/bot-connector-v1.md`, section 2.5.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Findings, kind};
use crate::Door;
use crate::channel::Screen;

/// Something the customer can tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What is written on it.
    pub label: String,
    /// What comes back when it is tapped.
    pub payload: String,
    /// `QuickReply`, or `Button` on a card; sent back as the type of the `ButtonResponse`.
    pub kind: &'static str,
    /// The card that it stands on, by its place in the message.
    #[serde(skip)]
    pub card: Option<usize>,
}

/// A card as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// Its description, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many buttons it has that send something.
    #[serde(skip)]
    pub buttons: usize,
    /// Labels and addresses of its links.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
}

/// One message as the customer sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The text, empty when there is none.
    pub text: String,
    /// Quick replies and card buttons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Cards, alone or in a carousel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<Card>,
    /// Whether the cards are side by side.
    #[serde(skip)]
    pub in_carousel: bool,
    /// File names and addresses of attachments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<(String, String)>,
}

/// Where the messages come from, as far as the rules differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) door: Door,
    /// Whether the integration has attachments to the customer switched on.
    pub(crate) attachments: bool,
    /// What the customer looks at, where that is known.
    pub(crate) screen: Option<Screen>,
}

/// Reads a list of reply messages strictly.
pub(crate) fn messages(findings: &mut Findings, rules: Rules, items: &[Value], at: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}[{n}]");
        if let Some(object) = findings.object(item, &at) {
            let shown = message(findings, rules, object, &at);
            if let Some(screen) = rules.screen {
                screen.taps(findings, object, &at);
            }
            messages.extend(match rules.screen {
                Some(screen) => shown.and_then(|message| screen.show(findings, message, &at)),
                None => shown,
            });
        }
    }
    messages
}

fn message(findings: &mut Findings, rules: Rules, object: &Map<String, Value>, at: &str) -> Option<Message> {
    findings.unknown_members(object, &["type", "text", "content"], at);
    let kind = findings.text(object, "type", at)?;
    let structured = match kind {
        "Text" => false,
        "text" if rules.door == Door::V1 => false,
        "Structured" => true,
        other => {
            findings.schema("message-type", format!("{at}.type is '{other}', neither Text nor Structured"));
            return None;
        }
    };
    let text = findings.optional_text(object, "text", at);
    if !structured && text.is_none_or(str::is_empty) {
        findings.schema("text-needs-text", format!("{at} is a Text message without text"));
    }
    if structured && text.is_none_or(str::is_empty) && rules.door == Door::V1 {
        findings.warning("fallback-text", format!("{at} has no text for channels without rich content"));
    }
    let content = match object.get("content") {
        None | Some(Value::Null) => &[][..],
        Some(_) => findings.array(object, "content", at),
    };
    if structured && content.is_empty() {
        findings.schema("structured-needs-content", format!("{at} is a Structured message without content"));
    }
    let mut shown = Message { text: text.unwrap_or_default().to_owned(), ..Message::default() };
    let mut pairs = BTreeSet::new();
    for (n, element) in content.iter().enumerate() {
        let at = format!("{at}.content[{n}]");
        let Some(element) = findings.object(element, &at) else { continue };
        content_element(findings, rules, structured, element, &at, &mut shown, &mut pairs);
    }
    Some(shown)
}

/// The pairs of text and payload already used in one message.
type Pairs = BTreeSet<(String, String)>;

fn content_element(
    findings: &mut Findings,
    rules: Rules,
    structured: bool,
    element: &Map<String, Value>,
    at: &str,
    shown: &mut Message,
    pairs: &mut Pairs,
) {
    let Some(kind) = findings.text(element, "contentType", at) else { return };
    let member = match kind {
        "QuickReply" => "quickReply",
        "Card" => "card",
        "Carousel" => "carousel",
        "Attachment" if rules.door == Door::V2 => "attachment",
        other => {
            findings.schema("content-type", format!("{at}.contentType '{other}' is not allowed from a bot"));
            return;
        }
    };
    findings.unknown_members(element, &["contentType", member], at);
    let Some(body) = element.get(member) else {
        findings.schema("required", format!("{at}.{member} is missing"));
        return;
    };
    let at = format!("{at}.{member}");
    let Some(body) = findings.object(body, &at) else { return };
    if structured == (kind == "Attachment") {
        let wanted = if structured { "Text" } else { "Structured" };
        findings.schema("content-in-message-type", format!("{at} belongs into a {wanted} message"));
    }
    match kind {
        "QuickReply" => quick_reply(findings, rules, body, &at, shown, pairs),
        "Card" => card(findings, body, &at, shown, pairs),
        "Carousel" => {
            shown.in_carousel = true;
            let cards = findings.array(body, "cards", &at);
            if cards.len() > 10 {
                findings.schema("carousel-at-most-10", format!("{at} has {} cards", cards.len()));
            }
            for (n, item) in cards.iter().enumerate() {
                let at = format!("{at}.cards[{n}]");
                if let Some(item) = findings.object(item, &at) {
                    card(findings, item, &at, shown, pairs);
                }
            }
        }
        _ => attachment(findings, rules, body, &at, shown),
    }
}

fn quick_reply(
    findings: &mut Findings,
    rules: Rules,
    body: &Map<String, Value>,
    at: &str,
    shown: &mut Message,
    pairs: &mut Pairs,
) {
    findings.unknown_members(body, &["text", "payload", "image", "action", "summaryText"], at);
    let Some(label) = findings.text(body, "text", at) else { return };
    // v1's blueprint omits the payload and works; v2 requires it.
    let payload = match rules.door {
        Door::V2 => findings.text(body, "payload", at),
        Door::V1 => Some(findings.optional_text(body, "payload", at).unwrap_or(label)),
    };
    let Some(payload) = payload else { return };
    findings.optional_text(body, "image", at);
    if findings.optional_text(body, "action", at).is_some_and(|action| action != "Message") {
        findings.schema("quick-reply-action", format!("{at}.action may only be Message"));
    }
    pair(findings, pairs, label, payload, at);
    shown.choices.push(Choice { label: label.to_owned(), payload: payload.to_owned(), kind: "QuickReply", card: None });
}

fn card(findings: &mut Findings, body: &Map<String, Value>, at: &str, shown: &mut Message, pairs: &mut Pairs) {
    findings.unknown_members(body, &["title", "description", "image", "video", "defaultAction", "actions"], at);
    let title = findings.text(body, "title", at).unwrap_or_default().to_owned();
    let description = findings.optional_text(body, "description", at).map(str::to_owned);
    findings.optional_text(body, "image", at);
    findings.optional_text(body, "video", at);
    let mut links = Vec::new();
    let choices_before = shown.choices.len();
    if let Some(default) = body.get("defaultAction").filter(|value| !value.is_null()) {
        let at = format!("{at}.defaultAction");
        if let Some(default) = findings.object(default, &at) {
            action(findings, default, &at, true, &mut links, shown, pairs);
        }
    }
    for (n, item) in findings.array(body, "actions", at).iter().enumerate() {
        let at = format!("{at}.actions[{n}]");
        if let Some(item) = findings.object(item, &at) {
            action(findings, item, &at, false, &mut links, shown, pairs);
        }
    }
    let buttons = shown.choices.len() - choices_before;
    shown.cards.push(Card { title, description, buttons, links });
}

/// A `Link` needs `url`, and `text` when it is a button; a `Postback` needs `text` and `payload`.
fn action(
    findings: &mut Findings,
    body: &Map<String, Value>,
    at: &str,
    is_default: bool,
    links: &mut Vec<(String, String)>,
    shown: &mut Message,
    pairs: &mut Pairs,
) {
    findings.unknown_members(body, &["type", "text", "payload", "url"], at);
    match findings.text(body, "type", at) {
        Some("Link") => {
            let url = findings.text(body, "url", at).unwrap_or_default();
            let label = if is_default { "" } else { findings.text(body, "text", at).unwrap_or_default() };
            if !is_default {
                links.push((label.to_owned(), url.to_owned()));
            }
        }
        Some("Postback") => {
            let (Some(label), Some(payload)) = (findings.text(body, "text", at), findings.text(body, "payload", at))
            else {
                return;
            };
            if !is_default {
                pair(findings, pairs, label, payload, at);
                let card = Some(shown.cards.len());
                shown.choices.push(Choice {
                    label: label.to_owned(),
                    payload: payload.to_owned(),
                    kind: "Button",
                    card,
                });
            }
        }
        Some(other) => findings.schema("action-type", format!("{at}.type '{other}' is neither Link nor Postback")),
        None => {}
    }
}

/// The tolerance of Genesys is unknown here, since its own example repeats a pair.
fn pair(findings: &mut Findings, pairs: &mut Pairs, label: &str, payload: &str, at: &str) {
    if !pairs.insert((label.to_owned(), payload.to_owned())) {
        findings.warning("unique-text-and-payload", format!("{at} repeats ('{label}', '{payload}')"));
    }
}

/// Up to 25 MB on the platform (section 3.4).
const ATTACHMENT_MAX_BYTES: u64 = 25_000_000;

/// What the default content profile lets out (section 3.4). How the platform tells the kind of a file is unknown: what is
/// said of it counts here, then the ends of its names; where nothing tells, it is believed.
fn is_let_out(body: &Map<String, Value>, filename: &str, url: &str) -> bool {
    if let Some(mime) = body.get("mime").and_then(Value::as_str) {
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        return ["image/jpeg", "image/png", "image/gif"].contains(&mime.as_str());
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.splitn(4, '/').nth(3).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let end = [filename, last].into_iter().find_map(|name| Some(name.rsplit_once('.')?.1.to_ascii_lowercase()));
    end.is_none_or(|end| ["jpg", "jpeg", "png", "gif"].contains(&end.as_str()))
}

/// Bad values of an attachment make the whole answer invalid (section 1.6). Which ones are bad is not said; an address that
/// nobody can fetch is assumed to be.
fn leads_to_the_web(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) && !url.contains(char::is_whitespace)
}

fn attachment(findings: &mut Findings, rules: Rules, body: &Map<String, Value>, at: &str, shown: &mut Message) {
    let known = ["id", "mediaType", "url", "filename", "mime", "sha256", "contentSizeBytes", "text"];
    findings.unknown_members(body, &known, at);
    if !rules.attachments {
        findings.meaning("attachments-switched-off", format!("{at}: the integration does not allow attachments"));
    }
    findings.text(body, "id", at);
    if let Some(media) = findings.text(body, "mediaType", at)
        && !["Image", "Video", "Audio", "File", "Link"].contains(&media)
    {
        findings.schema("media-type", format!("{at}.mediaType '{media}' is not one of the five"));
    }
    let url = findings.text(body, "url", at).unwrap_or_default().to_owned();
    if !url.is_empty() && !leads_to_the_web(&url) {
        findings.schema("attachment-url", format!("{at}.url is no address from which a file can be fetched"));
    }
    let filename = findings.text(body, "filename", at).unwrap_or_default().to_owned();
    findings.optional_text(body, "mime", at);
    findings.optional_text(body, "sha256", at);
    if let Some(size) = body.get("contentSizeBytes").filter(|size| !size.is_null()) {
        match size.as_u64() {
            None => {
                findings.schema("number", format!("{at}.contentSizeBytes must be a whole number, not {}", kind(size)));
            }
            Some(size) if size > ATTACHMENT_MAX_BYTES => {
                findings.warning("attachment-size", format!("{at} has more than 25 MB"));
            }
            Some(_) => {}
        }
    }
    if !is_let_out(body, &filename, &url) {
        findings.warning("attachment-type", format!("{at}: the default profile lets out .jpg, .png and .gif only"));
    }
    shown.attachments.push((filename, url));
}
