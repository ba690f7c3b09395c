//! Cards, carousels and files within their limits. Whatever cannot stand as it is becomes less, down to a text: a card
//! without a title takes another of its texts for one, a file that nobody can open is what would be said in its place.

use model::{Button, Card, Carousel, Cut, Item, Media, Tap};

use super::{Fitting, exceeds};

impl Fitting<'_> {
    /// A card of nothing but its fallback is a text.
    pub(super) fn card_item(&mut self, mut card: Card) -> Option<Item> {
        let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
        let nothing_to_see = card.image.is_none() && card.video.is_none() && card.buttons.is_empty();
        if nothing_to_see && blank(Some(&card.title)) && blank(card.description.as_deref()) {
            let fallback = self.filled(card.fallback.take(), self.limits.text_max_chars);
            return self.said_instead([fallback]);
        }
        self.card(card).map(Item::Card)
    }

    pub(super) fn carousel(&mut self, carousel: Carousel) -> Option<Item> {
        let prompt = self.filled(carousel.prompt, self.limits.prompt_max_chars);
        let fallback = self.filled(carousel.fallback, self.limits.text_max_chars);
        let mut cards = Vec::with_capacity(carousel.cards.len().min(self.limits.cards_max));
        for card in carousel.cards {
            if cards.len() == self.limits.cards_max {
                self.cuts.insert(Cut::Items);
                break;
            }
            let card = self.card(card);
            self.note_unless(card.is_some(), Cut::Dropped);
            cards.extend(card);
        }
        if cards.is_empty() {
            return self.said_instead([fallback, prompt]);
        }
        Some(Item::Carousel(Carousel { prompt, cards, fallback }))
    }

    pub(super) fn media(&mut self, media: Media) -> Option<Item> {
        let caption = self.filled(media.caption, self.limits.text_max_chars);
        let fallback = self.filled(media.fallback, self.limits.text_max_chars);
        let Some(url) = self.address(Some(media.url)) else { return self.said_instead([fallback, caption]) };
        let name = self.filled(media.name.map(one_line), self.limits.name_max_chars);
        let mime = media.mime.filter(|mime| {
            let fine = is_mime(mime) && !exceeds(mime, self.limits.name_max_chars);
            self.note_unless(fine, Cut::Values);
            fine
        });
        Some(Item::Media(Media { kind: media.kind, url, name, mime, size_bytes: media.size_bytes, caption, fallback }))
    }

    /// A card needs a title: without one, the first other text that it has takes the place.
    fn card(&mut self, card: Card) -> Option<Card> {
        let fallback = self.filled(card.fallback, self.limits.text_max_chars);
        let mut description = self.filled(card.description, self.limits.description_max_chars);
        let buttons = self.buttons(card.buttons);
        let mut title = self.filled(Some(one_line(card.title)), self.limits.title_max_chars);
        if title.is_none() {
            let labels = || buttons.iter().map(|button| button.label.as_str()).collect::<Vec<_>>().join(" / ");
            let other = description.take().or_else(|| fallback.clone()).unwrap_or_else(labels);
            title = self.filled(Some(one_line(other)), self.limits.title_max_chars);
            self.note_unless(title.is_none(), Cut::Degraded);
        }
        let tap = card.tap.and_then(|tap| self.tap(tap, ""));
        let (image, video) = (self.address(card.image), self.address(card.video));
        Some(Card { title: title?, description, image, video, tap, buttons, fallback })
    }

    fn buttons(&mut self, buttons: Vec<Button>) -> Vec<Button> {
        let mut kept = Vec::with_capacity(buttons.len().min(self.limits.buttons_max));
        for button in buttons {
            if kept.len() == self.limits.buttons_max {
                self.cuts.insert(Cut::Choices);
                break;
            }
            let label = self.filled(Some(one_line(button.label)), self.limits.label_max_chars);
            self.note_unless(label.is_some(), Cut::Choices);
            let Some(label) = label else { continue };
            kept.extend(self.tap(button.tap, &label).map(|tap| Button { label, tap }));
        }
        kept
    }

    /// A postback without a payload carries the button's label.
    fn tap(&mut self, tap: Tap, label: &str) -> Option<Tap> {
        match tap {
            Tap::Link(url) => self.address(Some(url)).map(Tap::Link),
            Tap::Postback(payload) => {
                let mut payload = self.clean(payload);
                if payload.trim().is_empty() {
                    label.clone_into(&mut payload);
                }
                let fine = !payload.is_empty() && !exceeds(&payload, self.limits.payload_max_chars);
                self.note_unless(fine, Cut::Choices);
                fine.then_some(Tap::Postback(payload))
            }
        }
    }

    /// An address that a customer's browser or app can open: absolute, of the web, without blanks and control characters.
    pub(super) fn address(&mut self, address: Option<String>) -> Option<String> {
        let address = address?;
        let trimmed = address.trim();
        let fine = leads_to_the_web(trimmed) && !exceeds(trimmed, self.limits.url_max_chars);
        self.note_unless(fine, Cut::Addresses);
        fine.then(|| trimmed.to_owned())
    }

    fn filled(&mut self, text: Option<String>, max_chars: usize) -> Option<String> {
        text.map(|text| self.text(text, max_chars, Cut::Text)).filter(|text| !text.trim().is_empty())
    }

    fn said_instead<const N: usize>(&mut self, texts: [Option<String>; N]) -> Option<Item> {
        let text = self.filled(texts.into_iter().flatten().next(), self.limits.text_max_chars)?;
        self.cuts.insert(Cut::Degraded);
        Some(Item::Text(text))
    }
}

