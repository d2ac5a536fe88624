//! A run in the making: the four verbs in a row, and when a plan is made anew.

mod closing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use super::outage::probe_before_run;
use crate::apply::{
    Apply, Begun, GivenUp, Learned, LinqOutcome, RefusedEdit, RemovedRecords, SourceHalt,
    searchable_sample, write_source,
};
use crate::linq::LinqError;
use crate::model::{Fingerprint, LinqContact, Resting, RunId, Timestamp, WaitingKind};
use crate::observe::{self, SourceRead};
use crate::plan::{
    AllUnwritable, Hold, LinkPlan, LinqWrite, Observation, Plan, Step, Wait, list_waiting, released,
};
use crate::record::Recorder;
use crate::report::RunReport;
use crate::source::{SourceReading, WriteError};

use super::extent::{Extent, read_source, wake_pairs};
use super::late_saves::rescue_late_saves;
use super::meaning::settle_meaning;
use super::{RunError, RunOptions, RunPurpose, Sides};

/// How often writing to Linq is planned anew within one run, because Linq turned out
/// to have changed meanwhile.
const ROUNDS: usize = 5;

/// How often a run goes through both sides, because one write made another possible.
const PASSES: usize = 3;

/// How often the source is read and planned anew within one run, because somebody
/// saved it meanwhile.
const SAVES: usize = 3;

/// What was seen, with the plan that was made of it: another is made only after something
/// has changed.
struct PlannedObservation {
    observation: Observation,
    plan: Option<Arc<Plan>>,
}

impl PlannedObservation {
    fn new(observation: Observation) -> PlannedObservation {
        PlannedObservation { observation, plan: None }
    }

    /// What was seen, to be changed.
    fn change_observation(&mut self) -> &mut Observation {
        self.plan = None;
        &mut self.observation
    }
}

impl Deref for PlannedObservation {
    type Target = Observation;

    fn deref(&self) -> &Observation {
        &self.observation
    }
}

/// How many edits of the source were not made, because somebody saved their records.
struct Undone(usize);

/// A run in the making.
pub(super) struct RunExecutor<'s, 'a, 't> {
    aim: RunPurpose<'t>,
    /// Which steps of a plan that was kept still held when the run began.
    holding: BTreeSet<usize>,
    /// Mass edits that this run has held so far: what it does meanwhile ends no hold.
    held: BTreeMap<Fingerprint, Hold>,
    sides: &'s mut Sides<'a>,
    terms: &'t RunOptions<'t>,
    pub(super) report: RunReport,
    pub(super) notices: Vec<String>,
    pub(super) left: Option<(Plan, Observation)>,
    /// Edits that the source cannot hold, as the last write to it found.
    refused: Vec<RefusedEdit>,
    /// What this run has found that the source cannot hold: each run tries once.
    unwritable: AllUnwritable,
    /// Whether the listing was read once more before anybody was created on its word.
    looked_twice: bool,
    /// What has changed in what readings mean, if anything has.
    changed_meaning: Option<String>,
    /// Writes that were not made, because the contact was not there any more, or it could
    /// not be told whether it is.
    missed: usize,
    /// Writes on which Linq fails alone, and how it failed on the first.
    given_up: GivenUp,
    /// Intents that wait to be made durable together.
    begun: Begun,
    /// What was learned from what Linq refused.
    learned: Learned,
    failed: Option<LinqError>,
    /// When the run began to read Linq.
    began: Instant,
    /// The pairs that are at rest, and that this run does not read.
    resting: Arc<Resting>,
    /// Contacts with which a search can be tried, where those of most pairs are not read.
    searchable: Vec<LinqContact>,
}

