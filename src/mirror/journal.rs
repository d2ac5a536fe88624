//! The journal: intents to write, durable before the write is on its way.
//!
//! Owns the table `intents`, which holds open intents only: one that is closed
//! leaves nothing behind but what the same transaction writes about it. Leaves
//! the evidence about an unknown outcome to the planner.

use rusqlite::{Connection, OptionalExtension, Row};

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use super::intent::{Intent, IntentOutcome, IntentState, IntentStep, NewIntent};
use crate::model::{IntentId, RunId, Timestamp};

impl State {
    /// Plans intents and says that they are about to be sent, in one transaction. Returns their
    /// numbers in the same order. That is durable when it returns: only then may the first byte
    /// go out.
    ///
    /// # Errors
    /// When the state cannot be written; then none of them is planned.
    pub fn begin_intents(
        &self,
        run: RunId,
        at: Timestamp,
        intents: &[NewIntent],
    ) -> Result<Vec<IntentId>, StateError> {
        self.write(|tx| {
            let begin = |intent| {
                let id = insert_intent(tx, run, at, intent)?;
                mark_sent(tx, id, at)?;
                Ok(id)
            };
            intents.iter().map(begin).collect()
        })
    }

    /// Plans intents as a run leaves them that was killed before it sent them.
    #[cfg(test)]
    pub(super) fn plan_intents(
        &self,
        run: RunId,
        at: Timestamp,
        intents: &[NewIntent],
    ) -> Result<Vec<IntentId>, StateError> {
        self.write(|tx| intents.iter().map(|intent| insert_intent(tx, run, at, intent)).collect())
    }

    /// Says that an intent is about to be sent, for the first time or again. That
    /// is durable when it returns: only then may the first byte go out.
    ///
    /// # Errors
    /// [`StateError::UnknownIntent`] when it is not open.
    pub fn mark_sent(&self, id: IntentId, at: Timestamp) -> Result<(), StateError> {
        self.write(|tx| mark_sent(tx, id, at))
    }

    /// Closes an intent about which there is nothing else to write down; otherwise
    /// [`State::commit_changes`] closes it together with what follows from it.
    ///
    /// # Errors
    /// [`StateError::UnknownIntent`] when it is not open, and
    /// [`StateError::IllegalStep`] when it cannot have ended like that.
    pub fn close_intent(&self, id: IntentId, outcome: IntentOutcome) -> Result<(), StateError> {
        self.write(|tx| close_intent(tx, id, outcome))
    }

    /// All open intents, in the order in which they were planned.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn open_intents(&self) -> Result<Vec<Intent>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT id, run, link, kind, state, planned_at, sent_at, attempts
                 FROM intents ORDER BY id",
            )?
            .query_map([], intent_from_row)?
            .collect()
        })
    }
}

fn mark_sent(tx: &Connection, id: IntentId, at: Timestamp) -> Result<(), MirrorFault> {
    check_step(tx, id, IntentStep::Send)?;
    tx.prepare_cached(
        "UPDATE intents SET state = ?2, sent_at = ?3, attempts = attempts + 1 WHERE id = ?1",
    )?
    .execute((id, IntentState::Sent, Millis(at)))?;
    Ok(())
}

