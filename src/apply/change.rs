//! Deletions in Linq, and what they share with updates: each carries what it expects to
//! find.

use tokio::time::Instant;

use crate::linq::{Deletion, Fetched, LinqError, Lookup, RejectionReason, RequestEffect};
use crate::mirror::{IntentKind, IntentOutcome, NewIntent};
use crate::model::{FieldSet, IntentId, LinqId, Values};
use crate::plan::{LinqWrite, Step};

use super::refused::refusal_reason;
use super::{Apply, FRESH, Halt, WriteOutcome};

/// What is there just before a write.
pub(super) enum Before {
    /// What the plan expects.
    Expected(Fetched),
    /// The reading that the plan was made from is fresh enough to go by.
    Trusted,
    /// Something else.
    Changed(Fetched),
    /// Nothing.
    Nothing,
    /// It cannot be told: a 404 that is not the documented one.
    Unproven,
}

/// What became of an update or a deletion.
pub(super) enum SentWrite<T> {
    /// It was carried out.
    Landed(T),
    /// There was no answer, and the contact is neither as before nor as it was to be.
    Unclear(Box<Fetched>),
    /// There was no answer, and the contact is gone.
    Gone,
}

/// What a look at a contact says of a write that failed.
pub(super) enum FailedWriteState<T> {
    /// What became of it.
    Settled(SentWrite<T>),
    /// It had no effect, and the contact is still as it was where that matters: it may be
    /// sent again.
    AsBefore(Box<Fetched>),
}

/// Whether a fresh reading will do, or the contact must be read again in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RereadNeed {
    IfOld,
    Always,
}

