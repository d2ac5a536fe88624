//! Mass edits of one field: values that were taken away, replaced, or moved from one
//! contact to another or from field to field.
//!
//! Owns how much is too much. Leaves whether a value moved between fields to
//! [`super::crossed`]. A mass edit of a field on one side waits as a whole, while
//! the edits of other fields go on. A value that comes where there was none is no edit
//! here, unless it came from somewhere: nothing is lost by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Canon, Field, FieldChange, LinkId, LinkStatus, LinqId, Policy, Side, WaitingKind,
};

use super::case::Case;
use super::census::{RestingHolders, agreed_on};
use super::crossed::Crossings;
use super::guard::{deletes_limit, take_changes};
use super::observation::{Observation, RecentEdits};
use super::step::{CarriedOut, Plan, Step, Wait};
use super::waiting::{is_approved, question_id};

/// From how many edits on they can be a mass edit, however small the address book is.
pub(super) const FEW: usize = 5;

/// How many edits of a mass edit a notice names.
const EXAMPLES: usize = 3;

/// By which limits edits are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditLimits {
    /// Those of an ordinary run.
    Configured,
    /// Those of an undo, which a person has asked for: of clearings alone.
    OfUndo,
}

/// Why edits of a field wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mass {
    /// Values were taken away.
    Cleared,
    /// Values were replaced.
    Changed,
    /// Values were, before, those of other contacts.
    Moved,
    /// Values were, before, those of other fields of the same contacts.
    Crossed,
}

/// Holds the mass edits that `plan` would write on `side`. Returns whether values moved
/// between contacts.
pub(super) fn hold_mass_edits(
    plan: &mut Plan,
    cases: &[Case<'_>],
    side: Side,
    seen: &Observation,
    policy: &Policy,
    limits: EditLimits,
) -> bool {
    for step in &mut plan.steps {
        approve_changes(step, side, seen);
    }
    let mut edits = Edits::default();
    for step in &plan.steps {
        for change in
            step.changes_on(side).iter().filter(|change| needs_approval(change, &step.decided))
        {
            edits.0.entry(change.field).or_default().push((step, change));
        }
    }
    let crossings = Crossings::new(&plan.steps, side, seen, policy.canon);
    let judge = MassEditJudge { cases, side, seen, policy, limits, crossings: &crossings };
    let held: BTreeMap<Field, Vec<Mass>> =
        edits.0.iter().map(|(field, edits)| (*field, judge.judge_edits(*field, edits))).collect();
    let notices: Vec<String> = held
        .iter()
        .flat_map(|(field, masses)| masses.iter().map(|mass| (*field, *mass)))
        .map(|(field, mass)| mass_notice(field, mass, side, &edits.0[&field]))
        .collect();
    if limits == EditLimits::Configured {
        plan.notices.extend(notices);
    }
    let earlier = held_before(side, seen, policy, limits);
    let mut slipped = Vec::new();
    for step in &mut plan.steps {
        let is_slipped = limits == EditLimits::Configured && crossings.has_slipped(step);
        slipped.extend(is_slipped.then(|| step.subject.name.clone()));
        hold_changes(step, &held, &earlier, is_slipped, side, policy);
    }
    plan.notices.extend(notice_slipped(side, &slipped));
    held.values().flatten().any(|mass| *mass == Mass::Moved)
}

/// The edits of each field that ask for approval, with their steps.
#[derive(Default)]
struct Edits<'a>(BTreeMap<Field, Vec<(&'a Step, &'a FieldChange)>>);

/// Whether nobody has decided that `change` is right.
fn needs_approval(change: &FieldChange, decided: &[CarriedOut]) -> bool {
    decided.iter().all(|one| one.field != Some(change.field))
}

/// Marks the changes that a person has approved.
fn approve_changes(step: &mut Step, side: Side, seen: &Observation) {
    if seen.decisions.is_empty() {
        return;
    }
    let carried: Vec<CarriedOut> = step
        .changes_on(side)
        .iter()
        .filter_map(|change| {
            let kind = WaitingKind::of_held(side, change.clone());
            let carried = CarriedOut {
                question_id: question_id(&kind, &step.subject, seen),
                field: Some(change.field),
            };
            is_approved(&kind, &step.subject, seen).then_some(carried)
        })
        .collect();
    step.decided.extend(carried);
}

/// What earlier runs held back from `side`, by contact and field.
fn held_before<'a>(
    side: Side,
    seen: &'a Observation,
    policy: &Policy,
    limits: EditLimits,
) -> BTreeMap<(LinqId, Field), (&'a FieldChange, &'a str)> {
    if limits != EditLimits::Configured {
        return BTreeMap::new();
    }
    let held = seen.held.values().filter_map(|hold| {
        let change = hold.kind.edit_on(side)?;
        // A limit that a person gives for this run is in the place of all others.
        let is_judged_anew = change.clears_value() && policy.max_deletes_of_run.is_some();
        let entry = ((hold.linq_id, change.field), (change, hold.reason.as_str()));
        (!is_judged_anew).then_some(entry)
    });
    held.collect()
}

