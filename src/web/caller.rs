//! Whether a caller is still there.
//!
//! Owns that nothing begins for somebody who is told that it did not: what changes something
//! begins only while the caller waits, and once it has begun, the caller is told how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const WAITS: u8 = 0;
const ACTS: u8 = 1;
const GONE: u8 = 2;

/// A caller, for those who answer.
#[derive(Clone, Default)]
pub(super) struct Caller(Arc<AtomicU8>);

/// Says, once it is dropped, that the caller has gone.
pub(super) struct Presence(Caller);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Caller {
    /// A caller who is there until what is returned is dropped.
    pub(super) fn new() -> (Caller, Presence) {
        let caller = Caller::default();
        (caller.clone(), Presence(caller))
    }

    /// Whether they are still there.
    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst) != GONE
    }

    /// Begins to change something, if they are still there.
    pub(super) fn begin(&self) -> bool {
        self.turn_to(ACTS) != GONE
    }

    /// They go; `false` if something was begun.
    pub(super) fn leave(&self) -> bool {
        self.turn_to(GONE) != ACTS
    }

    /// What it is after it is `to`, if nothing was decided before.
    fn turn_to(&self, to: u8) -> u8 {
        match self.0.compare_exchange(WAITS, to, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => to,
            Err(now) => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begins_for_who_has_gone_and_who_goes_leaves_what_has_begun() {
        let (caller, presence) = Caller::new();
        assert!(caller.is_there());
        drop(presence);
        assert!(!caller.is_there() && !caller.begin() && caller.leave());
        let (caller, presence) = Caller::new();
        assert!(caller.begin() && caller.begin(), "several things of one form");
        assert!(!caller.leave());
        drop(presence);
        assert!(caller.is_there(), "it is told how it went");
    }
}
