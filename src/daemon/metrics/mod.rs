//! The metrics, in Prometheus' text format and in OpenMetrics.
//!
//! Owns their names, which alerts depend on, and the counting of runs and requests,
//! which goes on from one process to the next by way of the state. What is true at a
//! moment is taken from the [`DaemonStatus`] when somebody looks. No label says anything of
//! anybody. Leaves serving to the daemon's listener; `file` is for those who collect files,
//! and `form` knows the two formats.

mod file;
mod form;
mod tally;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};
use serde::{Deserialize, Serialize};

use super::status::{DaemonStatus, ReloadOutcome};
use crate::mirror::{State, WhyDown};
use crate::model::{Side, Timestamp};
use crate::platform;
use crate::report::{RunOutcome, RunReport, SideCounts};
pub(crate) use file::write;
pub use form::Form;
use tally::{Durations, LabelledCounter, Labels, Spread};

type Number = Gauge<f64, AtomicU64>;
type Seconds = Counter<f64, AtomicU64>;

/// What a run may take, in seconds.
const RUN_SECONDS: [f64; 11] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// What a request may take, in seconds.
const REQUEST_SECONDS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Those that tell of the process alone.
    process: Registry,
    state: Mutex<PathBuf>,
    runs: LabelledCounter,
    changes: LabelledCounter,
    requests: LabelledCounter,
    run_seconds: Durations,
    request_seconds: Durations,
    throttled: Seconds,
    contacts: Family<Labels, Number>,
    waiting: Family<Labels, Number>,
    held: Family<Labels, Number>,
    listing_complete: Number,
    linq_down: Family<Labels, Number>,
    moment: MetricsSnapshot,
}

/// What was counted, by all processes so far that told it, as the state keeps it.
#[derive(Serialize, Deserialize)]
struct Totals {
    runs: Vec<(Labels, u64)>,
    changes: Vec<(Labels, u64)>,
    requests: Vec<(Labels, u64)>,
    run_seconds: Spread,
    request_seconds: Spread,
    throttled: f64,
}

