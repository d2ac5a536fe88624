//! Displaced files, kept for a while.
//!
//! An editor that had opened the file before it was replaced or removed may write into it
//! afterwards: its name is gone by then, and the write would be, too. So the displaced
//! file stays in our directory, and is looked at again before every reading and every
//! write. What was written into it since is somebody's save and goes back in place. Then our
//! version is hidden, and stays so until whoever remembers what it had set has taken that
//! back: so it is known also to the next process, if this one is killed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Fingerprint;
use crate::source::files::{Hidden, QuietTime};

use super::entry::{EntryScope, HiddenFile, HiddenFileState, hidden_files, short_fingerprint};
use super::paths::{discard_file, exchange, fingerprint_of, save_beside, sync_directory};
use super::restore_name;

/// How long a displaced file is kept. Whoever has it open longer, and writes into it
/// then, writes into a file that nobody sees.
const KEPT: Duration = Duration::from_mins(10);

/// A version of a file that we made, by enough of its fingerprint to know it again.
pub(crate) type OwnVersion = String;

/// Looks at the displaced versions of files within `scope`, which must be locked: one that
/// somebody wrote into since, and not within the quiet time, goes back in place, or is
/// kept beside the file if that was saved as well. Others are removed in time, and so is
/// our directory when nothing is left in it. Returns our versions that are not in place any
/// more because of that, until [`forget_late`].
pub(crate) fn rescue_late_saves(
    hidden: &Hidden,
    scope: EntryScope<'_>,
    clock: &QuietTime,
) -> BTreeSet<OwnVersion> {
    let mut undone = BTreeSet::new();
    for entry in hidden_files(hidden) {
        let Some(target) = entry.target_file(hidden, scope) else { continue };
        match &entry.state {
            HiddenFileState::Replaced { made } => {
                undone.extend(look_at(&target, &entry, made, clock).then(|| made.clone()));
            }
            HiddenFileState::Removed => look_at_removed(&target, &entry, clock),
            HiddenFileState::Part | HiddenFileState::Swap { .. } => {}
        }
    }
    hidden.remove_if_empty();
    undone
}

/// Our versions of files within `scope` that are not in place any more, because a late save
/// is.
pub(crate) fn undone_versions(hidden: &Hidden, scope: EntryScope<'_>) -> BTreeSet<OwnVersion> {
    late_saves(hidden, scope).map(|(_, made)| made).collect()
}

/// Removes what stands for the versions that [`rescue_late_saves`] has returned.
pub(crate) fn forget_late(hidden: &Hidden, scope: EntryScope<'_>) {
    late_saves(hidden, scope).for_each(|(entry, _)| discard_file(&entry.path));
    hidden.remove_if_empty();
}

/// What was exchanged for a late save, with the version of ours that it is.
fn late_saves(
    hidden: &Hidden,
    scope: EntryScope<'_>,
) -> impl Iterator<Item = (HiddenFile, OwnVersion)> {
    hidden_files(hidden).into_iter().filter_map(move |entry| {
        let HiddenFileState::Replaced { made } = &entry.state else { return None };
        let (made, within) = (made.clone(), entry.target_file(hidden, scope).is_some());
        (within && is_version(&entry.path, &made)).then_some((entry, made))
    })
}

/// Whether a file is the version that is `short`.
fn is_version(path: &Path, version: &str) -> bool {
    fingerprint_of(path).is_ok_and(|found| short_fingerprint(found) == version)
}

/// Whether a displaced file, which has `found` in it, is a save of somebody, and not one of
/// within the quiet time. If it is not, it is removed in time.
fn is_saved(displaced: &HiddenFile, found: Fingerprint, clock: &QuietTime) -> bool {
    let Ok(metadata) = fs::symlink_metadata(&displaced.path) else { return false };
    if short_fingerprint(found) == displaced.was {
        // The kernel notes when a file was last renamed or written.
        let changed = u64::try_from(metadata.ctime()).unwrap_or(0);
        let displaced_at = UNIX_EPOCH + Duration::from_secs(changed);
        if is_over(displaced_at, (clock.now)()) {
            discard_file(&displaced.path);
        }
        return false;
    }
    metadata.modified().is_ok_and(|modified| clock.rest_for(modified).is_none())
}

/// Gives a file that was removed its name back if somebody wrote into it since.
fn look_at_removed(target: &Path, removed: &HiddenFile, clock: &QuietTime) {
    if fingerprint_of(&removed.path).is_ok_and(|found| is_saved(removed, found, clock)) {
        let kept = restore_name(target, &removed.path);
        let path = kept.as_deref().unwrap_or(target);
        tracing::warn!(path = %path.display(), "a late save of a file that was removed is back");
    }
}

/// Looks at a file that was displaced by what was `made`. Returns whether it is that version
/// by now, since a late save is in place.
fn look_at(target: &Path, displaced: &HiddenFile, made: &str, clock: &QuietTime) -> bool {
    let Ok(found) = fingerprint_of(&displaced.path) else { return false };
    if short_fingerprint(found) == made {
        return true;
    }
    if !is_saved(displaced, found, clock) {
        return false;
    }
    let path = &displaced.path;
    let is_back =
        is_version(target, made) && exchange(path, target).is_ok() && is_version(path, made);
    if is_back {
        tracing::warn!(path = %target.display(), "a late save of the version before is in place");
    } else {
        let kept = save_beside(target, path);
        tracing::warn!(path = %kept.display(), "a late save of the version before is kept in this file");
    }
    // After a power loss either version may have either name: it is looked at once more.
    let _ = sync_directory(target);
    is_back
}

fn is_over(displaced_at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(displaced_at).is_ok_and(|age| age > KEPT)
}

/// Gives the displaced file `swap` the name under which it is looked at again.
pub(super) fn park_displaced(swap: &Path) {
    if fs::rename(swap, swap.with_extension("old")).is_err() {
        discard_file(swap);
    }
}
