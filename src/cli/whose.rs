//! Whose history is meant: everything that the state tells of one contact.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::mirror::{HistoryEntry, HistoryRow, State};
use crate::model::{BaseChange, Change, LinqId, Values, Who};
use crate::open::{self, OpenError};
use crate::source::Access;

/// The ids that the contact has, and had, in Linq.
///
/// # Errors
/// When the state cannot be read.
pub(super) fn ids(
    state: &State,
    config: &Config,
    text: &str,
) -> Result<BTreeSet<LinqId>, OpenError> {
    let who = Who::new(text, config.policy().canon);
    let mut ids = BTreeSet::new();
    for (id, contact) in state.contacts()? {
        ids.extend(who.is_contact(Some(id), &contact.values).then_some(id));
    }
    let in_source = at_place(config, &who);
    for link in state.links()? {
        let by_key = link.key.as_ref().is_some_and(|key| who.is_place(&key.to_string()));
        let values = [link.base.source_values(), link.base.linq_values()];
        let by_values = values.iter().any(|values| who.is_contact(Some(link.linq_id), values));
        let by_place = in_source.contains(&link.fingerprint);
        ids.extend((by_key || by_values || by_place).then_some(link.linq_id));
    }
    for row in state.whole_history()? {
        let is_it = is_about(&row.entry, &who);
        ids.extend(row.entry.linq_id.filter(|_| is_it));
    }
    ids.extend(earlier(state, config, &ids)?);
    Ok(ids)
}

/// The ids of contacts that are gone and had the same e-mail as one of `ids`: whoever
/// was deleted and created again has another id since.
fn earlier(
    state: &State,
    config: &Config,
    ids: &BTreeSet<LinqId>,
) -> Result<BTreeSet<LinqId>, OpenError> {
    let canon = config.policy().canon;
    let contacts = state.contacts()?;
    let rows = state.whole_history()?;
    let here = |id: &LinqId| contacts.contains_key(id);
    let of = |row: &HistoryRow| row.entry.linq_id.filter(|id| ids.contains(id));
    let mut emails: BTreeSet<String> = BTreeSet::new();
    for values in ids.iter().filter_map(|id| Some(&contacts.get(id)?.values)) {
        emails.extend(canon.email_key(values));
    }
    for row in rows.iter().filter(|row| of(row).is_some()) {
        emails.extend(texts(&row.entry).iter().filter_map(|values| canon.email_key(values)));
    }
    let shares = |row: &HistoryRow| {
        texts(&row.entry).iter().filter_map(|v| canon.email_key(v)).any(|e| emails.contains(&e))
    };
    let gone = rows.iter().filter(|row| shares(row)).filter_map(|row| row.entry.linq_id);
    Ok(gone.filter(|id| !here(id)).collect())
}

/// The records that stand at the place that is named, if it is one.
fn at_place(config: &Config, who: &Who<'_>) -> BTreeSet<crate::model::Fingerprint> {
    let reading = open::source(config, Access::ReadOnly).read().ok();
    let records = reading.into_iter().flat_map(|reading| reading.records);
    records.filter(|record| who.is_place(&record.label)).map(|record| record.fingerprint).collect()
}

/// Whether a record stands at the place that is named.
pub(super) fn is_a_place(config: &Config, who: &Who<'_>) -> bool {
    let reading = open::source(config, Access::ReadOnly).read().ok();
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
        || texts(entry).iter().any(|values| who.is_contact(entry.linq_id, values))
}

/// What an entry tells of a person: before and after, in Linq and in the source.
pub(super) fn texts(entry: &HistoryEntry) -> [Values; 4] {
    let changes = |text: fn(&Change) -> &String| {
        entry.changes.iter().map(|change| (change.field, text(change).clone())).collect()
    };
    let bases = |half: fn(&BaseChange) -> &String| {
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
