//! WHO as a full name: the one contact that is called so.
//!
//! Owns the way from a name to something that names one contact and no other: its id in Linq,
//! or its place in the source. Every command that takes a WHO goes through [`find_named`]. Leaves
//! ids, addresses, numbers, keys and places to [`Who`], which come first; but whoever the state
//! knows by the name comes before a record that it does not know and whose key is that name.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::mirror::State;
use crate::model::{Field, LinkStatus, LinqId, Values, Who, is_called, name_needles};
use crate::open::{self, OpenError};
use crate::report::ReportedError;
use crate::source::SourceAccess;

use super::text::shown_text;
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
    #[expect(clippy::wrong_self_convention, reason = "it is used up, and cannot be told twice")]
    pub(super) fn to_reported_error(self) -> ReportedError {
        let hint = "copy the id, or the place, of the one that is meant".to_owned();
        ReportedError { code: 2, message: self.0, hint }
    }
}

/// What names the contact that a person calls `text`: `text` itself, or its id or place where
/// `text` is the full name of that contact alone.
///
/// # Errors
/// When the state cannot be read; [`SameName`] where several contacts are called so.
pub(super) fn find_named(
    state: &State,
    config: &Config,
    text: &str,
) -> Result<Result<String, SameName>, OpenError> {
    let who = Who::new(text, config.policy().canon);
    if !text.chars().any(char::is_alphabetic) || is_known(state, text, &who)? {
        return Ok(Ok(text.to_owned()));
    }
    // Whoever the state knows by this name is found without reading the source.
    let mut found = in_state(state, text)?;
    if found.is_empty() {
        if whose::is_a_place(config, &who) {
            return Ok(Ok(text.to_owned()));
        }
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
type NamedContact = BTreeMap<String, String>;

/// Whether the state knows who is meant without it being a name.
fn is_known(state: &State, text: &str, who: &Who<'_>) -> Result<bool, OpenError> {
    let waits = state.stored_waiting()?.iter().any(|waiting| who.is_meant(waiting));
    if waits || !state.linked_with_key(text.trim())?.is_empty() {
        return Ok(true);
    }
    let Some(needles) = who.needles() else { return Ok(false) };
    let mut is_known = false;
    state.each_contact(&needles, |id, values| {
        is_known |= who.is_contact(Some(id), &values);
        Ok::<(), OpenError>(())
    })?;
    Ok(is_known)
}

/// The contacts that are called so, of those that the state knows at present.
fn in_state(state: &State, text: &str) -> Result<NamedContact, OpenError> {
    let mut found = NamedContact::new();
    let mut add = |name: String, place: &str, values: &Values| {
        found.entry(name).or_insert_with(|| describe_contact(place, values));
    };
    let mut add_contact =
        |id: LinqId, values: &Values| add(id.to_string(), &format!("id {id}"), values);
    let needles = name_needles(text);
    state.each_contact(&needles, |id, values| {
        if is_called(&values, text) {
            add_contact(id, &values);
        }
        Ok::<(), OpenError>(())
    })?;
    state.each_link(&needles, |link| {
        let known = [link.base.source_values(), link.base.linq_values()];
        let called = known.iter().find(|values| is_called(values, text));
        if let (LinkStatus::Linked, Some(values)) = (link.status, called) {
            add_contact(link.linq_id, values);
        }
        Ok::<(), OpenError>(())
    })?;
    for waiting in state.stored_waiting()?.iter().filter(|waiting| is_called(&waiting.person, text))
    {
        match (waiting.linq_id, &waiting.label) {
            (Some(id), _) => add(id.to_string(), &format!("id {id}"), &waiting.person),
            (None, Some(label)) => add(label.clone(), label, &waiting.person),
            (None, None) => {}
        }
    }
    Ok(found)
}

/// The records that are called so, where the source can be read.
fn in_source(config: &Config, text: &str) -> NamedContact {
    let reading = open::open_source(config, SourceAccess::ReadOnly).read_records().ok();
    let records = reading.into_iter().flat_map(|reading| reading.records);
    let records = records.filter(|record| is_called(&record.values, text));
    records.map(|one| (one.label.clone(), describe_contact(&one.label, &one.values))).collect()
}

/// The contacts that were called so.
fn in_history(state: &State, text: &str) -> Result<NamedContact, OpenError> {
    let mut found = NamedContact::new();
    state.each_in_history((None, ""), Some(&name_needles(text)), |row| {
        let called =
            whose::entry_values(&row.entry).into_iter().find(|values| is_called(values, text));
        if let (Some(values), Some(id)) = (called, row.entry.linq_id) {
            found.insert(id.to_string(), describe_contact(&format!("id {id}"), &values));
        }
        Ok::<(), OpenError>(())
    })?;
    Ok(found)
}

fn describe_contact(place: &str, values: &Values) -> String {
    let by = [Field::Email, Field::PhoneNumber, Field::Company];
    let known = by.iter().map(|field| values[*field].trim()).find(|text| !text.is_empty());
    known.map_or_else(|| place.to_owned(), |known| format!("{place} ({})", shown_text(known, 40)))
}

fn same_name(text: &str, found: &NamedContact) -> SameName {
    let listed: Vec<&str> = found.values().take(LISTED).map(String::as_str).collect();
    let more = match found.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    SameName(format!(
        "{} contacts are called {}: {}{more}",
        found.len(),
        shown_text(text, 60),
        listed.join(", ")
    ))
}
