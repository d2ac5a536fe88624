//! How much of both sides a run reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::mirror::State;
use crate::model::{LinqId, Policy, Resting};
use crate::observe::{planning_epoch, reading_meaning};
use crate::plan::LinqSide;
use crate::source::{Source, SourceReading};

use super::{RunError, RunPurpose};

/// How much a plan is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent<'a> {
    /// What may have to be done: a pair at rest is only counted.
    Restless,
    /// The same, with these contacts, which alone are asked for: of all others Linq is taken to
    /// show what it showed last.
    Named(&'a BTreeSet<LinqId>),
    /// Everybody.
    Everybody,
}

impl<'a> Extent<'a> {
    /// This one, or more, where a plan for `purpose` needs it.
    pub(super) fn at_least(
        self,
        aim: RunPurpose<'_>,
        state: &State,
    ) -> Result<Extent<'a>, RunError> {
        Ok(match (self, Extent::for_purpose(aim, state)?) {
            (Extent::Everybody, _) | (_, Extent::Everybody) => Extent::Everybody,
            (Extent::Restless | Extent::Named(_), _) => self,
        })
    }

    /// What a run for `purpose` needs. What an interrupted run left, and what is put back, may
    /// concern anybody.
    pub(super) fn for_purpose(aim: RunPurpose<'_>, state: &State) -> Result<Extent<'a>, RunError> {
        let is_sync = matches!(aim, RunPurpose::Sync);
        let is_quiet = is_sync && state.open_intents()?.is_empty();
        Ok(if is_quiet { Extent::Restless } else { Extent::Everybody })
    }
}

/// Reads the source, beside the pairs at rest that are returned with the reading. Where it
/// means something else than before, or a late save has undone what was written, nobody is
/// at rest.
pub(super) fn read_source(
    source: &mut dyn Source,
    state: &State,
    policy: &Policy,
    extent: Extent<'_>,
) -> Result<(SourceReading, Arc<Resting>), RunError> {
    let remembered = state.stored_meaning()?;
    let resting = match extent {
        Extent::Restless | Extent::Named(_) => {
            Arc::new(state.resting_pairs(planning_epoch(policy, remembered.as_ref()))?)
        }
        Extent::Everybody => Arc::default(),
    };
    let reading = source.read_beside(&resting)?;
    let is_as_ever = remembered.as_ref() == Some(&reading_meaning(policy, &reading))
        && reading.displaced.is_empty();
    if resting.is_empty() || is_as_ever {
        return Ok((reading, resting));
    }
    Ok((source.read_records()?, Arc::default()))
}

/// Adds to what Linq showed the contacts of the pairs `resting`, which it showed as they were:
/// nobody is at rest any more.
pub(super) fn wake_pairs(
    state: &State,
    resting: &Resting,
    linq: &mut LinqSide,
) -> Result<(), RunError> {
    let at_rest = std::mem::take(&mut linq.at_rest);
    let ids = at_rest.iter().map(|at| resting.linq_id(at));
    let ids: Vec<_> = ids.filter(|id| !linq.contacts.contains_key(id)).collect();
    linq.contacts.extend(state.contacts_of(ids)?);
    Ok(())
}
