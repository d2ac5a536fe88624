//! Displaced files, kept for a while.
//!
//! An editor that had opened the file before it was replaced or removed may write into it
//! afterwards: its name is gone by then, and the write would be, too. So the displaced
//! file stays in our directory, and is looked at again before every reading and every
//! write. What was written into it since is somebody's save and goes back in place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Fingerprint;
use crate::source::files::{Clock, Hidden};

use super::entry::{Entry, Scope, State, entries, short};
use super::paths::{discard, exchange, fingerprint_of};
use super::{Displaced, Steps, exchange_back, restore_name};

/// How long a displaced file is kept. Whoever has it open longer, and writes into it
/// then, writes into a file that nobody sees.
const KEPT: Duration = Duration::from_mins(10);

/// Looks at the displaced versions of files within `scope`, which must be locked: one that
/// somebody wrote into since, and not within the quiet time, goes back in place, or is
/// kept beside the file if that was saved as well. Others are removed in time, and so is
/// our directory when nothing is left in it.
pub(crate) fn rescue_late_saves(hidden: &Hidden, scope: Scope<'_>, clock: &Clock) {
    for entry in entries(hidden) {
        let Some(target) = entry.target(hidden, scope) else { continue };
        match &entry.state {
            State::Replaced { made } if is_saved(&entry.path, &entry.was, clock) => {
                put_in_place(&target, &entry.path, made);
            }
            State::Removed if is_saved(&entry.path, &entry.was, clock) => {
                let kept = restore_name(&target, &entry.path);
                let path = kept.as_deref().unwrap_or(&target);
                tracing::warn!(path = %path.display(), "a late save of a file that was removed is back");
            }
            State::Replaced { .. } | State::Removed | State::Part | State::Swap { .. } => {}
        }
    }
    hidden.remove_if_empty();
}

/// Removes the displaced versions of files within `scope`, which must be locked, of which
/// `shows` says that they show something. One that somebody wrote into since is a save, and
/// stays. Returns how many were removed.
pub(crate) fn forget_displaced(
    hidden: &Hidden,
    scope: Scope<'_>,
    shows: &dyn Fn(&[u8]) -> bool,
) -> usize {
    let is_displaced = |entry: &Entry| {
        matches!(entry.state, State::Replaced { .. } | State::Removed)
            && entry.target(hidden, scope).is_some()
    };
    let shows_it = |entry: &Entry| {
        fs::read(&entry.path)
            .is_ok_and(|bytes| short(Fingerprint::of(&bytes)) == entry.was && shows(&bytes))
    };
    let entries = entries(hidden).into_iter().filter(is_displaced).filter(shows_it);
    let removed = entries.filter(|entry| fs::remove_file(&entry.path).is_ok()).count();
    hidden.remove_if_empty();
    removed
}

/// Whether somebody wrote into `displaced`, which was `was`, and not within the quiet
/// time. If nobody did, it is removed in time.
fn is_saved(displaced: &Path, was: &str, clock: &Clock) -> bool {
    let (Ok(metadata), Ok(found)) = (fs::symlink_metadata(displaced), fingerprint_of(displaced))
    else {
        return false;
    };
    if short(found) == was {
        // The kernel notes when a file was last renamed or written.
        let changed = u64::try_from(metadata.ctime()).unwrap_or(0);
        let displaced_at = UNIX_EPOCH + Duration::from_secs(changed);
        if is_over(displaced_at, (clock.now)()) {
            discard(displaced);
        }
        return false;
    }
    metadata.modified().is_ok_and(|modified| clock.rest(modified).is_none())
}

fn put_in_place(target: &Path, displaced: &Path, made: &str) {
    let mut nothing = |_| {};
    let mut steps = Steps { exchange, displaced: Displaced::Removed, at: &mut nothing };
    match exchange_back(target, displaced, made, &mut steps) {
        None => {
            tracing::warn!(path = %target.display(), "a late save of the version before is in place");
        }
        Some(kept) => {
            tracing::warn!(path = %kept.display(), "a late save of the version before is kept in this file");
        }
    }
}

fn is_over(displaced_at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(displaced_at).is_ok_and(|age| age > KEPT)
}

/// Gives the displaced file `swap` the name under which it is looked at again.
pub(super) fn park(swap: &Path) {
    if fs::rename(swap, swap.with_extension("old")).is_err() {
        discard(swap);
    }
}
