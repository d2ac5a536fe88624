//! The one directory of ours beside the files of a source.
//!
//! Owns its name, its permissions, and what is said where something else has that name.
//! Everything that is on its way or was displaced lies in it, and nothing of ours beside
//! the source's own files: programs such as vdirsyncer take hidden *files* for cards.
//! Several linqsyncs may work on files beside one another, each with its own in it. Leaves
//! what lies in it to [`crate::source::atomic`].

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// What the directory is called.
const NAME: &str = ".linqsync";

/// The mode of a directory in which each user touches their own files alone.
const STICKY: u32 = 0o1000;

/// How often it is made again because another linqsync has just removed it.
const TRIES: usize = 5;

/// The directory of ours beside the files of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Hidden {
    base: PathBuf,
}

impl Hidden {
    /// The one in `base`, whether it is there or not.
    pub(in crate::source) fn in_directory(base: &Path) -> Hidden {
        Hidden { base: base.to_owned() }
    }

    /// The one beside the file `target`.
    pub(in crate::source) fn beside(target: &Path) -> Hidden {
        match target.parent() {
            Some(parent) if parent != Path::new("") => Hidden::in_directory(parent),
            Some(_) | None => Hidden::in_directory(Path::new(".")),
        }
    }

    /// The directory that it is in.
    pub(in crate::source) fn base_directory(&self) -> &Path {
        &self.base
    }

    /// Where it is.
    pub(in crate::source) fn path(&self) -> PathBuf {
        self.base.join(NAME)
    }

    /// Whether it is there.
    pub(in crate::source) fn is_there(&self) -> bool {
        fs::symlink_metadata(self.path()).is_ok_and(|found| self.directory_flaw(&found).is_none())
    }

    /// Why nothing can be kept in it, because something else has its name.
    pub(in crate::source) fn obstacle(&self) -> Option<String> {
        let found = fs::symlink_metadata(self.path()).ok()?;
        self.directory_flaw(&found).map(|what| flaw_text(&self.path(), what))
    }

    /// What is wrong with what has its name.
    fn directory_flaw(&self, found: &Metadata) -> Option<&'static str> {
        if found.is_symlink() {
            Some("is a symbolic link")
        } else if !found.is_dir() {
            Some("is not a directory")
        } else if self.is_of_another_user(found) {
            Some("belongs to another user")
        } else {
            None
        }
    }

    /// Whether another user made it who alone gets into it, or who could not touch the files
    /// beside it otherwise. Some file systems give all files to one user.
    fn is_of_another_user(&self, found: &Metadata) -> bool {
        if found.uid() == rustix::process::geteuid().as_raw() {
            return false;
        }
        let all = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        let is_theirs_alone = || {
            fs::metadata(&self.base)
                .is_ok_and(|base| base.mode() & STICKY != 0 && base.uid() != found.uid())
        };
        access(self.path(), all).is_err() || is_theirs_alone()
    }

    /// Makes something in it by `make`, and the directory itself where it is missing. Only
    /// its owner gets into it.
    ///
    /// # Errors
    /// When it cannot be made, something else has its name, or `make` fails.
    pub(in crate::source) fn create_in<T>(
        &self,
        mut make: impl FnMut(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let path = self.path();
        for _ in 1..TRIES {
            self.make_directory()?;
            match make(&path) {
                // Another linqsync has removed it, as it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.is_there() => {}
                result => return result,
            }
        }
        self.make_directory()?;
        make(&path)
    }

    fn make_directory(&self) -> io::Result<()> {
        let path = self.path();
        let is_new = match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        let found = fs::symlink_metadata(&path)?;
        if let Some(what) = self.directory_flaw(&found).filter(|_| !is_new) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, flaw_text(&path, what)));
        }
        // Whatever the umask is, and whoever copied it from another machine. Some file systems
        // have no permissions.
        if found.mode() & 0o777 != 0o700 {
            let mode = found.mode() & 0o7000 | 0o700;
            let _ = fs::set_permissions(&path, Permissions::from_mode(mode));
        }
        let base = fs::metadata(&self.base)?;
        if is_new && base.uid() != found.uid() {
            // So that a run by root is in nobody's way afterwards; others may not do that.
            let _ = chown(&path, Some(base.uid()), None);
        }
        Ok(())
    }

    /// Removes it if nothing is in it.
    pub(in crate::source) fn remove_if_empty(&self) {
        if self.is_there() {
            let _ = fs::remove_dir(self.path());
        }
    }
}

