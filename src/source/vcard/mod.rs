//! A directory of vCards as a source.
//!
//! Owns lossless reading and editing of cards, in files of one or many. The way of a
//! card: `listing` → `folder` → `text` → `scan` → `property` → `card` → `values`; and back: `put` →
//! `render` → `splice` → `new_file` → `card_edits` → the atomic replacement of its file. `new_card` makes new
//! cards, and `restore` those that were removed.
//! What fields mean is written up in `docs/mapping.md`. Leaves every decision about
//! contacts to [`crate::plan`], also which of several addresses is the linked one.

mod card;
mod card_edits;
mod check;
mod escape;
mod folder;
mod listing;
mod new_card;
mod new_file;
mod property;
mod put;
mod reading;
mod render;
mod restore;
mod scan;
mod selecting;
mod splice;
mod text;
mod values;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lock::Lock;
use crate::model::{
    AsWritten, Field, Fingerprint, Positions, RecordIndex, Resting, Selection, SourceAtRest,
    SourceRecord,
};

use super::atomic::{self, EntryScope};
use super::files::{Hidden, ReadError, Stillness, Waited, follow_link};
use super::{
    AtRest, Leftover, QuietTime, Source, SourceAccess, SourceEdit, SourceError, SourceReading,
    WriteError, WriteReceipt,
};

use card_edits::CardEdits;
use folder::{CardFiles, Scanned};
use listing::{ListingDepth, card_directories, is_called_cards};
use reading::CardLocation;

pub use listing::takes_part;
pub use new_card::new_uid as uid_of;
pub use whole::{Whole, cards_of, edit_file, probe};

/// What is known about a directory of cards beforehand: the section `[source]` of the
/// configuration.
#[derive(Clone, Debug)]
pub struct VcardOptions {
    /// The directory; a symbolic link is followed.
    pub path: PathBuf,
    /// Whether subdirectories take part.
    pub recursive: bool,
    /// Which cards take part, if not all of them.
    pub only: Only,
    /// The version of new cards.
    pub version: VcardVersion,
    /// What the directory is opened for.
    pub access: SourceAccess,
    /// How long the directory must have been left alone.
    pub clock: QuietTime,
}

/// Which cards take part, if not all of them.
pub type Only = Option<Arc<Selection>>;

/// The version of new cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcardVersion {
    /// RFC 2426.
    V3,
    /// RFC 6350.
    V4,
}

/// What of our hidden directories is about cards.
const OUR_SCOPE: EntryScope<'_> = EntryScope::Called(is_called_cards);

/// Our directories in those of `directories` that have one.
fn all_hidden(directories: &[PathBuf]) -> Vec<Hidden> {
    let hidden = directories.iter().map(|directory| Hidden::in_directory(directory));
    hidden.filter(Hidden::is_there).collect()
}

/// Calls `act` with our directory in the first of `directories`, which is locked, and with
/// those of others that have one of their own, unless another linqsync works there.
fn each_hidden(directories: &[PathBuf], mut act: impl FnMut(&Hidden)) {
    for (position, directory) in directories.iter().enumerate() {
        let hidden = Hidden::in_directory(directory);
        if !hidden.is_there() {
            continue;
        }
        let lock = (position > 0).then(|| Lock::lock_existing(directory)).transpose();
        match lock {
            Ok(_held) => act(&hidden),
            Err(error) => tracing::debug!(%error, "what lies hidden there is left alone"),
        }
    }
}

/// A directory of cards.
#[derive(Debug)]
pub struct VcardSource {
    options: VcardOptions,
    lock: Option<Lock>,
    last: Option<LastCards>,
    /// The pairs whose records are left out of readings.
    resting: Arc<Resting>,
    /// What was seen of its changes.
    stillness: Stillness,
    /// Our versions of cards that late saves have replaced.
    displaced: BTreeSet<String>,
}

/// The directory as it was last read.
struct LastCards {
    /// The directory itself, not a link to it.
    root: PathBuf,
    files: CardFiles,
    /// What cannot be read besides files.
    unreadable: Vec<(PathBuf, String)>,
    /// Where each record is.
    places: Vec<CardLocation>,
    /// Where the records at rest are.
    at_rest: AtRest,
    /// Whether subdirectories took part.
    depth: ListingDepth,
    /// Why nothing is to be written, though it can be read.
    obstacle: Option<String>,
}

