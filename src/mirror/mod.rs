//! The state: everything linqsync remembers, in one SQLite database in one
//! private directory.
//!
//! Owns `state.db` and its companions, `records.db`, the lock on the directory and the
//! directory for backups; all SQL text is in this module, static, with bound
//! values. Leaves every decision to [`crate::plan`], the writing of backups to
//! [`crate::source`], and knows nothing of files outside its directory, of the
//! network or of the clock: time is an argument.
//!
//! | file | owns |
//! |---|---|
//! | `schema` | tables, views, settings; says what people may query |
//! | `contacts` | the mirror of Linq's contacts |
//! | `links` | pairs and their base |
//! | `rests` | pairs that need not be read while they stay as they are |
//! | `intent`, `journal` | what is about to be written, its legal transitions, and keeping it |
//! | `history`, `runs`, `rejections` | what happened, when, and what Linq refused |
//! | `attention` | what waits, counted by contact
//! | `waiting` | what waits for a person, and what was decided about it |
//! | `not_found` | who is asked for in vain while the listing is in parts |
//! | `outage` | a Linq that does not work, and when it may be asked again |
//! | `told` | what a channel was told last |
//! | `pair` | whose state it is, and taking it over where both sides have moved |
//! | `moving` | bringing a state from where it was used so far |
//! | `memory` | what readings mean and the first backup |
//! | `reading` | what commands that only read ask: row by row, and counted where it is kept |
//! | `past` | the past as commands ask for it: runs, spans of time
//! | `purge` | erasing a person for good |
//! | `records` | the linked records of the source as they were last read, in a file of its own |
//! | `commit` | the one transaction in which the base advances |
//! | `trial` | writing that is taken back |
//! | `checked` | when the whole file was checked last, and whether that still counts |
//! | `connection`, `directory`, `columns`, `error` | opening, modes, encodings, refusals |
//!
//! What holds: an intent is durable before its write is on its way; the base is
//! never ahead of what both sides acknowledged, since it advances only in
//! [`State::commit_changes`], together with the end of the intent; a transaction stands
//! whole or not at all, also when the disk is full or the power fails.

mod attention;
mod checked;
mod columns;
mod commit;
mod connection;
mod contacts;
mod directory;
mod error;
mod history;
mod ignored;
mod intent;
mod journal;
mod links;
mod memory;
mod moving;
mod not_found;
mod outage;
mod pair;
mod past;
mod purge;
mod reading;
mod records;
mod rejections;
mod repeated;
mod rests;
mod runs;
mod schema;
#[cfg(test)]
mod testing;
mod told;
mod trial;
mod waiting;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use commit::{ContactChange, StateChange};
pub use contacts::ShownContact;
pub use directory::DATABASE;
pub use error::StateError;
pub use history::{HistoryAction, HistoryEntry, HistoryRow};
pub use intent::{Intent, IntentKind, IntentOutcome, IntentState, IntentStep, NewIntent};
pub use links::{LinkChange, LinkKey};
pub use not_found::NotFound;
pub use outage::{LinqDown, WhyDown};
pub use pair::{SyncPair, Unrecognised};
pub use past::{RunDeeds, Span};
pub use purge::ContactTraces;
pub use reading::{LinkCounts, LinkSeen, WaitingKinds};
pub use records::KeptRecord;
pub use rejections::{RejectionChange, StoredRejection};
pub use repeated::RepeatedWrite;
pub use runs::{Failures, RunOrigin, StoredRun, StoredRunEnd};
pub use told::Notified;
pub use trial::Trial;

pub use crate::lock::Holder;

use crate::lock::{self, Lock};
use crate::model::Timestamp;
use checked::OrderlyEnd;
use connection::FileScan;
use error::MirrorFault;
use pair::Expected;
use records::RecordStore;

