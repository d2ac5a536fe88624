//! The beginning: what must be good before the daemon says that it is ready.
//!
//! Owns the order: the state is taken, the token is read, and where systemd waits for
//! the daemon to be ready, Linq is asked once whether it takes the token. A Linq that
//! does not answer is no reason not to start.

use std::time::Duration;

use chrono::Local;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::control::Desk;
use super::engine::Engine;
use super::health::{Condition, Health};
use super::hooks::Hooks;
use super::listener::{Facts, Listener};
use super::running::{Daemon, Ears};
use super::status::{Board, Status};
use super::tick::Ticker;
use super::watch::Watch;
use super::weather::Weather;
use super::worker::Asked;
use super::{DaemonError, Outside, systemd};
use crate::config::Config;
use crate::schedule::Timetable;

/// How long Linq may take to say whether it takes the token.
const ANSWER: Duration = Duration::from_secs(5);

/// Starts the daemon; `None` if it is told to stop meanwhile.
pub(super) async fn start(
    config: Config,
    outside: Outside<'_>,
) -> Result<Option<Daemon<'_>>, DaemonError> {
    let hangup = signal(SignalKind::hangup()).map_err(DaemonError::listen("SIGHUP"))?;
    let tell = signal(SignalKind::user_defined1()).map_err(DaemonError::listen("SIGUSR1"))?;
    let engine = Engine::open(config)?;
    let board = board(&engine, outside);
    let desk = Desk::open(&engine.config.state.dir, board.tells())
        .map_err(DaemonError::listen("requests for runs"))?;
    engine.config.linq.token.read()?;
    let listener = listener(&engine, &board, outside).await?;
    if systemd::is_waiting() {
        tokio::select! {
            checked = check_token(&engine, outside) => checked?,
            () = outside.stop.cancelled() => return Ok(None),
        }
    }
    let (say, touched) = mpsc::channel(1);
    let ears = Ears { hangup, tell, desk, touched, ticker: Ticker::start().await? };
    let daemon = Daemon {
        board,
        listener,
        hooks: Hooks::new(&engine.config.hooks),
        timetable: timetable(&engine.config, outside),
        watch: watch(&engine, &say),
        touch: say,
        refusal: None,
        weather: Weather::default(),
        condition: Condition::Good,
        engine,
        ears,
        outside,
    };
    announce(&daemon);
    Ok(Some(daemon))
}

/// Serves what `status.listen` asks for.
pub(super) async fn listener(
    engine: &Engine,
    board: &Board,
    outside: Outside<'_>,
) -> Result<Option<Listener>, DaemonError> {
    let Some(address) = engine.config.status.listen else { return Ok(None) };
    let metrics = std::sync::Arc::clone(&engine.metrics);
    let facts = Facts { board: board.clone(), metrics, now: outside.clock };
    let started = Listener::start(address, facts).await;
    let what = format!("questions at {address} (status.listen)");
    started.map(Some).map_err(DaemonError::listen(what))
}

/// Ends the start if Linq refuses the token or cannot be asked at all, and in no other
/// case.
async fn check_token(engine: &Engine, outside: Outside<'_>) -> Result<(), DaemonError> {
    match timeout(ANSWER, engine.ask((outside.worker)(), outside.stop)).await {
        Ok(Ok(Asked::Refuses(error))) => Err(DaemonError::Refused(error)),
        Ok(Ok(Asked::Nothing(why))) => {
            tracing::info!("Linq cannot be asked yet: {why}");
            Ok(())
        }
        Ok(Err(error)) => Err(DaemonError::Worker(error)),
        Ok(Ok(Asked::Takes)) | Err(_) => Ok(()),
    }
}

fn board(engine: &Engine, outside: Outside<'_>) -> Board {
    let now = (outside.clock)();
    let stale_after = engine.config.status.stale_after;
    Board::new(Status {
        started_at: now,
        configured_at: now,
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

pub(super) fn timetable(config: &Config, outside: Outside<'_>) -> Timetable {
    let (schedule, jitter) = (&config.sync.schedule, config.sync.jitter);
    Timetable::new(schedule, jitter, fastrand::u64(..), &Local, (outside.clock)())
}

pub(super) fn watch(engine: &Engine, touched: &mpsc::Sender<()>) -> Option<Watch> {
    let wanted = engine.config.sync.watch;
    wanted.then(|| Watch::start(engine.place(), engine.known.clone(), touched.clone()))
}

fn announce(daemon: &Daemon<'_>) {
    let config = &daemon.engine.config;
    tracing::info!(
        source = %config.source.path.display(),
        schedule = %config.sync.schedule,
        "started"
    );
    systemd::ready(&daemon.line());
}
