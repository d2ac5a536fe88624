//! The guard: how much may be deleted, cleared or changed without asking.
//!
//! It looks at a whole plan, after matching, and turns writes into waits. It
//! never adds a write. Leaves mass edits of one field to [`super::mass_edits`], and what
//! becomes of what earlier runs held to [`super::holds`].

use std::collections::BTreeSet;

use crate::model::{
    Decision, DeletePolicy, FieldChange, Link, LinkId, LinkStatus, Policy, Side, SourceKey,
    SourceRecord, WaitingKind,
};

use super::case::{Case, LinqHalf, SourceHalf};
use super::holds;
use super::mass_edits::{EditLimits, hold_mass_edits};
use super::observation::Observation;
use super::pairs::subject_of;
use super::step::{CarriedOut, LinqWrite, Plan, SourceWrite, Step, Wait};
use super::waiting::{decided_about, is_approved, question_id};

/// How many links each side lacks, out of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MissingCounts {
    /// Links that are kept the same.
    pub(super) links: usize,
    /// Of these, those that certainly have no record.
    pub(super) in_source: usize,
    /// Of these, those without a contact in a complete listing.
    pub(super) in_linq: usize,
    /// Whether anything follows on the other side from what is missing in the source, and
    /// in Linq.
    pub(super) follows: [bool; 2],
}

/// Whether asking Linq for each of `missing` contacts by id is worth it: beyond
/// the limit nothing would be deleted whatever the answers are. Where pairs are only
/// released, half of the links is the limit.
pub fn worth_asking(missing: usize, links: usize, recent: usize, policy: &Policy) -> bool {
    let released = policy.deletes.on_side(Side::Source) == DeletePolicy::Keep;
    let limit = policy.deletes_limit().allowed_of(links + recent);
    missing * 2 <= links && (released || missing + recent <= limit)
}

impl MissingCounts {
    /// Counts what `cases` lack.
    pub(super) fn in_cases(
        cases: &[Case<'_>],
        seen: &Observation,
        policy: &Policy,
    ) -> MissingCounts {
        // Where the other side is not written, nothing follows from what is missing here.
        let follows = Side::ALL.map(|side| policy.may_write(side.other()));
        let mut missing =
            MissingCounts { links: seen.census.pairs, follows, ..MissingCounts::default() };
        let mut suspects = 0;
        let ambiguous = cases.iter().any(|case| matches!(case, Case::Ambiguous { .. }));
        let links = seen.links.iter().filter(|_| ambiguous);
        let keys: BTreeSet<&SourceKey> = links.filter_map(|link| link.key.as_ref()).collect();
        let has_a_known_key =
            |record: &SourceRecord| record.key.as_ref().is_some_and(|key| keys.contains(key));
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
                Case::PossiblyCleared { .. } => suspects += 1,
                Case::Ambiguous { record, .. } if has_a_known_key(record) => suspects += 1,
                Case::Pair { .. }
                | Case::Replaced { .. }
                | Case::OnBoth { .. }
                | Case::InSource { .. }
                | Case::InLinq { .. }
                | Case::Orphan { .. }
                | Case::Ambiguous { .. }
                | Case::Candidate { .. }
                | Case::Copy { .. }
                | Case::Unidentifiable { .. }
                | Case::OutOfScope { .. }
                | Case::Unselected { .. }
                | Case::WithoutRecord { .. } => {}
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
        let MissingCounts { links, in_source, in_linq, follows } = self;
        if links == 0 {
            return None;
        }
        if seen.linq.control_failed {
            return Some("Linq shows none of the known contacts any more".to_owned());
        }
        for (side, lacking, empty) in [
            (Side::Source, in_source, seen.source.records.is_empty() && seen.census.pairs == 0),
            (Side::Linq, in_linq, seen.linq.contacts.is_empty() && seen.census.pairs == 0),
        ] {
            if lacking == links && empty {
                return Some(format!("{side} is empty, and {links} contacts were there before"));
            }
            if lacking * 2 > links && follows[side as usize] {
                return Some(format!("{lacking} of {links} linked contacts are missing in {side}"));
            }
        }
        None
    }
}

/// Whether a link counts: it is kept the same, and no person has decided its deletion.
fn asks_for(link: &Link, seen: &Observation) -> bool {
    let is_decided =
        |side| match decided_about(&WaitingKind::HeldDeletion { side }, &subject_of(link), seen) {
            Some(Decision::Approve | Decision::Reject) => true,
            Some(
                Decision::Take { .. }
                | Decision::Value { .. }
                | Decision::Link { .. }
                | Decision::Separate
                | Decision::Retry,
            )
            | None => false,
        };
    link.status == LinkStatus::Linked && !Side::ALL.into_iter().any(is_decided)
}

/// Leaves nothing of the step for `case` but what people must see: who is missing, so
/// that they can approve it, whatever would follow from it; and whatever waited.
pub(super) fn halt_step(step: &mut Step, case: &Case<'_>, seen: &Observation) {
    step.clear_actions();
    let Some((link, side)) = losing_side(case).filter(|(link, _)| asks_for(link, seen)) else {
        return;
    };
    if step.subject.link.is_none() {
        step.subject = subject_of(link);
    }
    step.waits.push(Wait::HeldDeletion(side));
}

/// The link of which a half is missing, and the side on which the other one is.
fn losing_side<'a>(case: &Case<'a>) -> Option<(&'a Link, Side)> {
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
        | Case::PossiblyCleared { .. }
        | Case::Ambiguous { link: None, .. }
        | Case::Candidate { .. }
        | Case::Copy { .. }
        | Case::Unidentifiable { .. }
        | Case::OutOfScope { .. }
        | Case::Unselected { .. }
        | Case::WithoutRecord { .. } => None,
    }
}

