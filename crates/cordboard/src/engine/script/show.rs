//! What a script shows beside plain texts and quick replies: Markdown, cards, carousels and files. How it is written, what
//! is wrong with it, and how it is filled.

use std::collections::BTreeSet;
use std::fmt;

use model::{Carousel as Cards, Item, MediaKind, Tap};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::template::Template;
use crate::engine::limits::leads_to_the_web;

/// One thing to show: a table with one of these keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Show {
    /// A plain text, for one between others.
    Text(Template),
    /// A text in Markdown; it becomes what the customer's channel shows.
    Markdown(Template),
    /// A card.
    Card(Card),
    /// Cards side by side.
    Carousel(Carousel),
    /// A picture: its address, or a table.
    Image(File),
    /// A film.
    Video(File),
    /// A recording.
    Audio(File),
    /// Any other file.
    File(File),
}

/// A card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Card {
    pub(super) title: Template,
    /// Text below the title. Default: none.
    #[serde(default)]
    pub(super) text: Option<Template>,
    /// The address of a picture. Default: none.
    #[serde(default)]
    pub(super) image: Option<Template>,
    /// The address of a film. Default: none.
    #[serde(default)]
    pub(super) video: Option<Template>,
    /// The address that a tap on the card opens. Default: none.
    #[serde(default)]
    pub(super) url: Option<Template>,
    /// Default: none.
    #[serde(default)]
    pub(super) buttons: Vec<Button>,
    /// Said where a card cannot be shown. Default: made of the card.
    #[serde(default)]
    pub(super) fallback: Option<Template>,
}

/// Cards side by side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Carousel {
    /// Said over the cards. Default: nothing.
    #[serde(default)]
    pub(super) prompt: Option<Template>,
    pub(super) cards: Vec<Card>,
    /// Said where cards cannot be shown. Default: made of the cards.
    #[serde(default)]
    pub(super) fallback: Option<Template>,
}

/// A button: its label, or a table with the label and either what it carries or the address it opens.
#[derive(Debug)]
pub(super) struct Button {
    label: Template,
    does: Does,
}

#[derive(Debug)]
enum Does {
    /// The label comes back.
    Say,
    Send(Template),
    Open(Template),
}

/// A file.
#[derive(Debug)]
pub(super) struct File {
    url: Template,
    name: Option<Template>,
    mime: Option<Template>,
    caption: Option<Template>,
    fallback: Option<Template>,
}

/// What a template is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Text,
    /// A text that may not be blank.
    Title,
    Address,
}

/// Where a text stands in a [`Show`], and what for.
pub(super) type Place<'a> = (String, Use, &'a Template);

