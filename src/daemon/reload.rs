//! Reading the configuration again, between two runs: SIGHUP.
//!
//! Owns that the one before stays if there is anything wrong with the new one, and what
//! begins anew with a new one.

use super::control::Desk;
use super::hooks::Hooks;
use super::running::Daemon;
use super::status::{Reload, ReloadOutcome};
use super::{start, systemd};

impl Daemon<'_> {
    /// Reads the configuration again; the one before stays if there is anything wrong
    /// with the new one.
    pub(super) async fn reload(&mut self) {
        systemd::reloading();
        let taken = self.take_configuration().await;
        let outcome = if taken { ReloadOutcome::Taken } else { ReloadOutcome::Refused };
        self.board.status().reload = Some(Reload { at: self.now(), outcome });
        systemd::ready(&self.line());
        if taken {
            self.once(Vec::new()).await;
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
        if let Err(error) = config.linq.token.read() {
            tracing::error!("{kept}: {error}");
            return false;
        }
        let directory = self.engine.config.state.dir.clone();
        if let Err(error) = self.engine.replace(config) {
            let error = error.reported();
            tracing::error!(hint = error.hint, "{kept}: {}", error.message);
            return false;
        }
        self.settle_in(&directory).await;
        true
    }

    /// Goes on with a configuration that was just taken.
    async fn settle_in(&mut self, before: &std::path::Path) {
        let config = &self.engine.config;
        if config.state.dir != before {
            match Desk::open(&config.state.dir, self.board.tells()) {
                Ok(desk) => self.ears.desk = desk,
                Err(error) => tracing::warn!(%error, "cannot take requests for runs"),
            }
        }
        if self.listener.as_ref().map(|listener| listener.address) != config.status.listen {
            self.listener = None;
            match start::listener(&self.engine, &self.board, self.outside).await {
                Ok(listener) => self.listener = listener,
                Err(error) => tracing::error!(%error, "the status is not told"),
            }
        }
        let config = &self.engine.config;
        self.hooks = Hooks::new(&config.hooks);
        self.refusal = None;
        self.watch = start::watch(&self.engine, &self.touch);
        self.timetable = start::timetable(config, self.outside);
        let now = self.now();
        let mut status = self.board.status();
        status.configured_at = now;
        status.schedule = config.sync.schedule.to_string();
        status.health.stale_after(config.status.stale_after);
        tracing::info!(schedule = %config.sync.schedule, "the new configuration is in force");
    }
}
