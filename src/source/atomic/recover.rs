//! What a process that was killed while it replaced a file left behind.
//!
//! Owns finishing its work: a `.part` is a new file that was not complete; a
//! `.swap` is the new file before the exchange, and the displaced one after it.
//! Their names carry the fingerprints of the version that was to be replaced and
//! of the one that was made.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::create::NEW;
use super::paths::{PREFIX, directory, discard, fingerprint_of, keep, prefix, short};
use super::remove::{GONE, parted, put_back};

/// Clears up what a killed process left in `directory`, as [`recover`] does for each of
/// its files. A file that was about to be removed is left to [`super::look_again_in`],
/// unless it was saved meanwhile: then it gets its name back.
pub(crate) fn recover_directory(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let (ours, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| name(path).starts_with(PREFIX));
    let mut leftovers = Vec::new();
    for path in ours {
        match name(path) {
            text if text.starts_with(NEW) => discard(path),
            text if text.starts_with(GONE) => recover_gone(path, text),
            text => leftovers.extend(Leftover::of(path, text)),
        }
    }
    if leftovers.is_empty() {
        return;
    }
    // Each name is looked at once, however many were left behind.
    let targets: BTreeMap<String, &PathBuf> =
        others.into_iter().map(|path| (prefix(path), path)).collect();
    for leftover in leftovers {
        if let Some(target) = targets.get(&leftover.prefix) {
            leftover.recover(target);
        }
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

fn recover_gone(aside: &Path, name: &str) {
    let Some((was, name)) = parted(name) else { return };
    if fingerprint_of(aside).is_ok_and(|found| short(found) != was) {
        let kept = put_back(&directory(aside).join(name), aside);
        tracing::warn!(path = name, ?kept, "a save that was interrupted is back");
    }
}

/// Clears up what a killed process left beside `target`, which must be locked: a
/// save that it had displaced goes back in place, or is kept beside the file if
/// that has been saved since. Other leftovers are removed.
pub(crate) fn recover(target: &Path) {
    let Ok(entries) = fs::read_dir(directory(target)) else { return };
    let prefix = prefix(target);
    for path in entries.flatten().map(|entry| entry.path()) {
        if let Some(leftover) = Leftover::of(&path, name(&path)).filter(|l| l.prefix == prefix) {
            leftover.recover(target);
        }
    }
}

/// A file that a killed process made on the way.
struct Leftover<'a> {
    path: &'a Path,
    /// What the names of all files begin with that are made for its target.
    prefix: String,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// A new version that was not complete.
    Part,
    /// What is left of an exchange: of which version, and by which.
    Swap { was: &'a str, made: &'a str },
}

impl<'a> Leftover<'a> {
    /// What `path` is by its `name`, if it is one.
    fn of(path: &'a Path, name: &'a str) -> Option<Leftover<'a>> {
        let rest = name.strip_prefix(PREFIX)?;
        let (of, kind) = match *rest.split(['-', '.']).collect::<Vec<_>>() {
            [of, _, _, _, "part"] => (of, Kind::Part),
            [of, was, made, _, "swap"] => (of, Kind::Swap { was, made }),
            _ => return None,
        };
        Some(Leftover { path, prefix: format!("{PREFIX}{of}-"), kind })
    }

    fn recover(&self, target: &Path) {
        match self.kind {
            Kind::Part => discard(self.path),
            Kind::Swap { was, made } => recover_swap(target, self.path, was, made),
        }
    }
}

fn recover_swap(target: &Path, swap: &Path, was: &str, made: &str) {
    let Ok(found) = fingerprint_of(swap) else { return };
    if [was, made].contains(&short(found).as_str()) {
        discard(swap);
    } else if fingerprint_of(target).is_ok_and(|current| short(current) == made) {
        if fs::rename(swap, target).is_ok() {
            tracing::warn!(path = %target.display(), "a save that was interrupted is back in place");
        }
    } else {
        let kept = keep(target, swap);
        tracing::warn!(path = %kept.display(), "a save that was interrupted is kept in this file");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NEW, OLD, Place, SAVE, and_kept, only};
    use super::*;

    #[test]
    fn what_a_killed_process_left_behind_is_cleared_up() {
        // Killed while writing, before and after the exchange.
        let place = Place::new();
        place.leftover(OLD, NEW, "part", b"ne");
        place.leftover(OLD, NEW, "swap", NEW);
        recover(&place.file);
        assert_eq!(place.files(), only(OLD));
        let place = Place::new();
        place.leftover(b"older\n", OLD, "swap", b"older\n");
        recover(&place.file);
        assert_eq!(place.files(), only(OLD));
    }

    #[test]
    fn a_save_that_a_killed_process_had_displaced_is_not_lost() {
        let place = Place::new();
        place.leftover(b"older\n", OLD, "swap", SAVE);
        recover(&place.file);
        assert_eq!(place.files(), only(SAVE), "ours was in place");
        let place = Place::new();
        place.leftover(b"older\n", NEW, "swap", SAVE);
        recover(&place.file);
        assert_eq!(place.files(), and_kept(OLD, SAVE), "the file was saved since");
    }

    #[test]
    fn leftovers_of_other_files_are_left_alone() {
        let place = Place::new();
        place.write(".linqsync-0123456789abcdef-a-b-c.part", b"x");
        place.write("contacts.csv.part", b"x");
        recover(&place.file);
        assert_eq!(place.files().len(), 3);
    }
}
