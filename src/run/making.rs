//! A run in the making: the four verbs in a row, and when a plan is made anew.

mod closing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use crate::apply::{
    Apply, Begun, GivenUp, Learned, LinqOutcome, RefusedEdit, Removed, SourceHalt, sample,
    write_source,
};
use crate::linq::LinqError;
use crate::model::{Fingerprint, LinqContact, Resting, RunId, Timestamp, WaitingKind};
use crate::observe::{self, SourceRead};
use crate::plan::{
    AllUnwritable, Hold, LinkPlan, LinqWrite, Observation, Plan, Step, Wait, released, waiting,
};
use crate::record::Recorder;
use crate::report::RunReport;
use crate::source::{Reading, WriteError};
use crate::weather::meet;

use super::extent::{Extent, read_source, rouse};
use super::late::late;
use super::meaning::settle_meaning;
use super::{Aim, RunError, Sides, Terms};

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
struct Seen {
    observation: Observation,
    plan: Option<Arc<Plan>>,
}

impl Seen {
    fn new(observation: Observation) -> Seen {
        Seen { observation, plan: None }
    }

    /// What was seen, to be changed.
    fn change(&mut self) -> &mut Observation {
        self.plan = None;
        &mut self.observation
    }
}

impl Deref for Seen {
    type Target = Observation;

    fn deref(&self) -> &Observation {
        &self.observation
    }
}

/// How many edits of the source were not made, because somebody saved their records.
struct Undone(usize);

/// A run in the making.
pub(super) struct Making<'s, 'a, 't> {
    aim: Aim<'t>,
    /// Which steps of a plan that was kept still held when the run began.
    holding: BTreeSet<usize>,
    /// Mass edits that this run has held so far: what it does meanwhile ends no hold.
    held: BTreeMap<Fingerprint, Hold>,
    sides: &'s mut Sides<'a>,
    terms: &'t Terms<'t>,
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

