//! Cards and carousels: complete, with as many buttons and cards as the channel takes, or as text.

use std::borrow::Cow;

use model::{Button, Card, Carousel, Choice, Choices, Item, Media, MediaKind, Tap};

use super::{Fitting, RULES, What, text};

/// Longest title that is made of a description, in characters.
const MADE_TITLE_MAX_CHARS: usize = 80;

/// What becomes of a card.
enum Shape {
    /// It stays one.
    Card(Card),
    /// A card without buttons is none.
    Media(Media),
    /// Nor is this one, and it has no picture.
    Text(String),
}

impl Fitting<'_> {
    pub(super) fn card(&mut self, card: &Card) {
        if !self.to.cards.value {
            self.note(What::CardAsText, 1, 0, self.to.cards.basis);
            return self.card_in_words(card);
        }
        for shape in self.shapes(card) {
            match shape {
                Shape::Card(card) => self.push_card(card),
                other => self.push_other(other),
            }
        }
    }

    /// A card as a text. Its buttons are quick replies below it where the channel shows those.
    fn card_in_words(&mut self, card: &Card) {
        let card = &*with_tap_as_button(card);
        let own = filled(card.fallback.as_deref());
        let replies = card.buttons.iter().filter_map(|button| match &button.tap {
            Tap::Postback(payload) => Some(Choice::new(button.label.as_str(), payload.as_str())),
            Tap::Link(_) => None,
        });
        let options: Vec<Choice> = replies.collect();
        if options.is_empty() || self.to.quick_replies_max.value == 0 {
            let text = own.map_or_else(|| self.told(None, &[card]), str::to_owned);
            return self.say(Cow::Owned(text));
        }
        let mut rest = card.clone();
        rest.buttons.retain(|button| matches!(button.tap, Tap::Link(_)));
        let prompt = own.map_or_else(|| told(&[&rest]), str::to_owned);
        self.choices(&Choices { prompt: String::new(), options }, Cow::Owned(prompt));
    }

    pub(super) fn carousel(&mut self, carousel: &Carousel) {
        let prompt = filled(carousel.prompt.as_deref());
        let own = filled(carousel.fallback.as_deref());
        if carousel.cards.is_empty() {
            self.note(What::NoCards, 1, 0, RULES);
            return self.say(Cow::Borrowed(own.or(prompt).unwrap_or_default()));
        }
        if !self.to.cards.value {
            self.note(What::CarouselAsText, carousel.cards.len(), 0, self.to.cards.basis);
            let cards: Vec<Cow<'_, Card>> = carousel.cards.iter().map(with_tap_as_button).collect();
            let cards: Vec<&Card> = cards.iter().map(AsRef::as_ref).collect();
            let text = own.map_or_else(|| self.told(prompt, &cards), str::to_owned);
            return self.say(Cow::Owned(text));
        }
        if let Some(prompt) = prompt {
            self.say(Cow::Borrowed(prompt));
        }
        let mut own = own;
        let mut row = Vec::with_capacity(carousel.cards.len());
        for card in &carousel.cards {
            for shape in self.shapes(card) {
                match shape {
                    Shape::Card(card) => row.push(card),
                    other => {
                        self.push_row(&mut row, &mut own);
                        self.push_other(other);
                    }
                }
            }
        }
        self.push_row(&mut row, &mut own);
    }

    /// Cards side by side, in as many carousels as they need. The first has the fallback that the bot wrote.
    fn push_row(&mut self, row: &mut Vec<Card>, own: &mut Option<&str>) {
        let max = self.to.carousel_cards_max;
        if max.value == 0 {
            if !row.is_empty() {
                self.note(What::CarouselAsCards, row.len(), 0, max.basis);
            }
            return row.drain(..).for_each(|card| self.push_card(card));
        }
        if row.len() > max.value {
            self.note(What::CarouselSplit, row.len(), max.value, max.basis);
        }
        let mut rest = row.drain(..).peekable();
        while rest.peek().is_some() {
            let mut cards: Vec<Card> = rest.by_ref().take(max.value).collect();
            self.tell_apart(&mut cards);
            let fallback = self.fallback(own.take(), || {
                let cards: Vec<&Card> = cards.iter().collect();
                told(&cards)
            });
            self.fitted.items.push(Item::Carousel(Carousel { prompt: None, cards, fallback: Some(fallback) }));
        }
    }

    fn push_card(&mut self, mut card: Card) {
        self.tell_apart(std::slice::from_mut(&mut card));
        let own = card.fallback.take();
        let fallback = self.fallback(own.as_deref(), || told(&[&card]));
        card.fallback = Some(fallback);
        self.fitted.items.push(Item::Card(card));
    }

    fn push_other(&mut self, shape: Shape) {
        match shape {
            Shape::Card(card) => self.push_card(card),
            Shape::Media(media) => self.media(&media),
            Shape::Text(text) => self.say(Cow::Owned(text)),
        }
    }

    /// A card with everything that a card must have, in as many cards as its buttons need.
    fn shapes(&mut self, card: &Card) -> Vec<Shape> {
        let mut card = Card {
            title: self.clean(&card.title),
            description: filled(card.description.as_deref()).map(str::to_owned),
            image: self.address(card.image.as_deref()),
            video: self.address(card.video.as_deref()),
            tap: card.tap.as_ref().and_then(|tap| self.tap(tap)),
            buttons: self.buttons(&card.buttons),
            fallback: filled(card.fallback.as_deref()).map(str::to_owned),
        };
        if card.title.is_empty() {
            self.make_title(&mut card);
        }
        if !self.to.link_buttons.value {
            self.links_as_text(&mut card);
        }
        self.move_tap(&mut card);
        if card.title.is_empty() || card.buttons.is_empty() {
            return vec![self.without_buttons(card)];
        }
        let max = self.to.card_buttons_max;
        let most = max.value.max(1);
        if card.buttons.len() <= most {
            return vec![Shape::Card(card)];
        }
        self.note(What::ButtonsSplit, card.buttons.len(), most, max.basis);
        let later = card.buttons.split_off(most);
        let title = card.title.clone();
        let more = later
            .chunks(most)
            .map(|buttons| Shape::Card(Card { title: title.clone(), buttons: buttons.to_vec(), ..Card::default() }));
        let more: Vec<Shape> = more.collect();
        std::iter::once(Shape::Card(card)).chain(more).collect()
    }

    fn address(&mut self, address: Option<&str>) -> Option<String> {
        address.map(|address| self.clean(address)).filter(|address| !address.is_empty())
    }

    /// What a tap does, unless it leads nowhere.
    fn tap(&mut self, tap: &Tap) -> Option<Tap> {
        let (Tap::Link(target) | Tap::Postback(target)) = tap;
        let target = self.clean(target);
        if target.is_empty() {
            self.note(What::ButtonsBlank, 1, 0, RULES);
            return None;
        }
        Some(match tap {
            Tap::Link(_) => Tap::Link(target),
            Tap::Postback(_) => Tap::Postback(target),
        })
    }

    fn buttons(&mut self, buttons: &[Button]) -> Vec<Button> {
        let mut kept: Vec<Button> = Vec::with_capacity(buttons.len());
        for button in buttons {
            let label = self.clean(&button.label);
            let (Tap::Link(target) | Tap::Postback(target)) = &button.tap;
            let lacks_target = text::is_blank(target);
            let button = match &button.tap {
                Tap::Postback(_) if lacks_target && !label.is_empty() => {
                    self.note(What::ButtonsCompleted, 1, 0, RULES);
                    Button { tap: Tap::Postback(label.clone()), label }
                }
                tap => match self.tap(tap) {
                    None => continue,
                    Some(tap) if label.is_empty() => {
                        self.note(What::ButtonsCompleted, 1, 0, RULES);
                        let (Tap::Link(target) | Tap::Postback(target)) = &tap;
                        Button { label: target.clone(), tap }
                    }
                    Some(tap) => Button { label, tap },
                },
            };
            if kept.contains(&button) {
                self.note(What::ButtonsRepeated, 1, 0, RULES);
            } else {
                kept.push(button);
            }
        }
        kept
    }

    /// A title of what else the card says: the first line of its description, or its first button.
    fn make_title(&mut self, card: &mut Card) {
        let first_line = |text: &Option<String>| {
            let line = text.as_deref().unwrap_or_default().lines().find(|line| !text::is_blank(line));
            line.map(|line| text::clean(line).into_owned())
        };
        let (label, own) = (card.buttons.first().map(|button| button.label.clone()), first_line(&card.fallback));
        let Some(title) = first_line(&card.description).or(label).or(own) else { return };
        if card.description.as_deref().map(text::clean).as_deref() == Some(&title) {
            card.description = None;
        }
        let is_long = text::exceeds(&title, MADE_TITLE_MAX_CHARS);
        if is_long && card.description.is_none() {
            card.description = Some(title.clone());
        }
        card.title = if is_long { text::shortened(&title, MADE_TITLE_MAX_CHARS) } else { title };
        self.note(What::TitleMade, 1, 0, RULES);
    }

    fn links_as_text(&mut self, card: &mut Card) {
        let mut links = 0;
        let description = &mut card.description;
        card.buttons.retain(|button| match &button.tap {
            Tap::Link(url) => {
                links += 1;
                add_line(description, &link_line(&button.label, url));
                false
            }
            Tap::Postback(_) => true,
        });
        if links > 0 {
            self.note(What::LinksAsText, links, 0, self.to.link_buttons.basis);
        }
    }

    /// Where taps on the card are ignored, or where it has no other button, what they do becomes a button or a line.
    fn move_tap(&mut self, card: &mut Card) {
        let is_ignored = !self.to.card_taps.value;
        if !is_ignored && !card.buttons.is_empty() {
            return;
        }
        let Some(tap) = card.tap.take() else { return };
        if card.title.is_empty() {
            let (Tap::Link(target) | Tap::Postback(target)) = &tap;
            card.title.clone_from(target);
            self.note(What::TitleMade, 1, 0, RULES);
        }
        let label = card.title.clone();
        let is_there = card.buttons.iter().any(|button| button.tap == tap)
            || matches!((&tap, &card.description), (Tap::Link(url), Some(text)) if text::names(text, url));
        if is_ignored {
            self.note(What::TapMoved, 1, 0, self.to.card_taps.basis);
        } else {
            self.note(What::ButtonsCompleted, 1, 0, RULES);
        }
        match tap {
            _ if is_there => {}
            Tap::Link(url) if !self.to.link_buttons.value => add_line(&mut card.description, &url),
            tap => card.buttons.push(Button { label, tap }),
        }
    }

    /// What is left of a card that has nothing to tap.
    fn without_buttons(&mut self, card: Card) -> Shape {
        self.note(What::NoButtons, 1, 0, RULES);
        let said = match &card.fallback {
            Some(own) => own.clone(),
            None => told(&[&card]),
        };
        let kind = if card.image.is_some() { MediaKind::Image } else { MediaKind::Video };
        match card.image.or(card.video) {
            Some(url) => Shape::Media(Media {
                kind,
                url,
                name: None,
                mime: None,
                size_bytes: None,
                caption: filled(Some(&said)).map(str::to_owned),
                fallback: None,
            }),
            None => Shape::Text(said),
        }
    }

    /// Buttons of equal text and payload would be one to the platform, so later ones get a number.
    fn tell_apart(&mut self, cards: &mut [Card]) {
        let places: Vec<(usize, usize)> = (0..cards.len())
            .flat_map(|card| (0..cards[card].buttons.len()).map(move |button| (card, button)))
            .filter(|(card, button)| matches!(cards[*card].buttons[*button].tap, Tap::Postback(_)))
            .collect();
        for (later, (card, button)) in places.iter().enumerate() {
            let earlier = &places[..later];
            let is_taken = |cards: &[Card], label: &str, others: &[(usize, usize)]| {
                let tap = &cards[*card].buttons[*button].tap;
                others.iter().any(|(card, button)| {
                    let other = &cards[*card].buttons[*button];
                    other.label == label && other.tap == *tap
                })
            };
            if !is_taken(cards, &cards[*card].buttons[*button].label, earlier) {
                continue;
            }
            let numbered = (2..=places.len() + 1)
                .map(|number| format!("{} ({number})", cards[*card].buttons[*button].label))
                .find(|label| !is_taken(cards, label, &places));
            if let Some(label) = numbered {
                self.note(What::ButtonsNumbered, 1, 0, RULES);
                cards[*card].buttons[*button].label = label;
            }
        }
    }

    /// Cards as a text of this channel.
    fn told(&mut self, prompt: Option<&str>, cards: &[&Card]) -> String {
        let with_addresses = self.to.style.value != super::Style::Spoken;
        told_and_offered(prompt, cards, with_addresses, Some(&mut self.fitted.offered))
    }
}

