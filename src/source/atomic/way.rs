//! By way of which directory a file is made, replaced or removed.
//!
//! Owns the choice where a source has many directories: ours at its root, or else one
//! beside the file, where that is on another file system or the root cannot be written.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::io::Errno;

use crate::source::files::Hidden;

use super::ReplaceError;

/// Does something with the file `target` below `root` by way of our directory.
///
/// # Errors
/// Those of `act`.
pub(crate) fn by_way_of<T>(
    root: &Path,
    target: &Path,
    act: impl Fn(&Hidden) -> Result<T, ReplaceError>,
) -> Result<T, ReplaceError> {
    let (ours, beside) = (Hidden::in_directory(root), Hidden::beside(target));
    if ours == beside {
        return act(&ours);
    }
    if is_on_one_device(root, beside.base_directory()) {
        match act(&ours) {
            Err(ReplaceError::Io(error)) if is_about_the_way(&error) => {}
            result => return result,
        }
    }
    let result = act(&beside);
    beside.remove_if_empty();
    result
}

/// Whether files can be renamed from one directory to another, as far as is known at once.
fn is_on_one_device(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether something failed that may succeed by way of another directory.
fn is_about_the_way(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::XDEV | Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By way of which directories it is tried, where the first one fails so.
    fn ways(target: &str, fails: Errno) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("team")).unwrap();
        let ways = std::cell::RefCell::new(Vec::new());
        let result = by_way_of(dir.path(), &dir.path().join(target), |hidden| {
            let way = hidden.path().strip_prefix(dir.path()).unwrap().to_owned();
            ways.borrow_mut().push(way.to_str().unwrap().to_owned());
            hidden.create_in(|_| Ok(())).unwrap();
            if ways.borrow().len() == 1 { Err(ReplaceError::Io(fails.into())) } else { Ok(()) }
        });
        assert_eq!(result.is_ok(), ways.borrow().len() == 2);
        assert!(!dir.path().join("team/.linqsync").exists(), "it is left behind");
        ways.into_inner()
    }

    #[test]
    fn one_directory_serves_all_and_only_another_file_system_has_its_own() {
        assert_eq!(ways("ada.vcf", Errno::XDEV), [".linqsync"]);
        assert_eq!(ways("team/ada.vcf", Errno::XDEV), [".linqsync", "team/.linqsync"]);
        assert_eq!(ways("team/ada.vcf", Errno::ACCESS), [".linqsync", "team/.linqsync"]);
        assert_eq!(ways("team/ada.vcf", Errno::NOSPC), [".linqsync"]);
    }
}
