//! Removing a file in one step, without losing what somebody saves meanwhile.
//!
//! Owns the order of steps: a last comparison with what was read, another name, and a
//! look at what is under it. If that is not what was read, it is somebody's save and
//! gets its name back. A program that holds the file open may still write into it: so it
//! stays in our directory for a while, and is looked at again like a file that was
//! replaced. [`super::recover`] finishes the work of a process that is killed in between.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::model::Fingerprint;
use crate::source::files::Hidden;

use super::entry::swap_prefix;
use super::paths::{fingerprint_of, save_beside, sync_directory};
use super::{ReplaceError, changed_if_gone};

/// Removes the file `target` if it still is what has the fingerprint `expected`: it is
/// `hidden`. What is written into it later is found by [`super::rescue_late_saves`].
///
/// # Errors
/// [`ReplaceError::Changed`] when the file is not what was expected, or gone.
pub(crate) fn remove_file(
    hidden: &Hidden,
    target: &Path,
    expected: Fingerprint,
) -> Result<(), ReplaceError> {
    remove_with(hidden, target, expected, &mut || {})
}

fn remove_with(
    hidden: &Hidden,
    target: &Path,
    expected: Fingerprint,
    before_rename: &mut dyn FnMut(),
) -> Result<(), ReplaceError> {
    if fingerprint_of(target).map_err(changed_if_gone)? != expected {
        return Err(ReplaceError::Changed { kept: None });
    }
    before_rename();
    let aside = hidden.create_in(|path| set_aside(hidden, path, target, expected));
    let aside = aside.map_err(changed_if_gone)?;
    if fingerprint_of(&aside).is_ok_and(|found| found == expected) {
        let synced = sync_directory(&aside).and_then(|()| sync_directory(target));
        return synced.map_err(|source| {
            restore_name(target, &aside);
            ReplaceError::Io(source)
        });
    }
    Err(ReplaceError::Changed { kept: restore_name(target, &aside) })
}

/// Gives `target` the first name in our directory that is free.
fn set_aside(
    hidden: &Hidden,
    directory: &Path,
    target: &Path,
    expected: Fingerprint,
) -> io::Result<PathBuf> {
    let (before, behind) = swap_prefix(hidden, target, expected, None);
    let mut number = 1_u32;
    loop {
        let aside = directory.join(format!("{before}{number}{behind}.old"));
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

/// Gives a file its name back, or one beside it if somebody has saved another.
pub(super) fn restore_name(target: &Path, aside: &Path) -> Option<PathBuf> {
    match renameat_with(CWD, aside, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => None,
        Err(_) => Some(save_beside(target, aside)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::super::tests::{OLD, SAVE, TempTarget, and_kept, only};
    use super::*;
    use crate::source::QuietTime;

    /// So long after something was done in a test.
    fn after(time: Duration) -> QuietTime {
        let now = SystemTime::now() + time;
        QuietTime { now: Arc::new(move || now), ..QuietTime::frozen_time() }
    }

    fn soon() -> QuietTime {
        after(Duration::from_mins(9))
    }

    fn late() -> QuietTime {
        after(Duration::from_mins(11))
    }

    fn expected() -> Fingerprint {
        Fingerprint::of(OLD)
    }

    #[test]
    fn what_was_read_is_removed_and_leaves_nothing_in_the_end() {
        let place = TempTarget::new();
        for _ in 0..2 {
            place.write("contacts.csv", OLD);
            remove_file(&place.hidden(), &place.file, expected()).unwrap();
            assert!(!place.file.exists());
        }
        assert!(matches!(
            remove_file(&place.hidden(), &place.file, expected()),
            Err(ReplaceError::Changed { .. })
        ));
        place.rescue(&soon());
        assert_eq!(place.files().len(), 2);
        place.rescue(&late());
        assert_eq!(place.files(), []);
    }

    #[test]
    fn what_is_written_into_a_removed_file_comes_back() {
        for is_taken in [false, true] {
            let place = TempTarget::new();
            let mut open = fs::File::options().write(true).open(&place.file).unwrap();
            remove_file(&place.hidden(), &place.file, expected()).unwrap();
            open.write_all(SAVE).unwrap();
            if is_taken {
                place.write("contacts.csv", OLD);
            }
            place.rescue(&late());
            let found = if is_taken { and_kept(OLD, SAVE) } else { only(SAVE) };
            assert_eq!(place.files(), found);
        }
    }

    #[test]
    fn a_save_in_the_instant_of_removing_stays_in_place() {
        for save_early in [true, false] {
            let place = TempTarget::new();
            if save_early {
                place.write("contacts.csv", SAVE);
            }
            let result = remove_with(&place.hidden(), &place.file, expected(), &mut || {
                place.write("contacts.csv", SAVE);
            });
            assert!(matches!(result, Err(ReplaceError::Changed { kept: None })));
            assert_eq!(place.files(), only(SAVE));
        }
    }

    /// As [`remove_file`] does, up to the instant after the file has another name.
    fn set_aside(place: &TempTarget, expected: Fingerprint) {
        let hidden = place.hidden();
        hidden.create_in(|path| super::set_aside(&hidden, path, &place.file, expected)).unwrap();
    }

    #[test]
    fn what_a_killed_process_was_about_to_remove_goes_and_a_save_comes_back() {
        let place = TempTarget::new();
        set_aside(&place, expected());
        place.recover();
        assert!(!place.file.exists());
        place.rescue(&late());
        assert_eq!(place.files(), []);

        let place = TempTarget::new();
        place.write("contacts.csv", SAVE);
        set_aside(&place, expected());
        place.recover();
        assert_eq!(place.files(), only(SAVE));

        let place = TempTarget::new();
        place.write("contacts.csv", SAVE);
        set_aside(&place, expected());
        place.write("contacts.csv", OLD);
        place.recover();
        assert_eq!(place.files(), and_kept(OLD, SAVE));
    }
}
