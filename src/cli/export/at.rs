//! Linq's contacts as they were at an earlier time, as far as the history tells.
//!
//! Owns the way back: from what the mirror has now, entry by entry, the latest first. What was
//! changed in Linq counts from the run that carried it on: until then a contact has the values
//! that were synced last.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::config::Config;
use crate::mirror::{HistoryAction, HistoryEntry, Span, State, StateError};
use crate::model::{LinqId, Side, Timestamp, Values};
use crate::open::OpenError;
use crate::report::ReportedError;

use super::super::history::instant_text;

/// The contacts at an earlier time, by id.
pub(super) type PastContacts = BTreeMap<LinqId, Values>;

/// The contacts as they were at `at`.
///
/// # Errors
/// When the history does not reach back so far, or the state cannot be read.
pub(super) fn contacts_at(
    state: &State,
    config: &Config,
    at: Timestamp,
    now: Timestamp,
) -> Result<PastContacts, ReportedError> {
    let reported = |error: StateError| OpenError::from(error).to_reported_error();
    if let Some(message) = why_unknown(state, config, at, now).map_err(reported)? {
        let hint = "`linqsync history --all` shows the runs that are known".to_owned();
        return Err(ReportedError { code: 2, message, hint });
    }
    let contacts = state.contacts().map_err(reported)?.into_iter();
    let mut contacts: PastContacts = contacts.map(|(id, contact)| (id, contact.values)).collect();
    let since = at + TimeDelta::milliseconds(1);
    let span = Span { since: Some(since), until: None };
    state
        .each_within(span, |row| {
            take_back(&row.entry, &mut contacts);
            Ok::<(), StateError>(())
        })
        .map_err(reported)?;
    Ok(contacts)
}

/// Why nothing is known of that time, if so.
fn why_unknown(
    state: &State,
    config: &Config,
    at: Timestamp,
    now: Timestamp,
) -> Result<Option<String>, StateError> {
    let kept = TimeDelta::from_std(config.state.history).unwrap_or(TimeDelta::MAX);
    if now.checked_sub_signed(kept).is_some_and(|oldest| at < oldest) {
        let kept = humantime::format_duration(config.state.history);
        return Ok(Some(format!("the history is kept for {kept} (state.history)")));
    }
    Ok(match state.first_run()? {
        None => Some("there was no run yet".to_owned()),
        Some(first) if at < first => Some(format!(
            "nothing is known of {}: the first run began {}",
            instant_text(at),
            instant_text(first)
        )),
        Some(_) => None,
    })
}

/// Takes one entry of the history back.
fn take_back(entry: &HistoryEntry, contacts: &mut PastContacts) {
    let Some(id) = entry.linq_id else { return };
    match entry.action {
        HistoryAction::Create => {
            contacts.remove(&id);
        }
        HistoryAction::Update => {
            if let Some(values) = contacts.get_mut(&id) {
                undo_entry(entry, values);
            }
        }
        HistoryAction::Delete | HistoryAction::Forget => {
            let had = deleted_values(entry);
            if !had.filled_fields().is_empty() {
                contacts.insert(id, had);
            }
        }
        HistoryAction::Link
        | HistoryAction::Release
        | HistoryAction::Relink
        | HistoryAction::Conflict
        | HistoryAction::Reject => {}
    }
}

fn undo_entry(entry: &HistoryEntry, values: &mut Values) {
    match entry.side {
        Side::Linq => {
            // Of a value that waited in a conflict it is not known since when Linq had it.
            let agreed = |field| {
                let base = entry.bases.iter().find(|base| base.field == field && base.agreed)?;
                Some(&base.before.linq)
            };
            for change in &entry.changes {
                let was = agreed(change.field).unwrap_or(&change.from);
                values[change.field].clone_from(was);
            }
        }
        // What was written into the source had been changed in Linq, if Linq had it since.
        Side::Source => {
            for base in &entry.bases {
                if values[base.field] == base.after.linq {
                    values[base.field].clone_from(&base.before.linq);
                }
            }
        }
    }
}

/// What a contact that is gone had in Linq.
fn deleted_values(entry: &HistoryEntry) -> Values {
    let last: Values =
        entry.changes.iter().map(|change| (change.field, change.from.clone())).collect();
    match entry.side {
        Side::Linq => last,
        Side::Source => entry.bases.iter().fold(last, |mut values, base| {
            values[base.field].clone_from(&base.before.linq);
            values
        }),
    }
}
