//! The worker's end: makes the run that it was started for, and ends.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{EndedRequest, FromWorker, Made, RunOrder, ToWorker};
use crate::config::{Config, Overrides};
use crate::daemon::control::RunReply;
use crate::daemon::engine::{run_span, with_beats};
use crate::daemon::watch::WatchedLocation;
use crate::daemon::watchdog::Beat;
use crate::daemon::worker_progress::how_far;
use crate::linq::Client;
use crate::mirror::State;
use crate::model::{
    AsWritten, Fingerprint, Positions, RecordIndex, Resting, SourceAtRest, SourceRecord, Timestamp,
    Who,
};
use crate::open::{self, Linq};
use crate::report::{ReportedError, RunReport};
use crate::run::{RunError, RunOptions, RunPurpose, RunResult, Sides, run_for};
use crate::source::csv::TableShape;
use crate::source::{
    Leftover, Source, SourceAccess, SourceEdit, SourceError, SourceReading, WriteError,
    WriteReceipt,
};
use crate::undo::load_undoing;
use crate::web::UndoRequest;

/// How often it is told how far a run is.
const FAR: Duration = Duration::from_millis(500);

type WorkerMessages = UnboundedSender<FromWorker>;

/// Carries out the order that the daemon gives on the socket that is this process's
/// standard output, and shows the run as `show` does.
///
/// # Errors
/// When there is no daemon to hear of it.
pub async fn run_order(
    overrides: Overrides,
    clock: fn() -> Timestamp,
    show: fn(RunResult, &Config) -> RunReply,
) -> io::Result<()> {
    let _deaf = ignore_signals()?;
    let socket = Socket::from(io::stdout().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    let (hears, mut says) = UnixStream::from_std(socket)?.into_split();
    let mut hears = BufReader::new(hears).lines();
    let first = hears.next_line().await?.unwrap_or_default();
    let ToWorker::Order(order) = serde_json::from_str(&first)? else { return Ok(()) };
    let order = *order;
    let (say, mut words) = unbounded_channel();
    let stop = CancellationToken::new();
    tokio::spawn(listen_to_daemon(hears, stop.clone()));
    let working = async {
        let last = match worker_config(&order, &overrides) {
            Ok(config) => carry_out(order, &config, clock, show, &stop, &say).await,
            Err(error) => FromWorker::Ran(Box::new(failed_run(error, clock()))),
        };
        // Nobody listening means that the daemon is gone, and so is this process soon.
        let _ = say.send(last);
        drop(say);
    };
    let telling = async {
        while let Some(text) = next(&mut words).await {
            says.write_all(text.as_bytes()).await?;
        }
        says.shutdown().await
    };
    let ((), told) = tokio::join!(working, telling);
    told
}

/// Signals are the daemon's: systemd sends them to all processes of a service.
fn ignore_signals() -> io::Result<Vec<Signal>> {
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::user_defined1(),
    ];
    kinds.into_iter().map(signal).collect()
}

async fn next(words: &mut UnboundedReceiver<FromWorker>) -> Option<String> {
    let word = words.recv().await?;
    // Our own words can be written.
    Some(serde_json::to_string(&word).unwrap_or_default() + "\n")
}

/// Hears the daemon. Without it there is nobody to work for: what is in flight stays in
/// the journal, as if this process had been killed with it.
async fn listen_to_daemon(mut hears: Lines<BufReader<OwnedReadHalf>>, stop: CancellationToken) {
    while let Ok(Some(line)) = hears.next_line().await {
        if let Ok(ToWorker::Stop) = serde_json::from_str(&line) {
            stop.cancel();
        }
    }
    #[expect(clippy::disallowed_methods, reason = "the daemon is gone, and its lock with it")]
    std::process::exit(1);
}

/// The configuration in force, which was good when the daemon read it.
fn worker_config(order: &RunOrder, overrides: &Overrides) -> Result<Config, ReportedError> {
    Config::read_again(&order.file, &order.text, overrides).map(open::locate_state).map_err(
        |error| ReportedError {
            code: 2,
            message: error.lines().join("; "),
            hint: "run `linqsync check`".to_owned(),
        },
    )
}

async fn carry_out(
    order: RunOrder,
    config: &Config,
    clock: fn() -> Timestamp,
    show: fn(RunResult, &Config) -> RunReply,
    stop: &CancellationToken,
    say: &WorkerMessages,
) -> FromWorker {
    let RunOrder { max_deletes, by, undo, recent, file: _, text: _ } = order;
    let limit = max_deletes.and_then(|limit| limit.parse().ok());
    let mut policy = config.policy();
    policy.max_deletes_of_run = limit;
    let terms = RunOptions {
        policy: &policy,
        settle: config.linq.settle,
        history: config.history_kept(),
        clock: &clock,
        stop,
        by: by.as_deref(),
    };
    let made = make_run(config, recent, undo, &terms, show, say).await;
    FromWorker::Ran(Box::new(made.unwrap_or_else(|error| failed_run(error, clock()))))
}

