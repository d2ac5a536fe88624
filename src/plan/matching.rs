//! Matches what is on both sides and not linked yet.
//!
//! In tiers (id column, e-mail, phone, name with company), by canonical value,
//! and only where the match is unique both ways and the names do not speak
//! against it. Everything else that could be the same person is *ambiguous*, and
//! is left for a person to decide.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Canon, Field, LinqContact, LinqId, SourceRecord, Values, first_names_agree,
    name_and_company_key, names_contradict,
};

use super::step::Tier;

/// What takes part in matching.
#[derive(Clone, Debug)]
pub(super) struct Pool<'a> {
    /// Records that are not linked, in the order of the source.
    pub(super) records: Vec<&'a SourceRecord>,
    /// Records that are linked: a new record may look like one of them.
    pub(super) linked_records: Vec<&'a SourceRecord>,
    /// Contacts that are not linked and take part, by id.
    pub(super) contacts: BTreeMap<LinqId, &'a LinqContact>,
    /// Contacts that are linked, or outside the scope: a record that matches one
    /// of them is not created a second time.
    pub(super) other_contacts: BTreeMap<LinqId, &'a LinqContact>,
}

/// What became of a record that is not linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is this contact.
    Is(LinqId, Tier),
    /// It may be one of these contacts, or another record of the source.
    Ambiguous { candidates: Vec<LinqId>, why: String },
    /// It is on no other side.
    New,
}

/// The verdicts on a pool's records, and the contacts that no verdict mentions.
#[derive(Clone, Debug, Default)]
pub(super) struct Matching {
    /// One verdict for each of the pool's records, in their order.
    pub(super) verdicts: Vec<Verdict>,
    /// Contacts that an ambiguous record may be: they wait with it.
    pub(super) waiting: BTreeSet<LinqId>,
}

/// Matches the records and contacts of `pool`.
pub(super) fn match_up(pool: &Pool<'_>, canon: Canon) -> Matching {
    if pool.records.is_empty() {
        return Matching::default();
    }
    let mut matcher = Matcher::new(pool, canon);
    matcher.by_id();
    for tier in [Tier::Email, Tier::Phone, Tier::Name] {
        matcher.by_key(tier);
    }
    matcher.first_of_duplicates();
    matcher.finish()
}

/// The keys by which somebody can be recognised.
#[derive(Clone, Debug, Default)]
struct Keys {
    email: Option<String>,
    phone: Option<String>,
    name: Option<String>,
}

impl Keys {
    fn of(values: &Values, canon: Canon) -> Keys {
        Keys {
            email: canon.email_key(values),
            phone: canon.phone_key(values),
            name: name_and_company_key(values),
        }
    }

    fn is_empty(&self) -> bool {
        KEYED.into_iter().all(|tier| self.get(tier).is_none())
    }

    fn get(&self, tier: Tier) -> Option<&String> {
        match tier {
            Tier::Email => self.email.as_ref(),
            Tier::Phone => self.phone.as_ref(),
            Tier::Name => self.name.as_ref(),
            Tier::Journal | Tier::Id | Tier::Decision => None,
        }
    }
}

const KEYED: [Tier; 3] = [Tier::Email, Tier::Phone, Tier::Name];

type Index<T> = BTreeMap<(Tier, String), Vec<T>>;

struct Matcher<'a> {
    pool: &'a Pool<'a>,
    canon: Canon,
    keys: Vec<Keys>,
    contact_keys: BTreeMap<LinqId, Keys>,
    rows_by_key: Index<usize>,
    linked_rows_by_key: Index<&'a SourceRecord>,
    contacts_by_key: Index<LinqId>,
    verdicts: Vec<Option<Verdict>>,
    taken: BTreeSet<LinqId>,
    waiting: BTreeSet<LinqId>,
}

impl<'a> Matcher<'a> {
    fn new(pool: &'a Pool<'a>, canon: Canon) -> Matcher<'a> {
        let keys: Vec<Keys> =
            pool.records.iter().map(|record| Keys::of(&record.values, canon)).collect();
        let contact_keys: BTreeMap<LinqId, Keys> = pool
            .contacts
            .iter()
            .chain(&pool.other_contacts)
            .map(|(id, contact)| (*id, Keys::of(&contact.values, canon)))
            .collect();
        let linked: Vec<(&SourceRecord, Keys)> = pool
            .linked_records
            .iter()
            .map(|record| (*record, Keys::of(&record.values, canon)))
            .collect();
        Matcher {
            pool,
            canon,
            rows_by_key: index(keys.iter().enumerate()),
            contacts_by_key: index(contact_keys.iter().map(|(id, keys)| (*id, keys))),
            linked_rows_by_key: index(linked.iter().map(|(record, keys)| (*record, keys))),
            verdicts: vec![None; keys.len()],
            keys,
            contact_keys,
            taken: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    fn contact(&self, id: LinqId) -> &'a LinqContact {
        self.pool.contacts.get(&id).unwrap_or_else(|| &self.pool.other_contacts[&id])
    }

