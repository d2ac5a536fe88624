//! What the source's readings mean, settled before anything is planned.

use std::collections::BTreeSet;

use crate::mirror::State;
use crate::model::{LinqId, Meaning, Policy, RunId, Timestamp};
use crate::observe::{self, SourceRead};
use crate::plan::Observation;
use crate::record::Recorder;
use crate::source::SourceReading;

use super::RunError;

/// Remembers what the reading means, and brings what was `seen` up to it. Returns what has
/// changed since the last run, for people.
///
/// # Errors
/// [`RunError::OtherIds`] when the id column is a new one and not for ids; nothing is
/// remembered then.
pub(super) fn settle_meaning(
    state: &State,
    policy: &Policy,
    run: RunId,
    read: SourceRead<'_>,
    seen: &mut Observation,
    now: Timestamp,
) -> Result<Option<String>, RunError> {
    let meaning = observe::reading_meaning(policy, read.reading);
    check_id_column(state.stored_meaning()?.as_ref(), &meaning, read.reading, seen)?;
    let change = Recorder { state, run, policy, seen }.record_meaning(&meaning, now)?;
    if change.is_some() {
        observe::see_again(state, policy, read, seen)?;
    }
    Ok(change)
}

/// Refuses an id column that was not used so far and in which mostly something else
/// stands: ids would be written over it.
fn check_id_column(
    before: Option<&Meaning>,
    now: &Meaning,
    reading: &SourceReading,
    seen: &Observation,
) -> Result<(), RunError> {
    let column = |meaning: &Meaning| meaning.manner.as_ref()?.id_column.clone();
    let Some(name) = column(now) else { return Ok(()) };
    if before
        .is_some_and(|before| before.manner.is_none() || column(before).as_ref() == Some(&name))
    {
        return Ok(());
    }
    let ids: Vec<_> = reading.records.iter().filter_map(|record| record.linq_id).collect();
    let linked: BTreeSet<LinqId> = seen.links.iter().map(|link| link.linq_id).collect();
    let is_known = |id: &&LinqId| seen.linq.contacts.contains_key(id) || linked.contains(id);
    let unknown = ids.len() - ids.iter().filter(is_known).count() + reading.other_ids;
    if unknown * 2 > ids.len() + reading.other_ids && unknown > 1 {
        return Err(RunError::OtherIds(name));
    }
    Ok(())
}
