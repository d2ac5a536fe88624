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

use super::{Ended, FromWorker, Made, Order, ToWorker};
use crate::config::{Config, Overrides};
use crate::daemon::control::Answer;
use crate::daemon::engine::{metered, span};
use crate::daemon::far::how_far;
use crate::daemon::progress::Beat;
use crate::daemon::watch::Place;
use crate::linq::Client;
use crate::mirror::State;
use crate::model::{
    AsWritten, Fingerprint, Positions, RecordIndex, Resting, SourceAtRest, SourceRecord, Timestamp,
    Who,
};
use crate::open::{self, Linq};
use crate::report::{ReportedError, RunReport};
use crate::run::{Aim, Ran, RunError, Sides, Terms, run_for};
use crate::source::csv::Shape;
use crate::source::{Access, Edit, Leftover, Reading, Source, SourceError, WriteError, Written};
use crate::undo::undoing;
use crate::web::Undo;

/// How often it is told how far a run is.
const FAR: Duration = Duration::from_millis(500);

type Say = UnboundedSender<FromWorker>;

/// Carries out the order that the daemon gives on the socket that is this process's
/// standard output, and shows the run as `show` does.
///
/// # Errors
/// When there is no daemon to hear of it.
pub async fn work(
    overrides: Overrides,
    clock: fn() -> Timestamp,
    show: fn(Ran, &Config) -> Answer,
) -> io::Result<()> {
    let _deaf = deaf()?;
    let socket = Socket::from(io::stdout().as_fd().try_clone_to_owned()?);
    socket.set_nonblocking(true)?;
    let (hears, mut says) = UnixStream::from_std(socket)?.into_split();
    let mut hears = BufReader::new(hears).lines();
    let first = hears.next_line().await?.unwrap_or_default();
    let ToWorker::Order(order) = serde_json::from_str(&first)? else { return Ok(()) };
    let order = *order;
    let (say, mut words) = unbounded_channel();
    let stop = CancellationToken::new();
    tokio::spawn(listen(hears, stop.clone()));
    let working = async {
        let last = match configured(&order, &overrides) {
            Ok(config) => carry_out(order, &config, clock, show, &stop, &say).await,
            Err(error) => FromWorker::Ran(Box::new(failed(error, clock()))),
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
fn deaf() -> io::Result<Vec<Signal>> {
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
async fn listen(mut hears: Lines<BufReader<OwnedReadHalf>>, stop: CancellationToken) {
    while let Ok(Some(line)) = hears.next_line().await {
        if let Ok(ToWorker::Stop) = serde_json::from_str(&line) {
            stop.cancel();
        }
    }
    #[expect(clippy::disallowed_methods, reason = "the daemon is gone, and its lock with it")]
    std::process::exit(1);
}

/// The configuration in force, which was good when the daemon read it.
fn configured(order: &Order, overrides: &Overrides) -> Result<Config, ReportedError> {
    Config::again(&order.file, &order.text, overrides).map(open::located).map_err(|error| {
        ReportedError {
            code: 2,
            message: error.lines().join("; "),
            hint: "run `linqsync check`".to_owned(),
        }
    })
}

async fn carry_out(
    order: Order,
    config: &Config,
    clock: fn() -> Timestamp,
    show: fn(Ran, &Config) -> Answer,
    stop: &CancellationToken,
    say: &Say,
) -> FromWorker {
    let Order { max_deletes, by, undo, recent, file: _, text: _ } = order;
    let limit = max_deletes.and_then(|limit| limit.parse().ok());
    let mut policy = config.policy();
    policy.max_deletes_of_run = limit;
    let terms = Terms {
        policy: &policy,
        settle: config.linq.settle,
        history: config.history(),
        clock: &clock,
        stop,
        by: by.as_deref(),
    };
    let made = make(config, recent, undo, &terms, show, say).await;
    FromWorker::Ran(Box::new(made.unwrap_or_else(|error| failed(error, clock()))))
}

async fn make(
    config: &Config,
    recent: Vec<Duration>,
    undo: Option<Undo>,
    terms: &Terms<'_>,
    show: fn(Ran, &Config) -> Answer,
    say: &Say,
) -> Result<Made, ReportedError> {
    let tell = say.clone();
    let linq = Linq::of(config).map_err(|error| error.reported())?.after(recent);
    let linq = metered(linq, move |beat| {
        let word = match beat {
            Beat::Begins => FromWorker::Begins,
            Beat::Ended { call, status, took } => {
                FromWorker::Ended(Ended { call: call.to_owned(), status, took })
            }
        };
        let _ = tell.send(word);
    });
    let client = linq.client(fastrand::u64(..));
    let state = state(config)?;
    let mut source = Watched {
        source: open::source(config, Access::Exclusive),
        place: Place::of(&config.source),
        say: say.clone(),
    };
    let contact = undo.and_then(|undo| undo.contact).map(|id| id.to_string());
    let whom = contact.as_deref().map(|id| Who::new(id, terms.policy.canon));
    let undoing = undo.map(|undo| undoing(&state, undo.run, false, whom)).transpose();
    let undoing = undoing.map_err(|error| RunError::from(error).reported())?;
    let aim = undoing.as_ref().map_or(Aim::Sync, Aim::Undo);
    let mut sides = Sides { linq: &client, source: &mut source, state: &state };
    let ran = tokio::select! {
        ran = run_for(aim, &mut sides, terms).instrument(span()) => ran,
        never = tell_how_far(&client, say) => match never {},
    };
    let report = ran.report.clone();
    let took = (report.finished_at - report.started_at).to_std().unwrap_or_default();
    let listing_incomplete = report.listing_incomplete;
    let throttled = client.throttled();
    let is_wrong = report.error.as_ref().is_some_and(|error| error.code == 2);
    let no_token = is_wrong && config.linq.token.read().is_err();
    Ok(Made { answer: show(ran, config), report, took, throttled, listing_incomplete, no_token })
}

/// Says how far the run is, whenever that has changed for a while.
async fn tell_how_far(client: &Client, say: &Say) -> Infallible {
    let (mut ticks, mut told) = (interval(FAR), String::new());
    ticks.tick().await;
    loop {
        let now = ticks.tick().await;
        let wait = *client.asked_to_wait().borrow();
        let wait = wait.map(|until| until.saturating_duration_since(now));
        let words = how_far(client.gauge().level(), now, wait);
        if words != told {
            told.clone_from(&words);
            let _ = say.send(FromWorker::Far(words));
        }
    }
}

/// The daemon's state, in which standard input gives this process a part.
fn state(config: &Config) -> Result<State, ReportedError> {
    let lock = io::stdin().as_fd().try_clone_to_owned();
    let lock = File::from(lock.map_err(|error| ReportedError::of(&error, 1, ""))?);
    let state = State::entrusted(&config.state.dir, lock)
        .map_err(|error| RunError::from(error).reported())?;
    open::expect(&state, config).map_err(|error| error.reported())?;
    Ok(state)
}

fn failed(error: ReportedError, now: Timestamp) -> Made {
    let mut report = RunReport::new(now);
    report.error = Some(error);
    report.conclude(now);
    Made::without_a_run(report)
}

/// A source that tells what it looked like when it was last read or left behind, so that
/// our own writing is not taken for somebody else's.
struct Watched {
    source: Box<dyn Source>,
    place: Place,
    say: Say,
}

impl Watched {
    fn tell(&self) {
        let _ = self.say.send(FromWorker::Source(self.place.stamp()));
    }
}

impl Source for Watched {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<Reading, SourceError> {
        // Before reading: what is saved meanwhile differs from it.
        self.tell();
        self.source.read_beside(resting)
    }

    fn to_remember(
        &self,
        reading: &Reading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        self.source.to_remember(reading, is_at_rest)
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.source.at_rest(pairs)
    }

    fn beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        self.source.beside(at)
    }

    fn write(&mut self, edits: &[Edit]) -> Result<Written, WriteError> {
        let written = self.source.write(edits)?;
        if !edits.is_empty() {
            self.tell();
        }
        Ok(written)
    }

    fn shape(&self) -> Option<Shape> {
        self.source.shape()
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.source.as_written(at)
    }

    fn stamp(&self, at: RecordIndex) -> Fingerprint {
        self.source.stamp(at)
    }

    fn lost(&self, was: &AsWritten) -> Vec<String> {
        self.source.lost(was)
    }

    fn forget_late(&mut self) {
        self.source.forget_late();
    }

    fn leftovers(&self) -> Vec<Leftover> {
        self.source.leftovers()
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        self.source.back_up(into)
    }
}
