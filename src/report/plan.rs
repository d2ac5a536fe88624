//! A plan for scripts: the document `linqsync.plan/1`.
//!
//! Its rows are made while they are written, for the plan of a first run has at least one
//! for everybody.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::RunReport;
use crate::model::{Field, FieldChange, LinqId, Side, Unreadable, Values};
use crate::observe::record_at;
use crate::plan::{
    Clash, LinkPlan, LinqWrite, Observation, Plan, Skipped, SourceWrite, Step, Wait,
};

/// A plan as `linqsync.plan/1`, with the run that it would be.
#[derive(Serialize)]
pub struct PlanDocument<'a> {
    schema: &'static str,
    steps: PlanRows<'a>,
    skipped: Vec<LeftOut<'a>>,
    released: Vec<LeftOut<'a>>,
    notices: &'a [String],
    halt: Option<&'a str>,
    summary: &'a RunReport,
}

impl<'a> PlanDocument<'a> {
    /// The document of `plan`, which was made from `seen`.
    pub fn new(plan: &'a Plan, seen: &'a Observation, summary: &'a RunReport) -> Self {
        Self {
            schema: "linqsync.plan/1",
            steps: PlanRows { plan, seen },
            skipped: plan.skipped.iter().map(LeftOut::new).collect(),
            released: released(plan).map(LeftOut::released).collect(),
            notices: &plan.notices,
            halt: plan.halt.as_deref(),
            summary,
        }
    }

    /// Whether it has no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.plan_rows().next().is_none()
    }
}

/// The steps of a plan that release a pair.
pub(crate) fn released(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.steps.iter().filter(|step| step.link.releases())
}

struct PlanRows<'a> {
    plan: &'a Plan,
    seen: &'a Observation,
}

impl<'a> PlanRows<'a> {
    fn plan_rows(&self) -> impl Iterator<Item = PlanRow<'a>> {
        let seen = self.seen;
        let steps = self.plan.steps.iter().flat_map(move |step| step_rows(step, seen));
        steps.chain(seen.source.unreadable.iter().map(PlanRow::of_unreadable))
    }
}

impl Serialize for PlanRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.plan_rows())
    }
}

/// What is done, or waits, on one side.
#[derive(Serialize)]
pub(crate) struct PlanRow<'a> {
    side: Option<Side>,
    action: &'static str,
    linq_id: Option<LinqId>,
    source_key: Option<&'a str>,
    name: &'a str,
    fields: RowFields<'a>,
    reason: Cow<'a, str>,
}

impl<'a> PlanRow<'a> {
    fn of_unreadable(unreadable: &'a Unreadable) -> Self {
        Self {
            side: Some(Side::Source),
            action: "reject",
            linq_id: None,
            source_key: Some(&unreadable.label),
            name: &unreadable.label,
            fields: RowFields::no_fields(),
            reason: format!("line {}: {}", unreadable.line, unreadable.reason).into(),
        }
    }
}

/// The fields that a row is about.
enum RowFields<'a> {
    Changes(Vec<(Field, FromTo<'a>)>),
    Conflicts(Vec<(Field, ThreeValues<'a>)>),
    Candidates(&'a [LinqId]),
}

impl RowFields<'_> {
    const fn no_fields() -> Self {
        RowFields::Changes(Vec::new())
    }
}

impl Serialize for RowFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RowFields::Changes(set) => {
                serializer.collect_map(set.iter().map(|(field, values)| (field.name(), values)))
            }
            RowFields::Conflicts(set) => {
                serializer.collect_map(set.iter().map(|(field, values)| (field.name(), values)))
            }
            RowFields::Candidates(ids) => serializer.collect_map([("candidates", ids)]),
        }
    }
}

#[derive(Serialize)]
struct FromTo<'a> {
    from: &'a str,
    to: &'a str,
}

#[derive(Serialize)]
struct ThreeValues<'a> {
    base: &'a str,
    source: &'a str,
    linq: &'a str,
}

/// A contact that an undo leaves as it is, or that is released.
#[derive(Serialize)]
struct LeftOut<'a> {
    linq_id: Option<LinqId>,
    source_key: Option<&'a str>,
    name: &'a str,
    why: Cow<'a, str>,
}

