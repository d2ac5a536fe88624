//! What was last written to a contact, and how many times in a row.
//!
//! Reads the history. Leaves what follows from it to [`crate::plan`].

use std::collections::BTreeMap;

use super::State;
use super::error::StateError;
use super::history::{Action, HistoryRow};
use crate::model::{Change, Field, LinqId, Side};

/// The last value that was written to a field of a contact on a side. Written more than
/// once in a row over the same other value, it was changed back in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedWrite {
    /// The side.
    pub side: Side,
    /// The value, and what it replaced.
    pub change: Change,
    /// How many times in a row.
    pub times: usize,
}

impl State {
    /// The last write to each field of a contact on each side, by side and field.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last_writes(&self, id: LinqId) -> Result<Vec<RepeatedWrite>, StateError> {
        let rows = self.history_of(id)?;
        let mut last: BTreeMap<(Side, Field), RepeatedWrite> = BTreeMap::new();
        for HistoryRow { entry, .. } in rows {
            if entry.action != Action::Update {
                continue;
            }
            for change in entry.changes {
                let key = (entry.side, change.field);
                if let Some(write) = last.get_mut(&key).filter(|write| write.change == change) {
                    write.times += 1;
                } else {
                    last.insert(key, RepeatedWrite { side: entry.side, change, times: 1 });
                }
            }
        }
        Ok(last.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::mirror::testing::{at, deletion, state};
    use crate::mirror::{Action, HistoryEntry, Record};
    use crate::model::{Change, Field, LinqId, Side};

    #[test]
    fn the_same_write_again_counts_and_another_begins_anew() {
        let state = state();
        let run = state.begin_run(at(0)).unwrap();
        let change = |from: &str, to: &str| Change {
            field: Field::Title,
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let write = |side, from, to| HistoryEntry {
            action: Action::Update,
            changes: vec![change(from, to)],
            ..deletion(side, 7)
        };
        let count = |entry: HistoryEntry| {
            let record = Record { history: vec![entry], ..Record::default() };
            state.commit(run, at(1), &[record]).unwrap();
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
}
