//! Writes to the source: all of a run's edits in one replacement of the file.

use crate::mirror::{IntentKind, NewIntent, State};
use crate::model::{Change, IntentId, LinqId, RecordIndex, RunId, Timestamp, Values};
use crate::observe::record;
use crate::plan::{Observation, Plan, SourceWrite, Step};
use crate::record::{Recorder, SourceOutcome};
use crate::source::{Edit, EditOutcome, Reading, Source, WriteError};

use super::{Clock, StateError};

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
    /// Edits that the source cannot hold, with the person's name and the reason.
    pub(crate) refused: Vec<(String, String)>,
    /// The source as it is now; `None` when nothing was written.
    pub(crate) reading: Option<Reading>,
}

/// Carries out the writes of `plan` to the source, in one replacement, and records
/// them. A record that is added is in the journal before: it is recognised even if
/// the program ends before the link is recorded.
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
    let writes = Writes::of(plan);
    if writes.0.is_empty() {
        return Ok(SourceWrites::default());
    }
    back_up_once(source, state, clock())?;
    let intents = writes.intend(state, recorder.run, clock())?;
    let edits: Vec<Edit> = writes.0.iter().map(|(_, write)| edit(write)).collect();
    let written = match source.write(&edits) {
        Ok(written) => written,
        Err(error) => {
            // Nothing was written, so there is nothing to recognise later.
            for intent in intents.into_iter().flatten() {
                state.close_intent(intent, crate::mirror::IntentOutcome::Abandoned)?;
            }
            return Err(error.into());
        }
    };
    let mut done = SourceWrites::default();
    let mut outcomes = Vec::new();
    for ((write, intent), outcome) in writes.0.iter().zip(&intents).zip(&written.edits) {
        let landed = Landed { write, intent: *intent, reading: &written.reading };
        match landed.outcome(recorder.seen, outcome, &mut done) {
            Some(outcome) => outcomes.push(outcome),
            None => {
                if let Some(intent) = intent {
                    state.close_intent(*intent, crate::mirror::IntentOutcome::Refused)?;
                }
            }
        }
    }
    recorder.source_written(&outcomes, clock())?;
    done.reading = Some(written.reading);
    Ok(done)
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

fn edit(write: &SourceWrite) -> Edit {
    match write {
        SourceWrite::Create { values, linq_id } => {
            Edit::Add { values: values.clone(), linq_id: *linq_id }
        }
        SourceWrite::Update { at, set, linq_id } => {
            Edit::Update { at: *at, changes: set.clone(), linq_id: *linq_id }
        }
        SourceWrite::Delete { at } => Edit::Remove { at: *at },
    }
}

/// The writes of a plan to the source, each with its step.
struct Writes<'a>(Vec<(&'a Step, &'a SourceWrite)>);

impl<'a> Writes<'a> {
    fn of(plan: &'a Plan) -> Writes<'a> {
        let writes = plan.steps.iter().filter_map(|step| Some((step, step.source.as_ref()?)));
        Writes(writes.collect())
    }

    /// Makes the additions durable in the journal; for each write its intent, if it
    /// is one.
    fn intend(
        &self,
        state: &State,
        run: RunId,
        now: Timestamp,
    ) -> Result<Vec<Option<IntentId>>, StateError> {
        let added: Vec<Option<(LinqId, Values)>> = self
            .0
            .iter()
            .map(|(_, write)| match write {
                SourceWrite::Create { values, linq_id } => Some((*linq_id, values.clone())),
                SourceWrite::Update { .. } | SourceWrite::Delete { .. } => None,
            })
            .collect();
        let intents: Vec<NewIntent> = self
            .0
            .iter()
            .zip(&added)
            .filter_map(|((step, _), added)| {
                let (linq_id, values) = added.clone()?;
                let kind = IntentKind::AddToSource { linq_id, values };
                Some(NewIntent { link: step.subject.link, kind })
            })
            .collect();
        if intents.is_empty() {
            return Ok(vec![None; added.len()]);
        }
        let ids = state.plan_intents(run, now, &intents)?;
        state.mark_all_sent(&ids, now)?;
        let mut ids = ids.into_iter();
        Ok(added.iter().map(|added| added.as_ref().and_then(|_| ids.next())).collect())
    }
}

/// One write that the source was asked for.
struct Landed<'a> {
    write: &'a (&'a Step, &'a SourceWrite),
    intent: Option<IntentId>,
    reading: &'a Reading,
}

impl<'a> Landed<'a> {
    /// What there is to record, after counting it.
    fn outcome(
        &self,
        seen: &'a Observation,
        outcome: &EditOutcome,
        done: &mut SourceWrites,
    ) -> Option<SourceOutcome<'a>> {
        let (step, write) = *self.write;
        let now_at = |index: RecordIndex| &self.reading.records[index.0 as usize];
        match (write, outcome) {
            (_, EditOutcome::Refused(reason)) => {
                done.refused.push((step.subject.name.clone(), reason.clone()));
                None
            }
            (SourceWrite::Create { linq_id, .. }, EditOutcome::Stands(index)) => {
                done.created += 1;
                let contact = seen.linq.contacts.get(linq_id)?;
                let intent = self.intent?;
                Some(SourceOutcome::Added { step, intent, record: now_at(*index), contact })
            }
            (SourceWrite::Update { set, .. }, EditOutcome::Stands(index)) => {
                // Filling in an id is no change of the person.
                done.updated += usize::from(!set.is_empty());
                let set: &[Change] = set;
                Some(SourceOutcome::Updated { step, set, record: now_at(*index) })
            }
            (SourceWrite::Delete { at }, EditOutcome::Removed | EditOutcome::Stands(_)) => {
                done.deleted += 1;
                Some(SourceOutcome::Removed { step, record: record(seen, *at) })
            }
            (SourceWrite::Create { .. } | SourceWrite::Update { .. }, EditOutcome::Removed) => None,
        }
    }
}
