//! Values that moved from one field of a contact to another: cells that slipped when one of
//! a row was deleted, columns that were exchanged.
//!
//! Owns telling that by what was agreed on. Leaves what becomes of such edits to
//! [`super::mass_edits`].

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Canon, Field, FieldChange, Link, LinkId, Side};

use super::observation::Observation;
use super::step::Step;

/// What is shorter, such as a grade, is the same by chance.
const SHORTEST: usize = 2;

/// The edits of a plan for one side, beside what was agreed on.
pub(super) struct Crossings<'a> {
    side: Side,
    seen: &'a Observation,
    canon: Canon,
    links: BTreeMap<LinkId, &'a Link>,
}

impl<'a> Crossings<'a> {
    /// For the edits of `steps` that would be written on `side`.
    pub(super) fn new(
        steps: &[Step],
        side: Side,
        seen: &'a Observation,
        canon: Canon,
    ) -> Crossings<'a> {
        let edited = steps.iter().filter(|step| !step.changes_on(side).is_empty());
        let edited: BTreeSet<LinkId> = edited.filter_map(|step| step.subject.link).collect();
        let mut links = BTreeMap::new();
        if !edited.is_empty() {
            let edited = seen.links.iter().filter(|link| edited.contains(&link.id));
            links.extend(edited.map(|link| (link.id, link)));
        }
        Crossings { side, seen, canon, links }
    }

    /// The field of the same contact that had the value of `change` when both sides last
    /// agreed, and has another one by now.
    pub(super) fn from(&self, step: &Step, change: &FieldChange) -> Option<Field> {
        let link = self.links.get(&step.subject.link?)?;
        let value = self.canon.canonical_value(change.field, &change.to);
        if value.chars().count() < SHORTEST {
            return None;
        }
        let had = |field: Field| {
            let agreed = link.base.get(field)?;
            let text = match self.side {
                Side::Linq => &agreed.source,
                Side::Source => &agreed.linq,
            };
            (self.canon.canonical_value(change.field, text) == value).then_some(text)
        };
        let moved_on = |field: Field, text: &str| {
            self.shown_value(step, field).is_some_and(|now| {
                self.canon.canonical_value(field, now) != self.canon.canonical_value(field, text)
            })
        };
        let mut others = Field::ALL.into_iter().filter(|field| *field != change.field);
        others.find(|field| had(*field).is_some_and(|text| moved_on(*field, text)))
    }

    /// What the edited side shows of a field by now.
    fn shown_value(&self, step: &Step, field: Field) -> Option<&'a str> {
        match self.side {
            Side::Linq => Some(&self.seen.source.record_at(step.subject.record?).values[field]),
            Side::Source => {
                Some(&self.seen.linq.contacts.get(&step.subject.linq_id?)?.values[field])
            }
        }
    }

    /// Whether the values of a contact slipped to other fields. Two that are exchanged are
    /// put right, as first and last name are.
    pub(super) fn has_slipped(&self, step: &Step) -> bool {
        let changes = step.changes_on(self.side);
        if changes.len() < 2 {
            return false;
        }
        let crossed: Vec<(Field, Field)> = changes
            .iter()
            .filter_map(|change| Some((change.field, self.from(step, change)?)))
            .collect();
        match crossed[..] {
            [] | [_] => false,
            [(to, from), (other_to, other_from)] => (to, from) != (other_from, other_to),
            _ => true,
        }
    }
}
