//! Saves by an editor while the file is replaced over and over: none is lost.
//!
//! An ordinary run makes a few hundred; `LINQSYNC_SAVES=10000` makes so many.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant as StopWatch;

use super::*;
use crate::model::{Field, FieldChange};
use crate::source::csv::{CsvOptions, CsvSource};
use crate::source::{Source, SourceEdit, SourceError};

/// How an editor saves.
#[derive(Clone, Copy, Debug)]
enum SaveWay {
    /// A new file is renamed over the old one.
    ByRename,
    /// The file is emptied and written.
    InPlace,
    /// A row is written behind the last one.
    Append,
    /// A file that was opened a while ago is emptied and written.
    HeldOpen,
}

/// A person with an editor.
struct RacingEditor<'a> {
    file: &'a Path,
    random: fastrand::Rng,
}

impl RacingEditor<'_> {
    fn save(&mut self, way: SaveWay, mark: &str) {
        let whole = format!("First Name,Company,Title\nAda,{mark},x\nBo,,0\n");
        let beside = self.file.with_extension("new");
        match way {
            SaveWay::ByRename => {
                fs::write(&beside, whole).unwrap();
                fs::rename(&beside, self.file).unwrap();
            }
            SaveWay::InPlace => fs::write(self.file, whole).unwrap(),
            SaveWay::Append => {
                let mut file = OpenOptions::new().append(true).open(self.file).unwrap();
                file.write_all(format!("Cy,{mark},\n").as_bytes()).unwrap();
            }
            SaveWay::HeldOpen => {
                let mut file = OpenOptions::new().write(true).open(self.file).unwrap();
                self.dawdle();
                file.set_len(0).unwrap();
                file.write_all(whole.as_bytes()).unwrap();
            }
        }
    }

    /// Lets a part of a replacement pass.
    fn dawdle(&mut self) {
        let (start, micros) = (StopWatch::now(), self.random.u64(..4_000));
        while start.elapsed() < Duration::from_micros(micros) {
            std::thread::yield_now();
        }
    }
}

fn saves() -> usize {
    let asked = std::env::var("LINQSYNC_SAVES").ok().and_then(|saves| saves.parse().ok());
    asked.unwrap_or(200)
}

fn mark(save: usize) -> String {
    format!("save {save}!")
}

/// Lets a person save while `round` reads and replaces the file over and over, which
/// tells what it has read. Each save must be read, or be kept under a name of its own.
fn race(ways: &[SaveWay], mut round: impl FnMut(&Path) -> String + Send) {
    let place = TempTarget::new();
    let (awaited, seen, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let read = round(&place.file);
                // It was announced before it was made, and so before it was read.
                let expected = awaited.load(Ordering::SeqCst);
                if read.contains(&mark(expected)) {
                    seen.store(expected, Ordering::SeqCst);
                }
            }
        });
        let mut person = RacingEditor { file: &place.file, random: fastrand::Rng::with_seed(5) };
        let mut told = String::new();
        for save in 1..=saves() {
            let way = *person.random.choice(ways).unwrap();
            person.dawdle();
            awaited.store(save, Ordering::SeqCst);
            person.save(way, &mark(save));
            if !place.shows(save, &seen) {
                let names: Vec<String> = place.files().into_iter().map(|file| file.0).collect();
                write!(told, "save {save} {way:?} is lost; beside it are {names:?}").unwrap();
                break;
            }
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(told, "");
    });
}

impl TempTarget {
    /// Waits until a save was read or is found beside the file.
    fn shows(&self, save: usize, seen: &AtomicUsize) -> bool {
        let start = StopWatch::now();
        let mut looks = BTreeSet::new();
        while start.elapsed() < Duration::from_secs(30) {
            if seen.load(Ordering::SeqCst) == save {
                return true;
            }
            if looks.insert(start.elapsed().as_millis() / 100) && self.keeps(&mark(save)) {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    /// Whether `text` is in a version beside the file that people find.
    fn keeps(&self, text: &str) -> bool {
        let entries = fs::read_dir(self.dir.path()).unwrap().flatten();
        let mut kept = entries
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains(".saved-"));
        kept.any(|path| fs::read_to_string(path).is_ok_and(|held| held.contains(text)))
    }
}

/// The time at which what was displaced less than eight seconds ago is still kept.
fn clock() -> QuietTime {
    let ahead = Duration::from_secs(592);
    QuietTime { now: Arc::new(move || SystemTime::now() + ahead), ..QuietTime::frozen_time() }
}

/// Reads the table and counts in a cell of it.
fn synchronise(source: &mut CsvSource, count: usize) -> String {
    let reading = match source.read_records() {
        Ok(reading) => reading,
        // It was emptied to be written.
        Err(SourceError::Unusable { .. } | SourceError::Io { .. }) => return String::new(),
        Err(error) => panic!("{error}"),
    };
    let companies = reading.records.iter().map(|record| record.values[Field::Company].as_str());
    let read = companies.collect::<String>();
    let bo = reading.records.iter().find(|record| record.values[Field::FirstName] == "Bo");
    let edit = bo.map(|record| {
        let from = record.values[Field::Title].clone();
        let changes = vec![FieldChange { field: Field::Title, from, to: count.to_string().into() }];
        SourceEdit::Update { at: record.index, changes, linq_id: None }
    });
    match source.write_edits(edit.as_slice()) {
        Ok(_) | Err(WriteError::Changed { .. } | WriteError::ReadOnly { .. }) => read,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_save_is_lost_while_the_file_is_replaced_over_and_over() {
    let (mut source, mut count) = (None, 0);
    race(&[SaveWay::ByRename, SaveWay::InPlace, SaveWay::Append, SaveWay::HeldOpen], |file| {
        let options = || CsvOptions { clock: clock(), ..CsvOptions::new(file) };
        count += 1;
        synchronise(source.get_or_insert_with(|| CsvSource::new(options())), count)
    });
}

/// Without an exchange of names nobody who writes into the file loses anything.
#[test]
fn no_save_into_the_file_is_lost_where_names_cannot_be_exchanged() {
    let (clock, mut count, mut lock) = (clock(), 0, None);
    race(&[SaveWay::InPlace, SaveWay::Append, SaveWay::HeldOpen], |file| {
        let hidden = Hidden::beside(file);
        rescue_late_saves(&hidden, EntryScope::File(file), &clock);
        let Ok(read) = fs::read_to_string(file) else { return String::new() };
        count += 1;
        let new = format!("{}\n{count}\n", read.lines().take(3).collect::<Vec<_>>().join("\n"));
        let mut nothing = |_| {};
        let mut steps = ReplaceSteps { exchange: UNABLE, at: &mut nothing };
        let was = Fingerprint::of(read.as_bytes());
        match replace_with(&hidden, file, was, new.as_bytes(), &mut steps) {
            Ok(new) => lock = Some(new),
            Err(ReplaceError::Changed { .. }) => {}
            Err(error) => panic!("{error:?} {lock:?}"),
        }
        read
    });
}
