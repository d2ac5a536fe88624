//! `--once` and `plan`.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tracing::Instrument;

use crate::config::Config;
use crate::daemon::control::{Answer, NoAnswer, Request, ask};
use crate::daemon::health::Health;
use crate::daemon::hooks::{Ended, Hooks};
use crate::daemon::metrics::Metrics;
use crate::daemon::status::Status;
use crate::daemon::{self, Beat, GRACE, Progress, Pulse, stopped, systemd};
use crate::mirror::{State, StateError};
use crate::model::{Policy, Timestamp};
use crate::notification::Notifier;
use crate::open::{self, Linq, OpenError};
use crate::plan::{Observation, Plan};
use crate::report::{PlanDocument, ReportedError, RunReport, json_text};
use crate::run::{Aim, Extent, Ran, RunError, Sides, Terms, preview_for, run_for};
use crate::source::{Access, Source};
use crate::users;

use super::args::{Cli, Output, PlanArgs};
use super::foreword::{Estimate, foreword};
use super::only::only;
use super::progress::telling;
use super::signals::Signals;
use super::text::shown as printable;
use super::{complain, now, print, print_json, refuse, say, show};

/// How often systemd is asked for more time.
const ROUND: Duration = Duration::from_secs(10);

/// Makes one run and prints it, or has the daemon make it that holds the state.
/// Returns the exit code.
pub(super) async fn once(cli: &Cli, config: &Config) -> anyhow::Result<u8> {
    tell_of_state_left_behind(config);
    match open_to_write(config) {
        Ok(opened) => carry_out(cli.output, config, opened, Aim::Sync).await,
        Err(error @ OpenError::State(StateError::Held { .. } | StateError::Permissions { .. })) => {
            // Root may ask a daemon whose state it leaves alone.
            match have_made(cli, config).await? {
                Ok(answer) => print_answer(cli.output, answer),
                // Who holds the state is no daemon.
                Err(None) => refuse(cli.output, error.reported()),
                Err(Some(error)) => refuse(cli.output, error),
            }
        }
        Err(error) => {
            Around::new(config).refuse(&Signals::listen()?).await;
            refuse(cli.output, error.reported())
        }
    }
}

/// Says so where a first run begins anew although there may be a state to go on with.
fn tell_of_state_left_behind(config: &Config) {
    if let Some((dir, pair)) = open::left_behind(config) {
        say(&format!(
            "note: this is a first run, and {} has a state for {pair}\n  help: if that is the \
             same address book, renamed or moved: `linqsync adopt` keeps links and history",
            printable(&dir.display().to_string(), 400)
        ));
    }
}

/// Makes one run for a purpose of its own, and prints it. Returns the exit code.
pub(super) async fn carry_out(
    output: Output,
    config: &Config,
    opened: Opened,
    aim: Aim<'_>,
) -> anyhow::Result<u8> {
    let signals = Signals::listen()?;
    let mut around = Around::new(config);
    let ran = alone(output, opened, config, aim, &signals, &mut around).await;
    around.finish(&ran.report, config, &signals).await;
    print_answer(output, shown(ran, config))
}

fn print_answer(output: Output, answer: Answer) -> anyhow::Result<u8> {
    print(if output.json { &answer.document } else { &answer.text })?;
    if let Some((message, hint)) = answer.complaint {
        complain(&ReportedError { code: answer.code, message, hint });
    }
    Ok(answer.code)
}

/// What goes on around a run that is made in this process.
struct Around {
    started_at: Timestamp,
    metrics: Arc<Metrics>,
    hooks: Hooks,
}

impl Around {
    fn new(config: &Config) -> Around {
        let metrics = Arc::new(Metrics::new(config.state.dir.clone()));
        Around { started_at: now(), metrics, hooks: Hooks::new(&config.hooks) }
    }

    /// Tells how the run ended, wherever that is to be told.
    async fn finish(mut self, report: &RunReport, config: &Config, signals: &Signals) {
        if let Some(path) = &config.status.textfile {
            let status = self.status(report, config);
            daemon::metrics::write(path, &self.metrics.text_for_file(&status, now()));
        }
        if !signals.stop().is_cancelled() {
            self.hooks.ended(report);
            tokio::join!(
                self.hooks.finish(signals.stop()),
                notify(report, config, self.started_at, signals)
            );
        }
    }

