//! The end of a run: what is remembered of it, and what people are told.

use crate::apply::RefusedEdit;
use std::collections::BTreeSet;

use crate::model::{Digest, Fingerprint, LinqId, RunId, SourceRecord, Waiting};
use crate::observe::{self, keep_records};
use crate::plan::{Observation, Plan, Skipped, at_rest, decisions_over, list_waiting, make_plan};
use crate::run::{RunError, RunPurpose};
use crate::source::SourceReading;

use super::{PlannedObservation, RunExecutor};

/// How many decisions that are void are named.
const NAMED_VOID: usize = 3;

impl RunExecutor<'_, '_, '_> {
    /// Remembers the reading, and tells what is still open: what is `left` of the run's
    /// aim, and whatever else waits.
    pub(super) fn close_run(
        &mut self,
        run: RunId,
        seen: PlannedObservation,
        reading: &SourceReading,
        left: Plan,
    ) -> Result<(), RunError> {
        let seen = seen.observation;
        let mut undone = left.steps.iter().filter(|step| step.has_effect()).count();
        let mut skipped = left.skipped.clone();
        let postponed = left.postponed;
        let open = match self.aim {
            RunPurpose::Sync => left,
            RunPurpose::Undo(_) => make_plan(&seen, self.terms.policy)?,
            RunPurpose::Apply(saved) => {
                let open = make_plan(&seen, self.terms.policy)?;
                undone = 0;
                skipped.extend(saved.unfinished_steps(&open, &seen, &self.holding));
                open
            }
        };
        self.report.skipped = skipped.len() + self.missed + undone + postponed;
        for Skipped { subject, why } in skipped {
            self.notices.push(format!("{}: {why}", subject.name));
        }
        self.recorder(run, &seen).record_reading(&open, self.now())?;
        self.keep_records(&seen, reading);
        self.remember_rests(&seen, reading, &open)?;
        let waits = list_waiting(&open, &seen);
        self.sides.state.replace_waiting(&waits)?;
        self.end_decisions(&open, &waits, &seen)?;
        let open = self.with_what_is_held(open, &seen)?;
        self.report.take_open(&open, &seen);
        self.tell_refused();
        self.notices.extend(open.notices.iter().cloned());
        if let Some(halt) = &open.halt {
            self.notices.push(format!("nothing was written: {halt}"));
        }
        self.left = Some((open, seen));
        Ok(())
    }

    /// Keeps the linked records as they were read, for the day on which one is gone. Nothing
    /// that a run has to do depends on it.
    fn keep_records(&mut self, seen: &Observation, reading: &SourceReading) {
        let read = self.source_read(reading);
        if let Err(error) = keep_records(self.sides.state, read, seen, self.terms.policy) {
            self.notices.push(format!(
                "the rows or cards could not be kept whole, so that what is removed from now on \
                 comes back with its fields alone: {error}"
            ));
        }
    }

    /// Remembers which of the pairs that were planned are at rest, so that the next run need
    /// not read them. What changed within this run is planned once more.
    fn remember_rests(
        &self,
        seen: &Observation,
        reading: &SourceReading,
        open: &Plan,
    ) -> Result<(), RunError> {
        let (state, policy) = (self.sides.state, self.terms.policy);
        let rests = at_rest(seen, policy, open);
        let planned: Vec<LinqId> = seen.links.iter().map(|link| link.linq_id).collect();
        let epoch =
            observe::planning_epoch(policy, Some(&observe::reading_meaning(policy, reading)));
        let digests: BTreeSet<Digest> = rests.iter().map(|rest| rest.record).collect();
        // Those that were at rest before and were planned may be so no longer.
        let roused: BTreeSet<usize> =
            planned.iter().filter_map(|id| self.resting.of_id(*id)).collect();
        let is_at_rest = |record: &SourceRecord| {
            digests.contains(&Digest::of_record(record))
                || self.resting.of_record(record).is_some_and(|at| !roused.contains(&at))
        };
        let source = self.sides.source.to_remember(reading, &is_at_rest);
        Ok(state.remember_rests(epoch, &planned, &rests, &source)?)
    }

    /// Tells once of each edit that the source could not take.
    fn tell_refused(&mut self) {
        let mut told: Vec<String> = Vec::new();
        for RefusedEdit { name, reason, .. } in std::mem::take(&mut self.refused) {
            let text = format!("{name} could not be written to the source: {reason}");
            if !told.contains(&text) {
                told.push(text);
            }
        }
        self.notices.extend(told);
    }

    /// Forgets the decisions that are over, and tells which of them are void.
    fn end_decisions(
        &mut self,
        open: &Plan,
        waits: &[Waiting],
        seen: &Observation,
    ) -> Result<(), RunError> {
        let over = decisions_over(seen, self.terms.policy, open, waits);
        let void: Vec<String> = over.iter().filter_map(|one| one.void.clone()).collect();
        self.notices.extend(void.iter().take(NAMED_VOID).cloned());
        if let more @ 1.. = void.len().saturating_sub(NAMED_VOID) {
            self.notices.push(format!(
                "{more} more decisions were not carried out, since what was shown has changed"
            ));
        }
        let over: Vec<Fingerprint> = over.into_iter().map(|one| one.question_id).collect();
        Ok(self.sides.state.forget_decisions(&over)?)
    }

    /// What is open, together with what the guard holds of the run's own aim.
    fn with_what_is_held(&self, mut open: Plan, seen: &Observation) -> Result<Plan, RunError> {
        match self.aim {
            RunPurpose::Sync | RunPurpose::Apply(_) => {}
            RunPurpose::Undo(_) => {
                let own = self.aim.make_plan(seen, self.terms.policy)?;
                open.steps.extend(own.steps.into_iter().filter(|step| !step.waits.is_empty()));
                open.notices.retain(|notice| !self.notices.contains(notice));
            }
        }
        Ok(open)
    }
}
