//! The requests that the sandbox has seen.
//!
//! Owns the log that tests and the demo read, and its bound. Leaves out headers,
//! and with them the token.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::routes::RouteKind;

/// How many requests are remembered. A sandbox may run for weeks.
const REMEMBERED: usize = 100_000;

/// A request and how it was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRequest {
    /// The method, `PATCH`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as it was sent, without its `?`; empty if there was none.
    pub query: String,
    /// The body, where it was JSON.
    pub body: Option<serde_json::Value>,
    /// The status that was answered; `None` while there is no answer, and for good
    /// when the connection was dropped.
    pub status: Option<u16>,
    /// Which endpoint was meant; `None` for a path that is none.
    pub kind: Option<RouteKind>,
}

/// Requests in the order of their arrival.
#[derive(Default)]
pub(super) struct RequestLog {
    requests: VecDeque<LoggedRequest>,
    /// The number of the first request in `requests`, counted from 0.
    first: u64,
}

impl RequestLog {
    /// Logs the arrival of `request` and returns its number.
    pub(super) fn log_request(&mut self, request: &Request<Bytes>, kind: Option<RouteKind>) -> u64 {
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
            self.first += 1;
        }
        self.requests.push_back(LoggedRequest {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(request.body()).ok(),
            status: None,
            kind,
        });
        self.first + self.requests.len() as u64 - 1
    }

    /// Logs the answer to the request of this number, unless it is forgotten.
    pub(super) fn log_answer(&mut self, number: u64, status: StatusCode) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            request.status = Some(status.as_u16());
        }
    }

    /// The request of this number, unless it is forgotten.
    pub(super) fn get(&self, number: u64) -> Option<&LoggedRequest> {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        self.requests.get(index?)
    }

    /// The requests that are remembered.
    pub(super) fn all(&self) -> Vec<LoggedRequest> {
        self.requests.iter().cloned().collect()
    }

    /// Forgets every request. Numbers go on.
    pub(super) fn forget_all(&mut self) {
        self.first += self.requests.len() as u64;
        self.requests.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(log: &mut RequestLog, path: &'static str) -> u64 {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        log.log_request(&request, None)
    }

    #[test]
    fn only_the_latest_requests_are_remembered_and_answers_find_theirs() {
        let mut log = RequestLog::default();
        let oldest = open(&mut log, "/oldest");
        for _ in 1..REMEMBERED {
            open(&mut log, "/");
        }
        let latest = open(&mut log, "/latest");
        log.log_answer(oldest, StatusCode::OK);
        log.log_answer(latest, StatusCode::NOT_FOUND);
        let requests = log.all();
        assert_eq!(requests.len(), REMEMBERED);
        assert!(requests.iter().rev().skip(1).all(|r| r.status.is_none() && r.path == "/"));
        assert_eq!(
            requests.last().map(|r| (r.path.as_str(), r.status)),
            Some(("/latest", Some(404)))
        );
    }

    #[test]
    fn an_answer_to_a_forgotten_request_changes_no_other() {
        let mut log = RequestLog::default();
        let forgotten = open(&mut log, "/forgotten");
        log.forget_all();
        let remembered = open(&mut log, "/remembered");
        log.log_answer(forgotten, StatusCode::OK);
        assert_ne!(forgotten, remembered);
        assert_eq!(log.all().iter().map(|r| r.status).collect::<Vec<_>>(), [None]);
    }
}
