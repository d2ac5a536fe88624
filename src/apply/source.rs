//! Writes to the source: all of a run's edits at once, file by file.
//!
//! Owns what the journal says before, and what is handed to [`crate::record_at`] after. Leaves
//! how a file is replaced to [`crate::source`], and what it could not hold to
//! [`super::unwritable`].

use std::collections::BTreeMap;

use crate::mirror::{HistoryEntry, IntentKind, IntentOutcome, NewIntent, State};
use crate::model::{
    AsWritten, Field, FieldChange, FieldSet, IntentId, LinkId, LinqId, Policy, RecordIndex, Side,
    Timestamp, Values,
};
use crate::observe::record_at;
use crate::plan::{Observation, Plan, SourceWrite, Step, StepReason};
use crate::record::{Recorder, SourceOutcome};
use crate::source::{EditOutcome, Source, SourceEdit, SourceReading, WriteError, WriteReceipt};

use super::unwritable::{RefusedEdit, refused_edits};
use super::{Clock, StateError};

/// How many writes are put down in the journal, and recorded, at once.
const TOGETHER: usize = 1_000;

/// Why the source was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceHalt {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("cannot copy the source into the state's backups")]
    BackUp(#[source] std::io::Error),
}

/// What writing the source came to.
#[derive(Debug, Default)]
pub(crate) struct SourceWrites {
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) deleted: usize,
    /// What the source cannot hold.
    pub(crate) refused: Vec<RefusedEdit>,
    /// Edits that were not made, because the record is another one by now.
    pub(crate) undone: usize,
    /// Why writing ended early, if it did.
    pub(crate) failed: Option<WriteError>,
    /// The source as it is now; `None` when nothing was written.
    pub(crate) reading: Option<SourceReading>,
}

/// Carries out the writes of `plan` to the source, and records them. Whatever replaces or removes something, or adds a record, is in the journal
/// before: it can be told what it was even if the program ends before that is
/// recorded.
///
/// # Errors
/// [`WriteError::Changed`] when somebody saved the source meanwhile; nothing was
/// written then.
pub(crate) fn write_source(
    source: &mut dyn Source,
    state: &State,
    recorder: Recorder<'_>,
    plan: &Plan,
    clock: Clock<'_>,
) -> Result<SourceWrites, SourceHalt> {
    let (mut writings, edits) = plan_writings(plan, source, recorder)?;
    if writings.is_empty() {
        return Ok(SourceWrites::default());
    }
    back_up_once(source, state, clock())?;
    for (writings, edits) in writings.chunks_mut(TOGETHER).zip(edits.chunks(TOGETHER)) {
        write_intents(writings, edits, state, recorder, clock())?;
    }
    let WriteReceipt { edits, versions, reading, failed } = match source.write_edits(&edits) {
        Ok(written) => written,
        Err(error) => {
            // Nothing was written, so there is nothing to recognise later.
            for intent in writings.iter().filter_map(|writing| writing.intent) {
                state.close_intent(intent, IntentOutcome::Abandoned)?;
            }
            return Err(error.into());
        }
    };
    let mut done = SourceWrites::default();
    let each: Vec<_> = writings.iter().zip(&edits).zip(versions).collect();
    // What an interruption leaves unrecorded is in the journal.
    for each in each.chunks(TOGETHER) {
        let mut outcomes = Vec::new();
        for ((writing, outcome), version) in each {
            let refused =
                refused_edits(writing.step, writing.write, recorder.seen, outcome, &reading);
            if !refused.is_empty() {
                recorder.tried_in_vain(writing.step, clock())?;
            }
            done.refused.extend(refused);
            if let Some(outcome) = writing.outcome(recorder.seen, outcome, &reading, &mut done) {
                outcomes.push((outcome, version.clone()));
            } else if let Some(intent) = writing.intent {
                state.close_intent(intent, unmade_intent(outcome))?;
            }
        }
        recorder.source_written(&outcomes, clock())?;
    }
    done.reading = Some(reading);
    done.failed = failed;
    Ok(done)
}

/// How the intent of an edit ends that was not made.
fn unmade_intent(outcome: &EditOutcome) -> IntentOutcome {
    match outcome {
        EditOutcome::Undone => IntentOutcome::Abandoned,
        EditOutcome::Refused(_)
        | EditOutcome::Stands(_)
        | EditOutcome::StandsWithout(_, _)
        | EditOutcome::Removed => IntentOutcome::Refused,
    }
}

fn back_up_once(source: &dyn Source, state: &State, now: Timestamp) -> Result<(), SourceHalt> {
    if state.backed_up_at()?.is_some() {
        return Ok(());
    }
    let copy = source.back_up(&state.backups_dir()?).map_err(SourceHalt::BackUp)?;
    tracing::info!(copy = %copy.display(), "copied the source before the first write to it");
    state.remember_backup(now)?;
    Ok(())
}

/// One write that the source is asked for.
struct Writing<'a> {
    step: &'a Step,
    write: &'a SourceWrite,
    intent: Option<IntentId>,
    /// The record as it was, where it is removed.
    written: Option<Box<AsWritten>>,
}

