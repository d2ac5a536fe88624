//! All pairs at rest, as far as what is read is compared with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Digest, Field, FieldSet, Fingerprint, LinkId, LinqContact, LinqId, Manner, Rest, SourceRecord,
};

/// The pairs at rest, by their contacts and by their records. Each pair has a position, from
/// 0 on in the order of contacts. About 60 bytes a pair.
#[derive(Clone, Debug, Default)]
pub struct Resting {
    pairs: Vec<RestingPair>,
    /// The records with the positions of their pairs, in order.
    by_record: Vec<(Digest, u32)>,
    reading: Option<ReadingAtRest>,
    files: BTreeMap<Vec<u8>, FileAtRest>,
}

/// A file of the source all of whose records are at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAtRest {
    /// What the file is like: with another stamp it is another one, or has been written.
    pub stamp: [u8; 56],
    /// All its bytes.
    pub fingerprint: Fingerprint,
    /// Its records, in order.
    pub records: Vec<Digest>,
}

/// What is to be remembered of a source that need not be read again while it is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAtRest {
    /// The reading, if all of its records are at rest.
    pub reading: Option<ReadingAtRest>,
    /// Files all of whose records are at rest, and were not known as such, by their paths.
    pub files: Vec<(Vec<u8>, FileAtRest)>,
    /// Files that were known as such, and are not any more.
    pub other_files: Vec<Vec<u8>>,
}

/// A reading of the source all of whose records were at rest, as far as another one of the
/// same bytes need not find out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingAtRest {
    /// All bytes of the source.
    pub fingerprint: Fingerprint,
    /// Stands for the options with which it was read.
    pub options: Fingerprint,
    /// How many records it has.
    pub count: usize,
    /// The fields that it carries.
    pub mapped: FieldSet,
    /// Where they stand.
    pub places: BTreeMap<Field, String>,
    /// How it was read besides.
    pub manner: Manner,
    /// Whether it has a column for Linq's ids.
    pub keeps_ids: bool,
    /// What people should know of it.
    pub notices: Vec<String>,
}

/// What is kept of a pair in memory.
#[derive(Clone, Copy, Debug)]
struct RestingPair {
    linq_id: LinqId,
    link: LinkId,
    contact: Digest,
    counted: Counted,
}

impl FromIterator<Rest> for Resting {
    fn from_iter<I: IntoIterator<Item = Rest>>(rests: I) -> Resting {
        let mut pairs = Vec::new();
        let mut records = Vec::new();
        for rest in rests {
            let Rest { link, linq_id, contact, record, counted, marks: _ } = rest;
            pairs.push(RestingPair { linq_id, link, contact, counted });
            records.push((record, linq_id));
        }
        pairs.sort_unstable_by_key(|pair| pair.linq_id);
        let position = |id: LinqId| {
            let at = pairs.partition_point(|pair| pair.linq_id < id);
            u32::try_from(at).unwrap_or(u32::MAX)
        };
        let mut by_record: Vec<(Digest, u32)> =
            records.into_iter().map(|(record, id)| (record, position(id))).collect();
        by_record.sort_unstable();
        Resting { pairs, by_record, reading: None, files: BTreeMap::new() }
    }
}

impl Resting {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The same, where `reading` was one of all of their records.
    #[must_use]
    pub fn of_reading(self, reading: Option<ReadingAtRest>) -> Resting {
        let reading = reading.filter(|reading| reading.count == self.len());
        Resting { reading, ..self }
    }

    /// The same, with the files that have their records and no others, by their paths below
    /// the directory.
    #[must_use]
    pub fn of_files(self, files: BTreeMap<Vec<u8>, FileAtRest>) -> Resting {
        Resting { files, ..self }
    }

    /// The file at `path`, if all of its records are at rest.
    pub fn resting_file(&self, path: &[u8]) -> Option<&FileAtRest> {
        let file = self.files.get(path)?;
        file.records.iter().all(|record| self.of_digest(*record).is_some()).then_some(file)
    }

    /// Whether the records of the file at `path` were at rest.
    pub fn has_file(&self, path: &[u8]) -> bool {
        self.files.contains_key(path)
    }

    /// The paths of the files whose records were at rest.
    pub fn file_paths(&self) -> impl Iterator<Item = &[u8]> {
        self.files.keys().map(Vec::as_slice)
    }

    /// The reading that has the records of all of them and no others, if there is one.
    pub fn last_reading(&self) -> Option<&ReadingAtRest> {
        self.reading.as_ref()
    }

    /// The pair of the contact `id`.
    pub fn of_id(&self, id: LinqId) -> Option<usize> {
        self.pairs.binary_search_by_key(&id, |pair| pair.linq_id).ok()
    }

    /// The pair of which `contact` is the one half, as it was at rest.
    pub fn of_contact(&self, contact: &LinqContact) -> Option<usize> {
        let at = self.of_id(contact.id)?;
        (self.pairs[at].contact == Digest::of_contact(contact)).then_some(at)
    }

    /// The pair of which `record` is the one half, as it was at rest.
    pub fn of_record(&self, record: &SourceRecord) -> Option<usize> {
        if self.by_record.is_empty() {
            return None;
        }
        self.of_digest(Digest::of_record(record))
    }

    /// The pair of which the record with this digest is the one half.
    pub fn of_digest(&self, digest: Digest) -> Option<usize> {
        let at = self.by_record.partition_point(|one| one.0 < digest);
        let (found, position) = self.by_record.get(at)?;
        (*found == digest).then_some(*position as usize)
    }

    /// The contact of a pair.
    pub fn linq_id(&self, at: usize) -> LinqId {
        self.pairs[at].linq_id
    }

    /// The link of a pair.
    pub fn link_id(&self, at: usize) -> LinkId {
        self.pairs[at].link
    }

    /// What is counted of a pair.
    pub fn counted_at(&self, at: usize) -> Counted {
        self.pairs[at].counted
    }
}

/// What is counted of a pair at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The fields that are not blank in the source, and in Linq.
    pub filled: [FieldSet; 2],
    /// Whether the record has a key.
    pub has_key: bool,
    /// Whether the record says which contact is its own.
    pub has_id: bool,
}

/// Some of the pairs at rest, by their positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    bits: Vec<u64>,
}

impl Positions {
    /// None of `len` pairs.
    pub fn none(len: usize) -> Positions {
        Positions { bits: vec![0; len.div_ceil(64)] }
    }

    /// All of `len` pairs.
    pub fn all(len: usize) -> Positions {
        (0..len).collect()
    }

    /// Adds the pair at `at`. Returns whether it was not among them.
    pub fn insert(&mut self, at: usize) -> bool {
        let (word, bit) = (at / 64, 1 << (at % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    /// Takes the pair at `at` out.
    pub fn remove(&mut self, at: usize) {
        if let Some(word) = self.bits.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    /// Whether the pair at `at` is among them.
    pub fn contains(&self, at: usize) -> bool {
        self.bits.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Positions) {
        if self.bits.len() < others.bits.len() {
            self.bits.resize(others.bits.len(), 0);
        }
        self.bits.iter_mut().zip(&others.bits).for_each(|(word, other)| *word |= other);
    }

    /// The positions, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.bits.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| at * 64 + bit)
        })
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether they are none.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }
}

impl FromIterator<usize> for Positions {
    fn from_iter<I: IntoIterator<Item = usize>>(all: I) -> Positions {
        let mut positions = Positions::default();
        for at in all {
            positions.insert(at);
        }
        positions
    }
}