    fn open(&self) -> Vec<usize> {
        (0..self.verdicts.len()).filter(|row| self.verdicts[*row].is_none()).collect()
    }

    fn is(&mut self, row: usize, id: LinqId, tier: Tier) {
        self.taken.insert(id);
        self.verdicts[row] = Some(Verdict::Is(id, tier));
    }

    fn ambiguous(&mut self, row: usize, candidates: BTreeSet<LinqId>, why: String) {
        self.waiting.extend(&candidates);
        let candidates = candidates.into_iter().collect();
        self.verdicts[row] = Some(Verdict::Ambiguous { candidates, why });
    }

    /// The id column. Rows with one id are copies of one another: nobody can tell
    /// which of them it belongs to.
    fn by_id(&mut self) {
        let mut rows: BTreeMap<LinqId, Vec<usize>> = BTreeMap::new();
        for (row, record) in self.pool.records.iter().enumerate() {
            if let Some(id) = record.linq_id.filter(|id| self.pool.contacts.contains_key(id)) {
                rows.entry(id).or_default().push(row);
            }
        }
        for (id, rows) in rows {
            if let [row] = rows[..] {
                self.is(row, id, Tier::Id);
                continue;
            }
            for row in rows {
                let why = "several rows have this id in the id column".to_owned();
                self.ambiguous(row, BTreeSet::from([id]), why);
            }
        }
    }

    /// One tier: what is recognised by one kind of key.
    fn by_key(&mut self, tier: Tier) {
        let open: Vec<(usize, BTreeSet<LinqId>)> = self
            .open()
            .into_iter()
            .map(|row| (row, self.candidates(row, tier)))
            .filter(|(_, candidates)| !candidates.is_empty())
            .collect();
        for (row, candidates) in open {
            match self.unique(row, &candidates, tier) {
                Ok(id) => self.is(row, id, tier),
                Err((candidates, why)) => self.ambiguous(row, candidates, why),
            }
        }
    }

    /// The contacts that `row` may be by the key of `tier`, linked ones included:
    /// whoever looks like somebody who is linked is a duplicate.
    fn candidates(&self, row: usize, tier: Tier) -> BTreeSet<LinqId> {
        let values = &self.pool.records[row].values;
        same_key(&self.contacts_by_key, tier, &self.keys[row])
            .iter()
            .copied()
            .filter(|id| counts(tier, values, &self.contact(*id).values))
            .collect()
    }

    /// The contact that `row` is, if exactly one can be; else what it may be, and why
    /// that is not decided here.
    fn unique(
        &self,
        row: usize,
        candidates: &BTreeSet<LinqId>,
        tier: Tier,
    ) -> Result<LinqId, (BTreeSet<LinqId>, String)> {
        let give_up = |why: String| Err((candidates.clone(), why));
        let values = &self.pool.records[row].values;
        let Some(id) = candidates.first().copied().filter(|_| candidates.len() == 1) else {
            return give_up(format!("several contacts in Linq have the same {tier}"));
        };
        let contact = self.contact(id);
        if !self.pool.contacts.contains_key(&id) || self.taken.contains(&id) {
            return give_up(format!("{} in Linq has the same {tier} and is taken", named(contact)));
        }
        if self.waiting.contains(&id) {
            return give_up(format!("{} in Linq may be another record, too", named(contact)));
        }
        if names_contradict(values, &contact.values) {
            return give_up(format!(
                "{} in Linq has the same {tier} but another name",
                named(contact)
            ));
        }
        if self.claimants(id, tier).len() > 1 {
            return give_up(format!("several records of the source have the same {tier}"));
        }
        let rivals = self.rivals(row, id, tier);
        if !rivals.is_empty() {
            let all = candidates.union(&rivals).copied().collect();
            return Err((all, "its e-mail says one person, and its phone another".to_owned()));
        }
        Ok(id)
    }

