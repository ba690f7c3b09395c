//! The race table on the door that can push: who gets the answer when it is late, early, lost or asked for twice.

use std::sync::atomic::Ordering;

use serde_json::json;
use simulator::{Chance, Faults, FlowSettings};

use crate::world::{Wishes, World};

/// Requests are acknowledged at once, and pushes are not held back.
const HASTY: Wishes =
    Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", classic: "", bots: "", webhook: "" };

#[tokio::test]
async fn an_answer_before_the_deadline_is_in_its_response() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    world.exchange(&customer, "hello", "hi").await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]}
    bot      | hi
    "#);
}

#[tokio::test]
async fn past_the_deadline_the_answer_is_pushed() {
    let mut world = World::with(HASTY).await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    "#);
}

#[tokio::test]
async fn a_message_that_comes_twice_is_asked_once_and_gets_the_same_bytes() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    let (body, _) = customer.last_exchange();
    let answering = async {
        world.until(|shared| shared.open_requests() == 2).await;
        question.says("hi");
    };
    let (in_flight, ()) = tokio::join!(world.posts(&customer, &body), answering);
    customer.is_answered().await;
    let first = (200, customer.last_exchange().1.unwrap());
    assert_eq!(in_flight, first);
    assert_eq!(world.posts(&customer, &body).await, first, "afterwards");
    world.crash_and_start().await;
    assert_eq!(world.posts(&customer, &body).await, first, "after a restart");
    assert_eq!(world.bot.heard(), ["hello"]);
}

#[tokio::test]
async fn an_answer_to_a_socket_that_died_while_it_waited_is_pushed() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    world.exchange(&customer, "hello", "hi").await;
    let socket = customer.posts_and_holds(&world, &customer.message("and now")).await;
    let question = world.bot.asked().await;
    drop(socket);
    world.no_request_is_open().await;
    question.says("still here");
    assert_eq!(customer.sees().await, "still here");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]}
    bot      | hi
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"still here"}]} -> 200
    push     | still here
    "#);
}

#[tokio::test]
async fn a_platform_that_hangs_up_and_asks_again_gets_the_answer_once() {
    let mut world = World::new().await;
    let faults = Faults { abort_then_retry: Chance::ALWAYS, abort_after_ms: Some(1_000), ..Faults::default() };
    let customer = world.v2_with("helper", FlowSettings { faults, ..FlowSettings::default() }).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_noted("connection dropped by the caller").await;
    world.until(|shared| shared.counts.duplicates.load(Ordering::Relaxed) == 1).await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    customer.is_answered().await;
    assert_eq!((customer.line.seen().len(), world.bot.heard()), (1, vec!["hello".to_owned()]));
}

#[tokio::test]
async fn an_answer_to_a_socket_that_died_after_it_was_sealed_is_pushed() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    world.exchange(&customer, "hello", "hi").await;
    let socket = customer.posts_and_holds(&world, &customer.message("and now")).await;
    let question = world.bot.asked().await;
    world.gate.close("after_commit");
    question.says("still here");
    world.gate.holds_up("after_commit").await;
    drop(socket);
    world.no_request_is_open().await;
    world.gate.open("after_commit");
    assert_eq!(customer.sees().await, "still here");
    assert_eq!(world.shared().counts.possible_duplicates.load(Ordering::Relaxed), 1);
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]}
    bot      | hi
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"still here"}]} -> 200
    push     | still here
    "#);
}

#[tokio::test]
async fn a_reply_that_may_have_left_before_a_crash_is_pushed_after_the_retry_window() {
    let mut world = World::with(Wishes { digital: "platform_retry_window_ms = 1000", ..Wishes::default() }).await;
    let customer = world.v2().await;
    world.gate.close("mark_out");
    customer.says("hello");
    world.bot.asked().await.says("hi");
    assert_eq!(customer.sees().await, "hi");
    world.gate.holds_up("mark_out").await;
    world.crash().await;
    world.gate.open("mark_out");
    world.start().await;
    assert_eq!(customer.sees().await, "hi", "perhaps once more, but never less than once");
    assert_eq!(world.shared().counts.possible_duplicates.load(Ordering::Relaxed), 1);
    assert_eq!(world.bot.heard(), ["hello"]);
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]}
    bot      | hi
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    "#);
}

