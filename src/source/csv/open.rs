//! Reading a file whole, while people work with it.
//!
//! Owns what is followed and what is not: a symbolic link is followed to its
//! target unless another user made it, and only a regular file of at most [`MAX_BYTES`] is read. Owns the waiting
//! for a file that is being written: it must have rested for a while, and look the
//! same before and after it is read. Leaves locks to [`super::CsvSource`].

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::source::{Pace, SourceError};

use super::Defect;

/// The largest file that is read.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How often a file that is being written is waited for or read again.
const TRIES: usize = 10;

/// How many symbolic links are followed one after the other, as by the kernel.
const MAX_LINKS: usize = 40;

/// A file as it was at one instant.
pub(super) struct Opened {
    /// The file itself, with every symbolic link resolved.
    pub(super) target: PathBuf,
    /// All its bytes.
    pub(super) raw: Vec<u8>,
}

/// Reads the file that `path` names.
///
/// # Errors
/// [`SourceError`] when it is missing, no regular file, too large, or changes
/// again and again while it is read.
pub(super) fn read_stable(path: &Path, pace: &Pace) -> Result<Opened, SourceError> {
    read_with(path, pace, &mut || {})
}

/// [`read_stable`], with a pause after each reading for the tests.
fn read_with(path: &Path, pace: &Pace, pause: &mut dyn FnMut()) -> Result<Opened, SourceError> {
    let failed = |source| SourceError::Io { path: path.to_owned(), source };
    for _ in 0..TRIES {
        if let Some(rest) = rest(path, pace) {
            (pace.wait)(rest);
            continue;
        }
        let target = path.canonicalize().map_err(failed)?;
        check_links(path, &target)?;
        let named = std::fs::metadata(&target).map_err(failed)?;
        check(path, &named)?;
        let mut file = open(&target).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        check(path, &before)?;
        let raw = read_limited(&mut file).map_err(failed)?;
        pause();
        let after = file.metadata().map_err(failed)?;
        let still_named = std::fs::metadata(path);
        let same = state(&before) == state(&after)
            && still_named.is_ok_and(|named| state(&named) == state(&after));
        if same && after.len() == raw.len() as u64 {
            return Ok(Opened { target, raw });
        }
    }
    Err(failed(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written")))
}

/// How long the file must still rest, as it was written a moment ago: whoever writes
/// slowly is not done yet.
fn rest(path: &Path, pace: &Pace) -> Option<Duration> {
    pace.rest(std::fs::metadata(path).ok()?.modified().ok()?)
}

/// What tells that a file is another one or has been written.
fn state(metadata: &Metadata) -> (u64, u64, u64, i64, i64) {
    let inode = (metadata.dev(), metadata.ino());
    (inode.0, inode.1, metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), SourceError> {
    let defect = if metadata.is_dir() {
        Defect::new(None, "is a directory", "set source.kind to `vcard` if it holds vCards")
    } else if !metadata.is_file() {
        Defect::new(None, "is not a regular file", "set source.path to a CSV file")
    } else if metadata.len() > MAX_BYTES {
        Defect::new(None, "is larger than 64 MiB", "set source.path to a smaller file")
    } else {
        return Ok(());
    };
    Err(defect.at(path))
}

/// Makes sure that nobody else decides which file this is: a symbolic link must belong to
/// whoever runs linqsync, to root, or to the owner of the file to which it leads. Another
/// user could otherwise make linqsync read and rewrite a file that they must not touch.
fn check_links(path: &Path, target: &Path) -> Result<(), SourceError> {
    let failed = |source| SourceError::Io { path: path.to_owned(), source };
    let owner = std::fs::metadata(target).map_err(failed)?.uid();
    let mut link = path.to_owned();
    for _ in 0..MAX_LINKS {
        let metadata = std::fs::symlink_metadata(&link).map_err(failed)?;
        if !metadata.is_symlink() {
            return Ok(());
        }
        if !is_trusted(metadata.uid(), rustix::process::geteuid().as_raw(), owner) {
            let hint = "set source.path to the file itself, or make the link anew";
            return Err(Defect::new(None, "is a symbolic link of another user", hint).at(path));
        }
        let leads_to = std::fs::read_link(&link).map_err(failed)?;
        link = link.parent().unwrap_or(Path::new("/")).join(leads_to);
    }
    Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links")))
}

fn is_trusted(link: u32, own: u32, target: u32) -> bool {
    link == 0 || link == own || link == target
}

/// Opens without waiting for the other end of a pipe that took the file's place.
fn open(target: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(target)
}

fn read_limited(file: &mut File) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut raw)?;
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn problem(path: &Path) -> String {
        read_stable(path, &Pace::still()).err().unwrap().to_string()
    }

    #[test]
    fn only_a_regular_file_is_read_and_nothing_else_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        assert!(matches!(read_stable(&path, &Pace::still()), Err(SourceError::Io { .. })));
        assert!(problem(dir.path()).contains("is a directory"));
        assert!(problem(Path::new("/dev/null")).contains("not a regular file"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(problem(&path).contains("not a regular file"));
    }

    #[test]
    fn a_symbolic_link_is_followed_to_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
        fs::write(&file, "Email\n").unwrap();
        std::os::unix::fs::symlink("real.csv", &link).unwrap();
        let opened = read_stable(&link, &Pace::still()).unwrap();
        assert_eq!(
            (opened.target, opened.raw),
            (file.canonicalize().unwrap(), b"Email\n".to_vec())
        );
    }

    #[test]
    fn a_symbolic_link_of_somebody_else_is_followed_only_to_their_own_file() {
        let (root, own, other, third) = (0, 1000, 1001, 1002);
        assert!(is_trusted(own, own, other) && is_trusted(root, own, other));
        assert!(is_trusted(other, own, other));
        assert!(!is_trusted(other, own, own) && !is_trusted(other, own, root));
        assert!(!is_trusted(other, own, third) && !is_trusted(other, root, root));
        let dir = tempfile::tempdir().unwrap();
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
            dir.path().join(name)
        };
        fs::write(dir.path().join("real.csv"), "Email\n").unwrap();
        let (one, own) = (link("one.csv", "two.csv"), link("own.csv", "own.csv"));
        link("two.csv", "real.csv");
        assert_eq!(read_stable(&one, &Pace::still()).unwrap().raw, b"Email\n");
        assert!(matches!(read_stable(&own, &Pace::still()), Err(SourceError::Io { .. })));
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(problem(&path).contains("larger than 64 MiB"));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        fs::write(&path, "old\n").unwrap();
        let mut saves = ["longer\n", "still longer\n"].into_iter();
        let opened = read_with(&path, &Pace::still(), &mut || {
            if let Some(text) = saves.next() {
                fs::write(&path, text).unwrap();
            }
        });
        assert_eq!(opened.unwrap().raw, b"still longer\n");
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_waited_for() {
        use std::sync::{Arc, Mutex};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        fs::write(&path, "half").unwrap();
        let now = fs::metadata(&path).unwrap().modified().unwrap();
        let passed = Arc::new(Mutex::new(Duration::from_millis(300)));
        let (clock, waited) = (Arc::clone(&passed), path.clone());
        let pace = Pace {
            quiet: Duration::from_secs(1),
            now: Arc::new(move || now + *clock.lock().unwrap()),
            wait: Arc::new(move |rest| {
                // Whoever writes is done by then.
                let file = OpenOptions::new().write(true).truncate(true).open(&waited).unwrap();
                std::io::Write::write_all(&mut &file, b"whole").unwrap();
                file.set_modified(now).unwrap();
                assert_eq!(rest, Duration::from_millis(700));
                *passed.lock().unwrap() += rest;
            }),
        };
        assert_eq!(read_stable(&path, &pace).unwrap().raw, b"whole");
        let restless = Pace { now: Arc::new(move || now), wait: Arc::new(|_| {}), ..pace };
        assert!(matches!(read_stable(&path, &restless), Err(SourceError::Io { .. })));
    }

    #[test]
    fn a_file_that_never_rests_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        let mut text = String::new();
        let mut grow = || {
            text.push('x');
            fs::write(&path, &text).unwrap();
        };
        grow();
        let error = read_with(&path, &Pace::still(), &mut grow).err().unwrap();
        let SourceError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::ResourceBusy);
    }
}
