//! One run: observe, plan, apply, record.
//!
//! Owns the order of the four verbs and when a plan is made anew; leaves what each
//! of them does to its module. Linq is written first; then a plan is made of what
//! Linq answered, and the source is written once; deletions in Linq come last. A
//! final plan tells what is still open, which is nothing in the ordinary case.

#[cfg(debug_assertions)]
mod defect;
mod error;
mod executor;
mod extent;
mod late_saves;
mod meaning;
pub(crate) mod outage;
mod purpose;

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::apply::{Clock, RemovedRecords};
use crate::linq::Client;
use crate::mirror::{State, StoredRunEnd};
use crate::model::{Policy, RunId, Timestamp};
use crate::observe::{self, SourceRead};
use crate::plan::{Observation, Plan};
use crate::record::Recorder;
use crate::report::RunReport;
use crate::source::Source;
use outage::{keep_wait, persist_retry_after, remember_outage};

pub use error::RunError;
pub(crate) use error::{STATE_HINT, state_code};
pub use extent::Extent;
pub use purpose::RunPurpose;

use executor::RunExecutor;
use extent::read_source;
use late_saves::rescue_late_saves;
use meaning::settle_meaning;

/// The two sides and the state.
pub struct Sides<'a> {
    /// Linq.
    pub linq: &'a Client,
    /// The source.
    pub source: &'a mut dyn Source,
    /// The state.
    pub state: &'a State,
}

/// On what terms a run is made.
pub struct RunOptions<'a> {
    /// The rules by which it decides.
    pub policy: &'a Policy,
    /// How long a create without an answer may still arrive.
    pub settle: Duration,
    /// How long the history is kept.
    pub history: TimeDelta,
    /// Tells the time.
    pub clock: Clock<'a>,
    /// Asks the run to stop.
    pub stop: &'a CancellationToken,
    /// The user who asks for it; `None` when it is due.
    pub by: Option<&'a str>,
}

/// A run and what it leaves open.
pub struct RunResult {
    /// What it came to.
    pub report: RunReport,
    /// What people should know.
    pub notices: Vec<String>,
    /// What is left, with what it was planned from; `None` when the run failed.
    pub left: Option<(Plan, Observation)>,
}

/// Makes one run in which both sides become the same.
pub async fn run_sync(sides: &mut Sides<'_>, terms: &RunOptions<'_>) -> RunResult {
    run_for(RunPurpose::Sync, sides, terms).await
}

/// Makes one run for a purpose of its own.
pub async fn run_for(
    aim: RunPurpose<'_>,
    sides: &mut Sides<'_>,
    terms: &RunOptions<'_>,
) -> RunResult {
    let started_at = (terms.clock)();
    let (linq, state) = (sides.linq, sides.state);
    let clock = || {
        #[cfg(debug_assertions)]
        defect::on_purpose();
        (terms.clock)()
    };
    let within = RunOptions { clock: &clock, ..*terms };
    let mut making = RunExecutor::new(aim, sides, &within, started_at);
    let all = persist_retry_after(linq, state, terms.clock, Box::pin(making.execute_all()));
    let result = AssertUnwindSafe(all).catch_unwind().await.unwrap_or_else(catch_defect);
    let RunExecutor { mut report, notices, left, .. } = making;
    let down = remember_outage(state, &result, (terms.clock)());
    if let Err(error) = &result {
        report.run = report.run.or_else(|| record_failed_start(error, state, started_at));
        let mut reported = error.to_reported_error();
        if let Some(down) = down {
            reported.hint = format!("{}; {down}", reported.hint);
        }
        report.error = Some(reported);
    }
    report.requests = sides.linq.request_counts();
    report.conclude_outcome((terms.clock)());
    let mut ran = RunResult { report, notices, left: left.filter(|_| result.is_ok()) };
    finish_run(sides.state, &mut ran, (terms.clock)(), terms.history);
    ran
}

