//! The daemon's end: takes requests and hands out answers.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::platform::{AddressGuard, socket_address};
use crate::users;

use super::{
    ControlCall, ControlMessage, DaemonActivity, DaemonMessage, LONGEST_REQUEST, RunReply,
    RunRequest, SCHEMA, SOCKET, SOON, Spoken, read_line,
};

/// So many can wait for a run at the same time.
const PLACES: usize = 64;
/// How long nobody is taken after a failure, such as no descriptors being left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long reading an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long reading the last answers may take.
const LAST: Duration = Duration::from_millis(500);

/// A request that waits for a run.
#[derive(Debug)]
pub(crate) struct PendingRequest {
    pub(crate) request: RunRequest,
    /// The user who asks.
    pub(crate) by: String,
    pub(crate) answer: oneshot::Sender<RunReply>,
}

/// Says what the daemon is doing.
pub(crate) type Tells = Arc<dyn Fn() -> DaemonActivity + Send + Sync>;

/// Takes requests until it is dropped.
pub(crate) struct ControlServer {
    pub(crate) requests: mpsc::Receiver<PendingRequest>,
    socket: PathBuf,
    _open: Option<AddressGuard>,
    closing: CancellationToken,
    serving: JoinHandle<()>,
}

impl ControlServer {
    /// Opens the desk in the state directory `dir`, which this process holds.
    pub(crate) fn open(dir: &Path, tells: Tells) -> io::Result<ControlServer> {
        let (socket, open) = socket_address(dir, SOCKET)?;
        remove_socket(&socket)?;
        // The directory is private, so nobody can call before the mode is set.
        let listener = UnixListener::bind(&socket)?;
        std::fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        let (say, requests) = mpsc::channel(PLACES);
        let closing = CancellationToken::new();
        let serving = tokio::spawn(serve_callers(listener, say, tells, closing.clone()));
        Ok(ControlServer { requests, socket, _open: open, closing, serving })
    }

    /// Whether it has come to an end by itself: a defect.
    pub(crate) fn has_ended(&self) -> bool {
        self.serving.is_finished()
    }

    /// Closes, once those who were answered have read their answer.
    pub(crate) async fn close(mut self) {
        self.requests.close();
        while let Ok(asked) = self.requests.try_recv() {
            drop(asked);
        }
        self.closing.cancel();
        let _ = timeout(LAST, &mut self.serving).await;
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.closing.cancel();
        if let Err(error) = remove_socket(&self.socket) {
            tracing::debug!(%error, "the control socket stays behind");
        }
    }
}

/// Removes the socket, if there is one.
fn remove_socket(socket: &Path) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "we made it, or a daemon that was killed did")]
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn serve_callers(
    listener: UnixListener,
    say: mpsc::Sender<PendingRequest>,
    tells: Tells,
    closing: CancellationToken,
) {
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            () = closing.cancelled() => break,
            Some(_) = callers.join_next() => {}
            accepted = listener.accept(), if callers.len() < PLACES => match accepted {
                Ok((caller, _)) => {
                    callers.spawn(listen_to(caller, say.clone(), Arc::clone(&tells)));
                }
                // The caller has gone, or there are no descriptors for a while.
                Err(error) => {
                    tracing::debug!(%error, "a request for a run was not taken");
                    let _ = timeout(PAUSE, closing.cancelled()).await;
                }
            },
        }
    }
    while callers.join_next().await.is_some() {}
}

async fn listen_to(caller: UnixStream, say: mpsc::Sender<PendingRequest>, tells: Tells) {
    if let Err(error) = serve_caller(caller, say, tells).await {
        tracing::debug!(%error, "a request for a run came to nothing");
    }
}

async fn serve_caller(
    caller: UnixStream,
    say: mpsc::Sender<PendingRequest>,
    tells: Tells,
) -> io::Result<()> {
    let peer = caller.peer_cred()?.uid();
    if peer != 0 && peer != rustix::process::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut caller = BufReader::new(caller);
    let text = timeout(SOON, read_line(&mut caller, LONGEST_REQUEST)).await??;
    let text = text.unwrap_or_default();
    let Spoken { schema } = serde_json::from_str(&text)?;
    if schema != SCHEMA {
        return write(&mut caller, &DaemonMessage::OtherVersion { ours: SCHEMA.to_owned() }).await;
    }
    let ControlMessage { call, .. } = serde_json::from_str(&text)?;
    let request = match call {
        ControlCall::Run(request) => request,
        ControlCall::Standing => {
            return write(&mut caller, &DaemonMessage::Standing(tells())).await;
        }
    };
    let (answer, answered) = oneshot::channel();
    let by = users::user_text(peer, request.sudo_user.as_deref());
    let asked = PendingRequest { request, by, answer };
    say.try_send(asked).map_err(|_| io::Error::from(io::ErrorKind::ResourceBusy))?;
    write(&mut caller, &DaemonMessage::Taken).await?;
    let answer = answered.await.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
    write(&mut caller, &DaemonMessage::Answer(answer)).await
}

