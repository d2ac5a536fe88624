//! A CSV file as a source.
//!
//! Owns lossless reading and editing: what is not edited keeps every byte, and a
//! rewritten file is proven to differ as intended before it takes the place of
//! the old one. The way of a file: `open` → `foreign` (what is no table) → `text` → `dialect` (by `candidates`) → `header`
//! (by `names`, over `wording` and `phrases`) → `preamble` above it, `rows` below it (by `location` with `joined`, and `cell`, over `scan`, with `damage`, `quotes`
//! and `beside`, which knows `footers`), put in order by `sheet`; and back: `table_edit` (with `restore`) → `render` →
//! `check` → `atomic`. All but the two ends is one version of the file as a value,
//! [`TableVersion`]. Leaves every decision about contacts to [`crate::plan`].

mod beside;
mod candidates;
mod cell;
mod check;
mod damage;
mod dialect;
mod editors;
mod footers;
mod foreign;
mod header;
mod joined;
mod location;
mod looks;
mod names;
mod open;
mod phrases;
mod preamble;
mod quotes;
mod render;
mod restore;
mod rows;
mod scan;
mod sheet;
mod table;
mod table_edit;
mod text;
mod wording;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lock::Lock;
use crate::model::{
    AsWritten, Field, Fingerprint, Positions, RecordIndex, Region, Resting, Selection,
    SourceAtRest, SourceRecord,
};

use super::atomic::{self, EntryScope};
use super::files::{Hidden, Stillness};
use super::formula::FormulaGuard;
use super::{
    Leftover, QuietTime, Source, SourceEdit, SourceError, SourceReading, WriteError, WriteReceipt,
};

pub use super::SourceAccess;
pub use dialect::Delimiter;
pub use table::TableVersion;
pub use text::Charset;

/// How often the file is locked anew because somebody replaced it meanwhile.
const TRIES: usize = 5;

/// What is known about a CSV file beforehand: the section `[source]` of the
/// configuration.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// The file; a symbolic link is followed.
    pub path: PathBuf,
    /// The column that identifies a row.
    pub key: Option<String>,
    /// The column that is kept filled with the Linq id.
    pub id_column: Option<String>,
    /// Which rows take part, if not all of them.
    pub only: Option<Selection>,
    /// The encoding.
    pub encoding: Charset,
    /// What separates cells.
    pub delimiter: Delimiter,
    /// Whether values that a spreadsheet would run are written with an apostrophe.
    pub formula_guard: FormulaGuard,
    /// The columns of fields whose name is not left to recognition; several make up one
    /// value together.
    pub columns: BTreeMap<Field, Vec<String>>,
    /// The column that holds first and last name together, if it is not left to recognition.
    pub full_name: Option<String>,
    /// Where phone numbers without a country code are at home.
    pub region: Region,
    /// How long the file must have been left alone.
    pub clock: QuietTime,
    /// What the file is opened for.
    pub access: SourceAccess,
}

impl CsvOptions {
    /// Stands for all by which the bytes of a file become records.
    fn fingerprint(&self) -> Fingerprint {
        let CsvOptions {
            path: _,
            key,
            id_column,
            only,
            encoding,
            delimiter,
            formula_guard,
            columns,
            full_name,
            region,
            clock: _,
            access: _,
        } = self;
        let columns = (key, id_column, columns, full_name);
        let only = only.as_ref().map(Selection::rule);
        let how = (encoding, delimiter, formula_guard, region, only);
        Fingerprint::of(format!("{columns:?} {how:?}").as_bytes())
    }

    /// The defaults for the file at `path`: everything is found out.
    pub fn new(path: impl Into<PathBuf>) -> CsvOptions {
        CsvOptions {
            path: path.into(),
            key: None,
            id_column: None,
            only: None,
            encoding: Charset::Auto,
            delimiter: Delimiter::Auto,
            formula_guard: FormulaGuard::On,
            columns: BTreeMap::new(),
            full_name: None,
            region: Region::US,
            clock: QuietTime::frozen_time(),
            access: SourceAccess::Exclusive,
        }
    }
}

/// What was found out about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// The name of its encoding.
    pub encoding: &'static str,
    /// What separates its cells.
    pub delimiter: u8,
    /// The names of its columns, from left to right.
    pub header: Vec<String>,
    /// The fields it carries, and the names of their columns.
    pub columns: BTreeMap<Field, String>,
    /// The column that holds first and last name together, where one does.
    pub full_name: Option<String>,
    /// The names of further columns of some of the fields: where that in `columns` is
    /// blank, the first of these that is filled holds the value.
    pub further: BTreeMap<Field, Vec<String>>,
}

impl TableShape {
    /// Whether there is a column for the first or for the last name.
    pub fn has_names(&self) -> bool {
        self.columns.contains_key(&Field::FirstName) || self.columns.contains_key(&Field::LastName)
    }
}

/// A CSV file.
#[derive(Debug)]
pub struct CsvSource {
    options: CsvOptions,
    lock: Option<Lock>,
    last: Option<LastTable>,
    /// The pairs whose records are left out of readings.
    resting: Arc<Resting>,
    /// What was seen of the file's changes.
    stillness: Stillness,
    /// Our versions of the file that a late save has replaced.
    displaced: BTreeSet<String>,
}

