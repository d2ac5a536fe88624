//! New files beside others.
//!
//! Owns finding a name that is not taken, without a race.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{discard, sync_directory};

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
        let path = directory.join(numbered(Path::new(name), number));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                return match written.and_then(|()| sync_directory(&path)) {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        discard(&path);
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
fn numbered(name: &Path, number: u32) -> OsString {
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
