//! The built program, killed at every point of a run, and started again twice.
//!
//! A point is a request, killed when it arrives, when it was carried out, or when it
//! was lost; or a moment in time, so that writes to the state and to the source are
//! hit too. The first run after a kill must end as if there had been no other, and
//! the second must have nothing to do.
//!
//! With `LINQSYNC_SWEEP` the points are system calls instead: every one that changes
//! something, met by SIGKILL or by an error, once or from then on. That takes strace
//! and minutes: see `tests/sweep.sh`.

mod system_calls;

use std::sync::atomic::{AtomicU64, Ordering};

use linqsync::sandbox::ObservedMoment;

use crate::harness::{Process, Stage};

/// How many moments in time are tried on most stages.
const MOMENTS: u32 = 125;

/// What happens to the request at which the program is killed.
#[derive(Clone, Copy, Debug)]
enum KillResult {
    /// It is carried out although nobody waits for it.
    CarriedOut,
    /// It is carried out first.
    Before,
    /// It is lost.
    Lost,
}

#[test]
fn a_run_over_pairs_that_is_killed_anywhere_is_finished_by_the_next() {
    sweep("pairs", &Stage::of_pairs(), MOMENTS);
}

#[test]
fn a_run_over_cards_that_is_killed_anywhere_is_finished_by_the_next() {
    sweep("cards", &Stage::of_cards(), MOMENTS / 3);
}

#[test]
fn a_first_run_that_is_killed_anywhere_is_finished_by_the_next() {
    sweep("first run", &Stage::of_a_first_run(), MOMENTS);
}

#[expect(clippy::print_stderr, reason = "figures that people read")]
fn sweep(name: &str, stage: &Stage, moments: u32) {
    let points = match std::env::var("LINQSYNC_SWEEP") {
        Ok(calls) => system_calls::sweep(name, stage, &calls),
        Err(_) => at_requests(stage) + at_moments(stage, moments),
    };
    eprintln!("{name}: {points} points");
}

/// Kills at every request.
fn at_requests(stage: &Stage) -> u32 {
    let mut points = 0;
    for nth in 1..=stage.requests {
        for fate in [KillResult::CarriedOut, KillResult::Before, KillResult::Lost] {
            stage.reset();
            if matches!(fate, KillResult::Lost) {
                stage.world.fault(&format!("any drop-before nth={nth}"));
            }
            let process = killed_at(stage, nth, fate);
            let _ = process.ended();
            stage.must_heal(&format!("{fate:?} at request {nth}"));
            points += 1;
        }
    }
    points
}

/// Starts a run that is killed at its `nth` request.
fn killed_at(stage: &Stage, nth: u64, fate: KillResult) -> Process {
    let moment = match fate {
        KillResult::CarriedOut | KillResult::Lost => ObservedMoment::Arrived,
        KillResult::Before => ObservedMoment::CarriedOut,
    };
    let met = AtomicU64::new(0);
    stage.world.killed_at(moment, move |_| met.fetch_add(1, Ordering::SeqCst) + 1 == nth)
}

/// Kills after times that cover a whole run.
fn at_moments(stage: &Stage, moments: u32) -> u32 {
    for nth in 0..moments {
        stage.reset();
        let process = stage.start();
        let moment = stage.took.mul_f64(f64::from(nth) / f64::from(moments));
        std::thread::sleep(moment);
        process.kill();
        stage.must_heal(&format!("killed after {moment:?}"));
    }
    moments
}
