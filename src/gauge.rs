//! How far a run is, for whoever waits for it.
//!
//! Owns what a run is doing with Linq at this moment, and how much of it is done.
//! Leaves showing it to the command line; nothing is decided by it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// What takes time in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not asked Linq for anything yet.
    Beginning,
    /// Linq's listing is read; counted in contacts.
    Listing,
    /// Contacts that were not listed are asked for one by one.
    Asking,
    /// Contacts are created and updated in Linq.
    Writing,
    /// A create was not answered; whether it arrived shows later.
    Settling,
    /// Contacts are deleted in Linq.
    Deleting,
}

/// What a gauge shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What the run is doing.
    pub stage: Stage,
    /// Since when.
    pub since: Instant,
    /// How much of the stage is done.
    pub done: u64,
    /// How much there is; `None` as long as nobody knows.
    pub of: Option<u64>,
}

/// Shows how far a run is. Clones show the same.
#[derive(Clone, Debug)]
pub struct Gauge(Arc<Mutex<Level>>);

impl Default for Gauge {
    fn default() -> Gauge {
        let level = Level { stage: Stage::Beginning, since: Instant::now(), done: 0, of: None };
        Gauge(Arc::new(Mutex::new(level)))
    }
}

impl Gauge {
    /// The run begins with something of which there is so much.
    pub fn begin(&self, stage: Stage, of: Option<u64>) {
        self.change(|level| *level = Level { stage, since: Instant::now(), done: 0, of });
    }

    /// So much more of it is done.
    pub fn advance(&self, more: usize) {
        self.change(|level| level.done += u64::try_from(more).unwrap_or(0));
    }

    /// What it shows now.
    pub fn level(&self) -> Level {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Level)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
