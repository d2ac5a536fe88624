//! Which files lie beside a source because of writes of ours.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Leftover;
use crate::source::files::Hidden;

use super::entry::{EntryScope, HiddenFileState, hidden_files, short_fingerprint};
use super::paths::fingerprint_of;

/// Those about files within `scope`: what is `hidden`, and in `directories` the saves that
/// could not stay in place.
pub(crate) fn find_leftovers(
    hidden: &[Hidden],
    directories: &[PathBuf],
    scope: EntryScope<'_>,
) -> Vec<Leftover> {
    let mut leftovers: Vec<Leftover> = Vec::new();
    for hidden in hidden {
        for entry in hidden_files(hidden) {
            if entry.target_file(hidden, scope).is_none() {
                continue;
            }
            let known = match &entry.state {
                HiddenFileState::Replaced { made } | HiddenFileState::Swap { made } => {
                    vec![&entry.was, made]
                }
                HiddenFileState::Removed => vec![&entry.was],
                HiddenFileState::Part => Vec::new(),
            };
            let found = fingerprint_of(&entry.path).map(short_fingerprint);
            let is_spare = found.is_ok_and(|found| known.contains(&&found));
            leftovers.push(Leftover { path: entry.path, is_spare });
        }
    }
    let saved = directories.iter().flat_map(|directory| saved_in(directory, scope));
    leftovers.extend(saved.map(|path| Leftover { path, is_spare: false }));
    leftovers.sort_by(|a, b| a.path.cmp(&b.path));
    leftovers
}

/// The files in `directory` that hold another version of one within `scope`.
fn saved_in(directory: &Path, scope: EntryScope<'_>) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_within = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.rsplit_once(".saved-").is_some_and(|(own, _)| match scope {
            EntryScope::File(target) => {
                target.file_name().is_some_and(|of| of.to_string_lossy() == own)
            }
            EntryScope::Called(is_ours) => is_ours(Path::new(own)),
        })
    };
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).filter(is_within).collect()
}
