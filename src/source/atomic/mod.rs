//! Replacing a file in one step, without losing what somebody saves meanwhile.
//!
//! Owns the order of steps: temporary file in our directory beside it ([`Hidden`]), fsync,
//! a last comparison with what was read, exchange of the two names, fsync of both
//! directories, and a look at what was displaced. If that is not what was read, it
//! is somebody's save and goes back in place. Knows nothing of what files mean.
//!
//! A process may be killed between any two steps. What it leaves behind carries
//! in its name what it was about, and [`recover_files`] finishes the work: a save that
//! was displaced goes back in place.
//!
//! An editor that holds the displaced file open may still write into it. So it stays in our
//! directory for a while, and [`rescue_late_saves`] finds what was written into it.
//!
//! Where the file system cannot exchange two names (`EINVAL`, `ENOSYS`,
//! `EOPNOTSUPP`), `fallback` does what can be done.

#![expect(clippy::disallowed_methods, reason = "this is the atomic replacement")]

mod create;
mod displaced;
mod entry;
mod fallback;
mod leftovers;
mod metadata;
mod old_names;
mod paths;
mod recover;
mod remove;
mod way;

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::lock::{Lock, LockError};
use crate::model::Fingerprint;

use super::WriteError;
use super::files::Hidden;

pub(crate) use create::{copy_beside_others, create_beside_others, create_in};
pub(crate) use displaced::{OwnVersion, forget_late, rescue_late_saves, undone_versions};
pub(crate) use entry::EntryScope;
pub(crate) use leftovers::find_leftovers;
pub(crate) use old_names::adopt_old_names;
pub(crate) use paths::sync_names;
pub(crate) use recover::recover_files;
pub(crate) use remove::remove_file;
pub(crate) use way::by_way_of;

use displaced::park_displaced;
use entry::{short_fingerprint, swap_prefix};
use fallback::rename_over;
use metadata::copy_metadata;
use paths::{discard_file, exchange, fingerprint_of, open_regular, save_beside, sync_directory};
use remove::restore_name;

/// Why a file was not replaced.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// It is no longer what was read: somebody saved it, and that is in place.
    Changed {
        /// Another version that somebody saved within the same instant, and that
        /// had to be put beside the file.
        kept: Option<PathBuf>,
    },
    /// The system refused; the file is as it was.
    Io(io::Error),
    /// The new file could not be locked; the file is as it was.
    Locked(LockError),
}

impl ReplaceError {
    /// The error about the source at `path`.
    pub(crate) fn write_error(self, path: &Path) -> WriteError {
        let path = path.to_owned();
        match self {
            ReplaceError::Changed { kept } => WriteError::Changed { path, kept },
            ReplaceError::Io(source) => WriteError::Io { path, source },
            ReplaceError::Locked(error) => WriteError::Locked(error),
        }
    }
}

/// Replaces the file `target`, which must be no symbolic link, by one that holds
/// `bytes`, if it still is what has the fingerprint `expected`. The new file has
/// the mode of the old one, and its owner and extended attributes as far as
/// possible. It is `hidden` and locked before it gets its name. The old one is hidden for a
/// while, for [`rescue_late_saves`].
///
/// # Errors
/// [`ReplaceError::Changed`] when the file is not what was expected, or gone.
pub(crate) fn replace_file(
    hidden: &Hidden,
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
) -> Result<Lock, ReplaceError> {
    let mut nothing = |_| {};
    let mut steps = ReplaceSteps { exchange, at: &mut nothing };
    replace_with(hidden, target, expected, bytes, &mut steps)
}

/// What a version of a file is called by [`rescue_late_saves`].
pub(crate) fn version_of(of: Fingerprint) -> OwnVersion {
    short_fingerprint(of)
}

/// Exchanges two names.
type Exchange = fn(&Path, &Path) -> Result<(), Errno>;

/// An instant within a replacement, at which somebody may save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instant {
    /// The new file is written, under a name of its own.
    Written,
    /// The old file was compared for the last time.
    Compared,
    /// The names are exchanged.
    Exchanged,
    /// The displaced file was looked at.
    Looked,
    /// What was displaced is to go back in place.
    PuttingBack,
}

/// How a replacement is made.
struct ReplaceSteps<'a> {
    exchange: Exchange,
    /// Is called at each instant, for tests.
    at: &'a mut dyn FnMut(Instant),
}

