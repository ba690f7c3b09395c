//! Stories of customers: bots that fail, answers that come late or by callback, messages that come twice, sessions that
//! close, tokens that expire, people who take over.

use cordboard::dead_letter::Redriven;
use serde_json::json;
use simulator::{Chance, Faults, FlowSettings};

use crate::world::{Customer, Wishes, World};

/// Every request is acknowledged at once, so that every answer is a push.
const PUSHED: Wishes =
    Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", classic: "", bots: "", webhook: "" };

fn faults(faults: Faults) -> FlowSettings {
    FlowSettings { faults, ..FlowSettings::default() }
}

#[tokio::test]
async fn a_script_that_fails_hands_the_customer_to_a_human() {
    let world = World::new().await;
    let mut told = String::new();
    for word in ["nonsense", "refuse", "down"] {
        let customers = both(&world, "clumsy").await;
        customers.iter().for_each(|customer| customer.says(word));
        for customer in customers {
            told += &handed_over(&customer, word).await;
        }
    }
    insta::assert_snapshot!(told, @r"
    nonsense: engine.nonsense
    nonsense: engine.nonsense
    refuse: engine.refused
    refuse: engine.refused
    down: engine.unavailable
    down: engine.unavailable
    ");
}

#[tokio::test]
async fn a_bot_that_hangs_is_waited_for_until_the_hard_deadline() {
    let mut world = World::with(Wishes { bots: "hard_deadline_ms = 1000", ..Wishes::default() }).await;
    let mut told = String::new();
    for bot in ["clumsy", "helper"] {
        let customers = both(&world, bot).await;
        customers.iter().for_each(|customer| customer.says("hang"));
        for customer in customers {
            let _hanging = if bot == "helper" { Some(world.bot.asked().await) } else { None };
            told += &handed_over(&customer, bot).await;
        }
    }
    insta::assert_snapshot!(told, @r"
    clumsy: engine.timed_out
    clumsy: engine.timed_out
    helper: engine.timed_out
    helper: engine.timed_out
    ");
}

#[tokio::test]
async fn a_webhook_that_answers_nonsense_hands_the_customer_to_a_human() {
    let mut world = World::new().await;
    let mut told = String::new();
    let unknown_next = r#"{"next": {"kind": "hand_over"}}"#;
    for (status, body) in [(404, ""), (302, ""), (200, ""), (200, "sorry"), (200, "{}"), (200, unknown_next)] {
        let customer = world.v2().await;
        customer.says("hello");
        world.bot.asked().await.replies(status, body);
        told += &handed_over(&customer, &format!("{status} {body}")).await;
    }
    insta::assert_snapshot!(told, @r#"
    404 : engine.refused
    302 : engine.refused
    200 : engine.nonsense
    200 sorry: engine.nonsense
    200 {}: engine.nonsense
    200 {"next": {"kind": "hand_over"}}: engine.nonsense
    "#);
}

/// A customer on each door.
async fn both(world: &World, bot: &str) -> [Customer; 2] {
    [world.v2_with(bot, FlowSettings::default()).await, world.v1_with(bot, FlowSettings::default()).await]
}

/// The customer is told that a human comes, and the flow why.
async fn handed_over(customer: &Customer, because_of: &str) -> String {
    assert_eq!(customer.leaves_by().await, "human", "{because_of}");
    assert_eq!(customer.sees().await, "I am connecting you to a colleague.");
    format!("{because_of}: {}\n", customer.line.parameters()["handOverReason"])
}

#[tokio::test]
async fn a_webhook_that_stumbles_is_asked_again() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("hello");
    for status in [503, 500] {
        world.bot.asked().await.replies(status, "");
    }
    world.bot.asked().await.says("here I am");
    assert_eq!(customer.sees().await, "here I am");
}

#[tokio::test]
async fn a_bot_that_may_go_on_says_so_and_keeps_the_floor() {
    let mut world = World::with(Wishes { bots: "on_failure = \"say\"", ..Wishes::default() }).await;
    let customer = world.v2().await;
    customer.says("hello");
    world.bot.asked().await.replies(404, "");
    assert_eq!(customer.sees().await, "Sorry, that did not work. Please try again.");
    customer.says("hello?");
    world.bot.asked().await.says("hi");
    assert_eq!(customer.sees().await, "hi");
}

#[tokio::test]
async fn a_bot_that_takes_the_turn_answers_by_callback_and_speaks_of_its_own_accord() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("Where is my parcel?");
    let taken = world.bot.asked().await.takes();
    let answer = json!({"in_reply_to": taken.turn, "text": "In Leipzig."});
    assert_eq!(world.calls_back(&taken, "id-1", &answer).await.status, 202);
    assert_eq!(customer.sees().await, "In Leipzig.");
    customer.is_answered().await;
    let news = json!({"text": "It is out for delivery."});
    assert_eq!(world.calls_back(&taken, "id-2", &news).await.status, 202);
    assert_eq!(customer.sees().await, "It is out for delivery.");
    // The same callback again changes nothing, and a second answer to the turn comes too late.
    assert_eq!(world.calls_back(&taken, "id-2", &news).await.json()["status"], "duplicate");
    assert_eq!(world.calls_back(&taken, "id-3", &answer).await.error(), "turn.over");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | Where is my parcel?
    session  | session-1 opens
    flow     > session-1/1: Where is my parcel?
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"In Leipzig."}]}
    bot      | In Leipzig.
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"It is out for delivery."}]} -> 200
    push     | It is out for delivery.
    "#);
}

