//! Linked contacts of which Linq says that they do not exist, while its listing is in parts.
//!
//! Owns the table `not_found`: since when, and in how many runs. Leaves how often is proof
//! to [`crate::observe`].

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::columns::Millis;
use super::error::StateError;
use crate::model::{LinqId, RunId, Timestamp};

/// How often a contact was asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// When for the first time.
    pub since: Timestamp,
    /// In how many runs, one after another.
    pub runs: u32,
}

impl State {
    /// Remembers that `ids` were asked for in vain in `run`; asking twice in one run counts
    /// once. Who is not among them is begun to be counted anew. Returns what is known of
    /// `ids`.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn count_not_found(
        &self,
        run: RunId,
        now: Timestamp,
        ids: &BTreeSet<LinqId>,
    ) -> Result<BTreeMap<LinqId, NotFound>, StateError> {
        let known = self.not_found()?;
        if ids.is_empty() && known.is_empty() {
            return Ok(known);
        }
        self.write(|tx| {
            for id in known.keys().filter(|id| !ids.contains(id)) {
                tx.prepare_cached("DELETE FROM not_found WHERE linq_id = ?1")?.execute([id])?;
            }
            for id in ids {
                tx.prepare_cached(
                    "INSERT INTO not_found (linq_id, since, runs, last_run) VALUES (?1, ?2, 1, ?3)
                     ON CONFLICT DO UPDATE SET runs = runs + (last_run <> ?3), last_run = ?3",
                )?
                .execute((id, Millis(now), run))?;
            }
            Ok(())
        })?;
        self.not_found()
    }

    fn not_found(&self) -> Result<BTreeMap<LinqId, NotFound>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT linq_id, since, runs FROM not_found")?
                .query_map([], |row| {
                    let Millis(since) = row.get(1)?;
                    Ok((row.get(0)?, NotFound { since, runs: row.get(2)? }))
                })?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{at, empty_state};

    #[test]
    fn runs_in_a_row_are_counted_once_each_and_an_answer_begins_anew() {
        let state = empty_state();
        let count = |second: i64, ids: &[u64]| {
            let run = state.begin_run(at(second)).unwrap();
            let ids = ids.iter().copied().map(LinqId).collect();
            state.count_not_found(run, at(second), &ids).unwrap();
            state.count_not_found(run, at(second), &ids).unwrap()
        };
        let expected = |since: i64, runs: u32| NotFound { since: at(since), runs };
        assert_eq!(count(1, &[7, 8]), [7, 8].map(|id| (LinqId(id), expected(1, 1))).into());
        assert_eq!(count(2, &[7]), [(LinqId(7), expected(1, 2))].into());
        let both = [(LinqId(7), expected(1, 3)), (LinqId(8), expected(3, 1))];
        assert_eq!(count(3, &[7, 8]), both.into());
        assert_eq!(count(4, &[]), BTreeMap::new());
        assert_eq!(count(5, &[7]), [(LinqId(7), expected(5, 1))].into());
    }
}
