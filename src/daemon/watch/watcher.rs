//! The system's watch on the directory of the source.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::SourceChanged;
use super::location::{WatchDepth, WatchedLocation};

/// The system's watch on the directory.
pub(super) struct PathWatcher {
    pub(super) place: WatchedLocation,
    say: mpsc::Sender<()>,
    watcher: Option<RecommendedWatcher>,
    /// The directory that is watched.
    on: Option<DirectoryIdentity>,
    complained: bool,
}

/// Which directory it is, and how new. What is mounted again at once may be the same by
/// device and inode, and nobody tells that the watch on it is gone; so where only the
/// directory is looked at without an event, a change of its names counts, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DirectoryIdentity {
    device: u64,
    inode: u64,
    changed: Option<(i64, i64)>,
}

impl DirectoryIdentity {
    fn of_directory(directory: &Path, place: &WatchedLocation) -> Option<DirectoryIdentity> {
        let found = std::fs::metadata(directory).ok()?;
        let changed = match place {
            WatchedLocation::File(_) => None,
            WatchedLocation::Directory(..) => Some((found.ctime(), found.ctime_nsec())),
        };
        Some(DirectoryIdentity { device: found.dev(), inode: found.ino(), changed })
    }
}

impl PathWatcher {
    pub(super) fn new(place: WatchedLocation, say: mpsc::Sender<()>) -> PathWatcher {
        PathWatcher { place, say, watcher: None, on: None, complained: false }
    }

    /// Watches the directory anew if it is another one than before.
    pub(super) fn renew_watches(&mut self) -> SourceChanged {
        let directory = self.place.real_directory();
        let identity = directory
            .as_ref()
            .ok()
            .and_then(|path| DirectoryIdentity::of_directory(path, &self.place));
        if identity == self.on && (identity.is_none() || self.watcher.is_some() || self.complained)
        {
            return SourceChanged::No;
        }
        self.on = identity;
        self.watcher = None;
        match directory.ok().map(|path| self.watch_directory(&path)) {
            Some(Ok(watcher)) => self.watcher = Some(watcher),
            Some(Err(error)) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "cannot watch the source; the schedule still notices edits");
            }
            Some(Err(_)) | None => {}
        }
        SourceChanged::Yes
    }

    fn watch_directory(&self, directory: &Path) -> notify::Result<RecommendedWatcher> {
        let (place, say) = (self.place.clone(), self.say.clone());
        let mut watcher = notify::recommended_watcher(move |event| on_event(&place, &say, event))?;
        let mode = match self.place {
            WatchedLocation::File(_) | WatchedLocation::Directory(_, WatchDepth::Flat) => {
                RecursiveMode::NonRecursive
            }
            WatchedLocation::Directory(_, WatchDepth::Deep) => RecursiveMode::Recursive,
        };
        watcher.watch(directory, mode)?;
        Ok(watcher)
    }
}

/// Says that it is time to look, if `event` is a reason to. An error is one, too.
pub(super) fn on_event(
    place: &WatchedLocation,
    say: &mpsc::Sender<()>,
    event: notify::Result<Event>,
) {
    if event.map_or(true, |event| place.concerns_source(&event)) {
        // A full channel means that somebody is about to look already.
        let _ = say.try_send(());
    }
}