impl<'a> LeftOut<'a> {
    fn new(Skipped { subject, why }: &'a Skipped) -> Self {
        Self {
            linq_id: subject.linq_id,
            source_key: subject.source_key.as_deref(),
            name: &subject.name,
            why: Cow::Borrowed(why),
        }
    }

    fn released(step: &'a Step) -> Self {
        let subject = &step.subject;
        Self {
            linq_id: subject.linq_id,
            source_key: subject.source_key.as_deref(),
            name: &subject.name,
            why: Cow::Owned(step.reason.to_string()),
        }
    }
}

/// A step as rows of `linqsync.plan/1`.
pub(crate) fn step_rows<'a>(step: &'a Step, seen: &'a Observation) -> Vec<PlanRow<'a>> {
    let mut rows = Vec::new();
    let reason = step.reason.to_string();
    let mut row = |side: Option<Side>, action: &'static str, fields, reason: Cow<'a, str>| {
        rows.push(PlanRow {
            side,
            action,
            linq_id: step.subject.linq_id,
            source_key: step.subject.source_key.as_deref(),
            name: &step.subject.name,
            fields,
            reason,
        });
    };
    if matches!(step.link, LinkPlan::Join { .. } | LinkPlan::Relink(_)) {
        row(None, "link", RowFields::no_fields(), reason.clone().into());
    }
    if let Some(write) = &step.linq {
        let (action, fields) = linq_write(write);
        row(Some(Side::Linq), action, fields, step.reason_for(step.changes_on(Side::Linq)).into());
    }
    if let Some(write) = &step.source {
        let (action, fields) = source_write(write, seen);
        let why = step.reason_for(step.changes_on(Side::Source));
        row(Some(Side::Source), action, fields, why.into());
    }
    let conflicts = conflict_fields(&step.waits);
    if !conflicts.is_empty() {
        let why = why_conflicts(&step.waits);
        row(None, "conflict", RowFields::Conflicts(conflicts), why.into());
    }
    for wait in &step.waits {
        match wait {
            Wait::Conflict { .. } => {}
            Wait::Ambiguous { candidates } => {
                let fields = RowFields::Candidates(candidates);
                row(Some(Side::Linq), "hold", fields, reason.clone().into());
            }
            Wait::HeldDeletion(side) => {
                let why = format!("{reason}: the deletion waits for approval");
                row(Some(*side), "hold", RowFields::no_fields(), why.into());
            }
            Wait::HeldClearing(side, change) => {
                let why = "clearing this field for so many people waits for approval";
                row(Some(*side), "hold", changed_fields(std::slice::from_ref(change)), why.into());
            }
            Wait::HeldChange { side, change, reason } => {
                let why = format!("{reason} until it is approved");
                row(Some(*side), "hold", changed_fields(std::slice::from_ref(change)), why.into());
            }
            Wait::Grace(side) => {
                let why = format!("{reason}: the deletion waits for sync.delete_grace");
                row(Some(*side), "hold", RowFields::no_fields(), why.into());
            }
            Wait::Rejected { field, reason, side, .. } => {
                let fields = match side {
                    Side::Linq => refused_fields(step, *field, seen),
                    Side::Source => unwritable_fields(step, *field, seen),
                };
                row(Some(Side::Source), "reject", fields, reason.into());
            }
        }
    }
    rows
}

fn linq_write(write: &LinqWrite) -> (&'static str, RowFields<'_>) {
    match write {
        LinqWrite::Create { values, .. } => ("create", created_fields(values)),
        LinqWrite::Update { set, .. } => ("update", changed_fields(set)),
        LinqWrite::Delete { expected, .. } => ("delete", deleted_fields(expected)),
    }
}

fn source_write<'a>(
    write: &'a SourceWrite,
    seen: &'a Observation,
) -> (&'static str, RowFields<'a>) {
    match write {
        SourceWrite::Create { values, .. } => ("create", created_fields(values)),
        SourceWrite::Update { set, .. } => ("update", changed_fields(set)),
        SourceWrite::Delete { at } => ("delete", deleted_fields(&record_at(seen, *at).values)),
    }
}

