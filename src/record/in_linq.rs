//! What Linq answered to creates, updates and deletions.
//!
//! Owns how an answer becomes links, base and history. Leaves what the source holds to
//! [`super::written`], and what was refused to [`super::refused`].

use ecow::EcoString;

use crate::linq::Fetched;
use crate::mirror::{
    ContactChange, HistoryAction, IntentOutcome, LinkChange, StateChange, StateError,
};
use crate::model::{
    Agreement, Base, Field, FieldChange, FieldSet, IntentId, Side, SourceRecord, Timestamp, Values,
};
use crate::observe::record_at;
use crate::plan::{LinkPlan, Step, agreed_by_answer};

use super::refused::RefusedField;
use super::{
    RecordIdentity, Recorder, answered_base, carried_out, contact_change, emptied_values,
    filled_values,
};

/// What Linq took when it created a contact.
#[derive(Clone, Copy)]
pub(crate) struct Creation<'a> {
    /// What was sent, in the source's spelling.
    pub(crate) values: &'a Values,
    /// The user who was to own it.
    pub(crate) user_email: Option<&'a str>,
    /// What was left out, since Linq had refused it.
    pub(crate) refused: &'a [RefusedField],
}

/// What is known of an update that is made in parts.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// What was agreed on by earlier parts.
    pub(crate) earlier: &'a Base,
    /// The fields that are not in Linq so far.
    pub(crate) left: FieldSet,
}

