//! The dead-man's switch: a URL that is asked for when a run begins (`/start`), when it
//! succeeded and when it failed (`/fail`).
//!
//! Owns the way that healthchecks.io and others understand. The URL is a secret of its
//! own kind: it is never shown, and goes to the host that it names and to no other, by
//! redirect or as a referrer.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::RunEnding;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How often one is tried.
const ATTEMPTS: u32 = 3;
/// Runs that follow each other faster are told once in so long, unless one ends
/// otherwise than the one before.
const SELDOM: Duration = Duration::from_mins(1);
const QUEUE: usize = 8;

/// The queue of the switch.
pub(super) struct Ping {
    queue: mpsc::Sender<(PingMessage, String)>,
    told_at: Option<Instant>,
    is_telling: bool,
    last: Option<RunEnding>,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PingMessage {
    Start,
    Success,
    Failure,
}

impl Ping {
    /// Tells `url` until the queue is dropped or `closing`; `None` if there is no way to.
    pub(super) fn start(url: Url, closing: CancellationToken) -> Option<(Ping, JoinHandle<()>)> {
        let client = match http_client(&url) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "hooks.ping_url cannot be told");
                return None;
            }
        };
        let (queue, mut words) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            while let Some((word, text)) = words.recv().await {
                tokio::select! {
                    () = send_ping(&client, ping_url(&url, word), text) => {}
                    () = closing.cancelled() => return,
                }
            }
        });
        Some((Ping { queue, told_at: None, is_telling: false, last: None }, task))
    }

    /// A run begins.
    pub(super) fn run_begins(&mut self) {
        self.is_telling = self.told_at.is_none_or(|at| at.elapsed() >= SELDOM);
        if self.is_telling {
            self.told_at = Some(Instant::now());
            self.enqueue_ping(PingMessage::Start, String::new());
        }
    }

    /// A run has ended.
    pub(super) fn run_ended(&mut self, how: RunEnding, text: &str) {
        if self.is_telling || self.last != Some(how) {
            let word = match how {
                RunEnding::Well => PingMessage::Success,
                RunEnding::Badly => PingMessage::Failure,
            };
            self.enqueue_ping(word, text.to_owned());
        }
        self.last = Some(how);
    }

    fn enqueue_ping(&self, word: PingMessage, text: String) {
        if self.queue.try_send((word, text)).is_err() {
            tracing::warn!("hooks.ping_url is too slow and misses a word");
        }
    }
}

fn http_client(url: &Url) -> reqwest::Result<reqwest::Client> {
    let agent = concat!("linqsync/", env!("CARGO_PKG_VERSION"));
    let mut builder = reqwest::Client::builder()
        .timeout(LIMIT)
        .user_agent(agent)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
    if crate::listening::leads_to_this_machine(url) {
        builder = builder.no_proxy();
    }
    builder.build()
}

fn ping_url(url: &Url, word: PingMessage) -> Url {
    let suffix = match word {
        PingMessage::Start => "start",
        PingMessage::Success => return url.clone(),
        PingMessage::Failure => "fail",
    };
    let mut url = url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(suffix);
    }
    url
}

async fn send_ping(client: &reqwest::Client, url: Url, text: String) {
    for attempt in 1..=ATTEMPTS {
        let answer = client.post(url.clone()).body(text.clone()).send().await;
        let problem = match answer.and_then(reqwest::Response::error_for_status) {
            Ok(answer) if answer.status().is_redirection() => {
                format!("{}: redirects are not followed", answer.status())
            }
            Ok(_) => return,
            Err(error) => error.without_url().to_string(),
        };
        tracing::debug!(attempt, error = problem, "hooks.ping_url was not told");
        if attempt == ATTEMPTS {
            tracing::warn!(error = problem, "hooks.ping_url was not told");
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two attempts")]
        tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[test]
    fn start_and_failure_have_addresses_of_their_own_below_the_one_that_is_given() {
        let url = Url::parse("https://hc.example/uuid/?rid=1").unwrap();
        let told = [PingMessage::Start, PingMessage::Success, PingMessage::Failure]
            .map(|word| ping_url(&url, word));
        let told = told.map(String::from);
        assert_eq!(
            told,
            [
                "https://hc.example/uuid/start?rid=1",
                "https://hc.example/uuid/?rid=1",
                "https://hc.example/uuid/fail?rid=1"
            ]
        );
    }

    #[tokio::test]
    async fn quick_runs_are_told_once_a_minute_and_a_different_end_at_once() {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let url = Url::parse(&format!("{}/u", server.uri())).unwrap();
        let (mut ping, task) = Ping::start(url, CancellationToken::new()).unwrap();
        for how in
            [RunEnding::Well, RunEnding::Well, RunEnding::Badly, RunEnding::Badly, RunEnding::Well]
        {
            ping.run_begins();
            ping.run_ended(how, "1 in sync");
        }
        drop(ping);
        task.await.unwrap();
        let told = server.received_requests().await.unwrap();
        let told: Vec<&str> = told.iter().map(|request| request.url.path()).collect();
        assert_eq!(told, ["/u/start", "/u", "/u/fail", "/u"]);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = MockServer::start().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&elsewhere).await;
        for status in [301, 302, 303, 307, 308] {
            let server = MockServer::start().await;
            let away = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
            Mock::given(any()).respond_with(away).mount(&server).await;
            let url = Url::parse(&format!("{}/secret", server.uri())).unwrap();
            let client = http_client(&url).unwrap();
            let telling = send_ping(&client, url, String::new());
            // The pauses between attempts are not what this is about.
            let _ = tokio::time::timeout(Duration::from_millis(300), telling).await;
            assert!(!server.received_requests().await.unwrap().is_empty());
        }
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }
}
