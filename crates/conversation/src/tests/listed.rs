//! What was offered as numbered lines, and what a customer means who types a number or a label.

use model::{Choice, Evidence, Input, Late, LegId, Next, Timestamp};

use super::story::{Story, said};
use crate::state::OFFERED_MAX_BYTES;

fn offering(offered: &[(&str, &str)]) -> Story {
    let mut story = Story::through(Late::Push);
    story.says(1, "hello");
    story.answers(1, "which?");
    story.out(1);
    story.state.legs[0].offer(offered.iter().map(|(label, value)| Choice::new(*label, *value)).collect());
    story
}

fn tapped(story: &Story, text: &str) -> Option<String> {
    let said = said(Late::Push, 2, "s1", "bot", text, Timestamp(0));
    story.state.tapped(&said).map(|input| match input {
        Input::Choice { label, payload } => format!("{label}={payload}"),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_number_or_a_label_is_a_tap_when_it_means_one_choice() {
    let story = offering(&[
        ("Large (XL)", "xl"),
        ("Take it", "buy:1"),
        ("Take it", "buy:2"),
        ("Bye.", "bye"),
        ("7", "seven"),
        ("Twice", "same"),
        ("Twice", "same"),
    ]);
    let table = [
        ("1", Some("Large (XL)=xl")),
        (" 2. ", Some("Take it=buy:1")),
        ("3)", Some("Take it=buy:2")),
        ("large (xl)", Some("Large (XL)=xl")),
        ("BYE!", Some("Bye.=bye")),
        // The label comes before the number.
        ("7", Some("7=seven")),
        ("twice", Some("Twice=same")),
        ("take it", None),
        ("0", None),
        ("8", None),
        ("-1", None),
        ("99999999999999999999999", None),
        ("2 please", None),
        ("...", None),
        ("tap 2", None),
        ("poll 2", None),
    ];
    for (text, expected) in table {
        let tap = tapped(&story, text);
        assert_eq!(tap.as_deref(), expected, "{text}");
    }
}

#[test]
fn what_an_operator_brings_again_means_no_line_of_today() {
    let story = offering(&[("Red", "r")]);
    let again = model::Said { request: None, ..said(Late::Push, 0, "s1", "bot", "1", Timestamp(0)) };
    assert_eq!(story.state.tapped(&again), None);
    let elsewhere = said(Late::Push, 2, "s2", "bot", "1", Timestamp(0));
    assert_eq!(story.state.tapped(&elsewhere), None, "another session was offered nothing");
}

#[test]
fn a_session_that_is_over_offers_nothing() {
    let mut story = offering(&[("Red", "r")]);
    assert_eq!(tapped(&story, "1").as_deref(), Some("Red=r"));
    story.says(2, "red").answers_then(2, "bye", Next::End);
    assert!(
        story.state.leg(LegId(0)).is_some_and(|leg| leg.closed == Some(Evidence::BotEnded)),
        "{:?}",
        story.state.legs
    );
    assert!(story.state.legs[0].offered.is_empty());
    story.state.legs[0].offer(vec![Choice::new("Red", "r")]);
    assert!(story.state.legs[0].offered.is_empty());
}

#[test]
fn what_is_remembered_has_a_bound() {
    let value = "v".repeat(OFFERED_MAX_BYTES / 4);
    let story = offering(&[("A", &value), ("B", &value), ("C", &value), ("D", &value)]);
    assert_eq!(story.state.legs[0].offered.len(), 3);
    assert_eq!(tapped(&story, "4"), None);
}
