//! What is remembered of a Linq that does not work, from one run to the next and
//! across restarts.
//!
//! Owns the entry `linq_down` of the table `meta`, and when Linq may be asked again.
//! Leaves asking to [`crate::run`] and the schedule to the daemon.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::State;
use super::error::StateError;
use super::memory::{forget_value, recall_value, remember_value};
use crate::model::Timestamp;

pub(super) const LINQ_DOWN: &str = "linq_down";

/// How long a refused token, or a Linq that fails again and again, is left alone.
const LONGEST: TimeDelta = TimeDelta::minutes(15);

/// Why Linq was not to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyDown {
    /// It cannot be reached, or fails.
    Failing,
    /// It refuses the token.
    TokenRefused,
    /// It asked to be left alone for a while.
    AskedToWait,
}

impl WhyDown {
    /// All of them.
    pub const ALL: [WhyDown; 3] = [WhyDown::Failing, WhyDown::TokenRefused, WhyDown::AskedToWait];

    /// The name for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            WhyDown::Failing => "failing",
            WhyDown::TokenRefused => "token_refused",
            WhyDown::AskedToWait => "asked_to_wait",
        }
    }
}

/// A Linq that does not work. As text: `Linq down since 12:04, next probe 12:09 UTC`,
/// with the day if that was another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinqDown {
    /// Why.
    pub why: WhyDown,
    /// Since when.
    pub since: Timestamp,
    /// When it may be asked again without somebody asking for it.
    pub next_attempt: Timestamp,
    /// How many runs it has ended.
    pub runs: u32,
}

impl LinqDown {
    /// What is remembered after a run that ended at `now` for this reason. A Linq that
    /// fails is left alone for a minute first, and twice as long each time.
    #[must_use]
    pub fn after_failure(before: Option<LinqDown>, why: WhyDown, now: Timestamp) -> LinqDown {
        let before = before.filter(|before| before.why == why);
        let runs = before.map_or(0, |before| before.runs).saturating_add(1);
        let wait = match why {
            WhyDown::TokenRefused => LONGEST,
            WhyDown::Failing | WhyDown::AskedToWait => {
                let doubled = 2_i32.saturating_pow(runs.saturating_sub(1).min(10));
                (TimeDelta::minutes(1) * doubled).min(LONGEST)
            }
        };
        let asked = before.filter(|_| why == WhyDown::AskedToWait).map(|b| b.next_attempt);
        LinqDown {
            why,
            since: before.map_or(now, |before| before.since),
            next_attempt: asked.filter(|asked| *asked > now).unwrap_or(now + wait),
            runs,
        }
    }

    /// How much longer Linq is to be left alone; never more than 15 minutes, however
    /// the clock was set meanwhile.
    pub fn wait_left(&self, now: Timestamp) -> TimeDelta {
        (self.next_attempt - now).clamp(TimeDelta::zero(), LONGEST)
    }

    /// Whether it may be asked again at `now`. A time further ahead than it is ever left
    /// alone means that the clock was set back.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let left = self.next_attempt - now;
        left <= TimeDelta::zero() || left > LONGEST
    }
}

impl fmt::Display for LinqDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            WhyDown::Failing => "Linq down",
            WhyDown::TokenRefused => "Linq has refused the token",
            WhyDown::AskedToWait => "rate limited by Linq (HTTP 429 or 503)",
        };
        let next = self.next_attempt.format("%H:%M");
        let is_today = self.since.date_naive() == self.next_attempt.date_naive();
        let since = if is_today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        write!(f, "{what} since {}, next probe {next} UTC", self.since.format(since))
    }
}

impl State {
    /// The trouble with Linq, if the last run ended in it.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn linq_down(&self) -> Result<Option<LinqDown>, StateError> {
        self.with_connection(|conn| recall_value(conn, LINQ_DOWN))
    }

    /// Remembers that Linq does not work, or that it does.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_linq_down(&self, down: Option<&LinqDown>) -> Result<(), StateError> {
        self.write(|tx| match down {
            Some(down) => remember_value(tx, LINQ_DOWN, down),
            None => forget_value(tx, LINQ_DOWN),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{at, empty_state};

    #[test]
    fn a_linq_that_fails_is_asked_less_and_less_often_and_never_given_up() {
        let minute = |n: i64| at(0) + TimeDelta::minutes(n);
        let mut down = None;
        let mut waits = Vec::new();
        for n in 0..7 {
            let next = LinqDown::after_failure(down, WhyDown::Failing, minute(n));
            assert_eq!(next.since, minute(0));
            waits.push(next.wait_left(minute(n)).num_minutes());
            down = Some(next);
        }
        assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15]);
    }

    #[test]
    fn a_refused_token_is_tried_every_quarter_of_an_hour() {
        let failing = LinqDown::after_failure(None, WhyDown::Failing, at(0));
        let refused = LinqDown::after_failure(Some(failing), WhyDown::TokenRefused, at(60));
        assert_eq!((refused.since, refused.runs), (at(60), 1));
        assert_eq!(refused.wait_left(at(60)), TimeDelta::minutes(15));
        assert_eq!(refused.wait_left(at(-9_000_000)), TimeDelta::minutes(15), "a clock set back");
        assert_eq!(refused.wait_left(at(9_000_000)), TimeDelta::zero());
        assert!(!refused.is_over(at(60)) && refused.is_over(at(60 + 900)));
        assert!(refused.is_over(at(-9_000_000)), "a clock set back");
    }

    #[test]
    fn it_is_remembered_in_plain_words_until_linq_works_again() {
        let state = empty_state();
        assert_eq!(state.linq_down().unwrap(), None);
        let down = LinqDown::after_failure(None, WhyDown::Failing, at(0));
        state.remember_linq_down(Some(&down)).unwrap();
        assert_eq!(state.linq_down().unwrap(), Some(down));
        assert_eq!(down.next_attempt, at(60));
        assert_eq!(down.to_string(), "Linq down since 08:00, next probe 08:01 UTC");
        let later = LinqDown { next_attempt: at(86_400), ..down };
        assert_eq!(later.to_string(), "Linq down since 2027-01-15 08:00, next probe 08:00 UTC");
        state.remember_linq_down(None).unwrap();
        assert_eq!(state.linq_down().unwrap(), None);
    }
}
