//! The race table: who gets the answer when it is late, early, lost or asked for twice.

use model::{Event, Late, Next, PushOutcome, RequestId};

use super::story::{Story, hand_over};
use crate::Texts;

#[test]
fn v2_past_the_soft_deadline_the_answer_is_pushed() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.due().gives(&["seal r1: "]);
    story.out(1).gives(&[]);
    story.answers(1, "hi").gives(&["push push-1: hi"]);
    story.settles(1, PushOutcome::Delivered).gives(&[]);
}

#[test]
fn v2_a_request_without_time_to_wait_is_acknowledged_by_the_step_that_asks() {
    let mut story = Story::through(Late::Push);
    story.waits_ms(0).says(1, "hello").gives(&["ask turn-1 hello", "seal r1: "]);
}

#[test]
fn v2_a_push_does_not_overtake_the_response_before_it() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.due();
    story.answers(1, "hi").gives(&[]);
    story.out(1).gives(&["push push-1: hi"]);
    let under_way = story.state.legs[0].push_not_before;
    assert_eq!(under_way, story.now + 100);
}

#[test]
fn v2_an_answer_in_a_response_waits_for_earlier_pushes_else_it_is_pushed_too() {
    let mut story = Story::through(Late::Push);
    story.says(1, "one");
    story.due();
    story.out(1);
    story.answers(1, "first").gives(&["push push-1: first"]);
    story.says(2, "two");
    story.answers(2, "second").gives(&[]);
    story.settles(1, PushOutcome::Delivered).gives(&["seal r2: second"]);
    story.out(2);

    story.pushes("by the way").gives(&["push push-2: by the way"]);
    story.says(3, "three");
    story.answers(3, "third").gives(&[]);
    story.due().gives(&["seal r3: "]);
    story.out(3).gives(&["push push-3: third"]);
}

#[test]
fn v2_a_dead_socket_sends_the_answer_by_push() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.aborted(1).gives(&["possible duplicate", "push push-1: hi"]);

    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.aborted(1).gives(&[]);
    story.answers(1, "hi").gives(&["seal r1: ", "push push-1: hi"]);
}

#[test]
fn v2_after_a_crash_the_answer_waits_for_the_platforms_retry_and_is_pushed_then() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.due().gives(&["possible duplicate", "push push-1: hi"]);
    assert_eq!(story.now.0 - 1_000_000, 15_000);
}

#[test]
fn v2_a_holding_line_is_said_when_there_is_one() {
    let mut story = Story::through(Late::Push);
    story.policies.fallback.texts = Texts { holding: Some("One moment".into()), ..Texts::default() }.into();
    story.says(1, "hello");
    story.due().gives(&["seal r1: (holding)"]);
}

#[test]
fn v1_a_late_answer_is_fetched_by_the_button() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.due().gives(&["seal r1: (holding) [OK 1]"]);
    story.answers(1, "hi").gives(&[]);
    story.says(2, "poll 1").gives(&["taken as delivered", "seal r2: hi"]);
    story.says(3, "next").gives(&["taken as delivered", "ask turn-2 next"]);
}

#[test]
fn v1_the_buttons_label_typed_by_hand_is_a_poll_too() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.due();
    story.says(2, " ok ").gives(&["taken as delivered"]);
    story.answers(1, "hi").gives(&["seal r2: hi"]);
    story.says(3, "ok").gives(&["taken as delivered", "ask turn-2 ok"]);
}

#[test]
fn v1_a_held_answer_comes_before_the_next_ones() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "one");
    story.due();
    story.answers(1, "first");
    story.says(2, "two").gives(&["taken as delivered", "ask turn-2 two"]);
    story.answers(2, "second").gives(&["seal r2: first | second"]);
}

#[test]
fn v1_three_holding_turns_then_a_human() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.due().gives(&["seal r1: (holding) [OK 1]"]);
    story.says(2, "poll 1");
    story.due().gives(&["seal r2: (holding) [OK 2]"]);
    story.says(3, "poll 2");
    story.due().gives(&["seal r3: (holding) [OK 3]"]);
    story.says(4, "poll 3");
    story.due().gives(&["withdraw turn-1", "seal r4: I am connecting you to a colleague. | [human: engine_slow]"]);
}

#[test]
fn v1_an_answer_starts_the_count_of_holding_turns_again() {
    let mut story = Story::through(Late::PollButton);
    let mut request = 0;
    for turn in 1..=2 {
        request += 1;
        story.says(request, "hello").due();
        for _ in 0..2 {
            request += 1;
            story.says(request, &format!("poll {request}")).due();
        }
        request += 1;
        story.answers(turn, "hi").says(request, &format!("poll {request}"));
        story.gives(&["taken as delivered", &format!("seal r{request}: hi")]);
    }
}