/// An open state. It is used by one task; each method is a transaction of its own.
#[derive(Debug)]
pub struct State {
    // Closed before the lock goes: fields are dropped in order.
    conn: Connection,
    /// `None` for a state that is only read, and where another process holds it.
    _end: Option<OrderlyEnd>,
    dir: PathBuf,
    /// The linked records as they were last read.
    records: RecordStore,
    /// `None` for a scratch copy, which leaves the directory alone.
    lock: Option<Lock>,
    expected: Expected,
}

impl State {
    /// Opens the state in `dir` for writing and holds it until it is dropped. What
    /// is missing is made: the directory with mode 0700, its files with 0600. The whole
    /// database is checked unless that was done within a day of `now` and it has been left
    /// alone since.
    ///
    /// # Errors
    /// [`StateError::Held`] when another process works with it,
    /// [`StateError::Permissions`] when others can look into the directory or
    /// another user owns it, [`StateError::Corrupt`], [`StateError::Newer`] and
    /// [`StateError::NotOurs`] when the file is not one to work with; it is then
    /// left as it is.
    pub fn open(dir: &Path, now: Timestamp) -> Result<State, StateError> {
        let dir = absolute_path(dir)?;
        directory::prepare_directory(&dir)?;
        let lock = directory::lock_directory(&dir)?;
        let path = dir.join(directory::DATABASE);
        directory::make_file(&path)?;
        let counts = |at: &Timestamp| checked::still_counts(*at, now);
        let checked_at = checked::last_check(&path).filter(counts);
        let look = checked_at.map_or(FileScan::Whole, |_| FileScan::Head);
        let conn = connection::open_file(&path, look).map_err(|fault| fault.error_at(&path))?;
        let end = OrderlyEnd { path, checked_at: checked_at.unwrap_or(now) };
        Ok(State {
            conn,
            _end: Some(end),
            dir,
            records: RecordStore::default(),
            lock: Some(lock),
            expected: Expected::default(),
        })
    }

    /// Copies the state in `dir` into memory, for runs that are only tried; where there is
    /// none, the copy is empty. It works beside a running daemon, takes no lock, and neither
    /// creates nor changes anything on disk (SQLite's own `-wal` and `-shm` aside). What is
    /// written to the copy is lost.
    ///
    /// # Errors
    /// As [`State::open`], except that nobody's lock and no other owner matters.
    pub fn open_copy(dir: &Path) -> Result<State, StateError> {
        State::open_snapshot(dir, connection::copy_to_memory)
    }

    /// Opens the state in `dir` to read it as it is at this moment, whatever others write to
    /// it meanwhile; where there is none, it is empty. As with [`State::open_copy`], nothing on
    /// disk is changed. Nothing can be written to it.
    ///
    /// # Errors
    /// As [`State::open_copy`].
    pub fn open_reading(dir: &Path) -> Result<State, StateError> {
        State::open_snapshot(dir, connection::open_reading)
    }

    fn open_snapshot(
        dir: &Path,
        open: fn(&Path, FileScan) -> Result<Connection, MirrorFault>,
    ) -> Result<State, StateError> {
        let dir = absolute_path(dir)?;
        let path = dir.join(directory::DATABASE);
        if directory::path_exists(&dir)? {
            directory::refuse_shared(&dir)?;
        }
        let opened = if directory::path_exists(&path)? {
            open(&path, look_beside(&dir, &path))
        } else {
            connection::open_empty(&path)
        };
        let conn = opened.map_err(|fault| fault.error_at(&path))?;
        Ok(State {
            conn,
            _end: None,
            dir,
            records: RecordStore::default(),
            lock: None,
            expected: Expected::default(),
        })
    }

