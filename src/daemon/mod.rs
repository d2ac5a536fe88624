//! The daemon: a run at start, on the schedule, soon after the source was saved and
//! when another linqsync asks for one, until it is told to stop.
//!
//! Owns when runs are made, never two at once, and what goes on around them: signals,
//! systemd, the control socket, health. Leaves what a run is to [`crate::run`].
//!
//! | file | owns |
//! |---|---|
//! | `timer` | what ticks; when a run is due says [`crate::schedule`] |
//! | `watch` | saves of the source by others |
//! | `control` | requests of a `--once` beside the daemon |
//! | `engine` | what the daemon holds of a configuration, and having one run made |
//! | `worker` | a run in a process of its own, and the words between the two |
//! | `health`, `announce`, `status` | how it is, and what is said about it |
//! | `worker_progress` | how far a run is, in words |
//! | `web` | serving the inbox, and the runs that are asked for there |
//! | `listener`, `metrics`, `hooks` | who is told, on request and unasked |
//! | `watchdog`, `systemd` | the watchdog and the rest of sd_notify(3) |
//! | `token`, `outage` | when Linq is asked again that refused the token, or is down |
//! | `recent` | the requests of the run before, which count for the rate |
//! | `start`, `running`, `reload`, `mend` | beginning, the loop itself, another configuration, what came to an end |

mod announce;
pub mod control;
mod engine;
pub mod health;
pub(crate) mod hooks;
mod listener;
mod mend;
pub mod metrics;
mod outage;
mod recent;
mod reload;
mod running;
mod start;
pub mod status;
pub(crate) mod systemd;
mod timer;
mod token;
mod watch;
mod watchdog;
mod web;
mod worker;
mod worker_progress;

use std::io;
use std::process::Command;
use std::time::Duration;

use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError, TokenUnreadable};
use crate::lock::{Holder, LockError};
use crate::mirror::StateError;
use crate::model::Timestamp;
use crate::open::OpenError;
use crate::web::Helpers;
pub(crate) use engine::{last_success, run_span, with_beats};
pub(crate) use running::stopped_run;
pub(crate) use watchdog::{Beat, Pulse, Watchdog};
pub use worker::run_order;
pub(crate) use worker_progress::how_far;

/// How long a run that was asked to stop may still take for what is in flight.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// What the daemon is given from outside.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Tells the time.
    pub clock: fn() -> Timestamp,
    /// Asks it to stop.
    pub stop: &'a CancellationToken,
    /// Reads the configuration again.
    pub reload: &'a dyn Fn() -> Result<Config, ConfigError>,
    /// This program, to be started as a worker: [`run_order`].
    pub worker: &'a dyn Fn() -> Command,
    /// What the inbox has done in processes of their own.
    pub helpers: &'a Helpers,
    /// Whether the process of this number is a daemon, which ends when it is told to, or its
    /// worker. A command ends by itself.
    pub is_daemon: fn(u32) -> bool,
}

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// A side or the state cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenUnreadable),
    /// Another daemon keeps the source in sync.
    #[error(transparent)]
    Source(LockError),
    /// The schedule could not be set up.
    #[error("cannot set up the schedule")]
    Schedule(#[from] JobSchedulerError),
    /// The system has no signal or socket to give.
    #[error("cannot listen for {what}")]
    Listen {
        /// For what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Who holds what the daemon needs.
enum LockedResource {
    /// That is not what is wrong.
    ByNobody,
    /// A process that the system does not name.
    BySomebody,
    /// This process.
    By(Holder),
}

impl DaemonError {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            DaemonError::Open(error) => error.exit_code(),
            DaemonError::Token(_) => 2,
            DaemonError::Source(_) => 7,
            DaemonError::Schedule(_) | DaemonError::Listen { .. } => 1,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            DaemonError::Open(error) => error.hint().to_owned(),
            DaemonError::Token(_) => {
                "set linq.token_file in sync.toml, or the variable LINQ_TOKEN".to_owned()
            }
            DaemonError::Source(_) => "stop that one, or give this one another source".to_owned(),
            DaemonError::Listen { .. } => {
                "end the program that listens there, or set status.listen or web.listen to another address"
                    .to_owned()
            }
            DaemonError::Schedule(_) => "please report this".to_owned(),
        }
    }

    /// Who holds what is needed.
    fn held_by(&self) -> LockedResource {
        match self {
            DaemonError::Open(OpenError::State(StateError::Held { holder, .. }))
            | DaemonError::Source(LockError::Held { holder, .. }) => {
                holder.map_or(LockedResource::BySomebody, LockedResource::By)
            }
            DaemonError::Open(_)
            | DaemonError::Token(_)
            | DaemonError::Source(_)
            | DaemonError::Schedule(_)
            | DaemonError::Listen { .. } => LockedResource::ByNobody,
        }
    }

    fn cannot_listen(what: impl Into<String>) -> impl FnOnce(io::Error) -> DaemonError {
        let what = what.into();
        move |source| DaemonError::Listen { what, source }
    }
}

/// Runs until it is told to stop, then ends cleanly: what is in flight gets three
/// seconds, the rest stays in the journal.
///
/// # Errors
/// When it cannot start. A run that fails is logged, and the next one is made on
/// schedule.
pub async fn run(config: Config, outside: Outside<'_>) -> Result<(), DaemonError> {
    if let Some(daemon) = start::start_daemon(config, outside).await? {
        daemon.serve_until_stopped().await;
    }
    Ok(())
}
