//! One update as a request: what it carries besides its changes, how it is sent again, and
//! what Linq made of it.
//!
//! Owns the field that identifies the contact in each request, the owner who is sent along, and
//! the comparison with the answer. Leaves which fields are sent to [`super::update`].

use crate::linq::{Fetched, LinqError, Lookup, RejectionReason, Update, UpdateError};
use crate::model::{Canon, Field, FieldChange, FieldSet, LinqId, Values};
use crate::plan::is_rewritten;

use super::Apply;
use super::change::{FailedWriteState, SentWrite};

impl Apply<'_> {
    /// Sends an update of a contact that is `current`. Before it is sent again the contact
    /// is looked at: it may have been updated, or edited by somebody else meanwhile. What
    /// an update carries besides its changes is then what the contact was just shown with.
    pub(super) async fn patch_until_answered(
        &self,
        id: LinqId,
        mut update: Update,
        set: &[FieldChange],
        mut current: Values,
        avoided: FieldSet,
    ) -> Result<SentWrite<Fetched>, LinqError> {
        let judge = |fetched: Box<Fetched>| match look_of(
            set,
            &fetched.contact.values,
            self.policy.canon,
        ) {
            UpdateTrace::AsSent => FailedWriteState::Settled(SentWrite::Landed(*fetched)),
            UpdateTrace::AsBefore => FailedWriteState::AsBefore(fetched),
            UpdateTrace::Neither => FailedWriteState::Settled(SentWrite::Unclear(fetched)),
        };
        let sent = set.iter().map(|change| change.field).collect();
        for sendings in 1.. {
            let error = match self.send_update(id, update.clone(), set).await {
                Ok(answer) => return Ok(SentWrite::Landed(answer.complete_with(sent, &current))),
                Err(error) => error,
            };
            let shown = match self.look_and_wait(id, error, sendings, judge).await? {
                FailedWriteState::Settled(SentWrite::Landed(answer)) => {
                    return Ok(SentWrite::Landed(answer.complete_with(sent, &current)));
                }
                FailedWriteState::Settled(other) => return Ok(other),
                FailedWriteState::AsBefore(shown) => shown,
            };
            match self.update_of(set, &shown.contact.values, avoided) {
                Ok(again) => update = again,
                Err(_) => return Ok(SentWrite::Unclear(shown)),
            }
            current = shown.contact.values;
        }
        Ok(SentWrite::Gone)
    }

    /// The answer to an update, or what Linq shows now where the answer is as if nothing
    /// had been sent: it may be an old one.
    pub(super) async fn confirmed_answer(
        &self,
        id: LinqId,
        answer: Fetched,
        set: &[FieldChange],
    ) -> Result<Fetched, LinqError> {
        if self.taken_changes(set, &answer).len() == set.len() {
            return Ok(answer);
        }
        Ok(match self.client.get(id).await? {
            Lookup::Found(fetched) => *fetched,
            Lookup::Absent | Lookup::Unproven(_) => answer,
        })
    }

    /// The changes without those that Linq ignored: a field that has its old value and
    /// nothing of the new one. An ignored clearing is a matter of the base.
    pub(super) fn taken_changes(&self, set: &[FieldChange], answer: &Fetched) -> Vec<FieldChange> {
        let canon = self.policy.canon;
        let is_ignored = |change: &&FieldChange| {
            let FieldChange { field, from, to } = change;
            let shown = &answer.contact.values[*field];
            !to.trim().is_empty()
                && canon.means_same(*field, shown, from)
                && !canon.means_same(*field, shown, to)
                && !is_rewritten(*field, to, shown, canon)
        };
        set.iter().filter(|change| !is_ignored(change)).cloned().collect()
    }

    /// The body of an update: the changed fields, one that identifies the contact, and the
    /// owner, who might be replaced otherwise.
    pub(super) fn update_of(
        &self,
        set: &[FieldChange],
        current: &Values,
        avoided: FieldSet,
    ) -> Result<Update, UpdateError> {
        let canon = self.policy.canon;
        let changed = set.iter().filter(|change| change.field != Field::Owner);
        let mut fields: Vec<(Field, String)> =
            changed.map(|change| (change.field, canon.to_send(change.field, &change.to))).collect();
        let carried = carried_field(set, current, avoided);
        fields.extend(carried.map(|field| (field, current[field].to_string())));
        let owner = set.iter().find(|change| change.field == Field::Owner);
        let owner = owner.map_or(&current[Field::Owner], |change| &change.to).trim();
        Update::new(fields, (!owner.is_empty()).then(|| owner.to_owned()))
    }

    /// Sends an update. If Linq does not know the present owner as a user, it is
    /// sent once more without naming one.
    async fn send_update(
        &self,
        id: LinqId,
        update: Update,
        set: &[FieldChange],
    ) -> Result<Fetched, LinqError> {
        let owner_changes = set.iter().any(|change| change.field == Field::Owner);
        match self.client.patch(id, &update).await {
            Err(error) if !owner_changes && is_unknown_user(&error) => {
                self.client.patch(id, &update.without_user_email()).await
            }
            result => result,
        }
    }
}

/// The field that is sent along with its present value, where none of the changes fills one
/// that identifies the contact: Linq refuses an update without one.
pub(super) fn carried_field(
    set: &[FieldChange],
    current: &Values,
    avoided: FieldSet,
) -> Option<Field> {
    let identifies = |change: &FieldChange| {
        Field::IDENTITY.contains(&change.field) && !change.to.trim().is_empty()
    };
    if set.iter().any(identifies) {
        return None;
    }
    let after = current.with_changes(set);
    let is_filled = |field: &Field| !avoided.contains(*field) && !after[*field].trim().is_empty();
    Field::IDENTITY.into_iter().find(is_filled)
}

/// What a contact looks like beside an update that was not answered.
enum UpdateTrace {
    AsSent,
    AsBefore,
    Neither,
}

fn look_of(set: &[FieldChange], shown: &Values, canon: Canon) -> UpdateTrace {
    let all = |is: &dyn Fn(&FieldChange, &str) -> bool| {
        set.iter().all(|change| is(change, &shown[change.field]))
    };
    let as_sent =
        |change: &FieldChange, shown: &str| canon.means_same(change.field, shown, &change.to);
    let as_before =
        |change: &FieldChange, shown: &str| canon.means_same(change.field, shown, &change.from);
    let rewritten = |change: &FieldChange, shown: &str| {
        as_sent(change, shown) || is_rewritten(change.field, &change.to, shown, canon)
    };
    if all(&as_sent) {
        UpdateTrace::AsSent
    } else if all(&as_before) {
        UpdateTrace::AsBefore
    } else if all(&rewritten) {
        UpdateTrace::AsSent
    } else {
        UpdateTrace::Neither
    }
}

fn is_unknown_user(error: &LinqError) -> bool {
    error.rejection().is_some_and(|rejection| rejection.reason == RejectionReason::NoSuchUser)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Region;

    #[test]
    fn an_update_without_an_answer_is_judged_by_what_the_contact_looks_like() {
        let change = |from: &str, to: &str| FieldChange {
            field: Field::Title,
            from: from.into(),
            to: to.into(),
        };
        let look = |change: FieldChange, shown: &str| {
            let shown = Values::from_iter([(Field::Title, shown.to_owned())]);
            match look_of(&[change], &shown, Canon::new(Region::US)) {
                UpdateTrace::AsSent => "as sent",
                UpdateTrace::AsBefore => "as before",
                UpdateTrace::Neither => "neither",
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
