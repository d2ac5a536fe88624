//! What all pages have: the way to the others, who is logged in, and small texts.

use std::collections::BTreeMap;
use std::fmt::Display;

use askama::Template;
use bytes::Bytes;
use chrono::Local;
use http::StatusCode;

use super::guarded::{Answer, Visit, defect, with_type};
use super::locked;
use super::passwords::InboxRole;
use crate::decisions::{ListState, Questions, kinds};
use crate::mirror::State;
use crate::model::{Decided, Fingerprint, Timestamp};
use crate::text::shown_text;

/// The longest text of a contact on a page.
pub(super) const WIDTH: usize = 400;

/// What stands around a page.
pub(super) struct Frame {
    pub(super) page: String,
    pub(super) who: String,
    pub(super) csrf: String,
    /// Whether they may decide.
    pub(super) decides: bool,
    pub(super) note: Option<String>,
    pub(super) tabs: Vec<Tab>,
}

/// A list, and how much is on it.
pub(super) struct Tab {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// `None` if the state cannot be read.
    pub(super) count: Option<usize>,
}

impl Frame {
    /// The frame of `page` for whoever is logged in.
    pub(super) fn of(visit: &Visit<'_>, page: &str) -> Frame {
        let (who, csrf, decides) = visit.session.as_ref().map_or_else(
            || (String::new(), String::new(), false),
            |session| {
                let role = match session.role {
                    InboxRole::Decide => "may decide",
                    InboxRole::Look => "may look",
                };
                let name = if session.name.is_empty() { "a colleague" } else { &session.name };
                let decides = session.role == InboxRole::Decide;
                (format!("{} ({role})", shown_text(name, 60)), session.csrf.clone(), decides)
            },
        );
        let note = locked(&visit.inbox.sessions).take_note(&visit.token);
        let counts = match crate::open::open_state_beside(visit.config) {
            Ok(Some(state)) => state.count_waiting().ok(),
            Ok(None) => Some(BTreeMap::default()),
            Err(_) => None,
        };
        let tabs = ListState::ATTENTION.map(|list| Tab {
            name: list.name(),
            label: label(list),
            count: counts
                .as_ref()
                .map(|counts| kinds(list).iter().filter_map(|kind| counts.get(*kind)).sum()),
        });
        Frame { page: page.to_owned(), who, csrf, decides, note, tabs: tabs.into() }
    }
}

/// What a list is called.
pub(super) const fn label(list: ListState) -> &'static str {
    match list {
        ListState::Held => "Held",
        ListState::Conflicts => "Conflicts",
        ListState::Ambiguous => "Ambiguous",
        ListState::Rejected => "Rejected",
        ListState::Duplicates => "Duplicates",
        ListState::InSync => "In sync",
        ListState::Ignored => "Ignored",
    }
}

/// A page as an answer.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Answer {
    match template.render() {
        Ok(text) => with_type(status, "text/html; charset=utf-8", Bytes::from(text)),
        Err(_) => defect(),
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    frame: Frame,
    heading: &'a str,
    text: &'a str,
    back: &'a str,
    link: &'a str,
}

/// A page that says why something was not done.
pub(super) fn message(
    visit: &Visit<'_>,
    status: StatusCode,
    heading: &str,
    text: &str,
    back: &str,
) -> Answer {
    let link = if back == "/" { "To the overview" } else { "Show it as it is now" };
    let frame = Frame::of(visit, "");
    page(status, &MessagePage { frame, heading, text, back, link })
}

/// A page that there is not.
pub(super) fn missing(visit: &Visit<'_>) -> Answer {
    message(visit, StatusCode::NOT_FOUND, "Not found", "There is no such page.", "/")
}

/// The state, or the page that says why there is none.
pub(super) fn state(visit: &Visit<'_>) -> Result<State, Box<Answer>> {
    state_so_far(visit)?.ok_or_else(|| Box::new(no_run(visit)))
}

/// The state; `None` before the first run.
pub(super) fn state_so_far(visit: &Visit<'_>) -> Result<Option<State>, Box<Answer>> {
    crate::open::open_state_beside(visit.config)
        .map_err(|error| Box::new(unreadable(visit, &error.to_reported_error().message)))
}

/// There was no run yet.
fn no_run(visit: &Visit<'_>) -> Answer {
    let text = "There was no run yet, so there is nothing to show.";
    message(visit, StatusCode::SERVICE_UNAVAILABLE, "Nothing to show", text, "/")
}

/// The state cannot be read.
pub(super) fn unreadable(visit: &Visit<'_>, error: &dyn Display) -> Answer {
    tracing::error!("the inbox cannot read the state: {error}");
    let text = format!("The state could not be read: {}", error_text(&error.to_string(), 400));
    message(visit, StatusCode::SERVICE_UNAVAILABLE, "Nothing to show", &text, "/")
}

/// What waits, and what was decided about it.
pub(super) fn questions(
    visit: &Visit<'_>,
) -> Result<(Questions, BTreeMap<Fingerprint, Decided>), Box<Answer>> {
    // Before the first run there are none.
    drop(state(visit)?);
    Questions::open(visit.config)
        .and_then(|questions| Ok((questions.decided()?, questions)))
        .map(|(decided, questions)| (questions, decided))
        .map_err(|error| Box::new(unreadable(visit, &error.message)))
}

/// An error on one line, with what nobody sees made visible.
pub(super) fn error_text(text: &str, width: usize) -> String {
    let mut joined = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !joined.is_empty() {
            joined += if joined.ends_with(['.', ':', ',', ';', '!', '?']) { " " } else { ". " };
        }
        joined += line;
    }
    shown_text(&joined, width)
}

/// A value, with what nobody sees made visible.
pub(super) fn value(text: &str) -> String {
    if text.trim().is_empty() { "(none)".to_owned() } else { shown_text(text, WIDTH) }
}

/// A time for people of this machine's zone.
pub(super) fn time(at: Timestamp) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M %:z").to_string()
}
