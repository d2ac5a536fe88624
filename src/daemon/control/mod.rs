//! How a `--once` beside the daemon asks it to run now, and `status` what it is doing: a
//! socket in the state directory.
//!
//! Owns the socket's place and the words that are exchanged: one JSON object on a line
//! asks, a second line says that it is taken, and after the run a third carries what
//! the asking process prints; what it is doing is told by the second line. Only the same user and root are listened to. `server` is
//! the daemon's end, [`request_run()`] and [`ask_activity()`] are the other.

mod client;
mod server;

use std::io;
use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

pub use client::{NoAnswer, ask_activity, request_run};
pub(super) use server::{ControlServer, PendingRequest};

use crate::mirror::SyncPair;
use crate::model::Timestamp;
use crate::report::{ReportedError, RunReport, json_text};

const SOCKET: &str = "control";
/// More than any request; answers have no limit, since they come from the daemon.
const LONGEST_REQUEST: u64 = 64 * 1024;
/// How long taking a request may take.
const SOON: Duration = Duration::from_secs(3);

/// Names the words that are exchanged. A daemon of another version says so instead of
/// guessing what is meant.
const SCHEMA: &str = "linqsync.control/2";

/// Asks for a run now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The pair that the asking process is configured for.
    pub pair: SyncPair,
    /// `--max-deletes`, for this run only.
    pub max_deletes: Option<String>,
    /// Who asks, as root says that they were before `sudo`.
    #[serde(default)]
    pub sudo_user: Option<String>,
}

impl RunRequest {
    /// The request for a run of this pair.
    pub fn new(
        pair: SyncPair,
        max_deletes: Option<String>,
        sudo_user: Option<String>,
    ) -> RunRequest {
        RunRequest { pair, max_deletes, sudo_user }
    }
}

/// The version of the words that a caller speaks: all that is read of another one.
#[derive(Debug, Deserialize)]
struct Spoken {
    schema: String,
}

/// A call as it travels.
#[derive(Debug, Serialize, Deserialize)]
struct ControlMessage {
    schema: String,
    call: ControlCall,
}

/// What the daemon is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ControlCall {
    /// A run now.
    Run(RunRequest),
    /// What it is doing.
    Standing,
}

/// What the daemon is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonActivity {
    /// When the run began that is being made.
    pub running_since: Option<Timestamp>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// Whether runs do what they should.
    pub healthy: bool,
}

/// What came of a run that was asked for, as the asking process prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReply {
    /// The exit code.
    pub code: u8,
    /// The document for `--json`.
    pub document: String,
    /// The text for people.
    pub text: String,
    /// What went wrong and what to do about it.
    pub complaint: Option<(String, String)>,
}

impl RunReply {
    /// A run that failed before there was anything to tell of it.
    pub(super) fn of_a_failure(report: &RunReport) -> RunReply {
        let document = json_text(report);
        let complaint = report.error.as_ref().map(|e| (e.message.clone(), e.hint.clone()));
        RunReply { code: report.exit_code(), document, text: String::new(), complaint }
    }

    /// No run can be made for who asked.
    pub(super) fn refused_because(why: String) -> RunReply {
        let hint = "use the configuration that the daemon was started with".to_owned();
        let mut report = RunReport::new(DateTime::UNIX_EPOCH);
        report.error = Some(ReportedError { code: 2, message: why, hint });
        report.conclude_outcome(DateTime::UNIX_EPOCH);
        RunReply::of_a_failure(&report)
    }
}

/// The daemon's words.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DaemonMessage {
    /// A run will be made.
    Taken,
    /// It has been made, or will not be.
    Answer(RunReply),
    /// This is what it is doing.
    Standing(DaemonActivity),
    /// It does not speak the version of the caller, but this one.
    OtherVersion {
        /// The version that it speaks.
        ours: String,
    },
}

/// Reads one line; `None` at the end.
async fn read_line(
    from: &mut (impl AsyncBufRead + Unpin),
    most: u64,
) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = from.take(most).read_line(&mut text).await?;
    Ok((read > 0).then_some(text))
}
