//! What Linq answered to creates, updates and deletions.
//!
//! Owns how an answer becomes links, base and history. Leaves what the source holds to
//! [`super::written`], and what was refused to [`super::refused`].

use ecow::EcoString;

use crate::linq::Fetched;
use crate::mirror::{Action, ContactChange, IntentOutcome, LinkChange, Record, StateError};
use crate::model::{
    Agreement, Base, Change, Field, FieldSet, IntentId, Side, SourceRecord, Timestamp, Values,
};
use crate::observe::record as record_at;
use crate::plan::{LinkPlan, Step, agreed_by_answer};

use super::refused::RefusedField;
use super::{Known, Recorder, answered, carried_out, emptied, filled, store};

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
            .filter(|field| !record.rejects(*field))
            .filter(|field| self.policy.writes_field(Side::Linq, *field))
            .collect()
    }

    /// A contact was created in Linq for the step's record.
    pub(crate) fn created(
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
        let Known { key, fingerprint, content } = Known::of(record);
        let mut history = self.entry(step, Side::Linq, Action::Create);
        history.linq_id = Some(answer.contact.id);
        history.changes = filled(&answer.contact.values);
        let replaced = step.subject.link.map(|id| Record {
            link: LinkChange::Remove(id),
            contact: step.subject.linq_id.map_or(ContactChange::Keep, ContactChange::Forget),
            ..Record::default()
        });
        let linked = Record {
            intent: Some((intent, IntentOutcome::Landed)),
            link: LinkChange::Insert {
                linq_id: answer.contact.id,
                key,
                fingerprint,
                content,
                base,
            },
            contact: store(answer),
            history: vec![history],
            decided: carried_out(step, None),
            ..Record::default()
        };
        let refused = self.refusals(step, answer.contact.id, sent.refused, at);
        let records: Vec<Record> = replaced.into_iter().chain([linked]).chain(refused).collect();
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
    pub(crate) fn updated(
        &self,
        step: &Step,
        intent: IntentId,
        set: &[Change],
        answer: &Fetched,
        parts: Parts<'_>,
        at: Timestamp,
    ) -> Result<Base, StateError> {
        let mut agreed = parts.earlier.clone();
        for Change { field, to, .. } in set {
            let linq = answer.contact.values[*field].clone();
            agreed.set(*field, Agreement { source: to.clone(), linq });
        }
        if let LinkPlan::PutBack(base) = &step.link {
            let back = answered(base, set, &answer.contact.values).without(parts.left);
            back.fields().iter().for_each(|field| agreed.take(field, &back));
            parts.earlier.fields().iter().for_each(|field| agreed.take(field, parts.earlier));
        }
        let base = |change: &Change| {
            let had = Agreement { source: change.to.clone(), linq: change.from.clone() };
            let after = agreed.get(change.field)?.clone();
            Some(self.base_change(step.subject.link, change.field, had, after))
        };
        let history = self.updates(step, Side::Linq, set, &base);
        let link = step.subject.link;
        let link = link.map_or(LinkChange::Keep, |id| self.put_back(id, &agreed, None));
        let record = Record {
            intent: Some((intent, IntentOutcome::Landed)),
            link,
            contact: store(answer),
            history,
            decided: carried_out(step, Some(set)),
            ..Record::default()
        };
        self.state.commit_outcome(self.run, at, &[record])?;
        Ok(agreed)
    }

    /// A change was sent to Linq and not answered, and the contact is neither as before
    /// nor as it was to be. The history tells what may have been replaced.
    pub(crate) fn unclear(
        &self,
        step: &Step,
        intent: IntentId,
        set: &[Change],
        shown: &Fetched,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let mut history = self.entry(step, Side::Linq, Action::Update);
        history.changes = set.to_vec();
        "Linq did not answer, and somebody edited the contact meanwhile"
            .clone_into(&mut history.reason);
        let record = Record {
            intent: Some((intent, IntentOutcome::Landed)),
            contact: store(shown),
            history: vec![history],
            ..Record::default()
        };
        self.state.commit_outcome(self.run, at, &[record])
    }

    /// A contact was deleted in Linq; `before` is what it was.
    pub(crate) fn deleted(
        &self,
        step: &Step,
        intent: IntentId,
        before: &Fetched,
        at: Timestamp,
    ) -> Result<(), StateError> {
        let mut history = self.entry(step, Side::Linq, Action::Delete);
        history.before = Some(before.raw.clone());
        history.changes = emptied(&before.contact.values);
        let kept = self.kept(step.subject.link);
        let was = kept.as_ref().map(|kept| &kept.values);
        history.bases = self.last_known(step.subject.link, was, Some(&before.contact.values));
        let history = history.with_gone(kept.map(|kept| kept.written));
        let record = Record {
            intent: Some((intent, IntentOutcome::Landed)),
            link: self.bereft(step.subject.link),
            contact: ContactChange::Forget(before.contact.id),
            history: vec![history],
            decided: carried_out(step, None),
            ..Record::default()
        };
        self.state.commit_outcome(self.run, at, &[record])
    }
}
