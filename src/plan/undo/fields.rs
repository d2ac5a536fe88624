//! Fields that go back on both sides to what they were.

use std::collections::BTreeMap;

use crate::model::{
    Agreement, Base, BaseChange, Field, FieldChange, LinqContact, Side, SourceRecord, Values,
};
use crate::plan::case::{LinqHalf, SourceHalf};
use crate::plan::step::{LinkPlan, LinqWrite, SourceWrite, Step};

use super::history::ContactHistory;
use super::{Undo, UndoPair};

/// What one side shows of a field that a run wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ShownField {
    /// What it had before the run.
    Before,
    /// What the run left.
    Left,
    /// Something else.
    Edited,
}

/// How a pair goes back.
#[derive(Default)]
struct PutBackField {
    to_linq: Vec<FieldChange>,
    to_source: Vec<FieldChange>,
    base: Base,
    /// Fields that stay as they are, by the reason.
    stay: BTreeMap<&'static str, Vec<Field>>,
}

use super::restore::UNSELECTED;

impl<'a> Undo<'a, '_> {
    /// Puts back the fields of a pair.
    pub(super) fn put_back_fields(&mut self, person: &ContactHistory, pair: UndoPair<'a>) {
        let (record, contact) = match (pair.source, pair.linq) {
            (SourceHalf::Present(record), LinqHalf::Present(contact)) => (record, contact),
            (SourceHalf::Gone, _) | (_, LinqHalf::Gone) => {
                let why = "it is gone from one side since, which the next run settles".to_owned();
                return self.skip_contact(person.subject(), why);
            }
            (SourceHalf::Unselected(_), _) => {
                return self.skip_contact(person.subject(), UNSELECTED.to_owned());
            }
            (SourceHalf::Present(_) | SourceHalf::Unknown, _) => {
                let why = "not all of it can be seen at present".to_owned();
                return self.skip_contact(person.subject(), why);
            }
        };
        let mut back = PutBackField::default();
        for change in person.fields.values() {
            self.put_back_field(change, record, contact, &pair.link.base, &mut back);
        }
        back.keep_identity(&contact.values, &record.values);
        let mut step = self.new_step(pair);
        back.write(&mut step, record, contact);
        let stay = std::mem::take(&mut back.stay);
        for (why, fields) in stay {
            let names: Vec<&str> = fields.into_iter().map(Field::name).collect();
            self.skip_contact(step.subject.clone(), format!("{}: {why}", names.join(", ")));
        }
        self.push_step(step);
    }

    fn put_back_field(
        &self,
        change: &BaseChange,
        record: &SourceRecord,
        contact: &LinqContact,
        base: &Base,
        back: &mut PutBackField,
    ) {
        let field = change.field;
        let (source, linq) = (&record.values[field], &contact.values[field]);
        let in_source =
            self.shown_field(field, source, &change.before.source, &change.after.source);
        let in_linq = self.shown_field(field, linq, &change.before.linq, &change.after.linq);
        let mut stay = |why| back.stay.entry(why).or_default().push(field);
        if !self.seen.source.mapped.contains(field) || record.is_rejected(field) {
            return stay("the source does not carry it at present");
        }
        if base.is_void(field) {
            return stay("it was read under other settings then, and stays");
        }
        if in_source == ShownField::Edited || in_linq == ShownField::Edited {
            return stay("edited since, and stays");
        }
        let goes_back =
            |side, shows| shows == ShownField::Left && self.policy.writes_field(side, field);
        let to_linq = goes_back(Side::Linq, in_linq);
        if to_linq && field == Field::Owner && change.before.linq.trim().is_empty() {
            return stay("Linq has no contact without an owner");
        }
        let mut each = Agreement { source: source.clone(), linq: linq.clone() };
        if goes_back(Side::Source, in_source) {
            each.source.clone_from(&change.before.source);
            back.to_source.push(new_change(field, source, &each.source));
        }
        if to_linq {
            each.linq.clone_from(&change.before.linq);
            back.to_linq.push(new_change(field, linq, &each.linq));
        }
        self.agreed_base(change, each, base, &mut back.base);
    }

    /// What the base of a field becomes, unless it is that already.
    fn agreed_base(&self, change: &BaseChange, each: Agreement, base: &Base, back: &mut Base) {
        let field = change.field;
        let same = |a: &str, b: &str| self.policy.canon.means_same(field, a, b);
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

    fn shown_field(&self, field: Field, now: &str, before: &str, left: &str) -> ShownField {
        if self.policy.canon.means_same(field, now, before) {
            ShownField::Before
        } else if self.policy.canon.means_same(field, now, left) {
            ShownField::Left
        } else {
            ShownField::Edited
        }
    }

    /// The fields of a record that go back when the contact that they came from goes.
    pub(super) fn source_alone(
        &self,
        person: &ContactHistory,
        record: &SourceRecord,
    ) -> Vec<FieldChange> {
        let back = |change: &&BaseChange| {
            let (field, now) = (change.field, &record.values[change.field]);
            self.policy.writes_field(Side::Source, field)
                && !record.is_rejected(field)
                && self.shown_field(field, now, &change.before.source, &change.after.source)
                    == ShownField::Left
        };
        let changes = person.fields.values().filter(back);
        changes.map(|c| new_change(c.field, &record.values[c.field], &c.before.source)).collect()
    }
}

fn new_change(field: Field, from: &str, to: &str) -> FieldChange {
    FieldChange { field, from: from.into(), to: to.into() }
}

impl PutBackField {
    /// Leaves what identifies the person where nothing else would be left.
    fn keep_identity(&mut self, contact: &Values, record: &Values) {
        let nameless = contact.with_changes(&self.to_linq).lacks_identity()
            || record.with_changes(&self.to_source).lacks_identity();
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
        self.base = self.base.without_fields(Field::IDENTITY.into_iter().collect());
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