/// The file as it was last read.
struct LastTable {
    target: PathBuf,
    content: TableContent,
    /// Why it is not to be written, though it can be read: because a program had it open, or
    /// something is in the place of our directory.
    obstacle: Option<String>,
}

impl std::fmt::Debug for LastTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Last({})", self.target.display())
    }
}

/// What is in a file. One that is as it was when each of its records was at rest is taken
/// apart only if something of it is needed.
struct TableContent {
    /// All bytes, until they are taken apart.
    raw: RefCell<Vec<u8>>,
    /// `None` if they turned out to be no table any more, as they never should.
    table: OnceCell<Option<TableVersion>>,
}

impl TableContent {
    fn known_content(raw: Vec<u8>) -> TableContent {
        TableContent { raw: RefCell::new(raw), table: OnceCell::new() }
    }

    fn content_table(&self, options: &CsvOptions, resting: &Resting) -> Option<&TableVersion> {
        let parse = || TableVersion::parse_beside(self.raw.take(), options, resting).ok();
        self.table.get_or_init(|| parse().map(|(table, _)| table)).as_ref()
    }
}

impl From<TableVersion> for TableContent {
    fn from(table: TableVersion) -> TableContent {
        TableContent { raw: RefCell::default(), table: OnceCell::from(Some(table)) }
    }
}

/// Why a file cannot be read as a table of contacts.
#[derive(Debug, PartialEq, Eq)]
struct Defect {
    /// The line, counted from 1, where one shows it.
    line: Option<u32>,
    problem: String,
    hint: String,
}

impl Defect {
    fn new(line: Option<u32>, problem: &str, hint: &str) -> Defect {
        Defect { line, problem: problem.to_owned(), hint: hint.to_owned() }
    }

    fn source_error(self, path: &Path) -> SourceError {
        let Defect { line, problem, hint } = self;
        SourceError::Unusable { path: path.to_owned(), line, problem, hint }
    }
}

impl CsvSource {
    /// A source that has not been read yet.
    pub fn new(options: CsvOptions) -> CsvSource {
        let (stillness, late) = (Stillness::default(), BTreeSet::new());
        CsvSource {
            options,
            lock: None,
            last: None,
            resting: Arc::default(),
            stillness,
            displaced: late,
        }
    }

    /// Reads the file while it is locked.
    fn open_file(&mut self) -> Result<open::OpenedFile, SourceError> {
        if self.lock_is_in_place() {
            self.rescue_late_saves();
        }
        for _ in 0..TRIES {
            let is_exclusive = self.options.access == SourceAccess::Exclusive;
            // Before it is read. What cannot be read is told by the reading.
            if is_exclusive
                && !self.lock_is_in_place()
                && let Ok(target) = open::target_file(&self.options.path)
            {
                self.take_lock(&target)?;
            }
            let CsvOptions { path, clock, .. } = &self.options;
            let opened = open::open_table(path, clock, &mut self.stillness)?;
            if !is_exclusive || self.lock_is_in_place() {
                return Ok(opened);
            }
        }
        let source = io::Error::new(io::ErrorKind::ResourceBusy, "it is replaced again and again");
        Err(SourceError::Io { path: self.options.path.clone(), source })
    }

    fn lock_is_in_place(&self) -> bool {
        self.lock.as_ref().is_some_and(|lock| lock.is_on(&self.options.path))
    }

    /// Locks the file, and clears up what a run that was killed left behind.
    fn take_lock(&mut self, target: &Path) -> Result<(), SourceError> {
        let lock = Lock::lock_existing(target)?;
        self.lock = Some(lock);
        let (hidden, scope) = (Hidden::beside(target), EntryScope::File(target));
        atomic::adopt_old_names(&hidden, hidden.base_directory(), scope);
        atomic::recover_files(&hidden, scope);
        self.displaced.extend(atomic::rescue_late_saves(&hidden, scope, &self.options.clock));
        Ok(())
    }

    /// Looks whether somebody wrote into a file that was displaced.
    fn rescue_late_saves(&mut self) {
        if let Some(LastTable { target, .. }) = &self.last {
            let (hidden, clock) = (Hidden::beside(target), &self.options.clock);
            self.displaced.extend(atomic::rescue_late_saves(
                &hidden,
                EntryScope::File(target),
                clock,
            ));
        }
    }

    /// What was last read.
    fn last_table(&self) -> Option<&TableVersion> {
        self.last.as_ref()?.content.content_table(&self.options, &self.resting)
    }

    /// The reading of a file that consists of `raw`, if it is as it was when each of its
    /// records was at rest.
    fn as_ever(&self, raw: &[u8]) -> Option<SourceReading> {
        let known = self.resting.last_reading()?;
        let fingerprint = Fingerprint::of(raw);
        let is_it = known.fingerprint == fingerprint && known.options == self.options.fingerprint();
        is_it.then(|| SourceReading::from_known(known, self.resting.len()))
    }

    /// Which program has the file open, if one has.
    fn open_editor(&self, target: &Path) -> Option<String> {
        editors::open_in_editor([target, &self.options.path])
    }

