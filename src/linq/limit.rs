//! How fast Linq is asked.
//!
//! Owns three limits: requests under way, fewer when Linq is in trouble; requests
//! begun within any second; and a pause for everybody when Linq says that it is too
//! much. Leaves what a pause costs to the caller.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::width::{Change, Width};

/// Lets requests begin, each in its turn.
pub(super) struct Limiter {
    places: Semaphore,
    width: Mutex<Narrowing>,
    pace: Mutex<Pace>,
}

/// The width, and how many places are to be given up as soon as they are free.
struct Narrowing {
    width: Width,
    owed: usize,
}

/// A request's turn, which ends when it is dropped.
pub(super) struct Turn<'a> {
    place: Option<SemaphorePermit<'a>>,
    limiter: &'a Limiter,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut narrowing = self.limiter.narrowing();
        if narrowing.owed > 0
            && let Some(place) = self.place.take()
        {
            narrowing.owed -= 1;
            place.forget();
        }
    }
}

impl Limiter {
    pub(super) fn new(concurrency: NonZeroUsize, per_second: NonZeroU32) -> Limiter {
        let most = concurrency.get().min(Semaphore::MAX_PERMITS);
        Limiter {
            places: Semaphore::new(most),
            width: Mutex::new(Narrowing { width: Width::new(most), owed: 0 }),
            pace: Mutex::new(Pace::new(per_second)),
        }
    }

    /// Waits until the next request may begin; it ends when the result is dropped.
    /// `None` never happens: it would mean that the places were closed, and
    /// nothing closes them.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        let place = Some(self.places.acquire().await.ok()?);
        let turn = Turn { place, limiter: self };
        loop {
            let start = self.pace(|pace| pace.reserve(Instant::now()));
            sleep_until(start).await;
            if !self.pace(|pace| pace.is_paused(Instant::now())) {
                return Some(turn);
            }
        }
    }

    /// For how long altogether no request could begin.
    pub(super) fn paused(&self) -> Duration {
        self.pace(|pace| pace.paused)
    }

    /// Lets no request begin for `wait` from now.
    pub(super) fn pause(&self, wait: Duration) {
        self.pace(|pace| pace.pause(Instant::now(), wait));
    }

    /// Takes note of a good answer.
    pub(super) fn answered(&self, took: Duration) {
        let change = self.narrowing().width.answered(took);
        self.follow(change);
    }

    /// Takes note that Linq is in trouble, or asked too much.
    pub(super) fn troubled(&self) {
        let change = self.narrowing().width.troubled();
        self.follow(change);
    }

    fn follow(&self, change: Change) {
        let mut narrowing = self.narrowing();
        match change {
            Change::Keep => {}
            Change::Narrow(fewer) => {
                narrowing.owed += fewer - self.places.forget_permits(fewer);
            }
            Change::Widen if narrowing.owed > 0 => narrowing.owed -= 1,
            Change::Widen => self.places.add_permits(1),
        }
    }

    fn narrowing(&self) -> MutexGuard<'_, Narrowing> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pace<T>(&self, with: impl FnOnce(&mut Pace) -> T) -> T {
        with(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the next request may begin: at most so many within any second, however
/// the second is laid over them.
struct Pace {
    per_second: usize,
    /// When the latest requests begin, oldest first; never more than `per_second`.
    begun: VecDeque<Instant>,
    paused_until: Option<Instant>,
    /// All pauses together, each instant counted once.
    paused: Duration,
}

impl Pace {
    fn new(per_second: NonZeroU32) -> Pace {
        let per_second = usize::try_from(per_second.get()).unwrap_or(usize::MAX);
        Pace { per_second, begun: VecDeque::new(), paused_until: None, paused: Duration::ZERO }
    }

    fn reserve(&mut self, now: Instant) -> Instant {
        let mut start = self.paused_until.map_or(now, |until| until.max(now));
        if self.begun.len() >= self.per_second
            && let Some(oldest) = self.begun.pop_front()
        {
            start = start.max(oldest + Duration::from_secs(1));
        }
        self.begun.push_back(start);
        start
    }

    fn pause(&mut self, now: Instant, wait: Duration) {
        let until = now + wait;
        let from = self.paused_until.map_or(now, |paused| paused.max(now));
        self.paused += until.saturating_duration_since(from);
        self.paused_until = self.paused_until.max(Some(until));
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_second_sees_more_requests_than_allowed(
            per_second in 1_u32..8,
            gaps in proptest::collection::vec(0_u64..700, 1..60),
            pause_at in 0_usize..60,
        ) {
            let start = Instant::now();
            let mut pace = Pace::new(NonZeroU32::new(per_second).unwrap());
            let mut now = start;
            let mut begun = Vec::new();
            for (index, gap) in gaps.into_iter().enumerate() {
                now += Duration::from_millis(gap);
                if index == pause_at {
                    pace.pause(now, Duration::from_secs(3));
                }
                begun.push(pace.reserve(now));
                prop_assert!(*begun.last().unwrap() >= now);
            }
            let width = usize::try_from(per_second).unwrap();
            for pair in begun.windows(width + 1) {
                prop_assert!(pair[width] >= pair[0] + Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let now = Instant::now();
        let mut pace = Pace::new(NonZeroU32::MIN);
        pace.pause(now, Duration::from_mins(1));
        pace.pause(now, Duration::from_secs(5));
        assert_eq!(pace.reserve(now), now + Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_begins_while_a_request_waits_holds_that_request_too() {
        let limiter = Limiter::new(NonZeroUsize::MIN.saturating_add(1), NonZeroU32::MIN);
        let start = Instant::now();
        drop(limiter.turn().await);
        let (turn, ()) =
            tokio::join!(limiter.turn(), async { limiter.pause(Duration::from_secs(9)) });
        assert!(turn.is_some());
        assert!(start.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn after_trouble_fewer_requests_are_under_way_until_answers_are_good_again() {
        let limiter = Limiter::new(NonZeroUsize::new(4).unwrap(), NonZeroU32::new(1_000).unwrap());
        let under_way = async || {
            let mut turns = Vec::new();
            while let Ok(turn) = tokio::time::timeout(Duration::from_secs(9), limiter.turn()).await
            {
                turns.push(turn);
            }
            turns.len()
        };
        assert_eq!(under_way().await, 4);
        let held = limiter.turn().await;
        limiter.troubled();
        limiter.troubled();
        assert_eq!(under_way().await, 0, "the one that is under way is the only one");
        drop(held);
        assert_eq!(under_way().await, 1);
        (0..100).for_each(|_| limiter.answered(Duration::from_millis(9)));
        assert_eq!(under_way().await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_are_under_way_than_there_are_places() {
        let limiter = Limiter::new(NonZeroUsize::MIN, NonZeroU32::new(1_000).unwrap());
        let first = limiter.turn().await;
        let second = tokio::time::timeout(Duration::from_mins(1), limiter.turn()).await;
        assert!(second.is_err());
        drop(first);
        assert!(limiter.turn().await.is_some());
    }
}
