//! How fast Linq is asked.
//!
//! Owns three limits: requests under way, fewer when Linq is in trouble; requests
//! begun within any second; and a pause for everybody when Linq says that it is too
//! much. Leaves what a pause costs to the caller.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::settings::Rate;
use super::width::{Change, Width};

/// Lets requests begin, each in its turn.
pub(super) struct Limiter {
    places: Semaphore,
    width: Mutex<Narrowing>,
    queue: Mutex<Queue>,
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
    pub(super) fn new(concurrency: NonZeroUsize, rate: Rate) -> Limiter {
        let most = concurrency.get().min(Semaphore::MAX_PERMITS);
        Limiter {
            places: Semaphore::new(most),
            width: Mutex::new(Narrowing { width: Width::new(most), owed: 0 }),
            queue: Mutex::new(Queue::new(rate)),
        }
    }

    /// Waits until the next request may begin; it ends when the result is dropped.
    /// `None` never happens: it would mean that the places were closed, and
    /// nothing closes them.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        let place = Some(self.places.acquire().await.ok()?);
        let turn = Turn { place, limiter: self };
        loop {
            let start = self.queue(|queue| queue.reserve(Instant::now()));
            sleep_until(start).await;
            if !self.queue(|queue| queue.is_paused(Instant::now())) {
                return Some(turn);
            }
        }
    }

    /// For how long altogether no request could begin.
    pub(super) fn paused(&self) -> Duration {
        self.queue(|queue| queue.paused)
    }

    /// Lets no request begin for `wait` from now.
    pub(super) fn pause(&self, wait: Duration) {
        self.queue(|queue| queue.pause(Instant::now(), wait));
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

    fn queue<T>(&self, with: impl FnOnce(&mut Queue) -> T) -> T {
        with(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the next request may begin, at some rate.
struct Queue {
    most: usize,
    within: Duration,
    /// When the latest requests begin, oldest first; never more than `most`.
    begun: VecDeque<Instant>,
    paused_until: Option<Instant>,
    /// All pauses together, each instant counted once.
    paused: Duration,
}

impl Queue {
    fn new(Rate { most, within }: Rate) -> Queue {
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        let begun = VecDeque::new();
        Queue { most, within, begun, paused_until: None, paused: Duration::ZERO }
    }

    fn reserve(&mut self, now: Instant) -> Instant {
        let mut start = self.paused_until.map_or(now, |until| until.max(now));
        if self.begun.len() >= self.most
            && let Some(oldest) = self.begun.pop_front()
        {
            start = start.max(oldest + self.within);
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
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn per_second(most: u32) -> Rate {
        Rate::per_second(NonZeroU32::new(most).unwrap())
    }

    proptest! {
        #[test]
        fn no_span_of_time_sees_more_requests_than_allowed(
            most in 1_u32..8,
            within in 200_u64..4_000,
            gaps in proptest::collection::vec(0_u64..700, 1..60),
            pause_at in 0_usize..60,
        ) {
            let start = Instant::now();
            let (most, within) = (NonZeroU32::new(most).unwrap(), Duration::from_millis(within));
            let mut queue = Queue::new(Rate { most, within });
            let mut now = start;
            let mut begun = Vec::new();
            for (index, gap) in gaps.into_iter().enumerate() {
                now += Duration::from_millis(gap);
                if index == pause_at {
                    queue.pause(now, Duration::from_secs(3));
                }
                begun.push(queue.reserve(now));
                prop_assert!(*begun.last().unwrap() >= now);
            }
            let width = usize::try_from(most.get()).unwrap();
            for pair in begun.windows(width + 1) {
                prop_assert!(pair[width] >= pair[0] + within);
            }
        }
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let now = Instant::now();
        let mut queue = Queue::new(per_second(1));
        queue.pause(now, Duration::from_mins(1));
        queue.pause(now, Duration::from_secs(5));
        assert_eq!(queue.reserve(now), now + Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_begins_while_a_request_waits_holds_that_request_too() {
        let limiter = Limiter::new(NonZeroUsize::MIN.saturating_add(1), per_second(1));
        let start = Instant::now();
        drop(limiter.turn().await);
        let (turn, ()) =
            tokio::join!(limiter.turn(), async { limiter.pause(Duration::from_secs(9)) });
        assert!(turn.is_some());
        assert!(start.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn after_trouble_fewer_requests_are_under_way_until_answers_are_good_again() {
        let limiter = Limiter::new(NonZeroUsize::new(4).unwrap(), per_second(1_000));
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
        let limiter = Limiter::new(NonZeroUsize::MIN, per_second(1_000));
        let first = limiter.turn().await;
        let second = tokio::time::timeout(Duration::from_mins(1), limiter.turn()).await;
        assert!(second.is_err());
        drop(first);
        assert!(limiter.turn().await.is_some());
    }
}
