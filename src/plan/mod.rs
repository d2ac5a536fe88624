//! Every decision: a pure function from what was seen to what is to be done.
//!
//! [`make_plan`] sorts an [`Observation`] into cases (who is who), decides each case
//! by the table in [`decide`], merges field by field, and lets the guard hold
//! back what is too much to do without asking. It reads no clock, no file and no
//! network; the same input in any order gives the same plan.
//!
//! Leaves reading to [`crate::observe`] and doing to [`crate::apply`].
//!
//! # What is planned
//!
//! For a linked pair, by what happened to each half since both last agreed; each
//! field is merged on its own:
//!
//! | source ↓ Linq → | unchanged | edited | deleted |
//! |---|---|---|---|
//! | unchanged | nothing | write the source | delete in the source |
//! | edited | write Linq | write Linq, write the source; the same field: conflict | create in Linq again |
//! | deleted | delete in Linq | create in the source again | forget |
//!
//! For everybody whom one thing happened to, by what people have configured; two
//! values that differ on a pair that is new on both sides are a conflict, too:
//!
//! | policy | new in the source | new in Linq | new on both | edited in the source | edited in Linq | the same field on both | deleted in the source | deleted in Linq |
//! |---|---|---|---|---|---|---|---|---|
//! | as it comes | create in Linq | create in the source | link | write Linq | write the source | conflict | delete in Linq | delete in the source |
//! | direction push | create in Linq | nothing | link | write Linq | nothing | conflict | delete in Linq | nothing |
//! | direction pull | nothing | create in the source | link | nothing | write the source | conflict | nothing | delete in the source |
//! | on_conflict source | create in Linq | create in the source | link | write Linq | write the source | write Linq | delete in Linq | delete in the source |
//! | on_conflict linq | create in Linq | create in the source | link | write Linq | write the source | write the source | delete in Linq | delete in the source |
//! | deletes keep | create in Linq | create in the source | link | write Linq | write the source | conflict | release | release |
//! | deletes linq keep | create in Linq | create in the source | link | write Linq | write the source | conflict | release | delete in the source |
//! | deletes source keep | create in Linq | create in the source | link | write Linq | write the source | conflict | delete in Linq | release |
//! | delete_grace 1h | create in Linq | create in the source | link | write Linq | write the source | conflict | wait | wait |
//! | max_deletes 0 | create in Linq | create in the source | link | write Linq | write the source | conflict | hold | hold |
//!
//! A row or card outside the selection of the source (`[source.only]`) is seen by all of
//! it, and nothing happens to it:
//!
//! | a row that takes no part | planned |
//! |---|---|
//! | linked, unchanged in Linq | release |
//! | linked, edited in Linq | release |
//! | linked, deleted in Linq | release |
//! | released, unchanged in Linq | nothing |
//! | released, edited in Linq | nothing |
//! | released, deleted in Linq | forget |
//! | not linked | nothing |
//! | not linked, the same contact in Linq | nothing |
//! | not linked, the same row taking part | ambiguous |
//! | taking part again | link again |
//!
//! A test renders the tables by planning each cell.

mod accounting;
mod case;
mod census;
mod choice;
mod copies;
mod correlate;
mod crossed;
pub mod decide;
mod decisions;
mod disposition;
mod guard;
mod holds;
mod ignoring;
mod interrupted;
mod keys;
mod mass_edits;
mod matching;
mod meant;
mod merge;
mod new_pairs;
mod observation;
mod pairs;
mod recognise;
mod refusals;
mod reidentify;
mod reread;
mod saved;
mod shifted;
mod similarity;
mod slipped;
mod step;
#[cfg(test)]
mod tests;
mod undo;
mod unwritable;
mod waiting;

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::model::{Fingerprint, IntentId, Link, LinqId, Policy, SourceRecord};

use case::{Case, LinqHalf, SourceHalf, check_accounted};
use correlate::correlate_cases;
use disposition::count_standings;
use guard::{MissingCounts, guard_plan, halt_step};
use refusals::{leave_out_refused, notice_unknown_user};
use unwritable::leave_out_unwritable;

