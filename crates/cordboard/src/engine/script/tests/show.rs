//! What a script shows beside texts: the example's tour, mistakes with their places, and what is filled into addresses.

use model::{Button, Input, Item, Tap};

use super::{Talk, shown};
use crate::engine::Limits;
use crate::engine::script::{Error, Script};

const SHOWCASE: &str = include_str!("../../../../../../examples/bots/showcase.toml");

/// One line for each item: its kind, and what is in it.
fn described(item: &Item) -> String {
    let button = |Button { label, tap }: &Button| match tap {
        Tap::Link(url) => format!(" [{label} -> {url}]"),
        Tap::Postback(payload) => format!(" [{label} = {payload}]"),
    };
    let card = |card: &model::Card| {
        let buttons: String = card.buttons.iter().map(button).collect();
        let extras = [&card.description, &card.image, &card.video].map(|extra| extra.as_deref().unwrap_or("-"));
        format!("{{{} | {}{buttons}}}", card.title, extras.join(" | "))
    };
    match item {
        Item::Text(text) => format!("text {text}"),
        Item::Markdown(text) => format!("markdown {text:?}"),
        Item::Choices(choices) => {
            let options = choices.options.iter().map(|option| {
                format!(" [{} = {}{}]", option.label, option.value, option.image.as_ref().map_or("", |_| ", picture"))
            });
            format!("choices {}{}", choices.prompt, options.collect::<String>())
        }
        Item::Card(one) => format!("card {}", card(one)),
        Item::Carousel(carousel) => {
            let cards: Vec<String> = carousel.cards.iter().map(card).collect();
            format!("carousel {:?} {} or {:?}", carousel.prompt, cards.join(" "), carousel.fallback)
        }
        Item::Media(media) => {
            format!("{:?} {} {:?} {:?} {:?}", media.kind, media.url, media.name, media.mime, media.caption)
        }
    }
}

#[test]
fn the_showcase_shows_every_kind() {
    let mut talk = Talk::with(SHOWCASE);
    let mut told = String::new();
    for word in ["hi", "text", "markdown", "choices", "card", "carousel", "picture", "files", "tour", "bye"] {
        let (answer, _) = talk.answer(Input::Text(word.into()));
        assert_eq!(answer.cuts, []);
        let items: String = answer.items.iter().map(|item| format!("  {}\n", described(item))).collect();
        told += &format!("{word}\n{items}");
    }
    insta::assert_snapshot!(told);
    assert_eq!(talk.tap("Choose team", "plan:team").last().unwrap(), "You chose Choose team.");
}

#[test]
fn what_an_opening_shows_stays_when_the_first_words_are_known() {
    let script = r#"
        [opening]
        show = [{ markdown = "**Hi**" }, { image = "https://a.example/i.png" }]
        choices = { prompt = "?", options = ["a"] }
        [default]
        say = "hm"
        [[rules]]
        when.words = "hours"
        then.say = "8 to 20"
    "#;
    assert_eq!(Talk::with(script).say("hours"), ["**Hi**", "https://a.example/i.png", "8 to 20"]);
}

#[test]
fn what_is_filled_into_an_address_stays_a_part_of_it() {
    let script = r#"
        [default]
        set.whole = "{context.base}"
        show = [
          { card = { title = "{input}", url = "https://a.example/find?q={input}&page=1", image = "{whole}/i.png" } },
          { file = "{input}" },
        ]
    "#;
    let mut talk = Talk::with(script);
    talk.context.insert("base".into(), "https://b.example".into());
    let (answer, _) = talk.answer(Input::Text("a&b/ü #1".into()));
    let [Item::Card(card)] = answer.items.as_slice() else { panic!("{:?}", answer.items) };
    assert_eq!(card.tap, Some(Tap::Link("https://a.example/find?q=a%26b%2F%C3%BC%20%231&page=1".into())));
    assert_eq!((card.title.as_str(), card.image.as_deref()), ("a&b/ü #1", Some("https://b.example/i.png")));
    assert_eq!(answer.cuts, [model::Cut::Dropped, model::Cut::Addresses], "a file at the customer's words");
    assert_eq!(shown(&answer), ["a&b/ü #1"]);
}

#[test]
fn what_is_wrong_with_things_to_show_is_said_with_its_place() {
    let Err(Error::Problems(problems)) = Script::parse(
        r#"
        [default]
        show = [
          { card = { title = " ", image = "label.png", buttons = [{ label = "A", url = "ftp://a" }, "", "B", "B"] } },
          { carousel = { cards = [] } },
          { carousel = { cards = [{ title = "{nobody}", buttons = ["C"] }, { title = "T", buttons = ["C"] }] } },
          { image = { url = "https://a b", caption = "{match}" } },
          { markdown = "" },
        ]
        choices = { prompt = "?", options = [{ label = "a", value = "b", image = "a.png" }] }
        "#,
        Limits::default(),
    ) else {
        panic!("problems")
    };
    insta::assert_snapshot!(problems.join("\n"));

    let table = [
        ("show = \"a card\"", "one thing to show, such as { card = … }"),
        ("show.crad = { title = \"A\" }", "unknown variant `crad`"),
        ("show.card = { text = \"A\" }", "missing field `title`"),
        ("show.card = { title = \"A\", button = [] }", "unknown field `button`"),
        ("show.card = { title = \"A\", buttons = [1] }", "a label, { label"),
        (
            "show.card = { title = \"A\", buttons = [{ label = \"B\", value = \"b\", url = \"https://a\" }] }",
            "not both",
        ),
        ("show.image = { caption = \"A\" }", "missing field `url`"),
    ];
    for (script, expected) in table {
        let error = Script::parse(&format!("[default]\n{script}"), Limits::default()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("line 2"), "{script}\n{error}");
    }
}
