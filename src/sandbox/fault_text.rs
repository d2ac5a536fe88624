//! Faults as text, the way `--fault` takes them.
//!
//! Owns the grammar, which [`Fault`] documents. Leaves striking to [`super::fault`].

use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;

use super::false_answer::FalseAnswer;
use super::fault::{Fault, FaultAction, Reply, RetryAfter};
use super::routes::RouteKind;

/// The text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The first word is no kind of request.
    #[error("a fault begins with list, get, create, update, delete, find or any, not with `{0}`")]
    Kind(String),
    /// A word is unknown, or its value does not fit.
    #[error("unknown fault option `{0}`, or its value does not fit")]
    Word(String),
    /// The fault says when and not what, or says two things at once.
    #[error(
        "a fault needs delay=… or exactly one of status=…, html, empty, redirect=…, lie=…, \
         drop-before, drop-after and truncate; retry-after and retry-at go with status, and `after` with \
         status, html, empty or redirect"
    )]
    Action,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let mut words = text.split_whitespace();
        let kind = parse_kind(words.next().unwrap_or_default())?;
        let mut spelled = Spelled::default();
        for word in words {
            spelled.add_word(word).ok_or_else(|| FaultError::Word(word.to_owned()))?;
        }
        let action = spelled.single_action().ok_or(FaultError::Action)?;
        let fault = match kind {
            Some(kind) => Fault::for_kind(kind, action),
            None => Fault::on_any(action),
        };
        Ok(spelled.at_times(fault))
    }
}

fn parse_kind(word: &str) -> Result<Option<RouteKind>, FaultError> {
    match word {
        "any" => Ok(None),
        "list" => Ok(Some(RouteKind::List)),
        "get" => Ok(Some(RouteKind::Get)),
        "create" => Ok(Some(RouteKind::Create)),
        "update" => Ok(Some(RouteKind::Update)),
        "delete" => Ok(Some(RouteKind::Delete)),
        "find" => Ok(Some(RouteKind::Find)),
        _ => Err(FaultError::Kind(word.to_owned())),
    }
}

/// The words of a fault, before they are known to make sense together.
#[derive(Default)]
struct Spelled {
    actions: Vec<FaultAction>,
    retry_after: Option<RetryAfter>,
    after: bool,
    delay: Option<Duration>,
    nth: Option<u64>,
    times: Option<u64>,
    chance: Option<f64>,
    seed: Option<u64>,
}

