//! Items as they come out for a channel, written as short texts; and what holds for any items whatever.

use genesys::cloud::reply::ReplyType;
use model::{Button, Card, Carousel, Channel, Choice, Choices, Item, Media, MediaKind, Tap};
use proptest::prelude::*;

use super::{Capabilities, Change, DoorKind, Fact, Fitted, Source, Style, What, fit, text};
use crate::connector::messages::message;

/// The digital door to this channel, files let through.
fn to(channel: Option<Channel>) -> Capabilities {
    Capabilities::of(DoorKind::DigitalBotConnector, channel)
}

const WEB: Option<Channel> = Some(Channel::WebMessaging);
const SMS: Option<Channel> = Some(Channel::Sms);
const WHATSAPP: Option<Channel> = Some(Channel::WhatsApp);
const LINE: Option<Channel> = Some(Channel::Line);
const VOICE: Option<Channel> = Some(Channel::Voice);

fn choices(prompt: &str, options: &[(&str, &str)]) -> Item {
    let options = options.iter().map(|(label, value)| Choice::new(*label, *value));
    Item::Choices(Choices { prompt: prompt.to_owned(), options: options.collect() })
}

fn button(label: &str, payload: &str) -> Button {
    Button { label: label.to_owned(), tap: Tap::Postback(payload.to_owned()) }
}

fn link(label: &str, url: &str) -> Button {
    Button { label: label.to_owned(), tap: Tap::Link(url.to_owned()) }
}

fn card(title: &str, buttons: &[Button]) -> Card {
    Card { title: title.to_owned(), buttons: buttons.to_vec(), ..Card::default() }
}

fn carousel(cards: Vec<Card>) -> Item {
    Item::Carousel(Carousel { prompt: None, cards, fallback: None })
}

fn picture(url: &str) -> Media {
    let kind = MediaKind::Image;
    Media { kind, url: url.to_owned(), name: None, mime: None, size_bytes: None, caption: None, fallback: None }
}

/// `{title|description|>tap|[label=payload]|[label>url]}`
fn drawn_card(card: &Card) -> String {
    let tap = |tap: &Tap| match tap {
        Tap::Link(url) => format!(">{url}"),
        Tap::Postback(payload) => format!("={payload}"),
    };
    let buttons = card.buttons.iter().map(|button| format!("|[{}{}]", button.label, tap(&button.tap)));
    let description = card.description.iter().map(|text| format!("|{text}"));
    let on_card = card.tap.iter().map(|on| format!("|{}", tap(on)));
    format!("{{{}{}}}", card.title, description.chain(on_card).chain(buttons).collect::<String>())
}

fn drawn(item: &Item) -> String {
    match item {
        Item::Text(text) => text.clone(),
        Item::Markdown(text) => panic!("Markdown is left: {text}"),
        Item::Choices(choices) => {
            let options = choices.options.iter().map(|option| format!("[{}={}]", option.label, option.value));
            format!("{}{}", choices.prompt, options.collect::<String>())
        }
        Item::Card(card) => drawn_card(card),
        Item::Carousel(carousel) => format!("<{}>", carousel.cards.iter().map(drawn_card).collect::<String>()),
        Item::Media(media) => {
            let name = media.name.as_deref().unwrap_or("-");
            format!("({name} {}){}", media.url, media.caption.as_deref().unwrap_or_default())
        }
    }
}

#[track_caller]
fn check(items: &[Item], to: Capabilities, shown: &[&str], changes: &[What]) {
    let fitted = fit(items, &to);
    holds(&fitted, &to);
    let drawn: Vec<String> = fitted.items.iter().map(drawn).collect();
    let what: Vec<What> = fitted.changes.iter().map(|change| change.what).collect();
    assert_eq!((drawn.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), what.as_slice()), (shown, changes));
}

/// What holds of anything that was fitted.
#[track_caller]
fn holds(fitted: &Fitted, to: &Capabilities) {
    let again = fit(&fitted.items, to);
    assert_eq!((&again.items, again.changes.as_slice()), (&fitted.items, &[][..]), "fitting it again changes it");
    for item in &fitted.items {
        let message = message(item.clone());
        assert_eq!(message.validate(), [], "{item:?}");
        let text = message.text.as_deref().unwrap_or_default();
        assert!(text.chars().count() <= to.text_max_chars.value, "too long: {text}");
        assert!(message.reply_type != ReplyType::Structured || !text::is_blank(text), "no fallback: {item:?}");
    }
    for change in &fitted.changes {
        assert_eq!(What::read(change.what.word()), Some(change.what));
        assert!(!change.to_string().is_empty());
    }
}

