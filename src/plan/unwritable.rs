//! What the source cannot hold: it is left out of what is written there until it changes, or
//! the next run, which tries again.
//!
//! Owns what such a refusal is known by: the values that would stand in the same place, and
//! the record as it is written. Trying costs nothing there, and what stands in the way may be
//! anything, a cell beside it or the permissions of a file, so that each run tries once.
//! Leaves to [`super::refusals`] what Linq refused, and to [`crate::source`] what it can hold.

use std::collections::BTreeMap;

use crate::model::{
    Decision, Field, FieldChange, Fingerprint, LinqId, Side, SourceRecord, Values, Waiting,
    WaitingKind,
};

use super::observation::Observation;
use super::refusals::{carry_out, parts_fingerprint};
use super::step::{SourceWrite, Step, Wait};
use super::waiting::{decided_about, question_id};

/// Why the source cannot hold something, by what that is known by.
pub type AllUnwritable = BTreeMap<Fingerprint, String>;

/// What it is known by that a record cannot hold the value of `field` in `set`. What shares
/// its place with others, as a first name with the last name, is refused for all of them.
pub fn unwritable_field(
    id: LinqId,
    record: &SourceRecord,
    set: &[FieldChange],
    field: Field,
    columns: &BTreeMap<Field, String>,
) -> Fingerprint {
    let after = record.values.with_changes(set);
    let place = columns.get(&field);
    let beside = Field::ALL.into_iter().filter(|other| columns.get(other) == place);
    let mut parts = vec!["in source".to_owned(), id.to_string(), field.name().to_owned()];
    parts.push(record.fingerprint.to_hex());
    parts.extend(place.cloned());
    parts.extend(beside.map(|other| after[other].to_string()));
    of_parts(&parts)
}

/// What it is known by that the source cannot take a write as a whole.
pub fn unwritable_write(id: LinqId, write: &SourceWrite, seen: &Observation) -> Fingerprint {
    let bytes = |at: crate::model::RecordIndex| seen.source.record_at(at).fingerprint.to_hex();
    let mut parts = vec!["in source".to_owned(), id.to_string()];
    match write {
        SourceWrite::Create { values, .. } => {
            parts.push("create".to_owned());
            parts.extend(filled_texts(values));
        }
        SourceWrite::Update { at, .. } => parts.extend(["update".to_owned(), bytes(*at)]),
        SourceWrite::Delete { at } => parts.extend(["delete".to_owned(), bytes(*at)]),
    }
    of_parts(&parts)
}

fn filled_texts(values: &Values) -> impl Iterator<Item = String> {
    Field::ALL.into_iter().map(|field| values[field].to_string())
}

fn of_parts(parts: &[String]) -> Fingerprint {
    parts_fingerprint(&parts.iter().map(String::as_str).collect::<Vec<&str>>())
}

/// What the last run found that the source cannot hold, if `waiting` is that.
pub fn unwritable_of(waiting: &Waiting) -> Option<(Fingerprint, String)> {
    match &waiting.kind {
        WaitingKind::Rejected { refusal, side: Side::Source, .. } => {
            refusal.map(|refusal| (refusal, waiting.reason.clone()))
        }
        WaitingKind::Rejected { side: Side::Linq, .. }
        | WaitingKind::Conflict { .. }
        | WaitingKind::Ambiguous { .. }
        | WaitingKind::HeldDeletion { .. }
        | WaitingKind::HeldClearing { .. }
        | WaitingKind::HeldChange { .. } => None,
    }
}

/// Takes what the source cannot hold out of what `step` writes there, and lets it wait.
pub(super) fn leave_out_unwritable(step: &mut Step, seen: &Observation) {
    if seen.unwritable.is_empty() && seen.decisions.is_empty() {
        return;
    }
    let Some(id) = written_id(step) else { return };
    match &mut step.source {
        Some(SourceWrite::Update { at, set, linq_id }) if !set.is_empty() => {
            let record = seen.source.record_at(*at);
            let all = std::mem::take(set);
            let fills_id = linq_id.is_some();
            let mut kept = Vec::new();
            for change in &all {
                let field = change.field;
                let refusal = unwritable_field(id, record, &all, field, &seen.source.columns);
                if !wait_for_refusal(step, Some(field), refusal, seen) {
                    kept.push(change.clone());
                }
            }
            let is_left = !kept.is_empty() || fills_id;
            if let Some(SourceWrite::Update { set, .. }) = &mut step.source {
                *set = kept;
            }
            if !is_left {
                step.source = None;
            }
        }
        Some(write) => {
            let refusal = unwritable_write(id, write, seen);
            if wait_for_refusal(step, None, refusal, seen) {
                step.source = None;
            }
        }
        None => {}
    }
}

/// The contact that a step writes into the source.
fn written_id(step: &Step) -> Option<LinqId> {
    match step.source.as_ref()? {
        SourceWrite::Create { linq_id, .. } => Some(*linq_id),
        SourceWrite::Update { .. } | SourceWrite::Delete { .. } => step.subject.linq_id,
    }
}

/// Whether something that was refused waits; a person may want it to be tried again.
fn wait_for_refusal(
    step: &mut Step,
    field: Option<Field>,
    refusal: Fingerprint,
    seen: &Observation,
) -> bool {
    let kind = WaitingKind::Rejected { field, refusal: Some(refusal), side: Side::Source };
    if decided_about(&kind, &step.subject, seen) == Some(&Decision::Retry) {
        let question = question_id(&kind, &step.subject, seen);
        carry_out(step, question, field);
        return false;
    }
    let Some(reason) = seen.unwritable.get(&refusal) else { return false };
    let (reason, refusal) = (reason.clone(), Some(refusal));
    step.waits.push(Wait::Rejected { field, reason, refusal, side: Side::Source });
    true
}
