//! Carries out what a plan says: journal, Linq, journal; then the source.
//!
//! Owns the order and the care: the intent is durable before the request, what is
//! about to be changed is read again first, and a create whose answer is lost is
//! looked for before it is sent again. Leaves deciding to [`crate::plan`]: whatever
//! turns out to be other than planned is handed back to be planned anew.

mod begun;
mod change;
mod create;
mod doubt;
mod find;
mod owner;
mod patch;
mod refused;
mod source;
mod unwritable;
mod update;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::linq::{Client, Failure, Fetched, LinqError, Remedy, TransportError};
use crate::mirror::{State, StateError};
use crate::model::{Fingerprint, LinqContact, LinqId, Policy, RunId, Timestamp, Values};
use crate::plan::{LinqWrite, Observation, Plan, Step};
use crate::progress::ProgressStage;
use crate::record::Recorder;

pub(crate) use begun::Begun;
pub(crate) use find::searchable_sample;
pub(crate) use refused::Learned;
pub(crate) use source::{RemovedRecords, SourceHalt, write_source};
pub(crate) use unwritable::RefusedEdit;

/// How old a reading may be when a contact is changed or deleted on its strength.
const FRESH: Duration = Duration::from_secs(5);

/// How many writes a run gives up, because Linq fails on them alone, before it gives
/// up Linq.
const MOST_GIVEN_UP: usize = 3;

/// Writes on which Linq failed after all attempts, while it answered everything
/// else, by [`LinqWrite::fingerprint`]. They wait for the next run.
#[derive(Debug, Default)]
pub(crate) struct GivenUp(RefCell<BTreeSet<Fingerprint>>);

impl GivenUp {
    /// Whether `write` is among them.
    pub(crate) fn contains_write(&self, write: &LinqWrite) -> bool {
        self.0.borrow().contains(&write.fingerprint())
    }

    /// Gives `write` up; tells how many that are by now.
    fn give_up(&self, write: &LinqWrite) -> usize {
        let mut given_up = self.0.borrow_mut();
        given_up.insert(write.fingerprint());
        given_up.len()
    }
}

/// How many creates may be in doubt before no further one is sent: a Linq that answers
/// none of them would leave everybody in doubt.
const MOST_IN_DOUBT: usize = 8;

/// Tells the time.
pub type Clock<'a> = &'a dyn Fn() -> Timestamp;

/// What carrying out a plan needs.
#[derive(Clone, Copy)]
pub(crate) struct Apply<'a> {
    pub(crate) client: &'a Client,
    pub(crate) state: &'a State,
    pub(crate) run: RunId,
    pub(crate) policy: &'a Policy,
    pub(crate) seen: &'a Observation,
    /// When this run began to read Linq.
    pub(crate) began: Instant,
    pub(crate) clock: Clock<'a>,
    pub(crate) settle: Duration,
    /// Intents that are made durable together.
    pub(crate) begun: &'a Begun,
    /// Writes that this run has given up.
    pub(crate) given_up: &'a GivenUp,
    /// What this run has learned from what Linq refused.
    pub(crate) learned: &'a Learned,
    pub(crate) stop: &'a CancellationToken,
    /// A contact to try searches with.
    pub(crate) sample: Option<&'a LinqContact>,
}

/// Why a plan was not carried out to its end. What landed before is recorded.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Linq refused the token, or does not work.
    #[error(transparent)]
    Linq(#[from] LinqError),
    /// What would be done could not be recorded.
    #[error(transparent)]
    State(#[from] StateError),
    /// The program was asked to stop.
    #[error("stopped before everything was done")]
    Stopped,
}

/// What carrying out the writes to Linq came to.
#[derive(Debug, Default)]
pub(crate) struct LinqOutcome {
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) deleted: usize,
    /// Writes that were not made, because the contact was not there any more.
    pub(crate) vanished: usize,
    /// Writes that were not made, because it cannot be told whether the contact is there.
    pub(crate) hidden: usize,
    /// Contacts as Linq shows them now.
    pub(crate) shown: BTreeMap<LinqId, Fetched>,
    /// Contacts that are not there any more.
    pub(crate) gone: Vec<LinqId>,
    /// What people should know.
    pub(crate) notices: Vec<String>,
    /// Why the first of the writes was given up that were.
    pub(crate) failed: Option<LinqError>,
}