/// A text that is not blank.
fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text::is_blank(text))
}

/// A card whose tap can be chosen in words as well: where the card is a text, nothing of it can be tapped.
fn with_tap_as_button(card: &Card) -> Cow<'_, Card> {
    match &card.tap {
        Some(tap @ Tap::Postback(payload))
            if !text::is_blank(payload) && card.buttons.iter().all(|button| button.tap != *tap) =>
        {
            let label = filled(Some(&card.title)).unwrap_or(payload).to_owned();
            let button = Button { label, tap: tap.clone() };
            let buttons = card.buttons.iter().cloned().chain([button]).collect();
            Cow::Owned(Card { tap: None, buttons, ..card.clone() })
        }
        _ => Cow::Borrowed(card),
    }
}

fn link_line(label: &str, url: &str) -> String {
    if label.is_empty() || label == url { url.to_owned() } else { format!("{label}: {url}") }
}

fn add_line(text: &mut Option<String>, line: &str) {
    match text {
        Some(text) => {
            text.push('\n');
            text.push_str(line);
        }
        None => *text = Some(line.to_owned()),
    }
}

/// Cards as the text beside them, for channels that show no cards though nobody said so. Without numbers, which would mean
/// nothing to a bot whose buttons can be tapped.
fn told(cards: &[&Card]) -> String {
    told_and_offered(None, cards, true, None)
}

