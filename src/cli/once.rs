//! `--once` and `plan`.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tracing::Instrument;

use crate::config::Config;
use crate::daemon::control::{NoAnswer, RunReply, RunRequest, request_run};
use crate::daemon::health::Health;
use crate::daemon::hooks::{Hooks, RunEnding};
use crate::daemon::metrics::Metrics;
use crate::daemon::status::DaemonStatus;
use crate::daemon::{self, Beat, GRACE, Pulse, Watchdog, stopped_run, systemd};
use crate::mirror::{State, StateError};
use crate::model::{Policy, Timestamp};
use crate::notification::Notifier;
use crate::open::{self, Linq, OpenError};
use crate::plan::{Observation, Plan};
use crate::report::{PlanDocument, ReportedError, RunReport, json_text};
use crate::run::{
    Extent, RunError, RunOptions, RunPurpose, RunResult, Sides, preview_for, run_for,
};
use crate::source::{Source, SourceAccess};
use crate::users;

use super::args::{Cli, OutputArgs, PlanArgs};
use super::foreword::{Estimate, foreword};
use super::only::keep_only;
use super::progress::with_progress;
use super::signals::Signals;
use super::text::shown_text as printable;
use super::{
    print_json, print_text, report_error, report_refusal, say_on_stderr, show, system_now,
};

/// How often systemd is asked for more time.
const ROUND: Duration = Duration::from_secs(10);

/// Makes one run and prints it, or has the daemon make it that holds the state.
/// Returns the exit code.
pub(super) async fn run_once(cli: &Cli, config: &Config) -> anyhow::Result<u8> {
    tell_of_state_left_behind(config);
    match open_to_write(config) {
        Ok(opened) => carry_out(cli.output, config, opened, RunPurpose::Sync).await,
        Err(error @ OpenError::State(StateError::Held { .. } | StateError::Permissions { .. })) => {
            // Root may ask a daemon whose state it leaves alone.
            match have_made(cli, config).await? {
                Ok(answer) => print_answer(cli.output, answer),
                // Who holds the state is no daemon.
                Err(None) => report_refusal(cli.output, error.to_reported_error()),
                Err(Some(error)) => report_refusal(cli.output, error),
            }
        }
        Err(error) => {
            OnceContext::new(config).report_not_begun(&Signals::listen()?).await;
            report_refusal(cli.output, error.to_reported_error())
        }
    }
}

/// Says so where a first run begins anew although there may be a state to go on with.
fn tell_of_state_left_behind(config: &Config) {
    if let Some((dir, pair)) = open::left_behind(config) {
        say_on_stderr(&format!(
            "note: this is a first run, and {} has a state for {pair}\n  help: if that is the \
             same address book, renamed or moved: `linqsync adopt` keeps links and history",
            printable(&dir.display().to_string(), 400)
        ));
    }
}

/// Makes one run for a purpose of its own, and prints it. Returns the exit code.
pub(super) async fn carry_out(
    output: OutputArgs,
    config: &Config,
    opened: OpenedSides,
    aim: RunPurpose<'_>,
) -> anyhow::Result<u8> {
    let signals = Signals::listen()?;
    let mut around = OnceContext::new(config);
    let ran = run_here(output, opened, config, aim, &signals, &mut around).await;
    around.finish_run(&ran.report, config, &signals).await;
    print_answer(output, run_reply(ran, config))
}

fn print_answer(output: OutputArgs, answer: RunReply) -> anyhow::Result<u8> {
    print_text(if output.json { &answer.document } else { &answer.text })?;
    if let Some((message, hint)) = answer.complaint {
        report_error(&ReportedError { code: answer.code, message, hint });
    }
    Ok(answer.code)
}

/// What goes on around a run that is made in this process.
struct OnceContext {
    started_at: Timestamp,
    metrics: Arc<Metrics>,
    hooks: Hooks,
}

impl OnceContext {
    fn new(config: &Config) -> OnceContext {
        let metrics = Arc::new(Metrics::new(config.state.dir.clone()));
        OnceContext { started_at: system_now(), metrics, hooks: Hooks::new(&config.hooks) }
    }

