//! What an interrupted run had begun to change or delete.
//!
//! Owns the evidence: each side shows whether a write has landed, and then the base
//! and the history take it over as if the run had gone on. Without evidence the
//! history still tells what may have been replaced, so that nothing is lost.
//! Creates and additions are the planner's: it looks for what they made.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::mirror::{
    ContactChange, HistoryAction, HistoryEntry, Intent, IntentKind, IntentOutcome, IntentState,
    LinkChange, StateChange, StateError,
};
use crate::model::{
    Agreement, AsWritten, Base, Decided, Field, FieldChange, FieldSet, Fingerprint, Link, LinkId,
    LinqId, Side, SourceKey, SourceRecord, Timestamp, Values,
};

use crate::plan::{is_rewritten, records_of_links};

use super::written::agreed_in_source;
use super::{Recorder, answered_base, emptied_values};

/// What one side shows of a write.
enum WriteEvidence<T> {
    /// It has landed.
    Landed(T),
    /// It has not.
    NotLanded,
    /// One cannot tell: somebody has edited since.
    Unclear,
    /// One cannot tell yet: not everything was read.
    Unread,
}

/// The source's records as they are looked for, found out once for all intents.
struct RecordSearch<'a> {
    recorder: &'a Recorder<'a>,
    written: OnceCell<BTreeSet<Fingerprint>>,
    /// The records by their key and what they say in some fields, for each set of fields
    /// that was asked for; of those that say the same the first.
    by_values: RefCell<BTreeMap<FieldSet, BTreeMap<SideReport, &'a SourceRecord>>>,
    of_links: OnceCell<BTreeMap<LinkId, &'a SourceRecord>>,
}

/// A key, and values in canonical form.
type SideReport = (Option<SourceKey>, Vec<String>);

impl<'a> RecordSearch<'a> {
    fn new_search(recorder: &'a Recorder<'a>) -> RecordSearch<'a> {
        RecordSearch {
            recorder,
            written: OnceCell::new(),
            by_values: RefCell::default(),
            of_links: OnceCell::new(),
        }
    }

    fn all_records(&self) -> &'a [SourceRecord] {
        &self.recorder.seen.source.records
    }

    fn has_written(&self, written: Fingerprint) -> bool {
        let all = || self.all_records().iter().map(|record| record.fingerprint).collect();
        self.written.get_or_init(all).contains(&written)
    }

    fn records_saying(
        &self,
        key: Option<&SourceKey>,
        fields: FieldSet,
        values: &Values,
    ) -> Option<&'a SourceRecord> {
        let canon = self.recorder.policy.canon;
        let mut by_values = self.by_values.borrow_mut();
        let records = by_values.entry(fields).or_insert_with(|| {
            // Backwards, so that the first one stays.
            let says = |record: &SourceRecord| {
                (record.key.clone(), canon.canonical_values(fields, &record.values))
            };
            self.all_records().iter().rev().map(|record| (says(record), record)).collect()
        });
        records.get(&(key.cloned(), canon.canonical_values(fields, values))).copied()
    }

    fn of_link(&self, link: LinkId) -> Option<&'a SourceRecord> {
        let Recorder { seen, policy, .. } = self.recorder;
        self.of_links.get_or_init(|| records_of_links(seen, policy)).get(&link).copied()
    }
}

