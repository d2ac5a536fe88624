//! Which symbolic links are followed.
//!
//! Owns that nobody else decides which file is read: a symbolic link must belong to whoever
//! runs linqsync, to root, or to the owner of what it leads to. Another user could otherwise
//! make linqsync read and rewrite a file that they must not touch.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ReadError;

/// How many symbolic links are followed one after the other, as by the kernel.
const MAX_LINKS: usize = 40;

/// What `path` leads to; itself, if it is no symbolic link.
///
/// # Errors
/// [`ReadError::ForeignLink`] when a link on the way is not to be followed.
pub(in crate::source) fn follow_link(path: &Path) -> Result<PathBuf, ReadError> {
    let mut found = path.to_owned();
    let mut owner = None;
    for _ in 0..MAX_LINKS {
        let metadata = std::fs::symlink_metadata(&found)?;
        if !metadata.is_symlink() {
            return Ok(found);
        }
        let owner = match owner {
            Some(owner) => owner,
            None => *owner.insert(std::fs::metadata(path)?.uid()),
        };
        if !is_trusted(metadata.uid(), rustix::process::geteuid().as_raw(), owner) {
            return Err(ReadError::ForeignLink);
        }
        let leads_to = std::fs::read_link(&found)?;
        found = found.parent().unwrap_or(Path::new("/")).join(leads_to);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many symbolic links").into())
}

fn is_trusted(link: u32, own: u32, target: u32) -> bool {
    link == 0 || link == own || link == target
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    #[test]
    fn a_symbolic_link_of_somebody_else_is_followed_only_to_their_own_file() {
        let (root, own, other, third) = (0, 1000, 1001, 1002);
        assert!(is_trusted(own, own, other) && is_trusted(root, own, other));
        assert!(is_trusted(other, own, other));
        assert!(!is_trusted(other, own, own) && !is_trusted(other, own, root));
        assert!(!is_trusted(other, own, third) && !is_trusted(other, root, root));
    }

    #[test]
    fn links_are_followed_one_after_the_other_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("real.csv"), "Email\n").unwrap();
        symlink("two.csv", path("one.csv")).unwrap();
        symlink("real.csv", path("two.csv")).unwrap();
        symlink("own.csv", path("own.csv")).unwrap();
        symlink("nowhere.csv", path("broken.csv")).unwrap();
        for name in ["one.csv", "two.csv", "real.csv"] {
            assert_eq!(follow_link(&path(name)).unwrap(), path("real.csv"), "{name}");
        }
        for name in ["own.csv", "broken.csv", "missing.csv"] {
            assert!(matches!(follow_link(&path(name)), Err(ReadError::Io(_))), "{name}");
        }
        // Only root can give a link to somebody else.
        if lchown(path("two.csv"), Some(1001), None).is_ok() {
            assert!(matches!(follow_link(&path("one.csv")), Err(ReadError::ForeignLink)));
        } else {
            let _ = std::io::stderr().write_all(b"NOT CHECKED: links of other users\n");
        }
    }
}
