//! Finds the records of one reading that earlier readings already knew.
//!
//! After linking, identity is the link. A record is recognised by the id column,
//! then by its key, then by its bytes, then by its values; what is left is
//! recognised by what is unique on both sides and by similarity, so that editing
//! or sorting a file never turns into a deletion and a creation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{
    Canon, Field, FieldSet, Fingerprint, LinqId, SourceKey, SourceRecord, Values,
    first_names_agree, full_name_key, names_contradict,
};

/// A record as an earlier reading knew it.
#[derive(Clone, Debug)]
pub(super) struct Known<'a> {
    pub(super) linq_id: Option<LinqId>,
    pub(super) key: Option<&'a SourceKey>,
    pub(super) fingerprint: Fingerprint,
    pub(super) values: Values,
}

/// For each known record its position in `records`, where it was found. No
/// position occurs twice.
pub(super) fn reidentify(
    known: &[Known<'_>],
    records: &[SourceRecord],
    mapped: FieldSet,
    canon: Canon,
) -> Vec<Option<usize>> {
    let mut search = Search::new(known, records, mapped, canon);
    search.by_id();
    search.by_key();
    search.by_bytes();
    search.by_values();
    search.by_unique(|values| canon.email_key(values), Compatible::WithAnyKey);
    search.by_unique(|values| canon.phone_key(values), Compatible::WithSameKey);
    search.by_unique(full_name_key, Compatible::WithSameKey);
    search.by_similarity();
    search.found
}

/// Whether a record with another key than the known one may still be it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compatible {
    WithAnyKey,
    WithSameKey,
}

struct Search<'a> {
    known: &'a [Known<'a>],
    records: &'a [SourceRecord],
    mapped: FieldSet,
    canon: Canon,
    found: Vec<Option<usize>>,
    /// Records that are found, or copies of one that is.
    taken: BTreeSet<usize>,
}

/// How much sharing a field says about being the same record.
const fn weight(field: Field) -> u32 {
    match field {
        Field::Email | Field::PhoneNumber => 4,
        Field::FirstName | Field::LastName => 2,
        Field::Company | Field::Title | Field::Location => 1,
        Field::Owner => 0,
    }
}

/// Values shared by more records than this say nothing about which is which.
const COMMON: usize = 50;

