//! The daemon's end: starts a worker, and hears what comes of it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::{FromWorker, Made, RunOrder, ToWorker};
use crate::daemon::metrics::Metrics;
use crate::daemon::recent::Recent;
use crate::daemon::watch::LastSource;
use crate::daemon::watchdog::Pulse;
use crate::daemon::worker_progress::WorkerProgress;
use crate::mirror::State;

/// Why nothing came of an order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWorker {
    /// It could not be started.
    #[error("cannot start a process for the run")]
    Start(#[from] io::Error),
    /// It ended before its work did. The journal makes that safe.
    #[error("the process of the run ended early ({0}); the next run goes on from there")]
    Early(ExitStatus),
}

/// Who is to know what a worker does.
pub(crate) struct WorkerRun<'a> {
    /// Beats with each request.
    pub(crate) pulse: &'a Pulse,
    /// Count each request.
    pub(crate) metrics: &'a Metrics,
    /// Remembers when requests ended.
    pub(crate) recent: &'a Recent,
    /// Remembers how far the run is.
    pub(crate) far: &'a WorkerProgress,
    /// Remembers what the source looked like.
    pub(crate) known: &'a LastSource,
    /// Asks the worker to stop.
    pub(crate) stop: &'a CancellationToken,
}

/// Has `command`, which is this program as a worker, carry out `order` on the state that
/// this process holds. The worker is killed when this is given up.
pub(crate) async fn run_worker(
    command: Command,
    order: RunOrder,
    state: &State,
    hired: WorkerRun<'_>,
) -> Result<Made, NoWorker> {
    let mut worker = Worker::start(command, state)?;
    let done = worker.carry_out(order, &hired).await;
    let status = worker.child.wait().await?;
    done.ok().flatten().ok_or(NoWorker::Early(status))
}

struct Worker {
    child: Child,
    says: Lines<BufReader<OwnedReadHalf>>,
    hears: OwnedWriteHalf,
}

impl Worker {
    fn start(mut command: Command, state: &State) -> io::Result<Worker> {
        let (ours, theirs) = Socket::pair()?;
        ours.set_nonblocking(true)?;
        let lock = state.share_lock()?.map_or_else(Stdio::null, Stdio::from);
        // A group of its own: what the terminal tells the daemon is not told twice.
        command.stdin(lock).stdout(OwnedFd::from(theirs)).process_group(0);
        // The daemon alone speaks with systemd.
        command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let (says, hears) = UnixStream::from_std(ours)?.into_split();
        Ok(Worker { child, says: BufReader::new(says).lines(), hears })
    }

    /// `None` if it hangs up before it is done.
    async fn carry_out(
        &mut self,
        order: RunOrder,
        hired: &WorkerRun<'_>,
    ) -> io::Result<Option<Made>> {
        self.send_message(&ToWorker::Order(Box::new(order))).await?;
        let mut stopping = false;
        loop {
            let line = tokio::select! {
                line = self.says.next_line() => line?,
                () = hired.stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.send_message(&ToWorker::Stop).await?;
                    continue;
                }
            };
            let Some(line) = line else { return Ok(None) };
            match serde_json::from_str(&line)? {
                FromWorker::Begins => hired.pulse.beat(),
                FromWorker::Ended(ended) => {
                    hired.pulse.beat();
                    hired.recent.note_request();
                    hired.metrics.count_request(&ended.call, ended.status, ended.took);
                }
                FromWorker::Far(words) => hired.far.set_text(Some(words)),
                FromWorker::Source(stamp) => hired.known.set_stamp(stamp),
                FromWorker::Ran(mut made) => {
                    made.report.listing_incomplete = made.listing_incomplete;
                    return Ok(Some(*made));
                }
            }
        }
    }

    async fn send_message(&mut self, word: &ToWorker) -> io::Result<()> {
        let mut text = serde_json::to_string(word)?;
        text.push('\n');
        self.hears.write_all(text.as_bytes()).await
    }
}
