//! Files that commands write for people: private, and whole or not at all.

use std::io::{self, Write};
use std::path::Path;

/// Saves `bytes` at `path` with mode 0600, in place of what was there.
///
/// # Errors
/// When the file cannot be written; what was there is still there then.
pub(super) fn save_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    // Temporary files are made with mode 0600, whatever the umask.
    let mut draft = tempfile::NamedTempFile::new_in(directory)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(directory)?.sync_all()
}
