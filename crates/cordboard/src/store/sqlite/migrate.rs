//! Brings a database to the schema of this program, or says why not. Called once, at opening.
//!
//! A migration that was shipped never changes: its checksum is stored, and a different one is refused.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::OpenError;

/// In order; the number of each is its place, from 1.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("0001_first.sql"),
    include_str!("0002_service.sql"),
    include_str!("0003_manifest.sql"),
    include_str!("0004_shadow.sql"),
];

/// Applies what is missing, all in one transaction.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction
        .execute_batch("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, checksum BLOB NOT NULL)")?;
    let stored: i64 = transaction.query_row("SELECT COALESCE(MAX(number), 0) FROM migration", [], |row| row.get(0))?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if stored > known {
        return Err(OpenError::Newer { stored, known });
    }
    for (number, sql) in (1_i64..).zip(migrations) {
        let checksum = Sha256::digest(sql.as_bytes()).to_vec();
        let applied = transaction
            .query_row("SELECT checksum FROM migration WHERE number = ?1", [number], |row| row.get::<_, Vec<u8>>(0))
            .optional()?;
        match applied {
            Some(earlier) if earlier == checksum => {}
            Some(_) => return Err(OpenError::Changed { number }),
            None => {
                transaction.execute_batch(sql)?;
                transaction
                    .execute("INSERT INTO migration (number, checksum) VALUES (?1, ?2)", params![number, checksum])?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_what_is_missing_and_refuses_what_it_does_not_know() {
        let (one, two) = ("CREATE TABLE one (a);", "CREATE TABLE two (b);");
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[one]).unwrap();
        migrate(&mut connection, &[one, two]).unwrap();
        connection.execute_batch("INSERT INTO one VALUES (1); INSERT INTO two VALUES (1)").unwrap();
        migrate(&mut connection, &[one, two]).unwrap();
        let newer = migrate(&mut connection, &[one]).unwrap_err();
        assert!(matches!(newer, OpenError::Newer { stored: 2, known: 1 }), "{newer}");
        let changed = migrate(&mut connection, &[one, "CREATE TABLE two (b, c);"]).unwrap_err();
        assert!(matches!(changed, OpenError::Changed { number: 2 }), "{changed}");
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &["CREATE TABLE one (a);", "CREATE TABLE one (a);"]).unwrap_err();
        let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }
}
