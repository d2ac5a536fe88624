//! A CSV file as a source.
//!
//! Owns lossless reading and editing: what is not edited keeps every byte, and a
//! rewritten file is proven to differ as intended before it takes the place of
//! the old one. The way of a file: `open` → `foreign` (what is no table) → `text` → `dialect` (by `candidates`) → `header`
//! (by `names`, over `wording` and `phrases`) → `preamble` above it, `rows` below it (by `place` with `joined`, and `cell`, over `scan`, with `damage`, `quotes`
//! and `beside`, which knows `footers`), put in order by `sheet`; and back: `draft` (with `restore`) → `render` →
//! `check` → `atomic`. All but the two ends is one version of the file as a value,
//! [`Table`]. Leaves every decision about contacts to [`crate::plan`].

mod beside;
mod candidates;
mod cell;
mod check;
mod damage;
mod dialect;
mod draft;
mod editors;
mod footers;
mod foreign;
mod header;
mod joined;
mod looks;
mod names;
mod open;
mod phrases;
mod place;
mod preamble;
mod quotes;
mod render;
mod restore;
mod rows;
mod scan;
mod sheet;
mod table;
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

use super::atomic::{self, Scope};
use super::files::{Hidden, Stillness};
use super::formula::FormulaGuard;
use super::{Clock, Edit, Leftover, Reading, Source, SourceError, WriteError, Written};

pub use super::Access;
pub use dialect::Delimiter;
pub use table::Table;
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
    pub clock: Clock,
    /// What the file is opened for.
    pub access: Access,
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
            clock: Clock::still(),
            access: Access::Exclusive,
        }
    }
}

/// What was found out about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
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

impl Shape {
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
    last: Option<Last>,
    /// The pairs whose records are left out of readings.
    resting: Arc<Resting>,
    /// What was seen of the file's changes.
    stillness: Stillness,
    /// Our versions of the file that a late save has replaced.
    late: BTreeSet<String>,
}

/// The file as it was last read.
struct Last {
    target: PathBuf,
    content: Content,
    /// Why it is not to be written, though it can be read: because a program had it open, or
    /// something is in the place of our directory.
    obstacle: Option<String>,
}

impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Last({})", self.target.display())
    }
}

/// What is in a file. One that is as it was when each of its records was at rest is taken
/// apart only if something of it is needed.
struct Content {
    /// All bytes, until they are taken apart.
    raw: RefCell<Vec<u8>>,
    /// `None` if they turned out to be no table any more, as they never should.
    table: OnceCell<Option<Table>>,
}

impl Content {
    fn known(raw: Vec<u8>) -> Content {
        Content { raw: RefCell::new(raw), table: OnceCell::new() }
    }

    fn table(&self, options: &CsvOptions, resting: &Resting) -> Option<&Table> {
        let parse = || Table::parse_beside(self.raw.take(), options, resting).ok();
        self.table.get_or_init(|| parse().map(|(table, _)| table)).as_ref()
    }
}

impl From<Table> for Content {
    fn from(table: Table) -> Content {
        Content { raw: RefCell::default(), table: OnceCell::from(Some(table)) }
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

    fn at(self, path: &Path) -> SourceError {
        let Defect { line, problem, hint } = self;
        SourceError::Unusable { path: path.to_owned(), line, problem, hint }
    }
}

impl CsvSource {
    /// A source that has not been read yet.
    pub fn new(options: CsvOptions) -> CsvSource {
        let (stillness, late) = (Stillness::default(), BTreeSet::new());
        CsvSource { options, lock: None, last: None, resting: Arc::default(), stillness, late }
    }

