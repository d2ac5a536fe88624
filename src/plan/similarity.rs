//! How much a record resembles one that an earlier reading knew.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Canon, Field, FieldSet, SourceRecord, Values, names_contradict};

use super::reidentify::Known;

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

/// Pairs of a known record and a record that share at least half of their values, and
/// each more than with anything else. Their names may only differ wholly where they
/// share an e-mail or a phone number: a successor in the same post is somebody else.
pub(super) fn likest(
    known: &[(usize, Known<'_>)],
    records: &[(usize, &SourceRecord)],
    mapped: FieldSet,
    canon: Canon,
) -> Vec<(usize, usize)> {
    if known.is_empty() || records.is_empty() {
        return Vec::new();
    }
    let known: Vec<(usize, Known<'_>, Values)> =
        known.iter().map(|(index, known)| (*index, *known, known.values().into_owned())).collect();
    let mut best_record: BTreeMap<usize, Best> = BTreeMap::new();
    let mut best_known: BTreeMap<usize, Best> = BTreeMap::new();
    for (a, b) in sharing_a_value(&known, records, mapped, canon) {
        let ((index, known, values), (position, record)) = (&known[a], records[b]);
        if known.key().is_some() && record.key.is_some() {
            continue; // Their keys differ, or they would have been paired by key.
        }
        if let Some(score) = score(mapped, canon, values, &record.values) {
            best_record.entry(*index).or_default().offer(score, position);
            best_known.entry(position).or_default().offer(score, *index);
        }
    }
    let mutual = |(index, best): (usize, Best)| {
        let position = best.unique()?;
        let back = best_known.get(&position).and_then(Best::unique);
        (back == Some(index)).then_some((index, position))
    };
    best_record.into_iter().filter_map(mutual).collect()
}

/// The weight of what is the same in both, out of the weight of what is filled in
/// either.
pub(super) fn shared_weight(mapped: FieldSet, canon: Canon, a: &Values, b: &Values) -> (u32, u32) {
    let (mut shared, mut total) = (0, 0);
    for field in mapped.iter() {
        if a[field].trim().is_empty() && b[field].trim().is_empty() {
            continue;
        }
        total += weight(field);
        if canon.same(field, &a[field], &b[field]) {
            shared += weight(field);
        }
    }
    (shared, total)
}

/// How alike two records are, from 500 to 1000; `None` if they are not.
fn score(mapped: FieldSet, canon: Canon, a: &Values, b: &Values) -> Option<u32> {
    let (shared, total) = shared_weight(mapped, canon, a, b);
    if shared * 2 < total || names_contradict(a, b) && !canon.share_an_address(a, b) {
        return None;
    }
    Some(shared * 1000 / total.max(1))
}

/// Pairs, by their places in the slices, that share a value which is not common.
fn sharing_a_value(
    known: &[(usize, Known<'_>, Values)],
    records: &[(usize, &SourceRecord)],
    mapped: FieldSet,
    canon: Canon,
) -> BTreeSet<(usize, usize)> {
    let filled = |values: &Values| {
        let fields = mapped.intersection(values.filled());
        let value = |field| (field, canon.value(field, &values[field]));
        fields.iter().map(value).collect::<Vec<_>>()
    };
    let mut places: BTreeMap<(Field, String), Vec<usize>> = BTreeMap::new();
    for (place, (_, record)) in records.iter().enumerate() {
        for value in filled(&record.values) {
            places.entry(value).or_default().push(place);
        }
    }
    let mut pairs = BTreeSet::new();
    for (place, (_, _, values)) in known.iter().enumerate() {
        for value in filled(values) {
            let sharing = places.get(&value).filter(|sharing| sharing.len() <= COMMON);
            pairs.extend(sharing.into_iter().flatten().map(|record| (place, *record)));
        }
    }
    pairs
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
