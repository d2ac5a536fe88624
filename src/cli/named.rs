//! WHO as a full name: the one contact that is called so.
//!
//! Owns the way from a name to something that names one contact and no other: its id in Linq,
//! or its place in the source. Every command that takes a WHO goes through [`named`]. Leaves
//! ids, addresses, numbers, keys and places to [`Who`], which come first.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::mirror::State;
use crate::model::{Field, Link, LinkStatus, LinqId, Values, Who, is_called};
use crate::open::{self, OpenError};
use crate::report::ReportedError;
use crate::source::Access;

use super::text::shown;
use super::whose;

/// How many of several contacts of one name are listed.
const LISTED: usize = 10;

/// Several contacts have the name.
pub(super) struct SameName(String);

impl SameName {
    /// What is wrong, for people.
    pub(super) fn message(&self) -> &str {
        &self.0
    }

    /// The same as an error of a command.
    pub(super) fn reported(self) -> ReportedError {
        let hint = "name one of them by its Linq id or its place instead".to_owned();
        ReportedError { code: 2, message: self.0, hint }
    }
}

/// What names the contact that a person calls `text`: `text` itself, or its id or place where
/// `text` is the full name of that contact alone.
///
/// # Errors
/// When the state cannot be read; [`SameName`] where several contacts are called so.
pub(super) fn named(
    state: &State,
    config: &Config,
    text: &str,
) -> Result<Result<String, SameName>, OpenError> {
    let who = Who::new(text, config.policy().canon);
    if !text.chars().any(char::is_alphabetic) || is_known(state, config, &who)? {
        return Ok(Ok(text.to_owned()));
    }
    let mut found = in_state(state, text)?;
    if found.is_empty() {
        found = in_source(config, text);
    }
    if found.is_empty() {
        found = in_history(state, text)?;
    }
    Ok(match found.len() {
        0 => Ok(text.to_owned()),
        1 => Ok(found.into_keys().next().unwrap_or_default()),
        _ => Err(same_name(text, &found)),
    })
}

/// What names a contact, and what it is to be recognised by in a list.
type Found = BTreeMap<String, String>;

/// Whether `text` says who is meant without being a name.
fn is_known(state: &State, config: &Config, who: &Who<'_>) -> Result<bool, OpenError> {
    let contacts = state.contacts()?;
    if contacts.iter().any(|(id, contact)| who.is_contact(Some(*id), &contact.values))
        || state.waiting()?.iter().any(|waiting| who.is(waiting))
    {
        return Ok(true);
    }
    let has_key = |link: &Link| link.key.as_ref().is_some_and(|key| who.is_place(&key.to_string()));
    Ok(state.links()?.iter().any(has_key) || whose::is_a_place(config, who))
}

/// The contacts that are called so, of those that the state knows at present.
fn in_state(state: &State, text: &str) -> Result<Found, OpenError> {
    let mut found = Found::new();
    let mut add = |name: String, place: &str, values: &Values| {
        found.entry(name).or_insert_with(|| described(place, values));
    };
    let mut add_contact =
        |id: LinqId, values: &Values| add(id.to_string(), &format!("id {id}"), values);
    for (id, contact) in state.contacts()? {
        if is_called(&contact.values, text) {
            add_contact(id, &contact.values);
        }
    }
    for link in state.links()?.iter().filter(|link| link.status == LinkStatus::Linked) {
        let known = [link.base.source_values(), link.base.linq_values()];
        if let Some(values) = known.iter().find(|values| is_called(values, text)) {
            add_contact(link.linq_id, values);
        }
    }
    for waiting in state.waiting()?.iter().filter(|waiting| is_called(&waiting.person, text)) {
        match (waiting.linq_id, &waiting.label) {
            (Some(id), _) => add(id.to_string(), &format!("id {id}"), &waiting.person),
            (None, Some(label)) => add(label.clone(), label, &waiting.person),
            (None, None) => {}
        }
    }
    Ok(found)
}

/// The records that are called so, where the source can be read.
fn in_source(config: &Config, text: &str) -> Found {
    let reading = open::source(config, Access::ReadOnly).read().ok();
    let records = reading.into_iter().flat_map(|reading| reading.records);
    let records = records.filter(|record| is_called(&record.values, text));
    records.map(|one| (one.label.clone(), described(&one.label, &one.values))).collect()
}

/// The contacts that were called so.
fn in_history(state: &State, text: &str) -> Result<Found, OpenError> {
    let rows = state.whole_history()?;
    let were = rows.iter().filter_map(|row| {
        let values = whose::texts(&row.entry).into_iter().find(|values| is_called(values, text))?;
        let id = row.entry.linq_id?;
        Some((id.to_string(), described(&format!("id {id}"), &values)))
    });
    Ok(were.collect())
}

fn described(place: &str, values: &Values) -> String {
    let by = [Field::Email, Field::PhoneNumber, Field::Company];
    let known = by.iter().map(|field| values[*field].trim()).find(|text| !text.is_empty());
    known.map_or_else(|| place.to_owned(), |known| format!("{place} ({})", shown(known, 40)))
}

fn same_name(text: &str, found: &Found) -> SameName {
    let listed: Vec<&str> = found.values().take(LISTED).map(String::as_str).collect();
    let more = match found.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    SameName(format!(
        "{} contacts are called {}: {}{more}",
        found.len(),
        shown(text, 60),
        listed.join(", ")
    ))
}