fn hold_changes(
    step: &mut Step,
    held: &BTreeMap<Field, Vec<Mass>>,
    earlier: &BTreeMap<(LinqId, Field), (&FieldChange, &str)>,
    is_slipped: bool,
    side: Side,
    policy: &Policy,
) {
    let linq_id = step.subject.linq_id;
    // The same value still waits, also where it would replace another one by now.
    let was_held = |change: &FieldChange| {
        let (known, reason) = earlier.get(&(linq_id?, change.field))?;
        policy.canon.means_same(change.field, &known.to, &change.to).then(|| (*reason).to_owned())
    };
    let mass_of = |change: &FieldChange| {
        let masses = held.get(&change.field)?;
        masses.iter().copied().find(|mass| mass.is_of(change))
    };
    let decided = step.decided.clone();
    let is_held = |change: &FieldChange| {
        needs_approval(change, &decided)
            && (is_slipped || mass_of(change).is_some() || was_held(change).is_some())
    };
    for change in take_changes(step, side, &is_held) {
        let reason = mass_of(&change)
            .map(|mass| mass.hold_reason(change.field, side))
            .or_else(|| is_slipped.then(|| slipped_reason(change.field, side)))
            .or_else(|| was_held(&change))
            .unwrap_or_default();
        step.waits.push(held_change(side, change, reason));
    }
}

/// What waits, for `reason`.
pub(super) fn held_change(side: Side, change: FieldChange, reason: String) -> Wait {
    if change.clears_value() {
        Wait::HeldClearing(side, change)
    } else {
        Wait::HeldChange { side, change, reason }
    }
}

impl Mass {
    /// Whether it is held for this that `change` waits.
    fn is_of(self, change: &FieldChange) -> bool {
        match self {
            Mass::Cleared => change.clears_value(),
            Mass::Changed => change.replaces_value(),
            Mass::Moved | Mass::Crossed => true,
        }
    }

    /// Why a change of `field` on `side` waits, for people.
    fn hold_reason(self, field: Field, side: Side) -> String {
        match self {
            Mass::Cleared => format!("clearing {field} in {side} is held"),
            Mass::Changed => format!(
                "so many values of {field} were replaced at once that changing it in {side} is held"
            ),
            Mass::Moved => format!(
                "values of {field} moved between contacts, so changing it in {side} is held"
            ),
            Mass::Crossed => {
                format!("values of other fields became {field}, so changing it in {side} is held")
            }
        }
    }
}

struct MassEditJudge<'a> {
    cases: &'a [Case<'a>],
    side: Side,
    seen: &'a Observation,
    policy: &'a Policy,
    limits: EditLimits,
    crossings: &'a Crossings<'a>,
}

