//! Creates in Linq: nobody is created whom Linq has already.

use tokio::time::Instant;

use crate::linq::{Effect, Fetched, LinqError, Lookup, Reason, Rejection};
use crate::mirror::{IntentKind, IntentOutcome, StateError};
use crate::model::{Field, FieldSet, IntentId, LinqId, Values};
use crate::observe::record;
use crate::plan::{DoubtfulCreate, LinqWrite, Step};
use crate::record::Creation;

use super::doubt::InDoubt;
use super::refused::{Creating, reason};
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
        if user_email.as_deref().is_some_and(|email| self.is_hopeless(step, email)) {
            return self.not_sent(step);
        }
        let mut news = None;
        for found in self.find(values).await? {
            if news.is_none() && !self.knows(&found, progress)? {
                news = Some(found.contact.id);
            }
        }
        if let Some(id) = news
            && let Lookup::Found(fetched) = self.client.get(id).await?
            && !self.knows(&fetched, progress)?
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
        let mut creating = Creating::new(sent);
        let Some(turn) = self.settle_owner(step, &mut creating).await? else {
            return Ok(Outcome::Refused);
        };
        let intent = self.intend(step, self.creation(step, &creating.sent)).await?;
        let outcome = self.send(step, write, intent, creating).await?;
        drop(turn);
        match &outcome {
            Outcome::Created(fetched) => {
                let values = fetched.contact.values.clone();
                progress.created.borrow_mut().insert(fetched.contact.id, values);
                if self.sample.is_none() {
                    self.try_either(&fetched.contact).await;
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
    /// once, and adopted if it is there. What Linq refuses of it is left out, and the rest
    /// is sent with an intent of its own: after a refusal nothing was created.
    pub(super) async fn send(
        &self,
        step: &Step,
        write: &LinqWrite,
        mut intent: IntentId,
        mut creating: Creating,
    ) -> Result<Outcome, Halt> {
        loop {
            let Sent { values, user_email } = &creating.sent;
            let answer = self.client.create(&self.as_sent(values), user_email.as_deref()).await;
            let error = match answer {
                Ok(answer) => return self.answered(step, write, intent, answer, &creating),
                Err(error) => error,
            };
            match error.effect {
                Effect::Unknown => {
                    let sent = creating.sent;
                    return self.unanswered(step, write, intent, sent, error).await;
                }
                Effect::NotSent => {
                    self.state.close_intent(intent, IntentOutcome::NotSent)?;
                    return Err(error.into());
                }
                Effect::Refused => {}
            }
            let Some(rejection) = error.rejection() else {
                self.state.close_intent(intent, IntentOutcome::Refused)?;
                return Err(error.into());
            };
            if let Some(outcome) = self.reduced(step, write, intent, &mut creating, rejection)? {
                return Ok(outcome);
            }
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            intent = self.intend(step, self.creation(step, &creating.sent)).await?;
        }
    }

    /// What Linq gets of the source's values.
    fn as_sent(&self, values: &Values) -> Values {
        let text = |field: Field| (field, self.policy.canon.to_send(field, &values[field]));
        values.filled().iter().map(text).collect()
    }

    /// Leaves out of a create what Linq has refused, or tells how it ends if nothing is left.
    fn reduced(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        creating: &mut Creating,
        rejection: &Rejection,
    ) -> Result<Option<Outcome>, Halt> {
        let own_owner = self.owner_of(step);
        if rejection.reason == Reason::NoSuchUser
            && let Some(email) = creating.sent.user_email.clone()
        {
            let said = rejection.texts_about(Field::Owner).join("; ");
            self.learned.add_unknown(&email, &reason(rejection, &said));
            if let Some(why) = self.refused_owner(step, &email) {
                creating.without_owner(why, self.default_owner());
                return Ok(None);
            }
            self.recorder().refused_user(step, intent, &email, self.now())?;
            return Ok(Some(Outcome::Refused));
        }
        let has_own_owner = own_owner.is_some();
        if creating.reduce(rejection, has_own_owner, self.learned) {
            return Ok(None);
        }
        if creating.tried_parts() {
            self.learned.tried(false);
        }
        let fields = creating.named;
        let said = reason(rejection, &rejection.texts().join("; "));
        self.refuse(step, write, intent, fields, &said).map(Some)
    }

    /// A create without an answer: it is looked for at once.
    async fn unanswered(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        sent: Sent,
        error: LinqError,
    ) -> Result<Outcome, Halt> {
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
            Some(answer) => self.landed(step, intent, answer, &Creating::new(doubt.sent)),
            None => Ok(Outcome::InDoubt(Box::new(doubt))),
        }
    }

    /// A create was answered. Linq may have taken it for somebody it has: if nobody's
    /// so far, that is the match; if it is another record's, this one stays without.
    fn answered(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        answer: Fetched,
        creating: &Creating,
    ) -> Result<Outcome, Halt> {
        let id = answer.contact.id;
        match self.landed(step, intent, answer.clone(), creating) {
            Err(Halt::State(StateError::AlreadyLinked(_))) => {
                let reason = format!(
                    "Linq created nobody: it took this person for contact {id}, who is in the \
                     source already"
                );
                self.refuse(step, write, intent, FieldSet::EMPTY, &reason)?;
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
        creating: &Creating,
    ) -> Result<Outcome, Halt> {
        let Creating { sent, refused, .. } = creating;
        let Sent { values, user_email } = sent;
        let sent = Creation { values, user_email: user_email.as_deref(), refused };
        self.recorder().created(step, intent, &answer, sent, self.now())?;
        if let Some(email) = sent.user_email {
            self.learned.add_known(email);
        }
        if creating.tried_parts() {
            self.learned.tried(true);
        }
        Ok(Outcome::Created(answer))
    }

    /// Whether the plan has judged this contact already: it was seen as it is, or
    /// was created meanwhile for another record of the same plan.
    fn knows(&self, fetched: &Fetched, progress: &Progress) -> Result<bool, StateError> {
        let id = fetched.contact.id;
        let seen = self.seen.linq.contacts.get(&id).map(|contact| contact.values.clone());
        let known = match seen.or_else(|| progress.created.borrow().get(&id).cloned()) {
            Some(known) => Some(known),
            None => self.at_rest(id)?,
        };
        Ok(known.is_some_and(|known| {
            let shown = &fetched.contact.values;
            self.policy.canon.differing(FieldSet::ALL, &known, shown).is_empty()
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
