//! What people want to be ignored.
//!
//! Owns the table `ignored`. An entry keeps what waited as it was shown, and stays until it
//! is taken back.

use rusqlite::Connection;

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use super::waiting::waiting_named;
use crate::model::{Fingerprint, Ignored, Timestamp};

impl State {
    /// What is ignored, the oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn ignored(&self) -> Result<Vec<Ignored>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT waiting, decided_by, at FROM ignored ORDER BY at, what")?
                .query_map([], |row| {
                    let (Json(about), by, Millis(at)) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok(Ignored { about, by, at })
                })?
                .collect()
        })
    }

    /// Lets what waits be ignored from now on, as the user `by` wants it: it waits no more.
    ///
    /// # Errors
    /// [`StateError::NotWaiting`] when something of it does not wait any more; then nothing
    /// is remembered.
    pub fn ignore(&self, what: &[Fingerprint], by: &str, at: Timestamp) -> Result<(), StateError> {
        self.write(|tx| {
            what.iter().try_for_each(|what| {
                let about = waiting_named(tx, *what)?;
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO ignored (what, waiting, decided_by, at)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((what, Json(&about), by, Millis(at)))?;
                tx.execute("DELETE FROM waiting WHERE what = ?1", [what])?;
                tx.execute("DELETE FROM decisions WHERE what = ?1", [what])?;
                Ok(())
            })
        })
    }

    /// Takes back that these are ignored.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn stop_ignoring(&self, what: &[Fingerprint]) -> Result<(), StateError> {
        self.write(|tx| {
            what.iter().try_for_each(|what| {
                tx.execute("DELETE FROM ignored WHERE what = ?1", [what])?;
                Ok(())
            })
        })
    }
}

/// Forgets what is ignored of somebody who is erased: where `is_told` finds something in it.
pub(super) fn forget_ignored(
    tx: &Connection,
    is_told: &dyn Fn(&[u8]) -> bool,
) -> Result<(), MirrorFault> {
    let entries: Vec<(Fingerprint, String)> = tx
        .prepare("SELECT what, waiting FROM ignored")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (what, _) in entries.iter().filter(|(_, waiting)| is_told(waiting.as_bytes())) {
        tx.execute("DELETE FROM ignored WHERE what = ?1", [what])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{ada, at, empty_state};
    use crate::model::Waiting;
    use crate::model::WaitingKind;

    #[test]
    fn what_is_ignored_waits_no_more_until_it_is_taken_back_or_erased() {
        let state = empty_state();
        let waiting = |what: &[u8]| Waiting {
            question_id: Fingerprint::of(what),
            kind: WaitingKind::Ambiguous { candidates: Vec::new() },
            linq_id: None,
            source_key: Some("row:3".to_owned()),
            label: Some("row:3".to_owned()),
            line: Some(3),
            person: ada(),
            reason: "ambiguous".to_owned(),
            value: None,
            cell: None,
        };
        let (one, other) = (waiting(b"a"), waiting(b"b"));
        state.replace_waiting(&[one.clone(), other.clone()]).unwrap();
        state.ignore(&[one.question_id], "anna", at(1)).unwrap();
        assert_eq!(state.stored_waiting().unwrap(), std::slice::from_ref(&other));
        let [ignored] = &state.ignored().unwrap()[..] else { panic!("one is ignored") };
        assert_eq!(
            (&ignored.about, ignored.by.as_deref(), ignored.at),
            (&one, Some("anna"), at(1))
        );
        let error = state.ignore(&[other.question_id, one.question_id], "anna", at(2)).unwrap_err();
        assert!(matches!(error, StateError::NotWaiting));
        assert_eq!(state.stored_waiting().unwrap().len(), 1, "all of them or none");
        state.stop_ignoring(&[one.question_id]).unwrap();
        assert!(state.ignored().unwrap().is_empty());
        state.ignore(&[other.question_id], "anna", at(2)).unwrap();
        state.write(|tx| forget_ignored(tx, &|_| true)).unwrap();
        assert!(state.ignored().unwrap().is_empty());
    }
}
