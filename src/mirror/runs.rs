//! Runs: one row for each, finished or not.

use rusqlite::{Connection, OptionalExtension, Row};

use super::State;
use super::columns::{Json, Millis};
use super::error::{MirrorFault, StateError};
use crate::model::{Fingerprint, RunId, Timestamp};

/// A run as the state remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its number.
    pub id: RunId,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended; `None` while it runs, and for ever if it was killed.
    pub ending: Option<StoredRunEnd>,
    /// The run that this one put back.
    pub undoes: Option<RunId>,
    /// The user who asked for it; `None` for those of the daemon, and where an older version
    /// did not ask.
    pub asked_by: Option<String>,
    /// The command with which they did.
    pub command: Option<String>,
}

/// Who asks for a run, and with which command.
#[derive(Clone, Copy, Debug)]
pub struct RunOrigin<'a> {
    /// The user.
    pub by: &'a str,
    /// The command, as `undo 3`.
    pub command: &'a str,
}

/// Runs in a row that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// When the first of them began.
    pub since: Timestamp,
    /// How many.
    pub count: u32,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRunEnd {
    /// When.
    pub at: Timestamp,
    /// Its outcome, as its report names it.
    pub outcome: String,
    /// Its report, as `--json` prints it.
    pub report: serde_json::Value,
}

impl State {
    /// Begins a run and returns its number, which is given only once in each state
    /// directory.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_run(&self, at: Timestamp) -> Result<RunId, StateError> {
        self.begin_run_for(at, None)
    }

    /// Begins a run that somebody asks for, and returns its number.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_run_for(
        &self,
        at: Timestamp,
        request: Option<RunOrigin<'_>>,
    ) -> Result<RunId, StateError> {
        self.write(|tx| begin_run(tx, at, None, request))
    }

    /// Begins a run that puts back what the run `undoes` did.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_undo(
        &self,
        at: Timestamp,
        undoes: RunId,
        request: Option<RunOrigin<'_>>,
    ) -> Result<RunId, StateError> {
        self.write(|tx| begin_run(tx, at, Some(undoes), request))
    }

    /// Begins a run that applies the saved plan `what`, if none has done so before:
    /// otherwise that run is returned.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn begin_apply(
        &self,
        at: Timestamp,
        what: Fingerprint,
        request: Option<RunOrigin<'_>>,
    ) -> Result<Result<RunId, RunId>, StateError> {
        self.write(|tx| {
            let earlier = tx
                .prepare_cached("SELECT run FROM applied WHERE what = ?1")?
                .query_row([what], |row| row.get(0))
                .optional()?;
            if let Some(earlier) = earlier {
                return Ok(Err(earlier));
            }
            let run = begin_run(tx, at, None, request)?;
            tx.prepare_cached("INSERT INTO applied (what, run) VALUES (?1, ?2)")?
                .execute((what, run))?;
            Ok(Ok(run))
        })
    }

    /// The run that has applied the saved plan `what`.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn applied_by_run(&self, what: Fingerprint) -> Result<Option<RunId>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached("SELECT run FROM applied WHERE what = ?1")?
                .query_row([what], |row| row.get(0))
                .optional()
        })
    }

    /// Remembers how a run ended.
    ///
    /// # Errors
    /// [`StateError::UnknownRun`] when no run has this number.
    pub fn finish_run(&self, run: RunId, ending: &StoredRunEnd) -> Result<(), StateError> {
        self.write(|tx| finish_run(tx, run, ending))
    }

    /// The run with this number.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn stored_run(&self, id: RunId) -> Result<Option<StoredRun>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT id, started_at, finished_at, outcome, report, undoes, asked_by, command
                 FROM runs
                 WHERE id = ?1",
            )?
            .query_row([id], run_from_row)
            .optional()
        })
    }

    /// The last `count` runs that did something, the latest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn runs_with_history(&self, count: usize) -> Result<Vec<StoredRun>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                // From one to the one before it, without a look at all that each of them did.
                "WITH RECURSIVE doing (id) AS (
                     SELECT max(run) FROM history
                     UNION ALL
                     SELECT (SELECT max(run) FROM history WHERE run < doing.id) FROM doing
                     WHERE doing.id IS NOT NULL)
                 SELECT id, started_at, finished_at, outcome, report, undoes, asked_by, command
                 FROM doing CROSS JOIN runs USING (id) LIMIT ?1",
            )?
            .query_map([i64::try_from(count).unwrap_or(i64::MAX)], run_from_row)?
            .collect()
        })
    }

    /// The last run that did not fail.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last_good_run(&self) -> Result<Option<StoredRun>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT id, started_at, finished_at, outcome, report, undoes, asked_by, command
                 FROM runs
                 WHERE outcome IS NOT NULL AND outcome <> 'failed' ORDER BY id DESC LIMIT 1",
            )?
            .query_row([], run_from_row)
            .optional()
        })
    }

    /// The runs that have failed since the last one that did not; `None` if there are none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn failures_since(&self) -> Result<Option<Failures>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT min(started_at), count(*) FROM runs
                 WHERE outcome = 'failed' AND id > coalesce((
                     SELECT max(id) FROM runs WHERE outcome <> 'failed'), 0)",
            )?
            .query_row([], |row| {
                let since: Option<Millis> = row.get(0)?;
                let count = row.get(1)?;
                Ok(since.map(|Millis(since)| Failures { since, count }))
            })
        })
    }

    /// The last `count` runs, the latest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last_runs(&self, count: usize) -> Result<Vec<StoredRun>, StateError> {
        self.with_connection(|conn| {
            conn.prepare_cached(
                "SELECT id, started_at, finished_at, outcome, report, undoes, asked_by, command
                 FROM runs
                 ORDER BY id DESC",
            )?
            .query_map([], run_from_row)?
            .take(count)
            .collect()
        })
    }
}

