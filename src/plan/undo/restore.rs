//! Who was deleted is created again, in the source and then in Linq.

use std::collections::BTreeMap;

use crate::model::{Field, LinqContact, Policy, Side, SourceRecord, Values};
use crate::plan::case::{Case, LinqHalf, SourceHalf};
use crate::plan::keys::{KeyIndex, MatchKey, MatchKeys, WantedKeys};
use crate::plan::new_pairs::create_in_source;
use crate::plan::observation::{DoubtfulCreate, Observation};
use crate::plan::pairs::lacks_id;
use crate::plan::step::{LinqWrite, SourceWrite, Step, StepReason};

use super::history::{ContactHistory, LastValues};
use super::{Undo, UndoPair};

/// Why nothing is put back of who takes no part.
pub(super) const UNSELECTED: &str = "its row or card takes no part (source.only)";

impl<'a> Undo<'a, '_> {
    /// Creates again whom the run deleted.
    pub(super) fn restore_deleted(
        &mut self,
        person: &ContactHistory,
        had: &LastValues,
        pair: Option<UndoPair<'a>>,
    ) {
        match pair.map(|pair| (pair, pair.source, pair.linq)) {
            Some((
                _,
                SourceHalf::Present(_) | SourceHalf::Unselected(_),
                LinqHalf::Present(_) | LinqHalf::OutOfScope(_),
            )) => {}
            Some((_, SourceHalf::Unselected(_), _)) => {
                self.skip_contact(person.subject(), UNSELECTED.to_owned());
            }
            Some((pair, SourceHalf::Present(record), _)) => {
                // The record stayed when the contact went: it is the newer truth.
                let mut values = had.linq.clone();
                for field in self.seen.source.mapped.iter() {
                    values[field].clone_from(&record.values[field]);
                }
                let mut step = self.new_step(pair);
                self.create_in_linq(&mut step, &values, None);
                self.push_step(step);
            }
            Some((pair, SourceHalf::Gone, LinqHalf::Present(contact))) => {
                let mut step = self.new_step(pair);
                create_in_source(&mut step, contact, self.seen, self.policy);
                self.push_step(step);
            }
            Some((_, SourceHalf::Gone, LinqHalf::Gone | LinqHalf::Unasked | LinqHalf::Unknown))
            | None => self.restore_whole(person, had),
            Some((_, SourceHalf::Unknown, _) | (_, SourceHalf::Gone, LinqHalf::OutOfScope(_))) => {
                let why = "not all of it can be seen at present".to_owned();
                self.skip_contact(person.subject(), why);
            }
        }
    }

    fn restore_whole(&mut self, person: &ContactHistory, had: &LastValues) {
        if !self.policy.may_write(Side::Source) {
            let why = "put its record back into the source: the next run creates it in Linq";
            return self.skip_contact(person.subject(), why.to_owned());
        }
        let canonical = self.policy.canon.canonical_values(self.seen.source.mapped, &had.source);
        let mut step = Step::new(person.subject(), StepReason::Undo(self.undoing.run));
        match self.crowd.exact.get(&canonical) {
            Some(PresentMatch::New(record, doubt)) => {
                step.subject = crate::plan::pairs::step_subject(Some(record), None);
                step.subject.linq_id = person.linq_id;
                self.create_in_linq(&mut step, &had.linq, *doubt);
            }
            Some(PresentMatch::Linked(record, contact)) => {
                if lacks_id(record, contact, self.seen, self.policy) {
                    step.subject = crate::plan::pairs::step_subject(Some(record), Some(contact));
                    let linq_id = Some(contact.id);
                    let at = record.index;
                    step.source = Some(SourceWrite::Update { at, set: Vec::new(), linq_id });
                }
            }
            Some(PresentMatch::Otherwise) => {}
            None if self.crowd.has_somebody_like(&had.source, self.policy) => {
                let why = "a contact with the same e-mail, phone or name is there by now";
                return self.skip_contact(person.subject(), why.to_owned());
            }
            None => {
                let written = |field: &Field| self.policy.writes_field(Side::Source, *field);
                let mapped = self.seen.source.mapped;
                let row = had.source.only_fields(mapped.iter().filter(written).collect());
                let Some(linq_id) = person.linq_id.filter(|_| !row.lacks_identity()) else {
                    let why = "the source has no column to recognise this person by".to_owned();
                    return self.skip_contact(person.subject(), why);
                };
                step.source = Some(SourceWrite::Create { values: row, linq_id });
                self.create_in_linq(&mut step, &had.linq, None);
            }
        }
        self.push_step(step);
    }

    fn create_in_linq(&self, step: &mut Step, values: &Values, doubt: Option<&DoubtfulCreate>) {
        if !self.policy.may_write(Side::Linq) || values.lacks_identity() {
            return;
        }
        let mut values = values.clone();
        let owner = std::mem::take(&mut values[Field::Owner]);
        let owner = Some(owner.trim().to_owned()).filter(|owner| !owner.is_empty());
        step.linq = Some(LinqWrite::Create {
            values,
            user_email: owner.or_else(|| self.policy.default_owner.clone()),
            doubt: doubt.map(|doubt| doubt.intent),
        });
    }
}

