//! One run: observe, plan, apply, record.
//!
//! Owns the order of the four verbs and when a plan is made anew; leaves what each
//! of them does to its module. Linq is written first; then a plan is made of what
//! Linq answered, and the source is written once; deletions in Linq come last. A
//! final plan tells what is still open, which is nothing in the ordinary case.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::apply::{Apply, Clock, GivenUp, Halt, LinqOutcome, SourceHalt, write_source};
use crate::linq::{Client, LinqError, Verdict};
use crate::lock::LockError;
use crate::mirror::{Ending, State, StateError};
use crate::model::{Policy, RunId, Timestamp};
use crate::observe::{self, ObserveError};
use crate::plan::{
    LinqWrite, Observation, Plan, SavedPlan, Skipped, Step, Unaccounted, UndoError, Undoing, plan,
    plan_undo, source_first, waiting,
};
use crate::record::Recorder;
use crate::report::{ReportedError, RunReport};
use crate::source::{Reading, Source, SourceError, WriteError};
use crate::weather::{meet, remember_weather, watching};

/// How often writing to Linq is planned anew within one run, because Linq turned out
/// to have changed meanwhile.
const ROUNDS: usize = 5;

/// How often a run goes through both sides, because one write made another possible.
const PASSES: usize = 3;

/// How often the source is read and planned anew within one run, because somebody
/// saved it meanwhile.
const SAVES: usize = 3;

/// The two sides and the state.
pub struct Sides<'a> {
    /// Linq.
    pub linq: &'a Client,
    /// The source.
    pub source: &'a mut dyn Source,
    /// The state.
    pub state: &'a State,
}

/// On what terms a run is made.
pub struct Terms<'a> {
    /// The rules by which it decides.
    pub policy: &'a Policy,
    /// How long a create without an answer may still arrive.
    pub settle: Duration,
    /// How long the history is kept.
    pub history: TimeDelta,
    /// When this process started.
    pub started_at: Timestamp,
    /// Tells the time.
    pub clock: Clock<'a>,
    /// Asks the run to stop.
    pub stop: &'a CancellationToken,
}

/// What a run is for.
#[derive(Clone, Copy, Debug)]
pub enum Aim<'a> {
    /// Both sides become the same.
    Sync,
    /// What an earlier run did is put back.
    Undo(&'a Undoing<'a>),
    /// What a plan lists that was kept is carried out, as far as it still holds.
    Apply(&'a SavedPlan),
}

impl Aim<'_> {
    fn begin(self, state: &State, now: Timestamp) -> Result<RunId, RunError> {
        Ok(match self {
            Aim::Sync => state.begin_run(now)?,
            Aim::Undo(undoing) => state.begin_undo(now, undoing.run)?,
            Aim::Apply(saved) => {
                state.begin_apply(now, saved.fingerprint())?.map_err(RunError::Applied)?
            }
        })
    }

    /// All that is to be done.
    fn plan(self, seen: &Observation, policy: &Policy) -> Result<Plan, RunError> {
        Ok(match self {
            Aim::Sync | Aim::Apply(_) => plan(seen, policy)?,
            Aim::Undo(undoing) => plan_undo(seen, policy, undoing)?,
        })
    }

    /// What is to be done next; of a plan that was kept, only what is `holding`.
    fn next(
        self,
        seen: &Observation,
        policy: &Policy,
        holding: &BTreeSet<usize>,
    ) -> Result<Plan, RunError> {
        let plan = self.plan(seen, policy)?;
        Ok(match self {
            Aim::Sync => plan,
            Aim::Undo(_) => source_first(plan),
            Aim::Apply(saved) => saved.part_of(plan, seen, holding),
        })
    }
}