#[test]
fn texts_and_choices() {
    use What::*;
    let many: Vec<(String, String)> = (1..=12).map(|n| (format!("O{n}"), format!("o{n}"))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
    let colours = [("Red", "r"), ("Blue", "b")];
    let lines = "O?\n1. O1\n2. O2\n3. O3\n4. O4\n5. O5\n6. O6\n7. O7\n8. O8\n9. O9\n10. O10\n11. O11\n12. O12";
    let ten = "[O1=o1][O2=o2][O3=o3][O4=o4][O5=o5][O6=o6][O7=o7][O8=o8][O9=o9][O10=o10]";
    let cases: &[(&[Item], _, &[&str], &[What])] = &[
        (&[Item::text("Hello")], WEB, &["Hello"], &[]),
        (&[Item::text(" \n")], WEB, &[], &[Blank]),
        (&[Item::text("\u{200b}\u{feff} \u{202e}")], WEB, &[], &[Blank]),
        (&[choices("Colour?", &[("\u{200b}", "b")])], WEB, &["Colour?[b=b]"], &[OptionsCompleted]),
        (&[Item::Markdown("![](sandbox:/map.png)".to_owned())], WEB, &[], &[MediaNowhere, Blank]),
        (&[choices("Colour?", &colours)], WEB, &["Colour?[Red=r][Blue=b]"], &[]),
        (&[choices("Colour?", &colours)], None, &["Colour?[Red=r][Blue=b]"], &[]),
        (&[choices("Colour?", &colours)], SMS, &["Colour?\n1. Red\n2. Blue"], &[ChoicesAsText]),
        (&[choices("", &colours)], SMS, &["1. Red\n2. Blue"], &[ChoicesAsText]),
        (&[choices("", &colours)], WEB, &["Red / Blue[Red=r][Blue=b]"], &[PromptMade]),
        (&[Item::text("Colour?"), choices(" ", &colours)], WEB, &["Colour?[Red=r][Blue=b]"], &[PromptJoined]),
        (
            &[Item::Markdown("**Colour?**".to_owned()), choices("", &colours)],
            WHATSAPP,
            &["*Colour?*[Red=r][Blue=b]"],
            &[PromptJoined],
        ),
        (&[Item::text("Hi"), choices("Colour?", &colours)], WEB, &["Hi", "Colour?[Red=r][Blue=b]"], &[]),
        (
            &[choices("Colour?", &[("Red", ""), ("", "b"), ("", " "), ("Red", "Red")])],
            WEB,
            &["Colour?[Red=Red][b=b]"],
            &[OptionsCompleted, OptionsBlank, OptionsRepeated],
        ),
        (&[choices("Colour?", &[(" R\ned ", "r")])], WEB, &["Colour?[R ed=r]"], &[Cleaned]),
        (&[choices("Colour?", &[])], WEB, &["Colour?"], &[NoOptions]),
        (&[choices("Colour?", &[("", "")])], WEB, &["Colour?"], &[OptionsBlank]),
        (&[choices("", &[])], WEB, &[], &[NoOptions, Blank]),
        (&[choices("O?", &many)], WHATSAPP, &[&format!("{lines}{ten}")], &[OptionsListed]),
        (
            &[choices("What?", &[("Where is my order from May?", "order")])],
            WHATSAPP,
            &["What?\n1. Where is my order from May?[Where is my order f…=order]"],
            &[LabelsShortened],
        ),
        (&[Item::Markdown("Tom &amp; **Jerry**".to_owned())], WEB, &["Tom & Jerry"], &[Unmarked]),
        (&[Item::text("See https://x.example now")], VOICE, &["See now"], &[Unspoken]),
        (&[Item::text("https://x.example")], VOICE, &[], &[Unspoken, Blank]),
    ];
    for (items, channel, shown, changes) in cases {
        check(items, to(*channel), shown, changes);
    }
}

#[test]
fn a_long_text_becomes_several_and_a_long_prompt_leaves_its_end_over_the_choices() {
    let sentence = "A sentence of some length. ";
    let long = sentence.repeat(60);
    let fitted = fit(&[Item::text(&long), choices(&long, &[("Yes", "y")])], &to(SMS));
    holds(&fitted, &to(SMS));
    let whole: Vec<String> = fitted.items.iter().map(drawn).collect();
    assert_eq!(whole.join(" "), format!("{}\n1. Yes", long.repeat(2).trim_end()));
    assert!(whole.iter().all(|text| text.ends_with("length.") || text.ends_with("Yes")), "{whole:?}");
    let Change { item, found, limit, .. } = fitted.changes[0];
    assert_eq!((item, found, limit), (1, 1620, 765));
    assert_eq!(
        fitted.changes[0].to_string(),
        "item 1: 1620 characters, split into texts of at most 765 (a text takes 765 characters; \
         digital-bot-connector.md 3.4, inferred)"
    );

    let fitted = fit(&[choices(&sentence.repeat(200), &[("Yes", "y")])], &to(WEB));
    holds(&fitted, &to(WEB));
    assert!(matches!(fitted.items.as_slice(), [Item::Text(_), Item::Choices(_)]), "{:?}", fitted.items);
}

#[test]
fn cards() {
    use What::*;
    let buy = || button("Buy", "buy");
    let more = || link("More", "https://x.example/m");
    let full = Card {
        description: Some("Good".to_owned()),
        image: Some("https://x.example/p.png".to_owned()),
        tap: Some(Tap::Link("https://x.example".to_owned())),
        ..card("Plan", &[buy(), more()])
    };
    let with = |change: fn(&mut Card)| {
        let mut card = full.clone();
        change(&mut card);
        Item::Card(card)
    };
    let many: Vec<Button> = (1..=5).map(|n| button(&format!("B{n}"), &format!("b{n}"))).collect();
    let own = with(|card| card.fallback = Some("Plan, or not?".to_owned()));
    let cases: &[(Item, _, &[&str], &[What])] = &[
        (with(|_| ()), WEB, &["{Plan|Good|>https://x.example|[Buy=buy][More>https://x.example/m]}"], &[]),
        (
            with(|_| ()),
            WHATSAPP,
            &["{Plan|Good\nMore: https://x.example/m\nhttps://x.example|[Buy=buy]}"],
            &[LinksAsText, TapMoved],
        ),
        (
            with(|_| ()),
            LINE,
            &["{Plan|Good|[Buy=buy]|[More>https://x.example/m]|[Plan>https://x.example]}"],
            &[TapMoved],
        ),
        (
            with(|_| ()),
            Some(Channel::Apple),
            &["Plan\nGood\nhttps://x.example\nMore: https://x.example/m[Buy=buy]"],
            &[CardAsText],
        ),
        (with(|_| ()), SMS, &["Plan\nGood\nhttps://x.example\n1. Buy\nMore: https://x.example/m"], &[CardAsText]),
        (with(|_| ()), VOICE, &["Plan\nGood\n1. Buy"], &[CardAsText]),
        (own.clone(), SMS, &["Plan, or not?"], &[CardAsText]),
        (
            Item::Card(card("P", &many)),
            WHATSAPP,
            &["{P|[B1=b1]|[B2=b2]|[B3=b3]}", "{P|[B4=b4]|[B5=b5]}"],
            &[ButtonsSplit],
        ),
        (
            Item::Card(card("P", &[link("Nowhere", " "), button("", "pay"), button("Go", ""), button("Go", "Go")])),
            WEB,
            &["{P|[pay=pay]|[Go=Go]}"],
            &[ButtonsBlank, ButtonsCompleted, ButtonsRepeated],
        ),
        (
            with(|card| card.title.clear()),
            WEB,
            &["{Good|>https://x.example|[Buy=buy]|[More>https://x.example/m]}"],
            &[TitleMade],
        ),
        (Item::Card(card("", &[buy()])), WEB, &["{Buy|[Buy=buy]}"], &[TitleMade]),
        (with(|card| card.buttons.clear()), WEB, &["{Plan|Good|[Plan>https://x.example]}"], &[ButtonsCompleted]),
        (
            with(|card| {
                card.buttons.clear();
                card.tap = None;
            }),
            WEB,
            &["(p.png https://x.example/p.png)Plan\nGood"],
            &[NoButtons, MediaNamed],
        ),
        (Item::Card(card("Plan", &[])), WEB, &["Plan"], &[NoButtons]),
        (
            Item::Card(card("Plan", &[more()])),
            WHATSAPP,
            &["Plan\nMore: https://x.example/m"],
            &[LinksAsText, NoButtons],
        ),
        (Item::Card(card(" ", &[])), WEB, &[], &[NoButtons, Blank]),
        (
            with(|card| card.tap = Some(Tap::Postback("plan".to_owned()))),
            SMS,
            &["Plan\nGood\n1. Buy\nMore: https://x.example/m\n2. Plan"],
            &[CardAsText],
        ),
        (
            Item::Card(Card { tap: Some(Tap::Postback("plan".to_owned())), ..card("Plan", &[]) }),
            Some(Channel::Apple),
            &["Plan[Plan=plan]"],
            &[CardAsText],
        ),
        (
            Item::Card(Card { image: Some("https://x.example/p.png".to_owned()), ..Card::default() }),
            SMS,
            &["https://x.example/p.png"],
            &[CardAsText],
        ),
    ];
    for (item, channel, shown, changes) in cases {
        let shown: Vec<String> = shown.iter().map(|text| text.replace("][", "]|[")).collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        check(std::slice::from_ref(item), to(*channel), &shown, changes);
    }
    let Fitted { items, .. } = fit([&own], &to(WEB));
    assert_eq!(message(items[0].clone()).text.as_deref(), Some("Plan, or not?"));
    let Fitted { items, .. } = fit([&with(|_| ())], &to(WEB));
    let fallback = "Plan\nGood\nhttps://x.example\n- Buy\nMore: https://x.example/m";
    assert_eq!(message(items[0].clone()).text.as_deref(), Some(fallback));
}

#[test]
fn carousels() {
    use What::*;
    let plan = |n: usize| card(&format!("P{n}"), &[button("Buy", &format!("buy-{n}"))]);
    let plans = |count: usize| (1..=count).map(plan).collect::<Vec<Card>>();
    let row = |from: usize, to: usize| {
        let cards: Vec<Card> = (from..=to).map(plan).collect();
        format!("<{}>", cards.iter().map(drawn_card).collect::<String>())
    };
    check(&[carousel(plans(10))], to(WEB), &[&row(1, 10)], &[]);
    check(&[carousel(plans(12))], to(WEB), &[&row(1, 10), &row(11, 12)], &[CarouselSplit]);
    check(&[carousel(plans(2))], to(WHATSAPP), &["{P1|[Buy=buy-1]}", "{P2|[Buy=buy-2]}"], &[CarouselAsCards]);
    check(&[carousel(plans(2))], to(SMS), &["P1\n1. Buy\n\nP2\n2. Buy"], &[CarouselAsText]);
    check(&[carousel(vec![])], to(WEB), &[], &[NoCards, Blank]);
    let same = || card("P", &[button("Buy", "buy")]);
    check(
        &[carousel(vec![same(), same(), same()])],
        to(WEB),
        &["<{P|[Buy=buy]}{P|[Buy (2)=buy]}{P|[Buy (3)=buy]}>"],
        &[ButtonsNumbered],
    );
    check(
        &[carousel(vec![plan(1), card("No buttons", &[]), plan(2)])],
        to(WEB),
        &[&row(1, 1), "No buttons", &row(2, 2)],
        &[NoButtons],
    );
    let prompted = Carousel { prompt: Some("Which?".to_owned()), cards: plans(1), fallback: None };
    check(&[Item::Carousel(prompted.clone())], to(WEB), &["Which?", &row(1, 1)], &[]);
    check(&[Item::Carousel(prompted.clone())], to(SMS), &["Which?\n\nP1\n1. Buy"], &[CarouselAsText]);
    let own = Carousel { fallback: Some("Write BUY.".to_owned()), ..prompted };
    check(&[Item::Carousel(own)], to(SMS), &["Write BUY."], &[CarouselAsText]);

    let tapped = Card { tap: Some(Tap::Postback("p".to_owned())), ..card("P", &[]) };
    let told = Card { fallback: Some("Or this.".to_owned()), ..Card::default() };
    check(&[carousel(vec![tapped, told])], to(SMS), &["P\n1. P\n\nOr this."], &[CarouselAsText]);

    // Beside cards that nobody knows to be seen, a text that had to be cut is told of.
    let wordy = Card { description: Some("so ".repeat(500)), ..plan(1) };
    for (channel, changes) in [(WEB, vec![]), (None, vec![FallbackShortened])] {
        let fitted = fit(&[carousel(vec![wordy.clone(), wordy.clone(), wordy.clone()])], &to(channel));
        let what: Vec<What> =
            fitted.changes.iter().map(|change| change.what).filter(|what| *what != ButtonsNumbered).collect();
        assert_eq!(what, changes, "{channel:?}");
    }

    let change = fit(&[Item::text("Look"), carousel(plans(12))], &to(WEB)).changes[0];
    let line = "item 2: 12 cards, split after 10 (a carousel takes 10 cards; digital-bot-connector.md 3.4, confirmed)";
    assert_eq!(change.to_string(), line);
}

#[test]
fn files() {
    use What::*;
    let map = || Media { caption: Some("The map".to_owned()), ..picture("https://x.example/a/map.png?v=1") };
    let pdf = Media { kind: MediaKind::File, ..picture("https://x.example/terms.pdf") };
    let v1 = Capabilities::of(DoorKind::BotConnector, WEB);
    let cases: &[(Media, _, &[&str], &[What])] = &[
        (map(), to(WEB), &["(map.png https://x.example/a/map.png?v=1)The map"], &[MediaNamed]),
        (
            Media { name: Some("m.png".to_owned()), ..map() },
            to(WEB),
            &["(m.png https://x.example/a/map.png?v=1)The map"],
            &[],
        ),
        (map(), to(WEB).without_attachments(), &["The map\nhttps://x.example/a/map.png?v=1"], &[MediaAsText]),
        (map(), v1, &["The map\nhttps://x.example/a/map.png?v=1"], &[MediaAsText]),
        (map(), to(SMS), &["The map\nhttps://x.example/a/map.png?v=1"], &[MediaAsText]),
        (map(), to(VOICE), &["The map"], &[MediaAsText]),
        (pdf, to(WEB), &["https://x.example/terms.pdf"], &[MediaRefused]),
        (picture("https://x.example"), to(WEB), &["(image https://x.example)"], &[MediaNamed]),
        (
            Media { size_bytes: Some(25_000_001), ..map() },
            to(WEB),
            &["The map\nhttps://x.example/a/map.png?v=1"],
            &[MediaTooLarge],
        ),
        (Media { url: String::new(), ..map() }, to(WEB), &["The map"], &[MediaNowhere]),
        (
            Media { name: Some("Terms.pdf".to_owned()), ..picture("file:///t.pdf") },
            to(WEB),
            &["Terms.pdf"],
            &[MediaNowhere],
        ),
        (
            Media { fallback: Some("A map, by mail.".to_owned()), ..map() },
            to(SMS),
            &["A map, by mail."],
            &[MediaAsText],
        ),
    ];
    for (media, to, shown, changes) in cases {
        check(&[Item::Media(media.clone())], *to, shown, changes);
    }
    let off = fit(&[Item::Media(map())], &to(WEB).without_attachments()).changes[0];
    assert_eq!(off.basis.source, Source::AttachmentsOff);
    check(
        &[Item::Markdown("![The map](https://x.example/map.png)".to_owned())],
        to(WEB),
        &["(map.png https://x.example/map.png)The map"],
        &[MediaNamed],
    );
}

/// Texts with everything that makes trouble, short and long.
fn any_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just(""),
        Just(" "),
        Just("\n"),
        Just("\n\n"),
        Just("a"),
        Just("Buy"),
        Just("(2)"),
        Just("…"),
        Just("é"),
        Just("e\u{301}"),
        Just("👩\u{200d}👩"),
        Just("\u{0}"),
        Just("\u{85}"),
        Just("\u{200b}"),
        Just("https://x.example/a.png"),
        Just("**b**"),
        Just("- c"),
        Just("[d](https://x.example)"),
        Just("![e](f)"),
        Just("|g|h|\n|-|-|\n|i|j|"),
        Just("`k`"),
        Just("<br>"),
        Just("&amp;"),
        Just("One. Two! "),
    ];
    (prop::collection::vec(word, 0..6), prop_oneof![8 => 1..2_usize, 1 => 10..60_usize])
        .prop_map(|(words, times)| words.concat().repeat(times))
}

