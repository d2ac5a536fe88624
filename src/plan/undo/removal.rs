//! What a run created goes where it was created, and the pair is released.

use crate::model::{DeletePolicy, FieldSet, Side, Values};
use crate::plan::step::{LinkPlan, LinqWrite, SourceWrite};

use super::history::ContactHistory;
use super::{Undo, UndoPair, is_linked};

impl<'a> Undo<'a, '_> {
    /// Removes a person where the run created it.
    pub(super) fn remove_created(&mut self, person: &ContactHistory, pair: UndoPair<'a>) {
        let mut step = self.new_step(pair);
        for side in Side::ALL {
            let Some(left) = person.created_on(side) else { continue };
            let there = match side {
                Side::Source => pair.source.record().map(|record| &record.values),
                Side::Linq => pair.linq.contact().map(|contact| &contact.values),
            };
            let Some(now) = there else { continue };
            if let Some(why) = self.reason_to_stay(side, left, now) {
                return self.skip_contact(step.subject, why);
            }
            match (side, pair.source.record(), pair.linq.contact()) {
                (Side::Source, Some(record), _) => {
                    step.source = Some(SourceWrite::Delete { at: record.index });
                }
                (Side::Linq, _, Some(contact)) => {
                    let expected = contact.values.clone();
                    step.linq = Some(LinqWrite::Delete { id: contact.id, expected });
                }
                (Side::Source, None, _) | (Side::Linq, _, None) => {}
            }
        }
        if let (Some(LinqWrite::Delete { .. }), None, Some(record)) =
            (&step.linq, &step.source, pair.source.record())
        {
            let set = self.source_alone(person, record);
            if !set.is_empty() {
                step.source = Some(SourceWrite::Update { at: record.index, set, linq_id: None });
            }
        }
        if step.has_effect() && is_linked(pair.link) {
            // Before anything is deleted: what is left is not to be deleted after it.
            step.link = LinkPlan::Release;
        }
        self.push_step(step);
    }

    /// Why what was created on `side` stays there, if it does.
    fn reason_to_stay(&self, side: Side, left: &Values, now: &Values) -> Option<String> {
        let fields = match side {
            Side::Source => self.seen.source.mapped,
            Side::Linq => FieldSet::ALL,
        };
        let edited = self.policy.canon.differing_fields(fields, left, now);
        if !edited.is_empty() {
            let names: Vec<&str> = edited.iter().map(crate::model::Field::name).collect();
            let names = names.join(", ");
            return Some(format!("it stays in {side}, since it was edited there: {names}"));
        }
        if !self.policy.may_write(side) || self.policy.deletes.on_side(side) == DeletePolicy::Keep {
            return Some(format!("it stays in {side}, where nothing is to be deleted"));
        }
        if !self.seen.source.unreadable.is_empty() {
            return Some("it stays until all of the source can be read".to_owned());
        }
        let reason = self.seen.changed_meaning.as_ref()?;
        Some(format!("it stays for now, because {reason}"))
    }

    /// What an undo put back into the source first was created in Linq after that, as
    /// somebody new: the two are one person.
    pub(super) fn merge_restored(&self, people: &mut Vec<ContactHistory>) {
        let is_alone = |person: &ContactHistory| {
            let pair = person.linq_id.and_then(|id| self.pairs.get(&id));
            person.created_on(Side::Source).is_some() && pair.is_none()
        };
        if !people.iter().any(is_alone) {
            return;
        }
        let mapped = self.seen.source.mapped;
        let canonical = |values: &Values| self.policy.canon.canonical_values(mapped, values);
        let (alone, mut others): (Vec<ContactHistory>, Vec<ContactHistory>) =
            people.drain(..).partition(is_alone);
        for person in alone {
            let Some(values) = person.created_on(Side::Source) else { continue };
            let wanted = canonical(values);
            let twin = others.iter_mut().find(|other| {
                let created = other.created_on(Side::Linq);
                other.created_on(Side::Source).is_none()
                    && created.is_some_and(|created| canonical(created) == wanted)
            });
            match twin {
                Some(twin) => twin.created[Side::Source as usize] = Some(values.clone()),
                None => others.push(person),
            }
        }
        *people = others;
    }
}
