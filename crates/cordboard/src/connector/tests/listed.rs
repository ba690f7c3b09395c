//! What an answer lists as numbered lines is told to the core, and stands until the next answer.

use model::{Channel, Choice, Choices, Item, Opaque, Part, Reply, TurnNumber};

use super::{doors, leg, part};
use crate::connector::LegView;

#[test]
fn lines_stand_until_another_answer_begins() {
    let options = || vec![Choice::new("Red", "r")];
    let list = || Item::Choices(Choices { prompt: "Colour?".into(), options: options() });
    let of_turn = |number, items| Part { turn: Some(TurnNumber(1)), number, ..part(items) };
    let text = || vec![Item::text("Well.")];
    let cases = [
        ("nothing is said", vec![], None),
        ("an answer with a list", vec![of_turn(1, vec![list()])], Some(options())),
        ("more of it", vec![of_turn(2, text())], None),
        ("more of it, and a list", vec![of_turn(2, text()), of_turn(3, vec![list()])], Some(options())),
        ("the next answer", vec![of_turn(1, text())], Some(vec![])),
        ("what the bot says of its own accord", vec![Part { number: 7, ..part(text()) }], Some(vec![])),
    ];
    let (bot, address, memory) = ("claims".into(), Opaque::default(), Opaque::default());
    for door in doors() {
        let view = LegView { channel: Some(Channel::Sms), ..leg(&bot, &address, &memory) };
        for (name, parts, expected) in &cases {
            let rendered = door.render(&Reply::Parts(parts.clone()), view);
            assert_eq!(rendered.noted.offered, *expected, "{name}");
        }
    }
}
