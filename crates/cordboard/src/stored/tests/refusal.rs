//! What cannot be read is refused with its place, and without a word of it.

use super::rich;
use crate::stored::{
    Unreadable, VERSION, decode_event, decode_journal, decode_letter, decode_state, encode_event, encode_journal,
    encode_letter, encode_state,
};

/// How bytes fail to be read.
type Refusal = fn(&[u8]) -> Option<Unreadable>;

/// One document of each kind, with its reader.
fn documents() -> [(Vec<u8>, Refusal); 4] {
    [
        (encode_state(&rich::state()), |bytes| decode_state(bytes).err()),
        (encode_journal(&rich::events(), &rich::effects(), &rich::changes(), &rich::seen()), |bytes| {
            decode_journal(bytes).err()
        }),
        (encode_event(&rich::said()), |bytes| decode_event(bytes).err()),
        (encode_letter(rich::seat_1(), &rich::part(), rich::reason()), |bytes| decode_letter(bytes).err()),
    ]
}

#[test]
fn only_the_versions_that_are_known_are_read() {
    for (document, refusal) in documents() {
        let body = document.strip_prefix(format!("{{\"v\":{VERSION}").as_bytes()).unwrap();
        let with = |version: &str| [version.as_bytes(), body].concat();
        for version in 1..=VERSION {
            assert_eq!(refusal(&with(&format!("{{\"v\":{version}"))), None, "{version}");
        }
        let newer = VERSION + 1;
        assert_eq!(refusal(&with(&format!("{{\"v\":{newer}"))), Some(Unreadable::Newer { version: newer }));
        assert_eq!(refusal(&with("{\"v\":4294967295")), Some(Unreadable::Newer { version: u32::MAX }));
        for version in
            ["{\"v\":0", "{\"v\":4294967296", "{\"v\":", "{\"v\":\"1\"", "{ \"v\":1", "{\"w\":1", "", "\u{0}"]
        {
            assert_eq!(refusal(&with(version)), Some(Unreadable::Unversioned), "{version}");
        }
    }
}

#[test]
fn a_document_that_ends_early_or_late_is_refused() {
    for (document, refusal) in documents() {
        for length in (7..document.len()).step_by(17).chain([document.len() - 1]) {
            let cut = &document[..length];
            assert!(matches!(refusal(cut), Some(Unreadable::Member { version: VERSION, .. })), "cut at {length}");
        }
        assert!(refusal(&[&document[..], b"{}"].concat()).is_some());
    }
}

#[test]
fn a_refusal_names_the_member_and_quotes_nothing() {
    let table: [(&str, &str, Refusal); 9] = [
        (r#"{"v":1,"n":"secret"}"#, "now", |bytes| decode_state(bytes).err()),
        (r#"{"v":1,"n":0,"f":{"h":"secret"}}"#, "floor", |bytes| decode_state(bytes).err()),
        (r#"{"v":1,"secret":0}"#, "", |bytes| decode_state(bytes).err()),
        (r#"{"v":1,"e":[{"secret":{}}],"f":[]}"#, "events", |bytes| decode_journal(bytes).err()),
        (r#"{"v":1,"e":["time_passed"],"f":[{"seal_same":{"r":1,"of":2,"secret":3}}]}"#, "effects", |bytes| {
            decode_journal(bytes).err()
        }),
        (r#"{"v":1,"e":[],"f":[{"bury":{"s":0,"p":{"k":1,"i":[{"t":"\"f\":"},{"t":7}]}}}]}"#, "effects", |bytes| {
            decode_journal(bytes).err()
        }),
        (r#"{"v":1,"e":{"floor_seen":{"h":"secret"}}}"#, "event", |bytes| decode_event(bytes).err()),
        ("{\"v\":1,\n\"s\":0,\n\"p\":{\"k\":\"secret\"}}", "part", |bytes| decode_letter(bytes).err()),
        (r#"{"v":1,"s":0,"p":{"k":1},"y":"secret"}"#, "reason", |bytes| decode_letter(bytes).err()),
    ];
    for (document, expected, refusal) in table {
        let refusal = refusal(document.as_bytes()).unwrap();
        let Unreadable::Member { version: 1, member, byte } = refusal else { panic!("{refusal:?}") };
        assert_eq!(member, expected, "{document}");
        assert!(byte > 0 && byte <= document.len());
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
}

#[test]
fn bytes_and_long_numbers_are_refused_when_they_are_not_whole() {
    let event = String::from_utf8(encode_event(&rich::said())).unwrap();
    for (whole, broken) in [
        ("aHR0cHM6Ly9hcGkuZXhhbXBsZQ==", "aHR0cHM6Ly9hcGkuZXhhbXBsZQ"),
        ("aHR0cHM6Ly9hcGkuZXhhbXBsZQ==", "not Base64!"),
        ("0192f0c17a4b70008000000000000001", "192f0c17a4b70008000000000000001"),
        ("0192f0c17a4b70008000000000000001", "+192f0c17a4b70008000000000000001"),
    ] {
        assert!(event.contains(whole));
        let refusal = decode_event(event.replace(whole, broken).as_bytes()).unwrap_err();
        assert!(
            matches!(refusal, Unreadable::Member { version: VERSION, member: "event", .. }),
            "{broken}: {refusal:?}"
        );
    }
}
