//! What no run does unasked: carrying a mass change to the other side, and overwriting
//! what no person has edited.

use std::collections::BTreeMap;

use linqsync::mirror::State;
use linqsync::model::{Decided, Decision, Field, LinkStatus, LinqId, Side, WaitingKind};
use linqsync::plan::{Plan, Wait};
use linqsync::run::RunResult;

use super::{CANON, SimWorld, member};
use crate::simulation::people::tag;
use crate::simulation::scenario::Feature;
use crate::simulation::sheet::{NOTES, SimSheet};

/// From how many changes on values are said to have moved, or to have been cleared.
const FEW: usize = 5;

/// What both sides of the linked pairs last agreed on, as a run found it.
pub(in crate::simulation) type AgreedValue = BTreeMap<u64, BTreeMap<Field, [String; 2]>>;

/// A field that a run changed, of whom, from what to what.
pub(in crate::simulation) type ChangedValue = BTreeMap<(Side, Field, u64), (String, String)>;

/// What is agreed on at present.
pub(in crate::simulation) fn agreed(world: &SimWorld) -> AgreedValue {
    let links = world.state().links().unwrap().into_iter();
    let linked = links.filter(|link| link.status == LinkStatus::Linked);
    let each = linked.map(|link| {
        let fields = Field::ALL.into_iter().filter_map(|field| {
            let agreed = link.base.get(field)?;
            Some((field, [agreed.source.to_string(), agreed.linq.to_string()]))
        });
        (link.linq_id.0, fields.collect())
    });
    each.collect()
}

/// A mass change waits until it is approved.
pub(super) fn unasked(world: &SimWorld) {
    let (changed, agreed, before, sheet) = {
        let run = &world.inner().run;
        (run.overwrites.clone(), run.agreed.clone(), run.before.clone(), run.sheet.clone())
    };
    let most = |field: Field| {
        let in_linq = before.values().filter(|contact| !member(contact, field).is_empty());
        let column = world.column(field);
        let in_source = sheet.iter().flat_map(|sheet| {
            let column = &column;
            (0..sheet.rows.len()).filter(move |row| !sheet.cell(*row, column).is_empty())
        });
        in_linq.count().max(in_source.count())
    };
    for side in Side::ALL {
        for field in Field::ALL {
            let changes: Vec<(u64, &str, &str)> = changed
                .iter()
                .filter(|((s, f, _), _)| (*s, *f) == (side, field))
                .map(|((_, _, id), (from, to))| (*id, from.as_str(), to.as_str()))
                .collect();
            let how = is_mass(&agreed, side, field, most(field), &changes);
            let numbered = world.has(Feature::Ids) || world.has(Feature::Key);
            if how.is_some() && numbered && world.inner().past.pasted {
                // Open, see docs/proof.md: whose row it is changes within a run.
                world.met("OPEN: a block of cells that was pasted a row off");
                continue;
            }
            if let Some(how) = how {
                world.violation(&format!("{how} of {field} in {side} unasked"));
            }
        }
    }
}

fn is_mass(
    agreed: &AgreedValue,
    side: Side,
    field: Field,
    most: usize,
    changes: &[(u64, &str, &str)],
) -> Option<&'static str> {
    // Where values moved is where they were edited.
    let half = |halves: &[String; 2]| halves[usize::from(side == Side::Source)].clone();
    let values: BTreeMap<u64, String> = agreed
        .iter()
        .filter_map(|(id, fields)| Some((*id, half(fields.get(&field)?))))
        .filter(|(_, value)| !value.trim().is_empty())
        .collect();
    let most = most.max(values.len());
    let shared = values.values().filter(|value| {
        values.values().filter(|other| CANON.means_same(field, value, other)).count() > 1
    });
    // Where many share a value, a few who get it are nothing unusual.
    let is_own = shared.count() * 2 < values.len();
    let cleared = changes.iter().filter(|(_, _, to)| to.trim().is_empty()).count();
    let has_moved = |(id, _, to): &&(u64, &str, &str)| {
        let mut others = values.iter().filter(|(other, _)| *other != id);
        !to.trim().is_empty() && others.any(|(_, value)| CANON.means_same(field, value, to))
    };
    let moved = changes.iter().filter(has_moved).count();
    let new = changes.len() - cleared;
    let is_replaced =
        |(_, from, to): &&(u64, &str, &str)| !from.trim().is_empty() && !to.trim().is_empty();
    let replaced = changes.iter().filter(is_replaced).count();
    if cleared >= FEW && cleared * 2 > most {
        Some("a mass clearing")
    } else if changes.len() >= FEW && new >= FEW - 1 && is_own && moved * 5 >= new * 4 {
        Some("a move of values")
    } else if replaced > (most / 2).max(10) {
        Some("a mass change")
    } else {
        None
    }
}

