//! How time passes for a source, and when it has been left alone for long enough.
//!
//! Owns `source.quiet`. The clocks and the waiting are arguments: [`crate::open`] gives
//! the real ones.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::model::Fingerprint;

use super::{FileStamp, TRIES};

/// How long a source that is being changed is waited for, if not for the quiet time.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a source must have been left alone, and how that is found out.
#[derive(Clone)]
pub struct QuietTime {
    /// How long ago the last change must be.
    pub quiet: Duration,
    /// Tells the time of day, to be compared with the times of files.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    /// Tells how much time has passed since some instant; it is never set.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Waits.
    pub wait: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl QuietTime {
    /// Time stands still, and every file is believed at once.
    pub fn frozen_time() -> QuietTime {
        QuietTime {
            quiet: Duration::ZERO,
            now: Arc::new(|| SystemTime::UNIX_EPOCH),
            elapsed: Arc::new(|| Duration::ZERO),
            wait: Arc::new(|_| {}),
        }
    }

    /// How long a file that was last written at `modified` must still rest; `None` if
    /// it may be believed. A time to come says nothing, as the file was written on
    /// another machine or before the clock was set.
    pub(in crate::source) fn rest_for(&self, modified: SystemTime) -> Option<Duration> {
        self.left_after(self.age_of(modified)?)
    }

    /// Whether a file with this stamp was changed within the quiet time, as far as its
    /// times tell.
    pub(in crate::source) fn is_restless(&self, stamp: FileStamp) -> bool {
        stamp.changed_at((self.now)()).is_none_or(|changed| self.rest_for(changed).is_some())
    }

    /// How long ago `time` is; `None` if it is to come.
    fn age_of(&self, time: SystemTime) -> Option<Duration> {
        (self.now)().duration_since(time).ok()
    }

    /// What is left of the quiet time after so much of it.
    fn left_after(&self, passed: Duration) -> Option<Duration> {
        self.quiet.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

impl fmt::Debug for QuietTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.quiet)
    }
}

/// What was seen of a source, from one look at it to the next.
///
/// The first reading believes the times of the files: what was changed longer ago than
/// the quiet time is still. Every further reading, as before a deletion, believes only
/// what it has seen itself: that nothing changed for the quiet time, by a clock that
/// nobody sets. So it does with a time to come, which tells nothing.
#[derive(Debug, Default)]
pub(in crate::source) struct Stillness {
    /// What was seen last, and since when it is so.
    seen: Option<(Fingerprint, Duration)>,
    was_read: bool,
    /// How often and for how long this reading has been waited for.
    waits: usize,
    waited: Duration,
}

impl Stillness {
    /// How long the source must still be left alone before what was read of it counts;
    /// `None` if it does. `state` tells one state of it from another by the `stamps` of all
    /// its files and directories.
    pub(in crate::source) fn rest_needed(
        &mut self,
        clock: &QuietTime,
        state: Fingerprint,
        stamps: impl IntoIterator<Item = FileStamp>,
    ) -> Option<Duration> {
        let elapsed = (clock.elapsed)();
        let since = match self.seen {
            Some((seen, since)) if seen == state => since,
            Some(_) | None => elapsed,
        };
        self.seen = Some((state, since));
        let observed = elapsed.saturating_sub(since);
        let is_first = !self.was_read;
        let now = (clock.now)();
        let by_their_times = || {
            let passed = stamps.into_iter().map(|stamp| {
                stamp.changed_at(now).map_or(observed, |changed| {
                    now.duration_since(changed).unwrap_or_default().max(observed)
                })
            });
            passed.min()
        };
        let passed = if is_first { by_their_times() } else { Some(observed) };
        passed.and_then(|passed| clock.left_after(passed))
    }

    /// Waits for `rest`; or does not, and says so, where the source has been waited for long
    /// enough.
    pub(in crate::source) fn wait_or_refuse(
        &mut self,
        clock: &QuietTime,
        rest: Duration,
    ) -> Waited {
        self.waits += 1;
        if self.waits == TRIES || self.waited >= clock.quiet.max(PATIENCE) {
            return Waited::LongEnough;
        }
        self.waited += rest;
        (clock.wait)(rest);
        Waited::Again
    }

    /// From now on only what is seen counts.
    pub(in crate::source) fn has_been_read(&mut self) {
        let seen = self.seen;
        *self = Stillness { seen, was_read: true, ..Stillness::default() };
    }
}

