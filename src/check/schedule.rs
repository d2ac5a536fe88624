//! When the daemon would begin its next runs, and when silence is taken for trouble.

use chrono::{DateTime, Local};

use crate::config::{Config, CronPattern, Schedule};
use crate::model::Timestamp;
use crate::schedule::{longest_pause, next_after, stale_after};

use super::CheckFinding;

/// How many runs are foretold.
const RUNS: usize = 3;

pub(super) fn check_schedule(schedule: &Schedule, now: Timestamp) -> CheckFinding {
    match schedule {
        Schedule::Every(_) => {
            CheckFinding::ok("schedule", format!("at the start, then {schedule}"))
        }
        Schedule::Cron(pattern) => {
            let times = next(pattern, now);
            if times.is_empty() {
                let hint = "set sync.schedule to times that come, such as \"every 5m\"";
                return CheckFinding::warning(
                    "schedule",
                    "never again after the run at the start",
                    hint,
                );
            }
            let times: Vec<String> =
                times.iter().map(|time| time.format("%a %d %b %H:%M:%S").to_string()).collect();
            CheckFinding::ok("schedule", format!("at the start, then {}", times.join(", ")))
        }
    }
}

/// After how long without a success the daemon is unhealthy.
pub(super) fn look_at_silence(config: &Config, now: Timestamp) -> CheckFinding {
    let after = stale_after(config, now);
    let told = humantime::format_duration(after);
    let pause = longest_pause(&config.sync.schedule, &Local, now);
    match (config.status.stale_after, pause) {
        (Some(_), Some(pause)) if after <= pause => {
            let message = format!(
                "unhealthy after {told} without a success (status.stale_after), and the schedule \
                 pauses for up to {}",
                humantime::format_duration(pause)
            );
            let hint = "take status.stale_after out, or set it to more than one pause";
            CheckFinding::warning("health", message, hint)
        }
        (Some(_), _) => CheckFinding::ok(
            "health",
            format!("unhealthy after {told} without a success (status.stale_after)"),
        ),
        (None, _) => CheckFinding::ok(
            "health",
            format!("unhealthy after {told} without a success, by the schedule"),
        ),
    }
}

/// The next times after `now` by the local clock; fewer if there are no more.
fn next(pattern: &CronPattern, now: Timestamp) -> Vec<DateTime<Local>> {
    let after = |now: &Timestamp| next_after(pattern.as_cron(), &Local, *now);
    let times = std::iter::successors(after(&now), after).take(RUNS);
    times.map(|time| time.with_timezone(&Local)).collect()
}
