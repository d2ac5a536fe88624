//! What a process that was killed while it replaced a file left behind.
//!
//! Owns finishing its work: a `.part` is a new file that was not complete; a
//! `.swap` is the new file before the exchange, and the displaced one after it.
//! Their names carry the fingerprints of the version that was to be replaced and
//! of the one that was made.

use std::fs;
use std::path::Path;

use crate::source::files::Hidden;

use super::entry::{EntryScope, HiddenFileState, NEW, hidden_files, short_fingerprint};
use super::paths::{discard_file, fingerprint_of, save_beside};
use super::restore_name;

/// Clears up what a killed process left of files within `scope`, which must be locked: a
/// save that it had displaced goes back in place, or is kept beside the file if that has
/// been saved since. Other leftovers are removed. A file that was about to be removed is
/// left to [`super::rescue_late_saves`], unless it was saved meanwhile: then it gets its
/// name back.
pub(crate) fn recover_files(hidden: &Hidden, scope: EntryScope<'_>) {
    for entry in hidden_files(hidden) {
        let Some(target) = entry.target_file(hidden, scope) else { continue };
        match &entry.state {
            HiddenFileState::Part => discard_file(&entry.path),
            HiddenFileState::Swap { made } => recover_swap(&target, &entry.path, &entry.was, made),
            HiddenFileState::Removed => recover_removed(&target, &entry.path, &entry.was),
            HiddenFileState::Replaced { .. } => {}
        }
    }
    match scope {
        EntryScope::File(_) => {}
        EntryScope::Called(_) => discard_new(hidden),
    }
    hidden.remove_if_empty();
}

/// Discards new files that were not complete.
fn discard_new(hidden: &Hidden) {
    if !hidden.is_there() {
        return;
    }
    let Ok(entries) = fs::read_dir(hidden.path()) else { return };
    let is_new = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(NEW);
    entries.flatten().filter(is_new).for_each(|entry| discard_file(&entry.path()));
}

fn recover_removed(target: &Path, aside: &Path, was: &str) {
    if fingerprint_of(aside).is_ok_and(|found| short_fingerprint(found) != was) {
        let kept = restore_name(target, aside);
        tracing::warn!(path = %target.display(), ?kept, "a save that was interrupted is back");
    }
}

fn recover_swap(target: &Path, swap: &Path, was: &str, made: &str) {
    let Ok(found) = fingerprint_of(swap) else { return };
    if [was, made].contains(&short_fingerprint(found).as_str()) {
        discard_file(swap);
    } else if fingerprint_of(target).is_ok_and(|current| short_fingerprint(current) == made) {
        if fs::rename(swap, target).is_ok() {
            tracing::warn!(path = %target.display(), "a save that was interrupted is back in place");
        }
    } else {
        let kept = save_beside(target, swap);
        tracing::warn!(path = %kept.display(), "a save that was interrupted is kept in this file");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NEW as MADE, OLD, SAVE, TempTarget, and_kept, only};

    #[test]
    fn what_a_killed_process_left_behind_is_cleared_up() {
        // Killed while writing, before and after the exchange.
        let place = TempTarget::new();
        place.leftover(OLD, MADE, "part", b"ne");
        place.leftover(OLD, MADE, "swap", MADE);
        place.recover();
        assert_eq!(place.files(), only(OLD));
        let place = TempTarget::new();
        place.leftover(b"older\n", OLD, "swap", b"older\n");
        place.recover();
        assert_eq!(place.files(), only(OLD));
    }

    #[test]
    fn a_save_that_a_killed_process_had_displaced_is_not_lost() {
        let place = TempTarget::new();
        place.leftover(b"older\n", OLD, "swap", SAVE);
        place.recover();
        assert_eq!(place.files(), only(SAVE), "ours was in place");
        let place = TempTarget::new();
        place.leftover(b"older\n", MADE, "swap", SAVE);
        place.recover();
        assert_eq!(place.files(), and_kept(OLD, SAVE), "the file was saved since");
    }

    #[test]
    fn leftovers_of_other_files_are_left_alone() {
        let place = TempTarget::new();
        place.hidden().create_in(|_| Ok(())).unwrap();
        place.write(".linqsync/0123456789abcdef-a-b-c-other.csv.part", b"x");
        place.write(".linqsync/new-aB3xY9.part", b"x");
        place.write("contacts.csv.part", b"x");
        place.recover();
        assert_eq!(place.files().len(), 4);
    }
}