impl<'a> Search<'a> {
    fn new(
        known: &'a [Known<'a>],
        records: &'a [SourceRecord],
        mapped: FieldSet,
        canon: Canon,
    ) -> Search<'a> {
        let found = vec![None; known.len()];
        Search { known, records, mapped, canon, found, taken: BTreeSet::new() }
    }

    fn pair(&mut self, known: usize, record: usize) {
        self.found[known] = Some(record);
        self.taken.insert(record);
    }

    fn unfound(&self) -> Vec<usize> {
        (0..self.known.len()).filter(|known| self.found[*known].is_none()).collect()
    }

    fn untaken(&self) -> Vec<usize> {
        (0..self.records.len()).filter(|record| !self.taken.contains(record)).collect()
    }

    /// The id column. Of several rows with one id, copies of one another, the one
    /// that resembles the known record most is it, and the others are copies.
    fn by_id(&mut self) {
        let mut rows: BTreeMap<LinqId, Vec<usize>> = BTreeMap::new();
        for (position, record) in self.records.iter().enumerate() {
            if let Some(id) = record.linq_id {
                rows.entry(id).or_default().push(position);
            }
        }
        for (index, known) in self.known.iter().enumerate() {
            let Some(rows) = known.linq_id.and_then(|id| rows.get(&id)) else { continue };
            let likeness = |position: &usize| {
                let record = &self.records[*position];
                let same_key = record.key.as_ref() == known.key;
                let same_bytes = record.fingerprint == known.fingerprint;
                let shared = self.similarity(&known.values, &record.values).0;
                (same_bytes, same_key, shared, std::cmp::Reverse(*position))
            };
            if let Some(best) = rows.iter().copied().max_by_key(likeness) {
                self.taken.extend(rows);
                self.pair(index, best);
            }
        }
    }

    fn by_key(&mut self) {
        let mut rows: BTreeMap<&SourceKey, usize> = BTreeMap::new();
        for position in self.untaken() {
            if let Some(key) = &self.records[position].key {
                rows.insert(key, position);
            }
        }
        for index in self.unfound() {
            if let Some(position) = self.known[index].key.and_then(|key| rows.remove(key)) {
                self.pair(index, position);
            }
        }
    }

    /// Rows that are the same to the letter are interchangeable: they are paired
    /// in their order.
    fn by_bytes(&mut self) {
        self.in_order(
            |search, index| Some(search.known[index].fingerprint),
            |search, position| Some(search.records[position].fingerprint),
        );
    }

    /// Rows with the same values, written differently or with other unmapped cells.
    fn by_values(&mut self) {
        if self.unfound().is_empty() {
            return;
        }
        self.in_order(
            |search, index| search.canonical(&search.known[index].values),
            |search, position| search.canonical(&search.records[position].values),
        );
    }

    fn in_order<K: Ord>(
        &mut self,
        of_known: impl Fn(&Self, usize) -> Option<K>,
        of_record: impl Fn(&Self, usize) -> Option<K>,
    ) {
        let mut rows: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for position in self.untaken() {
            if let Some(key) = of_record(self, position) {
                rows.entry(key).or_default().push_back(position);
            }
        }
        for index in self.unfound() {
            let rows = of_known(self, index).and_then(|key| rows.get_mut(&key));
            if let Some(position) = rows.and_then(VecDeque::pop_front) {
                self.pair(index, position);
            }
        }
    }

    fn canonical(&self, values: &Values) -> Option<Vec<String>> {
        let fields = self.mapped.iter();
        (!values.lacks_identity())
            .then(|| fields.map(|field| self.canon.value(field, &values[field])).collect())
    }

    /// Pairs what shares a key with nothing else on either side, and whose names
    /// do not speak against it.
    fn by_unique(&mut self, key: impl Fn(&Values) -> Option<String>, compatible: Compatible) {
        let mut groups: BTreeMap<String, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for index in self.unfound() {
            if let Some(key) = key(&self.known[index].values) {
                groups.entry(key).or_default().0.push(index);
            }
        }
        for position in self.untaken() {
            if let Some((_, rows)) =
                key(&self.records[position].values).and_then(|key| groups.get_mut(&key))
            {
                rows.push(position);
            }
        }
        for (known, rows) in groups.into_values() {
            if let ([index], [position]) = (known.as_slice(), rows.as_slice())
                && self.compatible(*index, *position, compatible)
            {
                self.pair(*index, *position);
            }
        }
    }

    fn compatible(&self, index: usize, position: usize, compatible: Compatible) -> bool {
        let (known, record) = (&self.known[index], &self.records[position]);
        let other_key = known.key.is_some() && record.key.is_some();
        if names_contradict(&known.values, &record.values) {
            return false;
        }
        match compatible {
            Compatible::WithAnyKey => true,
            Compatible::WithSameKey => {
                !other_key && first_names_agree(&known.values, &record.values)
            }
        }
    }

    /// What shares at least half of its values, and more than with anything else.
    fn by_similarity(&mut self) {
        let candidates = self.sharing_a_value();
        let mut best_row: BTreeMap<usize, Best> = BTreeMap::new();
        let mut best_known: BTreeMap<usize, Best> = BTreeMap::new();
        for (index, position) in candidates {
            let (known, record) = (&self.known[index], &self.records[position]);
            if known.key.is_some() && record.key.is_some() {
                continue; // Their keys differ, or they would have been paired by key.
            }
            let (shared, total) = self.similarity(&known.values, &record.values);
            if shared * 2 >= total {
                let score = shared * 1000 / total.max(1);
                best_row.entry(index).or_default().offer(score, position);
                best_known.entry(position).or_default().offer(score, index);
            }
        }
        for (index, best) in best_row {
            if let Some(position) = best.unique()
                && best_known.get(&position).and_then(Best::unique) == Some(index)
            {
                self.pair(index, position);
            }
        }
    }

    /// Pairs of a known record and a row that share a value which is not common.
    fn sharing_a_value(&self) -> BTreeSet<(usize, usize)> {
        let mut rows: BTreeMap<(Field, String), Vec<usize>> = BTreeMap::new();
        for position in self.untaken() {
            for shared in self.filled(&self.records[position].values) {
                rows.entry(shared).or_default().push(position);
            }
        }
        let mut pairs = BTreeSet::new();
        for index in self.unfound() {
            for shared in self.filled(&self.known[index].values) {
                let rows = rows.get(&shared).filter(|rows| rows.len() <= COMMON);
                pairs.extend(rows.into_iter().flatten().map(|position| (index, *position)));
            }
        }
        pairs
    }

    fn filled(&self, values: &Values) -> Vec<(Field, String)> {
        let fields = self.mapped.intersection(values.filled());
        fields.iter().map(|field| (field, self.canon.value(field, &values[field]))).collect()
    }

    /// The weight of what is the same in both, out of the weight of what is
    /// filled in either.
    fn similarity(&self, a: &Values, b: &Values) -> (u32, u32) {
        let mut shared = 0;
        let mut total = 0;
        for field in self.mapped.iter() {
            if a[field].trim().is_empty() && b[field].trim().is_empty() {
                continue;
            }
            total += weight(field);
            if self.canon.same(field, &a[field], &b[field]) {
                shared += weight(field);
            }
        }
        (shared, total)
    }
}

/// The best candidate so far, and whether another is as good.
#[derive(Clone, Copy, Debug, Default)]
struct Best {
    score: u32,
    candidate: Option<usize>,
    tied: bool,
}

impl Best {
    fn offer(&mut self, score: u32, candidate: usize) {
        if self.candidate.is_none() || score > self.score {
            *self = Best { score, candidate: Some(candidate), tied: false };
        } else if score == self.score {
            self.tied = true;
        }
    }

    fn unique(&self) -> Option<usize> {
        self.candidate.filter(|_| !self.tied)
    }
}
