//! Where the source is, and what tells that it was written.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::{Event, EventKind};
use serde::{Deserialize, Serialize};

use crate::config::{SourceConfig, SourceKind};
use crate::source::vcard;

/// Where the source is, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WatchedLocation {
    /// One file.
    File(PathBuf),
    /// The vCards of a directory.
    Directory(PathBuf, WatchDepth),
}

/// Whether subdirectories belong to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchDepth {
    Flat,
    Deep,
}

/// What tells that the source was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceStamp([u8; 32]);

impl WatchedLocation {
    pub(crate) fn for_source(source: &SourceConfig) -> WatchedLocation {
        match &source.kind {
            SourceKind::Csv(_) => WatchedLocation::File(source.path.clone()),
            SourceKind::Vcard(vcard) => {
                let depth = if vcard.recursive { WatchDepth::Deep } else { WatchDepth::Flat };
                WatchedLocation::Directory(source.path.clone(), depth)
            }
        }
    }

    /// The directory in which things happen, with every symbolic link resolved: the
    /// replacement of a file happens in its directory.
    pub(super) fn real_directory(&self) -> io::Result<PathBuf> {
        match self {
            WatchedLocation::Directory(path, _) => path.canonicalize(),
            WatchedLocation::File(path) => match path.canonicalize() {
                Ok(target) => Ok(target.parent().unwrap_or(&target).to_owned()),
                Err(_) => path.parent().unwrap_or(path).canonicalize(),
            },
        }
    }

    /// The source as it is now; `None` if it is not there.
    pub(crate) fn current_stamp(&self) -> Option<SourceStamp> {
        let mut hasher = blake3::Hasher::new();
        match self {
            WatchedLocation::File(path) => {
                hash_entry(&mut hasher, OsStr::new(""), &std::fs::metadata(path).ok()?);
            }
            WatchedLocation::Directory(path, depth) => {
                add_directory(&mut hasher, path, *depth).ok()?;
            }
        }
        Some(SourceStamp(*hasher.finalize().as_bytes()))
    }

    /// Whether something that happened may concern the source.
    pub(super) fn concerns_source(&self, event: &Event) -> bool {
        // Reading is no change, and our own reading least of all.
        if event.need_rescan() {
            return true;
        }
        let is_vcard = |path: &PathBuf| path.file_name().is_some_and(is_of_cards);
        !matches!(event.kind, EventKind::Access(_))
            && match self {
                WatchedLocation::File(_) => true,
                WatchedLocation::Directory(..) => event.paths.iter().any(|path| {
                    let is_ours = path.file_name().is_some_and(is_hidden);
                    is_vcard(path) || !is_ours && path.is_dir()
                }),
            }
    }
}

fn is_of_cards(name: &OsStr) -> bool {
    vcard::takes_part(Path::new(name))
}

/// Whether a directory takes no part, as ours does not.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn hash_entry(hasher: &mut blake3::Hasher, name: &OsStr, metadata: &Metadata) {
    hasher.update(name.as_encoded_bytes());
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ];
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
}

fn add_directory(hasher: &mut blake3::Hasher, path: &Path, depth: WatchDepth) -> io::Result<()> {
    let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if is_of_cards(&name) {
            hash_entry(hasher, &name, &entry.metadata()?);
        } else if depth == WatchDepth::Deep && !is_hidden(&name) && entry.file_type()?.is_dir() {
            hasher.update(name.as_encoded_bytes());
            add_directory(hasher, &entry.path(), depth)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_directories_of_which_ours_is_one_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let place = WatchedLocation::Directory(dir.path().to_owned(), WatchDepth::Deep);
        for (name, counts) in [("team", true), (".linqsync", false)] {
            let before = place.current_stamp();
            let directory = dir.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            std::fs::write(directory.join("ada.vcf"), "x").unwrap();
            assert_eq!(place.current_stamp() != before, counts, "{name}");
            let created = EventKind::Create(notify::event::CreateKind::Folder);
            let event = Event::new(created).add_path(directory);
            assert_eq!(place.concerns_source(&event), counts, "{name}");
        }
    }

    #[test]
    fn every_file_of_cards_counts_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let place = WatchedLocation::Directory(dir.path().to_owned(), WatchDepth::Flat);
        for (name, counts) in [
            ("ada.vcf", true),
            ("bo.VCF", true),
            ("cy.vcard", true),
            ("notes.txt", false),
            (".ada.vcf.swp", false),
            (".#ada.vcf", false),
        ] {
            let before = place.current_stamp();
            std::fs::write(dir.path().join(name), "x").unwrap();
            assert_eq!(place.current_stamp() != before, counts, "{name}");
            let created = EventKind::Create(notify::event::CreateKind::File);
            let event = Event::new(created).add_path(dir.path().join(name));
            assert_eq!(place.concerns_source(&event), counts, "{name}");
        }
    }
}
