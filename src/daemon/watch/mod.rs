//! Watching the source, to begin a run soon after somebody saved it.
//!
//! Owns what counts as a save by somebody else: the source's stamp (sizes, times and
//! inodes) differs from the one that linqsync last read or left behind. Events of the
//! system only say when to look; every two seconds it is looked at anyway, as far as
//! that is cheap, and the directory is watched anew when it was replaced, as a mount
//! does. Whatever is missed is caught by the schedule.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::{SourceConfig, SourceKind};
use crate::model::RecordIndex;
use crate::source::csv::Shape;
use crate::source::{Edit, Reading, Source, SourceError, WriteError, Written};

/// How long nothing may happen before a save counts as finished.
const QUIET: Duration = Duration::from_millis(500);
/// How often a save may go on for that long before it is looked at anyway.
const PATIENCE: u32 = 20;
/// How often the source is looked at without an event.
const ROUND: Duration = Duration::from_secs(2);

/// Where the source is, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// One file.
    File(PathBuf),
    /// The vCards of a directory.
    Directory(PathBuf, Depth),
}

/// Whether subdirectories belong to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Flat,
    Deep,
}

/// What tells that the source was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(blake3::Hash);

impl Place {
    pub(super) fn of(source: &SourceConfig) -> Place {
        match &source.kind {
            SourceKind::Csv(_) => Place::File(source.path.clone()),
            SourceKind::Vcard(vcard) => {
                let depth = if vcard.recursive { Depth::Deep } else { Depth::Flat };
                Place::Directory(source.path.clone(), depth)
            }
        }
    }

    /// The directory in which things happen, with every symbolic link resolved: the
    /// replacement of a file happens in its directory.
    fn directory(&self) -> io::Result<PathBuf> {
        match self {
            Place::Directory(path, _) => path.canonicalize(),
            Place::File(path) => match path.canonicalize() {
                Ok(target) => Ok(target.parent().unwrap_or(&target).to_owned()),
                Err(_) => path.parent().unwrap_or(path).canonicalize(),
            },
        }
    }

    /// The source as it is now; `None` if it is not there.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let mut hasher = blake3::Hasher::new();
        match self {
            Place::File(path) => add(&mut hasher, OsStr::new(""), &std::fs::metadata(path).ok()?),
            Place::Directory(path, depth) => add_directory(&mut hasher, path, *depth).ok()?,
        }
        Some(Stamp(hasher.finalize()))
    }

    /// Whether something that happened may concern the source.
    fn concerns(&self, event: &Event) -> bool {
        // Reading is no change, and our own reading least of all.
        if event.need_rescan() {
            return true;
        }
        let is_vcard =
            |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("vcf"));
        !matches!(event.kind, EventKind::Access(_))
            && match self {
                Place::File(_) => true,
                Place::Directory(..) => event.paths.iter().any(|p| is_vcard(p) || p.is_dir()),
            }
    }
}

fn add(hasher: &mut blake3::Hasher, name: &OsStr, metadata: &Metadata) {
    hasher.update(name.as_encoded_bytes());
    let numbers = [
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ];
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
}

fn add_directory(hasher: &mut blake3::Hasher, path: &Path, depth: Depth) -> io::Result<()> {
    let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let is_vcard = Path::new(&name).extension().is_some_and(|e| e.eq_ignore_ascii_case("vcf"));
        if is_vcard {
            add(hasher, &name, &entry.metadata()?);
        } else if depth == Depth::Deep && entry.file_type()?.is_dir() {
            hasher.update(name.as_encoded_bytes());
            add_directory(hasher, &entry.path(), depth)?;
        }
    }
    Ok(())
}

/// The source as linqsync last read it or left it behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<Last>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    /// Nothing was read so far, and the first run is on its way.
    #[default]
    Unread,
    /// It was not there.
    Absent,
    /// It was there.
    Was(Stamp),
}

