use model::{
    Answer, Ask, Attributes, BotKey, Choice, Choices, ConversationId, Input, Item, Next, Timestamp, Undelivered,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::*;
use crate::store::{Blob, Key, Replica, Step};

const FRONT: SeatId = SeatId(0);
const SECOND: SeatId = SeatId(1);

fn ask(seat: SeatId, turn: u32, input: Input) -> Effect {
    Effect::Ask(Box::new(Ask {
        seat,
        bot: BotKey::from("bot"),
        turn: TurnNumber(turn),
        engine_session: 1,
        visit: 0,
        is_first: false,
        input,
        language: String::new(),
        channel: None,
        customer: None,
        context: Attributes::new(),
        engine_state: None,
        hard_deadline: Timestamp(0),
        time_ms: 0,
    }))
}

fn says(seat: SeatId, turn: u32, text: &str) -> Effect {
    ask(seat, turn, Input::Text(text.into()))
}

fn answered(seat: SeatId, turn: u32, items: Vec<Item>) -> Event {
    Event::Answered { seat, turn: TurnNumber(turn), answer: Box::new(Answer::saying(items)) }
}

fn pushed(seat: SeatId, text: &str) -> Event {
    Event::Pushed { seat, answer: Box::new(Answer { next: Next::More, ..Answer::saying(vec![Item::text(text)]) }) }
}

fn fact(fact: Fact) -> Effect {
    Effect::Record(fact)
}

fn stale(seat: SeatId, turn: u32) -> Effect {
    fact(Fact::StaleAnswer { seat, turn: TurnNumber(turn) })
}

fn row(seq: u64, events: &[Event], effects: &[Effect]) -> JournalRow {
    let step = Step::empty(ConversationId(1), Key([0; 16]), Replica(1), seq - 1, Timestamp(0));
    JournalRow { payload: Blob::clear(&stored::encode_journal(events, effects, &[], &[])), ..step.journal }
}

/// The lines that a seat's bot is told.
fn told(window: &Window, seat: SeatId) -> Vec<String> {
    let line = |utterance: Utterance| {
        let (row, place) = (utterance.number >> PLACE_BITS, utterance.number & ((1 << PLACE_BITS) - 1));
        format!("{row}.{place} {:?}: {}", utterance.by, utterance.text)
    };
    window.history(seat).utterances.into_iter().map(line).collect()
}

#[test]
fn what_was_said_is_told_as_each_bot_saw_it() {
    let text = |text: &str| vec![Item::text(text)];
    let choices = Choices { prompt: "Which?".into(), options: vec![Choice::new("Red", "r"), Choice::new("Blue", "b")] };
    let policy = |text: &str| fact(Fact::PolicySaid { seat: FRONT, text: text.into() });
    let refused = fact(Fact::PushRefused { reason: Undelivered::FloorTaken });
    let rows = [
        // The opening asks with no words, and one that says nothing adds nothing.
        row(1, &[], &[ask(FRONT, 1, Input::Start)]),
        row(2, &[answered(FRONT, 1, text("Hello"))], &[]),
        row(3, &[], &[says(FRONT, 2, "Hi\nI want a car")]),
        row(4, &[answered(FRONT, 2, vec![Item::Markdown("**Sure.**".into()), Item::Choices(choices)])], &[]),
        row(5, &[], &[ask(FRONT, 3, Input::Choice { label: "Red".into(), payload: "r".into() })]),
        // Of one turn a part in time, and the end of it too late, behind what the policy said meanwhile.
        row(
            6,
            &[answered(FRONT, 3, text("Let me see")), Event::TimePassed, answered(FRONT, 3, text("too late"))],
            &[policy("Sorry."), says(FRONT, 4, "hello?"), stale(FRONT, 3)],
        ),
        row(7, &[answered(FRONT, 4, Vec::new()), pushed(FRONT, "By the way")], &[]),
        row(8, &[pushed(FRONT, "over a human")], &[refused]),
        row(9, &[], &[says(SECOND, 1, "and the price?")]),
        row(10, &[answered(SECOND, 1, text("Ten"))], &[]),
    ];
    let window = Window::read(&rows);
    let front = [
        "2.0 Bot: Hello",
        "3.0 Customer: Hi\nI want a car",
        "4.0 Bot: **Sure.**\n\nWhich?\nRed\nBlue",
        "5.0 Customer: Red",
        "6.0 Bot: Let me see",
        "6.1 Gateway: Sorry.",
        "6.2 Customer: hello?",
        "7.0 Bot: By the way",
        "9.0 Customer: and the price?",
        "10.0 OtherBot: Ten",
    ];
    assert_eq!(told(&window, FRONT), front);
    let swap = |line: &str| match line.split_once(' ').unwrap() {
        (place, said) if said.starts_with("Bot") => format!("{place} Other{said}"),
        (place, said) => format!("{place} {}", said.replace("OtherBot", "Bot")),
    };
    assert_eq!(told(&window, SECOND), front.map(swap));

    // Rows that are gone or cannot be read make it shorter, and the rest keeps its numbers.
    let mut torn = rows.to_vec();
    torn[8].payload = Blob::clear(b"{\"v\":99}");
    assert_eq!(told(&Window::read(&torn[6..]), FRONT), ["7.0 Bot: By the way", "10.0 OtherBot: Ten"]);
}

struct Dice {
    chance: ChaCha8Rng,
    /// Whether some texts are long.
    talks: bool,
}

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.chance.next_u64() % sides
    }

    /// A few words; now and then more than an utterance may hold.
    fn text(&mut self) -> String {
        let times = match self.roll(60) {
            0 if self.talks => 6_000,
            1..=4 if self.talks => 600,
            _ => self.roll(20),
        };
        "wörd ".repeat(usize::try_from(times).unwrap())
    }

    fn events(&mut self) -> Vec<Event> {
        (0..self.roll(4)).map(|_| answered(FRONT, 1, vec![Item::text(self.text())])).collect()
    }

    fn effects(&mut self) -> Vec<Effect> {
        let effect = |dice: &mut Self| match dice.roll(3) {
            0 => stale(FRONT, 1),
            1 => fact(Fact::PolicySaid { seat: SECOND, text: dice.text() }),
            _ => says(FRONT, 1, &dice.text()),
        };
        (0..self.roll(3)).map(|_| effect(self)).collect()
    }
}

