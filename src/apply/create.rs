//! Creates in Linq: nobody is created whom Linq has already.

use tokio::time::Instant;

use crate::linq::{Effect, Fetched, LinqError, Lookup};
use crate::mirror::{IntentKind, IntentOutcome, StateError};
use crate::model::{FieldSet, IntentId, LinqId, Values};
use crate::observe::record;
use crate::plan::{DoubtfulCreate, LinqWrite, Step};

use super::doubt::InDoubt;
use super::{Apply, Halt, Outcome, Progress};

/// What is sent to create a contact.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) values: Values,
    pub(super) user_email: Option<String>,
}

impl Apply<'_> {
    pub(super) async fn create(
        &self,
        step: &Step,
        write: &LinqWrite,
        progress: &Progress,
    ) -> Result<Outcome, Halt> {
        let LinqWrite::Create { values, user_email, doubt: unanswered } = write else {
            return Ok(Outcome::Refused);
        };
        let news = |fetched: &Fetched| !self.knows(fetched.contact.id, fetched, progress);
        if let Some(found) = self.find(values).await?.into_iter().find(news)
            && let Lookup::Found(fetched) = self.client.get(found.contact.id).await?
            && news(&fetched)
        {
            return self.stale(*fetched);
        }
        let sent = Sent { values: values.clone(), user_email: user_email.clone() };
        let earlier = |doubt: &&DoubtfulCreate| Some(doubt.intent) == *unanswered;
        if let Some(earlier) = self.seen.doubtful.iter().find(earlier) {
            return Ok(Outcome::InDoubt(Box::new(InDoubt {
                step: step.clone(),
                write: write.clone(),
                intent: earlier.intent,
                sent,
                expected: earlier.values.clone(),
                since: self.began,
                error: None,
            })));
        }
        let intent = self.intend(step, self.creation(step, &sent))?;
        let outcome = self.send(step, write, intent, sent).await?;
        match &outcome {
            Outcome::Created(fetched) => {
                let values = fetched.contact.values.clone();
                progress.created.borrow_mut().insert(fetched.contact.id, values);
                if self.sample.is_none() {
                    self.try_either(&fetched.contact).await?;
                }
            }
            Outcome::InDoubt(_) => progress.in_doubt.update(|creates| creates + 1),
            Outcome::Updated(_)
            | Outcome::Deleted(_)
            | Outcome::Stale(_)
            | Outcome::Vanished(_)
            | Outcome::Hidden
            | Outcome::Refused
            | Outcome::GivenUp(_) => {}
        }
        Ok(outcome)
    }

    pub(super) fn creation(&self, step: &Step, sent: &Sent) -> IntentKind {
        let record = step.subject.record.map(|index| record(self.seen, index));
        IntentKind::CreateInLinq {
            values: sent.values.clone(),
            user_email: sent.user_email.clone(),
            key: record.and_then(|record| record.key.clone()),
            fingerprint: record
                .map_or_else(|| crate::model::Fingerprint::of(&[]), |record| record.fingerprint),
        }
    }

    /// Sends a create whose intent is durable. Without an answer it is looked for at
    /// once, and adopted if it is there.
    pub(super) async fn send(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        sent: Sent,
    ) -> Result<Outcome, Halt> {
        let answer = self.client.create(&sent.values, sent.user_email.as_deref()).await;
        let error = match answer {
            Ok(answer) => return self.answered(step, write, intent, answer),
            Err(error) => error,
        };
        match error.effect {
            Effect::Unknown => {
                // It may have waited for its turn: it was sent by now at the latest.
                self.state.mark_sent(intent, self.now())?;
                let doubt = InDoubt {
                    step: step.clone(),
                    write: write.clone(),
                    intent,
                    expected: sent.values.clone(),
                    sent,
                    since: Instant::now(),
                    error: Some(error),
                };
                match self.trace_by_find(&doubt).await? {
                    Some(answer) => self.landed(step, intent, answer),
                    None => Ok(Outcome::InDoubt(Box::new(doubt))),
                }
            }
            Effect::NotSent => {
                self.state.close_intent(intent, IntentOutcome::NotSent)?;
                Err(error.into())
            }
            Effect::Refused => self.create_refused(step, write, intent, error),
        }
    }

    fn create_refused(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        error: LinqError,
    ) -> Result<Outcome, Halt> {
        if error.rejection().is_none() {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
        }
        self.refused(step, write, intent, error)
    }

    /// A create was answered. Linq may have taken it for somebody it has: if nobody's
    /// so far, that is the match; if it is another record's, this one stays without.
    fn answered(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        answer: Fetched,
    ) -> Result<Outcome, Halt> {
        let id = answer.contact.id;
        match self.landed(step, intent, answer.clone()) {
            Err(Halt::State(StateError::AlreadyLinked(_))) => {
                let reason = format!(
                    "Linq created nobody: it took this person for contact {id}, who is in the \
                     source already"
                );
                self.refuse(step, write, intent, &reason)?;
                self.stale(answer)
            }
            outcome => outcome,
        }
    }

    pub(super) fn landed(
        &self,
        step: &Step,
        intent: IntentId,
        answer: Fetched,
    ) -> Result<Outcome, Halt> {
        self.recorder().created(step, intent, &answer, self.now())?;
        Ok(Outcome::Created(answer))
    }

    /// Whether the plan has judged this contact already: it was seen as it is, or
    /// was created meanwhile for another record of the same plan.
    fn knows(&self, id: LinqId, fetched: &Fetched, progress: &Progress) -> bool {
        let known = self.seen.linq.contacts.get(&id).map(|contact| contact.values.clone());
        let known = known.or_else(|| progress.created.borrow().get(&id).cloned());
        known.is_some_and(|known| {
            let shown = &fetched.contact.values;
            self.policy.canon.differing(FieldSet::ALL, &known, shown).is_empty()
        })
    }
}