async fn make_run(
    config: &Config,
    recent: Vec<Duration>,
    undo: Option<UndoRequest>,
    terms: &RunOptions<'_>,
    show: fn(RunResult, &Config) -> RunReply,
    say: &WorkerMessages,
) -> Result<Made, ReportedError> {
    let tell = say.clone();
    let linq = Linq::configured_linq(config)
        .map_err(|error| error.to_reported_error())?
        .after_requests(recent);
    let linq = with_beats(linq, move |beat| {
        let word = match beat {
            Beat::Begins => FromWorker::Begins,
            Beat::Ended { call, status, took } => {
                FromWorker::Ended(EndedRequest { call: call.to_owned(), status, took })
            }
        };
        let _ = tell.send(word);
    });
    let client = linq.new_client(fastrand::u64(..));
    let state = entrusted_state(config)?;
    let mut source = ReportingSource {
        source: open::open_source(config, SourceAccess::Exclusive),
        place: WatchedLocation::for_source(&config.source),
        say: say.clone(),
    };
    let contact = undo.and_then(|undo| undo.contact).map(|id| id.to_string());
    let whom = contact.as_deref().map(|id| Who::new(id, terms.policy.canon));
    let undoing = undo.map(|undo| load_undoing(&state, undo.run, false, whom)).transpose();
    let undoing = undoing.map_err(|error| RunError::from(error).to_reported_error())?;
    let aim = undoing.as_ref().map_or(RunPurpose::Sync, RunPurpose::Undo);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let ran = tokio::select! {
        ran = run_for(aim, &mut sides, terms).instrument(run_span()) => ran,
        never = tell_how_far(&client, say) => match never {},
    };
    let report = ran.report.clone();
    let took = (report.finished_at - report.started_at).to_std().unwrap_or_default();
    let listing_incomplete = report.listing_incomplete;
    let throttled = client.throttled_time();
    let is_wrong = report.error.as_ref().is_some_and(|error| error.code == 2);
    let no_token = is_wrong && config.linq.token.read().is_err();
    Ok(Made { answer: show(ran, config), report, took, throttled, listing_incomplete, no_token })
}

/// Says how far the run is, whenever that has changed for a while.
async fn tell_how_far(client: &Client, say: &WorkerMessages) -> Infallible {
    let (mut ticks, mut told) = (interval(FAR), String::new());
    ticks.tick().await;
    loop {
        let now = ticks.tick().await;
        let wait = *client.asked_to_wait().borrow();
        let wait = wait.map(|until| until.saturating_duration_since(now));
        let words = how_far(client.progress().current_reading(), now, wait);
        if words != told {
            told.clone_from(&words);
            let _ = say.send(FromWorker::Far(words));
        }
    }
}

/// The daemon's state, in which standard input gives this process a part.
fn entrusted_state(config: &Config) -> Result<State, ReportedError> {
    let lock = io::stdin().as_fd().try_clone_to_owned();
    let lock = File::from(lock.map_err(|error| ReportedError::from_error(&error, 1, ""))?);
    let state = State::open_entrusted(&config.state.dir, lock)
        .map_err(|error| RunError::from(error).to_reported_error())?;
    open::expect_pair(&state, config).map_err(|error| error.to_reported_error())?;
    Ok(state)
}

fn failed_run(error: ReportedError, now: Timestamp) -> Made {
    let mut report = RunReport::new(now);
    report.error = Some(error);
    report.conclude_outcome(now);
    Made::without_a_run(report)
}

/// A source that tells what it looked like when it was last read or left behind, so that
/// our own writing is not taken for somebody else's.
struct ReportingSource {
    source: Box<dyn Source>,
    place: WatchedLocation,
    say: WorkerMessages,
}

impl ReportingSource {
    fn report_stamp(&self) {
        let _ = self.say.send(FromWorker::Source(self.place.current_stamp()));
    }
}

impl Source for ReportingSource {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError> {
        // Before reading: what is saved meanwhile differs from it.
        self.report_stamp();
        self.source.read_beside(resting)
    }

    fn to_remember(
        &self,
        reading: &SourceReading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        self.source.to_remember(reading, is_at_rest)
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.source.at_rest(pairs)
    }

    fn records_beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        self.source.records_beside(at)
    }

    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError> {
        let written = self.source.write_edits(edits)?;
        if !edits.is_empty() {
            self.report_stamp();
        }
        Ok(written)
    }

    fn table_shape(&self) -> Option<TableShape> {
        self.source.table_shape()
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.source.as_written(at)
    }

    fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        self.source.record_stamp(at)
    }

    fn lost_parts(&self, was: &AsWritten) -> Vec<String> {
        self.source.lost_parts(was)
    }

    fn forget_late(&mut self) {
        self.source.forget_late();
    }

    fn find_leftovers(&self) -> Vec<Leftover> {
        self.source.find_leftovers()
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        self.source.back_up(into)
    }
}