impl LastCards {
    /// The record at `index`.
    fn record_at(&self, index: RecordIndex) -> Option<SourceRecord> {
        let place = self.places.get(usize::try_from(index.0).ok()?)?;
        Some(SourceRecord { index, ..reading::record_at(&self.root, &self.files, place)? })
    }

    /// Where the fields of a reading stand.
    fn field_places(&self, reading: &SourceReading) -> BTreeMap<Field, String> {
        let depth = self.depth.name();
        reading.mapped.iter().map(|field| (field, depth.to_owned())).collect()
    }
}

impl std::fmt::Debug for LastCards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Last({} files)", self.files.len())
    }
}

impl VcardSource {
    /// A source that has not been read yet.
    pub fn new(options: VcardOptions) -> VcardSource {
        let (stillness, late) = (Stillness::default(), BTreeSet::new());
        VcardSource {
            options,
            lock: None,
            last: None,
            resting: Arc::default(),
            stillness,
            displaced: late,
        }
    }

    fn root_directory(&self) -> Result<PathBuf, SourceError> {
        let path = &self.options.path;
        let io = |source| SourceError::Io { path: path.clone(), source };
        let unusable = |problem: &str, hint: &str| SourceError::Unusable {
            path: path.clone(),
            line: None,
            problem: problem.to_owned(),
            hint: hint.to_owned(),
        };
        match follow_link(path) {
            Err(ReadError::Io(source)) => return Err(io(source)),
            Err(_) => {
                let hint = "set source.path to the directory itself, or make the link anew";
                return Err(unusable("is a symbolic link of another user", hint));
            }
            Ok(_) => {}
        }
        let root = fs::canonicalize(path).map_err(io)?;
        if fs::metadata(&root).map_err(io)?.is_dir() {
            return Ok(root);
        }
        let hint = "set source.kind to `csv`, or name the directory of the cards";
        Err(unusable("is not a directory", hint))
    }

    /// Locks the directory, clears up what a run that was killed left behind, and looks
    /// for late saves.
    fn take_lock(&mut self, root: &Path) -> Result<(), SourceError> {
        let directories = card_directories(root, self.listing_depth());
        if self.options.access == SourceAccess::ReadOnly {
            let hidden = all_hidden(&directories);
            self.displaced =
                hidden.iter().flat_map(|one| atomic::undone_versions(one, OUR_SCOPE)).collect();
            return Ok(());
        }
        if !self.lock.as_ref().is_some_and(|lock| lock.is_on(root)) {
            self.lock = Some(Lock::lock_existing(root)?);
            let ours = Hidden::in_directory(root);
            for directory in &directories {
                atomic::adopt_old_names(&ours, directory, OUR_SCOPE);
            }
            each_hidden(&directories, |hidden| atomic::recover_files(hidden, OUR_SCOPE));
        }
        self.rescue_late_saves(&directories);
        Ok(())
    }

    /// Looks whether somebody wrote into a file that was displaced.
    fn rescue_late_saves(&mut self, directories: &[PathBuf]) {
        let (clock, late) = (&self.options.clock, &mut self.displaced);
        each_hidden(directories, |hidden| {
            late.extend(atomic::rescue_late_saves(hidden, OUR_SCOPE, clock));
        });
    }

    /// Reads the directory once it has been left alone for the quiet time. Where that does
    /// not happen, what is being changed is not read, and nothing counts as missing.
    fn scan_directory(
        &mut self,
        root: &Path,
        mut known: CardFiles,
        resting: &Resting,
    ) -> io::Result<Scanned> {
        let clock = self.options.clock.clone();
        loop {
            let mut scanned = folder::scan_directory(
                root,
                self.listing_depth(),
                &known,
                resting,
                &self.options.only,
            )?;
            let rest = self.stillness.rest_needed(
                &clock,
                scanned.state_fingerprint(),
                scanned.file_stamps(),
            );
            let Some(rest) = rest else { return Ok(scanned) };
            if self.stillness.wait_or_refuse(&clock, rest) == Waited::LongEnough {
                scanned.distrust_restless(&clock);
                return Ok(scanned);
            }
            known = scanned.files;
        }
    }

