//! Keeping the linked records whole, for the day on which one is gone.
//!
//! Owns which records are kept. Leaves where to [`crate::mirror`], and what a record is as it
//! is written to [`crate::source`].

use std::collections::{BTreeMap, BTreeSet};

use super::SourceRead;
use crate::mirror::{KeptRecord, State, StateError};
use crate::model::{Fingerprint, LinkId, LinkStatus, Policy, RecordIndex, SourceRecord};
use crate::plan::{Observation, records_of_links};

/// Keeps the linked records of what was `seen`, which is what was `read` last, and those that
/// stand beside one of them: a record is kept with its place. A source that cannot be read as
/// a whole keeps what was kept before.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn keep_records(
    state: &State,
    read: SourceRead<'_>,
    seen: &Observation,
    policy: &Policy,
) -> Result<(), StateError> {
    let SourceRead { source, resting, .. } = read;
    let linked = seen.links.iter().filter(|link| link.status == LinkStatus::Linked);
    let linked: BTreeSet<LinkId> = linked.map(|link| link.id).collect();
    let mut records: BTreeMap<LinkId, &SourceRecord> =
        records_of_links(seen, policy).into_iter().collect();
    records.retain(|link, _| linked.contains(link));
    let there: Vec<RecordIndex> = seen.source.records.iter().map(|record| record.index).collect();
    let beside = source.records_beside(&there);
    for (at, record) in &beside {
        records.entry(resting.link_id(*at)).or_insert(record);
    }
    let stamps = records.iter().map(|(link, record)| (*link, source.record_stamp(record.index)));
    let there: BTreeMap<LinkId, Fingerprint> = stamps.collect();
    let mut read = |link: LinkId| {
        let record = records.get(&link)?;
        let written = source.as_written(record.index);
        // A file that somebody has changed since is read by the next run.
        let is_there = !written.text.is_empty();
        is_there.then(|| KeptRecord { values: record.values.clone(), written })
    };
    state.keep_records(&there, &mut read)
}