#[test]
fn v1_the_pending_path_comes_back_on_a_new_session() {
    let mut story = Story::through(Late::PendingFlow);
    story.says(1, "hello");
    story.due().gives(&["seal r1: (pending 1)"]);
    story.answers(1, "hi").gives(&[]);
    story.says_on("s2", 2, "poll 1").gives(&["seal r2: hi"]);
    story.says_on("s2", 3, "next").gives(&["taken as delivered", "ask turn-2 next"]);
    assert_eq!(story.state.seats[0].visits, 1, "the bot's session survives the re-entry");
}

#[test]
fn v1_only_a_poll_shows_that_the_pending_reply_arrived() {
    for (text, said) in [("poll 1", &[][..]), ("are you there?", &["bury one moment: outcome_unknown"][..])] {
        let mut story = Story::through(Late::PendingFlow);
        story.says(1, "hello");
        story.pushes("one moment");
        story.due().gives(&["seal r1: one moment(pending 1)"]);
        story.says_on("s2", 2, text).gives(said);
    }
}

#[test]
fn v1_the_pending_path_waits_for_the_answer_and_may_bring_the_end() {
    let mut story = Story::through(Late::PendingFlow);
    story.says(1, "hello");
    story.due();
    story.says_on("s2", 2, "poll 1").gives(&[]);
    story.due().gives(&["seal r2: (pending 2)"]);
    story.answers_then(1, "a colleague can help", hand_over()).gives(&[]);
    story.says_on("s3", 3, "poll 2").gives(&["seal r3: a colleague can help | [human: asked]"]);
    assert_eq!(story.floor(), model::Holder::HandingOver);
}

#[test]
fn v1_a_poll_that_finds_nothing() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "poll 4").gives(&["seal r1: "]);
    let mut story = Story::through(Late::PendingFlow);
    story.says(1, "poll 4").gives(&["seal r1: I am connecting you to a colleague. | [human: answer_lost]"]);
}

#[test]
fn v1_an_identical_request_joins_the_one_in_flight_and_the_one_just_aborted() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "yes");
    story.says(2, "yes").gives(&[]);
    story.answers(1, "noted").gives(&["seal r1: noted", "seal r2 as r1"]);
    story.aborted(1);
    story.after_ms(2_000).says(3, "yes").gives(&["seal r3 as r1"]);
    story.out(3);
    story.after_ms(1_000).says(4, "yes").gives(&["ask turn-2 yes"]);
}

#[test]
fn v1_an_aborted_reply_comes_first_in_the_next() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "yes");
    story.answers(1, "first");
    story.aborted(1);
    story.after_ms(5_000).says(2, "yes").gives(&["ask turn-2 yes"]);
    story.answers(2, "second").gives(&["seal r2: first | second"]);
}

#[test]
fn v1_an_answer_for_a_socket_that_is_gone_comes_first_in_the_one_that_waits() {
    for next in [Next::Await, Next::End] {
        let mut story = Story::through(Late::PollButton);
        story.says(1, "one");
        story.aborted(1).gives(&[]);
        story.says(2, "two").gives(&[]);
        match next {
            Next::Await => {
                story.answers(1, "first").gives(&["ask turn-2 two", "seal r1: "]);
                story.answers(2, "second").gives(&["seal r2: first | second"]);
            }
            // The request that waits is the last that comes: the end is said in it.
            next => drop(story.answers_then(1, "bye", next).gives(&[
                "unasked turn-2",
                "seal r1: ",
                "seal r2: bye | [done]",
            ])),
        }
    }
}

#[test]
fn v1_a_lost_end_is_said_when_the_session_returns() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "bye");
    story.answers_then(1, "see you", Next::End);
    story.aborted(1);
    story.after_ms(9_000).says(2, "hello?").gives(&["ask turn-2 hello?"]);
    story.answers(2, "here").gives(&["seal r2: see you | here"]);
}

#[test]
fn v1_a_message_of_the_bot_is_held_for_the_next_request() {
    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.pushes("still there?").gives(&[]);
    story.says(2, "yes");
    story.answers(2, "good").gives(&["seal r2: still there? | good"]);
}

#[test]
fn a_drain_answers_whoever_waits() {
    for (late, line) in [(Late::Push, "seal r1: "), (Late::PollButton, "seal r1: (holding) [OK 1]")] {
        let mut story = Story::through(late);
        story.says(1, "hello");
        story.happens(&[Event::Draining]).gives(&[line]);
    }
}

#[test]
fn a_refused_request_counts_as_aborted() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.happens(&[Event::Refused { request: RequestId(1) }]).gives(&[]);
    story.answers(1, "hi").gives(&["seal r1: ", "push push-1: hi"]);
}
