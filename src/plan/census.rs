//! What a plan is made without: pairs at rest, counted.
//!
//! Owns the reduction of what was seen to what a plan can depend on, and its law: a plan that
//! is made without the pairs at rest is the same. Leaves which pairs those are to
//! [`Rest::for_pair`], and what of them is remembered to [`crate::mirror`].
//!
//! A pair at rest has no step. It matters to others in two ways only: by how many there are,
//! which the census tells, and by being taken for somebody else, or somebody else for it.
//! Whoever shares a mark with a record of the plan is therefore part of the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Canon, Counted, Field, Ignored, Link, LinkId, LinqId, Mark, Policy, Rest, Side, SourceRecord,
    Values,
};

#[cfg(test)]
use crate::model::Fingerprint;

use super::case::{LinqHalf, SourceHalf};
use super::correlate::correlate_cases;
use super::disposition::{Disposition, disposition_of};
use super::observation::Observation;
use super::recognise::recognise_records;
use super::step::Plan;

/// How many pairs at rest there are beside what was observed, and what they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// The pairs.
    pub pairs: usize,
    /// Those of them whose record has a key.
    pub with_keys: usize,
    /// Those of them that are known by their key alone: their record does not say which
    /// contact is its own.
    pub known_by_key: usize,
    /// How many have a value in each field, in the source and in Linq.
    filled: [[usize; 8]; 2],
    /// Whose values those of a field are, for the fields in which so many values changed that
    /// it matters.
    pub holders: BTreeMap<(Side, Field), RestingHolders>,
}

impl Census {
    /// Counts one more pair.
    pub fn count_pair(&mut self, pair: Counted) {
        self.pairs += 1;
        self.with_keys += usize::from(pair.has_key);
        self.known_by_key += usize::from(pair.has_key && !pair.has_id);
        for (counts, filled) in self.filled.iter_mut().zip(pair.filled) {
            filled.iter().for_each(|field| counts[field as usize] += 1);
        }
    }

    /// How many have a value of `field` on `side`.
    pub(super) fn filled_count(&self, side: Side, field: Field) -> usize {
        self.filled[side as usize][field as usize]
    }
}

/// The values of one field that pairs at rest agreed on, as they are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestingHolders {
    /// One mark for each pair that has a value, in order.
    marks: Vec<Mark>,
}

impl RestingHolders {
    /// Adds one who has `text` in `field`, unless that is blank.
    pub fn add_value(&mut self, field: Field, text: &str, canon: Canon) {
        if !text.trim().is_empty() {
            self.marks.push(Mark::of_value(&canon.canonical_value(field, text)));
        }
    }

    /// Puts them in order, once all were added.
    pub fn sort_values(&mut self) {
        self.marks.sort_unstable();
    }

    /// How many have a value.
    pub(super) fn holder_count(&self) -> usize {
        self.marks.len()
    }

    /// How many have the value that is compared as `value`.
    pub(super) fn of_value(&self, value: &str) -> usize {
        let mark = Mark::of_value(value);
        self.marks.partition_point(|one| *one <= mark)
            - self.marks.partition_point(|one| *one < mark)
    }

    /// How many have a value of their own, which none of `others` has.
    pub(super) fn of_their_own<'a>(&self, others: impl Iterator<Item = &'a String>) -> usize {
        let others: BTreeSet<Mark> = others.map(|value| Mark::of_value(value)).collect();
        let runs = self.marks.chunk_by(|one, other| one == other);
        runs.filter(|run| run.len() == 1 && !others.contains(&run[0])).count()
    }
}

/// What is to be in a plan beside what has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedInPlan {
    /// Whoever has one of these marks.
    pub marks: BTreeSet<Mark>,
    /// The pairs of these contacts.
    pub contacts: BTreeSet<LinqId>,
}

impl WantedInPlan {
    /// Whether the pair is to be in the plan.
    pub fn wants_pair(&self, rest: &Rest) -> bool {
        self.contacts.contains(&rest.linq_id)
            || rest.marks.iter().any(|mark| self.marks.contains(mark))
    }
}

