//! The whole engine, played through thousands of seeded histories: the real run,
//! client, state and file, against the sandbox in process, in virtual time.
//!
//! People edit both sides between runs and during them; requests fail in every way,
//! with and without their effect; the process is killed at any event. After each
//! run, and when everything has become quiet, the promises are checked: nothing
//! that somebody typed is lost, nobody is created twice or rises again, nothing is
//! deleted without proof, both sides agree but for what is listed, the report tells
//! the truth, and a run without edits writes nothing.
//!
//! The same seed plays the same history. To play one, some, or many:
//!
//! ```sh
//! LINQSYNC_SIM_SEED=17 cargo test --test suite simulation -- --nocapture
//! LINQSYNC_SIM_FIRST=1000 LINQSYNC_SIM_HISTORIES=20000 cargo test --test suite \
//!     simulation::thousands -- --nocapture
//! ```
//!
//! A history that fails is made smaller before it is shown. The JSON that it shows
//! then can be put into the directory `found`, whose histories are played in every
//! test run, and into a file to be shown again:
//!
//! ```sh
//! LINQSYNC_SIM_FILE=/tmp/history.json cargo test --test suite simulation::thousands -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test a surprise is a failure, and people read what it says"
)]

mod check;
mod desk;
mod draw;
mod driver;
mod ledger;
mod people;
mod scenario;
mod sheet;
mod shrink;
mod texts;
mod wire;
mod world;

use std::collections::BTreeMap;

use driver::{Played, play};
use scenario::Scenario;

/// How many histories are played in a normal test run.
const HISTORIES: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn read(file: &str) -> Scenario {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Plays `scenario`; if it fails, shows the smallest part of it that fails alike.
fn must_hold(name: &str, scenario: &Scenario) -> Played {
    let played = play(scenario);
    if let Some(violation) = played.violations.first() {
        let small = shrink::smaller(scenario, violation);
        let log = play(&small).log.join("\n");
        let json = serde_json::to_string(&small).unwrap();
        panic!("{name} fails: {violation}\n\nmade smaller:\n{json}\n\n{log}\n");
    }
    played
}

#[test]
fn thousands_of_histories_keep_every_promise() {
    let seed = number("LINQSYNC_SIM_SEED");
    let file = std::env::var("LINQSYNC_SIM_FILE").ok();
    if let Some(scenario) = seed.map(draw::scenario).or(file.as_deref().map(read)) {
        eprintln!("{}", serde_json::to_string(&scenario).unwrap());
        eprintln!("{}", must_hold("this history", &scenario).log.join("\n"));
        return;
    }
    let first = number("LINQSYNC_SIM_FIRST").unwrap_or(0);
    let histories = number("LINQSYNC_SIM_HISTORIES").unwrap_or(HISTORIES);
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    let mut failed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seed in first..first + histories {
        let played = play(&draw::scenario(seed));
        if let Some(violation) = played.violations.first() {
            eprintln!("seed {seed}: {violation}");
            failed.entry(shrink::kind(violation)).or_default().push(seed);
        }
        for (what, times) in played.met {
            *met.entry(what).or_default() += times;
        }
    }
    eprintln!("{histories} histories");
    for (what, times) in &met {
        eprintln!("{times:>9}  {what}");
    }
    for (kind, seeds) in &failed {
        eprintln!("{:>9}  {kind}: {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    if let Some(seed) = failed.into_values().filter_map(|seeds| seeds.first().copied()).min() {
        must_hold(&format!("seed {seed}"), &draw::scenario(seed));
    }
}

#[test]
fn every_history_that_once_failed_holds() {
    let found = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/simulation/found");
    let mut files: Vec<_> =
        std::fs::read_dir(found).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let file = file.to_string_lossy();
        let (scenario, played) = (read(&file), must_hold(&file, &read(&file)));
        let kills = scenario.acts.iter().filter(|act| act.kills()).count();
        let killed = played.log.iter().filter(|line| line.contains("killed: ")).count();
        assert_eq!(killed, kills, "{file} no longer kills where it did");
    }
}

#[test]
fn the_same_seed_plays_the_same_history() {
    for seed in 0..10 {
        let scenario = draw::scenario(seed);
        let (one, other) = (play(&scenario), play(&scenario));
        let differs = one.log.iter().zip(&other.log).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.log.len(), other.log.len(), "seed {seed}");
    }
}