/// How far the writes of one plan are.
#[derive(Default)]
struct WriteProgress {
    /// Whom Linq has created, as it answered.
    created: RefCell<BTreeMap<LinqId, Values>>,
    /// Creates of which it cannot be told whether they arrived.
    in_doubt: Cell<usize>,
}

/// What became of one write to Linq.
#[derive(Debug)]
enum WriteOutcome {
    Created(Fetched),
    Updated(Fetched),
    Deleted(LinqId),
    /// Linq shows something that the plan did not know.
    Stale(Fetched),
    /// The contact is not there any more.
    Vanished(LinqId),
    /// It cannot be told whether the contact is there.
    Hidden,
    /// Linq refused it, and that is recorded.
    Refused,
    /// It cannot be told yet whether a create arrived.
    InDoubt(Box<doubt::UnclearCreate>),
    /// Linq fails on this one, and not on others.
    GivenUp(LinqError),
}

impl LinqOutcome {
    fn count_outcome(&mut self, outcome: WriteOutcome) {
        match outcome {
            WriteOutcome::Created(fetched) => {
                self.created += 1;
                self.shown.insert(fetched.contact.id, fetched);
            }
            WriteOutcome::Updated(fetched) => {
                self.updated += 1;
                self.shown.insert(fetched.contact.id, fetched);
            }
            WriteOutcome::Deleted(id) => {
                self.deleted += 1;
                self.gone.push(id);
            }
            WriteOutcome::Stale(fetched) => {
                self.shown.insert(fetched.contact.id, fetched);
            }
            WriteOutcome::Vanished(id) => {
                self.vanished += 1;
                self.gone.push(id);
            }
            WriteOutcome::Hidden => self.hidden += 1,
            // The next plan shows them: as rejected, or as still to be done.
            WriteOutcome::Refused | WriteOutcome::InDoubt(_) => {}
            WriteOutcome::GivenUp(error) => {
                self.failed.get_or_insert(error);
            }
        }
    }
}

