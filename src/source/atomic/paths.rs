//! What is done with single files and their names.
//!
//! Owns the calls of the system, and the names of versions that people are to find.
//! Leaves the order of steps to the modules beside it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::model::Fingerprint;

/// Gives a version that somebody saved a name that people find.
pub(super) fn save_beside(target: &Path, swap: &Path) -> PathBuf {
    for number in 1..u32::MAX {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".saved-{number}"));
        let name = PathBuf::from(name);
        match rename_to_free(swap, &name) {
            Ok(()) => return name,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    swap.to_owned()
}

/// Renames a file to a name that must be free.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS knows no such flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_to_free(from, to),
        result => result.map_err(io::Error::from),
    }
}

/// The same in two steps: between them the file has both names.
fn link_to_free(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    discard_file(from);
    Ok(())
}

/// Exchanges two names.
pub(super) fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

pub(super) fn fingerprint_of(path: &Path) -> io::Result<Fingerprint> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open_regular(path)?)?;
    Ok(Fingerprint(*hasher.finalize().as_bytes()))
}

/// Makes the names of the files in `directory` last.
///
/// # Errors
/// When the system cannot tell that they do.
pub(crate) fn sync_names(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

pub(super) fn sync_directory(of: &Path) -> io::Result<()> {
    sync_names(parent_directory(of))
}

pub(super) fn parent_directory(of: &Path) -> &Path {
    match of.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Removes a file that holds nothing anybody needs. One that stays is removed by
/// [`super::recover`].
pub(super) fn discard_file(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_versions_are_kept_the_next_one_has_a_name_too() {
        let dir = tempfile::tempdir().unwrap();
        let (target, swap) = (dir.path().join("contacts.csv"), dir.path().join(".swap"));
        for number in 1..=1_200 {
            fs::write(&swap, number.to_string()).unwrap();
            let kept = save_beside(&target, &swap);
            assert_eq!(kept, dir.path().join(format!("contacts.csv.saved-{number}")));
            assert_eq!(fs::read_to_string(kept).unwrap(), number.to_string());
        }
        assert!(!swap.exists());
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone_also_where_it_takes_two_steps() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        for step in [rename_to_free, link_to_free] {
            fs::write(&from, "new").unwrap();
            fs::write(&to, "old").unwrap();
            let refused = step(&from, &to).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read_to_string(&to).unwrap(), "old");
            fs::remove_file(&to).unwrap();
            step(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), "new");
            assert!(!from.exists());
        }
    }
}
