//! Every kind of document, as each version ever shipped wrote it. Old fixtures are never written again.

use std::fs;
use std::path::Path;

use super::rich;
use crate::stored::{
    Journal, Letter, VERSION, decode_event, decode_journal, decode_letter, decode_policies, decode_state, encode_event,
    encode_journal, encode_letter, encode_policies, encode_state,
};

/// Writes the current version's fixture when `UPDATE_FIXTURES` is set.
#[track_caller]
fn is_written_as(name: &str, written: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/stored/v{VERSION}/{name}.json"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, [written, b"\n"].concat()).unwrap();
    }
    let kept = fs::read(&path).unwrap().strip_suffix(b"\n").unwrap().to_vec();
    assert_eq!(
        String::from_utf8_lossy(written),
        String::from_utf8_lossy(&kept),
        "{name} is written otherwise than v{VERSION} did: that needs a new version"
    );
    kept
}

#[test]
fn a_state_is_written_as_its_version_says() {
    let state = rich::state();
    let kept = is_written_as("state", &encode_state(&state));
    assert_eq!(decode_state(&kept), Ok(state));
}

#[test]
fn a_journal_row_is_written_as_its_version_says() {
    let (events, effects, changes, seen) = (rich::events(), rich::effects(), rich::changes(), rich::seen());
    let kept = is_written_as("journal", &encode_journal(&events, &effects, &changes, &seen));
    assert_eq!(decode_journal(&kept), Ok(Journal { events, effects, changes, seen }));
}

#[test]
fn an_event_is_written_as_its_version_says() {
    let event = rich::said();
    let kept = is_written_as("event", &encode_event(&event));
    assert_eq!(decode_event(&kept), Ok(event));
}

#[test]
fn policies_are_written_as_their_version_says() {
    let policies = rich::policies();
    let kept = is_written_as("policies", &encode_policies(&policies));
    assert_eq!(decode_policies(&kept, 7), Ok(policies));
}

/// Later versions only add. So what an earlier one wrote is read, and written again as it was but for the version.
#[test]
fn documents_of_earlier_versions_are_read_and_lose_nothing() {
    type ReadAndWritten = fn(&[u8]) -> Vec<u8>;
    let again: [(&str, ReadAndWritten); 5] = [
        ("state", |bytes| encode_state(&decode_state(bytes).unwrap())),
        ("journal", |bytes| {
            let row = decode_journal(bytes).unwrap();
            encode_journal(&row.events, &row.effects, &row.changes, &row.seen)
        }),
        ("event", |bytes| encode_event(&decode_event(bytes).unwrap())),
        ("letter", |bytes| {
            let letter = decode_letter(bytes).unwrap();
            encode_letter(letter.seat, &letter.part, letter.reason)
        }),
        ("policies", |bytes| encode_policies(&decode_policies(bytes, 7).unwrap())),
    ];
    for version in 1..VERSION {
        // Version 1 had no policies.
        for (name, again) in again.iter().take(if version == 1 { 4 } else { 5 }) {
            let file = format!("fixtures/stored/v{version}/{name}.json");
            let kept = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).unwrap();
            let today = String::from_utf8(again(kept.trim_end().as_bytes())).unwrap();
            let then = today.replacen(&format!("{{\"v\":{VERSION},"), &format!("{{\"v\":{version},"), 1);
            assert_eq!(then, kept.trim_end(), "{file}");
        }
    }
}

#[test]
fn a_letter_is_written_as_its_version_says() {
    let (seat, part, reason) = (rich::seat_1(), rich::part(), rich::reason());
    let kept = is_written_as("letter", &encode_letter(seat, &part, reason));
    assert_eq!(decode_letter(&kept), Ok(Letter { seat, part, reason }));
}
