//! What a run did, person by person.

use std::collections::BTreeMap;

use crate::model::{BaseChange, Field, LinqId, Side, Values};
use crate::plan::step::Subject;

use super::{PastDeed, Undoing, UndoneDeed};

/// Everything that a run did to one person.
#[derive(Clone, Default)]
pub(super) struct ContactHistory {
    pub(super) linq_id: Option<LinqId>,
    pub(super) source_key: Option<String>,
    pub(super) name: String,
    /// The fields that changed, from before the first change to after the last.
    pub(super) fields: BTreeMap<Field, BaseChange>,
    /// What was created in the source and in Linq.
    pub(super) created: [Option<Values>; 2],
    /// What there was before it was deleted.
    pub(super) deleted: Option<LastValues>,
}

/// What a deleted person had on each side.
#[derive(Clone, Default)]
pub(super) struct LastValues {
    pub(super) source: Values,
    pub(super) linq: Values,
}

impl ContactHistory {
    pub(super) fn subject(&self) -> Subject {
        Subject {
            linq_id: self.linq_id,
            source_key: self.source_key.clone(),
            name: self.name.clone(),
            ..Subject::default()
        }
    }

    pub(super) fn created_on(&self, side: Side) -> Option<&Values> {
        self.created[side as usize].as_ref()
    }

    /// Values that the person is known by besides those of today.
    pub(super) fn known_values(&self) -> impl Iterator<Item = &Values> {
        let deleted = self.deleted.iter().flat_map(|had| [&had.source, &had.linq]);
        self.created.iter().flatten().chain(deleted)
    }

    fn add_deed(&mut self, deed: &UndoneDeed) {
        match deed {
            UndoneDeed::Changed(changes) => {
                for change in changes {
                    self.add_change(change);
                }
            }
            UndoneDeed::Created(side, values) => {
                self.created[*side as usize] = Some(values.clone());
            }
            UndoneDeed::Deleted { .. } if self.created.iter().any(Option::is_some) => {
                // It came and went within the run.
                self.created = [None, None];
            }
            UndoneDeed::Deleted { source, linq, .. } => {
                self.deleted = Some(LastValues { source: source.clone(), linq: linq.clone() });
            }
        }
    }

    fn add_change(&mut self, change: &BaseChange) {
        let field = change.field;
        for (side, text) in [(Side::Source, &change.after.source), (Side::Linq, &change.after.linq)]
        {
            if let Some(values) = &mut self.created[side as usize] {
                values[field].clone_from(text);
            }
        }
        self.fields
            .entry(field)
            .and_modify(|known| known.after.clone_from(&change.after))
            .or_insert_with(|| change.clone());
    }

    /// Takes out what `deed` has put back already.
    fn take_out(&mut self, deed: &UndoneDeed) {
        match deed {
            // What both sides show tells whether a field went back.
            UndoneDeed::Changed(_) => {}
            UndoneDeed::Created(..) => self.deleted = None,
            UndoneDeed::Deleted { side, .. } => self.created[*side as usize] = None,
        }
    }

    fn is_done_with(&self) -> bool {
        self.fields.is_empty() && self.created.iter().all(Option::is_none) && self.deleted.is_none()
    }
}

/// The people to whom the run did something that is not put back so far, in the order
/// in which it did.
pub(super) fn undone_contacts(undoing: &Undoing<'_>) -> Vec<ContactHistory> {
    let mut people: Vec<ContactHistory> = Vec::new();
    let mut by_id: BTreeMap<LinqId, usize> = BTreeMap::new();
    for done in &undoing.done {
        let position = match done.linq_id {
            Some(id) => *by_id.entry(id).or_insert_with(|| begin_history(&mut people, done)),
            None => begin_history(&mut people, done),
        };
        people[position].add_deed(&done.deed);
    }
    for done in &undoing.undone {
        if let Some(position) = done.linq_id.and_then(|id| by_id.get(&id)) {
            people[*position].take_out(&done.deed);
        }
    }
    people.retain(|person| !person.is_done_with());
    people
}

fn begin_history(people: &mut Vec<ContactHistory>, done: &PastDeed) -> usize {
    people.push(ContactHistory {
        linq_id: done.linq_id,
        source_key: done.source_key.clone(),
        name: done.name.clone(),
        ..ContactHistory::default()
    });
    people.len() - 1
}
