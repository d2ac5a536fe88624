//! The token, Linq, and the clock by which both live.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chrono::TimeDelta;

use crate::config::{Config, TokenOrigin, WHERE_FROM};
use crate::linq::{Sending, Transport};
use crate::mirror::{LinqDown, WhyDown};
use crate::model::{Field, LinqContact, Timestamp};
use crate::open::{self, Linq};
use crate::plan::{refused_user, unknown_user};
use crate::report::ReportedError;
use crate::run::RunError;

use super::{CheckFinding, Grade, Reach};

/// How often Linq is asked: whoever checks waits for the answer.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// How far this machine's clock may be from Linq's: `settle` and the creation times
/// of contacts are compared with it.
const SKEW: TimeDelta = TimeDelta::seconds(60);

pub(super) async fn check_linq(
    config: &Config,
    reach: Reach,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Vec<CheckFinding> {
    let token = check_token(&config.linq.token);
    let known = token.status == Grade::Ok;
    let mut findings = vec![token];
    let host = &config.linq.base_url;
    if reach == Reach::Offline {
        findings.push(CheckFinding::new(
            "linq",
            Grade::Skipped,
            format!("{host} was not asked (--offline)"),
        ));
    } else if known {
        findings.extend(ask_once(config, now).await);
        findings.extend(check_owner(config));
    } else {
        findings.push(CheckFinding::new(
            "linq",
            Grade::Skipped,
            format!("{host} was not asked without a token"),
        ));
    }
    findings
}

fn check_token(source: &TokenOrigin) -> CheckFinding {
    match source.read() {
        Ok(_) => CheckFinding::ok("token", format!("from {source}")),
        Err(error) => {
            let hint = if error.is_denied() {
                "let this user read it; the service needs no access, systemd hands it the token"
                    .to_owned()
            } else {
                format!("put Linq's token there (chmod 600); {WHERE_FROM}")
            };
            CheckFinding::error("token", ReportedError::from_error(&error, 2, &hint))
        }
    }
}

/// Asks for one contact, as every run does first.
async fn ask_once(config: &Config, now: &(dyn Fn() -> Timestamp + Sync)) -> Vec<CheckFinding> {
    if let Some(down) = asked_to_wait(config, now()) {
        let hint = "a run waits until then; check again after that";
        return vec![CheckFinding::warning("linq", format!("not asked: {down}"), hint)];
    }
    let linq = match Linq::configured_linq(config) {
        Ok(linq) => linq,
        Err(error) => return vec![CheckFinding::error("linq", error.to_reported_error())],
    };
    let watched = Arc::new(LastAnswerDate::default());
    let client = linq.watched_client(ATTEMPTS, |inner| {
        Arc::new(AnswerDates { inner, seen: Arc::clone(&watched) })
    });
    let before = now();
    let page = client.list_page(1, 1).await;
    let took = now() - before;
    match page {
        Ok(page) => {
            let count = page.pagination.total_count;
            let contacts = count
                .map(|count| format!(", {count} contact{}", if count == 1 { "" } else { "s" }))
                .unwrap_or_default();
            let message = format!(
                "{} answers in {} ms{contacts}",
                config.linq.base_url,
                took.num_milliseconds()
            );
            let mut findings = vec![CheckFinding::ok("linq", message)];
            findings.extend(watched.date().map(|theirs| check_clock(theirs - before)));
            findings
        }
        Err(error) => {
            let error = open::naming_token(RunError::from(error).to_reported_error(), config);
            vec![CheckFinding::error("linq", error)]
        }
    }
}

/// Whether Linq wants to be left alone at `now`, as an earlier run has learnt.
fn asked_to_wait(config: &Config, now: Timestamp) -> Option<LinqDown> {
    let down = open::open_state_reading(config).ok()?.linq_down().ok()??;
    (down.why == WhyDown::AskedToWait && down.wait_left(now) > TimeDelta::zero()).then_some(down)
}

/// Whether Linq knows the user whom `linq.owner` names: it can be asked for no user, so only
/// what it has answered to a create tells.
fn check_owner(config: &Config) -> Option<CheckFinding> {
    let owner = config.linq.owner.as_ref()?.as_str();
    let state = open::open_state_reading(config).ok();
    let refusals = state.as_ref().and_then(|state| state.rejections().ok()).unwrap_or_default();
    if refusals.iter().any(|refusal| refusal.fingerprint == refused_user(owner)) {
        let message = format!("{} (linq.owner)", unknown_user(owner));
        let hint = "correct linq.owner, or add the user in Linq and run `linqsync retry --all`";
        return Some(CheckFinding::warning("owner", message, hint));
    }
    let contacts = state.and_then(|state| state.contacts().ok()).unwrap_or_default();
    let is_theirs = |contact: &LinqContact| {
        contact.values[Field::Owner].trim().eq_ignore_ascii_case(owner.trim())
    };
    Some(if contacts.values().any(is_theirs) {
        CheckFinding::ok("owner", format!("`{owner}` (linq.owner) owns contacts in Linq"))
    } else {
        let message = format!(
            "whether Linq knows the user `{owner}` (linq.owner) cannot be verified before a \
             contact is created for them: Linq cannot be asked for users"
        );
        CheckFinding::new("owner", Grade::Skipped, message)
    })
}

/// `ahead` is how far Linq's clock is ahead of this machine's.
fn check_clock(ahead: TimeDelta) -> CheckFinding {
    if ahead.abs() <= SKEW {
        return CheckFinding::ok("clock", "agrees with Linq's to the minute");
    }
    let which = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
    let message = format!("{} seconds {which} Linq's", ahead.num_seconds().abs());
    CheckFinding::warning("clock", message, "let the system keep its time by NTP (timedatectl)")
}

/// The `Date` of the last answer.
#[derive(Default)]
struct LastAnswerDate(Mutex<Option<Timestamp>>);

impl LastAnswerDate {
    fn date(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the answers on their way.
struct AnswerDates {
    inner: Arc<dyn Transport>,
    seen: Arc<LastAnswerDate>,
}

impl Transport for AnswerDates {
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            let answer = self.inner.send(request).await?;
            let date = answer.headers().get(http::header::DATE);
            let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
            let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = date.map(Timestamp::from).or(*seen);
            Ok(answer)
        })
    }
}
