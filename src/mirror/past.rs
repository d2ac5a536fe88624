//! What commands ask of the past: runs that did something or failed, and what was done in a
//! span of time. Read from the latest back, row by row.

use rusqlite::OptionalExtension;

use super::State;
use super::columns::Millis;
use super::error::StateError;
use super::history::{HistoryRow, SINCE_RUN, WITHIN_BACKWARDS, history_row};
use super::runs::{StoredRun, run_from_row};
use crate::model::{RunId, Timestamp};

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Its beginning; `None` for the beginning of all.
    pub since: Option<Timestamp>,
    /// Its end; `None` for now.
    pub until: Option<Timestamp>,
}

impl Span {
    fn as_millis(self) -> (Millis, Millis) {
        let since = self.since.unwrap_or(Timestamp::MIN_UTC);
        (Millis(since), Millis(self.until.unwrap_or(Timestamp::MAX_UTC)))
    }
}

/// Whom a run did something to, and who decided what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunDeeds {
    /// How many names of contacts.
    pub contacts: usize,
    /// The names of the first of them.
    pub names: Vec<String>,
    /// Who decided with which command, and how many entries that are.
    pub decided: Vec<(Option<String>, String, usize)>,
}

impl State {
    /// Hands on the runs that began within `span` and did something, failed or were
    /// interrupted, the latest first.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_past_run<E: From<StateError>>(
        &self,
        span: Span,
        each: impl FnMut(StoredRun) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT id, started_at, finished_at, outcome, report, undoes, asked_by, command
                   FROM runs
                   WHERE started_at BETWEEN ?1 AND ?2
                     AND (outcome IS NULL OR outcome = 'failed'
                          OR EXISTS (SELECT 1 FROM history WHERE run = runs.id))
                   ORDER BY id DESC";
        self.for_each_row(sql, span.as_millis(), |row| run_from_row(row).map(Some), each)
    }

    /// How many of them there are before the run `before`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn count_past_runs(&self, span: Span, before: RunId) -> Result<usize, StateError> {
        let (since, until) = span.as_millis();
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT count(*) FROM runs
                 WHERE started_at BETWEEN ?1 AND ?2 AND id < ?3
                   AND (outcome IS NULL OR outcome = 'failed'
                        OR EXISTS (SELECT 1 FROM history WHERE run = runs.id))",
            )?
            .query_row((since, until, before), |row| row.get(0))
            .map(|count: u32| count as usize)
        })
    }

    /// When the first run began that is known.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn first_run(&self) -> Result<Option<Timestamp>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT started_at FROM runs ORDER BY id LIMIT 1")?
                .query_row([], |row| row.get(0).map(|Millis(at)| at))
                .optional()
        })
    }

    /// Hands on what was done within `span`, the last first.
    ///
    /// # Errors
    /// When the state cannot be read, or as `each` does.
    pub fn each_within<E: From<StateError>>(
        &self,
        span: Span,
        each: impl FnMut(HistoryRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_row(
            WITHIN_BACKWARDS,
            span.as_millis(),
            |row| history_row(row).map(Some),
            each,
        )
    }

    /// What was done by `run` and all runs after it, in order, but for those that put back
    /// one of them.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn history_since(&self, run: RunId) -> Result<Vec<HistoryRow>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(SINCE_RUN)?.query_map([run], history_row)?.collect()
        })
    }

    /// Whom `run` did something to, with the names of the first `names`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn run_deeds(&self, run: RunId, names: usize) -> Result<RunDeeds, StateError> {
        self.with_connection(|conn| {
            let contacts = conn
                .prepare_cached("SELECT count(DISTINCT name) FROM history WHERE run = ?1")?
                .query_row([run], |row| row.get(0))
                .optional()?
                .map_or(0, |count: u32| count as usize);
            let names = conn
                .prepare_cached(
                    "SELECT DISTINCT name FROM history WHERE run = ?1
                     ORDER BY name COLLATE NOCASE LIMIT ?2",
                )?
                .query_map((run, i64::try_from(names).unwrap_or(i64::MAX)), |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let decided = conn
                .prepare_cached(
                    "SELECT decided ->> '$.by', decided ->> '$.command', count(*)
                     FROM history WHERE run = ?1 AND decided IS NOT NULL
                     GROUP BY 1, 2 ORDER BY 1, 2",
                )?
                .query_map([run], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, u32>(2)? as usize))
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(RunDeeds { contacts, names, decided })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mirror::testing::{at, deletion, empty_state};
    use crate::mirror::{StateChange, StoredRunEnd};
    use crate::model::Side;

    fn end(state: &State, run: RunId, second: i64, outcome: &str) {
        let ending =
            StoredRunEnd { at: at(second), outcome: outcome.to_owned(), report: json!({}) };
        state.finish_run(run, &ending).unwrap();
    }

    fn listed(state: &State, span: Span) -> Vec<RunId> {
        let mut found = Vec::new();
        state
            .each_past_run(span, |run| {
                found.push(run.id);
                Ok::<(), StateError>(())
            })
            .unwrap();
        found
    }

    #[test]
    fn runs_that_did_something_failed_or_were_interrupted_are_past_and_others_are_not() {
        let state = empty_state();
        let [did, idle, failed, cut] =
            [1, 10, 20, 30].map(|second| state.begin_run(at(second)).unwrap());
        let record =
            StateChange { history: vec![deletion(Side::Linq, 7)], ..StateChange::default() };
        state.commit_changes(did, at(1), &[record]).unwrap();
        end(&state, did, 2, "clean");
        end(&state, idle, 11, "clean");
        end(&state, failed, 21, "failed");
        assert_eq!(listed(&state, Span::default()), [cut, failed, did]);
        let span = Span { since: Some(at(2)), until: Some(at(20)) };
        assert_eq!(listed(&state, span), [failed]);
        assert_eq!(state.count_past_runs(Span::default(), cut).unwrap(), 2);
        assert_eq!(state.count_past_runs(Span::default(), did).unwrap(), 0);
        let deeds = state.run_deeds(did, 5).unwrap();
        assert_eq!((deeds.contacts, deeds.names.len(), deeds.decided.len()), (1, 1, 0));
        assert_eq!(state.run_deeds(did, 0).unwrap().names, Vec::<String>::new());
    }
}
