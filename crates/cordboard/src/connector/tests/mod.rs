//! What every bot door is held to: both read whatever a network can bring, and every answer of theirs is one that the
//! platform takes.

mod buttons;
mod hostile;
mod judged;
mod listed;
mod replies;
mod shadows;

use model::{
    Attributes, Choice, Choices, HandOver, Intent, Item, Opaque, Outcome, Part, PollButton, PollNumber, Reply,
    SlotValue, Slots,
};

use super::bots::{Bot, BotFace, Bots};
use super::{Connector, LegView, bot_connector, digital_bot_connector};
use crate::http::Credentials;
use crate::org::{Org, OrgConfig};

/// An org with addresses of its own.
pub(super) fn org() -> Org {
    let config = "client_id = 'id'\nclient_secret = 'a-client-secret'\napi_url = 'https://api.example.com'\n\
                  login_url = 'https://login.example.com'";
    let config: OrgConfig = toml::from_str(config).unwrap();
    Org::new("acme".into(), &config).unwrap()
}

/// A bot that declares intents, and one that declares none.
pub(super) fn bots() -> Bots {
    let claims = r#"
        name = "Claims Desk"
        version = "2"
        description = "Files claims"
        languages = ["en-us", "de"]
        [[intents]]
        name = "Filed"
        [intents.slots]
        claimNumber = "String"
        items = "Integer"
        amount = "Currency"
        weight = "Decimal"
        urgent = "Boolean"
        waiting = "Duration"
        happened = "Datetime"
        photos = "StringCollection"
        payments = "CurrencyCollection"
        [[intents]]
        name = "Status"
    "#;
    let face = |toml: &str| -> BotFace { toml::from_str(toml).unwrap() };
    Bots::new([
        Bot::new("claims".into(), face(claims)).unwrap(),
        Bot::new("returns".into(), face("name = 'Returns assistant'\nversion = '2026-11'")).unwrap(),
    ])
}

/// A v2 integration; `more` is added to its configuration.
pub(super) fn digital(more: &str) -> Result<digital_bot_connector::DigitalBotConnector, String> {
    let config = format!(
        "org = 'acme'\npath = '/genesys/acme/digital'\n{more}\n[credentials]\nx-key = 'a-secret-of-some-length'"
    );
    let config = toml::from_str(&config).map_err(|error: toml::de::Error| error.to_string())?;
    digital_bot_connector::DigitalBotConnector::new("web".into(), &config, &org(), &bots())
        .map_err(|error| error.to_string())
}

/// A v1 integration; `more` is added to its configuration.
pub(super) fn utterances(more: &str) -> Result<bot_connector::BotConnector, String> {
    let config =
        format!("org = 'acme'\npath = '/genesys/acme/v1'\n{more}\n[credentials]\nx-key = 'a-secret-of-some-length'");
    let config = toml::from_str(&config).map_err(|error: toml::de::Error| error.to_string())?;
    bot_connector::BotConnector::new("sms".into(), &config, &org(), &bots()).map_err(|error| error.to_string())
}

/// Both doors.
fn doors() -> [Box<dyn Connector>; 2] {
    [Box::new(digital("").unwrap()), Box::new(utterances("").unwrap())]
}

/// A part that says something and leaves the session open.
pub(super) fn part(items: Vec<Item>) -> Part {
    Part {
        turn: None,
        number: 1,
        items,
        outcome: Outcome::Open,
        intent: None,
        slots: Slots::new(),
        attributes: Attributes::new(),
        by_policy: false,
    }
}

/// A part that ends the session.
pub(super) fn done(intent: Option<&str>, slots: &[(&str, &[&str])]) -> Part {
    let value = |values: &[&str]| match values {
        [one] => SlotValue::One((*one).to_owned()),
        many => SlotValue::Many(many.iter().map(|&text| text.to_owned()).collect()),
    };
    Part {
        outcome: Outcome::Done,
        intent: intent.map(|name| Intent { name: name.to_owned(), confidence_permille: Some(930) }),
        slots: slots.iter().map(|(name, values)| ((*name).to_owned(), value(values))).collect(),
        ..part(vec![Item::text("Bye.")])
    }
}

fn hand_over(note: Option<&str>) -> Part {
    let hand_over = HandOver { reason: "customer_request".to_owned(), note: note.map(str::to_owned) };
    Part { outcome: Outcome::HandOver(hand_over), ..part(vec![Item::text("One moment.")]) }
}

