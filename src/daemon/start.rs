//! The beginning: what must be good before the daemon says that it is ready.
//!
//! Owns the order: the state and the source are taken, and the token is looked for. What is
//! wrong with the configuration ends the start, and so does another daemon that keeps the
//! same pair; what passes by itself is waited for, and the status says what it is: a command
//! that holds the state or the source for a while, a token that is not there yet. A Linq
//! that does not answer, or refuses the token, is for the first run to find.

use std::time::Duration;

use chrono::Local;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::control::ControlServer;
use super::engine::Engine;
use super::health::{Condition, Health};
use super::hooks::Hooks;
use super::listener::{Facts, Listener};
use super::outage::OutageProbes;
use super::running::{Daemon, DaemonInputs};
use super::status::{DaemonStatus, StatusBoard};
use super::timer::Ticker;
use super::token::TokenRefusal;
use super::watch::SourceWatcher;
use super::{DaemonError, LockedResource, Outside, systemd, web};
use crate::config::{Config, TokenUnreadable};
use crate::notification::Notifier;
use crate::report::ReportedError;
use crate::schedule::{Timetable, stale_after};

/// How often it is looked whether what is waited for has passed.
const ROUND: Duration = Duration::from_secs(1);

/// Starts the daemon; `None` if it is told to stop meanwhile.
pub(super) async fn start_daemon(
    config: Config,
    outside: Outside<'_>,
) -> Result<Option<Daemon<'_>>, DaemonError> {
    let mut hangup = signal(SignalKind::hangup()).map_err(DaemonError::cannot_listen("SIGHUP"))?;
    let tell =
        signal(SignalKind::user_defined1()).map_err(DaemonError::cannot_listen("SIGUSR1"))?;
    let Some(engine) = take_hold(config, outside, &mut hangup).await? else { return Ok(None) };
    let board = new_status_board(&engine, outside);
    let desk = ControlServer::open(&engine.config.state.dir, board.activity_fn(outside.clock))
        .map_err(DaemonError::cannot_listen("requests for runs"))?;
    let refusal = look_for_token(&engine, &board, outside)?;
    let listener = start_listener(&engine.config, &engine, &board, outside).await?;
    let (wants, wanted) = mpsc::channel(web::PLACES);
    let web = web::serve(&engine.config, &board, &wants, outside).await?;
    let (say, touched) = mpsc::channel(1);
    let ears = DaemonInputs { hangup, tell, desk, touched, wanted, ticker: Ticker::start().await? };
    let daemon = Daemon {
        board,
        listener,
        web,
        wants,
        hooks: Hooks::new(&engine.config.hooks),
        notifier: notifier(&engine.config),
        timetable: new_timetable(&engine.config, outside),
        watch: start_watcher(&engine, &say),
        touch: say,
        refusal,
        weather: OutageProbes::default(),
        condition: Condition::Good,
        engine,
        ears,
        outside,
    };
    announce_start(&daemon);
    Ok(Some(daemon))
}

/// Takes hold of the state and the source, and waits for a command that has them; `None` if
/// it is told to stop meanwhile. Another configuration that is read meanwhile counts.
async fn take_hold(
    mut config: Config,
    outside: Outside<'_>,
    hangup: &mut Signal,
) -> Result<Option<Engine>, DaemonError> {
    let (mut told, mut is_certain) = (String::new(), false);
    loop {
        let error = match Engine::open(config.clone()).map_err(DaemonError::from) {
            Ok(mut engine) => match engine.take_source() {
                Ok(()) => return Ok(Some(engine)),
                Err(error) => DaemonError::Source(error),
            },
            Err(error) => error,
        };
        let passes = match error.held_by() {
            LockedResource::ByNobody => return Err(error),
            LockedResource::BySomebody => true,
            LockedResource::By(holder) => !(outside.is_daemon)(holder.pid),
        };
        // A daemon that was there a moment ago may have been about to end, as in a restart.
        if !passes && std::mem::replace(&mut is_certain, true) {
            return Err(error);
        }
        let why = ReportedError::from_error(&error, 7, "").message;
        if passes && told != why {
            tracing::warn!("waiting: {why}");
            // Nothing is wrong with the configuration: it has started, and waits.
            systemd::notify_ready(&format!("waiting: {why}"));
            told = why;
        }
        systemd::notify_watchdog();
        tokio::select! {
            () = outside.stop.cancelled() => return Ok(None),
            Some(()) = hangup.recv() => match (outside.reload)() {
                Ok(another) => config = another,
                Err(error) => error.lines().iter().for_each(|line| tracing::error!("{line}")),
            },
            _ = timeout(ROUND, std::future::pending::<()>()) => {}
        }
    }
}