/// Somebody who has exactly the values of a deleted person.
#[derive(Clone, Copy)]
enum PresentMatch<'a> {
    /// A record that is not in Linq so far.
    New(&'a SourceRecord, Option<&'a DoubtfulCreate>),
    /// A pair.
    Linked(&'a SourceRecord, &'a LinqContact),
    /// Whatever becomes of it, it is there.
    Otherwise,
}

/// Everybody who is there, as far as deleted people may be among them.
#[derive(Default)]
pub(super) struct PeoplePresent<'a> {
    /// By the canonical values of the mapped fields.
    exact: BTreeMap<Vec<String>, PresentMatch<'a>>,
    alike: Vec<&'a Values>,
    by_key: KeyIndex<usize>,
}

impl<'a> PeoplePresent<'a> {
    /// Those of `cases` who may be one of the deleted `history`.
    pub(super) fn among_cases(
        people: &[ContactHistory],
        cases: &[Case<'a>],
        seen: &'a Observation,
        policy: &Policy,
    ) -> PeoplePresent<'a> {
        let (mut crowd, canon) = (PeoplePresent::default(), policy.canon);
        let deleted: Vec<&Values> =
            people.iter().filter_map(|person| Some(&person.deleted.as_ref()?.source)).collect();
        if deleted.is_empty() {
            return crowd;
        }
        let keys: Vec<MatchKeys> =
            deleted.iter().map(|values| MatchKeys::of_values(values, canon)).collect();
        let mut wanted = WantedKeys::default();
        wanted.extend(keys.iter());
        let mapped = seen.source.mapped;
        for case in cases {
            let (record, contact) = (case.record(), case.contact());
            if let Some(record) = record {
                let there = match (case, contact) {
                    (Case::InSource { record, doubt }, _) => PresentMatch::New(record, *doubt),
                    (Case::Pair { .. }, Some(contact)) => PresentMatch::Linked(record, contact),
                    _ => PresentMatch::Otherwise,
                };
                crowd.exact.entry(canon.canonical_values(mapped, &record.values)).or_insert(there);
            }
            let there = [record.map(|r| &r.values), contact.map(|c| &c.values)];
            for values in there.into_iter().flatten() {
                if let Some(keys) = wanted.keys_of(values, canon) {
                    crowd.by_key.insert(crowd.alike.len(), &keys);
                    crowd.alike.push(values);
                }
            }
        }
        crowd
    }

    fn has_somebody_like(&self, values: &Values, policy: &Policy) -> bool {
        let keys = MatchKeys::of_values(values, policy.canon);
        MatchKey::ALL.into_iter().any(|key| {
            let sharing = self.by_key.sharing(key, &keys).iter();
            sharing.into_iter().any(|position| key.is_evidence(self.alike[*position], values))
        })
    }
}
