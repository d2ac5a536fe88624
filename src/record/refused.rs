//! What Linq refused: kept until it changes, its time comes, or a person wants it to be sent
//! again.

use crate::mirror::{Action, IntentOutcome, Record, Rejection, RejectionChange, StateError};
use crate::model::{Decision, Field, FieldSet, Fingerprint, IntentId, LinqId, Side, Timestamp};
use crate::plan::{LinqWrite, Step, refused_field, refused_user, unknown_user};

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
            let mut history = self.entry(step, Side::Linq, Action::Reject);
            history.decided = self.decided_by(step, Some(*field));
            history.linq_id = Some(id);
            history.reason = format!("{field}: {reason}");
            Record {
                rejection: RejectionChange::Add(Rejection {
                    fingerprint: refused_field(id, *field, text),
                    fields: [*field].into_iter().collect(),
                    linq_id: Some(id),
                    source: step.subject.source_key.clone(),
                    line: step.subject.line,
                    reason: reason.clone(),
                    at,
                }),
                history: vec![history],
                decided: step
                    .decided
                    .iter()
                    .filter(|decided| decided.field == Some(*field))
                    .map(|decided| decided.what)
                    .collect(),
                ..Record::default()
            }
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
        let mut history = self.entry(step, Side::Linq, Action::Reject);
        history.reason.clone_from(&reason);
        let rejection = Rejection {
            fingerprint: refused_user(email),
            fields: FieldSet::EMPTY,
            linq_id: None,
            source: None,
            line: None,
            reason,
            at,
        };
        let record = Record {
            intent: Some((intent, IntentOutcome::Refused)),
            rejection: RejectionChange::Add(rejection),
            history: vec![history],
            decided: step.decided.iter().map(|one| one.what).collect(),
            ..Record::default()
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
        let mut history = self.entry(step, Side::Linq, Action::Reject);
        reason.clone_into(&mut history.reason);
        let rejection = Rejection {
            fingerprint: write.fingerprint(),
            fields,
            linq_id: step.subject.linq_id,
            source: step.subject.source_key.clone(),
            line: step.subject.line,
            reason: reason.to_owned(),
            at,
        };
        let record = Record {
            intent: Some((intent, IntentOutcome::Refused)),
            rejection: RejectionChange::Add(rejection),
            history: vec![history],
            decided: step.decided.iter().map(|one| one.what).collect(),
            ..Record::default()
        };
        self.state.commit(self.run, at, &[record])
    }
}