/// Who overwrites a value has an edit of the other side to carry over.
pub(in crate::simulation) fn justified(
    world: &SimWorld,
    side: Side,
    id: LinqId,
    field: Field,
    from: &str,
    to: &str,
) {
    let column = world.column(field);
    let mut inner = world.inner();
    let overwrites = &mut inner.run.overwrites;
    let change =
        overwrites.entry((side, field, id.0)).or_insert_with(|| (from.to_owned(), String::new()));
    to.clone_into(&mut change.1);
    let first = inner.run.overwrites.get(&(side, field, id.0)).map(|(from, _)| from.clone());
    if first.as_deref() == Some(to) && from != to {
        // Open, see docs/proof.md: whose row it is changes within a run.
        drop(inner);
        world.met("OPEN: a run takes back what it wrote");
        return;
    }
    let held = inner.past.held.get(&(id.0, side, field)).is_some_and(|held| held == to);
    if held && !inner.run.decided.contains(&(id.0, field)) && !inner.past.undone {
        drop(inner);
        world.violation(&format!("{field} of {id} was held, and is written in {side} unasked"));
        return;
    }
    let past = &inner.past;
    // Linq itself gives contacts to users.
    if from.trim().is_empty() || field == Field::Owner || past.undone || past.unreadable {
        return;
    }
    // Open, see docs/proof.md: without keys the copy of a row may pass for the row.
    if !world.has(Feature::Key) {
        return;
    }
    let Some(whose) = past.linked.get(&id.0) else { return };
    // Rows that linqsync added cannot be told apart.
    if side == Side::Linq && whose.is_none() {
        return;
    }
    let by_people = match side {
        Side::Source => past.edited_contacts.contains(&(id.0, field)),
        Side::Linq => {
            let tag = whose.clone().unwrap_or_default();
            past.edited_rows.contains(&(tag, field))
        }
    };
    // Without keys people can make a row look like somebody else's.
    let taken_for = past.moved.contains(&id.0)
        || past.conflicts.contains(&(id.0, field))
        || side == Side::Linq && !is_from(inner.run.sheet.as_ref(), whose.as_deref(), &column, to);
    drop(inner);
    if !by_people && !taken_for {
        world.violation(&format!(
            "{field} of {id} is overwritten in {side}, and nobody edited it: {from:?} becomes {to:?}"
        ));
    }
}

/// Whether `text` stands in the row with the note `whose`, and not only in others.
fn is_from(sheet: Option<&SimSheet>, whose: Option<&str>, column: &str, text: &str) -> bool {
    let Some(sheet) = sheet else { return false };
    let mut rows = 0..sheet.rows.len();
    rows.any(|row| {
        tag(sheet.cell(row, NOTES)).as_deref() == whose
            && sheet.cell(row, column).trim() == text.trim()
    })
}

/// Remembers what is held from now on, until a person decides about it.
pub(super) fn remember_held(world: &SimWorld, plan: &Plan) {
    if plan.halt.is_some() {
        return;
    }
    let waits = plan.steps.iter().flat_map(|step| {
        let id = step.subject.linq_id.map(|id| id.0);
        step.waits.iter().filter_map(move |wait| Some((id?, wait)))
    });
    let held = waits.filter_map(|(id, wait)| match wait {
        Wait::HeldChange { side, change, .. } | Wait::HeldClearing(side, change) => {
            Some(((id, *side, change.field), change.to.to_string()))
        }
        Wait::Conflict { .. }
        | Wait::Ambiguous { .. }
        | Wait::HeldDeletion(_)
        | Wait::Rejected { .. }
        | Wait::Grace(_) => None,
    });
    world.inner().past.held = held.collect();
}

/// The contact and the field that a decision is about.
pub(in crate::simulation) fn about(decided: &Decided) -> Option<(u64, Field)> {
    let field = match &decided.about.kind {
        WaitingKind::Conflict { field, .. } => *field,
        WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. } => {
            change.field
        }
        WaitingKind::HeldDeletion { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::Rejected { .. } => return None,
    };
    Some((decided.about.linq_id?.0, field))
}

/// A decision that is over was carried out, or is said to be void.
pub(super) fn decisions(world: &SimWorld, state: &State, ran: &RunResult) {
    if world.setup().direction != "both" {
        // Open, see docs/proof.md: what is decided for a side that is not written.
        return;
    }
    let before = world.inner().run.decisions.clone();
    let now = state.stored_decisions().unwrap();
    let told = ran.notices.iter().any(|notice| notice.contains("the decision about"));
    for decided in before.iter().filter(|one| !now.contains(one)) {
        world.met("a decision that is over");
        let Some((id, field)) = about(decided) else { continue };
        let Some(contact) = world.linq.contact(id) else { continue };
        let wanted = match (&decided.about.kind, &decided.decision) {
            (
                WaitingKind::HeldClearing { side: Side::Linq, change }
                | WaitingKind::HeldChange { side: Side::Linq, change },
                Decision::Approve,
            ) => change.to.as_str(),
            (
                WaitingKind::HeldClearing { change, .. } | WaitingKind::HeldChange { change, .. },
                Decision::Reject,
            ) => change.from.as_str(),
            (WaitingKind::Conflict { source, .. }, Decision::Take { side: Side::Source }) => source,
            (WaitingKind::Conflict { linq, .. }, Decision::Take { side: Side::Linq }) => linq,
            (WaitingKind::Conflict { .. }, Decision::Value { value }) => value,
            _ => continue,
        };
        let rewrites = !world.setup().quirks.is_empty();
        // What Linq refuses is listed.
        let refused = ran.report.open.rejected > 0;
        if !told
            && !rewrites
            && !refused
            && !CANON.means_same(field, member(&contact, field), wanted)
        {
            world.violation(&format!(
                "a decision about {field} of {id} is over, and neither carried out nor void"
            ));
        }
    }
}
