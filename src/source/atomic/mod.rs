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
//! An editor that holds the displaced file open may still write into it. Where
//! [`Displaced::Kept`] is asked for, it stays beside the new one for a while, and
//! [`look_again`] finds what was written into it.
//!
//! Where the file system cannot exchange two names (`EINVAL`, `ENOSYS`,
//! `EOPNOTSUPP`), the old file gets a second name, is compared once more, and the new
//! one is renamed over it. Whoever replaces the file, rather than writing into it,
//! within the microseconds between the two, loses that save.

#![expect(clippy::disallowed_methods, reason = "this is the atomic replacement")]

mod attributes;
mod create;
mod late;
mod recover;
mod remove;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::lock::{Lock, LockError};
use crate::model::Fingerprint;

use super::WriteError;

pub(crate) use create::{copy_beside_others, create_beside_others, create_in};
pub(crate) use late::look_again;
pub(crate) use recover::{recover, recover_directory};
pub(crate) use remove::remove;

use attributes::imitate;
use late::keep_displaced;

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

/// What becomes of the file that was displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Displaced {
    /// It is removed at once.
    Removed,
    /// It stays for a while, for [`look_again`].
    Kept,
}

/// Replaces the file `target`, which must be no symbolic link, by one that holds
/// `bytes`, if it still is what has the fingerprint `expected`. The new file has
/// the mode of the old one, and its owner and extended attributes as far as
/// possible. It is locked before it gets its name.
///
/// # Errors
/// [`ReplaceError::Changed`] when the file is not what was expected, or gone.
#[allow(dead_code, reason = "for sources of many files, beside which no others should pile up")]
pub(crate) fn replace(
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
) -> Result<Lock, ReplaceError> {
    replace_and(target, expected, bytes, Displaced::Removed)
}

/// [`replace`], which does with the old file what `displaced` says.
///
/// # Errors
/// As those of [`replace`].
pub(crate) fn replace_and(
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
    displaced: Displaced,
) -> Result<Lock, ReplaceError> {
    let mut nothing = |_| {};
    let mut steps = Steps { exchange, displaced, at: &mut nothing };
    replace_with(target, expected, bytes, &mut steps)
}

/// Exchanges two names.
type Exchange = fn(&Path, &Path) -> Result<(), Errno>;

/// An instant within a replacement, at which somebody may save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instant {
    /// The new file is written, under a name of its own.
    Written,
    /// The old file was compared for the last time.
    Compared,
    /// The names are exchanged.
    Exchanged,
    /// The displaced file was looked at.
    Looked,
    /// What was displaced is to go back in place.
    PuttingBack,
}

/// How a replacement is made.
struct Steps<'a> {
    exchange: Exchange,
    displaced: Displaced,
    /// Is called at each instant, for tests.
    at: &'a mut dyn FnMut(Instant),
}

fn replace_with(
    target: &Path,
    expected: Fingerprint,
    bytes: &[u8],
    steps: &mut Steps<'_>,
) -> Result<Lock, ReplaceError> {
    let made = Fingerprint::of(bytes);
    let (lock, swap) = prepare(target, expected, made, bytes, steps)?;
    (steps.at)(Instant::Compared);
    match (steps.exchange)(&swap, target) {
        Ok(()) => settle(target, &swap, expected, made, steps).map(|()| lock),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rename_over(target, &swap, expected, made, steps).map(|()| lock)
        }
        Err(errno) => {
            discard(&swap);
            Err(changed_if_gone(errno.into()))
        }
    }
}

/// Renames the new file over the old one, which stays reachable under a second name
/// until it was looked at.
fn rename_over(
    target: &Path,
    swap: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    steps: &mut Steps<'_>,
) -> Result<(), ReplaceError> {
    let old = swap.with_extension("old");
    // A file system without second names has no way to look back.
    let is_kept = fs::hard_link(target, &old).is_ok();
    let is_expected = |path: &Path| fingerprint_of(path).is_ok_and(|found| found == expected);
    if is_kept && !is_expected(&old) {
        discard(&old);
        discard(swap);
        return Err(ReplaceError::Changed { kept: None });
    }
    if let Err(source) = fs::rename(swap, target).and_then(|()| sync_directory(target)) {
        discard(swap);
        discard(&old);
        return Err(ReplaceError::Io(source));
    }
    (steps.at)(Instant::Exchanged);
    if is_kept && !is_expected(&old) {
        let in_place = fingerprint_of(target).is_ok_and(|found| found == made);
        let is_back = in_place && fs::rename(&old, target).is_ok();
        let kept = if is_back { None } else { Some(keep(target, &old)) };
        return Err(ReplaceError::Changed { kept });
    }
    match steps.displaced {
        Displaced::Removed => discard(&old),
        Displaced::Kept => {}
    }
    Ok(())
}