impl Recorder<'_> {
    /// Settles the changes and deletions that an interrupted run left in the journal,
    /// and takes back what it never sent. Returns whether anything was settled.
    pub(crate) fn settle_interrupted(&self, at: Timestamp) -> Result<bool, StateError> {
        let mut records = Vec::new();
        let source = RecordSearch::new_search(self);
        for intent in self.state.open_intents()? {
            records.extend(self.settle_intent(&intent, &source)?);
        }
        if !records.is_empty() {
            self.state.commit_changes(self.run, at, &records)?;
        }
        Ok(!records.is_empty())
    }

    fn settle_intent(
        &self,
        intent: &Intent,
        source: &RecordSearch<'_>,
    ) -> Result<Option<StateChange>, StateError> {
        if intent.state == IntentState::Planned {
            return Ok(Some(close_intent(intent, IntentOutcome::Abandoned)));
        }
        Ok(match &intent.kind {
            IntentKind::CreateInLinq { .. } | IntentKind::AddToSource { .. } => None,
            IntentKind::UpdateInLinq { linq_id, changes, base } => {
                self.updated_in_linq(intent, *linq_id, changes, base)
            }
            IntentKind::UpdateInSource { linq_id, changes, linq } => {
                self.updated_in_source(intent, *linq_id, (changes, linq.as_ref()), source)
            }
            IntentKind::DeleteInLinq { linq_id } => self.deleted_in_linq(intent, *linq_id)?,
            IntentKind::RemoveFromSource { linq_id, fingerprint, written } => {
                self.removed_from_source(intent, *linq_id, (*fingerprint, written), source)?
            }
        })
    }

    fn updated_in_linq(
        &self,
        intent: &Intent,
        id: LinqId,
        changes: &[FieldChange],
        base: &Base,
    ) -> Option<StateChange> {
        let linq = &self.seen.linq;
        let Some(contact) = linq.contacts.get(&id) else {
            // Who is only not shown may be shown with it later.
            let is_over = linq.gone.contains(&id)
                || intent.link.and_then(|link| self.find_link(link)).is_none();
            return is_over.then(|| self.update_history(intent, Side::Linq, id, changes));
        };
        let canon = self.policy.canon;
        let shows =
            |field: Field, text: &str| canon.means_same(field, &contact.values[field], text);
        if changes.iter().all(|change| shows(change.field, &change.from)) {
            return Some(close_intent(intent, IntentOutcome::Abandoned));
        }
        // Linq may keep what it was sent in other letters, or cut short.
        let landed = |change: &&FieldChange| {
            let FieldChange { field, from, to } = change;
            let shown = &contact.values[*field];
            shows(*field, to) || !shows(*field, from) && is_rewritten(*field, to, shown, canon)
        };
        let landed: Vec<FieldChange> = changes.iter().filter(landed).cloned().collect();
        let mut sent = Base::default();
        for FieldChange { field, to, .. } in &landed {
            sent.set(*field, Agreement { source: to.clone(), linq: to.clone() });
            sent.take_field(*field, base);
        }
        let agreed = answered_base(&sent, &landed, &contact.values);
        let link =
            intent.link.map_or(LinkChange::Keep, |link| self.restored_base(link, &agreed, None));
        Some(StateChange { link, ..self.update_history(intent, Side::Linq, id, changes) })
    }

    fn updated_in_source(
        &self,
        intent: &Intent,
        id: LinqId,
        (changes, linq): (&[FieldChange], Option<&Values>),
        source: &RecordSearch<'_>,
    ) -> Option<StateChange> {
        let evidence = match intent.link.and_then(|link| self.find_link(link)) {
            Some(link) => self.in_record_of(link, changes, source),
            None => WriteEvidence::Unclear,
        };
        match evidence {
            WriteEvidence::Unread => None,
            WriteEvidence::NotLanded => Some(close_intent(intent, IntentOutcome::Abandoned)),
            WriteEvidence::Unclear => Some(self.update_history(intent, Side::Source, id, changes)),
            WriteEvidence::Landed(record) => {
                // What Linq shows by now may be a later edit: it is compared with what was taken.
                let agreed = agreed_in_source(changes, record, linq, self.policy.canon);
                let link = intent.link?;
                Some(StateChange {
                    link: self.agreed_change(link, &agreed, Some(record)),
                    ..self.update_history(intent, Side::Source, id, changes)
                })
            }
        }
    }

    /// Whether the record of `link` has taken `changes`.
    fn in_record_of<'r>(
        &self,
        link: &Link,
        changes: &[FieldChange],
        records: &RecordSearch<'r>,
    ) -> WriteEvidence<&'r SourceRecord> {
        let source = &self.seen.source;
        if records.has_written(link.fingerprint) {
            return WriteEvidence::NotLanded;
        }
        let changed = changes.iter().map(|change| change.field);
        let fields: FieldSet = link.base.agreed_fields().iter().chain(changed).collect();
        let fields = fields.intersection(source.mapped);
        let expected = link.base.source_values().with_changes(changes);
        match records.records_saying(link.key.as_ref(), fields, &expected) {
            Some(record) => WriteEvidence::Landed(record),
            None if source.unreadable.is_empty() => {
                self.in_edited_record(records.of_link(link.id), changes)
            }
            None => WriteEvidence::Unread,
        }
    }

    /// Whether a `record`, which somebody has edited besides, has taken `changes`.
    fn in_edited_record<'r>(
        &self,
        record: Option<&'r SourceRecord>,
        changes: &[FieldChange],
    ) -> WriteEvidence<&'r SourceRecord> {
        let Some(record) = record else { return WriteEvidence::Unclear };
        let canon = self.policy.canon;
        let shows = |field: Field, text: &str| canon.means_same(field, &record.values[field], text);
        if changes.iter().all(|change| shows(change.field, &change.to)) {
            WriteEvidence::Landed(record)
        } else {
            WriteEvidence::Unclear
        }
    }

    fn deleted_in_linq(
        &self,
        intent: &Intent,
        id: LinqId,
    ) -> Result<Option<StateChange>, StateError> {
        if self.seen.linq.contacts.contains_key(&id) {
            return Ok(Some(close_intent(intent, IntentOutcome::Abandoned)));
        }
        if !self.seen.linq.gone.contains(&id) {
            return Ok(None);
        }
        let mut deleted = self.deleted_on(Side::Linq, intent, id)?;
        let before = self.state.raw_contact(id)?;
        let gone = self.kept_record(intent.link).map(|kept| kept.written);
        let history = std::mem::take(&mut deleted.history).into_iter();
        deleted.history = history
            .map(|entry| HistoryEntry { before: before.clone(), ..entry }.with_gone(gone.clone()))
            .collect();
        Ok(Some(deleted))
    }

    fn removed_from_source(
        &self,
        intent: &Intent,
        id: LinqId,
        (fingerprint, written): (Option<Fingerprint>, &AsWritten),
        records: &RecordSearch<'_>,
    ) -> Result<Option<StateChange>, StateError> {
        let Some(link) = intent.link.and_then(|link| self.find_link(link)) else { return Ok(None) };
        if records.has_written(fingerprint.unwrap_or(link.fingerprint)) {
            return Ok(Some(close_intent(intent, IntentOutcome::Abandoned)));
        }
        if !self.seen.source.unreadable.is_empty() {
            return Ok(None);
        }
        let mut deleted = self.deleted_on(Side::Source, intent, id)?;
        let history = std::mem::take(&mut deleted.history);
        deleted.history = history.into_iter().map(|e| e.with_removed(written)).collect();
        Ok(Some(deleted))
    }

    fn deleted_on(
        &self,
        side: Side,
        intent: &Intent,
        id: LinqId,
    ) -> Result<StateChange, StateError> {
        let link = intent.link.and_then(|link| self.find_link(link));
        let linq = self.state.contact(id)?;
        let linq = linq.as_ref().map(|contact| &contact.values);
        let kept = self.kept_record(intent.link).filter(|_| side == Side::Linq);
        // A released pair stays remembered, and so does the half that is still there.
        let is_there = self.seen.linq.contacts.contains_key(&id);
        let was = match side {
            Side::Linq => link.map(|link| link.base.linq_values()),
            Side::Source => link.map(|link| link.base.source_values()),
        };
        Ok(StateChange {
            intent: Some((intent.id, IntentOutcome::Landed)),
            link: self.half_deleted(intent.link),
            contact: if is_there { ContactChange::Keep } else { ContactChange::Forget(id) },
            history: vec![HistoryEntry {
                changes: emptied_values(&was.unwrap_or_default()),
                bases: self.last_known(intent.link, kept.as_ref().map(|kept| &kept.values), linq),
                ..self.entry_of(intent, side, id, HistoryAction::Delete)
            }],
            ..StateChange::default()
        })
    }

    /// An update that the history tells, whatever became of it.
    fn update_history(
        &self,
        intent: &Intent,
        side: Side,
        id: LinqId,
        changes: &[FieldChange],
    ) -> StateChange {
        let entry = self.entry_of(intent, side, id, HistoryAction::Update);
        let base = |change: &FieldChange| {
            let FieldChange { field, from, to } = change.clone();
            let (had, after) = match side {
                Side::Linq => (
                    Agreement { source: to.clone(), linq: from },
                    Agreement { source: to.clone(), linq: to },
                ),
                Side::Source => (
                    Agreement { source: from, linq: to.clone() },
                    Agreement { source: to.clone(), linq: to },
                ),
            };
            self.base_change(intent.link, field, had, after)
        };
        let mut history: Vec<HistoryEntry> = Vec::new();
        for change in changes {
            let FieldChange { field, to, .. } = change;
            let decided = self.seen.decisions.for_value(id, *field, to, self.policy.canon);
            let decided = decided.map(Decided::decided_by);
            let at = history.iter().position(|entry| entry.decided == decided);
            let at = at.unwrap_or_else(|| {
                history.push(HistoryEntry { decided, ..entry.clone() });
                history.len() - 1
            });
            history[at].changes.push(change.clone());
            history[at].bases.push(base(change));
        }
        StateChange { history, ..close_intent(intent, IntentOutcome::Landed) }
    }

    fn entry_of(
        &self,
        intent: &Intent,
        side: Side,
        id: LinqId,
        action: HistoryAction,
    ) -> HistoryEntry {
        let link = intent.link.and_then(|link| self.find_link(link));
        HistoryEntry {
            side,
            action,
            linq_id: Some(id),
            source_key: link.and_then(|link| link.key.as_ref().map(ToString::to_string)),
            name: link.map(|link| link.base.linq_values().display_name()).unwrap_or_default(),
            changes: Vec::new(),
            bases: Vec::new(),
            before: None,
            record: None,
            version: None,
            place: None,
            bytes: None,
            reason: format!("run {} had begun it and was interrupted", intent.run),
            approved: false,
            decided: None,
        }
    }
}

fn close_intent(intent: &Intent, outcome: IntentOutcome) -> StateChange {
    StateChange { intent: Some((intent.id, outcome)), ..StateChange::default() }
}
