//! When the whole database was checked last, and whether that check still counts.
//!
//! Owns `state.db-checked`, which each orderly end leaves behind: the time of the check, and
//! by what the file is recognised that was left. A check counts as long as the file is that
//! one: it does not after a process died that had it open, and not once another program has
//! written to it or put another in its place. Leaves the check to `connection`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use serde::{Deserialize, Serialize};

use super::directory;
use crate::model::Timestamp;

/// How long a check counts at most: what a disk loses by itself shows in no stamp.
const COUNTS_FOR: TimeDelta = TimeDelta::days(1);

/// What an orderly end leaves behind.
#[derive(Serialize, Deserialize)]
struct Note {
    checked_at: Timestamp,
    left: CheckedStamp,
}

/// By what a file is recognised to which nobody has written since. Instants are seconds and
/// nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CheckedStamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl CheckedStamp {
    /// That of the database at `path`; `None` where its log has more than it.
    fn of_database(path: &Path) -> Option<CheckedStamp> {
        if has_log(path) {
            return None;
        }
        let found = fs::metadata(path).ok()?;
        Some(CheckedStamp {
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// Whether there is something in the write-ahead log of the database at `path`: somebody has
/// it open, or did not come to close it.
pub(super) fn has_log(path: &Path) -> bool {
    fs::metadata(directory::companion_path(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// When the whole database at `path` was checked last; `None` if it may be another by now.
pub(super) fn last_check(path: &Path) -> Option<Timestamp> {
    let note = fs::read(note_path(path)).ok()?;
    let note: Note = serde_json::from_slice(&note).ok()?;
    (CheckedStamp::of_database(path)? == note.left).then_some(note.checked_at)
}

/// Whether a check made then still counts now. One that is still to come was made by a clock
/// that has been set back since, and does not.
pub(super) fn still_counts(checked_at: Timestamp, now: Timestamp) -> bool {
    (TimeDelta::zero()..COUNTS_FOR).contains(&(now - checked_at))
}

/// Dropped once the database is closed, it leaves behind that this was done in order.
#[derive(Debug)]
pub(super) struct OrderlyEnd {
    /// The database.
    pub(super) path: PathBuf,
    /// When it was checked last.
    pub(super) checked_at: Timestamp,
}

impl OrderlyEnd {
    #[expect(clippy::disallowed_methods, reason = "half a note counts as none")]
    fn leave_note(&self) -> io::Result<()> {
        if last_check(&self.path) == Some(self.checked_at) {
            return Ok(());
        }
        let Some(found) = CheckedStamp::of_database(&self.path) else { return Ok(()) };
        let modified = other_instant(found.modified);
        // By its path: SQLite's locks go once this process closes the file a second time.
        let last_modification = Timespec { tv_sec: modified.0, tv_nsec: modified.1 };
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let times = Timestamps { last_access, last_modification };
        utimensat(CWD, &self.path, &times, AtFlags::empty())?;
        let Some(left) = CheckedStamp::of_database(&self.path) else { return Ok(()) };
        if left.modified != modified {
            // This file system tells too coarsely when a file was written.
            return Ok(());
        }
        let note = serde_json::to_vec(&Note { checked_at: self.checked_at, left })?;
        let path = note_path(&self.path);
        directory::make_file(&path).map_err(io::Error::other)?;
        fs::write(path, note)
    }
}

impl Drop for OrderlyEnd {
    fn drop(&mut self) {
        // Without the note, or with half of one, the next opening checks once more.
        let _ = self.leave_note();
    }
}

/// An instant one nanosecond away. The kernel's clock moves in steps of milliseconds, so that
/// whatever is written to the file within the same step has another instant than this.
const fn other_instant((seconds, nanoseconds): (i64, i64)) -> (i64, i64) {
    (seconds, if nanoseconds == 0 { 1 } else { nanoseconds - 1 })
}

fn note_path(path: &Path) -> PathBuf {
    directory::companion_path(path, "-checked")
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::mirror::testing::at;

    /// A file that was left in order, checked at `at(0)`.
    fn left() -> (PathBuf, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        fs::write(&path, "sound").unwrap();
        drop(OrderlyEnd { path: path.clone(), checked_at: at(0) });
        assert_eq!(last_check(&path), Some(at(0)));
        (path, dir)
    }

    #[test]
    fn whatever_is_written_after_the_end_is_noticed_however_soon() {
        for _ in 0..200 {
            let (path, _dir) = left();
            fs::write(&path, "other").unwrap();
            assert_eq!(last_check(&path), None);
        }
    }

    #[test]
    fn another_file_and_one_whose_times_were_put_back_are_noticed() {
        let (path, dir) = left();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "other").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(last_check(&path), None);

        let (path, _dir) = left();
        let copy = dir.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
        assert_eq!(last_check(&path), None);
    }

    #[test]
    fn a_log_that_holds_something_is_no_orderly_end() {
        let (path, _dir) = left();
        let log = directory::companion_path(&path, "-wal");
        fs::write(&log, "").unwrap();
        assert_eq!(last_check(&path), Some(at(0)), "a reader has looked in");
        fs::write(&log, "more").unwrap();
        assert_eq!(last_check(&path), None);
        drop(OrderlyEnd { path: path.clone(), checked_at: at(1) });
        fs::remove_file(&log).unwrap();
        assert_eq!(last_check(&path), Some(at(0)), "as it was left before");
    }

    #[test]
    fn half_a_note_is_none() {
        let (path, _dir) = left();
        let note = fs::read(note_path(&path)).unwrap();
        fs::write(note_path(&path), &note[..note.len() / 2]).unwrap();
        assert_eq!(last_check(&path), None);
        drop(OrderlyEnd { path: path.clone(), checked_at: at(2) });
        assert_eq!(last_check(&path), Some(at(2)));
    }

    #[test]
    fn a_check_counts_for_a_day_and_never_where_it_is_still_to_come() {
        let day = 86_400;
        for (now, counts) in [(0, true), (day - 1, true), (day, false), (-1, false)] {
            assert_eq!(still_counts(at(0), at(now)), counts, "{now}");
        }
    }
}
