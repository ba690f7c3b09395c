//! Dialogues as stories: what the customer says, and what the bot says back. The example scripts are the scripts.

mod show;

use model::{
    Answer, Ask, Attributes, BotKey, Choices, Failure, Input, Item, Next, Opaque, SeatId, Timestamp, TurnNumber,
};

use super::{Error, Script};
use crate::engine::History;
use crate::engine::{Asking, Engine, Limits, Reading};

const PARCELS: &str = include_str!("../../../../../examples/bots/parcels.toml");
const CLUMSY: &str = include_str!("../../../../../examples/bots/clumsy.toml");

/// One conversation with a script.
struct Talk {
    script: Script,
    turn: u32,
    visit: u32,
    is_first: bool,
    state: Option<Opaque>,
    context: Attributes,
}

impl Talk {
    fn with(script: &str) -> Self {
        let script = Script::parse(script, Limits::default()).unwrap();
        Self { script, turn: 0, visit: 0, is_first: true, state: None, context: Attributes::new() }
    }

    fn attempt(&mut self, input: Input, attempt: u32) -> Asking {
        let ask = Ask {
            seat: SeatId(0),
            bot: BotKey::from("parcels"),
            turn: TurnNumber(self.turn + 1),
            engine_session: 7,
            visit: self.visit,
            is_first: self.is_first,
            input,
            language: "en-us".into(),
            channel: None,
            customer: None,
            context: self.context.clone(),
            engine_state: self.state.clone(),
            hard_deadline: Timestamp(0),
            time_ms: 0,
        };
        let question = self.script.ask(&ask, &History::default(), "t-1");
        self.script.call(&question, "t-1", attempt, Timestamp(0), 1000)
    }

    fn answer(&mut self, input: Input) -> (Answer, u64) {
        let Asking::Local { reading: Reading::Answer(answer), delay_ms } = self.attempt(input, 1) else {
            panic!("an answer")
        };
        self.turn += 1;
        self.is_first = answer.next != Next::Await;
        self.visit += u32::from(self.is_first);
        self.state = answer.engine_state.clone();
        (*answer, delay_ms)
    }

    /// Says something; gives the answer as one line per item, choices in brackets, and what comes next.
    fn say(&mut self, text: &str) -> Vec<String> {
        shown(&self.answer(Input::Text(text.into())).0)
    }

    fn tap(&mut self, label: &str, payload: &str) -> Vec<String> {
        shown(&self.answer(Input::Choice { label: label.into(), payload: payload.into() }).0)
    }
}

fn shown(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer
        .items
        .iter()
        .map(|item| match item {
            Item::Text(text) => text.clone(),
            Item::Choices(Choices { prompt, options }) => {
                let labels: Vec<&str> = options.iter().map(|option| option.label.as_str()).collect();
                format!("{prompt} [{}]", labels.join("|"))
            }
            other => other.plain().into_owned(),
        })
        .collect();
    match &answer.next {
        Next::Await | Next::More => {}
        Next::End => lines.push("<end>".into()),
        Next::HandOver(hand_over) => {
            lines.push(format!("<{}: {}>", hand_over.reason, hand_over.note.as_deref().unwrap_or("")));
        }
    }
    lines
}