    /// Reads the file while it is locked.
    fn open(&mut self) -> Result<open::Opened, SourceError> {
        if self.lock_is_in_place() {
            self.rescue_late_saves();
        }
        for _ in 0..TRIES {
            let is_exclusive = self.options.access == Access::Exclusive;
            // Before it is read. What cannot be read is told by the reading.
            if is_exclusive
                && !self.lock_is_in_place()
                && let Ok(target) = open::target(&self.options.path)
            {
                self.take_lock(&target)?;
            }
            let CsvOptions { path, clock, .. } = &self.options;
            let opened = open::open(path, clock, &mut self.stillness)?;
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
        let lock = Lock::existing(target)?;
        self.lock = Some(lock);
        let (hidden, scope) = (Hidden::beside(target), Scope::File(target));
        atomic::adopt_old_names(&hidden, hidden.base(), scope);
        atomic::recover(&hidden, scope);
        self.late.extend(atomic::rescue_late_saves(&hidden, scope, &self.options.clock));
        Ok(())
    }

    /// Looks whether somebody wrote into a file that was displaced.
    fn rescue_late_saves(&mut self) {
        if let Some(Last { target, .. }) = &self.last {
            let (hidden, clock) = (Hidden::beside(target), &self.options.clock);
            self.late.extend(atomic::rescue_late_saves(&hidden, Scope::File(target), clock));
        }
    }

    /// What was last read.
    fn table(&self) -> Option<&Table> {
        self.last.as_ref()?.content.table(&self.options, &self.resting)
    }

    /// The reading of a file that consists of `raw`, if it is as it was when each of its
    /// records was at rest.
    fn as_ever(&self, raw: &[u8]) -> Option<Reading> {
        let known = self.resting.reading()?;
        let fingerprint = Fingerprint::of(raw);
        let is_it = known.fingerprint == fingerprint && known.options == self.options.fingerprint();
        is_it.then(|| Reading::known(known, self.resting.len()))
    }

    /// Which program has the file open, if one has.
    fn editor(&self, target: &Path) -> Option<String> {
        editors::open_in_editor([target, &self.options.path])
    }

    /// What but the file itself keeps it from being written, if anything does.
    fn obstacle(&self, last: &Last) -> Option<String> {
        match self.options.access {
            Access::ReadOnly => Some("it was opened for reading only".to_owned()),
            Access::Exclusive => last.obstacle.clone(),
        }
    }

    /// Puts `table` in the place of what was last read.
    fn replace(&mut self, table: Table) -> Result<(), WriteError> {
        self.rescue_late_saves();
        let Some(last) = &self.last else { return Ok(()) };
        let Some(before) = self.table() else { return Ok(()) };
        if self.editor(&last.target).is_some() {
            // Somebody opened it meanwhile: it is read again, and not written.
            return Err(WriteError::Changed { path: self.options.path.clone(), kept: None });
        }
        if u64::try_from(table.raw().len()).is_ok_and(|length| length > open::MAX_BYTES) {
            let reason = "it would become larger than 512 MiB, which is not read".to_owned();
            return Err(self.read_only(reason));
        }
        let was = Fingerprint::of(before.raw());
        let hidden = Hidden::beside(&last.target);
        let replaced = atomic::replace(&hidden, &last.target, was, table.raw());
        hidden.remove_if_empty();
        let lock = replaced.map_err(|error| error.at(&self.options.path))?;
        let target = last.target.clone();
        self.lock = Some(lock);
        self.last = Some(Last { target, content: table.into(), obstacle: None });
        Ok(())
    }

    fn read_only(&self, reason: String) -> WriteError {
        WriteError::ReadOnly { path: self.options.path.clone(), reason }
    }
}

impl Source for CsvSource {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<Reading, SourceError> {
        let open::Opened { target, raw } = self.open()?;
        self.resting = Arc::clone(resting);
        let (content, mut reading) = if let Some(reading) = self.as_ever(&raw) {
            (Content::known(raw), reading)
        } else {
            let (table, reading) = Table::parse_beside(raw, &self.options, resting)?;
            (table.into(), reading)
        };
        let obstacle = self.editor(&target).or_else(|| Hidden::beside(&target).obstacle());
        reading.read_only = reading.read_only.or_else(|| obstacle.clone());
        if self.options.access == Access::ReadOnly {
            self.late = atomic::undone(&Hidden::beside(&target), Scope::File(&target));
        }
        reading.late.clone_from(&self.late);
        self.last = Some(Last { target, content, obstacle });
        Ok(reading)
    }

    fn write(&mut self, edits: &[Edit]) -> Result<Written, WriteError> {
        let Some(last) = &self.last else {
            return Err(self.read_only("it has not been read".to_owned()));
        };
        let Some(table) = self.table() else {
            return Err(self.read_only("it cannot be read any more".to_owned()));
        };
        let (next, written) = table.edited_beside(&self.options, edits, &self.resting)?;
        if let Some(next) = next {
            if let Some(reason) = self.obstacle(last) {
                return Err(self.read_only(reason));
            }
            self.replace(next)?;
        }
        Ok(written)
    }

    fn to_remember(
        &self,
        reading: &Reading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        let is_all = reading.records.iter().all(is_at_rest) && reading.doubled.is_empty();
        let reading = || reading.to_remember(self.options.fingerprint());
        SourceAtRest { reading: if is_all { reading() } else { None }, ..SourceAtRest::default() }
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.table().map(|table| table.at_rest(pairs, &self.options)).unwrap_or_default()
    }

    fn beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        if at.is_empty() {
            return Vec::new();
        }
        self.table().map(|table| table.beside(at, &self.options)).unwrap_or_default()
    }

    fn shape(&self) -> Option<Shape> {
        self.table().map(Table::shape)
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.table().map(|table| table.as_written(at)).unwrap_or_default()
    }

    fn stamp(&self, at: RecordIndex) -> Fingerprint {
        self.table().map_or_else(|| Fingerprint::of(&[]), |table| table.stamp(at))
    }

    fn lost(&self, was: &AsWritten) -> Vec<String> {
        self.table().map(|table| table.lost(was)).unwrap_or_default()
    }

    fn forget_late(&mut self) {
        self.late.clear();
        if let Some(Last { target, .. }) = &self.last {
            atomic::forget_late(&Hidden::beside(target), Scope::File(target));
        }
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let target = self.options.path.canonicalize();
        let target = target.as_deref().unwrap_or(&self.options.path);
        let hidden = Hidden::beside(target);
        let directories = [hidden.base().to_owned()];
        atomic::leftovers(&[hidden], &directories, Scope::File(target))
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        let unread = || io::Error::new(io::ErrorKind::NotFound, "the source has not been read");
        let table = self.table().ok_or_else(unread)?;
        let name = self.options.path.file_name().unwrap_or_default();
        atomic::create_beside_others(into, name, table.raw())
    }
}

#[cfg(test)]
mod tests;
