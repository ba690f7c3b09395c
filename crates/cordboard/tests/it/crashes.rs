//! What a crash leaves undone is taken up by the next start: questions, taken turns, pushes. What nobody can know is
//! decided as the configuration says, and stays visible.

use std::sync::atomic::Ordering;

use serde_json::json;
use simulator::{Faults, FlowSettings};

use crate::world::{Customer, Wishes, World};

/// A customer whose flow asks again for as long as the gateway is away.
async fn patient(world: &World) -> Customer {
    world.v2_with("helper", FlowSettings { retries: Some(1_000), ..FlowSettings::default() }).await
}

/// A push that the platform took, though it never said so, when the process dies.
async fn crash_in_a_push(digital: &'static str) -> (World, Customer) {
    let mut world = World::with(Wishes { digital, ..Wishes::default() }).await;
    let faults = Faults { outgoing_stall: 1, ..Faults::default() };
    let customer = world.v2_with("helper", FlowSettings { faults, ..FlowSettings::default() }).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    world.crash_and_start().await;
    (world, customer)
}

#[tokio::test]
async fn a_question_under_way_is_asked_again_under_the_same_id() {
    let mut world = World::new().await;
    let customer = patient(&world).await;
    customer.says("hello");
    let first = world.bot.asked().await;
    world.crash_and_start().await;
    let second = world.bot.asked().await;
    assert_eq!(first.body(), second.body());
    second.says("hi");
    assert_eq!(customer.sees().await, "hi");
    customer.is_answered().await;
}

#[tokio::test]
async fn a_question_that_must_not_be_asked_twice_is_answered_by_the_policy() {
    let mut world = World::with(Wishes { webhook: "replay = \"unsafe\"", ..Wishes::default() }).await;
    let customer = patient(&world).await;
    customer.says("book it");
    let _never_answered = world.bot.asked().await;
    world.crash_and_start().await;
    assert_eq!(customer.leaves_by().await, "human");
    assert_eq!(customer.line.parameters()["handOverReason"], "engine.outcome_unknown");
    assert_eq!(world.bot.heard(), ["book it"]);
}

#[tokio::test]
async fn a_turn_that_the_bot_took_is_not_asked_again_and_its_callback_is_heard() {
    let mut world = World::new().await;
    let customer = patient(&world).await;
    customer.says("hello");
    let steps = |world: &World| world.shared().counts.steps.load(Ordering::Relaxed);
    let question = world.bot.asked().await;
    let before = steps(&world);
    let taken = question.takes();
    world.until(|shared| shared.counts.steps.load(Ordering::Relaxed) > before).await;
    world.crash_and_start().await;
    let answer = json!({"in_reply_to": taken.turn, "text": "hi"});
    assert_eq!(world.calls_back(&taken, "id-1", &answer).await.status, 202);
    assert_eq!(customer.sees().await, "hi");
    customer.is_answered().await;
    assert_eq!((customer.line.seen().len(), world.bot.heard()), (1, vec!["hello".to_owned()]));
}

#[tokio::test]
async fn a_push_under_way_is_sent_again_and_counted() {
    let (world, customer) = crash_in_a_push("soft_deadline_ms = 100").await;
    assert_eq!(customer.sees().await, "hi", "perhaps once more, but never less than once");
    assert_eq!(world.shared().counts.possible_duplicates.load(Ordering::Relaxed), 1);
    assert!(!world.has_letters().await);
}

#[tokio::test]
async fn a_push_under_way_that_must_not_be_sent_twice_is_a_dead_letter() {
    let (world, customer) = crash_in_a_push("soft_deadline_ms = 100\non_unknown_send = \"drop\"").await;
    assert_eq!(world.letters().await.0, ["answer helper: outcome_unknown"]);
    assert_eq!(customer.line.seen().len(), 1);
}

#[tokio::test]
async fn a_message_of_the_bots_own_accord_that_comes_again_after_a_crash_is_not_said_again() {
    let mut world = World::new().await;
    let customer = patient(&world).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    let taken = question.takes();
    let answer = json!({"in_reply_to": taken.turn, "text": "hi"});
    assert_eq!(world.calls_back(&taken, "id-1", &answer).await.status, 202);
    assert_eq!(customer.sees().await, "hi");
    let steps = |shared: &cordboard::gateway::Shared| shared.counts.steps.load(Ordering::Relaxed);
    let before = steps(world.shared());
    let reminder = json!({"text": "still there?"});
    assert_eq!(world.calls_back(&taken, "id-2", &reminder).await.status, 202);
    assert_eq!(customer.sees().await, "still there?");
    // One step stores the push, one settles it: a push under way at the crash would rightly be sent again.
    world.until(|shared| steps(shared) >= before + 2).await;
    world.crash_and_start().await;
    let again = world.calls_back(&taken, "id-2", &reminder).await;
    assert_eq!((again.status, again.json()["status"].as_str()), (202, Some("duplicate")));
    assert_eq!(world.calls_back(&taken, "id-3", &json!({"text": "bye, then"})).await.status, 202);
    assert_eq!(customer.sees().await, "bye, then");
    assert_eq!(customer.line.seen().len(), 3);
}