/// The writes of `plan`, and beside each what the source is asked for.
fn plan_writings<'a>(
    plan: &'a Plan,
    source: &dyn Source,
    recorder: Recorder<'_>,
) -> Result<(Vec<Writing<'a>>, Vec<SourceEdit>), StateError> {
    let removed = RemovedRecords::load_removed(plan, recorder.state)?;
    let writes = plan.steps.iter().filter_map(|step| Some((step, step.source.as_ref()?)));
    let written = |write: &SourceWrite| match write {
        SourceWrite::Delete { at } => Some(Box::new(source.as_written(*at))),
        SourceWrite::Create { .. } | SourceWrite::Update { .. } => None,
    };
    let writing = |(step, write)| {
        let edit = with_whole_name(removed.edit(write, recorder.policy), recorder.seen);
        (Writing { step, write, intent: None, written: written(write) }, edit)
    };
    Ok(writes.map(writing).unzip())
}

/// An edit of a name that says which other name stands beside it: a record that tells its
/// name twice may go by either.
fn with_whole_name(edit: SourceEdit, seen: &Observation) -> SourceEdit {
    let SourceEdit::Update { at, mut changes, linq_id } = edit else { return edit };
    let record = record_at(seen, at);
    let names = [Field::FirstName, Field::LastName];
    let is_renamed = changes.iter().any(|change| names.contains(&change.field));
    let is_told_as_one = record.told_names.is_some() || record.composed.name.is_some();
    if is_told_as_one && is_renamed {
        for field in names {
            if !changes.iter().any(|change| change.field == field) {
                let name = &record.values[field];
                changes.push(FieldChange { field, from: name.clone(), to: name.clone() });
            }
        }
    }
    SourceEdit::Update { at, changes, linq_id }
}

/// Records that were removed, by us or by a person, and come back: by contact.
#[derive(Default)]
pub(crate) struct RemovedRecords(BTreeMap<LinqId, (AsWritten, Values)>);

impl RemovedRecords {
    /// Those that `plan` brings back: of a run that is undone what the history tells, and else
    /// what was read last of a record whose link is still there.
    pub(crate) fn load_removed(plan: &Plan, state: &State) -> Result<RemovedRecords, StateError> {
        let creates = plan.steps.iter().filter_map(|step| match &step.source {
            Some(SourceWrite::Create { linq_id, .. }) => Some((step, *linq_id)),
            Some(SourceWrite::Update { .. } | SourceWrite::Delete { .. }) | None => None,
        });
        let (mut removed, mut undone) = (BTreeMap::new(), None);
        for (step, linq_id) in creates {
            if let StepReason::Undo(run) = step.reason {
                undone = Some(run);
            } else if let Some(kept) = step.subject.link.map(|id| state.kept_record(id)) {
                let kept = kept?.map(|kept| (kept.written, kept.values));
                removed.extend(kept.map(|kept| (linq_id, kept)));
            }
        }
        let history = undone.map(|run| state.history_of_run(run)).transpose()?.unwrap_or_default();
        let gone = history.into_iter().filter_map(|row| {
            Some((row.entry.linq_id?, (row.entry.removed_record()?, removed_values(&row.entry))))
        });
        removed.extend(gone);
        Ok(RemovedRecords(removed))
    }

    /// What the source is asked for. A record that comes back has what it had in fields
    /// that linqsync does not write to the source.
    fn edit(&self, write: &SourceWrite, policy: &Policy) -> SourceEdit {
        match write {
            SourceWrite::Create { values, linq_id } => {
                let (mut values, linq_id) = (values.clone(), *linq_id);
                let removed = self.0.get(&linq_id);
                let stays = |field: &Field| !policy.writes_field(Side::Source, *field);
                for field in Field::ALL.into_iter().filter(stays) {
                    if let Some((_, had)) = removed {
                        values[field].clone_from(&had[field]);
                    }
                }
                SourceEdit::Add {
                    values,
                    linq_id,
                    was: removed.map(|(was, _)| Box::new(was.clone())),
                }
            }
            SourceWrite::Update { at, set, linq_id } => {
                SourceEdit::Update { at: *at, changes: set.clone(), linq_id: *linq_id }
            }
            SourceWrite::Delete { at } => SourceEdit::Remove { at: *at },
        }
    }

    /// What of the records that `plan` brings back cannot, for people: each contact with what
    /// is lost of it.
    pub(crate) fn losses(&self, plan: &Plan, source: &dyn Source) -> Vec<String> {
        let mut losses = Vec::new();
        for step in &plan.steps {
            let (StepReason::Undo(_), Some(SourceWrite::Create { linq_id, .. })) =
                (&step.reason, &step.source)
            else {
                continue;
            };
            let name = &step.subject.name;
            match self.0.get(linq_id).map(|(was, _)| source.lost_parts(was)) {
                None => losses.push(format!(
                    "{name}: only its fields come back, since nothing else is known of its row \
                     or card"
                )),
                Some(lost) if !lost.is_empty() => {
                    losses.push(format!("{name}: cannot come back with {}", lost.join(", ")));
                }
                Some(_) => {}
            }
        }
        losses
    }
}

