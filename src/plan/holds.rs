//! What earlier runs held, and when that ends.
//!
//! Owns it: a hold ends by a decision, or when what was held is taken back where it was
//! done; never because a run could not see it, because time passes, or because a limit is
//! another by now. What a run cannot see therefore goes on waiting. Leaves to
//! [`super::guard`] what is held in the first place.

use std::collections::BTreeMap;

use crate::model::{
    Canon, FieldChange, Fingerprint, Link, LinkStatus, LinqId, Policy, Side, Waiting, WaitingKind,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::mass_edits::held_change;
use super::observation::Observation;
use super::pairs::subject_of;
use super::step::{LinkPlan, LinqWrite, Plan, PlanRule, SourceWrite, Step, StepReason, Wait};
use super::waiting::{question_id, waiting_kind};

/// Something that the last run held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The contact.
    pub linq_id: LinqId,
    /// What is held.
    pub kind: WaitingKind,
    /// Why, for people.
    pub reason: String,
}

impl Hold {
    /// What is held of `waiting`, by its question.
    pub fn from_waiting(waiting: Waiting) -> Option<(Fingerprint, Hold)> {
        let Waiting { question_id: what, linq_id, kind, reason, .. } = waiting;
        let is_held = kind.is_held();
        linq_id.filter(|_| is_held).map(|linq_id| (what, Hold { linq_id, kind, reason }))
    }
}

/// The edits of a pair that earlier runs held back from `side`, each with its question.
pub(super) fn edits_of<'a>(
    link: &Link,
    side: Side,
    seen: &'a Observation,
) -> Vec<(Fingerprint, &'a FieldChange)> {
    let subject = subject_of(link);
    let held = seen.held.iter().filter(|(_, hold)| hold.linq_id == link.linq_id);
    held.filter_map(|(question, hold)| {
        let is_it = question_id(&hold.kind, &subject, seen) == *question;
        hold.kind.edit_on(side).filter(|_| is_it).map(|change| (*question, change))
    })
    .collect()
}