impl<'s, 'a, 't> RunExecutor<'s, 'a, 't> {
    pub(super) fn new(
        aim: RunPurpose<'t>,
        sides: &'s mut Sides<'a>,
        terms: &'t RunOptions<'t>,
        now: Timestamp,
    ) -> Self {
        RunExecutor {
            aim,
            holding: BTreeSet::new(),
            held: BTreeMap::new(),
            sides,
            terms,
            report: RunReport::new(now),
            notices: Vec::new(),
            left: None,
            refused: Vec::new(),
            unwritable: AllUnwritable::new(),
            looked_twice: false,
            changed_meaning: None,
            missed: 0,
            given_up: GivenUp::default(),
            begun: Begun::default(),
            learned: Learned::default(),
            failed: None,
            began: Instant::now(),
            resting: Arc::default(),
            searchable: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        (self.terms.clock)()
    }

    fn make_plan(&mut self, seen: &mut PlannedObservation) -> Result<Arc<Plan>, RunError> {
        if let Some(plan) = &seen.plan {
            return Ok(Arc::clone(plan));
        }
        seen.observation.unwritable.clone_from(&self.unwritable);
        for (what, hold) in &self.held {
            seen.observation.held.entry(*what).or_insert_with(|| hold.clone());
        }
        let plan = Arc::new(self.aim.next(seen, self.terms.policy, &self.holding)?);
        seen.plan = Some(Arc::clone(&plan));
        self.remember_held(&plan, seen);
        Ok(plan)
    }

    /// Remembers the mass edits that `plan` holds. They may look like few once some of
    /// their contacts have been dealt with.
    fn remember_held(&mut self, plan: &Plan, seen: &Observation) {
        let is_edit =
            |wait: &Wait| matches!(wait, Wait::HeldChange { .. } | Wait::HeldClearing(..));
        let holds = plan.steps.iter().any(|step| step.waits.iter().any(is_edit));
        if !holds || matches!(self.aim, RunPurpose::Undo(_)) {
            return;
        }
        let edits = list_waiting(plan, seen).into_iter().filter(|waiting| {
            matches!(
                waiting.kind,
                WaitingKind::HeldChange { .. } | WaitingKind::HeldClearing { .. }
            )
        });
        self.held.extend(edits.filter_map(Hold::from_waiting));
    }

    /// What `reading` is one of.
    fn source_read<'r>(&'r self, reading: &'r SourceReading) -> SourceRead<'r> {
        SourceRead { source: &*self.sides.source, reading, resting: &self.resting }
    }

    /// Brings what was seen up to what the state knows by now.
    fn see_again(
        &self,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<(), RunError> {
        let (state, policy) = (self.sides.state, self.terms.policy);
        Ok(observe::see_again(state, policy, self.source_read(reading), seen.change_observation())?)
    }

    fn recorder<'r>(&'r self, run: RunId, seen: &'r Observation) -> Recorder<'r> {
        Recorder { state: self.sides.state, run, policy: self.terms.policy, seen }
    }

    /// Goes through all of it.
    pub(super) async fn execute_all(&mut self) -> Result<(), RunError> {
        // The source first: what is wrong with it costs no request.
        let (state, policy) = (self.sides.state, self.terms.policy);
        let extent = Extent::for_purpose(self.aim, state)?;
        let (mut reading, resting) = read_source(self.sides.source, state, policy, extent)?;
        self.resting = resting;
        self.report.source.seen = reading.count;
        let now = self.report.started_at;
        let run = self.aim.begin_run(self.sides.state, now, self.terms.by)?;
        self.report.run = Some(run);
        tracing::Span::current().record("run", run.0);
        probe_before_run(self.sides.linq, state, now).await?;
        // Each reading counts from when the first page was asked for: what was edited while
        // the listing went on is looked at again.
        self.began = Instant::now();
        let resting = Arc::clone(&self.resting);
        let linq = observe::read_linq(self.sides.linq, state, policy, &reading, &resting, run, now)
            .await?;
        // Both sides could be read: whoever finds nothing at a wrong address has no state.
        state.claim_pair()?;
        self.report.linq.seen = linq.contacts.len() + linq.at_rest.len();
        let seen = observe::observation(state, policy, self.source_read(&reading), linq, now)?;
        if seen.census.pairs > 0 {
            self.searchable = state.some_with_addresses()?;
        }
        let mut seen = PlannedObservation::new(seen);
        if self.recorder(run, &seen).settle_interrupted(self.now())? {
            self.see_again(&mut seen, &reading)?;
        }
        self.settle_late(run, &mut seen, &reading)?;
        self.settle_meaning(run, &mut seen, &reading)?;
        self.tell_what_is_meant(&seen)?;
        for pass in 1.. {
            let before = self.report.change_count();
            self.write_both(run, &mut seen, &mut reading).await?;
            self.delete_in_linq(run, &mut seen, &mut reading).await?;
            let left = self.make_plan(&mut seen)?;
            let is_over =
                !left.steps.iter().any(Step::has_effect) || self.report.change_count() == before;
            if is_over || pass == PASSES {
                self.close_run(run, seen, &reading, Arc::unwrap_or_clone(left))?;
                break;
            }
        }
        self.failed.take().map_or(Ok(()), |error| Err(RunError::GaveUp(error)))
    }

    /// Writes Linq, then the source; both again if somebody saved it meanwhile.
    async fn write_both(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &mut SourceReading,
    ) -> Result<(), RunError> {
        for save in 1.. {
            self.write_linq(run, seen, reading).await?;
            match self.write_source(run, seen, reading) {
                Err(RunError::Write(WriteError::Changed { .. })) if save < SAVES => {
                    *reading = self.sides.source.read_beside(&self.resting)?;
                    self.see_source(run, seen, reading)?;
                }
                // A file of many was saved by somebody else: its records are planned anew.
                Ok(Undone(1..)) if save < SAVES => {}
                result => return result.map(drop),
            }
        }
        Ok(())
    }

    /// Links, creates and updates, planned anew until nothing is left to write.
    async fn write_linq(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<(), RunError> {
        for _ in 0..ROUNDS {
            let plan = self.carry_out_links(run, seen, reading)?;
            if !self.looked_twice && observe::creates_unfindable(&plan) {
                self.look_twice(run, seen, reading).await?;
                continue;
            }
            let writes = |write: &LinqWrite| {
                !matches!(write, LinqWrite::Delete { .. }) && !self.given_up.contains_write(write)
            };
            if !plan.steps.iter().any(|step| step.linq.as_ref().is_some_and(writes)) {
                return Ok(());
            }
            let mut done = LinqOutcome::default();
            let result = self.new_apply(run, seen).write_linq(&plan, &mut done).await;
            self.count_outcome(&mut done);
            result?;
            self.after_linq(seen, reading, done)?;
        }
        Ok(())
    }

    /// Carries out what becomes of links, until the plan has nothing left of that: where a
    /// link is let go of, its record may get another contact.
    fn carry_out_links(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<Arc<Plan>, RunError> {
        for _ in 0..ROUNDS {
            let plan = self.make_plan(seen)?;
            self.notices.extend(released(&plan));
            let joined = self.recorder(run, seen).record_links(&plan, self.now())?;
            self.report.linked += joined.there;
            self.report.linq.created += joined.created_in_linq;
            self.report.source.created += joined.created_in_source;
            if plan.steps.iter().all(|step| step.link == LinkPlan::Keep) {
                return Ok(plan);
            }
            self.see_again(seen, reading)?;
        }
        self.make_plan(seen)
    }

    /// Makes sure that nobody is created whom a listing that moved did not show.
    async fn look_twice(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<(), RunError> {
        self.looked_twice = true;
        let (linq, resting) = (self.sides.linq, Arc::clone(&self.resting));
        let shown = observe::confirm_listing(linq, &resting, seen.change_observation()).await?;
        if shown.is_empty() {
            return Ok(());
        }
        for fetched in shown {
            self.recorder(run, seen).record_shown(&fetched, self.now())?;
            seen.change_observation().linq.contacts.insert(fetched.contact.id, fetched.contact);
        }
        self.see_again(seen, reading)
    }

    fn new_apply<'r>(&'r self, run: RunId, seen: &'r Observation) -> Apply<'r> {
        Apply {
            client: self.sides.linq,
            state: self.sides.state,
            run,
            policy: self.terms.policy,
            seen,
            began: self.began,
            clock: self.terms.clock,
            settle: self.terms.settle,
            begun: &self.begun,
            given_up: &self.given_up,
            learned: &self.learned,
            stop: self.terms.stop,
            sample: if self.sides.linq.may_try_either() {
                let contacts = seen.linq.contacts.values().chain(&self.searchable);
                searchable_sample(contacts, self.terms.policy.canon)
            } else {
                None
            },
        }
    }

    fn count_outcome(&mut self, done: &mut LinqOutcome) {
        self.failed = self.failed.take().or(done.failed.take());
        self.report.linq.created += done.created;
        self.report.linq.updated += done.updated;
        self.report.linq.deleted += done.deleted;
        self.missed += done.hidden;
        self.missed += match self.aim {
            // The next run finds out why, and goes on from there.
            RunPurpose::Sync => 0,
            RunPurpose::Undo(_) | RunPurpose::Apply(_) => done.vanished,
        };
    }

    /// Brings what was seen up to what Linq answered.
    fn after_linq(
        &mut self,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
        done: LinqOutcome,
    ) -> Result<(), RunError> {
        let linq = &mut seen.change_observation().linq;
        for (id, fetched) in done.shown {
            linq.contacts.insert(id, fetched.contact);
        }
        for id in done.gone {
            linq.contacts.remove(&id);
            if let Some(at) = self.resting.of_id(id) {
                linq.at_rest.remove(at);
            }
            linq.absence_unconfirmed.insert(id);
        }
        self.notices.extend(done.notices);
        self.see_again(seen, reading)
    }

    /// Writes the source once, with all that is due.
    fn write_source(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &mut SourceReading,
    ) -> Result<Undone, RunError> {
        if self.terms.stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let plan = self.make_plan(seen)?;
        let clock = self.terms.clock;
        let recorder = Recorder { state: self.sides.state, run, policy: self.terms.policy, seen };
        let done = write_source(self.sides.source, self.sides.state, recorder, &plan, clock)
            .map_err(|halt| match halt {
                SourceHalt::Write(error) => RunError::Write(error),
                SourceHalt::State(error) => RunError::State(error),
                SourceHalt::BackUp(error) => RunError::BackUp(error),
            })?;
        self.report.source.created += done.created;
        self.report.source.updated += done.updated;
        self.report.source.deleted += done.deleted;
        let unwritable =
            done.refused.iter().filter_map(|one| Some((one.question_id?, one.reason.clone())));
        self.unwritable.extend(unwritable);
        self.refused.extend(done.refused);
        if let Some(now) = done.reading {
            *reading = now;
            self.see_source(run, seen, reading)?;
        }
        done.failed.map_or(Ok(Undone(done.undone)), |error| Err(RunError::Write(error)))
    }

    /// Puts another reading of the source in the place of what was seen of it.
    fn see_source(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &mut SourceReading,
    ) -> Result<(), RunError> {
        let (state, policy) = (self.sides.state, self.terms.policy);
        let (mut linq, at) = (seen.linq.clone(), seen.now);
        let meaning = Some(observe::reading_meaning(policy, reading));
        if !self.resting.is_empty()
            && (!reading.displaced.is_empty() || state.stored_meaning()? != meaning)
        {
            wake_pairs(state, &self.resting, &mut linq)?;
            self.resting = Arc::default();
            *reading = self.sides.source.read_records()?;
        }
        *seen.change_observation() =
            observe::observation(state, policy, self.source_read(reading), linq, at)?;
        self.settle_late(run, seen, reading)?;
        self.settle_meaning(run, seen, reading)
    }

    /// Takes back what was agreed on by writes that a late save of the source has undone.
    fn settle_late(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<(), RunError> {
        if reading.displaced.is_empty() {
            return Ok(());
        }
        let at = self.now();
        let notice = rescue_late_saves(self.recorder(run, seen), &reading.displaced, at)?;
        if let Some((notice, gone)) = notice {
            self.notices.push(notice);
            seen.change_observation().linq.absence_unconfirmed.extend(gone);
            self.see_again(seen, reading)?;
        }
        self.sides.source.forget_late();
        Ok(())
    }

    /// Remembers what the reading means before anything is planned. What has changed holds
    /// for all of the run.
    fn settle_meaning(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &SourceReading,
    ) -> Result<(), RunError> {
        let (state, policy, now) = (self.sides.state, self.terms.policy, self.now());
        let read = self.source_read(reading);
        let change = settle_meaning(state, policy, run, read, seen.change_observation(), now)?;
        self.changed_meaning = change.or_else(|| self.changed_meaning.take());
        if seen.changed_meaning != self.changed_meaning {
            seen.change_observation().changed_meaning.clone_from(&self.changed_meaning);
        }
        Ok(())
    }

    /// Deletes in Linq what is gone from the source, which is looked at once more before
    /// that: somebody may have put it back while the run went on.
    async fn delete_in_linq(
        &mut self,
        run: RunId,
        seen: &mut PlannedObservation,
        reading: &mut SourceReading,
    ) -> Result<(), RunError> {
        let deletes = |step: &Step| matches!(step.linq, Some(LinqWrite::Delete { .. }));
        if !self.make_plan(seen)?.steps.iter().any(deletes) {
            return Ok(());
        }
        let now = self.sides.source.read_beside(&self.resting)?;
        if now.fingerprint != reading.fingerprint {
            *reading = now;
            self.see_source(run, seen, reading)?;
        }
        let plan = self.make_plan(seen)?;
        if !plan.steps.iter().any(deletes) {
            return Ok(());
        }
        let mut done = LinqOutcome::default();
        let result = self.new_apply(run, seen).delete_in_linq(&plan, &mut done).await;
        self.count_outcome(&mut done);
        result?;
        self.after_linq(seen, reading, done)
    }

    /// What people should know about a run with a purpose of its own.
    fn tell_what_is_meant(&mut self, seen: &Observation) -> Result<(), RunError> {
        match self.aim {
            RunPurpose::Sync => {}
            RunPurpose::Undo(undoing) => {
                let plan = self.aim.make_plan(seen, self.terms.policy)?;
                let removed = RemovedRecords::load_removed(&plan, self.sides.state)?;
                self.notices.extend(removed.losses(&plan, &*self.sides.source));
                self.notices.extend(plan.notices);
                if plan.steps.is_empty() && plan.skipped.is_empty() && plan.halt.is_none() {
                    let run = undoing.run;
                    self.notices.push(format!("nothing of run {run} is left to be put back"));
                }
            }
            RunPurpose::Apply(saved) => {
                self.holding =
                    saved.steps_holding(&self.aim.make_plan(seen, self.terms.policy)?, seen);
            }
        }
        Ok(())
    }
}
