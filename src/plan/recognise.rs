//! Which records the state knows: by a link, by a create that was not answered, or
//! because an interrupted run added them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Link, LinkId, LinkStatus, LinqId, Policy, SourceRecord};

use super::census::Census;
use super::copies::find_copies;
use super::observation::{DoubtfulCreate, HalfAdded, Observation};
use super::reidentify::{KnownRecord, reidentify_records};

/// What the state knows, each with the position of its record where there is one. A
/// record has one place here, but that a create may have been sent for a linked record
/// whose contact is gone.
pub(super) struct Recognised<'a> {
    /// The links, by id.
    pub(super) links: Vec<(&'a Link, Option<usize>)>,
    /// Creates in doubt, by intent.
    pub(super) creates: Vec<(&'a DoubtfulCreate, Option<usize>)>,
    /// Records half added for contacts that are not linked.
    pub(super) additions: Vec<(&'a HalfAdded, Option<usize>)>,
    /// The positions of copies, each with that of the record whose key it has. None of
    /// them is recognised as anything else.
    pub(super) copies: BTreeMap<usize, usize>,
}

/// Finds the records of what the state knows.
pub(super) fn recognise_records<'a>(seen: &'a Observation, policy: &Policy) -> Recognised<'a> {
    let records = &seen.source.records;
    let (mapped, canon) = (seen.source.mapped, policy.canon);
    let mut sorted: Vec<&Link> = seen.links.iter().collect();
    sorted.sort_by_key(|link| link.id);
    let links = sorted.iter().map(|link| KnownRecord::Link(link));
    // Where the contact has gone since, the row that was added is one like any other.
    let linked: BTreeSet<LinqId> = sorted.iter().map(|link| link.linq_id).collect();
    let is_there = |added: &&HalfAdded| {
        seen.linq.contacts.contains_key(&added.linq_id) || linked.contains(&added.linq_id)
    };
    let half_added: Vec<&HalfAdded> = seen.half_added.iter().filter(is_there).collect();
    let additions = half_added.iter().map(|added| KnownRecord::Addition(added));
    let known: Vec<KnownRecord<'_>> = links.chain(additions).collect();
    let creates: Vec<&DoubtfulCreate> = seen.doubtful.iter().collect();
    let created: Vec<KnownRecord<'_>> =
        creates.iter().map(|create| KnownRecord::Create(create)).collect();
    let copies = find_copies(&[&known[..], &created].concat(), records, mapped, canon);
    let mut taken = vec![false; records.len()];
    for copy in copies.keys() {
        taken[*copy] = true;
    }
    let found = reidentify_records(&known, records, &taken, &seen.census, mapped, canon);
    let (linked, added) = found.split_at(sorted.len());
    let mut links: Vec<(&Link, Option<usize>)> =
        sorted.into_iter().zip(linked.iter().copied()).collect();
    let additions = of_nobody(&mut links, half_added.into_iter().zip(added.iter().copied()));

    let linked = links.iter().filter(|(link, _)| !is_lost(link, seen)).map(|link| link.1);
    for position in linked.chain(additions.iter().map(|added| added.1)).flatten() {
        taken[position] = true;
    }
    let found = reidentify_records(&created, records, &taken, &Census::default(), mapped, canon);
    Recognised { links, creates: creates.into_iter().zip(found).collect(), additions, copies }
}

/// The records of links, where they are recognised.
pub(crate) fn records_of_links<'a>(
    seen: &'a Observation,
    policy: &Policy,
) -> BTreeMap<LinkId, &'a SourceRecord> {
    let records = &seen.source.records;
    let links = recognise_records(seen, policy).links.into_iter();
    links.filter_map(|(link, position)| Some((link.id, records.get(position?)?))).collect()
}

/// Gives a link without a record the one that was added for its contact. The additions
/// for other contacts are left.
fn of_nobody<'a>(
    links: &mut [(&'a Link, Option<usize>)],
    added: impl Iterator<Item = (&'a HalfAdded, Option<usize>)>,
) -> Vec<(&'a HalfAdded, Option<usize>)> {
    let mut added = added.peekable();
    if added.peek().is_none() {
        return Vec::new();
    }
    let by_id: BTreeMap<LinqId, usize> =
        links.iter().enumerate().map(|(index, (link, _))| (link.linq_id, index)).collect();
    let mut left = Vec::new();
    for (addition, position) in added {
        match by_id.get(&addition.linq_id) {
            Some(index) => links[*index].1 = links[*index].1.or(position),
            None => left.push((addition, position)),
        }
    }
    left
}

/// Whether the contact of `link` is gone, so that its record may get another. For a
/// released pair it is enough that a whole listing lacks it: nothing is deleted for it.
pub(super) fn is_lost(link: &Link, seen: &Observation) -> bool {
    let linq = &seen.linq;
    let gone = match link.status {
        LinkStatus::Linked => linq.gone.contains(&link.linq_id),
        LinkStatus::Released => linq.incomplete.is_none(),
    };
    seen.changed_meaning.is_none() && gone && !linq.contacts.contains_key(&link.linq_id)
}
