//! The listener of `status.listen`: `/healthz`, `/readyz`, `/metrics`, `/status.json`.
//!
//! Owns HTTP for whoever watches the daemon: it only tells, and only counts. Leaves
//! what is told to [`Board`] and [`Metrics`].

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
use tokio::task::{JoinHandle, JoinSet};

use super::metrics::Metrics;
use super::status::Board;
use crate::model::Timestamp;

/// So many may ask at the same time.
const PLACES: usize = 32;
/// How long sending a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What there is to tell.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) board: Board,
    pub(super) metrics: Arc<Metrics>,
    /// Tells the time.
    pub(super) now: fn() -> Timestamp,
}

/// Serving, until it is dropped.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Listener {
    /// Serves at `address` from now on.
    pub(super) async fn start(address: SocketAddr, facts: Facts) -> io::Result<Listener> {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "status.listen can be reached from other machines");
        }
        let listener = TcpListener::bind(address).await?;
        // The port may have been left to the system.
        tracing::info!(address = %listener.local_addr()?, "telling the status");
        Ok(Listener { address, serving: tokio::spawn(serve(listener, facts)) })
    }
}

async fn serve(listener: TcpListener, facts: Facts) {
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = callers.join_next() => {}
            accepted = listener.accept(), if callers.len() < PLACES => match accepted {
                Ok((stream, _)) => {
                    callers.spawn(converse(stream, facts.clone()));
                }
                // The caller has gone, or there are no descriptors for a while.
                Err(error) => {
                    tracing::debug!(%error, "nobody was told");
                    tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>())
                        .await
                        .unwrap_or_default();
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
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the status ended early");
    }
}

fn answer(request: &Request<Incoming>, facts: &Facts) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_owned());
    }
    let now = (facts.now)();
    let status = facts.board.status().clone();
    let line = || status.line(now) + "\n";
    let good = |good| if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/healthz" => reply(good(status.health.condition(now).is_good()), TEXT, line()),
        "/readyz" => reply(good(status.is_ready(now)), TEXT, line()),
        "/status.json" => {
            reply(StatusCode::OK, "application/json", format!("{:#}\n", status.json(now)))
        }
        "/metrics" => {
            const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            reply(StatusCode::OK, OPEN_METRICS, facts.metrics.text(&status, now))
        }
        _ => {
            let there = "there are /healthz, /readyz, /metrics and /status.json\n".to_owned();
            reply(StatusCode::NOT_FOUND, TEXT, there)
        }
    }
}

fn reply(status: StatusCode, content: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    answer
}
