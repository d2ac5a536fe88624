//! What the source holds after it was written.

use crate::mirror::{
    Action, ContactChange, HistoryEntry, IntentOutcome, LinkChange, Record, StateError,
};
use crate::model::{
    Agreement, Base, Canon, Change, Field, FieldSet, IntentId, LinqContact, Side, SourceRecord,
    Timestamp, Values,
};
use crate::plan::Step;

use super::{Known, Recorder, entry, filled};

/// One write that the source now holds.
pub(crate) enum SourceOutcome<'a> {
    /// A record was added.
    Added {
        step: &'a Step,
        intent: Option<IntentId>,
        record: &'a SourceRecord,
        contact: &'a LinqContact,
    },
    /// A record was changed, and is this by now.
    Updated {
        step: &'a Step,
        intent: Option<IntentId>,
        set: &'a [Change],
        record: &'a SourceRecord,
    },
    /// A record was removed; it was this, and was written like this.
    Removed { step: &'a Step, intent: Option<IntentId>, record: &'a SourceRecord, written: &'a str },
}

impl Recorder<'_> {
    /// What the source holds now, for the steps that were written to it.
    pub(crate) fn source_written(
        &self,
        written: &[SourceOutcome<'_>],
        at: Timestamp,
    ) -> Result<(), StateError> {
        let records: Vec<Record> = written.iter().map(|outcome| self.in_source(outcome)).collect();
        self.state.commit(self.run, at, &records)
    }

    fn in_source(&self, outcome: &SourceOutcome<'_>) -> Record {
        let landed = |intent: &Option<IntentId>| intent.map(|id| (id, IntentOutcome::Landed));
        match outcome {
            SourceOutcome::Added { step, intent, record, contact } => Record {
                intent: landed(intent),
                link: self.added(step, record, contact),
                history: vec![HistoryEntry {
                    changes: filled(&record.values),
                    source_key: Some(record.name_in_source()),
                    ..entry(step, Side::Source, Action::Create)
                }],
                ..Record::default()
            },
            SourceOutcome::Updated { step, intent, set, record } => {
                let history = HistoryEntry {
                    changes: set.to_vec(),
                    ..entry(step, Side::Source, Action::Update)
                };
                let contact = step.subject.linq_id.and_then(|id| self.seen.linq.contacts.get(&id));
                let agreed = agreed_in_source(set, record, contact, self.policy.canon);
                Record {
                    intent: landed(intent),
                    link: step
                        .subject
                        .link
                        .map_or(LinkChange::Keep, |id| self.agree(id, &agreed, Some(record))),
                    history: if set.is_empty() { Vec::new() } else { vec![history] },
                    ..Record::default()
                }
            }
            SourceOutcome::Removed { step, intent, record, written } => Record {
                intent: landed(intent),
                link: step.subject.link.map_or(LinkChange::Keep, LinkChange::Remove),
                contact: step.subject.linq_id.map_or(ContactChange::Keep, ContactChange::Forget),
                history: vec![HistoryEntry {
                    changes: emptied(&record.values),
                    before: Some((*written).to_owned()),
                    ..entry(step, Side::Source, Action::Delete)
                }],
                ..Record::default()
            },
        }
    }

    /// The link of a record that was added for a contact.
    fn added(&self, step: &Step, record: &SourceRecord, contact: &LinqContact) -> LinkChange {
        let fields: FieldSet = self
            .seen
            .source
            .mapped
            .iter()
            .filter(|field| self.policy.writes_field(Side::Source, *field))
            .collect();
        let base: Base = fields
            .iter()
            .map(|field| {
                let (source, linq) = (record.values[field].clone(), contact.values[field].clone());
                (field, Agreement { source, linq })
            })
            .collect();
        let Known { key, fingerprint } = Known::of(record);
        match step.subject.link {
            Some(id) => LinkChange::Update { id, key, fingerprint, base },
            None => LinkChange::Insert { linq_id: contact.id, key, fingerprint, base },
        }
    }
}

/// What both sides agree on once `record` has taken `set` from Linq. A value that
/// `contact` does not have, since a person decided on it, is an edit of the source
/// from now on: the base becomes what both had before.
pub(super) fn agreed_in_source(
    set: &[Change],
    record: &SourceRecord,
    contact: Option<&LinqContact>,
    canon: Canon,
) -> Vec<(Field, Agreement)> {
    let agreement = |change: &Change| {
        let field = change.field;
        let linq = contact.map_or(&change.to, |contact| &contact.values[field]);
        let agreement = if canon.same(field, linq, &change.to) {
            Agreement { source: record.values[field].clone(), linq: change.to.clone() }
        } else {
            Agreement { source: change.from.clone(), linq: linq.clone() }
        };
        (field, agreement)
    };
    set.iter().map(agreement).collect()
}

fn emptied(values: &Values) -> Vec<Change> {
    let change = |field| Change { field, from: values[field].clone(), to: String::new() };
    values.filled().iter().map(change).collect()
}
