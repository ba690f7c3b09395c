//! What `--version` says: the version, the commit, and the versions of what this program reads.

use std::sync::LazyLock;

use crate::{config, store, stored};

static LINE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} (built from {}, store schema {}, stored forms {}, configuration {})",
        env!("CARGO_PKG_VERSION"),
        env!("CORDBOARD_BUILT_FROM"),
        store::sqlite::SCHEMA,
        stored::VERSION,
        config::VERSION
    )
});

/// All on one line.
pub(super) fn line() -> &'static str {
    &LINE
}
