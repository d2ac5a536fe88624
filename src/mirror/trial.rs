//! Writing that is taken back.
//!
//! Owns savepoints: the transactions within a transaction.

use rusqlite::Connection;

use super::State;
use super::error::{MirrorFault, StateError};

/// While it lives, everything that is written to the state is on trial: when it is
/// dropped, the state is as it was. Trials may be nested; the inner one ends first.
#[derive(Debug)]
#[must_use = "it ends at once when it is dropped"]
pub struct Trial<'a> {
    conn: &'a Connection,
    is_kept: bool,
}

impl State {
    /// Begins a trial. On a state that others read or write too it locks them out; on
    /// one in memory it costs less than another copy.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_trial(&self) -> Result<Trial<'_>, StateError> {
        Trial::begin(&self.conn).map_err(|fault| fault.error_at(&self.database_path()))
    }
}

impl<'a> Trial<'a> {
    pub(super) fn begin(conn: &'a Connection) -> Result<Trial<'a>, MirrorFault> {
        conn.prepare_cached("SAVEPOINT trial")?.execute([])?;
        Ok(Trial { conn, is_kept: false })
    }

    /// Keeps what was written, as far as the transaction around it is.
    pub(super) fn keep_changes(mut self) -> Result<(), MirrorFault> {
        self.conn.prepare_cached("RELEASE trial")?.execute([])?;
        self.is_kept = true;
        Ok(())
    }

    fn roll_back(&self) -> rusqlite::Result<()> {
        self.conn.prepare_cached("ROLLBACK TO trial")?.execute([])?;
        self.conn.prepare_cached("RELEASE trial")?.execute([])?;
        Ok(())
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // SQLite has rolled everything back itself where this fails.
            let _ = self.roll_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mirror::testing::{at, empty_state};

    #[test]
    fn what_is_written_in_a_trial_is_taken_back_and_the_next_one_begins_the_same() {
        let state = empty_state();
        let kept = state.begin_run(at(0)).unwrap();
        let number = |state: &crate::mirror::State| {
            let outer = state.begin_trial().unwrap();
            let run = state.begin_run(at(1)).unwrap();
            let inner = state.begin_trial().unwrap();
            state.begin_run(at(2)).unwrap();
            drop(inner);
            assert_eq!(state.last_runs(9).unwrap().len(), 2);
            drop(outer);
            run
        };
        let (first, second) = (number(&state), number(&state));
        assert_eq!(first, second);
        assert_eq!(state.last_runs(9).unwrap()[0].id, kept);
        assert_eq!(state.begin_run(at(3)).unwrap(), first);
    }

    #[test]
    fn a_refused_write_within_a_trial_leaves_what_came_before_it() {
        let state = empty_state();
        let _trial = state.begin_trial().unwrap();
        let run = state.begin_run(at(1)).unwrap();
        let unknown = crate::model::IntentId(9);
        assert!(state.mark_sent(unknown, at(2)).is_err());
        assert_eq!(state.last_runs(9).unwrap()[0].id, run);
    }
}
