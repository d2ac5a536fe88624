//! What waits for a person, and what was decided about it.
//!
//! Owns the tables `waiting` and `decisions`. A decision keeps what was shown to the
//! person who made it, and stays until it is carried out, or is void since that has
//! changed: whatever runs come in between.

use rusqlite::{Connection, OptionalExtension};

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use crate::model::{Decided, Decision, Fingerprint, Timestamp, Waiting};

impl State {
    /// What waited when the last run ended, in the order of its plan.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stored_waiting(&self) -> Result<Vec<Waiting>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT waiting FROM waiting ORDER BY position")?
                .query_map([], |row| row.get(0).map(|Json(waiting)| waiting))?
                .collect()
        })
    }

    /// Remembers what waits, in place of what waited before.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn replace_waiting(&self, waiting: &[Waiting]) -> Result<(), StateError> {
        if self.stored_waiting()? == waiting {
            return Ok(());
        }
        self.write(|tx| {
            tx.prepare_cached("DELETE FROM waiting")?.execute([])?;
            for (position, waiting) in (0_i64..).zip(waiting) {
                tx.prepare_cached(
                    "INSERT OR IGNORE INTO waiting (what, position, waiting) VALUES (?1, ?2, ?3)",
                )?
                .execute((waiting.question_id, position, Json(waiting)))?;
            }
            Ok(())
        })
    }

    /// Remembers decisions of the user `by` for the next run, each about something that
    /// waits; one about the same replaces an earlier one.
    ///
    /// # Errors
    /// [`StateError::NotWaiting`] when one is about something that does not wait any
    /// more; then none is remembered.
    pub fn store_decisions(
        &self,
        decisions: &[(Fingerprint, Decision)],
        by: &str,
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            decisions.iter().try_for_each(|(what, decision)| {
                let about = waiting_named(tx, *what)?;
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO decisions (what, waiting, decision, at, decided_by)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute((what, Json(&about), Json(decision), Millis(at), by))?;
                Ok(())
            })
        })
    }

    /// The decisions that the next run is to carry out.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stored_decisions(&self) -> Result<Vec<Decided>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT waiting, decision, at, decided_by FROM decisions ORDER BY what",
            )?
            .query_map([], |row| {
                let (Json(about), Json(decision), Millis(at)) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Decided { about, decision, by: row.get(3)?, at })
            })?
            .collect()
        })
    }

    /// Forgets decisions that are over.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn forget_decisions(&self, over: &[Fingerprint]) -> Result<(), StateError> {
        if over.is_empty() {
            return Ok(());
        }
        self.write(|tx| forget_decisions(tx, over))
    }
}

/// Forgets decisions that are over.
pub(super) fn forget_decisions(tx: &Connection, over: &[Fingerprint]) -> Result<(), MirrorFault> {
    over.iter().try_for_each(|what| {
        tx.prepare_cached("DELETE FROM decisions WHERE what = ?1")?.execute([what])?;
        Ok(())
    })
}

/// What waits under this fingerprint, as it was shown.
pub(super) fn waiting_named(tx: &Connection, what: Fingerprint) -> Result<Waiting, MirrorFault> {
    let waits: Option<Json<Waiting>> = tx
        .prepare_cached("SELECT waiting FROM waiting WHERE what = ?1")?
        .query_row([what], |row| row.get(0))
        .optional()?;
    let Json(waiting) = waits.ok_or(StateError::NotWaiting)?;
    Ok(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, empty_state};
    use crate::model::{LinqId, Side, WaitingKind};

    fn waiting(what: &[u8]) -> Waiting {
        Waiting {
            question_id: Fingerprint::of(what),
            kind: WaitingKind::HeldDeletion { side: Side::Linq },
            linq_id: Some(LinqId(7)),
            source_key: None,
            label: None,
            line: None,
            person: ada(),
            reason: "deleted in the source".to_owned(),
            value: None,
            cell: None,
        }
    }

    #[test]
    fn what_waits_is_remembered_in_its_order() {
        let state = empty_state();
        let list = [waiting(b"b"), waiting(b"a")];
        state.replace_waiting(&list).unwrap();
        assert_eq!(state.stored_waiting().unwrap(), list);
        state.replace_waiting(&[]).unwrap();
        assert!(state.stored_waiting().unwrap().is_empty());
    }

    #[test]
    fn a_decision_is_about_what_was_listed_and_stays_until_it_is_over() {
        let state = empty_state();
        state.replace_waiting(&[waiting(b"a"), waiting(b"b")]).unwrap();
        let about = |what: &[u8]| (Fingerprint::of(what), Decision::Approve);
        let error = state.store_decisions(&[about(b"a"), about(b"c")], "anna", at(1)).unwrap_err();
        assert!(matches!(error, StateError::NotWaiting));
        assert!(state.stored_decisions().unwrap().is_empty(), "all of them or none");

        state.store_decisions(&[about(b"a"), about(b"b")], "anna", at(1)).unwrap();
        state.replace_waiting(&[waiting(b"c")]).unwrap();
        let left = |state: &State| {
            let decided = state.stored_decisions().unwrap().into_iter();
            let mut left: Vec<Waiting> = decided.map(|one| one.about).collect();
            left.sort_by_key(|one| one.question_id != Fingerprint::of(b"a"));
            left
        };
        assert_eq!(left(&state), [waiting(b"a"), waiting(b"b")], "with what was shown");
        let by: Vec<_> =
            state.stored_decisions().unwrap().iter().map(Decided::decided_by).collect();
        assert!(by.iter().all(|by| by.by.as_deref() == Some("anna") && by.command == "approve"));
        state.forget_decisions(&[Fingerprint::of(b"a")]).unwrap();
        assert_eq!(left(&state), [waiting(b"b")]);
    }
}