fn one_line(text: String) -> String {
    if text.contains('\n') { text.lines().map(str::trim).collect::<Vec<_>>().join(" ") } else { text }
}

/// Whether an address is absolute, of the web, and without what no address holds.
pub(crate) fn leads_to_the_web(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_web && !host.is_empty() && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "\"<>\\".contains(c))
}

fn is_mime(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    text.split_once('/').is_some_and(|(kind, subtype)| plain(kind) && plain(subtype))
}

#[cfg(test)]
mod tests {
    use model::{Answer, Choice, Choices, MediaKind};
    use proptest::prelude::*;

    use super::*;
    use crate::engine::Limits;
    use crate::engine::conformance::assert_within;

    fn button(label: &str, tap: Tap) -> Button {
        Button { label: label.into(), tap }
    }

    fn postback(label: &str, payload: &str) -> Button {
        button(label, Tap::Postback(payload.into()))
    }

    fn link(label: &str, url: &str) -> Button {
        button(label, Tap::Link(url.into()))
    }

    fn card(title: &str, description: &str, buttons: Vec<Button>) -> Card {
        Card { title: title.into(), description: Some(description.into()), buttons, ..Card::default() }
    }

    fn carousel(cards: Vec<Card>) -> Item {
        Item::Carousel(Carousel { prompt: Some("Pick one".into()), cards, fallback: None })
    }

    fn media(url: &str, caption: Option<&str>, fallback: Option<&str>) -> Item {
        Item::Media(Media {
            kind: MediaKind::Image,
            url: url.into(),
            name: Some("a\nb.png".into()),
            mime: Some("image/png\r\nx: y".into()),
            size_bytes: Some(7),
            caption: caption.map(str::to_owned),
            fallback: fallback.map(str::to_owned),
        })
    }

