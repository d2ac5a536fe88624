//! Whose history is meant: everything that the state tells of one contact.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::mirror::{HistoryEntry, HistoryRow, State};
use crate::model::{LinqId, Values, Who};
use crate::open::{self, OpenError};
use crate::source::Source;
use crate::source::csv::Access;

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
    Ok(ids)
}

/// The records that stand at the place that is named, if it is one.
fn at_place(config: &Config, who: &Who<'_>) -> BTreeSet<crate::model::Fingerprint> {
    let reading = open::source(config, Access::ReadOnly).ok().and_then(|mut s| s.read().ok());
    let records = reading.into_iter().flat_map(|reading| reading.records);
    records.filter(|record| who.is_place(&record.label)).map(|record| record.fingerprint).collect()
}

/// Whether an entry of the history names the person. Places change from one reading to
/// the next, so that only keys count.
pub(super) fn is_about(entry: &HistoryEntry, who: &Who<'_>) -> bool {
    let key = entry.source_key.as_ref().filter(|key| !key.starts_with("row:"));
    let texts: [fn(&HistoryEntry) -> Values; 4] = [
        |entry| entry.changes.iter().map(|c| (c.field, c.from.clone())).collect(),
        |entry| entry.changes.iter().map(|c| (c.field, c.to.clone())).collect(),
        |entry| entry.bases.iter().map(|b| (b.field, b.before.linq.clone())).collect(),
        |entry| entry.bases.iter().map(|b| (b.field, b.before.source.clone())).collect(),
    ];
    key.is_some_and(|key| who.is_place(key))
        || texts.iter().any(|values| who.is_contact(entry.linq_id, &values(entry)))
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
