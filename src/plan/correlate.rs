//! Sorts everything that was seen into cases: who is who.
//!
//! Linked pairs are linked whatever they say. What interrupted runs left comes next,
//! then matching; the rest is on one side only.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Base, Canon, Decision, Field, FieldSet, Link, LinkId, LinkStatus, LinqContact, LinqId, Policy,
    RecordIndex, Scope, Side, SourceRecord, Values, WaitingKind, full_name_key,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::interrupted::{
    CreateTrace, CreateTraces, base_of_addition, base_of_create, base_of_sending,
};
use super::matching::{MatchVerdict, Matching, Pool, SearchReason, Unmatched, match_up};
use super::observation::{DoubtfulCreate, HalfAdded, Observation};
use super::recognise::{Recognised, is_lost, recognise_records};
use super::similarity::has_nothing_of;
use super::step::{Subject, Tier};
use super::waiting::decided_about;

/// Sorts what was seen into cases.
pub(super) fn correlate_cases<'a>(seen: &'a Observation, policy: &Policy) -> Vec<Case<'a>> {
    let recognised = recognise_records(seen, policy);
    let mut sorting = Sorting::new(seen, policy, &recognised);
    sorting.sort_copies(&recognised);
    sorting.interrupted_creates(&recognised.creates);
    sorting.interrupted_additions(&recognised.additions);
    sorting.sort_matched();
    sorting.perhaps_known();
    sorting.of_unselected();
    sorting.sort_pairs();
    sorting.sort_rest();
    sorting.cases
}

struct Sorting<'a, 'p> {
    seen: &'a Observation,
    policy: &'p Policy,
    cases: Vec<Case<'a>>,
    /// The links by id, each with the position of its record.
    links: Vec<(&'a Link, Option<usize>)>,
    /// The positions of records whose create has left no trace.
    in_doubt: BTreeMap<usize, &'a DoubtfulCreate>,
    /// For each record, whether it is linked or has a case.
    placed_records: Vec<bool>,
    placed_contacts: BTreeSet<LinqId>,
    /// Links that have a case before pairs are made of them.
    placed_links: BTreeSet<LinkId>,
    /// Contacts that an ambiguous record may be.
    claimed: BTreeSet<LinqId>,
    suspects: BTreeSet<usize>,
    /// The positions of records that have the key of another one.
    copies: BTreeSet<usize>,
    /// Whether a copy says nothing of the record whose key it has: it may be another that
    /// was known, and got a wrong key.
    has_foreign_copies: bool,
}

impl<'a, 'p> Sorting<'a, 'p> {
    fn new(
        seen: &'a Observation,
        policy: &'p Policy,
        recognised: &Recognised<'a>,
    ) -> Sorting<'a, 'p> {
        let mut placed_records = vec![false; seen.source.records.len()];
        for position in recognised.links.iter().filter_map(|link| link.1) {
            placed_records[position] = true;
        }
        let mut sorting = Sorting {
            seen,
            policy,
            cases: Vec::with_capacity(seen.linq.contacts.len()),
            links: recognised.links.clone(),
            in_doubt: BTreeMap::new(),
            placed_records,
            placed_contacts: seen.links.iter().map(|link| link.linq_id).collect(),
            placed_links: BTreeSet::new(),
            claimed: BTreeSet::new(),
            suspects: BTreeSet::new(),
            copies: recognised.copies.keys().copied().collect(),
            has_foreign_copies: false,
        };
        sorting.suspects = sorting.possibly_cleared(recognised);
        sorting
    }

