//! Serving the inbox, and the runs that are asked for there.
//!
//! Owns the way between the daemon and [`crate::web`]: what it is told, and that it asks for runs
//! at the same desk as everybody. Leaves pages and who gets in to it.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::status::StatusBoard;
use super::{DaemonError, Outside};
use crate::config::Config;
use crate::web::{self, Glance, RunWanted, Web};

/// So many runs can be asked for at the same time.
pub(super) const PLACES: usize = 8;

/// Serves what `[web]` asks for.
pub(super) async fn serve(
    config: &Config,
    board: &StatusBoard,
    wants: &mpsc::Sender<RunWanted>,
    outside: Outside<'_>,
) -> Result<Option<Web>, DaemonError> {
    let Some(wanted) = &config.web else { return Ok(None) };
    let (board, clock, wants) = (board.clone(), outside.clock, wants.clone());
    let glance = move || {
        let status = board.lock_status();
        let now = clock();
        Glance {
            line: status.status_line(now),
            healthy: status.health.condition(now).is_good(),
            running_since: status.running_since,
            next_run: status.next_run,
        }
    };
    let given = web::InboxOutside {
        clock,
        glance: Arc::new(glance),
        ask: Arc::new(move |wanted| wants.try_send(wanted).is_ok()),
        helpers: outside.helpers.clone(),
    };
    let started = Web::start(wanted.listen, config, given).await;
    let what = format!("browsers at {} (web.listen)", wanted.listen);
    started.map(Some).map_err(DaemonError::cannot_listen(what))
}