fn flaw_text(path: &Path, what: &str) -> String {
    format!(
        "{} {what}, and linqsync keeps there what it replaces: rename it, or remove it",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn hidden() -> (tempfile::TempDir, Hidden) {
        let dir = tempfile::tempdir().unwrap();
        let hidden = Hidden::in_directory(dir.path());
        (dir, hidden)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn only_its_owner_gets_into_it_and_it_goes_when_it_is_empty() {
        let (_dir, hidden) = hidden();
        hidden.create_in(|path| fs::write(path.join("one"), "")).unwrap();
        assert_eq!(mode(&hidden.path()), 0o700);
        fs::set_permissions(hidden.path(), Permissions::from_mode(0o755)).unwrap();
        hidden.create_in(|path| fs::write(path.join("two"), "")).unwrap();
        assert_eq!(mode(&hidden.path()), 0o700);
        for name in ["one", "two"] {
            hidden.remove_if_empty();
            fs::remove_file(hidden.path().join(name)).unwrap();
        }
        hidden.remove_if_empty();
        assert!(!hidden.path().exists());
    }

    #[test]
    fn a_group_that_new_files_are_to_have_is_kept() {
        let (dir, hidden) = hidden();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o2775)).unwrap();
        hidden.create_in(|_| Ok(())).unwrap();
        assert_eq!(fs::metadata(hidden.path()).unwrap().mode() & 0o7777, 0o2700);
    }

    #[test]
    fn what_somebody_else_has_put_there_is_refused_and_left_alone() {
        let (dir, hidden) = hidden();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(hidden.path(), "mine").unwrap();
        for what in ["is not a directory", "is a symbolic link"] {
            let error = hidden.create_in(|path| fs::write(path.join("x"), "")).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert!(hidden.obstacle().unwrap().contains(what));
            assert!(!hidden.is_there());
            hidden.remove_if_empty();
            let _ = fs::remove_file(hidden.path());
            symlink(&outside, hidden.path()).unwrap();
        }
        assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_of_another_user_is_used_only_where_they_may_touch_the_source_too() {
        let (dir, hidden) = hidden();
        hidden.create_in(|_| Ok(())).unwrap();
        if chown(hidden.path(), Some(1001), None).is_err() {
            let _ = std::io::stderr().write_all(b"NOT CHECKED: directories of other users\n");
            return;
        }
        assert_eq!(hidden.obstacle(), None, "root gets into it");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(hidden.obstacle().unwrap().contains("belongs to another user"));
        chown(dir.path(), Some(1001), None).unwrap();
        assert_eq!(hidden.obstacle(), None, "the whole directory is theirs");
        hidden.remove_if_empty();
        hidden.create_in(|_| Ok(())).unwrap();
        assert_eq!(fs::metadata(hidden.path()).unwrap().uid(), 1001, "and ours in it");
    }

    #[test]
    fn it_is_made_again_where_another_linqsync_has_just_removed_it() {
        let (_dir, hidden) = hidden();
        let mut left = 2;
        let made = hidden.create_in(|path| {
            if left > 0 {
                left -= 1;
                fs::remove_dir(path)?;
            }
            fs::write(path.join("one"), "")
        });
        made.unwrap();
        assert!(hidden.path().join("one").exists());
        assert!(hidden.create_in(|_| fs::read("/nowhere").map(drop)).is_err());
    }
}
