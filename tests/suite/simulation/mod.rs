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
//! The same seed plays the same history, on any number of threads. `docs/proof.md` has
//! the commands that play one, some, or millions, says what is simulated and what is
//! not, and what was found.
//!
//! A history that fails is made smaller before it is shown. The JSON that it shows
//! then can be put into the directory `found`, whose histories are played in every
//! test run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "in a test a surprise is a failure, and people read what it says"
)]

mod check;
mod decide;
mod desk;
mod draw;
mod driver;
mod home;
mod ledger;
mod many;
mod office;
mod people;
mod scenario;
mod sheet;
mod shrink;
mod texts;
mod wire;
mod world;

use driver::{Played, play, play_on_disk};
use scenario::Scenario;
use world::SimTrace;

/// How many histories are played in a normal test run.
const HISTORIES: u64 = 2_000;

/// How many are played a second time, to be compared.
const COMPARED: u64 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn read(file: &str) -> Scenario {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What plays the history of `seed` alone.
fn named(seed: u64) -> String {
    let office = number("LINQSYNC_SIM_OFFICE").map_or("", |_| "LINQSYNC_SIM_OFFICE=1 ");
    format!("{office}LINQSYNC_SIM_SEED={seed}")
}

/// Plays `scenario`; if it fails, shows the smallest part of it that fails alike, and
/// the command that shows it again.
fn must_hold(name: &str, scenario: &Scenario) -> Played {
    let played = play(scenario, SimTrace::Kept);
    if let Some(violation) = played.violations.first() {
        let small = shrink::smaller(scenario, violation);
        let log = play(&small, SimTrace::Kept).log.join("\n");
        let json = serde_json::to_string(&small).unwrap();
        panic!(
            "{name} fails: {violation}\n\n{log}\n\nmade smaller, for LINQSYNC_SIM_FILE and \
             for the directory `found`:\n{json}\n\nplay it alone:\n{name} cargo test \
             --test suite simulation::thousands -- --nocapture\n"
        );
    }
    played
}

#[test]
fn thousands_of_histories_keep_every_promise() {
    if let Some(seed) = number("LINQSYNC_SIM_SEED") {
        let name = named(seed);
        eprintln!("{}", must_hold(&name, &draw::scenario(seed)).log.join("\n"));
        return;
    }
    if let Ok(file) = std::env::var("LINQSYNC_SIM_FILE") {
        // As it is: it may have been made smaller, or larger, on purpose.
        let played = play(&read(&file), SimTrace::Kept);
        eprintln!("{}", played.log.join("\n"));
        assert_eq!(played.violations, <[String; 0]>::default());
        return;
    }
    let first = number("LINQSYNC_SIM_FIRST").unwrap_or(0);
    let histories = number("LINQSYNC_SIM_HISTORIES").unwrap_or(HISTORIES);
    let tally = many::play_all(first..first + histories, many::threads());
    eprintln!("{tally}");
    if let Some(seed) = tally.first_failure() {
        must_hold(&named(seed), &draw::scenario(seed));
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
        let scenario = read(&file);
        let played = must_hold(&format!("LINQSYNC_SIM_FILE={file}"), &scenario);
        let kills = scenario.acts.iter().filter(|act| act.kills()).count();
        let killed = played.log.iter().filter(|line| line.contains("killed: ")).count();
        assert_eq!(killed, kills, "{file} no longer kills where it did");
        must_agree(&file, &played, &play_on_disk(&scenario));
    }
}

fn must_agree(name: &str, one: &Played, other: &Played) {
    let differs = one.log.iter().zip(&other.log).find(|(one, other)| one != other);
    assert_eq!(differs, None, "{name}");
    assert_eq!(one.log.len(), other.log.len(), "{name}");
}

#[test]
fn a_history_takes_the_same_course_on_disk_as_in_memory() {
    for seed in 0..COMPARED {
        let scenario = draw::scenario(seed);
        must_agree(
            &format!("seed {seed}"),
            &play(&scenario, SimTrace::Kept),
            &play_on_disk(&scenario),
        );
    }
}

#[test]
fn a_history_takes_the_same_course_in_every_process_and_on_any_number_of_threads() {
    const TARGET: &str = "LINQSYNC_SIM_TRACES";
    let traces = |threads| many::traces(0..COMPARED, threads);
    if let Ok(file) = std::env::var(TARGET) {
        std::fs::write(file, traces(many::threads())).unwrap();
        return;
    }
    let here = traces(1);
    assert_eq!(here.lines().count() as u64, COMPARED);
    let dir = tempfile::tempdir().unwrap();
    let name = "a_history_takes_the_same_course_in_every_process_and_on_any_number_of_threads";
    for threads in ["1", "3"] {
        let file = dir.path().join(threads);
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{}::{name}", module_path!().split_once("::").unwrap().1)])
            .env(TARGET, &file)
            .env("LINQSYNC_SIM_THREADS", threads)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), here, "{threads} threads");
    }
}
