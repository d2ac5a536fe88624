//! A state that another configuration, or another machine, has used so far.
//!
//! Owns getting it to where this configuration has its own. Nothing that was in either place
//! is lost: a directory that was never used changes places with the one that moves, and what
//! is copied stays where it was. Leaves whose it is then to `pair`.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::connection::{self, FileScan};
use super::directory;
use super::error::{MirrorFault, StateError};
use super::{State, absolute_path};
use crate::model::Timestamp;

impl State {
    /// Whether nothing was ever synchronised with it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_unused(&self) -> Result<bool, StateError> {
        let links = self.count_links()?;
        Ok(self.stored_pair()?.is_none() && links.linked + links.released == 0)
    }

    /// Moves the state directory `from` to `to`, on the same file system. An unused state in
    /// `to` is in `from` then.
    ///
    /// # Errors
    /// When another process works with either of them, or they cannot be moved.
    pub fn relocate_state(from: &Path, to: &Path, now: Timestamp) -> Result<(), StateError> {
        let (from, to) = (absolute_path(from)?, absolute_path(to)?);
        // Nobody works with it, and what was written last is in the database itself.
        drop(State::open(&from, now)?);
        let flags = if directory::path_exists(&to)? {
            drop(State::open(&to, now)?);
            RenameFlags::EXCHANGE
        } else {
            RenameFlags::NOREPLACE
        };
        let at = |source: std::io::Error| StateError::Io { path: to.clone(), source };
        let parent = to.parent().unwrap_or(&to);
        fs::create_dir_all(parent).map_err(at)?;
        renameat_with(CWD, &from, CWD, &to, flags).map_err(|errno| at(errno.into()))?;
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(at)
    }

    /// Makes this state a copy of the one in `from`, which stays as it is. Copies of the
    /// source that were made before writes to it are not taken along.
    ///
    /// # Errors
    /// When another process works with the other one, or it cannot be copied.
    pub fn copy_from(&mut self, from: &Path) -> Result<(), StateError> {
        let from = absolute_path(from)?;
        directory::refuse_shared(&from)?;
        if let Some(holder) = State::holder(&from) {
            return Err(StateError::Held { dir: from, holder: Some(holder) });
        }
        let path = from.join(directory::DATABASE);
        let copied = connection::copy_to_memory(&path, FileScan::Whole)
            .and_then(|copy| replace_contents(&copy, &mut self.conn));
        copied.map_err(|fault| fault.error_at(&path))?;
        let (path, ours) = (from.join(directory::RECORDS), self.dir.join(directory::RECORDS));
        if !directory::path_exists(&path)? {
            return Ok(());
        }
        directory::make_file(&ours)?;
        let copied = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(MirrorFault::from)
            .and_then(|records| replace_contents(&records, &mut Connection::open(&ours)?));
        copied.map_err(|fault| fault.error_at(&path))
    }
}

/// Makes `to` what `from` is, in one transaction.
fn replace_contents(from: &Connection, to: &mut Connection) -> Result<(), MirrorFault> {
    let path = to.path().unwrap_or_default().into();
    if Backup::new(from, to)?.step(-1)? == StepResult::Done {
        Ok(())
    } else {
        Err(StateError::Busy { path }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{at, insert};
    use crate::mirror::{StateChange, SyncPair};

    fn used(dir: &Path) -> SyncPair {
        let pair = SyncPair { base_url: "http://a".to_owned(), source: "/b.csv".to_owned() };
        let state = State::open(dir, at(0)).unwrap();
        state.expect_pair(&pair).unwrap();
        state.claim_pair().unwrap();
        let run = state.begin_run(at(0)).unwrap();
        state
            .commit_changes(
                run,
                at(1),
                &[StateChange { link: insert(7), ..StateChange::default() }],
            )
            .unwrap();
        pair
    }

    #[test]
    fn a_state_moves_whole_and_changes_places_with_one_that_was_never_used() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("old"), dir.path().join("new"));
        let pair = used(&from);
        drop(State::open(&to, at(0)).unwrap());
        State::relocate_state(&from, &to, at(2)).unwrap();
        let state = State::open(&to, at(3)).unwrap();
        assert_eq!(state.stored_pair().unwrap(), Some(pair));
        assert_eq!(state.links().unwrap().len(), 1);
        assert!(State::open(&from, at(3)).unwrap().is_unused().unwrap());
    }

    #[test]
    fn a_state_that_is_at_work_is_neither_moved_nor_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("old"), dir.path().join("new"));
        used(&from);
        let held = State::open(&from, at(2)).unwrap();
        let moved = State::relocate_state(&from, &to, at(2)).unwrap_err();
        assert!(matches!(moved, StateError::Held { .. }));
        let copied = State::open(&to, at(2)).unwrap().copy_from(&from).unwrap_err();
        assert!(matches!(copied, StateError::Held { .. }));
        drop(held);
    }

    #[test]
    fn a_copy_has_everything_and_leaves_the_other_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("old"), dir.path().join("new"));
        let pair = used(&from);
        let mut state = State::open(&to, at(2)).unwrap();
        assert!(state.is_unused().unwrap());
        state.copy_from(&from).unwrap();
        drop(state);
        for dir in [&from, &to] {
            let state = State::open(dir, at(3)).unwrap();
            assert_eq!(state.stored_pair().unwrap().as_ref(), Some(&pair));
            assert_eq!(state.links().unwrap().len(), 1);
        }
    }
}