/// A run and what it leaves open.
pub struct Ran {
    /// What it came to.
    pub report: RunReport,
    /// What people should know.
    pub notices: Vec<String>,
    /// What is left, with what it was planned from; `None` when the run failed.
    pub left: Option<(Plan, Observation)>,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no source to read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source could not be written.
    #[error(transparent)]
    Write(WriteError),
    /// The source could not be copied before the first write to it.
    #[error("cannot copy the source into the state's backups")]
    BackUp(#[source] std::io::Error),
    /// Linq refused the token, or does not work.
    #[error(transparent)]
    Linq(#[from] LinqError),
    /// Linq failed on some writes alone; everything else was done.
    #[error("{0}; everything else was done")]
    GaveUp(#[source] LinqError),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A defect of linqsync: the planner lost somebody.
    #[error(transparent)]
    Plan(#[from] Unaccounted),
    /// Nobody of that name had anything done to them by the run that is to be put back.
    #[error("run {0} did nothing to anybody of that name")]
    Nobody(RunId),
    /// A run has carried out this plan already.
    #[error("the plan was applied already, by run {0}")]
    Applied(RunId),
    /// The program was asked to stop.
    #[error("stopped before everything was done; the next run goes on from here")]
    Stopped,
}

impl From<ObserveError> for RunError {
    fn from(error: ObserveError) -> RunError {
        match error {
            ObserveError::Linq(error) => error.into(),
            ObserveError::State(error) => error.into(),
        }
    }
}

impl From<UndoError> for RunError {
    fn from(error: UndoError) -> RunError {
        match error {
            UndoError::Unaccounted(error) => error.into(),
            UndoError::Nobody(run) => RunError::Nobody(run),
        }
    }
}

impl From<Halt> for RunError {
    fn from(halt: Halt) -> RunError {
        match halt {
            Halt::Linq(error) => error.into(),
            Halt::State(error) => error.into(),
            Halt::Stopped => RunError::Stopped,
        }
    }
}

impl RunError {
    /// The exit code, by the table of the command's documentation.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Source(SourceError::Locked(error))
            | RunError::Write(WriteError::Locked(error)) => lock_code(error),
            RunError::Source(SourceError::Io { .. } | SourceError::Unusable { .. })
            | RunError::Nobody(_)
            | RunError::Applied(_) => 2,
            RunError::Linq(error) => match error.verdict {
                Verdict::NoToken(_) => 2,
                Verdict::TokenRefused(_) | Verdict::Halted(_) => 5,
                Verdict::Rejected(_) | Verdict::Failed(_) => 6,
            },
            RunError::GaveUp(_) => 6,
            RunError::State(error) => state_code(error),
            RunError::Write(_) | RunError::BackUp(_) | RunError::Plan(_) => 1,
            RunError::Stopped => 143,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            RunError::Source(SourceError::Unusable { hint, .. }) => hint.clone(),
            RunError::Source(SourceError::Io { .. }) => {
                "check source.path in sync.toml, and that this user may read the file".to_owned()
            }
            RunError::Source(SourceError::Locked(_)) | RunError::Write(WriteError::Locked(_)) => {
                "wait until the other one has finished, or stop it".to_owned()
            }
            RunError::Write(_) | RunError::BackUp(_) => {
                "check that this user may write the file's directory, and that the disk is not \
                 full; what was written to Linq is remembered"
                    .to_owned()
            }
            RunError::Linq(error) => linq_hint(error).to_owned(),
            RunError::GaveUp(_) => {
                "Linq answers other requests; the next run tries this again".to_owned()
            }
            RunError::State(error) => error.hint().unwrap_or("look at state.dir").to_owned(),
            RunError::Plan(_) => "please report this, with what both sides looked like".to_owned(),
            RunError::Nobody(run) => {
                format!("`linqsync history --run {run}` shows whom it did something to")
            }
            RunError::Applied(_) => "make another one with `linqsync plan --out FILE`".to_owned(),
            RunError::Stopped => "start it again to finish".to_owned(),
        }
    }

    /// The error as a report shows it.
    pub fn reported(&self) -> ReportedError {
        ReportedError::of(self, self.exit_code(), &self.hint())
    }
}

fn lock_code(error: &LockError) -> u8 {
    match error {
        LockError::Held { .. } => 7,
        LockError::Io { .. } => 2,
    }
}

pub(crate) fn state_code(error: &StateError) -> u8 {
    match error {
        StateError::Held { .. } => 7,
        StateError::Permissions { .. }
        | StateError::Foreign { .. }
        | StateError::Newer { .. }
        | StateError::NotOurs { .. }
        | StateError::NotWaiting => 2,
        StateError::Io { .. }
        | StateError::Corrupt { .. }
        | StateError::Busy { .. }
        | StateError::Full { .. }
        | StateError::AlreadyLinked(_)
        | StateError::UnknownLink(_)
        | StateError::UnknownRun(_)
        | StateError::UnknownIntent(_)
        | StateError::IllegalStep { .. }
        | StateError::Database { .. } => 1,
    }
}

fn linq_hint(error: &LinqError) -> &'static str {
    match error.verdict {
        Verdict::NoToken(_) => "set linq.token_file in sync.toml, or the variable LINQ_TOKEN",
        Verdict::TokenRefused(_) | Verdict::Halted(_) => {
            "check the token; nothing further was changed"
        }
        Verdict::Rejected(_) | Verdict::Failed(_) => {
            "check linq.base_url and the connection; the next run goes on from here"
        }
    }
}

/// Makes one run in which both sides become the same.
pub async fn run(sides: &mut Sides<'_>, terms: &Terms<'_>) -> Ran {
    run_for(Aim::Sync, sides, terms).await
}

/// Makes one run for a purpose of its own.
pub async fn run_for(aim: Aim<'_>, sides: &mut Sides<'_>, terms: &Terms<'_>) -> Ran {
    let started_at = (terms.clock)();
    let (linq, state) = (sides.linq, sides.state);
    let mut making = Making::new(aim, sides, terms, started_at);
    let result = watching(linq, state, terms.clock, Box::pin(making.all())).await;
    let Making { mut report, notices, left, .. } = making;
    let down = remember_weather(state, &result, (terms.clock)());
    if let Err(error) = &result {
        let mut reported = error.reported();
        if let Some(down) = down {
            reported.hint = format!("{}; {down}", reported.hint);
        }
        report.error = Some(reported);
    }
    report.requests = sides.linq.counts();
    report.conclude((terms.clock)());
    let mut ran = Ran { report, notices, left: left.filter(|_| result.is_ok()) };
    finish(sides.state, &mut ran, (terms.clock)(), terms.history);
    ran
}

/// Writes the run's end into the state, and lets go of history that is old enough. A
/// state that cannot take it is no reason to hide what the run came to.
fn finish(state: &State, ran: &mut Ran, at: Timestamp, history: TimeDelta) {
    let Some(run) = ran.report.run else { return };
    let report = serde_json::to_value(&ran.report).unwrap_or_default();
    let outcome = report["outcome"].as_str().unwrap_or_default().to_owned();
    let ending = Ending { at, outcome, report };
    let finished = state.finish_run(run, &ending).and_then(|()| state.prune(at - history));
    if let Err(error) = finished {
        ran.notices.push(format!("the run's end could not be recorded: {error}"));
    }
}

/// Makes the plan that a run would begin with, and writes nothing: `state` must be a
/// scratch copy.
///
/// # Errors
/// When a side or the state cannot be read.
pub async fn preview(
    sides: &mut Sides<'_>,
    terms: &Terms<'_>,
) -> Result<(Plan, Observation, RunReport), RunError> {
    preview_for(Aim::Sync, sides, terms).await
}

/// Makes the plan of a run for a purpose of its own, and writes nothing: `state` must
/// be a scratch copy.
///
/// # Errors
/// When a side or the state cannot be read.
pub async fn preview_for(
    aim: Aim<'_>,
    sides: &mut Sides<'_>,
    terms: &Terms<'_>,
) -> Result<(Plan, Observation, RunReport), RunError> {
    let now = (terms.clock)();
    let run = sides.state.begin_run(now)?;
    let reading = sides.source.read()?;
    let linq =
        observe::read_linq(sides.linq, sides.state, terms.policy, &reading, run, now).await?;
    let mut seen = observe::observation(sides.state, terms.policy, &reading, linq, now)?;
    let recorder = Recorder { state: sides.state, run, policy: terms.policy, seen: &seen };
    if recorder.settle_interrupted(now)? {
        observe::recall(sides.state, &mut seen)?;
    }
    let plan = aim.plan(&seen, terms.policy)?;
    let mut report = RunReport::new(now);
    report.dry_run = true;
    report.take_open(&plan, &seen);
    report.skipped = plan.skipped.len();
    report.requests = sides.linq.counts();
    report.conclude((terms.clock)());
    Ok((plan, seen, report))
}

/// A run in the making.
struct Making<'s, 'a, 't> {
    aim: Aim<'t>,
    /// Which steps of a plan that was kept still held when the run began.
    holding: BTreeSet<usize>,
    sides: &'s mut Sides<'a>,
    terms: &'t Terms<'t>,
    report: RunReport,
    notices: Vec<String>,
    left: Option<(Plan, Observation)>,
    /// Edits that the source cannot hold, with the person's name and the reason.
    refused: Vec<(String, String)>,
    /// Writes that were not made, because the contact was not there any more.
    vanished: usize,
    /// Writes on which Linq fails alone, and how it failed on the first.
    given_up: GivenUp,
    failed: Option<LinqError>,
}

