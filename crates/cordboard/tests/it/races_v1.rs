//! The race table on the door that cannot push: a late answer is fetched, a doubtful one is offered again.

use simulator::FlowSettings;

use crate::world::{Customer, Wishes, World};

/// The shortest budget there is.
const HASTY: Wishes = Wishes { digital: "", classic: "budget_ms = 1000", bots: "", webhook: "" };

/// A customer who has said hello and was answered, so that a session is open.
async fn acquainted(world: &mut World) -> Customer {
    let customer = world.v1().await;
    world.exchange(&customer, "hello", "hi").await;
    customer
}

#[tokio::test]
async fn an_answer_before_the_deadline_is_in_its_response() {
    let mut world = World::new().await;
    let customer = acquainted(&mut world).await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1: hello
    flow     < 200 {"replymessages":[{"type":"Text","text":"hi"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | hi
    "#);
}

#[tokio::test]
async fn past_the_deadline_the_answer_is_fetched_by_the_button() {
    let mut world = World::with(HASTY).await;
    let customer = world.v1().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    world.hurries_no_more().await;
    assert_eq!(customer.sees().await, "I am still working on it. Tap OK to see the answer. [OK]");
    customer.is_answered().await;
    customer.taps("OK");
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    world.exchange(&customer, "thanks", "welcome").await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1: hello
    flow     < 200 {"replymessages":[{"type":"Structured","text":"I am still working on it. Tap OK to see the answer.","content":[{"contentType":"QuickReply","quickReply":{"text":"OK","payload":"gw:poll:1"}}]}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | I am still working on it. Tap OK to see the answer. [OK]
    customer | [OK] gw:poll:1
    flow     > session-1: OK [gw:poll:1]
    flow     < 200 {"replymessages":[{"type":"Text","text":"hi"}],"botState":"MOREDATA","intent":"turn-b","slotValues":{"turnStamp":2}}
    bot      | hi
    customer | thanks
    flow     > session-1: thanks
    flow     < 200 {"replymessages":[{"type":"Text","text":"welcome"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":3}}
    bot      | welcome
    "#);
}

#[tokio::test]
async fn past_the_deadline_the_answer_comes_before_the_next_one_when_nobody_fetches_it() {
    let mut world = World::with(HASTY).await;
    let customer = world.v1().await;
    customer.says("one");
    let first = world.bot.asked().await;
    world.hurries_no_more().await;
    customer.is_answered().await;
    customer.sees().await;
    customer.says("two");
    world.inputs_wait(1).await;
    first.says("first");
    world.bot.asked().await.says("second");
    assert_eq!((customer.sees().await, customer.sees().await), ("first".into(), "second".into()));
}

#[tokio::test]
async fn past_the_deadline_the_pending_path_comes_back_for_the_answer() {
    let wishes = Wishes { classic: "budget_ms = 1000\nlate_answers = \"pending_flow\"", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let quick = FlowSettings { poll_wait_ms: 0, ..FlowSettings::default() };
    let customer = world.v1_with("helper", quick).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    world.hurries_no_more().await;
    customer.is_noted("__poll__").await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    customer.is_answered().await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1: hello
    flow     < 200 {"replymessages":[],"botState":"COMPLETE","intent":"pending","parameters":{"pollId":"1"}}
    session  | session-1 closes: Complete
    session  | session-2 opens
    flow     > session-2: __poll__ (pollId "1")
    flow     < 200 {"replymessages":[{"type":"Text","text":"hi"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | hi
    "#);
}

#[tokio::test]
async fn a_request_that_comes_twice_joins_the_one_in_flight() {
    let mut world = World::new().await;
    let customer = world.v1().await;
    customer.says("yes");
    let question = world.bot.asked().await;
    let (body, _) = customer.last_exchange();
    let answering = async {
        let has_joined = |leg: &conversation::Leg| leg.open.iter().any(|request| !request.joined.is_empty());
        world.until_stored(|conversation| conversation.legs.iter().any(has_joined)).await;
        question.says("noted");
    };
    let (in_flight, ()) = tokio::join!(world.posts(&customer, &body), answering);
    customer.is_answered().await;
    assert_eq!(in_flight, (200, customer.last_exchange().1.unwrap()));
    // Afterwards the same words are a second honest yes.
    customer.says("yes");
    world.bot.asked().await.says("noted again");
    assert_eq!((customer.sees().await, customer.sees().await), ("noted".into(), "noted again".into()));
    assert_eq!(world.bot.heard(), ["yes", "yes"]);
}

#[tokio::test]
async fn an_answer_to_a_socket_that_died_while_it_waited_comes_first_in_the_next() {
    let mut world = World::new().await;
    let customer = acquainted(&mut world).await;
    let socket = customer.posts_and_holds(&world, &customer.message("one")).await;
    let question = world.bot.asked().await;
    drop(socket);
    world.no_request_is_open().await;
    // The next request waits already when the first one is answered.
    customer.says("two");
    world.inputs_wait(1).await;
    question.says("first");
    world.bot.asked().await.says("second");
    assert_eq!((customer.sees().await, customer.sees().await), ("first".into(), "second".into()));
    customer.is_answered().await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1: hello
    flow     < 200 {"replymessages":[{"type":"Text","text":"hi"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | hi
    customer | two
    flow     > session-1: two
    flow     < 200 {"replymessages":[{"type":"Text","text":"first"},{"type":"Text","text":"second"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":3}}
    bot      | first
    bot      | second
    "#);
}

#[tokio::test]
async fn an_answer_to_a_socket_that_died_after_it_was_sealed_comes_first_in_the_next() {
    let mut world = World::new().await;
    let customer = acquainted(&mut world).await;
    let socket = customer.posts_and_holds(&world, &customer.message("one")).await;
    let question = world.bot.asked().await;
    world.gate.close("after_commit");
    question.says("first");
    world.gate.holds_up("after_commit").await;
    drop(socket);
    world.no_request_is_open().await;
    world.gate.open("after_commit");
    customer.says("two");
    world.bot.asked().await.says("second");
    assert_eq!((customer.sees().await, customer.sees().await), ("first".into(), "second".into()));
}

#[tokio::test]
async fn a_request_that_was_just_aborted_gets_the_same_bytes_when_it_is_repeated() {
    let mut world = World::with(Wishes { classic: "join_identical_ms = 60000", ..Wishes::default() }).await;
    let customer = acquainted(&mut world).await;
    let message = customer.message("one");
    let socket = customer.posts_and_holds(&world, &message).await;
    let question = world.bot.asked().await;
    drop(socket);
    world.no_request_is_open().await;
    question.says("first");
    let (status, body) = world.posts(&customer, &message).await;
    assert!(status == 200 && body.contains("first"), "{status} {body}");
    assert_eq!(world.bot.heard(), ["hello", "one"]);
}

#[tokio::test]
async fn a_reply_that_may_have_left_before_a_crash_is_settled_by_the_next_request() {
    let mut world = World::new().await;
    let customer = world.v1().await;
    world.gate.close("mark_out");
    customer.says("one");
    world.bot.asked().await.says("first");
    assert_eq!(customer.sees().await, "first");
    world.gate.holds_up("mark_out").await;
    world.crash().await;
    world.gate.open("mark_out");
    world.start().await;
    customer.says("two");
    world.bot.asked().await.says("second");
    assert_eq!(customer.sees().await, "second", "and not the first once more");
    customer.is_answered().await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | one
    session  | session-1 opens
    flow     > session-1: one
    flow     < 200 {"replymessages":[{"type":"Text","text":"first"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | first
    customer | two
    flow     > session-1: two
    flow     < 200 {"replymessages":[{"type":"Text","text":"second"}],"botState":"MOREDATA","intent":"turn-b","slotValues":{"turnStamp":2}}
    bot      | second
    "#);
}

#[tokio::test]
async fn an_answer_that_is_held_outlives_a_crash() {
    let mut world = World::with(HASTY).await;
    let customer = world.v1().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    world.hurries_no_more().await;
    customer.sees().await;
    customer.is_answered().await;
    let steps = world.shared().counts.steps.load(std::sync::atomic::Ordering::Relaxed);
    question.says("hi");
    world.until(|shared| shared.counts.steps.load(std::sync::atomic::Ordering::Relaxed) > steps).await;
    world.crash_and_start().await;
    customer.taps("OK");
    assert_eq!(customer.sees().await, "hi");
    assert_eq!(world.bot.heard(), ["hello"]);
}
