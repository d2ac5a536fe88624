//! What waits for a person, and what was decided about it.
//!
//! Owns the tables `waiting` and `decisions`. A decision holds for exactly what was
//! listed: it goes when that is no longer waiting, carried out or not.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};

use super::State;
use super::columns::{Json, Millis};
use super::error::{Fault, StateError};
use crate::model::{Decision, Fingerprint, Timestamp, Waiting};

impl State {
    /// What waited when the last run ended, in the order of its plan.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, StateError> {
        self.read(|conn| {
            conn.prepare_cached("SELECT waiting FROM waiting ORDER BY position")?
                .query_map([], |row| row.get(0).map(|Json(waiting)| waiting))?
                .collect()
        })
    }

    /// Remembers what waits, in place of what waited before. Decisions about what is
    /// no longer waiting go.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn replace_waiting(&self, waiting: &[Waiting]) -> Result<(), StateError> {
        if self.waiting()? == waiting {
            return Ok(());
        }
        self.write(|tx| {
            let decisions = decisions(tx)?;
            tx.prepare_cached("DELETE FROM waiting")?.execute([])?;
            for (position, waiting) in (0_i64..).zip(waiting) {
                tx.prepare_cached(
                    "INSERT OR IGNORE INTO waiting (what, position, waiting) VALUES (?1, ?2, ?3)",
                )?
                .execute((waiting.what, position, Json(waiting)))?;
            }
            let kept =
                decisions.iter().filter(|(what, _)| waiting.iter().any(|w| w.what == **what));
            kept.into_iter().try_for_each(|(what, (decision, at))| decide(tx, *what, decision, *at))
        })
    }

    /// Remembers decisions for the next run, each about something that waits; one about
    /// the same replaces an earlier one.
    ///
    /// # Errors
    /// [`StateError::NotWaiting`] when one is about something that does not wait any
    /// more; then none is remembered.
    pub fn decide(
        &self,
        decisions: &[(Fingerprint, Decision)],
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            decisions.iter().try_for_each(|(what, decision)| {
                let waits = tx
                    .prepare_cached("SELECT 1 FROM waiting WHERE what = ?1")?
                    .query_row([what], |_| Ok(()))
                    .optional()?;
                match waits {
                    Some(()) => decide(tx, *what, decision, at),
                    None => Err(StateError::NotWaiting.into()),
                }
            })
        })
    }

    /// The decisions that the next run is to carry out.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn decisions(&self) -> Result<BTreeMap<Fingerprint, Decision>, StateError> {
        let dated = self.read(decisions)?;
        Ok(dated.into_iter().map(|(what, (decision, _))| (what, decision)).collect())
    }
}

fn decide(
    tx: &Connection,
    what: Fingerprint,
    decision: &Decision,
    at: Timestamp,
) -> Result<(), Fault> {
    tx.prepare_cached("INSERT OR REPLACE INTO decisions (what, decision, at) VALUES (?1, ?2, ?3)")?
        .execute((what, Json(decision), Millis(at)))?;
    Ok(())
}

fn decisions(conn: &Connection) -> rusqlite::Result<BTreeMap<Fingerprint, (Decision, Timestamp)>> {
    conn.prepare_cached("SELECT what, decision, at FROM decisions")?
        .query_map([], |row| {
            let (what, Json(decision), Millis(at)) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((what, (decision, at)))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, state};
    use crate::model::{LinqId, Side, WaitingKind};

    fn waiting(what: &[u8]) -> Waiting {
        Waiting {
            what: Fingerprint::of(what),
            kind: WaitingKind::HeldDeletion { side: Side::Linq },
            linq_id: Some(LinqId(7)),
            source_key: None,
            label: None,
            line: None,
            person: ada(),
            reason: "deleted in the source".to_owned(),
        }
    }

    #[test]
    fn what_waits_is_remembered_in_its_order() {
        let state = state();
        let list = [waiting(b"b"), waiting(b"a")];
        state.replace_waiting(&list).unwrap();
        assert_eq!(state.waiting().unwrap(), list);
        state.replace_waiting(&[]).unwrap();
        assert!(state.waiting().unwrap().is_empty());
    }

    #[test]
    fn a_decision_holds_for_exactly_what_was_listed() {
        let state = state();
        state.replace_waiting(&[waiting(b"a"), waiting(b"b")]).unwrap();
        let about = |what: &[u8]| (Fingerprint::of(what), Decision::Approve);
        let error = state.decide(&[about(b"a"), about(b"c")], at(1)).unwrap_err();
        assert!(matches!(error, StateError::NotWaiting));
        assert!(state.decisions().unwrap().is_empty(), "all of them or none");

        state.decide(&[about(b"a"), about(b"b")], at(1)).unwrap();
        state.replace_waiting(&[waiting(b"b"), waiting(b"c")]).unwrap();
        let left: Vec<Fingerprint> = state.decisions().unwrap().into_keys().collect();
        assert_eq!(left, [Fingerprint::of(b"b")]);
    }
}