    /// Tells how the run ended, wherever that is to be told.
    async fn finish_run(mut self, report: &RunReport, config: &Config, signals: &Signals) {
        if let Some(path) = &config.status.textfile {
            let status = self.status_after(report, config);
            daemon::metrics::write(path, &self.metrics.text_for_file(&status, system_now()));
        }
        if !signals.stop().is_cancelled() {
            self.hooks.run_ended(report);
            tokio::join!(
                self.hooks.finish(signals.stop()),
                notify(report, config, self.started_at, signals)
            );
        }
    }

    fn status_after(&self, report: &RunReport, config: &Config) -> DaemonStatus {
        // What the state remembers includes this run.
        let state = State::open_beside(&config.state.dir).ok().flatten();
        let last_success = state.as_ref().and_then(daemon::last_success);
        let stale_after = daemon::health::stale_after(config, self.started_at);
        let mut health = Health::new(self.started_at, last_success, stale_after);
        health.after_run(report, report.finished_at);
        DaemonStatus {
            started_at: self.started_at,
            configured_at: self.started_at,
            schedule: config.sync.schedule.to_string(),
            ticked: tokio::time::Instant::now(),
            waiting_for: None,
            running_since: None,
            far: None,
            next_run: None,
            linq_down: state.as_ref().and_then(|state| state.linq_down().ok().flatten()),
            last_run: Some(report.clone()),
            health,
            reload: None,
        }
    }

    /// No run could begin.
    async fn report_not_begun(mut self, signals: &Signals) {
        self.hooks.ended_as(RunEnding::Badly, "no run could begin");
        self.hooks.finish(signals.stop()).await;
    }
}

/// Tells the channel of `[notify]` what this run has changed.
async fn notify(report: &RunReport, config: &Config, started_at: Timestamp, signals: &Signals) {
    if config.notify.is_none() {
        return;
    }
    let Ok(Some(state)) = State::open_beside(&config.state.dir) else { return };
    let Ok(mut told) = state.notified() else { return };
    let stale_after = daemon::health::stale_after(config, started_at);
    let mut health = Health::new(started_at, daemon::last_success(&state), stale_after);
    health.resume(told.failures, told.failing_since.unwrap_or(started_at));
    health.after_run(report, report.finished_at);
    let runs = (health.failure_count(), health.failing_since());
    if runs != (told.failures, told.failing_since) {
        (told.failures, told.failing_since) = runs;
        if let Err(error) = state.remember_notified(&told) {
            tracing::debug!(%error, "failed runs are not counted");
        }
    }
    let is_good = health.condition(report.finished_at).is_good();
    // A hiccup is neither the end of an outage nor the beginning of one.
    let health = (!is_good || report.error.is_none()).then_some(is_good);
    let mut notifier = Notifier::new(config.notify.as_ref(), config.inbox());
    notifier.look(&state, health).await;
    notifier.finish(&state, signals.stop()).await;
}

/// Makes one run in this process.
async fn run_here(
    output: OutputArgs,
    opened: OpenedSides,
    config: &Config,
    aim: RunPurpose<'_>,
    signals: &Signals,
    around: &mut OnceContext,
) -> RunResult {
    let OpenedSides { linq, mut source, state } = opened;
    let is_counted = config.status.is_told();
    if is_counted {
        around.metrics.go_on_from(&state);
    }
    let pulse = Pulse::default();
    let (beats, metrics) = (pulse.clone(), Arc::clone(&around.metrics));
    let linq = daemon::with_beats(linq, move |beat| {
        beats.beat();
        if let Beat::Ended { call, status, took } = beat {
            metrics.count_request(call, status, took);
        }
    });
    let client = linq.new_client(fastrand::u64(..));
    let policy = config.policy();
    let by = users::calling_user();
    let terms = run_options(config, &policy, signals, &by);
    let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
    around.hooks.run_begins();
    let running = run_for(aim, &mut sides, &terms).instrument(daemon::run_span());
    let running = with_progress(output, &client, running);
    let out_of_time = async {
        signals.stop().cancelled().await;
        #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
        tokio::time::sleep(GRACE).await;
    };
    let mut ran = tokio::select! {
        ran = running => ran,
        // What is in flight stays in the journal, in doubt.
        () = out_of_time => stopped_run(system_now()),
        never = ask_for_time(&pulse, config.linq.settle) => match never {},
    };
    if let Some(error) = ran.report.error.as_mut().filter(|_| signals.stop().is_cancelled()) {
        error.code = signals.exit_code();
    }
    let took = (ran.report.finished_at - ran.report.started_at).to_std().unwrap_or_default();
    around.metrics.count_run(&ran.report, took, client.throttled_time());
    if is_counted {
        around.metrics.save_counts(&state);
    }
    ran
}