impl<'a> Apply<'a> {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn recorder(&self) -> Recorder<'a> {
        Recorder { state: self.state, run: self.run, policy: self.policy, seen: self.seen }
    }

    /// Carries out the creates and updates of `plan` in Linq. What was done is in
    /// `done`, also when it ends early.
    pub(crate) async fn write_linq(&self, plan: &Plan, done: &mut LinqOutcome) -> Result<(), Halt> {
        let writes = plan.steps.iter().filter_map(|step| match &step.linq {
            Some(write @ (LinqWrite::Create { .. } | LinqWrite::Update { .. })) => {
                Some((step, write))
            }
            Some(LinqWrite::Delete { .. }) | None => None,
        });
        let progress = WriteProgress::default();
        let mut in_doubt = Vec::new();
        for some in self.first_to_try(writes.collect()).await {
            self.write_all(ProgressStage::Writing, some, &progress, |outcome| match outcome {
                WriteOutcome::InDoubt(doubt) => in_doubt.push(*doubt),
                outcome @ (WriteOutcome::Created(_)
                | WriteOutcome::Updated(_)
                | WriteOutcome::Deleted(_)
                | WriteOutcome::Stale(_)
                | WriteOutcome::Vanished(_)
                | WriteOutcome::Hidden
                | WriteOutcome::Refused
                | WriteOutcome::GivenUp(_)) => done.count_outcome(outcome),
            })
            .await?;
        }
        self.settle_doubts(in_doubt, done).await
    }

    /// Carries out the deletions of `plan` in Linq.
    pub(crate) async fn delete_in_linq(
        &self,
        plan: &Plan,
        done: &mut LinqOutcome,
    ) -> Result<(), Halt> {
        let deletions = plan.steps.iter().filter_map(|step| match &step.linq {
            Some(write @ LinqWrite::Delete { .. }) => Some((step, write)),
            Some(LinqWrite::Create { .. } | LinqWrite::Update { .. }) | None => None,
        });
        let progress = WriteProgress::default();
        let deletions = deletions.collect();
        self.write_all(ProgressStage::Deleting, deletions, &progress, |outcome| {
            done.count_outcome(outcome);
        })
        .await
    }

    /// Makes writes concurrently. After the first failure nothing further is begun,
    /// and what is in flight is brought to its end.
    async fn write_all(
        &self,
        stage: ProgressStage,
        writes: Vec<(&Step, &LinqWrite)>,
        progress: &WriteProgress,
        mut landed: impl FnMut(WriteOutcome),
    ) -> Result<(), Halt> {
        let gauge = self.client.progress();
        gauge.begin_stage(stage, u64::try_from(writes.len()).ok());
        let failed = RefCell::new(None);
        let concurrency = self.client.settings().concurrency.get();
        let mut outcomes = stream::iter(writes)
            .map(|(step, write)| {
                let failed = &failed;
                async move {
                    if failed.borrow().is_some() {
                        return None;
                    }
                    match self.one_or_none(step, write, progress).await {
                        Ok(outcome) => outcome,
                        Err(halt) => {
                            failed.borrow_mut().get_or_insert(halt);
                            None
                        }
                    }
                }
            })
            .buffer_unordered(concurrency);
        while let Some(outcome) = outcomes.next().await {
            gauge.advance_by(1);
            outcome.into_iter().for_each(&mut landed);
        }
        drop(outcomes);
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Makes one write, unless it was given up. If Linq fails on it alone, it is given
    /// up now.
    async fn one_or_none(
        &self,
        step: &Step,
        write: &LinqWrite,
        progress: &WriteProgress,
    ) -> Result<Option<WriteOutcome>, Halt> {
        let creates = matches!(write, LinqWrite::Create { .. });
        if self.given_up.contains_write(write)
            || creates && progress.in_doubt.get() >= MOST_IN_DOUBT
        {
            return Ok(None);
        }
        match self.write_one(step, write, progress).await {
            Err(Halt::Linq(error)) if self.fails_alone(&error).await => {
                if self.given_up.give_up(write) > MOST_GIVEN_UP {
                    return Err(Halt::Linq(error));
                }
                Ok(Some(WriteOutcome::GivenUp(error)))
            }
            outcome => outcome.map(Some),
        }
    }

    /// Whether Linq fails on this request and still answers others: one cheap request
    /// tells.
    async fn fails_alone(&self, error: &LinqError) -> bool {
        let may_be_alone = match &error.verdict {
            Remedy::Failed(Failure::Status(answered)) => answered.status.as_u16() != 429,
            Remedy::Failed(Failure::NoAnswer(error)) => {
                !matches!(error, TransportError::NotSent(_))
            }
            Remedy::Failed(Failure::NotBelieved { .. } | Failure::Redirected(_))
            | Remedy::Rejected(_) => true,
            Remedy::NoToken(_) | Remedy::TokenRefused(_) | Remedy::Halted(_) => false,
        };
        may_be_alone && self.client.check_access().await.is_ok()
    }

    async fn write_one(
        &self,
        step: &Step,
        write: &LinqWrite,
        progress: &WriteProgress,
    ) -> Result<WriteOutcome, Halt> {
        if self.stop.is_cancelled() {
            return Err(Halt::Stopped);
        }
        match write {
            LinqWrite::Create { .. } => self.create(step, write, progress).await,
            LinqWrite::Update { id, set, expected } => {
                self.update(step, write, *id, set, expected).await
            }
            LinqWrite::Delete { id, expected } => self.delete(step, *id, expected).await,
        }
    }
}
