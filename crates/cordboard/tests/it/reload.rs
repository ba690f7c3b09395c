//! Stories of a configuration that changes under a running gateway.

use std::fmt::Display;

use cordboard::config::Change;
use cordboard::dead_letter::Redriven;
use simulator::FlowSettings;

use crate::gateway::KEY;
use crate::world::{Wishes, World};

fn lines<T: Display>(all: &[T]) -> String {
    all.iter().map(|one| format!("{one}\n")).collect()
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_configuration() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("one");
    world.bot.asked().await.says("first");
    assert_eq!(customer.sees().await, "first");

    let refused = world.reload("[bots.helper]\n", "[bots.helper]\nmax_turns = 0\nhard_deadline = 5\n").await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.ends_with("cordboard.toml:29:1: unknown key `hard_deadline`; did you mean `hard_deadline_ms`?"),
        "{refused}"
    );
    let refused = world.reload("hard_deadline = 5\n", "").await.unwrap_err().to_string();
    assert!(refused.ends_with("cordboard.toml:28:1: bots.helper: `max_turns` lies between 1 and 100000"), "{refused}");

    customer.says("two");
    world.bot.asked().await.says("second");
    assert_eq!(customer.sees().await, "second");
    // Mended, and nothing is left of the bad one.
    let reloaded = world.reload("max_turns = 0\n", "").await.unwrap();
    assert_eq!(lines::<Change>(&reloaded.changed), "");
}

