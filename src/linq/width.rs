//! How many requests may be under way at a time, by how Linq takes them.
//!
//! Owns the rule, as values: half as many after trouble or when answers take far
//! longer than they did, one more after many good answers. Leaves the places
//! themselves to [`super::limit`].

use std::time::Duration;

/// Answers that take this much longer than the usual ones are no sign of anything.
const UNNOTICED: Duration = Duration::from_millis(500);
/// How many times the usual time is too long.
const TOO_LONG: u32 = 3;

/// What follows for the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WidthChange {
    Keep,
    /// So many fewer.
    Narrow(usize),
    /// One more.
    Widen,
}

/// How wide the way to Linq is.
#[derive(Debug)]
pub(super) struct Width {
    most: usize,
    now: usize,
    /// Good answers since the last change.
    good: usize,
    /// The moving average of the times that answers take, and the lowest it was.
    average: Option<Duration>,
    lowest: Duration,
}

impl Width {
    /// As wide as it may be.
    pub(super) fn new(most: usize) -> Width {
        Width { most, now: most, good: 0, average: None, lowest: Duration::MAX }
    }

    /// A good answer came, and it took so long.
    pub(super) fn note_answer(&mut self, took: Duration) -> WidthChange {
        let average = self.average.map_or(took, |average| (average * 7 + took) / 8);
        self.average = Some(average);
        self.lowest = self.lowest.min(average);
        self.good += 1;
        let slow = average > self.lowest * TOO_LONG + UNNOTICED;
        if slow && self.good >= self.now {
            return self.note_trouble();
        }
        if slow || self.now == self.most || self.good < 8 * self.now {
            return WidthChange::Keep;
        }
        self.now += 1;
        self.good = 0;
        WidthChange::Widen
    }

    /// Linq refused to be asked that much, or did not answer.
    pub(super) fn note_trouble(&mut self) -> WidthChange {
        let fewer = self.now / 2;
        self.now -= fewer;
        self.good = 0;
        if fewer == 0 { WidthChange::Keep } else { WidthChange::Narrow(fewer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(80);

    #[test]
    fn trouble_halves_the_width_and_good_answers_restore_it_slowly() {
        let mut width = Width::new(8);
        assert_eq!(width.note_trouble(), WidthChange::Narrow(4));
        assert_eq!(width.note_trouble(), WidthChange::Narrow(2));
        assert_eq!(width.note_trouble(), WidthChange::Narrow(1));
        assert_eq!((width.note_trouble(), width.now), (WidthChange::Keep, 1));
        let changes: Vec<WidthChange> = (0..8).map(|_| width.note_answer(QUICK)).collect();
        assert_eq!(changes.iter().filter(|change| **change == WidthChange::Widen).count(), 1);
        for _ in 0..1_000 {
            width.note_answer(QUICK);
        }
        assert_eq!(width.now, 8, "never wider than configured");
    }

    #[test]
    fn answers_that_take_far_longer_than_they_did_narrow_it() {
        let mut width = Width::new(8);
        (0..20).for_each(|_| _ = width.note_answer(QUICK));
        assert_eq!(
            width.note_answer(Duration::from_secs(4)),
            WidthChange::Keep,
            "one is an accident"
        );
        let slow: Vec<WidthChange> =
            (0..3).map(|_| width.note_answer(Duration::from_secs(4))).collect();
        assert!(slow.contains(&WidthChange::Narrow(4)), "{slow:?}");
        (0..100).for_each(|_| _ = width.note_answer(Duration::from_secs(5)));
        assert_eq!(width.now, 1);
        (0..600).for_each(|_| _ = width.note_answer(QUICK));
        assert_eq!(width.now, 8);
    }

    #[test]
    fn a_linq_that_was_always_slow_is_not_taken_to_be_in_trouble() {
        let mut width = Width::new(4);
        for n in 0..200 {
            width.note_answer(Duration::from_millis(900 + n % 400));
        }
        assert_eq!(width.now, 4);
    }
}