#[tokio::test]
async fn on_v1_what_a_bot_says_of_its_own_accord_waits_for_the_customer() {
    let mut world = World::new().await;
    let customer = world.v1().await;
    customer.says("hello");
    let taken = world.bot.asked().await.takes();
    world.calls_back(&taken, "id-1", &json!({"in_reply_to": taken.turn, "text": "hi"})).await;
    assert_eq!(customer.sees().await, "hi");
    customer.is_answered().await;
    assert_eq!(world.calls_back(&taken, "id-2", &json!({"text": "still there?"})).await.status, 202);
    customer.says("yes");
    world.bot.asked().await.says("good");
    assert_eq!((customer.sees().await, customer.sees().await), ("still there?".into(), "good".into()));
}

#[tokio::test]
async fn fifty_copies_of_a_message_are_one_question_and_fifty_equal_answers() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("hello");
    world.bot.asked().await.says("hi");
    customer.is_answered().await;
    let message = customer.message("and now");
    let _first = customer.posts_and_holds(&world, &message).await;
    let question = world.bot.asked().await;
    let copies = futures_util::future::join_all((0..50).map(|_| world.posts(&customer, &message)));
    let all_wait = world.until(|shared| shared.open_requests() == 51);
    let answering = async {
        all_wait.await;
        question.says("once");
    };
    let (answers, ()) = tokio::join!(copies, answering);
    assert!(answers[0].0 == 200 && answers[0].1.contains("once"), "{:?}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    world.crash_and_start().await;
    let again = futures_util::future::join_all((0..50).map(|_| world.posts(&customer, &message))).await;
    assert!(again.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.bot.heard(), ["hello", "and now"]);
}

#[tokio::test]
async fn a_customer_who_taps_send_twice_gets_two_answers_in_order() {
    let mut world = World::new().await;
    for customer in [world.v2().await, world.v1().await] {
        customer.says("hello");
        customer.says("hello");
        for answer in ["first", "second"] {
            world.bot.asked().await.says(answer);
            assert_eq!(customer.sees().await, answer);
        }
        customer.is_answered().await;
    }
}

#[tokio::test]
async fn an_answer_to_a_session_that_closed_is_a_dead_letter_that_cannot_be_said_any_more() {
    let mut world = World::with(PUSHED).await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    customer.line.close_session();
    question.says("too late");
    let (letters, ids) = world.letters().await;
    assert_eq!(letters, ["answer helper: session_closed"]);
    assert_eq!(world.redrive(ids[0]).await, Redriven::Refused("session_ended"));
    assert_eq!(world.letters().await.1, ids, "it stays");
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    session  | session-1 closes: closed by hand
    path     | failure:SessionTimeout
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"too late"}]} -> 409 session.already.closed
    "#);
}

