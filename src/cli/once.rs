//! `--once` and `plan`.

use std::path::Path;
use std::time::Duration;

use crate::config::Config;
use crate::model::Policy;
use crate::open::{self, Linq, OpenError};
use crate::plan::{Observation, Plan};
use crate::report::{RunReport, plan_json};
use crate::run::{Ran, RunError, Sides, Terms, preview, run};
use crate::source::csv::Access;

use super::args::{Output, PlanArgs};
use super::signals::Signals;
use super::{complain, now, print, print_json, refuse, show};

/// How long a run that was asked to stop may still take for what is in flight.
const GRACE: Duration = Duration::from_secs(3);

/// Makes one run and prints it. Returns the exit code.
pub(super) async fn once(output: Output, config: &Config) -> anyhow::Result<u8> {
    let signals = Signals::listen()?;
    let opened = match open_all(config) {
        Ok(opened) => opened,
        Err(error) => return refuse(output, error.reported()),
    };
    let (linq, mut source, state) = opened;
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let terms = terms(config, &policy, &signals);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let running = run(&mut sides, &terms);
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

type Opened = (Linq, crate::source::csv::CsvSource, crate::mirror::State);

fn open_all(config: &Config) -> Result<Opened, OpenError> {
    let source = open::source(config, Access::Exclusive)?;
    let linq = Linq::of(config)?;
    Ok((linq, source, open::state(config)?))
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
    let opened = open::source(config, Access::ReadOnly)
        .and_then(|source| Ok((source, Linq::of(config)?, open::scratch(config)?)));
    let (mut source, linq, state) = match opened {
        Ok(opened) => opened,
        Err(error) => return refuse(output, error.reported()),
    };
    let signals = Signals::listen()?;
    let client = linq.client(fastrand::u64(..));
    let policy = config.policy();
    let terms = terms(config, &policy, &signals);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let planned = tokio::select! {
        planned = preview(&mut sides, &terms) => planned,
        () = signals.stop().cancelled() => Err(RunError::Stopped),
    };
    let (plan, seen, report) = match planned {
        Ok(planned) => planned,
        Err(error) => {
            let mut error = error.reported();
            if signals.stop().is_cancelled() {
                error.code = signals.code();
            }
            return refuse(output, error);
        }
    };
    let document = plan_json(&plan, &seen, &report);
    let steps = document["steps"].as_array().is_some_and(|steps| !steps.is_empty());
    if output.json {
        print_json(&document)?;
    } else {
        print(&show::plan_text(&plan, &seen, &file_name(&config.source.path)))?;
    }
    Ok(if args.detailed_exitcode && steps { 8 } else { 0 })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
