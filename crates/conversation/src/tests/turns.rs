//! One question at a time, one answer each.

use model::{Answer, Event, Failure, Late, Next, SeatId, TurnNumber};

use super::story::{Story, hand_over};
use crate::{BotPolicy, OnFailure, Policies, Texts};

#[test]
fn an_answer_in_time_is_the_response() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello").gives(&["ask turn-1 hello"]);
    story.answers(1, "hi").gives(&["seal r1: hi"]);
    story.out(1).gives(&[]);
    story.says(2, "more").gives(&["ask turn-2 more"]);
}

#[test]
fn a_hasty_customer_is_answered_in_order() {
    for late in [Late::Push, Late::PollButton] {
        let mut story = Story::through(late);
        story.says(1, "one");
        story.says(2, "two").gives(&[]);
        story.answers(1, "first").gives(&["ask turn-2 two", "seal r1: first"]);
        story.out(1);
        story.answers(2, "second").gives(&["seal r2: second"]);
    }
}

#[test]
fn past_the_limit_of_waiting_inputs_the_next_is_refused() {
    let mut story = Story::through(Late::Push);
    for request in 1..=9 {
        story.says(request, "again");
    }
    story.says(10, "too much").gives(&["seal r10: refused"]);
    assert_eq!(story.state.seats[0].waiting.len(), 8);
}

#[test]
fn blank_words_ask_no_engine() {
    let mut story = Story::through(Late::Push);
    story.says(1, "  ").gives(&["seal r1: "]);
    story.says(2, "hello").gives(&["ask turn-1 hello"]);
}

#[test]
fn an_answer_in_parts_says_the_first_at_once_where_more_can_be_pushed() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers_then(1, "let me see", Next::More).gives(&["seal r1: let me see"]);
    story.out(1);
    story.answers(1, "found it").gives(&["push push-1: found it"]);

    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.answers_then(1, "let me see", Next::More).gives(&[]);
    story.answers(1, "found it").gives(&["seal r1: let me see | found it"]);
}

#[test]
fn a_second_answer_to_a_turn_is_stale() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.answers(1, "hi again").gives(&["stale turn-1"]);
    story.answers(5, "never asked").gives(&["stale turn-5"]);
}

#[test]
fn a_failing_engine_is_answered_by_the_policy() {
    let failed = Event::Failed { seat: SeatId(0), turn: TurnNumber(1), failure: Failure::Nonsense };
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story
        .happens(std::slice::from_ref(&failed))
        .gives(&["seal r1: I am connecting you to a colleague. | [human: engine.nonsense]"]);

    let mut story = Story::through(Late::Push);
    let policy = BotPolicy { on_failure: OnFailure::Say, ..BotPolicy::default() };
    story.policies = Policies { fallback: policy, ..Policies::default() };
    story.says(1, "hello");
    story.happens(&[failed]).gives(&["seal r1: Sorry, that did not work. Please try again."]);
    story.out(1);
    story.says(2, "again").gives(&["ask turn-2 again"]);
}

#[test]
fn a_hanging_engine_meets_the_hard_deadline() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.due().gives(&["seal r1: "]);
    story.out(1);
    story
        .due()
        .gives(&["withdraw turn-1", "push push-1: I am connecting you to a colleague. | [human: engine.timed_out]"]);
    story.answers(1, "at last").gives(&["stale turn-1"]);
}

#[test]
fn a_hand_over_ends_the_session_and_what_waits_behind_it() {
    let mut story = Story::through(Late::Push);
    story.says(1, "a human please");
    story.says(2, "quickly");
    story.answers_then(1, "gladly", hand_over()).gives(&[
        "unasked turn-2",
        "seal r1: gladly | [human: asked]",
        "seal r2: ",
    ]);
    assert_eq!(story.floor(), model::Holder::HandingOver);
}

#[test]
fn whoever_is_handed_over_without_a_word_is_told_so() {
    let silent = || Answer { next: hand_over(), ..Answer::saying(Vec::new()) };
    let answered = |turn| Event::Answered { seat: SeatId(0), turn: TurnNumber(turn), answer: Box::new(silent()) };
    let mut story = Story::through(Late::Push);
    story.says(1, "a human please");
    story.happens(&[answered(1)]).gives(&["seal r1: I am connecting you to a colleague. | [human: asked]"]);

    let mut story = Story::through(Late::Push);
    story.says(1, "a human please");
    story.answers_then(1, "gladly", Next::More).out(1);
    // The turn has said something already.
    story.happens(&[answered(1)]).gives(&["push push-1: [human: asked]"]);

    let mut story = Story::through(Late::Push);
    story.policies.fallback.texts = Texts { hand_over: None, ..Texts::default() }.into();
    story.says(1, "a human please");
    story.happens(&[answered(1)]).gives(&["seal r1: [human: asked]"]);

    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hello").out(1);
    story
        .happens(&[Event::Pushed { seat: SeatId(0), answer: Box::new(silent()) }])
        .gives(&["push push-1: I am connecting you to a colleague. | [human: asked]"]);
}

#[test]
fn a_conversation_takes_so_many_turns_and_no_more() {
    let mut story = Story::through(Late::Push);
    story.policies.fallback.max_turns = 2;
    for turn in 1..=2 {
        story.says(u64::from(turn), "again");
        story.answers(turn, "yes");
        story.out(u64::from(turn));
    }
    story
        .says(3, "again")
        .gives(&["unasked turn-3", "seal r3: I am connecting you to a colleague. | [human: turn_limit]"]);
}
