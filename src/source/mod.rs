//! The source: the contacts that people and programs edit in files.
//!
//! Owns lossless reading and writing: [`Source`] is implemented for a CSV file
//! ([`csv`]) and for a directory of vCards ([`vcard`]). Leaves every decision to [`crate::plan`] and knows nothing of Linq
//! beyond the id it may be asked to keep in a column.

mod atomic;
mod charset;
pub mod csv;
mod files;
mod formula;
mod full_name;
pub mod vcard;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use files::QuietTime;
pub use formula::FormulaGuard;

use crate::lock::LockError;
use crate::model::{
    AsWritten, Field, FieldChange, FieldSet, Fingerprint, LinqId, Manner, Positions, ReadingAtRest,
    RecordIndex, RejectedField, Resting, SelectedBy, SourceAtRest, SourceRecord, SourceRecords,
    Unreadable, Values,
};

/// A source of contacts: something that can be read whole and edited in place.
pub trait Source {
    /// Reads the source and remembers what was read, for [`Source::write_edits`] to
    /// compare with. Of records that are as they were when their pair was among those
    /// `resting` only that is told, by this reading and those after writes.
    ///
    /// # Errors
    /// [`SourceError`] when there is nothing that can be read as a source. Bad
    /// records are no error: they are in [`SourceReading::unreadable`].
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError>;

    /// Reads the source with all its records.
    ///
    /// # Errors
    /// As [`Source::read_beside`].
    fn read_records(&mut self) -> Result<SourceReading, SourceError> {
        self.read_beside(&Arc::default())
    }

    /// What is to be remembered of what was last read, so that it need not be read again
    /// while it is as it was: `is_at_rest` says of a record whether it is one half of a pair
    /// at rest by now.
    fn to_remember(
        &self,
        reading: &SourceReading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest;

    /// The records of these pairs at rest, as they were last read, in the order of the source.
    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord>;

    /// The records at rest that stand directly before or after one of these, each with the
    /// position of its pair. `at` is in order.
    fn records_beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)>;

    /// Carries out `edits` against what was last read, in one atomic replacement
    /// of each file. With no edits it writes nothing. What cannot be written because
    /// of one file of many is told by [`EditOutcome::Undone`] and [`WriteReceipt::failed`].
    ///
    /// # Errors
    /// [`WriteError::Changed`] when somebody saved the source in the meantime:
    /// their version is in place, and the source must be read and planned again.
    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError>;

    /// What the last reading found out about a table; `None` where it is none.
    fn table_shape(&self) -> Option<csv::TableShape> {
        None
    }

    /// The record `at` of what was last read, whole and as it is written, so that it
    /// can be read on its own and put back. Empty if there is none.
    fn as_written(&self, at: RecordIndex) -> AsWritten;

    /// Stands for what [`Source::as_written`] says of the record `at`, and is another one
    /// whenever that is.
    fn record_stamp(&self, at: RecordIndex) -> Fingerprint;

    /// What of a record that `was` there cannot come back, for people: `its column “Notes”`.
    fn lost_parts(&self, was: &AsWritten) -> Vec<String>;

    /// Forgets [`SourceReading::displaced`], once what those versions had set is taken back.
    fn forget_late(&mut self) {}

    /// The files that lie beside the source because of writes of ours: versions that were
    /// displaced, and saves that could not stay in place.
    fn find_leftovers(&self) -> Vec<Leftover> {
        Vec::new()
    }

    /// Copies what was last read into the directory `into` under a name that is
    /// not taken, and returns its path. The copy has mode 0600.
    ///
    /// # Errors
    /// When the copy cannot be written and synced.
    fn back_up(&self, into: &Path) -> io::Result<PathBuf>;
}

/// A file that lies beside the source because of a write of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The file.
    pub path: PathBuf,
    /// Whether it is a version that we replaced, and that nobody has written into since.
    pub is_spare: bool,
}

