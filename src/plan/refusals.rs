//! What Linq refused: it is left out of what is sent until it changes, its time comes, or a
//! person wants it to be sent again.
//!
//! Owns what a refusal is known by. A field is refused for its value alone, so that the
//! contact's other fields flow; a whole write only where nothing less could be blamed; a
//! user once for every contact that would be created for them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::model::{
    Decision, Field, FieldChange, FieldSet, Fingerprint, LinqId, Policy, Side, Timestamp,
    WaitingKind,
};

use super::merge::keep_an_identity;
use super::observation::Observation;
use super::step::{CarriedOut, LinqWrite, Plan, Step, Subject, Wait};
use super::waiting::{decided_about, question_id};

/// Something that Linq refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The fields that Linq named, where a whole write was refused.
    pub fields: FieldSet,
    /// Why, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What the refusal of `text` as the value of a contact's field is known by.
pub fn refused_field(id: LinqId, field: Field, text: &str) -> Fingerprint {
    parts_fingerprint(&["field", &id.to_string(), field.name(), text])
}

/// What it is known by that Linq does not know a user.
pub fn refused_user(email: &str) -> Fingerprint {
    parts_fingerprint(&["user", &email.trim().to_lowercase()])
}

pub(super) fn parts_fingerprint(parts: &[&str]) -> Fingerprint {
    // Serialising texts cannot fail.
    Fingerprint::of(&serde_json::to_vec(parts).unwrap_or_default())
}

/// Takes what Linq refused out of what `step` sends, and lets it wait. Returns the refusals
/// that stand.
pub(super) fn leave_out_refused(
    step: &mut Step,
    seen: &Observation,
    policy: &Policy,
) -> Vec<Fingerprint> {
    if seen.refused.is_empty() {
        return Vec::new();
    }
    let refusals = Refusals { seen, policy };
    let mut stand = refusals.of_fields(step);
    stand.extend(refusals.of_user(step));
    stand.extend(refusals.of_write(step));
    stand
}

#[derive(Clone, Copy)]
struct Refusals<'a> {
    seen: &'a Observation,
    policy: &'a Policy,
}

/// What becomes of something that was refused before.
enum RefusalVerdict<'a> {
    /// It waits.
    Stands(&'a Refusal),
    /// It is sent again, since a person wants it.
    Retried(Fingerprint),
    /// It was never refused, or its time has come.
    Sent,
}

impl<'a> Refusals<'a> {
    fn of_fields(self, step: &mut Step) -> Vec<Fingerprint> {
        let Some(LinqWrite::Update { id, set, .. }) = &mut step.linq else { return Vec::new() };
        let (mut stand, mut kept, mut waits, mut retried) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for change in std::mem::take(set) {
            let FieldChange { field, to, .. } = &change;
            let refusal = refused_field(*id, *field, to);
            match self.refusal_verdict(refusal, Some(*field), &step.subject) {
                RefusalVerdict::Stands(Refusal { reason, .. }) => {
                    stand.push(refusal);
                    waits.push(rejected_wait(Some(*field), reason, refusal));
                    continue;
                }
                RefusalVerdict::Retried(what) => retried.push((what, *field)),
                RefusalVerdict::Sent => {}
            }
            kept.push(change);
        }
        *set = kept;
        if let (false, Some(contact)) = (stand.is_empty(), self.seen.linq.contacts.get(id)) {
            // What was refused may have been all that was left to know the contact by.
            waits.extend(keep_an_identity(&contact.values, set));
        }
        if set.is_empty() {
            step.linq = None;
        }
        step.waits.extend(waits);
        for (what, field) in retried {
            carry_out(step, what, Some(field));
        }
        stand
    }

    /// A contact is not created for a user whom Linq does not know.
    fn of_user(self, step: &mut Step) -> Option<Fingerprint> {
        let Some(LinqWrite::Create { user_email: Some(email), .. }) = &step.linq else {
            return None;
        };
        self.whole_refusal(step, refused_user(email))
    }

    fn of_write(self, step: &mut Step) -> Option<Fingerprint> {
        self.whole_refusal(step, step.linq.as_ref()?.fingerprint())
    }