    /// An item in short: texts between bars, buttons in brackets, addresses in angles.
    fn short(item: &Item) -> String {
        let of_card = |card: &Card| {
            let buttons = card.buttons.iter().map(|Button { label, tap }| match tap {
                Tap::Link(url) => format!("[{label} <{url}>]"),
                Tap::Postback(payload) => format!("[{label}={payload}]"),
            });
            let image = card.image.iter().map(|url| format!("<{url}>"));
            let parts = image.chain(buttons).collect::<String>();
            format!("{}|{}|{parts}", card.title, card.description.as_deref().unwrap_or("-"))
        };
        match item {
            Item::Card(card) => of_card(card),
            Item::Carousel(carousel) => carousel.cards.iter().map(of_card).collect::<Vec<_>>().join(" + "),
            Item::Media(media) => format!("<{}> {:?} {:?}", media.url, media.name, media.mime),
            Item::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rich_items_are_cut_to_size_and_say_so() {
        let limits = Limits {
            title_max_chars: 5,
            description_max_chars: 6,
            label_max_chars: 4,
            payload_max_chars: 5,
            buttons_max: 2,
            cards_max: 2,
            url_max_chars: 20,
            ..Limits::default()
        };
        let one = || card("One", "d", vec![postback("A", "a")]);
        let (yes, web) = (|| postback("Yes", "y"), || link("Web", "https://a.example"));
        let long = format!("https://{}.example", "a".repeat(20));
        let table: Vec<(Item, &str, Vec<Cut>)> = vec![
            (
                Item::Card(card("Title", "Descr.", vec![yes(), web()])),
                "Title|Descr.|[Yes=y][Web <https://a.example>]",
                vec![],
            ),
            (
                Item::Card(card("Titles", "Longer!", vec![postback("Label", "")])),
                "Titl…|Longe…|[Lab…=Lab…]",
                vec![Cut::Text],
            ),
            (Item::Card(card("A\nb", " ", vec![yes(), yes(), web()])), "A b|-|[Yes=y][Yes=y]", vec![Cut::Choices]),
            (
                Item::Card(card("A", "d", vec![postback("B", "too long"), postback(" ", "x")])),
                "A|d|",
                vec![Cut::Choices],
            ),
            (Item::Card(card("", "d\u{7}", vec![yes()])), "d|-|[Yes=y]", vec![Cut::ControlCharacters, Cut::Degraded]),
            (Item::Card(card(" ", "", vec![yes()])), "Yes|-|[Yes=y]", vec![Cut::Degraded]),
            (Item::Card(card("", "", vec![])), "", vec![Cut::Dropped]),
            (Item::Card(Card { fallback: Some("Instead".into()), ..Card::default() }), "Instead", vec![Cut::Degraded]),
            (Item::Card(Card { image: Some(" http://a ".into()), ..one() }), "One|d|<http://a>[A=a]", vec![]),
            (Item::Card(Card { image: Some("/a.png".into()), ..one() }), "One|d|[A=a]", vec![Cut::Addresses]),
            (Item::Card(card("A", "d", vec![link("L", "javascript:alert(1)")])), "A|d|", vec![Cut::Addresses]),
            (Item::Card(card("A", "d", vec![link("L", "https://")])), "A|d|", vec![Cut::Addresses]),
            (Item::Card(card("A", "d", vec![link("L", "http://a b")])), "A|d|", vec![Cut::Addresses]),
            (Item::Card(card("A", "d", vec![link("L", &long)])), "A|d|", vec![Cut::Addresses]),
            (carousel(vec![one(), one(), one()]), "One|d|[A=a] + One|d|[A=a]", vec![Cut::Items]),
            (carousel(vec![card("", "", vec![]), one()]), "One|d|[A=a]", vec![Cut::Dropped]),
            (carousel(vec![]), "Pick one", vec![Cut::Degraded]),
            (media("HTTPS://a/b.png", None, None), "<HTTPS://a/b.png> Some(\"a b.png\") None", vec![Cut::Values]),
            (
                media("data:image/png;base64,AA", Some("A picture"), None),
                "A picture",
                vec![Cut::Degraded, Cut::Addresses],
            ),
            (media("b.png", Some("A picture"), Some("Instead")), "Instead", vec![Cut::Degraded, Cut::Addresses]),
            (media("", None, Some(" ")), "", vec![Cut::Dropped, Cut::Addresses]),
        ];
        for (item, expected, cuts) in table {
            let fitted = limits.fit(Answer::saying(vec![item.clone()]));
            let shown: String = fitted.items.iter().map(short).collect();
            assert_eq!((shown.as_str(), &fitted.cuts), (expected, &cuts), "{item:?}");
            assert_eq!(limits.fit(fitted.clone()), fitted, "cut twice is cut once");
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ a\\n\\t]{0,6}",
            "\\PC{0,6}",
            any::<String>(),
            prop::sample::select(vec!["https://a.example/i", "http://a", "ftp://a", "image/png", "\u{7}\r\n"])
                .prop_map(str::to_owned),
        ]
    }

    fn any_button() -> impl Strategy<Value = Button> {
        let tap = prop_oneof![any_text().prop_map(Tap::Link), any_text().prop_map(Tap::Postback)];
        (any_text(), tap).prop_map(|(label, tap)| Button { label, tap })
    }

    fn any_card() -> impl Strategy<Value = Card> {
        let texts = (any_text(), prop::option::of(any_text()), prop::option::of(any_text()));
        let addresses = (prop::option::of(any_text()), prop::option::of(any_text()), prop::option::of(any_text()));
        (texts, addresses, prop::collection::vec(any_button(), 0..4)).prop_map(|(texts, addresses, buttons)| {
            let ((title, description, fallback), (image, video, url)) = (texts, addresses);
            Card { title, description, image, video, tap: url.map(Tap::Link), buttons, fallback }
        })
    }

    fn any_item() -> impl Strategy<Value = Item> {
        let options = prop::collection::vec((any_text(), any_text(), prop::option::of(any_text())), 0..4);
        let cards = prop::collection::vec(any_card(), 0..4);
        let texts = || prop::option::of(any_text());
        prop_oneof![
            any_text().prop_map(Item::Text),
            any_text().prop_map(Item::Markdown),
            (any_text(), options).prop_map(|(prompt, options)| {
                let options = options.into_iter().map(|(label, value, image)| Choice { label, value, image }).collect();
                Item::Choices(Choices { prompt, options })
            }),
            any_card().prop_map(Item::Card),
            (texts(), cards, texts()).prop_map(|(prompt, cards, fallback)| Item::Carousel(Carousel {
                prompt,
                cards,
                fallback
            })),
            (any_text(), texts(), texts(), texts(), texts()).prop_map(|(url, name, mime, caption, fallback)| {
                let (kind, size_bytes) = (MediaKind::File, None);
                Item::Media(Media { kind, url, name, mime, size_bytes, caption, fallback })
            }),
        ]
    }

    #[test]
    fn whatever_is_said_fits_and_then_stays_as_it_is() {
        let items = prop::collection::vec(any_item(), 0..4);
        let limits = (1..8_usize, 1..8_usize, 1..8_usize, 1..4_usize, 10..30_usize);
        proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) }, |(
            items in items, (text, label, payload, count, url) in limits
        )| {
            let limits = Limits {
                items_max: count,
                text_max_chars: text,
                prompt_max_chars: text,
                choices_max: count,
                label_max_chars: label,
                payload_max_chars: payload,
                cards_max: count,
                buttons_max: count,
                title_max_chars: label,
                description_max_chars: text,
                url_max_chars: url,
                name_max_chars: label,
                ..Limits::default()
            };
            let once = limits.fit(Answer::saying(items));
            assert_within(&limits, &once);
            let again = limits.fit(once.clone());
            assert_eq!(again, once);
        });
    }
}
