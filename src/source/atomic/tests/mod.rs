//! Replacements while somebody saves, at each instant and in each way.

mod race;

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::XattrFlags;

use super::*;
use crate::source::QuietTime;

/// Replaces the file, and lets the time pass for which what was displaced is kept.
fn replace_and_wait(target: &Path, was: &[u8], bytes: &[u8]) -> Result<Lock, ReplaceError> {
    let hidden = Hidden::beside(target);
    let replaced = replace_file(&hidden, target, Fingerprint::of(was), bytes);
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    let clock = QuietTime { now: Arc::new(move || tomorrow), ..QuietTime::frozen_time() };
    rescue_late_saves(&hidden, EntryScope::File(target), &clock);
    replaced
}

pub(super) const OLD: &[u8] = b"old\n";
pub(super) const NEW: &[u8] = b"new\n";
pub(super) const SAVE: &[u8] = b"a person's save\n";
const LATER: &[u8] = b"and a later one\n";

/// A directory with one file, `contacts.csv`, which holds [`OLD`].
pub(super) struct TempTarget {
    dir: tempfile::TempDir,
    pub(super) file: PathBuf,
}

impl TempTarget {
    pub(super) fn new() -> TempTarget {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("contacts.csv");
        fs::write(&file, OLD).unwrap();
        TempTarget { dir, file }
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

    pub(super) fn hidden(&self) -> Hidden {
        Hidden::beside(&self.file)
    }

    /// Clears up as after taking the lock.
    pub(super) fn recover(&self) {
        recover_files(&self.hidden(), EntryScope::File(&self.file));
    }

    /// Looks for late saves.
    pub(super) fn rescue(&self, clock: &QuietTime) -> BTreeSet<OwnVersion> {
        rescue_late_saves(&self.hidden(), EntryScope::File(&self.file), clock)
    }

    pub(super) fn forget_late(&self) {
        forget_late(&self.hidden(), EntryScope::File(&self.file));
    }

    /// Every file and what it holds, by name; those in our directory come first.
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let ours = self.hidden();
        let of = |directory: &Path| {
            let entries = fs::read_dir(directory).into_iter().flatten();
            let paths = entries.map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = paths
                .filter(|path| path.is_file())
                .map(|path| {
                    let name = path.file_name().unwrap().to_str().unwrap();
                    (name.to_owned(), fs::read(&path).unwrap())
                })
                .collect();
            files.sort();
            files
        };
        [of(&ours.path()), of(ours.base_directory())].concat()
    }