impl MassEditJudge<'_> {
    /// For what the edits of `field` wait, if they do.
    fn judge_edits(&self, field: Field, edits: &[(&Step, &FieldChange)]) -> Vec<Mass> {
        let whose = |is: fn(&FieldChange) -> bool| -> BTreeSet<Option<LinqId>> {
            let edited = edits.iter().filter(|(_, change)| is(change));
            edited.map(|(step, _)| step.subject.linq_id).collect()
        };
        let (cleared, replaced) =
            (whose(FieldChange::clears_value), whose(FieldChange::replaces_value));
        let recent = match self.limits {
            EditLimits::Configured => self.seen.recent_edits.get(&(self.side, field)),
            EditLimits::OfUndo => None,
        };
        let before = |of: fn(&RecentEdits) -> &BTreeSet<LinqId>, now: &BTreeSet<Option<LinqId>>| {
            let all = recent.map(of).into_iter().flatten();
            all.filter(|id| !now.contains(&Some(**id))).count()
        };
        let limit = deletes_limit(self.side, self.seen, self.policy);
        if self.limits == EditLimits::Configured {
            if self.values_crossed(edits) {
                return vec![Mass::Crossed];
            }
            if self.values_moved(field, edits) {
                return vec![Mass::Moved];
            }
        }
        let mut masses = Vec::new();
        if !cleared.is_empty() {
            let earlier = before(|recent| &recent.cleared, &cleared);
            let all = cleared.len() + earlier;
            let most = all >= FEW
                && self.limits == EditLimits::Configured
                && all * 2 > self.value_count(field) + earlier;
            if all > limit || most {
                masses.push(Mass::Cleared);
            }
        }
        if !replaced.is_empty() && self.limits == EditLimits::Configured {
            let all = replaced.len() + before(|recent| &recent.replaced, &replaced);
            if all > self.policy.max_changes.allowed_of(self.value_count(field)) {
                masses.push(Mass::Changed);
            }
        }
        masses
    }

    /// How many contacts have a value in `field` on the side that would be written.
    fn value_count(&self, field: Field) -> usize {
        let has = |case: &&Case<'_>| {
            let takes_part = case.link().map_or_else(
                || case.record().is_some() && case.contact().is_some(),
                |link| link.status == LinkStatus::Linked,
            );
            let shown = match self.side {
                Side::Linq => case.contact().map(|contact| &contact.values[field]),
                Side::Source => case.record().map(|record| &record.values[field]),
            };
            let agreed = || case.link()?.base.get(field).map(|agreed| &agreed.linq);
            takes_part && shown.or_else(agreed).is_some_and(|text| !text.trim().is_empty())
        };
        self.cases.iter().filter(has).count() + self.seen.census.filled_count(self.side, field)
    }

    /// Whether at least four in five of the new values of `field` were other contacts'
    /// before: a column that was sorted alone, shifted, filled down, or pasted a row off.
    ///
    /// In a field of which most values are one contact's alone, or where a fifth of all
    /// values changed, it is enough that another contact had the value. Where many share a
    /// value, as colleagues do their company, a few who get it are nothing unusual: there
    /// the value must also have been taken from as many.
    fn values_moved(&self, field: Field, edits: &[(&Step, &FieldChange)]) -> bool {
        if edits.len() < FEW {
            return false;
        }
        let canon = self.policy.canon;
        let new: Vec<(Option<LinkId>, String)> = edits
            .iter()
            .filter(|(_, change)| !change.to.trim().is_empty())
            .map(|(step, change)| (step.subject.link, canon.canonical_value(field, &change.to)))
            .collect();
        if new.len() < FEW - 1 {
            return false;
        }
        let holders = self.value_holders(field, canon);
        let nobody = RestingHolders::default();
        let at_rest = self.seen.census.holders.get(&(self.side, field)).unwrap_or(&nobody);
        let alone =
            |(value, links): &(&String, &Vec<LinkId>)| links.len() + at_rest.of_value(value) == 1;
        let distinct = holders.iter().filter(alone).count() + at_rest.of_their_own(holders.keys());
        let all = holders.values().map(Vec::len).sum::<usize>() + at_rest.holder_count();
        let is_copy = distinct * 2 >= all || edits.len() * 5 >= all;
        let mut left = times_taken(edits, field, canon);
        let moved = new
            .iter()
            .filter(|(link, value)| {
                let others = holders.get(value).into_iter().flatten();
                let is_anothers = others.clone().any(|other| Some(*other) != *link)
                    || at_rest.of_value(value) > 0;
                if !is_anothers {
                    return false;
                }
                match left.get_mut(value) {
                    Some(count) if *count > 0 => {
                        *count -= 1;
                        true
                    }
                    Some(_) | None => is_copy,
                }
            })
            .count();
        moved * 5 >= new.len() * 4
    }

    /// Whether at least four in five of the new values were those of other fields of the same
    /// contacts: columns that were exchanged, or that lost a column before them.
    fn values_crossed(&self, edits: &[(&Step, &FieldChange)]) -> bool {
        let new = edits.iter().filter(|(_, change)| !change.to.trim().is_empty()).count();
        if new < FEW {
            return false;
        }
        let is_crossed =
            |(step, change): &&(&Step, &FieldChange)| self.crossings.from(step, change).is_some();
        edits.iter().filter(is_crossed).count() * 5 >= new * 4
    }

    /// Which contacts had which value of `field` on the side where it was edited, when both
    /// sides last agreed. Released ones count too: a value may have moved from one of them.
    fn value_holders(&self, field: Field, canon: Canon) -> BTreeMap<String, Vec<LinkId>> {
        let mut holders: BTreeMap<String, Vec<LinkId>> = BTreeMap::new();
        for link in &self.seen.links {
            let Some(text) = agreed_on(link, self.side, field) else { continue };
            if !text.trim().is_empty() {
                holders.entry(canon.canonical_value(field, text)).or_default().push(link.id);
            }
        }
        holders
    }
}