/// Turns what `plan` must not do on its own into waits.
pub(super) fn guard_plan(plan: &mut Plan, cases: &[Case<'_>], seen: &Observation, policy: &Policy) {
    if let Some(reason) = &seen.changed_meaning {
        plan.notices.push(format!(
            "{reason}: nothing is deleted or cleared in this run, and nothing is overwritten \
             because of that later"
        ));
        plan.steps.iter_mut().for_each(drop_clearings);
        plan.steps.retain(|step| !step.is_empty());
    }
    for side in Side::ALL {
        approve_deletions(&mut plan.steps, side, seen);
        let moved = hold_mass_edits(plan, cases, side, seen, policy, EditLimits::Configured);
        // Where values or keys moved between rows, a row that seems to be gone may only be
        // another contact's by now.
        let slipped = side == Side::Linq && super::other_keys(cases) > 1;
        let in_doubt = if moved || slipped {
            DoubtfulDeletions::All
        } else {
            DoubtfulDeletions::WhoseKeyStands
        };
        hold_deletions(plan, side, seen, policy, in_doubt);
    }
    holds::carry_over(plan, cases, seen, policy);
}

/// The same for a plan that puts back what a run did: a person has asked for exactly that,
/// so only deletions and clearings beyond the limit wait.
pub(super) fn guard_undo(plan: &mut Plan, cases: &[Case<'_>], seen: &Observation, policy: &Policy) {
    for side in Side::ALL {
        hold_deletions(plan, side, seen, policy, DoubtfulDeletions::None);
        hold_mass_edits(plan, cases, side, seen, policy, EditLimits::OfUndo);
    }
}

/// Which deletions in Linq wait, since the rows may be there and taken for others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DoubtfulDeletions {
    /// All of them.
    All,
    /// Those of contacts whose key still stands in a row.
    WhoseKeyStands,
    /// None: a person has asked for exactly these.
    None,
}

/// The links whose key stands in a row of the source, whichever contact that is taken for.
fn whose_key_stands(seen: &Observation) -> BTreeSet<LinkId> {
    let keys: BTreeSet<&SourceKey> =
        seen.source.records.iter().filter_map(|record| record.key.as_ref()).collect();
    let stands = |link: &&Link| link.key.as_ref().is_some_and(|key| keys.contains(key));
    seen.links.iter().filter(stands).map(|link| link.id).collect()
}

/// Marks the deletions that a person has approved.
fn approve_deletions(steps: &mut [Step], side: Side, seen: &Observation) {
    let kind = WaitingKind::HeldDeletion { side };
    for step in steps.iter_mut().filter(|step| step.deletes_on() == Some(side)) {
        step.approved = is_approved(&kind, &step.subject, seen);
        if step.approved {
            step.decided.push(CarriedOut {
                question_id: question_id(&kind, &step.subject, seen),
                field: None,
            });
        }
    }
}

/// How many contacts may be deleted on `side` without asking in this run, what the past day
/// has taken of that aside. The share is one of what was linked when the day began, so that
/// a run which finishes what another began has the limit of that.
pub(super) fn deletes_limit(side: Side, seen: &Observation, policy: &Policy) -> usize {
    let linked = seen.links.iter().filter(|link| link.status == LinkStatus::Linked).count();
    let links = linked + seen.census.pairs;
    policy.deletes_limit().allowed_of(links + seen.recent_deletions.on_side(side))
}

fn hold_deletions(
    plan: &mut Plan,
    side: Side,
    seen: &Observation,
    policy: &Policy,
    in_doubt: DoubtfulDeletions,
) {
    let recent = seen.recent_deletions.on_side(side);
    let limit = deletes_limit(side, seen, policy);
    let held = |step: &Step| step.waits.contains(&Wait::HeldDeletion(side));
    let asking = |step: &Step| step.deletes_on() == Some(side) && !step.approved;
    let deletions = plan.steps.iter().filter(|step| asking(step) || held(step)).count();
    let too_many = deletions > 0 && deletions + recent > limit;
    let kind = WaitingKind::HeldDeletion { side };
    let doubted = match in_doubt {
        DoubtfulDeletions::WhoseKeyStands if deletions > 0 && side == Side::Linq => {
            whose_key_stands(seen)
        }
        DoubtfulDeletions::WhoseKeyStands | DoubtfulDeletions::All | DoubtfulDeletions::None => {
            BTreeSet::new()
        }
    };
    for step in plan.steps.iter_mut().filter(|step| asking(step)) {
        let is_doubted = in_doubt == DoubtfulDeletions::All
            || step.subject.link.is_some_and(|link| doubted.contains(&link));
        let was_held = || seen.held.contains_key(&question_id(&kind, &step.subject, seen));
        if is_doubted || too_many || policy.max_deletes_of_run.is_none() && was_held() {
            step.linq = None;
            step.source = None;
            step.waits.push(Wait::HeldDeletion(side));
        }
    }
}

/// Drops clearings without a trace: they are planned again next time.
fn drop_clearings(step: &mut Step) {
    for side in Side::ALL {
        take_changes(step, side, &FieldChange::clears_value);
    }
}

fn changes_mut(step: &mut Step, side: Side) -> Option<&mut Vec<FieldChange>> {
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
pub(super) fn take_changes(
    step: &mut Step,
    side: Side,
    taken: &dyn Fn(&FieldChange) -> bool,
) -> Vec<FieldChange> {
    let Some(set) = changes_mut(step, side) else { return Vec::new() };
    let (out, kept): (Vec<FieldChange>, Vec<FieldChange>) =
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