/// Looks for the token. One that may still come is waited for; which one is meant, and one
/// that nobody can change as long as this process lives, is the configuration's.
fn look_for_token(
    engine: &Engine,
    board: &StatusBoard,
    outside: Outside<'_>,
) -> Result<Option<TokenRefusal>, DaemonError> {
    let file = engine.token_file();
    let Err(error) = engine.config.linq.token.read() else { return Ok(None) };
    if matches!(error, TokenUnreadable::Unset) || !engine.config.linq.token.may_change() {
        return Err(error.into());
    }
    let why = ReportedError::from_error(&error, 2, "").message;
    tracing::error!("waiting for the token: {why}");
    board.lock_status().waiting_for = Some(format!("waiting for the token: {why}"));
    Ok(Some(TokenRefusal::token_missing((outside.clock)(), file)))
}

/// Serves what `status.listen` asks for.
pub(super) async fn start_listener(
    config: &Config,
    engine: &Engine,
    board: &StatusBoard,
    outside: Outside<'_>,
) -> Result<Option<Listener>, DaemonError> {
    let Some(address) = config.status.listen else { return Ok(None) };
    let metrics = std::sync::Arc::clone(&engine.metrics);
    let facts = Facts { address, board: board.clone(), metrics, now: outside.clock };
    let started = Listener::start(address, facts).await;
    let what = format!("questions at {address} (status.listen)");
    started.map(Some).map_err(DaemonError::cannot_listen(what))
}

fn new_status_board(engine: &Engine, outside: Outside<'_>) -> StatusBoard {
    let now = (outside.clock)();
    let stale_after = stale_after(&engine.config, now);
    StatusBoard::new(DaemonStatus {
        started_at: now,
        configured_at: now,
        ticked: Instant::now(),
        waiting_for: None,
        schedule: engine.config.sync.schedule.to_string(),
        running_since: None,
        far: None,
        next_run: None,
        linq_down: None,
        last_run: None,
        health: Health::new(now, engine.last_success(), stale_after),
        reload: None,
    })
}

/// What tells the channel of `[notify]`.
pub(super) fn notifier(config: &Config) -> Notifier {
    Notifier::new(config.notify.as_ref(), config.inbox())
}

pub(super) fn new_timetable(config: &Config, outside: Outside<'_>) -> Timetable {
    let (schedule, jitter) = (&config.sync.schedule, config.sync.jitter);
    Timetable::new(schedule, jitter, fastrand::u64(..), &Local, (outside.clock)())
}

pub(super) fn start_watcher(engine: &Engine, touched: &mpsc::Sender<()>) -> Option<SourceWatcher> {
    let wanted = engine.config.sync.watch;
    wanted.then(|| {
        SourceWatcher::start(engine.source_location(), engine.known.clone(), touched.clone())
    })
}

fn announce_start(daemon: &Daemon<'_>) {
    let config = &daemon.engine.config;
    tracing::info!(
        source = %config.source.path.display(),
        schedule = %config.sync.schedule,
        "started"
    );
    systemd::notify_ready(&daemon.status_line());
}