fn any_tap() -> impl Strategy<Value = Tap> {
    prop_oneof![any_text().prop_map(Tap::Link), any_text().prop_map(Tap::Postback)]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    prop::option::of(any_text())
}

fn any_card() -> impl Strategy<Value = Card> {
    let button = (any_text(), any_tap()).prop_map(|(label, tap)| Button { label, tap });
    let buttons = prop::collection::vec(button, 0..6);
    (any_text(), maybe(), maybe(), maybe(), prop::option::of(any_tap()), buttons, maybe()).prop_map(
        |(title, description, image, video, tap, buttons, fallback)| Card {
            title,
            description,
            image,
            video,
            tap,
            buttons,
            fallback,
        },
    )
}

fn any_item() -> impl Strategy<Value = Item> {
    let option = (any_text(), any_text(), maybe()).prop_map(|(label, value, image)| Choice { label, value, image });
    let choices = (any_text(), prop::collection::vec(option, 0..16))
        .prop_map(|(prompt, options)| Item::Choices(Choices { prompt, options }));
    let carousel = (maybe(), prop::collection::vec(any_card(), 0..13), maybe())
        .prop_map(|(prompt, cards, fallback)| Item::Carousel(Carousel { prompt, cards, fallback }));
    let kind =
        prop_oneof![Just(MediaKind::Image), Just(MediaKind::Video), Just(MediaKind::Audio), Just(MediaKind::File)];
    let media = (kind, any_text(), maybe(), maybe(), prop::option::of(any::<u64>()), maybe(), maybe()).prop_map(
        |(kind, url, name, mime, size_bytes, caption, fallback)| {
            Item::Media(Media { kind, url, name, mime, size_bytes, caption, fallback })
        },
    );
    prop_oneof![
        any_text().prop_map(Item::Text),
        any_text().prop_map(Item::Markdown),
        choices,
        any_card().prop_map(Item::Card),
        carousel,
        media
    ]
}

