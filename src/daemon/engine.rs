//! What a configuration names, as far as the daemon holds it: the state, and between
//! runs the lock on the source.
//!
//! Owns having runs made, each by a [`super::worker`], and putting another configuration
//! in the place of the one before between two runs. Leaves what a run is to
//! [`crate::run`].

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::DaemonError;
use super::metrics::Metrics;
use super::recent::Recent;
use super::token;
use super::watch::{LastSource, WatchedLocation};
use super::watchdog::{Beat, Metered, Pulse};
use super::worker::{Made, NoWorker, RunOrder, WorkerRun, run_worker};
use super::worker_progress::WorkerProgress;
use crate::apply::Clock;
use crate::config::Config;
use crate::lock::{Lock, LockError};
use crate::mirror::{LinqDown, State, SyncPair};
use crate::model::{Limit, Timestamp};
use crate::notification::Notifier;
use crate::open::{self, Linq, OpenError};
use crate::report::{ReportedError, RunReport};
use crate::web::UndoRequest;

/// A configuration with what it names held.
pub(super) struct Engine {
    pub(super) config: Config,
    pub(super) known: LastSource,
    pub(super) pulse: Pulse,
    pub(super) far: WorkerProgress,
    pub(super) metrics: Arc<Metrics>,
    recent: Recent,
    state: State,
    /// Held between runs, for another linqsync to see; the worker holds it meanwhile.
    source: Option<Lock>,
}

/// What another configuration names, held.
pub(super) struct Prepared {
    pub(super) config: Config,
    /// Its state, if that is another one.
    state: Option<State>,
    /// Its source, if that is another one.
    source: Option<Lock>,
}

/// On what terms a run is made.
pub(super) struct RunTerms<'a> {
    /// A limit for this run only.
    pub(super) max_deletes: Option<Limit>,
    /// The users who ask for it; `None` when it is due.
    pub(super) by: Option<String>,
    /// What it puts back; `None` for an ordinary run.
    pub(super) undo: Option<UndoRequest>,
    /// Tells the time.
    pub(super) clock: Clock<'a>,
    /// Asks the run to stop.
    pub(super) stop: &'a CancellationToken,
    /// This program as a worker.
    pub(super) worker: Command,
}

impl Engine {
    /// Takes hold of what `config` names.
    pub(super) fn open(config: Config) -> Result<Engine, OpenError> {
        open::linq_url(&config)?;
        let state = open::open_state(&config)?;
        let metrics = Metrics::new(config.state.dir.clone());
        metrics.go_on_from(&state);
        Ok(Engine {
            state,
            source: None,
            known: LastSource::default(),
            pulse: Pulse::default(),
            far: WorkerProgress::default(),
            recent: Recent::default(),
            metrics: Arc::new(metrics),
            config,
        })
    }

    /// Takes hold of the source, so that another linqsync sees that it is kept in sync. One
    /// that is not there is no reason not to start: the next run looks again.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it.
    pub(super) fn take_source(&mut self) -> Result<(), LockError> {
        self.source = lock_source(&self.config)?;
        Ok(())
    }

    /// Takes hold of what `config` names besides what is held already; the configuration in
    /// force stays.
    pub(super) fn prepare_config(&self, config: Config) -> Result<Prepared, DaemonError> {
        open::linq_url(&config)?;
        let state = if config.state.dir == self.config.state.dir {
            open::expect_pair(&self.state, &config)?;
            None
        } else {
            Some(open::open_state(&config)?)
        };
        let source = if config.source.path == self.config.source.path {
            None
        } else {
            lock_source(&config).map_err(DaemonError::Source)?
        };
        Ok(Prepared { config, state, source })
    }

    /// Puts what was prepared in the place of the configuration before.
    pub(super) fn replace_config(&mut self, prepared: Prepared) {
        let Prepared { config, state, source } = prepared;
        if let Some(state) = state {
            self.state = state;
            self.metrics.state_is_in(&config.state.dir);
        }
        if config.source.path != self.config.source.path {
            self.source = source;
        }
        self.known = LastSource::default();
        self.config = config;
    }

    /// The pair that it keeps the same.
    pub(super) fn sync_pair(&self) -> SyncPair {
        open::configured_pair(&self.config)
    }

