//! The metrics, in OpenMetrics text.
//!
//! Owns their names, which alerts depend on, and the counting of runs and requests.
//! What is true at a moment is taken from the [`Status`] when somebody looks. No label
//! says anything of anybody. Leaves serving to the daemon's listener; `file` is for
//! those who collect files.

mod file;
mod process;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::status::{ReloadOutcome, Status};
use crate::model::{Side, Timestamp};
use crate::report::{Outcome, RunReport, SideCounts};
pub(crate) use file::write;

type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;
type Seconds = Counter<f64, AtomicU64>;

/// What a run may take, in seconds.
const RUN_SECONDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// What a request may take, in seconds.
const REQUEST_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    state: Mutex<PathBuf>,
    runs: Family<Labels, Counter>,
    changes: Family<Labels, Counter>,
    requests: Family<Labels, Counter>,
    run_seconds: Histogram,
    request_seconds: Histogram,
    throttled: Seconds,
    contacts: Family<Labels, Number>,
    waiting: Family<Labels, Number>,
    moment: Moment,
}

/// What is true when somebody looks.
#[derive(Debug)]
struct Moment {
    healthy: Number,
    last_run: Number,
    last_success: Number,
    state_bytes: Number,
    reload_successful: Number,
    reload_success: Number,
    memory: Number,
    cpu: Seconds,
    files: Number,
    started_at: Number,
}

impl Metrics {
    /// Nothing has happened so far. `state` is the state directory.
    pub fn new(state: PathBuf) -> Metrics {
        let mut registry = Registry::default();
        let r = &mut registry;
        build(r);
        let metrics = Metrics {
            runs: add(r, "linqsync_runs", "Runs that have ended"),
            changes: add(r, "linqsync_changes", "Contacts that were written"),
            requests: add(r, "linqsync_requests", "Requests to Linq, with the status or none"),
            run_seconds: histogram(
                r,
                "linqsync_run_duration_seconds",
                "How long runs take",
                &RUN_SECONDS,
            ),
            request_seconds: histogram(
                r,
                "linqsync_request_duration_seconds",
                "How long requests to Linq take",
                &REQUEST_SECONDS,
            ),
            throttled: add(r, "linqsync_throttled_seconds", "How long Linq asked for a pause"),
            contacts: add(r, "linqsync_contacts", "Contacts that the last run saw"),
            waiting: add(r, "linqsync_waiting", "What waits for a person"),
            moment: Moment::new(r),
            registry,
            state: Mutex::new(state),
        };
        metrics.begin();
        metrics
    }

    /// Lets every series begin at nothing, so that the first of a kind is a change.
    fn begin(&self) {
        for outcome in Outcome::ALL {
            let _ = self.runs.get_or_create(&vec![("outcome", outcome.name().to_owned())]);
        }
        for side in [Side::Source, Side::Linq] {
            self.count_changes(side, SideCounts::default());
        }
    }

    fn count_changes(&self, side: Side, done: SideCounts) {
        let counts = [("create", done.created), ("update", done.updated), ("delete", done.deleted)];
        for (action, count) in counts {
            let labels = vec![("side", side.name().to_owned()), ("action", action.to_owned())];
            self.changes.get_or_create(&labels).inc_by(count as u64);
        }
    }

    /// The state has moved to this directory.
    pub(super) fn state_is_in(&self, dir: &Path) {
        dir.clone_into(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a run that took this long, and in which Linq asked for pauses of this length.
    pub fn count_run(&self, report: &RunReport, took: Duration, throttled: Duration) {
        self.runs.get_or_create(&vec![("outcome", report.outcome.name().to_owned())]).inc();
        self.count_changes(Side::Source, report.source);
        self.count_changes(Side::Linq, report.linq);
        self.run_seconds.observe(took.as_secs_f64());
        self.throttled.inc_by(throttled.as_secs_f64());
    }

    /// Counts a request of a kind that has ended after `took`, with this status or none.
    pub fn count_request(&self, call: &str, status: Option<u16>, took: Duration) {
        let code = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.requests.get_or_create(&vec![("call", call.to_owned()), ("code", code)]).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// Everything as text, with what is true at `now`.
    pub fn text(&self, status: &Status, now: Timestamp) -> String {
        if let Some(run) = &status.last_run {
            self.look_at_run(run);
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.moment.look(status, &state, now);
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn look_at_run(&self, run: &RunReport) {
        // A run that failed may have seen nothing, which says nothing about contacts.
        if run.error.is_some() {
            return;
        }
        for (side, seen) in [(Side::Source, run.source.seen), (Side::Linq, run.linq.seen)] {
            let labels = vec![("side", side.name().to_owned())];
            self.contacts.get_or_create(&labels).set(number(seen));
        }
        let open = &run.open;
        for (state, count) in [
            ("conflicts", open.conflicts),
            ("ambiguous", open.ambiguous),
            ("rejected", open.rejected),
            ("held", open.held_deletes + open.held_clears),
        ] {
            self.waiting.get_or_create(&vec![("state", state.to_owned())]).set(number(count));
        }
    }
}

impl Moment {
    fn new(r: &mut Registry) -> Moment {
        let reload = "linqsync_config_last_reload";
        Moment {
            healthy: add(r, "linqsync_healthy", "1 if runs do what they should, else 0"),
            last_run: add(r, "linqsync_last_run_timestamp_seconds", "When the last run ended"),
            last_success: add(
                r,
                "linqsync_last_success_timestamp_seconds",
                "When a run last succeeded, 0 for never",
            ),
            state_bytes: add(r, "linqsync_state_bytes", "The size of the state"),
            reload_successful: add(
                r,
                &format!("{reload}_successful"),
                "1 if the configuration in force is the one in the file, as last read, else 0",
            ),
            reload_success: add(
                r,
                &format!("{reload}_success_timestamp_seconds"),
                "When the configuration in force was read",
            ),
            memory: add(r, "process_resident_memory_bytes", "Resident memory"),
            cpu: add(r, "process_cpu_seconds", "Processor time"),
            files: add(r, "process_open_fds", "Open file descriptors"),
            started_at: add(r, "process_start_time_seconds", "When the process started"),
        }
    }

    fn look(&self, status: &Status, state: &Path, now: Timestamp) {
        let good = status.health.condition(now).is_good();
        self.healthy.set(if good { 1.0 } else { 0.0 });
        self.last_run.set(status.last_run.as_ref().map_or(0.0, |run| second(run.finished_at)));
        self.last_success.set(status.health.last_success().map_or(0.0, second));
        self.state_bytes.set(process::size_of_state(state));
        let refused = status.reload.is_some_and(|r| r.outcome == ReloadOutcome::Refused);
        self.reload_successful.set(if refused { 0.0 } else { 1.0 });
        self.reload_success.set(second(status.configured_at));
        self.started_at.set(second(status.started_at));
        let usage = process::usage();
        self.memory.set(usage.memory);
        self.files.set(usage.files);
        self.cpu.inc_by((usage.cpu - self.cpu.get()).max(0.0));
    }
}

fn build(registry: &mut Registry) {
    let labels: Labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("revision", option_env!("LINQSYNC_REVISION").unwrap_or("unknown").to_owned()),
    ];
    let build: Family<Labels, Number> =
        add(registry, "linqsync_build_info", "The version, as labels");
    build.get_or_create(&labels).set(1.0);
}

/// Adds a metric under a name and says what it is.
fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn histogram(registry: &mut Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let histogram = Histogram::new(buckets.iter().copied());
    registry.register(name, help, histogram.clone());
    histogram
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and for people")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 280,000 are exact")]
fn second(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}
