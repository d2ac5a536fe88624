//! Whose history is meant: everything that the state tells of one contact.

use std::collections::BTreeSet;

use ecow::EcoString;

use crate::config::Config;
use crate::mirror::{HistoryEntry, HistoryRow, State};
use crate::model::{BaseChange, FieldChange, Fingerprint, LinqId, Needles, Values, Who};
use crate::open::{self, OpenError};
use crate::source::SourceAccess;

/// The ids that the contact has, and had, in Linq.
///
/// # Errors
/// When the state cannot be read.
pub(super) fn linq_ids(
    state: &State,
    config: &Config,
    text: &str,
) -> Result<BTreeSet<LinqId>, OpenError> {
    let who = Who::new(text, config.policy().canon);
    let key = text.trim();
    let needles = who.needles();
    let mut ids: BTreeSet<LinqId> = state.linked_with_key(key)?.into_iter().collect();
    if let Some(id) = who.linq_id()
        && state.knows_contact(id)?
    {
        ids.insert(id);
    }
    if let Some(needles) = &needles {
        state.each_contact(needles, |id, values| {
            ids.extend(who.is_contact(Some(id), &values).then_some(id));
            Ok::<(), OpenError>(())
        })?;
        state.each_link(needles, |link| {
            let values = [link.base.source_values(), link.base.linq_values()];
            let is_theirs = values.iter().any(|one| who.is_contact(Some(link.linq_id), one));
            ids.extend(is_theirs.then_some(link.linq_id));
            Ok::<(), OpenError>(())
        })?;
    }
    if ids.is_empty() {
        for record in at_place(config, &who) {
            ids.extend(state.linked_with_bytes(record)?);
        }
    }
    state.each_in_history((who.linq_id(), key), needles.as_ref(), |row| {
        let is_it = is_about(&row.entry, &who);
        ids.extend(row.entry.linq_id.filter(|_| is_it));
        Ok::<(), OpenError>(())
    })?;
    ids.extend(earlier_ids(state, config, &ids)?);
    Ok(ids)
}

/// The ids of contacts that are gone and had the same e-mail as one of `ids`: whoever
/// was deleted and created again has another id since.
fn earlier_ids(
    state: &State,
    config: &Config,
    ids: &BTreeSet<LinqId>,
) -> Result<BTreeSet<LinqId>, OpenError> {
    let canon = config.policy().canon;
    let mut emails: BTreeSet<String> = BTreeSet::new();
    for id in ids {
        emails.extend(state.contact(*id)?.and_then(|contact| canon.email_key(&contact.values)));
        for row in state.history_of(*id)? {
            emails.extend(
                entry_values(&row.entry).iter().filter_map(|values| canon.email_key(values)),
            );
        }
    }
    let mut gone = BTreeSet::new();
    if emails.is_empty() {
        return Ok(gone);
    }
    let needles = Needles::new(emails.iter().map(|email| [email.clone()]));
    state.each_in_history((None, ""), Some(&needles), |row| {
        let mut known = entry_values(&row.entry).into_iter().filter_map(|v| canon.email_key(&v));
        gone.extend(row.entry.linq_id.filter(|_| known.any(|email| emails.contains(&email))));
        Ok::<(), OpenError>(())
    })?;
    let mut still_there = BTreeSet::new();
    for id in &gone {
        still_there.extend(state.has_contact(*id)?.then_some(*id));
    }
    gone.retain(|id| !still_there.contains(id));
    Ok(gone)
}

/// The records that stand at the place that is named, if it is one.
fn at_place(config: &Config, who: &Who<'_>) -> BTreeSet<Fingerprint> {
    let reading = open::open_source(config, SourceAccess::ReadOnly).read_records().ok();
    let records = reading.into_iter().flat_map(|reading| reading.records);
    records.filter(|record| who.is_place(&record.label)).map(|record| record.fingerprint).collect()
}

/// Whether a record stands at the place that is named.
pub(super) fn is_a_place(config: &Config, who: &Who<'_>) -> bool {
    let reading = open::open_source(config, SourceAccess::ReadOnly).read_records().ok();
    let records = reading.into_iter().flat_map(|reading| reading.records);
    records.into_iter().any(|record| {
        let key = record.key.as_ref().map(ToString::to_string);
        who.is_place(&record.label) || key.is_some_and(|key| who.is_place(&key))
    })
}

/// Whether an entry of the history names the person. Places change from one reading to
/// the next, so that only keys count.
pub(super) fn is_about(entry: &HistoryEntry, who: &Who<'_>) -> bool {
    let key = entry.source_key.as_ref().filter(|key| !key.starts_with("row:"));
    key.is_some_and(|key| who.is_place(key))
        || entry_values(entry).iter().any(|values| who.is_contact(entry.linq_id, values))
}

/// What an entry tells of a person: before and after, in Linq and in the source.
pub(super) fn entry_values(entry: &HistoryEntry) -> [Values; 4] {
    let changes = |text: fn(&FieldChange) -> &EcoString| {
        entry.changes.iter().map(|change| (change.field, text(change).clone())).collect()
    };
    let bases = |half: fn(&BaseChange) -> &EcoString| {
        entry.bases.iter().map(|base| (base.field, half(base).clone())).collect()
    };
    [
        changes(|change| &change.from),
        changes(|change| &change.to),
        bases(|base| &base.before.linq),
        bases(|base| &base.before.source),
    ]
}

/// The history of these contacts, in order.
///
/// # Errors
/// When the state cannot be read.
pub(super) fn history_of(
    state: &State,
    ids: &BTreeSet<LinqId>,
) -> Result<Vec<HistoryRow>, OpenError> {
    let mut rows = Vec::new();
    for id in ids {
        rows.extend(state.history_of(*id)?);
    }
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}
