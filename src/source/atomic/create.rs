//! New files beside others.
//!
//! Owns finding a name that is not taken, without a race.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::platform;
use crate::source::files::Hidden;

use super::entry::NEW;
use super::paths::{discard_file, sync_directory};

/// Writes `bytes` to a new file in `directory` that is called `name`, or almost so if
/// that is taken by something else, and returns its name. It appears whole, and is `hidden`
/// until then; its mode and owner are those of the file `like`, or else it is private. That
/// its name lasts is left to [`super::sync_names`].
///
/// # Errors
/// When it cannot be written and synced; then it is not there.
pub(crate) fn create_in(
    hidden: &Hidden,
    directory: &Path,
    name: &OsStr,
    bytes: &[u8],
    like: Option<&Path>,
) -> io::Result<OsString> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(NEW).suffix(".part").permissions(Permissions::from_mode(0o600));
    let mut draft = hidden.create_in(|path| builder.tempfile_in(path))?;
    draft.write_all(bytes)?;
    if let Some(like) = like.and_then(|like| fs::metadata(like).ok()) {
        let _ = fchown(draft.as_file(), Some(like.uid()), Some(like.gid()));
        draft.as_file().set_permissions(Permissions::from_mode(like.mode() & 0o666))?;
    } else if let Some(group) = group_of_new_files(directory) {
        let _ = fchown(draft.as_file(), None, Some(group));
    }
    draft.as_file().sync_all()?;
    let mut number = 1_u32;
    loop {
        let name = with_suffix(Path::new(name), number);
        let path = directory.join(&name);
        match draft.persist_noclobber(&path) {
            Ok(_) => return Ok(name),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path).is_ok_and(|found| found == bytes) {
                    return Ok(name);
                }
                draft = taken.file;
                number += 1;
            }
            Err(failed) => return Err(failed.error),
        }
    }
}

/// The group that a directory gives to files that are made in it, if it does.
fn group_of_new_files(directory: &Path) -> Option<u32> {
    const SET_GROUP: u32 = 0o2000;
    let found = fs::metadata(directory).ok()?;
    (found.mode() & SET_GROUP != 0).then(|| found.gid())
}

/// Copies `files`, which are named by their paths below `root`, into a new directory in
/// `directory` that is called `name`, or almost so if that is taken. Only this user can
/// read the copies. A file that is gone meanwhile, or that this user may not read, is left
/// out: it was not read either.
///
/// # Errors
/// When they cannot be written and synced.
pub(crate) fn copy_beside_others<'f>(
    directory: &Path,
    name: &OsStr,
    root: &Path,
    files: impl Iterator<Item = &'f Path>,
) -> io::Result<PathBuf> {
    let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    let mut number = 1_u32;
    let copy = loop {
        let path = directory.join(with_suffix(Path::new(name), number));
        match private(&path) {
            Ok(()) => break path,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    };
    for file in files {
        let target = copy.join(file);
        if let Some(parent) = target.parent() {
            DirBuilder::new().mode(0o700).recursive(true).create(parent)?;
        }
        let bytes = match fs::read(root.join(file)) {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
        file.write_all(&bytes)?;
    }
    platform::sync_directory_tree(&copy)?;
    Ok(copy)
}

/// Writes `bytes` to a new file in `directory` that is called `name`, or almost
/// so if that is taken, with mode 0600.
///
/// # Errors
/// When it cannot be written and synced; then it is not there.
pub(crate) fn create_beside_others(
    directory: &Path,
    name: &OsStr,
    bytes: &[u8],
) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let path = directory.join(with_suffix(Path::new(name), number));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                return match written.and_then(|()| sync_directory(&path)) {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        discard_file(&path);
                        Err(error)
                    }
                };
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// `contacts.csv`, `contacts-2.csv`, `contacts-3.csv`.
fn with_suffix(name: &Path, number: u32) -> OsString {
    if number == 1 {
        return name.as_os_str().to_owned();
    }
    let mut numbered = name.file_stem().unwrap_or_default().to_owned();
    numbered.push(format!("-{number}"));
    if let Some(extension) = name.extension() {
        numbered.push(".");
        numbered.push(extension);
    }
    numbered
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_copy_gets_a_name_that_is_not_taken_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let name = OsStr::new("contacts.csv");
        let names: Vec<_> = (0..3)
            .map(|_| create_beside_others(dir.path(), name, b"x").unwrap())
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["contacts.csv", "contacts-2.csv", "contacts-3.csv"]);
        let mode = std::fs::metadata(dir.path().join("contacts-3.csv")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(create_beside_others(&dir.path().join("missing"), name, b"x").is_err());
    }
}
