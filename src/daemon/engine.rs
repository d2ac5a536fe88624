//! What a configuration opens: both sides, the state and the policy.
//!
//! Owns making one run with them, and putting another configuration in their place
//! between two runs. Leaves what a run is to [`crate::run`].

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::metrics::Metrics;
use super::progress::{Metered, Pulse};
use super::token;
use super::watch::{Known, Place, Watched};
use crate::apply::Clock;
use crate::config::Config;
use crate::mirror::{Pair, State};
use crate::model::{Limit, Policy, Timestamp};
use crate::open::{self, Linq, OpenError};
use crate::report::Outcome;
use crate::run::{Ran, Sides, Terms, run as make_run};
use crate::source::Access;

/// A configuration with everything that it names opened.
pub(super) struct Engine {
    pub(super) config: Config,
    pub(super) known: Known,
    pub(super) pulse: Pulse,
    pub(super) metrics: Arc<Metrics>,
    policy: Policy,
    linq: Linq,
    source: Watched,
    state: State,
}

/// On what terms a run is made.
pub(super) struct Order<'a> {
    /// A limit for this run only.
    pub(super) max_deletes: Option<Limit>,
    /// When this process started.
    pub(super) started_at: Timestamp,
    /// Tells the time.
    pub(super) clock: Clock<'a>,
    /// Asks the run to stop.
    pub(super) stop: &'a CancellationToken,
}

impl Engine {
    /// Opens what `config` names.
    pub(super) fn open(config: Config) -> Result<Engine, OpenError> {
        let known = Known::default();
        let pulse = Pulse::default();
        let metrics = Arc::new(Metrics::new(config.state.dir.clone()));
        Ok(Engine {
            policy: config.policy(),
            linq: metered(Linq::of(&config)?, &pulse, &metrics),
            source: source(&config, &known),
            state: open::state(&config)?,
            known,
            pulse,
            metrics,
            config,
        })
    }

    /// Puts `config` in the place of the one before, which stays on an error.
    pub(super) fn replace(&mut self, config: Config) -> Result<(), OpenError> {
        let known = Known::default();
        let linq = metered(Linq::of(&config)?, &self.pulse, &self.metrics);
        let source = source(&config, &known);
        if config.state.dir == self.config.state.dir {
            open::bind(&self.state, &config)?;
        } else {
            self.state = open::state(&config)?;
            self.metrics.state_is_in(&config.state.dir);
        }
        (self.policy, self.linq, self.source) = (config.policy(), linq, source);
        (self.known, self.config) = (known, config);
        Ok(())
    }

    /// The pair that it keeps the same.
    pub(super) fn pair(&self) -> Pair {
        open::pair(&self.config)
    }

    /// Where the source is.
    pub(super) fn place(&self) -> Place {
        self.source.place.clone()
    }

    /// When a run last succeeded, as far as the state remembers.
    pub(super) fn last_success(&self) -> Option<Timestamp> {
        last_success(&self.state)
    }

    /// Asks Linq for as little as possible.
    pub(super) async fn check_token(&self) -> Result<(), crate::linq::LinqError> {
        self.linq.client(fastrand::u64(..)).check().await
    }

    /// What the token's file looks like, where the token comes from one.
    pub(super) fn token_file(&self) -> Option<token::File> {
        token::file(&self.config.linq.token)
    }

    /// Makes one run.
    pub(super) async fn run(&mut self, order: &Order<'_>) -> Ran {
        let client = self.linq.client(fastrand::u64(..));
        let mut policy = self.policy.clone();
        policy.max_deletes = order.max_deletes.unwrap_or(policy.max_deletes);
        let terms = Terms {
            policy: &policy,
            settle: self.config.linq.settle,
            history: self.config.history(),
            started_at: order.started_at,
            clock: order.clock,
            stop: order.stop,
        };
        let mut sides = Sides { linq: &client, source: &mut self.source, state: &self.state };
        let ran = make_run(&mut sides, &terms).instrument(span()).await;
        self.metrics.count_run(&ran.report, client.throttled());
        ran
    }
}

/// When a run last succeeded, as far as the state remembers.
pub(crate) fn last_success(state: &State) -> Option<Timestamp> {
    let runs = state.last_runs(100).unwrap_or_default();
    let endings = runs.into_iter().filter_map(|run| run.ending);
    let succeeded = endings.filter(|ending| ending.outcome != Outcome::Failed.name());
    succeeded.map(|ending| ending.at).max()
}

/// The span of a run, whose number every event within it carries, once it is known.
pub(crate) fn span() -> tracing::Span {
    tracing::info_span!("run", run = tracing::field::Empty)
}

/// Linq, with every request counted.
pub(crate) fn metered(linq: Linq, pulse: &Pulse, metrics: &Arc<Metrics>) -> Linq {
    let (pulse, metrics) = (pulse.clone(), Arc::clone(metrics));
    linq.by_way_of(|transport| Arc::new(Metered { transport, pulse, metrics }))
}

fn source(config: &Config, known: &Known) -> Watched {
    let source = open::source(config, Access::Exclusive);
    Watched { source, place: Place::of(&config.source), known: known.clone() }
}