#[tokio::test]
async fn what_changed_is_said_and_what_needs_a_restart_is_not_in_effect() {
    let world = World::new().await;
    let address = world.address();
    let reloaded = world
        .reload(
            "data_dir = \"data\"",
            "data_dir = \"elsewhere\"\ndrain_ms = 1\npublic_url = \"https://bots.example.com\"\n",
        )
        .await;
    let reloaded = reloaded.unwrap();
    insta::assert_snapshot!(lines(&reloaded.changed), @r#"
    server.drain_ms: 5000 → 1
    server.public_url: added
    "#);
    insta::assert_snapshot!(lines(&reloaded.needs_restart), @r#"server.data_dir: "data" → "elsewhere""#);
    assert_eq!(world.address(), address);
    // It is said again until the restart, and a value that went back needs none.
    let again = world.reload("drain_ms = 1", "drain_ms = 2").await.unwrap();
    assert_eq!((again.changed.len(), again.needs_restart.len()), (1, 1));
    let back = world.reload("\"elsewhere\"", "\"data\"").await.unwrap();
    assert_eq!((back.changed.len(), back.needs_restart.len()), (0, 0));
}

#[tokio::test]
async fn a_rotated_secret_counts_at_once() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("one");
    world.bot.asked().await.says("first");
    assert_eq!(customer.sees().await, "first");

    let (header, old) = KEY;
    let new = "the-next-secret-of-some-length";
    let shown = async |secret| {
        let headers = [(header, secret)];
        world.simulator.post_raw(customer.door(), &headers, "no JSON".to_owned()).await.unwrap().0
    };
    let statuses = async || [shown(old).await, shown(new).await];
    assert_eq!(statuses().await, [400, 403]);
    let both = world.reload(&format!("\"{old}\""), &format!("[\"{new}\", \"{old}\"]")).await.unwrap();
    assert_eq!(statuses().await, [400, 400], "{both:?}");
    let rotated = world.reload(&format!("[\"{new}\", \"{old}\"]"), &format!("\"{new}\"")).await.unwrap();
    assert_eq!(statuses().await, [403, 400]);
    let said = format!("{both:?}{rotated:?}");
    assert!(!said.contains(old) && !said.contains(new), "{said}");
    assert!(lines(&rotated.changed).contains("connectors.digital.credentials.x-key: "), "{said}");
}

#[tokio::test]
async fn a_bot_that_is_added_answers_and_one_that_is_gone_does_not() {
    let mut world = World::new().await;
    let clumsy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/bots/clumsy.toml");
    let added = format!("[bots.second]\n[bots.second.engine]\ntype = \"script\"\nfile = \"{clumsy}\"\n\n[bots.helper]");
    let reloaded = world.reload("[bots.helper]", &added).await.unwrap();
    assert_eq!(lines(&reloaded.changed), "bots.second: added\n");
    let customer = world.v2_with("second", FlowSettings::default()).await;
    customer.says("hello");
    assert!(customer.sees().await.contains("I am clumsy"), "{}", customer.story());

    let helped = world.v2().await;
    helped.says("one");
    world.bot.asked().await.says("first");
    assert_eq!(helped.sees().await, "first");
    let reloaded = world.reload(&added, "[bots.helper]").await.unwrap();
    assert_eq!(lines(&reloaded.changed), "bots.second: removed\n");
    customer.says("still there?");
    insta::assert_snapshot!(customer.leaves_by().await, @"failure:BotFailed (bot.unknown the message was kept for an operator)");
    helped.says("two");
    world.bot.asked().await.says("second");
    assert_eq!(helped.sees().await, "second");
}

/// What cannot be pushed because its connector is gone becomes a dead letter, and can be tried again when it is back.
#[tokio::test]
async fn an_answer_for_a_connector_that_is_gone_is_kept() {
    let wishes = Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let customer = world.v2().await;
    customer.says("one");
    let question = world.bot.asked().await;
    world.no_request_is_open().await;
    let reloaded = world.reload("[connectors.digital]", "[connectors.other]").await.unwrap();
    assert_eq!(lines(&reloaded.changed), "connectors.digital: removed\nconnectors.other: added\n");
    question.says("late");
    let (letters, ids) = world.letters().await;
    assert_eq!(letters, ["answer helper: rejected"]);
    world.reload("[connectors.other]", "[connectors.digital]").await.unwrap();
    assert_eq!(world.redrive(ids[0]).await, Redriven::Done);
    assert_eq!(customer.sees().await, "late");
}

/// Tokens are few and rates are counted: an org that did not change keeps both.
#[tokio::test]
async fn an_org_that_did_not_change_keeps_its_token() {
    let wishes = Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let customer = world.v2().await;
    for (n, change) in ["max_turns = 77", "max_turns = 78"].into_iter().enumerate() {
        customer.says("push it");
        let question = world.bot.asked().await;
        world.no_request_is_open().await;
        question.says("pushed");
        assert_eq!(customer.sees().await, "pushed", "{n}");
        assert_eq!(world.simulator.tokens_issued(), 1, "{n}");
        let (before, after) = match n {
            0 => ("[bots.helper]\n".to_owned(), format!("[bots.helper]\n{change}\n")),
            _ => ("max_turns = 77".to_owned(), change.to_owned()),
        };
        assert_eq!(world.reload(&before, &after).await.unwrap().changed.len(), 1);
    }
    world
        .reload(
            "client_secret = \"simulated-secret\"",
            "client_secret = \"simulated-secret\"\nrequests_per_minute = 500",
        )
        .await
        .unwrap();
    customer.says("push it");
    let question = world.bot.asked().await;
    world.no_request_is_open().await;
    question.says("pushed");
    assert_eq!(customer.sees().await, "pushed");
    assert_eq!(world.simulator.tokens_issued(), 2, "an org that changed begins anew");
}

#[tokio::test]
async fn nothing_is_lost_while_the_configuration_changes() {
    let world = World::new().await;
    world.bot.echoes();
    let mut customers = Vec::new();
    for n in 0..24 {
        customers.push(if n % 2 == 0 { world.v2().await } else { world.v1().await });
    }
    let mut turns = "max_turns = 100".to_owned();
    world.reload("[bots.helper]\n", &format!("[bots.helper]\n{turns}\n")).await.unwrap();
    for round in 0..10 {
        for (n, customer) in customers.iter().enumerate() {
            customer.says(&format!("words {n} of round {round}"));
            if n % 6 == 0 {
                let other = format!("max_turns = {}", 1_000 + round * 100 + n);
                assert_eq!(world.reload(&turns, &other).await.unwrap().changed.len(), 1);
                turns = other;
            }
        }
        for (n, customer) in customers.iter().enumerate() {
            let seen = customer.sees().await;
            assert!(seen.contains(&format!("words {n} of round {round}")), "{seen}: {}", customer.story());
        }
    }
    assert!(!world.has_letters().await);
}
