//! A look at a data folder that changes nothing in it, for the doctor.

use std::fs::{File, TryLockError};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{OpenError, migrate};

/// What is in a data folder.
#[derive(Debug)]
pub enum Found {
    /// No store: no gateway has run here.
    Nothing,
    /// A process works with it.
    Running,
    /// A store that nobody works with.
    Resting(Resting),
}

/// A store that nobody works with.
#[derive(Debug)]
pub struct Resting {
    /// The last migration that was applied to it.
    pub schema: i64,
    /// The last migration that this program has.
    pub newest: i64,
    /// The size of the database.
    pub bytes: u64,
    /// What SQLite finds wrong with it.
    pub damage: Option<String>,
}

/// Looks at a folder. A store that rests is locked meanwhile, and read whole.
///
/// # Errors
///
/// When it cannot be read.
pub fn look(folder: &Path) -> Result<Found, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.to_owned(), source };
    let (lock, database) = (folder.join("lock"), folder.join("cordboard.sqlite"));
    if !lock.exists() || !database.exists() {
        return Ok(Found::Nothing);
    }
    let lock = File::options().write(true).open(lock).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Found::Running),
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let bytes = database.metadata().map_err(unusable)?.len();
    let connection =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    let newest = i64::try_from(migrate::MIGRATIONS.len()).unwrap_or(i64::MAX);
    let schema = connection
        .query_row("SELECT MAX(number) FROM migration", [], |row| row.get::<_, Option<i64>>(0))
        .optional()?
        .flatten()
        .unwrap_or(0);
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let damage = (said != "ok").then_some(said);
    Ok(Found::Resting(Resting { schema, newest, bytes, damage }))
}
