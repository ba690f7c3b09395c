//! Bytes as what a customer types.

use cordboard::masking::mask;
use model::Sensitive;

/// Masks everything that is recognised. The word is the kind of the first value found.
///
/// # Panics
/// When what was masked is masked again, or words beside the values changed.
pub fn masking(data: &[u8]) -> &'static str {
    let Ok(text) = std::str::from_utf8(data) else { return "no text" };
    let Some(cleaned) = mask(text, &Sensitive::ALL) else { return "nothing" };
    assert!(mask(&cleaned.text, &Sensitive::ALL).is_none(), "a masked text holds nothing more");
    let mut rest = text;
    for (index, kept) in kept_of(&cleaned.text).into_iter().enumerate() {
        let at = rest.find(kept).expect("words beside the values stay, in their order");
        assert!(index > 0 || at == 0, "words before the first value stay where they are");
        rest = &rest[at + kept.len()..];
    }
    cleaned.masked.first().map_or("nothing", |masked| masked.kind.word())
}

/// What stands between the words for masked values.
fn kept_of(text: &str) -> Vec<&str> {
    let mut pieces = vec![text];
    for kind in Sensitive::ALL {
        let word = format!("[{}]", kind.word());
        pieces = pieces.into_iter().flat_map(|piece| piece.split(&word).collect::<Vec<_>>()).collect();
    }
    pieces
}
