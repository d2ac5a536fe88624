//! How long to wait before asking again.
//!
//! Owns two pure functions: the wait, and what `Retry-After` means. Leaves
//! whether to ask again to the client.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// The longest wait that Linq may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);

/// Exponential backoff with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait after the first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest wait after any failure.
    pub cap: Duration,
}

impl Default for Backoff {
    /// Half a second, doubling up to half a minute.
    fn default() -> Backoff {
        Backoff { base: Duration::from_millis(500), cap: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait after the `failures`th failure (counted from 1): `random`
    /// (from 0 up to 1) of the longest wait, and never less than `retry_after`.
    pub fn wait_after(
        &self,
        failures: u32,
        random: f64,
        retry_after: Option<Duration>,
    ) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        longest.mul_f64(random.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default())
    }
}

/// What the answer's `Retry-After` asks for (RFC 9110, section 10.2.3), at most
/// 15 minutes. A date counts from the answer's own `Date`, so that the clock of
/// this machine does not matter. What is neither, or is over already, is ignored.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let asked = text(RETRY_AFTER)?;
    let wait = if !asked.is_empty() && asked.bytes().all(|b| b.is_ascii_digit()) {
        asked.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(asked).ok()?;
        let now = httpdate::parse_http_date(text(DATE)?).ok()?;
        until.duration_since(now).ok()?
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(retry: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_quarter_of_an_hour() {
        const NOON: &str = "Fri, 20 Nov 2026 12:00:00 GMT";
        let seconds = |n| Some(Duration::from_secs(n));
        let cases = [
            ("7", None, seconds(7)),
            (" 7 ", None, seconds(7)),
            ("0", None, seconds(0)),
            ("900", None, seconds(900)),
            ("315360000", None, seconds(900)),
            ("99999999999999999999999", None, seconds(900)),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("", None, None),
            ("Fri, 20 Nov 2026 12:00:42 GMT", Some(NOON), seconds(42)),
            ("Fri, 20 Nov 2026 12:00:42 GMT", None, None),
            ("Fri, 20 Nov 2026 12:00:42 GMT", Some("noon"), None),
            ("Fri, 20 Nov 2026 11:59:59 GMT", Some(NOON), None),
            ("Thu, 20 Nov 2036 12:00:00 GMT", Some(NOON), seconds(900)),
        ];
        for (retry, date, expected) in cases {
            assert_eq!(asked(retry, date), expected, "{retry:?} at {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let waits: Vec<u128> = [1, 2, 3, 6, 7, 8, u32::MAX]
            .map(|n| Backoff::default().wait_after(n, 1.0, None).as_millis())
            .into();
        assert_eq!(waits, [500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_asked_nor_longer_than_needed(
            failures in 0_u32..100, random in 0.0..1.0_f64, asked in proptest::option::of(0_u64..900),
        ) {
            let asked = asked.map(Duration::from_secs);
            let wait = Backoff::default().wait_after(failures, random, asked);
            prop_assert!(wait >= asked.unwrap_or_default());
            prop_assert!(wait <= asked.unwrap_or_default().max(Duration::from_secs(30)));
        }
    }
}
