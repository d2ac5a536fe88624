//! When the latest requests to Linq ended, from one run to the next.
//!
//! Owns that two runs in a row keep to one rate: each has a process and a client of its own,
//! and Linq counts the requests of both.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// More than this are not remembered. Who allows more within a second does not care.
const MOST: usize = 1_000;

/// When the latest requests ended. Clones know the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Arc<Mutex<VecDeque<Instant>>>);

impl Recent {
    /// A request has ended.
    pub(super) fn note_request(&self) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() == MOST {
            ended.pop_front();
        }
        ended.push_back(Instant::now());
    }

    /// How long ago each of them ended.
    pub(super) fn request_ages(&self) -> Vec<Duration> {
        let ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().map(Instant::elapsed).collect()
    }
}
