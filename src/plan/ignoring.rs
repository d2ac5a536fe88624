//! Who is ignored because a person wants it so.
//!
//! Owns telling which records and contacts these are. They take no part from then on, like
//! those outside the selection of the source: [`super::correlate`] sees them, and nothing
//! happens to them.

use std::collections::BTreeSet;

use crate::model::{Ignored, LinqId, Policy, RecordIndex};

use super::observation::Observation;
use super::recognise::recognise_records;

/// Who is ignored.
#[derive(Clone, Debug, Default)]
pub struct Ignoring {
    /// What people decided.
    pub entries: Vec<Ignored>,
    /// The records that are meant, which are not linked.
    pub(super) records: BTreeSet<RecordIndex>,
    /// The contacts, linked ones among them.
    pub(super) contacts: BTreeSet<LinqId>,
}

impl Ignoring {
    /// Whether the contact, or its pair, is ignored.
    pub(super) fn has(&self, id: LinqId) -> bool {
        self.contacts.contains(&id)
    }

    /// Why the pair of a contact is released, for people.
    pub(super) fn reason(&self, id: LinqId) -> String {
        let entry = self.entries.iter().find(|entry| entry.linq_id() == Some(id));
        match entry.and_then(|entry| entry.by.as_ref()) {
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

/// Lets the records and contacts of `entries` take no part in what was `seen`.
pub fn ignore(seen: &mut Observation, entries: Vec<Ignored>, policy: &Policy) {
    let mut ignoring = Ignoring { entries, ..Ignoring::default() };
    if ignoring.entries.is_empty() {
        seen.ignoring = ignoring;
        return;
    }
    let linked: BTreeSet<usize> = recognise_records(seen, policy)
        .links
        .into_iter()
        .filter_map(|(_, position)| position)
        .collect();
    for entry in &ignoring.entries {
        if let Some(id) = entry.linq_id() {
            ignoring.contacts.insert(id);
            continue;
        }
        // The one at the place that was shown, if it is still there; else the last: of
        // several alike the first is the one that goes on.
        let records = seen.source.records.iter().enumerate();
        let alike = records.filter(|(position, record)| {
            !linked.contains(position)
                && !ignoring.records.contains(&record.index)
                && entry.is(record, policy.canon)
        });
        let at_place = |record: &&crate::model::SourceRecord| {
            entry.about.label.as_ref() == Some(&record.label)
        };
        let alike: Vec<_> = alike.map(|(_, record)| record).collect();
        let found = alike.iter().copied().find(at_place).or(alike.last().copied());
        ignoring.records.extend(found.map(|record| record.index));
    }
    if !ignoring.records.is_empty() {
        for record in seen.source.records.iter_mut() {
            record.is_outside |= ignoring.records.contains(&record.index);
        }
    }
    seen.ignoring = ignoring;
}
