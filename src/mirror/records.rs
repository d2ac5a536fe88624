//! The linked records of the source, whole, as they were last read.
//!
//! A record that a person removes is gone by the time that anybody knows: so each is kept
//! from one run to the next, until its link is no more. When its contact is deleted it moves
//! into the history, and comes back with an undo. All of this is in a file of its own,
//! `records.db`: dry runs copy the state into memory, and cards may have
//! pictures. Nothing else depends on it. One that is lost or damaged is begun anew.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::State;
use super::columns::Json;
use super::directory;
use super::error::{MirrorFault, StateError};
use super::trial::Trial;
use crate::model::{AsWritten, Fingerprint, LinkId, Values};

const SETTINGS: &str = "
PRAGMA journal_mode = TRUNCATE;
PRAGMA secure_delete = ON;
PRAGMA trusted_schema = OFF;
";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS records (
    link      INTEGER PRIMARY KEY,
    stamp     BLOB NOT NULL CHECK (length(stamp) = 32),
    fields    TEXT NOT NULL CHECK (json_valid(fields)),
    text      TEXT NOT NULL,
    place     TEXT NOT NULL,
    bytes     BLOB
) STRICT;
";

/// A record as it was last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRecord {
    /// The values of its mapped fields.
    pub values: Values,
    /// All of it.
    pub written: AsWritten,
}

/// The file, opened where it is needed.
#[derive(Debug, Default)]
pub(super) struct RecordStore(OnceCell<Connection>);

impl State {
    /// Keeps the linked records that are `there`, each with its stamp, and forgets those whose
    /// link is no more. All others stay as they are. Only what has another stamp than before
    /// is `read`, and written. A scratch copy keeps nothing.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_records(
        &self,
        there: &BTreeMap<LinkId, Fingerprint>,
        read: &mut dyn FnMut(LinkId) -> Option<KeptRecord>,
    ) -> Result<(), StateError> {
        let Some(conn) = self.records_db()? else { return Ok(()) };
        let path = self.records_path();
        let unlinked = self.unlinked_records()?;
        let mut keep = || -> Result<(), MirrorFault> {
            let part = Trial::begin(conn)?;
            for link in &unlinked {
                conn.prepare_cached("DELETE FROM records WHERE link = ?1")?.execute([link])?;
            }
            for (link, stamp) in there {
                let known: Option<Fingerprint> = conn
                    .prepare_cached("SELECT stamp FROM records WHERE link = ?1")?
                    .query_row([link], |row| row.get(0))
                    .optional()?;
                if known == Some(*stamp) {
                    continue;
                }
                if let Some(KeptRecord { values, written }) = read(*link) {
                    conn.prepare_cached(
                        "INSERT OR REPLACE INTO records (link, stamp, fields, text, place, bytes)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        link,
                        stamp,
                        Json(&values),
                        written.text,
                        written.place,
                        written.bytes
                    ])?;
                }
            }
            part.keep_changes()
        };
        keep().map_err(|fault| fault.error_at(&path))?;
        self.write(|tx| {
            let mut done = tx.prepare_cached("DELETE FROM unlinked WHERE link = ?1")?;
            for link in &unlinked {
                done.execute([link])?;
            }
            Ok(())
        })
    }

    /// The links that are no more, and whose records are still to be forgotten.
    fn unlinked_records(&self) -> Result<Vec<LinkId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT link FROM unlinked")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// The record of `link` as it was last read; `None` where none was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept_record(&self, link: LinkId) -> Result<Option<KeptRecord>, StateError> {
        let Some(conn) = self.records_db()? else { return Ok(None) };
        let read = || -> Result<Option<KeptRecord>, MirrorFault> {
            let sql = "SELECT fields, text, place, bytes FROM records WHERE link = ?1";
            let record = |row: &rusqlite::Row<'_>| {
                let Json(values) = row.get(0)?;
                let written =
                    AsWritten { text: row.get(1)?, place: row.get(2)?, bytes: row.get(3)? };
                Ok(KeptRecord { values, written })
            };
            Ok(conn.prepare_cached(sql)?.query_row([link], record).optional()?)
        };
        read().map_err(|fault| fault.error_at(&self.records_path()))
    }

    /// Forgets the records but those of the links in `stay` in which `is_told` finds nothing,
    /// and all that the file held of them.
    pub(super) fn forget_records(
        &self,
        stay: &BTreeSet<LinkId>,
        is_told: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(), StateError> {
        let Some(conn) = self.records_db()? else { return Ok(()) };
        let forget = || -> Result<(), MirrorFault> {
            let mut gone = Vec::new();
            let mut records = conn.prepare("SELECT link, fields, text, bytes FROM records")?;
            let mut rows = records.query([])?;
            while let Some(row) = rows.next()? {
                let (link, fields, text): (LinkId, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let bytes: Option<Vec<u8>> = row.get(3)?;
                let all = [fields.as_bytes(), text.as_bytes(), &bytes.unwrap_or_default()];
                if !stay.contains(&link) || all.into_iter().any(is_told) {
                    gone.push(link);
                }
            }
            for link in gone {
                conn.execute("DELETE FROM records WHERE link = ?1", [link])?;
            }
            drop(rows);
            Ok(conn.execute_batch("VACUUM")?)
        };
        forget().map_err(|fault| fault.error_at(&self.records_path()))
    }

    fn records_path(&self) -> PathBuf {
        self.dir.join(directory::RECORDS)
    }

    /// The file, if this process works with the state. What is no such file is begun anew. A
    /// state that is in memory alone has its records there, too.
    fn records_db(&self) -> Result<Option<&Connection>, StateError> {
        if self.lock.is_none() {
            if directory::path_exists(&self.database_path())? {
                return Ok(None);
            }
            let made = self.conn.execute_batch(SCHEMA);
            return made
                .map(|()| Some(&self.conn))
                .map_err(|e| MirrorFault::from(e).error_at(&self.dir));
        }
        if let Some(conn) = self.records.0.get() {
            return Ok(Some(conn));
        }
        let path = self.records_path();
        directory::make_file(&path)?;
        let conn = match open_records(&path) {
            Ok(conn) => conn,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the file is damaged and is begun anew");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "we made it, and nothing depends on it"
                )]
                fs::remove_file(&path)
                    .map_err(|source| StateError::Io { path: path.clone(), source })?;
                directory::make_file(&path)?;
                open_records(&path).map_err(|error| MirrorFault::from(error).error_at(&path))?
            }
        };
        Ok(Some(self.records.0.get_or_init(|| conn)))
    }
}

