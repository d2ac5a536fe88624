//! Finds the records of one reading that earlier readings already knew.
//!
//! After linking, identity is the link. A record is recognised by the id column,
//! then by its key, then by its bytes, then by its values; what is left is
//! recognised by a shared e-mail, phone or name and by similarity, so that editing
//! or sorting a file never turns into a deletion and a creation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::{
    Canon, FieldSet, Fingerprint, Link, LinqId, SourceKey, SourceRecord, Values, first_names_agree,
    full_name_key, names_contradict,
};

use super::census::Census;
use super::observation::{DoubtfulCreate, HalfAdded};
use super::shifted::find_shifted;
use super::similarity::{
    Keyed, has_nothing_of, likest_first, pairs_alike, shared_weight, values_likeness,
};
use super::slipped::{Claim, find_slipped};

/// A record as an earlier reading knew it.
#[derive(Clone, Copy, Debug)]
pub(super) enum KnownRecord<'a> {
    /// By the link that it has.
    Link(&'a Link),
    /// By the create that was sent for it.
    Create(&'a DoubtfulCreate),
    /// By its addition. It may not have been made: an edited record is not believed to
    /// be the one that was added.
    Addition(&'a HalfAdded),
}

impl<'a> KnownRecord<'a> {
    pub(super) fn linq_id(self) -> Option<LinqId> {
        match self {
            KnownRecord::Link(link) => Some(link.linq_id),
            KnownRecord::Create(_) => None,
            KnownRecord::Addition(added) => Some(added.linq_id),
        }
    }

    pub(super) fn key(self) -> Option<&'a SourceKey> {
        match self {
            KnownRecord::Link(link) => link.key.as_ref(),
            KnownRecord::Create(create) => create.key.as_ref(),
            KnownRecord::Addition(_) => None,
        }
    }

    pub(super) fn fingerprint(self) -> Option<Fingerprint> {
        match self {
            KnownRecord::Link(link) => Some(link.fingerprint),
            KnownRecord::Create(create) => Some(create.fingerprint),
            KnownRecord::Addition(_) => None,
        }
    }

    /// Whether an earlier reading lacked it.
    fn was_missing(self) -> bool {
        match self {
            KnownRecord::Link(link) => link.source_missing_since.is_some(),
            KnownRecord::Create(_) | KnownRecord::Addition(_) => false,
        }
    }

    fn may_be_edited(self) -> bool {
        match self {
            KnownRecord::Link(_) | KnownRecord::Create(_) => true,
            KnownRecord::Addition(_) => false,
        }
    }

    pub(super) fn values(self) -> Cow<'a, Values> {
        match self {
            KnownRecord::Link(link) => Cow::Owned(link.base.known_values()),
            KnownRecord::Create(create) => Cow::Borrowed(&create.values),
            KnownRecord::Addition(added) => Cow::Borrowed(&added.values),
        }
    }
}

/// For each known record its position in `records`, where it was found among those
/// that are not `taken`. No position occurs twice. The `census` counts those who are where
/// they were.
pub(super) fn reidentify_records(
    known: &[KnownRecord<'_>],
    records: &[SourceRecord],
    taken: &[bool],
    census: &Census,
    mapped: FieldSet,
    canon: Canon,
) -> Vec<Option<usize>> {
    let (found, taken) = (vec![None; known.len()], taken.to_vec());
    let keys_slipped = false;
    let mut search = Search { known, records, census, mapped, canon, found, taken, keys_slipped };
    if known.is_empty() {
        return search.found;
    }
    search.by_id();
    search.by_key();
    search.by_bytes();
    search.by_values();
    search.keys_slipped |= search.most_keys_differ();
    search.by_shared(|values| canon.email_key(values), Compatible::WithAnyKey);
    search.by_shared(|values| canon.phone_key(values), Compatible::WithSameKey);
    search.by_shared(full_name_key, Compatible::WithSameKey);
    search.by_similarity();
    search.by_shifted_cells();
    search.found
}

/// Whether a record with another key than the known one may still be it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compatible {
    WithAnyKey,
    WithSameKey,
}

/// What is written in a record, however it is written.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RecordContent {
    key: Option<SourceKey>,
    values: Option<Vec<String>>,
}

struct Search<'a> {
    known: &'a [KnownRecord<'a>],
    records: &'a [SourceRecord],
    census: &'a Census,
    mapped: FieldSet,
    canon: Canon,
    found: Vec<Option<usize>>,
    /// Whether a record is somebody already, or a copy of one that is.
    taken: Vec<bool>,
    /// Whether keys are others than before, so that another key is no other person.
    keys_slipped: bool,
}

