//! What the source holds after it was written.

use ecow::EcoString;

use crate::mirror::{
    Action, ContactChange, HistoryEntry, IntentOutcome, LinkChange, Record, StateError,
};
use crate::model::{
    Agreement, AsWritten, Base, Canon, Change, Field, FieldSet, IntentId, LinkStatus, LinqContact,
    LinqId, Side, SourceRecord, Timestamp, Values,
};
use crate::plan::{LinkPlan, Step};

use super::{Known, Recorder, carried_out, emptied, filled};

/// One write that the source now holds.
pub(crate) enum SourceOutcome<'a> {
    /// A record was added.
    Added {
        step: &'a Step,
        intent: Option<IntentId>,
        record: &'a SourceRecord,
        contact: &'a LinqContact,
        /// The fields that could not be written.
        without: FieldSet,
    },
    /// A record was added for somebody who is gone from Linq, and is created there next.
    Restored { step: &'a Step, intent: Option<IntentId>, record: &'a SourceRecord },
    /// A record was changed, and is this by now.
    Updated { step: &'a Step, intent: Option<IntentId>, set: Vec<Change>, record: &'a SourceRecord },
    /// A record was removed; it was this, and was written like this.
    Removed {
        step: &'a Step,
        intent: Option<IntentId>,
        record: &'a SourceRecord,
        written: &'a AsWritten,
    },
}