#[tokio::test]
async fn a_reply_that_never_left_before_a_crash_goes_to_the_platforms_retry() {
    let mut world = World::new().await;
    let patient = FlowSettings { retries: Some(1_000), ..FlowSettings::default() };
    let customer = world.v2_with("helper", patient).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    world.gate.close("after_commit");
    question.says("hi");
    world.gate.holds_up("after_commit").await;
    world.crash().await;
    world.gate.open("after_commit");
    world.start().await;
    assert_eq!(customer.sees().await, "hi");
    // An answer in a response shows that no push of the first one waits before it.
    world.exchange(&customer, "thanks", "welcome").await;
    assert_eq!(world.bot.heard(), ["hello", "thanks"]);
    assert!(!customer.line.text().contains("outgoing"), "{}", customer.line.text());
}

#[tokio::test]
async fn a_push_does_not_overtake_the_acknowledgement_that_is_read_slowly() {
    let wishes = Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 2500", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let faults = Faults { slow_reading_ms: 200, ..Faults::default() };
    let customer = world.v2_with("helper", FlowSettings { faults, ..FlowSettings::default() }).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    // One step took the message, the other acknowledged it.
    world.until(|shared| shared.counts.steps.load(Ordering::Relaxed) == 2).await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    "#);
}

#[tokio::test]
async fn an_answer_in_a_response_waits_for_the_push_before_it() {
    let mut world = World::new().await;
    let faults = Faults { outgoing_429: 1, outgoing_429_retry_after_s: Some(1), ..Faults::default() };
    let customer = world.v2_with("helper", FlowSettings { faults, ..FlowSettings::default() }).await;
    customer.says("one");
    let taken = world.bot.asked().await.takes();
    let first = json!({"in_reply_to": taken.turn, "text": "first"});
    assert_eq!(world.calls_back(&taken, "id-1", &first).await.status, 202);
    assert_eq!(customer.sees().await, "first");
    customer.is_answered().await;
    // The next words are with the gateway before the push is refused for the first time.
    world.gate.close("before_send");
    assert_eq!(world.calls_back(&taken, "id-2", &json!({"text": "by the way"})).await.status, 202);
    world.gate.holds_up("before_send").await;
    customer.says("two");
    world.until_stored(|conversation| conversation.seats[0].turn.is_some()).await;
    world.gate.open("before_send");
    world.bot.asked().await.says("second");
    assert_eq!((customer.sees().await, customer.sees().await), ("by the way".into(), "second".into()));
    customer.is_answered().await;
    insta::assert_snapshot!(customer.story(), @r#"
    customer | one
    session  | session-1 opens
    flow     > session-1/1: one
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"first"}]}
    bot      | first
    customer | two
    flow     > session-1/2: two
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"by the way"}]} -> 429 too.many.requests
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"by the way"}]} -> 200
    push     | by the way
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"second"}]}
    bot      | second
    "#);
}

#[tokio::test]
async fn fast_messages_become_one_turn_and_only_the_last_request_waits() {
    let world = World::with(Wishes { digital: "merge_quiet_ms = 2000", ..Wishes::default() }).await;
    world.bot.echoes();
    let customer = world.v2().await;
    customer.says("my parcel");
    world.inputs_wait(1).await;
    let (status, last) = world.posts(&customer, &customer.message("is late")).await;
    customer.is_answered().await;
    assert_eq!(world.bot.heard(), ["my parcel\nis late"]);
    let first = customer.last_exchange().1.unwrap();
    insta::assert_snapshot!(format!("{first}\n{status} {last}"), @r#"
    {"botState":"MoreData","replyMessages":[]}
    200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"You said my parcel\nis late."}]}
    "#);
}
