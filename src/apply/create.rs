//! Creates in Linq: nobody is created whom Linq has already.

use tokio::time::Instant;

use crate::linq::{Fetched, LinqError, LinqRejection, Lookup, RejectionReason, RequestEffect};
use crate::mirror::{IntentKind, IntentOutcome, StateError};
use crate::model::{Field, FieldSet, IntentId, LinqId, Values};
use crate::observe::record_at;
use crate::plan::{DoubtfulCreate, LinqWrite, Step};
use crate::record::Creation;

use super::doubt::UnclearCreate;
use super::refused::{Creating, refusal_reason};
use super::{Apply, Halt, WriteOutcome, WriteProgress};

/// What is sent to create a contact.
#[derive(Clone, Debug)]
pub(super) struct CreateBody {
    pub(super) values: Values,
    pub(super) user_email: Option<String>,
}

impl Apply<'_> {
    pub(super) async fn create(
        &self,
        step: &Step,
        write: &LinqWrite,
        progress: &WriteProgress,
    ) -> Result<WriteOutcome, Halt> {
        let LinqWrite::Create { values, user_email, doubt: unanswered } = write else {
            return Ok(WriteOutcome::Refused);
        };
        if user_email.as_deref().is_some_and(|email| self.is_hopeless(step, email)) {
            return self.not_sent(step);
        }
        let mut news = None;
        for found in self.find(values).await? {
            if news.is_none() && !self.is_known(&found, progress)? {
                news = Some(found.contact.id);
            }
        }
        if let Some(id) = news
            && let Lookup::Found(fetched) = self.client.get(id).await?
            && !self.is_known(&fetched, progress)?
        {
            return self.report_stale(*fetched);
        }
        let sent = CreateBody { values: values.clone(), user_email: user_email.clone() };
        let earlier = |doubt: &&DoubtfulCreate| Some(doubt.intent) == *unanswered;
        if let Some(earlier) = self.seen.doubtful.iter().find(earlier) {
            return Ok(WriteOutcome::InDoubt(Box::new(UnclearCreate {
                step: step.clone(),
                write: write.clone(),
                intent: earlier.intent,
                sent,
                expected: earlier.values.clone(),
                since: self.began,
                error: None,
            })));
        }
        let mut creating = Creating::new(sent);
        let Some(turn) = self.settle_owner(step, &mut creating).await? else {
            return Ok(WriteOutcome::Refused);
        };
        let intent = self.write_intent(step, self.intent_kind(step, &creating.sent)).await?;
        let outcome = self.send_create(step, write, intent, creating).await?;
        drop(turn);
        match &outcome {
            WriteOutcome::Created(fetched) => {
                let values = fetched.contact.values.clone();
                progress.created.borrow_mut().insert(fetched.contact.id, values);
                if self.sample.is_none() {
                    self.try_either(&fetched.contact).await;
                }
            }
            WriteOutcome::InDoubt(_) => progress.in_doubt.update(|creates| creates + 1),
            WriteOutcome::Updated(_)
            | WriteOutcome::Deleted(_)
            | WriteOutcome::Stale(_)
            | WriteOutcome::Vanished(_)
            | WriteOutcome::Hidden
            | WriteOutcome::Refused
            | WriteOutcome::GivenUp(_) => {}
        }
        Ok(outcome)
    }

    pub(super) fn intent_kind(&self, step: &Step, sent: &CreateBody) -> IntentKind {
        let record = step.subject.record.map(|index| record_at(self.seen, index));
        IntentKind::CreateInLinq {
            values: sent.values.clone(),
            user_email: sent.user_email.clone(),
            key: record.and_then(|record| record.key.clone()),
            fingerprint: record
                .map_or_else(|| crate::model::Fingerprint::of(&[]), |record| record.fingerprint),
        }
    }

    /// Sends a create whose intent is durable. Without an answer it is looked for at
    /// once, and adopted if it is there. What Linq refuses of it is left out, and the rest
    /// is sent with an intent of its own: after a refusal nothing was created.
    pub(super) async fn send_create(
        &self,
        step: &Step,
        write: &LinqWrite,
        mut intent: IntentId,
        mut creating: Creating,
    ) -> Result<WriteOutcome, Halt> {
        loop {
            let CreateBody { values, user_email } = &creating.sent;
            let answer = self.client.create(&self.as_sent(values), user_email.as_deref()).await;
            let error = match answer {
                Ok(answer) => return self.handle_answer(step, write, intent, answer, &creating),
                Err(error) => error,
            };
            match error.effect {
                RequestEffect::Unknown => {
                    let sent = creating.sent;
                    return self.handle_unanswered(step, write, intent, sent, error).await;
                }
                RequestEffect::NotSent => {
                    self.state.close_intent(intent, IntentOutcome::NotSent)?;
                    return Err(error.into());
                }
                RequestEffect::Refused => {}
            }
            let Some(rejection) = error.rejection() else {
                self.state.close_intent(intent, IntentOutcome::Refused)?;
                return Err(error.into());
            };
            if let Some(outcome) =
                self.reduce_create(step, write, intent, &mut creating, rejection)?
            {
                return Ok(outcome);
            }
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            intent = self.write_intent(step, self.intent_kind(step, &creating.sent)).await?;
        }
    }

    /// What Linq gets of the source's values.
    fn as_sent(&self, values: &Values) -> Values {
        let text = |field: Field| (field, self.policy.canon.to_send(field, &values[field]));
        values.filled_fields().iter().map(text).collect()
    }

    /// Leaves out of a create what Linq has refused, or tells how it ends if nothing is left.
    fn reduce_create(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        creating: &mut Creating,
        rejection: &LinqRejection,
    ) -> Result<Option<WriteOutcome>, Halt> {
        let own_owner = self.owner_of(step);
        if rejection.reason == RejectionReason::NoSuchUser
            && let Some(email) = creating.sent.user_email.clone()
        {
            let said = rejection.texts_about(Field::Owner).join("; ");
            self.learned.add_unknown(&email, &refusal_reason(rejection, &said));
            if let Some(why) = self.refused_owner(step, &email) {
                creating.without_owner(why, self.default_owner());
                return Ok(None);
            }
            self.recorder().refused_user(step, intent, &email, self.now())?;
            return Ok(Some(WriteOutcome::Refused));
        }
        let has_own_owner = own_owner.is_some();
        if creating.reduce(rejection, has_own_owner, self.learned) {
            return Ok(None);
        }
        if creating.tried_parts() {
            self.learned.learn_from_attempt(false);
        }
        let fields = creating.named;
        let said = refusal_reason(rejection, &rejection.texts().join("; "));
        self.record_refusal(step, write, intent, fields, &said).map(Some)
    }

    /// A create without an answer: it is looked for at once.
    async fn handle_unanswered(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        sent: CreateBody,
        error: LinqError,
    ) -> Result<WriteOutcome, Halt> {
        // It may have waited for its turn: it was sent by now at the latest.
        self.state.mark_sent(intent, self.now())?;
        let doubt = UnclearCreate {
            step: step.clone(),
            write: write.clone(),
            intent,
            expected: sent.values.clone(),
            sent,
            since: Instant::now(),
            error: Some(error),
        };
        match self.trace_by_find(&doubt).await? {
            Some(answer) => self.record_created(step, intent, answer, &Creating::new(doubt.sent)),
            None => Ok(WriteOutcome::InDoubt(Box::new(doubt))),
        }
    }

    /// A create was answered. Linq may have taken it for somebody it has: if nobody's
    /// so far, that is the match; if it is another record's, this one stays without.
    fn handle_answer(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        answer: Fetched,
        creating: &Creating,
    ) -> Result<WriteOutcome, Halt> {
        let id = answer.contact.id;
        match self.record_created(step, intent, answer.clone(), creating) {
            Err(Halt::State(StateError::AlreadyLinked(_))) => {
                let reason = format!(
                    "Linq created nobody: it took this person for contact {id}, who is in the \
                     source already"
                );
                self.record_refusal(step, write, intent, FieldSet::EMPTY, &reason)?;
                self.report_stale(answer)
            }
            outcome => outcome,
        }
    }

    pub(super) fn record_created(
        &self,
        step: &Step,
        intent: IntentId,
        answer: Fetched,
        creating: &Creating,
    ) -> Result<WriteOutcome, Halt> {
        let Creating { sent, refused, .. } = creating;
        let CreateBody { values, user_email } = sent;
        let sent = Creation { values, user_email: user_email.as_deref(), refused };
        self.recorder().record_created(step, intent, &answer, sent, self.now())?;
        if let Some(email) = sent.user_email {
            self.learned.add_known(email);
        }
        if creating.tried_parts() {
            self.learned.learn_from_attempt(true);
        }
        Ok(WriteOutcome::Created(answer))
    }

    /// Whether the plan has judged this contact already: it was seen as it is, or
    /// was created meanwhile for another record of the same plan.
    fn is_known(&self, fetched: &Fetched, progress: &WriteProgress) -> Result<bool, StateError> {
        let id = fetched.contact.id;
        let seen = self.seen.linq.contacts.get(&id).map(|contact| contact.values.clone());
        let known = match seen.or_else(|| progress.created.borrow().get(&id).cloned()) {
            Some(known) => Some(known),
            None => self.at_rest(id)?,
        };
        Ok(known.is_some_and(|known| {
            let shown = &fetched.contact.values;
            self.policy.canon.differing_fields(FieldSet::ALL, &known, shown).is_empty()
        }))
    }

    /// What a contact has that is not part of the plan, because its pair is at rest.
    fn at_rest(&self, id: LinqId) -> Result<Option<Values>, StateError> {
        if self.seen.links.iter().any(|link| link.linq_id == id) || !self.state.is_linked(id)? {
            return Ok(None);
        }
        Ok(self.state.contact(id)?.map(|contact| contact.values))
    }
}
