//! Matches what is on both sides and not linked yet.
//!
//! In tiers (id column, e-mail, phone, name with company, equality in every field), by
//! canonical value, and only where the match is unique both ways and the names do not
//! speak against it. Everything else that could be the same contact, an equal full name
//! included, is *ambiguous*, and is left for a person to decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Canon, Field, FieldSet, Link, LinqContact, LinqId, SourceRecord, Values, full_name_key,
    names_contradict,
};

use super::keys::{KeyIndex, MatchKey, MatchKeys, WantedKeys};
use super::observation::DoubtfulCreate;
use super::similarity::has_nothing_of;
use super::step::Tier;

/// What takes part in matching.
#[derive(Clone, Debug)]
pub(super) struct Pool<'a> {
    /// Records that look for their contact. Of several that look like one new person
    /// the first is.
    pub(super) seekers: Vec<Unmatched<'a>>,
    /// Records that are linked: a new record may look like one of them.
    pub(super) linked_records: Vec<&'a SourceRecord>,
    /// The record of each linked contact that has one.
    pub(super) rows_by_contact: BTreeMap<LinqId, &'a SourceRecord>,
    /// Contacts that are not linked and take part, by id.
    pub(super) contacts: BTreeMap<LinqId, &'a LinqContact>,
    /// Contacts that are linked, or outside the scope: a record that matches one
    /// of them is not created a second time.
    pub(super) other_contacts: BTreeMap<LinqId, &'a LinqContact>,
    /// The fields that the source carries.
    pub(super) mapped: FieldSet,
}

/// A record that looks for its contact.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unmatched<'a> {
    pub(super) record: &'a SourceRecord,
    pub(super) standing: SearchReason<'a>,
}

/// Why a record looks for a contact.
#[derive(Clone, Copy, Debug)]
pub(super) enum SearchReason<'a> {
    /// It is linked, and its contact is gone: it may be there under another id.
    LostContact(&'a Link),
    /// Its create was not answered and has left no trace.
    InDoubt(&'a DoubtfulCreate),
    /// It is new.
    New,
}

impl<'a> SearchReason<'a> {
    /// The link of a record that has lost its contact.
    pub(super) fn lost_link(self) -> Option<&'a Link> {
        match self {
            SearchReason::LostContact(link) => Some(link),
            SearchReason::InDoubt(_) | SearchReason::New => None,
        }
    }
}

impl SearchReason<'_> {
    const fn is_bereft(self) -> bool {
        matches!(self, SearchReason::LostContact(_))
    }
}

/// What became of a record that is not linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MatchVerdict {
    /// It is this contact.
    Is(LinqId, Tier),
    /// It may be one of these contacts, or another record of the source.
    Ambiguous { candidates: Vec<LinqId>, why: String },
    /// It is on no other side.
    New,
}

/// The verdicts on a pool's seekers, and the contacts that no verdict mentions.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    /// One verdict for each of the pool's seekers, in their order.
    pub(super) verdicts: Vec<MatchVerdict>,
    /// Contacts that an ambiguous record may be: they wait with it.
    pub(super) waiting: BTreeSet<LinqId>,
}

/// Matches the seekers and contacts of `pool`.
pub(super) fn match_up(pool: &Pool<'_>, canon: Canon) -> Matching {
    let mut matcher = Matcher::new(pool, canon);
    matcher.by_id();
    for key in MatchKey::ALL {
        matcher.by_key(key);
    }
    matcher.by_every_field();
    matcher.match_namesakes();
    matcher.first_of_duplicates();
    matcher.finish()
}

struct Matcher<'a> {
    pool: &'a Pool<'a>,
    canon: Canon,
    keys: Vec<MatchKeys>,
    seekers: KeyIndex<usize>,
    /// The keys of contacts that share one with a seeker.
    contact_keys: BTreeMap<LinqId, MatchKeys>,
    contacts: KeyIndex<LinqId>,
    linked: KeyIndex<&'a SourceRecord>,
    verdicts: Vec<Option<MatchVerdict>>,
    taken: BTreeSet<LinqId>,
    waiting: BTreeSet<LinqId>,
}

