//! What comes back from the store. Whatever is read is written again as bytes that are read as the same: a later version
//! of the product reads what this one wrote.

use ::bytes::Bytes;
use conversation::Conversation;
use cordboard::connector::SealedReply;
use cordboard::outbox::Item;
use cordboard::store::Blob;
use cordboard::stored::{
    Journal, Letter, decode_event, decode_journal, decode_letter, decode_state, encode_event, encode_journal,
    encode_letter, encode_state,
};
use model::{Effect, Event};

/// Bytes of a state, a journal row, an event, a letter, an outbox item or a sealed reply.
///
/// # Panics
/// When something is read otherwise than it is written.
pub fn stored(data: &[u8]) -> &'static str {
    if let Ok(state) = decode_state(data) {
        assert_eq!(decode_state(&encode_state(&state)), Ok(state));
        return "state";
    }
    if let Ok(row) = decode_journal(data) {
        assert_eq!(decode_journal(&encode_journal(&row.events, &row.effects, &row.changes, &row.seen)), Ok(row));
        return "journal";
    }
    if let Ok(event) = decode_event(data) {
        assert_eq!(decode_event(&encode_event(&event)), Ok(event));
        return "event";
    }
    if let Ok(Letter { seat, part, reason }) = decode_letter(data) {
        assert_eq!(decode_letter(&encode_letter(seat, &part, reason)), Ok(Letter { seat, part, reason }));
        return "letter";
    }
    let bytes = Bytes::copy_from_slice(data);
    if let Some(item) = Item::decode(&bytes) {
        assert_eq!(Item::decode(&item.encode().into()), Some(item));
        return "item";
    }
    match SealedReply::from_blob(&Blob(bytes)) {
        Some(reply) => {
            assert_eq!(SealedReply::from_blob(&reply.to_blob()), Some(reply));
            "reply"
        }
        None => "refused",
    }
}

/// A step's state and journal row are read back as they were.
pub(crate) fn is_kept(state: &Conversation, events: &[Event], effects: &[Effect]) {
    assert_eq!(decode_state(&encode_state(state)).as_ref(), Ok(state));
    let journal = Journal { events: events.to_vec(), effects: effects.to_vec(), changes: Vec::new(), seen: Vec::new() };
    assert_eq!(decode_journal(&encode_journal(events, effects, &[], &[])), Ok(journal));
}