    fn whole_refusal(self, step: &mut Step, refusal: Fingerprint) -> Option<Fingerprint> {
        let known = self.seen.refused.get(&refusal)?;
        let fields: Vec<Option<Field>> = match known.fields.len() {
            0 => vec![None],
            _ => known.fields.iter().map(Some).collect(),
        };
        let (mut stands, mut retried) = (false, false);
        for field in &fields {
            match self.refusal_verdict(refusal, *field, &step.subject) {
                RefusalVerdict::Stands(_) => stands = true,
                RefusalVerdict::Retried(what) => {
                    retried = true;
                    carry_out(step, what, first_field(step));
                }
                RefusalVerdict::Sent => {}
            }
        }
        if retried || !stands {
            return None;
        }
        step.linq = None;
        let waits = fields.iter().map(|field| rejected_wait(*field, &known.reason, refusal));
        step.waits.extend(waits);
        Some(refusal)
    }

    fn refusal_verdict(
        self,
        refusal: Fingerprint,
        field: Option<Field>,
        of: &Subject,
    ) -> RefusalVerdict<'a> {
        let Some(known) = self.seen.refused.get(&refusal) else { return RefusalVerdict::Sent };
        let kind = WaitingKind::Rejected { field, refusal: Some(refusal), side: Side::Linq };
        if decided_about(&kind, of, self.seen) == Some(&Decision::Retry) {
            RefusalVerdict::Retried(question_id(&kind, of, self.seen))
        } else if self.is_due(known) {
            RefusalVerdict::Sent
        } else {
            RefusalVerdict::Stands(known)
        }
    }

    /// Whether something was refused so long ago that it is sent again; or by a clock that
    /// was far ahead of this one.
    fn is_due(self, refusal: &Refusal) -> bool {
        const AHEAD: TimeDelta = TimeDelta::days(1);
        let ago = self.seen.now - refusal.at;
        self.policy.retry_rejected.is_some_and(|after| ago >= after || -ago > after.max(AHEAD))
    }
}

/// Notes that a step carries out a decision; a plan looks at its steps twice.
pub(super) fn carry_out(step: &mut Step, what: Fingerprint, field: Option<Field>) {
    let one = CarriedOut { question_id: what, field };
    if !step.decided.contains(&one) {
        step.decided.push(one);
    }
}

/// A field of the update that a step makes, by which its decisions are found again.
fn first_field(step: &Step) -> Option<Field> {
    match &step.linq {
        Some(LinqWrite::Update { set, .. }) => set.first().map(|change| change.field),
        Some(LinqWrite::Create { .. } | LinqWrite::Delete { .. }) | None => None,
    }
}

fn rejected_wait(field: Option<Field>, reason: &str, refusal: Fingerprint) -> Wait {
    let (reason, refusal) = (reason.to_owned(), Some(refusal));
    Wait::Rejected { field, reason, refusal, side: Side::Linq }
}

/// Says once, of all contacts that are not created because Linq does not know the user, what
/// to do about it.
pub(super) fn notice_unknown_user(plan: &mut Plan, seen: &Observation, policy: &Policy) {
    let Some(owner) = &policy.default_owner else { return };
    let user = refused_user(owner);
    if !seen.refused.contains_key(&user) {
        return;
    }
    let waits = |step: &&Step| {
        step.waits
            .iter()
            .any(|wait| matches!(wait, Wait::Rejected { refusal, .. } if *refusal == Some(user)))
    };
    let contacts = match plan.steps.iter().filter(waits).count() {
        0 => return,
        1 => "1 contact is".to_owned(),
        more => format!("{more} contacts are"),
    };
    plan.notices.push(format!(
        "Linq does not know the user `{owner}`, whom linq.owner names, so {contacts} not created: \
         correct linq.owner, or add the user in Linq and run `linqsync retry --all`"
    ));
}

/// Whom Linq does not know, for people.
pub fn unknown_user(email: &str) -> String {
    format!("Linq does not know the user `{email}`")
}

/// What Linq refused, by what it is known by.
pub type AllRefusals = BTreeMap<Fingerprint, Refusal>;
