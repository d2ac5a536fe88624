//! Three-way merge of one pair, field by field.
//!
//! Each field is merged on its own, so that edits of different fields on both
//! sides are all kept, and only a field that clashes waits.

use crate::model::{
    Agreement, Base, Change, ConflictPolicy, Decision, Field, FieldSet, LinqContact, Policy, Side,
    SourceRecord, Values, WaitingKind,
};

use super::decide::Fate;
use super::step::Wait;

/// What merging a pair comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Merge {
    /// Fields to be written to Linq.
    pub(super) to_linq: Vec<Change>,
    /// Fields to be written to the source.
    pub(super) to_source: Vec<Change>,
    /// Fields that are equal on both sides and were not agreed on so far.
    pub(super) agreed: Vec<(Field, Agreement)>,
    /// Fields that wait.
    pub(super) waits: Vec<Wait>,
}

/// What is to be done about one field.
enum Outcome {
    Nothing,
    Agree,
    ToLinq,
    ToSource,
    /// Neither value: this one, which goes into the source first.
    Instead(String),
    Wait(Wait),
}

/// Looks up what a person decided about something that would wait.
pub(super) type Decided<'a> = &'a dyn Fn(&WaitingKind) -> Option<&'a Decision>;

/// Merges `record` and `contact`, which last agreed on `base`.
pub(super) fn merge(
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    mapped: FieldSet,
    policy: &Policy,
    decided: Decided<'_>,
) -> Merge {
    let mut merge = Merge::default();
    for field in mapped.iter() {
        let (source, linq) = (&record.values[field], &contact.values[field]);
        match outcome(field, record, contact, base, policy, decided) {
            Outcome::Nothing => {}
            Outcome::Agree => {
                let agreement = Agreement { source: source.clone(), linq: linq.clone() };
                merge.agreed.push((field, agreement));
            }
            Outcome::ToLinq => merge.to_linq.push(change(field, linq, source)),
            Outcome::ToSource => merge.to_source.push(change(field, source, linq)),
            Outcome::Instead(value) => merge.to_source.push(change(field, source, &value)),
            Outcome::Wait(wait) => merge.waits.push(wait),
        }
    }
    merge.refuse_impossible_clearings(&contact.values);
    merge
}

fn change(field: Field, from: &str, to: &str) -> Change {
    Change { field, from: from.to_owned(), to: to.to_owned() }
}

fn outcome(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
    decided: Decided<'_>,
) -> Outcome {
    if let Some(rejected) = record.rejected.iter().find(|rejected| rejected.field == field) {
        return reject(field, &rejected.reason);
    }
    let same = |a: &str, b: &str| policy.canon.same(field, a, b);
    let (source, linq) = (&record.values[field], &contact.values[field]);
    let (source_differs, linq_differs) = match base.get(field) {
        Some(agreed) => (!same(&agreed.source, source), !same(&agreed.linq, linq)),
        // Never agreed: a blank is filled, two values are a clash.
        None => (!source.trim().is_empty(), !linq.trim().is_empty()),
    };
    match (source_differs, linq_differs) {
        (false, false) => unchanged(field, base, policy),
        _ if same(source, linq) => Outcome::Agree,
        (true, false) if policy.writes_field(Side::Linq, field) => Outcome::ToLinq,
        (false, true) if policy.writes_field(Side::Source, field) => Outcome::ToSource,
        (true, false) | (false, true) => Outcome::Nothing,
        (true, true) => clash(field, record, contact, base, policy, decided),
    }
}

/// A field that neither side has changed. Where one half of the base is blank and
/// the other is not, Linq did not take what it was sent: that is no edit, and it
/// is not sent again; but people should know.
fn unchanged(field: Field, base: &Base, policy: &Policy) -> Outcome {
    let Some(agreed) = base.get(field) else {
        return Outcome::Agree;
    };
    let (source, linq) = (agreed.source.trim(), agreed.linq.trim());
    let is_meant = base.is_apart(field) || !policy.writes_field(Side::Linq, field);
    if is_meant || source.is_empty() == linq.is_empty() {
        Outcome::Nothing
    } else if source.is_empty() {
        reject(field, "Linq kept the value that was cleared in the source")
    } else {
        reject(field, "Linq did not keep the value that it was sent")
    }
}