impl<'s, 'a, 't> Making<'s, 'a, 't> {
    pub(super) fn new(
        aim: Aim<'t>,
        sides: &'s mut Sides<'a>,
        terms: &'t Terms<'t>,
        now: Timestamp,
    ) -> Self {
        Making {
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

    fn plan(&mut self, seen: &mut Seen) -> Result<Arc<Plan>, RunError> {
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
        if !holds || matches!(self.aim, Aim::Undo(_)) {
            return;
        }
        let edits = waiting(plan, seen).into_iter().filter(|waiting| {
            matches!(
                waiting.kind,
                WaitingKind::HeldChange { .. } | WaitingKind::HeldClearing { .. }
            )
        });
        self.held.extend(edits.filter_map(Hold::of));
    }

    /// What `reading` is one of.
    fn read<'r>(&'r self, reading: &'r Reading) -> SourceRead<'r> {
        SourceRead { source: &*self.sides.source, reading, resting: &self.resting }
    }

    /// Brings what was seen up to what the state knows by now.
    fn see_again(&self, seen: &mut Seen, reading: &Reading) -> Result<(), RunError> {
        let (state, policy) = (self.sides.state, self.terms.policy);
        Ok(observe::see_again(state, policy, self.read(reading), seen.change())?)
    }

    fn recorder<'r>(&'r self, run: RunId, seen: &'r Observation) -> Recorder<'r> {
        Recorder { state: self.sides.state, run, policy: self.terms.policy, seen }
    }

    /// Goes through all of it.
    pub(super) async fn all(&mut self) -> Result<(), RunError> {
        // The source first: what is wrong with it costs no request.
        let (state, policy) = (self.sides.state, self.terms.policy);
        let extent = Extent::of(self.aim, state)?;
        let (mut reading, resting) = read_source(self.sides.source, state, policy, extent)?;
        self.resting = resting;
        self.report.source.seen = reading.count;
        let now = self.report.started_at;
        let run = self.aim.begin(self.sides.state, now, self.terms.by)?;
        self.report.run = Some(run);
        tracing::Span::current().record("run", run.0);
        meet(self.sides.linq, state, now).await?;
        // Each reading counts from when the first page was asked for: what was edited while
        // the listing went on is looked at again.
        self.began = Instant::now();
        let resting = Arc::clone(&self.resting);
        let linq = observe::read_linq(self.sides.linq, state, policy, &reading, &resting, run, now)
            .await?;
        // Both sides could be read: whoever finds nothing at a wrong address has no state.
        state.claim()?;
        self.report.linq.seen = linq.contacts.len() + linq.at_rest.len();
        let seen = observe::observation(state, policy, self.read(&reading), linq, now)?;
        if seen.census.pairs > 0 {
            self.searchable = state.some_with_addresses()?;
        }
        let mut seen = Seen::new(seen);
        if self.recorder(run, &seen).settle_interrupted(self.now())? {
            self.see_again(&mut seen, &reading)?;
        }
        self.settle_late(run, &mut seen, &reading)?;
        self.settle_meaning(run, &mut seen, &reading)?;
        self.tell_what_is_meant(&seen)?;
        for pass in 1.. {
            let before = self.report.changes();
            self.write_both(run, &mut seen, &mut reading).await?;
            self.delete_in_linq(run, &mut seen, &mut reading).await?;
            let left = self.plan(&mut seen)?;
            let is_over = !left.steps.iter().any(Step::acts) || self.report.changes() == before;
            if is_over || pass == PASSES {
                self.close(run, seen, &reading, Arc::unwrap_or_clone(left))?;
                break;
            }
        }
        self.failed.take().map_or(Ok(()), |error| Err(RunError::GaveUp(error)))
    }

    /// Writes Linq, then the source; both again if somebody saved it meanwhile.
    async fn write_both(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &mut Reading,
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
        seen: &mut Seen,
        reading: &Reading,
    ) -> Result<(), RunError> {
        for _ in 0..ROUNDS {
            let plan = self.link(run, seen, reading)?;
            if !self.looked_twice && observe::creates_unfindable(&plan) {
                self.look_twice(run, seen, reading).await?;
                continue;
            }
            let writes = |write: &LinqWrite| {
                !matches!(write, LinqWrite::Delete { .. }) && !self.given_up.holds(write)
            };
            if !plan.steps.iter().any(|step| step.linq.as_ref().is_some_and(writes)) {
                return Ok(());
            }
            let mut done = LinqOutcome::default();
            let result = self.apply(run, seen).write_linq(&plan, &mut done).await;
            self.count(&mut done);
            result?;
            self.after_linq(seen, reading, done)?;
        }
        Ok(())
    }

    /// Carries out what becomes of links, until the plan has nothing left of that: where a
    /// link is let go of, its record may get another contact.
    fn link(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &Reading,
    ) -> Result<Arc<Plan>, RunError> {
        for _ in 0..ROUNDS {
            let plan = self.plan(seen)?;
            self.notices.extend(released(&plan));
            let joined = self.recorder(run, seen).links(&plan, self.now())?;
            self.report.linked += joined.there;
            self.report.linq.created += joined.created_in_linq;
            self.report.source.created += joined.created_in_source;
            if plan.steps.iter().all(|step| step.link == LinkPlan::Keep) {
                return Ok(plan);
            }
            self.see_again(seen, reading)?;
        }
        self.plan(seen)
    }

    /// Makes sure that nobody is created whom a listing that moved did not show.
    async fn look_twice(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &Reading,
    ) -> Result<(), RunError> {
        self.looked_twice = true;
        let (linq, resting) = (self.sides.linq, Arc::clone(&self.resting));
        let shown = observe::look_twice(linq, &resting, seen.change()).await?;
        if shown.is_empty() {
            return Ok(());
        }
        for fetched in shown {
            self.recorder(run, seen).shown(&fetched, self.now())?;
            seen.change().linq.contacts.insert(fetched.contact.id, fetched.contact);
        }
        self.see_again(seen, reading)
    }

    fn apply<'r>(&'r self, run: RunId, seen: &'r Observation) -> Apply<'r> {
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
                sample(contacts, self.terms.policy.canon)
            } else {
                None
            },
        }
    }

    fn count(&mut self, done: &mut LinqOutcome) {
        self.failed = self.failed.take().or(done.failed.take());
        self.report.linq.created += done.created;
        self.report.linq.updated += done.updated;
        self.report.linq.deleted += done.deleted;
        self.missed += done.hidden;
        self.missed += match self.aim {
            // The next run finds out why, and goes on from there.
            Aim::Sync => 0,
            Aim::Undo(_) | Aim::Apply(_) => done.vanished,
        };
    }

