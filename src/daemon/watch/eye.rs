//! The system's watch on the directory of the source.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::Changed;
use super::place::{Depth, Place};

/// The system's watch on the directory.
pub(super) struct Eye {
    pub(super) place: Place,
    say: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched.
    on: Option<Identity>,
    complained: bool,
}

/// Which directory it is, and how new. What is mounted again at once may be the same by
/// device and inode, and nobody tells that the watch on it is gone; so where only the
/// directory is looked at without an event, a change of its names counts, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: Option<(i64, i64)>,
}

impl Identity {
    fn of(directory: &Path, place: &Place) -> Option<Identity> {
        let found = std::fs::metadata(directory).ok()?;
        let changed = match place {
            Place::File(_) => None,
            Place::Directory(..) => Some((found.ctime(), found.ctime_nsec())),
        };
        Some(Identity { device: found.dev(), inode: found.ino(), changed })
    }
}

impl Eye {
    pub(super) fn new(place: Place, say: mpsc::Sender<()>) -> Eye {
        Eye { place, say, watcher: None, on: None, complained: false }
    }

    /// Watches the directory anew if it is another one than before.
    pub(super) fn tend(&mut self) -> Changed {
        let directory = self.place.directory();
        let identity = directory.as_ref().ok().and_then(|path| Identity::of(path, &self.place));
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
        let mut watcher = notify::recommended_watcher(move |event| hear(&place, &say, event))?;
        let mode = match self.place {
            Place::File(_) | Place::Directory(_, Depth::Flat) => RecursiveMode::NonRecursive,
            Place::Directory(_, Depth::Deep) => RecursiveMode::Recursive,
        };
        watcher.watch(directory, mode)?;
        Ok(watcher)
    }
}

/// Says that it is time to look, if `event` is a reason to. An error is one, too.
pub(super) fn hear(place: &Place, say: &mpsc::Sender<()>, event: notify::Result<Event>) {
    if event.map_or(true, |event| place.concerns(&event)) {
        // A full channel means that somebody is about to look already.
        let _ = say.try_send(());
    }
}
