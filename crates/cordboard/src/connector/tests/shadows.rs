//! What a shadow finds, and what it does not.

use std::fmt::Write as _;

use super::super::shadow::compare;
use super::*;

/// Every form of reply at the v1 door, compared with this v2 door.
fn found(shadow: &dyn Connector) -> String {
    let here = utterances("").unwrap();
    let (bot, nothing) = ("claims".into(), Opaque::default());
    let leg = leg(&bot, &nothing, &nothing);
    let mut told = String::new();
    for (name, reply) in replies().into_iter().filter(|(_, reply)| *reply != Reply::Refused) {
        let sealed = here.render(&reply, leg).reply;
        let found: Vec<String> = compare(&reply, &sealed, shadow, leg)
            .iter()
            .map(|found| match found.item() {
                0 => found.word().to_owned(),
                item => format!("{} at {item}", found.word()),
            })
            .collect();
        writeln!(told, "{name}: {}", found.join(", ")).unwrap();
    }
    told
}

#[test]
fn the_same_bot_answers_the_same_at_both_doors_but_for_the_time() {
    insta::assert_snapshot!(found(&digital("").unwrap()));
}

#[test]
fn a_door_that_knows_the_bot_otherwise_is_found_out() {
    // It does not offer the bot, so it knows none of its intents.
    insta::assert_snapshot!(found(&digital("bots = ['returns']").unwrap()));
}

#[test]
fn a_message_that_differs_is_found_at_its_place() {
    let (here, there) = (utterances("").unwrap(), digital("").unwrap());
    let (bot, nothing) = ("claims".into(), Opaque::default());
    let leg = leg(&bot, &nothing, &nothing);
    let choices =
        |label: &str| Item::Choices(Choices { prompt: "Which?".to_owned(), options: vec![Choice::new(label, "1")] });
    let sealed = |items: Vec<Item>| here.render(&Reply::Parts(vec![part(items)]), leg).reply;
    let reply = Reply::Parts(vec![part(vec![Item::text("one"), choices("A"), Item::text("three")])]);
    let table = [
        (sealed(vec![Item::text("one"), choices("A"), Item::text("three")]), vec!["compared"]),
        (sealed(vec![Item::text("one"), choices("B"), Item::text("three")]), vec!["compared", "rich_content 2"]),
        (sealed(vec![Item::text("one"), choices("A"), Item::text("drei")]), vec!["compared", "messages 3"]),
        (sealed(vec![Item::text("one"), choices("A")]), vec!["compared", "messages 3"]),
        (sealed(vec![]), vec!["compared", "messages 1"]),
    ];
    for (here, expected) in table {
        let found = compare(&reply, &here, &there, leg);
        let shown: Vec<String> =
            found.iter().map(|found| format!("{} {}", found.word(), found.item()).replace(" 0", "")).collect();
        assert_eq!(shown, expected);
    }
}
