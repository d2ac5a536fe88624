//! The metrics as a file, for a collector of files (`status.textfile`).

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Replaces the file as a whole, so that nobody ever reads half of it. Everybody may
/// read it: there is nothing of anybody in it, and collectors are other users.
pub(crate) fn write(path: &Path, text: &str) {
    if let Err(error) = replace_file(path, text) {
        tracing::warn!(path = %path.display(), %error, "the metrics cannot be written");
    }
}

fn replace_file(path: &Path, text: &str) -> io::Result<()> {
    // Collectors read what ends in `.prom`, which the temporary file must not.
    let directory = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new().prefix(".linqsync-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