/// One reading of the source.
#[derive(Clone, Debug)]
pub struct SourceReading {
    /// The fields that the source carries. Others are *not mapped*, which is not
    /// the same as blank.
    pub mapped: FieldSet,
    /// Where the source keeps them, as far as that can be configured: the columns of a
    /// table, the directories of cards. What is missing in another place means nothing.
    pub places: BTreeMap<Field, String>,
    /// How it was read besides.
    pub manner: Manner,
    /// Which records take part, if not all of them.
    pub only: Option<SelectedBy>,
    /// The records, in the order of the source; each one's `index` is its position among
    /// all, those at rest included.
    pub records: SourceRecords,
    /// How many records there are, those at rest included.
    pub count: usize,
    /// The pairs at rest of which there is a record that is as it was.
    pub at_rest: Positions,
    /// Those of which there are several.
    pub doubled: Positions,
    /// What could not be read as a record. Where this is not empty the reading is
    /// incomplete: good for updates, never for deletions.
    pub unreadable: Vec<Unreadable>,
    /// How many records have something else in the column for Linq's ids than an id.
    pub other_ids: usize,
    /// Whether the source has a column in which it keeps Linq's ids.
    pub keeps_ids: bool,
    /// Why the source must not be written in this run, if it must not.
    pub read_only: Option<String>,
    /// What people should know of the source besides, each a sentence.
    pub notices: Vec<String>,
    /// All bytes of the source.
    pub fingerprint: Fingerprint,
    /// Versions of files that were written and are not in place any more, since a program
    /// that had the one before open has saved that late: until [`Source::forget_late`].
    pub displaced: BTreeSet<String>,
}

/// What a source is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceAccess {
    /// Reading and writing. The source is locked against every other linqsync from
    /// the first reading on.
    Exclusive,
    /// Reading alone, beside whoever writes. Nothing is locked or left behind.
    ReadOnly,
}

/// Numbers the records of one reading, and leaves out those at rest.
struct Counting<'a> {
    resting: &'a Resting,
    /// How many were written with the same bytes so far.
    written: BTreeMap<Fingerprint, u32>,
    records: Vec<SourceRecord>,
    next: u32,
    places: AtRest,
    at_rest: Positions,
    doubled: Positions,
}

/// Where the records at rest are: the index of each with the position of its pair, in the order
/// of the source.
#[derive(Debug, Default)]
struct AtRest(Vec<(RecordIndex, u32)>);

impl AtRest {
    /// The records of these pairs.
    fn records_of<'a>(&'a self, pairs: &'a Positions) -> impl Iterator<Item = RecordIndex> + 'a {
        self.0.iter().filter(|(_, at)| pairs.contains(*at as usize)).map(|(index, _)| *index)
    }

    /// Those next to one of these records, with the positions of their pairs.
    fn records_beside<'a>(
        &'a self,
        at: &'a [RecordIndex],
    ) -> impl Iterator<Item = (RecordIndex, usize)> + 'a {
        let is_beside = |index: RecordIndex| {
            let near = at.partition_point(|other| other.0 + 1 < index.0);
            at.get(near).is_some_and(|other| other.0.abs_diff(index.0) == 1)
                || at.get(near + 1).is_some_and(|other| other.0.abs_diff(index.0) == 1)
        };
        let beside = self.0.iter().filter(move |(index, _)| is_beside(*index));
        beside.map(|(index, at)| (*index, *at as usize))
    }
}

