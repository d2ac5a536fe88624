//! Whether Linq works, from one run to the next.
//!
//! Owns what a run does about a Linq that did not work in the run before, and what
//! it leaves to the next about it. Leaves retries within a run to [`crate::linq`],
//! keeping the memory to [`crate::mirror`], and the schedule to the daemon.

use std::pin::Pin;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::apply::Clock;
use crate::linq::{Client, Failure, Remedy};
use crate::mirror::{LinqDown, State, WhyDown};
use crate::model::Timestamp;
use crate::run::RunError;

/// Makes a run, and remembers at once when Linq asks to be left alone: the next
/// process must know it even if this one is killed while it waits.
pub(crate) async fn persist_retry_after(
    linq: &Client,
    state: &State,
    clock: Clock<'_>,
    mut all: Pin<Box<impl Future<Output = Result<(), RunError>>>>,
) -> Result<(), RunError> {
    let mut asked = linq.asked_to_wait();
    loop {
        tokio::select! {
            biased;
            Ok(()) = asked.changed() => note_wait(*asked.borrow_and_update(), state, clock()),
            result = &mut all => {
                // The run may have ended over it.
                if asked.has_changed().unwrap_or(false) {
                    note_wait(*asked.borrow_and_update(), state, clock());
                }
                return result;
            }
        }
    }
}

fn note_wait(until: Option<Instant>, state: &State, now: Timestamp) {
    let Some(until) = until else { return };
    let wait = TimeDelta::from_std(until.saturating_duration_since(Instant::now()));
    let next_attempt = now + wait.unwrap_or_default();
    let down = LinqDown { why: WhyDown::AskedToWait, since: now, next_attempt, runs: 0 };
    if let Err(error) = state.remember_linq_down(Some(&down)) {
        tracing::debug!(%error, "the wait cannot be remembered");
    }
    tracing::warn!("{down}");
}

/// Keeps the wait that Linq asked for in an earlier run.
pub(crate) fn keep_wait(linq: &Client, state: &State, now: Timestamp) -> Result<(), RunError> {
    if let Some(down) = state.linq_down()?
        && down.why == WhyDown::AskedToWait
        && down.wait_left(now) > TimeDelta::zero()
    {
        tracing::warn!("{down}");
        linq.pause_requests(down.wait_left(now).to_std().unwrap_or_default());
    }
    Ok(())
}

/// Before anything else is asked of a Linq that did not work: keeps the wait that it
/// asked for, or finds out with one cheap request whether it works again.
pub(crate) async fn probe_before_run(
    linq: &Client,
    state: &State,
    now: Timestamp,
) -> Result<(), RunError> {
    let Some(down) = state.linq_down()? else { return Ok(()) };
    match down.why {
        WhyDown::AskedToWait => keep_wait(linq, state, now),
        WhyDown::Failing => Ok(linq.probe_once().await?),
        WhyDown::TokenRefused => Ok(()),
    }
}

/// Remembers whether Linq works, for the next run and for the schedule.
pub(crate) fn remember_outage(
    state: &State,
    result: &Result<(), RunError>,
    now: Timestamp,
) -> Option<LinqDown> {
    let before = state.linq_down().ok().flatten();
    let why = match result {
        Ok(()) | Err(RunError::GaveUp(_)) => None,
        Err(RunError::Linq(error)) => match &error.verdict {
            Remedy::NoToken(_) => return None,
            Remedy::TokenRefused(_) | Remedy::Halted(_) => Some(WhyDown::TokenRefused),
            Remedy::Rejected(_) => None,
            Remedy::Failed(Failure::Status(answered))
                if before.is_some_and(|before| before.why == WhyDown::AskedToWait)
                    && matches!(answered.status.as_u16(), 429 | 503) =>
            {
                Some(WhyDown::AskedToWait)
            }
            Remedy::Failed(_) => Some(WhyDown::Failing),
        },
        // Nothing is known about Linq.
        Err(
            RunError::Source(_)
            | RunError::Write(_)
            | RunError::BackUp(_)
            | RunError::State(_)
            | RunError::Plan(_)
            | RunError::Defect
            | RunError::NoSuchContact(_)
            | RunError::OtherIds(_)
            | RunError::Applied(_)
            | RunError::Stopped,
        ) => return None,
    };
    let down = why.map(|why| LinqDown::after_failure(before, why, now));
    if down != before
        && let Err(error) = state.remember_linq_down(down.as_ref())
    {
        tracing::debug!(%error, "whether Linq works cannot be remembered");
    }
    down
}
