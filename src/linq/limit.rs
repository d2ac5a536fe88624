//! How fast Linq is asked.
//!
//! Owns three limits: requests under way, fewer when Linq is in trouble; requests within
//! any second; and a pause for everybody when Linq says that it is too much. Leaves what a
//! pause costs to the caller.
//!
//! When a request reaches Linq nobody here knows: at some instant between its beginning and
//! its end. So a request counts from its beginning until a second after its end, and Linq
//! sees no more in any second than it should, however long requests are on their way.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::settings::Rate;
use super::width::{Width, WidthChange};

/// Lets requests begin, each in its turn.
pub(super) struct Limiter {
    places: Semaphore,
    width: Mutex<Narrowing>,
    /// Held by the request whose turn is next.
    next: tokio::sync::Mutex<()>,
    queue: Mutex<Queue>,
    ended: Notify,
}

/// The width, and how many places are to be given up as soon as they are free.
struct Narrowing {
    width: Width,
    owed: usize,
}

/// A request's turn, which ends when it is dropped.
pub(super) struct RequestTurn<'a> {
    place: Option<SemaphorePermit<'a>>,
    limiter: &'a Limiter,
    has_begun: bool,
}

impl Drop for RequestTurn<'_> {
    fn drop(&mut self) {
        if self.has_begun {
            self.limiter.with_queue(|queue| queue.end_request(Instant::now()));
            self.limiter.ended.notify_one();
        }
        let mut narrowing = self.limiter.lock_narrowing();
        if narrowing.owed > 0
            && let Some(place) = self.place.take()
        {
            narrowing.owed -= 1;
            place.forget();
        }
    }
}

impl Limiter {
    /// Nothing is under way. Requests of an earlier client ended so long ago, each of the
    /// `recent`.
    pub(super) fn new(concurrency: NonZeroUsize, rate: Rate, recent: &[Duration]) -> Limiter {
        let most = concurrency.get().min(Semaphore::MAX_PERMITS);
        Limiter {
            places: Semaphore::new(most),
            width: Mutex::new(Narrowing { width: Width::new(most), owed: 0 }),
            next: tokio::sync::Mutex::new(()),
            queue: Mutex::new(Queue::new(rate, Instant::now(), recent)),
            ended: Notify::new(),
        }
    }

    /// Waits until the next request may begin; it ends when the result is dropped.
    /// `None` never happens: it would mean that the places were closed, and
    /// nothing closes them.
    pub(super) async fn next_turn(&self) -> Option<RequestTurn<'_>> {
        let place = Some(self.places.acquire().await.ok()?);
        let mut turn = RequestTurn { place, limiter: self, has_begun: false };
        let _next = self.next.lock().await;
        loop {
            match self.with_queue(|queue| queue.begin_request(Instant::now())) {
                Begin::Now => {
                    turn.has_begun = true;
                    return Some(turn);
                }
                Begin::At(instant) => sleep_until(instant).await,
                Begin::AfterAnother => self.ended.notified().await,
            }
        }
    }

    /// For how long altogether no request could begin.
    pub(super) fn paused_time(&self) -> Duration {
        self.with_queue(|queue| queue.paused)
    }

    /// Lets no request begin for `wait` from now.
    pub(super) fn pause_for(&self, wait: Duration) {
        self.with_queue(|queue| queue.pause_until(Instant::now(), wait));
    }

    /// Takes note of a good answer.
    pub(super) fn note_answer(&self, took: Duration) {
        let change = self.lock_narrowing().width.note_answer(took);
        self.apply_change(change);
    }

    /// Takes note that Linq is in trouble, or asked too much.
    pub(super) fn note_trouble(&self) {
        let change = self.lock_narrowing().width.note_trouble();
        self.apply_change(change);
    }

    fn apply_change(&self, change: WidthChange) {
        let mut narrowing = self.lock_narrowing();
        match change {
            WidthChange::Keep => {}
            WidthChange::Narrow(fewer) => {
                narrowing.owed += fewer - self.places.forget_permits(fewer);
            }
            WidthChange::Widen if narrowing.owed > 0 => narrowing.owed -= 1,
            WidthChange::Widen => self.places.add_permits(1),
        }
    }

    fn lock_narrowing(&self) -> MutexGuard<'_, Narrowing> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_queue<T>(&self, with: impl FnOnce(&mut Queue) -> T) -> T {
        with(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When the next request may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Now,
    /// Not before this instant.
    At(Instant),
    /// As many are under way as may be within a span: not before one of them ends.
    AfterAnother,
}

/// When the next request may begin, at some rate.
struct Queue {
    most: usize,
    within: Duration,
    under_way: usize,
    /// When the latest requests ended, oldest first; with those under way never more than
    /// `most`.
    ended: VecDeque<Instant>,
    paused_until: Option<Instant>,
    /// All pauses together, each instant counted once.
    paused: Duration,
}

impl Queue {
    fn new(Rate { most, within }: Rate, now: Instant, recent: &[Duration]) -> Queue {
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        let mut ages = recent.to_vec();
        ages.sort_unstable();
        ages.truncate(most);
        let ended = ages.iter().rev().filter_map(|age| now.checked_sub(*age)).collect();
        Queue { most, within, under_way: 0, ended, paused_until: None, paused: Duration::ZERO }
    }

