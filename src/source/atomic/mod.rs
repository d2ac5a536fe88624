//! Replacing a file in one step, without losing what somebody saves meanwhile.
//!
//! Owns the order of steps: temporary file in the same directory, fsync, a last
//! comparison with what was read, exchange of the two names, fsync of the
//! directory, and a look at what was displaced. If that is not what was read, it
//! is somebody's save and goes back in place. Knows nothing of what files mean.
//!
//! A process may be killed between any two steps. What it leaves behind carries
//! in its name what it was about, and [`recover`] finishes the work: a save that
//! was displaced goes back in place.
//!
//! Where the file system cannot exchange two names (`EINVAL`, `ENOSYS`,
//! `EOPNOTSUPP`), the new file is renamed over the old one right after the
//! comparison. A save within the microseconds between the two is then lost.

#![expect(clippy::disallowed_methods, reason = "this is the atomic replacement")]

mod attributes;
mod create;
mod recover;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::lock::{Lock, LockError};
use crate::model::Fingerprint;

use super::WriteError;

pub(crate) use create::create_beside_others;
pub(crate) use recover::recover;

use attributes::imitate;

/// Why a file was not replaced.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// It is no longer what was read: somebody saved it, and that is in place.
    Changed {
        /// Another version that somebody saved within the same instant, and that
        /// had to be put beside the file.
        kept: Option<PathBuf>,
    },
    /// The system refused; the file is as it was.
    Io(io::Error),
    /// The new file could not be locked; the file is as it was.
    Locked(LockError),
}

impl ReplaceError {
    /// The error about the source at `path`.
    pub(crate) fn at(self, path: &Path) -> WriteError {
        let path = path.to_owned();
        match self {
            ReplaceError::Changed { kept } => WriteError::Changed { path, kept },
            ReplaceError::Io(source) => WriteError::Io { path, source },
            ReplaceError::Locked(error) => WriteError::Locked(error),
        }
    }
}

/// Replaces the file `target`, which must be no symbolic link, by one that holds
/// `bytes`, if it still is what has the fingerprint `expected`. The new file has
/// the mode of the old one, and its owner and extended attributes as far as
/// possible. It is locked before it gets its name.
///
/// # Errors
/// [`ReplaceError::Changed`] when the file is not what was expected, or gone.
pub(crate) fn replace(
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
) -> Result<Lock, ReplaceError> {
    let mut steps = Steps {
        before_exchange: &mut || {},
        exchange,
        before_look: &mut || {},
        before_putting_back: &mut || {},
    };
    replace_with(target, expected, bytes, &mut steps)
}

/// Exchanges two names.
type Exchange = fn(&Path, &Path) -> Result<(), Errno>;

/// The instants at which somebody may save, so that tests can.
struct Steps<'a> {
    before_exchange: &'a mut dyn FnMut(),
    exchange: Exchange,
    before_look: &'a mut dyn FnMut(),
    before_putting_back: &'a mut dyn FnMut(),
}

fn replace_with(
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
    steps: &mut Steps<'_>,
) -> Result<Lock, ReplaceError> {
    let made = Fingerprint::of(bytes);
    let (lock, swap) = prepare(target, expected, made, bytes)?;
    (steps.before_exchange)();
    match (steps.exchange)(&swap, target) {
        Ok(()) => settle(target, &swap, expected, made, steps).map(|()| lock),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::rename(&swap, target).and_then(|()| sync_directory(target)).map_err(|source| {
                discard(&swap);
                ReplaceError::Io(source)
            })?;
            Ok(lock)
        }
        Err(errno) => {
            discard(&swap);
            Err(changed_if_gone(errno.into()))
        }
    }
}

