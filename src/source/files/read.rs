//! Reading a file whole, while other programs work with it.
//!
//! Owns that only a regular file is read, up to a size, and that it looks the same before
//! and after it is read. Leaves to [`super::Stillness`] how long it must have been so.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::follow_link;

/// How often something is read again that changes meanwhile.
pub(in crate::source) const TRIES: usize = 10;

/// A file that was changed less than this before it was read may change again without that
/// showing in its times: they may be too coarse.
const YOUNG: Duration = Duration::from_secs(3);

/// Why a file was not read.
#[derive(Debug)]
pub(in crate::source) enum ReadError {
    /// The system says why.
    Io(io::Error),
    /// It is a symbolic link that is not to be followed.
    ForeignLink,
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    NotRegular,
    /// It is larger than asked for.
    TooLarge,
    /// It changes again and again while it is read.
    Busy,
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::Io(error)
    }
}

/// What tells that a file or directory is another one, or has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct FileStamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    pub(in crate::source) fn from_metadata(metadata: &Metadata) -> FileStamp {
        FileStamp {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When it was last changed; `None` if that is to come. Programs date a file as they
    /// like, also ahead: then only the system's own note of the change counts.
    pub(super) fn changed_at(self, now: SystemTime) -> Option<SystemTime> {
        let time = |(seconds, nanos): (i64, i64)| {
            let nanos = u32::try_from(nanos).unwrap_or_default();
            UNIX_EPOCH + Duration::new(u64::try_from(seconds).unwrap_or_default(), nanos)
        };
        let (modified, changed) = (time(self.modified), time(self.changed));
        let latest = if modified > now { changed } else { changed.max(modified) };
        (latest <= now).then_some(latest)
    }

    /// Whether a later change of the file is sure to show in it.
    pub(in crate::source) fn is_settled(self) -> bool {
        #[expect(clippy::disallowed_methods, reason = "it is compared with times of the kernel's")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = i64::try_from(now.saturating_sub(YOUNG).as_secs()).unwrap_or(i64::MAX);
        self.modified.0 < limit && self.changed.0 < limit
    }

    /// Everything that tells one state from another.
    pub(in crate::source) fn to_bytes(self) -> [u8; 56] {
        let [modified, changed] =
            [self.modified, self.changed].map(|(s, ns)| [s.cast_unsigned(), ns.cast_unsigned()]);
        let all =
            [self.place.0, self.place.1, self.size].into_iter().chain(modified).chain(changed);
        let mut bytes = [0; 56];
        for (into, number) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(all) {
            *into = number.to_le_bytes();
        }
        bytes
    }

    /// Puts everything that tells one state from another into `hasher`.
    pub(in crate::source) fn add_to(self, hasher: &mut blake3::Hasher) {
        for number in [self.place.0, self.place.1, self.size] {
            hasher.update(&number.to_le_bytes());
        }
        for (seconds, nanos) in [self.modified, self.changed] {
            hasher.update(&seconds.to_le_bytes()).update(&nanos.to_le_bytes());
        }
    }

    /// The stamp of a file with these times, in seconds.
    #[cfg(test)]
    pub(super) fn from_times(modified: i64, changed: i64) -> FileStamp {
        FileStamp { place: (0, 0), size: 0, modified: (modified, 0), changed: (changed, 0) }
    }
}

/// All bytes of the file that `path` names, which did not change while they were read. A
/// symbolic link is followed as [`follow_link`] allows.
///
/// # Errors
/// [`ReadError`] when there is no such file of at most `limit` bytes.
pub(in crate::source) fn read_stable(
    path: &Path,
    limit: u64,
) -> Result<(Vec<u8>, FileStamp), ReadError> {
    read_with(path, limit, &mut || {})
}

/// [`read_stable`], with a pause after each reading for the tests.
fn read_with(
    path: &Path,
    limit: u64,
    pause: &mut dyn FnMut(),
) -> Result<(Vec<u8>, FileStamp), ReadError> {
    for _ in 0..TRIES {
        let target = follow_link(path)?;
        check_regular(&std::fs::metadata(&target)?, limit)?;
        let mut file = open_nonblocking(&target)?;
        let before = file.metadata()?;
        check_regular(&before, limit)?;
        let mut raw = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
        Read::by_ref(&mut file).take(limit + 1).read_to_end(&mut raw)?;
        pause();
        let after = FileStamp::from_metadata(&file.metadata()?);
        let still_named =
            std::fs::metadata(path).is_ok_and(|named| FileStamp::from_metadata(&named) == after);
        if still_named
            && FileStamp::from_metadata(&before) == after
            && after.size == raw.len() as u64
        {
            return Ok((raw, after));
        }
    }
    Err(ReadError::Busy)
}

fn check_regular(metadata: &Metadata, limit: u64) -> Result<(), ReadError> {
    if metadata.is_dir() {
        Err(ReadError::Directory)
    } else if !metadata.is_file() {
        Err(ReadError::NotRegular)
    } else if metadata.len() > limit {
        Err(ReadError::TooLarge)
    } else {
        Ok(())
    }
}

/// Opens without waiting for the other end of a pipe that took the file's place.
fn open_nonblocking(target: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(target)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LIMIT: u64 = 1000;

    fn refused(path: &Path) -> ReadError {
        read_stable(path, LIMIT).unwrap_err()
    }

    #[test]
    fn only_a_regular_file_is_read_and_nothing_else_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        assert!(matches!(refused(&path), ReadError::Io(_)));
        assert!(matches!(refused(dir.path()), ReadError::Directory));
        assert!(matches!(refused(Path::new("/dev/null")), ReadError::NotRegular));
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(matches!(refused(&path), ReadError::NotRegular));
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        File::create(&path).unwrap().set_len(LIMIT + 1).unwrap();
        assert!(matches!(refused(&path), ReadError::TooLarge));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        fs::write(&path, "old\n").unwrap();
        let mut saves = ["longer\n", "still longer\n"].into_iter();
        let read = read_with(&path, LIMIT, &mut || {
            if let Some(text) = saves.next() {
                fs::write(&path, text).unwrap();
            }
        });
        assert_eq!(read.unwrap().0, b"still longer\n");
    }

    #[test]
    fn a_file_that_never_stays_as_it_is_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        let mut text = String::new();
        let mut grow = || {
            text.push('x');
            fs::write(&path, &text).unwrap();
        };
        grow();
        assert!(matches!(read_with(&path, LIMIT, &mut grow), Err(ReadError::Busy)));
    }
}
