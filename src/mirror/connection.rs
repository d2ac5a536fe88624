//! Opening the database: hardened, recognised, sound, and at the present schema.
//!
//! Owns the order in which that happens: a file that is refused has not been
//! changed.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::checked;
use super::error::{MirrorFault, StateError};
use super::schema;

/// How long another program may have the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than the statements of this module, so that each is prepared once.
const STATEMENTS: usize = 64;

/// How much of a file is looked at before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileScan {
    /// Whose it is, and of which version.
    Head,
    /// Also whether all of it is sound, which takes reading all of it.
    Whole,
}

/// Whoever only reads goes through a table once, and comes back to little of it: in KiB, below
/// zero as SQLite has it.
const READER_CACHE: &str = "PRAGMA cache_size = -512;";

/// Opens the database at `path`, an existing file that may be empty.
pub(super) fn open_file(path: &Path, look: FileScan) -> Result<Connection, MirrorFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    // Until the file is known to be ours and sound, closing it moves nothing
    // from the write-ahead log into it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    set_connection_limits(&conn)?;
    examine_file(&conn, path, look)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    conn.execute_batch(schema::WRITE_AHEAD)?;
    migrate_schema(&mut conn, path)?;
    Ok(conn)
}

/// Opens the database at `path` again, which [`open_file`] has opened.
pub(super) fn open_examined(path: &Path) -> Result<Connection, MirrorFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    set_connection_limits(&conn)?;
    Ok(conn)
}

/// Copies the database at `path` into memory. The file is only read.
pub(super) fn copy_to_memory(path: &Path, look: FileScan) -> Result<Connection, MirrorFault> {
    let file = read_only(path)?;
    examine_file(&file, path, look)?;
    in_memory(&file, path)
}

/// Opens the database at `path` to read what it is at this moment. One that an older version
/// wrote is copied into memory, where it can be brought up to date.
pub(super) fn open_reading(path: &Path, look: FileScan) -> Result<Connection, MirrorFault> {
    let file = read_only(path)?;
    examine_file(&file, path, look)?;
    if pragma_number(&file, "user_version")? == i64::try_from(schema::VERSION).unwrap_or(i64::MAX) {
        Ok(file)
    } else {
        in_memory(&file, path)
    }
}

/// Copies what `file` shows into memory, and brings the copy up to date.
fn in_memory(file: &Connection, path: &Path) -> Result<Connection, MirrorFault> {
    let mut memory = Connection::open_in_memory()?;
    if Backup::new(file, &mut memory)?.step(-1)? != StepResult::Done {
        return Err(StateError::Busy { path: path.to_owned() }.into());
    }
    set_connection_limits(&memory)?;
    migrate_schema(&mut memory, path)?;
    Ok(memory)
}

/// Opens the file at `path` so that it shows the same for as long as it is open.
fn read_only(path: &Path) -> Result<Connection, MirrorFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match standing_still(Connection::open_with_flags(path, flags)?) {
        // There is no write-ahead log, and none can be made: on a read-only file system, for
        // example. Then nobody writes to the file either.
        Err(error) if finds_no_log(&error) && !checked::has_log(path) => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Ok(standing_still(Connection::open_with_flags(immutable_uri(path), flags)?)?)
        }
        opened => Ok(opened?),
    }
}

/// Whether a file was not opened since its companions are not there and cannot be made.
fn finds_no_log(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn standing_still(conn: Connection) -> rusqlite::Result<Connection> {
    set_connection_limits(&conn)?;
    conn.execute_batch(READER_CACHE)?;
    conn.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")?;
    Ok(conn)
}

/// The file at `path` as one that nobody writes to, as SQLite's URIs have it.
fn immutable_uri(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").into_bytes()),
            other => uri.push(*other),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri)
}

/// Makes an empty database in memory; `path` stands for it in errors.
pub(super) fn open_empty(path: &Path) -> Result<Connection, MirrorFault> {
    let mut memory = Connection::open_in_memory()?;
    set_connection_limits(&memory)?;
    migrate_schema(&mut memory, path)?;
    Ok(memory)
}

/// Sets what belongs to the connection alone, before the file is read.
fn set_connection_limits(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.execute_batch(schema::CONNECTION)
}

fn pragma_number(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, name, |row| row.get(0))
}

