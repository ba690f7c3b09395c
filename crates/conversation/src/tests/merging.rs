//! Fast messages become one turn: all but the last request are answered at once, with nothing.

use model::{Late, Next};

use super::story::Story;
use crate::{MERGED_MAX_BYTES, Texts};

fn merging() -> Story {
    let mut story = Story::through(Late::Push);
    (story.door.merge_quiet_ms, story.door.merge_max_ms) = (1_000, 2_500);
    story
}

#[test]
fn texts_that_follow_each_other_become_one_turn() {
    let mut story = merging();
    story.says(1, "hello").gives(&[]);
    story.after_ms(600).says(2, "my parcel").gives(&["merged into turn-1", "seal r1: "]);
    story.out(1);
    story.after_ms(600).says(3, "is late").gives(&["merged into turn-1", "seal r2: "]);
    story.out(2);
    let said_last = story.now;
    story.due().gives(&["ask turn-1 hello + my parcel + is late"]);
    assert_eq!(story.now, said_last + 1_000);
    story.answers(1, "sorry").gives(&["seal r3: sorry"]);
}

#[test]
fn nobody_waits_longer_than_the_most() {
    let mut story = merging();
    let began = story.now;
    for request in 1..=4 {
        story.says(request, "and");
        story.out(request.saturating_sub(1));
        story.after_ms(800);
    }
    story.now = began;
    story.due();
    assert_eq!(story.now, began + 2_500);
    story.gives(&["ask turn-1 and + and + and + and"]);
}

/// The timer comes late; the message after the quiet time is a turn of its own all the same.
#[test]
fn a_message_after_the_quiet_time_is_its_own_turn() {
    let mut story = merging();
    story.says(1, "hello");
    story.after_ms(1_000).says(2, "again").gives(&["ask turn-1 hello"]);
    story.answers(1, "hi").gives(&["seal r1: hi"]);
    story.out(1);
    story.due().gives(&["ask turn-2 again"]);
}

#[test]
fn a_tap_ends_the_merging_and_is_its_own_input() {
    let mut story = merging();
    story.says(1, "hello");
    story.says(2, "tap yes").gives(&["ask turn-1 hello"]);
    story.says(3, "wait").gives(&[]);
    story.says(4, "what").gives(&["merged into turn-3", "seal r3: "]);
    story.out(3);
    story.answers(1, "hi").gives(&["ask turn-2 yes", "seal r1: hi"]);
    story.out(1);
    story.answers(2, "fine").gives(&["seal r2: fine"]);
    story.out(2);
    story.due().gives(&["ask turn-3 wait + what"]);
    let mut story = merging();
    story.policies.fallback.opening = crate::Opening::Silent;
    story.says(1, "hello");
    story.says(2, "start").gives(&["not opened", "seal r2: "]);
    story.says(3, "there").gives(&["merged into turn-1", "seal r1: "]);
}

#[test]
fn what_gathers_behind_a_turn_waits_for_its_own_time_too() {
    let mut story = merging();
    story.says(1, "hello");
    story.due().gives(&["ask turn-1 hello"]);
    story.says(2, "and");
    story.answers(1, "hi").gives(&["seal r1: hi"]);
    story.out(1);
    story.after_ms(500).says(3, "more").gives(&["merged into turn-2", "seal r2: "]);
    story.out(2);
    story.due().gives(&["ask turn-2 and + more"]);
    story.says(4, "slow");
    story.after_ms(5_000).answers(2, "done").gives(&["ask turn-3 slow", "seal r3: done"]);
}

#[test]
fn the_soft_deadline_of_the_last_request_stands() {
    let mut story = merging();
    story.policies.fallback.texts = Texts { holding: Some("One moment".into()), ..Texts::default() }.into();
    story.waits_ms(700);
    story.says(1, "hello");
    story.after_ms(300).says(2, "there").gives(&["merged into turn-1", "seal r1: "]);
    story.due().gives(&["seal r2: (holding)"]);
    story.out(1).out(2);
    story.due().gives(&["ask turn-1 hello + there"]);
    story.answers(1, "hi").gives(&["push push-1: hi"]);
    let mut story = merging();
    story.waits_ms(0).says(1, "hello").gives(&["seal r1: "]);
    story.out(1);
    story.due().gives(&["ask turn-1 hello"]);
}

#[test]
fn merging_is_bounded() {
    let mut story = merging();
    let long = "x".repeat(MERGED_MAX_BYTES / 2);
    story.says(1, &long);
    story.says(2, &long).gives(&[&format!("ask turn-1 {long}")]);
    story.policies.fallback.max_waiting_inputs = 1;
    story.says(3, "fits").gives(&["merged into turn-2", "seal r2: "]);
    story.says(4, "tap no").gives(&["seal r4: refused"]);
}

#[test]
fn a_session_that_ends_takes_what_gathers_along() {
    let mut story = merging();
    story.says(1, "hello");
    story.due();
    story.says(2, "and");
    story.answers_then(1, "bye", Next::End).gives(&["unasked turn-2", "seal r1: bye | [done]", "seal r2: "]);
}

#[test]
fn doors_that_cannot_push_merge_nothing() {
    for late in [Late::PollButton, Late::PendingFlow] {
        let mut story = Story::through(late);
        story.door.merge_quiet_ms = 1_000;
        story.says(1, "hello").gives(&["ask turn-1 hello"]);
    }
}
