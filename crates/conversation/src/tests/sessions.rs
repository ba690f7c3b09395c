//! How sessions open, end and come back, and who has the floor meanwhile.

use model::{
    Answer, Attributes, Event, Holder, Item, Late, News, Next, Outcome, Part, PushOutcome, RequestId, SeatId, Slots,
};

use super::story::{Story, hand_over};
use crate::LEGS_MAX;

fn with_notices(late: Late) -> Story {
    let mut story = Story::through(late);
    story.policies.fallback.notify = vec![News::Opened, News::Ended, News::HandedOver, News::Returned];
    story
}

#[test]
fn engines_are_told_the_life_of_a_conversation() {
    let mut story = with_notices(Late::Push);
    story.says(1, "hello").gives(&["notify Opened", "ask turn-1 hello"]);
    story
        .answers_then(1, "a human, then", hand_over())
        .gives(&["notify HandedOver", "seal r1: a human, then | [human: asked]"]);
    story.out(1);
    story.says_on("s2", 2, "me again").gives(&["notify Returned", "ask turn-2 me again"]);
    assert_eq!((story.floor(), story.state.seats[0].visits), (Holder::Bot, 2));
    story.answers_then(2, "bye", Next::End).gives(&["notify Ended", "seal r2: bye | [done]"]);
    assert_eq!(story.floor(), Holder::Ended);
}

#[test]
fn a_message_on_an_ended_session_gives_the_floor_back() {
    let mut story = Story::through(Late::Push);
    story.says(1, "bye");
    story.answers_then(1, "bye", Next::End);
    story.out(1);
    story.says(2, "one more thing").gives(&["ask turn-2 one more thing"]);
    assert_eq!(story.floor(), Holder::Bot);
}

#[test]
fn the_customers_silence_ends_a_session() {
    let mut story = with_notices(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.out(1);
    story.due().gives(&["notify Ended"]);
    assert_eq!(story.now.0 - 1_000_000, 6 * 3_600_000);
    assert!(story.state.is_finished());
    assert_eq!(story.state.next_due(), None);
}

#[test]
fn the_lifetime_of_the_platforms_session_ends_it_with_what_is_held() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.due();
    story.answers(1, "too late");
    while story.state.next_due().is_some() {
        story.due();
    }
    story.gives(&["bury too late: session_ended"]);
    assert_eq!(story.floor(), Holder::Ended);
}

#[test]
fn a_closed_session_buries_what_was_on_its_way() {
    let mut story = with_notices(Late::Push);
    story.says(1, "hello");
    story.due();
    story.out(1);
    story.answers(1, "first");
    story.pushes("second").gives(&["push push-2: second"]);
    story.settles(1, PushOutcome::SessionClosed).gives(&[
        "bury first: session_closed",
        "withdraw 1 pushes",
        "bury second: session_closed",
        "notify Ended",
    ]);
    story.settles(2, PushOutcome::Delivered).gives(&["nothing"]);
    assert!(story.state.is_finished());
}

#[test]
fn a_push_that_dies_is_buried_and_later_ones_go_on() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.out(1);
    story.pushes("one");
    story.pushes("two");
    story.settles(1, PushOutcome::GaveUp).gives(&["bury one: gave_up"]);
    story.settles(2, PushOutcome::Delivered).gives(&[]);
}

#[test]
fn a_new_session_replaces_the_one_before() {
    let mut story = Story::through(Late::Push);
    story.says(1, "one");
    story.says_on("s2", 2, "two").gives(&["withdraw turn-1", "ask turn-2 two", "seal r1: "]);
    story.answers(1, "first").gives(&["stale turn-1"]);
}

#[test]
fn another_bot_takes_the_front_seat() {
    let mut story = with_notices(Late::Push);
    story.says(1, "one");
    story.says_to("other", "s2", 2, "two").gives(&[
        "withdraw turn-1",
        "notify Ended",
        "notify Opened",
        "ask turn-1 two",
        "seal r1: ",
    ]);
}

#[test]
fn a_human_on_the_floor_silences_the_bot() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.due();
    story.answers(1, "thinking");
    story.happens(&[Event::FloorSeen { holder: Holder::Human }]).gives(&["bury thinking: floor_taken"]);
    story.pushes("may I?").gives(&["refused: floor_taken"]);
    story.says(2, "bot?").gives(&["ask turn-2 bot?"]);
}

