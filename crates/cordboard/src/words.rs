//! Numbers with their noun, as people read them.

use std::fmt::Display;

/// `1 bot`, `2 bots`, `0 bots`.
pub(crate) fn some<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    if count == N::from(1) { format!("1 {what}") } else { format!("{count} {what}s") }
}
