//! The loop: waiting for a reason to make a run, and making it.

use chrono::{DateTime, Local};
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

use super::control::{Answer, Asked, Desk};
use super::engine::{Engine, Order};
use super::health::{Condition, News};
use super::hooks::Hooks;
use super::listener::Listener;
use super::progress::Progress;
use super::status::{Board, Reload, ReloadOutcome};
use super::tick::Ticker;
use super::token::Refusal;
use super::watch::Watch;
use super::{GRACE, Outside, metrics, start, systemd, tell};
use crate::model::{Limit, Timestamp};
use crate::report::{ReportedError, RunReport};
use crate::run::{Ran, RunError};
use crate::schedule::Timetable;

/// The exit code of a refused token.
const TOKEN_REFUSED: u8 = 5;

/// A daemon that has started.
pub(super) struct Daemon<'a> {
    pub(super) outside: Outside<'a>,
    pub(super) engine: Engine,
    pub(super) ears: Ears,
    pub(super) watch: Option<Watch>,
    pub(super) touch: mpsc::Sender<()>,
    pub(super) timetable: Timetable,
    pub(super) board: Board,
    pub(super) listener: Option<Listener>,
    pub(super) hooks: Hooks,
    pub(super) refusal: Option<Refusal>,
    /// The condition that people know.
    pub(super) condition: Condition,
}

/// What the daemon listens to.
pub(super) struct Ears {
    pub(super) hangup: Signal,
    pub(super) tell: Signal,
    pub(super) desk: Desk,
    pub(super) touched: mpsc::Receiver<()>,
    pub(super) ticker: Ticker,
}

/// What the daemon hears.
enum Heard {
    Stop,
    Hangup,
    Tell,
    Asked(Asked),
    Touched,
    Tick,
}

impl Ears {
    async fn listen(&mut self, outside: Outside<'_>) -> Heard {
        tokio::select! {
            biased;
            () = outside.stop.cancelled() => Heard::Stop,
            Some(()) = self.hangup.recv() => Heard::Hangup,
            Some(()) = self.tell.recv() => Heard::Tell,
            Some(asked) = self.desk.requests.recv() => Heard::Asked(asked),
            Some(()) = self.touched.recv() => Heard::Touched,
            () = self.ticker.tick() => Heard::Tick,
        }
    }
}

