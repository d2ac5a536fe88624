//! Replacing a file where the file system cannot exchange two names.
//!
//! Owns what can be promised there: the old file gets a second name, is compared once
//! more, and the new one is renamed over it. Whoever writes into the file at any time
//! loses nothing, since it stays reachable under its second name. Whoever *replaces* it
//! within the microseconds between the last look at its name and the renaming loses that
//! save: nothing that such a file system offers closes this gap without a moment in which
//! the file is missing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::model::Fingerprint;

use super::paths::{discard_file, fingerprint_of, save_beside, sync_directory};
use super::{Instant, ReplaceError, ReplaceSteps};

/// Renames the new file over the old one, which stays reachable under a second name
/// until it was looked at.
pub(super) fn rename_over(
    target: &Path,
    swap: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    steps: &mut ReplaceSteps<'_>,
) -> Result<(), ReplaceError> {
    let old = swap.with_extension("old");
    // A file system without second names has no way to look back.
    let is_kept = fs::hard_link(target, &old).is_ok();
    let is_expected = |path: &Path| fingerprint_of(path).is_ok_and(|found| found == expected);
    // The name is looked at last, so that as little time as possible is left.
    if is_kept && !(is_expected(&old) && is_same_file(&old, target)) {
        discard_file(&old);
        discard_file(swap);
        return Err(ReplaceError::Changed { kept: None });
    }
    if let Err(source) = fs::rename(swap, target).and_then(|()| sync_directory(target)) {
        discard_file(swap);
        discard_file(&old);
        return Err(ReplaceError::Io(source));
    }
    (steps.at)(Instant::Exchanged);
    if is_kept && !is_expected(&old) {
        let in_place = fingerprint_of(target).is_ok_and(|found| found == made);
        let is_back = in_place && fs::rename(&old, target).is_ok();
        let kept = if is_back { None } else { Some(save_beside(target, &old)) };
        return Err(ReplaceError::Changed { kept });
    }
    Ok(())
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
