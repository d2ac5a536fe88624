//! What Linq refused: kept until it changes, its time comes, or a person wants it to be sent
//! again.
//!
//! Owns the one form in which a rejection is written down. Leaves what it is known by, and
//! whether it still stands, to [`crate::plan`].

use crate::mirror::{
    HistoryAction, IntentOutcome, RejectionChange, StateChange, StateError, StoredRejection,
};
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
    pub(super) fn record_refusals(
        &self,
        step: &Step,
        id: LinqId,
        refused: &[RefusedField],
        at: Timestamp,
    ) -> Vec<StateChange> {
        let record = |one: &RefusedField| {
            let RefusedField { field, text, reason } = one;
            let about = RefusedWrite {
                fingerprint: refused_field(id, *field, text),
                fields: [*field].into_iter().collect(),
                linq_id: Some(id),
                subject: Some(&step.subject),
                reason,
            };
            let mut record = about.to_state_change(self, step, format!("{field}: {reason}"), at);
            for history in &mut record.history {
                history.decided = self.decided_by(step, Some(*field));
            }
            let is_of_field = |decided: &&CarriedOut| decided.field == Some(*field);
            record.decided =
                step.decided.iter().filter(is_of_field).map(|one| one.question_id).collect();
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
        self.state.commit_changes(self.run, at, &self.record_refusals(step, id, refused, at))
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
        let about = RefusedWrite {
            fingerprint: refused_user(email),
            fields: FieldSet::EMPTY,
            linq_id: None,
            subject: None,
            reason: &reason,
        };
        let record = StateChange {
            intent: Some((intent, IntentOutcome::Refused)),
            ..about.to_state_change(self, step, reason.clone(), at)
        };
        self.state.commit_changes(self.run, at, &[record])
    }

    /// Something that a person wanted was not sent, since Linq would refuse it as it has
    /// just refused the same of another contact.
    pub(crate) fn not_sent(&self, step: &Step, at: Timestamp) -> Result<(), StateError> {
        let decided = step.decided.iter().map(|one| one.question_id).collect();
        self.state.commit_changes(
            self.run,
            at,
            &[StateChange { decided, ..StateChange::default() }],
        )
    }

    /// The source could not take what a person wanted it to be given again: with that the
    /// decision is carried out.
    pub(crate) fn tried_in_vain(&self, step: &Step, at: Timestamp) -> Result<(), StateError> {
        let wanted = |what: &Fingerprint| {
            self.seen.decisions.decision_about(*what) == Some(&Decision::Retry)
        };
        let decided: Vec<Fingerprint> =
            step.decided.iter().map(|one| one.question_id).filter(wanted).collect();
        if decided.is_empty() {
            return Ok(());
        }
        self.state.commit_changes(
            self.run,
            at,
            &[StateChange { decided, ..StateChange::default() }],
        )
    }

    /// Linq refused a write as a whole, and named these fields: it is not sent again until it
    /// changes.
    pub(crate) fn record_refused(
        &self,
        step: &Step,
        write: &LinqWrite,
        intent: IntentId,
        fields: FieldSet,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let about = RefusedWrite {
            fingerprint: write.fingerprint(),
            fields,
            linq_id: step.subject.linq_id,
            subject: Some(&step.subject),
            reason,
        };
        let record = StateChange {
            intent: Some((intent, IntentOutcome::Refused)),
            ..about.to_state_change(self, step, reason.to_owned(), at)
        };
        self.state.commit_changes(self.run, at, &[record])
    }
}

/// Something that Linq refused.
struct RefusedWrite<'a> {
    fingerprint: Fingerprint,
    fields: FieldSet,
    linq_id: Option<LinqId>,
    /// Whose record it is about, if it is about one.
    subject: Option<&'a Subject>,
    reason: &'a str,
}

impl RefusedWrite<'_> {
    /// How it is written down; `told` is what the history says. All that `step` carries out is
    /// decided with it.
    #[expect(clippy::wrong_self_convention, reason = "it is used up, and cannot be told twice")]
    fn to_state_change(
        self,
        recorder: &Recorder<'_>,
        step: &Step,
        told: String,
        at: Timestamp,
    ) -> StateChange {
        let RefusedWrite { fingerprint, fields, linq_id, subject, reason } = self;
        let mut history = recorder.step_entry(step, Side::Linq, HistoryAction::Reject);
        history.linq_id = linq_id.or(history.linq_id);
        history.reason = told;
        let rejection = StoredRejection {
            fingerprint,
            fields,
            linq_id,
            source: subject.and_then(|subject| subject.source_key.clone()),
            line: subject.and_then(|subject| subject.line),
            reason: reason.to_owned(),
            at,
        };
        StateChange {
            rejection: RejectionChange::Add(rejection),
            history: vec![history],
            decided: step.decided.iter().map(|one| one.question_id).collect(),
            ..StateChange::default()
        }
    }
}
