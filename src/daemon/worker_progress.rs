//! How far a run is, in words.
//!
//! Owns the words, which hold numbers and nothing of anybody, and the last of them that a
//! worker has said. Leaves counting to [`crate::progress`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::status::length_text;
use crate::progress::{ProgressReading, ProgressStage};

/// How long a stage goes on before its pace says anything.
const PACED: Duration = Duration::from_secs(2);

/// How far the run is that is being made. Clones know the same.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkerProgress(Arc<Mutex<Option<String>>>);

impl WorkerProgress {
    /// It is as far as this; `None` if nobody knows.
    pub(super) fn set_text(&self, words: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// How far it is.
    pub(super) fn get_text(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is done and how much of it, at which pace, and how long it will take.
pub(crate) fn how_far(level: ProgressReading, now: Instant, wait: Option<Duration>) -> String {
    let (doing, things) = match level.stage {
        ProgressStage::Beginning => ("reading the source", ""),
        ProgressStage::Listing => ("reading Linq", " contacts"),
        ProgressStage::Asking => ("asking Linq for contacts that it did not list", ""),
        ProgressStage::Writing => ("writing to Linq", " contacts"),
        ProgressStage::Settling => ("waiting to see whether Linq created a contact", ""),
        ProgressStage::Deleting => ("deleting in Linq", " contacts"),
    };
    let of = level.of.filter(|of| *of > 0);
    let amount = of.map_or_else(String::new, |of| {
        format!(": {} of {}{things}", group_thousands(level.done), group_thousands(of))
    });
    match (wait.filter(|wait| !wait.is_zero()), of) {
        (Some(wait), _) => {
            format!("{doing}{amount}; Linq asks for a pause of {} s", wait.as_secs() + 1)
        }
        (None, Some(of)) => doing.to_owned() + &amount + &rate_text(level, of, now),
        (None, None) => doing.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
fn rate_text(level: ProgressReading, of: u64, now: Instant) -> String {
    let elapsed = now.saturating_duration_since(level.since);
    if level.done == 0 || level.done >= of || elapsed < PACED {
        return String::new();
    }
    let rate = level.done as f64 / elapsed.as_secs_f64();
    let left = Duration::try_from_secs_f64((of - level.done) as f64 / rate);
    let left = left.ok().and_then(|left| TimeDelta::from_std(left).ok());
    let left = left.map_or_else(String::new, |left| {
        format!(", {} left", length_text(left.max(TimeDelta::seconds(1))))
    });
    match rate {
        10.0.. => format!(", {rate:.0} a second{left}"),
        _ => format!(", {rate:.1} a second{left}"),
    }
}

/// A number with commas between its thousands.
fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let (head, tail) = digits.split_at(first);
    tail.as_bytes()
        .chunks(3)
        .fold(head.to_owned(), |text, three| format!("{text},{}", String::from_utf8_lossy(three)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stage: ProgressStage, done: u64, of: Option<u64>, seconds: u64, wait: u64) -> String {
        let since = Instant::now();
        let wait = (wait > 0).then(|| Duration::from_secs(wait));
        how_far(
            ProgressReading { stage, since, done, of },
            since + Duration::from_secs(seconds),
            wait,
        )
    }

    #[test]
    fn how_far_it_is_at_which_pace_and_how_long_it_takes_is_told() {
        let lines = [
            told(ProgressStage::Beginning, 0, None, 0, 0),
            told(ProgressStage::Listing, 0, None, 40, 0),
            told(ProgressStage::Listing, 0, Some(0), 40, 0),
            told(ProgressStage::Listing, 100, Some(250), 1, 0),
            told(ProgressStage::Listing, 12_300, Some(100_000), 30, 0),
            told(ProgressStage::Asking, 1, Some(2), 0, 0),
            told(ProgressStage::Writing, 90, Some(1_234_567), 30, 11),
            told(ProgressStage::Writing, 3, Some(3), 30, 0),
            told(ProgressStage::Settling, 0, None, 10, 0),
            told(ProgressStage::Deleting, 99, Some(100), 10, 0),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        reading the source
        reading Linq
        reading Linq
        reading Linq: 100 of 250 contacts
        reading Linq: 12,300 of 100,000 contacts, 410 a second, 3m 33s left
        asking Linq for contacts that it did not list: 1 of 2
        writing to Linq: 90 of 1,234,567 contacts; Linq asks for a pause of 12 s
        writing to Linq: 3 of 3 contacts
        waiting to see whether Linq created a contact
        deleting in Linq: 99 of 100 contacts, 9.9 a second, 1s left
        ");
    }
}
