//! Why the state cannot be used, and what a person does about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::intent::{IntentState, IntentStep};
use super::pair::SyncPair;
use crate::lock::{Holder, LockError};
use crate::model::{IntentId, LinkId, LinqId, RunId};

/// Why the state could not be opened, read or written. Whatever failed, nothing
/// of it was written: a transaction stands as a whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process works with this state. Wait for it, or stop it.
    #[error("another linqsync{} holds the state in {}", holder.map(|h| format!(" ({h})")).unwrap_or_default(), dir.display())]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// Who holds it, where the system tells.
        holder: Option<Holder>,
    },
    /// The state directory would show people's data to others, or is not ours.
    #[error("{} {problem}", path.display())]
    Permissions {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged. It is left as it is; losing it is safe.
    #[error("{} is damaged: {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What shows it.
        problem: String,
    },
    /// The file was written by a newer version. Use that one.
    #[error("{} was written by a newer linqsync (schema {found}; this one knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: usize,
    },
    /// The file is another program's database. It is left as it is.
    #[error("{} is a database of another program", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Another program has the file locked for longer than is waited. Try again.
    #[error("{} is locked by another program", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// There is no room left. What was committed before can still be read.
    #[error("no room left to write {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The state belongs to another pair of Linq and source.
    #[error("the state in {} belongs to {remembered}, and the configuration names {asked}", dir.display())]
    Foreign {
        /// The state directory.
        dir: PathBuf,
        /// The pair that the state was made for.
        remembered: SyncPair,
        /// The pair that is asked for now.
        asked: SyncPair,
    },
    /// A second link was to be made to a contact that has one.
    #[error("contact {0} is linked already")]
    AlreadyLinked(LinqId),
    /// No link has this id.
    #[error("there is no link {0}")]
    UnknownLink(LinkId),
    /// No run has this number.
    #[error("there is no run {0}")]
    UnknownRun(RunId),
    /// No open intent has this id.
    #[error("there is no open intent {0}")]
    UnknownIntent(IntentId),
    /// Something was decided that nobody is asked for any more.
    #[error("what was decided about does not wait any more")]
    NotWaiting,
    /// An intent was to take a step that its state does not allow.
    #[error("intent {intent} is {state} and cannot be {step}")]
    IllegalStep {
        /// The intent.
        intent: IntentId,
        /// What it is.
        state: IntentState,
        /// What it was to become.
        step: IntentStep,
    },
    /// SQLite failed in another way.
    #[error("cannot read or write {}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StateError {
    /// What a person can do about it, where there is something to do.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            StateError::Held { .. } => Some("wait for that process to end, or stop it"),
            StateError::Permissions { .. } => Some(
                "run linqsync as the user who owns the directory (`runuser -u USER -- linqsync …`), or give it to this one, with mode 0700",
            ),
            StateError::Corrupt { .. } => Some(
                "move state.db, state.db-wal and state.db-shm aside and run again: without its state linqsync links both sides anew and deletes nothing",
            ),
            StateError::Newer { .. } => Some("run the newer version, or use another [state] dir"),
            StateError::NotOurs { .. } => Some("name another directory in [state] dir"),
            StateError::Busy { .. } => {
                Some("end the program that reads or copies state.db, then run again")
            }
            StateError::Full { .. } => Some("make room on the disk, then run again"),
            StateError::Foreign { .. } => Some(
                "where the source was renamed or moved, or Linq has another address: `linqsync adopt` keeps links and history; else put the configuration back, or name another directory in [state] dir",
            ),
            StateError::NotWaiting => Some("look at `linqsync list` again"),
            StateError::Io { .. }
            | StateError::AlreadyLinked(_)
            | StateError::UnknownLink(_)
            | StateError::UnknownRun(_)
            | StateError::UnknownIntent(_)
            | StateError::IllegalStep { .. }
            | StateError::Database { .. } => None,
        }
    }

    /// The lock on `dir` could not be taken.
    pub(super) fn cannot_lock(dir: &Path, error: LockError) -> StateError {
        match error {
            LockError::Held { holder, .. } => StateError::Held { dir: dir.to_owned(), holder },
            LockError::Io { path, source } => StateError::Io { path, source },
        }
    }
}

/// A failure inside the mirror, before it is known which file it concerns.
#[derive(Debug)]
pub(super) enum MirrorFault {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// The mirror itself refused.
    State(StateError),
}

impl From<rusqlite::Error> for MirrorFault {
    fn from(error: rusqlite::Error) -> MirrorFault {
        MirrorFault::Sql(error)
    }
}

impl From<StateError> for MirrorFault {
    fn from(error: StateError) -> MirrorFault {
        MirrorFault::State(error)
    }
}

impl MirrorFault {
    /// The error for the caller: what SQLite said, by what the caller can do.
    pub(super) fn error_at(self, path: &Path) -> StateError {
        let path = path.to_owned();
        let error = match self {
            MirrorFault::State(error) => return error,
            MirrorFault::Sql(error) => error,
        };
        if let Some(column) = unreadable_column(&error) {
            // The cause may quote the value, which is somebody's.
            let problem = format!("a row cannot be read (column {column})");
            return StateError::Corrupt { path, problem };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StateError::Corrupt { path, problem: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Busy { path },
            Some(ErrorCode::DiskFull) => StateError::Full { path },
            Some(_) | None => StateError::Database { path, source: error.into() },
        }
    }
}

/// The column whose stored value is not what this program writes, if that is
/// what `error` is about.
fn unreadable_column(error: &rusqlite::Error) -> Option<usize> {
    if let rusqlite::Error::FromSqlConversionFailure(column, ..)
    | rusqlite::Error::IntegralValueOutOfRange(column, _)
    | rusqlite::Error::Utf8Error(column, _)
    | rusqlite::Error::InvalidColumnType(column, ..) = error
    {
        Some(*column)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_row_is_named_without_its_value() {
        let cause = serde_json::from_str::<u8>("\"ada@example.org\"").unwrap_err();
        let error = rusqlite::Error::FromSqlConversionFailure(
            5,
            rusqlite::types::Type::Text,
            Box::new(cause),
        );
        let error = MirrorFault::Sql(error).error_at(Path::new("/s/state.db"));
        assert_eq!(error.to_string(), "/s/state.db is damaged: a row cannot be read (column 5)");
        assert!(!format!("{error:?}").contains("ada"));
    }

    #[test]
    fn what_a_person_can_mend_says_how() {
        let path = || PathBuf::from("state.db");
        let mendable = [
            StateError::Held { dir: path(), holder: None },
            StateError::Corrupt { path: path(), problem: String::new() },
            StateError::Newer { path: path(), found: 9, known: 1 },
            StateError::NotOurs { path: path() },
            StateError::Full { path: path() },
        ];
        for error in mendable {
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