fn open_records(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.execute_batch(SETTINGS)?;
    conn.execute_batch(SCHEMA)?;
    // Whatever is no such table shows here.
    conn.prepare("SELECT link, stamp, fields, text, place, bytes FROM records")?.exists([])?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, commit, insert};
    use crate::mirror::{LinkChange, StateChange};
    use crate::model::LinqId;

    fn record(text: &str) -> KeptRecord {
        let place = "..".to_owned();
        KeptRecord {
            values: ada(),
            written: AsWritten { text: text.to_owned(), place, bytes: None },
        }
    }

    #[test]
    fn records_are_kept_while_their_link_is_there_and_read_only_when_they_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let state = State::open(&dir, at(0)).unwrap();
        let links = [7, 8].map(|id| {
            commit(&state, [StateChange { link: insert(id), ..StateChange::default() }]).unwrap();
            state.links_of(&[LinqId(id)].into()).unwrap()[0].id
        });
        let mut read = Vec::new();
        let mut keep = |there: &[(LinkId, &[u8])], text: &str| {
            let there = there.iter().map(|(link, stamp)| (*link, Fingerprint::of(stamp)));
            read.clear();
            let mut note = |link| {
                read.push(link);
                Some(record(text))
            };
            state.keep_records(&there.collect(), &mut note).unwrap();
            read.clone()
        };
        let both: [(LinkId, &[u8]); 2] = [(links[0], b"a"), (links[1], b"b")];
        assert_eq!(keep(&both, "old"), links);
        assert_eq!(keep(&both, "new"), []);
        let one: [(LinkId, &[u8]); 1] = [(links[0], b"c")];
        assert_eq!(keep(&one, "new"), [links[0]]);
        assert_eq!(state.kept_record(links[0]).unwrap(), Some(record("new")));
        assert_eq!(state.kept_record(links[1]).unwrap(), Some(record("old")), "it is gone");
        for link in [LinkChange::Remove(links[1]), LinkChange::Release(links[0])] {
            commit(&state, [StateChange { link, ..StateChange::default() }]).unwrap();
            keep(&[], "new");
        }
        assert_eq!(links.map(|link| state.kept_record(link).unwrap()), [None, None]);
        assert_eq!(State::open_copy(&dir).unwrap().kept_record(links[0]).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        drop(State::open(&dir, at(0)).unwrap());
        fs::write(dir.join(directory::RECORDS), "no database, whatever else it is ".repeat(99))
            .unwrap();
        let state = State::open(&dir, at(0)).unwrap();
        let there = BTreeMap::from([(LinkId(1), Fingerprint::of(b"a"))]);
        state.keep_records(&there, &mut |_| Some(record("new"))).unwrap();
        assert_eq!(state.kept_record(LinkId(1)).unwrap(), Some(record("new")));
    }
}
