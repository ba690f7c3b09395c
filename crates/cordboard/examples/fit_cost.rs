//! What fitting an answer to a channel costs: a carousel of ten cards, split, shown and told, and a text of a language
//! model.
//!
//! `cargo run --release -p cordboard --example fit_cost -- [batches]`
//!
//! Each figure is the best of many batches, so that other work on the machine does not count.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement reads the clock and prints")]

use std::hint::black_box;
use std::time::Instant;

use cordboard::fit::{Capabilities, DoorKind, fit};
use model::{Button, Card, Carousel, Channel, Choice, Choices, Item, Tap};

const BATCH: u32 = 50;

fn main() -> Result<(), std::num::ParseIntError> {
    let batches: u32 = std::env::args().nth(1).map_or(Ok(2_000), |text| text.parse())?;
    let markdown = "## Your order\n\nIt **left** us on *Monday*; see [where it is](https://shop.example/track).\n\n\
                    | Item | Price |\n|---|---|\n| Boots | 89 € |\n| Socks | 9 € |\n\n1. Wait\n2. Call us\n";
    let options = (0..10).map(|n| Choice::new(format!("Option {n}"), format!("option:{n}")));
    let choices = Choices { prompt: "Which?".to_owned(), options: options.collect() };
    let cases = [
        ("text", Item::text("Your order left us on Monday.")),
        ("ten choices", Item::Choices(choices)),
        ("Markdown of a language model", Item::Markdown(markdown.to_owned())),
        ("carousel of ten cards", Item::Carousel(Carousel { prompt: None, cards: cards(10), fallback: None })),
        ("carousel of thirty cards", Item::Carousel(Carousel { prompt: None, cards: cards(30), fallback: None })),
    ];
    let channels = [Channel::WebMessaging, Channel::WhatsApp, Channel::Sms];
    println!("best of {batches} batches of {BATCH}; microseconds for each");
    for (name, item) in &cases {
        print!("{name:30}");
        for channel in channels {
            let to = Capabilities::of(DoorKind::DigitalBotConnector, Some(channel));
            let batch = || {
                let begun = Instant::now();
                for _ in 0..BATCH {
                    black_box(fit(black_box([item]), &to));
                }
                begun.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
            };
            let best = (0..batches).map(|_| batch()).fold(f64::INFINITY, f64::min);
            print!("  {} {best:6.2}", channel.word());
        }
        println!();
    }
    Ok(())
}

fn cards(count: usize) -> Vec<Card> {
    let card = |n: usize| Card {
        title: format!("Winter boot number {n}"),
        description: Some("Warm, dry, and light enough for a day in town.".to_owned()),
        image: Some(format!("https://shop.example/boots/{n}.png")),
        video: None,
        tap: Some(Tap::Link(format!("https://shop.example/boots/{n}"))),
        buttons: vec![
            Button { label: "Take it".to_owned(), tap: Tap::Postback(format!("boot:{n}")) },
            Button { label: "Sizes".to_owned(), tap: Tap::Postback(format!("sizes:{n}")) },
            Button { label: "Look".to_owned(), tap: Tap::Link(format!("https://shop.example/boots/{n}/look")) },
        ],
        fallback: None,
    };
    (1..=count).map(card).collect()
}