fn clash(
    field: Field,
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    policy: &Policy,
    decided: Decided<'_>,
) -> Outcome {
    let (source, linq) = (record.values[field].clone(), contact.values[field].clone());
    let base = base.get(field).map(|agreed| agreed.linq.clone()).unwrap_or_default();
    let kind = WaitingKind::Conflict {
        field,
        base: base.clone(),
        source: source.clone(),
        linq: linq.clone(),
    };
    let winner = match decided(&kind) {
        Some(Decision::Take { side }) => Some(*side),
        Some(Decision::Value { value }) if policy.writes_field(Side::Source, field) => {
            return Outcome::Instead(value.clone());
        }
        Some(
            Decision::Value { .. } | Decision::Approve | Decision::Link { .. } | Decision::Separate,
        )
        | None => by_policy(record, contact, policy),
    };
    match winner {
        Some(Side::Source) if policy.writes_field(Side::Linq, field) => Outcome::ToLinq,
        Some(Side::Linq) if policy.writes_field(Side::Source, field) => Outcome::ToSource,
        Some(Side::Source | Side::Linq) | None => {
            Outcome::Wait(Wait::Conflict { field, base, source, linq })
        }
    }
}

/// The side that wins a clash by the configured policy; `None` when it waits.
fn by_policy(record: &SourceRecord, contact: &LinqContact, policy: &Policy) -> Option<Side> {
    match policy.on_conflict {
        ConflictPolicy::Hold => None,
        ConflictPolicy::Source => Some(Side::Source),
        ConflictPolicy::Linq => Some(Side::Linq),
        ConflictPolicy::Newest => newer(record, contact),
    }
}

/// The side that was changed later, where both tell their time and it differs.
fn newer(record: &SourceRecord, contact: &LinqContact) -> Option<Side> {
    let (source, linq) = (record.revised_at?, contact.updated_at?);
    match source.cmp(&linq) {
        std::cmp::Ordering::Greater => Some(Side::Source),
        std::cmp::Ordering::Less => Some(Side::Linq),
        std::cmp::Ordering::Equal => None,
    }
}

fn reject(field: Field, reason: &str) -> Outcome {
    Outcome::Wait(Wait::Rejected { field: Some(field), reason: reason.to_owned() })
}

impl Merge {
    /// Takes out clearings that Linq cannot carry out: of the last name, e-mail or
    /// phone number that a contact has, and of its owner.
    fn refuse_impossible_clearings(&mut self, contact: &Values) {
        let nameless = contact.with(&self.to_linq).lacks_identity();
        let impossible = |change: &Change| {
            change.to.trim().is_empty()
                && (change.field == Field::Owner
                    || nameless && Field::IDENTITY.contains(&change.field))
        };
        let (refused, kept) = std::mem::take(&mut self.to_linq).into_iter().partition(impossible);
        self.to_linq = kept;
        let refused: Vec<Change> = refused;
        for Change { field, .. } in refused {
            let reason = match field {
                Field::Owner => "Linq has no contact without an owner",
                Field::FirstName
                | Field::LastName
                | Field::Email
                | Field::PhoneNumber
                | Field::Company
                | Field::Title
                | Field::Location => "a contact in Linq needs a name, an e-mail or a phone number",
            };
            self.waits.push(Wait::Rejected { field: Some(field), reason: reason.to_owned() });
        }
    }
}

/// What happened to a half that is there: whether it has values that the other
/// side does not know and may be sent.
pub(super) fn fate_of_values(
    side: Side,
    values: &Values,
    base: &Base,
    mapped: FieldSet,
    policy: &Policy,
) -> Fate {
    let edited = |field: Field| match (base.get(field), side) {
        (Some(agreed), Side::Source) => !policy.canon.same(field, &agreed.source, &values[field]),
        (Some(agreed), Side::Linq) => !policy.canon.same(field, &agreed.linq, &values[field]),
        // Never agreed on, and not for the reason that this side does not send it.
        (None, Side::Source) => {
            policy.writes_field(Side::Linq, field) && !values[field].trim().is_empty()
        }
        (None, Side::Linq) => {
            policy.writes_field(Side::Source, field) && !values[field].trim().is_empty()
        }
    };
    if mapped.iter().any(edited) { Fate::Edited } else { Fate::Unchanged }
}