/// Why the edit of a field waits whose contact has its values in other fields than before.
fn slipped_reason(field: Field, side: Side) -> String {
    format!("its values moved from one field to another, so changing {field} in {side} is held")
}

/// Names contacts whose values slipped to other fields.
fn notice_slipped(side: Side, names: &[String]) -> Option<String> {
    let origin = side.other();
    let more = if names.len() > EXAMPLES { ", …" } else { "" };
    let named = names[..names.len().min(EXAMPLES)].join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "values moved from one field to another in {origin}, held: {named}{more}; put them \
             right there, or decide with `linqsync approve` or `linqsync reject`"
        )
    })
}

/// How often the edits take each value away.
fn times_taken(
    edits: &[(&Step, &FieldChange)],
    field: Field,
    canon: Canon,
) -> BTreeMap<String, usize> {
    let mut taken = BTreeMap::new();
    for (_, change) in edits.iter().filter(|(_, change)| !change.from.trim().is_empty()) {
        *taken.entry(canon.canonical_value(field, &change.from)).or_default() += 1;
    }
    taken
}

/// What waits and why, with some examples.
fn mass_notice(field: Field, mass: Mass, side: Side, edits: &[(&Step, &FieldChange)]) -> String {
    let origin = side.other();
    let held: Vec<&(&Step, &FieldChange)> =
        edits.iter().filter(|(_, change)| mass.is_of(change)).collect();
    let (values, were) = match held.len() {
        1 => (format!("1 value of {field}"), "was"),
        several => (format!("{several} values of {field}"), "were"),
    };
    let what = match mass {
        Mass::Cleared => format!("{values} {were} cleared in {origin}"),
        Mass::Changed => format!("{values} {were} replaced in {origin}"),
        Mass::Moved => format!("{values} moved between contacts in {origin}"),
        Mass::Crossed => {
            format!("{values} {were} those of other fields of the same contacts in {origin}")
        }
    };
    let quoted = |text: &str| match text.trim() {
        "" => "(none)".to_owned(),
        text => format!("“{text}”"),
    };
    let example = |(step, change): &&(&Step, &FieldChange)| {
        format!("{} {} → {}", step.subject.name, quoted(&change.from), quoted(&change.to))
    };
    let examples: Vec<String> = held.iter().take(EXAMPLES).map(example).collect();
    let more = if held.len() > EXAMPLES { ", …" } else { "" };
    format!(
        "{what}, held: {}{more}; put them right there, or decide with `linqsync approve` \
         or `linqsync reject`",
        examples.join(", ")
    )
}
