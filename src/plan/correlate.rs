//! Sorts everything that was seen into cases: who is who.
//!
//! Every link, every record of the source and every contact in Linq is part of
//! exactly one case; [`Cases::account`] checks that nobody was dropped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::model::{
    Canon, Decision, Field, Link, LinkStatus, LinqContact, LinqId, Policy, Scope, SourceRecord,
    Timestamp, Values, WaitingKind,
};

use super::matching::{Matching, Pool, Verdict, match_up};
use super::observation::{DoubtfulCreate, Observation};
use super::reidentify::{Known, reidentify};
use super::step::{Subject, Tier};
use super::waiting::decided;

/// Clocks may disagree by this much when a contact's time of creation is
/// compared with the time at which its creation was sent.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Somebody, as both sides and the state know them.
#[derive(Clone, Debug)]
pub(super) enum Case<'a> {
    /// A linked pair.
    Pair { link: &'a Link, source: SourceHalf<'a>, linq: LinqHalf<'a> },
    /// The same person on both sides, not linked yet.
    OnBoth { record: &'a SourceRecord, contact: &'a LinqContact, tier: Tier, sent: Option<Values> },
    /// In the source only.
    InSource { record: &'a SourceRecord, doubt: Option<&'a DoubtfulCreate> },
    /// In Linq only.
    InLinq { contact: &'a LinqContact },
    /// Created by an interrupted run, from a record that is gone by now.
    Orphan { contact: &'a LinqContact, doubt: &'a DoubtfulCreate },
    /// A record that may be one of several people.
    Ambiguous { record: &'a SourceRecord, candidates: Vec<LinqId>, why: String },
    /// A contact that waits for an ambiguous record.
    Candidate { contact: &'a LinqContact },
    /// A record that has nothing to recognise a person by.
    Nobody { record: &'a SourceRecord },
    /// Such a record that is new, while a linked one is missing: it may be that
    /// person, with name, e-mail and phone cleared.
    Suspect { record: &'a SourceRecord },
    /// A contact outside the configured scope.
    OutOfScope { contact: &'a LinqContact },
}

/// The source's half of a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceHalf<'a> {
    /// It is there.
    Present(&'a SourceRecord),
    /// The whole source was read, and lacks it.
    Gone,
    /// It may be in the part that could not be read.
    Unknown,
}

/// Linq's half of a linked pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinqHalf<'a> {
    /// It is there.
    Present(&'a LinqContact),
    /// It is there and takes no part.
    OutOfScope(&'a LinqContact),
    /// It is proven to be gone.
    Gone,
    /// Too many are missing to ask for each: it may be gone.
    Unasked,
    /// The listing lacks it, and that proves nothing.
    Unknown,
}

/// The cases of an observation.
#[derive(Clone, Debug, Default)]
pub(super) struct Cases<'a> {
    pub(super) cases: Vec<Case<'a>>,
}

/// The planner lost somebody: a defect of linqsync, on which nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan does not account for everybody \
     ({links} links, {records} records, {contacts} contacts left over); nothing was done"
)]
pub struct Unaccounted {
    links: usize,
    records: usize,
    contacts: usize,
}

/// Sorts what was seen into cases.
pub(super) fn correlate<'a>(seen: &'a Observation, policy: &Policy) -> Cases<'a> {
    let mut sorting = Sorting::new(seen, policy);
    sorting.linked();
    let doubts = sorting.doubts();
    sorting.half_added();
    sorting.matched(&doubts);
    sorting.rest();
    Cases { cases: sorting.cases }
}

struct Sorting<'a, 'p> {
    seen: &'a Observation,
    policy: &'p Policy,
    cases: Vec<Case<'a>>,
    /// For each link, then each doubtful create, the position of its record.
    found: Vec<Option<usize>>,
    placed_records: BTreeSet<usize>,
    placed_contacts: BTreeSet<LinqId>,
    suspects: BTreeSet<usize>,
}

impl<'a, 'p> Sorting<'a, 'p> {
    fn new(seen: &'a Observation, policy: &'p Policy) -> Sorting<'a, 'p> {
        let links = seen.links.iter().map(|link| Known {
            linq_id: Some(link.linq_id),
            key: link.key.as_ref(),
            fingerprint: link.fingerprint,
            values: link.base.source_values(),
        });
        let doubts = seen.doubtful.iter().map(|doubt| Known {
            linq_id: None,
            key: doubt.key.as_ref(),
            fingerprint: doubt.fingerprint,
            values: doubt.values.clone(),
        });
        let known: Vec<Known<'_>> = links.chain(doubts).collect();
        let found = reidentify(&known, &seen.source.records, seen.source.mapped, policy.canon);
        // Nothing is deleted for want of a released record.
        let all_found = seen
            .links
            .iter()
            .zip(&found)
            .all(|(link, found)| found.is_some() || link.status == LinkStatus::Released);
        let placed_records: BTreeSet<usize> = found.iter().flatten().copied().collect();
        Sorting {
            seen,
            policy,
            cases: Vec::new(),
            suspects: if all_found { BTreeSet::new() } else { suspects(seen, &placed_records) },
            placed_records,
            placed_contacts: seen.links.iter().map(|link| link.linq_id).collect(),
            found,
        }
    }

    fn canon(&self) -> Canon {
        self.policy.canon
    }

    fn linked(&mut self) {
        let whole = self.seen.source.unreadable.is_empty() && self.suspects.is_empty();
        for (index, link) in self.seen.links.iter().enumerate() {
            let source = match self.found[index] {
                Some(position) => SourceHalf::Present(&self.seen.source.records[position]),
                None if whole => SourceHalf::Gone,
                None => SourceHalf::Unknown,
            };
            let linq = self.linq_half(link.linq_id);
            self.cases.push(Case::Pair { link, source, linq });
        }
    }

    fn linq_half(&self, id: LinqId) -> LinqHalf<'a> {
        let linq = &self.seen.linq;
        match linq.contacts.get(&id) {
            Some(contact) if in_scope(contact, self.policy) => LinqHalf::Present(contact),
            Some(contact) => LinqHalf::OutOfScope(contact),
            None if linq.gone.contains(&id) => LinqHalf::Gone,
            None if linq.incomplete.is_none() && (linq.unasked || linq.nobody_answers) => {
                LinqHalf::Unasked
            }
            None => LinqHalf::Unknown,
        }
    }

    /// Creates whose answer was lost: what they created is adopted. Returns the
    /// records whose creation is still in doubt.
    fn doubts(&mut self) -> BTreeMap<usize, &'a DoubtfulCreate> {
        let mut open = BTreeMap::new();
        let links = self.seen.links.len();
        for (index, doubt) in self.seen.doubtful.iter().enumerate() {
            let record = self.found[links + index];
            let created = self.created_by(doubt);
            let alike = self.seen.doubtful[index..]
                .iter()
                .filter(|other| same_values(&other.values, &doubt.values, self.canon()))
                .count();
            match (record, created.first()) {
                (Some(position), _) if created.len() > alike => {
                    let why = "an interrupted run may have created one of several".to_owned();
                    for id in &created {
                        self.candidate(*id);
                    }
                    self.ambiguous(position, created, why);
                }
                (Some(position), Some(id)) => {
                    self.on_both(position, *id, Tier::Journal, Some(doubt.values.clone()));
                }
                (Some(position), None) => {
                    open.insert(position, doubt);
                }
                (None, Some(id)) if created.len() <= alike => {
                    self.placed_contacts.insert(*id);
                    let contact = &self.seen.linq.contacts[id];
                    self.cases.push(Case::Orphan { contact, doubt });
                }
                (None, _) => {}
            }
        }
        open
    }

    /// Contacts that are not linked and look exactly as `doubt` would have made them.
    fn created_by(&self, doubt: &DoubtfulCreate) -> Vec<LinqId> {
        self.seen
            .linq
            .contacts
            .values()
            .filter(|contact| !self.placed_contacts.contains(&contact.id))
            .filter(|contact| {
                is_trace_of(contact, &doubt.values, doubt.first_sent_at, self.canon())
            })
            .map(|contact| contact.id)
            .collect()
    }

    /// Records that an interrupted run had added for a contact.
    fn half_added(&mut self) {
        for added in &self.seen.half_added {
            let id = added.linq_id;
            if !self.free_contact(id) {
                continue;
            }
            let record = self.seen.source.records.iter().enumerate().find(|(position, record)| {
                !self.placed_records.contains(position)
                    && self
                        .canon()
                        .differing(self.seen.source.mapped, &record.values, &added.values)
                        .is_empty()
            });
            if let Some((position, _)) = record {
                self.on_both(position, id, Tier::Journal, Some(added.values.clone()));
            }
        }
    }

    /// Whether `id` is a contact that takes part and has no case yet.
    fn free_contact(&self, id: LinqId) -> bool {
        !self.placed_contacts.contains(&id)
            && self.seen.linq.contacts.get(&id).is_some_and(|c| in_scope(c, self.policy))
    }

    fn matched(&mut self, doubts: &BTreeMap<usize, &'a DoubtfulCreate>) {
        let pool = self.pool(doubts);
        let Matching { verdicts, waiting } = match_up(&pool, self.canon());
        for (record, verdict) in pool.records.iter().zip(verdicts) {
            let position = record.index.0 as usize;
            match self.decided(record, verdict) {
                Verdict::Is(id, tier) => self.on_both(position, id, tier, None),
                Verdict::Ambiguous { candidates, why } => self.ambiguous(position, candidates, why),
                Verdict::New => {
                    self.placed_records.insert(position);
                    self.cases.push(Case::InSource { record, doubt: None });
                }
            }
        }
        let asked: BTreeSet<LinqId> = self.cases.iter().flat_map(candidates).collect();
        for id in waiting.into_iter().filter(|id| asked.contains(id)) {
            if self.free_contact(id) {
                self.candidate(id);
            }
        }
        for (position, doubt) in doubts {
            let record = &self.seen.source.records[*position];
            self.cases.push(Case::InSource { record, doubt: Some(doubt) });
        }
    }

    /// The verdict on a record after what a person decided about it.
    fn decided(&self, record: &SourceRecord, verdict: Verdict) -> Verdict {
        let Verdict::Ambiguous { candidates, why } = verdict else { return verdict };
        let kind = WaitingKind::Ambiguous { candidates: candidates.clone() };
        let subject = Subject { record: Some(record.index), ..Subject::default() };
        match decided(&kind, &subject, self.seen) {
            Some(Decision::Separate) => Verdict::New,
            Some(Decision::Link { linq_id }) if self.free_contact(*linq_id) => {
                Verdict::Is(*linq_id, Tier::Decision)
            }
            Some(
                Decision::Link { .. }
                | Decision::Approve
                | Decision::Take { .. }
                | Decision::Value { .. },
            )
            | None => Verdict::Ambiguous { candidates, why },
        }
    }

    fn pool(&self, doubts: &BTreeMap<usize, &DoubtfulCreate>) -> Pool<'a> {
        let records = self.seen.source.records.iter().enumerate();
        let (linked, unlinked): (Vec<_>, Vec<_>) =
            records.partition(|(position, _)| self.placed_records.contains(position));
        let contacts = self.seen.linq.contacts.iter();
        let (free, others) = contacts.partition(|(id, _)| self.free_contact(**id));
        debug_assert!(doubts.keys().all(|position| self.placed_records.contains(position)));
        Pool {
            records: unlinked
                .into_iter()
                .map(|(_, record)| record)
                .filter(|record| {
                    let by_id = record.linq_id.is_some_and(|id| self.free_contact(id));
                    by_id || !record.values.lacks_identity()
                })
                .collect(),
            linked_records: linked.into_iter().map(|(_, record)| record).collect(),
            contacts: by_id(free),
            other_contacts: by_id(others),
        }
    }

    fn rest(&mut self) {
        for (position, record) in self.seen.source.records.iter().enumerate() {
            if self.placed_records.insert(position) {
                self.cases.push(if self.suspects.contains(&position) {
                    Case::Suspect { record }
                } else {
                    Case::Nobody { record }
                });
            }
        }
        for (id, contact) in &self.seen.linq.contacts {
            if self.placed_contacts.insert(*id) {
                self.cases.push(if in_scope(contact, self.policy) {
                    Case::InLinq { contact }
                } else {
                    Case::OutOfScope { contact }
                });
            }
        }
    }

    fn on_both(&mut self, position: usize, id: LinqId, tier: Tier, sent: Option<Values>) {
        self.placed_records.insert(position);
        self.placed_contacts.insert(id);
        let record = &self.seen.source.records[position];
        let contact = &self.seen.linq.contacts[&id];
        self.cases.push(Case::OnBoth { record, contact, tier, sent });
    }

    fn ambiguous(&mut self, position: usize, candidates: Vec<LinqId>, why: String) {
        self.placed_records.insert(position);
        let record = &self.seen.source.records[position];
        self.cases.push(Case::Ambiguous { record, candidates, why });
    }

    fn candidate(&mut self, id: LinqId) {
        self.placed_contacts.insert(id);
        self.cases.push(Case::Candidate { contact: &self.seen.linq.contacts[&id] });
    }
}

