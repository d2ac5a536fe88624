//! Real progress, which is what the watchdog is fed by.
//!
//! Owns watching requests and their ends on the way between a run and Linq, and how
//! long there may be none in a run that is well. A free-running timer would keep a
//! stuck daemon alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::linq::{Call, Sending, Transport};

/// How long a run may go without any request ending: the longest wait that Linq may
/// ask for, and a request that times out after it.
const PATIENCE: Duration = Duration::from_mins(20);

/// Counts what happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Something happened.
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The beginning or the end of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beat {
    /// It is about to be sent.
    Begins,
    /// It has ended, with this status or none.
    Ended {
        /// Its kind.
        call: &'static str,
        /// The status of the answer, if there was one.
        status: Option<u16>,
        /// How long it took.
        took: Duration,
    },
}

/// A transport that tells of the beginning and of the end of each request.
pub(crate) struct Metered<F> {
    /// What carries the requests.
    pub(crate) transport: Arc<dyn Transport>,
    /// Who is told.
    pub(crate) tell: F,
}

impl<F: Fn(Beat) + Send + Sync> Transport for Metered<F> {
    fn send(&self, request: http::Request<Bytes>) -> Sending<'_> {
        (self.tell)(Beat::Begins);
        let call = request.extensions().get::<Call>().map_or("other", |call| call.kind());
        Box::pin(async move {
            let start = Instant::now();
            let ended = self.transport.send(request).await;
            let status = ended.as_ref().ok().map(|answer| answer.status().as_u16());
            (self.tell)(Beat::Ended { call, status, took: start.elapsed() });
            ended
        })
    }
}

/// Tells a run that is well from one that is stuck.
pub(crate) struct Watchdog {
    pulse: Pulse,
    seen: u64,
    since: Instant,
    /// How much longer than [`PATIENCE`] nothing need happen: `linq.settle`.
    besides: Duration,
}

impl Watchdog {
    /// Begins to watch.
    pub(crate) fn watch_pulse(pulse: &Pulse, besides: Duration) -> Watchdog {
        Watchdog { pulse: pulse.clone(), seen: pulse.count(), since: Instant::now(), besides }
    }

    /// Whether there was progress lately.
    pub(crate) fn is_real(&mut self) -> bool {
        let count = self.pulse.count();
        if count != self.seen {
            (self.seen, self.since) = (count, Instant::now());
        }
        self.since.elapsed() <= PATIENCE.saturating_add(self.besides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_without_any_request_is_stuck_after_a_while_and_not_after_a_long_one() {
        let pulse = Pulse::default();
        let mut progress = Watchdog::watch_pulse(&pulse, Duration::from_mins(1));
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_mins(15)).await;
            pulse.beat();
            assert!(progress.is_real());
        }
        tokio::time::advance(Duration::from_mins(21)).await;
        assert!(progress.is_real());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!progress.is_real());
        pulse.beat();
        assert!(progress.is_real());
    }
}
