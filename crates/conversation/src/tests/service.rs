//! Bots out of service: their turns go to humans.

use model::{Event, Evidence, Holder, Late};

use super::story::Story;

fn disable(story: &mut Story) {
    story.policies.out_of_service = [("bot".into(), "it says nonsense".to_owned())].into();
}

fn hand_over_now() -> Event {
    Event::HandedOverByOperator { bot: "bot".into(), reason: "it says nonsense".into() }
}

#[test]
fn a_new_turn_asks_no_engine() {
    for (late, text) in [(Late::Push, "hello"), (Late::PollButton, "hello"), (Late::Push, "start")] {
        let mut story = Story::through(late);
        disable(&mut story);
        story.says(1, text).gives(&[
            "out of service turn-1",
            "seal r1: I am connecting you to a colleague. | [human: out_of_service]",
        ]);
        assert_eq!((story.floor(), story.state.floor.evidence), (Holder::HandingOver, Evidence::OutOfService));
        assert_eq!((story.state.turns, story.state.legs[0].closed), (0, Some(Evidence::OutOfService)));
    }
}

#[test]
fn what_is_under_way_may_finish() {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.says(2, "and this");
    disable(&mut story);
    story.answers(1, "hi").gives(&[
        "out of service turn-2",
        "seal r1: hi | I am connecting you to a colleague. | [human: out_of_service]",
        "seal r2: ",
    ]);
    // Put in service again, the next message is the bot's.
    story.policies.out_of_service.clear();
    story.out(1).out(2);
    story.says_on("s2", 3, "hello again").gives(&["ask turn-3 hello again"]);
}

#[test]
fn what_gathers_is_handed_over_when_its_time_comes() {
    let mut story = Story::through(Late::Push);
    (story.door.merge_quiet_ms, story.door.merge_max_ms) = (1_000, 5_000);
    story.says(1, "hello");
    disable(&mut story);
    story.says(2, "tap yes").gives(&[
        "out of service turn-1",
        "unasked turn-2",
        "seal r1: I am connecting you to a colleague. | [human: out_of_service]",
        "seal r2: ",
    ]);
}

#[test]
fn an_operator_hands_over_now_by_response_by_push_or_held() {
    let handed_over = "I am connecting you to a colleague. | [human: operator]";
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.happens(&[hand_over_now()]).gives(&["withdraw turn-1", &format!("seal r1: {handed_over}")]);
    assert_eq!((story.floor(), story.state.floor.evidence), (Holder::HandingOver, Evidence::Operator));
    story.happens(&[hand_over_now()]).gives(&["nothing"]);

    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.out(1);
    story.happens(&[hand_over_now()]).gives(&[&format!("push push-1: {handed_over}")]);

    let mut story = Story::through(Late::PollButton);
    story.says(1, "hello");
    story.answers(1, "hi");
    story.out(1);
    story.happens(&[hand_over_now()]).gives(&[]);
    story.says(2, "are you there?").gives(&["unasked turn-2", &format!("seal r2: {handed_over}")]);
}

#[test]
fn a_conversation_of_another_bot_stays_as_it_is() {
    let mut story = Story::through(Late::Push);
    story.says_to("other", "s1", 1, "hello");
    let before = story.state.clone();
    story.happens(&[hand_over_now()]).gives(&["nothing"]);
    assert_eq!(story.state, before);
    disable(&mut story);
    story.says_to("other", "s1", 2, "and?").gives(&[]);
    assert!(!story.state.seats[0].waiting.is_empty());
}
