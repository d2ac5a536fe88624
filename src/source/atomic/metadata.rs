//! A new file that looks like the old one to everybody but its readers.
//!
//! Owns owner, mode and extended attributes, which include access control lists.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// Gives `copy` the owner, the extended attributes and the mode of `original`.
///
/// Only the mode must succeed: giving a file away takes privileges, and some
/// attributes belong to the system.
pub(super) fn copy_metadata(original: &File, copy: &File) -> io::Result<()> {
    let (wanted, found) = (original.metadata()?, copy.metadata()?);
    if (wanted.uid(), wanted.gid()) != (found.uid(), found.gid())
        && fchown(copy, Some(wanted.uid()), Some(wanted.gid())).is_err()
    {
        let _ = fchown(copy, None, Some(wanted.gid()));
    }
    let _ = copy_attributes(original, copy);
    let mode = |of: u32| of & 0o7777;
    if mode(copy.metadata()?.mode()) == mode(wanted.mode()) {
        return Ok(());
    }
    copy.set_permissions(Permissions::from_mode(mode(wanted.mode())))
}

fn copy_attributes(original: &File, copy: &File) -> Result<(), Errno> {
    let mut names = vec![0; rustix::fs::flistxattr_query(original)?];
    let length = rustix::fs::flistxattr(original, &mut names[..])?;
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; rustix::fs::fgetxattr_query(original, name)?];
        let length = rustix::fs::fgetxattr(original, name, &mut value[..])?;
        let _ = rustix::fs::fsetxattr(copy, name, &value[..length], XattrFlags::empty());
    }
    Ok(())
}