    fn begin_request(&mut self, now: Instant) -> Begin {
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Begin::At(until);
        }
        while self.ended.front().is_some_and(|ended| *ended + self.within <= now) {
            self.ended.pop_front();
        }
        if self.under_way + self.ended.len() < self.most {
            self.under_way += 1;
            return Begin::Now;
        }
        self.ended.front().map_or(Begin::AfterAnother, |oldest| Begin::At(*oldest + self.within))
    }

    fn end_request(&mut self, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended.push_back(now);
    }

    fn pause_until(&mut self, now: Instant, wait: Duration) {
        let until = now + wait;
        let from = self.paused_until.map_or(now, |paused| paused.max(now));
        self.paused += until.saturating_duration_since(from);
        self.paused_until = self.paused_until.max(Some(until));
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
        /// Whenever each request reaches Linq between its beginning and its end.
        #[test]
        fn no_span_of_time_sees_more_requests_than_allowed(
            most in 1_u32..8,
            within in 200_u64..4_000,
            requests in proptest::collection::vec((0_u64..700, 0_u64..900, 0_u64..900), 1..60),
            recent in proptest::collection::vec(0_u64..3_000, 0..12),
            pause_at in 0_usize..60,
        ) {
            let start = Instant::now() + Duration::from_mins(1);
            let (most, within) = (NonZeroU32::new(most).unwrap(), Duration::from_millis(within));
            let ages: Vec<Duration> = recent.into_iter().map(Duration::from_millis).collect();
            let mut queue = Queue::new(Rate { most, within }, start, &ages);
            let mut reached = Vec::new();
            let mut under_way: Vec<Instant> = Vec::new();
            let mut now = start;
            for (index, (gap, before, after)) in requests.into_iter().enumerate() {
                now += Duration::from_millis(gap);
                if index == pause_at {
                    queue.pause_until(now, Duration::from_secs(3));
                }
                loop {
                    under_way.sort_unstable();
                    while under_way.first().is_some_and(|end| *end <= now) {
                        queue.end_request(under_way.remove(0));
                    }
                    match queue.begin_request(now) {
                        Begin::Now => break,
                        Begin::At(at) => {
                            prop_assert!(at > now);
                            now = under_way.first().map_or(at, |end| at.min(*end));
                        }
                        Begin::AfterAnother => now = under_way[0],
                    }
                }
                reached.push(now + Duration::from_millis(before));
                under_way.push(now + Duration::from_millis(before + after));
            }
            reached.sort_unstable();
            let width = usize::try_from(most.get()).unwrap();
            for pair in reached.windows(width + 1) {
                prop_assert!(pair[width] >= pair[0] + within);
            }
        }
    }

    #[test]
    fn requests_of_an_earlier_client_count() {
        let now = Instant::now() + Duration::from_mins(1);
        let ages = [50, 900, 400, 2_000].map(Duration::from_millis);
        let mut queue = Queue::new(per_second(3), now, &ages);
        assert_eq!(queue.begin_request(now), Begin::At(now + Duration::from_millis(100)));
        let mut queue = Queue::new(per_second(4), now, &ages);
        assert_eq!(queue.begin_request(now), Begin::Now);
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let now = Instant::now();
        let mut queue = Queue::new(per_second(1), now, &[]);
        queue.pause_until(now, Duration::from_mins(1));
        queue.pause_until(now, Duration::from_secs(5));
        assert_eq!(queue.begin_request(now), Begin::At(now + Duration::from_mins(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_begins_while_a_request_waits_holds_that_request_too() {
        let limiter = Limiter::new(NonZeroUsize::MIN.saturating_add(1), per_second(1), &[]);
        let start = Instant::now();
        drop(limiter.next_turn().await);
        let (turn, ()) =
            tokio::join!(limiter.next_turn(), async { limiter.pause_for(Duration::from_secs(9)) });
        assert!(turn.is_some());
        assert!(start.elapsed() >= Duration::from_secs(9));
    }

    #[tokio::test(start_paused = true)]
    async fn after_trouble_fewer_requests_are_under_way_until_answers_are_good_again() {
        let limiter = Limiter::new(NonZeroUsize::new(4).unwrap(), per_second(1_000), &[]);
        let under_way = async || {
            let mut turns = Vec::new();
            while let Ok(turn) =
                tokio::time::timeout(Duration::from_secs(9), limiter.next_turn()).await
            {
                turns.push(turn);
            }
            turns.len()
        };
        assert_eq!(under_way().await, 4);
        let held = limiter.next_turn().await;
        limiter.note_trouble();
        limiter.note_trouble();
        assert_eq!(under_way().await, 0, "the one that is under way is the only one");
        drop(held);
        assert_eq!(under_way().await, 1);
        (0..100).for_each(|_| limiter.note_answer(Duration::from_millis(9)));
        assert_eq!(under_way().await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_are_under_way_than_there_are_places() {
        let limiter = Limiter::new(NonZeroUsize::MIN, per_second(1_000), &[]);
        let first = limiter.next_turn().await;
        let second = tokio::time::timeout(Duration::from_mins(1), limiter.next_turn()).await;
        assert!(second.is_err());
        drop(first);
        assert!(limiter.next_turn().await.is_some());
    }
}
