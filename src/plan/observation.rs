//! What a run has seen: everything a plan depends on, as values.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Field, FieldChange, FieldSet, Fingerprint, IntentId, Link, LinqContact, LinqId, Positions,
    RecordIndex, SelectedBy, Side, SourceKey, SourceRecord, SourceRecords, Timestamp, Unreadable,
    Values,
};

use super::census::Census;
use super::decisions::Decisions;
use super::holds::Hold;
use super::ignoring::Ignoring;
use super::refusals::AllRefusals;
use super::unwritable::AllUnwritable;

/// Both sides and the state, as one run sees them.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When the run began.
    pub now: Timestamp,
    /// The source.
    pub source: SourceSide,
    /// Linq.
    pub linq: LinqSide,
    /// The links, ordered by id.
    pub links: Vec<Link>,
    /// Those who are at rest, and part of neither of the three.
    pub census: Census,
    /// Creates in Linq whose outcome is not known, ordered by intent.
    pub doubtful: Vec<DoubtfulCreate>,
    /// Records that an interrupted run may have added to the source.
    pub half_added: Vec<HalfAdded>,
    /// What Linq refused earlier.
    pub refused: AllRefusals,
    /// What the source cannot hold, as the last run found it, or this one so far.
    pub unwritable: AllUnwritable,
    /// The last value that was written to a field of a contact on a side, and how often
    /// in a row. Of those that nobody has changed since nothing needs to be here.
    pub written: BTreeMap<(LinqId, Side, Field), RepeatedValue>,
    /// What people decided about what waited.
    pub decisions: Decisions,
    /// Deletions carried out without approval in the past 24 hours.
    pub recent_deletions: RecentDeletions,
    /// Whose values were taken away or replaced without approval in the past 24 hours.
    pub recent_edits: BTreeMap<(Side, Field), RecentEdits>,
    /// Why this run neither deletes nor clears anything, if so: what the
    /// readings mean has changed since the last run.
    pub changed_meaning: Option<String>,
    /// Who is ignored because a person wants it so.
    pub ignoring: Ignoring,
    /// What the last run held, by [`crate::model::Waiting::question_id`].
    pub held: BTreeMap<Fingerprint, Hold>,
}

/// The source as one reading found it.
#[derive(Clone, Debug)]
pub struct SourceSide {
    /// The fields that it carries.
    pub mapped: FieldSet,
    /// Where they stand: the columns of a table by name.
    pub columns: BTreeMap<Field, String>,
    /// Which records take part, if not all of them.
    pub only: Option<SelectedBy>,
    /// Its records, in the order of the source.
    pub records: SourceRecords,
    /// What could not be read. Unless empty, no record counts as gone.
    pub unreadable: Vec<Unreadable>,
    /// Records without name, e-mail and phone that earlier readings knew as such,
    /// headings within the file for example.
    pub known_nobodies: BTreeSet<Fingerprint>,
    /// Whether it keeps Linq's ids in a column.
    pub keeps_ids: bool,
    /// Why it must not be written, if so.
    pub read_only: Option<String>,
    /// What people should know of it besides.
    pub notices: Vec<String>,
}

impl SourceSide {
    /// The record whose index is `at`.
    pub fn record_at(&self, at: RecordIndex) -> &SourceRecord {
        SourceRecord::record_at(&self.records, at)
    }
}

/// Linq as the walk found it.
#[derive(Clone, Debug, Default)]
pub struct LinqSide {
    /// The contacts, by id.
    pub contacts: BTreeMap<LinqId, LinqContact>,
    /// The pairs at rest whose contact was listed as it was.
    pub at_rest: Positions,
    /// Why the listing proves no absence, if so.
    pub incomplete: Option<Incomplete>,
    /// Linked ids that are proven gone: a complete listing lacks them, and asking
    /// by id says 404 while a known contact answers 200.
    pub gone: BTreeSet<LinqId>,
    /// Linked ids of which Linq says that they do not exist, while nothing proves it: the
    /// listing was in parts, or showed them a moment before. The next run tells.
    pub absence_unconfirmed: BTreeSet<LinqId>,
    /// What people should know of it besides.
    pub notices: Vec<String>,
    /// Whether so many linked contacts are missing that they were not asked for one
    /// by one.
    pub too_many_to_confirm: bool,
    /// Whether asking for missing contacts by id was given up, because no known
    /// contact answered any more.
    pub control_failed: bool,
    /// Where creates are in doubt: for each contact that is not linked and was there
    /// before, the last intent at the time when it was seen first.
    pub known_since: BTreeMap<LinqId, IntentId>,
}

impl LinqSide {
    /// Whether a contact was there before `create` was sent. No clock is asked: Linq's may
    /// differ from that of this machine, and either may be set.
    pub(super) fn was_before(&self, id: LinqId, create: &DoubtfulCreate) -> bool {
        self.known_since.get(&id).is_some_and(|since| *since < create.intent)
    }
}

/// Why a listing may not show everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// The reason, for people.
    pub why: String,
    /// Whether the next run can be expected to do better.
    pub outlook: Outlook,
}

/// What can be expected of the next listing after one in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// This one moved while it was read; the next may be whole.
    Passing,
    /// There is something wrong with it that time alone does not mend.
    Lasting,
}

/// A create in Linq that was sent and not answered.
#[derive(Clone, Debug)]
pub struct DoubtfulCreate {
    /// Its intent in the journal.
    pub intent: IntentId,
    /// What was sent.
    pub values: Values,
    /// The record's key at that time.
    pub key: Option<SourceKey>,
    /// Fields that are read otherwise since: what was sent says nothing about them.
    pub read_anew: FieldSet,
    /// The record's bytes at that time.
    pub fingerprint: Fingerprint,
    /// When it was sent last.
    pub sent_at: Timestamp,
}

/// A record that was about to be added to the source when its run ended early.
#[derive(Clone, Debug)]
pub struct HalfAdded {
    /// Its intent in the journal.
    pub intent: IntentId,
    /// The contact that it stands for.
    pub linq_id: LinqId,
    /// What was to be written.
    pub values: Values,
    /// Fields that are read otherwise since.
    pub read_anew: FieldSet,
}

/// A value that was written over the same other value, several times in a row perhaps:
/// then something has put the other value back each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedValue {
    /// The value, and what it replaced.
    pub change: FieldChange,
    /// How many times in a row.
    pub times: usize,
}

/// Deletions of the past 24 hours, approved ones aside.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecentDeletions {
    /// In the source.
    pub source: usize,
    /// In Linq.
    pub linq: usize,
}

impl RecentDeletions {
    /// The deletions on `side`.
    pub const fn on_side(self, side: Side) -> usize {
        match side {
            Side::Source => self.source,
            Side::Linq => self.linq,
        }
    }
}

/// Whose value of one field was edited on one side in the past 24 hours, approved edits
/// aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentEdits {
    /// Contacts whose value was taken away.
    pub cleared: BTreeSet<LinqId>,
    /// Contacts whose value was replaced by another.
    pub replaced: BTreeSet<LinqId>,
}
