//! Many histories at once: one seed on one thread, on all cores.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::draw;
use super::driver::play;
use super::shrink;
use super::world::SimTrace;

/// What came of many histories.
#[derive(Default)]
pub(super) struct SeedTally {
    histories: u64,
    threads: usize,
    took: Duration,
    /// How often what was met.
    met: BTreeMap<String, u64>,
    /// The seeds that failed, by the kind of failure.
    failed: BTreeMap<String, Vec<(u64, String)>>,
}

/// How many threads there are to be.
pub(super) fn threads() -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    super::number("LINQSYNC_SIM_THREADS").map_or_else(cores, |n| usize::try_from(n).unwrap())
}

/// Plays the history of every seed.
pub(super) fn play_all(seeds: Range<u64>, threads: usize) -> SeedTally {
    let began = Instant::now();
    let tally = Mutex::new(SeedTally {
        histories: seeds.end - seeds.start,
        threads,
        ..SeedTally::default()
    });
    for_each(seeds, threads, &|seed| {
        let played = play(&draw::scenario(seed), SimTrace::Dropped);
        let mut tally = tally.lock().unwrap();
        if let Some(violation) = played.violations.first() {
            eprintln!("seed {seed}: {violation}");
            let alike = tally.failed.entry(shrink::kind(violation)).or_default();
            alike.push((seed, violation.clone()));
        }
        for (what, times) in played.met {
            *tally.met.entry(what).or_default() += times;
        }
    });
    SeedTally { took: began.elapsed(), ..tally.into_inner().unwrap() }
}

/// A line for each seed, with the hash of everything that happened in its history.
pub(super) fn traces(seeds: Range<u64>, threads: usize) -> String {
    let traces = Mutex::new(BTreeMap::new());
    for_each(seeds, threads, &|seed| {
        let log = play(&draw::scenario(seed), SimTrace::Kept).log.join("\n");
        traces.lock().unwrap().insert(seed, blake3::hash(log.as_bytes()));
    });
    let lines =
        traces.into_inner().unwrap().into_iter().map(|(seed, hash)| format!("{seed} {hash}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn for_each(seeds: Range<u64>, threads: usize, play: &(dyn Fn(u64) + Sync)) {
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    play(seed);
                }
            });
        }
    });
}

impl SeedTally {
    /// The smallest seed that failed.
    pub(super) fn first_failure(&self) -> Option<u64> {
        self.failed.values().flatten().map(|(seed, _)| *seed).min()
    }
}

impl fmt::Display for SeedTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.met {
            writeln!(f, "{times:>9}  {what}")?;
        }
        for (kind, seeds) in &self.failed {
            let mut numbers: Vec<u64> = seeds.iter().map(|(seed, _)| *seed).collect();
            numbers.sort_unstable();
            numbers.truncate(8);
            writeln!(f, "{:>9}  FAILED {kind}: {numbers:?}", seeds.len())?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.histories as f64 / self.took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let each = rate / self.threads as f64;
        write!(
            f,
            "{} histories on {} threads in {:.1} s: {rate:.0} a second, {each:.0} on each thread",
            self.histories,
            self.threads,
            self.took.as_secs_f64()
        )
    }
}
