//! The sandbox on a socket.
//!
//! Owns connections: accepting them, ending them at shutdown, and closing them
//! without an answer where a fault says so. Leaves answers to [`Sandbox::handle_request`].

use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::routes::MAX_BODY;
use super::{Dropped, Sandbox};

/// How long answers that are under way may take after the shutdown.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A sandbox that is being served on loopback. Dropping it ends the serving.
#[derive(Debug)]
pub struct Running {
    /// The base URL, `http://127.0.0.1:40123`.
    pub url: String,
    /// The sandbox that answers there.
    pub sandbox: Sandbox,
    shutdown: DropGuard,
    serving: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Ends the serving and waits until it has ended, so that the next connection
    /// is refused. The sandbox itself stays as it is and can be started again.
    pub async fn stop(self) -> Sandbox {
        drop(self.shutdown);
        if let Ok(Err(error)) = self.serving.await {
            tracing::debug!(%error, "the sandbox had stopped serving before");
        }
        self.sandbox
    }
}

impl Sandbox {
    /// Serves the sandbox on a free port of the loopback interface, until the
    /// returned value is dropped.
    ///
    /// # Errors
    /// When the system has no port to give.
    pub async fn start(&self) -> io::Result<Running> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(self.clone().serve(listener, shutdown.clone()));
        Ok(Running { url, sandbox: self.clone(), shutdown: shutdown.drop_guard(), serving })
    }

    /// Serves the sandbox over HTTP/1.1 until `shutdown` is cancelled. Answers that
    /// are under way then are finished first, within five seconds.
    ///
    /// # Errors
    /// When the listener fails; open connections are closed.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) if is_of_one_client(&error) => continue,
                    Err(error) => return Err(error),
                },
            };
            connections.spawn(serve_connection(self.clone(), stream, shutdown.clone()));
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_ANSWERS, ended).await.is_err() {
            tracing::debug!("closing connections of the sandbox with answers under way");
        }
        Ok(())
    }
}

/// Whether accepting failed because the client had gone by then.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Answers the requests of one connection.
async fn serve_connection(sandbox: Sandbox, stream: TcpStream, shutdown: CancellationToken) {
    let service = service_fn(|request| answer_request(&sandbox, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the sandbox ended early");
    }
}

/// Answers one request. On an error hyper closes the connection without sending
/// a byte, which is what a dropped request looks like to its client.
async fn answer_request(
    sandbox: &Sandbox,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let unread = Request::from_parts(head, Bytes::new());
            return Ok(sandbox.refuse_unread(&unread).map(Full::new));
        }
        Err(_) => return Err(Dropped::Before),
    };
    Ok(sandbox.handle_request(Request::from_parts(head, body)).await?.map(Full::new))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Options;
    use super::*;

    const CONTACTS: &str = "/api/partner/v2/contacts";

    async fn running() -> (Running, reqwest::Client) {
        let running = Sandbox::new(Options::default()).start().await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        (running, client)
    }

    fn create(running: &Running, client: &reqwest::Client) -> reqwest::RequestBuilder {
        client
            .post(format!("{}{CONTACTS}", running.url))
            .header("X-LINQ-INTEGRATION-TOKEN", "sandbox-token")
            .json(&json!({"contact": {"first_name": "Zoë"}}))
    }

    #[tokio::test]
    async fn an_ordinary_client_creates_and_lists_contacts() {
        let (running, client) = running().await;
        let created = create(&running, &client).send().await.unwrap();
        assert_eq!(created.status(), 201);
        assert!(created.headers().contains_key("x-request-id"));
        let listed = client
            .get(format!("{}{CONTACTS}?page=1&per_page=1", running.url))
            .header("X-LINQ-INTEGRATION-TOKEN", "sandbox-token");
        let listed: Value = listed.send().await.unwrap().json().await.unwrap();
        assert_eq!(listed["contacts"][0]["first_name"], "Zoë");
        let anonymous = client.get(format!("{}{CONTACTS}", running.url)).send().await.unwrap();
        assert_eq!(anonymous.status(), 401);
    }

    #[tokio::test]
    async fn a_dropped_request_is_a_transport_error_to_its_client() {
        for (fault, contacts) in [("create drop-before", 1), ("create drop-after", 2)] {
            let (running, client) = running().await;
            // The first request opens the connection that the second one uses again.
            assert_eq!(create(&running, &client).send().await.unwrap().status(), 201);
            running.sandbox.add_fault(fault.parse().unwrap());
            let error = create(&running, &client).send().await.unwrap_err();
            assert!(error.is_request() && error.status().is_none(), "{fault}: {error:?}");
            assert_eq!(running.sandbox.contacts().len(), contacts, "{fault}");
            running.sandbox.clear_faults();
            assert_eq!(create(&running, &client).send().await.unwrap().status(), 201);
        }
    }

    #[tokio::test]
    async fn a_cut_body_is_a_whole_answer_with_broken_json() {
        let (running, client) = running().await;
        running.sandbox.add_fault("create truncate".parse().unwrap());
        let answer = create(&running, &client).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let text = answer.text().await.unwrap();
        assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_refused_unread() {
        let (running, client) = running().await;
        let answer = create(&running, &client).body(vec![b' '; MAX_BODY + 1]).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(running.sandbox.requests()[0].status, Some(413));
        assert_eq!(running.sandbox.contacts(), []);
    }

    #[tokio::test]
    async fn a_stopped_sandbox_refuses_connections_and_keeps_its_contacts() {
        let (running, client) = running().await;
        let again = create(&running, &client);
        // The connection stays open and idle, and must not hold the end up.
        assert_eq!(create(&running, &client).send().await.unwrap().status(), 201);
        let sandbox = running.stop().await;
        assert!(again.send().await.unwrap_err().is_connect());
        let running = sandbox.start().await.unwrap();
        assert_eq!(create(&running, &client).send().await.unwrap().status(), 201);
        assert_eq!(sandbox.contacts().len(), 2);
    }
}
