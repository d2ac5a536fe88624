//! Displaced files, kept for a while.
//!
//! An editor that had opened the file before it was replaced may write into it
//! afterwards: its name is gone by then, and the write would be, too. So the displaced
//! file stays beside the new one under a hidden name, and is looked at again before
//! every reading and every write. What was written into it since is somebody's save and
//! goes back in place. Then our version is under the hidden name, and stays there until
//! whoever remembers what it had set has taken that back: so it is known also to the next
//! process, if this one is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Fingerprint;
use crate::source::Pace;

use super::paths::{
    PREFIX, directory, discard, exchange, fingerprint_of, keep, prefix, short, sync_directory,
};
use super::remove;

/// How long a displaced file is kept. Whoever has it open longer, and writes into it
/// then, writes into a file that nobody sees.
const KEPT: Duration = Duration::from_mins(10);

/// Looks at the files that were displaced at `target`, which must be locked: one that
/// somebody wrote into since, and not within the quiet time, goes back in place, or is
/// kept beside `target` if that was saved as well. Others are removed in time. Returns our
/// versions that are not in place any more because of that, until [`forget_late`].
pub(crate) fn look_again(target: &Path, pace: &Pace) -> BTreeSet<Version> {
    let mut displaced = displaced(target);
    displaced.retain(|(path, was, made)| look_at(target, path, was, made, pace));
    displaced.into_iter().map(|(_, _, made)| made).collect()
}

/// Our versions of `target` that are not in place any more, because a late save is.
pub(crate) fn undone(target: &Path) -> BTreeSet<Version> {
    let displaced = displaced(target).into_iter();
    displaced.filter(|(path, _, made)| is_undone(path, made)).map(|(_, _, made)| made).collect()
}

/// The same for all files of `directory`.
pub(crate) fn undone_in(directory: &Path) -> BTreeSet<Version> {
    let displaced = displaced_in(directory).into_iter();
    displaced.filter(|(path, _, made)| is_undone(path, made)).map(|(_, _, made)| made).collect()
}

/// Removes what stands for the versions that [`look_again`] has returned.
pub(crate) fn forget_late(target: &Path) {
    let undone = displaced(target).into_iter().filter(|(path, _, made)| is_undone(path, made));
    undone.for_each(|(path, ..)| discard(&path));
}

/// The same for all files of `directory`.
pub(crate) fn forget_late_in(directory: &Path) {
    let displaced = displaced_in(directory).into_iter();
    let undone = displaced.filter(|(path, _, made)| is_undone(path, made));
    undone.for_each(|(path, ..)| discard(&path));
}

/// A version of a file that we made, by enough of its fingerprint to know it again.
pub(crate) type Version = String;

/// The files that were displaced at `target`, with the version that each was, and the one
/// that was put in its place.
fn displaced(target: &Path) -> Vec<(PathBuf, String, Version)> {
    let prefix = prefix(target);
    let mut displaced = displaced_in(directory(target));
    displaced.retain(|(path, ..)| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
    });
    displaced
}

/// The same for all files of `directory`.
fn displaced_in(directory: &Path) -> Vec<(PathBuf, String, Version)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let parts = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.to_owned();
        match *name.split(['-', '.']).collect::<Vec<_>>() {
            [_, was, made, _, "old"] => Some((path, was.to_owned(), made.to_owned())),
            _ => None,
        }
    };
    entries.flatten().filter_map(|entry| parts(entry.path())).collect()
}

/// Whether a displaced file is the version that was `made`: it was exchanged for a late save.
fn is_undone(displaced: &Path, made: &str) -> bool {
    fingerprint_of(displaced).is_ok_and(|found| short(found) == made)
}

/// [`look_again`] for all files of `directory`, which must be locked. A save of a file
/// that is gone by now is kept under a name that says so.
pub(crate) fn look_again_in(directory: &Path, pace: &Pace) -> BTreeSet<Version> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for path in &paths {
        if let Some((was, own)) = remove::parted(&name(path)) {
            look_at_gone(&directory.join(own), path, was, pace);
        }
    }
    let displaced = displaced_in(directory);
    if displaced.is_empty() {
        return BTreeSet::new();
    }
    let targets: BTreeMap<String, &PathBuf> =
        paths.iter().map(|path| (prefix(path), path)).collect();
    let gone = directory.join("removed.vcf");
    let is_undone = |(path, was, made): &(PathBuf, String, Version)| {
        let name = name(path);
        let of = name[PREFIX.len()..].split('-').next().unwrap_or_default();
        let target = targets.get(&format!("{PREFIX}{of}-")).copied().unwrap_or(&gone);
        look_at(target, path, was, made, pace)
    };
    displaced.into_iter().filter(is_undone).map(|(_, _, made)| made).collect()
}

/// Whether `displaced`, which was `was` and has `found` in it, is a save of somebody, and not
/// one of within the quiet time. If it is not, it is removed in time.
fn is_saved(displaced: &Path, found: Fingerprint, was: &str, pace: &Pace) -> bool {
    let Ok(metadata) = fs::symlink_metadata(displaced) else { return false };
    if short(found) == was {
        // The kernel notes when a file was last renamed or written.
        let changed = u64::try_from(metadata.ctime()).unwrap_or(0);
        let displaced_at = UNIX_EPOCH + Duration::from_secs(changed);
        if is_over(displaced_at, (pace.now)()) {
            discard(displaced);
        }
        return false;
    }
    metadata.modified().is_ok_and(|modified| pace.rest(modified).is_none())
}

/// Gives a file that was removed its name back if somebody wrote into it since.
fn look_at_gone(target: &Path, aside: &Path, was: &str, pace: &Pace) {
    if fingerprint_of(aside).is_ok_and(|found| is_saved(aside, found, was, pace)) {
        let kept = remove::put_back(target, aside);
        let path = kept.as_deref().unwrap_or(target);
        tracing::warn!(path = %path.display(), "a late save of a file that was removed is back");
    }
}

/// Looks at one displaced file. Returns whether it is our version by now, since a late save
/// is in place.
fn look_at(target: &Path, displaced: &Path, was: &str, made: &str, pace: &Pace) -> bool {
    let Ok(found) = fingerprint_of(displaced) else { return false };
    if short(found) == made {
        return true;
    }
    if !is_saved(displaced, found, was, pace) {
        return false;
    }
    let is_ours = is_undone(target, made);
    let is_back = is_ours && exchange(displaced, target).is_ok() && is_undone(displaced, made);
    if is_back {
        tracing::warn!(path = %target.display(), "a late save of the version before is in place");
    } else {
        let kept = keep(target, displaced);
        tracing::warn!(path = %kept.display(), "a late save of the version before is kept in this file");
    }
    // After a power loss, either version may be under either name: it is looked at once more.
    let _ = sync_directory(target);
    is_back
}

fn is_over(displaced_at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(displaced_at).is_ok_and(|age| age > KEPT)
}

/// Gives the displaced file `swap` the name under which it is looked at again.
pub(super) fn keep_displaced(swap: &Path) {
    let kept: PathBuf = swap.with_extension("old");
    if fs::rename(swap, kept).is_err() {
        discard(swap);
    }
}
