//! When the daemon would begin its next runs.

use chrono::{DateTime, Local};
use croner::parser::{CronParser, Seconds};

use crate::config::{CronPattern, Schedule};
use crate::model::Timestamp;

use super::Finding;

/// How many runs are foretold.
const RUNS: usize = 3;

pub(super) fn look(schedule: &Schedule, now: Timestamp) -> Finding {
    match schedule {
        Schedule::Every(_) => Finding::ok("schedule", format!("at the start, then {schedule}")),
        Schedule::Cron(pattern) => {
            let times = next(pattern, now.with_timezone(&Local));
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
fn next(pattern: &CronPattern, now: DateTime<Local>) -> Vec<DateTime<Local>> {
    let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
    // The configuration has checked it.
    let Ok(cron) = parser.parse(pattern.as_str()) else { return Vec::new() };
    cron.iter_after(now).take(RUNS).collect()
}