/// Writes the new file under a temporary name, locks it, and compares the old one
/// with what is expected for the last time.
fn prepare(
    target: &Path,
    expected: Fingerprint,
    made: Fingerprint,
    bytes: &[u8],
    steps: &mut Steps<'_>,
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
    (steps.at)(Instant::Written);
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
    (steps.at)(Instant::Exchanged);
    let is_expected = fingerprint_of(swap).is_ok_and(|displaced| displaced == expected);
    (steps.at)(Instant::Looked);
    match (is_expected, synced) {
        (true, Ok(())) => {
            match steps.displaced {
                Displaced::Removed => discard(swap),
                Displaced::Kept => keep_displaced(swap),
            }
            Ok(())
        }
        (true, Err(source)) => {
            put_back(target, swap, &short(made), steps);
            Err(ReplaceError::Io(source))
        }
        (false, _) => {
            Err(ReplaceError::Changed { kept: put_back(target, swap, &short(made), steps) })
        }
    }
}

/// Exchanges the names again if ours, which `made` is short for, is still in place. Otherwise somebody has
/// saved once more: that stays, and the displaced file is kept beside it.
fn put_back(target: &Path, swap: &Path, made: &str, steps: &mut Steps<'_>) -> Option<PathBuf> {
    let is_ours = |path: &Path| fingerprint_of(path).is_ok_and(|found| short(found) == made);
    let in_place = is_ours(target);
    (steps.at)(Instant::PuttingBack);
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

/// Makes the names of the files in `directory` last.
///
/// # Errors
/// When the system cannot tell that they do.
pub(crate) fn sync_names(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
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
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use rustix::fs::XattrFlags;

    use super::*;
    use crate::source::Pace;

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

    /// Replaces [`OLD`] by [`NEW`] and calls `at` at each instant.
    fn replace_while(
        place: &Place,
        exchange: Exchange,
        at: &mut dyn FnMut(Instant),
    ) -> Result<Lock, ReplaceError> {
        let mut steps = Steps { exchange, displaced: Displaced::Kept, at };
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

    const INSTANTS: [Instant; 5] = [
        Instant::Written,
        Instant::Compared,
        Instant::Exchanged,
        Instant::Looked,
        Instant::PuttingBack,
    ];

    /// How an editor saves.
    #[derive(Clone, Copy, Debug)]
    enum Saving {
        /// It writes a new file and renames it.
        ByRename,
        /// It opens the file and writes into it.
        InPlace,
        /// It writes into the file that it has had open all the time.
        IntoTheOpenFile,
    }

    const WAYS: [Saving; 3] = [Saving::ByRename, Saving::InPlace, Saving::IntoTheOpenFile];

    impl Place {
        fn save(&self, saving: Saving, opened: &File, bytes: &[u8]) {
            match saving {
                Saving::ByRename => self.save_by_rename(bytes),
                Saving::InPlace => fs::write(&self.file, bytes).unwrap(),
                Saving::IntoTheOpenFile => {
                    opened.set_len(0).unwrap();
                    std::os::unix::fs::FileExt::write_all_at(opened, bytes, 0).unwrap();
                }
            }
        }

        fn opened(&self) -> File {
            OpenOptions::new().write(true).open(&self.file).unwrap()
        }

        fn holds(&self, bytes: &[u8]) -> bool {
            self.files().iter().any(|(_, held)| held == bytes)
        }
    }

    const UNABLE: Exchange = |_, _| Err(Errno::INVAL);

    #[test]
    fn a_save_at_any_instant_and_in_any_way_is_in_place_afterwards() {
        for (instant, saving) in INSTANTS.into_iter().flat_map(|i| WAYS.map(|way| (i, way))) {
            for exchange in [exchange as Exchange, UNABLE] {
                let place = Place::new();
                let opened = place.opened();
                let mut saved = false;
                let result = replace_while(&place, exchange, &mut |now| {
                    if now == instant {
                        place.save(saving, &opened, SAVE);
                        saved = true;
                    }
                });
                let told = format!("{instant:?} {saving:?} {result:?}");
                look_again(&place.file, &Pace::still());
                if saved && !lost_by_rename(exchange, instant, saving) {
                    assert_eq!(place.files()[place.files().len() - 1], only(SAVE)[0], "{told}");
                } else if !saved {
                    assert!(result.is_ok(), "{told}");
                }
            }
        }
    }

    /// The one window that a file system without exchange leaves.
    fn lost_by_rename(exchange: Exchange, instant: Instant, saving: Saving) -> bool {
        let unable = exchange(Path::new(""), Path::new("")) == Err(Errno::INVAL);
        unable && matches!((instant, saving), (Instant::Compared, Saving::ByRename))
    }

    #[test]
    fn of_two_saves_at_any_two_instants_only_one_that_a_person_replaced_is_gone() {
        let pairs = INSTANTS.into_iter().flat_map(|one| INSTANTS.map(|other| (one, other)));
        let ways = || WAYS.into_iter().flat_map(|one| WAYS.map(|other| (one, other)));
        for ((first, second), (one, other)) in pairs.flat_map(|pair| ways().map(move |w| (pair, w)))
        {
            let place = Place::new();
            let opened = place.opened();
            let (mut saves, mut replaced, mut nowhere) = (0, false, false);
            let result = replace_while(&place, exchange, &mut |now| {
                if now == first && saves == 0 {
                    place.save(one, &opened, SAVE);
                    saves = 1;
                }
                if now == second && saves == 1 {
                    // Whoever writes into a file that they replaced themselves.
                    nowhere = matches!(other, Saving::IntoTheOpenFile)
                        && opened.metadata().unwrap().nlink() == 0;
                    let others = place.files().iter().filter(|(_, held)| held == SAVE).count();
                    place.save(other, &opened, LATER);
                    let left = place.files().iter().filter(|(_, held)| held == SAVE).count();
                    replaced = left < others;
                    saves = 2;
                }
            });
            look_again(&place.file, &Pace::still());
            let told = format!("{first:?} {one:?}, {second:?} {other:?}: {result:?}");
            assert!(saves < 1 || replaced || place.holds(SAVE), "{told} {:?}", place.files());
            assert!(saves < 2 || nowhere || place.holds(LATER), "{told} {:?}", place.files());
        }
    }

    #[test]
    fn a_late_write_into_the_displaced_file_is_a_save() {
        let place = Place::new();
        let opened = place.opened();
        replace_and(&place.file, Fingerprint::of(OLD), NEW, Displaced::Kept).unwrap();
        place.save(Saving::IntoTheOpenFile, &opened, SAVE);
        assert_eq!(fs::read(&place.file).unwrap(), NEW);
        look_again(&place.file, &Pace::still());
        assert_eq!(place.files(), only(SAVE));
        // Where the new file was saved as well, both are there.
        replace_and(&place.file, Fingerprint::of(SAVE), NEW, Displaced::Kept).unwrap();
        place.save(Saving::IntoTheOpenFile, &opened, OLD);
        place.save(Saving::InPlace, &opened, LATER);
        look_again(&place.file, &Pace::still());
        assert_eq!(place.files(), and_kept(LATER, OLD));
    }

    #[test]
    fn a_late_write_that_is_under_way_is_waited_for() {
        let place = Place::new();
        let opened = place.opened();
        replace_and(&place.file, Fingerprint::of(OLD), NEW, Displaced::Kept).unwrap();
        place.save(Saving::IntoTheOpenFile, &opened, SAVE);
        let written = opened.metadata().unwrap().modified().unwrap();
        let after = |millis| Pace {
            quiet: Duration::from_secs(1),
            now: Arc::new(move || written + Duration::from_millis(millis)),
            ..Pace::still()
        };
        look_again(&place.file, &after(999));
        assert_eq!(fs::read(&place.file).unwrap(), NEW);
        look_again(&place.file, &after(1001));
        assert_eq!(place.files(), only(SAVE));
    }

    #[test]
    fn a_displaced_file_that_nobody_wrote_into_goes_after_ten_minutes() {
        let place = Place::new();
        replace_and(&place.file, Fingerprint::of(OLD), NEW, Displaced::Kept).unwrap();
        let displaced = SystemTime::now();
        let after = |seconds| Pace {
            now: Arc::new(move || displaced + Duration::from_secs(seconds)),
            ..Pace::still()
        };
        look_again(&place.file, &after(590));
        assert!(place.holds(OLD) && place.files().len() == 2);
        look_again(&place.file, &after(610));
        assert_eq!(place.files(), only(NEW));
    }

    #[test]
    fn a_removal_in_the_last_instant_is_not_undone() {
        let place = Place::new();
        let removed = replace_while(&place, exchange, &mut |now| {
            if now == Instant::Compared {
                fs::remove_file(&place.file).unwrap();
            }
        });
        assert_eq!(kept(removed), None);
        assert_eq!(place.files(), []);
    }

    #[test]
    fn a_file_system_that_cannot_exchange_gets_a_rename() {
        let unable: [Exchange; 3] =
            [|_, _| Err(Errno::INVAL), |_, _| Err(Errno::NOSYS), |_, _| Err(Errno::OPNOTSUPP)];
        for exchange in unable {
            let place = Place::new();
            let mut nothing = |_| {};
            let mut steps = Steps { exchange, displaced: Displaced::Removed, at: &mut nothing };
            let expected = Fingerprint::of(OLD);
            let lock = replace_with(&place.file, expected, NEW, &mut steps).unwrap();
            assert!(lock.is_on(&place.file));
            assert_eq!(place.files(), only(NEW));
        }
    }

    #[test]
    fn a_refusal_by_the_system_leaves_the_file_and_nothing_else() {
        let place = Place::new();
        let result = replace_while(&place, |_, _| Err(Errno::NOSPC), &mut |_| {});
        assert!(matches!(result, Err(ReplaceError::Io(_))));
        assert_eq!(place.files(), only(OLD));
    }
}
