//! What a plan depends on, gathered: whoever is not at rest, and whoever they could be taken
//! for.
//!
//! Owns leaving the others unread. Leaves which these are to [`crate::plan`]: a plan of what is
//! gathered is the one of everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::mirror::{State, StateError};
use crate::model::{
    Field, Link, LinqId, Policy, Positions, RecordIndex, Resting, Side, Unreadable,
};
use crate::plan::{Observation, RestingHolders, agreed_on, much_edited, wanted_in_plan};
use crate::source::{Source, SourceReading};

/// What is read from where.
pub(super) struct Gathering<'a> {
    pub(super) state: &'a State,
    pub(super) source: &'a dyn Source,
    pub(super) reading: &'a SourceReading,
    pub(super) resting: &'a Resting,
}

impl Gathering<'_> {
    /// Adds to what was `seen`, of which the records and contacts are those that are not at
    /// rest, the links that are not, and both halves of their pairs.
    pub(super) fn add_restless(&self, seen: &mut Observation) -> Result<(), StateError> {
        // Not both of them in memory at once, the old ones and the new ones.
        seen.links = Vec::new();
        if self.resting.is_empty() {
            seen.links = self.state.links()?;
            return Ok(());
        }
        let mut ids = self.state.unrested_contacts()?;
        for at in 0..self.resting.len() {
            let id = self.resting.linq_id(at);
            if !self.is_at_rest(at, seen) || seen.linq.contacts.contains_key(&id) {
                ids.insert(id);
            }
        }
        self.add_pairs(seen, &ids)
    }

    /// Adds whoever else is to be in a plan of what was `seen`, and counts the others.
    pub(super) fn add_others(
        &self,
        seen: &mut Observation,
        policy: &Policy,
    ) -> Result<(), StateError> {
        if self.resting.is_empty() {
            return Ok(());
        }
        let mut left: BTreeSet<LinqId> = seen.links.iter().map(|link| link.linq_id).collect();
        let wanted = wanted_in_plan(seen, policy.canon);
        let mut further: BTreeSet<LinqId> = wanted.contacts;
        if !wanted.marks.is_empty() {
            further.extend(self.state.resting_with(|mark| wanted.marks.contains(&mark))?);
        }
        further.retain(|id| !left.contains(id) && self.resting.of_id(*id).is_some());
        self.add_pairs(seen, &further)?;
        left.extend(further);
        for at in 0..self.resting.len() {
            // A pair that is no more was not at rest when it ended.
            if self.is_at_rest(at, seen) && !left.contains(&self.resting.linq_id(at)) {
                seen.census.count_pair(self.resting.counted_at(at));
            }
        }
        Ok(())
    }

    /// Adds whose the values are of those who are at rest, where it matters.
    pub(super) fn add_holders(
        &self,
        seen: &mut Observation,
        policy: &Policy,
    ) -> Result<(), StateError> {
        if seen.census.pairs == 0 {
            return Ok(());
        }
        let fields = much_edited(seen, policy);
        if fields.is_empty() {
            return Ok(());
        }
        let planned: BTreeSet<LinqId> = seen.links.iter().map(|link| link.linq_id).collect();
        let mut holders: BTreeMap<(Side, Field), RestingHolders> = BTreeMap::new();
        self.state.each_link_at_rest(|link: &Link| {
            if planned.contains(&link.linq_id) {
                return;
            }
            for (side, field) in &fields {
                if let Some(text) = agreed_on(link, *side, *field) {
                    let holders = holders.entry((*side, *field)).or_default();
                    holders.add_value(*field, text, policy.canon);
                }
            }
        })?;
        holders.values_mut().for_each(RestingHolders::sort_values);
        seen.census.holders = holders;
        Ok(())
    }

    /// Whether both halves of the pair at `at` are as they were.
    fn is_at_rest(&self, at: usize, seen: &Observation) -> bool {
        let SourceReading { at_rest, doubled, .. } = self.reading;
        seen.linq.at_rest.contains(at) && at_rest.contains(at) && !doubled.contains(at)
    }

    /// Adds the pairs of these contacts: links, records and contacts that are not there yet.
    /// What was linked when the run began is there whole, whatever became of the link.
    fn add_pairs(&self, seen: &mut Observation, ids: &BTreeSet<LinqId>) -> Result<(), StateError> {
        if ids.is_empty() {
            return Ok(());
        }
        let links = self.state.links_of(ids)?;
        let pairs: Positions = (ids.iter())
            .filter_map(|id| self.resting.of_id(*id))
            .filter(|at| self.reading.at_rest.contains(*at))
            .collect();
        if !pairs.is_empty() {
            let there = seen.source.records.iter().map(|record| record.index);
            let there: BTreeSet<RecordIndex> = there.collect();
            let mut records = self.source.at_rest(&pairs);
            let found: Positions =
                records.iter().filter_map(|record| self.resting.of_record(record)).collect();
            if found.len() < pairs.len() {
                // Whoever is in it is not gone.
                seen.source.unreadable.push(Unreadable {
                    label: "a file of the source".to_owned(),
                    line: 1,
                    reason: "it was changed while the run went on; the next one reads it"
                        .to_owned(),
                });
            }
            records.retain(|record| !there.contains(&record.index));
            seen.source.records.extend(records);
            seen.source.records.sort_by_key(|record| record.index);
        }
        let is_at_rest = |id: &LinqId| {
            !seen.linq.contacts.contains_key(id)
                && self.resting.of_id(*id).is_some_and(|at| seen.linq.at_rest.contains(at))
        };
        let contacts: Vec<LinqId> = ids.iter().copied().filter(is_at_rest).collect();
        // The mirror has them as they were listed.
        seen.linq.contacts.extend(self.state.contacts_of(contacts)?);
        seen.links.extend(links);
        seen.links.sort_by_key(|link| link.id);
        Ok(())
    }
}
