//! Card numbers and the like end at the door: neither the bot nor the data folder gets them.

use std::fs;
use std::path::Path;

use crate::world::{Wishes, World};

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "ann@mail.example";

/// Whether any file below a folder holds these bytes.
fn is_written(folder: &Path, words: &str) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_written(&path, words);
        }
        // A socket has no bytes.
        fs::read(&path).is_ok_and(|bytes| bytes.windows(words.len()).any(|window| window == words.as_bytes()))
    })
}

#[tokio::test]
async fn a_card_number_reaches_neither_the_bot_nor_the_store() {
    let mut world = World::new().await;
    world.bot.echoes();
    for customer in [world.v2().await, world.v1().await] {
        customer.says(&format!("charge {CARD}, or write to {MAIL}"));
        assert_eq!(customer.sees().await, format!("You said charge [card], or write to {MAIL}."));
    }
    world.crash().await;
    assert!(is_written(&world.data_dir(), MAIL), "it is looked where the words are");
    assert!(!is_written(&world.data_dir(), CARD));
}

#[tokio::test]
async fn a_bot_may_wish_for_more_or_for_nothing() {
    for (mask, heard) in [(r#"mask = ["email"]"#, "charge 4111 1111 1111 1111, or write to [email]"), ("mask = []", "")]
    {
        let world = World::with(Wishes { bots: mask, ..Wishes::default() }).await;
        world.bot.echoes();
        let (customer, words) = (world.v2().await, format!("charge {CARD}, or write to {MAIL}"));
        customer.says(&words);
        let heard = if heard.is_empty() { &words } else { heard };
        assert_eq!(customer.sees().await, format!("You said {heard}."), "{mask}");
    }
}