#[test]
fn a_redriven_answer_speaks_only_where_the_bot_may() {
    let part = Part {
        turn: None,
        number: 1,
        items: vec![Item::text("lost words")],
        outcome: Outcome::Done,
        intent: None,
        slots: Slots::new(),
        attributes: Attributes::new(),
        by_policy: false,
    };
    let redriven = Event::Redriven { seat: SeatId(0), part: Box::new(part) };
    let mut story = Story::through(Late::Push);
    story.happens(std::slice::from_ref(&redriven)).gives(&["redrive refused: session_ended"]);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.out(1);
    story.happens(std::slice::from_ref(&redriven)).gives(&["push push-1: lost words"]);
    story.happens(&[Event::FloorSeen { holder: Holder::Human }]);
    story.happens(&[redriven]).gives(&["redrive refused: floor_taken"]);
}

#[test]
fn a_message_that_is_tried_again_goes_only_where_its_session_is_open() {
    let mut story = Story::through(Late::Push);
    story.says_again("s1", "hello").gives(&["ask turn-1 hello"]);
    story.answers(1, "hi").gives(&["push push-1: hi"]);
    story.settles(1, PushOutcome::Delivered);
    story.says_again("s0", "of another session").gives(&["redrive refused: superseded"]);
    story.says_again("s1", "and?").gives(&["ask turn-2 and?"]);
    story.answers_then(2, "a human, then", hand_over()).settles(2, PushOutcome::Delivered);
    story.says_again("s1", "still there?").gives(&["redrive refused: floor_taken"]);
    story.happens(&[Event::EndedByOperator]);
    story.says_again("s1", "still there?").gives(&["redrive refused: session_ended"]);
    story.says_again("s2", "or here?").gives(&["redrive refused: session_ended"]);
    assert_eq!(story.floor(), Holder::Ended);
}

#[test]
fn a_message_that_is_tried_again_is_not_lost_to_a_full_conversation() {
    let mut story = Story::through(Late::Push);
    story.policies.fallback.max_waiting_inputs = 1;
    story.says(1, "one");
    story.says(2, "two");
    story.says_again("s1", "three").gives(&["redrive refused: too_much_held"]);
}

#[test]
fn an_operator_ends_a_conversation_by_the_path_of_a_bot_that_is_done() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.happens(&[Event::EndedByOperator]).gives(&["withdraw turn-1", "seal r1: [done]"]);
    story.happens(&[Event::EndedByOperator]).gives(&["nothing"]);
}

#[test]
fn attributes_flow_both_ways_and_are_never_cleared() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    let mut answer = Answer::saying(vec![]);
    answer.attributes.insert("topic".into(), "parcels".into());
    story
        .happens(&[Event::Answered { seat: SeatId(0), turn: model::TurnNumber(1), answer: Box::new(answer) }])
        .gives(&["seal r1: "]);
    story.out(1);
    story.says(2, "more");
    assert_eq!(story.state.seats[0].attributes.get("topic").map(String::as_str), Some("parcels"));
}

#[test]
fn the_news_that_the_last_reply_left_ends_a_conversation_and_is_worth_a_step() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.answers(1, "hi");
    assert!(!story.state.waits_for_out(&[RequestId(1)]), "the next message brings the news along");
    story.says(2, "bye");
    story.answers_then(2, "see you", Next::End);
    assert!(!story.state.waits_for_out(&[RequestId(9)]));
    assert!(story.state.waits_for_out(&[RequestId(2)]), "no step comes any more by itself");
    story.out(2);
    assert!(story.state.is_finished());
}

#[test]
fn a_session_that_makes_room_takes_no_words_along() {
    let mut story = Story::through(Late::Push);
    for session in 0..LEGS_MAX as u64 {
        story.says_on(&format!("s{session}"), session, "bye");
        let turn = u32::try_from(session).unwrap() + 1;
        story.answers_then(turn, &format!("bye {session}"), Next::End);
    }
    story.says_on("one more", 99, "hello").gives(&["bury bye 0 | [done]: outcome_unknown", "ask turn-17 hello"]);
}