/// What is true when somebody looks.
#[derive(Debug)]
struct MetricsSnapshot {
    healthy: Number,
    running: Number,
    next_run: Number,
    stale_after: Number,
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
        let (mut registry, mut process) = (Registry::default(), Registry::default());
        let r = &mut registry;
        register_build(r);
        let metrics = Metrics {
            runs: register_metric(r, "linqsync_runs", "Runs that have ended"),
            changes: register_metric(r, "linqsync_changes", "Contacts that were written"),
            requests: register_metric(
                r,
                "linqsync_requests",
                "Requests to Linq, with the status or none",
            ),
            run_seconds: register_durations(
                r,
                "linqsync_run_duration_seconds",
                "How long runs take",
                &RUN_SECONDS,
            ),
            request_seconds: register_durations(
                r,
                "linqsync_request_duration_seconds",
                "How long requests to Linq take",
                &REQUEST_SECONDS,
            ),
            throttled: register_metric(
                r,
                "linqsync_throttled_seconds",
                "How long Linq asked for a pause",
            ),
            contacts: register_metric(r, "linqsync_contacts", "Contacts that the last run saw"),
            waiting: register_metric(r, "linqsync_waiting", "What waits for a person"),
            held: register_metric(r, "linqsync_held", "What waits for approval"),
            listing_complete: register_metric(
                r,
                "linqsync_listing_complete",
                "1 if the last good run saw all contacts in Linq, else 0: nothing is deleted then",
            ),
            linq_down: register_metric(
                r,
                "linqsync_linq_down",
                "1 while Linq is left alone for this reason, else 0",
            ),
            moment: MetricsSnapshot::new(r, &mut process),
            registry,
            process,
            state: Mutex::new(state),
        };
        metrics.init_series();
        metrics
    }

    /// Lets every series begin at nothing, so that the first of a kind is a change.
    fn init_series(&self) {
        for outcome in RunOutcome::ALL {
            self.runs.add_count(&[("outcome", outcome.name())], 0);
        }
        for side in [Side::Source, Side::Linq] {
            self.count_changes(side, SideCounts::default());
        }
    }

    fn count_changes(&self, side: Side, done: SideCounts) {
        let counts = [("create", done.created), ("update", done.updated), ("delete", done.deleted)];
        for (action, count) in counts {
            self.changes.add_count(&[("side", side.name()), ("action", action)], count as u64);
        }
    }

    /// Goes on counting from what `state` has kept, if there is anything.
    pub fn go_on_from(&self, state: &State) {
        let kept = state.stored_counts::<Totals>().inspect_err(|error| {
            tracing::debug!(%error, "what was counted before cannot be read");
        });
        let Ok(Some(totals)) = kept else { return };
        self.runs.go_on_from(totals.runs);
        self.changes.go_on_from(totals.changes);
        self.requests.go_on_from(totals.requests);
        self.run_seconds.go_on_from(&totals.run_seconds);
        self.request_seconds.go_on_from(&totals.request_seconds);
        self.throttled.inc_by(totals.throttled.max(0.0));
    }

    /// Has `state` keep what was counted, for the next process.
    pub fn save_counts(&self, state: &State) {
        let totals = Totals {
            runs: self.runs.total(),
            changes: self.changes.total(),
            requests: self.requests.total(),
            run_seconds: self.run_seconds.total(),
            request_seconds: self.request_seconds.total(),
            throttled: self.throttled.get(),
        };
        if let Err(error) = state.remember_counted(&totals) {
            tracing::debug!(%error, "what was counted cannot be kept");
        }
    }

    /// The state has moved to this directory.
    pub(super) fn state_is_in(&self, dir: &Path) {
        dir.clone_into(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a run that took this long, and in which Linq asked for pauses of this length.
    pub fn count_run(&self, report: &RunReport, took: Duration, throttled: Duration) {
        self.runs.add_count(&[("outcome", report.outcome.name())], 1);
        self.count_changes(Side::Source, report.source);
        self.count_changes(Side::Linq, report.linq);
        self.run_seconds.observe(took.as_secs_f64());
        self.throttled.inc_by(throttled.as_secs_f64());
    }

    /// Counts a request of a kind that has ended after `took`, with this status or none.
    pub fn count_request(&self, call: &str, status: Option<u16>, took: Duration) {
        let code = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.requests.add_count(&[("call", call), ("code", &code)], 1);
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// Everything as text in this form, with what is true at `now`.
    pub fn render_text(&self, form: Form, status: &DaemonStatus, now: Timestamp) -> String {
        self.refresh_snapshot(status, now);
        form.render_in(encode_registries(&[&self.registry, &self.process]))
    }

    /// The same as a file tells it: without what is true of the process alone, which is
    /// mostly gone when the file is read, and whose names are those of the collector's own.
    /// Collectors of files read the classic form alone.
    pub fn text_for_file(&self, status: &DaemonStatus, now: Timestamp) -> String {
        self.refresh_snapshot(status, now);
        Form::Classic.render_in(encode_registries(&[&self.registry]))
    }

    fn refresh_snapshot(&self, status: &DaemonStatus, now: Timestamp) {
        if let Some(run) = &status.last_run {
            self.look_at_run(run);
        }
        for why in WhyDown::ALL {
            let labels = vec![("reason".to_owned(), why.name().to_owned())];
            let is_why = status.linq_down.is_some_and(|down| down.why == why);
            self.linq_down.get_or_create(&labels).set(flag_value(is_why));
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.moment.refresh_values(status, &state, now);
    }

    fn look_at_run(&self, run: &RunReport) {
        // A run that failed may have seen nothing, which says nothing about contacts.
        if run.error.is_some() {
            return;
        }
        for (side, seen) in [(Side::Source, run.source.seen), (Side::Linq, run.linq.seen)] {
            let labels = vec![("side".to_owned(), side.name().to_owned())];
            self.contacts.get_or_create(&labels).set(count_value(seen));
        }
        self.listing_complete.set(flag_value(!run.listing_incomplete));
        let open = &run.open;
        for (kind, count) in [
            ("deletions", open.held_deletes),
            ("clearings", open.held_clears),
            ("changes", open.held_changes),
        ] {
            let labels = vec![("kind".to_owned(), kind.to_owned())];
            self.held.get_or_create(&labels).set(count_value(count));
        }
        for (state, count) in [
            ("conflicts", open.conflicts),
            ("ambiguous", open.ambiguous),
            ("rejected", open.rejected),
            ("held", open.held_count()),
        ] {
            let labels = vec![("state".to_owned(), state.to_owned())];
            self.waiting.get_or_create(&labels).set(count_value(count));
        }
    }
}

impl MetricsSnapshot {
    fn new(r: &mut Registry, process: &mut Registry) -> MetricsSnapshot {
        let reload = "linqsync_config_last_reload";
        MetricsSnapshot {
            healthy: register_metric(
                r,
                "linqsync_healthy",
                "1 if runs do what they should, else 0",
            ),
            running: register_metric(r, "linqsync_running", "1 while a run is being made, else 0"),
            next_run: register_metric(
                r,
                "linqsync_next_run_timestamp_seconds",
                "When the next run is due, 0 for not known",
            ),
            stale_after: register_metric(
                r,
                "linqsync_stale_after_seconds",
                "For how long no run may have succeeded (status.stale_after)",
            ),
            last_run: register_metric(
                r,
                "linqsync_last_run_timestamp_seconds",
                "When the last run ended",
            ),
            last_success: register_metric(
                r,
                "linqsync_last_success_timestamp_seconds",
                "When a run last succeeded, 0 for never",
            ),
            state_bytes: register_metric(r, "linqsync_state_bytes", "The size of the state"),
            reload_successful: register_metric(
                r,
                &format!("{reload}_successful"),
                "1 if the configuration in force is the one in the file, as last read, else 0",
            ),
            reload_success: register_metric(
                r,
                &format!("{reload}_success_timestamp_seconds"),
                "When the configuration in force was read",
            ),
            memory: register_metric(process, "process_resident_memory_bytes", "Resident memory"),
            cpu: register_metric(process, "process_cpu_seconds", "Processor time"),
            files: register_metric(process, "process_open_fds", "Open file descriptors"),
            started_at: register_metric(
                process,
                "process_start_time_seconds",
                "When the process started",
            ),
        }
    }

    fn refresh_values(&self, status: &DaemonStatus, state: &Path, now: Timestamp) {
        let good = status.health.condition(now).is_good();
        self.healthy.set(flag_value(good));
        self.running.set(flag_value(status.running_since.is_some()));
        self.next_run.set(status.next_run.map_or(0.0, unix_second));
        self.stale_after.set(status.health.stale_after_seconds());
        self.last_run.set(status.last_run.as_ref().map_or(0.0, |run| unix_second(run.finished_at)));
        self.last_success.set(status.health.last_success().map_or(0.0, unix_second));
        self.state_bytes.set(size_of_state(state));
        let refused = status.reload.is_some_and(|r| r.outcome == ReloadOutcome::Refused);
        self.reload_successful.set(flag_value(!refused));
        self.reload_success.set(unix_second(status.configured_at));
        self.started_at.set(unix_second(status.started_at));
        let usage = platform::usage();
        self.memory.set(usage.memory);
        self.files.set(count_value(usage.files));
        self.cpu.inc_by((usage.cpu - self.cpu.get()).max(0.0));
    }
}

/// The size of the databases and their companions, in bytes.
fn size_of_state(dir: &Path) -> f64 {
    let names = ["state.db", "state.db-wal", "state.db-shm", "records.db"];
    let sizes = names.iter().filter_map(|name| std::fs::metadata(dir.join(name)).ok());
    let sum: u64 = sizes.map(|metadata| metadata.len()).sum();
    count_value(usize::try_from(sum).unwrap_or(usize::MAX))
}

fn register_build(registry: &mut Registry) {
    let labels: Labels = vec![
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("revision".to_owned(), option_env!("LINQSYNC_REVISION").unwrap_or("unknown").to_owned()),
    ];
    let build: Family<Labels, Number> =
        register_metric(registry, "linqsync_build_info", "The version, as labels");
    build.get_or_create(&labels).set(1.0);
}

/// Adds a metric under a name and says what it is.
fn register_metric<M: Metric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn register_durations(
    registry: &mut Registry,
    name: &str,
    help: &str,
    bounds: &[f64],
) -> Durations {
    let durations = Durations::with_bounds(bounds);
    registry.register(name, help, durations.clone());
    durations
}

fn encode_registries(registries: &[&Registry]) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    for registry in registries {
        let _ = encode_registry(&mut text, registry);
    }
    let _ = encode_eof(&mut text);
    text
}

fn flag_value(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and for people")]
fn count_value(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 280,000 are exact")]
fn unix_second(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}
