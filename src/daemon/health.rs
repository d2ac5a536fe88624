//! How the daemon is, and how loudly it says so.
//!
//! Owns what a failure means: one that passes by itself is quiet until it has lasted,
//! one that does not is loud at once, nothing is repeated more than once an hour, and
//! the end of an outage is told with its length. Pure: the time is an argument. Leaves
//! writing logs to `announce`.

use std::time::Duration;

use chrono::TimeDelta;

use crate::model::Timestamp;
use crate::report::RunReport;
pub use crate::schedule::stale_after;

/// So many failed runs in a row are more than a hiccup.
const FAILURES: u32 = 3;
/// So is an outage of this length, however seldom it is tried.
const LASTING: TimeDelta = TimeDelta::minutes(15);
/// How often a trouble that goes on is told again.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// How the runs have been going.
#[derive(Clone, Debug)]
pub struct Health {
    watched_since: Timestamp,
    last_success: Option<Timestamp>,
    stale_after: TimeDelta,
    trouble: Option<Trouble>,
}

#[derive(Clone, Debug)]
struct Trouble {
    kind: TroubleKind,
    since: Timestamp,
    failures: u32,
    told: Option<Timestamp>,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TroubleKind {
    /// Linq, the network, the source or a lock: it may pass by itself.
    Passing,
    /// It stays until somebody does something: a disk, a defect.
    Lasting,
    /// Linq refuses the token.
    Token,
}

/// What a run's end is worth saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It succeeded, as the one before.
    Fine,
    /// It failed, and the next one may not.
    Hiccup,
    /// It failed, and people should know.
    Outage {
        /// Since when runs fail.
        since: Timestamp,
        /// How many in a row.
        failures: u32,
    },
    /// It failed again, which people know.
    Known,
    /// It succeeded after others had failed.
    Recovered {
        /// How long runs had failed.
        after: TimeDelta,
        /// How many in a row.
        failures: u32,
        /// Whether people knew.
        told: OutageNotice,
    },
}

/// Whether an outage was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageNotice {
    /// It was.
    Yes,
    /// It passed before.
    No,
}

/// How the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It does what it should.
    Good,
    /// Runs have been failing for a while.
    Failing {
        /// Since when.
        since: Timestamp,
    },
    /// Linq refuses the token.
    TokenRefused {
        /// Since when.
        since: Timestamp,
    },
    /// No run has succeeded for longer than `status.stale_after`.
    Stale {
        /// The last success, or the beginning.
        since: Timestamp,
    },
}

impl Condition {
    /// Whether nothing is wrong.
    pub fn is_good(self) -> bool {
        self == Condition::Good
    }

    /// One word for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Condition::Good => "good",
            Condition::Failing { .. } => "failing",
            Condition::TokenRefused { .. } => "token_refused",
            Condition::Stale { .. } => "stale",
        }
    }

    /// Since when something is wrong.
    pub const fn since(self) -> Option<Timestamp> {
        match self {
            Condition::Good => None,
            Condition::Failing { since }
            | Condition::TokenRefused { since }
            | Condition::Stale { since } => Some(since),
        }
    }
}

impl Health {
    /// Nothing has gone wrong so far; the last success may lie before this process.
    pub fn new(now: Timestamp, last_success: Option<Timestamp>, stale_after: Duration) -> Health {
        let stale_after = TimeDelta::from_std(stale_after).unwrap_or(TimeDelta::MAX);
        Health { watched_since: now, last_success, stale_after, trouble: None }
    }

    /// Goes on from runs of earlier processes, of which the last `failures` failed since then.
    pub fn resume(&mut self, failures: u32, since: Timestamp) {
        if failures > 0 {
            self.trouble =
                Some(Trouble { kind: TroubleKind::Passing, since, failures, told: None });
        }
    }

    /// Since when runs have been failing.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.trouble.as_ref().map(|trouble| trouble.since)
    }

    /// From when on silence is too long is told anew, after a reload.
    pub fn stale_after(&mut self, stale_after: Duration) {
        self.stale_after = TimeDelta::from_std(stale_after).unwrap_or(TimeDelta::MAX);
    }

    /// From when on silence is too long, in seconds.
    pub fn stale_after_seconds(&self) -> f64 {
        self.stale_after.as_seconds_f64()
    }

    /// When a run last succeeded.
    pub fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    /// How many runs failed since.
    pub fn failure_count(&self) -> u32 {
        self.trouble.as_ref().map_or(0, |trouble| trouble.failures)
    }

    /// Whether Linq refused the token the last time it was asked.
    pub fn is_token_refused(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::Token)
    }

    /// Takes in how a run ended.
    pub fn after_run(&mut self, report: &RunReport, now: Timestamp) -> News {
        let Some(error) = &report.error else {
            self.last_success = Some(now);
            return match self.trouble.take() {
                None => News::Fine,
                Some(Trouble { since, failures, told, .. }) => News::Recovered {
                    after: now - since,
                    failures,
                    told: if told.is_some() { OutageNotice::Yes } else { OutageNotice::No },
                },
            };
        };
        let kind = TroubleKind::from_exit_code(error.code);
        let trouble =
            self.trouble.get_or_insert(Trouble { kind, since: now, failures: 0, told: None });
        // Another kind of trouble is news.
        if std::mem::replace(&mut trouble.kind, kind) != kind {
            trouble.told = None;
        }
        trouble.failures = trouble.failures.saturating_add(1);
        if !trouble.is_outage(now) {
            return News::Hiccup;
        }
        if trouble.told.is_some_and(|told| (now - told).abs() < AGAIN) {
            return News::Known;
        }
        trouble.told = Some(now);
        News::Outage { since: trouble.since, failures: trouble.failures }
    }

    /// How the daemon is at `now`.
    pub fn condition(&self, now: Timestamp) -> Condition {
        let trouble = self.trouble.as_ref().filter(|trouble| trouble.is_outage(now));
        if let Some(Trouble { kind, since, .. }) = trouble {
            return match kind {
                TroubleKind::Token => Condition::TokenRefused { since: *since },
                TroubleKind::Passing | TroubleKind::Lasting => Condition::Failing { since: *since },
            };
        }
        // What happened before this process is not held against it at once.
        let since = self.last_success.map_or(self.watched_since, |at| at.max(self.watched_since));
        if now - since > self.stale_after { Condition::Stale { since } } else { Condition::Good }
    }
}