/// Refuses a file that is not ours, newer than this program, or, as far as it is looked at,
/// damaged. An empty one is ours to fill.
fn examine_file(conn: &Connection, path: &Path, look: FileScan) -> Result<(), MirrorFault> {
    let path = || path.to_owned();
    let (application, found) =
        (pragma_number(conn, "application_id")?, pragma_number(conn, "user_version")?);
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
    if look == FileScan::Head {
        return Ok(());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let problem = verdict.lines().last().unwrap_or_default().to_owned();
        return Err(StateError::Corrupt { path: path(), problem }.into());
    }
    Ok(())
}

/// Brings the schema up to date in one transaction.
fn migrate_schema(conn: &mut Connection, path: &Path) -> Result<(), MirrorFault> {
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

    struct DatabaseLocation {
        path: PathBuf,
        _dir: tempfile::TempDir,
    }

    /// An empty file, as the state directory has it before the first opening.
    fn fresh() -> DatabaseLocation {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        fs::write(&path, "").unwrap();
        DatabaseLocation { path, _dir: dir }
    }

    fn refusal(path: &Path) -> StateError {
        let refusal = open_file(path, FileScan::Whole).map(drop).unwrap_err().error_at(path);
        for look in [copy_to_memory, open_reading] {
            let other = look(path, FileScan::Whole).map(drop).unwrap_err().error_at(path);
            assert_eq!(refusal.to_string(), other.to_string(), "all openings agree");
        }
        refusal
    }

    #[test]
    fn every_setting_is_in_force() {
        let place = fresh();
        let conn = open_file(&place.path, FileScan::Whole).unwrap();
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
        drop(open_file(&place.path, FileScan::Whole).unwrap());
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
    fn damage_that_nobody_looked_for_is_told_where_it_is_met() {
        let place = fresh();
        let root = {
            let conn = open_file(&place.path, FileScan::Whole).unwrap();
            let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'links'";
            conn.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap()
        };
        let mut bytes = fs::read(&place.path).unwrap();
        bytes[(root as usize - 1) * 4096] = 0x77;
        fs::write(&place.path, &bytes).unwrap();
        for open in [open_file, copy_to_memory, open_reading] {
            let conn = open(&place.path, FileScan::Head).unwrap();
            let links = conn.query_row("SELECT max(id) FROM links", [], |_| Ok(()));
            let error = MirrorFault::from(links.unwrap_err()).error_at(&place.path);
            assert!(matches!(error, StateError::Corrupt { .. }), "{error}");
        }
        assert!(matches!(refusal(&place.path), StateError::Corrupt { .. }));
        assert_eq!(fs::read(&place.path).unwrap(), bytes);
    }

    #[test]
    fn a_file_that_an_older_version_wrote_is_read_as_if_it_was_brought_up_to_date() {
        let place = fresh();
        {
            let mut old = Connection::open(&place.path).unwrap();
            old.execute_batch(schema::WRITE_AHEAD).unwrap();
            schema::MIGRATIONS.to_version(&mut old, 1).unwrap();
            old.execute_batch("INSERT INTO runs (started_at) VALUES (7)").unwrap();
        }
        let before = fs::read(&place.path).unwrap();
        let conn = open_reading(&place.path, FileScan::Whole).unwrap();
        let sql = "SELECT started_at, asked_by FROM runs";
        let row = conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (7, None::<String>));
        assert_eq!(fs::read(&place.path).unwrap(), before);
    }

    #[test]
    fn a_file_on_a_medium_that_is_read_only_is_read() {
        let place = fresh();
        // Of what such names mean in a URI, nothing is meant.
        let path = place.path.with_file_name("100%20 of state?.db#1");
        fs::rename(&place.path, &path).unwrap();
        drop(open_file(&path, FileScan::Whole).unwrap());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let conn = Connection::open_with_flags(immutable_uri(&path), flags).unwrap();
        examine_file(&standing_still(conn).unwrap(), &path, FileScan::Whole).unwrap();
    }

    #[test]
    fn a_newer_schema_is_refused_by_number() {
        let place = fresh();
        open_file(&place.path, FileScan::Whole)
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
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
            match migrate_schema(&mut conn, &place.path) {
                Ok(()) => break,
                Err(fault) => {
                    assert!(matches!(fault.error_at(&place.path), StateError::Full { .. }));
                    failures += 1;
                }
            }
            drop(conn);
            let unharmed = Connection::open(&place.path).unwrap();
            examine_file(&unharmed, &place.path, FileScan::Whole).unwrap();
        }
        assert!(failures > 5, "room ran out at {failures} places");
        open_file(&place.path, FileScan::Whole).unwrap();
    }
}
