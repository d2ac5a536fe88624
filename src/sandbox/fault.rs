//! Faults: rules by which the sandbox fails on purpose.
//!
//! Owns which requests a rule strikes, what it does to them, and the text form of
//! rules. Leaves closing the connection to [`super::serve`].

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{DATE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};

use super::answer;
use super::false_answer::FalseAnswer;
use super::routes::RouteKind;

/// A rule that makes requests fail, built in code or read from text.
///
/// The text names a kind of request (`list`, `get`, `create`, `update`, `delete`,
/// `find`, or `any`) and then, in any order:
///
/// | word | meaning |
/// |---|---|
/// | `status=503` | answers with this status in place of carrying the request out |
/// | `retry-after=5` | the header of that answer: seconds, or any other text without a space |
/// | `retry-at=5s` | the same header with the date that is so far ahead |
/// | `html`, `empty` | answers 200 with a page of HTML, or with no body |
/// | `redirect=307:URL` | answers with this status and sends the client there |
/// | `lie=NAME` | carries the request out and tells the truth wrongly: see [`FalseAnswer`] |
/// | `drop-before` | closes the connection without carrying the request out |
/// | `after` | carries the request out, and only then answers with `status`, `html`, `empty` or `redirect` |
/// | `drop-after` | carries the request out and closes the connection without an answer |
/// | `truncate` | carries the request out and cuts the body of the answer in half |
/// | `delay=2s` | waits first; the request is carried out even if the client hangs up |
/// | `nth=3` | strikes from the third request of its kind on; only that one unless `times` says otherwise |
/// | `times=2` | strikes twice at most |
/// | `chance=0.1`, `seed=7` | strikes each request with this probability, in an order fixed by the seed |
///
/// A request meets the rules in the order in which they were added. The first one
/// that strikes decides; those behind it do not count the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    kind: Option<RouteKind>,
    action: FaultAction,
    delay: Duration,
    nth: u64,
    times: Option<u64>,
    chance: f64,
    seed: u64,
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// Carries it out and answers truly. With [`Fault::with_delay`], only late.
    Answer,
    /// Does not carry it out, and replies.
    Refuse(Reply),
    /// Carries it out, and gives this reply in place of the true answer.
    Mask(Reply),
    /// Carries it out, and cuts the body of the true answer in half.
    Truncate,
    /// Carries it out, or something like it, and tells the answer wrongly.
    Lie(FalseAnswer),
}

/// What the client gets in place of a true answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An error of the documented form.
    Status {
        /// Its status.
        status: StatusCode,
        /// The header `Retry-After`, if it has one.
        retry_after: Option<RetryAfter>,
    },
    /// A redirect.
    Redirect {
        /// Its status.
        status: StatusCode,
        /// Where it leads.
        to: HeaderValue,
    },
    /// 200 with a page of HTML, as from a proxy.
    Html,
    /// 200 without a body.
    Empty,
    /// None: the connection is closed.
    Drop,
}

/// What the header `Retry-After` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// This text: seconds, or anything else.
    Text(HeaderValue),
    /// The date that is so far ahead when the answer is given.
    Date(Duration),
}

impl RetryAfter {
    /// The header, and the `Date` of an answer that is given `now`.
    fn headers_at(self, now: DateTime<Utc>) -> Option<(HeaderValue, HeaderValue)> {
        let date = |at: DateTime<Utc>| HeaderValue::from_str(&httpdate::fmt_http_date(at.into()));
        let asked = match self {
            RetryAfter::Text(value) => value,
            RetryAfter::Date(ahead) => date(now + TimeDelta::from_std(ahead).ok()?).ok()?,
        };
        Some((asked, date(now).ok()?))
    }
}

impl Fault {
    /// A rule that does `action` to every request of this kind.
    pub fn for_kind(kind: RouteKind, action: FaultAction) -> Fault {
        Fault { kind: Some(kind), ..Fault::on_any(action) }
    }

    /// A rule that does `action` to every request.
    pub fn on_any(action: FaultAction) -> Fault {
        Fault {
            kind: None,
            action,
            delay: Duration::ZERO,
            nth: 1,
            times: None,
            chance: 1.0,
            seed: 0,
        }
    }

    /// The rule with a time to wait before anything else happens.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Fault {
        Fault { delay, ..self }
    }

    /// The rule from the `nth` request of its kind on, counted from 1.
    #[must_use]
    pub fn from_nth(self, nth: u64) -> Fault {
        Fault { nth, ..self }
    }

    /// The rule, spent after it has struck this many times.
    #[must_use]
    pub fn at_most(self, times: u64) -> Fault {
        Fault { times: Some(times), ..self }
    }

    /// The rule, striking with this probability; the same `seed` strikes the same
    /// requests.
    #[must_use]
    pub fn with_chance(self, chance: f64, seed: u64) -> Fault {
        Fault { chance, seed, ..self }
    }
}