/// Who is to be in a plan of what was `seen`, which is all that is not at rest.
pub fn wanted_in_plan(seen: &Observation, canon: Canon) -> WantedInPlan {
    let mut wanted = WantedInPlan::default();
    for record in &seen.source.records {
        wanted.marks.extend(marks_of_record(record, canon));
        wanted.contacts.extend(record.linq_id);
    }
    if !wanted.marks.is_empty() {
        // Who looks for a contact finds these, and whoever else looks like one of them has a
        // claim to it.
        let mut further = BTreeSet::new();
        for contact in seen.linq.contacts.values() {
            let marks: Vec<Mark> = Mark::of_values(&contact.values, canon).collect();
            if marks.iter().any(|mark| wanted.marks.contains(mark)) {
                further.extend(marks);
            }
        }
        wanted.marks.extend(further);
    }
    for link in &seen.links {
        wanted.marks.extend(Mark::of_link(link));
    }
    wanted.contacts.extend(seen.decisions.decided_contacts());
    wanted.contacts.extend(seen.ignoring.entries.iter().filter_map(Ignored::linq_id));
    wanted.contacts.extend(seen.held.values().map(|hold| hold.linq_id));
    wanted
}

/// All by which a record may be taken for somebody else.
fn marks_of_record(record: &SourceRecord, canon: Canon) -> impl Iterator<Item = Mark> {
    let others = record.others.iter().flat_map(move |other| {
        let values = Values::from_iter([(other.field, other.text.clone())]);
        [Mark::of_email(&values, canon), Mark::of_phone(&values, canon)].into_iter().flatten()
    });
    Mark::of_values(&record.values, canon)
        .chain(others)
        .chain(record.key.as_ref().map(Mark::of_key))
        .chain([Mark::of_bytes(record.fingerprint)])
}

/// The fields of which so many values may be written on a side that whose values they were
/// before matters.
pub fn much_edited(seen: &Observation, policy: &Policy) -> BTreeSet<(Side, Field)> {
    let mut edits: BTreeMap<(Side, Field), usize> = BTreeMap::new();
    let found = recognise_records(seen, policy).links;
    let (mut pairs, mut records) = (0, 0);
    for (link, position) in found {
        let record = position.map(|at| &seen.source.records[at]);
        let contact = seen.linq.contacts.get(&link.linq_id);
        records += usize::from(record.is_some());
        pairs += usize::from(contact.is_some());
        for field in seen.source.mapped.iter() {
            let agreed = link.base.get(field);
            let in_source = record.is_some_and(|record| {
                agreed.is_none_or(|agreed| agreed.source != record.values[field])
            });
            let in_linq = contact.is_some_and(|contact| {
                agreed.is_none_or(|agreed| agreed.linq != contact.values[field])
            });
            for (side, is_edited) in [(Side::Linq, in_source), (Side::Source, in_linq)] {
                *edits.entry((side, field)).or_default() +=
                    usize::from(is_edited || agreed.is_none());
            }
        }
    }
    // Who is linked now may be given values as well.
    let unlinked =
        (seen.source.records.len() - records).min(seen.linq.contacts.len().saturating_sub(pairs));
    let is_much = |count: usize| count + unlinked >= super::mass_edits::FEW;
    let all = Side::ALL
        .into_iter()
        .flat_map(|side| seen.source.mapped.iter().map(move |field| (side, field)));
    all.filter(|one| is_much(edits.get(one).copied().unwrap_or(0))).collect()
}

