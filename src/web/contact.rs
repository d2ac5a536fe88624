//! One contact: both sides as the last run saw them, what waits, and its history.

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;

use super::deciding::listed;
use super::frame::{Frame, missing, page, questions, state, unreadable, value};
use super::guarded::{Answer, Visit};
use super::lists::{ContactLine, Question, described};
use super::past::{Event, event};
use crate::mirror::StateError;
use crate::model::{Field, LinkStatus, LinqId, Needles, Side, Values, WaitingKind};
use crate::text::shown_text;

/// How many events of a contact are told.
const EVENTS: usize = 50;
/// How many contacts a search shows.
const FOUND: usize = 50;

/// A field of both sides.
struct Row {
    name: &'static str,
    source: String,
    linq: String,
    base: String,
}

#[derive(Template)]
#[template(path = "contact.html")]
struct ContactPage {
    frame: Frame,
    id: LinqId,
    name: String,
    standing: &'static str,
    fields: Vec<Row>,
    questions: Vec<Question>,
    events: Vec<Event>,
    more: usize,
}

/// The page of a contact.
pub(super) fn contact(visit: &Visit<'_>, id: LinqId) -> Answer {
    let known = match state(visit) {
        Ok(state) => state,
        Err(problem) => return *problem,
    };
    let read = || -> Result<_, StateError> {
        let link = known.links_of(&BTreeSet::from([id]))?.into_iter().next();
        Ok((known.contact(id)?, link, known.history_of(id)?))
    };
    let (contact, link, history) = match read() {
        Ok(read) => read,
        Err(error) => return unreadable(visit, &error),
    };
    let (questions, decided) = match questions(visit) {
        Ok(questions) => questions,
        Err(problem) => return *problem,
    };
    let waits = listed(&questions.waiting, &decided, |waiting| waiting.linq_id == Some(id));
    if contact.is_none() && link.is_none() && history.is_empty() && waits.is_empty() {
        return missing(visit);
    }
    let standing = match (link.as_ref().map(|link| link.status), contact.is_some()) {
        (Some(LinkStatus::Linked), true) => "Linked.",
        (Some(LinkStatus::Linked), false) => "Linked; Linq did not list it in the last run.",
        (Some(LinkStatus::Released), _) => "Released: remembered, and left alone.",
        (None, true) => "In Linq only, not linked so far.",
        (None, false) => "Not there any more.",
    };
    let base = |side| link.as_ref().map(|link| half(link, side)).unwrap_or_default();
    let (mut source, agreed) = (base(Side::Source), base(Side::Linq));
    let contact_is_there = contact.is_some();
    let mut linq = contact.map_or_else(|| agreed.clone(), |contact| contact.values);
    let mut there = [link.is_some(), contact_is_there];
    // Where both differ, the question has what the source says.
    for (_, _, waiting) in &waits {
        match (&waiting.kind, &waiting.value) {
            (WaitingKind::HeldDeletion { side: Side::Linq }, _) => there[0] = false,
            (WaitingKind::HeldDeletion { side: Side::Source }, _) => there[1] = false,
            // It is a value of the side that has it.
            (WaitingKind::Rejected { field: Some(field), side: Side::Linq, .. }, Some(text)) => {
                source[*field] = text.as_str().into();
            }
            (WaitingKind::Rejected { field: Some(field), side: Side::Source, .. }, Some(text)) => {
                linq[*field] = text.as_str().into();
            }
            _ => {}
        }
        if let WaitingKind::Conflict { field, source: text, .. } = &waiting.kind {
            source[*field] = text.as_str().into();
        }
        if let WaitingKind::HeldClearing { side: Side::Linq, change }
        | WaitingKind::HeldChange { side: Side::Linq, change } = &waiting.kind
        {
            source[change.field] = change.to.clone();
        }
    }
    let shown = |is_there: bool, text: &str| {
        if is_there { value(text) } else { "(not there)".to_owned() }
    };
    let row = |field: Field| Row {
        name: field.name(),
        source: shown(there[0], &source[field]),
        linq: shown(there[1], &linq[field]),
        base: value(&agreed[field]),
    };
    let name = [&linq, &source].into_iter().map(Values::display_name).find(|n| !n.is_empty());
    let events: Vec<Event> = history.iter().rev().take(EVENTS).map(event).collect();
    let template = ContactPage {
        frame: Frame::of(visit, ""),
        id,
        name: shown_text(&name.unwrap_or_else(|| format!("contact {id}")), 120),
        standing,
        fields: Field::ALL.into_iter().map(row).collect(),
        questions: waits.iter().map(Question::of).collect(),
        more: history.len().saturating_sub(events.len()),
        events,
    };
    page(StatusCode::OK, &template)
}

fn half(link: &crate::model::Link, side: Side) -> Values {
    match side {
        Side::Source => link.base.source_values(),
        Side::Linq => link.base.linq_values(),
    }
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: Frame,
    text: &'a str,
    found: Option<Vec<ContactLine>>,
    cut: bool,
}

/// The page to search on. What is searched for is in no address.
pub(super) fn search(visit: &Visit<'_>, text: Option<&str>) -> Answer {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let mut found = None;
    if let Some(text) = text {
        let known = match state(visit) {
            Ok(state) => state,
            Err(problem) => return *problem,
        };
        match find(&known, text) {
            Ok(members) => found = Some(members),
            Err(error) => return unreadable(visit, &error),
        }
    }
    let cut = found.as_ref().is_some_and(|found| found.len() > FOUND);
    if let Some(found) = &mut found {
        found.truncate(FOUND);
    }
    let frame = Frame::of(visit, "search");
    page(StatusCode::OK, &SearchPage { frame, text: text.unwrap_or_default(), found, cut })
}

/// Contacts that have `text` in what they are recognised by, and one more than are shown.
fn find(state: &crate::mirror::State, text: &str) -> Result<Vec<ContactLine>, StateError> {
    enum Enough {
        Found,
        State(StateError),
    }
    impl From<StateError> for Enough {
        fn from(error: StateError) -> Enough {
            Enough::State(error)
        }
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_number = digits.len() >= 4 && !text.chars().any(char::is_alphabetic);
    let is_meant = |values: &Values| {
        let by =
            [Field::FirstName, Field::LastName, Field::Email, Field::PhoneNumber, Field::Company];
        let all: Vec<String> =
            by.iter().map(|field| values[*field].as_str().to_lowercase()).collect();
        let all = all.join(" ");
        let number: String =
            values[Field::PhoneNumber].chars().filter(char::is_ascii_digit).collect();
        words.iter().all(|word| all.contains(word.as_str()))
            || (is_number && number.contains(&digits))
    };
    let mut found = Vec::new();
    let done = state.each_contact(&Needles::default(), |id, values| {
        if is_meant(&values) {
            found.push(ContactLine { id: Some(id), text: described(&values, &format!("id {id}")) });
        }
        if found.len() > FOUND { Err(Enough::Found) } else { Ok(()) }
    });
    if let Err(Enough::State(error)) = done {
        return Err(error);
    }
    for waiting in state.stored_waiting()? {
        if waiting.linq_id.is_none() && is_meant(&waiting.person) && found.len() <= FOUND {
            let place = waiting.label.or(waiting.source_key).unwrap_or_default();
            found.push(ContactLine { id: None, text: described(&waiting.person, &place) });
        }
    }
    Ok(found)
}