fn begin_run(
    tx: &Connection,
    at: Timestamp,
    undoes: Option<RunId>,
    request: Option<RunOrigin<'_>>,
) -> Result<RunId, MirrorFault> {
    let (by, command) = request.map(|request| (request.by, request.command)).unzip();
    tx.prepare_cached(
        "INSERT INTO runs (started_at, undoes, asked_by, command) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((Millis(at), undoes, by, command))?;
    Ok(RunId(tx.last_insert_rowid()))
}

fn finish_run(tx: &Connection, run: RunId, ending: &StoredRunEnd) -> Result<(), MirrorFault> {
    let found = tx
        .prepare_cached(
            "UPDATE runs SET finished_at = ?2, outcome = ?3, report = ?4 WHERE id = ?1",
        )?
        .execute((run, Millis(ending.at), &ending.outcome, Json(&ending.report)))?;
    if found == 0 { Err(StateError::UnknownRun(run).into()) } else { Ok(()) }
}

/// A row of the runs.
pub(super) fn run_from_row(row: &Row<'_>) -> rusqlite::Result<StoredRun> {
    let ending = match row.get(2)? {
        None => None,
        Some(Millis(at)) => {
            let Json(report) = row.get(4)?;
            Some(StoredRunEnd { at, outcome: row.get(3)?, report })
        }
    };
    let Millis(started_at) = row.get(1)?;
    let (asked_by, command) = (row.get(6)?, row.get(7)?);
    Ok(StoredRun { id: row.get(0)?, started_at, ending, undoes: row.get(5)?, asked_by, command })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mirror::StateChange;
    use crate::mirror::testing::{at, deletion, empty_state};
    use crate::model::Side;

    #[test]
    fn runs_are_listed_latest_first_with_how_they_ended() {
        let state = empty_state();
        let first = state.begin_run(at(1)).unwrap();
        let ending =
            StoredRunEnd { at: at(2), outcome: "clean".to_owned(), report: json!({"linked": 0}) };
        state.finish_run(first, &ending).unwrap();
        let request = RunOrigin { by: "anna", command: "undo 1" };
        let second = state.begin_undo(at(3), first, Some(request)).unwrap();
        let finished = StoredRun {
            id: first,
            started_at: at(1),
            ending: Some(ending),
            undoes: None,
            asked_by: None,
            command: None,
        };
        let killed = StoredRun {
            id: second,
            started_at: at(3),
            ending: None,
            undoes: Some(first),
            asked_by: Some("anna".to_owned()),
            command: Some("undo 1".to_owned()),
        };
        assert_eq!(state.last_runs(9).unwrap(), [killed.clone(), finished]);
        assert_eq!(state.last_runs(1).unwrap(), [killed]);
    }

    #[test]
    fn only_runs_that_did_something_are_listed_and_no_more_than_asked_for() {
        let state = empty_state();
        let mut did = Vec::new();
        for n in 0..5 {
            let run = state.begin_run(at(n)).unwrap();
            if n != 2 {
                let record = StateChange {
                    history: vec![deletion(Side::Linq, 7); 3],
                    ..StateChange::default()
                };
                state.commit_changes(run, at(n), &[record]).unwrap();
                did.insert(0, run);
            }
        }
        let listed = |count| {
            let runs = state.runs_with_history(count).unwrap();
            runs.into_iter().map(|run| run.id).collect::<Vec<RunId>>()
        };
        assert_eq!(listed(9), did);
        assert_eq!(listed(2), did[..2]);
        assert_eq!(listed(0), []);
    }

    #[test]
    fn failures_are_counted_from_the_last_run_that_did_not_fail() {
        let state = empty_state();
        let end = |second: i64, outcome: &str| {
            let run = state.begin_run(at(second)).unwrap();
            let outcome = outcome.to_owned();
            let ending = StoredRunEnd { at: at(second + 1), outcome, report: json!({}) };
            state.finish_run(run, &ending).unwrap();
            run
        };
        assert_eq!((state.failures_since().unwrap(), state.last_good_run().unwrap()), (None, None));
        end(1, "failed");
        assert_eq!(state.failures_since().unwrap(), Some(Failures { since: at(1), count: 1 }));
        let good = end(3, "attention");
        assert_eq!(state.failures_since().unwrap(), None);
        end(5, "failed");
        end(7, "failed");
        // One that was killed is neither.
        state.begin_run(at(9)).unwrap();
        assert_eq!(state.failures_since().unwrap(), Some(Failures { since: at(5), count: 2 }));
        assert_eq!(state.last_good_run().unwrap().unwrap().id, good);
    }

    #[test]
    fn a_saved_plan_is_applied_by_one_run_only() {
        let state = empty_state();
        let what = Fingerprint::of(b"a plan");
        assert_eq!(state.applied_by_run(what).unwrap(), None);
        let first = state.begin_apply(at(1), what, None).unwrap().unwrap();
        assert_eq!(state.begin_apply(at(2), what, None).unwrap(), Err(first));
        assert_eq!(state.applied_by_run(what).unwrap(), Some(first));
        assert_eq!(state.last_runs(9).unwrap().len(), 1);
    }

    #[test]
    fn a_run_that_was_never_begun_cannot_be_finished() {
        let ending = StoredRunEnd { at: at(2), outcome: "clean".to_owned(), report: json!(null) };
        assert!(matches!(
            empty_state().finish_run(RunId(5), &ending),
            Err(StateError::UnknownRun(RunId(5)))
        ));
    }
}
