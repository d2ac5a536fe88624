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
    /// The directory that is watched: device and inode.
    on: Option<(u64, u64)>,
    complained: bool,
}

impl Eye {
    pub(super) fn new(place: Place, say: mpsc::Sender<()>) -> Eye {
        Eye { place, say, watcher: None, on: None, complained: false }
    }

    /// Watches the directory anew if it is another one than before.
    pub(super) fn tend(&mut self) -> Changed {
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
