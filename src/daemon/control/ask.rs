//! The asking end.

use std::io;
use std::path::Path;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Answer, Call, Request, SCHEMA, SOCKET, SOON, Said, Standing, Word, line};
use crate::platform::socket_address;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody takes requests: who holds the state is no daemon.
    #[error("nobody takes requests")]
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
pub async fn ask(dir: &Path, request: &Request) -> Result<Answer, NoAnswer> {
    let taken = timeout(SOON, taken(dir, request)).await;
    let mut daemon = match taken {
        Ok(Ok(Some(daemon))) => daemon,
        Ok(Ok(None)) => return Err(NoAnswer::OtherVersion),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the daemon cannot be asked");
            return Err(NoAnswer::NobodyThere);
        }
        Err(_) => return Err(NoAnswer::NobodyThere),
    };
    match word(&mut daemon).await {
        Ok(Word::Answer(answer)) => Ok(answer),
        Ok(Word::Taken | Word::Standing(_) | Word::OtherVersion { .. }) | Err(_) => {
            Err(NoAnswer::Ended)
        }
    }
}

/// Asks the daemon that holds the state in `dir` what it is doing; `None` where no daemon
/// says so soon.
pub async fn standing(dir: &Path) -> Option<Standing> {
    let told = async {
        let mut daemon = call(dir, Call::Standing).await?;
        word(&mut daemon).await
    };
    match timeout(SOON, told).await {
        Ok(Ok(Word::Standing(standing))) => Some(standing),
        Ok(Ok(Word::Taken | Word::Answer(_) | Word::OtherVersion { .. }) | Err(_)) | Err(_) => None,
    }
}

/// Calls the daemon, which has not said anything yet.
async fn call(dir: &Path, call: Call) -> io::Result<BufReader<UnixStream>> {
    let (address, _open) = socket_address(dir, SOCKET)?;
    let mut daemon = BufReader::new(UnixStream::connect(address).await?);
    let mut text = serde_json::to_string(&Said { schema: SCHEMA.to_owned(), call })?;
    text.push('\n');
    daemon.write_all(text.as_bytes()).await?;
    Ok(daemon)
}

/// `None` if the daemon speaks another version.
async fn taken(dir: &Path, request: &Request) -> io::Result<Option<BufReader<UnixStream>>> {
    let mut daemon = call(dir, Call::Run(request.clone())).await?;
    match word(&mut daemon).await? {
        Word::Taken => {
            tracing::debug!("the daemon makes the run");
            Ok(Some(daemon))
        }
        Word::OtherVersion { .. } => Ok(None),
        Word::Answer(_) | Word::Standing(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn word(daemon: &mut BufReader<UnixStream>) -> io::Result<Word> {
    let text = line(daemon, u64::MAX).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(&text)?)
}
