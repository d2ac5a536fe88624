//! Updates and deletions in Linq: each carries what it expects to find.

use tokio::time::Instant;

use crate::linq::{Deletion, Effect, Fetched, LinqError, Lookup, Reason, Update, UpdateError};
use crate::mirror::{IntentKind, IntentOutcome, NewIntent};
use crate::model::{Base, Canon, Change, Field, FieldSet, IntentId, LinqId, Values};
use crate::plan::{LinkPlan, LinqWrite, Step, is_rewritten};

use super::{Apply, FRESH, Halt, Outcome};

/// What is there just before a write.
enum Before {
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
enum Sent<T> {
    /// It was carried out.
    Landed(T),
    /// There was no answer, and the contact is neither as before nor as it was to be.
    Unclear(Box<Fetched>),
    /// There was no answer, and the contact is gone.
    Gone,
}

/// What a look at a contact says of a write that failed.
enum Looked<T> {
    /// What became of it.
    Settled(Sent<T>),
    /// It had no effect, and the contact is still as it was where that matters: it may be
    /// sent again.
    AsBefore(Box<Fetched>),
}

/// Whether a fresh reading will do, or the contact must be read again in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reread {
    IfOld,
    Always,
}

impl Apply<'_> {
    pub(super) async fn update(
        &self,
        step: &Step,
        write: &LinqWrite,
        id: LinqId,
        set: &[Change],
        expected: &Values,
    ) -> Result<Outcome, Halt> {
        let current = match self.before(id, expected, Reread::IfOld).await? {
            Before::Changed(fetched) => return self.stale(fetched),
            Before::Nothing => return Ok(Outcome::Vanished(id)),
            Before::Unproven => return Ok(Outcome::Hidden),
            Before::Expected(fetched) => fetched.contact.values,
            Before::Trusted => expected.clone(),
        };
        let base = match &step.link {
            LinkPlan::PutBack(base) => base.as_ref().clone(),
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::Relink(_)
            | LinkPlan::Release
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => Base::default(),
        };
        let kind = IntentKind::UpdateInLinq { linq_id: id, changes: set.to_vec(), base };
        let intent = self.intend(step, kind)?;
        let Ok(update) = update_of(set, &current) else {
            // The planner refuses to clear the last identity; this is its second lock.
            let reason = "a contact in Linq needs a name, an e-mail or a phone number";
            return self.refuse(step, write, intent, reason);
        };
        match self.patch_until_answered(id, update, set, current).await {
            Ok(Sent::Landed(answer)) => {
                let answer = self.believed(id, answer, set).await?;
                let taken = self.taken(set, &answer);
                if taken.is_empty() && !set.is_empty() {
                    let reason = "Linq answered that it took the change, and kept the old value";
                    return self.refuse(step, write, intent, reason);
                }
                self.recorder().updated(step, intent, &taken, &answer, self.now())?;
                Ok(Outcome::Updated(answer))
            }
            Ok(Sent::Unclear(shown)) => {
                self.recorder().unclear(step, intent, set, &shown, self.now())?;
                Ok(Outcome::Stale(*shown))
            }
            Ok(Sent::Gone) => {
                self.state.close_intent(intent, IntentOutcome::Abandoned)?;
                Ok(Outcome::Vanished(id))
            }
            Err(error) => self.refused(step, write, intent, error),
        }
    }

    /// Sends an update of a contact that is `current`. Before it is sent again the contact
    /// is looked at: it may have been updated, or edited by somebody else meanwhile. What
    /// an update carries besides its changes is then what the contact was just shown with.
    async fn patch_until_answered(
        &self,
        id: LinqId,
        mut update: Update,
        set: &[Change],
        mut current: Values,
    ) -> Result<Sent<Fetched>, LinqError> {
        let judge = |fetched: Box<Fetched>| match look_of(
            set,
            &fetched.contact.values,
            self.policy.canon,
        ) {
            Look::AsSent => Looked::Settled(Sent::Landed(*fetched)),
            Look::AsBefore => Looked::AsBefore(fetched),
            Look::Neither => Looked::Settled(Sent::Unclear(fetched)),
        };
        let sent = set.iter().map(|change| change.field).collect();
        for sendings in 1.. {
            let error = match self.patch(id, update.clone(), set).await {
                Ok(answer) => return Ok(Sent::Landed(answer.completed(sent, &current))),
                Err(error) => error,
            };
            let shown = match self.look_and_wait(id, error, sendings, judge).await? {
                Looked::Settled(Sent::Landed(answer)) => {
                    return Ok(Sent::Landed(answer.completed(sent, &current)));
                }
                Looked::Settled(other) => return Ok(other),
                Looked::AsBefore(shown) => shown,
            };
            match update_of(set, &shown.contact.values) {
                Ok(again) => update = again,
                Err(_) => return Ok(Sent::Unclear(shown)),
            }
            current = shown.contact.values;
        }
        Ok(Sent::Gone)
    }

    /// Looks what became of a write that failed, and waits until it may be sent again. A
    /// wait may be long: then the contact is looked at once more, so that nothing is sent
    /// on the strength of an old reading.
    async fn look_and_wait<T>(
        &self,
        id: LinqId,
        error: LinqError,
        sendings: u32,
        judge: impl Fn(Box<Fetched>) -> Looked<T>,
    ) -> Result<Looked<T>, LinqError> {
        if !error.may_pass() && error.effect != Effect::Unknown {
            return Err(error);
        }
        let mut waited = false;
        loop {
            let looked = match self.client.get(id).await {
                Ok(Lookup::Found(fetched)) => judge(fetched),
                Ok(Lookup::Absent) => Looked::Settled(Sent::Gone),
                Ok(Lookup::Unproven(_)) | Err(_) => return Err(error),
            };
            if waited || matches!(looked, Looked::Settled(_)) {
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

    /// The answer to an update, or what Linq shows now where the answer is as if nothing
    /// had been sent: it may be an old one.
    async fn believed(
        &self,
        id: LinqId,
        answer: Fetched,
        set: &[Change],
    ) -> Result<Fetched, LinqError> {
        if self.taken(set, &answer).len() == set.len() {
            return Ok(answer);
        }
        Ok(match self.client.get(id).await? {
            Lookup::Found(fetched) => *fetched,
            Lookup::Absent | Lookup::Unproven(_) => answer,
        })
    }

    /// The changes without those that Linq ignored: a field that has its old value and
    /// nothing of the new one. An ignored clearing is a matter of the base.
    fn taken(&self, set: &[Change], answer: &Fetched) -> Vec<Change> {
        let canon = self.policy.canon;
        let is_ignored = |change: &&Change| {
            let Change { field, from, to } = change;
            let shown = &answer.contact.values[*field];
            !to.trim().is_empty()
                && canon.same(*field, shown, from)
                && !canon.same(*field, shown, to)
                && !is_rewritten(*field, to, shown, canon)
        };
        set.iter().filter(|change| !is_ignored(change)).cloned().collect()
    }

    /// Sends an update. If Linq does not know the present owner as a user, it is
    /// sent once more without naming one.
    async fn patch(
        &self,
        id: LinqId,
        update: Update,
        set: &[Change],
    ) -> Result<Fetched, LinqError> {
        let owner_changes = set.iter().any(|change| change.field == Field::Owner);
        match self.client.patch(id, &update).await {
            Err(error) if !owner_changes && is_unknown_user(&error) => {
                self.client.patch(id, &update.without_user_email()).await
            }
            result => result,
        }
    }

    pub(super) async fn delete(
        &self,
        step: &Step,
        id: LinqId,
        expected: &Values,
    ) -> Result<Outcome, Halt> {
        let before = match self.before(id, expected, Reread::Always).await? {
            Before::Expected(fetched) => fetched,
            Before::Changed(fetched) => return self.stale(fetched),
            Before::Nothing => return Ok(Outcome::Vanished(id)),
            Before::Unproven | Before::Trusted => return Ok(Outcome::Hidden),
        };
        // Whole and durable before the request: Linq cannot give it back.
        self.recorder().shown(&before, self.now())?;
        let intent = self.intend(step, IntentKind::DeleteInLinq { linq_id: id })?;
        match self.delete_until_answered(id, expected).await {
            Ok(Sent::Landed(()) | Sent::Gone) => {
                self.recorder().deleted(step, intent, &before, self.now())?;
                Ok(Outcome::Deleted(id))
            }
            Ok(Sent::Unclear(shown)) => {
                self.state.close_intent(intent, IntentOutcome::Abandoned)?;
                self.stale(*shown)
            }
            Err(error) => {
                let expected = expected.clone();
                self.refused(step, &LinqWrite::Delete { id, expected }, intent, error)
            }
        }
    }

    /// Sends a deletion. Before it is sent again the contact is looked for: somebody may
    /// have edited it meanwhile, which saves it.
    async fn delete_until_answered(
        &self,
        id: LinqId,
        expected: &Values,
    ) -> Result<Sent<()>, LinqError> {
        let judge = |fetched: Box<Fetched>| {
            if self.has_changed(expected, &fetched) {
                Looked::Settled(Sent::Unclear(fetched))
            } else {
                Looked::AsBefore(fetched)
            }
        };
        for sendings in 1.. {
            let error = match self.client.delete(id).await {
                Ok(Deletion::Done | Deletion::AlreadyGone) => return Ok(Sent::Landed(())),
                Err(error) => error,
            };
            match self.look_and_wait(id, error, sendings, judge).await? {
                Looked::Settled(sent) => return Ok(sent),
                Looked::AsBefore(_) => {}
            }
        }
        Ok(Sent::Gone)
    }

    fn has_changed(&self, expected: &Values, fetched: &Fetched) -> bool {
        let shown = &fetched.contact.values;
        !self.policy.canon.differing(FieldSet::ALL, expected, shown).is_empty()
    }

    async fn before(
        &self,
        id: LinqId,
        expected: &Values,
        reread: Reread,
    ) -> Result<Before, LinqError> {
        if reread == Reread::IfOld && self.began.elapsed() < FRESH {
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
    pub(super) fn stale(&self, fetched: Fetched) -> Result<Outcome, Halt> {
        self.recorder().shown(&fetched, self.now())?;
        Ok(Outcome::Stale(fetched))
    }

    /// Makes an intent durable, as one that is about to be sent.
    pub(super) fn intend(&self, step: &Step, kind: IntentKind) -> Result<IntentId, Halt> {
        let now = self.now();
        let intent = NewIntent { link: step.subject.link, kind };
        let ids = self.state.plan_intents(self.run, now, &[intent])?;
        self.state.mark_all_sent(&ids, now)?;
        Ok(ids[0])
    }

    /// What follows from an error: what Linq refuses for what is in it concerns this
    /// contact alone, anything else ends the run.
    pub(super) fn refused(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        error: LinqError,
    ) -> Result<Outcome, Halt> {
        let Some(rejection) = error.rejection() else {
            return Err(error.into());
        };
        if rejection.reason == Reason::NoSuchContact
            && let Some(id) = crate::record::linq_id(write)
        {
            self.state.close_intent(intent, IntentOutcome::Refused)?;
            return Ok(Outcome::Vanished(id));
        }
        let said = rejection.texts().join("; ");
        let reason = if said.is_empty() {
            format!("Linq refused it: {}", rejection.answered)
        } else {
            format!("Linq refused it: {said}")
        };
        self.refuse(step, write, intent, &reason)
    }

    pub(super) fn refuse(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        reason: &str,
    ) -> Result<Outcome, Halt> {
        self.recorder().refused(step, write, intent, reason, self.now())?;
        Ok(Outcome::Refused)
    }
}

/// The body of an update: the changed fields, one that identifies the person (Linq
/// refuses an update without one), and the owner, who might be replaced otherwise.
fn update_of(set: &[Change], current: &Values) -> Result<Update, UpdateError> {
    let after = current.with(set);
    let changed = set.iter().filter(|change| change.field != Field::Owner);
    let mut fields: Vec<(Field, String)> =
        changed.map(|change| (change.field, change.to.clone())).collect();
    let identified = fields
        .iter()
        .any(|(field, text)| Field::IDENTITY.contains(field) && !text.trim().is_empty());
    if !identified {
        let identity = Field::IDENTITY.into_iter().find(|field| !after[*field].trim().is_empty());
        fields.extend(identity.map(|field| (field, after[field].clone())));
    }
    let owner = Some(after[Field::Owner].trim().to_owned()).filter(|owner| !owner.is_empty());
    Update::new(fields, owner)
}

/// What a contact looks like beside an update that was not answered.
enum Look {
    AsSent,
    AsBefore,
    Neither,
}

fn look_of(set: &[Change], shown: &Values, canon: Canon) -> Look {
    let all = |is: &dyn Fn(&Change, &str) -> bool| {
        set.iter().all(|change| is(change, &shown[change.field]))
    };
    let as_sent = |change: &Change, shown: &str| canon.same(change.field, shown, &change.to);
    let as_before = |change: &Change, shown: &str| canon.same(change.field, shown, &change.from);
    let rewritten = |change: &Change, shown: &str| {
        as_sent(change, shown) || is_rewritten(change.field, &change.to, shown, canon)
    };
    if all(&as_sent) {
        Look::AsSent
    } else if all(&as_before) {
        Look::AsBefore
    } else if all(&rewritten) {
        Look::AsSent
    } else {
        Look::Neither
    }
}

fn is_unknown_user(error: &LinqError) -> bool {
    error.rejection().is_some_and(|rejection| rejection.reason == Reason::NoSuchUser)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Region;

    #[test]
    fn an_update_without_an_answer_is_judged_by_what_the_contact_looks_like() {
        let change = |from: &str, to: &str| Change {
            field: Field::Title,
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let look = |change: Change, shown: &str| {
            let shown = Values::from_iter([(Field::Title, shown.to_owned())]);
            match look_of(&[change], &shown, Canon::new(Region::US)) {
                Look::AsSent => "as sent",
                Look::AsBefore => "as before",
                Look::Neither => "neither",
            }
        };
        assert_eq!(look(change("Cook", "Chief"), "Chief"), "as sent");
        assert_eq!(look(change("Cook", "Chief"), "Cook"), "as before");
        assert_eq!(look(change("Cook", "Chief"), "CHI"), "as sent", "cut, in other letters");
        assert_eq!(look(change("Ch", "Chief"), "Ch"), "as before", "not cut");
        assert_eq!(look(change("Cook", "Chief"), "Captain"), "neither");
        assert_eq!(look(change("Cook", ""), "Cook"), "as before");
        assert_eq!(look(change("Cook", ""), ""), "as sent");
    }
}
