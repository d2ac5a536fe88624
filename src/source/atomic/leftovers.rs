//! Which files lie beside a source because of writes of ours.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Leftover;

use super::paths::{PREFIX, directory, fingerprint_of, prefix, short};
use super::remove;

/// Those of the file `target`.
pub(crate) fn leftovers(target: &Path) -> Vec<Leftover> {
    let (ours, name) = (prefix(target), target.file_name().unwrap_or_default());
    let saved = format!("{}.saved-", name.to_string_lossy());
    found(directory(target), &|name| name.starts_with(&ours) || name.starts_with(&saved))
}

/// Those of all files of `directory`.
pub(crate) fn leftovers_in(directory: &Path) -> Vec<Leftover> {
    found(directory, &|name| name.starts_with(PREFIX) || name.contains(".vcf.saved-"))
}

fn found(directory: &Path, is_ours: &dyn Fn(&str) -> bool) -> Vec<Leftover> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_ours))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let leftover = |path: PathBuf| Leftover { is_spare: is_spare(&path), path };
    paths.into_iter().map(leftover).collect()
}

/// Whether a file is as it was when a write displaced it, by what its name says of that.
fn is_spare(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let known: Vec<&str> = match remove::parted(&name) {
        Some((was, _)) => vec![was],
        None => match *name.split(['-', '.']).collect::<Vec<_>>() {
            ["", "linqsync", _, was, made, _, "old" | "swap"] => vec![was, made],
            _ => return false,
        },
    };
    fingerprint_of(path).is_ok_and(|found| known.contains(&short(found).as_str()))
}
