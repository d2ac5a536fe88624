//! SIGTERM and SIGINT to a single run.

use std::time::{Duration, Instant};

use linqsync::sandbox::RouteKind;

use crate::harness::{PrintedRun, Process, World, people, wait_until};

/// How long an end that was asked for may take.
const SOON: Duration = Duration::from_secs(5);

/// How long what is under way gets after the first signal.
const GRACE: Duration = Duration::from_secs(3);

#[track_caller]
fn ended_soon(process: Process, code: i32) -> PrintedRun {
    let asked = Instant::now();
    let run = PrintedRun::of(process.ended()).expect(code);
    assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    run
}

/// A run that waits for a Linq that does not answer.
fn stuck() -> (World, Process) {
    let world = World::synced(&people::csv(1..=2));
    world.edit("Title 001", "Chief");
    world.fault("list delay=30s");
    let process = world.start(&["--once", "--json"]);
    wait_until("the listing was asked for", || !world.linq().requests().is_empty());
    (world, process)
}

#[test]
fn sigterm_ends_a_run_with_143_although_linq_does_not_answer() {
    let (world, process) = stuck();
    process.terminate();
    ended_soon(process, 143);
    assert_eq!(world.writes(), []);
}

#[test]
fn sigint_ends_a_run_with_130_although_linq_does_not_answer() {
    let (_world, process) = stuck();
    process.interrupt();
    ended_soon(process, 130);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_world, process) = stuck();
    let asked = Instant::now();
    wait_until("it has ended", || {
        process.interrupt();
        process.has_ended()
    });
    assert_eq!(process.ended().code, Some(130));
    assert!(asked.elapsed() < GRACE, "it took {:?}", asked.elapsed());
}

#[test]
fn a_signal_in_the_middle_of_creating_loses_and_doubles_nobody() {
    let world = World::with_csv(&people::csv(1..=60));
    world.fault("create delay=50ms");
    let process = world.start(&["--once", "--json"]);
    wait_until("some were created", || world.requests(RouteKind::Create).len() >= 20);
    process.terminate();
    let run = ended_soon(process, 143);
    let there = world.linq().contacts().len() as u64;
    assert!((20..60).contains(&there), "{there}");
    assert_eq!(run.linq()[1], there, "what was under way was brought to its end and counted");
    world.linq().clear_faults();
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.count("in_sync")), (60 - there, 60));
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn sigterm_ends_a_plan_too() {
    let world = World::synced(&people::csv(1..=2));
    world.fault("list delay=30s");
    let process = world.start(&["plan", "--json"]);
    wait_until("the listing was asked for", || !world.linq().requests().is_empty());
    process.terminate();
    ended_soon(process, 143);
}

#[test]
fn sigterm_ends_the_wait_for_an_unanswered_create_which_the_next_run_clears_up() {
    let mut world = World::with_csv("First Name\nAda\n");
    world.set("linq.settle", "\"1m\"");
    world.fault("create drop-after");
    let process = world.start(&["--once", "--json"]);
    wait_until("it waits", || process.stderr().contains("no answer to a create"));
    process.terminate();
    ended_soon(process, 143);
    world.linq().clear_faults();
    world.set("linq.settle", "\"200ms\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("in_sync")), ([1, 1, 0, 0], 1));
    assert_eq!(world.requests(RouteKind::Create).len(), 1);
    world.expect_silence();
}
