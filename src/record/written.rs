//! What the source holds after it was written.

use ecow::EcoString;

use crate::mirror::{
    ContactChange, HistoryAction, HistoryEntry, IntentOutcome, LinkChange, StateChange, StateError,
};
use crate::model::{
    Agreement, AsWritten, Base, Canon, Field, FieldChange, FieldSet, IntentId, LinkStatus,
    LinqContact, LinqId, Side, SourceRecord, Timestamp, Values,
};
use crate::plan::{LinkPlan, Step};

use super::{RecordIdentity, Recorder, carried_out, emptied_values, filled_values};

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
    Updated {
        step: &'a Step,
        intent: Option<IntentId>,
        set: Vec<FieldChange>,
        record: &'a SourceRecord,
    },
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

    fn in_source(&self, outcome: &SourceOutcome<'_>) -> Result<Vec<StateChange>, StateError> {
        let landed = |intent: &Option<IntentId>| intent.map(|id| (id, IntentOutcome::Landed));
        Ok(match outcome {
            SourceOutcome::Added { step, intent, record, contact, without } => {
                let mut records = self.added_link(step, record, contact, *without);
                records.push(StateChange {
                    intent: landed(intent),
                    history: vec![self.new_record(step, record)],
                    decided: carried_out(step, None),
                    ..StateChange::default()
                });
                records
            }
            SourceOutcome::Restored { step, intent, record } => vec![StateChange {
                intent: landed(intent),
                history: vec![self.new_record(step, record)],
                ..StateChange::default()
            }],
            SourceOutcome::Updated { step, intent, set, record } => {
                vec![StateChange {
                    intent: landed(intent),
                    ..self.updated_in_place(step, set, record)
                }]
            }
            SourceOutcome::Removed { step, intent, record, written } => {
                vec![StateChange {
                    intent: landed(intent),
                    ..self.record_removed(step, record, written)?
                }]
            }
        })
    }

    fn new_record(&self, step: &Step, record: &SourceRecord) -> HistoryEntry {
        HistoryEntry {
            changes: filled_values(&record.values),
            source_key: Some(record.name_in_source()),
            ..self.step_entry(step, Side::Source, HistoryAction::Create)
        }
    }

    fn updated_in_place(
        &self,
        step: &Step,
        set: &[FieldChange],
        record: &SourceRecord,
    ) -> StateChange {
        let contact = step.subject.linq_id.and_then(|id| self.seen.linq.contacts.get(&id));
        let linq = |change: &FieldChange| {
            contact.map_or(&change.to, |contact| &contact.values[change.field]).clone()
        };
        let base = |change: &FieldChange| {
            let had = Agreement { source: change.from.clone(), linq: linq(change) };
            let after =
                Agreement { source: record.values[change.field].clone(), linq: linq(change) };
            self.base_change(step.subject.link, change.field, had, after)
        };
        let history = self.update_entries(step, Side::Source, set, &|change| Some(base(change)));
        let link = step.subject.link.map_or(LinkChange::Keep, |id| match &step.link {
            LinkPlan::PutBack(base) => self.restored_base(id, base, Some(record)),
            LinkPlan::Keep
            | LinkPlan::Agree(_)
            | LinkPlan::Join { .. }
            | LinkPlan::Relink(_)
            | LinkPlan::Release
            | LinkPlan::Exclude(_)
            | LinkPlan::Forget
            | LinkPlan::Missing(_)
            | LinkPlan::Found => {
                let agreed = agreed_in_source(
                    set,
                    record,
                    contact.map(|contact| &contact.values),
                    self.policy.canon,
                );
                keep_further(self.agreed_change(id, &agreed, Some(record)), set, record)
            }
        });
        // A value that Linq is still to get is only half of what was decided.
        let is_there = |field: Field| {
            let both = contact.map(|contact| (&contact.values[field], &record.values[field]));
            both.is_none_or(|(linq, source)| self.policy.canon.means_same(field, linq, source))
                || !self.policy.writes_field(Side::Linq, field)
        };
        let done: Vec<FieldChange> =
            set.iter().filter(|change| is_there(change.field)).cloned().collect();
        let decided = carried_out(step, Some(&done));
        StateChange { link, history, decided, ..StateChange::default() }
    }

    /// What Linq has in the fields of `changes`, if that is not what they take from it.
    pub(crate) fn not_taken(&self, id: LinqId, changes: &[FieldChange]) -> Option<Values> {
        let contact = self.seen.linq.contacts.get(&id)?;
        let same = |change: &FieldChange| {
            let FieldChange { field, to, .. } = change;
            self.policy.canon.means_same(*field, &contact.values[*field], to)
        };
        let fields = changes.iter().map(|change| change.field);
        (!changes.iter().all(same)).then(|| contact.values.only_fields(fields.collect()))
    }

    fn record_removed(
        &self,
        step: &Step,
        record: &SourceRecord,
        written: &AsWritten,
    ) -> Result<StateChange, StateError> {
        let mirrored = step.subject.linq_id.map(|id| self.state.contact(id)).transpose()?.flatten();
        let linq = mirrored.as_ref().map(|contact| &contact.values);
        let link = self.half_deleted(step.subject.link);
        let contact = match (&link, step.subject.linq_id) {
            (LinkChange::Remove(_), Some(id)) => ContactChange::Forget(id),
            _ => ContactChange::Keep,
        };
        Ok(StateChange {
            link,
            contact,
            history: vec![HistoryEntry {
                changes: emptied_values(&record.values),
                bases: self.last_known(step.subject.link, Some(&record.values), linq),
                ..self.step_entry(step, Side::Source, HistoryAction::Delete).with_removed(written)
            }],
            decided: carried_out(step, None),
            ..StateChange::default()
        })
    }

    /// The link of a record that was added for a contact.
    fn added_link(
        &self,
        step: &Step,
        record: &SourceRecord,
        contact: &LinqContact,
        without: FieldSet,
    ) -> Vec<StateChange> {
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
        let RecordIdentity { key, fingerprint, content } = RecordIdentity::of_record(record);
        let only = |link| StateChange { link, ..StateChange::default() };
        let Some(link) = step.subject.link.and_then(|id| self.find_link(id)) else {
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
fn keep_further(link: LinkChange, set: &[FieldChange], record: &SourceRecord) -> LinkChange {
    let mut link = link;
    if let LinkChange::Update { base, .. } = &mut link {
        for change in set.iter().filter(|change| change.clears_value()) {
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
    set: &[FieldChange],
    record: &SourceRecord,
    linq: Option<&Values>,
    canon: Canon,
) -> Vec<(Field, Agreement)> {
    let agreement = |change: &FieldChange| {
        let field = change.field;
        let linq = linq.map_or(&change.to, |linq| &linq[field]);
        let source = record.values[field].clone();
        let agreement = Agreement { source, linq: change.to.clone() };
        canon.means_same(field, linq, &change.to).then_some((field, agreement))
    };
    set.iter().filter_map(agreement).collect()
}