impl Spelled {
    /// Takes one word in; `None` if it is none.
    fn add_word(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None => self.add_flag(word),
            Some((name, value)) => self.add_value(name, value),
        }
    }

    fn add_flag(&mut self, word: &str) -> Option<()> {
        match word {
            "after" => self.after = true,
            "html" => self.actions.push(FaultAction::Refuse(Reply::Html)),
            "empty" => self.actions.push(FaultAction::Refuse(Reply::Empty)),
            "drop-before" => self.actions.push(FaultAction::Refuse(Reply::Drop)),
            "drop-after" => self.actions.push(FaultAction::Mask(Reply::Drop)),
            "truncate" => self.actions.push(FaultAction::Truncate),
            _ => return None,
        }
        Some(())
    }

    fn add_value(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "status" => {
                let status = StatusCode::from_str(value).ok().filter(|s| s.as_u16() >= 200)?;
                self.actions.push(FaultAction::Refuse(Reply::with_status(status)));
            }
            "redirect" => {
                let (status, to) = value.split_once(':')?;
                let status =
                    StatusCode::from_str(status).ok().filter(StatusCode::is_redirection)?;
                let to = to.parse().ok()?;
                self.actions.push(FaultAction::Refuse(Reply::Redirect { status, to }));
            }
            "lie" => self.actions.push(FaultAction::Lie(FalseAnswer::from_name(value)?)),
            "retry-after" => self.retry_after = Some(RetryAfter::Text(value.parse().ok()?)),
            "retry-at" => {
                let ahead = humantime::parse_duration(value).ok()?;
                self.retry_after = Some(RetryAfter::Date(ahead));
            }
            "delay" => self.delay = Some(humantime::parse_duration(value).ok()?),
            "nth" => self.nth = Some(value.parse().ok().filter(|nth| *nth >= 1)?),
            "times" => self.times = Some(value.parse().ok()?),
            "chance" => {
                self.chance = Some(value.parse().ok().filter(|p| (0.0..=1.0).contains(p))?);
            }
            "seed" => self.seed = Some(value.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    /// `fault`, at the times that the words say.
    fn at_times(self, fault: Fault) -> Fault {
        let fault = fault
            .with_delay(self.delay.unwrap_or_default())
            .from_nth(self.nth.unwrap_or(1))
            .with_chance(self.chance.unwrap_or(1.0), self.seed.unwrap_or_default());
        match self.times.or(self.nth.map(|_| 1)) {
            Some(times) => fault.at_most(times),
            None => fault,
        }
    }

    /// The one thing that the words ask for; `None` if they ask for none or several.
    fn single_action(&self) -> Option<FaultAction> {
        let (after, retry_after) = (self.after, self.retry_after.clone());
        match (self.actions.as_slice(), after, retry_after) {
            ([], false, None) => self.delay.map(|_| FaultAction::Answer),
            ([FaultAction::Refuse(Reply::Status { status, .. })], after, retry_after) => {
                let reply = Reply::Status { status: *status, retry_after };
                Some(if after { FaultAction::Mask(reply) } else { FaultAction::Refuse(reply) })
            }
            ([FaultAction::Refuse(reply)], true, None) if *reply != Reply::Drop => {
                Some(FaultAction::Mask(reply.clone()))
            }
            ([action], false, None) => Some(action.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fault(text: &str) -> Fault {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

    #[test]
    fn every_fault_is_read_from_its_text() {
        let retry = Reply::Status {
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: Some(RetryAfter::Text(HeaderValue::from_static("5"))),
        };
        let table = [
            (
                "create status=503 times=1",
                Fault::for_kind(
                    RouteKind::Create,
                    FaultAction::Refuse(Reply::with_status(UNAVAILABLE)),
                )
                .at_most(1),
            ),
            ("any status=429 retry-after=5", Fault::on_any(FaultAction::Refuse(retry))),
            (
                "update status=503 after",
                Fault::for_kind(
                    RouteKind::Update,
                    FaultAction::Mask(Reply::with_status(UNAVAILABLE)),
                ),
            ),
            (
                "list delay=2s",
                Fault::for_kind(RouteKind::List, FaultAction::Answer)
                    .with_delay(Duration::from_secs(2)),
            ),
            (
                "create drop-after nth=3",
                Fault::for_kind(RouteKind::Create, FaultAction::Mask(Reply::Drop))
                    .from_nth(3)
                    .at_most(1),
            ),
            (
                "delete drop-before nth=2 times=5",
                Fault::for_kind(RouteKind::Delete, FaultAction::Refuse(Reply::Drop))
                    .from_nth(2)
                    .at_most(5),
            ),
            ("get html", Fault::for_kind(RouteKind::Get, FaultAction::Refuse(Reply::Html))),
            ("find empty after", Fault::for_kind(RouteKind::Find, FaultAction::Mask(Reply::Empty))),
            (
                "list lie=short nth=2",
                Fault::for_kind(RouteKind::List, FaultAction::Lie(FalseAnswer::Short))
                    .from_nth(2)
                    .at_most(1),
            ),
            (
                "create redirect=307:http://elsewhere.example/x after",
                Fault::for_kind(
                    RouteKind::Create,
                    FaultAction::Mask(Reply::Redirect {
                        status: StatusCode::TEMPORARY_REDIRECT,
                        to: HeaderValue::from_static("http://elsewhere.example/x"),
                    }),
                ),
            ),
            (
                "find truncate chance=0.25 seed=7",
                Fault::for_kind(RouteKind::Find, FaultAction::Truncate).with_chance(0.25, 7),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_fault_is_refused_by_its_word() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err();
        assert_eq!(error(""), FaultError::Kind(String::new()));
        assert_eq!(error("post html"), FaultError::Kind("post".to_owned()));
        for word in [
            "statsu=5",
            "lie=white",
            "redirect=200:http://x",
            "redirect=http://x",
            "status=99",
            "status=100",
            "nth=0",
            "chance=2",
            "delay=soon",
            "html=1",
        ] {
            assert_eq!(error(&format!("any {word}")), FaultError::Word(word.to_owned()));
        }
        for text in [
            "list",
            "list nth=2",
            "list after",
            "list html empty",
            "list truncate after",
            "list drop-before after",
            "list html retry-after=5",
            "list delay=1s retry-after=5",
        ] {
            assert_eq!(error(text), FaultError::Action, "{text}");
        }
    }
}