impl Reply {
    /// An error of this status, without `Retry-After`.
    pub fn with_status(status: StatusCode) -> Reply {
        Reply::Status { status, retry_after: None }
    }

    /// The answer that the client gets `now`; `None` for none.
    #[expect(clippy::wrong_self_convention, reason = "it is used up, and cannot be told twice")]
    pub(super) fn to_response(self, now: DateTime<Utc>) -> Option<Response<Bytes>> {
        match self {
            Reply::Status { status, retry_after } => {
                let mut answer = answer::failure_response(status);
                if let Some((value, date)) = retry_after.and_then(|asked| asked.headers_at(now)) {
                    answer.headers_mut().insert(RETRY_AFTER, value);
                    answer.headers_mut().insert(DATE, date);
                }
                Some(answer)
            }
            Reply::Redirect { status, to } => {
                let mut answer = answer::without_body(status);
                answer.headers_mut().insert(LOCATION, to);
                Some(answer)
            }
            Reply::Html => {
                Some(answer::with_body(StatusCode::OK, "text/html; charset=utf-8", PAGE))
            }
            Reply::Empty => Some(answer::without_body(StatusCode::OK)),
            Reply::Drop => None,
        }
    }
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head>\
    <body><h1>Sign in to continue</h1></body></html>\n";

/// The rules of a sandbox and how far each of them is.
#[derive(Default)]
pub(super) struct Faults(Vec<FaultRule>);

struct FaultRule {
    fault: Fault,
    /// Requests of the rule's kind so far.
    met: u64,
    /// Requests struck so far.
    struck: u64,
    chance: fastrand::Rng,
}

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) delay: Duration,
    pub(super) action: FaultAction,
}

impl Faults {
    pub(super) fn add_rule(&mut self, fault: Fault) {
        let chance = fastrand::Rng::with_seed(fault.seed);
        self.0.push(FaultRule { fault, met: 0, struck: 0, chance });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to the next request, which is of this kind.
    pub(super) fn strike_request(&mut self, kind: Option<RouteKind>) -> Strike {
        let rule =
            self.0.iter_mut().find_map(|rule| rule.counts_and_strikes(kind).then_some(&rule.fault));
        match rule {
            Some(fault) => Strike { delay: fault.delay, action: fault.action.clone() },
            None => Strike { delay: Duration::ZERO, action: FaultAction::Answer },
        }
    }
}

impl FaultRule {
    /// Counts a request, and tells whether the rule strikes it.
    fn counts_and_strikes(&mut self, kind: Option<RouteKind>) -> bool {
        if self.fault.kind.is_some() && self.fault.kind != kind {
            return false;
        }
        self.met += 1;
        let due = self.met >= self.fault.nth;
        let left = self.fault.times.is_none_or(|times| self.struck < times);
        let strikes = due && left && self.chance.f64() < self.fault.chance;
        self.struck += u64::from(strikes);
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn struck(faults: &mut Faults, kind: RouteKind, requests: usize) -> Vec<bool> {
        (0..requests)
            .map(|_| faults.strike_request(Some(kind)).action != FaultAction::Answer)
            .collect()
    }

    #[test]
    fn a_rule_strikes_its_kind_from_the_nth_request_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add_rule(fault("get html nth=2 times=2"));
        assert_eq!(struck(&mut faults, RouteKind::List, 3), [false; 3]);
        assert_eq!(struck(&mut faults, RouteKind::Get, 5), [false, true, true, false, false]);
        faults.add_rule(fault("any empty"));
        assert!(faults.strike_request(None).action != FaultAction::Answer, "any is any path too");
        faults.clear();
        assert_eq!(struck(&mut faults, RouteKind::Get, 2), [false; 2]);
    }

    #[test]
    fn the_first_rule_that_strikes_hides_the_request_from_those_behind_it() {
        let mut faults = Faults::default();
        faults.add_rule(fault("list status=500 times=1"));
        faults.add_rule(fault("list html times=1"));
        let actions: Vec<FaultAction> =
            (0..3).map(|_| faults.strike_request(Some(RouteKind::List)).action).collect();
        let failed = FaultAction::Refuse(Reply::with_status(StatusCode::INTERNAL_SERVER_ERROR));
        assert_eq!(actions, [failed, FaultAction::Refuse(Reply::Html), FaultAction::Answer]);
    }

    #[test]
    fn chance_strikes_about_as_often_as_it_says_and_the_same_requests_by_the_same_seed() {
        let strikes = |text: &str| {
            let mut faults = Faults::default();
            faults.add_rule(fault(text));
            struck(&mut faults, RouteKind::List, 1000)
        };
        let first = strikes("list html chance=0.25 seed=1");
        assert_eq!(first, strikes("list html chance=0.25 seed=1"));
        assert_ne!(first, strikes("list html chance=0.25 seed=2"));
        let count = first.iter().filter(|struck| **struck).count();
        assert!((200..300).contains(&count), "{count}");
    }
}