    /// Opens the state in `dir` beside whoever holds it, for decisions alone: they are
    /// carried out by the next run. `None` where there is no state yet.
    ///
    /// # Errors
    /// As [`State::open`], except that nobody's lock matters.
    pub fn open_beside(dir: &Path) -> Result<Option<State>, StateError> {
        let dir = absolute_path(dir)?;
        let path = dir.join(directory::DATABASE);
        if !directory::path_exists(&path)? {
            return Ok(None);
        }
        directory::refuse_shared(&dir)?;
        let checked_at = checked::last_check(&path);
        let look = look_beside(&dir, &path);
        let conn = connection::open_file(&path, look).map_err(|fault| fault.error_at(&path))?;
        let end = checked_at.map(|checked_at| OrderlyEnd { path, checked_at });
        Ok(Some(State {
            conn,
            _end: end,
            dir,
            records: RecordStore::default(),
            lock: None,
            expected: Expected::default(),
        }))
    }

    /// Opens the state in `dir` that another process holds and shares its `lock`: that
    /// process has looked whether the state is one to work with.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn open_entrusted(dir: &Path, lock: File) -> Result<State, StateError> {
        let dir = absolute_path(dir)?;
        let path = dir.join(directory::DATABASE);
        let conn = connection::open_examined(&path).map_err(|fault| fault.error_at(&path))?;
        let lock = Some(Lock::from_entrusted(lock));
        Ok(State {
            conn,
            _end: None,
            dir,
            records: RecordStore::default(),
            lock,
            expected: Expected::default(),
        })
    }

    /// The lock on the directory, for a child to which the state is entrusted; `None`
    /// where this process does not hold it.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn share_lock(&self) -> io::Result<Option<File>> {
        self.lock.as_ref().map(Lock::share_file).transpose()
    }

    /// Who works with the state in `dir`, as far as the system tells.
    pub fn holder(dir: &Path) -> Option<Holder> {
        lock::find_holder(&dir.join(directory::LOCK))
    }

    /// The directory for backups of the source, made on demand with mode 0700. A
    /// scratch copy only names it.
    ///
    /// # Errors
    /// When it cannot be made, or others can look into it.
    pub fn backups_dir(&self) -> Result<PathBuf, StateError> {
        if self.lock.is_some() {
            directory::make_backups(&self.dir)?;
        }
        Ok(directory::backup_directory(&self.dir))
    }

    /// Does `work` in one transaction, which stands only if all of it succeeds.
    fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, MirrorFault>,
    ) -> Result<T, StateError> {
        let transact = || {
            if !self.conn.is_autocommit() {
                // Within a trial.
                let part = Trial::begin(&self.conn)?;
                let done = work(&self.conn)?;
                part.keep_changes()?;
                return Ok(done);
            }
            // Immediate: one that starts by reading would fail instead of waiting.
            let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        transact().map_err(|fault: MirrorFault| fault.error_at(&self.database_path()))
    }

    /// Does `work` in one transaction that a loss of power may take back until something durable
    /// is written; a program that is killed has written it.
    fn write_soon<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, MirrorFault>,
    ) -> Result<T, StateError> {
        if !self.conn.is_autocommit() {
            return self.write(work);
        }
        self.set(schema::SOON)?;
        let done = self.write(work);
        self.set(schema::DURABLE)?;
        done
    }

    fn set(&self, pragma: &str) -> Result<(), StateError> {
        self.conn
            .execute_batch(pragma)
            .map_err(|e| MirrorFault::from(e).error_at(&self.database_path()))
    }

    /// Does `work`, which only reads.
    fn with_connection<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        work(&self.conn).map_err(|error| MirrorFault::from(error).error_at(&self.database_path()))
    }

    fn database_path(&self) -> PathBuf {
        self.dir.join(directory::DATABASE)
    }
}

/// How much of the database somebody looks at who does not hold it: whoever holds it has
/// checked it.
fn look_beside(dir: &Path, path: &Path) -> FileScan {
    if checked::last_check(path).is_some() || State::holder(dir).is_some() {
        FileScan::Head
    } else {
        FileScan::Whole
    }
}

/// An absolute path cannot be taken for a URI, and says in an error where it is.
fn absolute_path(dir: &Path) -> Result<PathBuf, StateError> {
    std::path::absolute(dir).map_err(|source| StateError::Io { path: dir.to_owned(), source })
}

#[cfg(test)]
mod tests;