pub use accounting::{AccountedContact, account_for_all};
pub use case::Unaccounted;
pub use census::{
    Census, RestingHolders, WantedInPlan, agreed_on, at_rest, much_edited, wanted_in_plan,
};
pub use choice::{choose_values, read_composed};
pub use decisions::{Decisions, Over, decisions_over};
pub use disposition::{Disposition, Standings, Unknown};
pub use guard::worth_asking;
pub use holds::Hold;
pub use ignoring::{Ignoring, ignore};
pub use interrupted::{Likeness, trace_of};
pub(crate) use interrupted::{agreed_by_answer, is_rewritten};
pub use meant::{Meant, meant_difference};
pub use observation::{
    DoubtfulCreate, HalfAdded, Incomplete, LinqSide, Observation, Outlook, RecentDeletions,
    RecentEdits, RepeatedValue, SourceSide,
};
pub(crate) use recognise::records_of_links;
pub use refusals::{AllRefusals, Refusal, refused_field, refused_user, unknown_user};
pub use reread::reread_links;
pub use saved::{Expects, LinkEffect, SavedDeed, SavedPlan, SavedStep};
pub use step::{
    CarriedOut, Clash, FieldReason, LinkPlan, LinqWrite, Plan, PlanRule, Skipped, SourceWrite,
    Step, StepReason, Subject, Tier, Wait,
};
pub use undo::{PastDeed, UndoError, Undoing, UndoneDeed, plan_undo, source_first};
pub use unwritable::{AllUnwritable, unwritable_field, unwritable_of, unwritable_write};
pub use waiting::{cell_name, find_duplicates, list_waiting};

/// A create that was never answered, whose record is gone and of which Linq shows
/// no trace for this long, is not waited for any longer.
const FORGET_DOUBTS_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Makes the plan for what was `seen`.
///
/// # Errors
/// [`Unaccounted`] when somebody was dropped on the way: a defect. Nothing must be
/// done then.
pub fn make_plan(seen: &Observation, policy: &Policy) -> Result<Plan, Unaccounted> {
    let cases = correlate_cases(seen, policy);
    check_accounted(&cases, seen)?;
    let missing = MissingCounts::in_cases(&cases, seen, policy);
    let mut plan = Plan { halt: missing.reason_to_halt(seen), ..Plan::default() };
    for case in &cases {
        note_reading(&mut plan, case, policy);
        let mut step = step_for(case, seen, policy);
        plan.refused.extend(leave_out_refused(&mut step, seen, policy));
        leave_out_unwritable(&mut step, seen);
        if plan.halt.is_some() {
            halt_step(&mut step, case, seen);
        }
        if !step.is_empty() {
            plan.steps.push(step);
        }
    }
    plan.notices.extend(seen.source.notices.iter().chain(&seen.linq.notices).cloned());
    notice_nobodies(&mut plan, seen);
    notice_copies(&mut plan, &cases);
    notice_other_keys(&mut plan, &cases);
    drop_writes_to_read_only_source(&mut plan, seen);
    notice_delayed_creates(&mut plan, &cases, seen);
    guard_plan(&mut plan, &cases, seen, policy);
    // What is left of a write beside what is held is another write, which Linq may have
    // refused as well.
    let refused: Vec<Fingerprint> =
        plan.steps.iter_mut().flat_map(|step| leave_out_refused(step, seen, policy)).collect();
    plan.refused.extend(refused);
    plan.steps.iter_mut().for_each(|step| leave_out_unwritable(step, seen));
    notice_unknown_user(&mut plan, seen, policy);
    plan.notices.extend(released(&plan));
    plan.outside = outside(&cases);
    plan.standings = count_standings(&cases, &plan, seen, policy);
    plan.notices.extend(disposition::disposition_notices(&plan.standings, seen));
    plan.settled = settled_intents(&cases, seen);
    plan.steps.sort_by_key(|step| {
        let subject = &step.subject;
        let unlinked = subject.link.is_none();
        (unlinked, subject.link, subject.record.is_none(), subject.record, subject.linq_id)
    });
    Ok(plan)
}

