use model::{BotKey, Late, PollButton};

use super::super::tests::{leg, shown, utterances};
use super::*;

fn read_message(door: &BotConnector, body: &[u8]) -> Message {
    match door.parse(body) {
        Parsed::Message(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_forms_seen_in_the_field_are_read() {
    let door = utterances("").unwrap();
    // In every capture `botId` is the registered name, there is no message id, and `chatBot` may be absent.
    let first = read_message(&door, include_bytes!("fixtures/first.json"));
    let expected = Message {
        conversation: "b6a9d3d4-1f0c-4b1c-9d0e-91c2d75a4e02".to_owned(),
        session: "8f0e1c1e-5f6b-4a9e-8d55-2f2b0f3a7c01".to_owned(),
        message: None,
        bot: "claims".into(),
        input: Input::Text("My windscreen broke".to_owned()),
        is_form: false,
        language: "en-us".to_owned(),
        parameters: [("customerTier", "gold"), ("policy", "P-1009")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        session_lifetime_ms: 4_320 * 60_000,
        address: Opaque::default(),
        body_hash: first.body_hash,
        poll: None,
        channel: None,
        customer: None,
    };
    assert_eq!(first, expected);
    assert_eq!(read_message(&door, include_bytes!("fixtures/name_only.json")).bot, BotKey::from("claims"));

    let in_content = read_message(&door, include_bytes!("fixtures/button_in_content.json"));
    assert_eq!(in_content.input, Input::Choice { label: "No".to_owned(), payload: "drive:no".to_owned() });
    let beneath = read_message(&door, include_bytes!("fixtures/button_beneath_message.json"));
    assert_eq!(beneath.input, Input::Choice { label: "drive:no".to_owned(), payload: "drive:no".to_owned() });
}

#[test]
fn a_poll_is_recognised_in_all_its_forms() {
    let door = utterances("").unwrap();
    let button = read_message(&door, include_bytes!("fixtures/poll_button.json"));
    assert_eq!(button.poll, Some(Poll::Number(PollNumber(17))));
    let flow = read_message(&door, include_bytes!("fixtures/poll_flow.json"));
    assert_eq!(flow.poll, Some(Poll::Number(PollNumber(17))));
    assert_eq!(flow.parameters.keys().collect::<Vec<_>>(), ["customerTier"], "the number is not the engine's");

    let own_text = utterances("poll_text = 'weiter'").unwrap();
    let cases = [
        ("__poll__", None, Some(Poll::Any)),
        (" __poll__ ", Some("18"), Some(Poll::Number(PollNumber(18)))),
        ("__poll__", Some("NOT_SET"), Some(Poll::Any)),
        ("__POLL__", None, None),
        ("gw:poll:4", None, Some(Poll::Number(PollNumber(4)))),
        ("gw:poll:", None, Some(Poll::Any)),
        ("a gw:poll:4", None, None),
        ("OK", Some("18"), None),
    ];
    for (text, number, expected) in cases {
        let mut parameters: Attributes =
            number.map(|number| ("pollId".to_owned(), number.to_owned())).into_iter().collect();
        assert_eq!(door.poll(&Input::Text(text.to_owned()), &mut parameters), expected, "{text}");
    }
    assert_eq!(own_text.poll(&Input::Text("weiter".to_owned()), &mut Attributes::new()), Some(Poll::Any));
    assert_eq!(own_text.poll(&Input::Text("__poll__".to_owned()), &mut Attributes::new()), None);
}

#[test]
fn the_start_text_is_nobodys_words() {
    let said = |door: &BotConnector, text: &str| {
        let first = String::from_utf8(include_bytes!("fixtures/first.json").to_vec()).unwrap();
        read_message(door, first.replace("My windscreen broke", text).as_bytes()).input
    };
    let door = utterances("").unwrap();
    assert_eq!(said(&door, " __start__ "), Input::Start);
    assert_eq!(said(&door, "__START__"), Input::Text("__START__".to_owned()));
    let own_text = utterances("start_text = ' beginne '").unwrap();
    assert_eq!(said(&own_text, "beginne"), Input::Start);
    assert_eq!(said(&own_text, "__start__"), Input::Text("__start__".to_owned()));
    let none = utterances("start_text = ''").unwrap();
    for text in ["", "__start__"] {
        assert_eq!(said(&none, text), Input::Text(text.to_owned()));
    }
}

#[test]
fn equal_bodies_have_equal_hashes_in_every_build() {
    let door = utterances("").unwrap();
    let first = read_message(&door, include_bytes!("fixtures/first.json")).body_hash;
    assert_eq!(first, read_message(&door, include_bytes!("fixtures/first.json")).body_hash);
    assert_ne!(first, read_message(&door, include_bytes!("fixtures/name_only.json")).body_hash);
    // The hash is stored: a change of this number makes a rolling update answer a retry twice.
    assert_eq!(body_hash(b"yes"), 9_289_691_561_925_716_000);
}

#[test]
fn every_reply_has_these_bytes() {
    let (claims, address) = (BotKey::from("claims"), Opaque::default());
    let memory = Opaque(br#"{"v":1,"n":3}"#.to_vec());
    insta::assert_snapshot!(shown(&utterances("").unwrap(), leg(&claims, &address, &memory)));
}

#[test]
fn no_two_open_answers_running_look_alike_to_the_loop_guard() {
    let door = utterances("").unwrap();
    let (claims, address) = (BotKey::from("claims"), Opaque::default());
    let button = Some(PollButton { label: "OK".to_owned(), poll: PollNumber(1) });
    let replies = [
        Reply::Parts(vec![]),
        Reply::Holding { parts: vec![], line: Some("Wait.".to_owned()), button },
        Reply::Pending { parts: vec![], poll: PollNumber(1) },
    ];
    let (mut memory, mut last, mut open) = (Opaque::default(), None, 0);
    for turn in 0..60 {
        let rendered = door.render(&replies[turn * 7 % 3], leg(&claims, &address, &memory));
        let answer: UtteranceResponse<'_> = genesys::cloud::read(&rendered.reply.body).unwrap();
        memory = rendered.memory.unwrap_or(memory);
        if answer.bot_state == BotState::MoreData {
            open += 1;
            let seen = Some((answer.intent.map(|intent| intent.into_owned()), answer.slot_values[STAMP_SLOT].clone()));
            assert!(
                last.as_ref()
                    .zip(seen.as_ref())
                    .is_none_or(|(last, seen): (&(_, _), &(_, _))| last.0 != seen.0 && last.1 != seen.1)
            );
            last = seen;
        }
    }
    assert_eq!(open, 40);
    assert_eq!(memory, Opaque(br#"{"v":1,"n":40}"#.to_vec()));
}

#[test]
fn the_bot_list_declares_whatever_an_answer_may_carry() {
    let list = utterances("bots = ['claims']").unwrap().bot_list();
    insta::assert_snapshot!(std::str::from_utf8(&list).unwrap());
}

#[test]
fn nothing_is_pushed() {
    let door = utterances("").unwrap();
    let (claims, nothing) = (BotKey::from("claims"), Opaque::default());
    assert_eq!(door.render_push(&[], leg(&claims, &nothing, &nothing)), None);
    assert!(door.call(&Bytes::new()).is_none());
}

#[test]
fn the_door_is_what_the_configuration_says() {
    let plain = utterances("").unwrap();
    let door = Door {
        late: Late::PollButton,
        join_identical_ms: 3_000,
        retry_window_ms: 0,
        push_after_ack_ms: 0,
        follow_up_ms: 43_200_000,
        merge_quiet_ms: 0,
        merge_max_ms: 0,
    };
    assert_eq!((plain.door(), plain.wait_ms(), plain.refuse_after_ms()), (door, 7_000, 8_500));
    assert_eq!(utterances("late_answers = 'pending_flow'").unwrap().door().late, Late::PendingFlow);

    let mistakes = [
        ("budget_ms = 11000", "`budget_ms` lies between 1000 and 10000"),
        ("poll_text = ' '", "`poll_text`"),
        ("start_text = '__poll__'", "`start_text` and `poll_text` are the same"),
        ("merge_quiet_ms = 500", "unknown field"),
        ("late_answers = 'push'", "unknown variant"),
        ("soft_deadline_ms = 1", "unknown field"),
        ("[channels.open]\nattachments = true", "files cannot be sent by a bot_connector"),
    ];
    for (toml, part) in mistakes {
        let error = utterances(toml).unwrap_err();
        assert!(error.contains(part), "{toml}: {error}");
    }
}

#[test]
fn a_bot_that_uses_our_intents_is_refused_with_the_reason() {
    let face = toml::from_str("[[intents]]\nname = 'turn-b'").unwrap();
    let bots = Bots::new([Bot::new("claims".into(), face).unwrap()]);
    let config =
        toml::from_str("org = 'acme'\npath = '/v1'\ncredentials = { x-key = 'a-secret-of-some-length' }").unwrap();
    let error = BotConnector::new("sms".into(), &config, &super::super::tests::org(), &bots).unwrap_err();
    assert!(error.to_string().contains("bots.claims declares the intent `turn-b`"), "{error}");
}
