//! A run in a process of its own: a worker, which the daemon starts for each run.
//!
//! What a run needs, the patterns of phone numbers, TLS, everybody on both sides and a
//! plan, is gone with the worker, so that the daemon stays small however many contacts
//! there are and however long it runs; and a run that comes to a bad end takes nothing
//! else with it.
//!
//! Owns the words between the two, one JSON object on each line of a socket. A worker
//! has a part in the daemon's lock on the state: as long as either of them is there,
//! nobody else works with it. Its standard input is that lock, its standard output the
//! socket, and its standard error the daemon's. `parent` is the daemon's end, `child` the
//! worker's.

mod child;
mod parent;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::control::RunReply;
use super::watch::SourceStamp;
use crate::report::RunReport;
use crate::web::UndoRequest;

pub use child::run_order;
pub(super) use parent::{NoWorker, WorkerRun, run_worker};

/// What the daemon says.
#[derive(Serialize, Deserialize)]
enum ToWorker {
    /// What is to be done; always the first word.
    Order(Box<RunOrder>),
    /// Finish what is in flight, and end.
    Stop,
}

/// The run that a worker is to make.
#[derive(Serialize, Deserialize)]
pub(super) struct RunOrder {
    /// The limit of whoever asked for it, for this run only.
    pub(super) max_deletes: Option<String>,
    /// The users who asked for it.
    pub(super) by: Option<String>,
    /// What it puts back; `None` for an ordinary run.
    pub(super) undo: Option<UndoRequest>,
    /// How long ago the latest requests of earlier runs ended.
    pub(super) recent: Vec<Duration>,
    /// The configuration in force: its file may say something else by now.
    pub(super) file: PathBuf,
    /// What the file said.
    pub(super) text: String,
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
enum FromWorker {
    /// A request begins.
    Begins,
    /// A request has ended.
    Ended(EndedRequest),
    /// The run is as far as this, in words.
    Far(String),
    /// The source was read or written, and looks like this now.
    Source(Option<SourceStamp>),
    /// The run has ended; nothing follows.
    Ran(Box<Made>),
}

/// A request that has ended.
#[derive(Serialize, Deserialize)]
struct EndedRequest {
    call: String,
    status: Option<u16>,
    took: Duration,
}

/// A run that has ended.
#[derive(Serialize, Deserialize)]
pub(super) struct Made {
    /// What it came to.
    pub(super) report: RunReport,
    /// What is shown to whoever asked for it.
    pub(super) answer: RunReply,
    /// How long it took.
    pub(super) took: Duration,
    /// How long Linq asked for a pause.
    pub(super) throttled: Duration,
    /// Whether the listing of Linq did not show all contacts, which the report does not carry.
    pub(super) listing_incomplete: bool,
    /// Whether it failed since there is no token.
    pub(super) no_token: bool,
}

impl Made {
    /// No run was made, or nobody knows what came of it.
    pub(super) fn without_a_run(report: RunReport) -> Made {
        let answer = RunReply::of_a_failure(&report);
        Made {
            report,
            answer,
            took: Duration::ZERO,
            throttled: Duration::ZERO,
            listing_incomplete: false,
            no_token: false,
        }
    }
}
