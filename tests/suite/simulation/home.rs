//! Where the process of a history keeps its file and its state.
//!
//! Owns the two kinds of homes. On disk everything is the product's own: files, locks,
//! the state in its directory. In memory the file is a value and the state a database
//! without a file; what reads and edits them is the product's own all the same. A
//! history takes the same course in both, which a test compares, and is played in
//! memory because that is many times faster.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linqsync::lock::{Lock, LockError};
use linqsync::mirror::{State, StateError};
use linqsync::model::{
    AsWritten, Fingerprint, Positions, RecordIndex, Resting, SourceAtRest, SourceRecord, Timestamp,
};
use linqsync::source::csv::{CsvOptions, CsvSource, SourceAccess, TableVersion};
use linqsync::source::{Source, SourceEdit, SourceError, SourceReading, WriteError, WriteReceipt};
use tempfile::TempDir;

use crate::harness::wait_until;

/// What a home on disk is called in traces, and where one in memory says that it is.
pub(super) const NAME: &str = "DIR";

thread_local! {
    /// The state of the history that this thread plays in memory. Each history is one
    /// trial on it, so that its statements are prepared once for all of them.
    static STATE: RefCell<Option<Rc<State>>> = const { RefCell::new(None) };
}

/// Where a process keeps things.
pub(super) enum Home {
    /// In a directory.
    Disk(TempDir),
    /// Nowhere.
    Memory(Arc<Mutex<SimFile>>),
}

/// A file as a value.
#[derive(Default)]
pub(super) struct SimFile {
    bytes: Option<Vec<u8>>,
    /// How often it was saved.
    saves: u64,
    backups: Vec<Vec<u8>>,
}

/// What tells that a file was saved, even to the same bytes.
#[derive(Debug, PartialEq)]
pub(super) struct SimVersion {
    inode: u64,
    modified: (i64, i64),
}

impl Home {
    pub(super) fn disk() -> Home {
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        Home::Disk(dir.unwrap())
    }

    pub(super) fn memory() -> Home {
        Home::Memory(Arc::default())
    }

    /// Where the file is.
    pub(super) fn path(&self) -> PathBuf {
        self.dir().join("contacts.csv")
    }

    fn dir(&self) -> &Path {
        match self {
            Home::Disk(dir) => dir.path(),
            Home::Memory(_) => Path::new(NAME),
        }
    }

    /// `text` with the same name for every home.
    pub(super) fn hidden(&self, text: String) -> String {
        match self {
            Home::Disk(dir) => text.replace(&*dir.path().to_string_lossy(), NAME),
            Home::Memory(_) => text,
        }
    }

    /// All bytes of the file; none if there is no file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Home::Disk(_) => std::fs::read(self.path()).unwrap_or_default(),
            Home::Memory(file) => locked(file).bytes.clone().unwrap_or_default(),
        }
    }

    /// A person saves the file: by another name, which then takes its place.
    pub(super) fn save(&self, bytes: Vec<u8>) {
        match self {
            Home::Disk(_) => {
                let other = self.path().with_extension("person");
                std::fs::write(&other, bytes).unwrap();
                std::fs::rename(&other, self.path()).unwrap();
            }
            Home::Memory(file) => locked(file).save(bytes),
        }
    }

    /// Somebody removes the file.
    pub(super) fn remove(&self) {
        match self {
            Home::Disk(_) => std::fs::remove_file(self.path()).unwrap(),
            Home::Memory(file) => locked(file).bytes = None,
        }
    }

    pub(super) fn version(&self) -> SimVersion {
        match self {
            Home::Disk(_) => {
                let file = std::fs::metadata(self.path()).unwrap();
                SimVersion { inode: file.ino(), modified: (file.mtime(), file.mtime_nsec()) }
            }
            Home::Memory(file) => SimVersion { inode: locked(file).saves, modified: (0, 0) },
        }
    }

    /// The bytes of the state's files, where it has any.
    pub(super) fn state_files(&self) -> Vec<Vec<u8>> {
        let Home::Disk(dir) = self else { return Vec::new() };
        let read = |name| std::fs::read(dir.path().join("state").join(name)).unwrap_or_default();
        ["state.db", "state.db-wal"].map(read).into()
    }

    /// Every copy that was made of the file.
    pub(super) fn backups(&self) -> Vec<Vec<u8>> {
        match self {
            Home::Disk(dir) => {
                let backups = std::fs::read_dir(dir.path().join("state/backups"));
                let read = |entry: io::Result<std::fs::DirEntry>| {
                    std::fs::read(entry.unwrap().path()).unwrap()
                };
                backups.into_iter().flatten().map(read).collect()
            }
            Home::Memory(file) => locked(file).backups.clone(),
        }
    }

    /// The file as a process gets at it.
    pub(super) fn source(&self, options: CsvOptions) -> Box<dyn Source> {
        match self {
            Home::Disk(_) => Box::new(CsvSource::new(options)),
            Home::Memory(file) => Box::new(SimValue {
                file: Arc::clone(file),
                options,
                last: None,
                resting: Arc::default(),
            }),
        }
    }

    /// Opens the state as a process does. A child process that another test starts has,
    /// for an instant, everything that is open here, the locks of the last process
    /// included.
    pub(super) fn open_state(&self, now: Timestamp) -> Rc<State> {
        let Home::Disk(dir) = self else { return shared() };
        let is_held = |lock| matches!(lock, Err(LockError::Held { .. }));
        wait_until("the source is free", || !is_held(Lock::lock_existing(&self.path())));
        let mut state = None;
        wait_until("the state is free", || match State::open(&dir.path().join("state"), now) {
            Err(StateError::Held { .. }) => false,
            opened => {
                state = Some(opened.unwrap());
                true
            }
        });
        Rc::new(state.unwrap())
    }

    /// The state to look at.
    pub(super) fn state(&self) -> Rc<State> {
        match self {
            Home::Disk(dir) => Rc::new(State::open_copy(&dir.path().join("state")).unwrap()),
            Home::Memory(_) => shared(),
        }
    }
}