/// However long a conversation lasts, a window that is read anew is the one that was in memory.
#[test]
fn a_window_that_is_read_is_the_one_that_was_in_memory() {
    let (mut most, mut oldest) = ([0; 3], Vec::new());
    for (seed, talks, seldom) in [(1, true, 1), (2, false, 1), (3, false, 20)] {
        let mut dice = Dice { chance: ChaCha8Rng::seed_from_u64(seed), talks };
        let (mut window, mut rows) = (Window::default(), Vec::new());
        for seq in 1..=1_200 {
            let is_said = dice.roll(seldom) == 0;
            let (events, effects) = if is_said { (dice.events(), dice.effects()) } else { Default::default() };
            window.begin_row(seq, &events, &effects);
            effects.iter().for_each(|effect| window.add(effect));
            rows.push(row(seq, &events, &effects));
            assert_eq!(window.bytes, window.said.iter().map(|said| said.text.len()).sum::<usize>());
            let numbers: Vec<u64> = window.said.iter().map(|said| said.number).collect();
            assert!(numbers.is_sorted_by(|one, next| one < next));
            if dice.roll(100) == 0 {
                let first = usize::try_from(Window::first_row(seq) - 1).unwrap();
                assert_eq!(Window::read(&rows[first..]), window, "seed {seed}, row {seq}");
            }
            let longest = window.said.iter().map(|said| said.text.len()).max().unwrap_or(0);
            most = [most[0].max(window.said.len()), most[1].max(window.bytes), most[2].max(longest)];
        }
        oldest.push(window.said.front().unwrap().number >> PLACE_BITS);
    }
    // Each limit is reached, and none passed: of utterances, of their bytes, of one's, and of rows.
    assert_eq!(most[0], UTTERANCES_MAX);
    assert!((TEXTS_MAX_BYTES * 9 / 10..=TEXTS_MAX_BYTES).contains(&most[1]), "{most:?}");
    assert!((TEXT_MAX_BYTES - 3..=TEXT_MAX_BYTES).contains(&most[2]), "{most:?}");
    assert!((Window::first_row(1_200)..Window::first_row(1_200) + 100).contains(&oldest[2]), "{oldest:?}");
}
