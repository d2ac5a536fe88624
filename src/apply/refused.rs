//! What is left out of a write that Linq refused, so that the rest of it lands.
//!
//! Owns who is to blame: the fields that the answer names, or else, where it names none,
//! the ones that are found by trying smaller parts. Every attempt is one that Linq has
//! certainly refused before the next is made, so nothing is ever written twice. What the
//! refusals of one contact tell about others is remembered for the run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tokio::sync::Mutex;

use crate::linq::{LinqRejection, Named, RejectionReason};
use crate::model::{Field, FieldChange, FieldSet, Values};
use crate::record::RefusedField;

use super::create::CreateBody;

/// After so many contacts in a row of which Linq takes no part either, and does not say why,
/// it is not the contacts: no further parts are tried in this run.
const MOST_IN_VAIN: u32 = 3;

/// What a run has learned from what Linq refused.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Users whom Linq does not know, with what it said.
    unknown: RefCell<BTreeMap<String, String>>,
    /// Users for whom it has created a contact in this run.
    known: RefCell<BTreeSet<String>>,
    /// Until one of them is known, one contact is created at a time.
    first: Mutex<()>,
    /// How many contacts in a row were refused in every part, for no reason that was named.
    in_vain: Cell<u32>,
}

impl Learned {
    /// Whether Linq has said in this run that it does not know the user.
    pub(super) fn is_unknown(&self, email: &str) -> bool {
        self.unknown.borrow().contains_key(&owner_key(email))
    }

    /// Takes in that Linq does not know the user, for this reason.
    pub(super) fn add_unknown(&self, email: &str, reason: &str) {
        self.unknown.borrow_mut().insert(owner_key(email), reason.to_owned());
    }

    /// The refusal of the user as an owner, if Linq does not know them.
    pub(super) fn refused_owner(&self, email: &str) -> Option<RefusedField> {
        let reason = self.unknown.borrow().get(&owner_key(email))?.clone();
        Some(RefusedField { field: Field::Owner, text: email.to_owned(), reason })
    }

    /// Whether a contact was created for the user in this run.
    pub(super) fn is_known(&self, email: &str) -> bool {
        self.known.borrow().contains(&owner_key(email))
    }

    pub(super) fn add_known(&self, email: &str) {
        self.known.borrow_mut().insert(owner_key(email));
    }

    /// Held by the one create that finds out whether Linq knows a user.
    pub(super) fn owner_turn(&self) -> &Mutex<()> {
        &self.first
    }

    /// Whether it is worth trying parts of something that was refused.
    pub(super) fn tries_parts(&self) -> bool {
        self.in_vain.get() < MOST_IN_VAIN
    }

    /// Takes in whether any part of something was taken.
    pub(super) fn learn_from_attempt(&self, any_was_taken: bool) {
        self.in_vain.set(if any_was_taken { 0 } else { self.in_vain.get() + 1 });
    }
}

fn owner_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// A refused value of `field`, for people to see.
pub(super) fn refused_field(field: Field, text: &str, rejection: &LinqRejection) -> RefusedField {
    let said = rejection.texts_about(field).join("; ");
    RefusedField { field, text: text.to_owned(), reason: refusal_reason(rejection, &said) }
}

/// Why Linq refused, in its own words if it has `said` any.
pub(super) fn refusal_reason(rejection: &LinqRejection, said: &str) -> String {
    if said.is_empty() {
        format!("Linq refused it: {}", rejection.answered)
    } else {
        format!("Linq refused it: {said}")
    }
}

/// What follows from the refusal of some changes of one contact.
pub(super) enum Blame {
    /// These fields are refused; the others are sent again.
    Fields(FieldSet),
    /// It may be any of them: each part is tried.
    Parts(Vec<Vec<FieldChange>>),
    /// What is sent along is refused: something else may be.
    Carried,
    /// It is not about what was sent.
    All,
}