impl<'a> Matcher<'a> {
    fn new(pool: &'a Pool<'a>, canon: Canon) -> Matcher<'a> {
        let seekers = pool.seekers.iter();
        let keys: Vec<MatchKeys> =
            seekers.map(|seeker| MatchKeys::of_values(&seeker.record.values, canon)).collect();
        let mut wanted = WantedKeys::default();
        wanted.extend(keys.iter());
        let contact_keys: BTreeMap<LinqId, MatchKeys> = pool
            .contacts
            .iter()
            .chain(&pool.other_contacts)
            .filter_map(|(id, contact)| Some((*id, wanted.keys_of(&contact.values, canon)?)))
            .collect();
        wanted.extend(contact_keys.values());
        let linked: Vec<(&SourceRecord, MatchKeys)> = pool
            .linked_records
            .iter()
            .filter_map(|record| Some((*record, wanted.keys_of(&record.values, canon)?)))
            .collect();
        Matcher {
            pool,
            canon,
            seekers: KeyIndex::of_contacts(keys.iter().enumerate()),
            contacts: KeyIndex::of_contacts(contact_keys.iter().map(|(id, keys)| (*id, keys))),
            linked: KeyIndex::of_contacts(linked.iter().map(|(record, keys)| (*record, keys))),
            verdicts: vec![None; keys.len()],
            keys,
            contact_keys,
            taken: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    fn record(&self, row: usize) -> &'a SourceRecord {
        self.pool.seekers[row].record
    }

    fn is_bereft(&self, row: usize) -> bool {
        self.pool.seekers[row].standing.is_bereft()
    }