impl Known {
    fn set(&self, stamp: Option<Stamp>) {
        let last = stamp.map_or(Last::Absent, Last::Was);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn get(&self) -> Last {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source that remembers what it last read or left behind, so that its own writing
/// is not taken for somebody else's.
pub(super) struct Watched {
    pub(super) source: Box<dyn Source>,
    pub(super) place: Place,
    pub(super) known: Known,
}

impl Source for Watched {
    fn read(&mut self) -> Result<Reading, SourceError> {
        // Before reading: what is saved meanwhile differs from it.
        self.known.set(self.place.stamp());
        self.source.read()
    }

    fn write(&mut self, edits: &[Edit]) -> Result<Written, WriteError> {
        let written = self.source.write(edits)?;
        if !edits.is_empty() {
            self.known.set(self.place.stamp());
        }
        Ok(written)
    }

    fn shape(&self) -> Option<Shape> {
        self.source.shape()
    }

    fn as_written(&self, at: RecordIndex) -> String {
        self.source.as_written(at)
    }

    fn back_up(&self, into: &Path) -> io::Result<PathBuf> {
        self.source.back_up(into)
    }
}

/// Watching, until it is dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Watches `place` from now on, and says when it is no longer as it is `known`.
    pub(super) fn start(place: Place, known: Known, touched: mpsc::Sender<()>) -> Watch {
        Watch(tokio::spawn(watch(place, known, touched)))
    }
}

async fn watch(place: Place, known: Known, touched: mpsc::Sender<()>) {
    let (say, mut events) = mpsc::channel(1);
    let mut look = Look { eye: Eye::new(place, say), seen: None, told: None };
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let why = tokio::select! {
            Some(()) = events.recv() => {
                settled(&mut events).await;
                Why::Event
            }
            _ = rounds.tick() => Why::Round,
        };
        // A file system may hang, and then only this thread waits for it.
        let known = known.get();
        let Ok((next, changed)) = spawn_blocking(move || look.again(known, why)).await else {
            return;
        };
        look = next;
        if changed == Changed::Yes {
            tracing::debug!("the source was saved");
            // A full channel means that a run is due already.
            let _ = touched.try_send(());
        }
    }
}

/// Waits until nothing happens any more.
async fn settled(events: &mut mpsc::Receiver<()>) {
    for _ in 0..PATIENCE {
        if timeout(QUIET, events.recv()).await.is_err() {
            return;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Event,
    Round,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    Yes,
    No,
}

/// What was seen of the source so far.
struct Look {
    eye: Eye,
    /// The stamp of the last look.
    seen: Option<Stamp>,
    /// The stamp that was told last.
    told: Option<Stamp>,
}

impl Look {
    fn again(mut self, known: Last, why: Why) -> (Look, Changed) {
        let renewed = self.eye.tend();
        let is_file = matches!(self.eye.place, Place::File(_));
        if why == Why::Round && !is_file && renewed == Changed::No {
            return (self, Changed::No);
        }
        let now = self.eye.place.stamp();
        let before = std::mem::replace(&mut self.seen, now);
        // Without an event nobody knows whether the save is finished.
        let finished = why == Why::Event || before == now;
        let differs = match (known, now) {
            (Last::Unread, _) | (_, None) => false,
            (Last::Absent, Some(_)) => true,
            (Last::Was(known), Some(now)) => known != now,
        };
        if !differs || !finished || now == self.told {
            return (self, Changed::No);
        }
        self.told = now;
        (self, Changed::Yes)
    }
}

/// The system's watch on the directory.
struct Eye {
    place: Place,
    say: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched: device and inode.
    on: Option<(u64, u64)>,
    complained: bool,
}

impl Eye {
    fn new(place: Place, say: mpsc::Sender<()>) -> Eye {
        Eye { place, say, watcher: None, on: None, complained: false }
    }

    /// Watches the directory anew if it is another one than before.
    fn tend(&mut self) -> Changed {
        let directory = self.place.directory();
        let there = directory.as_ref().ok().and_then(|path| std::fs::metadata(path).ok());
        let identity = there.map(|metadata| (metadata.dev(), metadata.ino()));
        if identity == self.on && (identity.is_none() || self.watcher.is_some() || self.complained)
        {
            return Changed::No;
        }
        self.on = identity;
        self.watcher = None;
        match directory.ok().map(|path| self.watch(&path)) {
            Some(Ok(watcher)) => self.watcher = Some(watcher),
            Some(Err(error)) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "cannot watch the source; the schedule still notices edits");
            }
            Some(Err(_)) | None => {}
        }
        Changed::Yes
    }

    fn watch(&self, directory: &Path) -> notify::Result<RecommendedWatcher> {
        let (place, say) = (self.place.clone(), self.say.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error, such as a queue that overflowed, is a reason to look, too.
            if event.map_or(true, |event| place.concerns(&event)) {
                let _ = say.try_send(());
            }
        })?;
        let mode = match self.place {
            Place::File(_) | Place::Directory(_, Depth::Flat) => RecursiveMode::NonRecursive,
            Place::Directory(_, Depth::Deep) => RecursiveMode::Recursive,
        };
        watcher.watch(directory, mode)?;
        Ok(watcher)
    }
}
