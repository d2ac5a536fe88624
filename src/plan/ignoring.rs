//! Who is ignored because a person wants it so.
//!
//! Owns telling which records and contacts these are. They take no part from then on, like
//! those outside the selection of the source: [`super::correlate`] sees them, and nothing
//! happens to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Exclusion, Ignored, Link, LinqId, Policy, RecordIndex, SourceRecord};

use super::observation::Observation;
use super::recognise::recognise_records;
use super::step::Subject;
use super::waiting::question_id;

/// Who is ignored.
#[derive(Clone, Debug, Default)]
pub struct Ignoring {
    /// What people decided.
    pub entries: Vec<Ignored>,
    /// The records that are meant, each with the position of its entry.
    records: BTreeMap<RecordIndex, usize>,
    /// The contacts, linked ones among them.
    contacts: BTreeSet<LinqId>,
    /// The records of pairs that are ignored by their contact: they look for no other one.
    of_pairs: BTreeSet<RecordIndex>,
}

impl Ignoring {
    /// Whether the contact, or its pair, is ignored.
    pub fn has(&self, id: LinqId) -> bool {
        self.contacts.contains(&id)
    }

    /// Whether the record, or its pair, is ignored.
    pub fn has_record(&self, index: RecordIndex) -> bool {
        self.records.contains_key(&index) || self.of_pairs.contains(&index)
    }

    /// Why a pair of this contact and this record is released, for people.
    pub(super) fn reason(&self, id: LinqId, record: Option<&SourceRecord>) -> String {
        let entry = self.entries.iter().find(|entry| entry.linq_id() == Some(id));
        let of_record = || Some(&self.entries[*self.records.get(&record?.index)?]);
        match entry.or_else(of_record).and_then(|entry| entry.by.as_ref()) {
            Some(by) => format!("ignored by {by} with `resolve --ignore`"),
            None => "ignored with `resolve --ignore`".to_owned(),
        }
    }

    /// How many are ignored.
    pub fn len(&self) -> usize {
        self.records.len() + self.contacts.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether `record` is written as the one was that `entry` is about.
fn is_as_shown(entry: &Ignored, record: &SourceRecord, seen: &Observation) -> bool {
    let subject = Subject { record: Some(record.index), ..Subject::default() };
    question_id(&entry.about.kind, &subject, seen) == entry.about.question_id
}

/// Lets the records and contacts of `entries` take no part in what was `seen`.
pub fn ignore(seen: &mut Observation, entries: Vec<Ignored>, policy: &Policy) {
    let mut ignoring = Ignoring { entries, ..Ignoring::default() };
    if ignoring.entries.is_empty() {
        seen.ignoring = ignoring;
        return;
    }
    let links = recognise_records(seen, policy).links;
    let linked: BTreeMap<usize, &Link> =
        links.iter().filter_map(|(link, position)| Some(((*position)?, *link))).collect();
    for (at, entry) in ignoring.entries.iter().enumerate() {
        if let Some(id) = entry.linq_id() {
            ignoring.contacts.insert(id);
            continue;
        }
        let meant = seen.source.records.iter().enumerate().filter(|(_, record)| {
            !ignoring.records.contains_key(&record.index) && entry.is(record, policy.canon)
        });
        let (of_links, free): (Vec<_>, Vec<_>) =
            meant.partition(|(position, _)| linked.contains_key(position));
        // Without the record that it looked like, it is taken for the one of that pair.
        let takes_over = |(position, record): &(usize, &SourceRecord)| {
            let link = linked[position];
            link.excluded == Some(Exclusion::Ignored)
                || link.content != Some(record.content) && is_as_shown(entry, record, seen)
        };
        let of_links = || of_links.into_iter().filter(takes_over).collect();
        let alike: Vec<_> = if free.is_empty() { of_links() } else { free };
        // The one at the place that was shown, if it is still there; else the last: of
        // several alike the first is the one that goes on.
        let alike = alike.into_iter().map(|(_, record)| record);
        let alike: Vec<&SourceRecord> = alike.collect();
        let at_place = |record: &&SourceRecord| entry.about.label.as_ref() == Some(&record.label);
        let found = alike.iter().copied().find(at_place).or(alike.last().copied());
        ignoring.records.extend(found.map(|record| (record.index, at)));
    }
    for (position, link) in &linked {
        if ignoring.contacts.contains(&link.linq_id) {
            ignoring.of_pairs.insert(seen.source.records[*position].index);
        }
    }
    for record in seen.source.records.iter_mut() {
        record.is_outside |= ignoring.has_record(record.index);
    }
    seen.ignoring = ignoring;
}
