//! One update as a request: what it carries besides its changes, how it is sent again, and
//! what Linq made of it.
//!
//! Owns the field that identifies the contact in each request, the owner who is sent along, and
//! the comparison with the answer. Leaves which fields are sent to [`super::update`].

use crate::linq::{Fetched, LinqError, Lookup, Reason, Update, UpdateError};
use crate::model::{Canon, Change, Field, FieldSet, LinqId, Values};
use crate::plan::is_rewritten;

use super::Apply;
use super::change::{Looked, Sent};

impl Apply<'_> {
    /// Sends an update of a contact that is `current`. Before it is sent again the contact
    /// is looked at: it may have been updated, or edited by somebody else meanwhile. What
    /// an update carries besides its changes is then what the contact was just shown with.
    pub(super) async fn patch_until_answered(
        &self,
        id: LinqId,
        mut update: Update,
        set: &[Change],
        mut current: Values,
        avoided: FieldSet,
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
            match self.update_of(set, &shown.contact.values, avoided) {
                Ok(again) => update = again,
                Err(_) => return Ok(Sent::Unclear(shown)),
            }
            current = shown.contact.values;
        }
        Ok(Sent::Gone)
    }

    /// The answer to an update, or what Linq shows now where the answer is as if nothing
    /// had been sent: it may be an old one.
    pub(super) async fn believed(
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
    pub(super) fn taken(&self, set: &[Change], answer: &Fetched) -> Vec<Change> {
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

    /// The body of an update: the changed fields, one that identifies the contact, and the
    /// owner, who might be replaced otherwise.
    pub(super) fn update_of(
        &self,
        set: &[Change],
        current: &Values,
        avoided: FieldSet,
    ) -> Result<Update, UpdateError> {
        let canon = self.policy.canon;
        let changed = set.iter().filter(|change| change.field != Field::Owner);
        let mut fields: Vec<(Field, String)> =
            changed.map(|change| (change.field, canon.to_send(change.field, &change.to))).collect();
        let carried = carried(set, current, avoided);
        fields.extend(carried.map(|field| (field, current[field].to_string())));
        let owner = set.iter().find(|change| change.field == Field::Owner);
        let owner = owner.map_or(&current[Field::Owner], |change| &change.to).trim();
        Update::new(fields, (!owner.is_empty()).then(|| owner.to_owned()))
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
}

/// The field that is sent along with its present value, where none of the changes fills one
/// that identifies the contact: Linq refuses an update without one.
pub(super) fn carried(set: &[Change], current: &Values, avoided: FieldSet) -> Option<Field> {
    let identifies =
        |change: &Change| Field::IDENTITY.contains(&change.field) && !change.to.trim().is_empty();
    if set.iter().any(identifies) {
        return None;
    }
    let after = current.with(set);
    let is_filled = |field: &Field| !avoided.contains(*field) && !after[*field].trim().is_empty();
    Field::IDENTITY.into_iter().find(is_filled)
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
        let change =
            |from: &str, to: &str| Change { field: Field::Title, from: from.into(), to: to.into() };
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