    /// The records, linked or not, that may be contact `id` by the key of `tier`.
    fn claimants(&self, id: LinqId, tier: Tier) -> Vec<&'a SourceRecord> {
        let keys = &self.contact_keys[&id];
        let values = &self.contact(id).values;
        let unlinked = same_key(&self.rows_by_key, tier, keys);
        let linked = same_key(&self.linked_rows_by_key, tier, keys);
        unlinked
            .iter()
            .map(|row| self.pool.records[*row])
            .chain(linked.iter().copied())
            .filter(|record| counts(tier, &record.values, values))
            .collect()
    }

    /// For a match by e-mail: the contacts that the phone numbers of the two say
    /// instead. Not empty means that the two keys name different people.
    fn rivals(&self, row: usize, id: LinqId, tier: Tier) -> BTreeSet<LinqId> {
        if tier != Tier::Email {
            return BTreeSet::new();
        }
        let mut rivals = self.candidates(row, Tier::Phone);
        rivals.remove(&id);
        let own = self.pool.records[row].index;
        if self.claimants(id, Tier::Phone).iter().any(|record| record.index != own) {
            rivals.insert(id);
        }
        rivals
    }

    /// Of rows that look like one person only the first is new.
    fn first_of_duplicates(&mut self) {
        let mut created: Index<&SourceRecord> = BTreeMap::new();
        let mut keyless = self.keyless_linked_rows();
        for row in self.open() {
            let record = self.pool.records[row];
            if self.keys[row].is_empty() {
                let copies = keyless.entry(everything(&record.values, self.canon));
                match copies {
                    Entry::Vacant(entry) => {
                        entry.insert(record);
                        self.verdicts[row] = Some(Verdict::New);
                    }
                    Entry::Occupied(entry) => {
                        let other = entry.get().name_in_source();
                        let why = format!("{other} in the source is the same in every field");
                        self.ambiguous(row, BTreeSet::new(), why);
                    }
                }
                continue;
            }
            let alike = KEYED.into_iter().find_map(|tier| {
                let linked = same_key(&self.linked_rows_by_key, tier, &self.keys[row]);
                let earlier = same_key(&created, tier, &self.keys[row]);
                linked
                    .iter()
                    .chain(earlier)
                    .find(|other| counts(tier, &record.values, &other.values))
                    .map(|other| (tier, other.name_in_source()))
            });
            if let Some((tier, other)) = alike {
                let why = format!("{other} in the source has the same {tier}");
                self.ambiguous(row, BTreeSet::new(), why);
                continue;
            }
            for tier in KEYED {
                if let Some(key) = self.keys[row].get(tier) {
                    created.entry((tier, key.clone())).or_default().push(record);
                }
            }
            self.verdicts[row] = Some(Verdict::New);
        }
    }

    /// Linked rows that have no key, by everything that they say.
    fn keyless_linked_rows(&self) -> BTreeMap<Vec<String>, &'a SourceRecord> {
        let canon = self.canon;
        if !self.keys.iter().any(Keys::is_empty) {
            return BTreeMap::new();
        }
        let keyless = |record: &&&SourceRecord| Keys::of(&record.values, canon).is_empty();
        let rows = self.pool.linked_records.iter().filter(keyless);
        rows.map(|record| (everything(&record.values, canon), *record)).collect()
    }

    fn finish(self) -> Matching {
        let verdicts = self.verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::New));
        let waiting = self.waiting.into_iter().filter(|id| !self.taken.contains(id)).collect();
        Matching { verdicts: verdicts.collect(), waiting }
    }
}

/// All values of a row in canonical form, but for the owner.
fn everything(values: &Values, canon: Canon) -> Vec<String> {
    let fields = Field::ALL.into_iter().filter(|field| *field != Field::Owner);
    fields.map(|field| canon.value(field, &values[field])).collect()
}

fn index<'k, T>(keyed: impl Iterator<Item = (T, &'k Keys)>) -> Index<T>
where
    T: Copy,
{
    let mut index: Index<T> = BTreeMap::new();
    for (whom, keys) in keyed {
        for tier in KEYED {
            if let Some(key) = keys.get(tier) {
                index.entry((tier, key.clone())).or_default().push(whom);
            }
        }
    }
    index
}

fn same_key<'i, T>(index: &'i Index<T>, tier: Tier, keys: &Keys) -> &'i [T] {
    keys.get(tier).and_then(|key| index.get(&(tier, key.clone()))).map_or(&[], Vec::as_slice)
}

/// Whether sharing the key of `tier` says anything about `a` and `b` at all. A
/// phone number does not when the first names differ: families and switchboards
/// share numbers.
fn counts(tier: Tier, a: &Values, b: &Values) -> bool {
    match tier {
        Tier::Phone => !names_contradict(a, b) && first_names_agree(a, b),
        Tier::Journal | Tier::Id | Tier::Email | Tier::Name | Tier::Decision => true,
    }
}

fn named(contact: &LinqContact) -> String {
    format!("{} (id {})", contact.values.display_name(), contact.id)
}