/// Writes the new file under a temporary name, locks it, and compares the old one
/// with what is expected for the last time.
fn prepare(
    target: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    bytes: &[u8],
) -> Result<(Lock, PathBuf), ReplaceError> {
    let original = open_regular(target).map_err(changed_if_gone)?;
    if original.metadata().is_ok_and(|metadata| metadata.nlink() > 1) {
        tracing::warn!(path = %target.display(), "the file has other names, which keep the old version");
    }
    let prefix = format!("{}{}-{}-", prefix(target), short(expected), short(made));
    // The file is removed when this is dropped on the way out.
    let mut draft = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".part")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory(target))
        .map_err(ReplaceError::Io)?;
    draft.write_all(bytes).map_err(ReplaceError::Io)?;
    imitate(&original, draft.as_file()).map_err(ReplaceError::Io)?;
    draft.as_file().sync_all().map_err(ReplaceError::Io)?;
    let locked = draft.as_file().try_clone().map_err(ReplaceError::Io)?;
    let lock = Lock::take(locked, target).map_err(ReplaceError::Locked)?;
    if fingerprint_of(target).map_err(changed_if_gone)? != expected {
        return Err(ReplaceError::Changed { kept: None });
    }
    let swap = draft.path().with_extension("swap");
    fs::rename(draft.path(), &swap).map_err(ReplaceError::Io)?;
    draft.disable_cleanup(true);
    Ok((lock, swap))
}

/// Looks at what was displaced, and puts it back if it is somebody's save, or if
/// the exchange may not last.
fn settle(
    target: &Path,
    swap: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    steps: &mut Steps<'_>,
) -> Result<(), ReplaceError> {
    let synced = sync_directory(target);
    (steps.before_look)();
    let is_expected = fingerprint_of(swap).is_ok_and(|displaced| displaced == expected);
    match (is_expected, synced) {
        (true, Ok(())) => {
            discard(swap);
            Ok(())
        }
        (true, Err(source)) => {
            put_back(target, swap, made, steps);
            Err(ReplaceError::Io(source))
        }
        (false, _) => Err(ReplaceError::Changed { kept: put_back(target, swap, made, steps) }),
    }
}

/// Exchanges the names again if ours is still in place. Otherwise somebody has
/// saved once more: that stays, and the displaced file is kept beside it.
fn put_back(
    target: &Path,
    swap: &Path,
    made: Fingerprint,
    steps: &mut Steps<'_>,
) -> Option<PathBuf> {
    let is_ours = |path: &Path| fingerprint_of(path).is_ok_and(|found| found == made);
    let in_place = is_ours(target);
    (steps.before_putting_back)();
    let kept = if in_place && exchange(swap, target).is_ok() && is_ours(swap) {
        discard(swap);
        None
    } else {
        Some(keep(target, swap))
    };
    // The names are right already; after a power loss `recover` puts them right.
    let _ = sync_directory(target);
    kept
}

/// Gives a version that somebody saved a name that people find.
fn keep(target: &Path, swap: &Path) -> PathBuf {
    for number in 1..1000 {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".saved-{number}"));
        match renameat_with(CWD, swap, CWD, &name, RenameFlags::NOREPLACE) {
            Ok(()) => return PathBuf::from(name),
            Err(Errno::EXIST) => {}
            Err(_) => break,
        }
    }
    swap.to_owned()
}

fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

fn fingerprint_of(path: &Path) -> io::Result<Fingerprint> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open_regular(path)?)?;
    Ok(Fingerprint(*hasher.finalize().as_bytes()))
}

fn changed_if_gone(error: io::Error) -> ReplaceError {
    if error.kind() == io::ErrorKind::NotFound {
        ReplaceError::Changed { kept: None }
    } else {
        ReplaceError::Io(error)
    }
}

fn sync_directory(of: &Path) -> io::Result<()> {
    File::open(directory(of))?.sync_all()
}

fn directory(of: &Path) -> &Path {
    match of.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

/// How the names of temporary files for `target` begin.
fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default();
    format!(".linqsync-{}-", short(Fingerprint::of(name.as_encoded_bytes())))
}

