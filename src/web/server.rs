//! Connections, and their limits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::caller::Caller;
use super::guarded::{self, BrowserRequest};
use super::{Inbox, InboxOutside, locked};
use crate::config::Config;
use crate::listening;

/// So many may be connected at the same time.
const PLACES: usize = 32;
/// How long the head of a request may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long the form may take.
const FORM_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take until there is an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// The same for the plan of an undo, for which Linq is asked.
const PLAN_PATIENCE: Duration = Duration::from_mins(2);
/// How long all of it may take, with sending the answer.
const PATIENCE: Duration = Duration::from_secs(190);
/// The longest request line and headers.
const LONGEST_HEAD: usize = 16 * 1024;
/// The longest form.
const LONGEST_FORM: usize = 1024 * 1024;

/// Serving, until it is dropped.
pub struct Web {
    inbox: Arc<Inbox>,
    serving: JoinHandle<()>,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Web {
    /// Serves the inbox of `config` at `address` from now on.
    ///
    /// # Errors
    /// When nothing can be served there.
    pub async fn start(
        address: SocketAddr,
        config: &Config,
        outside: InboxOutside,
    ) -> io::Result<Web> {
        let listener = TcpListener::bind(address).await?;
        tracing::info!(address = %listener.local_addr()?, "serving the inbox");
        let inbox = Arc::new(Inbox::new(Arc::new(config.clone()), outside));
        let of_caller = Arc::clone(&inbox);
        let converse = move |stream, peer| converse(stream, peer, Arc::clone(&of_caller));
        Ok(Web { inbox, serving: tokio::spawn(listening::serve(listener, PLACES, converse)) })
    }

    /// Whether it has come to an end by itself: a defect.
    pub fn has_ended(&self) -> bool {
        self.serving.is_finished()
    }

    /// Goes on with another configuration; who is logged in stays so as long as their password
    /// is in the file.
    pub fn reconfigure(&self, config: &Config) {
        *locked(&self.inbox.config) = Arc::new(config.clone());
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, inbox: Arc<Inbox>) {
    let service = service_fn(move |request| answer(request, peer, Arc::clone(&inbox)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(PATIENCE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the inbox ended early"),
        Err(_) => tracing::debug!("a connection to the inbox took too long"),
    }
}

async fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    inbox: Arc<Inbox>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let form = timeout(FORM_PATIENCE, Limited::new(body, LONGEST_FORM).collect()).await;
    let body = match form {
        Ok(Ok(body)) => Some(body.to_bytes()),
        Ok(Err(_)) | Err(_) => None,
    };
    let patience = match head.uri.path() {
        "/undo" | "/undo/plan" => PLAN_PATIENCE,
        _ => ANSWER_PATIENCE,
    };
    // Goes with this future, which ends when the connection does.
    let (caller, _presence) = Caller::new();
    let asked = BrowserRequest { head, body, peer, caller: caller.clone() };
    // The state and passwords are read and looked at, which blocks.
    let mut answer = tokio::task::spawn_blocking(move || guarded::answer(&inbox, asked));
    let answered = match timeout(patience, &mut answer).await {
        Ok(answered) => answered,
        Err(_) if caller.leave() => return Ok(guarded::too_late()),
        // It has begun, so it is told how it went.
        Err(_) => answer.await,
    };
    Ok(answered.unwrap_or_else(|_| guarded::defect()))
}
