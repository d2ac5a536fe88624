//! What version 0.1.0 left beside the files of the source.
//!
//! It kept everything of its own there, as hidden files whose names begin with
//! `.linqsync-`. Owns moving them into our directory, under the names that they have
//! there; what becomes of them then is up to [`super::recover`] and
//! [`super::rescue_late_saves`].

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::model::Fingerprint;
use crate::source::files::Hidden;

use super::entry::{EntryScope, moved_name, short_fingerprint};
use super::paths::discard_file;

/// How those names begin.
const PREFIX: &str = ".linqsync-";

/// Moves what version 0.1.0 left in `directory` about files within `scope`, which must be
/// locked.
pub(crate) fn adopt_old_names(hidden: &Hidden, directory: &Path, scope: EntryScope<'_>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let (ours, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| file_name(path).starts_with(PREFIX));
    if ours.is_empty() {
        return;
    }
    let is_within = |target: &Path| match scope {
        EntryScope::File(file) => file == target,
        EntryScope::Called(is_ours) => is_ours(target),
    };
    let targets: BTreeMap<String, &PathBuf> =
        others.into_iter().map(|path| (old_key(path), path)).collect();
    for path in ours {
        let Some(old) = OldName::parse_name(file_name(path)) else { continue };
        let target = match old {
            OldName::New => {
                if matches!(scope, EntryScope::Called(_)) {
                    discard_file(path);
                }
                continue;
            }
            OldName::Removed { name, .. } => directory.join(name),
            OldName::Other { of, .. } => match targets.get(of) {
                Some(target) => (*target).clone(),
                // It was removed since, or renamed.
                None => directory.join("removed.vcf"),
            },
        };
        if is_within(&target) {
            adopt_file(hidden, directory, path, &target, &old);
        }
    }
}

/// Moves one file. Where ours is on another file system than that, there is one beside it.
fn adopt_file(hidden: &Hidden, directory: &Path, path: &Path, target: &Path, old: &OldName<'_>) {
    let (was, made, kind) = match *old {
        OldName::New => return,
        OldName::Removed { was, .. } => (was, None, "old"),
        OldName::Other { was, made, kind, .. } => (was, Some(made), kind),
    };
    let into = |hidden: &Hidden| {
        let name = moved_name(hidden, target, [was, &short_fingerprint(of_name(path))], made, kind);
        hidden.create_in(|ours| fs::rename(path, ours.join(&name)))
    };
    if let Err(error) = into(hidden).or_else(|_| into(&Hidden::in_directory(directory))) {
        tracing::warn!(path = %path.display(), %error, "cannot move what an earlier version left");
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn of_name(path: &Path) -> Fingerprint {
    Fingerprint::of(path.file_name().unwrap_or_default().as_encoded_bytes())
}

fn old_key(target: &Path) -> String {
    short_fingerprint(of_name(target))
}

/// What a name of version 0.1.0 says.
enum OldName<'n> {
    /// A new file that was not complete.
    New,
    /// A file that was removed: what it was, and its own name.
    Removed { was: &'n str, name: &'n str },
    /// What was left of replacing a file: of which, of which version, by which.
    Other { of: &'n str, was: &'n str, made: &'n str, kind: &'n str },
}

impl OldName<'_> {
    fn parse_name(name: &str) -> Option<OldName<'_>> {
        let rest = name.strip_prefix(PREFIX)?;
        if rest.starts_with("new-") {
            return Some(OldName::New);
        }
        if let Some(gone) = rest.strip_prefix("gone-") {
            let (was, name) = gone.split_once('-')?;
            return Some(OldName::Removed { was: was.split('.').next().unwrap_or(was), name });
        }
        match *rest.split(['-', '.']).collect::<Vec<_>>() {
            [of, was, made, _, kind @ ("part" | "swap" | "old")] => {
                Some(OldName::Other { of, was, made, kind })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NEW, OLD, SAVE, TempTarget, and_kept, only};
    use super::*;
    use crate::source::QuietTime;

    fn key(bytes: &[u8]) -> String {
        short_fingerprint(Fingerprint::of(bytes))
    }

    /// The place, as the next run leaves it after version 0.1.0 left `name` with `bytes`.
    fn after(holds: &[u8], name: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let place = TempTarget::new();
        place.write("contacts.csv", holds);
        place.write(name, bytes);
        adopt_old_names(
            &place.hidden(),
            place.file.parent().unwrap(),
            EntryScope::File(&place.file),
        );
        assert!(!place.file.with_file_name(name).exists(), "{name}");
        place.recover();
        place.rescue(&QuietTime::frozen_time());
        place.forget_late();
        place.files()
    }

    #[test]
    fn what_an_earlier_version_left_is_finished() {
        let was = key(b"older\n");
        let of = old_key(Path::new("contacts.csv"));
        let name =
            |made: &[u8], kind: &str| format!("{PREFIX}{of}-{was}-{}-aB3xY9.{kind}", key(made));
        assert_eq!(after(OLD, &name(NEW, "part"), b"ne"), only(OLD));
        assert_eq!(after(OLD, &name(OLD, "swap"), b"older\n"), only(OLD));
        assert_eq!(after(OLD, &name(OLD, "swap"), SAVE), only(SAVE));
        assert_eq!(after(OLD, &name(NEW, "swap"), SAVE), and_kept(OLD, SAVE));
        assert_eq!(after(OLD, &name(OLD, "old"), SAVE), only(SAVE));
        assert_eq!(after(OLD, &name(OLD, "old"), b"older\n").len(), 2, "it is kept for a while");
        let gone = format!("{PREFIX}gone-{was}-contacts.csv");
        assert_eq!(after(OLD, &gone, SAVE), and_kept(OLD, SAVE));
        assert_eq!(after(OLD, &format!("{PREFIX}gone-{was}.2-contacts.csv"), SAVE).len(), 2);
    }

    #[test]
    fn what_it_left_of_other_files_is_left_alone() {
        let place = TempTarget::new();
        let names = [
            format!("{PREFIX}{}-a-b-c.old", old_key(Path::new("other.csv"))),
            format!("{PREFIX}gone-{}-other.csv", key(OLD)),
            format!("{PREFIX}new-aB3xY9.part"),
            format!("{PREFIX}Zx81Kq"),
        ];
        for name in &names {
            place.write(name, b"x");
        }
        place.write("other.csv", OLD);
        adopt_old_names(
            &place.hidden(),
            place.file.parent().unwrap(),
            EntryScope::File(&place.file),
        );
        assert!(names.iter().all(|name| place.file.with_file_name(name).exists()));
    }
}