/// Asks systemd for more time as long as there is progress (`linqsync-once.service`).
async fn ask_for_time(pulse: &Pulse, settle: Duration) -> Infallible {
    let mut progress = Watchdog::watch_pulse(pulse, settle);
    let mut rounds = tokio::time::interval(ROUND);
    loop {
        rounds.tick().await;
        if progress.is_real() {
            systemd::alive_and_busy();
        }
    }
}

/// Has the daemon make a run that holds the state; `None` if there is no daemon.
async fn have_made(
    cli: &Cli,
    config: &Config,
) -> anyhow::Result<Result<RunReply, Option<ReportedError>>> {
    let signals = Signals::listen()?;
    let limit = cli.max_deletes().map(|limit| limit.to_string());
    let request = RunRequest::new(open::configured_pair(config), limit, users::sudo_user());
    let answered = tokio::select! {
        answered = request_run(&config.state.dir, &request) => answered,
        // The daemon goes on with it.
        () = signals.stop().cancelled() => {
            let stopped = RunError::Stopped.to_reported_error();
            return Ok(Err(Some(ReportedError { code: signals.exit_code(), ..stopped })));
        }
    };
    Ok(answered.map_err(|error| match error {
        NoAnswer::NobodyThere => None,
        NoAnswer::OtherVersion => Some(ReportedError::from_error(
            &error,
            7,
            "restart the daemon, or use its version of linqsync",
        )),
        NoAnswer::Ended => Some(ReportedError::from_error(&error, 1, "look at the daemon's log")),
    }))
}

/// A run as it is printed, here or by the process that asked the daemon for it.
pub(super) fn run_reply(ran: RunResult, config: &Config) -> RunReply {
    let RunResult { mut report, notices, left } = ran;
    report.error = report.error.map(|error| open::naming_token(error, config));
    let text = run_text(&report, &notices, left, &file_name(&config.source.path));
    report.notices = notices;
    let document = json_text(&report);
    let code = report.exit_code();
    let complaint = report.error.map(|error| (error.message, error.hint));
    RunReply { code, document, text, complaint }
}

/// A run in words: who waits, what people should know, and what was done.
fn run_text(
    report: &RunReport,
    notices: &[String],
    left: Option<(Plan, Observation)>,
    source: &str,
) -> String {
    let waiting = left.map(|(plan, seen)| show::waiting_text(&plan, &seen));
    let mut text = waiting.unwrap_or_default() + &show::notices_text(notices);
    // A run that failed before it did anything has nothing to tell but why.
    if report.error.is_none() || report.changed_anything() {
        text += &show::run_text(report, source);
    }
    text
}

/// Both sides and the state, opened.
pub(super) struct OpenedSides {
    pub(super) linq: Linq,
    pub(super) source: Box<dyn Source + Send>,
    pub(super) state: State,
}

/// Opens everything for this process alone.
pub(super) fn open_to_write(config: &Config) -> Result<OpenedSides, OpenError> {
    let source = open::open_source(config, SourceAccess::Exclusive);
    let linq = Linq::configured_linq(config)?;
    Ok(OpenedSides { linq, source, state: open::open_state(config)? })
}

/// Opens everything to look at it, beside whoever works with it.
pub(super) fn open_to_look(config: &Config) -> Result<OpenedSides, OpenError> {
    let source = open::open_source(config, SourceAccess::ReadOnly);
    Ok(OpenedSides {
        linq: Linq::configured_linq(config)?,
        source,
        state: open::open_state_copy(config)?,
    })
}

fn run_options<'a>(
    config: &Config,
    policy: &'a Policy,
    signals: &'a Signals,
    by: &'a str,
) -> RunOptions<'a> {
    RunOptions {
        policy,
        settle: config.linq.settle,
        history: config.history_kept(),
        clock: &system_now,
        stop: signals.stop(),
        by: Some(by),
    }
}