impl Daemon<'_> {
    /// Makes runs until it is told to stop.
    pub(super) async fn serve(mut self) {
        self.once(Vec::new()).await;
        loop {
            match self.ears.listen(self.outside).await {
                Heard::Stop => break,
                Heard::Hangup => self.reload().await,
                Heard::Tell => self.tell(),
                Heard::Asked(asked) => self.asked(asked).await,
                Heard::Touched if self.may_ask() => self.once(Vec::new()).await,
                Heard::Touched => {}
                Heard::Tick => self.tick().await,
            }
        }
        systemd::stopping(GRACE);
        self.hooks.stop().await;
        self.ears.ticker.stop().await;
        tracing::info!("stopped");
    }

    fn now(&self) -> Timestamp {
        (self.outside.clock)()
    }

    /// How it is, in a line.
    pub(super) fn line(&self) -> String {
        self.board.status().line(self.now())
    }

    fn tell(&self) {
        tracing::info!(target: "linqsync::status", "{}", self.line());
        systemd::status(&self.line());
    }

    /// A second has passed.
    async fn tick(&mut self) {
        systemd::alive();
        self.look_at_health();
        let now = self.now();
        let due = self.timetable.is_due(&Local, now);
        let token = &self.engine.config.linq.token;
        let renewed = self.refusal.is_some_and(|refusal| refusal.has_new_token(token));
        if renewed || (due && self.may_ask()) {
            self.once(Vec::new()).await;
        } else {
            self.board.status().next_run = self.timetable.next();
        }
    }

    /// Whether Linq may be asked on our own account.
    fn may_ask(&self) -> bool {
        let token = &self.engine.config.linq.token;
        let may = self.refusal.is_none_or(|refusal| refusal.is_over(token, self.now()));
        if !may {
            tracing::debug!("no run: Linq refused the token a short while ago");
        }
        may
    }

    /// Makes a run for whoever asked for one so far; who asks during a run gets the
    /// next one, since this one may have read both sides already.
    async fn asked(&mut self, first: Asked) {
        let mut asked = vec![first];
        while let Ok(more) = self.ears.desk.requests.try_recv() {
            asked.push(more);
        }
        let pair = self.engine.pair();
        let (ours, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|asked| asked.request.pair == pair);
        let why = format!("the daemon that holds this state keeps {pair} the same");
        answer(others, &refusal(why));
        // Each limit is meant for one run.
        let (limited, plain): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|asked| asked.request.max_deletes.is_some());
        if !plain.is_empty() {
            self.once(plain).await;
        }
        for one in limited {
            self.once(vec![one]).await;
        }
    }

    /// Makes one run, and answers those who asked for it.
    async fn once(&mut self, asked: Vec<Asked>) {
        let limit = asked.first().and_then(|asked| asked.request.max_deletes.as_deref());
        let Ok(max_deletes) = limit.map(str::parse).transpose() else {
            let why = "--max-deletes is neither a number nor a percentage".to_owned();
            return answer(asked, &refusal(why));
        };
        self.board.status().running_since = Some(self.now());
        systemd::status(&self.line());
        self.hooks.begins();
        let token_file = self.engine.token_file();
        let ran = self.make(max_deletes).await;
        self.record(&ran.report, token_file);
        systemd::status(&self.line());
        if !asked.is_empty() {
            answer(asked, &(self.outside.show)(ran, &self.engine.config));
        }
    }

    /// Makes one run, while ticks go on and signals are heard.
    async fn make(&mut self, max_deletes: Option<Limit>) -> Ran {
        let Daemon { outside, engine, ears, board, hooks, condition, .. } = self;
        let Outside { clock, stop, .. } = *outside;
        let started_at = board.status().started_at;
        let mut progress = Progress::of(&engine.pulse, engine.config.linq.settle);
        let order = Order { max_deletes, started_at, clock: &clock, stop };
        let mut run = std::pin::pin!(engine.run(&order));
        let mut out_of_time = std::pin::pin!(out_of_time(stop));
        loop {
            tokio::select! {
                ran = &mut run => return ran,
                // What is in flight stays in the journal, in doubt.
                () = &mut out_of_time => return stopped(clock()),
                Some(()) = ears.tell.recv() => {
                    let line = board.status().line(clock());
                    tracing::info!(target: "linqsync::status", "{line}");
                    systemd::status(&line);
                }
                () = ears.ticker.tick() => {
                    if progress.is_real() {
                        systemd::alive_and_busy();
                    }
                    look_at_health(board, hooks, condition, clock());
                }
            }
        }
    }

    /// Remembers how a run ended, and says so.
    fn record(&mut self, report: &RunReport, token_file: Option<super::token::File>) {
        let now = self.now();
        let refused = report.error.as_ref().is_some_and(|error| error.code == TOKEN_REFUSED);
        self.refusal = refused.then(|| Refusal::new(now, token_file));
        let mut status = self.board.status();
        status.running_since = None;
        status.next_run = self.timetable.next();
        // A run that was stopped says nothing about anybody's health.
        let stopped = self.outside.stop.is_cancelled() && report.error.is_some();
        let news = if stopped { News::Known } else { status.health.after(report, now) };
        let before = status.last_run.replace(report.clone());
        drop(status);
        tell::run(report, before.as_ref(), news);
        if !stopped {
            self.hooks.ended(report);
        }
        self.look_at_health();
        if let Some(path) = &self.engine.config.status.textfile {
            metrics::write(path, &self.engine.metrics.text(&self.board.status(), now));
        }
    }

    fn look_at_health(&mut self) {
        look_at_health(&self.board, &self.hooks, &mut self.condition, (self.outside.clock)());
    }

    /// Reads the configuration again; the one before stays if there is anything wrong
    /// with the new one.
    async fn reload(&mut self) {
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
            match Desk::open(&config.state.dir) {
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

/// Calls the hook if the health is no longer what people know.
fn look_at_health(board: &Board, hooks: &Hooks, known: &mut Condition, now: Timestamp) {
    let status = board.status();
    let condition = status.health.condition(now);
    let before = std::mem::replace(known, condition);
    if before.is_good() == condition.is_good() {
        return;
    }
    let (line, document) = (status.line(now), status.json(now));
    drop(status);
    match condition {
        Condition::Stale { .. } => tracing::error!("unhealthy: {line}"),
        // The run that failed was logged.
        Condition::Failing { .. } | Condition::TokenRefused { .. } => {}
        Condition::Good => tracing::info!("healthy again: {line}"),
    }
    systemd::status(&line);
    hooks.health(&document);
}

/// Answers everybody who asked for the same run.
fn answer(asked: Vec<Asked>, shown: &Answer) {
    for one in asked {
        // Who has gone meanwhile needs no answer.
        let _ = one.answer.send(shown.clone());
    }
}

/// The answer to a request that no run can be made for.
fn refusal(why: String) -> Answer {
    let mut report = RunReport::new(DateTime::UNIX_EPOCH);
    let hint = "use the configuration that the daemon was started with".to_owned();
    report.error = Some(ReportedError { code: 2, message: why.clone(), hint: hint.clone() });
    report.conclude(DateTime::UNIX_EPOCH);
    let document = serde_json::to_string_pretty(&report).unwrap_or_default() + "\n";
    Answer { code: 2, document, text: String::new(), complaint: Some((why, hint)) }
}

async fn out_of_time(stop: &tokio_util::sync::CancellationToken) {
    stop.cancelled().await;
    #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
    tokio::time::sleep(GRACE).await;
}

/// A run that was given up.
pub(crate) fn stopped(now: Timestamp) -> Ran {
    let mut report = RunReport::new(now);
    report.error = Some(RunError::Stopped.reported());
    report.conclude(now);
    Ran { report, notices: Vec::new(), left: None }
}