impl<'s, 'a, 't> Making<'s, 'a, 't> {
    fn new(aim: Aim<'t>, sides: &'s mut Sides<'a>, terms: &'t Terms<'t>, now: Timestamp) -> Self {
        Making {
            aim,
            holding: BTreeSet::new(),
            sides,
            terms,
            report: RunReport::new(now),
            notices: Vec::new(),
            left: None,
            refused: Vec::new(),
            vanished: 0,
            given_up: GivenUp::default(),
            failed: None,
        }
    }

    fn now(&self) -> Timestamp {
        (self.terms.clock)()
    }

    fn plan(&self, seen: &Observation) -> Result<Plan, RunError> {
        self.aim.next(seen, self.terms.policy, &self.holding)
    }

    fn recorder<'r>(&'r self, run: RunId, seen: &'r Observation) -> Recorder<'r> {
        Recorder { state: self.sides.state, run, policy: self.terms.policy, seen }
    }

    async fn all(&mut self) -> Result<(), RunError> {
        // The source first: what is wrong with it costs no request.
        let mut reading = self.sides.source.read()?;
        self.report.source.seen = reading.records.len();
        let now = self.report.started_at;
        let run = self.aim.begin(self.sides.state, now)?;
        self.report.run = Some(run);
        let state = self.sides.state;
        let policy = self.terms.policy;
        meet(self.sides.linq, state, now).await?;
        let linq = observe::read_linq(self.sides.linq, state, policy, &reading, run, now).await?;
        let read_at = self.now();
        self.report.linq.seen = linq.contacts.len();
        let mut seen = observe::observation(state, self.terms.policy, &reading, linq, now)?;
        if self.recorder(run, &seen).settle_interrupted(self.now())? {
            observe::recall(state, &mut seen)?;
        }
        self.tell_what_is_meant(&seen)?;
        for pass in 1.. {
            let before = self.report.changes();
            self.write_both(run, &mut seen, &mut reading, read_at).await?;
            self.delete_in_linq(run, &mut seen, read_at).await?;
            let left = self.plan(&seen)?;
            let is_over = !left.steps.iter().any(Step::acts) || self.report.changes() == before;
            if is_over || pass == PASSES {
                self.close(run, seen, &reading, left)?;
                break;
            }
        }
        self.failed.take().map_or(Ok(()), |error| Err(RunError::GaveUp(error)))
    }