/// Gives a run a number that failed before it had one, so that it is not as if nothing had
/// been tried. A plan that was kept is not spent by that. What was asked for in vain is no
/// run, and neither is one of which the state cannot take a record.
fn record_failed_start(error: &RunError, state: &State, started_at: Timestamp) -> Option<RunId> {
    match error {
        RunError::NoSuchContact(_)
        | RunError::Applied(_)
        | RunError::State(_)
        | RunError::Stopped => None,
        RunError::Source(_)
        | RunError::Write(_)
        | RunError::BackUp(_)
        | RunError::Linq(_)
        | RunError::GaveUp(_)
        | RunError::Plan(_)
        | RunError::OtherIds(_)
        | RunError::Defect => state.begin_run(started_at).ok(),
    }
}

/// A panic is a defect, and ends the run like any error: what was in flight stays in the
/// journal, for the next run. It says what it is in a text; whatever else unwinds is none,
/// and goes on.
fn catch_defect(cause: Box<dyn Any + Send>) -> Result<(), RunError> {
    if cause.is::<&str>() || cause.is::<String>() {
        Err(RunError::Defect)
    } else {
        resume_unwind(cause)
    }
}

/// Writes the run's end into the state, and lets go of history that is old enough. A
/// state that cannot take it is no reason to hide what the run came to.
fn finish_run(state: &State, ran: &mut RunResult, at: Timestamp, history: TimeDelta) {
    let Some(run) = ran.report.run else { return };
    let report = serde_json::to_value(&ran.report).unwrap_or_default();
    let outcome = report["outcome"].as_str().unwrap_or_default().to_owned();
    let ending = StoredRunEnd { at, outcome, report };
    let finished = state.finish_run(run, &ending).and_then(|()| state.prune_history(at, history));
    if let Err(error) = finished {
        ran.notices.push(format!("the run's end could not be recorded: {error}"));
    }
}

/// Makes the plan that a run would begin with, and writes nothing: `state` must be a
/// scratch copy.
///
/// # Errors
/// When a side or the state cannot be read.
pub async fn preview_plan(
    sides: &mut Sides<'_>,
    terms: &RunOptions<'_>,
) -> Result<(Plan, Observation, RunReport), RunError> {
    preview_for(RunPurpose::Sync, Extent::Restless, sides, terms).await
}

/// Makes the plan of a run for a purpose of its own, from as much as `extent` says at least,
/// and writes nothing: `state` must be a scratch copy.
///
/// # Errors
/// When a side or the state cannot be read.
pub async fn preview_for(
    aim: RunPurpose<'_>,
    extent: Extent<'_>,
    sides: &mut Sides<'_>,
    terms: &RunOptions<'_>,
) -> Result<(Plan, Observation, RunReport), RunError> {
    let now = (terms.clock)();
    let (state, policy) = (sides.state, terms.policy);
    let run = state.begin_run(now)?;
    let extent = extent.at_least(aim, state)?;
    let (reading, resting) = read_source(sides.source, state, policy, extent)?;
    keep_wait(sides.linq, state, now)?;
    let linq = match extent {
        Extent::Named(named) if !resting.is_empty() => {
            observe::read_named(sides.linq, state, &resting, named).await?
        }
        Extent::Named(_) | Extent::Restless | Extent::Everybody => {
            observe::read_linq(sides.linq, state, policy, &reading, &resting, run, now).await?
        }
    };
    let read = SourceRead { source: &*sides.source, reading: &reading, resting: &resting };
    let mut seen = observe::observation(state, policy, read, linq, now)?;
    let recorder = Recorder { state, run, policy, seen: &seen };
    if recorder.settle_interrupted(now)? {
        observe::see_again(state, policy, read, &mut seen)?;
    }
    let recorder = Recorder { state, run, policy, seen: &seen };
    if let Some((_, gone)) = rescue_late_saves(recorder, &reading.displaced, now)? {
        seen.linq.absence_unconfirmed.extend(gone);
        observe::see_again(state, policy, read, &mut seen)?;
    }
    seen.changed_meaning = settle_meaning(state, policy, run, read, &mut seen, now)?;
    let mut plan = aim.make_plan(&seen, terms.policy)?;
    let losses = RemovedRecords::load_removed(&plan, state)?.losses(&plan, &*sides.source);
    plan.notices.extend(losses);
    let mut report = RunReport::new(now);
    report.dry_run = true;
    report.skipped = plan.skipped.len();
    report.take_open(&plan, &seen);
    report.requests = sides.linq.request_counts();
    report.conclude_outcome((terms.clock)());
    Ok((plan, seen, report))
}