/// Lets what earlier runs held go on waiting where `plan` says nothing about it, because
/// it could not be seen.
pub(super) fn carry_over(plan: &mut Plan, cases: &[Case<'_>], seen: &Observation, policy: &Policy) {
    if seen.held.is_empty() {
        return;
    }
    let by_id: BTreeMap<LinqId, &Case<'_>> =
        cases.iter().filter_map(|case| Some((case.link()?.linq_id, case))).collect();
    let steps: BTreeMap<LinqId, usize> = plan
        .steps
        .iter()
        .enumerate()
        .filter_map(|(at, step)| Some((step.subject.link.and(step.subject.linq_id)?, at)))
        .collect();
    let halted = plan.halt.is_some();
    for (question, hold) in &seen.held {
        let Some(case) = by_id.get(&hold.linq_id) else { continue };
        let Some(link) = case.link().filter(|link| link.status == LinkStatus::Linked) else {
            continue;
        };
        if question_id(&hold.kind, &subject_of(link), seen) != *question {
            continue;
        }
        let at = steps.get(&hold.linq_id).copied();
        let step = at.map(|at| &plan.steps[at]);
        let is_it = |wait: &Wait| waiting_kind(wait).as_ref() == Some(&hold.kind);
        let is_listed = step.is_some_and(|step| step.waits.iter().any(is_it));
        if is_listed || !(halted || still_stands(hold, case, step, seen, policy)) {
            continue;
        }
        let wait = wait_of(hold);
        match at {
            Some(at) => plan.steps[at].waits.push(wait),
            None => plan.steps.push(step_for(link, case, wait)),
        }
    }
}

fn wait_of(hold: &Hold) -> Wait {
    match hold.kind.clone() {
        WaitingKind::HeldDeletion { side } => Wait::HeldDeletion(side),
        WaitingKind::HeldClearing { side, change } | WaitingKind::HeldChange { side, change } => {
            held_change(side, change, hold.reason.clone())
        }
        // Nothing else is ever held.
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => Wait::for_unsendable(None, &hold.reason),
    }
}

fn step_for(link: &Link, case: &Case<'_>, wait: Wait) -> Step {
    let mut subject = super::pairs::step_subject(case.record(), case.contact());
    (subject.link, subject.linq_id) = (Some(link.id), Some(link.linq_id));
    if subject.name.is_empty() {
        subject.name = link.base.linq_values().display_name();
    }
    if subject.source_key.is_none() {
        subject.source_key = link.key.as_ref().map(ToString::to_string);
    }
    let mut step = Step::new(subject, StepReason::Rule(rule_of(&wait)));
    step.waits.push(wait);
    step
}

fn rule_of(wait: &Wait) -> PlanRule {
    match wait {
        Wait::HeldDeletion(Side::Linq) => PlanRule::DeletedInSource,
        Wait::HeldDeletion(Side::Source) => PlanRule::DeletedInLinq,
        Wait::HeldClearing(Side::Linq, _) | Wait::HeldChange { side: Side::Linq, .. } => {
            PlanRule::EditedInSource
        }
        Wait::HeldClearing(Side::Source, _) | Wait::HeldChange { side: Side::Source, .. } => {
            PlanRule::EditedInLinq
        }
        Wait::Conflict { .. } | Wait::Ambiguous { .. } | Wait::Rejected { .. } | Wait::Grace(_) => {
            PlanRule::Unchanged
        }
    }
}

/// Whether it cannot be told that what was held has been taken back, though `step` does
/// not list it.
fn still_stands(
    hold: &Hold,
    case: &Case<'_>,
    step: Option<&Step>,
    seen: &Observation,
    policy: &Policy,
) -> bool {
    match &hold.kind {
        WaitingKind::HeldDeletion { side } => deletion_stands(*side, case, step, policy),
        WaitingKind::HeldClearing { side, change } | WaitingKind::HeldChange { side, change } => {
            let Case::Pair { source, linq, .. } = case else { return true };
            if !policy.writes_field(*side, change.field) {
                return is_as_shown(*side, change, *source, *linq, policy.canon);
            }
            let carried =
                |step: &Step| step.decided.iter().any(|one| one.field == Some(change.field));
            if step.is_some_and(carried) {
                return false;
            }
            if matches!(source, SourceHalf::Gone) || matches!(linq, LinqHalf::Gone) {
                // It ends with whatever becomes of the whole contact, and not before.
                return !step.is_some_and(settles_hold);
            }
            let is_rejected = |wait: &Wait| matches!(wait, Wait::Rejected { field, .. } if field.is_none_or(|of| of == change.field));
            let unwritable = *side == Side::Source && seen.source.read_only.is_some();
            let is_whole = source.record().is_some() && linq.contact().is_some();
            !is_whole || unwritable || step.is_some_and(|step| step.waits.iter().any(is_rejected))
        }
        WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => false,
    }
}

/// Whether each side has what was shown of a change to `side`, as far as it was seen: then a
/// direction in which it is not written ends nothing.
fn is_as_shown(
    side: Side,
    change: &FieldChange,
    source: SourceHalf<'_>,
    linq: LinqHalf<'_>,
    canon: Canon,
) -> bool {
    let (in_source, in_linq) = match side {
        Side::Linq => (&change.to, &change.from),
        Side::Source => (&change.from, &change.to),
    };
    let same = |now: &str, shown: &str| canon.means_same(change.field, now, shown);
    source.record().is_none_or(|record| same(&record.values[change.field], in_source))
        && linq.contact().is_none_or(|contact| same(&contact.values[change.field], in_linq))
}

fn deletion_stands(side: Side, case: &Case<'_>, step: Option<&Step>, policy: &Policy) -> bool {
    if !policy.deletes_from(side) {
        return false;
    }
    let is_back = case.linked_pair().is_some_and(|(_, source, linq)| match side {
        Side::Linq => source.record().is_some(),
        Side::Source => linq.contact().is_some(),
    });
    !is_back && !step.is_some_and(settles_hold)
}

/// Whether a step makes an end of what was held: it carries out the deletion, brings the
/// other half back, or lets go of the pair.
fn settles_hold(step: &Step) -> bool {
    let writes = matches!(step.linq, Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }))
        || matches!(step.source, Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }));
    writes
        || match step.link {
            LinkPlan::Release | LinkPlan::Exclude(_) | LinkPlan::Forget => true,
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::PutBack(_)
            | LinkPlan::Relink(_)
            | LinkPlan::Missing(_)
            | LinkPlan::Found => false,
        }
}