/// Shows what a run would do. Returns the exit code.
pub(super) async fn plan(
    output: OutputArgs,
    config: &Config,
    args: &PlanArgs,
) -> anyhow::Result<u8> {
    let in_place = open::in_place_of_another(config);
    if let Some(in_place) = &in_place {
        if args.out.is_some() {
            return report_refusal(output, not_to_be_kept(in_place));
        }
        say_on_stderr(&in_place_text(in_place));
    } else {
        tell_of_state_left_behind(config);
    }
    let config = in_place.as_ref().unwrap_or(config);
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return report_refusal(output, error.to_reported_error()),
    };
    let extent = if args.only.is_empty() { Extent::Restless } else { Extent::Everybody };
    let mut planned = match preview_run(output, config, opened, RunPurpose::Sync, extent).await? {
        Ok(planned) => planned,
        Err(error) => return report_refusal(output, error),
    };
    if !args.only.is_empty() {
        let state = open::open_state_reading(config).map_err(|error| error.to_reported_error());
        let done = state.and_then(|state| keep_only(&state, config, &args.only, &mut planned));
        if let Err(error) = done {
            return report_refusal(output, error);
        }
    }
    if let Some(path) = &args.out
        && let Err(error) = super::apply::save_plan(config, path, &planned.0, &planned.1)
    {
        return report_refusal(output, error);
    }
    let steps = show_plan(output, config, &planned)?;
    Ok(if args.detailed_exitcode && steps { 8 } else { 0 })
}

/// What a plan shows that is made with the state of another configuration.
fn in_place_text(in_place: &Config) -> String {
    format!(
        "note: planned with the state of another configuration of the same source and Linq, as if \
         this one took its place; a run of this one begins with a state of its own\n  state: {}",
        printable(&in_place.state.dir.display().to_string(), 400)
    )
}

fn not_to_be_kept(in_place: &Config) -> ReportedError {
    ReportedError {
        code: 2,
        message: format!(
            "this configuration has no state, and the plan would be made with the one in {}",
            printable(&in_place.state.dir.display().to_string(), 400)
        ),
        hint: "to look at the plan, leave --out away; to carry it out, put these settings into \
               the configuration whose state that is"
            .to_owned(),
    }
}

/// A plan, what it was made from, and the run that it would be.
pub(super) type Planned = (Plan, Observation, RunReport);

/// Makes the plan of a run from as much as `extent` says at least, and changes nothing.
pub(super) async fn preview_run(
    output: OutputArgs,
    config: &Config,
    opened: OpenedSides,
    aim: RunPurpose<'_>,
    extent: Extent<'_>,
) -> anyhow::Result<Result<Planned, ReportedError>> {
    let OpenedSides { linq, mut source, state } = opened;
    let signals = Signals::listen()?;
    let client = linq.new_client(fastrand::u64(..));
    let policy = config.policy();
    let by = users::calling_user();
    let terms = run_options(config, &policy, &signals, &by);
    let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
    let planned = tokio::select! {
        planned = with_progress(output, &client, preview_for(aim, extent, &mut sides, &terms)) => planned,
        () = signals.stop().cancelled() => Err(RunError::Stopped),
    };
    Ok(planned.map_err(|error| {
        let mut error = open::naming_token(error.to_reported_error(), config);
        if signals.stop().is_cancelled() {
            error.code = signals.exit_code();
        }
        error
    }))
}

/// A plan, with what it costs.
#[derive(Serialize)]
struct Foreseen<'a> {
    #[serde(flatten)]
    document: &'a PlanDocument<'a>,
    estimate: Estimate,
}

/// Prints a plan. Returns whether there are steps.
pub(super) fn show_plan(
    output: OutputArgs,
    config: &Config,
    (plan, seen, report): &Planned,
) -> anyhow::Result<bool> {
    let document = PlanDocument::new(plan, seen, report);
    let per_second = config.linq.requests_per_second;
    let estimate = Estimate::estimate_run(plan, report, per_second);
    if output.json {
        print_json(&Foreseen { document: &document, estimate })?;
    } else {
        let text = show::plan_text(plan, seen, &file_name(&config.source.path));
        print_text(&(foreword(plan, seen, estimate, per_second) + &text))?;
    }
    Ok(!document.is_empty())
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