#[tokio::test]
async fn a_dead_letter_is_said_in_the_next_session() {
    let mut world = World::with(PUSHED).await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    customer.line.close_session();
    question.says("Your parcel is in Leipzig.");
    let (_, ids) = world.letters().await;
    customer.line.return_to_bot();
    customer.says("hello again");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    assert_eq!(world.redrive(ids[0]).await, Redriven::Done);
    assert_eq!(customer.sees().await, "Your parcel is in Leipzig.");
    assert!(!world.has_letters().await);
    assert_eq!(world.redrive(ids[0]).await, Redriven::NotThere);
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    session  | session-1 closes: closed by hand
    path     | failure:SessionTimeout
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"Your parcel is in Leipzig."}]} -> 409 session.already.closed
    customer | hello again
    session  | session-2 opens
    flow     > session-2/2: hello again
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-2","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-2","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"Your parcel is in Leipzig."}]} -> 200
    push     | Your parcel is in Leipzig.
    "#);
}

#[tokio::test]
async fn a_push_to_an_integration_that_is_switched_off_can_be_tried_again() {
    let mut world = World::with(PUSHED).await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    customer.line.set_integration_active(false);
    question.says("hi");
    let (letters, ids) = world.letters().await;
    assert_eq!(letters, ["answer helper: rejected"]);
    customer.line.set_integration_active(true);
    assert_eq!(world.redrive(ids[0]).await, Redriven::Done);
    assert_eq!(customer.sees().await, "hi");
}

