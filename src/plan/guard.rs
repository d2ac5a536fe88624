//! The guard: how much may be deleted or cleared without asking.
//!
//! It looks at a whole plan, after matching, and turns writes into waits. It
//! never adds a write.

use std::collections::BTreeMap;

use crate::model::{Change, DeletePolicy, Field, LinkStatus, Policy, Side};

use super::observation::Observation;
use super::step::{LinkPlan, LinqWrite, Plan, SourceWrite, Step, Wait};

/// How many links each side lacks, out of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Links that are kept the same.
    pub(super) links: usize,
    /// Of these, those without a record in a complete reading of the source.
    pub(super) in_source: usize,
    /// Of these, those without a contact in a complete listing.
    pub(super) in_linq: usize,
}

/// Whether asking Linq for each of `missing` contacts by id is worth it: beyond
/// the limit nothing would be deleted whatever the answers are. Where pairs are only
/// released, half of the links is the limit.
pub fn worth_asking(missing: usize, links: usize, recent: usize, policy: &Policy) -> bool {
    let released = policy.deletes.on(Side::Source) == DeletePolicy::Keep;
    missing * 2 <= links && (released || missing + recent <= policy.max_deletes.allows(links))
}

/// Turns what `plan` must not do on its own into waits.
pub(super) fn guard(plan: &mut Plan, missing: Missing, seen: &Observation, policy: &Policy) {
    let links = seen.links.iter().filter(|link| link.status == LinkStatus::Linked).count();
    let limit = policy.max_deletes.allows(links);
    if let Some(reason) = &seen.changed_meaning {
        plan.notices.push(format!("{reason}: nothing is deleted or cleared in this run"));
        plan.steps.iter_mut().for_each(postpone);
        plan.steps.retain(|step| !step.is_empty());
    }
    for side in [Side::Source, Side::Linq] {
        hold_deletions(&mut plan.steps, side, seen.recent_deletions.on(side), limit);
        hold_clearings(&mut plan.steps, side, limit);
    }
    plan.halt = reason_to_halt(missing, seen);
    if plan.halt.is_some() {
        halt(&mut plan.steps);
    }
}

fn reason_to_halt(missing: Missing, seen: &Observation) -> Option<String> {
    let Missing { links, in_source, in_linq } = missing;
    if links == 0 {
        return None;
    }
    if seen.linq.nobody_answers {
        return Some("Linq shows none of the known contacts any more".to_owned());
    }
    for (side, lacking, empty) in [
        (Side::Source, in_source, seen.source.records.is_empty()),
        (Side::Linq, in_linq, seen.linq.contacts.is_empty()),
    ] {
        if lacking == links && empty {
            return Some(format!("{side} is empty, and {links} contacts were there before"));
        }
        if lacking * 2 > links {
            return Some(format!("{lacking} of {links} linked contacts are missing in {side}"));
        }
    }
    None
}

/// Keeps nothing but what people must see: held deletions, and whatever waited.
fn halt(steps: &mut Vec<Step>) {
    for step in steps.iter_mut() {
        if let Some(side) = step.deletes_on() {
            step.waits.push(Wait::HeldDeletion(side));
        }
        step.linq = None;
        step.source = None;
        step.link = LinkPlan::Keep;
    }
    steps.retain(|step| !step.waits.is_empty());
}

fn hold_deletions(steps: &mut [Step], side: Side, recent: usize, limit: usize) {
    let held = |step: &Step| step.waits.contains(&Wait::HeldDeletion(side));
    let deletions =
        steps.iter().filter(|step| step.deletes_on() == Some(side) || held(step)).count();
    if deletions == 0 || deletions + recent <= limit {
        return;
    }
    for step in steps.iter_mut().filter(|step| step.deletes_on() == Some(side)) {
        step.linq = None;
        step.source = None;
        step.waits.push(Wait::HeldDeletion(side));
    }
}

fn hold_clearings(steps: &mut [Step], side: Side, limit: usize) {
    let mut clearings: BTreeMap<Field, usize> = BTreeMap::new();
    for change in steps.iter().flat_map(|step| changes(step, side)).filter(|c| clears(c)) {
        *clearings.entry(change.field).or_default() += 1;
    }
    let too_many = |change: &Change| clears(change) && clearings[&change.field] > limit;
    for step in steps {
        for change in take_changes(step, side, &too_many) {
            step.waits.push(Wait::HeldClearing(side, change));
        }
    }
}

/// Drops deletions and clearings without a trace: they are planned again next time.
fn postpone(step: &mut Step) {
    if step.deletes_on().is_some() {
        step.linq = None;
        step.source = None;
    }
    for side in [Side::Source, Side::Linq] {
        take_changes(step, side, &clears);
    }
}

fn clears(change: &Change) -> bool {
    change.to.trim().is_empty() && !change.from.trim().is_empty()
}

fn changes(step: &Step, side: Side) -> &[Change] {
    match side {
        Side::Linq => match &step.linq {
            Some(LinqWrite::Update { set, .. }) => set,
            Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => &[],
        },
        Side::Source => match &step.source {
            Some(SourceWrite::Update { set, .. }) => set,
            Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) | None => &[],
        },
    }
}

fn changes_mut(step: &mut Step, side: Side) -> Option<&mut Vec<Change>> {
    match side {
        Side::Linq => match &mut step.linq {
            Some(LinqWrite::Update { set, .. }) => Some(set),
            Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => None,
        },
        Side::Source => match &mut step.source {
            Some(SourceWrite::Update { set, .. }) => Some(set),
            Some(SourceWrite::Create { .. } | SourceWrite::Delete { .. }) | None => None,
        },
    }
}

/// Takes the changes that `taken` picks out of a step's update of `side`, and the
/// update itself if nothing is left of it.
fn take_changes(step: &mut Step, side: Side, taken: &dyn Fn(&Change) -> bool) -> Vec<Change> {
    let Some(set) = changes_mut(step, side) else { return Vec::new() };
    let (out, kept): (Vec<Change>, Vec<Change>) =
        std::mem::take(set).into_iter().partition(|change| taken(change));
    *set = kept;
    if matches!(&step.linq, Some(LinqWrite::Update { set, .. }) if set.is_empty()) {
        step.linq = None;
    }
    if matches!(&step.source, Some(SourceWrite::Update { set, linq_id: None, .. }) if set.is_empty())
    {
        step.source = None;
    }
    out
}