impl Recorder<'_> {
    /// What the source holds now, for the steps that were written to it, each in this version
    /// of its file.
    pub(crate) fn source_written(
        &self,
        written: &[(SourceOutcome<'_>, Option<String>)],
        at: Timestamp,
    ) -> Result<(), StateError> {
        let mut records = Vec::new();
        for (outcome, version) in written {
            let mut done = self.in_source(outcome)?;
            for entry in done.iter_mut().flat_map(|record| &mut record.history) {
                entry.version.clone_from(version);
            }
            records.extend(done);
        }
        self.state.commit_outcome(self.run, at, &records)
    }

    fn in_source(&self, outcome: &SourceOutcome<'_>) -> Result<Vec<Record>, StateError> {
        let landed = |intent: &Option<IntentId>| intent.map(|id| (id, IntentOutcome::Landed));
        Ok(match outcome {
            SourceOutcome::Added { step, intent, record, contact, without } => {
                let mut records = self.added(step, record, contact, *without);
                records.push(Record {
                    intent: landed(intent),
                    history: vec![self.new_record(step, record)],
                    decided: carried_out(step, None),
                    ..Record::default()
                });
                records
            }
            SourceOutcome::Restored { step, intent, record } => vec![Record {
                intent: landed(intent),
                history: vec![self.new_record(step, record)],
                ..Record::default()
            }],
            SourceOutcome::Updated { step, intent, set, record } => {
                vec![Record { intent: landed(intent), ..self.updated_in_place(step, set, record) }]
            }
            SourceOutcome::Removed { step, intent, record, written } => {
                vec![Record { intent: landed(intent), ..self.removed(step, record, written)? }]
            }
        })
    }

    fn new_record(&self, step: &Step, record: &SourceRecord) -> HistoryEntry {
        HistoryEntry {
            changes: filled(&record.values),
            source_key: Some(record.name_in_source()),
            ..self.entry(step, Side::Source, Action::Create)
        }
    }

    fn updated_in_place(&self, step: &Step, set: &[Change], record: &SourceRecord) -> Record {
        let contact = step.subject.linq_id.and_then(|id| self.seen.linq.contacts.get(&id));
        let linq = |change: &Change| {
            contact.map_or(&change.to, |contact| &contact.values[change.field]).clone()
        };
        let base = |change: &Change| {
            let had = Agreement { source: change.from.clone(), linq: linq(change) };
            let after =
                Agreement { source: record.values[change.field].clone(), linq: linq(change) };
            self.base_change(step.subject.link, change.field, had, after)
        };
        let history = self.updates(step, Side::Source, set, &|change| Some(base(change)));
        let link = step.subject.link.map_or(LinkChange::Keep, |id| match &step.link {
            LinkPlan::PutBack(base) => self.put_back(id, base, Some(record)),
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::Relink(_)
            | LinkPlan::Release
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => {
                let agreed = agreed_in_source(
                    set,
                    record,
                    contact.map(|contact| &contact.values),
                    self.policy.canon,
                );
                keep_further(self.agree(id, &agreed, Some(record)), set, record)
            }
        });
        // A value that Linq is still to get is only half of what was decided.
        let is_there = |field: Field| {
            let both = contact.map(|contact| (&contact.values[field], &record.values[field]));
            both.is_none_or(|(linq, source)| self.policy.canon.same(field, linq, source))
                || !self.policy.writes_field(Side::Linq, field)
        };
        let done: Vec<Change> =
            set.iter().filter(|change| is_there(change.field)).cloned().collect();
        let decided = carried_out(step, Some(&done));
        Record { link, history, decided, ..Record::default() }
    }

    /// What Linq has in the fields of `changes`, if that is not what they take from it.
    pub(crate) fn not_taken(&self, id: LinqId, changes: &[Change]) -> Option<Values> {
        let contact = self.seen.linq.contacts.get(&id)?;
        let same = |change: &Change| {
            let Change { field, to, .. } = change;
            self.policy.canon.same(*field, &contact.values[*field], to)
        };
        let fields = changes.iter().map(|change| change.field);
        (!changes.iter().all(same)).then(|| contact.values.only(fields.collect()))
    }

    fn removed(
        &self,
        step: &Step,
        record: &SourceRecord,
        written: &AsWritten,
    ) -> Result<Record, StateError> {
        let mirrored = step.subject.linq_id.map(|id| self.state.contact(id)).transpose()?.flatten();
        let linq = mirrored.as_ref().map(|contact| &contact.values);
        let link = self.bereft(step.subject.link);
        let contact = match (&link, step.subject.linq_id) {
            (LinkChange::Remove(_), Some(id)) => ContactChange::Forget(id),
            _ => ContactChange::Keep,
        };
        Ok(Record {
            link,
            contact,
            history: vec![HistoryEntry {
                changes: emptied(&record.values),
                bases: self.last_known(step.subject.link, Some(&record.values), linq),
                ..self.entry(step, Side::Source, Action::Delete).with_removed(written)
            }],
            decided: carried_out(step, None),
            ..Record::default()
        })
    }

    /// The link of a record that was added for a contact.
    fn added(
        &self,
        step: &Step,
        record: &SourceRecord,
        contact: &LinqContact,
        without: FieldSet,
    ) -> Vec<Record> {
        let fields: FieldSet = self
            .seen
            .source
            .mapped
            .iter()
            .filter(|field| self.policy.writes_field(Side::Source, *field))
            .filter(|field| !without.contains(*field))
            .collect();
        let base: Base = fields
            .iter()
            .map(|field| {
                let (source, linq) = (record.values[field].clone(), contact.values[field].clone());
                (field, Agreement { source, linq })
            })
            .collect();
        let Known { key, fingerprint, content } = Known::of(record);
        let only = |link| Record { link, ..Record::default() };
        let Some(link) = step.subject.link.and_then(|id| self.find(id)) else {
            let linq_id = contact.id;
            return vec![only(LinkChange::Insert { linq_id, key, fingerprint, content, base })];
        };
        let id = link.id;
        let back = (link.status == LinkStatus::Released).then_some(LinkChange::Relink(id));
        let update = LinkChange::Update { id, key, fingerprint, content, base };
        back.into_iter().chain([update]).map(only).collect()
    }
}

/// The link after Linq's value of a field was cleared in a record that has further ones: the
/// next of them stays the source's alone, until a person edits it. Otherwise it would come
/// into Linq in the place of what was cleared there.
fn keep_further(link: LinkChange, set: &[Change], record: &SourceRecord) -> LinkChange {
    let mut link = link;
    if let LinkChange::Update { base, .. } = &mut link {
        for change in set.iter().filter(|change| change.clears()) {
            let mut others = record.others.iter().filter(|other| other.field == change.field);
            if let Some(next) = others.next() {
                let (source, linq) = (next.text.clone().into(), EcoString::new());
                base.set_apart(change.field, Agreement { source, linq });
            }
        }
    }
    link
}

/// What both sides agree on once `record` has taken `set`, of which Linq has `linq`. Nothing
/// is agreed on a value that Linq does not have: a person decided on it, and Linq is still to
/// get it.
pub(super) fn agreed_in_source(
    set: &[Change],
    record: &SourceRecord,
    linq: Option<&Values>,
    canon: Canon,
) -> Vec<(Field, Agreement)> {
    let agreement = |change: &Change| {
        let field = change.field;
        let linq = linq.map_or(&change.to, |linq| &linq[field]);
        let source = record.values[field].clone();
        let agreement = Agreement { source, linq: change.to.clone() };
        canon.same(field, linq, &change.to).then_some((field, agreement))
    };
    set.iter().filter_map(agreement).collect()
}
