//! Every kind of document, as each version ever shipped wrote it. Old fixtures are never written again.

use std::fs;
use std::path::Path;

use super::rich;
use crate::stored::{
    Journal, Letter, VERSION, decode_event, decode_journal, decode_letter, decode_state, encode_event, encode_journal,
    encode_letter, encode_state,
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
    let (events, effects) = (rich::events(), rich::effects());
    let kept = is_written_as("journal", &encode_journal(&events, &effects));
    assert_eq!(decode_journal(&kept), Ok(Journal { events, effects }));
}

#[test]
fn an_event_is_written_as_its_version_says() {
    let event = rich::said();
    let kept = is_written_as("event", &encode_event(&event));
    assert_eq!(decode_event(&kept), Ok(event));
}

#[test]
fn a_letter_is_written_as_its_version_says() {
    let (seat, part, reason) = (rich::seat_1(), rich::part(), rich::reason());
    let kept = is_written_as("letter", &encode_letter(seat, &part, reason));
    assert_eq!(decode_letter(&kept), Ok(Letter { seat, part, reason }));
}
