//! The listener of `status.listen`: `/livez`, `/readyz`, `/healthz`, `/metrics`,
//! `/status.json`.
//!
//! Owns HTTP for whoever watches the daemon: it only tells, and only counts. A caller has a
//! few seconds for all of it, and the one that has been there longest goes when there are
//! too many, so that no caller keeps others out. A name in `Host` that is none of this
//! machine is refused where only this machine is served: a page in a browser here could
//! ask in the name of a host of its own (DNS rebinding). Leaves what is told to [`StatusBoard`]
//! and [`Metrics`].

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
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::metrics::{Form, Metrics};
use super::status::StatusBoard;
use crate::listening::{self, is_this_machine};
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
    pub(super) board: StatusBoard,
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
        let converse = move |stream, _| serve_connection(stream, facts.clone());
        Ok(Listener { serving: tokio::spawn(listening::serve(listener, PLACES, converse)) })
    }
}

async fn serve_connection(stream: TcpStream, facts: Facts) {
    let service = service_fn(|request| {
        let answer = answer_request(&request, &facts);
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

fn answer_request(request: &Request<Incoming>, facts: &Facts) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text_response(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            "only GET and HEAD\n".to_owned(),
        );
    }
    if facts.address.ip().is_loopback() && !is_this_machine(request) {
        let refused = "this address answers to localhost and IP addresses only\n".to_owned();
        return text_response(StatusCode::MISDIRECTED_REQUEST, TEXT, refused);
    }
    let now = (facts.now)();
    let status = facts.board.lock_status().clone();
    let line = || status.status_line(now) + "\n";
    let good = |good| if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/livez" => {
            let said = if status.is_alive() { "alive\n" } else { "stuck\n" };
            text_response(good(status.is_alive()), TEXT, said.to_owned())
        }
        "/healthz" => text_response(good(status.health.condition(now).is_good()), TEXT, line()),
        "/readyz" => text_response(good(status.is_ready(now)), TEXT, line()),
        "/status.json" => text_response(
            StatusCode::OK,
            "application/json",
            format!("{:#}\n", status.to_json(now)),
        ),
        "/metrics" => {
            let form = Form::from_accept(request.headers().get_all(header::ACCEPT));
            text_response(
                StatusCode::OK,
                form.content_type(),
                facts.metrics.render_text(form, &status, now),
            )
        }
        _ => {
            let there =
                "there are /livez, /readyz, /healthz, /metrics and /status.json\n".to_owned();
            text_response(StatusCode::NOT_FOUND, TEXT, there)
        }
    }
}

fn text_response(status: StatusCode, content: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content));
    headers.insert(header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    answer
}
