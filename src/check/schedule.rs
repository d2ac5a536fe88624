//! When the daemon would begin its next runs.

use chrono::{DateTime, Local};

use crate::config::{CronPattern, Schedule};
use crate::model::Timestamp;
use crate::schedule::next_after;

use super::Finding;

/// How many runs are foretold.
const RUNS: usize = 3;

pub(super) fn look(schedule: &Schedule, now: Timestamp) -> Finding {
    match schedule {
        Schedule::Every(_) => Finding::ok("schedule", format!("at the start, then {schedule}")),
        Schedule::Cron(pattern) => {
            let times = next(pattern, now);
            if times.is_empty() {
                let hint = "set sync.schedule to times that come, such as \"every 5m\"";
                return Finding::warning(
                    "schedule",
                    "never again after the run at the start",
                    hint,
                );
            }
            let times: Vec<String> =
                times.iter().map(|time| time.format("%a %d %b %H:%M:%S").to_string()).collect();
            Finding::ok("schedule", format!("at the start, then {}", times.join(", ")))
        }
    }
}

/// The next times after `now` by the local clock; fewer if there are no more.
fn next(pattern: &CronPattern, now: Timestamp) -> Vec<DateTime<Local>> {
    let after = |now: &Timestamp| next_after(pattern.times(), &Local, *now);
    let times = std::iter::successors(after(&now), after).take(RUNS);
    times.map(|time| time.with_timezone(&Local)).collect()
}