/// Whether `contact` looks exactly as a create of `values`, sent at `sent_at`, would
/// have made it.
pub fn is_trace_of(
    contact: &LinqContact,
    values: &Values,
    sent_at: Timestamp,
    canon: Canon,
) -> bool {
    contact.created_at.is_none_or(|created| created >= sent_at - CLOCK_SKEW)
        && same_values(&contact.values, values, canon)
}

/// Whether `contact` has what was sent. What was sent blank, Linq may have filled,
/// unless it identifies a person.
fn same_values(contact: &Values, sent: &Values, canon: Canon) -> bool {
    let mut fields = sent.filled();
    for field in Field::IDENTITY {
        fields.insert(field);
    }
    fields.remove(Field::Owner);
    canon.differing(fields, contact, sent).is_empty()
}

/// Records without name, e-mail and phone that no earlier reading knew.
fn suspects(seen: &Observation, placed: &BTreeSet<usize>) -> BTreeSet<usize> {
    let nobody = |record: &SourceRecord| {
        record.values.lacks_identity() && !seen.source.known_nobodies.contains(&record.fingerprint)
    };
    let records = seen.source.records.iter().enumerate();
    records
        .filter(|(position, record)| !placed.contains(position) && nobody(record))
        .map(|(position, _)| position)
        .collect()
}

