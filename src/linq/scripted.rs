//! A transport for tests: answers by a function, and remembers what was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use super::{BaseUrl, Client, ClientSettings, Sending, TokenSource, Transport, TransportError};

/// How a request ends.
pub(super) type ScriptedEnd = Result<Response<Bytes>, TransportError>;

/// Says how the `n`th request, counted from 0, ends.
type ScriptRule = dyn Fn(usize, &Request<Bytes>) -> ScriptedEnd + Send + Sync;

/// Ends each request as its rule says.
pub(super) struct Scripted {
    end: Box<ScriptRule>,
    latency: Duration,
    seen: Mutex<Vec<(Instant, Request<Bytes>)>>,
}

impl Scripted {
    pub(super) fn new(
        end: impl Fn(usize, &Request<Bytes>) -> ScriptedEnd + Send + Sync + 'static,
    ) -> Arc<Scripted> {
        Scripted::with_latency(Duration::ZERO, end)
    }

    /// The same, `latency` after the request arrived.
    pub(super) fn with_latency(
        latency: Duration,
        end: impl Fn(usize, &Request<Bytes>) -> ScriptedEnd + Send + Sync + 'static,
    ) -> Arc<Scripted> {
        Arc::new(Scripted { end: Box::new(end), latency, seen: Mutex::default() })
    }

    /// Ends the requests one after the other as `ends` says, the last for ever.
    pub(super) fn in_order(ends: Vec<fn() -> ScriptedEnd>) -> Arc<Scripted> {
        Scripted::new(move |n, _| ends[n.min(ends.len() - 1)]())
    }

    pub(super) fn request_count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// When each request arrived.
    pub(super) fn request_times(&self) -> Vec<Instant> {
        self.seen.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    /// `METHOD path?query` of each request.
    pub(super) fn request_lines(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(_, r)| format!("{} {}", r.method(), r.uri())).collect()
    }

    /// The tokens that were sent.
    pub(super) fn tokens_sent(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let token = |request: &Request<Bytes>| {
            let header = &request.headers()["x-linq-integration-token"];
            assert!(header.is_sensitive(), "logs of other crates would show it");
            header.to_str().unwrap().to_owned()
        };
        seen.iter().map(|(_, request)| token(request)).collect()
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        let mut seen = self.seen.lock().unwrap();
        let end = (self.end)(seen.len(), &request);
        seen.push((Instant::now(), request));
        Box::pin(async {
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            end
        })
    }
}

/// An answer.
pub(super) fn scripted_answer(status: u16, body: impl Into<Bytes>) -> ScriptedEnd {
    answer_with(status, &[], body)
}

/// An answer with headers.
#[expect(clippy::unnecessary_wraps, reason = "one way in which a request can end")]
pub(super) fn answer_with(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> ScriptedEnd {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Ok(response.body(body.into()).unwrap())
}

pub(super) fn no_connection() -> ScriptedEnd {
    Err(TransportError::NotSent("refused".into()))
}

pub(super) fn scripted_timeout() -> ScriptedEnd {
    Err(TransportError::TimedOut("silence".into()))
}

pub(super) fn test_settings(url: &str) -> ClientSettings {
    ClientSettings::new(BaseUrl::new(Url::parse(url).unwrap()).unwrap(), 7)
}

/// Whether this is a second process in which the test `name` runs alone, with
/// `variables` in its environment. If not, runs it there and returns when it has
/// passed. For what concerns a whole process: changing its environment is not
/// safe, and other tests decide which log events are looked at.
pub(super) fn is_alone(name: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "LINQSYNC_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", name]).env(MARK, "1").envs(variables.iter().copied());
    let output = alone.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// A client with the default settings and the token `token`.
pub(super) fn test_client(transport: &Arc<Scripted>) -> Client {
    let token = TokenSource::fixed(SecretString::from("token"));
    client_with(transport, token)
}

pub(super) fn client_with(transport: &Arc<Scripted>, token: TokenSource) -> Client {
    Client::new(
        Arc::clone(transport) as Arc<dyn Transport>,
        test_settings("https://linq.example"),
        token,
    )
}