/// Who is to blame for the refusal of `changes`; `carried` is the field that was sent along
/// with its present value, since Linq wants one that identifies the contact.
pub(super) fn find_blame(
    changes: &[FieldChange],
    carried: Option<Field>,
    rejection: &LinqRejection,
    learned: &Learned,
) -> Blame {
    let sent: FieldSet = changes.iter().map(|change| change.field).collect();
    match rejection.reason {
        RejectionReason::NoSuchUser if sent.contains(Field::Owner) => {
            return Blame::Fields([Field::Owner].into_iter().collect());
        }
        RejectionReason::Invalid | RejectionReason::Taken => {}
        RejectionReason::NoSuchUser
        | RejectionReason::NoSuchContact
        | RejectionReason::Forbidden
        | RejectionReason::Other => {
            return Blame::All;
        }
    }
    let Named { fields, each, .. } = &*rejection.named;
    let named = fields.intersection(sent);
    if named.is_empty() && carried.is_some_and(|carried| fields.contains(carried)) {
        return Blame::Carried;
    }
    if sent.len() == 1 {
        return Blame::Fields(sent);
    }
    if !named.is_empty() && *each {
        return Blame::Fields(named);
    }
    if named.is_empty() && !learned.tries_parts() {
        return Blame::All;
    }
    let (first, second) = if named.is_empty() || named == sent {
        let (first, second) = changes.split_at(changes.len() / 2);
        (first.to_vec(), second.to_vec())
    } else {
        changes.iter().cloned().partition(|change| named.contains(change.field))
    };
    Blame::Parts(vec![first, second])
}

/// A create that was refused, and what can be sent in its place.
pub(super) struct Creating {
    /// What is sent next, or was sent last.
    pub(super) sent: CreateBody,
    /// What was left out, since Linq has refused it.
    pub(super) refused: Vec<RefusedField>,
    /// The fields that Linq has named so far.
    pub(super) named: FieldSet,
    /// Smaller parts that are still to be tried, once there is nothing better to go by.
    ways: Option<VecDeque<CreateBody>>,
}

impl Creating {
    pub(super) fn new(sent: CreateBody) -> Creating {
        Creating { sent, refused: Vec::new(), named: FieldSet::EMPTY, ways: None }
    }

    /// Whether smaller parts were tried.
    pub(super) fn tried_parts(&self) -> bool {
        self.ways.is_some()
    }

    /// Leaves out the owner of the record, whom Linq does not know; `otherwise` owns it.
    pub(super) fn without_owner(&mut self, why: RefusedField, otherwise: Option<String>) {
        self.refused.push(why);
        self.sent.user_email = otherwise;
        self.ways = None;
    }

    /// Leaves out what Linq has refused. `false` where nothing can be sent instead.
    /// `has_own_owner` tells whether the record names the owner.
    pub(super) fn reduce(
        &mut self,
        rejection: &LinqRejection,
        has_own_owner: bool,
        learned: &Learned,
    ) -> bool {
        let named = rejection.named.fields.intersection(self.sent.values.filled_fields());
        self.named.extend(named.iter());
        if rejection.reason != RejectionReason::Invalid {
            return false;
        }
        if self.ways.is_none() && !named.is_empty() {
            if self.leave_out_named(named, rejection) {
                return true;
            }
            if rejection.named.each {
                return false;
            }
        }
        if !learned.tries_parts() {
            return false;
        }
        let sent = &self.sent;
        let ways = self.ways.get_or_insert_with(|| smaller_parts(sent, has_own_owner));
        let Some(next) = ways.pop_front() else { return false };
        self.sent = next;
        true
    }

    /// Leaves out the fields that the answer names, unless nothing would be left to
    /// recognise the contact by.
    fn leave_out_named(&mut self, named: FieldSet, rejection: &LinqRejection) -> bool {
        let left = self.sent.values.filled_fields().iter().filter(|field| !named.contains(*field));
        let left = self.sent.values.only_fields(left.collect());
        if left.lacks_identity() {
            return false;
        }
        if rejection.named.each {
            let values = &self.sent.values;
            self.refused.extend(named.iter().map(|f| refused_field(f, &values[f], rejection)));
        }
        self.sent.values = left;
        true
    }
}

/// Smaller parts of what was sent that are contacts as well: everything without the owner
/// whom the record names, and each thing that a contact can be recognised by alone. What
/// such a part lacks is an edit of the contact then.
fn smaller_parts(sent: &CreateBody, has_own_owner: bool) -> VecDeque<CreateBody> {
    let mut ways = VecDeque::new();
    let user_email = sent.user_email.clone().filter(|_| !has_own_owner);
    if has_own_owner && sent.user_email.is_some() {
        ways.push_back(CreateBody { user_email: None, ..sent.clone() });
    }
    let names: &[Field] = &[Field::FirstName, Field::LastName];
    for fields in [names, &[Field::Email], &[Field::PhoneNumber]] {
        let values: Values = sent.values.only_fields(fields.iter().copied().collect());
        if !values.lacks_identity() && values != sent.values {
            ways.push_back(CreateBody { values, user_email: user_email.clone() });
        }
    }
    ways
}
