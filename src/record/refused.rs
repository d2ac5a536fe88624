//! What Linq refused: kept until it changes, its time comes, or a person wants it to be sent
//! again.
//!
//! Owns the one form in which a rejection is written down. Leaves what it is known by, and
//! whether it still stands, to [`crate::plan`].

use crate::mirror::{Action, IntentOutcome, Record, Rejection, RejectionChange, StateError};
use crate::model::{Decision, Field, FieldSet, Fingerprint, IntentId, LinqId, Side, Timestamp};
use crate::plan::{
    CarriedOut, LinqWrite, Step, Subject, refused_field, refused_user, unknown_user,
};

use super::Recorder;

/// A field whose value Linq refused.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefusedField {
    pub(crate) field: Field,
    /// The value, in the source's spelling.
    pub(crate) text: String,
    /// Why, for people.
    pub(crate) reason: String,
}

impl Recorder<'_> {
    /// What Linq refused of a contact, whose other fields it took.
    pub(super) fn refusals(
        &self,
        step: &Step,
        id: LinqId,
        refused: &[RefusedField],
        at: Timestamp,
    ) -> Vec<Record> {
        let record = |one: &RefusedField| {
            let RefusedField { field, text, reason } = one;
            let about = Refused {
                fingerprint: refused_field(id, *field, text),
                fields: [*field].into_iter().collect(),
                linq_id: Some(id),
                subject: Some(&step.subject),
                reason,
            };
            let mut record = about.record(self, step, format!("{field}: {reason}"), at);
            for history in &mut record.history {
                history.decided = self.decided_by(step, Some(*field));
            }
            let is_of_field = |decided: &&CarriedOut| decided.field == Some(*field);
            record.decided = step.decided.iter().filter(is_of_field).map(|one| one.what).collect();
            record
        };
        refused.iter().map(record).collect()
    }

    /// Linq refused fields of a contact that it has.
    pub(crate) fn refused_fields(
        &self,
        step: &Step,
        id: LinqId,
        refused: &[RefusedField],
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.state.commit(self.run, at, &self.refusals(step, id, refused, at))
    }

    /// Linq does not know the user for whom contacts are to be created.
    pub(crate) fn refused_user(
        &self,
        step: &Step,
        intent: IntentId,
        email: &str,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let reason = format!("{}, whom linq.owner names", unknown_user(email));
        let about = Refused {
            fingerprint: refused_user(email),
            fields: FieldSet::EMPTY,
            linq_id: None,
            subject: None,
            reason: &reason,
        };
        let record = Record {
            intent: Some((intent, IntentOutcome::Refused)),
            ..about.record(self, step, reason.clone(), at)
        };
        self.state.commit(self.run, at, &[record])
    }

    /// Something that a person wanted was not sent, since Linq would refuse it as it has
    /// just refused the same of another contact.
    pub(crate) fn not_sent(&self, step: &Step, at: Timestamp) -> Result<(), StateError> {
        let decided = step.decided.iter().map(|one| one.what).collect();
        self.state.commit(self.run, at, &[Record { decided, ..Record::default() }])
    }

    /// The source could not take what a person wanted it to be given again: with that the
    /// decision is carried out.
    pub(crate) fn tried_in_vain(&self, step: &Step, at: Timestamp) -> Result<(), StateError> {
        let wanted =
            |what: &Fingerprint| self.seen.decisions.about(*what) == Some(&Decision::Retry);
        let decided: Vec<Fingerprint> =
            step.decided.iter().map(|one| one.what).filter(wanted).collect();
        if decided.is_empty() {
            return Ok(());
        }
        self.state.commit(self.run, at, &[Record { decided, ..Record::default() }])
    }

    /// Linq refused a write as a whole, and named these fields: it is not sent again until it
    /// changes.
    pub(crate) fn refused(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        fields: FieldSet,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let about = Refused {
            fingerprint: write.fingerprint(),
            fields,
            linq_id: step.subject.linq_id,
            subject: Some(&step.subject),
            reason,
        };
        let record = Record {
            intent: Some((intent, IntentOutcome::Refused)),
            ..about.record(self, step, reason.to_owned(), at)
        };
        self.state.commit(self.run, at, &[record])
    }
}

/// Something that Linq refused.
struct Refused<'a> {
    fingerprint: Fingerprint,
    fields: FieldSet,
    linq_id: Option<LinqId>,
    /// Whose record it is about, if it is about one.
    subject: Option<&'a Subject>,
    reason: &'a str,
}

impl Refused<'_> {
    /// How it is written down; `told` is what the history says. All that `step` carries out is
    /// decided with it.
    fn record(self, recorder: &Recorder<'_>, step: &Step, told: String, at: Timestamp) -> Record {
        let Refused { fingerprint, fields, linq_id, subject, reason } = self;
        let mut history = recorder.entry(step, Side::Linq, Action::Reject);
        history.linq_id = linq_id.or(history.linq_id);
        history.reason = told;
        let rejection = Rejection {
            fingerprint,
            fields,
            linq_id,
            source: subject.and_then(|subject| subject.source_key.clone()),
            line: subject.and_then(|subject| subject.line),
            reason: reason.to_owned(),
            at,
        };
        Record {
            rejection: RejectionChange::Add(rejection),
            history: vec![history],
            decided: step.decided.iter().map(|one| one.what).collect(),
            ..Record::default()
        }
    }
}
