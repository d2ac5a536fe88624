//! Creates whose answer was lost: looked for until it is certain what became of
//! them, and only then sent again.

use std::time::Duration;

use tokio::time::Instant;

use crate::linq::{Completeness, Fetched, LinqError, Listing, ListingDoubt, Lookup, walk};
use crate::mirror::{IntentOutcome, StateError};
use crate::model::{IntentId, LinqId, Resting, Values};
use crate::plan::{Likeness, LinqWrite, Step, trace_of};
use crate::progress::ProgressStage;

use super::create::CreateBody;
use super::refused::Creating;
use super::{Apply, Halt, LinqOutcome, MOST_GIVEN_UP, WriteOutcome};

/// How often a create is sent before the run gives up on Linq.
const SENDINGS: usize = 3;

/// A create of which it cannot be told yet whether it arrived.
#[derive(Debug)]
pub(super) struct UnclearCreate {
    pub(super) step: Step,
    pub(super) write: LinqWrite,
    pub(super) intent: IntentId,
    /// What is sent if it has to be sent again.
    pub(super) sent: CreateBody,
    /// What would be there if it arrived.
    pub(super) expected: Values,
    /// When it was sent last, or this run began, if that was before.
    pub(super) since: Instant,
    /// Why there was no answer, if it was this run that sent it.
    pub(super) error: Option<LinqError>,
}

