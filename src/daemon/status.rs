//! What is told about the daemon, to whoever asks.
//!
//! Owns the facts, and their forms: a line for people, `linqsync.service/1` for
//! scripts. No contact's values are among them. Leaves serving and logging to others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::control::DaemonActivity;
use super::health::{Condition, Health};
use crate::mirror::{LinqDown, WhyDown};
use crate::model::Timestamp;
use crate::report::{Open, RunReport};

/// How long a daemon that is well takes at most to hear its clock tick.
const STUCK: Duration = Duration::from_mins(2);

/// The facts, shared between the daemon and those who tell them.
#[derive(Clone, Debug)]
pub struct StatusBoard(Arc<Mutex<DaemonStatus>>);

/// The facts about the daemon.
#[derive(Clone, Debug)]
pub struct DaemonStatus {
    /// When the process started.
    pub started_at: Timestamp,
    /// When the configuration in force was read.
    pub configured_at: Timestamp,
    /// The schedule, as `sync.toml` writes it.
    pub schedule: String,
    /// When the daemon last heard its clock tick, or a run went on.
    pub ticked: Instant,
    /// What is not there yet that runs need, in words.
    pub waiting_for: Option<String>,
    /// When the run began that is being made.
    pub running_since: Option<Timestamp>,
    /// How far that run is, in words, once it takes long enough to say.
    pub far: Option<String>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// Whether Linq does not work, and when it is asked again.
    pub linq_down: Option<LinqDown>,
    /// How the last run ended, without its notices, which name people.
    pub last_run: Option<RunReport>,
    /// How the runs have been going.
    pub health: Health,
    /// Whether the configuration was last read again successfully, and when.
    pub reload: Option<Reload>,
}

/// How reading the configuration again ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// When.
    pub at: Timestamp,
    /// Whether it is in force.
    pub outcome: ReloadOutcome,
}

/// Whether a configuration that was read again is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// It is.
    Taken,
    /// It is not: the one before stays.
    Refused,
}

impl StatusBoard {
    /// A board with these facts.
    pub fn new(status: DaemonStatus) -> StatusBoard {
        StatusBoard(Arc::new(Mutex::new(status)))
    }

    /// What tells those who ask at the desk.
    pub(super) fn activity_fn(
        &self,
        now: fn() -> Timestamp,
    ) -> Arc<dyn Fn() -> DaemonActivity + Send + Sync> {
        let board = self.clone();
        Arc::new(move || {
            let status = board.lock_status();
            let healthy = status.health.condition(now()).is_good();
            DaemonActivity {
                running_since: status.running_since,
                next_run: status.next_run,
                healthy,
            }
        })
    }

    /// Notes how far the run is, and says how it is all in all.
    pub(super) fn is_as_far_as(&self, far: Option<String>, now: Timestamp) -> String {
        let mut status = self.lock_status();
        status.far = far;
        status.status_line(now)
    }

    /// The facts, to read or to change, for as short as possible.
    pub fn lock_status(&self) -> MutexGuard<'_, DaemonStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DaemonStatus {
    /// Whether the daemon is not stuck, whatever becomes of its runs.
    pub fn is_alive(&self) -> bool {
        self.ticked.elapsed() < STUCK
    }

    /// Whether the daemon has begun to do what it should, and does it.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.health.condition(now).is_good()
            && self.health.last_success().is_some_and(|at| at >= self.started_at)
    }

    /// One line for people: how it is, what waits, what was and what comes.
    pub fn status_line(&self, now: Timestamp) -> String {
        let mut parts = vec![self.state_text(now)];
        parts.extend(self.last_run.as_ref().and_then(|run| waiting_text(&run.open)));
        if let Some(since) = self.running_since {
            let far = self.far.as_ref().map_or_else(String::new, |far| format!(" ({far})"));
            parts.push(format!("a run is being made for {}{far}", ago_text(now, since)));
        }
        if let Some(run) = &self.last_run {
            parts.push(format!("last run {} ago", ago_text(now, run.finished_at)));
        }
        if let Some(next) = self.next_run.filter(|_| self.running_since.is_none()) {
            parts.push(format!("next run in {}", ago_text(next, now)));
        }
        parts.join("; ")
    }

    fn state_text(&self, now: Timestamp) -> String {
        if let Some(waiting) = &self.waiting_for {
            return waiting.clone();
        }
        let down = self.linq_down.filter(|down| down.why != WhyDown::TokenRefused);
        if let Some(down) = down {
            return down.to_string();
        }
        let failures = match self.health.failure_count() {
            1 => "1 run".to_owned(),
            more => format!("{more} runs"),
        };
        match (self.health.condition(now), &self.last_run) {
            (Condition::Stale { since }, _) => {
                format!("no run has succeeded for {}", ago_text(now, since))
            }
            (Condition::TokenRefused { since }, _) => {
                format!("Linq has refused the token for {}", ago_text(now, since))
            }
            (Condition::Failing { since }, _) => {
                format!("failing for {} ({failures})", ago_text(now, since))
            }
            (Condition::Good, None) => "started".to_owned(),
            (Condition::Good, Some(run)) if run.error.is_some() => {
                format!("{failures} failed, trying again")
            }
            (Condition::Good, Some(run)) => match run.in_sync {
                1 => "1 contact in sync".to_owned(),
                all => format!("{all} contacts in sync"),
            },
        }
    }

    /// The document `linqsync.service/1`.
    pub fn to_json(&self, now: Timestamp) -> Value {
        let condition = self.health.condition(now);
        json!({
            "schema": "linqsync.service/1",
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "healthy": condition.is_good(),
            "ready": self.is_ready(now),
            "alive": self.is_alive(),
            "condition": condition.name(),
            "waiting_for": self.waiting_for,
            "since": condition.since().map(second_text),
            "status": self.status_line(now),
            "started_at": second_text(self.started_at),
            "running_since": self.running_since.map(second_text),
            "last_success": self.health.last_success().map(second_text),
            "failures": self.health.failure_count(),
            "schedule": self.schedule,
            "next_run": self.next_run.map(second_text),
            "linq_down": self.linq_down,
            "last_reload": self.reload.map(|reload| json!({
                "at": second_text(reload.at),
                "taken": reload.outcome == ReloadOutcome::Taken,
            })),
            "last_run": self.last_run,
        })
    }
}