impl Search<'_> {
    fn pair_up(&mut self, known: usize, record: usize) {
        self.found[known] = Some(record);
        self.taken[record] = true;
    }

    fn unfound_known(&self) -> Vec<usize> {
        (0..self.known.len()).filter(|known| self.found[*known].is_none()).collect()
    }

    fn unfound_or_edited(&self) -> Vec<usize> {
        let mut unfound = self.unfound_known();
        unfound.retain(|index| self.known[*index].may_be_edited());
        unfound
    }

    fn untaken_records(&self) -> Vec<usize> {
        (0..self.records.len()).filter(|record| !self.taken[*record]).collect()
    }

    /// The id column. Of several rows with one id, copies of one another, one is the known
    /// record where that is beyond doubt. None of them is anybody else, unless it is known
    /// as somebody else: a copy that became a person of its own has the old id until its
    /// own is written.
    fn by_id(&mut self) {
        let mut rows: BTreeMap<LinqId, Vec<usize>> = BTreeMap::new();
        for position in self.untaken_records() {
            if let Some(id) = self.records[position].linq_id {
                rows.entry(id).or_default().push(position);
            }
        }
        if rows.is_empty() {
            return;
        }
        let slipped = self.slipped_ids();
        let copied = rows.values().any(|rows| rows.len() > 1);
        let others = if copied { self.by_content() } else { BTreeMap::new() };
        for index in 0..self.known.len() {
            let known = self.known[index];
            let Some(rows) = known.linq_id().and_then(|id| rows.get_mut(&id)) else { continue };
            rows.retain(|position| !slipped[*position]);
            if let [only] = rows[..] {
                self.pair_up(index, only);
                continue;
            }
            rows.retain(|position| {
                let other = others.get(&self.content_of(&self.records[*position]));
                other.is_none_or(|other| *other == index)
            });
            for position in &*rows {
                self.taken[*position] = true;
            }
            if let Some(original) = self.find_original(known, rows) {
                self.pair_up(index, original);
            }
        }
    }

    /// The known records by what is written in them.
    fn by_content(&self) -> BTreeMap<RecordContent, usize> {
        let mut by_content = BTreeMap::new();
        for (index, known) in self.known.iter().enumerate() {
            let values = self.canonical_texts(&known.values());
            by_content.insert(RecordContent { key: known.key().cloned(), values }, index);
        }
        by_content
    }

    fn content_of(&self, record: &SourceRecord) -> RecordContent {
        RecordContent { key: record.key.clone(), values: self.canonical_texts(&record.values) }
    }

    /// For each row, whether its id has slipped from another row, as it does when some
    /// columns are sorted without the others: it has nothing of the person with that
    /// id, and is another known person.
    fn slipped_ids(&self) -> Vec<bool> {
        let mut by_id: BTreeMap<LinqId, usize> = BTreeMap::new();
        for (index, known) in self.known.iter().enumerate() {
            by_id.extend(known.linq_id().map(|id| (id, index)));
        }
        let foreign: Vec<(usize, usize)> = self
            .records
            .iter()
            .enumerate()
            .filter_map(|(position, record)| Some((position, *by_id.get(&record.linq_id?)?)))
            .filter(|(position, index)| {
                let known = self.known[*index];
                let record = &self.records[*position];
                Some(record.fingerprint) != known.fingerprint()
                    && has_nothing_of(self.canon, &record.values, &known.values())
            })
            .collect();
        let mut slipped = vec![false; self.records.len()];
        if foreign.is_empty() {
            return slipped;
        }
        let emails = self.unique_by(|values| self.canon.email_key(values));
        let persons =
            self.unique_by(|values| self.canonical_texts(values).map(|all| all.join("\u{1f}")));
        for (position, own) in foreign {
            let values = &self.records[position].values;
            let by_email = self.canon.email_key(values).and_then(|email| emails.get(&email));
            let other = by_email.copied().flatten().or_else(|| {
                let person = self.canonical_texts(values)?.join("\u{1f}");
                persons.get(&person).copied().flatten()
            });
            slipped[position] = other.is_some_and(|other| {
                other != own && !names_contradict(values, &self.known[other].values())
            });
        }
        slipped
    }

    /// The known records by a key; `None` where several have it.
    fn unique_by(
        &self,
        key: impl Fn(&Values) -> Option<String>,
    ) -> BTreeMap<String, Option<usize>> {
        let mut unique = BTreeMap::new();
        for (index, known) in self.known.iter().enumerate() {
            if let Some(key) = key(&known.values()) {
                unique.entry(key).and_modify(|one| *one = None).or_insert(Some(index));
            }
        }
        unique
    }

    /// Of `rows`, which all claim to be `known`, the one that is: by its key, or because it
    /// is as it was, or because the others have nothing of that person. Of rows that were
    /// edited and copied it is the first, if they say the same; otherwise nobody can tell
    /// which is the copy.
    fn find_original(&self, known: KnownRecord<'_>, rows: &[usize]) -> Option<usize> {
        let values = known.values();
        let record = |position: &usize| &self.records[*position];
        let same_key = |position: &&usize| {
            known.key().is_some_and(|key| record(position).key.as_ref() == Some(key))
        };
        let same_bytes =
            |position: &&usize| Some(record(position).fingerprint) == known.fingerprint();
        let unchanged = |position: &&usize| {
            self.canon.differing_fields(self.mapped, &values, &record(position).values).is_empty()
        };
        let kin: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|position| !has_nothing_of(self.canon, &record(position).values, &values))
            .collect();
        let find = |is: &dyn Fn(&&usize) -> bool| rows.iter().find(is).copied();
        let say_the_same = kin.windows(2).all(|two| {
            let [one, other] = [0, 1].map(|at| &record(&two[at]).values);
            self.canon.differing_fields(self.mapped, one, other).is_empty()
        });
        let first = kin.first().copied().filter(|_| say_the_same);
        find(&same_key).or_else(|| find(&same_bytes)).or_else(|| find(&unchanged)).or(first)
    }

    /// The key, unless it has slipped to the row of somebody else. Where a row was left
    /// behind by somebody who has the same key by now, it is of whom says the same.
    fn by_key(&mut self) {
        let mut rows: BTreeMap<&SourceKey, usize> = BTreeMap::new();
        for position in self.untaken_records() {
            if let Some(key) = &self.records[position].key {
                rows.insert(key, position);
            }
        }
        let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
        for index in self.unfound_known() {
            let known = self.known[index];
            let Some(position) = known.key().and_then(|key| rows.get(key)) else { continue };
            let is_same = Some(self.records[*position].fingerprint) == known.fingerprint();
            let claim = claims.entry(*position).or_insert(index);
            if is_same {
                *claim = index;
            }
        }
        let strangers: Vec<usize> =
            self.untaken_records().into_iter().filter(|at| !claims.contains_key(at)).collect();
        let claims: Vec<Claim> = claims.into_iter().map(|(at, index)| (index, at)).collect();
        let at_rest = self.census.known_by_key;
        let slipped = find_slipped(
            self.known,
            self.records,
            &claims,
            &strangers,
            at_rest,
            self.mapped,
            self.canon,
        );
        self.keys_slipped = slipped.most;
        for (index, position) in claims {
            if !slipped.claims.contains(&index) {
                self.pair_up(index, position);
            }
        }
    }

    /// Whether most of those who were recognised have another key than before: then it says
    /// nothing about the others either.
    fn most_keys_differ(&self) -> bool {
        let (mut same, mut other) = (self.census.with_keys, 0);
        for (known, found) in self.known.iter().zip(&self.found) {
            let now = found.and_then(|position| self.records[position].key.as_ref());
            match (known.key(), now) {
                (Some(before), Some(now)) if before == now => same += 1,
                (Some(_), Some(_)) => other += 1,
                (None, _) | (_, None) => {}
            }
        }
        other > same
    }

    /// Rows that are the same to the letter are interchangeable: they are paired
    /// in their order. Where some have gone, these are the rows of whom was missing
    /// already, then of whom is known longest: a row that was just added is not
    /// taken for one that had gone.
    fn by_bytes(&mut self) {
        self.in_order(
            |search, index| search.known[index].fingerprint(),
            |search, position| Some(search.records[position].fingerprint),
        );
    }

    /// Rows with the same values, written differently or with other unmapped cells; those
    /// that have the same key, or none as well, before others.
    fn by_values(&mut self) {
        let of = |search: &Self, key: Option<&SourceKey>, values: &Values| {
            Some((search.canonical_texts(values)?, key.cloned()))
        };
        self.in_order(
            |search, index| of(search, search.known[index].key(), &search.known[index].values()),
            |search, at| of(search, search.records[at].key.as_ref(), &search.records[at].values),
        );
        self.in_order(
            |search, index| search.canonical_texts(&search.known[index].values()),
            |search, position| search.canonical_texts(&search.records[position].values),
        );
    }

    fn in_order<K: Ord>(
        &mut self,
        of_known: impl Fn(&Self, usize) -> Option<K>,
        of_record: impl Fn(&Self, usize) -> Option<K>,
    ) {
        let keyed = |(key, place): (Option<K>, usize)| Some((key?, place));
        let unfound = self.unfound_known().into_iter().map(|index| (of_known(self, index), index));
        let mut known: Vec<(K, usize)> = unfound.filter_map(keyed).collect();
        if known.is_empty() {
            return;
        }
        let untaken = self.untaken_records().into_iter().map(|at| (of_record(self, at), at));
        let mut records: Vec<(K, usize)> = untaken.filter_map(keyed).collect();
        known.sort_unstable_by(|(a, one), (b, other)| {
            let order = |index: &usize| (!self.known[*index].was_missing(), *index);
            a.cmp(b).then_with(|| order(one).cmp(&order(other)))
        });
        records.sort_unstable();
        let (mut known, mut records) = (&known[..], &records[..]);
        while let (Some((a, _)), Some((b, _))) = (known.first(), records.first()) {
            let key = a.min(b);
            let same = |(other, _): &&(K, usize)| other == key;
            let claims = known.iter().take_while(same).count();
            let rows = records.iter().take_while(same).count();
            let gone = claims.saturating_sub(rows);
            for ((_, index), (_, position)) in known[gone..claims].iter().zip(&records[..rows]) {
                self.pair_up(*index, *position);
            }
            (known, records) = (&known[claims..], &records[rows..]);
        }
    }

    fn canonical_texts(&self, values: &Values) -> Option<Vec<String>> {
        (!values.lacks_identity()).then(|| self.canon.canonical_values(self.mapped, values))
    }

    /// Pairs what shares a key, and whose names do not speak against it: of several the
    /// likest, and of equals the first. So no row is left over for which a known record
    /// could be taken later, when another row has found its own.
    fn by_shared(&mut self, key: impl Fn(&Values) -> Option<String>, compatible: Compatible) {
        let mut groups: BTreeMap<String, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for index in self.unfound_or_edited() {
            if let Some(key) = key(&self.known[index].values()) {
                groups.entry(key).or_default().0.push(index);
            }
        }
        if groups.is_empty() {
            return;
        }
        for position in self.untaken_records() {
            if let Some((_, rows)) =
                key(&self.records[position].values).and_then(|key| groups.get_mut(&key))
            {
                rows.push(position);
            }
        }
        for (known, rows) in groups.into_values() {
            let pairs = known.iter().flat_map(|index| rows.iter().map(|row| (*index, *row)));
            let compatible = pairs.filter(|(index, row)| {
                self.is_compatible(*index, *row, compatible)
                    && !self.is_outdone(*index, *row, &rows)
            });
            let weighed = |(index, row): (usize, usize)| {
                let (known, record) = (self.known[index].values(), &self.records[row].values);
                (shared_weight(self.mapped, self.canon, &known, record), index, row)
            };
            for (index, row) in likest_first(compatible.map(weighed).collect()) {
                self.pair_up(index, row);
            }
        }
    }

    /// Whether a row only passes for the known record because it has no name that could
    /// speak against it, and another of `rows` is as much like it, whose name was edited.
    fn is_outdone(&self, index: usize, row: usize, rows: &[usize]) -> bool {
        let known = self.known[index].values();
        let record = |row: usize| &self.records[row].values;
        let likeness = |row| values_likeness(self.mapped, self.canon, &known, record(row));
        full_name_key(&known).is_some()
            && full_name_key(record(row)).is_none()
            && rows.iter().any(|other| {
                full_name_key(record(*other)).is_some() && likeness(*other) >= likeness(row)
            })
    }

    fn is_compatible(&self, index: usize, position: usize, compatible: Compatible) -> bool {
        let (known, record) = (self.known[index], &self.records[position]);
        let values = known.values();
        if names_contradict(&values, &record.values) {
            return false;
        }
        match compatible {
            Compatible::WithAnyKey => true,
            Compatible::WithSameKey => {
                (self.keys_slipped || known.key().is_none() || record.key.is_none())
                    && first_names_agree(&values, &record.values)
            }
        }
    }

    /// Who was not found, each with its place.
    fn known_left(&self) -> Vec<(usize, KnownRecord<'_>)> {
        self.unfound_or_edited().into_iter().map(|index| (index, self.known[index])).collect()
    }

    /// The records that are nobody yet, each with its place.
    fn records_left(&self) -> Vec<(usize, &SourceRecord)> {
        self.untaken_records().into_iter().map(|at| (at, &self.records[at])).collect()
    }

    /// What has most of its values in other columns than before.
    fn by_shifted_cells(&mut self) {
        let (known, records) = (self.known_left(), self.records_left());
        for (index, position) in find_shifted(&known, &records) {
            let (known, key) = (self.known[index], &self.records[position].key);
            // The key may have moved like all others.
            let is_value = |key: &SourceKey| {
                let values = known.values();
                values.filled_fields().iter().any(|field| values[field].trim() == key.0.trim())
            };
            if self.keys_slipped || known.key().is_none() || key.as_ref().is_some_and(is_value) {
                self.pair_up(index, position);
            }
        }
    }

    /// What shares at least half of its values.
    fn by_similarity(&mut self) {
        let (known, records) = (self.known_left(), self.records_left());
        let keys = if self.keys_slipped { Keyed::AnyKey } else { Keyed::SameKey };
        let alike = pairs_alike(&known, &records, self.mapped, self.canon, keys);
        for (index, position) in likest_first(alike) {
            self.pair_up(index, position);
        }
    }
}
