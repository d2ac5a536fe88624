//! What the source could not hold of what it was given.
//!
//! Owns by what each such field is known when the next plan is made: by the record as it is
//! by then. Leaves to [`crate::plan`] what follows.

use ecow::EcoString;

use crate::model::{Field, FieldChange, Fingerprint, RejectedField, SourceRecord};
use crate::observe::record_at;
use crate::plan::{Observation, SourceWrite, Step, unwritable_field, unwritable_write};
use crate::source::{EditOutcome, SourceReading};

/// Something that the source cannot hold.
#[derive(Debug)]
pub(crate) struct RefusedEdit {
    /// What the contact is called.
    pub(crate) name: String,
    /// Why, for people.
    pub(crate) reason: String,
    /// What it is known by; `None` for what is written for no contact.
    pub(crate) question_id: Option<Fingerprint>,
}

/// What the source could not hold of `write`, by what became of it.
pub(super) fn refused_edits(
    step: &Step,
    write: &SourceWrite,
    seen: &Observation,
    outcome: &EditOutcome,
    reading: &SourceReading,
) -> Vec<RefusedEdit> {
    let id = match write {
        SourceWrite::Create { linq_id, .. } => Some(*linq_id),
        SourceWrite::Update { .. } | SourceWrite::Delete { .. } => step.subject.linq_id,
    };
    let edit = |reason: &str, what: Option<Fingerprint>| RefusedEdit {
        name: step.subject.name.clone(),
        reason: reason.to_owned(),
        question_id: what,
    };
    let of_field = |record: &SourceRecord, set: &[FieldChange], field: Field| {
        id.map(|id| unwritable_field(id, record, set, field, &seen.source.columns))
    };
    match outcome {
        EditOutcome::StandsWithout(at, refused) => {
            let record = reading.record_at(*at);
            let is_refused =
                |change: &FieldChange| refused.iter().any(|one| one.field == change.field);
            let left: Vec<FieldChange> =
                field_changes(write).into_iter().filter(is_refused).collect();
            let is_left = |one: &&RejectedField| left.iter().any(|c| c.field == one.field);
            let refused = refused.iter().filter(is_left);
            refused.map(|one| edit(&one.reason, of_field(record, &left, one.field))).collect()
        }
        EditOutcome::Refused(reason) => match write {
            SourceWrite::Update { at, set, .. } if !set.is_empty() => {
                let record = record_at(seen, *at);
                let fields = set.iter().map(|change| change.field);
                fields.map(|field| edit(reason, of_field(record, set, field))).collect()
            }
            SourceWrite::Create { .. }
            | SourceWrite::Update { .. }
            | SourceWrite::Delete { .. } => {
                vec![edit(reason, id.map(|id| unwritable_write(id, write, seen)))]
            }
        },
        EditOutcome::Stands(_) | EditOutcome::Removed | EditOutcome::Undone => Vec::new(),
    }
}

/// The fields to which a write gives other values.
fn field_changes(write: &SourceWrite) -> Vec<FieldChange> {
    match write {
        SourceWrite::Update { set, .. } => set.clone(),
        SourceWrite::Create { values, .. } => {
            let change =
                |field| FieldChange { field, from: EcoString::new(), to: values[field].clone() };
            values.filled_fields().iter().map(change).collect()
        }
        SourceWrite::Delete { .. } => Vec::new(),
    }
}
