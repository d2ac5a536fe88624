//! What only grows: numbers and durations that are counted, by labels.
//!
//! Owns counting, and going on from what an earlier process had counted: one that makes
//! a run and ends, under a timer, would else begin at nothing each time, and a rate of
//! that means nothing. Leaves keeping it to the state.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use serde::{Deserialize, Serialize};

/// Labels with their values, in the order in which they are shown.
pub(super) type Labels = Vec<(String, String)>;

/// Counts by labels. Clones count the same.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelledCounter(Arc<Mutex<BTreeMap<Labels, u64>>>);

impl LabelledCounter {
    /// So much more of it; nothing more lets it be shown.
    pub(super) fn add_count(&self, labels: &[(&str, &str)], more: u64) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        *lock_counts(&self.0).entry(labels.iter().map(owned).collect()).or_default() += more;
    }

    /// What it has come to.
    pub(super) fn total(&self) -> Vec<(Labels, u64)> {
        lock_counts(&self.0).iter().map(|(labels, count)| (labels.clone(), *count)).collect()
    }

    /// Goes on from what another had come to.
    pub(super) fn go_on_from(&self, total: Vec<(Labels, u64)>) {
        let mut counts = lock_counts(&self.0);
        for (labels, count) in total {
            *counts.entry(labels).or_default() += count;
        }
    }
}

impl EncodeMetric for LabelledCounter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, count) in self.total() {
            encoder.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// How often something took how long. Clones count the same.
#[derive(Clone, Debug)]
pub(super) struct Durations(Arc<Mutex<Spread>>);

/// How often something took how long: `counts` has one number for each of `bounds`, of
/// what took at most so many seconds and more than the bound before, and one for the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    sum: f64,
}

impl Durations {
    /// Nothing so far, to be counted between these bounds, in seconds.
    pub(super) fn with_bounds(bounds: &[f64]) -> Durations {
        let counts = vec![0; bounds.len() + 1];
        Durations(Arc::new(Mutex::new(Spread { bounds: bounds.to_vec(), counts, sum: 0.0 })))
    }

    /// Something took so many seconds.
    pub(super) fn observe(&self, seconds: f64) {
        let mut spread = lock_counts(&self.0);
        let place = spread.bounds.partition_point(|bound| *bound < seconds);
        if let Some(count) = spread.counts.get_mut(place) {
            *count += 1;
            spread.sum += seconds;
        }
    }

    /// What it has come to.
    pub(super) fn total(&self) -> Spread {
        lock_counts(&self.0).clone()
    }

    /// Goes on from what another had come to, if that was counted between the same bounds.
    pub(super) fn go_on_from(&self, total: &Spread) {
        let mut spread = lock_counts(&self.0);
        if spread.bounds == total.bounds && spread.counts.len() == total.counts.len() {
            for (count, more) in spread.counts.iter_mut().zip(&total.counts) {
                *count += more;
            }
            spread.sum += total.sum;
        }
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let Spread { mut bounds, counts, sum } = self.total();
        bounds.push(f64::INFINITY);
        let count = counts.iter().sum();
        let buckets: Vec<(f64, u64)> = bounds.into_iter().zip(counts).collect();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn lock_counts<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_a_bound_is_within_it() {
        let took = Durations::with_bounds(&[0.5, 2.0]);
        for seconds in [0.1, 0.5, 0.6, 2.0, 2.1, 100.0] {
            took.observe(seconds);
        }
        assert_eq!(took.total().counts, [2, 2, 2]);
        assert!((took.total().sum - 105.3).abs() < 1e-9);
    }

    #[test]
    fn what_was_counted_between_other_bounds_is_left_out() {
        let (took, other) = (Durations::with_bounds(&[0.5, 2.0]), Durations::with_bounds(&[0.5]));
        other.observe(0.1);
        took.go_on_from(&other.total());
        assert_eq!(took.total(), Durations::with_bounds(&[0.5, 2.0]).total());
        let same = Durations::with_bounds(&[0.5, 2.0]);
        same.observe(0.1);
        took.go_on_from(&same.total());
        took.go_on_from(&same.total());
        assert_eq!((took.total().counts, took.total().sum), (vec![2, 0, 0], 0.2));
    }
}