async fn write(caller: &mut BufReader<UnixStream>, word: &DaemonMessage) -> io::Result<()> {
    let mut text = serde_json::to_string(word)?;
    text.push('\n');
    // One that asks and does not read has its place for a while, and not for good.
    let telling = async {
        caller.write_all(text.as_bytes()).await?;
        caller.flush().await
    };
    timeout(PATIENCE, telling).await?
}

#[cfg(test)]
mod tests {
    use super::super::{NoAnswer, ask_activity, request_run};
    use super::*;
    use crate::mirror::SyncPair;

    fn request() -> RunRequest {
        let pair = SyncPair { base_url: "https://linq.example/".into(), source: "/a.csv".into() };
        RunRequest::new(pair, Some("5%".to_owned()), None)
    }

    fn idle() -> Tells {
        Arc::new(DaemonActivity::default)
    }

    #[tokio::test]
    async fn whoever_asks_what_it_is_doing_is_told_also_while_a_run_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let next_run = chrono::DateTime::from_timestamp(1_800_000_000, 0);
        let told = DaemonActivity { running_since: None, next_run, healthy: true };
        assert_eq!(ask_activity(dir.path()).await, None, "no daemon is there");
        let mut desk = ControlServer::open(dir.path(), Arc::new(move || told)).unwrap();
        let place = dir.path().to_owned();
        let asking = tokio::spawn(async move { request_run(&place, &request()).await });
        let asked = desk.requests.recv().await.unwrap();
        assert_eq!(ask_activity(dir.path()).await, Some(told));
        asked.answer.send(answer()).unwrap();
        assert_eq!(asking.await.unwrap().unwrap(), answer());
    }

    fn answer() -> RunReply {
        let complaint = Some(("no".to_owned(), "do".to_owned()));
        RunReply { code: 4, document: "{\n}".into(), text: "held\n".into(), complaint }
    }

    #[tokio::test]
    async fn a_request_is_taken_and_answered_whole_also_in_a_directory_with_a_long_name() {
        let dir = tempfile::tempdir().unwrap();
        for dir in [dir.path().to_owned(), dir.path().join("d".repeat(120))] {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("control"), "left behind").unwrap();
            let mut desk = ControlServer::open(&dir, idle()).unwrap();
            let mode = std::fs::metadata(dir.join("control")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let place = dir.clone();
            let asking = tokio::spawn(async move { request_run(&place, &request()).await });
            let asked = desk.requests.recv().await.unwrap();
            assert_eq!(asked.request, request());
            asked.answer.send(answer()).unwrap();
            assert_eq!(asking.await.unwrap().unwrap(), answer());
            drop(desk);
            assert!(!dir.join("control").exists());
            assert!(matches!(request_run(&dir, &request()).await, Err(NoAnswer::NobodyThere)));
        }
    }

    #[tokio::test]
    async fn a_daemon_that_ends_before_the_run_leaves_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = ControlServer::open(dir.path(), idle()).unwrap();
        let place = dir.path().to_owned();
        let asking = tokio::spawn(async move { request_run(&place, &request()).await });
        drop(desk.requests.recv().await.unwrap());
        assert!(matches!(asking.await.unwrap(), Err(NoAnswer::Ended)));
    }

    #[tokio::test]
    async fn a_caller_of_another_version_is_told_which_one_is_spoken() {
        use tokio::io::AsyncReadExt;
        let dir = tempfile::tempdir().unwrap();
        let _desk = ControlServer::open(dir.path(), idle()).unwrap();
        let mut caller = UnixStream::connect(dir.path().join("control")).await.unwrap();
        caller.write_all(b"{\"schema\":\"linqsync.control/9\",\"bid\":{}}\n").await.unwrap();
        let mut said = String::new();
        caller.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, format!("{{\"other_version\":{{\"ours\":\"{SCHEMA}\"}}}}\n"));
    }

    #[tokio::test]
    async fn what_is_no_request_is_not_taken() {
        use tokio::io::AsyncReadExt;
        let dir = tempfile::tempdir().unwrap();
        let _desk = ControlServer::open(dir.path(), idle()).unwrap();
        for words in ["\n".to_owned(), "{}\n".to_owned(), "x".repeat(70_000)] {
            let mut caller = UnixStream::connect(dir.path().join("control")).await.unwrap();
            // The desk may have hung up before it read everything.
            let _ = caller.write_all(words.as_bytes()).await;
            let mut said = Vec::new();
            let _ = caller.read_to_end(&mut said).await;
            assert_eq!(said, b"");
        }
    }
}