    /// Writes Linq, then the source; both again if somebody saved it meanwhile.
    async fn write_both(
        &mut self,
        run: RunId,
        seen: &mut Observation,
        reading: &mut Reading,
        read_at: Timestamp,
    ) -> Result<(), RunError> {
        for save in 1.. {
            self.write_linq(run, seen, read_at).await?;
            match self.write_source(run, seen, reading) {
                Err(RunError::Write(WriteError::Changed { .. })) if save < SAVES => {
                    *reading = self.sides.source.read()?;
                    let (state, linq) = (self.sides.state, seen.linq.clone());
                    *seen =
                        observe::observation(state, self.terms.policy, reading, linq, seen.now)?;
                }
                result => return result,
            }
        }
        Ok(())
    }

    /// Links, creates and updates, planned anew until nothing is left to write.
    async fn write_linq(
        &mut self,
        run: RunId,
        seen: &mut Observation,
        read_at: Timestamp,
    ) -> Result<(), RunError> {
        for _ in 0..ROUNDS {
            let mut plan = self.plan(seen)?;
            let joined = self.recorder(run, seen).links(&plan, self.now())?;
            self.report.linked += joined.there;
            self.report.linq.created += joined.created_in_linq;
            self.report.source.created += joined.created_in_source;
            if plan.steps.iter().any(|step| step.link != crate::plan::LinkPlan::Keep) {
                observe::recall(self.sides.state, seen)?;
                plan = self.plan(seen)?;
            }
            let writes = |write: &LinqWrite| {
                !matches!(write, LinqWrite::Delete { .. }) && !self.given_up.holds(write)
            };
            if !plan.steps.iter().any(|step| step.linq.as_ref().is_some_and(writes)) {
                return Ok(());
            }
            let mut done = LinqOutcome::default();
            let result = self.apply(run, seen, read_at).write_linq(&plan, &mut done).await;
            self.count(&mut done);
            result?;
            self.after_linq(seen, done)?;
        }
        Ok(())
    }

    fn apply<'r>(&'r self, run: RunId, seen: &'r Observation, read_at: Timestamp) -> Apply<'r> {
        Apply {
            client: self.sides.linq,
            state: self.sides.state,
            run,
            policy: self.terms.policy,
            seen,
            read_at,
            started_at: self.terms.started_at,
            clock: self.terms.clock,
            settle: self.terms.settle,
            given_up: &self.given_up,
            stop: self.terms.stop,
        }
    }

