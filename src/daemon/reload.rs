//! Reading the configuration again, between two runs: SIGHUP.
//!
//! Owns that all of the one before stays if there is anything wrong with the new one, and
//! what begins anew with a new one: everything that may fail is done before anything is
//! given up.

use super::control::ControlServer;
use super::engine::Prepared;
use super::hooks::Hooks;
use super::listener::Listener;
use super::running::Daemon;
use super::status::{Reload, ReloadOutcome};
use super::{DaemonError, start, systemd, web};
use crate::config::Config;
use crate::report::ReportedError;
use crate::schedule::stale_after;
use crate::web::Web;

/// What the new configuration needs, ready to be used.
struct Taken {
    prepared: Prepared,
    /// Where requests are taken, if that is elsewhere.
    desk: Option<ControlServer>,
    /// Where the status is told.
    listener: Telling,
    /// Where the inbox is served.
    web: Serving,
}

/// Where the inbox is served from now on.
enum Serving {
    /// Where it was.
    AsBefore,
    /// Here, or nowhere.
    Elsewhere(Option<Web>),
}

/// Where the status is told from now on.
enum Telling {
    /// Where it was.
    AsBefore,
    /// Here, or nowhere.
    Elsewhere(Option<Listener>),
}

impl Daemon<'_> {
    /// Reads the configuration again; the one before stays if there is anything wrong
    /// with the new one.
    pub(super) async fn reload_config(&mut self) {
        systemd::notify_reloading();
        let taken = self.take_configuration().await;
        let outcome = if taken { ReloadOutcome::Taken } else { ReloadOutcome::Refused };
        self.board.lock_status().reload = Some(Reload { at: self.now(), outcome });
        systemd::notify_ready(&self.status_line());
        if taken && self.may_ask() {
            self.run_once(Vec::new()).await;
        }
    }

    async fn take_configuration(&mut self) -> bool {
        let kept = "the configuration stays as it was";
        let config = match (self.outside.reload)() {
            Ok(config) => config,
            Err(error) => {
                for line in error.lines() {
                    tracing::error!("{kept}: {line}");
                }
                return false;
            }
        };
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        match self.prepare_reload(config).await {
            Ok(taken) => {
                self.settle_in(taken);
                true
            }
            Err(error) => {
                let hint = error.hint();
                let message = ReportedError::from_error(&error, error.exit_code(), "").message;
                tracing::error!(hint, "{kept}: {message}");
                false
            }
        }
    }

    /// Gets everything ready that may fail. The configuration in force stays.
    async fn prepare_reload(&mut self, config: Config) -> Result<Taken, DaemonError> {
        config.linq.token.read()?;
        let prepared = self.engine.prepare_config(config)?;
        let (old, new) = (&self.engine.config, &prepared.config);
        let desk = if new.state.dir == old.state.dir {
            None
        } else {
            let desk =
                ControlServer::open(&new.state.dir, self.board.activity_fn(self.outside.clock));
            Some(desk.map_err(DaemonError::cannot_listen("requests for runs"))?)
        };
        let listener = if new.status.listen == old.status.listen {
            Telling::AsBefore
        } else {
            Telling::Elsewhere(self.listen_elsewhere(&prepared.config).await?)
        };
        let (old, new) = (&self.engine.config, &prepared.config);
        let listens = |config: &Config| config.web.as_ref().map(|web| web.listen);
        let web = if listens(old) == listens(new) {
            Serving::AsBefore
        } else {
            Serving::Elsewhere(web::serve(new, &self.board, &self.wants, self.outside).await?)
        };
        Ok(Taken { prepared, desk, listener, web })
    }

    /// Serves at the new address while the old one is served. Two addresses with one port may
    /// exclude each other: then the old one is given up for the new one, and taken again if
    /// that fails.
    async fn listen_elsewhere(&mut self, new: &Config) -> Result<Option<Listener>, DaemonError> {
        let started = start::start_listener(new, &self.engine, &self.board, self.outside).await;
        let (Some(to), Some(from)) = (new.status.listen, self.engine.config.status.listen) else {
            return started;
        };
        if started.is_ok() || to.port() != from.port() {
            return started;
        }
        self.listener = None;
        let again = start::start_listener(new, &self.engine, &self.board, self.outside).await;
        if again.is_err() {
            let old = &self.engine.config;
            let restored =
                start::start_listener(old, &self.engine, &self.board, self.outside).await;
            self.listener = restored.unwrap_or_else(|error| {
                tracing::error!(%error, "the status is not told");
                None
            });
        }
        again
    }

    /// Goes on with a configuration for which everything is ready.
    fn settle_in(&mut self, taken: Taken) {
        let Taken { prepared, desk, listener, web } = taken;
        self.engine.replace_config(prepared);
        if let Some(desk) = desk {
            self.ears.desk = desk;
        }
        if let Telling::Elsewhere(listener) = listener {
            self.listener = listener;
        }
        let config = &self.engine.config;
        match (web, &self.web) {
            (Serving::Elsewhere(web), _) => self.web = web,
            (Serving::AsBefore, Some(web)) => web.reconfigure(config),
            (Serving::AsBefore, None) => {}
        }
        self.hooks = Hooks::new(&config.hooks);
        self.notifier.reconfigure(config.notify.as_ref(), config.inbox());
        self.refusal = None;
        self.watch = start::start_watcher(&self.engine, &self.touch);
        self.timetable = start::new_timetable(config, self.outside);
        let now = self.now();
        let linq_down = self.engine.linq_down();
        let mut status = self.board.lock_status();
        status.configured_at = now;
        status.schedule = config.sync.schedule.to_string();
        status.waiting_for = None;
        status.linq_down = linq_down;
        status.health.stale_after(stale_after(config, now));
        tracing::info!(schedule = %config.sync.schedule, "the new configuration is in force");
    }
}
