//! The loop: waiting for a reason to make a run, and making it.

use chrono::Local;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::announce::{self, look_at_health};
use super::control::{ControlServer, PendingRequest, RunReply};
use super::engine::{Engine, RunTerms};
use super::health::{Condition, News};
use super::hooks::Hooks;
use super::listener::Listener;
use super::outage::{self, OutageProbes};
use super::status::StatusBoard;
use super::timer::Ticker;
use super::token::TokenRefusal;
use super::watch::SourceWatcher;
use super::watchdog::Watchdog;
use super::worker::Made;
use super::{GRACE, Outside, metrics, systemd};
use crate::model::{Limit, Timestamp};
use crate::notification::Notifier;
use crate::report::RunReport;
use crate::run::{RunError, RunResult};
use crate::schedule::Timetable;
use crate::web::{RunWanted, UndoRequest, Web};

/// The exit code of a refused token.
const TOKEN_REFUSED: u8 = 5;

/// A daemon that has started.
pub(super) struct Daemon<'a> {
    pub(super) outside: Outside<'a>,
    pub(super) engine: Engine,
    pub(super) ears: DaemonInputs,
    pub(super) watch: Option<SourceWatcher>,
    pub(super) touch: mpsc::Sender<()>,
    pub(super) timetable: Timetable,
    pub(super) board: StatusBoard,
    pub(super) listener: Option<Listener>,
    pub(super) web: Option<Web>,
    /// Where the inbox asks for runs.
    pub(super) wants: mpsc::Sender<RunWanted>,
    pub(super) hooks: Hooks,
    pub(super) notifier: Notifier,
    pub(super) refusal: Option<TokenRefusal>,
    pub(super) weather: OutageProbes,
    /// The condition that people know.
    pub(super) condition: Condition,
}

/// What the daemon listens to.
pub(super) struct DaemonInputs {
    pub(super) hangup: Signal,
    pub(super) tell: Signal,
    pub(super) desk: ControlServer,
    pub(super) touched: mpsc::Receiver<()>,
    pub(super) wanted: mpsc::Receiver<RunWanted>,
    pub(super) ticker: Ticker,
}

/// What the daemon hears.
enum DaemonEvent {
    Stop,
    Hangup,
    Tell,
    Asked(PendingRequest),
    Touched,
    Wanted(RunWanted),
    Tick,
}

impl DaemonInputs {
    async fn next_event(&mut self, outside: Outside<'_>) -> DaemonEvent {
        tokio::select! {
            biased;
            () = outside.stop.cancelled() => DaemonEvent::Stop,
            Some(()) = self.hangup.recv() => DaemonEvent::Hangup,
            Some(()) = self.tell.recv() => DaemonEvent::Tell,
            Some(asked) = self.desk.requests.recv() => DaemonEvent::Asked(asked),
            Some(()) = self.touched.recv() => DaemonEvent::Touched,
            Some(wanted) = self.wanted.recv() => DaemonEvent::Wanted(wanted),
            () = self.ticker.tick() => DaemonEvent::Tick,
        }
    }
}

