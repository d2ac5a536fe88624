//! Displaced files, kept for a while.
//!
//! An editor that had opened the file before it was replaced may write into it
//! afterwards: its name is gone by then, and the write would be, too. So the displaced
//! file stays beside the new one under a hidden name, and is looked at again before
//! every reading and every write. What was written into it since is somebody's save and
//! goes back in place.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::source::Pace;

use super::paths::{PREFIX, directory, discard, exchange, fingerprint_of, prefix, short};
use super::remove;
use super::{Displaced, Steps, put_back};

/// How long a displaced file is kept. Whoever has it open longer, and writes into it
/// then, writes into a file that nobody sees.
const KEPT: Duration = Duration::from_mins(10);

/// Looks at the files that were displaced at `target`, which must be locked: one that
/// somebody wrote into since, and not within the quiet time, goes back in place, or is
/// kept beside `target` if that was saved as well. Others are removed in time.
pub(crate) fn look_again(target: &Path, pace: &Pace) {
    let Ok(entries) = fs::read_dir(directory(target)) else { return };
    let prefix = prefix(target);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) else {
            continue;
        };
        if let [was, made, _, "old"] = *rest.split(['-', '.']).collect::<Vec<_>>() {
            look_at(target, &entry.path(), was, made, pace);
        }
    }
}

/// [`look_again`] for all files of `directory`, which must be locked. A save of a file
/// that is gone by now is kept under a name that says so.
pub(crate) fn look_again_in(directory: &Path, pace: &Pace) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_displaced = |name: &str| {
        name.strip_prefix(PREFIX).is_some_and(|rest| rest.split('.').next_back() == Some("old"))
    };
    for path in &paths {
        if let Some((was, own)) = remove::parted(&name(path)) {
            look_at_gone(&directory.join(own), path, was, pace);
        }
    }
    let displaced: Vec<&PathBuf> = paths.iter().filter(|path| is_displaced(&name(path))).collect();
    if displaced.is_empty() {
        return;
    }
    let targets: BTreeMap<String, &PathBuf> =
        paths.iter().map(|path| (prefix(path), path)).collect();
    let gone = directory.join("removed.vcf");
    for path in displaced {
        let name = name(path);
        let parts: Vec<&str> = name[PREFIX.len()..].split(['-', '.']).collect();
        if let [of, was, made, _, "old"] = *parts {
            let target = targets.get(&format!("{PREFIX}{of}-")).copied().unwrap_or(&gone);
            look_at(target, path, was, made, pace);
        }
    }
}

/// Whether somebody wrote into `displaced`, which was `was`, and not within the quiet
/// time. If nobody did, it is removed in time.
fn is_saved(displaced: &Path, was: &str, pace: &Pace) -> bool {
    let (Ok(metadata), Ok(found)) = (fs::symlink_metadata(displaced), fingerprint_of(displaced))
    else {
        return false;
    };
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
    if is_saved(aside, was, pace) {
        let kept = remove::put_back(target, aside);
        let path = kept.as_deref().unwrap_or(target);
        tracing::warn!(path = %path.display(), "a late save of a file that was removed is back");
    }
}

fn look_at(target: &Path, displaced: &Path, was: &str, made: &str, pace: &Pace) {
    if !is_saved(displaced, was, pace) {
        return;
    }
    let mut nothing = |_| {};
    let mut steps = Steps { exchange, displaced: Displaced::Removed, at: &mut nothing };
    match put_back(target, displaced, made, &mut steps) {
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
pub(super) fn keep_displaced(swap: &Path) {
    let kept: PathBuf = swap.with_extension("old");
    if fs::rename(swap, kept).is_err() {
        discard(swap);
    }
}
