//! The daemon: a run at start and then on the schedule, until it is asked to stop.
//!
//! Owns when runs are made: never two at once, and a tick that comes during a run is
//! made up for once. Leaves what a run is to [`crate::run`].

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::apply::Clock;
use crate::config::{Config, Schedule};
use crate::mirror::State;
use crate::model::{Policy, Timestamp};
use crate::open::{self, Linq, OpenError};
use crate::report::{Outcome, RunReport};
use crate::run::{Ran, Sides, Terms, run as make_run};
use crate::source::csv::{Access, CsvSource};

/// How long a run that was asked to stop may still take for what is in flight.
const GRACE: Duration = Duration::from_secs(3);

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A side or the state cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The schedule could not be set up.
    #[error("cannot set up the schedule")]
    Schedule(#[from] JobSchedulerError),
}

impl DaemonError {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            DaemonError::Open(error) => error.exit_code(),
            DaemonError::Schedule(_) => 1,
        }
    }
}

/// Runs until `stop`, then ends cleanly: what is in flight gets three seconds, the
/// rest stays in the journal.
///
/// # Errors
/// When it cannot start. A run that fails is logged, and the next one is made on
/// schedule.
pub async fn run(
    config: &Config,
    clock: Clock<'_>,
    stop: &CancellationToken,
) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(config, clock)?;
    let (due, mut ticks) = mpsc::channel::<()>(1);
    let mut scheduler = schedule(&config.sync.schedule, due).await?;
    tracing::info!(
        source = %config.source.path.display(),
        schedule = %described(&config.sync.schedule),
        "started"
    );
    for key in open::without_effect(config) {
        tracing::warn!("{key} has no effect in this version");
    }
    loop {
        let ending = async {
            stop.cancelled().await;
            #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = daemon.once(stop) => {}
            () = ending => break,
        }
        tokio::select! {
            _ = ticks.recv() => {}
            () = stop.cancelled() => break,
        }
    }
    scheduler.shutdown().await?;
    tracing::info!("stopped");
    Ok(())
}

/// A scheduler whose jobs do nothing but say that a run is due: the channel holds one
/// such word, so ticks during a run come to one run afterwards.
async fn schedule(schedule: &Schedule, due: mpsc::Sender<()>) -> Result<JobScheduler, DaemonError> {
    let scheduler = JobScheduler::new().await?;
    let job = match schedule {
        Schedule::Cron(pattern) => {
            Job::new_tz(pattern.as_str(), chrono::Local, move |_, _| signal(&due))?
        }
        Schedule::Every(period) => Job::new_repeated(*period, move |_, _| signal(&due))?,
    };
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

fn signal(due: &mpsc::Sender<()>) {
    // A full channel means that a run is due already.
    let _ = due.try_send(());
}

pub(crate) fn described(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Cron(pattern) => pattern.as_str().to_owned(),
        Schedule::Every(period) => format!("every {}", humantime::format_duration(*period)),
    }
}

struct Daemon<'a> {
    config: &'a Config,
    clock: Clock<'a>,
    started_at: Timestamp,
    policy: Policy,
    linq: Linq,
    source: CsvSource,
    state: State,
}

impl<'a> Daemon<'a> {
    fn start(config: &'a Config, clock: Clock<'a>) -> Result<Daemon<'a>, OpenError> {
        Ok(Daemon {
            config,
            clock,
            started_at: clock(),
            policy: config.policy(),
            linq: Linq::of(config)?,
            source: open::source(config, Access::Exclusive)?,
            state: open::state(config)?,
        })
    }

    async fn once(&mut self, stop: &CancellationToken) {
        let client = self.linq.client(fastrand::u64(..));
        let terms = Terms {
            policy: &self.policy,
            settle: self.config.linq.settle,
            history: self.config.history(),
            started_at: self.started_at,
            clock: self.clock,
            stop,
        };
        let mut sides = Sides { linq: &client, source: &mut self.source, state: &self.state };
        let Ran { report, notices, .. } = make_run(&mut sides, &terms).await;
        log(&report, &notices);
    }
}

/// One line for a run that changed something, failed, or left something open.
fn log(report: &RunReport, notices: &[String]) {
    for _ in notices {
        // Notices name people; the report of `linqsync plan` shows them.
        tracing::debug!("the run has something to tell; see `linqsync plan`");
    }
    let run = report.run.map(|run| run.0);
    match (&report.error, report.outcome) {
        (Some(error), _) => {
            tracing::error!(run, code = error.code, hint = %error.hint, "{}", error.message);
        }
        (None, Outcome::Clean | Outcome::Failed) if !report.changed_anything() => {
            tracing::debug!(run, in_sync = report.in_sync, "nothing to do");
        }
        (None, Outcome::Clean | Outcome::Failed | Outcome::Attention | Outcome::Held) => {
            tracing::info!(
                run,
                in_sync = report.in_sync,
                linked = report.linked,
                linq_created = report.linq.created,
                linq_updated = report.linq.updated,
                linq_deleted = report.linq.deleted,
                source_created = report.source.created,
                source_updated = report.source.updated,
                source_deleted = report.source.deleted,
                conflicts = report.open.conflicts,
                ambiguous = report.open.ambiguous,
                rejected = report.open.rejected,
                held = report.open.held_deletes + report.open.held_clears,
                "run finished"
            );
        }
    }
}
