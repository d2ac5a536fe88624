//! A directory of vCards as a source.
//!
//! Owns lossless reading and editing of cards, in files of one or many. The way of a
//! card: `folder` → `text` → `scan` → `property` → `card` → `person`; and back: `put` →
//! `render` → `splice` → `batch` → the atomic replacement of its file. `fresh` makes new
//! cards, and `restore` those that were removed.
//! What fields mean is written up in `docs/mapping.md`. Leaves every decision about
//! contacts to [`crate::plan`], also which of several addresses is the linked one.

mod batch;
mod card;
mod check;
mod escape;
mod folder;
mod fresh;
mod person;
mod property;
mod put;
mod reading;
mod render;
mod restore;
mod scan;
mod splice;
mod text;
mod whole;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::lock::Lock;
use crate::model::{AsWritten, Fingerprint, RecordIndex};

use super::atomic;
use super::{Access, Edit, Leftover, Pace, Reading, Source, SourceError, WriteError, Written};

use batch::Batch;
use folder::{Depth, Files};
use reading::Place;

pub use folder::takes_part;
pub use fresh::uid as uid_of;
pub use whole::{Whole, cards_of, edited, probe};

/// What is known about a directory of cards beforehand: the section `[source]` of the
/// configuration.
#[derive(Clone, Debug)]
pub struct VcardOptions {
    /// The directory; a symbolic link is followed.
    pub path: PathBuf,
    /// Whether subdirectories take part.
    pub recursive: bool,
    /// The version of new cards.
    pub version: VcardVersion,
    /// What the directory is opened for.
    pub access: Access,
    /// How time passes: what is saved late is looked for among files that were replaced.
    pub pace: Pace,
}

/// The version of new cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcardVersion {
    /// RFC 2426.
    V3,
    /// RFC 6350.
    V4,
}

/// A directory of cards.
#[derive(Debug)]
pub struct VcardSource {
    options: VcardOptions,
    lock: Option<Lock>,
    last: Option<Last>,
    late: BTreeSet<String>,
}

/// The directory as it was last read.
struct Last {
    /// The directory itself, not a link to it.
    root: PathBuf,
    files: Files,
    /// What cannot be read besides files.
    unreadable: Vec<(PathBuf, String)>,
    /// Where each record is.
    places: Vec<Place>,
    reading: Reading,
}

impl std::fmt::Debug for Last {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Last({} files)", self.files.len())
    }
}

impl VcardSource {
    /// A source that has not been read yet.
    pub fn new(options: VcardOptions) -> VcardSource {
        VcardSource { options, lock: None, last: None, late: BTreeSet::new() }
    }

    fn root(&self) -> Result<PathBuf, SourceError> {
        let path = &self.options.path;
        let io = |source| SourceError::Io { path: path.clone(), source };
        let root = fs::canonicalize(path).map_err(io)?;
        if fs::metadata(&root).map_err(io)?.is_dir() {
            return Ok(root);
        }
        Err(SourceError::Unusable {
            path: path.clone(),
            line: None,
            problem: "is not a directory".to_owned(),
            hint: "set source.kind to `csv`, or name the directory of the cards".to_owned(),
        })
    }

    /// Locks the directory, clears up what a run that was killed left behind, and looks
    /// for late saves.
    fn take_lock(&mut self, root: &Path) -> Result<(), SourceError> {
        if self.options.access == Access::ReadOnly {
            let directories = folder::directories(root, self.depth());
            self.late = directories.iter().flat_map(|path| atomic::undone_in(path)).collect();
            return Ok(());
        }
        if !self.lock.as_ref().is_some_and(|lock| lock.is_on(root)) {
            self.lock = Some(Lock::existing(root)?);
            for directory in folder::directories(root, self.depth()) {
                atomic::recover_directory(&directory);
            }
        }
        self.look_again(root);
        Ok(())
    }

    /// Looks whether somebody wrote into a file that was displaced.
    fn look_again(&mut self, root: &Path) {
        for directory in folder::directories(root, self.depth()) {
            self.late.extend(atomic::look_again_in(&directory, &self.options.pace));
        }
    }

    fn depth(&self) -> Depth {
        if self.options.recursive { Depth::All } else { Depth::One }
    }
}

impl Source for VcardSource {
    fn read(&mut self) -> Result<Reading, SourceError> {
        let root = self.root()?;
        self.take_lock(&root)?;
        let known = self.last.take().filter(|last| last.root == root);
        let known = known.map(|last| last.files).unwrap_or_default();
        let scanned = folder::scan(&root, self.depth(), &known);
        let (files, unreadable) = scanned
            .map_err(|source| SourceError::Io { path: self.options.path.clone(), source })?;
        let (places, mut reading) = reading::assembled(&files, &unreadable);
        let depth = self.depth().name();
        reading.places = reading.mapped.iter().map(|field| (field, depth.to_owned())).collect();
        reading.late.clone_from(&self.late);
        let read = reading.clone();
        self.last = Some(Last { root, files, unreadable, places, reading });
        Ok(read)
    }

    fn write(&mut self, edits: &[Edit]) -> Result<Written, WriteError> {
        let read_only = |reason: &str| WriteError::ReadOnly {
            path: self.options.path.clone(),
            reason: reason.to_owned(),
        };
        if self.options.access == Access::ReadOnly {
            return Err(read_only("it was opened for reading only"));
        }
        let Some(last) = self.last.take() else {
            return Err(read_only("it has not been read"));
        };
        if !edits.is_empty() {
            self.look_again(&last.root);
        }
        let mut batch = Batch::new(last, self.options.version, self.depth());
        batch.carry_out(edits);
        let (last, written) = batch.finish(edits);
        self.last = Some(last);
        Ok(written)
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        let Some(last) = &self.last else { return AsWritten::default() };
        let place = usize::try_from(at.0).ok().and_then(|at| last.places.get(at));
        place.and_then(|place| reading::as_written(last, place)).unwrap_or_default()
    }

    fn stamp(&self, at: RecordIndex) -> Fingerprint {
        let Some(last) = &self.last else { return Fingerprint::of(&[]) };
        let place = usize::try_from(at.0).ok().and_then(|at| last.places.get(at));
        place.map_or_else(|| Fingerprint::of(&[]), |place| reading::stamp(last, place))
    }

    fn lost(&self, was: &AsWritten) -> Vec<String> {
        let Some(last) = &self.last else { return Vec::new() };
        restore::lost(&last.root, self.depth(), was)
    }

    fn forget_late(&mut self) {
        self.late.clear();
        if let Some(last) = &self.last {
            for directory in folder::directories(&last.root, self.depth()) {
                atomic::forget_late_in(&directory);
            }
        }
    }

    fn leftovers(&self) -> Vec<Leftover> {
        let root = self.root().unwrap_or_else(|_| self.options.path.clone());
        let directories = folder::directories(&root, self.depth());
        directories.iter().flat_map(|path| atomic::leftovers_in(path)).collect()
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        let unread = || io::Error::new(io::ErrorKind::NotFound, "the source has not been read");
        let last = self.last.as_ref().ok_or_else(unread)?;
        let name = self.options.path.file_name().unwrap_or_else(|| "cards".as_ref());
        atomic::copy_beside_others(into, name, &last.root, last.files.keys().map(PathBuf::as_path))
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