/// The state of this thread, which is empty but for the trial that is under way.
pub(super) fn shared() -> Rc<State> {
    STATE.with_borrow_mut(|state| {
        let nowhere = Path::new("/nonexistent/state");
        Rc::clone(state.get_or_insert_with(|| Rc::new(State::open_copy(nowhere).unwrap())))
    })
}

fn locked(file: &Mutex<SimFile>) -> MutexGuard<'_, SimFile> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimFile {
    fn save(&mut self, bytes: Vec<u8>) {
        self.bytes = Some(bytes);
        self.saves += 1;
    }
}

/// A file in memory as a source: what the product reads and edits, without its disk.
struct SimValue {
    file: Arc<Mutex<SimFile>>,
    options: CsvOptions,
    last: Option<TableVersion>,
    resting: Arc<Resting>,
}

impl Source for SimValue {
    fn read_beside(&mut self, resting: &Arc<Resting>) -> Result<SourceReading, SourceError> {
        let bytes = locked(&self.file).bytes.clone();
        let missing = || SourceError::Io {
            path: self.options.path.clone(),
            source: io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error()),
        };
        let (table, reading) =
            TableVersion::parse_beside(bytes.ok_or_else(missing)?, &self.options, resting)?;
        self.last = Some(table);
        self.resting = Arc::clone(resting);
        Ok(reading)
    }

    fn write_edits(&mut self, edits: &[SourceEdit]) -> Result<WriteReceipt, WriteError> {
        let path = || self.options.path.clone();
        let read_only = |reason: &str| WriteError::ReadOnly { path: path(), reason: reason.into() };
        let Some(last) = &self.last else { return Err(read_only("it has not been read")) };
        let (next, written) = last.edited_beside(&self.options, edits, &self.resting)?;
        if let Some(next) = next {
            if self.options.access == SourceAccess::ReadOnly {
                return Err(read_only("it was opened for reading only"));
            }
            let mut file = locked(&self.file);
            if file.bytes.as_deref() != Some(last.raw_bytes()) {
                return Err(WriteError::Changed { path: path(), kept: None });
            }
            file.save(next.raw_bytes().to_vec());
            self.last = Some(next);
        }
        Ok(written)
    }

    fn to_remember(&self, _: &SourceReading, _: &dyn Fn(&SourceRecord) -> bool) -> SourceAtRest {
        SourceAtRest::default()
    }

    fn at_rest(&self, pairs: &Positions) -> Vec<SourceRecord> {
        self.last.as_ref().map(|last| last.at_rest(pairs, &self.options)).unwrap_or_default()
    }

    fn records_beside(&self, at: &[RecordIndex]) -> Vec<(usize, SourceRecord)> {
        self.last.as_ref().map(|last| last.records_beside(at, &self.options)).unwrap_or_default()
    }

    fn as_written(&self, at: RecordIndex) -> AsWritten {
        self.last.as_ref().map(|last| last.as_written(at)).unwrap_or_default()
    }

    fn record_stamp(&self, at: RecordIndex) -> Fingerprint {
        self.last.as_ref().map_or_else(|| Fingerprint::of(&[]), |last| last.record_stamp(at))
    }

    fn lost_parts(&self, was: &AsWritten) -> Vec<String> {
        self.last.as_ref().map(|last| last.lost_columns(was)).unwrap_or_default()
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        let bytes = self.last.as_ref().map(|last| last.raw_bytes().to_vec());
        locked(&self.file).backups.extend(bytes);
        Ok(into.join("contacts.csv"))
    }
}