fn replace_with(
    hidden: &Hidden,
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
    steps: &mut ReplaceSteps<'_>,
) -> Result<Lock, ReplaceError> {
    let made = Fingerprint::of(bytes);
    let (lock, swap) = prepare_file(hidden, target, expected, bytes, steps)?;
    (steps.at)(Instant::Compared);
    match (steps.exchange)(&swap, target) {
        Ok(()) => settle_exchange(target, &swap, expected, made, steps).map(|()| lock),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename_over(target, &swap, expected, made, steps).map(|()| lock)
        }
        Err(errno) => {
            discard_file(&swap);
            Err(changed_if_gone(errno.into()))
        }
    }
}

/// Writes the new file under a temporary name, locks it, and compares the old one
/// with what is expected for the last time.
fn prepare_file(
    hidden: &Hidden,
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
    steps: &mut ReplaceSteps<'_>,
) -> Result<(Lock, PathBuf), ReplaceError> {
    let original = open_regular(target).map_err(changed_if_gone)?;
    if original.metadata().is_ok_and(|metadata| metadata.nlink() > 1) {
        tracing::warn!(path = %target.display(), "the file has other names, which keep the old version");
    }
    let (before, behind) = swap_prefix(hidden, target, expected, Some(Fingerprint::of(bytes)));
    let behind = format!("{behind}.part");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&before).suffix(&behind).permissions(Permissions::from_mode(0o600));
    // The file is removed when this is dropped on the way out.
    let mut draft = hidden.create_in(|path| builder.tempfile_in(path)).map_err(ReplaceError::Io)?;
    draft.write_all(bytes).map_err(ReplaceError::Io)?;
    copy_metadata(&original, draft.as_file()).map_err(ReplaceError::Io)?;
    draft.as_file().sync_all().map_err(ReplaceError::Io)?;
    let locked = draft.as_file().try_clone().map_err(ReplaceError::Io)?;
    let lock = Lock::lock_open_file(locked, target).map_err(ReplaceError::Locked)?;
    (steps.at)(Instant::Written);
    if fingerprint_of(target).map_err(changed_if_gone)? != expected {
        return Err(ReplaceError::Changed { kept: None });
    }
    let swap = draft.path().with_extension("swap");
    fs::rename(draft.path(), &swap).map_err(ReplaceError::Io)?;
    draft.disable_cleanup(true);
    Ok((lock, swap))
}

/// Looks at what was displaced, and puts it back if it is somebody's save, or if
/// the exchange may not last.
fn settle_exchange(
    target: &Path,
    swap: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    steps: &mut ReplaceSteps<'_>,
) -> Result<(), ReplaceError> {
    let synced = sync_directory(target).and_then(|()| sync_directory(swap));
    (steps.at)(Instant::Exchanged);
    let is_expected = fingerprint_of(swap).is_ok_and(|displaced| displaced == expected);
    (steps.at)(Instant::Looked);
    match (is_expected, synced) {
        (true, Ok(())) => {
            park_displaced(swap);
            Ok(())
        }
        (true, Err(source)) => {
            exchange_back(target, swap, &short_fingerprint(made), steps);
            Err(ReplaceError::Io(source))
        }
        (false, _) => Err(ReplaceError::Changed {
            kept: exchange_back(target, swap, &short_fingerprint(made), steps),
        }),
    }
}

/// Exchanges the names again if ours, which `made` is short for, is still in place. Otherwise somebody has
/// saved once more: that stays, and the displaced file is kept beside it.
fn exchange_back(
    target: &Path,
    swap: &Path,
    made: &str,
    steps: &mut ReplaceSteps<'_>,
) -> Option<PathBuf> {
    let is_ours =
        |path: &Path| fingerprint_of(path).is_ok_and(|found| short_fingerprint(found) == made);
    let in_place = is_ours(target);
    (steps.at)(Instant::PuttingBack);
    let kept = if in_place && exchange(swap, target).is_ok() && is_ours(swap) {
        discard_file(swap);
        None
    } else {
        Some(save_beside(target, swap))
    };
    // The names are right already; after a power loss `recover` puts them right.
    let _ = sync_directory(target);
    kept
}

fn changed_if_gone(error: io::Error) -> ReplaceError {
    if error.kind() == io::ErrorKind::NotFound {
        ReplaceError::Changed { kept: None }
    } else {
        ReplaceError::Io(error)
    }
}

#[cfg(test)]
mod tests;