    fn listing_depth(&self) -> ListingDepth {
        if self.options.recursive { ListingDepth::All } else { ListingDepth::One }
    }
}

impl Source for VcardSource {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError> {
        let root = self.root_directory()?;
        self.take_lock(&root)?;
        let known = self.last.take().filter(|last| last.root == root);
        let known = known.map(|last| last.files).unwrap_or_default();
        let Scanned { files, unreadable, .. } = self
            .scan_directory(&root, known, resting)
            .map_err(|source| SourceError::Io { path: self.options.path.clone(), source })?;
        self.stillness.has_been_read();
        let (places, at_rest, mut reading) =
            reading::assemble_records(&root, &files, &unreadable, resting, &self.options.only);
        self.resting = Arc::clone(resting);
        let obstacle = Hidden::in_directory(&root).obstacle();
        let depth = self.listing_depth();
        let last = LastCards { root, files, unreadable, places, at_rest, depth, obstacle };
        reading.read_only.clone_from(&last.obstacle);
        reading.places = last.field_places(&reading);
        reading.displaced.clone_from(&self.displaced);
        self.last = Some(last);
        Ok(reading)
    }

    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError> {
        let read_only = |reason: &str| WriteError::ReadOnly {
            path: self.options.path.clone(),
            reason: reason.to_owned(),
        };
        if self.options.access == SourceAccess::ReadOnly {
            return Err(read_only("it was opened for reading only"));
        }
        let Some(last) = self.last.take() else {
            return Err(read_only("it has not been read"));
        };
        if !edits.is_empty() {
            self.rescue_late_saves(&card_directories(&last.root, self.listing_depth()));
        }
        let mut batch = CardEdits::new(last, &self.resting, &self.options);
        batch.carry_out(edits);
        let (last, written) = batch.finish(edits);
        self.last = Some(last);
        Ok(written)
    }

    fn to_remember(
        &self,
        _reading: &SourceReading,
        is_at_rest: &dyn Fn(&SourceRecord) -> bool,
    ) -> SourceAtRest {
        let files = self.last.as_ref().map(|last| &last.files);
        files
            .map(|files| reading::to_remember(files, &self.resting, is_at_rest))
            .unwrap_or_default()
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        let Some(last) = &self.last else { return Vec::new() };
        last.at_rest.records_of(pairs).filter_map(|index| last.record_at(index)).collect()
    }

    /// A card has a place of its own, wherever others are.
    fn records_beside(&self, _at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        Vec::new()
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        let Some(last) = &self.last else { return AsWritten::default() };
        let place = usize::try_from(at.0).ok().and_then(|at| last.places.get(at));
        place.and_then(|place| reading::as_written(last, place)).unwrap_or_default()
    }

    fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        let Some(last) = &self.last else { return Fingerprint::of(&[]) };
        let place = usize::try_from(at.0).ok().and_then(|at| last.places.get(at));
        place.map_or_else(|| Fingerprint::of(&[]), |place| reading::record_stamp(last, place))
    }

    fn lost_parts(&self, was: &AsWritten) -> Vec<String> {
        let Some(last) = &self.last else { return Vec::new() };
        restore::lost_properties(&last.root, self.listing_depth(), was)
    }

    fn forget_late(&mut self) {
        self.displaced.clear();
        if let Some(last) = &self.last {
            for hidden in all_hidden(&card_directories(&last.root, self.listing_depth())) {
                atomic::forget_late(&hidden, OUR_SCOPE);
            }
        }
    }

    fn find_leftovers(&self) -> Vec<Leftover> {
        let root = self.root_directory().unwrap_or_else(|_| self.options.path.clone());
        let directories = card_directories(&root, self.listing_depth());
        atomic::find_leftovers(&all_hidden(&directories), &directories, OUR_SCOPE)
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        let unread = || io::Error::new(io::ErrorKind::NotFound, "the source has not been read");
        let last = self.last.as_ref().ok_or_else(unread)?;
        let name = self.options.path.file_name().unwrap_or_else(|| "cards".as_ref());
        atomic::copy_beside_others(into, name, &last.root, last.files.keys().map(PathBuf::as_path))
    }
}

#[cfg(test)]
mod at_rest;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