fn waiting_text(open: &Open) -> Option<String> {
    let Open { conflicts, ambiguous, rejected, .. } = *open;
    let counts = [
        (conflicts, "in conflict"),
        (ambiguous, "ambiguous"),
        (rejected, "rejected"),
        (open.held_count(), "held"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// A length of time in at most two units, such as `1h 5m`.
pub(crate) fn length_text(time: TimeDelta) -> String {
    let seconds = u64::try_from(time.num_seconds()).unwrap_or_default();
    let unit = match seconds {
        0..600 => 1,
        600..86_400 => 60,
        _ => 3_600,
    };
    humantime::format_duration(std::time::Duration::from_secs(seconds / unit * unit)).to_string()
}

fn ago_text(now: Timestamp, then: Timestamp) -> String {
    length_text(now - then)
}

fn second_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ReportedError;

    fn at(second: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn status() -> DaemonStatus {
        DaemonStatus {
            started_at: at(0),
            configured_at: at(0),
            schedule: "every 5m".to_owned(),
            ticked: Instant::now(),
            waiting_for: None,
            running_since: None,
            far: None,
            next_run: Some(at(300)),
            linq_down: None,
            last_run: None,
            health: Health::new(at(0), None, Duration::from_hours(1)),
            reload: None,
        }
    }

    fn finished(status: &mut DaemonStatus, mut report: RunReport, now: i64) {
        report.finished_at = at(now);
        status.health.after_run(&report, at(now));
        status.last_run = Some(report);
    }

    #[test]
    fn a_line_tells_how_it_is_what_waits_what_was_and_what_comes() {
        let mut status = status();
        assert_eq!(status.status_line(at(0)), "started; next run in 5m");
        status.running_since = Some(at(0));
        assert_eq!(status.status_line(at(2)), "started; a run is being made for 2s");
        status.running_since = None;
        let mut run = RunReport::new(at(0));
        (run.in_sync, run.open.conflicts, run.open.held_deletes) = (250, 2, 3);
        finished(&mut status, run, 2);
        assert_eq!(
            status.status_line(at(40)),
            "250 contacts in sync; 2 in conflict, 3 held; last run 38s ago; next run in 4m 20s"
        );
        assert!(status.is_ready(at(40)));
        assert_eq!(status.to_json(at(40))["last_run"]["conflicts"], 2);
    }

    #[test]
    fn a_line_tells_since_when_something_is_wrong() {
        let mut status = status();
        let mut failed = RunReport::new(at(0));
        let error = |code| ReportedError { code, message: "no".to_owned(), hint: String::new() };
        failed.error = Some(error(6));
        finished(&mut status, failed.clone(), 10);
        assert_eq!(
            status.status_line(at(20)),
            "1 run failed, trying again; last run 10s ago; next run in 4m 40s"
        );
        finished(&mut status, failed.clone(), 20);
        finished(&mut status, failed.clone(), 30);
        assert!(status.status_line(at(3_700)).starts_with("failing for 1h 1m (3 runs);"));
        failed.error = Some(error(5));
        finished(&mut status, failed, 40);
        assert!(status.status_line(at(70)).starts_with("Linq has refused the token for 1m;"));
        assert!(!status.is_ready(at(70)));
        let json = status.to_json(at(70));
        assert_eq!(
            (&json["condition"], &json["healthy"]),
            (&"token_refused".into(), &false.into())
        );
    }
}