/// Every form of reply that the core makes, by name.
pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let text = || part(vec![Item::text("Sorry to hear that."), Item::text("When did it happen?")]);
    let yes_no = ["Yes", "No"].map(|label| Choice::new(label, format!("drive:{label}")));
    let choices = Item::Choices(Choices { prompt: "Can you drive?".to_owned(), options: yes_no.to_vec() });
    let with_attributes = |part: Part, tier: &str| Part {
        attributes: [("tier".to_owned(), tier.to_owned()), (format!("of-{tier}"), "yes".to_owned())].into(),
        ..part
    };
    let typed: &[(&str, &[&str])] = &[
        ("amount", &["240.00|EUR"]),
        ("claimNumber", &["55-812"]),
        ("happened", &["2026-11-20T14:30:00Z"]),
        ("items", &["2"]),
        ("payments", &["1.50|EUR", "{\"amount\": \"2\", \"code\": \"USD\"}"]),
        ("photos", &["front.jpg", "side.jpg"]),
        ("urgent", &["true"]),
        ("waiting", &["PT1H30M"]),
        ("weight", &["3.1400000000000000000000000000000000001"]),
    ];
    let misfits: &[(&str, &[&str])] = &[
        ("claimNumber", &["1", "2"]),
        ("items", &["two"]),
        ("photos", &["one.jpg"]),
        ("unheard", &["of"]),
        ("urgent", &["True"]),
    ];
    let button = PollButton { label: "OK".to_owned(), poll: PollNumber(17) };
    let line = || Some("Still checking.".to_owned());
    vec![
        ("nothing", Reply::Parts(vec![])),
        ("two texts", Reply::Parts(vec![text()])),
        ("choices", Reply::Parts(vec![part(vec![choices])])),
        (
            "attributes of two parts",
            Reply::Parts(vec![with_attributes(text(), "gold"), with_attributes(part(vec![]), "silver")]),
        ),
        ("done without an intent", Reply::Parts(vec![done(None, &[])])),
        ("done with every type of slot", Reply::Parts(vec![text(), done(Some("Filed"), typed)])),
        ("slots that do not fit", Reply::Parts(vec![done(Some("Filed"), misfits)])),
        ("an undeclared intent", Reply::Parts(vec![done(Some("filed"), &[("claimNumber", &["1"])])])),
        ("hand-over", Reply::Parts(vec![with_attributes(hand_over(Some("Windscreen, can drive")), "gold")])),
        ("hand-over without a note", Reply::Parts(vec![hand_over(None)])),
        ("a blank text", Reply::Parts(vec![part(vec![Item::text("  ")])])),
        ("holding line", Reply::Holding { parts: vec![], line: line(), button: None }),
        ("holding with a button", Reply::Holding { parts: vec![text()], line: line(), button: Some(button) }),
        ("holding in silence", Reply::Holding { parts: vec![], line: None, button: None }),
        ("pending", Reply::Pending { parts: vec![text()], poll: PollNumber(17) }),
        ("failed", Reply::Failed { code: "conversation.too_many_bots" }),
        ("refused", Reply::Refused),
    ]
}

/// A leg of this bot with this address and memory.
pub(super) fn leg<'a>(bot: &'a model::BotKey, address: &'a Opaque, memory: &'a Opaque) -> LegView<'a> {
    LegView { bot, session: "8f0e1c1e-5f6b-4a9e-8d55-2f2b0f3a7c01", address, memory, channel: None }
}

/// The replies as text for a snapshot: exactly the bytes, with what the connector reports beside them.
pub(super) fn shown(door: &dyn Connector, leg: LegView<'_>) -> String {
    let mut shown = String::new();
    for (name, reply) in replies() {
        let rendered = door.render(&reply, leg);
        let memory = rendered.memory.map(|memory| String::from_utf8(memory.0).unwrap());
        let body = std::str::from_utf8(&rendered.reply.body).unwrap();
        shown += &format!(
            "{name}: {} retry-after {:?}, changes {:?}, memory {}\n{body}\n\n",
            rendered.reply.status,
            rendered.reply.retry_after_s,
            rendered.noted.changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            memory.as_deref().unwrap_or("unchanged"),
        );
    }
    shown
}

#[test]
fn credentials_of_both_doors_are_checked() {
    let verify = |credentials: &Credentials, secret: &'static str| {
        let headers = [(http::HeaderName::from_static("x-key"), http::HeaderValue::from_static(secret))];
        credentials.verify(&headers.into_iter().collect())
    };
    let (v2, v1) = (digital("").unwrap(), utterances("").unwrap());
    for credentials in [v2.entrance().credentials(), v1.entrance().credentials()] {
        assert!(verify(credentials, "a-secret-of-some-length") && !verify(credentials, "a-secret-of-some-lengtx"));
    }
}
