//! How many requests a client has sent.
//!
//! Owns the counts and the budget for retries that follows from them.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::request::Call;

/// Retries that a client may always make.
const FREE_RETRIES: u64 = 20;
/// Beyond those, one retry for so many first attempts.
const REQUESTS_PER_RETRY: u64 = 5;

/// Attempts by kind of call, retries included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCounts {
    /// Pages of the listing, and checks of the token.
    pub list: u64,
    /// Searches by e-mail or phone number.
    pub find: u64,
    /// Contacts asked for by id.
    pub get: u64,
    /// Creates.
    pub create: u64,
    /// Updates, by PATCH or PUT.
    pub update: u64,
    /// Deletions.
    pub delete: u64,
    /// How many of all these were not the first attempt.
    pub retries: u64,
}

impl RequestCounts {
    /// Whether one more retry stays within the budget: 20, and one more for every
    /// five requests. A Linq that fails all the time is not asked all the time.
    fn allow_retry(&self) -> bool {
        let sent = self.list + self.find + self.get + self.create + self.update + self.delete;
        self.retries < FREE_RETRIES + (sent - self.retries) / REQUESTS_PER_RETRY
    }

    fn count_of(&mut self, call: Call) -> &mut u64 {
        match call {
            Call::List { .. } => &mut self.list,
            Call::FindByEmail | Call::FindByPhone | Call::FindByEither => &mut self.find,
            Call::Get(_) => &mut self.get,
            Call::Create => &mut self.create,
            Call::Update(_) => &mut self.update,
            Call::Delete(_) => &mut self.delete,
        }
    }
}

/// Counts while requests are under way.
#[derive(Default)]
pub(super) struct Counter(Mutex<RequestCounts>);

impl Counter {
    /// Counts the `attempt`th attempt (from 1) of `call`.
    pub(super) fn count(&self, call: Call, attempt: u32) {
        self.with_counts(|counts| {
            *counts.count_of(call) += 1;
            counts.retries += u64::from(attempt > 1);
        });
    }

    /// Counts the next attempt of some call as a retry.
    pub(super) fn count_retry(&self) {
        self.with_counts(|counts| counts.retries += 1);
    }

    pub(super) fn so_far(&self) -> RequestCounts {
        self.with_counts(|counts| *counts)
    }

    pub(super) fn allow_retry(&self) -> bool {
        self.with_counts(|counts| counts.allow_retry())
    }

    fn with_counts<T>(&self, look: impl FnOnce(&mut RequestCounts) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_twenty_retries_and_a_fifth_of_the_requests() {
        let counter = Counter::default();
        for _ in 0..10 {
            counter.count(Call::Create, 1);
        }
        let mut retries = 0;
        while counter.allow_retry() {
            counter.count(Call::Create, 2);
            retries += 1;
        }
        assert_eq!(retries, 22);
        assert_eq!(
            counter.so_far(),
            RequestCounts { create: 32, retries: 22, ..RequestCounts::default() }
        );
    }
}
