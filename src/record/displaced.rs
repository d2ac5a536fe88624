//! What a late save has undone of what was written into the source.
//!
//! A program that had the source open before a write has saved what it knew: the write is
//! gone, and no person has decided that. So what the write had agreed on goes back, too: a
//! field to what each side had before, an added record to a contact that is not linked, and a
//! removed one to the link that it had. The next plan writes again what is still missing, and
//! a person's own edit of the same field is a conflict.
//!
//! Owns what each kind of write had agreed on. Leaves finding late saves to [`crate::source`].

use std::collections::BTreeSet;

use crate::mirror::{HistoryAction, HistoryEntry, LinkChange, StateChange, StateError};
use crate::model::{
    Agreement, Base, BaseChange, FieldChange, FieldSet, Link, LinkStatus, LinqId, Side,
    SourceRecord, Timestamp, Values,
};

use super::{RecordIdentity, Recorder};

/// What became of writes that a late save has undone.
#[derive(Debug, Default)]
pub(crate) struct TakenBack {
    /// Whether anything was taken back.
    pub(crate) any: bool,
    /// Contacts that are linked again, though they are gone from Linq.
    pub(crate) gone: BTreeSet<LinqId>,
}

impl Recorder<'_> {
    /// Takes back what the writes of these versions of files had agreed on.
    pub(crate) fn take_back_late(
        &self,
        versions: &BTreeSet<String>,
        at: Timestamp,
    ) -> Result<TakenBack, StateError> {
        let (mut records, mut gone) = (Vec::new(), BTreeSet::new());
        for version in versions {
            // The last one first: each field goes back to what was before all of them.
            for row in self.state.history_of_version(version)?.into_iter().rev() {
                let link = match row.entry.action {
                    HistoryAction::Update => self.before_update(&row.entry),
                    HistoryAction::Create => self.before_adding(&row.entry),
                    HistoryAction::Delete => self.before_removal(&row.entry),
                    HistoryAction::Link
                    | HistoryAction::Release
                    | HistoryAction::Relink
                    | HistoryAction::Forget
                    | HistoryAction::Conflict
                    | HistoryAction::Reject => None,
                };
                if let Some(LinkChange::Insert { linq_id, .. }) = &link {
                    gone.insert(*linq_id);
                }
                records.extend(link.map(|link| StateChange { link, ..StateChange::default() }));
            }
        }
        let any = !records.is_empty();
        if any {
            self.state.commit_changes(self.run, at, &records)?;
        }
        Ok(TakenBack { any, gone })
    }

    fn linked_by_entry(&self, entry: &HistoryEntry) -> Option<&Link> {
        let is_it = |link: &&Link| Some(link.linq_id) == entry.linq_id;
        self.seen.links.iter().find(is_it).filter(|link| link.status == LinkStatus::Linked)
    }

    /// The link as it was before fields of its record were written.
    fn before_update(&self, entry: &HistoryEntry) -> Option<LinkChange> {
        let link = self.linked_by_entry(entry)?;
        let mut base = link.base.clone();
        for (change, had) in entry.changes.iter().zip(&entry.bases) {
            self.field_before(change, had, &mut base);
        }
        if base == link.base {
            return None;
        }
        let RecordIdentity { key, fingerprint, content } = RecordIdentity::of_link(link);
        Some(LinkChange::Update { id: link.id, key, fingerprint, content, base })
    }

    /// Takes one field back, if what the write had agreed on still is.
    fn field_before(&self, change: &FieldChange, had: &BaseChange, base: &mut Base) {
        let (field, canon) = (change.field, self.policy.canon);
        let same = |one: &str, other: &str| canon.means_same(field, one, other);
        // What Linq was given after that is agreed on for the same reason.
        let stands = base.get(field).is_some_and(|now| same(&now.source, &had.after.source));
        if !stands || had.field != field {
            return;
        }
        if !had.agreed {
            *base = base.without_fields([field].into_iter().collect::<FieldSet>());
            return;
        }
        // What the source had was a person's edit, over which another value was decided: that
        // is written again as Linq's edit of it. Two values that nobody has seen to be two
        // spellings of one are never agreed on.
        let is_before = same(&change.from, &had.before.source);
        let linq = if is_before { &had.before.linq } else { &change.from };
        base.set(field, Agreement { source: change.from.clone(), linq: linq.clone() });
    }

    /// The link of a record that was added, and is not there: the contact gets another.
    fn before_adding(&self, entry: &HistoryEntry) -> Option<LinkChange> {
        let link = self.linked_by_entry(entry)?;
        let is_there = |record: &SourceRecord| record.fingerprint == link.fingerprint;
        let is_here = self.seen.source.records.iter().any(is_there);
        (!is_here).then_some(LinkChange::Remove(link.id))
    }

    /// The link of a record that was removed, and is back: it goes once more.
    fn before_removal(&self, entry: &HistoryEntry) -> Option<LinkChange> {
        let linq_id = entry.linq_id?;
        if self.seen.links.iter().any(|link| link.linq_id == linq_id) || entry.side != Side::Source
        {
            return None;
        }
        let canon = self.policy.canon;
        let had: Values =
            entry.bases.iter().map(|base| (base.field, base.before.source.clone())).collect();
        let mapped = self.seen.source.mapped;
        let is_it = |record: &&SourceRecord| {
            canon.canonical_values(mapped, &record.values) == canon.canonical_values(mapped, &had)
                && self.seen.links.iter().all(|link| link.fingerprint != record.fingerprint)
        };
        let record = self.seen.source.records.iter().find(is_it)?;
        let RecordIdentity { key, fingerprint, content } = RecordIdentity::of_record(record);
        let base = entry.bases.iter().filter(|base| base.agreed);
        let base = base.map(|base| (base.field, base.before.clone())).collect();
        Some(LinkChange::Insert { linq_id, key, fingerprint, content, base })
    }
}