    /// Records without name, e-mail and phone that no earlier reading knew, and those that
    /// were cut short to a cell or two, if somebody is missing whom they may be. Nothing is
    /// deleted for want of a released record.
    fn possibly_cleared(&self, recognised: &Recognised<'_>) -> BTreeSet<usize> {
        let found = |(link, found): &(&Link, Option<usize>)| {
            found.is_some() || link.status == LinkStatus::Released
        };
        if self.links.iter().all(found) {
            return BTreeSet::new();
        }
        let creates = recognised.creates.iter().filter_map(|create| create.1);
        let created: BTreeSet<usize> = creates.collect();
        let known = &self.seen.source.known_nobodies;
        let missing = self.links.iter().filter(|link| !found(link)).map(|(link, _)| link);
        let lacked: FieldSet =
            missing.flat_map(|link| link.base.agreed_fields().iter().collect::<Vec<_>>()).collect();
        let is_stump = |record: &SourceRecord| {
            record.values.filled_fields().iter().count() <= STUMP
                && record.unsaid.iter().any(|field| lacked.contains(field))
        };
        let suspect = |(position, record): &(usize, &SourceRecord)| {
            !self.placed_records[*position]
                && !created.contains(position)
                && (record.values.lacks_identity() && !known.contains(&record.fingerprint)
                    || is_stump(record))
        };
        let records = self.seen.source.records.iter().enumerate();
        records.filter(suspect).map(|(position, _)| position).collect()
    }

    fn canon(&self) -> Canon {
        self.policy.canon
    }

    fn record(&self, position: usize) -> &'a SourceRecord {
        &self.seen.source.records[position]
    }

    /// Where `record` is among all.
    fn position(&self, record: &SourceRecord) -> usize {
        SourceRecord::position_of(&self.seen.source.records, record.index).unwrap_or(usize::MAX)
    }

    /// Records that have the key of another one. Those that say the same, to the last
    /// column, ask nothing of anybody.
    fn sort_copies(&mut self, recognised: &Recognised<'a>) {
        let copies = &recognised.copies;
        if copies.is_empty() {
            return;
        }
        let ids: BTreeMap<usize, LinqId> = recognised
            .links
            .iter()
            .filter_map(|(link, position)| Some(((*position)?, link.linq_id)))
            .collect();
        for (copy, original) in copies {
            if self.record(*copy).is_outside {
                continue;
            }
            if self.record(*copy).values.lacks_identity() {
                // It is nobody, whatever its key, or somebody who lost all.
                continue;
            }
            let record = self.place_record(*copy);
            let of = self.record(*original);
            if record.content == of.content {
                self.cases.push(Case::Copy { record, of });
                continue;
            }
            self.has_foreign_copies |= has_nothing_of(self.canon(), &record.values, &of.values);
            let why = format!(
                "{} has the same key; remove the one that is a copy, or give it a key of its own",
                of.label
            );
            let candidates = ids.get(original).copied().into_iter().collect();
            self.sort_ambiguous(record, SearchReason::New, candidates, why);
        }
    }

