//! Keeping the linked records whole, for the day on which one is gone.
//!
//! Owns which records are kept. Leaves where to [`crate::mirror`], and what a record is as it
//! is written to [`crate::source`].

use std::collections::BTreeMap;

use crate::mirror::{KeptRecord, State, StateError};
use crate::model::{Fingerprint, LinkId, LinkStatus, Policy};
use crate::plan::{Observation, records_of_links};
use crate::source::Source;

/// Keeps the linked records of what was `seen`, which is what `source` has read last. A
/// source that cannot be read as a whole keeps what was kept before.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn keep_records(
    state: &State,
    source: &dyn Source,
    seen: &Observation,
    policy: &Policy,
) -> Result<(), StateError> {
    let linked = seen.links.iter().filter(|link| link.status == LinkStatus::Linked);
    let linked: Vec<LinkId> = linked.map(|link| link.id).collect();
    let mut records = records_of_links(seen, policy);
    records.retain(|link, _| linked.binary_search(link).is_ok());
    let stamps = records.iter().map(|(link, record)| (*link, source.stamp(record.index)));
    let there: BTreeMap<LinkId, Fingerprint> = stamps.collect();
    let mut read = |link: LinkId| {
        let record = records.get(&link)?;
        let written = source.as_written(record.index);
        // A file that somebody has changed since is read by the next run.
        let is_there = !written.text.is_empty();
        is_there.then(|| KeptRecord { values: record.values.clone(), written })
    };
    state.keep_records(&linked, &there, &mut read)
}