impl Recorder<'_> {
    /// The fields of a record that a create in Linq sends.
    fn sent_fields(&self, record: &SourceRecord) -> FieldSet {
        self.seen
            .source
            .mapped
            .iter()
            .filter(|field| !record.is_rejected(*field))
            .filter(|field| self.policy.writes_field(Side::Linq, *field))
            .collect()
    }

    /// A contact was created in Linq for the step's record.
    pub(crate) fn record_created(
        &self,
        step: &Step,
        intent: IntentId,
        answer: &Fetched,
        sent: Creation<'_>,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let Some(index) = step.subject.record else { return Ok(()) };
        let record = record_at(self.seen, index);
        let mut base = self.base_of_created(record, sent, &answer.contact.values);
        base.see_names(record, self.policy.canon);
        let RecordIdentity { key, fingerprint, content } = RecordIdentity::of_record(record);
        let mut history = self.step_entry(step, Side::Linq, HistoryAction::Create);
        history.linq_id = Some(answer.contact.id);
        history.changes = filled_values(&answer.contact.values);
        let replaced = step.subject.link.map(|id| StateChange {
            link: LinkChange::Remove(id),
            contact: step.subject.linq_id.map_or(ContactChange::Keep, ContactChange::Forget),
            ..StateChange::default()
        });
        let linked = StateChange {
            intent: Some((intent, IntentOutcome::Landed)),
            link: LinkChange::Insert {
                linq_id: answer.contact.id,
                key,
                fingerprint,
                content,
                base,
            },
            contact: contact_change(answer),
            history: vec![history],
            decided: carried_out(step, None),
            ..StateChange::default()
        };
        let refused = self.record_refusals(step, answer.contact.id, sent.refused, at);
        let records: Vec<StateChange> =
            replaced.into_iter().chain([linked]).chain(refused).collect();
        self.state.commit_outcome(self.run, at, &records)
    }

    /// What both sides agreed on when a contact was created. What was not sent is an edit
    /// that Linq does not have yet. In the place of an owner whom it refused Linq has chosen
    /// one itself, which nobody has agreed on.
    fn base_of_created(&self, record: &SourceRecord, sent: Creation<'_>, answer: &Values) -> Base {
        let is_blank = |text: &str| text.trim().is_empty();
        let is_sent = |field: &Field| {
            let text = &record.values[*field];
            *field == Field::Owner || is_blank(text) || !is_blank(&sent.values[*field])
        };
        let fields: FieldSet = self.sent_fields(record).iter().filter(is_sent).collect();
        let mut base: Base = agreed_by_answer(&record.values, answer, fields).collect();
        let owner = record.values[Field::Owner].trim();
        let has_own = fields.contains(Field::Owner) && !owner.is_empty();
        if has_own && sent.user_email.map(str::trim) != Some(owner) {
            let (source, linq) = (EcoString::new(), answer[Field::Owner].clone());
            base.set(Field::Owner, Agreement { source, linq });
        }
        base
    }

    /// Some fields of a contact were changed in Linq, as one part of a step. Returns what was
    /// agreed on by all parts so far.
    pub(crate) fn record_updated(
        &self,
        step: &Step,
        intent: IntentId,
        set: &[FieldChange],
        answer: &Fetched,
        parts: Parts<'_>,
        at: Timestamp,
    ) -> Result<Base, StateError> {
        let mut agreed = parts.earlier.clone();
        for FieldChange { field, to, .. } in set {
            let linq = answer.contact.values[*field].clone();
            agreed.set(*field, Agreement { source: to.clone(), linq });
        }
        if let LinkPlan::PutBack(base) = &step.link {
            let back = answered_base(base, set, &answer.contact.values).without_fields(parts.left);
            back.agreed_fields().iter().for_each(|field| agreed.take_field(field, &back));
            parts
                .earlier
                .agreed_fields()
                .iter()
                .for_each(|field| agreed.take_field(field, parts.earlier));
        }
        let base = |change: &FieldChange| {
            let had = Agreement { source: change.to.clone(), linq: change.from.clone() };
            let after = agreed.get(change.field)?.clone();
            Some(self.base_change(step.subject.link, change.field, had, after))
        };
        let history = self.update_entries(step, Side::Linq, set, &base);
        let link = step.subject.link;
        let link = link.map_or(LinkChange::Keep, |id| self.restored_base(id, &agreed, None));
        let record = StateChange {
            intent: Some((intent, IntentOutcome::Landed)),
            link,
            contact: contact_change(answer),
            history,
            decided: carried_out(step, Some(set)),
            ..StateChange::default()
        };
        self.state.commit_outcome(self.run, at, &[record])?;
        Ok(agreed)
    }

    /// A change was sent to Linq and not answered, and the contact is neither as before
    /// nor as it was to be. The history tells what may have been replaced.
    pub(crate) fn record_unclear(
        &self,
        step: &Step,
        intent: IntentId,
        set: &[FieldChange],
        shown: &Fetched,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let mut history = self.step_entry(step, Side::Linq, HistoryAction::Update);
        history.changes = set.to_vec();
        "Linq did not answer, and the contact was edited meanwhile".clone_into(&mut history.reason);
        let record = StateChange {
            intent: Some((intent, IntentOutcome::Landed)),
            contact: contact_change(shown),
            history: vec![history],
            ..StateChange::default()
        };
        self.state.commit_outcome(self.run, at, &[record])
    }

    /// A contact was deleted in Linq; `before` is what it was.
    pub(crate) fn record_deleted(
        &self,
        step: &Step,
        intent: IntentId,
        before: &Fetched,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let mut history = self.step_entry(step, Side::Linq, HistoryAction::Delete);
        history.before = Some(before.raw.clone());
        history.changes = emptied_values(&before.contact.values);
        let kept = self.kept_record(step.subject.link);
        let was = kept.as_ref().map(|kept| &kept.values);
        history.bases = self.last_known(step.subject.link, was, Some(&before.contact.values));
        let history = history.with_gone(kept.map(|kept| kept.written));
        let record = StateChange {
            intent: Some((intent, IntentOutcome::Landed)),
            link: self.half_deleted(step.subject.link),
            contact: ContactChange::Forget(before.contact.id),
            history: vec![history],
            decided: carried_out(step, None),
            ..StateChange::default()
        };
        self.state.commit_outcome(self.run, at, &[record])
    }
}