impl Show {
    /// Every text with places to fill.
    pub(super) fn templates(&self) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        match self {
            Self::Text(text) => places.push(("text".to_owned(), Use::Title, text)),
            Self::Markdown(text) => places.push(("markdown".to_owned(), Use::Title, text)),
            Self::Card(card) => card.templates("card", &mut places),
            Self::Carousel(carousel) => {
                add(&mut places, "carousel.prompt", Use::Text, carousel.prompt.as_ref());
                add(&mut places, "carousel.fallback", Use::Text, carousel.fallback.as_ref());
                for (index, card) in carousel.cards.iter().enumerate() {
                    card.templates(&format!("carousel.cards[{index}]"), &mut places);
                }
            }
            Self::Image(file) => file.templates("image", &mut places),
            Self::Video(file) => file.templates("video", &mut places),
            Self::Audio(file) => file.templates("audio", &mut places),
            Self::File(file) => file.templates("file", &mut places),
        }
        places
    }

    /// What is wrong with it as a whole, and where. The platform wants what a tap sends to be one button's alone, over
    /// all cards of a message (`reference/digital-bot-connector.md`, section 3.2).
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let (at, cards): (&str, Vec<&Card>) = match self {
            Self::Card(card) => ("card", vec![card]),
            Self::Carousel(carousel) => ("carousel", carousel.cards.iter().collect()),
            Self::Text(_) | Self::Markdown(_) | Self::Image(_) | Self::Video(_) | Self::Audio(_) | Self::File(_) => {
                return Vec::new();
            }
        };
        let mut problems = Vec::new();
        if cards.is_empty() {
            problems.push((at.to_owned(), "a carousel without cards".to_owned()));
        }
        let mut sent = BTreeSet::new();
        for button in cards.iter().flat_map(|card| &card.buttons) {
            let value = match &button.does {
                Does::Say => &button.label,
                Does::Send(value) => value,
                Does::Open(_) => continue,
            };
            if let (Some(label), Some(value)) = (button.label.literal(), value.literal())
                && !sent.insert((label, value))
            {
                let what =
                    format!("two buttons are called {label:?} and send the same; give each a `value` of its own");
                problems.push((at.to_owned(), what));
            }
        }
        problems
    }

    /// What is shown, with every place filled.
    pub(super) fn item(&self, fill: &dyn Fn(&Template) -> String, fill_address: &dyn Fn(&Template) -> String) -> Item {
        let pen = Pen { fill, fill_address };
        match self {
            Self::Text(text) => Item::Text(fill(text)),
            Self::Markdown(text) => Item::Markdown(fill(text)),
            Self::Card(card) => Item::Card(pen.card(card)),
            Self::Carousel(carousel) => Item::Carousel(Cards {
                prompt: pen.text(carousel.prompt.as_ref()),
                cards: carousel.cards.iter().map(|card| pen.card(card)).collect(),
                fallback: pen.text(carousel.fallback.as_ref()),
            }),
            Self::Image(file) => pen.media(MediaKind::Image, file),
            Self::Video(file) => pen.media(MediaKind::Video, file),
            Self::Audio(file) => pen.media(MediaKind::Audio, file),
            Self::File(file) => pen.media(MediaKind::File, file),
        }
    }
}

/// What is wrong with a text that has no places to fill; one that has them is judged when it is filled.
pub(super) fn problem(used: Use, template: &Template) -> Option<&'static str> {
    let literal = template.literal()?;
    match used {
        Use::Title if literal.trim().is_empty() => Some("it is blank"),
        Use::Address if !leads_to_the_web(literal) => {
            Some("an address begins with https:// or http:// and has no blanks")
        }
        Use::Text | Use::Title | Use::Address => None,
    }
}

fn add<'a>(places: &mut Vec<Place<'a>>, at: &str, used: Use, template: Option<&'a Template>) {
    places.extend(template.map(|template| (at.to_owned(), used, template)));
}

impl Card {
    fn templates<'a>(&'a self, at: &str, places: &mut Vec<Place<'a>>) {
        add(places, &format!("{at}.title"), Use::Title, Some(&self.title));
        add(places, &format!("{at}.text"), Use::Text, self.text.as_ref());
        add(places, &format!("{at}.fallback"), Use::Text, self.fallback.as_ref());
        for (name, address) in [("image", &self.image), ("video", &self.video), ("url", &self.url)] {
            add(places, &format!("{at}.{name}"), Use::Address, address.as_ref());
        }
        for (index, button) in self.buttons.iter().enumerate() {
            let at = format!("{at}.buttons[{index}]");
            add(places, &format!("{at}.label"), Use::Title, Some(&button.label));
            match &button.does {
                Does::Say => {}
                Does::Send(value) => add(places, &format!("{at}.value"), Use::Title, Some(value)),
                Does::Open(url) => add(places, &format!("{at}.url"), Use::Address, Some(url)),
            }
        }
    }
}

impl File {
    fn templates<'a>(&'a self, at: &str, places: &mut Vec<Place<'a>>) {
        add(places, &format!("{at}.url"), Use::Address, Some(&self.url));
        for (name, text) in
            [("name", &self.name), ("mime", &self.mime), ("caption", &self.caption), ("fallback", &self.fallback)]
        {
            add(places, &format!("{at}.{name}"), Use::Text, text.as_ref());
        }
    }
}