    /// Creates whose answer was lost: what they have made is adopted.
    fn interrupted_creates(&mut self, creates: &[(&'a DoubtfulCreate, Option<usize>)]) {
        if creates.is_empty() {
            return;
        }
        let seen = self.seen;
        let contacts = seen.linq.contacts.values();
        let free = contacts.filter(|contact| !self.placed_contacts.contains(&contact.id));
        let mut traces = CreateTraces::new(&seen.linq, free, &seen.doubtful, self.canon());
        let bereft: BTreeMap<usize, &Link> = self
            .links
            .iter()
            .filter(|(link, _)| is_lost(link, seen))
            .filter_map(|(link, position)| Some(((*position)?, *link)))
            .collect();
        for (doubt, position) in creates {
            let trace = traces.take_trace(doubt);
            match position {
                Some(position) => match bereft.get(position) {
                    Some(link) => self.created_again(link, *position, doubt, trace),
                    None => self.sort_created(*position, doubt, trace),
                },
                None => {
                    if let CreateTrace::One(id) = trace {
                        let contact = self.place_contact(id);
                        self.cases.push(Case::Orphan { contact, doubt });
                    }
                }
            }
        }
    }

    fn sort_created(&mut self, position: usize, doubt: &'a DoubtfulCreate, trace: CreateTrace) {
        match trace {
            CreateTrace::Several(candidates) => {
                for id in &candidates {
                    self.sort_candidate(*id);
                }
                let why = "an interrupted run may have created one of several".to_owned();
                let record = self.place_record(position);
                self.sort_ambiguous(record, SearchReason::InDoubt(doubt), candidates, why);
            }
            CreateTrace::One(id) => {
                let contact = &self.seen.linq.contacts[&id];
                let base = base_of_create(doubt, contact, self.seen.source.mapped, self.policy);
                self.on_both(position, id, Tier::Journal, Box::new(base), Some(doubt));
            }
            // Nothing is created for who takes no part.
            CreateTrace::None if self.record(position).is_outside => {}
            CreateTrace::None => {
                self.in_doubt.insert(position, doubt);
            }
        }
    }

    /// A create for a record whose contact had been deleted. The old link is done with;
    /// the next plan sees a record and what became of its create.
    fn created_again(
        &mut self,
        link: &'a Link,
        position: usize,
        doubt: &'a DoubtfulCreate,
        trace: CreateTrace,
    ) {
        self.placed_links.insert(link.id);
        let contact = match trace {
            CreateTrace::None => None,
            CreateTrace::One(id) => Some(self.place_contact(id)),
            CreateTrace::Several(candidates) => {
                for id in candidates {
                    self.sort_candidate(id);
                }
                None
            }
        };
        let record = self.place_record(position);
        self.cases.push(Case::Replaced { link, record, contact, doubt: Some(doubt) });
    }

    /// Records that an interrupted run had added for a contact.
    fn interrupted_additions(&mut self, additions: &[(&'a HalfAdded, Option<usize>)]) {
        let seen = self.seen;
        for (added, position) in additions {
            let id = added.linq_id;
            if !self.is_free(id) {
                continue;
            }
            if let Some(position) = position {
                let base = base_of_addition(added, seen.source.mapped, self.policy);
                self.on_both(*position, id, Tier::Journal, Box::new(base), None);
            } else if !seen.source.unreadable.is_empty() {
                // It may be in the part that could not be read.
                self.sort_candidate(id);
            }
        }
    }

    fn sort_matched(&mut self) {
        let seekers = self.unmatched_records();
        if seekers.is_empty() {
            return;
        }
        let pool = self.matching_pool(seekers);
        let Matching { verdicts, waiting } = match_up(&pool, self.canon());
        for (seeker, verdict) in pool.seekers.iter().zip(verdicts) {
            let verdict = self.decided_verdict(seeker, verdict);
            self.sort_judged(seeker, verdict);
        }
        for id in waiting {
            if self.claimed.contains(&id) && self.is_free(id) {
                self.sort_candidate(id);
            }
        }
    }

    /// The verdict on a new record after what a person decided about it.
    fn decided_verdict(&self, seeker: &Unmatched<'a>, verdict: MatchVerdict) -> MatchVerdict {
        let MatchVerdict::Ambiguous { candidates, why } = verdict else { return verdict };
        let kind = WaitingKind::Ambiguous { candidates: candidates.clone() };
        let subject = Subject {
            link: seeker.standing.lost_link().map(|link| link.id),
            record: Some(seeker.record.index),
            ..Subject::default()
        };
        match decided_about(&kind, &subject, self.seen) {
            Some(Decision::Separate) => MatchVerdict::New,
            Some(Decision::Link { linq_id }) if self.is_free(*linq_id) => {
                MatchVerdict::Is(*linq_id, Tier::Decision)
            }
            Some(
                Decision::Link { .. }
                | Decision::Approve
                | Decision::Reject
                | Decision::Take { .. }
                | Decision::Value { .. }
                | Decision::Retry,
            )
            | None => MatchVerdict::Ambiguous { candidates, why },
        }
    }

    /// Who looks for a contact, in the order in which they may have one: linked records
    /// whose contact is gone, records whose create is in doubt, new records.
    fn unmatched_records(&self) -> Vec<Unmatched<'a>> {
        let bereft = self.links.iter().filter_map(|(link, position)| {
            let bereft = is_lost(link, self.seen) && !self.placed_links.contains(&link.id);
            let record = self.record((*position).filter(|_| bereft)?);
            let record = Some(record).filter(|record| !record.is_outside)?;
            Some(Unmatched { record, standing: SearchReason::LostContact(link) })
        });
        let in_doubt = self.in_doubt.iter().map(|(position, doubt)| Unmatched {
            record: self.record(*position),
            standing: SearchReason::InDoubt(doubt),
        });
        let new = self.seen.source.records.iter().enumerate().filter(|(position, record)| {
            let by_id = record.linq_id.is_some_and(|id| self.is_free(id));
            !self.placed_records[*position]
                && !record.is_outside
                && !self.in_doubt.contains_key(position)
                && !self.suspects.contains(position)
                && (by_id || !record.values.lacks_identity())
        });
        let new = new.map(|(_, record)| Unmatched { record, standing: SearchReason::New });
        bereft.chain(in_doubt).chain(new).collect()
    }

    fn matching_pool(&self, seekers: Vec<Unmatched<'a>>) -> Pool<'a> {
        let bereft =
            |seeker: &Unmatched<'_>| matches!(seeker.standing, SearchReason::LostContact(_));
        let bereft: BTreeSet<_> = seekers
            .iter()
            .filter(|seeker| bereft(seeker))
            .map(|seeker| seeker.record.index)
            .collect();
        // A copy is told apart by its key: no other record is one of it.
        let is_linked = |(position, record): &(usize, &SourceRecord)| {
            // Who takes no part is there all the same, and is not to be created a second time.
            (self.placed_records[*position] || record.is_outside)
                && !bereft.contains(&record.index)
                && !self.copies.contains(position)
        };
        let records = self.seen.source.records.iter().enumerate();
        let linked = records.filter(is_linked).map(|(_, record)| record);
        let contacts = self.seen.linq.contacts.iter();
        let (free, others) = contacts.partition(|(id, _)| self.is_free(**id));
        let rows_by_contact = self
            .links
            .iter()
            .filter_map(|(link, position)| Some((link.linq_id, self.record((*position)?))))
            .collect();
        Pool {
            seekers,
            linked_records: linked.collect(),
            rows_by_contact,
            contacts: by_id(free),
            other_contacts: by_id(others),
            mapped: self.seen.source.mapped,
        }
    }

    /// What was agreed on with a contact that a create in doubt may have made, and that
    /// was edited since; nothing if it was there before.
    fn base_of_doubt(&self, doubt: &DoubtfulCreate, id: LinqId) -> Base {
        let contact = &self.seen.linq.contacts[&id];
        if self.seen.linq.was_before(id, doubt) {
            return Base::default();
        }
        base_of_sending(doubt, contact, self.seen.source.mapped, self.policy)
    }

    fn sort_judged(&mut self, seeker: &Unmatched<'a>, verdict: MatchVerdict) {
        let record = seeker.record;
        let position = self.position(record);
        match (verdict, seeker.standing) {
            (MatchVerdict::Is(id, _), SearchReason::LostContact(link)) => {
                self.placed_links.insert(link.id);
                let contact = Some(self.place_contact(id));
                self.cases.push(Case::Replaced { link, record, contact, doubt: None });
            }
            (MatchVerdict::Is(id, tier), SearchReason::InDoubt(doubt)) => {
                let base = self.base_of_doubt(doubt, id);
                self.on_both(position, id, tier, Box::new(base), Some(doubt));
            }
            (MatchVerdict::Is(id, tier), SearchReason::New) => {
                self.on_both(position, id, tier, Box::default(), None);
            }
            (MatchVerdict::Ambiguous { candidates, why }, standing) => {
                self.place_record(position);
                self.sort_ambiguous(record, standing, candidates, why);
            }
            // Its pair is decided like any other.
            (MatchVerdict::New, SearchReason::LostContact(_)) => {}
            (MatchVerdict::New, SearchReason::InDoubt(doubt)) => {
                self.place_record(position);
                self.cases.push(Case::InSource { record, doubt: Some(doubt) });
            }
            (MatchVerdict::New, SearchReason::New) => {
                self.place_record(position);
                self.cases.push(Case::InSource { record, doubt: None });
            }
        }
    }

    /// New contacts that look like one which is linked and cannot be seen: it may have been
    /// created again under another id. They wait until it is known whether that one is
    /// gone, and get no row of their own before.
    fn perhaps_known(&mut self) {
        let unseen = self.links.iter().filter(|(link, _)| {
            link.status == LinkStatus::Linked
                && !self.placed_links.contains(&link.id)
                && !self.seen.linq.contacts.contains_key(&link.linq_id)
                // Of whom it is known to be gone, matching has told who it is.
                && !is_lost(link, self.seen)
        });
        let records: Vec<&SourceRecord> =
            unseen.filter_map(|(_, position)| Some(self.record((*position)?))).collect();
        if records.is_empty() {
            return;
        }
        let canon = self.canon();
        let mut alike = BTreeSet::new();
        for key in LIKENESSES {
            let known: BTreeSet<String> =
                records.iter().filter_map(|record| key(canon, &record.values)).collect();
            alike.extend(self.seen.linq.contacts.values().filter_map(|contact| {
                let is_known =
                    || key(canon, &contact.values).is_some_and(|key| known.contains(&key));
                (self.is_free(contact.id) && is_known()).then_some(contact.id)
            }));
        }
        for id in alike {
            self.sort_candidate(id);
        }
    }

    /// Contacts that have a record outside the selection, or may have: they get no second one.
    fn of_unselected(&mut self) {
        let unlinked = self.seen.source.records.iter().enumerate();
        let unlinked = unlinked.filter(|(position, _)| !self.placed_records[*position]);
        let lost = self.links.iter().filter(|(link, _)| is_lost(link, self.seen));
        let lost = lost.filter_map(|(_, position)| Some(self.record((*position)?)));
        let is_outside = |record: &&SourceRecord| {
            record.is_outside && (record.linq_id.is_some() || !record.values.lacks_identity())
        };
        let records = unlinked.map(|(_, record)| record).chain(lost).filter(is_outside);
        let seekers: Vec<Unmatched<'a>> =
            records.map(|record| Unmatched { record, standing: SearchReason::New }).collect();
        if seekers.is_empty() {
            return;
        }
        let seeking: BTreeSet<RecordIndex> =
            seekers.iter().map(|seeker| seeker.record.index).collect();
        let mut pool = self.matching_pool(seekers);
        // Each looks for its contact itself.
        pool.linked_records.retain(|record| !seeking.contains(&record.index));
        for verdict in match_up(&pool, self.canon()).verdicts {
            let contacts = match verdict {
                MatchVerdict::Is(id, _) => vec![id],
                MatchVerdict::Ambiguous { candidates, .. } => candidates,
                MatchVerdict::New => Vec::new(),
            };
            for id in contacts {
                if self.is_free(id) {
                    let contact = self.place_contact(id);
                    self.cases.push(Case::WithoutRecord { contact });
                }
            }
        }
    }

    fn sort_pairs(&mut self) {
        let whole = self.seen.source.unreadable.is_empty()
            && self.suspects.is_empty()
            && !self.has_foreign_copies;
        for (link, position) in std::mem::take(&mut self.links) {
            if self.placed_links.contains(&link.id) {
                continue;
            }
            let source = match position.map(|position| self.record(position)) {
                Some(record) if record.is_outside => SourceHalf::Unselected(record),
                Some(record) => SourceHalf::Present(record),
                None if whole && !self.claimed.contains(&link.linq_id) => SourceHalf::Gone,
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
            None if linq.incomplete.is_none()
                && (linq.too_many_to_confirm || linq.control_failed) =>
            {
                LinqHalf::Unasked
            }
            None => LinqHalf::Unknown,
        }
    }

    fn sort_rest(&mut self) {
        for (position, record) in self.seen.source.records.iter().enumerate() {
            if !self.placed_records[position] {
                self.cases.push(if self.suspects.contains(&position) {
                    Case::PossiblyCleared { record }
                } else if record.is_outside && !record.values.lacks_identity() {
                    Case::Unselected { record }
                } else {
                    Case::Unidentifiable { record }
                });
            }
        }
        for (id, contact) in &self.seen.linq.contacts {
            if !self.placed_contacts.contains(id) {
                let only = self.seen.source.only.as_ref();
                let is_ignored = self.seen.ignoring.has(*id);
                self.cases.push(if is_ignored || !in_scope(contact, self.policy) {
                    Case::OutOfScope { contact }
                } else if only.is_some_and(|only| !only.takes(&self.row_values(contact))) {
                    Case::WithoutRecord { contact }
                } else {
                    Case::InLinq { contact }
                });
            }
        }
    }

    /// What a row has that is made for `contact`: not what only goes to Linq.
    fn row_values(&self, contact: &LinqContact) -> Values {
        let side = Side::Source;
        if !self.policy.may_write(side) {
            return contact.values.clone();
        }
        let written = |field: &Field| self.policy.writes_field(side, *field);
        contact.values.only_fields(Field::ALL.into_iter().filter(written).collect())
    }

    /// Whether `id` is a contact that takes part and has no case yet.
    fn is_free(&self, id: LinqId) -> bool {
        !self.placed_contacts.contains(&id)
            && !self.seen.ignoring.has(id)
            && self.seen.linq.contacts.get(&id).is_some_and(|c| in_scope(c, self.policy))
    }

    fn place_record(&mut self, position: usize) -> &'a SourceRecord {
        self.placed_records[position] = true;
        self.record(position)
    }

    fn place_contact(&mut self, id: LinqId) -> &'a LinqContact {
        self.placed_contacts.insert(id);
        &self.seen.linq.contacts[&id]
    }

    fn on_both(
        &mut self,
        position: usize,
        id: LinqId,
        tier: Tier,
        base: Box<Base>,
        doubt: Option<&'a DoubtfulCreate>,
    ) {
        let (record, contact) = (self.place_record(position), self.place_contact(id));
        self.cases.push(Case::OnBoth { record, contact, tier, base, doubt });
    }

    fn sort_ambiguous(
        &mut self,
        record: &'a SourceRecord,
        standing: SearchReason<'a>,
        candidates: Vec<LinqId>,
        why: String,
    ) {
        self.claimed.extend(&candidates);
        let (link, doubt) = match standing {
            SearchReason::LostContact(link) => (Some(link), None),
            SearchReason::InDoubt(doubt) => (None, Some(doubt)),
            SearchReason::New => (None, None),
        };
        self.placed_links.extend(link.map(|link| link.id));
        self.cases.push(Case::Ambiguous { record, link, doubt, candidates, why });
    }

    fn sort_candidate(&mut self, id: LinqId) {
        // Two records may be the same several.
        if self.placed_contacts.contains(&id) {
            return;
        }
        let contact = self.place_contact(id);
        self.cases.push(Case::Candidate { contact });
    }
}

/// A row that was cut short to so many cells says too little of who it is.
const STUMP: usize = 2;

/// By what a new contact may be one that is linked and cannot be seen.
const LIKENESSES: [fn(Canon, &Values) -> Option<String>; 3] = [
    |canon, values| canon.email_key(values),
    |canon, values| canon.phone_key(values),
    |_, values| full_name_key(values),
];

fn by_id<'a>(pairs: Vec<(&LinqId, &'a LinqContact)>) -> BTreeMap<LinqId, &'a LinqContact> {
    pairs.into_iter().map(|(id, contact)| (*id, contact)).collect()
}

/// Whether `contact` takes part.
fn in_scope(contact: &LinqContact, policy: &Policy) -> bool {
    match &policy.scope {
        Scope::All => true,
        Scope::Owners(owners) => {
            let is_of = |owner: &String| {
                policy.canon.means_same(Field::Owner, owner, &contact.values[Field::Owner])
            };
            owners.iter().any(is_of)
        }
    }
}