/// Enough of a fingerprint to tell the versions of one file apart.
fn short(fingerprint: Fingerprint) -> String {
    fingerprint.to_hex()[..16].to_owned()
}

/// Removes a file that holds nothing anybody needs. One that stays is removed by
/// [`recover`].
fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use rustix::fs::XattrFlags;

    use super::*;

    pub(super) const OLD: &[u8] = b"old\n";
    pub(super) const NEW: &[u8] = b"new\n";
    pub(super) const SAVE: &[u8] = b"a person's save\n";
    const LATER: &[u8] = b"and a later one\n";

    /// A directory with one file, `contacts.csv`, which holds [`OLD`].
    pub(super) struct Place {
        dir: tempfile::TempDir,
        pub(super) file: PathBuf,
    }

    impl Place {
        pub(super) fn new() -> Place {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("contacts.csv");
            fs::write(&file, OLD).unwrap();
            Place { dir, file }
        }

        pub(super) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        }

        /// Saves as editors do that write a new file and rename it.
        fn save_by_rename(&self, bytes: &[u8]) {
            fs::rename(self.write("contacts.csv.new", bytes), &self.file).unwrap();
        }

        /// Every file and what it holds, by name.
        pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
            let entries = fs::read_dir(self.dir.path()).unwrap().map(Result::unwrap);
            let mut files: Vec<_> = entries
                .map(|entry| {
                    let name = entry.file_name().into_string().unwrap();
                    (name, fs::read(entry.path()).unwrap())
                })
                .collect();
            files.sort();
            files
        }

        pub(super) fn leftover(&self, was: &[u8], made: &[u8], ending: &str, holds: &[u8]) {
            let (was, made) = (short(Fingerprint::of(was)), short(Fingerprint::of(made)));
            self.write(&format!("{}{was}-{made}-aB3xY9.{ending}", prefix(&self.file)), holds);
        }
    }

    pub(super) fn only(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        vec![("contacts.csv".to_owned(), bytes.to_vec())]
    }

    pub(super) fn and_kept(bytes: &[u8], kept: &[u8]) -> Vec<(String, Vec<u8>)> {
        [only(bytes), vec![("contacts.csv.saved-1".to_owned(), kept.to_vec())]].concat()
    }

    fn replace_while(
        place: &Place,
        before_exchange: &mut dyn FnMut(),
        before_look: &mut dyn FnMut(),
        before_putting_back: &mut dyn FnMut(),
    ) -> Result<Lock, ReplaceError> {
        let mut steps = Steps { before_exchange, exchange, before_look, before_putting_back };
        replace_with(&place.file, Fingerprint::of(OLD), NEW, &mut steps)
    }

    fn kept(result: Result<Lock, ReplaceError>) -> Option<PathBuf> {
        match result {
            Err(ReplaceError::Changed { kept }) => kept,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_new_file_takes_the_place_of_the_old_one_with_its_mode_and_attributes() {
        let place = Place::new();
        fs::set_permissions(&place.file, Permissions::from_mode(0o640)).unwrap();
        let has_attributes =
            rustix::fs::setxattr(&place.file, "user.origin", b"crm", XattrFlags::empty()).is_ok();
        let lock = replace(&place.file, Fingerprint::of(OLD), NEW).unwrap();
        assert_eq!(place.files(), only(NEW));
        assert!(lock.is_on(&place.file));
        assert_eq!(fs::metadata(&place.file).unwrap().mode() & 0o7777, 0o640);
        if has_attributes {
            let mut value = [0; 3];
            rustix::fs::getxattr(&place.file, "user.origin", &mut value[..]).unwrap();
            assert_eq!(&value, b"crm");
        }
    }

    #[test]
    fn a_file_that_is_not_what_was_read_is_left_alone() {
        let place = Place::new();
        place.save_by_rename(SAVE);
        assert_eq!(kept(replace(&place.file, Fingerprint::of(OLD), NEW)), None);
        assert_eq!(place.files(), only(SAVE));
        fs::remove_file(&place.file).unwrap();
        assert_eq!(kept(replace(&place.file, Fingerprint::of(OLD), NEW)), None);
        assert_eq!(place.files(), []);
    }

    #[test]
    fn a_save_by_rename_in_the_last_instant_is_back_in_place() {
        let place = Place::new();
        let result =
            replace_while(&place, &mut || place.save_by_rename(SAVE), &mut || {}, &mut || {});
        assert_eq!(kept(result), None);
        assert_eq!(place.files(), only(SAVE));
    }

    #[test]
    fn a_save_in_place_in_the_last_instant_is_back_in_place() {
        let place = Place::new();
        let mut save = || fs::write(&place.file, SAVE).unwrap();
        assert_eq!(kept(replace_while(&place, &mut save, &mut || {}, &mut || {})), None);
        assert_eq!(place.files(), only(SAVE));
    }

    #[test]
    fn a_save_into_the_displaced_file_is_back_in_place() {
        let place = Place::new();
        let mut opened = OpenOptions::new().write(true).truncate(false).open(&place.file).unwrap();
        let mut save = || opened.write_all(SAVE).unwrap();
        assert_eq!(kept(replace_while(&place, &mut || {}, &mut save, &mut || {})), None);
        assert_eq!(place.files(), only(SAVE));
    }

    #[test]
    fn a_removal_in_the_last_instant_is_not_undone() {
        let place = Place::new();
        let mut removal = || fs::remove_file(&place.file).unwrap();
        assert_eq!(kept(replace_while(&place, &mut removal, &mut || {}, &mut || {})), None);
        assert_eq!(place.files(), []);
    }

    #[test]
    fn of_two_saves_in_the_last_instants_both_are_kept() {
        let saved = |place: &Place| place.file.with_extension("csv.saved-1");
        let place = Place::new();
        let result = replace_while(
            &place,
            &mut || place.save_by_rename(SAVE),
            &mut || place.save_by_rename(LATER),
            &mut || {},
        );
        assert_eq!(kept(result), Some(saved(&place)));
        assert_eq!(place.files(), and_kept(LATER, SAVE));

        let place = Place::new();
        let result =
            replace_while(&place, &mut || place.save_by_rename(SAVE), &mut || {}, &mut || {
                place.save_by_rename(LATER);
            });
        assert_eq!(kept(result), Some(saved(&place)));
        assert_eq!(place.files(), and_kept(SAVE, LATER));
    }

    #[test]
    fn a_file_system_that_cannot_exchange_gets_a_rename() {
        let unable: [Exchange; 3] =
            [|_, _| Err(Errno::INVAL), |_, _| Err(Errno::NOSYS), |_, _| Err(Errno::OPNOTSUPP)];
        for exchange in unable {
            let place = Place::new();
            let mut steps = Steps {
                before_exchange: &mut || {},
                exchange,
                before_look: &mut || {},
                before_putting_back: &mut || {},
            };
            let expected = Fingerprint::of(OLD);
            let lock = replace_with(&place.file, expected, NEW, &mut steps).unwrap();
            assert!(lock.is_on(&place.file));
            assert_eq!(place.files(), only(NEW));
        }
    }

    #[test]
    fn a_refusal_by_the_system_leaves_the_file_and_nothing_else() {
        let place = Place::new();
        let mut steps = Steps {
            before_exchange: &mut || {},
            exchange: |_, _| Err(Errno::NOSPC),
            before_look: &mut || {},
            before_putting_back: &mut || {},
        };
        let result = replace_with(&place.file, Fingerprint::of(OLD), NEW, &mut steps);
        assert!(matches!(result, Err(ReplaceError::Io(_))));
        assert_eq!(place.files(), only(OLD));
    }
}
