//! Removing a file in one step, without losing what somebody saves meanwhile.
//!
//! Owns the order of steps: a last comparison with what was read, another name, and a
//! look at what is under it. If that is not what was read, it is somebody's save and
//! gets its name back. What a process leaves behind that is killed in between carries
//! the file's own name, and [`super::recover_directory`] finishes the work.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::model::Fingerprint;

use super::paths::{directory, discard, fingerprint_of, keep, short, sync_directory};
use super::{ReplaceError, changed_if_gone};

/// How the names of files begin that are about to be removed; then come the
/// fingerprint of what was read, a hyphen, and the file's own name.
pub(super) const GONE: &str = ".linqsync-gone-";

/// Removes the file `target` if it still is what has the fingerprint `expected`.
///
/// # Errors
/// [`ReplaceError::Changed`] when the file is not what was expected, or gone.
pub(crate) fn remove(target: &Path, expected: Fingerprint) -> Result<(), ReplaceError> {
    remove_with(target, expected, &mut || {})
}

fn remove_with(
    target: &Path,
    expected: Fingerprint,
    before_rename: &mut dyn FnMut(),
) -> Result<(), ReplaceError> {
    if fingerprint_of(target).map_err(changed_if_gone)? != expected {
        return Err(ReplaceError::Changed { kept: None });
    }
    before_rename();
    let aside = aside(target, expected);
    renameat_with(CWD, target, CWD, &aside, RenameFlags::NOREPLACE)
        .map_err(|errno| changed_if_gone(errno.into()))?;
    if fingerprint_of(&aside).is_ok_and(|found| found == expected) {
        sync_directory(target).map_err(|source| {
            put_back(target, &aside);
            ReplaceError::Io(source)
        })?;
        discard(&aside);
        return Ok(());
    }
    Err(ReplaceError::Changed { kept: put_back(target, &aside) })
}

fn aside(target: &Path, expected: Fingerprint) -> PathBuf {
    let mut name = OsString::from(format!("{GONE}{}-", short(expected)));
    name.push(target.file_name().unwrap_or_default());
    directory(target).join(name)
}

/// Gives a file its name back, or one beside it if somebody has saved another.
pub(super) fn put_back(target: &Path, aside: &Path) -> Option<PathBuf> {
    match renameat_with(CWD, aside, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => None,
        Err(_) => Some(keep(target, aside)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{OLD, Place, SAVE, and_kept, only};
    use super::*;

    fn expected() -> Fingerprint {
        Fingerprint::of(OLD)
    }

    #[test]
    fn what_was_read_is_removed_and_leaves_nothing() {
        let place = Place::new();
        remove(&place.file, expected()).unwrap();
        assert_eq!(place.files(), []);
        assert!(matches!(remove(&place.file, expected()), Err(ReplaceError::Changed { .. })));
    }

    #[test]
    fn a_save_in_the_instant_of_removing_stays_in_place() {
        for save_early in [true, false] {
            let place = Place::new();
            if save_early {
                place.write("contacts.csv", SAVE);
            }
            let result = remove_with(&place.file, expected(), &mut || {
                place.write("contacts.csv", SAVE);
            });
            assert!(matches!(result, Err(ReplaceError::Changed { kept: None })));
            assert_eq!(place.files(), only(SAVE));
        }
    }

    #[test]
    fn what_a_killed_process_was_about_to_remove_goes_and_a_save_comes_back() {
        let place = Place::new();
        std::fs::rename(&place.file, aside(&place.file, expected())).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert_eq!(place.files(), []);

        let place = Place::new();
        place.write("contacts.csv", SAVE);
        std::fs::rename(&place.file, aside(&place.file, expected())).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert_eq!(place.files(), only(SAVE));

        let place = Place::new();
        std::fs::write(aside(&place.file, Fingerprint::of(b"x")), SAVE).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert_eq!(place.files(), and_kept(OLD, SAVE));
    }
}