impl Daemon<'_> {
    /// Makes runs until it is told to stop.
    pub(super) async fn serve_until_stopped(mut self) {
        self.first_run().await;
        loop {
            match self.ears.next_event(self.outside).await {
                DaemonEvent::Stop => break,
                DaemonEvent::Hangup => self.reload_config().await,
                DaemonEvent::Tell => self.publish_status(),
                DaemonEvent::Asked(asked) => self.on_request(asked).await,
                DaemonEvent::Touched if self.may_ask() && self.has_token().await => {
                    self.run_once(Vec::new()).await;
                }
                DaemonEvent::Touched => {}
                DaemonEvent::Wanted(wanted) => self.wanted(wanted).await,
                DaemonEvent::Tick => self.on_tick().await,
            }
        }
        systemd::notify_stopping(GRACE);
        self.hooks.stop().await;
        self.engine.say_last(self.notifier).await;
        self.ears.desk.close().await;
        self.ears.ticker.stop().await;
        tracing::info!("stopped");
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.outside.clock)()
    }

    /// How it is, in a line.
    pub(super) fn status_line(&self) -> String {
        self.board.lock_status().status_line(self.now())
    }

    fn publish_status(&self) {
        tracing::info!(target: "linqsync::status", "{}", self.status_line());
        systemd::notify_status(&self.status_line());
    }

    /// Makes the first run, unless Linq is still to be left alone.
    async fn first_run(&mut self) {
        self.look_at_linq();
        if self.is_to_be_left_alone() || self.refusal.is_some() {
            tracing::info!("no run yet: {}", self.status_line());
        } else {
            self.run_once(Vec::new()).await;
        }
    }

    /// A second has passed.
    async fn on_tick(&mut self) {
        systemd::notify_watchdog();
        self.board.lock_status().ticked = Instant::now();
        let before = self.condition;
        self.look_at_health();
        if before.is_good() != self.condition.is_good() {
            self.notify().await;
        }
        self.engine.notify(&mut self.notifier).await;
        self.look_at_linq();
        self.restart_watchers().await;
        let now = self.now();
        let due = self.timetable.is_due(&Local, now);
        let token = &self.engine.config.linq.token;
        let down = self.board.lock_status().linq_down;
        let again = self.refusal.is_some_and(|refusal| refusal.is_over(token, down, now));
        let probe = self.weather.is_probe_due(down, now);
        if (again || due || probe) && self.may_ask() && self.has_token().await {
            self.run_once(Vec::new()).await;
        }
    }

    /// Sees what the state remembers of Linq, and tells when it is asked next.
    fn look_at_linq(&mut self) {
        let down = self.engine.linq_down();
        let mut status = self.board.lock_status();
        status.linq_down = down;
        status.next_run = self.weather.next_run(down, self.timetable.next());
    }

    fn is_to_be_left_alone(&self) -> bool {
        outage::is_to_be_left_alone(self.board.lock_status().linq_down, self.now())
    }

    /// Whether Linq may be asked on our own account.
    pub(super) fn may_ask(&self) -> bool {
        let token = &self.engine.config.linq.token;
        let down = self.board.lock_status().linq_down;
        if !self.refusal.is_none_or(|refusal| refusal.is_over(token, down, self.now())) {
            tracing::debug!("no run: there was no token that Linq takes a short while ago");
            return false;
        }
        if self.is_to_be_left_alone() {
            tracing::debug!("no run: Linq is left alone for a while");
            return false;
        }
        true
    }

    /// Makes a run for whoever asked for one so far; who asks during a run gets the
    /// next one, since this one may have read both sides already.
    async fn on_request(&mut self, first: PendingRequest) {
        let mut asked = vec![first];
        while let Ok(more) = self.ears.desk.requests.try_recv() {
            asked.push(more);
        }
        let pair = self.engine.sync_pair();
        let (ours, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|asked| asked.request.pair == pair);
        let why = format!("the daemon that holds this state keeps {pair} the same");
        answer_requests(others, &RunReply::refused_because(why));
        // Each limit is meant for one run.
        let (limited, plain): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|asked| asked.request.max_deletes.is_some());
        if !plain.is_empty() {
            self.run_once(plain).await;
        }
        for one in limited {
            self.run_once(vec![one]).await;
        }
    }

    /// Makes the run that was asked for in the inbox; one run for all who ask for an ordinary
    /// one.
    async fn wanted(&mut self, first: RunWanted) {
        let mut wanted = vec![first];
        while let Ok(more) = self.ears.wanted.try_recv() {
            wanted.push(more);
        }
        let (undos, plain): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|wanted| wanted.undo.is_some());
        for RunWanted { by, undo } in undos {
            self.make_one(None, Some(by), undo).await;
        }
        let mut by: Vec<String> = plain.into_iter().map(|wanted| wanted.by).collect();
        by.sort();
        by.dedup();
        if !by.is_empty() {
            self.make_one(None, Some(by.join(", ")), None).await;
        }
    }

    /// Makes one run, and answers those who asked for it.
    pub(super) async fn run_once(&mut self, asked: Vec<PendingRequest>) {
        let limit = asked.first().and_then(|asked| asked.request.max_deletes.as_deref());
        let Ok(max_deletes) = limit.map(str::parse).transpose() else {
            let why = "--max-deletes is neither a number nor a percentage".to_owned();
            return answer_requests(asked, &RunReply::refused_because(why));
        };
        let shown = self.make_one(max_deletes, requesting_users(&asked), None).await;
        answer_requests(asked, &shown);
    }

    /// Makes one run, and tells everybody how it ended.
    async fn make_one(
        &mut self,
        max_deletes: Option<Limit>,
        by: Option<String>,
        undo: Option<UndoRequest>,
    ) -> RunReply {
        let down = self.board.lock_status().linq_down;
        self.weather.note_run(down);
        self.board.lock_status().running_since = Some(self.now());
        systemd::notify_status(&self.status_line());
        self.hooks.run_begins();
        let token_file = self.engine.token_file();
        let Made { report, answer: shown, no_token, .. } =
            self.make_run(max_deletes, by, undo).await;
        let without_token = no_token.then(|| TokenRefusal::token_missing(self.now(), token_file));
        self.record_run(report, token_file, without_token);
        self.notify().await;
        systemd::notify_status(&self.status_line());
        shown
    }

    /// Makes one run, while ticks go on and signals are heard.
    async fn make_run(
        &mut self,
        max_deletes: Option<Limit>,
        by: Option<String>,
        undo: Option<UndoRequest>,
    ) -> Made {
        let Daemon { outside, engine, ears, board, hooks, condition, .. } = self;
        let Outside { clock, stop, worker, .. } = *outside;
        let mut progress = Watchdog::watch_pulse(&engine.pulse, engine.config.linq.settle);
        let terms = RunTerms { max_deletes, by, undo, clock: &clock, stop, worker: worker() };
        let far = engine.far.clone();
        let mut run = std::pin::pin!(engine.run_once(terms));
        let mut out_of_time = std::pin::pin!(out_of_time(stop));
        let mut stopping = false;
        loop {
            tokio::select! {
                made = &mut run => return made,
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    systemd::notify_stopping(GRACE);
                }
                // What is in flight stays in the journal, in doubt.
                () = &mut out_of_time => return Made::without_a_run(stopped_run(clock()).report),
                Some(()) = ears.tell.recv() => {
                    let line = board.is_as_far_as(far.get_text(), clock());
                    tracing::info!(target: "linqsync::status", "{line}");
                    systemd::notify_status(&line);
                }
                () = ears.ticker.tick() => {
                    if progress.is_real() {
                        board.lock_status().ticked = Instant::now();
                        systemd::alive_and_busy();
                    }
                    if let Some(far) = far.get_text() && !stopping {
                        systemd::notify_status(&board.is_as_far_as(Some(far), clock()));
                    }
                    look_at_health(board, hooks, condition, clock());
                }
            }
        }
    }

    /// Tells the channel what has changed.
    async fn notify(&mut self) {
        if self.outside.stop.is_cancelled() {
            return;
        }
        let now = self.now();
        let health = {
            let status = self.board.lock_status();
            let last = status.last_run.as_ref().map(|run| run.error.is_none());
            if status.health.condition(now).is_good() {
                // A hiccup is neither the end of an outage nor the beginning of one.
                last.filter(|succeeded| *succeeded)
            } else {
                Some(false)
            }
        };
        self.engine.look(&mut self.notifier, health).await;
    }

    /// Remembers how a run ended, and says so.
    fn record_run(
        &mut self,
        mut report: RunReport,
        token_file: Option<super::token::TokenFileStamp>,
        without_token: Option<TokenRefusal>,
    ) {
        // They name people, and are for whoever asked for the run.
        report.notices.clear();
        let report = &report;
        let now = self.now();
        let refused = report.error.as_ref().is_some_and(|error| error.code == TOKEN_REFUSED);
        self.refusal = refused.then(|| TokenRefusal::new(now, token_file)).or(without_token);
        let linq_down = self.engine.linq_down();
        let mut status = self.board.lock_status();
        (status.running_since, status.far) = (None, None);
        status.waiting_for = match &report.error {
            Some(error) if without_token.is_some() => {
                Some(format!("waiting for the token: {}", error.message))
            }
            Some(_) | None => None,
        };
        status.linq_down = linq_down;
        status.next_run = self.weather.next_run(linq_down, self.timetable.next());
        // A run that was stopped says nothing about anybody's health.
        let stopped = self.outside.stop.is_cancelled() && report.error.is_some();
        let news = if stopped { News::Known } else { status.health.after_run(report, now) };
        let before = status.last_run.replace(report.clone());
        drop(status);
        announce::announce_run(report, before.as_ref(), news);
        if !stopped {
            self.hooks.run_ended(report);
        }
        self.look_at_health();
        if let Some(path) = &self.engine.config.status.textfile {
            metrics::write(
                path,
                &self.engine.metrics.text_for_file(&self.board.lock_status(), now),
            );
        }
    }

    fn look_at_health(&mut self) {
        look_at_health(&self.board, &self.hooks, &mut self.condition, (self.outside.clock)());
    }
}

/// Answers everybody who asked for the same run.
/// Who asked, each once.
fn requesting_users(asked: &[PendingRequest]) -> Option<String> {
    let mut by: Vec<&str> = asked.iter().map(|asked| asked.by.as_str()).collect();
    by.sort_unstable();
    by.dedup();
    (!by.is_empty()).then(|| by.join(", "))
}

fn answer_requests(asked: Vec<PendingRequest>, shown: &RunReply) {
    for one in asked {
        // Who has gone meanwhile needs no answer.
        let _ = one.answer.send(shown.clone());
    }
}

async fn out_of_time(stop: &tokio_util::sync::CancellationToken) {
    stop.cancelled().await;
    #[expect(clippy::disallowed_methods, reason = "the time that is left after a signal")]
    tokio::time::sleep(GRACE).await;
}

/// A run that was given up.
pub(crate) fn stopped_run(now: Timestamp) -> RunResult {
    let mut report = RunReport::new(now);
    report.error = Some(RunError::Stopped.to_reported_error());
    report.conclude_outcome(now);
    RunResult { report, notices: Vec::new(), left: None }
}
