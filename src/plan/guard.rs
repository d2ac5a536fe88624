//! The guard: how much may be deleted or cleared without asking.
//!
//! It looks at a whole plan, after matching, and turns writes into waits. It
//! never adds a write.

use std::collections::BTreeMap;

use crate::model::{
    Change, Decision, DeletePolicy, Field, Fingerprint, Link, LinkStatus, Policy, Side, WaitingKind,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::observation::Observation;
use super::pairs::subject_of;
use super::step::{LinqWrite, Plan, SourceWrite, Step, Subject, Wait};
use super::waiting::{approved, what};

/// How many links each side lacks, out of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// Links that are kept the same.
    pub(super) links: usize,
    /// Of these, those that certainly have no record.
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

impl Missing {
    /// Counts what `cases` lack.
    pub(super) fn in_cases(cases: &[Case<'_>], seen: &Observation) -> Missing {
        let mut missing = Missing::default();
        let mut suspects = 0;
        for case in cases {
            match case {
                Case::Pair { link, source, linq } if asks_for(link, seen) => {
                    missing.links += 1;
                    missing.in_source += usize::from(source.record().is_none());
                    missing.in_linq +=
                        usize::from(matches!(linq, LinqHalf::Gone | LinqHalf::Unasked));
                }
                Case::Replaced { link, .. } | Case::Ambiguous { link: Some(link), .. }
                    if asks_for(link, seen) =>
                {
                    missing.links += 1;
                    missing.in_linq += 1;
                }
                Case::Suspect { .. } => suspects += 1,
                Case::Pair { .. }
                | Case::Replaced { .. }
                | Case::OnBoth { .. }
                | Case::InSource { .. }
                | Case::InLinq { .. }
                | Case::Orphan { .. }
                | Case::Ambiguous { .. }
                | Case::Candidate { .. }
                | Case::Nobody { .. }
                | Case::OutOfScope { .. } => {}
            }
        }
        // A suspect may be one of the missing. How many a part hides that could not
        // be read, nobody knows.
        missing.in_source = match seen.source.unreadable.as_slice() {
            [] => missing.in_source.saturating_sub(suspects),
            _ => 0,
        };
        missing
    }

    /// Why nothing at all may be written, if so.
    pub(super) fn reason_to_halt(self, seen: &Observation) -> Option<String> {
        let Missing { links, in_source, in_linq } = self;
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
}

/// Whether a link counts: it is kept the same, and nobody has vouched for its deletion.
fn asks_for(link: &Link, seen: &Observation) -> bool {
    let vouched_for = Side::ALL
        .into_iter()
        .any(|side| approved(&WaitingKind::HeldDeletion { side }, &subject_of(link), seen));
    link.status == LinkStatus::Linked && !vouched_for
}

/// Leaves nothing of the step for `case` but what people must see: who is missing, so
/// that they can approve it, whatever would follow from it; and whatever waited.
pub(super) fn halt(step: &mut Step, case: &Case<'_>, seen: &Observation) {
    step.disarm();
    let Some((link, side)) = loses(case).filter(|(link, _)| asks_for(link, seen)) else { return };
    if step.subject.link.is_none() {
        step.subject = subject_of(link);
    }
    step.waits.push(Wait::HeldDeletion(side));
}

/// The link of which a half is missing, and the side on which the other one is.
fn loses<'a>(case: &Case<'a>) -> Option<(&'a Link, Side)> {
    match case {
        // Who is gone from both is asked for in Linq once that is approved.
        Case::Pair { link, linq: LinqHalf::Gone | LinqHalf::Unasked, .. }
        | Case::Replaced { link, .. }
        | Case::Ambiguous { link: Some(link), .. } => Some((link, Side::Source)),
        Case::Pair { link, source: SourceHalf::Gone, .. } => Some((link, Side::Linq)),
        Case::Pair { .. }
        | Case::OnBoth { .. }
        | Case::InSource { .. }
        | Case::InLinq { .. }
        | Case::Orphan { .. }
        | Case::Suspect { .. }
        | Case::Ambiguous { link: None, .. }
        | Case::Candidate { .. }
        | Case::Nobody { .. }
        | Case::OutOfScope { .. } => None,
    }
}

/// Turns what `plan` must not do on its own into waits.
pub(super) fn guard(plan: &mut Plan, seen: &Observation, policy: &Policy) {
    let links = seen.links.iter().filter(|link| link.status == LinkStatus::Linked).count();
    let limit = policy.max_deletes.allows(links);
    if let Some(reason) = &seen.changed_meaning {
        plan.notices.push(format!("{reason}: nothing is deleted or cleared in this run"));
        plan.steps.iter_mut().for_each(drop_clearings);
        plan.steps.retain(|step| !step.is_empty());
    }
    for side in Side::ALL {
        approve(&mut plan.steps, side, seen);
        let lists = Lists { seen, side, limit };
        hold_deletions(plan, &lists, seen.recent_deletions.on(side));
        hold_clearings(plan, &lists);
    }
    if !plan.kept.whats.is_empty() {
        plan.kept.limit = limit;
    }
}

/// Marks the deletions that a person has approved.
fn approve(steps: &mut [Step], side: Side, seen: &Observation) {
    let kind = WaitingKind::HeldDeletion { side };
    for step in steps.iter_mut().filter(|step| step.deletes_on() == Some(side)) {
        step.approved = approved(&kind, &step.subject, seen);
    }
}

/// The lists of what was held on a side, by which people approve.
struct Lists<'a> {
    seen: &'a Observation,
    side: Side,
    limit: usize,
}

impl Lists<'_> {
    /// Whether `kind` was listed and something else of its list was approved: those who
    /// approve a part of a list have seen the rest of it, and not approved that.
    fn keep_back(&self, kind: &WaitingKind, subject: &Subject) -> Option<Fingerprint> {
        let Observation { held, decisions, .. } = self.seen;
        if held.listed.is_empty() {
            return None;
        }
        let what = what(kind, subject, self.seen);
        let kept = held.kept.whats.contains(&what) && self.limit <= held.kept.limit;
        let in_part = || {
            let same_list = |(_, other): &(&Fingerprint, &WaitingKind)| is_listed_with(kind, other);
            let mut list = held.listed.iter().filter(same_list);
            list.any(|(what, _)| matches!(decisions.get(what), Some(Decision::Approve)))
        };
        (held.listed.contains_key(&what) && (kept || in_part())).then_some(what)
    }
}