    /// Where the source is.
    pub(super) fn source_location(&self) -> WatchedLocation {
        WatchedLocation::for_source(&self.config.source)
    }

    /// When a run last succeeded, as far as the state remembers.
    pub(super) fn last_success(&self) -> Option<Timestamp> {
        last_success(&self.state)
    }

    /// Whether Linq does not work, as the state remembers it.
    pub(super) fn linq_down(&self) -> Option<LinqDown> {
        self.state.linq_down().unwrap_or_default()
    }

    /// What the token's file looks like, where the token comes from one.
    pub(super) fn token_file(&self) -> Option<token::TokenFileStamp> {
        token::token_file(&self.config.linq.token)
    }

    /// Has the channel told of what has changed.
    pub(super) async fn look(&self, notifier: &mut Notifier, health: Option<bool>) {
        notifier.look(&self.state, health).await;
    }

    /// Goes on telling the channel.
    pub(super) async fn notify(&self, notifier: &mut Notifier) {
        notifier.go_on(&self.state).await;
    }

    /// Waits a moment for a message that is on its way.
    pub(super) async fn say_last(&self, notifier: Notifier) {
        let never = CancellationToken::new();
        let finished = notifier.finish(&self.state, &never);
        let _ = timeout(Duration::from_millis(500), finished).await;
    }

    /// Has one run made.
    pub(super) async fn run_once(&mut self, terms: RunTerms<'_>) -> Made {
        let RunTerms { max_deletes, by, undo, clock, stop, worker } = terms;
        let max_deletes = max_deletes.map(|limit| limit.to_string());
        let order = self.run_order(max_deletes, by, undo);
        self.source = None;
        self.far.set_text(None);
        let done = run_worker(worker, order, &self.state, self.worker_run(stop)).await;
        // Where it is not there, or somebody else has it, the next run finds out.
        self.source = Lock::lock_existing(&self.config.source.path).ok();
        let made = match done {
            Ok(made) => made,
            Err(error) => {
                failed_run(&describe_no_worker(&error), "look at the log before this", clock())
            }
        };
        self.metrics.count_run(&made.report, made.took, made.throttled);
        if self.config.status.is_told() {
            self.metrics.save_counts(&self.state);
        }
        made
    }

    fn run_order(
        &self,
        max_deletes: Option<String>,
        by: Option<String>,
        undo: Option<UndoRequest>,
    ) -> RunOrder {
        let Config { file, text, .. } = &self.config;
        let (file, text) = (file.clone(), text.as_str().to_owned());
        RunOrder { max_deletes, by, undo, recent: self.recent.request_ages(), file, text }
    }

    fn worker_run<'a>(&'a self, stop: &'a CancellationToken) -> WorkerRun<'a> {
        let Engine { pulse, metrics, recent, far, known, .. } = self;
        WorkerRun { pulse, metrics, recent, far, known, stop }
    }
}

/// Locks the source; `None` if that cannot be told apart from one that is not there.
fn lock_source(config: &Config) -> Result<Option<Lock>, LockError> {
    match Lock::lock_existing(&config.source.path) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ LockError::Held { .. }) => Err(error),
        Err(LockError::Io { .. }) => Ok(None),
    }
}

fn describe_no_worker(error: &NoWorker) -> String {
    ReportedError::from_error(error, 1, "").message
}

fn failed_run(message: &str, hint: &str, now: Timestamp) -> Made {
    let mut report = RunReport::new(now);
    let (message, hint) = (message.to_owned(), hint.to_owned());
    report.error = Some(ReportedError { code: 1, message, hint });
    report.conclude_outcome(now);
    Made::without_a_run(report)
}

/// When a run last succeeded, as far as the state remembers.
pub(crate) fn last_success(state: &State) -> Option<Timestamp> {
    state.last_good_run().ok().flatten()?.ending.map(|ending| ending.at)
}

/// The span of a run, whose number every event within it carries, once it is known.
pub(crate) fn run_span() -> tracing::Span {
    tracing::info_span!("run", run = tracing::field::Empty)
}

/// Linq, with `announce` told of every request.
pub(crate) fn with_beats(linq: Linq, tell: impl Fn(Beat) + Send + Sync + 'static) -> Linq {
    linq.by_way_of(|transport| Arc::new(Metered { transport, tell }))
}
