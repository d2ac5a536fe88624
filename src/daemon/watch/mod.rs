//! Watching the source, to begin a run soon after somebody saved it.
//!
//! Owns what counts as a save by somebody else: the source's stamp (sizes, times and
//! inodes) differs from the one that linqsync last read or left behind. Events of the
//! system only say when to look; every two seconds it is looked at anyway, as far as
//! that is cheap, and the directory is watched anew when it was replaced, as a mount
//! does. Whatever is missed is caught by the schedule. `place` knows what belongs to
//! the source, `eye` the system's events.

mod eye;
mod place;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use eye::Eye;
pub(crate) use place::{Place, Stamp};

/// How long nothing may happen before a save counts as finished.
const QUIET: Duration = Duration::from_millis(500);
/// How often a save may go on for that long before it is looked at anyway.
const PATIENCE: u32 = 20;
/// How often the source is looked at without an event.
const ROUND: Duration = Duration::from_secs(2);

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
    pub(super) fn set(&self, stamp: Option<Stamp>) {
        let last = stamp.map_or(Last::Absent, Last::Was);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn get(&self) -> Last {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Whether it has come to an end by itself: a defect.
    pub(super) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }

    /// Watches `place` from now on, and says when it is no longer as it is `known`.
    pub(super) fn start(place: Place, known: Known, touched: mpsc::Sender<()>) -> Watch {
        Watch(tokio::spawn(watch(place, known, touched)))
    }
}

async fn watch(place: Place, known: Known, touched: mpsc::Sender<()>) {
    let (say, mut events) = mpsc::channel(1);
    let mut look = Look::through(Eye::new(place, say));
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
    /// Whether what was seen last may be a save that is not finished. No event need follow
    /// it: a directory may have been filled before it was watched.
    unsettled: bool,
}

impl Look {
    fn through(eye: Eye) -> Look {
        Look { eye, seen: None, told: None, unsettled: false }
    }

    fn again(mut self, known: Last, why: Why) -> (Look, Changed) {
        let renewed = self.eye.tend();
        let is_file = matches!(self.eye.place, Place::File(_));
        if why == Why::Round && !is_file && renewed == Changed::No && !self.unsettled {
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
        self.unsettled = differs && !finished;
        if !differs || !finished || now == self.told {
            return (self, Changed::No);
        }
        self.told = now;
        (self, Changed::Yes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::{AccessKind, Flag};
    use notify::{Error, Event, EventKind};

    use super::eye::hear;
    use super::place::Depth;
    use super::*;

    /// A directory of cards as linqsync last read it, and a look at it.
    fn looked_at() -> (tempfile::TempDir, Look, Last) {
        let dir = tempfile::tempdir().unwrap();
        let cards = dir.path().join("cards");
        fs::create_dir(&cards).unwrap();
        fs::write(cards.join("bo.vcf"), "BEGIN:VCARD").unwrap();
        let place = Place::Directory(cards, Depth::Flat);
        let known = Last::Was(place.stamp().unwrap());
        let (say, _) = mpsc::channel(1);
        let (look, changed) = Look::through(Eye::new(place, say)).again(known, Why::Round);
        assert_eq!(changed, Changed::No);
        (dir, look, known)
    }

    #[test]
    fn events_that_the_system_lost_are_a_reason_to_look() {
        let (dir, look, known) = looked_at();
        fs::write(dir.path().join("cards/bo.vcf"), "BEGIN:VCARD\nVERSION:3.0").unwrap();
        // No event tells of it: a round looks at no file of a directory.
        let (look, changed) = look.again(known, Why::Round);
        assert_eq!(changed, Changed::No);
        let (say, mut events) = mpsc::channel(1);
        hear(&look.eye.place, &say, Ok(Event::new(EventKind::Access(AccessKind::Any))));
        assert!(events.try_recv().is_err(), "reading is no change");
        // The queue overflowed: this is what notify makes of it.
        hear(&look.eye.place, &say, Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(events.try_recv().is_ok());
        hear(&look.eye.place, &say, Err(Error::generic("the watch is gone")));
        assert!(events.try_recv().is_ok());
        let (look, changed) = look.again(known, Why::Event);
        assert_eq!(changed, Changed::Yes);
        assert_eq!(look.again(known, Why::Event).1, Changed::No, "it is told once");
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

    fn is_seen_in_two_rounds(look: Look, known: Last) {
        let (look, changed) = look.again(known, Why::Round);
        assert_eq!(changed, Changed::No, "nobody knows whether that was all");
        let (look, changed) = look.again(known, Why::Round);
        assert_eq!(changed, Changed::Yes);
        assert_eq!(look.again(known, Why::Round).1, Changed::No, "it is told once");
    }
}