#[tokio::test]
async fn a_token_that_expires_in_mid_flight_is_replaced() {
    let mut world = World::with(PUSHED).await;
    let customer = world.v2_with("helper", faults(Faults { revoke_in_flight: 1, ..Faults::default() })).await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    question.says("hi");
    assert_eq!(customer.sees().await, "hi");
    assert_eq!(world.simulator.tokens_issued(), 2);
    insta::assert_snapshot!(customer.story(), @r#"
    customer | hello
    session  | session-1 opens
    flow     > session-1/1: hello
    flow     < 200 {"botState":"MoreData","replyMessages":[]}
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 401 bad.credentials
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    "#);
}

#[tokio::test]
async fn a_push_that_is_told_to_wait_or_meets_a_fault_comes_again() {
    let mut world = World::with(PUSHED).await;
    let trouble = Faults { outgoing_5xx: 1, outgoing_429: 1, outgoing_429_retry_after_s: Some(1), ..Faults::default() };
    let customer = world.v2_with("helper", faults(trouble)).await;
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
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 503 service.unavailable
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 429 too.many.requests
    outgoing < {"botId":"helper","botVersion":"1","botSessionId":"session-1","languageCode":"en-us","botState":"MoreData","replyMessages":[{"type":"Text","text":"hi"}]} -> 200
    push     | hi
    "#);
}

#[tokio::test]
async fn twelve_turns_on_v1_never_meet_the_loop_guard() {
    let world = World::new().await;
    world.bot.echoes();
    let customer = world.v1().await;
    for turn in 1..=12 {
        customer.says(&format!("{turn}"));
        assert_eq!(customer.sees().await, format!("You said {turn}."));
        customer.is_answered().await;
    }
    assert_eq!(customer.line.path(), None);
    assert_eq!(customer.line.violations(), []);
}

#[tokio::test]
async fn a_human_takes_over_and_gives_back() {
    let mut world = World::with(Wishes { bots: "notify = [\"handed_over\", \"returned\"]", ..Wishes::default() }).await;
    let mut stories = String::new();
    for customer in [world.v2().await, world.v1().await] {
        customer.says("human!");
        let next = json!({"kind": "handoff", "reason": "asked", "note_to_agent": "is in a hurry"});
        world.bot.asked().await.replies(200, &json!({"text": "Gladly.", "next": next}).to_string());
        assert_eq!(customer.sees().await, "Gladly.");
        assert_eq!(customer.leaves_by().await, "human");
        assert_eq!(world.bot.told().await, "handed_over");
        customer.line.return_to_bot();
        customer.says("here again");
        world.bot.asked().await.says("welcome back");
        assert_eq!(world.bot.told().await, "handoff_returned");
        assert_eq!(customer.sees().await, "welcome back");
        customer.is_answered().await;
        stories += &customer.story();
    }
    insta::assert_snapshot!(stories, @r#"
    customer | human!
    session  | session-1 opens
    flow     > session-1/1: human!
    flow     < 200 {"botState":"Complete","intent":"human","replyMessages":[{"type":"Text","text":"Gladly."}],"parameters":{"handOverNote":"is in a hurry","handOverReason":"asked"}}
    bot      | Gladly.
    session  | session-1 closes: Complete
    path     | human
    customer | here again
    session  | session-2 opens
    flow     > session-2/2: here again
    flow     < 200 {"botState":"MoreData","replyMessages":[{"type":"Text","text":"welcome back"}]}
    bot      | welcome back
    customer | human!
    session  | session-1 opens
    flow     > session-1: human!
    flow     < 200 {"replymessages":[{"type":"Text","text":"Gladly."}],"botState":"COMPLETE","intent":"human","parameters":{"handOverNote":"is in a hurry","handOverReason":"asked"}}
    bot      | Gladly.
    session  | session-1 closes: Complete
    path     | human
    customer | here again
    session  | session-2 opens
    flow     > session-2: here again
    flow     < 200 {"replymessages":[{"type":"Text","text":"welcome back"}],"botState":"MOREDATA","intent":"turn-a","slotValues":{"turnStamp":1}}
    bot      | welcome back
    "#);
}

#[tokio::test]
async fn while_a_human_speaks_the_bot_is_refused() {
    let mut world = World::new().await;
    let customer = world.v2().await;
    customer.says("human!");
    let taken = world.bot.asked().await.takes();
    let gladly = json!({"in_reply_to": taken.turn, "next": {"kind": "handoff", "reason": "asked"}});
    assert_eq!(world.calls_back(&taken, "id-1", &gladly).await.status, 202);
    assert_eq!(customer.leaves_by().await, "human");
    let intrusion = world.calls_back(&taken, "id-2", &json!({"text": "one more thing"})).await;
    assert_eq!((intrusion.status, intrusion.error().as_str()), (409, "floor"));
}

#[tokio::test]
async fn a_customer_who_falls_silent_has_left_and_the_bot_is_told() {
    let wishes = Wishes { classic: "follow_up_timeout_ms = 1000", bots: "notify = [\"ended\"]", ..Wishes::default() };
    let mut world = World::with(wishes).await;
    let flow = FlowSettings { follow_up_timeout_ms: Some(1_000), ..FlowSettings::default() };
    let customer = world.v1_with("helper", flow).await;
    customer.says("hello");
    world.bot.asked().await.says("hi");
    assert_eq!(customer.leaves_by().await, "failure:NoInputError");
    assert_eq!(world.bot.told().await, "ended");
    // Whoever comes back afterwards begins anew.
    customer.line.return_to_bot();
    customer.says("sorry, the door");
    let question = world.bot.asked().await;
    assert_eq!((question.words().as_str(), &question.body()["turn"]["is_first"]), ("sorry, the door", &json!(true)));
}

#[tokio::test]
async fn a_message_past_those_that_may_wait_is_taken_when_the_platform_tries_again() {
    let mut world = World::with(Wishes { bots: "max_waiting_inputs = 1", ..Wishes::default() }).await;
    let patient = FlowSettings { retries: Some(1_000), ..FlowSettings::default() };
    let customer = world.v2_with("helper", patient).await;
    customer.says("one");
    let first = world.bot.asked().await;
    customer.says("two");
    world.inputs_wait(1).await;
    customer.says("three");
    customer.is_noted("flow     < 503").await;
    first.says("first");
    for (words, answer) in [("two", "second"), ("three", "third")] {
        let question = world.bot.asked().await;
        assert_eq!(question.words(), words);
        question.says(answer);
    }
    for answer in ["first", "second", "third"] {
        assert_eq!(customer.sees().await, answer);
    }
}

#[tokio::test]
async fn what_no_reference_promises_is_read_all_the_same() {
    let world = World::with(PUSHED).await;
    world.bot.echoes();
    let odd = Faults {
        blank_text: Chance::ALWAYS,
        language_case: Chance::ALWAYS,
        unknown_members: Chance::ALWAYS,
        ..Faults::default()
    };
    for customer in [
        world.v2_with("helper", faults(odd.clone())).await,
        world.v1_with("helper", FlowSettings { old_buttons: true, ..faults(odd) }).await,
    ] {
        customer.says("hello");
        assert_eq!(customer.sees().await, "You said hello.");
        customer.is_answered().await;
    }
    assert_eq!(world.bot.heard(), ["hello", "hello"]);
}
