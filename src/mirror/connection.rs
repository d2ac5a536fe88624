//! Opening the database: hardened, recognised, sound, and at the present schema.
//!
//! Owns the order in which that happens: a file that is refused has not been
//! changed.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{Fault, StateError};
use super::schema;

/// How long another program may have the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than the statements of this module, so that each is prepared once.
const STATEMENTS: usize = 64;

/// Opens the database at `path`, an existing file that may be empty.
pub(super) fn file(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    // Until the file is known to be ours and sound, closing it moves nothing
    // from the write-ahead log into it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    harden(&conn)?;
    examine(&conn, path)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    conn.execute_batch(schema::WRITE_AHEAD)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// Opens the database at `path` again, which [`file`] has opened.
pub(super) fn examined(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    harden(&conn)?;
    Ok(conn)
}

/// Copies the database at `path` into memory. The file is only read.
pub(super) fn copy(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(path, flags)?;
    harden(&file)?;
    examine(&file, path)?;
    let mut memory = Connection::open_in_memory()?;
    if Backup::new(&file, &mut memory)?.step(-1)? != StepResult::Done {
        return Err(StateError::Busy { path: path.to_owned() }.into());
    }
    harden(&memory)?;
    migrate(&mut memory, path)?;
    Ok(memory)
}

/// Makes an empty database in memory; `path` stands for it in errors.
pub(super) fn empty(path: &Path) -> Result<Connection, Fault> {
    let mut memory = Connection::open_in_memory()?;
    harden(&memory)?;
    migrate(&mut memory, path)?;
    Ok(memory)
}

/// Sets what belongs to the connection alone, before the file is read.
fn harden(conn: &Connection) -> Result<(), Fault> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    Ok(conn.execute_batch(schema::CONNECTION)?)
}

/// Refuses a file that is not ours, newer than this program, or damaged. An empty
/// one is ours to fill.
fn examine(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let path = || path.to_owned();
    let number = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (number("application_id")?, number("user_version")?);
    let objects: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (application, found, objects) == (0, 0, 0) {
        return Ok(());
    }
    if application != i64::from(schema::APPLICATION_ID) {
        return Err(StateError::NotOurs { path: path() }.into());
    }
    if usize::try_from(found).is_ok_and(|found| found > schema::VERSION) {
        return Err(StateError::Newer { path: path(), found, known: schema::VERSION }.into());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let problem = verdict.lines().last().unwrap_or_default().to_owned();
        return Err(StateError::Corrupt { path: path(), problem }.into());
    }
    Ok(())
}

/// Brings the schema up to date in one transaction.
fn migrate(conn: &mut Connection, path: &Path) -> Result<(), Fault> {
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    match schema::MIGRATIONS.to_latest(conn) {
        Ok(()) => Ok(()),
        Err(rusqlite_migration::Error::RusqliteError { err, .. }) => Err(err.into()),
        Err(other) => {
            Err(StateError::Database { path: path.to_owned(), source: other.into() }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    struct Place {
        path: PathBuf,
        _dir: tempfile::TempDir,
    }

    /// An empty file, as the state directory has it before the first opening.
    fn fresh() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        fs::write(&path, "").unwrap();
        Place { path, _dir: dir }
    }

    fn refusal(path: &Path) -> StateError {
        let refusal = file(path).map(drop).unwrap_err().at(path);
        let of_the_copy = copy(path).map(drop).unwrap_err().at(path);
        assert_eq!(refusal.to_string(), of_the_copy.to_string(), "both openings agree");
        refusal
    }

    #[test]
    fn every_setting_is_in_force() {
        let place = fresh();
        let conn = file(&place.path).unwrap();
        let numbers = [
            ("trusted_schema", 0),
            ("cell_size_check", 1),
            ("mmap_size", 0),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("synchronous", 2),
            ("busy_timeout", 5000),
            ("application_id", i64::from(schema::APPLICATION_ID)),
        ];
        for (name, expected) in numbers {
            let found: i64 = conn.pragma_query_value(None, name, |row| row.get(0)).unwrap_or(0);
            assert_eq!(found, expected, "{name}");
        }
        let mode: String = conn.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
        assert_eq!(mode, "wal");
        assert!(conn.db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE).unwrap());
        assert!(!conn.db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML).unwrap());
        assert!(!conn.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap());
        assert!(conn.query_row("SELECT load_extension('x')", [], |_| Ok(())).is_err());
    }

    #[test]
    fn a_file_that_is_no_database_is_damaged_and_left_alone() {
        let place = fresh();
        let text = "first_name,last_name\n".repeat(400);
        fs::write(&place.path, &text).unwrap();
        assert!(matches!(refusal(&place.path), StateError::Corrupt { .. }));
        assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    }

    #[test]
    fn a_truncated_or_overwritten_database_is_damaged_and_left_alone() {
        let place = fresh();
        drop(file(&place.path).unwrap());
        let whole = fs::read(&place.path).unwrap();
        let page = 4096;
        let mut spoiled = whole.clone();
        // The root page of a table: its type byte becomes impossible.
        spoiled[page] = 0x77;
        for bytes in [&whole[..whole.len() - page], &whole[..page + 100], &spoiled] {
            fs::write(&place.path, bytes).unwrap();
            assert!(matches!(refusal(&place.path), StateError::Corrupt { .. }));
            assert_eq!(fs::read(&place.path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_newer_schema_is_refused_by_number() {
        let place = fresh();
        file(&place.path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            refusal(&place.path),
            StateError::Newer { found: 99, known: schema::VERSION, .. }
        ));
    }

    #[test]
    fn another_programs_database_is_refused_and_left_alone() {
        for setup in [
            "CREATE TABLE notes (text TEXT);",
            "PRAGMA application_id = 252006673;",
            "PRAGMA user_version = 1;",
            "PRAGMA journal_mode = WAL; CREATE TABLE notes (text TEXT);",
        ] {
            let place = fresh();
            Connection::open(&place.path).unwrap().execute_batch(setup).unwrap();
            let before = fs::read(&place.path).unwrap();
            assert!(matches!(refusal(&place.path), StateError::NotOurs { .. }), "{setup}");
            assert_eq!(fs::read(&place.path).unwrap(), before);
        }
    }

    #[test]
    fn a_migration_that_runs_out_of_room_leaves_a_file_that_opens_later() {
        let place = fresh();
        let mut failures = 0;
        for pages in 1_i64.. {
            let mut conn = Connection::open(&place.path).unwrap();
            conn.execute_batch(schema::WRITE_AHEAD).unwrap();
            conn.pragma_update(None, "max_page_count", pages).unwrap();
            match migrate(&mut conn, &place.path) {
                Ok(()) => break,
                Err(fault) => {
                    assert!(matches!(fault.at(&place.path), StateError::Full { .. }));
                    failures += 1;
                }
            }
            drop(conn);
            let unharmed = Connection::open(&place.path).unwrap();
            examine(&unharmed, &place.path).unwrap();
        }
        assert!(failures > 5, "room ran out at {failures} places");
        file(&place.path).unwrap();
    }
}
