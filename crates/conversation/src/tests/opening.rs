//! How conversations open before the customer spoke, and in which language the gateway speaks.

use model::{Event, Failure, Late, Next, SeatId, TurnNumber};

use super::story::{Story, hand_over};
use crate::{OnFailure, Opening, Texts};

fn opening(late: Late, opening: Opening) -> Story {
    let mut story = Story::through(late);
    story.policies.fallback.opening = opening;
    story
}

#[test]
fn the_engine_opens_and_a_second_start_says_nothing() {
    for late in [Late::Push, Late::PollButton] {
        let mut story = opening(late, Opening::Engine);
        story.says(1, "start").gives(&["ask turn-1 (start)"]);
        story.answers(1, "welcome").gives(&["seal r1: welcome"]);
        story.out(1);
        story.after_ms(9_000).says(2, "start").gives(&["not opened", "seal r2: "]);
        story.out(2);
        story.says(3, "hello").gives(&["ask turn-2 hello"]);
    }
}

#[test]
fn the_greeting_asks_no_engine() {
    let mut story = opening(Late::Push, Opening::Greeting);
    story.says(1, "start").gives(&["seal r1: Hello! How can I help you?"]);
    story.out(1);
    assert_eq!(story.state.turns, 0);
    story.says(2, "hello").gives(&["ask turn-2 hello"]);
    assert!(story.state.seats[0].turn.as_ref().is_some_and(|turn| !turn.is_opening));
}

#[test]
fn a_silent_bot_lets_the_customer_speak_first() {
    for (opens, greeting) in [(Opening::Silent, Some("hi".to_owned())), (Opening::Greeting, None)] {
        let mut story = opening(Late::Push, opens);
        story.policies.fallback.texts = Texts { greeting, ..Texts::default() }.into();
        story.says(1, "start").gives(&["not opened", "seal r1: "]);
        story.out(1);
        story.says(2, "hello").gives(&["ask turn-1 hello"]);
    }
}

#[test]
fn a_start_after_words_is_no_opening() {
    let mut story = opening(Late::Push, Opening::Greeting);
    story.says(1, "hello").gives(&["ask turn-1 hello"]);
    story.says(2, "start").gives(&["not opened", "seal r2: "]);
    story.out(2);
    story.answers(1, "hi").gives(&["seal r1: hi"]);
}

#[test]
fn each_visit_opens_anew() {
    let mut story = opening(Late::Push, Opening::Greeting);
    story.says(1, "start");
    story.out(1);
    story.says(2, "a human");
    story.answers_then(2, "wait", hand_over());
    story.out(2);
    story.says_on("s2", 3, "start").gives(&["seal r3: Hello! How can I help you?"]);
}

/// The flow leaves by its `pending` path and comes back by its beginning instead of by a poll.
#[test]
fn v1_a_flow_that_comes_back_by_its_start_gets_what_is_late() {
    let mut story = opening(Late::PendingFlow, Opening::Engine);
    story.says(1, "start").gives(&["ask turn-1 (start)"]);
    story.due().gives(&["seal r1: (pending 1)"]);
    story.out(1);
    story.says_on("s2", 2, "start").gives(&["not opened"]);
    story.answers(1, "welcome").gives(&["seal r2: welcome"]);
    story.out(2);
    story.after_ms(9_000).says_on("s2", 3, "start").gives(&["not opened", "seal r3: "]);
}

#[test]
fn v1_a_start_that_is_sent_again_gets_the_same_reply() {
    let mut story = opening(Late::PollButton, Opening::Greeting);
    story.says(1, "start").gives(&["seal r1: Hello! How can I help you?"]);
    story.says(2, "start").gives(&["seal r2 as r1"]);
}

#[test]
fn an_engine_that_fails_its_opening_is_stood_in_for_by_the_greeting() {
    let failed = Event::Failed { seat: SeatId(0), turn: TurnNumber(1), failure: Failure::Unavailable };
    let mut story = opening(Late::Push, Opening::Engine);
    story.policies.fallback.on_failure = OnFailure::Say;
    story.says(1, "start");
    story.happens(&[failed]).gives(&["seal r1: Hello! How can I help you?"]);
}

#[test]
fn openings_count_as_turns_of_the_conversation() {
    let mut story = opening(Late::Push, Opening::Engine);
    story.policies.fallback.max_turns = 1;
    story.says(1, "bye");
    story.answers_then(1, "bye", Next::End);
    story.out(1);
    story
        .says_on("s2", 2, "start")
        .gives(&["unasked turn-2", "seal r2: I am connecting you to a colleague. | [human: turn_limit]"]);
}

#[test]
fn the_gateway_speaks_the_language_of_the_turn() {
    let failed = |turn| Event::Failed { seat: SeatId(0), turn: TurnNumber(turn), failure: Failure::Unavailable };
    let mut story = opening(Late::Push, Opening::Greeting);
    story.policies.fallback.on_failure = OnFailure::Say;
    story.language = "de-at";
    story.says(1, "start").gives(&["seal r1: Guten Tag! Wie kann ich Ihnen helfen?"]);
    story.out(1);
    story.says(2, "Hallo").gives(&["ask turn-2 Hallo"]);
    // The customer changes the language while the engine works: the turn keeps its own.
    story.language = "en-us";
    story.says(3, "hello");
    story
        .happens(&[failed(2)])
        .gives(&["ask turn-3 hello", "seal r2: Das hat leider nicht geklappt. Bitte versuchen Sie es noch einmal."]);
    story.out(2);
    story.happens(&[failed(3)]).gives(&["seal r3: Sorry, that did not work. Please try again."]);
    story.out(3);
    story.language = "fr";
    story.says(4, "salut");
    story.happens(&[failed(4)]).gives(&["seal r4: Sorry, that did not work. Please try again."]);
}

#[test]
fn v1_the_button_of_any_language_fetches_the_answer() {
    let mut story = Story::through(Late::PollButton);
    let texts = |label: &str| Texts { poll_label: label.into(), ..Texts::default() };
    story.policies.fallback.texts.languages = [("de".to_owned(), texts("Übernehmen"))].into();
    story.policies.fallback.texts.otherwise = texts("Show me");
    story.language = "de";
    story.says(1, "hello");
    story.due().gives(&["seal r1: (holding) [Übernehmen 1]"]);
    story.out(1);
    story.answers(1, "late");
    story.language = "en";
    story.says(2, " übernehmen ").gives(&["seal r2: late"]);
    story.out(2);
    // Now there is nothing to fetch, so the words are words.
    story.says(3, "Show me").gives(&["ask turn-2 Show me"]);
}
