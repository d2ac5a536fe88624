//! Reading the table, once it has been left alone for long enough.
//!
//! Owns what a file must be to be read as a table: a regular file of at most
//! [`MAX_BYTES`], to which no symbolic link of another user leads. Owns the waiting
//! for a file that is being written. Leaves reading it whole to [`crate::source::files`]
//! and locks to [`super::CsvSource`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Fingerprint;
use crate::source::SourceError;
use crate::source::files::{
    FileStamp, QuietTime, ReadError, Stillness, Waited, follow_link, read_stable,
};

use super::Defect;

/// The largest file that is read, and so the largest that is written. A smaller one in the
/// tests beside the code, which try both sides of it.
pub(super) const MAX_BYTES: u64 = if cfg!(test) { 4 << 20 } else { 512 << 20 };

/// A file as it was at one instant.
pub(super) struct OpenedFile {
    /// The file itself, with every symbolic link resolved.
    pub(super) target: PathBuf,
    /// All its bytes.
    pub(super) raw: Vec<u8>,
}

/// The file that `path` names, if it is one that is read as a table.
pub(super) fn target_file(path: &Path) -> Result<PathBuf, ReadError> {
    let target = fs::canonicalize(follow_link(path)?)?;
    if fs::metadata(&target)?.is_file() { Ok(target) } else { Err(ReadError::NotRegular) }
}

/// Reads the file that `path` names, once it has been left alone for the quiet time.
///
/// # Errors
/// [`SourceError`] when it is missing, no regular file, too large, or changes
/// again and again.
pub(super) fn open_table(
    path: &Path,
    clock: &QuietTime,
    stillness: &mut Stillness,
) -> Result<OpenedFile, SourceError> {
    loop {
        let read =
            read_if_still(path, clock, stillness).map_err(|error| refused_read(path, error))?;
        let rest = match read {
            Ok(opened) => {
                stillness.has_been_read();
                return Ok(opened);
            }
            Err(rest) => rest,
        };
        if stillness.wait_or_refuse(clock, rest) == Waited::LongEnough {
            return Err(refused_read(path, ReadError::Busy));
        }
    }
}

/// Reads the file, or says how long it must still be left alone for that.
fn read_if_still(
    path: &Path,
    clock: &QuietTime,
    stillness: &mut Stillness,
) -> Result<Result<OpenedFile, Duration>, ReadError> {
    let target = path.canonicalize()?;
    let seen = FileStamp::from_metadata(&fs::metadata(&target)?);
    if let Some(rest) = stillness.rest_needed(clock, stamp_fingerprint(seen), [seen]) {
        return Ok(Err(rest));
    }
    let (raw, stamp) = read_stable(path, MAX_BYTES)?;
    Ok(if stamp == seen { Ok(OpenedFile { target, raw }) } else { Err(Duration::ZERO) })
}

fn stamp_fingerprint(stamp: FileStamp) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    stamp.add_to(&mut hasher);
    Fingerprint(*hasher.finalize().as_bytes())
}

fn refused_read(path: &Path, error: ReadError) -> SourceError {
    let (problem, hint) = match error {
        ReadError::Io(source) => return SourceError::Io { path: path.to_owned(), source },
        ReadError::Busy => {
            let source = io::Error::new(io::ErrorKind::ResourceBusy, "it is being written");
            return SourceError::Io { path: path.to_owned(), source };
        }
        ReadError::ForeignLink => (
            "is a symbolic link of another user",
            "set source.path to the file itself, or make the link anew",
        ),
        ReadError::Directory => ("is a directory", "set source.kind to `vcard` if it holds vCards"),
        ReadError::NotRegular => ("is not a regular file", "set source.path to a CSV file"),
        ReadError::TooLarge => ("is larger than 512 MiB", "set source.path to a smaller file"),
    };
    Defect::new(None, problem, hint).source_error(path)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::sync::{Arc, Mutex};

    use super::*;

    fn read(path: &Path, clock: &QuietTime) -> Result<OpenedFile, SourceError> {
        open_table(path, clock, &mut Stillness::default())
    }

    fn problem(path: &Path) -> String {
        read(path, &QuietTime::frozen_time()).err().unwrap().to_string()
    }

    #[test]
    fn only_a_regular_file_is_read_and_nothing_else_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        assert!(matches!(read(&path, &QuietTime::frozen_time()), Err(SourceError::Io { .. })));
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
        let opened = read(&link, &QuietTime::frozen_time()).unwrap();
        assert_eq!(
            (opened.target, opened.raw),
            (file.canonicalize().unwrap(), b"Email\n".to_vec())
        );
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
        assert!(problem(&path).contains("larger than 512 MiB"));
    }

    #[test]
    fn a_file_that_was_written_a_moment_ago_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("contacts.csv");
        fs::write(&path, "half").unwrap();
        let now = fs::metadata(&path).unwrap().modified().unwrap();
        let passed = Arc::new(Mutex::new(Duration::from_millis(300)));
        let (day, watch, wait) = (Arc::clone(&passed), Arc::clone(&passed), Arc::clone(&passed));
        let written = path.clone();
        let clock = QuietTime {
            quiet: Duration::from_secs(1),
            now: Arc::new(move || now + *day.lock().unwrap()),
            elapsed: Arc::new(move || *watch.lock().unwrap()),
            wait: Arc::new(move |rest| {
                // Whoever writes is done by then.
                let file = OpenOptions::new().write(true).truncate(true).open(&written).unwrap();
                std::io::Write::write_all(&mut &file, b"whole").unwrap();
                assert!(rest > Duration::ZERO && rest <= Duration::from_secs(1), "{rest:?}");
                *wait.lock().unwrap() += Duration::from_hours(1);
            }),
        };
        assert_eq!(read(&path, &clock).unwrap().raw, b"whole");
        let still_writing =
            QuietTime { wait: Arc::new(|_| {}), now: Arc::new(move || now), ..clock };
        let error = read(&path, &still_writing).err().unwrap();
        let SourceError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::ResourceBusy);
    }
}