impl<'a> Counting<'a> {
    fn new(resting: &'a Resting) -> Counting<'a> {
        Counting {
            resting,
            written: BTreeMap::new(),
            records: Vec::new(),
            next: 0,
            places: AtRest::default(),
            at_rest: Positions::none(resting.len()),
            doubled: Positions::none(resting.len()),
        }
    }

    /// Takes the next record, which is as it was when it was at rest.
    fn take_at_rest(&mut self, at: usize) {
        let index = RecordIndex(self.next);
        self.next += 1;
        if !self.at_rest.insert(at) {
            self.doubled.insert(at);
        }
        self.places.0.push((index, u32::try_from(at).unwrap_or(u32::MAX)));
    }

    /// Takes the next record.
    fn take_record(&mut self, mut record: SourceRecord) {
        let twins = self.written.entry(record.fingerprint).or_insert(0);
        record.twin = *twins;
        *twins += 1;
        if let Some(at) = self.resting.of_record(&record) {
            self.take_at_rest(at);
        } else {
            record.index = RecordIndex(self.next);
            self.next += 1;
            self.records.push(record);
        }
    }
}

impl SourceReading {
    /// A reading of `count` pairs at rest, like one that was `known`.
    fn from_known(known: &ReadingAtRest, count: usize) -> SourceReading {
        SourceReading {
            mapped: known.mapped,
            places: known.places.clone(),
            manner: known.manner.clone(),
            only: None,
            records: SourceRecords::default(),
            count: known.count,
            at_rest: Positions::all(count),
            doubled: Positions::default(),
            unreadable: Vec::new(),
            other_ids: 0,
            keeps_ids: known.keeps_ids,
            read_only: None,
            notices: known.notices.clone(),
            fingerprint: known.fingerprint,
            displaced: BTreeSet::new(),
        }
    }

    /// What is to be known of it if each of its records is at rest, and it was read with the
    /// `options` for which that stands; `None` if there is more to it than that.
    fn to_remember(&self, options: Fingerprint) -> Option<ReadingAtRest> {
        let is_plain = self.unreadable.is_empty()
            && self.read_only.is_none()
            && self.other_ids == 0
            && self.only.is_none()
            && self.displaced.is_empty();
        is_plain.then(|| ReadingAtRest {
            fingerprint: self.fingerprint,
            options,
            count: self.count,
            mapped: self.mapped,
            places: self.places.clone(),
            manner: self.manner.clone(),
            keeps_ids: self.keeps_ids,
            notices: self.notices.clone(),
        })
    }

    /// The record whose index is `at`.
    pub fn record_at(&self, at: RecordIndex) -> &SourceRecord {
        SourceRecord::record_at(&self.records, at)
    }

    /// Adds the records that were asked to be edited and are as they were at rest.
    fn add_edited(
        &mut self,
        done: &[EditOutcome],
        record: impl Fn(RecordIndex) -> Option<SourceRecord>,
    ) {
        let stands = done.iter().filter_map(|outcome| match outcome {
            EditOutcome::Stands(at) | EditOutcome::StandsWithout(at, _) => Some(*at),
            EditOutcome::Removed | EditOutcome::Refused(_) | EditOutcome::Undone => None,
        });
        let missing = stands.filter(|at| SourceRecord::position_of(&self.records, *at).is_none());
        let found: Vec<SourceRecord> =
            missing.collect::<BTreeSet<_>>().into_iter().filter_map(record).collect();
        if !found.is_empty() {
            self.records.extend(found);
            self.records.sort_by_key(|record| record.index);
        }
    }