fn any_capabilities() -> impl Strategy<Value = Capabilities> {
    let row = (0..2_usize, 0..10_usize);
    let numbers = (20..200_usize, 0..5_usize, 2..12_usize, 1..4_usize, 0..11_usize);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let style = prop_oneof![Just(Style::Plain), Just(Style::WhatsApp), Just(Style::Markdown), Just(Style::Spoken)];
    (row, prop::option::of((numbers, flags, style))).prop_map(|((door, channel), other)| {
        let mut to = Capabilities::rows(DoorKind::ALL[door]).nth(channel).unwrap();
        let Some((numbers, flags, style)) = other else { return to };
        (to.text_max_chars.value, to.quick_replies_max.value, to.label_max_chars.value) =
            (numbers.0, numbers.1, numbers.2);
        (to.card_buttons_max.value, to.carousel_cards_max.value) = (numbers.3, numbers.4);
        (to.cards.value, to.link_buttons.value, to.card_taps.value, to.attachments.value) = flags;
        to.style = Fact { value: style, ..to.style };
        to
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a bot says, on whatever channel: valid, stable, and nothing is gone without a change.
    #[test]
    fn anything_is_fitted(items in prop::collection::vec(any_item(), 0..4), to in any_capabilities()) {
        let fitted = fit(&items, &to);
        holds(&fitted, &to);
        prop_assert_eq!(fit(&items, &to), fitted.clone());
        prop_assert!(fitted.changes.iter().all(|change| (change.item as usize) <= items.len()));
        for (index, item) in items.iter().enumerate() {
            if let Item::Text(text) = item && !text::is_blank(text) && to.style.value != Style::Spoken {
                let is_seen = |character: &char| !character.is_whitespace() && !character.is_control();
                let words = |text: &str| text.chars().filter(is_seen).collect::<String>();
                let said: String = fitted.items.iter().map(|item| words(&item.plain())).collect();
                prop_assert!(said.contains(&words(text)), "item {} is gone", index + 1);
            }
        }
        if fitted.items.is_empty() {
            prop_assert_eq!(fitted.changes.is_empty(), items.is_empty());
        }
    }
}
