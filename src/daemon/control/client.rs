//! The asking end.

use std::io;
use std::path::Path;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{
    ControlCall, ControlMessage, DaemonActivity, DaemonMessage, RunReply, RunRequest, SCHEMA,
    SOCKET, SOON, read_line,
};
use crate::platform::socket_address;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody takes requests: who holds the state is no daemon.
    #[error("no daemon takes requests")]
    NobodyThere,
    /// The daemon is of another version, which speaks otherwise.
    #[error("the daemon is of another version and does not understand the request")]
    OtherVersion,
    /// The daemon took the request and ended before the run did.
    #[error("the daemon ended before the run that it was asked for")]
    Ended,
}

/// Asks the daemon that holds the state in `dir` for a run, and waits for its end.
///
/// # Errors
/// [`NoAnswer`]; with [`NoAnswer::Ended`] a run may have begun.
pub async fn request_run(dir: &Path, request: &RunRequest) -> Result<RunReply, NoAnswer> {
    let taken = timeout(SOON, send_request(dir, request)).await;
    let mut daemon = match taken {
        Ok(Ok(Some(daemon))) => daemon,
        Ok(Ok(None)) => return Err(NoAnswer::OtherVersion),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the daemon cannot be asked");
            return Err(NoAnswer::NobodyThere);
        }
        Err(_) => return Err(NoAnswer::NobodyThere),
    };
    match read_message(&mut daemon).await {
        Ok(DaemonMessage::Answer(answer)) => Ok(answer),
        Ok(
            DaemonMessage::Taken | DaemonMessage::Standing(_) | DaemonMessage::OtherVersion { .. },
        )
        | Err(_) => Err(NoAnswer::Ended),
    }
}

/// Asks the daemon that holds the state in `dir` what it is doing; `None` where no daemon
/// says so soon.
pub async fn ask_activity(dir: &Path) -> Option<DaemonActivity> {
    let told = async {
        let mut daemon = call_daemon(dir, ControlCall::Standing).await?;
        read_message(&mut daemon).await
    };
    match timeout(SOON, told).await {
        Ok(Ok(DaemonMessage::Standing(standing))) => Some(standing),
        Ok(
            Ok(
                DaemonMessage::Taken
                | DaemonMessage::Answer(_)
                | DaemonMessage::OtherVersion { .. },
            )
            | Err(_),
        )
        | Err(_) => None,
    }
}

/// Calls the daemon, which has not said anything yet.
async fn call_daemon(dir: &Path, call: ControlCall) -> io::Result<BufReader<UnixStream>> {
    let (address, _open) = socket_address(dir, SOCKET)?;
    let mut daemon = BufReader::new(UnixStream::connect(address).await?);
    let mut text = serde_json::to_string(&ControlMessage { schema: SCHEMA.to_owned(), call })?;
    text.push('\n');
    daemon.write_all(text.as_bytes()).await?;
    Ok(daemon)
}

/// `None` if the daemon speaks another version.
async fn send_request(
    dir: &Path,
    request: &RunRequest,
) -> io::Result<Option<BufReader<UnixStream>>> {
    let mut daemon = call_daemon(dir, ControlCall::Run(request.clone())).await?;
    match read_message(&mut daemon).await? {
        DaemonMessage::Taken => {
            tracing::debug!("the daemon makes the run");
            Ok(Some(daemon))
        }
        DaemonMessage::OtherVersion { .. } => Ok(None),
        DaemonMessage::Answer(_) | DaemonMessage::Standing(_) => {
            Err(io::ErrorKind::InvalidData.into())
        }
    }
}

async fn read_message(daemon: &mut BufReader<UnixStream>) -> io::Result<DaemonMessage> {
    let text = read_line(daemon, u64::MAX).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(&text)?)
}
