//! Removing a file in one step, without losing what somebody saves meanwhile.
//!
//! Owns the order of steps: a last comparison with what was read, another name, and a
//! look at what is under it. If that is not what was read, it is somebody's save and
//! gets its name back. A program that holds the file open may still write into it: so it
//! stays for a while under its other name, which carries its own, and is looked at again
//! like a file that was replaced. [`super::recover_directory`] finishes the work of a
//! process that is killed in between.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::model::Fingerprint;

use super::paths::{directory, fingerprint_of, keep, short, sync_directory};
use super::{ReplaceError, changed_if_gone};

/// How the names of files begin that are removed; then come the fingerprint of what was
/// read, a number if there are several, a hyphen, and the file's own name.
pub(super) const GONE: &str = ".linqsync-gone-";

/// Removes the file `target` if it still is what has the fingerprint `expected`. What is
/// written into it later is found by [`super::look_again_in`].
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
    let aside = set_aside(target, expected).map_err(changed_if_gone)?;
    if fingerprint_of(&aside).is_ok_and(|found| found == expected) {
        return sync_directory(target).map_err(|source| {
            put_back(target, &aside);
            ReplaceError::Io(source)
        });
    }
    Err(ReplaceError::Changed { kept: put_back(target, &aside) })
}

/// Gives `target` the first name that is free.
fn set_aside(target: &Path, expected: Fingerprint) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let aside = aside(target, expected, number);
        match renameat_with(CWD, target, CWD, &aside, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(aside),
            // NFS knows no such flag, and no other program takes such names.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !aside.exists() => {
                return fs::rename(target, &aside).map(|()| aside);
            }
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => number += 1,
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn aside(target: &Path, expected: Fingerprint, number: u32) -> PathBuf {
    let number = if number == 1 { String::new() } else { format!(".{number}") };
    let mut name = OsString::from(format!("{GONE}{}{number}-", short(expected)));
    name.push(target.file_name().unwrap_or_default());
    directory(target).join(name)
}

/// What the name of a file that is removed says: what it was, and its own name. `None`
/// of any other name.
pub(super) fn parted(name: &str) -> Option<(&str, &str)> {
    let (was, name) = name.strip_prefix(GONE)?.split_once('-')?;
    Some((was.split('.').next().unwrap_or(was), name))
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
    use std::io::Write;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::super::look_again_in;
    use super::super::tests::{OLD, Place, SAVE, and_kept, only};
    use super::*;
    use crate::source::Pace;

    /// So long after something was done in a test.
    fn after(time: Duration) -> Pace {
        let now = SystemTime::now() + time;
        Pace { now: Arc::new(move || now), ..Pace::still() }
    }

    fn soon() -> Pace {
        after(Duration::from_mins(9))
    }

    fn late() -> Pace {
        after(Duration::from_mins(11))
    }

    fn expected() -> Fingerprint {
        Fingerprint::of(OLD)
    }

    #[test]
    fn what_was_read_is_removed_and_leaves_nothing_in_the_end() {
        let place = Place::new();
        for _ in 0..2 {
            place.write("contacts.csv", OLD);
            remove(&place.file, expected()).unwrap();
            assert!(!place.file.exists());
        }
        assert!(matches!(remove(&place.file, expected()), Err(ReplaceError::Changed { .. })));
        look_again_in(directory(&place.file), &soon());
        assert_eq!(place.files().len(), 2);
        look_again_in(directory(&place.file), &late());
        assert_eq!(place.files(), []);
    }

    #[test]
    fn what_is_written_into_a_removed_file_comes_back() {
        for is_taken in [false, true] {
            let place = Place::new();
            let mut open = fs::File::options().write(true).open(&place.file).unwrap();
            remove(&place.file, expected()).unwrap();
            open.write_all(SAVE).unwrap();
            if is_taken {
                place.write("contacts.csv", OLD);
            }
            look_again_in(directory(&place.file), &late());
            let found = if is_taken { and_kept(OLD, SAVE) } else { only(SAVE) };
            assert_eq!(place.files(), found);
        }
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
        std::fs::rename(&place.file, aside(&place.file, expected(), 1)).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert!(!place.file.exists());
        look_again_in(directory(&place.file), &late());
        assert_eq!(place.files(), []);

        let place = Place::new();
        place.write("contacts.csv", SAVE);
        std::fs::rename(&place.file, aside(&place.file, expected(), 1)).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert_eq!(place.files(), only(SAVE));

        let place = Place::new();
        std::fs::write(aside(&place.file, Fingerprint::of(b"x"), 1), SAVE).unwrap();
        super::super::recover_directory(directory(&place.file));
        assert_eq!(place.files(), and_kept(OLD, SAVE));
    }
}
