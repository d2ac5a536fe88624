//! Steps for what is not linked yet: link before create, and create only whom
//! the other side does not have.

use crate::model::{Base, Field, Link, LinqContact, LinqId, Policy, Side, SourceRecord};

use super::interrupted::base_of_create;
use super::merge::{PairHistory, merge_fields};
use super::observation::{DoubtfulCreate, Observation};
use super::pairs::{add_writes, step_subject};
use super::step::{LinkPlan, LinqWrite, PlanRule, SourceWrite, Step, StepReason, Tier, Wait};

/// The step that links a record and a contact that are the same person. What is
/// known to have been agreed on is their `base`; otherwise blanks are filled, and two
/// different values are a conflict. It answers the `doubt`, if there is one.
pub(super) fn join_step(
    record: &SourceRecord,
    contact: &LinqContact,
    base: &Base,
    doubt: Option<&DoubtfulCreate>,
    seen: &Observation,
    policy: &Policy,
) -> Step {
    let merge =
        merge_fields(record, contact, base, seen.source.mapped, policy, PairHistory::NOTHING);
    let mut base = base.clone();
    for (field, agreement) in &merge.agreed {
        base.set_agreement(*field, agreement.clone(), policy.canon);
    }
    let mut step =
        Step::new(step_subject(Some(record), Some(contact)), StepReason::Rule(PlanRule::Unchanged));
    step.link = LinkPlan::Join { base: Box::new(base), doubt: doubt.map(|doubt| doubt.intent) };
    // Nothing is written of who takes no part: the pair is released next.
    if !record.is_outside {
        add_writes(&mut step, merge, record, contact, seen, policy);
    }
    step
}

/// The step that links a contact, created by an interrupted run, whose record is
/// gone by now: the deletion is the next run's business.
pub(super) fn orphan_step(
    contact: &LinqContact,
    doubt: &DoubtfulCreate,
    seen: &Observation,
    policy: &Policy,
) -> Step {
    let mut step = Step::new(step_subject(None, Some(contact)), StepReason::Matched(Tier::Journal));
    if !seen.source.unreadable.is_empty() || seen.linq.incomplete.is_some() {
        // Its record may be there after all, unread or with a contact that is not listed.
        return step;
    }
    let base = Box::new(base_of_create(doubt, contact, seen.source.mapped, policy));
    step.link = LinkPlan::Join { base, doubt: Some(doubt.intent) };
    step
}

/// The step for a linked record whose contact is gone, and that gets another: the old
/// link is forgotten, and the next plan sees to the rest.
pub(super) fn replaced_step(link: &Link, record: &SourceRecord) -> Step {
    let because = StepReason::Because("its contact in Linq has another id now".to_owned());
    let mut step = Step::new(step_subject(Some(record), None), because);
    step.subject.link = Some(link.id);
    step.subject.linq_id = Some(link.linq_id);
    step.link = LinkPlan::Forget;
    step
}

/// The step for a record that Linq does not have.
pub(super) fn new_in_source_step(
    record: &SourceRecord,
    doubt: Option<&DoubtfulCreate>,
    seen: &Observation,
    policy: &Policy,
) -> Step {
    let mut step =
        Step::new(step_subject(Some(record), None), StepReason::Rule(PlanRule::NewInSource));
    if cannot_be_looked_for(record, seen) {
        return step;
    }
    create_in_linq(&mut step, record, doubt, seen, policy);
    step
}

/// Whether nobody can tell that Linq does not have `record`: find sees only e-mail
/// addresses and phone numbers, and the listing is not whole.
pub(super) fn cannot_be_looked_for(record: &SourceRecord, seen: &Observation) -> bool {
    seen.linq.incomplete.is_some() && !record.values.can_be_found()
}

/// The step for a contact that the source does not have.
pub(super) fn new_in_linq_step(contact: &LinqContact, seen: &Observation, policy: &Policy) -> Step {
    let mut step =
        Step::new(step_subject(None, Some(contact)), StepReason::Rule(PlanRule::NewInLinq));
    create_in_source(&mut step, contact, seen, policy);
    step
}

/// The step for a record of which nobody can tell who it is.
pub(super) fn ambiguous_step(
    record: &SourceRecord,
    link: Option<&Link>,
    candidates: &[LinqId],
    why: &str,
) -> Step {
    let reason = StepReason::Because(format!("ambiguous: {why}"));
    let mut step = Step::new(step_subject(Some(record), None), reason);
    step.subject.link = link.map(|link| link.id);
    step.waits.push(Wait::Ambiguous { candidates: candidates.to_vec() });
    step
}

/// The step for a record that may be a linked person without anything to
/// recognise them by: nothing is taken for deleted until that is settled.
pub(super) fn suspect_step(record: &SourceRecord) -> Step {
    let (reason, because) = if record.values.lacks_identity() {
        (
            "it has no name, e-mail or phone, and a known person is missing: restore one of \
             these, or remove the whole record",
            "a person without name, e-mail and phone",
        )
    } else {
        (
            "it lacks most of its cells, and a known contact is missing: add the cells, or \
             remove the whole row",
            "a row that was cut short",
        )
    };
    let because = StepReason::Because(because.to_owned());
    let mut step = Step::new(step_subject(Some(record), None), because);
    step.waits.push(Wait::for_unsendable(None, reason));
    step
}

/// Lets `step` create a contact for `record`. Fields that cannot be believed are
/// left out and wait.
pub(super) fn create_in_linq(
    step: &mut Step,
    record: &SourceRecord,
    doubt: Option<&DoubtfulCreate>,
    seen: &Observation,
    policy: &Policy,
) {
    for rejected in &record.rejected {
        step.waits.push(Wait::for_unsendable(Some(rejected.field), &rejected.reason));
    }
    if !policy.may_write(Side::Linq) {
        return;
    }
    let sent =
        |field: &Field| !record.is_rejected(*field) && policy.writes_field(Side::Linq, *field);
    let mut values = record.values.only_fields(seen.source.mapped.iter().filter(sent).collect());
    for field in values.filled_fields().iter() {
        if policy.canon.is_misread(field, &values[field]) {
            step.waits.push(Wait::for_unsendable(Some(field), &policy.canon.misread_reason()));
            values[field].clear();
        }
    }
    let owner = std::mem::take(&mut values[Field::Owner]);
    let owner = Some(owner.trim().to_owned()).filter(|owner| !owner.is_empty());
    if values.lacks_identity() {
        step.waits.push(Wait::for_unsendable(None, "nothing is left to recognise this person by"));
        return;
    }
    step.linq = Some(LinqWrite::Create {
        values,
        user_email: owner.or_else(|| policy.default_owner.clone()),
        doubt: doubt.map(|doubt| doubt.intent),
    });
}

/// Lets `step` create a record for `contact`.
pub(super) fn create_in_source(
    step: &mut Step,
    contact: &LinqContact,
    seen: &Observation,
    policy: &Policy,
) {
    if !policy.may_write(Side::Source) {
        return;
    }
    let written = |field: &Field| policy.writes_field(Side::Source, *field);
    let values = contact.values.only_fields(seen.source.mapped.iter().filter(written).collect());
    if values.lacks_identity() {
        let reason = "the source has no column for anything to recognise this person by; \
                      give it one for the names";
        step.waits.push(Wait::for_unsendable(None, reason));
        return;
    }
    step.source = Some(SourceWrite::Create { values, linq_id: contact.id });
}