/// Fills what is shown.
struct Pen<'a> {
    fill: &'a dyn Fn(&Template) -> String,
    fill_address: &'a dyn Fn(&Template) -> String,
}

impl Pen<'_> {
    fn text(&self, template: Option<&Template>) -> Option<String> {
        template.map(self.fill)
    }

    fn address(&self, template: Option<&Template>) -> Option<String> {
        template.map(self.fill_address)
    }

    fn card(&self, card: &Card) -> model::Card {
        model::Card {
            title: (self.fill)(&card.title),
            description: self.text(card.text.as_ref()),
            image: self.address(card.image.as_ref()),
            video: self.address(card.video.as_ref()),
            tap: self.address(card.url.as_ref()).map(Tap::Link),
            buttons: card.buttons.iter().map(|button| self.button(button)).collect(),
            fallback: self.text(card.fallback.as_ref()),
        }
    }

    fn button(&self, button: &Button) -> model::Button {
        let label = (self.fill)(&button.label);
        let tap = match &button.does {
            Does::Say => Tap::Postback(label.clone()),
            Does::Send(value) => Tap::Postback((self.fill)(value)),
            Does::Open(url) => Tap::Link((self.fill_address)(url)),
        };
        model::Button { label, tap }
    }

    fn media(&self, kind: MediaKind, file: &File) -> Item {
        Item::Media(model::Media {
            kind,
            url: (self.fill_address)(&file.url),
            name: self.text(file.name.as_ref()),
            mime: self.text(file.mime.as_ref()),
            size_bytes: None,
            caption: self.text(file.caption.as_ref()),
            fallback: self.text(file.fallback.as_ref()),
        })
    }
}

impl<'de> Deserialize<'de> for Button {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            label: Template,
            value: Option<Template>,
            url: Option<Template>,
        }
        struct ButtonVisitor;
        impl<'de> Visitor<'de> for ButtonVisitor {
            type Value = Button;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a label, { label = \"…\", value = \"…\" }, or { label = \"…\", url = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Button, E> {
                Ok(Button { label: Template::parse(text).map_err(E::custom)?, does: Does::Say })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Button, A::Error> {
                let Table { label, value, url } = Table::deserialize(MapAccessDeserializer::new(map))?;
                let does = match (value, url) {
                    (None, None) => Does::Say,
                    (Some(value), None) => Does::Send(value),
                    (None, Some(url)) => Does::Open(url),
                    (Some(_), Some(_)) => {
                        return Err(A::Error::custom("a button sends a `value` or opens a `url`, not both"));
                    }
                };
                Ok(Button { label, does })
            }
        }
        deserializer.deserialize_any(ButtonVisitor)
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            url: Template,
            name: Option<Template>,
            mime: Option<Template>,
            caption: Option<Template>,
            fallback: Option<Template>,
        }
        struct FileVisitor;
        impl<'de> Visitor<'de> for FileVisitor {
            type Value = File;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an address, or { url = \"…\", name = \"…\", caption = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<File, E> {
                let url = Template::parse(text).map_err(E::custom)?;
                Ok(File { url, name: None, mime: None, caption: None, fallback: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<File, A::Error> {
                let Table { url, name, mime, caption, fallback } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(File { url, name, mime, caption, fallback })
            }
        }
        deserializer.deserialize_any(FileVisitor)
    }
}

/// One thing to show, or a list of things.
pub(super) fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Show>, D::Error> {
    struct OneOrSeveral;
    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<Show>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("one thing to show, such as { card = … }, or a list of such things")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Show>, A::Error> {
            Ok(vec![Show::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<Show>, A::Error> {
            let mut all = Vec::new();
            while let Some(show) = sequence.next_element()? {
                all.push(show);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrSeveral)
}
