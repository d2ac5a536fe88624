//! Which files and directories take part.
//!
//! Owns the names: hidden and temporary files take no part, nor do hidden directories, of
//! which one is ours. A symbolic link is followed as [`follow_link`] allows, and what it leads
//! to is read once. Leaves what is in the files to [`super::folder`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::source::files::{FileStamp, ReadError, follow_link};

/// Which directories take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListingDepth {
    /// The directory itself.
    One,
    /// Its subdirectories as well.
    All,
}

impl ListingDepth {
    /// Where cards are, as the state remembers it: fewer directories are no deletions.
    pub(super) const fn name(self) -> &'static str {
        match self {
            ListingDepth::One => "the directory",
            ListingDepth::All => "the directory and those below",
        }
    }
}

/// What takes part in a directory.
pub(super) struct DirectoryListing {
    pub(super) names: Vec<(OsString, DirEntryKind)>,
    /// What the directory was like.
    pub(super) stamp: FileStamp,
    /// Whether nothing came or went meanwhile: then nothing can have been overlooked.
    pub(super) is_stable: bool,
}

/// What has a name in a directory.
pub(super) enum DirEntryKind {
    /// A file of cards.
    Cards,
    /// A directory, which takes part if subdirectories do.
    Directory,
    /// A symbolic link that may lead to a directory, and why it is not followed.
    Refused(String),
}

/// What takes part in the directory at `path`.
///
/// # Errors
/// When it cannot be read.
pub(super) fn list_directory(path: &Path) -> io::Result<DirectoryListing> {
    let directory = File::open(path)?;
    let stamp = FileStamp::from_metadata(&directory.metadata()?);
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        names.extend(kind_of(&entry)?.map(|kind| (entry.file_name(), kind)));
    }
    let is_stable = FileStamp::from_metadata(&directory.metadata()?) == stamp;
    Ok(DirectoryListing { names, stamp, is_stable })
}

fn kind_of(entry: &DirEntry) -> io::Result<Option<DirEntryKind>> {
    let name = entry.file_name();
    let is_hidden = name.as_encoded_bytes().starts_with(b".");
    let is_cards = takes_part(Path::new(&name));
    let kind = entry.file_type()?;
    if is_hidden || !is_cards && !kind.is_dir() && !kind.is_symlink() {
        return Ok(None);
    }
    if kind.is_dir() {
        return Ok(Some(DirEntryKind::Directory));
    }
    if !kind.is_symlink() {
        return Ok(Some(DirEntryKind::Cards));
    }
    Ok(match fs::metadata(entry.path()) {
        Ok(found) if found.is_dir() => Some(match follow_link(&entry.path()) {
            Ok(_) => DirEntryKind::Directory,
            Err(ReadError::Io(error)) => DirEntryKind::Refused(error.to_string()),
            Err(_) => DirEntryKind::Refused(
                "it is a symbolic link of another user; make the link anew".to_owned(),
            ),
        }),
        Ok(_) => is_cards.then_some(DirEntryKind::Cards),
        Err(_) if is_cards => Some(DirEntryKind::Cards),
        Err(error) => Some(DirEntryKind::Refused(leads_nowhere(&error))),
    })
}

/// A directory behind a link may be one that is not mounted at present.
fn leads_nowhere(error: &io::Error) -> String {
    format!("it is a symbolic link that cannot be followed ({error}); put that right, or remove it")
}

/// Whether a file of this name is one of cards, and not one that some program makes for
/// itself.
pub fn takes_part(name: &Path) -> bool {
    let is_own = name.as_os_str().as_encoded_bytes();
    is_called_cards(name) && !matches!(is_own.first(), Some(b'.' | b'#' | b'~'))
}

/// Whether the name at the end of a path is one of cards.
pub(super) fn is_called_cards(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["vcf", "vcard"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// What directory a path leads to: one may have several names, by symbolic links, and is
/// read once. A path that leads nowhere is itself.
pub(super) fn directory_identity(path: &Path) -> Result<(u64, u64), PathBuf> {
    fs::metadata(path).map(|found| (found.dev(), found.ino())).map_err(|_| path.to_owned())
}

/// The directories whose files take part. One that cannot be read has none below it.
pub(super) fn card_directories(root: &Path, depth: ListingDepth) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut looked = 0;
    let mut known = BTreeSet::from([directory_identity(root)]);
    while depth == ListingDepth::All && looked < found.len() {
        let names = list_directory(&found[looked]).map(|listed| listed.names).unwrap_or_default();
        let below = names.into_iter().filter(|(_, kind)| matches!(kind, DirEntryKind::Directory));
        let below: Vec<_> = below.map(|(name, _)| found[looked].join(name)).collect();
        found.extend(below.into_iter().filter(|path| known.insert(directory_identity(path))));
        looked += 1;
    }
    found
}