    fn count(&mut self, done: &mut LinqOutcome) {
        self.failed = self.failed.take().or(done.failed.take());
        self.report.linq.created += done.created;
        self.report.linq.updated += done.updated;
        self.report.linq.deleted += done.deleted;
        self.vanished += done.vanished;
    }

    /// Brings what was seen up to what Linq answered.
    fn after_linq(&mut self, seen: &mut Observation, done: LinqOutcome) -> Result<(), RunError> {
        for (id, fetched) in done.shown {
            seen.linq.contacts.insert(id, fetched.contact);
        }
        for id in done.gone {
            seen.linq.contacts.remove(&id);
        }
        self.notices.extend(done.notices);
        Ok(observe::recall(self.sides.state, seen)?)
    }

    /// Writes the source once, with all that is due.
    fn write_source(
        &mut self,
        run: RunId,
        seen: &mut Observation,
        reading: &mut Reading,
    ) -> Result<(), RunError> {
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
        self.refused = done.refused;
        if let Some(now) = done.reading {
            *reading = now;
            let linq = seen.linq.clone();
            let (state, at) = (self.sides.state, seen.now);
            *seen = observe::observation(state, self.terms.policy, reading, linq, at)?;
        }
        Ok(())
    }

    async fn delete_in_linq(
        &mut self,
        run: RunId,
        seen: &mut Observation,
        read_at: Timestamp,
    ) -> Result<(), RunError> {
        let plan = self.plan(seen)?;
        let mut done = LinqOutcome::default();
        let result = self.apply(run, seen, read_at).delete_in_linq(&plan, &mut done).await;
        self.count(&mut done);
        result?;
        self.after_linq(seen, done)
    }

    /// What people should know about a run with a purpose of its own.
    fn tell_what_is_meant(&mut self, seen: &Observation) -> Result<(), RunError> {
        match self.aim {
            Aim::Sync => {}
            Aim::Undo(undoing) => {
                let plan = self.aim.plan(seen, self.terms.policy)?;
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

    /// Remembers the reading, and tells what is still open: what is `left` of the run's
    /// aim, and whatever else waits.
    fn close(
        &mut self,
        run: RunId,
        seen: Observation,
        reading: &Reading,
        left: Plan,
    ) -> Result<(), RunError> {
        let mut undone = left.steps.iter().filter(|step| step.acts()).count();
        let mut skipped = left.skipped.clone();
        let postponed = left.postponed;
        let open = match self.aim {
            Aim::Sync => left,
            Aim::Undo(_) => plan(&seen, self.terms.policy)?,
            Aim::Apply(saved) => {
                let open = plan(&seen, self.terms.policy)?;
                undone = 0;
                skipped.extend(saved.unfinished(&open, &seen, &self.holding));
                open
            }
        };
        self.report.skipped =
            skipped.len() + self.vanished + undone.saturating_sub(self.refused.len()) + postponed;
        for Skipped { subject, why } in skipped {
            self.notices.push(format!("{}: {why}", subject.name));
        }
        self.recorder(run, &seen).reading(&open, self.now())?;
        let mapping = observe::mapping(self.terms.policy, reading);
        if open.halt.is_none() && self.sides.state.mapping()?.as_ref() != Some(&mapping) {
            self.sides.state.remember_mapping(&mapping)?;
        }
        self.sides.state.replace_waiting(&waiting(&open, &seen))?;
        let open = self.with_what_is_held(open, &seen)?;
        self.report.take_open(&open, &seen);
        self.report.open.rejected += self.refused.len();
        for (name, reason) in std::mem::take(&mut self.refused) {
            self.notices.push(format!("{name} could not be written to the source: {reason}"));
        }
        self.notices.extend(open.notices.iter().cloned());
        if let Some(halt) = &open.halt {
            self.notices.push(format!("nothing was written: {halt}"));
        }
        self.left = Some((open, seen));
        Ok(())
    }

    /// What is open, together with what the guard holds of the run's own aim.
    fn with_what_is_held(&self, mut open: Plan, seen: &Observation) -> Result<Plan, RunError> {
        match self.aim {
            Aim::Sync | Aim::Apply(_) => {}
            Aim::Undo(_) => {
                let own = self.aim.plan(seen, self.terms.policy)?;
                open.steps.extend(own.steps.into_iter().filter(|step| !step.waits.is_empty()));
                open.notices.retain(|notice| !self.notices.contains(notice));
            }
        }
        Ok(open)
    }
}