impl Apply<'_> {
    /// Looks what became of a write that failed, and waits until it may be sent again. A
    /// wait may be long: then the contact is looked at once more, so that nothing is sent
    /// on the strength of an old reading.
    pub(super) async fn look_and_wait<T>(
        &self,
        id: LinqId,
        error: LinqError,
        sendings: u32,
        judge: impl Fn(Box<Fetched>) -> FailedWriteState<T>,
    ) -> Result<FailedWriteState<T>, LinqError> {
        if !error.may_pass() && error.effect != RequestEffect::Unknown {
            return Err(error);
        }
        let mut waited = false;
        loop {
            let looked = match self.client.get(id).await {
                Ok(Lookup::Found(fetched)) => judge(fetched),
                Ok(Lookup::Absent) => FailedWriteState::Settled(SentWrite::Gone),
                Ok(Lookup::Unproven(_)) | Err(_) => return Err(error),
            };
            if waited || matches!(looked, FailedWriteState::Settled(_)) {
                return Ok(looked);
            }
            let looked_at = Instant::now();
            if !error.may_pass() || !self.client.may_send_again(sendings).await {
                return Err(error);
            }
            if looked_at.elapsed() < FRESH {
                return Ok(looked);
            }
            waited = true;
        }
    }

    pub(super) async fn delete(
        &self,
        step: &Step,
        id: LinqId,
        expected: &Values,
    ) -> Result<WriteOutcome, Halt> {
        let before = match self.read_before(id, expected, RereadNeed::Always).await? {
            Before::Expected(fetched) => fetched,
            Before::Changed(fetched) => return self.report_stale(fetched),
            Before::Nothing => return Ok(WriteOutcome::Vanished(id)),
            Before::Unproven | Before::Trusted => return Ok(WriteOutcome::Hidden),
        };
        // Whole and durable before the request: Linq cannot give it back.
        self.recorder().record_shown(&before, self.now())?;
        let intent = self.write_intent(step, IntentKind::DeleteInLinq { linq_id: id }).await?;
        match self.delete_until_answered(id, expected).await {
            Ok(SentWrite::Landed(()) | SentWrite::Gone) => {
                self.recorder().record_deleted(step, intent, &before, self.now())?;
                Ok(WriteOutcome::Deleted(id))
            }
            Ok(SentWrite::Unclear(shown)) => {
                self.state.close_intent(intent, IntentOutcome::Abandoned)?;
                self.report_stale(*shown)
            }
            Err(error) => {
                let expected = expected.clone();
                self.refused_whole(step, &LinqWrite::Delete { id, expected }, intent, error)
            }
        }
    }

    /// Sends a deletion. Before it is sent again the contact is looked for: somebody may
    /// have edited it meanwhile, which saves it.
    async fn delete_until_answered(
        &self,
        id: LinqId,
        expected: &Values,
    ) -> Result<SentWrite<()>, LinqError> {
        let judge = |fetched: Box<Fetched>| {
            if self.has_changed(expected, &fetched) {
                FailedWriteState::Settled(SentWrite::Unclear(fetched))
            } else {
                FailedWriteState::AsBefore(fetched)
            }
        };
        for sendings in 1.. {
            let error = match self.client.delete(id).await {
                Ok(Deletion::Done | Deletion::AlreadyGone) => return Ok(SentWrite::Landed(())),
                Err(error) => error,
            };
            match self.look_and_wait(id, error, sendings, judge).await? {
                FailedWriteState::Settled(sent) => return Ok(sent),
                FailedWriteState::AsBefore(_) => {}
            }
        }
        Ok(SentWrite::Gone)
    }

    fn has_changed(&self, expected: &Values, fetched: &Fetched) -> bool {
        let shown = &fetched.contact.values;
        !self.policy.canon.differing_fields(FieldSet::ALL, expected, shown).is_empty()
    }

    pub(super) async fn read_before(
        &self,
        id: LinqId,
        expected: &Values,
        reread: RereadNeed,
    ) -> Result<Before, LinqError> {
        if reread == RereadNeed::IfOld && self.began.elapsed() < FRESH {
            return Ok(Before::Trusted);
        }
        Ok(match self.client.get(id).await? {
            Lookup::Found(fetched) if self.has_changed(expected, &fetched) => {
                Before::Changed(*fetched)
            }
            Lookup::Found(fetched) => Before::Expected(*fetched),
            Lookup::Absent => Before::Nothing,
            Lookup::Unproven(_) => Before::Unproven,
        })
    }

    /// Linq shows something that the plan did not know: it goes into the mirror, and
    /// this contact is planned anew.
    pub(super) fn report_stale(&self, fetched: Fetched) -> Result<WriteOutcome, Halt> {
        self.recorder().record_shown(&fetched, self.now())?;
        Ok(WriteOutcome::Stale(fetched))
    }

    /// Makes an intent durable, as one that is about to be sent, together with those of the
    /// other writes that have come as far by now.
    pub(super) async fn write_intent(
        &self,
        step: &Step,
        kind: IntentKind,
    ) -> Result<IntentId, Halt> {
        let begin = |intents: &[NewIntent]| self.state.begin_intents(self.run, self.now(), intents);
        let intent = NewIntent { link: step.subject.link, kind };
        Ok(self.begun.add(intent, begin).await?)
    }

    /// What follows from an error: what Linq refuses for what is in it concerns this
    /// contact alone, anything else ends the run.
    pub(super) fn refused_whole(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        error: LinqError,
    ) -> Result<WriteOutcome, Halt> {
        let Some(rejection) = error.rejection() else {
            return Err(error.into());
        };
        if rejection.reason == RejectionReason::NoSuchContact
            && let Some(id) = crate::record::linq_id(write)
        {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            return Ok(WriteOutcome::Vanished(id));
        }
        let said = refusal_reason(rejection, &rejection.texts().join("; "));
        self.record_refusal(step, write, intent, FieldSet::EMPTY, &said)
    }

    pub(super) fn record_refusal(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        fields: FieldSet,
        reason: &str,
    ) -> Result<WriteOutcome, Halt> {
        self.recorder().record_refused(step, write, intent, fields, reason, self.now())?;
        Ok(WriteOutcome::Refused)
    }
}