impl Trouble {
    fn is_outage(&self, now: Timestamp) -> bool {
        self.kind != TroubleKind::Passing
            || self.failures >= FAILURES
            || (self.failures > 1 && now - self.since >= LASTING)
    }
}

impl TroubleKind {
    /// By the exit code that a run alone would end with.
    const fn from_exit_code(code: u8) -> TroubleKind {
        match code {
            5 => TroubleKind::Token,
            2 | 6 | 7 => TroubleKind::Passing,
            _ => TroubleKind::Lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ReportedError;

    fn at(minute: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn run(code: Option<u8>) -> RunReport {
        let mut report = RunReport::new(at(0));
        report.error =
            code.map(|code| ReportedError { code, message: "no".to_owned(), hint: String::new() });
        report
    }

    fn health() -> Health {
        Health::new(at(0), None, Duration::from_hours(1))
    }

    #[test]
    fn a_hiccup_is_quiet_an_outage_is_told_once_an_hour_and_its_end_with_its_length() {
        let mut health = health();
        assert_eq!(health.after_run(&run(None), at(0)), News::Fine);
        assert_eq!(health.after_run(&run(Some(6)), at(5)), News::Hiccup);
        assert_eq!(health.after_run(&run(Some(6)), at(6)), News::Hiccup);
        assert_eq!(health.condition(at(6)), Condition::Good);
        let outage = |failures| News::Outage { since: at(5), failures };
        assert_eq!(health.after_run(&run(Some(6)), at(7)), outage(3));
        assert_eq!(health.condition(at(7)), Condition::Failing { since: at(5) });
        assert_eq!(health.after_run(&run(Some(6)), at(12)), News::Known);
        assert_eq!(health.after_run(&run(Some(6)), at(66)), News::Known);
        assert_eq!(health.after_run(&run(Some(6)), at(67)), outage(6));
        let after = TimeDelta::minutes(65);
        let recovered = News::Recovered { after, failures: 6, told: OutageNotice::Yes };
        assert_eq!(health.after_run(&run(None), at(70)), recovered);
        assert_eq!(health.condition(at(70)), Condition::Good);
        assert_eq!(health.after_run(&run(None), at(75)), News::Fine);
    }

    #[test]
    fn on_a_slow_schedule_the_second_failure_is_an_outage() {
        let mut health = health();
        assert_eq!(health.after_run(&run(Some(2)), at(0)), News::Hiccup);
        let day = at(24 * 60);
        assert_eq!(
            health.after_run(&run(Some(2)), day),
            News::Outage { since: at(0), failures: 2 }
        );
    }

    #[test]
    fn what_does_not_pass_by_itself_is_loud_at_once() {
        for (code, condition) in [
            (1, Condition::Failing { since: at(1) }),
            (5, Condition::TokenRefused { since: at(1) }),
        ] {
            let mut health = health();
            let told = health.after_run(&run(Some(code)), at(1));
            assert_eq!(told, News::Outage { since: at(1), failures: 1 }, "{code}");
            assert_eq!(health.condition(at(1)), condition);
        }
    }

    #[test]
    fn another_kind_of_trouble_is_told_although_there_is_one() {
        let mut health = health();
        health.after_run(&run(Some(1)), at(1));
        assert_eq!(health.after_run(&run(Some(1)), at(2)), News::Known);
        let told = health.after_run(&run(Some(5)), at(3));
        assert_eq!(told, News::Outage { since: at(1), failures: 3 });
        assert!(health.is_token_refused());
    }

    #[test]
    fn silence_turns_health_bad_and_what_was_before_this_process_does_not() {
        let old = Health::new(at(0), Some(at(-10_000)), Duration::from_hours(1));
        assert_eq!(old.condition(at(60)), Condition::Good);
        assert_eq!(old.condition(at(61)), Condition::Stale { since: at(0) });
        let mut health = health();
        health.after_run(&run(None), at(30));
        assert_eq!(health.condition(at(90)), Condition::Good);
        assert_eq!(health.condition(at(91)), Condition::Stale { since: at(30) });
        health.stale_after(Duration::from_hours(2));
        assert_eq!(health.condition(at(91)), Condition::Good);
    }
}