/// What of all that was `seen` a plan depends on, where the pairs for which `is_at_rest` are.
/// This is the law of what [`crate::observe`] does without reading them.
#[cfg(test)]
pub(super) fn reduce_observation(
    seen: &Observation,
    policy: &Policy,
    is_at_rest: impl Fn(&Rest) -> bool,
) -> Observation {
    if !seen.doubtful.is_empty() || !seen.half_added.is_empty() {
        return seen.clone();
    }
    let canon = policy.canon;
    let records: BTreeMap<Fingerprint, &SourceRecord> =
        seen.source.records.iter().map(|record| (record.fingerprint, record)).collect();
    let rest = |link: &Link| -> Option<Rest> {
        let record = records.get(&link.fingerprint)?;
        let contact = seen.linq.contacts.get(&link.linq_id)?;
        Rest::for_pair(link, record, contact, canon).filter(&is_at_rest)
    };
    let mut rests: Vec<Rest> = seen.links.iter().filter_map(rest).collect();
    let without = |rests: &[Rest]| {
        let links: BTreeSet<LinkId> = rests.iter().map(|rest| rest.link).collect();
        let contacts: BTreeSet<LinqId> = rests.iter().map(|rest| rest.linq_id).collect();
        let records: BTreeSet<Fingerprint> = (seen.links.iter())
            .filter(|link| links.contains(&link.id))
            .map(|link| link.fingerprint)
            .collect();
        let mut left = seen.clone();
        left.links.retain(|link| !links.contains(&link.id));
        left.linq.contacts.retain(|id, _| !contacts.contains(id));
        left.source.records.retain(|record| !records.contains(&record.fingerprint));
        left
    };
    let wanted = wanted_in_plan(&without(&rests), canon);
    rests.retain(|rest| !wanted.wants_pair(rest));
    let mut left = without(&rests);
    for rest in &rests {
        left.census.count_pair(rest.counted);
    }
    let links: BTreeSet<LinkId> = rests.iter().map(|rest| rest.link).collect();
    for (side, field) in much_edited(&left, policy) {
        let mut holders = RestingHolders::default();
        for link in seen.links.iter().filter(|link| links.contains(&link.id)) {
            if let Some(text) = agreed_on(link, side, field) {
                holders.add_value(field, text, canon);
            }
        }
        holders.sort_values();
        left.census.holders.insert((side, field), holders);
    }
    left
}

/// What `link` agreed on in a field, on the side where it would be edited to be written on
/// `side`.
pub fn agreed_on(link: &Link, side: Side, field: Field) -> Option<&str> {
    let agreed = link.base.get(field)?;
    Some(match side {
        Side::Linq => &agreed.source,
        Side::Source => &agreed.linq,
    })
}

/// The pairs of what was `seen` that are at rest, now that `plan` was made of it.
pub fn at_rest(seen: &Observation, policy: &Policy, plan: &Plan) -> Vec<Rest> {
    if plan.halt.is_some() || seen.changed_meaning.is_some() || seen.source.read_only.is_some() {
        return Vec::new();
    }
    let busy: BTreeSet<LinkId> = (plan.steps.iter().filter_map(|step| step.subject.link))
        .chain(plan.rewritten.iter().map(|rewritten| rewritten.0))
        .collect();
    let cases = correlate_cases(seen, policy);
    let shared = shared_marks(seen);
    let mut rests = Vec::new();
    for case in &cases {
        let Some((link, SourceHalf::Present(record), LinqHalf::Present(contact))) =
            case.linked_pair()
        else {
            continue;
        };
        if busy.contains(&link.id)
            || disposition_of(case, plan, seen, policy) != Some(Disposition::InSync)
        {
            continue;
        }
        let rest = Rest::for_pair(link, record, contact, policy.canon);
        let is_told_apart = |rest: &Rest| !rest.marks.iter().any(|mark| shared.contains(mark));
        rests.extend(rest.filter(is_told_apart));
    }
    rests
}

/// The keys and bytes that several records or links have: who is who is told by all of them.
fn shared_marks(seen: &Observation) -> BTreeSet<Mark> {
    let mut shared = BTreeSet::new();
    let mut tell = |marks: Vec<Mark>| {
        let mut once = BTreeSet::new();
        shared.extend(marks.into_iter().filter(|mark| !once.insert(*mark)));
    };
    tell(seen.links.iter().flat_map(Mark::of_link).collect());
    let known_as = |record: &SourceRecord| {
        let key = record.key.as_ref().map(Mark::of_key);
        key.into_iter().chain([Mark::of_bytes(record.fingerprint)]).collect::<Vec<_>>()
    };
    tell(seen.source.records.iter().flat_map(known_as).collect());
    shared
}
