//! Kernel locks: one linqsync for each state directory and each source.
//!
//! Owns `flock`, which the kernel frees when the process ends, however it ends:
//! there is no stale lock to clean up. Leaves to the callers what is locked.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::platform::{self, LockHolder};

/// A lock on a file or directory, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    whose: LockOwner,
}

/// Who lets go of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LockOwner {
    /// This process took it.
    Ours,
    /// The process that took it lets go of it, or the kernel when both are gone.
    Entrusted,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while another thread starts a program: until
        // that one begins, the child has the file open, too.
        if self.whose == LockOwner::Ours {
            let _ = flock(&self.file, FlockOperation::Unlock);
        }
    }
}

/// The process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// When it started, where the system tells.
    pub since: Option<DateTime<Utc>>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
        match self.since {
            Some(since) => write!(f, ", running since {}", since.format("%Y-%m-%d %H:%M:%S UTC")),
            None => Ok(()),
        }
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it. Wait for that process, or stop it.
    #[error("another linqsync{} holds {}", holder.map(|h| format!(" ({h})")).unwrap_or_default(), path.display())]
    Held {
        /// What is locked.
        path: PathBuf,
        /// Who holds it, where the system tells.
        holder: Option<Holder>,
    },
    /// The file could not be opened or locked.
    #[error("cannot lock {}", path.display())]
    Io {
        /// What was to be locked.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// Locks what `path` names: an existing file or directory.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it; it is not waited for.
    pub fn lock_existing(path: &Path) -> Result<Lock, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        loop {
            let file = open_nonblocking(path, OpenOptions::new().read(true)).map_err(io)?;
            let lock = Lock::lock_open_file(file, path)?;
            if lock.is_on(path) {
                return Ok(lock);
            }
            // The path was replaced between opening and locking: lock the new file.
        }
    }

    /// Locks a file that exists for this purpose alone, and makes it if needed
    /// (mode 0600).
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it; it is not waited for.
    pub fn lock_dedicated(path: &Path) -> Result<Lock, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = open_nonblocking(path, &options)
            .map_err(|source| LockError::Io { path: path.to_owned(), source })?;
        let lock = Lock::lock_open_file(file, path)?;
        platform::note_holder(&lock.file);
        Ok(lock)
    }

    /// Locks an open file, which `path` names in errors.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has it; it is not waited for.
    pub fn lock_open_file(file: File, path: &Path) -> Result<Lock, LockError> {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { file, whose: LockOwner::Ours }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(LockError::Held { path: path.to_owned(), holder: holder_of(&file) })
            }
            Err(errno) => Err(LockError::Io { path: path.to_owned(), source: errno.into() }),
        }
    }

    /// A lock that another process took and lets this one have a part in: it lasts until
    /// both are gone. `file` is what [`Lock::share_file`] returned there.
    pub fn from_entrusted(file: File) -> Lock {
        Lock { file, whose: LockOwner::Entrusted }
    }

    /// The open file that is locked, for a child that is to have a part in the lock.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn share_file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Whether `path` still names the file that is locked.
    pub fn is_on(&self, path: &Path) -> bool {
        match (self.file.metadata(), std::fs::metadata(path)) {
            (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
            _ => false,
        }
    }
}

/// Opens without waiting for the other end of a pipe.
fn open_nonblocking(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.clone().custom_flags(flags.bits().cast_signed()).open(path)
}

/// Who has locked the file at `path`, as far as the system tells.
pub fn find_holder(path: &Path) -> Option<Holder> {
    holder_of(&open_nonblocking(path, OpenOptions::new().read(true)).ok()?)
}

/// Who has locked an open file, as far as the system tells.
fn holder_of(file: &File) -> Option<Holder> {
    let LockHolder { pid, since } = platform::lock_holder(file)?;
    Some(Holder { pid, since: since.map(DateTime::from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_lock_names_the_holder_and_dropping_the_first_frees_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::lock_dedicated(&path).unwrap();
        match Lock::lock_existing(&path) {
            Err(LockError::Held { holder: Some(holder), .. }) => {
                assert_eq!(holder.pid, std::process::id());
            }
            other => panic!("expected a named holder, got {other:?}"),
        }
        drop(first);
        Lock::lock_existing(&path).unwrap();
    }

    #[test]
    fn a_lock_notices_that_its_path_names_another_file_now() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&path, "1").unwrap();
        std::fs::write(&other, "2").unwrap();
        let lock = Lock::lock_existing(&path).unwrap();
        assert!(lock.is_on(&path));
        std::fs::rename(&other, &path).unwrap();
        assert!(!lock.is_on(&path));
    }
}
