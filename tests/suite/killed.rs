//! SIGKILL in the middle of creating people.

use linqsync::sandbox::RouteKind;

use crate::harness::{World, people, wait_until};

/// A hundred people, every tenth of whom has nothing but names: find cannot see
/// them.
fn hundred() -> String {
    let row = |n: usize| match n % 10 {
        0 => format!("First{n:03},Last{n:03},,,,\n"),
        _ => people::row(n),
    };
    (1..=100).fold(people::HEADER.to_owned(), |text, n| text + &row(n))
}

/// Kills a run when the `nth` create arrives at a Linq that takes its time, and
/// expects the next run to end as if there had been no other.
fn killed_at(nth: usize) {
    let mut world = World::with_csv(&hundred());
    world.set("linq.settle", "\"2s\"");
    world.fault("create delay=30ms");
    let process = world.start(&["--once"]);
    wait_until("enough creates have arrived", || world.requests(RouteKind::Create).len() >= nth);
    process.kill();

    let run = world.once().expect(0);
    assert_eq!((run.count("in_sync"), run.source()), (100, [100, 0, 0, 0]), "killed at {nth}");
    assert_eq!(run.count("linked"), 0, "killed at {nth}: who was created is not who was there");
    assert_eq!(world.linq().contacts().len(), 100, "killed at {nth}");
    assert_eq!(world.people_in_linq(), world.people_in_csv(), "killed at {nth}");
    world.linq().clear_faults();
    world.expect_silence();
}

#[test]
fn a_run_that_is_killed_at_its_first_create_is_finished_by_the_next() {
    killed_at(1);
}

#[test]
fn a_run_that_is_killed_in_the_middle_is_finished_by_the_next() {
    killed_at(10);
    killed_at(47);
}

#[test]
fn a_run_that_is_killed_at_its_last_create_is_finished_by_the_next() {
    killed_at(100);
}

#[test]
fn a_run_that_is_killed_again_and_again_is_finished_in_the_end() {
    let mut world = World::with_csv(&hundred());
    world.set("linq.settle", "\"1s\"");
    world.fault("create delay=20ms");
    for nth in [5, 30, 31, 60, 90] {
        let process = world.start(&["--once"]);
        wait_until("enough creates have arrived", || {
            world.requests(RouteKind::Create).len() >= nth || process.has_ended()
        });
        process.kill();
    }
    let run = world.once().expect(0);
    assert_eq!(run.count("in_sync"), 100);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.linq().clear_faults();
    world.expect_silence();
}
