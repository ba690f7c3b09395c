//! A look at a data folder that changes nothing in it, for the doctor and the check of a configuration.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::super::Manifest;
use super::{OpenError, migrate, reads};

/// The migration that made the table of manifests.
const MANIFEST_SCHEMA: i64 = 3;

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

/// A store that nobody works with, open and locked; nothing can be changed in it.
struct AtRest {
    connection: Connection,
    database: PathBuf,
    /// Held, not read.
    _lock: File,
}

/// A store, or why there is none to be looked into.
enum Opened {
    Nothing,
    Running,
    Resting(AtRest),
}

fn open(folder: &Path) -> Result<Opened, OpenError> {
    let unusable = |source| OpenError::Folder { folder: folder.to_owned(), source };
    let (lock, database) = (folder.join("lock"), folder.join("cordboard.sqlite"));
    if !lock.exists() || !database.exists() {
        return Ok(Opened::Nothing);
    }
    let lock = File::options().write(true).open(lock).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Opened::Running),
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let connection =
        Connection::open_with_flags(&database, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(Opened::Resting(AtRest { connection, database, _lock: lock }))
}

/// The last migration that was applied.
fn schema(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let newest =
        connection.query_row("SELECT MAX(number) FROM migration", [], |row| row.get::<_, Option<i64>>(0)).optional()?;
    Ok(newest.flatten().unwrap_or(0))
}

/// What platforms know of the bots, of a store that rests; nothing when there is none, or when somebody works with it.
///
/// # Errors
///
/// When it cannot be read.
pub fn manifests_at_rest(folder: &Path) -> Result<Option<Vec<Manifest>>, OpenError> {
    let Opened::Resting(store) = open(folder)? else { return Ok(None) };
    let is_there = schema(&store.connection)? >= MANIFEST_SCHEMA;
    Ok(Some(if is_there { reads::manifests(&store.connection)? } else { Vec::new() }))
}

/// Looks at a folder. A store that rests is locked meanwhile, and read whole.
///
/// # Errors
///
/// When it cannot be read.
pub fn look(folder: &Path) -> Result<Found, OpenError> {
    let AtRest { connection, database, _lock } = match open(folder)? {
        Opened::Nothing => return Ok(Found::Nothing),
        Opened::Running => return Ok(Found::Running),
        Opened::Resting(store) => store,
    };
    let unusable = |source| OpenError::Folder { folder: folder.to_owned(), source };
    let bytes = database.metadata().map_err(unusable)?.len();
    let newest = i64::try_from(migrate::MIGRATIONS.len()).unwrap_or(i64::MAX);
    let schema = schema(&connection)?;
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let damage = (said != "ok").then_some(said);
    Ok(Found::Resting(Resting { schema, newest, bytes, damage }))
}
