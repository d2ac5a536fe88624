//! How time passes for a source.
//!
//! Owns how long a file must have rested before it is believed. The clock and the
//! waiting are arguments: [`crate::open`] gives the real ones.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long a file must rest, and how that is found out.
#[derive(Clone)]
pub struct Pace {
    /// How long ago the last write to a file must be.
    pub quiet: Duration,
    /// Tells the time.
    pub now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    /// Waits.
    pub wait: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Pace {
    /// Time stands still, and every file is believed at once.
    pub fn still() -> Pace {
        Pace {
            quiet: Duration::ZERO,
            now: Arc::new(|| SystemTime::UNIX_EPOCH),
            wait: Arc::new(|_| {}),
        }
    }

    /// How long a file that was last written at `modified` must still rest; `None` if
    /// it may be believed. A time to come says nothing, as the file was written on
    /// another machine or before the clock was set.
    pub(crate) fn rest(&self, modified: SystemTime) -> Option<Duration> {
        let age = (self.now)().duration_since(modified).ok()?;
        self.quiet.checked_sub(age).filter(|rest| !rest.is_zero())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pace({:?})", self.quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_rests_as_long_as_is_left_of_the_quiet_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let quiet = Duration::from_secs(5);
        let pace = Pace { quiet, now: Arc::new(move || at(100)), ..Pace::still() };
        let rest = |modified| pace.rest(at(modified));
        assert_eq!(rest(97), Some(Duration::from_secs(2)));
        assert_eq!((rest(95), rest(0), rest(101)), (None, None, None));
        assert_eq!(Pace::still().rest(at(0)), None);
    }
}