    /// Takes what was just written for the values of the records, where a field has
    /// several places: it stands in the place in which the old value stood.
    fn keep_choices(&mut self, asked: &[SourceEdit], done: &[EditOutcome]) {
        for (edit, outcome) in asked.iter().zip(done) {
            let (EditOutcome::Stands(index) | EditOutcome::StandsWithout(index, _)) = outcome
            else {
                continue;
            };
            let Some(at) = SourceRecord::position_of(&self.records, *index) else { continue };
            let record = &mut self.records[at];
            match edit {
                SourceEdit::Update { changes, .. } => {
                    for change in changes {
                        record.choose_value(change.field, &change.to);
                    }
                }
                SourceEdit::Add { values, .. } => {
                    for field in values.filled_fields().iter() {
                        record.choose_value(field, &values[field]);
                    }
                }
                SourceEdit::Remove { .. } => {}
            }
        }
    }
}

/// One change to the source. Each names a different record.
#[derive(Clone, Debug)]
pub enum SourceEdit {
    /// Gives a record other texts in some fields, and optionally fills its id column.
    Update {
        /// The record.
        at: RecordIndex,
        /// The fields and their texts; `from` is what was read.
        changes: Vec<FieldChange>,
        /// The id to keep in the id column, where there is one.
        linq_id: Option<LinqId>,
    },
    /// Adds a record at the end.
    Add {
        /// Its values; fields that are not mapped are left out.
        values: Values,
        /// The id to keep in the id column, where there is one.
        linq_id: LinqId,
        /// The record that it was before it was removed. It comes back as it was written,
        /// with `values` in it, as far as the source still has a place for that.
        was: Option<Box<AsWritten>>,
    },
    /// Removes a record, and nothing else.
    Remove {
        /// The record.
        at: RecordIndex,
    },
}

/// What a write left behind.
#[derive(Debug)]
pub struct WriteReceipt {
    /// For each edit, in order, what became of it.
    pub edits: Vec<EditOutcome>,
    /// For each edit, in order, the version of the file in which it is, by the name that
    /// [`SourceReading::displaced`] uses.
    pub versions: Vec<Option<String>>,
    /// The source as it is now.
    pub reading: SourceReading,
    /// Why writing ended before all edits were carried out, if it did.
    pub failed: Option<WriteError>,
}

/// What became of one edit.
#[derive(Clone, Debug)]
pub enum EditOutcome {
    /// The record is now at this position of the new reading.
    Stands(RecordIndex),
    /// So it is, but these fields could not be written and are as they were.
    StandsWithout(RecordIndex, Vec<RejectedField>),
    /// The record is gone.
    Removed,
    /// The edit could not be written and was left out, for this reason.
    Refused(String),
    /// The edit was not carried out, because somebody saved the record's file after it
    /// was read, or because writing ended early. The reading shows the record as it is
    /// now: plan again.
    Undone,
}

impl EditOutcome {
    /// The record is at `at`, without the fields that were `refused`.
    fn of_parts(at: RecordIndex, refused: Vec<RejectedField>) -> EditOutcome {
        match refused[..] {
            [] => EditOutcome::Stands(at),
            [..] => EditOutcome::StandsWithout(at, refused),
        }
    }
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file is missing or cannot be opened. Check the path and its permissions.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and is no source.
    #[error("{}{}: {problem}", path.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The line that shows it, counted from 1.
        line: Option<u32>,
        /// What is wrong, for people.
        problem: String,
        /// What to do about it.
        hint: String,
    },
    /// Another linqsync works on this file.
    #[error(transparent)]
    Locked(#[from] LockError),
}

/// Why the source was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody saved the file after it was read. Read and plan again.
    #[error("{} was saved by another program in the meantime{}", path.display(), kept_beside(kept.as_deref()))]
    Changed {
        /// The file.
        path: PathBuf,
        /// Another version that somebody saved within the same instant: it could
        /// not stay in place and was put here.
        kept: Option<PathBuf>,
    },
    /// The reading said that this source must not be written.
    #[error("{} is not written: {reason}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The edited file would not have differed from the old one as intended, and
    /// only so. It was not written; this is a mistake in linqsync.
    #[error("{} is not written, because {problem}", path.display())]
    Unfaithful {
        /// The file.
        path: PathBuf,
        /// What would have been wrong.
        problem: String,
    },
    /// The system refused; the source is as it was.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file, or the temporary file beside it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another linqsync works on this file.
    #[error(transparent)]
    Locked(#[from] LockError),
}

fn kept_beside(kept: Option<&Path>) -> String {
    kept.map(|path| format!("; another version is kept in {}", path.display())).unwrap_or_default()
}