#[test]
fn a_parcel_is_tracked() {
    let mut talk = Talk::with(PARCELS);
    assert_eq!(
        talk.say("hi"),
        ["Hello, this is the parcel desk.", "What can I do for you? [Track a parcel|Opening hours|Talk to a human]"]
    );
    assert_eq!(
        talk.tap("Track a parcel", "Track a parcel"),
        ["What is the number of your parcel? It has eight digits."]
    );
    assert_eq!(talk.say("77"), ["That does not look like a parcel number: I need the eight digits on the label."]);
    assert_eq!(
        talk.say("when do you open?"),
        ["We are open from Monday to Saturday, 8 to 20 o'clock.", "This bot never sleeps."]
    );
    assert_eq!(
        talk.say("it is 12345678, I think"),
        [
            "Parcel 12345678 left Leipzig this morning and comes to you today, between 14 and 16 o'clock.",
            "Does that help? [Yes, thank you|Check the warehouse|Talk to a human]",
        ]
    );
    let (answer, delay_ms) =
        talk.answer(Input::Choice { label: "Check the warehouse".into(), payload: "warehouse".into() });
    assert_eq!((shown(&answer).len(), delay_ms), (1, 6000));

    let (answer, _) = talk.answer(Input::Choice { label: "Yes, thank you".into(), payload: "bye".into() });
    assert_eq!(shown(&answer), ["Glad to help. Goodbye!", "<end>"]);
    insta::assert_debug_snapshot!((answer.intent, answer.slots), @r#"
    (
        Some(
            Intent {
                name: "ParcelTracked",
                confidence_permille: Some(
                    1000,
                ),
            },
        ),
        {
            "parcelNumber": One(
                "12345678",
            ),
        },
    )
    "#);
    assert_eq!(
        talk.say("Can I have a person?").last().unwrap(),
        "<customer_asked: Asked for a human. Parcel: . Last words: Can I have a person?>"
    );
}

#[test]
fn first_words_that_a_rule_knows_are_answered_at_once() {
    let mut talk = Talk::with(PARCELS);
    let lines = talk.say("Hello! Where is 87654321?");
    assert_eq!(lines[0], "Hello, this is the parcel desk.");
    assert!(lines[1].starts_with("Parcel 87654321 left"), "{lines:?}");

    // A human gives the conversation back: another greeting, and the number is still known.
    let handed_over = talk.say("no");
    assert_eq!(handed_over.last().unwrap(), "<customer_asked: Asked for a human. Parcel: 87654321. Last words: no>");
    assert!(talk.say("hi again")[0].starts_with("Welcome back"));
}

#[test]
fn too_many_wrong_numbers_lead_to_a_human() {
    let mut talk = Talk::with(PARCELS);
    talk.say("track");
    talk.say("1");
    talk.say("2");
    assert_eq!(
        talk.say("{parcelNumber}"),
        [
            "I cannot find it this way. A colleague will look it up with you.",
            "<number_not_found: The customer could not name a parcel number. Last words: {parcelNumber}>",
        ]
    );
}

#[test]
fn the_clumsy_bot_fails_as_told() {
    let failed = |failure| Reading::Failed(failure);
    let later = Reading::Later { after_ms: None, failure: Failure::Unavailable };
    let table = [
        ("stumble", 1, Some(later.clone())),
        ("stumble", 2, Some(later.clone())),
        ("down", 99, Some(later)),
        ("nonsense", 1, Some(failed(Failure::Nonsense))),
        ("refuse", 1, Some(failed(Failure::Refused))),
        ("hang", 3, None),
    ];
    for (word, attempt, expected) in table {
        let mut talk = Talk::with(CLUMSY);
        let reading = match talk.attempt(Input::Text(word.into()), attempt) {
            Asking::Local { reading, .. } => Some(reading),
            Asking::Never => None,
            Asking::Call(_) => panic!("a script calls nobody"),
        };
        assert_eq!(reading, expected, "{word}, attempt {attempt}");
    }
    let mut talk = Talk::with(CLUMSY);
    talk.say("hi");
    let Asking::Local { reading: Reading::Answer(answer), .. } = talk.attempt(Input::Text("stumble".into()), 3) else {
        panic!("an answer at the third attempt")
    };
    assert_eq!(shown(&answer), ["Third time lucky."]);
    assert_eq!(talk.say("silent"), Vec::<String>::new());
}

#[test]
fn patterns_match_as_documented() {
    let script = r#"
        default.say = "no"
        rules = [{ when = { words = ["open hours", "Ärger"], contains = "§$", regex = '^go (\w+)$', payload = "tap:1" }, then.say = "yes" }]
    "#;
    let text = |text: &str| Input::Text(text.into());
    let table = [
        (text("Your OPEN  hours, please"), "yes"),
        (text("reopen hours"), "no"),
        (text("hours open"), "no"),
        (text("ÄRGER!"), "yes"),
        (text("a§$b"), "yes"),
        (text("GO home"), "yes"),
        (text("let us go home"), "no"),
        (text(" Tap:1 "), "yes"),
        (Input::Choice { label: "x".into(), payload: "tap:1".into() }, "yes"),
        (Input::Choice { label: "open hours".into(), payload: "x".into() }, "yes"),
        (Input::Choice { label: "x".into(), payload: "open hours".into() }, "no"),
    ];
    for (input, expected) in table {
        let mut talk = Talk::with(script);
        assert_eq!(shown(&talk.answer(input.clone()).0), [expected], "{input:?}");
    }
}

#[test]
fn texts_are_filled_once_and_never_with_code() {
    let mut talk =
        Talk::with("default.say = \"{{{input}}} {context.who is it} {nick}|\"\ndefault.set.nick = \"{context.x}\"");
    talk.context.insert("who is it".into(), "{input}".into());
    assert_eq!(talk.say("{nick}"), ["{{nick}} {input} |"]);
}

#[test]
fn an_opening_turn_is_answered_without_words() {
    let mut talk = Talk::with(PARCELS);
    let opened = shown(&talk.answer(Input::Start).0);
    assert_eq!(opened[0], "Hello, this is the parcel desk.");
    assert_eq!(talk.say("When do you open?")[1], "This bot never sleeps.", "the opening is over");
    talk.visit = 1;
    talk.is_first = true;
    assert!(shown(&talk.answer(Input::Start).0)[0].starts_with("Welcome back"));
    let mut silent = Talk::with("default.say = \"What?\"");
    assert_eq!(shown(&silent.answer(Input::Start).0), Vec::<String>::new());
    assert!(!silent.script.traits().opens && talk.script.traits().opens);
}

#[test]
fn a_state_that_fits_no_more_begins_anew() {
    for state in ["", "[]", r#"{"version":2}"#, r#"{"version":1,"at":"gone","tries":9,"slots":{}}"#] {
        let mut talk = Talk::with(PARCELS);
        talk.is_first = false;
        talk.state = Some(Opaque(state.into()));
        assert_eq!(talk.say("hm")[0].split(' ').next(), Some("I"), "{state}");
    }
}

#[test]
fn what_is_wrong_with_a_script_is_said_all_at_once() {
    let Err(Error::Problems(problems)) = Script::parse(
        r#"
        [opening]
        say = "Hi {nobody} {match}"
        [default]
        goto = "nowhere"
        end = true
        fail = "refused"
        fail_times = 2
        slots = ["other"]
        choices = { prompt = "?", options = ["a", { label = "a", value = "b" }] }
        [[rules]]
        when = {}
        then.goto = "round"
        [nodes.round.enter]
        goto = "about"
        [nodes.about.enter]
        goto = "round"
        [nodes.island]
        ask = { slot = "input", prompt = "?", then = "round", tries = 0 }
        enter.end = true
        "#,
        Limits::default(),
    ) else {
        panic!("problems")
    };
    insta::assert_snapshot!(problems.join("\n"), @r#"
    opening: nothing asks for or sets the slot "nobody"
    opening: `{match}` means something only in a rule with a `regex`
    default: only one of `goto`, `end` and `hand_over`
    default: `fail_times` goes with `fail = "unavailable"` or "hang"; other failures end the turn
    default: `slots` and `confidence_percent` go with an `intent`
    default: nothing asks for or sets the slot "other"
    default: two options are called "a"
    default: there is no node "nowhere"
    rules[0]: `when` lists nothing; the answer to everything else is `default`
    nodes.island: it asks, but leaves on entering; let `ask.then` or a rule lead on
    nodes.island.ask: "input" cannot name a slot: letters, digits, `_` and `-`, and neither `input` nor `match`
    nodes.island.ask: `tries` is at least 1
    nodes.about: `goto` comes back here without waiting for the customer
    nodes.island: nothing goes there
    nodes.round: `goto` comes back here without waiting for the customer
    "#);
}

#[test]
fn what_is_not_a_script_is_refused_with_its_place() {
    let table = [
        ("[default]\nsay = 1", "a text, or a list of texts"),
        ("[default]\nsay = \"{\"", "a single brace"),
        ("[default]\nsay = \"{a b}\"", "is not a name"),
        ("[default]\nsya = \"hi\"", "unknown field `sya`"),
        ("[opening]\nsay = \"hi\"", "missing field `default`"),
        ("[default]\n[[rules]]\nwhen.regex = \"(\"\nthen.end = true", "line 3"),
        ("[default]\n[nodes.a]\n[nodes.a]", "duplicate key"),
        ("[default]\nchoices = { prompt = \"?\", options = [{ label = \"a\" }] }", "missing field `value`"),
    ];
    for (script, expected) in table {
        let error = Script::parse(script, Limits::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{script}\n{error}");
    }
}
