//! Fields that go back on both sides to what they were.

use std::collections::BTreeMap;

use crate::model::{
    Agreement, Base, BaseChange, Change, Field, LinqContact, Side, SourceRecord, Values,
};
use crate::plan::case::{LinqHalf, SourceHalf};
use crate::plan::step::{LinkPlan, LinqWrite, SourceWrite, Step};

use super::people::Person;
use super::{Pair, Undo};

/// What one side shows of a field that a run wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// What it had before the run.
    Before,
    /// What the run left.
    Left,
    /// Something else.
    Edited,
}

/// How a pair goes back.
#[derive(Default)]
struct Back {
    to_linq: Vec<Change>,
    to_source: Vec<Change>,
    base: Base,
    /// Fields that stay as they are, by the reason.
    stay: BTreeMap<&'static str, Vec<Field>>,
}

use super::restore::UNSELECTED;

impl<'a> Undo<'a, '_> {
    /// Puts back the fields of a pair.
    pub(super) fn fields(&mut self, person: &Person, pair: Pair<'a>) {
        let (record, contact) = match (pair.source, pair.linq) {
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => (record, contact),
            (SourceHalf::Gone, _) | (_, LinqHalf::Gone) => {
                let why = "it is gone from one side since, which the next run settles".to_owned();
                return self.skip(person.subject(), why);
            }
            (SourceHalf::Unselected(_), _) => {
                return self.skip(person.subject(), UNSELECTED.to_owned());
            }
            (SourceHalf::Present(_) | SourceHalf::Unknown, _) => {
                let why = "not all of it can be seen at present".to_owned();
                return self.skip(person.subject(), why);
            }
        };
        let mut back = Back::default();
        for change in person.fields.values() {
            self.field(change, record, contact, &pair.link.base, &mut back);
        }
        back.keep_identity(&contact.values, &record.values);
        let mut step = self.step(pair);
        back.write(&mut step, record, contact);
        let stay = std::mem::take(&mut back.stay);
        for (why, fields) in stay {
            let names: Vec<&str> = fields.into_iter().map(Field::name).collect();
            self.skip(step.subject.clone(), format!("{}: {why}", names.join(", ")));
        }
        self.push(step);
    }

    fn field(
        &self,
        change: &BaseChange,
        record: &SourceRecord,
        contact: &LinqContact,
        base: &Base,
        back: &mut Back,
    ) {
        let field = change.field;
        let (source, linq) = (&record.values[field], &contact.values[field]);
        let in_source = self.shows(field, source, &change.before.source, &change.after.source);
        let in_linq = self.shows(field, linq, &change.before.linq, &change.after.linq);
        let mut stay = |why| back.stay.entry(why).or_default().push(field);
        if !self.seen.source.mapped.contains(field) || record.rejects(field) {
            return stay("the source does not carry it at present");
        }
        if base.is_void(field) {
            return stay("it was read under other settings then, and stays");
        }
        if in_source == Shows::Edited || in_linq == Shows::Edited {
            return stay("edited since, and stays");
        }
        let goes_back = |side, shows| shows == Shows::Left && self.policy.writes_field(side, field);
        let to_linq = goes_back(Side::Linq, in_linq);
        if to_linq && field == Field::Owner && change.before.linq.trim().is_empty() {
            return stay("Linq has no contact without an owner");
        }
        let mut each = Agreement { source: source.clone(), linq: linq.clone() };
        if goes_back(Side::Source, in_source) {
            each.source.clone_from(&change.before.source);
            back.to_source.push(put(field, source, &each.source));
        }
        if to_linq {
            each.linq.clone_from(&change.before.linq);
            back.to_linq.push(put(field, linq, &each.linq));
        }
        self.agree(change, each, base, &mut back.base);
    }

    /// What the base of a field becomes, unless it is that already.
    fn agree(&self, change: &BaseChange, each: Agreement, base: &Base, back: &mut Base) {
        let field = change.field;
        let same = |a: &str, b: &str| self.policy.canon.same(field, a, b);
        let are_before =
            same(&each.source, &change.before.source) && same(&each.linq, &change.before.linq);
        let agree = change.agreed && are_before || same(&each.source, &each.linq);
        let known = base.get(field).is_some_and(|known| {
            same(&known.source, &each.source)
                && same(&known.linq, &each.linq)
                && base.is_apart(field) != agree
        });
        match (known, agree) {
            (true, _) => {}
            (false, true) => back.set(field, each),
            (false, false) => back.set_apart(field, each),
        }
    }

    fn shows(&self, field: Field, now: &str, before: &str, left: &str) -> Shows {
        if self.policy.canon.same(field, now, before) {
            Shows::Before
        } else if self.policy.canon.same(field, now, left) {
            Shows::Left
        } else {
            Shows::Edited
        }
    }

    /// The fields of a record that go back when the contact that they came from goes.
    pub(super) fn source_alone(&self, person: &Person, record: &SourceRecord) -> Vec<Change> {
        let back = |change: &&BaseChange| {
            let (field, now) = (change.field, &record.values[change.field]);
            self.policy.writes_field(Side::Source, field)
                && !record.rejects(field)
                && self.shows(field, now, &change.before.source, &change.after.source)
                    == Shows::Left
        };
        let changes = person.fields.values().filter(back);
        changes.map(|c| put(c.field, &record.values[c.field], &c.before.source)).collect()
    }
}

fn put(field: Field, from: &str, to: &str) -> Change {
    Change { field, from: from.into(), to: to.into() }
}

impl Back {
    /// Leaves what identifies the person where nothing else would be left.
    fn keep_identity(&mut self, contact: &Values, record: &Values) {
        let nameless = contact.with(&self.to_linq).lacks_identity()
            || record.with(&self.to_source).lacks_identity();
        if !nameless {
            return;
        }
        let why = "a contact needs a name, an e-mail or a phone number";
        for field in Field::IDENTITY {
            let count = self.to_linq.len() + self.to_source.len();
            self.to_linq.retain(|change| change.field != field);
            self.to_source.retain(|change| change.field != field);
            if self.to_linq.len() + self.to_source.len() < count {
                self.stay.entry(why).or_default().push(field);
            }
        }
        self.base = self.base.without(Field::IDENTITY.into_iter().collect());
    }

    fn write(&mut self, step: &mut Step, record: &SourceRecord, contact: &LinqContact) {
        if !self.to_source.is_empty() {
            let set = std::mem::take(&mut self.to_source);
            step.source = Some(SourceWrite::Update { at: record.index, set, linq_id: None });
        }
        if !self.to_linq.is_empty() {
            let (set, expected) = (std::mem::take(&mut self.to_linq), contact.values.clone());
            step.linq = Some(LinqWrite::Update { id: contact.id, set, expected });
        }
        if !self.base.is_empty() {
            step.link = LinkPlan::PutBack(Box::new(std::mem::take(&mut self.base)));
        }
    }
}