    /// What but the file itself keeps it from being written, if anything does.
    fn write_obstacle(&self, last: &LastTable) -> Option<String> {
        match self.options.access {
            SourceAccess::ReadOnly => Some("it was opened for reading only".to_owned()),
            SourceAccess::Exclusive => last.obstacle.clone(),
        }
    }

    /// Puts `table` in the place of what was last read.
    fn replace_table(&mut self, table: TableVersion) -> Result<(), WriteError> {
        self.rescue_late_saves();
        let Some(last) = &self.last else { return Ok(()) };
        let Some(before) = self.last_table() else { return Ok(()) };
        if self.open_editor(&last.target).is_some() {
            // Somebody opened it meanwhile: it is read again, and not written.
            return Err(WriteError::Changed { path: self.options.path.clone(), kept: None });
        }
        if u64::try_from(table.raw_bytes().len()).is_ok_and(|length| length > open::MAX_BYTES) {
            let reason = "it would become larger than 512 MiB, which is not read".to_owned();
            return Err(self.read_only(reason));
        }
        let was = Fingerprint::of(before.raw_bytes());
        let hidden = Hidden::beside(&last.target);
        let replaced = atomic::replace_file(&hidden, &last.target, was, table.raw_bytes());
        hidden.remove_if_empty();
        let lock = replaced.map_err(|error| error.write_error(&self.options.path))?;
        let target = last.target.clone();
        self.lock = Some(lock);
        self.last = Some(LastTable { target, content: table.into(), obstacle: None });
        Ok(())
    }

    fn read_only(&self, reason: String) -> WriteError {
        WriteError::ReadOnly { path: self.options.path.clone(), reason }
    }
}

impl Source for CsvSource {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError> {
        let open::OpenedFile { target, raw } = self.open_file()?;
        self.resting = Arc::clone(resting);
        let (content, mut reading) = if let Some(reading) = self.as_ever(&raw) {
            (TableContent::known_content(raw), reading)
        } else {
            let (table, reading) = TableVersion::parse_beside(raw, &self.options, resting)?;
            (table.into(), reading)
        };
        let obstacle = self.open_editor(&target).or_else(|| Hidden::beside(&target).obstacle());
        reading.read_only = reading.read_only.or_else(|| obstacle.clone());
        if self.options.access == SourceAccess::ReadOnly {
            self.displaced =
                atomic::undone_versions(&Hidden::beside(&target), EntryScope::File(&target));
        }
        reading.displaced.clone_from(&self.displaced);
        self.last = Some(LastTable { target, content, obstacle });
        Ok(reading)
    }

    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError> {
        let Some(last) = &self.last else {
            return Err(self.read_only("it has not been read".to_owned()));
        };
        let Some(table) = self.last_table() else {
            return Err(self.read_only("it cannot be read any more".to_owned()));
        };
        let (next, written) = table.edited_beside(&self.options, edits, &self.resting)?;
        if let Some(next) = next {
            if let Some(reason) = self.write_obstacle(last) {
                return Err(self.read_only(reason));
            }
            self.replace_table(next)?;
        }
        Ok(written)
    }

    fn to_remember(
        &self,
        reading: &SourceReading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        let is_all = reading.records.iter().all(is_at_rest) && reading.doubled.is_empty();
        let reading = || reading.to_remember(self.options.fingerprint());
        SourceAtRest { reading: if is_all { reading() } else { None }, ..SourceAtRest::default() }
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.last_table().map(|table| table.at_rest(pairs, &self.options)).unwrap_or_default()
    }

    fn records_beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        if at.is_empty() {
            return Vec::new();
        }
        self.last_table().map(|table| table.records_beside(at, &self.options)).unwrap_or_default()
    }

    fn table_shape(&self) -> Option<TableShape> {
        self.last_table().map(TableVersion::table_shape)
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.last_table().map(|table| table.as_written(at)).unwrap_or_default()
    }

    fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        self.last_table().map_or_else(|| Fingerprint::of(&[]), |table| table.record_stamp(at))
    }

    fn lost_parts(&self, was: &AsWritten) -> Vec<String> {
        self.last_table().map(|table| table.lost_columns(was)).unwrap_or_default()
    }

    fn forget_late(&mut self) {
        self.displaced.clear();
        if let Some(LastTable { target, .. }) = &self.last {
            atomic::forget_late(&Hidden::beside(target), EntryScope::File(target));
        }
    }

    fn find_leftovers(&self) -> Vec<Leftover> {
        let target = self.options.path.canonicalize();
        let target = target.as_deref().unwrap_or(&self.options.path);
        let hidden = Hidden::beside(target);
        let directories = [hidden.base_directory().to_owned()];
        atomic::find_leftovers(&[hidden], &directories, EntryScope::File(target))
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        let unread = || io::Error::new(io::ErrorKind::NotFound, "the source has not been read");
        let table = self.last_table().ok_or_else(unread)?;
        let name = self.options.path.file_name().unwrap_or_default();
        atomic::create_beside_others(into, name, table.raw_bytes())
    }
}

#[cfg(test)]
mod tests;