fn step_for(case: &Case<'_>, seen: &Observation, policy: &Policy) -> Step {
    match case {
        Case::Pair { link, source, linq } => pairs::pair_step(link, *source, *linq, seen, policy),
        Case::Replaced { link, record, .. } => new_pairs::replaced_step(link, record),
        Case::OnBoth { record, contact, tier, base, doubt } => {
            let mut step = new_pairs::join_step(record, contact, base, *doubt, seen, policy);
            if *tier == Tier::Decision {
                note_decision(&mut step, record, seen);
            }
            Step { reason: StepReason::Matched(*tier), ..step }
        }
        Case::InSource { record, doubt } => {
            let mut step = new_pairs::new_in_source_step(record, *doubt, seen, policy);
            note_decision(&mut step, record, seen);
            step
        }
        Case::InLinq { contact } => new_pairs::new_in_linq_step(contact, seen, policy),
        Case::Orphan { contact, doubt } => new_pairs::orphan_step(contact, doubt, seen, policy),
        Case::Ambiguous { record, link, candidates, why, .. } => {
            new_pairs::ambiguous_step(record, *link, candidates, why)
        }
        Case::PossiblyCleared { record } => new_pairs::suspect_step(record),
        // Nothing is done about these: they wait for, or take no part in, the rest.
        Case::Candidate { .. }
        | Case::OutOfScope { .. }
        | Case::Unselected { .. }
        | Case::WithoutRecord { .. }
        | Case::Copy { .. }
        | Case::Unidentifiable { .. } => Step::empty_step(),
    }
}

/// Tells of pairs that are released because they take no part any more.
pub(crate) fn released(plan: &Plan) -> Vec<String> {
    let rules = [(PlanRule::LeftSelection, "source.only"), (PlanRule::LeftScope, "linq.scope")];
    let notice = |(rule, setting)| {
        let is_it = |step: &&Step| step.link.releases() && step.reason == StepReason::Rule(rule);
        let (count, contacts, they) = match plan.steps.iter().filter(is_it).count() {
            0 => return None,
            1 => (1, "linked contact takes", "it takes"),
            more => (more, "linked contacts take", "they take"),
        };
        Some(format!(
            "{count} {contacts} no part any more ({setting}): nothing is deleted, cleared or written \
             on either side until {they} part again"
        ))
    };
    rules.into_iter().filter_map(notice).collect()
}

/// How many records and contacts take no part because of `source.only` and `linq.scope`.
fn outside(cases: &[Case<'_>]) -> [usize; 2] {
    let is_record = |case: &&Case<'_>| {
        matches!(
            case,
            Case::Unselected { .. } | Case::Pair { source: SourceHalf::Unselected(_), .. }
        )
    };
    let is_contact = |case: &&Case<'_>| {
        matches!(
            case,
            Case::OutOfScope { .. }
                | Case::WithoutRecord { .. }
                | Case::Pair { linq: LinqHalf::OutOfScope(_), .. }
        ) || is_record(case) && case.contact().is_some()
    };
    [cases.iter().filter(is_record).count(), cases.iter().filter(is_contact).count()]
}

/// Notes that `step` is there because a person decided who `record` is, if one did.
fn note_decision(step: &mut Step, record: &SourceRecord, seen: &Observation) {
    if let Some(what) = seen.decisions.of_record(&record.label, &record.values) {
        step.decided.push(CarriedOut { question_id: what, field: None });
    }
}

/// Notes what the state should remember of the reading.
fn note_reading(plan: &mut Plan, case: &Case<'_>, policy: &Policy) {
    if let (Some(link), Some(record)) = (case.link(), case.record())
        && (record.fingerprint != link.fingerprint
            || record.key != link.key
            || case.contact().is_some() && link.content != Some(record.content)
            || record.told_names.is_some()
                && case.contact().is_some()
                && link.base.sees_names_anew(record, policy.canon))
    {
        plan.rewritten.push((link.id, record.index));
    }
    if let Case::Unidentifiable { record } = case {
        plan.nobodies.push(record.index);
    }
}