impl Apply<'_> {
    /// Waits until every create in doubt is settled, looks for it in a whole listing,
    /// and sends it again only if that lacks it.
    pub(super) async fn settle_doubts(
        &self,
        mut in_doubt: Vec<UnclearCreate>,
        done: &mut LinqOutcome,
    ) -> Result<(), Halt> {
        for _ in 1..SENDINGS {
            if in_doubt.is_empty() {
                return Ok(());
            }
            self.wait_for(&in_doubt).await?;
            in_doubt = self.look_again(in_doubt, done).await?;
        }
        let mut given_up = 0;
        for doubt in in_doubt {
            given_up = self.given_up.give_up(&doubt.write);
            done.notices.push(format!(
                "Linq did not answer whether it created {}; the next run looks again",
                doubt.step.subject.name
            ));
            if let Some(error) = doubt.error {
                done.failed.get_or_insert(error);
            }
        }
        match done.failed.take() {
            Some(error) if given_up > MOST_GIVEN_UP => Err(error.into()),
            failed => {
                done.failed = failed;
                Ok(())
            }
        }
    }

    async fn wait_for(&self, in_doubt: &[UnclearCreate]) -> Result<(), Halt> {
        let waits = in_doubt.iter().map(|doubt| self.settle.saturating_sub(doubt.since.elapsed()));
        let wait = waits.max().unwrap_or(Duration::ZERO);
        self.client.progress().begin_stage(ProgressStage::Settling, None);
        tracing::warn!(
            creates = in_doubt.len(),
            seconds = wait.as_secs(),
            "no answer to a create; waiting before it is looked for again"
        );
        #[expect(clippy::disallowed_methods, reason = "waiting is what settling is about")]
        let sleep = tokio::time::sleep(wait);
        tokio::select! {
            () = sleep => Ok(()),
            () = self.stop.cancelled() => Err(Halt::Stopped),
        }
    }

    /// Looks for each in one whole listing, and by find. What both lack is sent again;
    /// what several contacts could be is left to the next plan.
    async fn look_again(
        &self,
        in_doubt: Vec<UnclearCreate>,
        done: &mut LinqOutcome,
    ) -> Result<Vec<UnclearCreate>, Halt> {
        let listing = self.read_listing(&in_doubt).await?;
        let mut taken: Vec<LinqId> = Vec::new();
        let mut still = Vec::new();
        for mut doubt in in_doubt {
            let mut best: Option<(Likeness, &Fetched)> = None;
            for fetched in listing.contacts.values() {
                let is_taken = taken.contains(&fetched.contact.id);
                let likeness = if is_taken { None } else { self.find_likeness(&doubt, fetched)? };
                if let Some(likeness) = likeness
                    && best.is_none_or(|(known, _)| likeness < known)
                {
                    best = Some((likeness, fetched));
                }
            }
            if let Some((_, trace)) = best {
                taken.push(trace.contact.id);
                // The plan decides what it is: the record may have been edited since.
                done.count_outcome(self.report_stale(trace.clone())?);
                continue;
            }
            // Find may show what the listing does not: each is a witness of its own.
            if let Some(trace) = self.trace_by_find(&doubt).await?
                && !taken.contains(&trace.contact.id)
            {
                taken.push(trace.contact.id);
                done.count_outcome(self.report_stale(trace)?);
                continue;
            }
            let hopeless = doubt.error.as_ref().is_some_and(|error| !error.may_pass());
            if hopeless || listing.completeness != Completeness::Complete {
                still.push(doubt);
                continue;
            }
            self.intend_again(&mut doubt).await?;
            let creating = Creating::new(doubt.sent);
            match self.send_create(&doubt.step, &doubt.write, doubt.intent, creating).await? {
                WriteOutcome::InDoubt(doubt) => still.push(*doubt),
                outcome @ (WriteOutcome::Created(_)
                | WriteOutcome::Updated(_)
                | WriteOutcome::Deleted(_)
                | WriteOutcome::Stale(_)
                | WriteOutcome::Vanished(_)
                | WriteOutcome::Hidden
                | WriteOutcome::Refused
                | WriteOutcome::GivenUp(_)) => done.count_outcome(outcome),
            }
        }
        Ok(still)
    }

    /// A listing in which to look for creates in doubt. For whom find cannot see it is all
    /// there is, and two in a row must show the same people.
    async fn read_listing(&self, in_doubt: &[UnclearCreate]) -> Result<Listing, LinqError> {
        let nobody = Resting::default();
        let first = walk(self.client, &nobody, |_| false).await?;
        if in_doubt.iter().all(|doubt| doubt.expected.can_be_found()) {
            return Ok(first);
        }
        let mut second = walk(self.client, &nobody, |_| false).await?;
        if !second.contacts.keys().eq(first.contacts.keys())
            && second.completeness == Completeness::Complete
        {
            second.completeness = Completeness::Partial(ListingDoubt::TotalsDiffer);
        }
        for (id, fetched) in first.contacts {
            second.contacts.entry(id).or_insert(fetched);
        }
        Ok(second)
    }

    /// Makes durable what is sent again: the record may have been edited since.
    async fn intend_again(&self, doubt: &mut UnclearCreate) -> Result<(), Halt> {
        if doubt.sent.values == doubt.expected {
            self.state.mark_sent(doubt.intent, self.now())?;
        } else {
            self.state.close_intent(doubt.intent, IntentOutcome::NotSent)?;
            let creation = self.intent_kind(&doubt.step, &doubt.sent);
            doubt.intent = self.write_intent(&doubt.step, creation).await?;
        }
        Ok(())
    }

    /// The contact that a create in doubt has made, if find shows exactly that.
    pub(super) async fn trace_by_find(
        &self,
        doubt: &UnclearCreate,
    ) -> Result<Option<Fetched>, Halt> {
        let found = self.find(&doubt.expected).await?;
        let mut traces = Vec::new();
        for fetched in &found {
            traces.extend(self.find_likeness(doubt, fetched)?.map(|_| fetched.contact.id));
        }
        let Some(id) = traces.first() else { return Ok(None) };
        // A link is for good: the contact itself must say the same under its id.
        match self.client.get(*id).await? {
            Lookup::Found(fetched) if self.find_likeness(doubt, &fetched)?.is_some() => {
                Ok(Some(*fetched))
            }
            Lookup::Found(_) | Lookup::Absent | Lookup::Unproven(_) => Ok(None),
        }
    }

    /// How much a contact looks like what a create in doubt would have made, if it is
    /// nobody's yet.
    fn find_likeness(
        &self,
        doubt: &UnclearCreate,
        fetched: &Fetched,
    ) -> Result<Option<Likeness>, StateError> {
        let id = fetched.contact.id;
        let trace = trace_of(&fetched.contact, &doubt.expected, self.policy.canon);
        if trace.is_none() || self.seen.linq.contacts.contains_key(&id) {
            return Ok(None);
        }
        let is_linked = self.state.is_linked(id)?;
        Ok(trace.filter(|_| !is_linked))
    }
}