/// Whether a source that was waited for is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Waited {
    /// It is.
    Again,
    /// It was not waited for again.
    LongEnough,
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_file_rests_as_long_as_is_left_of_the_quiet_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let quiet = Duration::from_secs(5);
        let clock = QuietTime { quiet, now: Arc::new(move || at(100)), ..QuietTime::frozen_time() };
        let rest = |modified| clock.rest_for(at(modified));
        assert_eq!(rest(97), Some(Duration::from_secs(2)));
        assert_eq!((rest(95), rest(0), rest(101)), (None, None, None));
        assert_eq!(QuietTime::frozen_time().rest_for(at(0)), None);
    }

    /// A clock of which the hands of the day and of the stop watch are set by hand.
    fn clock(quiet: u64) -> (QuietTime, Arc<Mutex<(u64, u64)>>) {
        let hands = Arc::new(Mutex::new((100, 0)));
        let (day, watch) = (Arc::clone(&hands), Arc::clone(&hands));
        let clock = QuietTime {
            quiet: Duration::from_secs(quiet),
            now: Arc::new(move || {
                SystemTime::UNIX_EPOCH + Duration::from_secs(day.lock().unwrap().0)
            }),
            elapsed: Arc::new(move || Duration::from_secs(watch.lock().unwrap().1)),
            ..QuietTime::frozen_time()
        };
        (clock, hands)
    }

    fn state(text: &str) -> Fingerprint {
        Fingerprint::of(text.as_bytes())
    }

    #[test]
    fn the_youngest_change_decides_and_what_is_still_is_read_at_once() {
        let (clock, _) = clock(5);
        let rest = |times: &[i64]| {
            let stamps = times.iter().map(|time| FileStamp::from_times(*time, *time));
            Stillness::default().rest_needed(&clock, state("a"), stamps)
        };
        assert_eq!(rest(&[10, 97, 20]), Some(Duration::from_secs(2)));
        assert_eq!(rest(&[10, 95, 20]), None);
        assert_eq!(rest(&[]), None);
    }

    #[test]
    fn a_time_to_come_is_waited_for_no_longer_than_the_quiet_time() {
        let (clock, hands) = clock(5);
        let mut stillness = Stillness::default();
        let mut rest = |text: &str| {
            stillness.rest_needed(
                &clock,
                state(text),
                [FileStamp::from_times(9_000, 9_000), FileStamp::from_times(1, 1)],
            )
        };
        assert_eq!(rest("a"), Some(Duration::from_secs(5)));
        hands.lock().unwrap().1 = 3;
        assert_eq!(rest("a"), Some(Duration::from_secs(2)));
        assert_eq!(rest("b"), Some(Duration::from_secs(5)), "it was changed");
        hands.lock().unwrap().1 = 8;
        assert_eq!(rest("b"), None);
        // Only the date that a program gave to the file is to come.
        let stamps = [FileStamp::from_times(9_000, 90)];
        assert_eq!(Stillness::default().rest_needed(&clock, state("a"), stamps), None);
    }

    #[test]
    fn what_never_rests_is_waited_for_ten_times_or_half_a_minute_or_once_if_that_takes_longer() {
        let waits = |quiet: u64| {
            let (clock, _) = clock(quiet);
            let mut stillness = Stillness::default();
            let wait = |_: &usize| stillness.wait_or_refuse(&clock, clock.quiet) == Waited::Again;
            (0..99).take_while(wait).count()
        };
        assert_eq!([0, 1, 3, 10, 20, 600].map(waits), [9, 9, 9, 3, 2, 1]);
    }

    #[test]
    fn what_is_read_once_more_must_have_been_seen_for_the_quiet_time() {
        let (clock, hands) = clock(5);
        let mut stillness = Stillness::default();
        // The clock of the file server is far behind: whatever was just written looks old.
        let rest = |stillness: &mut Stillness, text: &str| {
            stillness.rest_needed(&clock, state(text), [FileStamp::from_times(1, 1)])
        };
        assert_eq!(rest(&mut stillness, "a"), None);
        stillness.has_been_read();
        hands.lock().unwrap().1 = 1;
        assert_eq!(rest(&mut stillness, "a"), Some(Duration::from_secs(4)));
        assert_eq!(rest(&mut stillness, "b"), Some(Duration::from_secs(5)));
        hands.lock().unwrap().1 = 6;
        // The time of day may be set meanwhile.
        hands.lock().unwrap().0 = 7;
        assert_eq!(rest(&mut stillness, "b"), None);
    }
}
