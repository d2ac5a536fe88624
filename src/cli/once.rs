//! `--once` and `plan`.

use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::mirror::State;
use crate::model::Policy;
use crate::open::{self, Linq, OpenError};
use crate::plan::{Observation, Plan};
use crate::report::{ReportedError, RunReport, plan_json};
use crate::run::{Aim, Ran, RunError, Sides, Terms, preview_for, run_for};
use crate::source::csv::{Access, CsvSource};

use super::args::{Output, PlanArgs};
use super::signals::Signals;
use super::{complain, now, print, print_json, refuse, show};

/// How long a run that was asked to stop may still take for what is in flight.
const GRACE: Duration = Duration::from_secs(3);

/// Makes one run and prints it. Returns the exit code.
pub(super) async fn once(output: Output, config: &Config) -> anyhow::Result<u8> {
    match open_to_write(config) {
        Ok(opened) => carry_out(output, config, opened, Aim::Sync).await,
        Err(error) => refuse(output, error.reported()),
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
    let Opened { linq, mut source, state } = opened;
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let terms = terms(config, &policy, &signals);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let running = run_for(aim, &mut sides, &terms);
    let out_of_time = async {
        signals.stop().cancelled().await;
        #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
        tokio::time::sleep(GRACE).await;
    };
    let Ran { mut report, notices, left } = tokio::select! {
        ran = running => ran,
        // What is in flight stays in the journal, in doubt.
        () = out_of_time => stopped(),
    };
    if let Some(error) = report.error.as_mut().filter(|_| signals.stop().is_cancelled()) {
        error.code = signals.code();
    }
    if output.json {
        report.notices = notices;
        print_json(&report)?;
    } else {
        print(&told(&report, &notices, left, &file_name(&config.source.path)))?;
    }
    if let Some(error) = &report.error {
        complain(error);
    }
    Ok(report.exit_code())
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

fn stopped() -> Ran {
    let mut report = RunReport::new(now());
    report.error = Some(RunError::Stopped.reported());
    report.conclude(now());
    Ran { report, notices: Vec::new(), left: None }
}

/// Both sides and the state, opened.
pub(super) struct Opened {
    pub(super) linq: Linq,
    pub(super) source: CsvSource,
    pub(super) state: State,
}

/// Opens everything for this process alone.
pub(super) fn open_to_write(config: &Config) -> Result<Opened, OpenError> {
    let source = open::source(config, Access::Exclusive)?;
    let linq = Linq::of(config)?;
    Ok(Opened { linq, source, state: open::state(config)? })
}

/// Opens everything to look at it, beside whoever works with it.
pub(super) fn open_to_look(config: &Config) -> Result<Opened, OpenError> {
    let source = open::source(config, Access::ReadOnly)?;
    Ok(Opened { linq: Linq::of(config)?, source, state: open::scratch(config)? })
}

fn terms<'a>(config: &Config, policy: &'a Policy, signals: &'a Signals) -> Terms<'a> {
    Terms {
        policy,
        settle: config.linq.settle,
        history: config.history(),
        started_at: now(),
        clock: &now,
        stop: signals.stop(),
    }
}

/// Shows what a run would do. Returns the exit code.
pub(super) async fn plan(output: Output, config: &Config, args: &PlanArgs) -> anyhow::Result<u8> {
    let opened = match open_to_look(config) {
        Ok(opened) => opened,
        Err(error) => return refuse(output, error.reported()),
    };
    let planned = match foresee(config, opened, Aim::Sync).await? {
        Ok(planned) => planned,
        Err(error) => return refuse(output, error),
    };
    if let Some(path) = &args.out
        && let Err(error) = super::apply::save(config, path, &planned.0, &planned.1)
    {
        return refuse(output, error);
    }
    let steps = show_plan(output, config, &planned)?;
    Ok(if args.detailed_exitcode && steps { 8 } else { 0 })
}

/// A plan, what it was made from, and the run that it would be.
pub(super) type Planned = (Plan, Observation, RunReport);

/// Makes the plan of a run, and changes nothing.
pub(super) async fn foresee(
    config: &Config,
    opened: Opened,
    aim: Aim<'_>,
) -> anyhow::Result<Result<Planned, ReportedError>> {
    let Opened { linq, mut source, state } = opened;
    let signals = Signals::listen()?;
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let terms = terms(config, &policy, &signals);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let planned = tokio::select! {
        planned = preview_for(aim, &mut sides, &terms) => planned,
        () = signals.stop().cancelled() => Err(RunError::Stopped),
    };
    Ok(planned.map_err(|error| {
        let mut error = error.reported();
        if signals.stop().is_cancelled() {
            error.code = signals.code();
        }
        error
    }))
}

/// Prints a plan. Returns whether there are steps.
pub(super) fn show_plan(
    output: Output,
    config: &Config,
    (plan, seen, report): &Planned,
) -> anyhow::Result<bool> {
    let document = plan_json(plan, seen, report);
    if output.json {
        print_json(&document)?;
    } else {
        print(&show::plan_text(plan, seen, &file_name(&config.source.path)))?;
    }
    Ok(document["steps"].as_array().is_some_and(|steps| !steps.is_empty()))
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
