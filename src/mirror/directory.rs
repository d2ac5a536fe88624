//! The state directory and the files in it: private from their first instant.
//!
//! Owns modes and ownership. SQLite gives `-wal` and `-shm` the mode of the
//! database, so `state.db` is made here, empty, before SQLite sees it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::StateError;
use crate::lock::Lock;

/// The database.
pub const DATABASE: &str = "state.db";
pub(super) const LOCK: &str = "lock";
/// The records of the source as they were last read.
pub(super) const RECORDS: &str = "records.db";
const BACKUPS: &str = "backups";

const PRIVATE_DIR: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// Makes sure that `dir` is a directory of ours that nobody else can look into,
/// and makes it if it is missing.
pub(super) fn prepare_directory(dir: &Path) -> Result<(), StateError> {
    if !path_exists(dir)? {
        make_dir(dir).map_err(error_at(dir))?;
    }
    refuse_shared(dir)?;
    let owner = fs::metadata(dir).map_err(error_at(dir))?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        let problem = "belongs to another user";
        return Err(StateError::Permissions { path: dir.to_owned(), problem });
    }
    Ok(())
}

/// Refuses a directory that others than its owner can look into.
pub(super) fn refuse_shared(dir: &Path) -> Result<(), StateError> {
    let metadata = fs::metadata(dir).map_err(error_at(dir))?;
    if !metadata.is_dir() {
        return Err(error_at(dir)(io::ErrorKind::NotADirectory.into()));
    }
    if metadata.mode() & 0o077 != 0 {
        let problem = "can be read by others, and the state holds people's data";
        return Err(StateError::Permissions { path: dir.to_owned(), problem });
    }
    Ok(())
}

/// Takes the directory for this process.
pub(super) fn lock_directory(dir: &Path) -> Result<Lock, StateError> {
    let path = dir.join(LOCK);
    make_file(&path)?;
    Lock::lock_dedicated(&path).map_err(|error| StateError::cannot_lock(dir, error))
}

/// Makes an empty file that only its owner can read, or makes the existing one so.
pub(super) fn make_file(path: &Path) -> Result<(), StateError> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(PRIVATE_FILE).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error_at(path)(error)),
    }
    // The umask may have taken bits away, or a copy have added some.
    let mode = fs::metadata(path).map_err(error_at(path))?.mode() & 0o777;
    if mode != PRIVATE_FILE {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE_FILE)).map_err(error_at(path))?;
    }
    Ok(())
}

/// Where backups of the source go.
pub(super) fn backup_directory(dir: &Path) -> PathBuf {
    dir.join(BACKUPS)
}

/// Makes the directory for backups if it is missing.
pub(super) fn make_backups(dir: &Path) -> Result<(), StateError> {
    let backups = backup_directory(dir);
    if !path_exists(&backups)? {
        make_dir(&backups).map_err(error_at(&backups))?;
    }
    refuse_shared(&backups)
}

/// The companion of the file at `path` whose name ends so.
pub(super) fn companion_path(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Whether there is something at `path`.
pub(super) fn path_exists(path: &Path) -> Result<bool, StateError> {
    path.try_exists().map_err(error_at(path))
}

/// Makes a private directory and its parents, and makes its name durable.
fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(PRIVATE_DIR))?;
    match dir.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn error_at(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::mirror::State;
    use crate::mirror::testing::at;

    const TARGET: &str = "LINQSYNC_TEST_STATE_DIR";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    /// The test runs itself again under two umasks, one that takes nothing away
    /// and one that takes everything: a umask belongs to a whole process.
    #[test]
    fn every_file_is_private_whatever_the_umask() {
        if let Some(dir) = std::env::var_os(TARGET) {
            drop(State::open(Path::new(&dir), at(0)).unwrap());
            return;
        }
        let name = "mirror::directory::tests::every_file_is_private_whatever_the_umask";
        for umask in ["0000", "0777", "0022"] {
            let dir = tempfile::tempdir().unwrap();
            let state = dir.path().join("state");
            let run = Command::new("sh")
                .args(["-c", "umask \"$1\" && exec \"$0\" --exact \"$2\""])
                .arg(std::env::current_exe().unwrap())
                .args([umask, name])
                .env(TARGET, &state)
                .output()
                .unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
            assert_eq!(mode(&state), 0o700, "umask {umask}");
            for file in ["state.db", "state.db-checked", "lock"] {
                assert_eq!(mode(&state.join(file)), 0o600, "{file} under umask {umask}");
            }
        }
    }

    #[test]
    fn the_companions_that_sqlite_makes_are_private_too() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("a/b"), at(0)).unwrap();
        let dir = dir.path().join("a/b");
        for file in ["state.db", "state.db-wal", "state.db-shm", "lock"] {
            assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
        }
        assert_eq!(state.backups_dir().unwrap(), dir.join("backups"));
        assert_eq!(mode(&dir.join("backups")), 0o700);
    }

    #[test]
    fn a_directory_that_others_can_look_into_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for wide in [0o750, 0o705, 0o701, 0o770] {
            fs::set_permissions(dir.path(), Permissions::from_mode(wide)).unwrap();
            for outcome in [
                State::open(dir.path(), at(0)),
                State::open_copy(dir.path()),
                State::open_reading(dir.path()),
            ] {
                let Err(StateError::Permissions { path, .. }) = outcome else {
                    panic!("mode {wide:o} was accepted");
                };
                assert_eq!(path, dir.path());
            }
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made in it");
    }

    #[test]
    fn a_database_copied_back_with_wide_permissions_is_made_private_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        drop(State::open(dir.path(), at(0)).unwrap());
        let path = dir.path().join(DATABASE);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let _open = State::open(dir.path(), at(0)).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        fs::write(&file, "").unwrap();
        for outcome in
            [State::open(&file, at(0)), State::open_copy(&file), State::open_reading(&file)]
        {
            let Err(StateError::Io { path, source }) = outcome else {
                panic!("a file was taken for a directory");
            };
            assert_eq!((path, source.kind()), (file.clone(), io::ErrorKind::NotADirectory));
        }
    }
}
