//! What was last written to a contact, and how many times in a row.
//!
//! Reads the history. Leaves what follows from it to [`crate::plan`].

use std::collections::BTreeMap;

use super::State;
use super::columns::Json;
use super::error::StateError;
use crate::model::{Field, FieldChange, LinqId, Side};

/// The latest updates of a contact, the last one first, by the index of its history. 64 of
/// them are looked back at, however long that is: many times more than it takes to notice
/// that a value is changed back.
const LAST_UPDATES: &str = "SELECT side, changes FROM history
     WHERE linq_id = ?1 AND action = 'update' ORDER BY id DESC LIMIT 64";

/// The last value that was written to a field of a contact on a side. Written more than
/// once in a row over the same other value, it was changed back in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedWrite {
    /// The side.
    pub side: Side,
    /// The value, and what it replaced.
    pub change: FieldChange,
    /// How many times in a row.
    pub times: usize,
}

impl State {
    /// The last write to each field of a contact on each side, by side and field, as far
    /// as its latest updates tell.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last_writes(&self, id: LinqId) -> Result<Vec<RepeatedWrite>, StateError> {
        let latest: Vec<(Side, Vec<FieldChange>)> = self.with_connection(|conn| {
            conn.prepare_cached(LAST_UPDATES)?
                .query_map([id], |row| {
                    let Json(changes) = row.get(1)?;
                    Ok((row.get(0)?, changes))
                })?
                .collect()
        })?;
        let mut last: BTreeMap<(Side, Field), RepeatedWrite> = BTreeMap::new();
        for (side, changes) in latest.into_iter().rev() {
            for change in changes {
                let key = (side, change.field);
                if let Some(write) = last.get_mut(&key).filter(|write| write.change == change) {
                    write.times += 1;
                } else {
                    last.insert(key, RepeatedWrite { side, change, times: 1 });
                }
            }
        }
        Ok(last.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::LAST_UPDATES;
    use crate::mirror::testing::{Work, at, deletion, empty_state, measure_statement};
    use crate::mirror::{HistoryAction, HistoryEntry, StateChange};
    use crate::model::{Field, FieldChange, LinqId, Side};

    #[test]
    fn the_same_write_again_counts_and_another_begins_anew() {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let change = |from: &str, to: &str| FieldChange {
            field: Field::Title,
            from: from.into(),
            to: to.into(),
        };
        let write = |side, from, to| HistoryEntry {
            action: HistoryAction::Update,
            changes: vec![change(from, to)],
            ..deletion(side, 7)
        };
        let count = |entry: HistoryEntry| {
            let record = StateChange { history: vec![entry], ..StateChange::default() };
            state.commit_changes(run, at(1), &[record]).unwrap();
            let writes = state.last_writes(LinqId(7)).unwrap();
            writes.iter().map(|write| (write.side, write.times)).collect::<Vec<_>>()
        };
        assert_eq!(count(write(Side::Linq, "a", "b")), [(Side::Linq, 1)]);
        assert_eq!(count(write(Side::Source, "b", "a")), [(Side::Source, 1), (Side::Linq, 1)]);
        assert_eq!(count(write(Side::Linq, "a", "b")), [(Side::Source, 1), (Side::Linq, 2)]);
        assert_eq!(count(deletion(Side::Linq, 7)), [(Side::Source, 1), (Side::Linq, 2)]);
        assert_eq!(count(write(Side::Linq, "b", "a")), [(Side::Source, 1), (Side::Linq, 1)]);
        assert_eq!(state.last_writes(LinqId(8)).unwrap(), []);
    }

    #[test]
    fn a_long_history_of_a_contact_is_no_more_work_than_a_short_one() {
        let state = empty_state();
        let run = state.begin_run(at(0)).unwrap();
        let entry = HistoryEntry { action: HistoryAction::Update, ..deletion(Side::Linq, 7) };
        let after = |more: u32| {
            let history = vec![entry.clone(); more as usize];
            state
                .commit_changes(run, at(1), &[StateChange { history, ..StateChange::default() }])
                .unwrap();
            measure_statement(&state, LAST_UPDATES, [LinqId(7)])
        };
        let Work { steps, full } = after(64);
        assert_eq!(full, 0, "by the index");
        assert_eq!(after(2_000), Work { steps, full: 0 });
    }
}