    fn contact(&self, id: LinqId) -> &'a LinqContact {
        self.pool.contacts.get(&id).unwrap_or_else(|| &self.pool.other_contacts[&id])
    }

    fn open_rows(&self) -> Vec<usize> {
        (0..self.verdicts.len()).filter(|row| self.verdicts[*row].is_none()).collect()
    }

    fn set_match(&mut self, row: usize, id: LinqId, tier: Tier) {
        self.taken.insert(id);
        self.verdicts[row] = Some(MatchVerdict::Is(id, tier));
    }

    fn set_ambiguous(&mut self, row: usize, candidates: BTreeSet<LinqId>, why: String) {
        self.waiting.extend(&candidates);
        let candidates = candidates.into_iter().collect();
        self.verdicts[row] = Some(MatchVerdict::Ambiguous { candidates, why });
    }

    /// The id column. Rows with one id are copies of one another. Where a row is that
    /// person already, another is a copy, unless it has nothing of them by now; where none
    /// is, nobody can tell which of them it belongs to.
    fn by_id(&mut self) {
        let mut rows: BTreeMap<LinqId, Vec<usize>> = BTreeMap::new();
        for (row, seeker) in self.pool.seekers.iter().enumerate() {
            if let Some(id) = seeker.record.linq_id.filter(|id| self.is_there(*id)) {
                rows.entry(id).or_default().push(row);
            }
        }
        for (id, rows) in rows {
            match (self.linked_row(id), &rows[..]) {
                (Some(original), _) => self.copies_of(original, id, &rows),
                (None, [row]) if self.is_free(id) => self.set_match(*row, id, Tier::Id),
                (None, [_]) => {}
                (None, _) => {
                    for row in &rows {
                        let others = rows.iter().filter(|other| *other != row);
                        let others: Vec<String> =
                            others.map(|other| self.record(*other).name_in_source()).collect();
                        self.set_copy(*row, id, &others.join(", "));
                    }
                }
            }
        }
    }

    fn copies_of(&mut self, original: &SourceRecord, id: LinqId, rows: &[usize]) {
        for row in rows {
            let is_another =
                has_nothing_of(self.canon, &self.record(*row).values, &original.values);
            if !is_another && !self.is_bereft(*row) {
                self.set_copy(*row, id, &original.name_in_source());
            }
        }
    }

    fn set_copy(&mut self, row: usize, id: LinqId, others: &str) {
        let why = format!(
            "{others} in the source has the same id in the id column; remove the row that is a \
             copy, or empty its id and make it another person"
        );
        self.set_ambiguous(row, BTreeSet::from([id]), why);
    }

    fn is_there(&self, id: LinqId) -> bool {
        self.pool.contacts.contains_key(&id) || self.pool.other_contacts.contains_key(&id)
    }

    /// The row that is linked and has the id `id`.
    fn linked_row(&self, id: LinqId) -> Option<&'a SourceRecord> {
        let has_id = |record: &&SourceRecord| record.linq_id == Some(id);
        self.pool.rows_by_contact.get(&id).copied().filter(has_id)
    }

    /// What is recognised by one kind of key.
    fn by_key(&mut self, key: MatchKey) {
        let open: Vec<(usize, BTreeSet<LinqId>)> = self
            .open_rows()
            .into_iter()
            .map(|row| (row, self.candidates_by(row, key)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        for (row, candidates) in open {
            match self.unique_candidate(row, &candidates, key) {
                Ok(id) => self.set_match(row, id, key.match_tier()),
                Err((candidates, why)) => self.set_ambiguous(row, candidates, why),
            }
        }
    }

    /// The contacts that `row` may be by `key`, linked ones included: whoever looks
    /// like somebody who is linked is a duplicate. A record that was linked only goes
    /// to a contact that is nobody's and has not got another name.
    fn candidates_by(&self, row: usize, key: MatchKey) -> BTreeSet<LinqId> {
        let values = &self.record(row).values;
        let possible = |id: &LinqId| {
            let contact = &self.contact(*id).values;
            let suits =
                !self.is_bereft(row) || self.is_free(*id) && !names_contradict(values, contact);
            suits && key.is_evidence(values, contact)
        };
        self.contacts.sharing(key, &self.keys[row]).iter().copied().filter(possible).collect()
    }

    fn is_free(&self, id: LinqId) -> bool {
        self.pool.contacts.contains_key(&id) && !self.taken.contains(&id)
    }

    /// The contact that `row` is, if exactly one can be; else what it may be, and why
    /// that is not decided here.
    fn unique_candidate(
        &self,
        row: usize,
        candidates: &BTreeSet<LinqId>,
        key: MatchKey,
    ) -> Result<LinqId, (BTreeSet<LinqId>, String)> {
        let give_up = |why: String| Err((candidates.clone(), why));
        let tier = key.match_tier();
        let Some(id) = candidates.first().copied().filter(|_| candidates.len() == 1) else {
            return give_up(format!("several contacts in Linq have the same {tier}"));
        };
        let contact = self.contact(id);
        if !self.is_free(id) {
            return give_up(format!(
                "{} in Linq has the same {tier} and is taken",
                name_contact(contact)
            ));
        }
        if self.waiting.contains(&id) {
            return give_up(format!(
                "{} in Linq may be another record, too",
                name_contact(contact)
            ));
        }
        if names_contradict(&self.record(row).values, &contact.values) {
            return give_up(format!(
                "{} in Linq has the same {tier} but another name",
                name_contact(contact)
            ));
        }
        if self.claimants(id, key).len() > 1 {
            return give_up(format!("several records of the source have the same {tier}"));
        }
        let rivals = self.rival_contacts(row, id, key);
        if !rivals.is_empty() {
            let all = candidates.union(&rivals).copied().collect();
            return Err((all, "its e-mail says one person, and its phone another".to_owned()));
        }
        Ok(id)
    }

    /// The records, linked or not, that may be contact `id` by `key`.
    fn claimants(&self, id: LinqId, key: MatchKey) -> Vec<&'a SourceRecord> {
        let keys = &self.contact_keys[&id];
        let values = &self.contact(id).values;
        let seekers = self.seekers.sharing(key, keys).iter().map(|row| self.record(*row));
        let linked = self.linked.sharing(key, keys).iter().copied();
        seekers.chain(linked).filter(|record| key.is_evidence(&record.values, values)).collect()
    }

    /// For a match by e-mail: the contacts that the phone numbers of the two say
    /// instead. Not empty means that the two keys name different people.
    fn rival_contacts(&self, row: usize, id: LinqId, key: MatchKey) -> BTreeSet<LinqId> {
        if key != MatchKey::Email {
            return BTreeSet::new();
        }
        let mut rivals = self.candidates_by(row, MatchKey::Phone);
        rivals.remove(&id);
        let own = self.record(row).index;
        if self.claimants(id, MatchKey::Phone).iter().any(|record| record.index != own) {
            rivals.insert(id);
        }
        rivals
    }

    /// What is the same in every field that the source carries, blank ones included, and is
    /// so on each side only once.
    fn by_every_field(&mut self) {
        let open = self.open_rows();
        if open.is_empty() {
            return;
        }
        let mut records: BTreeMap<Vec<String>, Vec<Option<usize>>> = BTreeMap::new();
        for row in &open {
            if let Some(all) = self.every_field_of(self.record(*row)) {
                records.entry(all).or_default().push(Some(*row));
            }
        }
        for record in &self.pool.linked_records {
            if let Some(all) = self.every_field_of(record)
                && let Some(rows) = records.get_mut(&all)
            {
                rows.push(None);
            }
        }
        let mut contacts: BTreeMap<Vec<String>, Vec<LinqId>> = BTreeMap::new();
        for (id, contact) in &self.pool.contacts {
            if let Some(all) = self.every_field(&contact.values)
                && records.contains_key(&all)
            {
                contacts.entry(all).or_default().push(*id);
            }
        }
        for (all, rows) in records {
            let ids = contacts.get(&all).map_or(&[][..], Vec::as_slice);
            if let ([Some(row)], [id]) = (&rows[..], ids)
                && self.is_free(*id)
                && !self.waiting.contains(id)
            {
                self.set_match(*row, *id, Tier::EveryField);
            }
        }
    }

    /// All that a record says, unless something of it cannot be believed.
    fn every_field_of(&self, record: &SourceRecord) -> Option<Vec<String>> {
        if record.rejected.is_empty() { self.every_field(&record.values) } else { None }
    }

    /// All that is said in the fields by which a contact may be told; `None` where that is
    /// nothing.
    fn every_field(&self, values: &Values) -> Option<Vec<String>> {
        let fields = self.pool.mapped.iter().filter(|field| *field != Field::Owner);
        let all = self.canon.canonical_values(fields.collect(), values);
        (!values.lacks_identity()).then_some(all)
    }

    /// Records with the full name of a contact that nothing else tells apart or joins: they
    /// may be that contact. It waits for a record that may be others, too.
    fn match_namesakes(&mut self) {
        let undecided = |verdict: &Option<MatchVerdict>| match verdict {
            Some(MatchVerdict::Is(..) | MatchVerdict::New) => false,
            Some(MatchVerdict::Ambiguous { .. }) | None => true,
        };
        let rows: Vec<usize> =
            (0..self.verdicts.len()).filter(|row| undecided(&self.verdicts[*row])).collect();
        if rows.is_empty() {
            return;
        }
        let mut by_name: BTreeMap<String, BTreeSet<LinqId>> = BTreeMap::new();
        for (id, contact) in &self.pool.contacts {
            if self.is_free(*id)
                && let Some(name) = full_name_key(&contact.values)
            {
                by_name.entry(name).or_default().insert(*id);
            }
        }
        for row in rows {
            let name = full_name_key(&self.record(row).values);
            let Some(ids) = name.and_then(|name| by_name.get(&name)) else { continue };
            if let Some(MatchVerdict::Ambiguous { candidates, .. }) = &mut self.verdicts[row] {
                let others = ids.iter().filter(|id| !candidates.contains(id)).copied();
                candidates.extend(others.collect::<Vec<LinqId>>());
                self.waiting.extend(ids);
            } else {
                let why = self.same_name(ids);
                self.set_ambiguous(row, ids.clone(), why);
            }
        }
    }

    fn same_name(&self, ids: &BTreeSet<LinqId>) -> String {
        match ids.first().filter(|_| ids.len() == 1) {
            Some(id) => format!(
                "{} in Linq has the same name, and nothing else tells whether it is the same \
                 contact",
                name_contact(self.contact(*id))
            ),
            None => "several contacts in Linq have the same name".to_owned(),
        }
    }

    /// Of rows that look like one contact only the first is new.
    fn first_of_duplicates(&mut self) {
        // Rows of which it was told just now who they are count as linked.
        let mut created: KeyIndex<&SourceRecord> = KeyIndex::default();
        for (row, verdict) in self.verdicts.iter().enumerate() {
            if matches!(verdict, Some(MatchVerdict::Is(..))) {
                created.insert(self.record(row), &self.keys[row]);
            }
        }
        let mut by_name = self.linked_by_name();
        for row in self.open_rows() {
            let record = self.record(row);
            let alike =
                self.first_alike(row, &created).or_else(|| self.find_namesake(row, &by_name));
            // One that waits itself keeps none from being created.
            if alike.is_none() || self.is_bereft(row) {
                created.insert(record, &self.keys[row]);
                if let Some(name) = full_name_key(&record.values) {
                    by_name.entry(name).or_default().push(record);
                }
            }
            match alike.filter(|_| !self.is_bereft(row)) {
                Some(why) => self.set_ambiguous(row, BTreeSet::new(), why),
                None => self.verdicts[row] = Some(MatchVerdict::New),
            }
        }
    }

    /// The first record, linked or `created`, that shares a key with `row`, and how.
    fn first_alike(&self, row: usize, created: &KeyIndex<&'a SourceRecord>) -> Option<String> {
        let (values, keys) = (&self.record(row).values, &self.keys[row]);
        MatchKey::ALL.into_iter().find_map(|key| {
            let others = self.linked.sharing(key, keys).iter().chain(created.sharing(key, keys));
            let mut alike = others.filter(|other| key.is_evidence(values, &other.values));
            let other = alike.next()?.name_in_source();
            Some(format!("{other} in the source has the same {}", key.match_tier()))
        })
    }

    /// The rows that are linked, or were told just now who they are, by their full name, as
    /// far as an open one has it.
    fn linked_by_name(&self) -> BTreeMap<String, Vec<&'a SourceRecord>> {
        let names = self.open_rows().into_iter().filter_map(|row| {
            let name = full_name_key(&self.record(row).values)?;
            Some((name, Vec::new()))
        });
        let mut by_name: BTreeMap<String, Vec<&SourceRecord>> = names.collect();
        if by_name.is_empty() {
            return by_name;
        }
        let is_told = |(_, verdict): &(usize, &Option<MatchVerdict>)| {
            matches!(verdict, Some(MatchVerdict::Is(..)))
        };
        let told = self.verdicts.iter().enumerate().filter(is_told);
        let told = told.map(|(row, _)| self.record(row));
        for record in self.pool.linked_records.iter().copied().chain(told) {
            let name = full_name_key(&record.values);
            if let Some(rows) = name.and_then(|name| by_name.get_mut(&name)) {
                rows.push(record);
            }
        }
        by_name
    }

    /// A record with the full name of `row`, and with no other value where both have one.
    fn find_namesake(
        &self,
        row: usize,
        by_name: &BTreeMap<String, Vec<&'a SourceRecord>>,
    ) -> Option<String> {
        let values = &self.record(row).values;
        let rows = by_name.get(&full_name_key(values)?)?;
        let is_compatible = |other: &&&SourceRecord| {
            let both = all_fields().iter().filter(|field| {
                !values[*field].trim().is_empty() && !other.values[*field].trim().is_empty()
            });
            let names = [Field::FirstName, Field::LastName];
            let mut rest = both.filter(|field| !names.contains(field));
            rest.all(|field| self.canon.means_same(field, &values[field], &other.values[field]))
        };
        let other = rows.iter().find(is_compatible)?;
        let is_same = self.canon.differing_fields(all_fields(), values, &other.values).is_empty();
        let how = if is_same { "is the same in every field" } else { "has the same name" };
        Some(format!("{} in the source {how}", other.name_in_source()))
    }

    fn finish(self) -> Matching {
        let verdicts =
            self.verdicts.into_iter().map(|verdict| verdict.unwrap_or(MatchVerdict::New));
        let waiting = self.waiting.into_iter().filter(|id| !self.taken.contains(id)).collect();
        Matching { verdicts: verdicts.collect(), waiting }
    }
}

/// The fields that make a row the same as another.
fn all_fields() -> FieldSet {
    Field::ALL.into_iter().filter(|field| *field != Field::Owner).collect()
}

fn name_contact(contact: &LinqContact) -> String {
    format!("{} (id {})", contact.values.display_name(), contact.id)
}