/// Closes one intent.
pub(super) fn close_intent(
    tx: &Connection,
    id: IntentId,
    outcome: IntentOutcome,
) -> Result<(), MirrorFault> {
    check_step(tx, id, IntentStep::Close(outcome))?;
    tx.prepare_cached("DELETE FROM intents WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn insert_intent(
    tx: &Connection,
    run: RunId,
    at: Timestamp,
    intent: &NewIntent,
) -> Result<IntentId, MirrorFault> {
    tx.prepare_cached(
        "INSERT INTO intents (run, link, kind, state, planned_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((run, intent.link, Json(&intent.kind), IntentState::Planned, Millis(at)))?;
    Ok(IntentId(tx.last_insert_rowid()))
}

/// Refuses a step that the intent's state does not allow.
fn check_step(tx: &Connection, id: IntentId, step: IntentStep) -> Result<(), MirrorFault> {
    let state: Option<IntentState> = tx
        .prepare_cached("SELECT state FROM intents WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    match state {
        None => Err(StateError::UnknownIntent(id).into()),
        Some(state) if state.allows_step(step) => Ok(()),
        Some(state) => Err(StateError::IllegalStep { intent: id, state, step }.into()),
    }
}

fn intent_from_row(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let Json(kind) = row.get(3)?;
    let Millis(planned_at) = row.get(5)?;
    Ok(Intent {
        id: row.get(0)?,
        run: row.get(1)?,
        link: row.get(2)?,
        kind,
        state: row.get(4)?,
        planned_at,
        sent_at: Millis::optional_instant(row.get(6)?),
        attempts: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mirror::IntentKind;
    use crate::mirror::testing::{any_text, any_values, at, empty_state};
    use crate::model::{
        AsWritten, Base, Field, FieldChange, Fingerprint, LinkId, LinqId, SourceKey,
    };

    fn deletion() -> NewIntent {
        NewIntent { link: Some(LinkId(3)), kind: IntentKind::DeleteInLinq { linq_id: LinqId(7) } }
    }

    fn planned(state: &State) -> IntentId {
        let run = state.begin_run(at(0)).unwrap();
        state.plan_intents(run, at(1), &[deletion()]).unwrap()[0]
    }

    #[test]
    fn the_journal_holds_to_the_table_of_transitions() {
        for send_first in [IntentState::Planned, IntentState::Sent] {
            for outcome in IntentOutcome::ALL {
                let state = empty_state();
                let id = planned(&state);
                if send_first == IntentState::Sent {
                    state.mark_sent(id, at(2)).unwrap();
                }
                let closed = state.close_intent(id, outcome);
                let left = state.open_intents().unwrap().len();
                if send_first.allows_step(IntentStep::Close(outcome)) {
                    closed.unwrap();
                    assert_eq!(left, 0);
                } else {
                    assert!(matches!(closed, Err(StateError::IllegalStep { .. })));
                    assert_eq!(left, 1, "a refused step changes nothing");
                }
            }
        }
    }

    #[test]
    fn sending_again_keeps_the_plan_and_counts_the_attempts() {
        let state = empty_state();
        let id = planned(&state);
        let before = state.open_intents().unwrap().remove(0);
        assert_eq!((before.state, before.sent_at), (IntentState::Planned, None));
        for (attempt, sent) in [(1, at(2)), (2, at(40))] {
            state.mark_sent(id, sent).unwrap();
            let expected = Intent {
                state: IntentState::Sent,
                sent_at: Some(sent),
                attempts: attempt,
                ..before.clone()
            };
            assert_eq!(state.open_intents().unwrap(), [expected]);
        }
    }

    #[test]
    fn a_closed_intent_takes_no_further_step() {
        let state = empty_state();
        let id = planned(&state);
        state.close_intent(id, IntentOutcome::NotSent).unwrap();
        for outcome in [state.mark_sent(id, at(2)), state.close_intent(id, IntentOutcome::NotSent)]
        {
            assert!(matches!(outcome, Err(StateError::UnknownIntent(unknown)) if unknown == id));
        }
    }

    proptest! {
        #[test]
        fn every_kind_of_intent_is_read_back_as_it_was_planned(
            values in any_values(),
            text in any_text(),
            linq_id: u64,
            bytes: [u8; 32],
        ) {
            let linq_id = LinqId(linq_id);
            let changes =
                vec![FieldChange { field: Field::Title, from: "".into(), to: text.clone().into() }];
            let kinds = [
                IntentKind::CreateInLinq {
                    values: values.clone(),
                    user_email: Some(text.clone()),
                    key: Some(SourceKey(text.clone())),
                    fingerprint: Fingerprint(bytes),
                },
                IntentKind::UpdateInLinq { linq_id, changes: changes.clone(), base: Base::default() },
                IntentKind::DeleteInLinq { linq_id },
                IntentKind::AddToSource { linq_id, values },
                IntentKind::UpdateInSource { linq_id, changes, linq: None },
                IntentKind::RemoveFromSource {
                    linq_id,
                    fingerprint: Some(Fingerprint(bytes)),
                    written: AsWritten { text: text.clone(), ..AsWritten::default() },
                },
                IntentKind::RemoveFromSource {
                    linq_id,
                    fingerprint: None,
                    written: AsWritten { place: text.clone(), bytes: Some(text.into_bytes()), ..AsWritten::default() },
                },
            ];
            let state = empty_state();
            let run = state.begin_run(at(0)).unwrap();
            let intents = kinds.map(|kind| NewIntent { link: None, kind });
            let ids = state.plan_intents(run, at(1), &intents).unwrap();
            let open = state.open_intents().unwrap();
            prop_assert!(open.iter().map(|intent| intent.id).eq(ids));
            for (found, planned) in open.iter().zip(&intents) {
                prop_assert_eq!(&found.kind, &planned.kind);
            }
        }
    }
}
