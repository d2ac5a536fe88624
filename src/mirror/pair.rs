//! Whose state it is: the pair of Linq and source that it keeps the same.
//!
//! Owns the pair in the table `meta`: asked for when a state is opened, written down once both
//! sides were read, and replaced when a person says that the pair is elsewhere now.

use std::cell::RefCell;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::State;
use super::error::StateError;
use super::history::{self, HistoryEntry};
use super::links::{self, LinkChange};
use super::memory::{self, recall_value, remember_value};
use super::outage;
use crate::model::{LinkId, RunId, Timestamp};

/// The two places that a state keeps the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPair {
    /// Linq's base URL.
    pub base_url: String,
    /// The path of the source.
    pub source: String,
}

impl fmt::Display for SyncPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.base_url, self.source)
    }
}

/// The pair that a process has opened a state for, which may have no pair so far.
pub(super) type Expected = RefCell<Option<SyncPair>>;

/// A link that an adoption releases, with what the history tells of that.
#[derive(Debug)]
pub struct Unrecognised {
    /// The link.
    pub link: LinkId,
    /// What the history tells.
    pub entry: HistoryEntry,
}

const PAIR: &str = "pair";

impl State {
    /// The pair that it belongs to; `None` as long as it was not used.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stored_pair(&self) -> Result<Option<SyncPair>, StateError> {
        self.with_connection(|conn| recall_value(conn, PAIR))
    }

    /// Makes sure that it is the state of `pair`, or of none so far, which [`State::claim_pair`]
    /// makes it. Paths and addresses are compared literally.
    ///
    /// # Errors
    /// [`StateError::Foreign`] names both pairs when it is the state of another one.
    pub fn expect_pair(&self, pair: &SyncPair) -> Result<(), StateError> {
        self.refuse_other(self.stored_pair()?, pair)?;
        self.expected.replace(Some(pair.clone()));
        Ok(())
    }

    /// Writes down the pair that it was opened for, if it has none so far.
    ///
    /// # Errors
    /// [`StateError::Foreign`] when it is the state of another pair by now.
    pub fn claim_pair(&self) -> Result<(), StateError> {
        let Some(pair) = self.expected.borrow().clone() else { return Ok(()) };
        if self.stored_pair()?.as_ref() == Some(&pair) {
            return Ok(());
        }
        self.write(|tx| {
            self.refuse_other(recall_value(tx, PAIR)?, &pair)?;
            remember_value(tx, PAIR, &pair)
        })
    }

    /// Makes it the state of `pair`, which is where its contacts are now, and releases the
    /// links whose halves were not found there. What was only true of the places before is
    /// forgotten: that Linq was down, what it said does not exist, who is at rest, and that
    /// the source was backed up.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn adopt_pair(
        &self,
        pair: &SyncPair,
        unrecognised: &[Unrecognised],
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            remember_value(tx, PAIR, pair)?;
            let last: Option<RunId> =
                tx.query_row("SELECT max(id) FROM runs", [], |row| row.get(0))?;
            for Unrecognised { link, entry } in unrecognised {
                links::change_link(tx, &LinkChange::Release(*link))?;
                if let Some(run) = last {
                    history::append_entry(tx, run, at, entry)?;
                }
            }
            tx.execute("DELETE FROM not_found", [])?;
            for name in [outage::LINQ_DOWN, memory::BACKED_UP_AT, memory::EPOCH] {
                memory::forget_value(tx, name)?;
            }
            Ok(())
        })?;
        self.expected.replace(Some(pair.clone()));
        Ok(())
    }

    fn refuse_other(
        &self,
        remembered: Option<SyncPair>,
        asked: &SyncPair,
    ) -> Result<(), StateError> {
        match remembered {
            Some(remembered) if remembered != *asked => {
                Err(StateError::Foreign { dir: self.dir.clone(), remembered, asked: asked.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, empty_state, insert};
    use crate::mirror::{HistoryAction, StateChange};
    use crate::model::{LinkStatus, LinqId, Side};

    fn pair(base_url: &str, source: &str) -> SyncPair {
        SyncPair { base_url: base_url.to_owned(), source: source.to_owned() }
    }

    #[test]
    fn a_state_keeps_to_its_first_pair_and_names_both_when_asked_for_another() {
        let state = empty_state();
        let first = pair("https://api.linqapp.com", "/srv/contacts.csv");
        state.claim_pair().unwrap();
        assert_eq!(state.stored_pair().unwrap(), None, "it was opened for no pair");
        state.expect_pair(&first).unwrap();
        assert_eq!(state.stored_pair().unwrap(), None, "nothing was read yet");
        state.claim_pair().unwrap();
        state.claim_pair().unwrap();
        assert_eq!(state.stored_pair().unwrap().as_ref(), Some(&first));
        for other in [
            pair("https://api.linqapp.com", "/srv/other.csv"),
            pair("http://127.0.0.1:8080", "/srv/contacts.csv"),
        ] {
            let error = state.expect_pair(&other).unwrap_err();
            assert!(matches!(error, StateError::Foreign { .. }));
            for part in [&first.base_url, &first.source, &other.base_url, &other.source] {
                assert!(error.to_string().contains(part.as_str()), "{error}");
            }
            assert!(error.to_string().contains("/nonexistent/linqsync"), "{error}");
        }
        state.expect_pair(&first).unwrap();
    }

    #[test]
    fn a_pair_that_was_only_tried_leaves_the_state_to_another() {
        let state = empty_state();
        state.expect_pair(&pair("https://api.linqapp.com", "/srv/typo.csv")).unwrap();
        let right = pair("https://api.linqapp.com", "/srv/contacts.csv");
        state.expect_pair(&right).unwrap();
        state.claim_pair().unwrap();
        assert_eq!(state.stored_pair().unwrap(), Some(right));
    }

    #[test]
    fn an_adoption_keeps_links_and_history_and_releases_who_was_not_recognised() {
        let state = empty_state();
        state.expect_pair(&pair("http://a", "/old.csv")).unwrap();
        state.claim_pair().unwrap();
        let run = state.begin_run(at(0)).unwrap();
        let record = |id| StateChange { link: insert(id), ..StateChange::default() };
        state.commit_changes(run, at(1), &[record(7), record(8)]).unwrap();
        state.remember_backup(at(2)).unwrap();
        let gone = state.links().unwrap()[1].clone();
        let entry = HistoryEntry {
            side: Side::Linq,
            action: HistoryAction::Release,
            linq_id: Some(gone.linq_id),
            source_key: None,
            name: ada().display_name(),
            changes: Vec::new(),
            bases: Vec::new(),
            before: None,
            record: None,
            version: None,
            place: None,
            bytes: None,
            reason: "not recognised".to_owned(),
            approved: false,
            decided: None,
        };
        let new = pair("http://a", "/new.csv");
        state.adopt_pair(&new, &[Unrecognised { link: gone.id, entry }], at(3)).unwrap();
        assert_eq!(state.stored_pair().unwrap(), Some(new));
        let statuses: Vec<_> = state.links().unwrap().iter().map(|link| link.status).collect();
        assert_eq!(statuses, [LinkStatus::Linked, LinkStatus::Released]);
        assert_eq!(state.history_of(LinqId(8)).unwrap().len(), 1);
        assert_eq!(state.backed_up_at().unwrap(), None, "the new file is backed up before a write");
    }
}