    /// Brings what was seen up to what Linq answered.
    fn after_linq(
        &mut self,
        seen: &mut Seen,
        reading: &Reading,
        done: LinqOutcome,
    ) -> Result<(), RunError> {
        let linq = &mut seen.change().linq;
        for (id, fetched) in done.shown {
            linq.contacts.insert(id, fetched.contact);
        }
        for id in done.gone {
            linq.contacts.remove(&id);
            if let Some(at) = self.resting.of_id(id) {
                linq.at_rest.remove(at);
            }
            linq.elusive.insert(id);
        }
        self.notices.extend(done.notices);
        self.see_again(seen, reading)
    }

    /// Writes the source once, with all that is due.
    fn write_source(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &mut Reading,
    ) -> Result<Undone, RunError> {
        if self.terms.stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let plan = self.plan(seen)?;
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
            done.refused.iter().filter_map(|one| Some((one.what?, one.reason.clone())));
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
        seen: &mut Seen,
        reading: &mut Reading,
    ) -> Result<(), RunError> {
        let (state, policy) = (self.sides.state, self.terms.policy);
        let (mut linq, at) = (seen.linq.clone(), seen.now);
        let meaning = Some(observe::meaning(policy, reading));
        if !self.resting.is_empty() && (!reading.late.is_empty() || state.meaning()? != meaning) {
            rouse(state, &self.resting, &mut linq)?;
            self.resting = Arc::default();
            *reading = self.sides.source.read()?;
        }
        *seen.change() = observe::observation(state, policy, self.read(reading), linq, at)?;
        self.settle_late(run, seen, reading)?;
        self.settle_meaning(run, seen, reading)
    }

    /// Takes back what was agreed on by writes that a late save of the source has undone.
    fn settle_late(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &Reading,
    ) -> Result<(), RunError> {
        if reading.late.is_empty() {
            return Ok(());
        }
        let at = self.now();
        let notice = late(self.recorder(run, seen), &reading.late, at)?;
        if let Some((notice, gone)) = notice {
            self.notices.push(notice);
            seen.change().linq.elusive.extend(gone);
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
        seen: &mut Seen,
        reading: &Reading,
    ) -> Result<(), RunError> {
        let (state, policy, now) = (self.sides.state, self.terms.policy, self.now());
        let read = self.read(reading);
        let change = settle_meaning(state, policy, run, read, seen.change(), now)?;
        self.changed_meaning = change.or_else(|| self.changed_meaning.take());
        if seen.changed_meaning != self.changed_meaning {
            seen.change().changed_meaning.clone_from(&self.changed_meaning);
        }
        Ok(())
    }

    /// Deletes in Linq what is gone from the source, which is looked at once more before
    /// that: somebody may have put it back while the run went on.
    async fn delete_in_linq(
        &mut self,
        run: RunId,
        seen: &mut Seen,
        reading: &mut Reading,
    ) -> Result<(), RunError> {
        let deletes = |step: &Step| matches!(step.linq, Some(LinqWrite::Delete { .. }));
        if !self.plan(seen)?.steps.iter().any(deletes) {
            return Ok(());
        }
        let now = self.sides.source.read_beside(&self.resting)?;
        if now.fingerprint != reading.fingerprint {
            *reading = now;
            self.see_source(run, seen, reading)?;
        }
        let plan = self.plan(seen)?;
        if !plan.steps.iter().any(deletes) {
            return Ok(());
        }
        let mut done = LinqOutcome::default();
        let result = self.apply(run, seen).delete_in_linq(&plan, &mut done).await;
        self.count(&mut done);
        result?;
        self.after_linq(seen, reading, done)
    }

    /// What people should know about a run with a purpose of its own.
    fn tell_what_is_meant(&mut self, seen: &Observation) -> Result<(), RunError> {
        match self.aim {
            Aim::Sync => {}
            Aim::Undo(undoing) => {
                let plan = self.aim.plan(seen, self.terms.policy)?;
                let removed = Removed::of(&plan, self.sides.state)?;
                self.notices.extend(removed.losses(&plan, &*self.sides.source));
                self.notices.extend(plan.notices);
                if plan.steps.is_empty() && plan.skipped.is_empty() && plan.halt.is_none() {
                    let run = undoing.run;
                    self.notices.push(format!("nothing of run {run} is left to be put back"));
                }
            }
            Aim::Apply(saved) => {
                self.holding = saved.holding(&self.aim.plan(seen, self.terms.policy)?, seen);
            }
        }
        Ok(())
    }
}
