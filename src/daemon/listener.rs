//! The listener of `status.listen`: `/livez`, `/readyz`, `/healthz`, `/metrics`,
//! `/status.json`.
//!
//! Owns HTTP for whoever watches the daemon: it only tells, and only counts. A caller has a
//! few seconds for all of it, and the one that has been there longest goes when there are
//! too many, so that no caller keeps others out. A name in `Host` that is none of this
//! machine is refused where only this machine is served: a page in a browser here could
//! ask in the name of a host of its own (DNS rebinding). Leaves what is told to [`Board`]
//! and [`Metrics`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;

use super::metrics::{Form, Metrics};
use super::status::Board;
use crate::model::Timestamp;

/// So many may ask at the same time.
const PLACES: usize = 32;
/// How long asking and being told may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request line and headers.
const LONGEST_HEAD: usize = 16 * 1024;

/// What there is to tell.
#[derive(Clone)]
pub(super) struct Facts {
    /// Where it is served.
    pub(super) address: SocketAddr,
    pub(super) board: Board,
    pub(super) metrics: Arc<Metrics>,
    /// Tells the time.
    pub(super) now: fn() -> Timestamp,
}

/// Serving, until it is dropped.
pub(super) struct Listener {
    serving: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Listener {
    /// Whether it has come to an end by itself: a defect.
    pub(super) fn has_ended(&self) -> bool {
        self.serving.is_finished()
    }

    /// Serves at `address` from now on.
    pub(super) async fn start(address: SocketAddr, facts: Facts) -> io::Result<Listener> {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "status.listen can be reached from other machines");
        }
        let listener = TcpListener::bind(address).await?;
        // The port may have been left to the system.
        tracing::info!(address = %listener.local_addr()?, "telling the status");
        Ok(Listener { serving: tokio::spawn(serve(listener, facts)) })
    }
}

async fn serve(listener: TcpListener, facts: Facts) {
    let mut callers = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            Some(_) = callers.join_next() => oldest_first.retain(|caller| !caller.is_finished()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if oldest_first.len() >= PLACES
                        && let Some(oldest) = oldest_first.pop_front()
                    {
                        oldest.abort();
                    }
                    oldest_first.push_back(callers.spawn(converse(stream, facts.clone())));
                }
                // The caller has gone, or there are no descriptors for a while.
                Err(error) => {
                    tracing::debug!(%error, "nobody was told");
                    let pause = Duration::from_millis(100);
                    timeout(pause, std::future::pending::<()>()).await.unwrap_or_default();
                }
            },
        }
    }
}

async fn converse(stream: TcpStream, facts: Facts) {
    let service = service_fn(|request| {
        let answer = answer(&request, &facts);
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(PATIENCE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the status ended early"),
        Err(_) => tracing::debug!("a connection to the status took too long"),
    }
}

fn answer(request: &Request<Incoming>, facts: &Facts) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
    }
    if facts.address.ip().is_loopback() && !is_this_machine(request) {
        let refused = "this address answers to localhost and IP addresses only\n".to_owned();
        return reply(StatusCode::MISDIRECTED_REQUEST, TEXT, refused);
    }
    let now = (facts.now)();
    let status = facts.board.status().clone();
    let line = || status.line(now) + "\n";
    let good = |good| if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/livez" => {
            let said = if status.is_alive() { "alive\n" } else { "stuck\n" };
            reply(good(status.is_alive()), TEXT, said.to_owned())
        }
        "/healthz" => reply(good(status.health.condition(now).is_good()), TEXT, line()),
        "/readyz" => reply(good(status.is_ready(now)), TEXT, line()),
        "/status.json" => {
            reply(StatusCode::OK, "application/json", format!("{:#}\n", status.json(now)))
        }
        "/metrics" => {
            let form = Form::wanted(request.headers().get_all(header::ACCEPT));
            reply(StatusCode::OK, form.content_type(), facts.metrics.text(form, &status, now))
        }
        _ => {
            let there =
                "there are /livez, /readyz, /healthz, /metrics and /status.json\n".to_owned();
            reply(StatusCode::NOT_FOUND, TEXT, there)
        }
    }
}

/// Whether the request is for an address, for `localhost` or for no name at all.
fn is_this_machine(request: &Request<Incoming>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter();
    let mut named = hosts.map(|host| host.to_str().unwrap_or("?"));
    let in_target = request.uri().host().into_iter();
    in_target.chain(&mut named).all(|host| {
        let Ok(authority) = host.parse::<http::uri::Authority>() else { return false };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        name.parse::<std::net::IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
    })
}

fn reply(status: StatusCode, content: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    answer
}