/// Whether two things that wait are of one list: deletions on a side, or clearings of a
/// field there.
fn is_listed_with(one: &WaitingKind, other: &WaitingKind) -> bool {
    match (one, other) {
        (WaitingKind::HeldDeletion { side: a }, WaitingKind::HeldDeletion { side: b }) => a == b,
        (
            WaitingKind::HeldClearing { side: a, change: x },
            WaitingKind::HeldClearing { side: b, change: y },
        ) => a == b && x.field == y.field,
        _ => false,
    }
}

fn hold_deletions(plan: &mut Plan, lists: &Lists<'_>, recent: usize) {
    let side = lists.side;
    let held = |step: &Step| step.waits.contains(&Wait::HeldDeletion(side));
    let asking = |step: &Step| step.deletes_on() == Some(side) && !step.approved;
    let deletions = plan.steps.iter().filter(|step| asking(step) || held(step)).count();
    let too_many = deletions > 0 && deletions + recent > lists.limit;
    for step in plan.steps.iter_mut().filter(|step| asking(step) || held(step)) {
        let kept = lists.keep_back(&WaitingKind::HeldDeletion { side }, &step.subject);
        plan.kept.whats.extend(kept);
        if asking(step) && (too_many || kept.is_some()) {
            step.linq = None;
            step.source = None;
            step.waits.push(Wait::HeldDeletion(side));
        }
    }
}

fn hold_clearings(plan: &mut Plan, lists: &Lists<'_>) {
    let Lists { seen, side, limit } = *lists;
    let kind = |change: &Change| WaitingKind::HeldClearing { side, change: change.clone() };
    let asks = |change: &Change, subject: &Subject| {
        clears(change) && !approved(&kind(change), subject, seen)
    };
    let mut clearings: BTreeMap<Field, usize> = BTreeMap::new();
    for step in &plan.steps {
        for change in changes(step, side).iter().filter(|change| asks(change, &step.subject)) {
            *clearings.entry(change.field).or_default() += 1;
        }
    }
    for step in &mut plan.steps {
        let subject = step.subject.clone();
        let kept = |change: &Change| lists.keep_back(&kind(change), &subject);
        let held = |change: &Change| {
            asks(change, &subject) && (clearings[&change.field] > limit || kept(change).is_some())
        };
        for change in take_changes(step, side, &held) {
            plan.kept.whats.extend(kept(&change));
            step.waits.push(Wait::HeldClearing(side, change));
        }
    }
}

/// Drops clearings without a trace: they are planned again next time.
fn drop_clearings(step: &mut Step) {
    for side in Side::ALL {
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
