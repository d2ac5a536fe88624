//! What should go on as long as the daemon does, and is missing or has come to an end.
//!
//! Owns looking for a token that was missing, and starting again what a defect has ended.
//! Leaves when that is looked at to the loop.

use super::control::ControlServer;
use super::listener::Listener;
use super::running::Daemon;
use super::start;
use super::token::TokenRefusal;
use super::watch::SourceWatcher;
use super::web;
use crate::report::ReportedError;
use crate::web::Web;

impl Daemon<'_> {
    /// Whether there is a token, as far as one was missing.
    pub(super) async fn has_token(&mut self) -> bool {
        if self.refusal.is_none_or(|refusal| !refusal.is_missing()) {
            return true;
        }
        let (file, token) = (self.engine.token_file(), self.engine.config.linq.token.clone());
        // A command may take a while.
        let read = tokio::task::spawn_blocking(move || token.read().map(drop)).await;
        match read {
            Ok(Ok(())) => {
                self.board.lock_status().waiting_for = None;
                true
            }
            Ok(Err(error)) => {
                let why = ReportedError::from_error(&error, 2, "").message;
                tracing::debug!("still waiting for the token: {why}");
                self.board.lock_status().waiting_for =
                    Some(format!("waiting for the token: {why}"));
                self.refusal = Some(TokenRefusal::token_missing(self.now(), file));
                false
            }
            // A defect, which the panic hook has told of.
            Err(_) => false,
        }
    }

    /// Starts again what should go on as long as the daemon does, and does not.
    pub(super) async fn restart_watchers(&mut self) {
        if self.ears.desk.has_ended() {
            let dir = &self.engine.config.state.dir;
            match ControlServer::open(dir, self.board.activity_fn(self.outside.clock)) {
                Ok(desk) => self.ears.desk = desk,
                Err(error) => tracing::debug!(%error, "cannot take requests for runs"),
            }
        }
        if self.listener.as_ref().is_some_and(Listener::has_ended) {
            let config = &self.engine.config;
            match start::start_listener(config, &self.engine, &self.board, self.outside).await {
                Ok(listener) => self.listener = listener,
                Err(error) => tracing::debug!(%error, "the status is not told"),
            }
        }
        if self.web.as_ref().is_some_and(Web::has_ended) {
            let config = &self.engine.config;
            match web::serve(config, &self.board, &self.wants, self.outside).await {
                Ok(web) => self.web = web,
                Err(error) => tracing::debug!(%error, "the inbox is not served"),
            }
        }
        if self.watch.as_ref().is_some_and(SourceWatcher::has_ended) {
            self.watch = start::start_watcher(&self.engine, &self.touch);
        }
    }
}
