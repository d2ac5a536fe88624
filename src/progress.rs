//! How far a run is, for whoever waits for it.
//!
//! Owns what a run is doing with Linq at this moment, and how much of it is done.
//! Leaves showing it to the command line; nothing is decided by it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// What takes time in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressStage {
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
pub struct ProgressReading {
    /// What the run is doing.
    pub stage: ProgressStage,
    /// Since when.
    pub since: Instant,
    /// How much of the stage is done.
    pub done: u64,
    /// How much there is; `None` as long as nobody knows.
    pub of: Option<u64>,
}

/// Shows how far a run is. Clones show the same.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Mutex<ProgressReading>>);

impl Default for Progress {
    fn default() -> Progress {
        let level = ProgressReading {
            stage: ProgressStage::Beginning,
            since: Instant::now(),
            done: 0,
            of: None,
        };
        Progress(Arc::new(Mutex::new(level)))
    }
}

impl Progress {
    /// The run begins with something of which there is so much.
    pub fn begin_stage(&self, stage: ProgressStage, of: Option<u64>) {
        self.change_reading(|level| {
            *level = ProgressReading { stage, since: Instant::now(), done: 0, of }
        });
    }

    /// So much more of it is done.
    pub fn advance_by(&self, more: usize) {
        self.change_reading(|level| level.done += u64::try_from(more).unwrap_or(0));
    }

    /// What it shows now.
    pub fn current_reading(&self) -> ProgressReading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_reading(&self, change: impl FnOnce(&mut ProgressReading)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
