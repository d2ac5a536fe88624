//! Watching the source, to begin a run soon after somebody saved it.
//!
//! Owns what counts as a save by somebody else: the source's stamp (sizes, times and
//! inodes) differs from the one that linqsync last read or left behind. Events of the
//! system only say when to look; every two seconds it is looked at anyway, as far as
//! that is cheap, and the directory is watched anew when it was replaced, as a mount
//! does. Whatever is missed is caught by the schedule. `location` knows what belongs to
//! the source, `watcher` the system's events.

mod location;
mod watcher;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

pub(crate) use location::{SourceStamp, WatchedLocation};
use watcher::PathWatcher;

/// How long nothing may happen before a save counts as finished.
const QUIET: Duration = Duration::from_millis(500);
/// How often a save may go on for that long before it is looked at anyway.
const PATIENCE: u32 = 20;
/// How often the source is looked at without an event.
const ROUND: Duration = Duration::from_secs(2);

/// The source as linqsync last read it or left it behind.
#[derive(Clone, Debug, Default)]
pub(super) struct LastSource(Arc<Mutex<LastStamps>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LastStamps {
    /// Nothing was read so far, and the first run is on its way.
    #[default]
    Unread,
    /// It was not there.
    Absent,
    /// It was there.
    Was(SourceStamp),
}

impl LastSource {
    pub(super) fn set_stamp(&self, stamp: Option<SourceStamp>) {
        let last = stamp.map_or(LastStamps::Absent, LastStamps::Was);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn get_stamp(&self) -> LastStamps {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watching, until it is dropped.
pub(super) struct SourceWatcher(JoinHandle<()>);

impl Drop for SourceWatcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SourceWatcher {
    /// Whether it has come to an end by itself: a defect.
    pub(super) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }

    /// Watches `location` from now on, and says when it is no longer as it is `known`.
    pub(super) fn start(
        place: WatchedLocation,
        known: LastSource,
        touched: mpsc::Sender<()>,
    ) -> SourceWatcher {
        SourceWatcher(tokio::spawn(watch_loop(place, known, touched)))
    }
}

async fn watch_loop(place: WatchedLocation, known: LastSource, touched: mpsc::Sender<()>) {
    let (say, mut events) = mpsc::channel(1);
    let mut look = SourceSeen::with_watcher(PathWatcher::new(place, say));
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let why = tokio::select! {
            Some(()) = events.recv() => {
                wait_until_quiet(&mut events).await;
                Why::Event
            }
            _ = rounds.tick() => Why::Round,
        };
        // A file system may hang, and then only this thread waits for it.
        let known = known.get_stamp();
        let Ok((next, changed)) = spawn_blocking(move || look.look_again(known, why)).await else {
            return;
        };
        look = next;
        if changed == SourceChanged::Yes {
            tracing::debug!("the source was saved");
            // A full channel means that a run is due already.
            let _ = touched.try_send(());
        }
    }
}

/// Waits until nothing happens any more.
async fn wait_until_quiet(events: &mut mpsc::Receiver<()>) {
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
enum SourceChanged {
    Yes,
    No,
}

/// What was seen of the source so far.
struct SourceSeen {
    eye: PathWatcher,
    /// The stamp of the last look.
    seen: Option<SourceStamp>,
    /// The stamp that was told last.
    told: Option<SourceStamp>,
    /// Whether what was seen last may be a save that is not finished. No event need follow
    /// it: a directory may have been filled before it was watched.
    unsettled: bool,
}

impl SourceSeen {
    fn with_watcher(eye: PathWatcher) -> SourceSeen {
        SourceSeen { eye, seen: None, told: None, unsettled: false }
    }

    fn look_again(mut self, known: LastStamps, why: Why) -> (SourceSeen, SourceChanged) {
        let renewed = self.eye.renew_watches();
        let is_file = matches!(self.eye.place, WatchedLocation::File(_));
        if why == Why::Round && !is_file && renewed == SourceChanged::No && !self.unsettled {
            return (self, SourceChanged::No);
        }
        let now = self.eye.place.current_stamp();
        let before = std::mem::replace(&mut self.seen, now);
        // Without an event nobody knows whether the save is finished.
        let finished = why == Why::Event || before == now;
        let differs = match (known, now) {
            (LastStamps::Unread, _) | (_, None) => false,
            (LastStamps::Absent, Some(_)) => true,
            (LastStamps::Was(known), Some(now)) => known != now,
        };
        self.unsettled = differs && !finished;
        if !differs || !finished || now == self.told {
            return (self, SourceChanged::No);
        }
        self.told = now;
        (self, SourceChanged::Yes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::{AccessKind, Flag};
    use notify::{Error, Event, EventKind};

    use super::location::WatchDepth;
    use super::watcher::on_event;
    use super::*;

    /// A directory of cards as linqsync last read it, and a look at it.
    fn looked_at() -> (tempfile::TempDir, SourceSeen, LastStamps) {
        let dir = tempfile::tempdir().unwrap();
        let cards = dir.path().join("cards");
        fs::create_dir(&cards).unwrap();
        fs::write(cards.join("bo.vcf"), "BEGIN:VCARD").unwrap();
        let place = WatchedLocation::Directory(cards, WatchDepth::Flat);
        let known = LastStamps::Was(place.current_stamp().unwrap());
        let (say, _) = mpsc::channel(1);
        let (look, changed) =
            SourceSeen::with_watcher(PathWatcher::new(place, say)).look_again(known, Why::Round);
        assert_eq!(changed, SourceChanged::No);
        (dir, look, known)
    }

    #[test]
    fn events_that_the_system_lost_are_a_reason_to_look() {
        let (dir, look, known) = looked_at();
        fs::write(dir.path().join("cards/bo.vcf"), "BEGIN:VCARD\nVERSION:3.0").unwrap();
        // No event tells of it: a round looks at no file of a directory.
        let (look, changed) = look.look_again(known, Why::Round);
        assert_eq!(changed, SourceChanged::No);
        let (say, mut events) = mpsc::channel(1);
        on_event(&look.eye.place, &say, Ok(Event::new(EventKind::Access(AccessKind::Any))));
        assert!(events.try_recv().is_err(), "reading is no change");
        // The queue overflowed: this is what notify makes of it.
        on_event(&look.eye.place, &say, Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(events.try_recv().is_ok());
        on_event(&look.eye.place, &say, Err(Error::generic("the watch is gone")));
        assert!(events.try_recv().is_ok());
        let (look, changed) = look.look_again(known, Why::Event);
        assert_eq!(changed, SourceChanged::Yes);
        assert_eq!(look.look_again(known, Why::Event).1, SourceChanged::No, "it is told once");
    }

    #[test]
    fn a_directory_that_was_filled_before_it_was_watched_is_looked_at_twice() {
        let (dir, look, known) = looked_at();
        let (cards, other) = (dir.path().join("cards"), dir.path().join("other"));
        fs::create_dir(&other).unwrap();
        fs::write(other.join("ada.vcf"), "BEGIN:VCARD").unwrap();
        fs::remove_dir_all(&cards).unwrap();
        fs::rename(other, cards).unwrap();
        is_seen_in_two_rounds(look, known);
    }

    /// As after a remount, of which nobody tells, and which has the same device and inode.
    #[test]
    fn a_directory_whose_watch_is_gone_is_looked_at_when_its_names_change() {
        let (dir, look, known) = looked_at();
        fs::write(dir.path().join("cards/ada.vcf"), "BEGIN:VCARD").unwrap();
        is_seen_in_two_rounds(look, known);
    }

    fn is_seen_in_two_rounds(look: SourceSeen, known: LastStamps) {
        let (look, changed) = look.look_again(known, Why::Round);
        assert_eq!(changed, SourceChanged::No, "nobody knows whether that was all");
        let (look, changed) = look.look_again(known, Why::Round);
        assert_eq!(changed, SourceChanged::Yes);
        assert_eq!(look.look_again(known, Why::Round).1, SourceChanged::No, "it is told once");
    }
}
