//! What a process that was killed while it replaced a file left behind.
//!
//! Owns finishing its work: a `.part` is a new file that was not complete; a
//! `.swap` is the new file before the exchange, and the displaced one after it.
//! Their names carry the fingerprints of the version that was to be replaced and
//! of the one that was made.

use std::fs;
use std::path::Path;

use super::create::NEW;
use super::paths::{directory, discard, fingerprint_of, keep, prefix, short};
use super::remove::{GONE, parted, put_back};

/// Clears up what a killed process left in `directory`, as [`recover`] does for each of
/// its files. A file that was about to be removed is left to [`super::look_again_in`],
/// unless it was saved meanwhile: then it gets its name back.
pub(crate) fn recover_directory(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    let ours = |name: &&std::ffi::OsString| {
        name.to_str().is_some_and(|name| name.starts_with(".linqsync-"))
    };
    let (mut of_targets, mut targets) = (false, Vec::new());
    for name in &names {
        let path = directory.join(name);
        match name.to_str() {
            Some(text) if text.starts_with(NEW) => discard(&path),
            Some(text) if text.starts_with(GONE) => recover_gone(&path, text),
            Some(text) if text.starts_with(".linqsync-") => of_targets = true,
            Some(_) | None => targets.push(path),
        }
    }
    if of_targets {
        let left: Vec<&str> = names.iter().filter(ours).filter_map(|name| name.to_str()).collect();
        let has_left = |target: &&std::path::PathBuf| {
            let prefix = prefix(target);
            left.iter().any(|name| name.starts_with(&prefix))
        };
        targets.iter().filter(has_left).for_each(|target| recover(target));
    }
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
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else {
            continue;
        };
        let path = entry.path();
        match *rest.split(['-', '.']).collect::<Vec<_>>() {
            [_, _, _, "part"] => discard(&path),
            [was, made, _, "swap"] => recover_swap(target, &path, was, made),
            _ => {}
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