    fn status(&self, report: &RunReport, config: &Config) -> Status {
        // What the state remembers includes this run.
        let state = State::beside(&config.state.dir).ok().flatten();
        let last_success = state.as_ref().and_then(daemon::last_success);
        let stale_after = daemon::health::stale_after(config, self.started_at);
        let mut health = Health::new(self.started_at, last_success, stale_after);
        health.after(report, report.finished_at);
        Status {
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
    async fn refuse(mut self, signals: &Signals) {
        self.hooks.ended_as(Ended::Badly, "no run could begin");
        self.hooks.finish(signals.stop()).await;
    }
}

/// Tells the channel of `[notify]` what this run has changed.
async fn notify(report: &RunReport, config: &Config, started_at: Timestamp, signals: &Signals) {
    if config.notify.is_none() {
        return;
    }
    let Ok(Some(state)) = State::beside(&config.state.dir) else { return };
    let Ok(mut told) = state.notified() else { return };
    let stale_after = daemon::health::stale_after(config, started_at);
    let mut health = Health::new(started_at, daemon::last_success(&state), stale_after);
    health.resume(told.failures, told.failing_since.unwrap_or(started_at));
    health.after(report, report.finished_at);
    let runs = (health.failures(), health.failing_since());
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
async fn alone(
    output: Output,
    opened: Opened,
    config: &Config,
    aim: Aim<'_>,
    signals: &Signals,
    around: &mut Around,
) -> Ran {
    let Opened { linq, mut source, state } = opened;
    let is_counted = config.status.is_told();
    if is_counted {
        around.metrics.go_on_from(&state);
    }
    let pulse = Pulse::default();
    let (beats, metrics) = (pulse.clone(), Arc::clone(&around.metrics));
    let linq = daemon::metered(linq, move |beat| {
        beats.beat();
        if let Beat::Ended { call, status, took } = beat {
            metrics.count_request(call, status, took);
        }
    });
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let by = users::caller();
    let terms = terms(config, &policy, signals, &by);
    let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
    around.hooks.begins();
    let running = run_for(aim, &mut sides, &terms).instrument(daemon::span());
    let running = telling(output, &client, running);
    let out_of_time = async {
        signals.stop().cancelled().await;
        #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
        tokio::time::sleep(GRACE).await;
    };
    let mut ran = tokio::select! {
        ran = running => ran,
        // What is in flight stays in the journal, in doubt.
        () = out_of_time => stopped(now()),
        never = ask_for_time(&pulse, config.linq.settle) => match never {},
    };
    if let Some(error) = ran.report.error.as_mut().filter(|_| signals.stop().is_cancelled()) {
        error.code = signals.code();
    }
    let took = (ran.report.finished_at - ran.report.started_at).to_std().unwrap_or_default();
    around.metrics.count_run(&ran.report, took, client.throttled());
    if is_counted {
        around.metrics.keep(&state);
    }
    ran
}

/// Asks systemd for more time as long as there is progress (`linqsync-once.service`).
async fn ask_for_time(pulse: &Pulse, settle: Duration) -> Infallible {
    let mut progress = Progress::of(pulse, settle);
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
) -> anyhow::Result<Result<Answer, Option<ReportedError>>> {
    let signals = Signals::listen()?;
    let limit = cli.max_deletes().map(|limit| limit.to_string());
    let request = Request::new(open::pair(config), limit, users::sudo_user());
    let answered = tokio::select! {
        answered = ask(&config.state.dir, &request) => answered,
        // The daemon goes on with it.
        () = signals.stop().cancelled() => {
            let stopped = RunError::Stopped.reported();
            return Ok(Err(Some(ReportedError { code: signals.code(), ..stopped })));
        }
    };
    Ok(answered.map_err(|error| match error {
        NoAnswer::NobodyThere => None,
        NoAnswer::OtherVersion => {
            Some(ReportedError::of(&error, 7, "restart the daemon, or use its version of linqsync"))
        }
        NoAnswer::Ended => Some(ReportedError::of(&error, 1, "look at the daemon's log")),
    }))
}

/// A run as it is printed, here or by the process that asked the daemon for it.
pub(super) fn shown(ran: Ran, config: &Config) -> Answer {
    let Ran { mut report, notices, left } = ran;
    report.error = report.error.map(|error| open::naming_token(error, config));
    let text = told(&report, &notices, left, &file_name(&config.source.path));
    report.notices = notices;
    let document = json_text(&report);
    let code = report.exit_code();
    let complaint = report.error.map(|error| (error.message, error.hint));
    Answer { code, document, text, complaint }
}

/// A run in words: who waits, what people should know, and what was done.
fn told(
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
pub(super) struct Opened {
    pub(super) linq: Linq,
    pub(super) source: Box<dyn Source + Send>,
    pub(super) state: State,
}

/// Opens everything for this process alone.
pub(super) fn open_to_write(config: &Config) -> Result<Opened, OpenError> {
    let source = open::source(config, Access::Exclusive);
    let linq = Linq::of(config)?;
    Ok(Opened { linq, source, state: open::state(config)? })
}

/// Opens everything to look at it, beside whoever works with it.
pub(super) fn open_to_look(config: &Config) -> Result<Opened, OpenError> {
    let source = open::source(config, Access::ReadOnly);
    Ok(Opened { linq: Linq::of(config)?, source, state: open::scratch(config)? })
}

fn terms<'a>(config: &Config, policy: &'a Policy, signals: &'a Signals, by: &'a str) -> Terms<'a> {
    Terms {
        policy,
        settle: config.linq.settle,
        history: config.history(),
        clock: &now,
        stop: signals.stop(),
        by: Some(by),
    }
}

/// Shows what a run would do. Returns the exit code.
pub(super) async fn plan(output: Output, config: &Config, args: &PlanArgs) -> anyhow::Result<u8> {
    let in_place = open::in_place_of_another(config);
    if let Some(in_place) = &in_place {
        if args.out.is_some() {
            return refuse(output, not_to_be_kept(in_place));
        }
        say(&in_place_text(in_place));
    } else {
        tell_of_state_left_behind(config);
    }
    let config = in_place.as_ref().unwrap_or(config);
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return refuse(output, error.reported()),
    };
    let extent = if args.only.is_empty() { Extent::Restless } else { Extent::Everybody };
    let mut planned = match foresee(output, config, opened, Aim::Sync, extent).await? {
        Ok(planned) => planned,
        Err(error) => return refuse(output, error),
    };
    if !args.only.is_empty() {
        let state = open::reading(config).map_err(|error| error.reported());
        let done = state.and_then(|state| only(&state, config, &args.only, &mut planned));
        if let Err(error) = done {
            return refuse(output, error);
        }
    }
    if let Some(path) = &args.out
        && let Err(error) = super::apply::save(config, path, &planned.0, &planned.1)
    {
        return refuse(output, error);
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
pub(super) async fn foresee(
    output: Output,
    config: &Config,
    opened: Opened,
    aim: Aim<'_>,
    extent: Extent<'_>,
) -> anyhow::Result<Result<Planned, ReportedError>> {
    let Opened { linq, mut source, state } = opened;
    let signals = Signals::listen()?;
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let by = users::caller();
    let terms = terms(config, &policy, &signals, &by);
    let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
    let planned = tokio::select! {
        planned = telling(output, &client, preview_for(aim, extent, &mut sides, &terms)) => planned,
        () = signals.stop().cancelled() => Err(RunError::Stopped),
    };
    Ok(planned.map_err(|error| {
        let mut error = open::naming_token(error.reported(), config);
        if signals.stop().is_cancelled() {
            error.code = signals.code();
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
    output: Output,
    config: &Config,
    (plan, seen, report): &Planned,
) -> anyhow::Result<bool> {
    let document = PlanDocument::new(plan, seen, report);
    let per_second = config.linq.requests_per_second;
    let estimate = Estimate::of(plan, report, per_second);
    if output.json {
        print_json(&Foreseen { document: &document, estimate })?;
    } else {
        let text = show::plan_text(plan, seen, &file_name(&config.source.path));
        print(&(foreword(plan, seen, estimate, per_second) + &text))?;
    }
    Ok(!document.is_empty())
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
