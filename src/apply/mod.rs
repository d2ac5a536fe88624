//! Carries out what a plan says: journal, Linq, journal; then the source.
//!
//! Owns the order and the care: the intent is durable before the request, what is
//! about to be changed is read again first, and a create whose answer is lost is
//! looked for before it is sent again. Leaves deciding to [`crate::plan`]: whatever
//! turns out to be other than planned is handed back to be planned anew.

mod change;
mod create;
mod doubt;
mod source;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::linq::{Client, Fetched, LinqError};
use crate::mirror::{State, StateError};
use crate::model::{LinqId, Policy, RunId, Timestamp, Values};
use crate::plan::{LinqWrite, Observation, Plan, Step};
use crate::record::Recorder;

pub(crate) use source::{SourceHalt, write_source};

/// How old a reading may be when a contact is changed or deleted on its strength.
const FRESH: TimeDelta = TimeDelta::seconds(5);

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
    /// When Linq was read.
    pub(crate) read_at: Timestamp,
    /// When this process started.
    pub(crate) started_at: Timestamp,
    pub(crate) clock: Clock<'a>,
    pub(crate) settle: Duration,
    pub(crate) stop: &'a CancellationToken,
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
    /// Contacts as Linq shows them now.
    pub(crate) shown: BTreeMap<LinqId, Fetched>,
    /// Contacts that are not there any more.
    pub(crate) gone: Vec<LinqId>,
    /// What people should know.
    pub(crate) notices: Vec<String>,
}

/// What became of one write to Linq.
#[derive(Debug)]
enum Outcome {
    Created(Fetched),
    Updated(Fetched),
    Deleted(LinqId),
    /// Linq shows something that the plan did not know.
    Stale(Fetched),
    /// The contact is not there any more.
    Vanished(LinqId),
    /// Linq refused it, and that is recorded.
    Refused,
    /// It cannot be told yet whether a create arrived.
    InDoubt(Box<doubt::InDoubt>),
}

impl LinqOutcome {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created(fetched) => {
                self.created += 1;
                self.shown.insert(fetched.contact.id, fetched);
            }
            Outcome::Updated(fetched) => {
                self.updated += 1;
                self.shown.insert(fetched.contact.id, fetched);
            }
            Outcome::Deleted(id) => {
                self.deleted += 1;
                self.gone.push(id);
            }
            Outcome::Stale(fetched) => {
                self.shown.insert(fetched.contact.id, fetched);
            }
            Outcome::Vanished(id) => {
                self.vanished += 1;
                self.gone.push(id);
            }
            // The next plan shows them: as rejected, or as still to be done.
            Outcome::Refused | Outcome::InDoubt(_) => {}
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
        let created = RefCell::new(BTreeMap::new());
        let mut in_doubt = Vec::new();
        self.each(writes.collect(), &created, |outcome| match outcome {
            Outcome::InDoubt(doubt) => in_doubt.push(*doubt),
            outcome @ (Outcome::Created(_)
            | Outcome::Updated(_)
            | Outcome::Deleted(_)
            | Outcome::Stale(_)
            | Outcome::Vanished(_)
            | Outcome::Refused) => done.add(outcome),
        })
        .await?;
        self.settle(in_doubt, done).await
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
        let created = RefCell::new(BTreeMap::new());
        self.each(deletions.collect(), &created, |outcome| done.add(outcome)).await
    }

    /// Makes writes concurrently. After the first failure nothing further is begun,
    /// and what is in flight is brought to its end.
    async fn each(
        &self,
        writes: Vec<(&Step, &LinqWrite)>,
        created: &RefCell<BTreeMap<LinqId, Values>>,
        mut landed: impl FnMut(Outcome),
    ) -> Result<(), Halt> {
        let failed = RefCell::new(None);
        let concurrency = self.client.settings().concurrency.get();
        let mut outcomes = stream::iter(writes)
            .map(|(step, write)| {
                let failed = &failed;
                async move {
                    if failed.borrow().is_some() {
                        return None;
                    }
                    match self.one(step, write, created).await {
                        Ok(outcome) => Some(outcome),
                        Err(halt) => {
                            failed.borrow_mut().get_or_insert(halt);
                            None
                        }
                    }
                }
            })
            .buffer_unordered(concurrency);
        while let Some(outcome) = outcomes.next().await {
            outcome.into_iter().for_each(&mut landed);
        }
        drop(outcomes);
        failed.into_inner().map_or(Ok(()), Err)
    }

    async fn one(
        &self,
        step: &Step,
        write: &LinqWrite,
        created: &RefCell<BTreeMap<LinqId, Values>>,
    ) -> Result<Outcome, Halt> {
        if self.stop.is_cancelled() {
            return Err(Halt::Stopped);
        }
        match write {
            LinqWrite::Create { .. } => self.create(step, write, created).await,
            LinqWrite::Update { id, set, expected } => {
                self.update(step, write, *id, set, expected).await
            }
            LinqWrite::Delete { id, expected } => self.delete(step, *id, expected).await,
        }
    }
}