/// Cards as text. What is offered is numbered through, so that a number means one button.
fn told_and_offered(
    prompt: Option<&str>,
    cards: &[&Card],
    with_addresses: bool,
    mut offered: Option<&mut Vec<Choice>>,
) -> String {
    let mut blocks: Vec<String> = prompt.map(|prompt| prompt.trim().to_owned()).into_iter().collect();
    for card in cards {
        let mut block = None;
        let heads = [Some(card.title.as_str()), card.description.as_deref()];
        for head in heads.into_iter().flatten().filter(|head| !text::is_blank(head)) {
            add_line(&mut block, head.trim());
        }
        if with_addresses
            && let Some(tap @ Tap::Link(url)) = &card.tap
            && !text::is_blank(url)
            && card.buttons.iter().all(|button| button.tap != *tap)
        {
            add_line(&mut block, url.trim());
        }
        for button in &card.buttons {
            let label = button.label.trim();
            match &button.tap {
                Tap::Link(url) if with_addresses && !text::is_blank(url) => {
                    add_line(&mut block, &link_line(label, url.trim()));
                }
                Tap::Link(_) => {}
                Tap::Postback(payload) => {
                    let shown = if label.is_empty() { payload.trim() } else { label };
                    if shown.is_empty() {
                        continue;
                    }
                    let Some(offered) = offered.as_deref_mut() else {
                        add_line(&mut block, &format!("- {shown}"));
                        continue;
                    };
                    offered.push(Choice::new(shown, if text::is_blank(payload) { shown } else { payload.trim() }));
                    add_line(&mut block, &format!("{}. {shown}", offered.len()));
                }
            }
        }
        if block.is_none() {
            let shown = [card.image.as_deref(), card.video.as_deref()].into_iter().filter(|_| with_addresses);
            let instead = [card.fallback.as_deref()].into_iter().chain(shown).find_map(filled);
            block = instead.map(str::to_owned);
        }
        blocks.extend(block);
    }
    blocks.join("\n\n")
}