fn by_id<'a>(pairs: Vec<(&LinqId, &'a LinqContact)>) -> BTreeMap<LinqId, &'a LinqContact> {
    pairs.into_iter().map(|(id, contact)| (*id, contact)).collect()
}

/// Contacts that the case's record may be.
fn candidates(case: &Case<'_>) -> Vec<LinqId> {
    match case {
        Case::Ambiguous { candidates, .. } => candidates.clone(),
        Case::Pair { .. }
        | Case::OnBoth { .. }
        | Case::InSource { .. }
        | Case::InLinq { .. }
        | Case::Orphan { .. }
        | Case::Candidate { .. }
        | Case::Nobody { .. }
        | Case::Suspect { .. }
        | Case::OutOfScope { .. } => Vec::new(),
    }
}

/// Whether `contact` takes part.
fn in_scope(contact: &LinqContact, policy: &Policy) -> bool {
    match &policy.scope {
        Scope::All => true,
        Scope::Owner(owner) => {
            policy.canon.same(Field::Owner, owner, &contact.values[Field::Owner])
        }
    }
}

impl Case<'_> {
    /// Whether it is a pair that is kept the same and of which both halves were seen.
    pub(super) fn is_whole_pair(&self) -> bool {
        matches!(
            self,
            Case::Pair { link, source: SourceHalf::Present(_), linq: LinqHalf::Present(_) }
                if link.status == LinkStatus::Linked
        )
    }
}