fn drop_writes_to_read_only_source(plan: &mut Plan, seen: &Observation) {
    let Some(reason) = &seen.source.read_only else { return };
    plan.notices.push(format!("the source is not written in this run: {reason}"));
    for step in &mut plan.steps {
        plan.postponed += usize::from(step.source.take().is_some());
    }
    plan.steps.retain(|step| !step.is_empty());
}

/// Names rows that have something and nobody whose it is.
fn notice_nobodies(plan: &mut Plan, seen: &Observation) {
    let records = plan.nobodies.iter().map(|at| seen.source.record_at(*at));
    let filled = records
        .filter(|record| !record.values.filled_fields().is_empty())
        .map(|record| record.label.clone())
        .collect();
    notice_some(
        plan,
        "without a name, an e-mail address or a phone number, so not synchronised",
        filled,
    );
}

/// Names rows and cards that are there twice.
fn notice_copies(plan: &mut Plan, cases: &[Case<'_>]) {
    let copy = |case: &Case<'_>| {
        let Case::Copy { record, of } = case else { return None };
        Some(format!("{} of {}", record.label, of.label))
    };
    let copies = cases.iter().filter_map(copy).collect();
    notice_some(plan, "identical copies, which are not synchronised", copies);
}

/// Says of some rows or cards what they are, and names the first.
fn notice_some(plan: &mut Plan, are: &str, mut labels: Vec<String>) {
    const NAMED: usize = 5;
    if labels.is_empty() {
        return;
    }
    let more = if labels.len() > NAMED { ", …" } else { "" };
    labels.truncate(NAMED);
    plan.notices.push(format!("{are}: {}{more}", labels.join(", ")));
}

/// Says that keys are others than before, where that happened to more than one.
fn notice_other_keys(plan: &mut Plan, cases: &[Case<'_>]) {
    let count = other_keys(cases);
    if count > 1 {
        plan.notices.push(format!(
            "{count} linked contacts have another key than before, or none; they were recognised \
             by what they say, and keep their contacts in Linq"
        ));
    }
}

/// How many linked records have another key than when they were last read.
fn other_keys(cases: &[Case<'_>]) -> usize {
    let has_another = |(link, source, _): &(&Link, SourceHalf<'_>, _)| {
        source.record().is_some_and(|record| link.key.is_some() && link.key != record.key)
    };
    cases.iter().filter_map(Case::linked_pair).filter(has_another).count()
}

fn notice_delayed_creates(plan: &mut Plan, cases: &[Case<'_>], seen: &Observation) {
    let delayed = |case: &&Case<'_>| matches!(case, Case::InSource { record, .. } if new_pairs::cannot_be_looked_for(record, seen));
    let count = cases.iter().filter(delayed).count();
    let (Some(Incomplete { why, outlook }), 1..) = (&seen.linq.incomplete, count) else { return };
    plan.delayed += match outlook {
        Outlook::Passing => 0,
        // They would wait for ever, unless somebody looks into it.
        Outlook::Lasting => count,
    };
    plan.notices.push(format!(
        "{count} new records without e-mail and phone wait for a whole listing of Linq: {why}"
    ));
}

/// Intents of earlier runs that need no further attention. One whose fate cannot be
/// told yet stays, and so does one whose record and contact are still to be linked.
fn settled_intents(cases: &[Case<'_>], seen: &Observation) -> Vec<IntentId> {
    let open: BTreeSet<IntentId> =
        cases.iter().filter_map(|case| Some(case.doubt()?.intent)).collect();
    let waiting: BTreeSet<LinqId> = cases
        .iter()
        .filter(|case| matches!(case, Case::Candidate { .. } | Case::OnBoth { .. }))
        .filter_map(|case| Some(case.contact()?.id))
        .collect();
    let added = seen
        .half_added
        .iter()
        .filter(|added| !waiting.contains(&added.linq_id))
        .map(|added| added.intent);
    let doubts = seen
        .doubtful
        .iter()
        .filter(|doubt| !open.contains(&doubt.intent) && seen.linq.incomplete.is_none())
        .filter(|doubt| seen.now - doubt.sent_at >= FORGET_DOUBTS_AFTER)
        .map(|doubt| doubt.intent);
    added.chain(doubts).collect()
}