    pub(super) fn leftover(&self, was: &[u8], made: &[u8], ending: &str, holds: &[u8]) {
        let hidden = self.hidden();
        let (was, made) = (Fingerprint::of(was), Some(Fingerprint::of(made)));
        let (before, behind) = swap_prefix(&hidden, &self.file, was, made);
        let name = format!("{before}aB3xY9{behind}.{ending}");
        hidden.create_in(|path| fs::write(path.join(&name), holds)).unwrap();
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
    place: &TempTarget,
    exchange: Exchange,
    at: &mut dyn FnMut(Instant),
) -> Result<Lock, ReplaceError> {
    let mut steps = ReplaceSteps { exchange, at };
    replace_with(&place.hidden(), &place.file, Fingerprint::of(OLD), NEW, &mut steps)
}

fn kept(result: Result<Lock, ReplaceError>) -> Option<PathBuf> {
    match result {
        Err(ReplaceError::Changed { kept }) => kept,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_new_file_takes_the_place_of_the_old_one_with_its_mode_and_attributes() {
    let place = TempTarget::new();
    fs::set_permissions(&place.file, Permissions::from_mode(0o640)).unwrap();
    let has_attributes =
        rustix::fs::setxattr(&place.file, "user.origin", b"crm", XattrFlags::empty()).is_ok();
    let lock = replace_and_wait(&place.file, OLD, NEW).unwrap();
    assert_eq!(place.files(), only(NEW));
    assert!(lock.is_on(&place.file));
    assert_eq!(fs::metadata(&place.file).unwrap().mode() & 0o7777, 0o640);
    if has_attributes {
        let mut value = [0; 3];
        rustix::fs::getxattr(&place.file, "user.origin", &mut value[..]).unwrap();
        assert_eq!(&value, b"crm");
    } else {
        // Written past the test harness, which would keep it to itself.
        let _ = io::stderr().write_all(b"NOT CHECKED: this file system has no attributes\n");
    }
}

#[test]
fn a_file_that_is_not_what_was_read_is_left_alone() {
    let place = TempTarget::new();
    place.save_by_rename(SAVE);
    assert_eq!(kept(replace_and_wait(&place.file, OLD, NEW)), None);
    assert_eq!(place.files(), only(SAVE));
    fs::remove_file(&place.file).unwrap();
    assert_eq!(kept(replace_and_wait(&place.file, OLD, NEW)), None);
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

impl TempTarget {
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
            let place = TempTarget::new();
            let opened = place.opened();
            let mut saved = false;
            let result = replace_while(&place, exchange, &mut |now| {
                if now == instant {
                    place.save(saving, &opened, SAVE);
                    saved = true;
                }
            });
            let told = format!("{instant:?} {saving:?} {result:?}");
            place.rescue(&QuietTime::frozen_time());
            place.forget_late();
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
    for ((first, second), (one, other)) in pairs.flat_map(|pair| ways().map(move |w| (pair, w))) {
        let place = TempTarget::new();
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
        place.rescue(&QuietTime::frozen_time());
        let told = format!("{first:?} {one:?}, {second:?} {other:?}: {result:?}");
        assert!(saves < 1 || replaced || place.holds(SAVE), "{told} {:?}", place.files());
        assert!(saves < 2 || nowhere || place.holds(LATER), "{told} {:?}", place.files());
    }
}

#[test]
fn a_late_write_into_the_displaced_file_is_a_save() {
    let place = TempTarget::new();
    let opened = place.opened();
    replace_file(&place.hidden(), &place.file, Fingerprint::of(OLD), NEW).unwrap();
    place.save(Saving::IntoTheOpenFile, &opened, SAVE);
    assert_eq!(fs::read(&place.file).unwrap(), NEW);
    for _ in 0..2 {
        let undone = place.rescue(&QuietTime::frozen_time());
        assert_eq!(fs::read(&place.file).unwrap(), SAVE);
        assert_eq!(undone, [version_of(Fingerprint::of(NEW))].into(), "until it is forgotten");
    }
    place.forget_late();
    assert_eq!(place.files(), only(SAVE));
    assert!(place.rescue(&QuietTime::frozen_time()).is_empty());
    // Where the new file was saved as well, both are there.
    replace_file(&place.hidden(), &place.file, Fingerprint::of(SAVE), NEW).unwrap();
    place.save(Saving::IntoTheOpenFile, &opened, OLD);
    place.save(Saving::InPlace, &opened, LATER);
    place.rescue(&QuietTime::frozen_time());
    assert_eq!(place.files(), and_kept(LATER, OLD));
}

#[test]
fn a_late_write_that_is_under_way_is_waited_for() {
    let place = TempTarget::new();
    let opened = place.opened();
    replace_file(&place.hidden(), &place.file, Fingerprint::of(OLD), NEW).unwrap();
    place.save(Saving::IntoTheOpenFile, &opened, SAVE);
    let written = opened.metadata().unwrap().modified().unwrap();
    let after = |millis| QuietTime {
        quiet: Duration::from_secs(1),
        now: Arc::new(move || written + Duration::from_millis(millis)),
        ..QuietTime::frozen_time()
    };
    place.rescue(&after(999));
    assert_eq!(fs::read(&place.file).unwrap(), NEW);
    place.rescue(&after(1001));
    place.forget_late();
    assert_eq!(place.files(), only(SAVE));
}

#[test]
fn a_displaced_file_that_nobody_wrote_into_goes_after_ten_minutes() {
    let place = TempTarget::new();
    replace_file(&place.hidden(), &place.file, Fingerprint::of(OLD), NEW).unwrap();
    let displaced = SystemTime::now();
    let after = |seconds| QuietTime {
        now: Arc::new(move || displaced + Duration::from_secs(seconds)),
        ..QuietTime::frozen_time()
    };
    place.rescue(&after(590));
    assert!(place.holds(OLD) && place.files().len() == 2);
    place.rescue(&after(610));
    assert_eq!(place.files(), only(NEW));
}

#[test]
fn a_removal_in_the_last_instant_is_not_undone() {
    let place = TempTarget::new();
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
        let place = TempTarget::new();
        let mut nothing = |_| {};
        let mut steps = ReplaceSteps { exchange, at: &mut nothing };
        let expected = Fingerprint::of(OLD);
        let lock = replace_with(&place.hidden(), &place.file, expected, NEW, &mut steps).unwrap();
        assert!(lock.is_on(&place.file));
        assert_eq!(fs::read(&place.file).unwrap(), NEW);
        assert!(place.holds(OLD) && place.files().len() == 2, "for a late save");
    }
}

#[test]
fn a_refusal_by_the_system_leaves_the_file_and_nothing_else() {
    let place = TempTarget::new();
    let result = replace_while(&place, |_, _| Err(Errno::NOSPC), &mut |_| {});
    assert!(matches!(result, Err(ReplaceError::Io(_))));
    assert_eq!(place.files(), only(OLD));
}