impl Cases<'_> {
    /// Checks that every link, record and contact is part of exactly one case.
    pub(super) fn account(&self, seen: &Observation) -> Result<(), Unaccounted> {
        let mut records: Vec<u32> = Vec::new();
        let mut contacts: Vec<LinqId> = Vec::new();
        let mut links = 0;
        for case in &self.cases {
            match case {
                Case::Pair { source, linq, .. } => {
                    links += 1;
                    records.extend(source.record().map(|record| record.index.0));
                    contacts.extend(linq.contact().map(|contact| contact.id));
                }
                Case::OnBoth { record, contact, .. } => {
                    records.push(record.index.0);
                    contacts.push(contact.id);
                }
                Case::InSource { record, .. }
                | Case::Ambiguous { record, .. }
                | Case::Nobody { record }
                | Case::Suspect { record } => records.push(record.index.0),
                Case::InLinq { contact }
                | Case::Orphan { contact, .. }
                | Case::Candidate { contact }
                | Case::OutOfScope { contact } => contacts.push(contact.id),
            }
        }
        let left = Unaccounted {
            links: seen.links.len().abs_diff(links),
            records: left_over(records, seen.source.records.len()),
            contacts: left_over(contacts, seen.linq.contacts.len()),
        };
        let nobody = Unaccounted { links: 0, records: 0, contacts: 0 };
        if left == nobody { Ok(()) } else { Err(left) }
    }
}

fn left_over<T: Ord>(mut placed: Vec<T>, expected: usize) -> usize {
    let mentions = placed.len();
    placed.sort();
    placed.dedup();
    expected.abs_diff(placed.len()) + (mentions - placed.len())
}

impl<'a> SourceHalf<'a> {
    /// The record, if it is there.
    pub(super) fn record(self) -> Option<&'a SourceRecord> {
        match self {
            SourceHalf::Present(record) => Some(record),
            SourceHalf::Gone | SourceHalf::Unknown => None,
        }
    }
}

impl<'a> LinqHalf<'a> {
    /// The contact, if it is there, whether it takes part or not.
    pub(super) fn contact(self) -> Option<&'a LinqContact> {
        match self {
            LinqHalf::Present(contact) | LinqHalf::OutOfScope(contact) => Some(contact),
            LinqHalf::Gone | LinqHalf::Unasked | LinqHalf::Unknown => None,
        }
    }
}