/// What a record had that was removed.
fn removed_values(entry: &HistoryEntry) -> Values {
    if entry.bases.is_empty() {
        return entry.changes.iter().map(|change| (change.field, change.from.clone())).collect();
    }
    entry.bases.iter().map(|base| (base.field, base.before.source.clone())).collect()
}

/// Makes durable in the journal what is about to be written.
fn write_intents(
    writings: &mut [Writing<'_>],
    edits: &[SourceEdit],
    state: &State,
    recorder: Recorder<'_>,
    now: Timestamp,
) -> Result<(), StateError> {
    let (intended, intents): (Vec<&mut Writing<'_>>, Vec<NewIntent>) = writings
        .iter_mut()
        .zip(edits)
        .filter_map(|(writing, edit)| {
            let kind = writing.intent(edit, recorder)?;
            let intent = NewIntent { link: writing.link(), kind };
            Some((writing, intent))
        })
        .unzip();
    if intents.is_empty() {
        return Ok(());
    }
    let ids = state.begin_intents(recorder.run, now, &intents)?;
    for (writing, id) in intended.into_iter().zip(ids) {
        writing.intent = Some(id);
    }
    Ok(())
}

impl Writing<'_> {
    /// The link whose base the write would advance. What is put back in the source is
    /// an edit like a person's until Linq has it as well.
    fn link(&self) -> Option<LinkId> {
        let edits = matches!(self.write, SourceWrite::Update { .. });
        let puts_back = matches!(self.step.reason, StepReason::Undo(_));
        self.step.subject.link.filter(|_| !(edits && puts_back))
    }

    /// What the journal says of it; filling in an id is worth no word.
    fn intent(&self, edit: &SourceEdit, recorder: Recorder<'_>) -> Option<IntentKind> {
        let linq_id = self.step.subject.linq_id;
        match edit {
            SourceEdit::Add { values, linq_id, .. } => {
                Some(IntentKind::AddToSource { linq_id: *linq_id, values: values.clone() })
            }
            SourceEdit::Update { changes, .. } if changes.is_empty() => None,
            SourceEdit::Update { changes, .. } => {
                let is_new = |change: &&FieldChange| change.from != change.to;
                let changes: Vec<FieldChange> = changes.iter().filter(is_new).cloned().collect();
                let linq_id = linq_id?;
                let linq = recorder.not_taken(linq_id, &changes);
                Some(IntentKind::UpdateInSource { linq_id, changes, linq })
            }
            SourceEdit::Remove { at } => {
                let fingerprint = Some(record_at(recorder.seen, *at).fingerprint);
                let written = self.written.as_deref().cloned().unwrap_or_default();
                Some(IntentKind::RemoveFromSource { linq_id: linq_id?, fingerprint, written })
            }
        }
    }

    /// What there is to record of it, after counting it.
    fn outcome<'o>(
        &'o self,
        seen: &'o Observation,
        outcome: &EditOutcome,
        reading: &'o SourceReading,
        done: &mut SourceWrites,
    ) -> Option<SourceOutcome<'o>> {
        let Writing { step, write, intent, written, .. } = self;
        let now_at = |index: RecordIndex| reading.record_at(index);
        let without: FieldSet = match outcome {
            EditOutcome::StandsWithout(_, refused) => refused.iter().map(|one| one.field).collect(),
            EditOutcome::Stands(_)
            | EditOutcome::Removed
            | EditOutcome::Refused(_)
            | EditOutcome::Undone => FieldSet::EMPTY,
        };
        match (write, outcome) {
            (_, EditOutcome::Undone) => {
                done.undone += 1;
                None
            }
            (
                SourceWrite::Create { linq_id, .. },
                EditOutcome::Stands(index) | EditOutcome::StandsWithout(index, _),
            ) => {
                done.created += 1;
                let (intent, record) = (*intent, now_at(*index));
                let Some(contact) = seen.linq.contacts.get(linq_id) else {
                    return Some(SourceOutcome::Restored { step, intent, record });
                };
                Some(SourceOutcome::Added { step, intent, record, contact, without })
            }
            (
                SourceWrite::Update { set, .. },
                EditOutcome::Stands(index) | EditOutcome::StandsWithout(index, _),
            ) => {
                let is_written = |change: &&FieldChange| !without.contains(change.field);
                let set: Vec<FieldChange> = set.iter().filter(is_written).cloned().collect();
                // Filling in an id is no change of the person.
                done.updated += usize::from(!set.is_empty());
                Some(SourceOutcome::Updated { step, intent: *intent, set, record: now_at(*index) })
            }
            (
                SourceWrite::Delete { at },
                EditOutcome::Removed | EditOutcome::Stands(_) | EditOutcome::StandsWithout(_, _),
            ) => {
                done.deleted += 1;
                let (record, written) = (record_at(seen, *at), written.as_deref()?);
                Some(SourceOutcome::Removed { step, intent: *intent, record, written })
            }
            (_, EditOutcome::Refused(_))
            | (SourceWrite::Create { .. } | SourceWrite::Update { .. }, EditOutcome::Removed) => {
                None
            }
        }
    }
}
