//! What a channel was told last, and what a notification is made of.
//!
//! Owns the entry `notified` of the table `meta`. Leaves what is worth telling to
//! `notification`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::State;
use super::error::StateError;
use super::memory::{recall_value, remember_value};
use crate::model::Timestamp;

const NOTIFIED: &str = "notified";

/// What was told last, and how runs that end with their process have been going.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {
    /// The conflicts, ambiguous matches and rejected fields that were told, by digest.
    pub attention: BTreeSet<String>,
    /// What is held and was told, by digest.
    pub held: BTreeSet<String>,
    /// Whether it was told that runs fail.
    pub unhealthy: bool,
    /// How many one-shot runs in a row have failed.
    pub failures: u32,
    /// Since when they have.
    pub failing_since: Option<Timestamp>,
}

impl State {
    /// What was told last.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn notified(&self) -> Result<Notified, StateError> {
        Ok(self.with_connection(|conn| recall_value(conn, NOTIFIED))?.unwrap_or_default())
    }

    /// Remembers what was told, in place of what was told before.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_notified(&self, notified: &Notified) -> Result<(), StateError> {
        self.write(|tx| remember_value(tx, NOTIFIED, notified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::testing::{at, empty_state};

    #[test]
    fn what_was_told_is_remembered() {
        let state = empty_state();
        assert_eq!(state.notified().unwrap(), Notified::default());
        let told = Notified {
            attention: BTreeSet::from(["aa".to_owned()]),
            held: BTreeSet::new(),
            unhealthy: true,
            failures: 3,
            failing_since: Some(at(7)),
        };
        state.remember_notified(&told).unwrap();
        assert_eq!(state.notified().unwrap(), told);
    }
}