fn changed_fields(set: &[FieldChange]) -> RowFields<'_> {
    let fields = set.iter().map(|FieldChange { field, from, to }| (*field, FromTo { from, to }));
    RowFields::Changes(fields.collect())
}

/// The fields of somebody new.
fn created_fields(values: &Values) -> RowFields<'_> {
    let appears = |field: Field| (field, FromTo { from: "", to: &values[field] });
    RowFields::Changes(values.filled_fields().iter().map(appears).collect())
}

/// The fields of somebody who is deleted.
fn deleted_fields(values: &Values) -> RowFields<'_> {
    let goes = |field: Field| (field, FromTo { from: &values[field], to: "" });
    RowFields::Changes(values.filled_fields().iter().map(goes).collect())
}

/// What Linq would have got instead of what, had it not been refused: `field`, or all that
/// somebody edited in the source.
fn refused_fields<'a>(step: &Step, field: Option<Field>, seen: &'a Observation) -> RowFields<'a> {
    let Some(record) = step.subject.record.map(|at| record_at(seen, at)) else {
        return RowFields::no_fields();
    };
    let contact = step.subject.linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let link = step.subject.link.and_then(|id| seen.links.iter().find(|link| link.id == id));
    let agreed = |field: Field| link.and_then(|link| link.base.get(field));
    let is_edited =
        |field: &Field| agreed(*field).is_none_or(|agreed| agreed.source != record.values[*field]);
    let from_to = |field: Field| FromTo {
        from: contact.map_or("", |contact| &contact.values[field]),
        to: &record.values[field],
    };
    if let Some(field) = field {
        return RowFields::Changes(vec![(field, from_to(field))]);
    }
    let edited = seen.source.mapped.iter().filter(is_edited);
    let fields = edited.map(|field| (field, from_to(field)));
    RowFields::Changes(fields.filter(|(_, values)| values.from != values.to).collect())
}

/// What the source would have got instead of what.
fn unwritable_fields<'a>(
    step: &Step,
    field: Option<Field>,
    seen: &'a Observation,
) -> RowFields<'a> {
    let record = step.subject.record.map(|at| record_at(seen, at));
    let contact = step.subject.linq_id.and_then(|id| seen.linq.contacts.get(&id));
    let Some((field, contact)) = field.zip(contact) else { return RowFields::no_fields() };
    let from = record.map_or("", |record| &record.values[field]);
    RowFields::Changes(vec![(field, FromTo { from, to: &contact.values[field] })])
}

/// Why fields are in conflict: what is out of the ordinary is said field by field.
fn why_conflicts(waits: &[Wait]) -> String {
    let others = waits.iter().filter_map(|wait| match wait {
        Wait::Conflict {
            field,
            clash: clash @ (Clash::ChangedBack(_) | Clash::NeverAgreed | Clash::ReadAnew),
            ..
        } => Some(clash.clash_reason(*field)),
        Wait::Conflict { clash: Clash::BothEdited, .. }
        | Wait::Ambiguous { .. }
        | Wait::HeldDeletion(_)
        | Wait::HeldClearing(..)
        | Wait::HeldChange { .. }
        | Wait::Rejected { .. }
        | Wait::Grace(_) => None,
    });
    let reasons: Vec<String> = others.collect();
    if reasons.is_empty() {
        return "edited on both sides to different values".to_owned();
    }
    reasons.join("; ")
}

fn conflict_fields(waits: &[Wait]) -> Vec<(Field, ThreeValues<'_>)> {
    let values = waits.iter().filter_map(|wait| match wait {
        Wait::Conflict { field, base, source, linq, .. } => {
            Some((*field, ThreeValues { base, source, linq }))
        }
        Wait::Ambiguous { .. }
        | Wait::HeldDeletion(_)
        | Wait::HeldClearing(..)
        | Wait::HeldChange { .. }
        | Wait::Rejected { .. }
        | Wait::Grace(_) => None,
    });
    values.collect()
}
