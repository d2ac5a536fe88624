//! One linqsync for each state and each source.

use crate::harness::{EndedProcess, PrintedRun, Process, World, people, wait_until};

/// A daemon that has made its first run and waits for the next.
fn daemon(world: &mut World) -> Process {
    world.set("sync.schedule", "\"every 1h\"");
    let daemon = world.start(&["-v"]);
    wait_until("the daemon has made its first run", || daemon.stderr().contains("nothing to do"));
    daemon
}

#[track_caller]
fn expect_held(ended: EndedProcess, holder: &Process, what: &str) {
    let run = PrintedRun::of(ended).expect(7);
    for word in [&format!("pid {}", holder.pid()), "running since 20", what] {
        assert!(run.message().contains(word), "no {word:?} in {}", run.message());
    }
}

#[test]
fn a_second_daemon_on_the_same_state_ends_at_once_and_names_the_first() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.watch", "false");
    let daemon = daemon(&mut world);
    world.linq().forget_requests();
    world.edit("Title 001", "Chief");
    expect_held(world.run(&["--json"]), &daemon, "state");
    assert_eq!(world.linq().requests(), []);
    daemon.terminate();
    daemon.ended().expect(0);
    assert_eq!(world.once().expect(0).linq(), [2, 0, 1, 0]);
}

#[test]
fn a_run_beside_another_that_is_no_daemon_ends_at_once_and_names_it() {
    let world = World::synced(&people::csv(1..=2));
    world.fault("list delay=2s times=1");
    let first = world.start(&["--once", "--json"]);
    wait_until("the listing was asked for", || !world.linq().requests().is_empty());
    expect_held(world.run(&["--once", "--json"]), &first, "state");
    PrintedRun::of(first.ended()).expect(0);
}

#[test]
fn a_second_process_on_the_same_source_with_another_state_ends_at_once_and_names_the_first() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = daemon(&mut world);
    world.linq().forget_requests();
    let mut second = world.command(&["--once", "--json"]);
    second.env("LINQSYNC_STATE__DIR", world.path("another-state"));
    expect_held(Process::start(second).ended(), &daemon, "contacts.csv");
    assert_eq!(world.linq().requests(), []);
    drop(daemon);
}

#[test]
fn after_a_kill_a_new_run_works_at_once() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = daemon(&mut world);
    daemon.kill();
    world.edit("Title 001", "Chief");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 1, 0]);
    world.expect_silence();
}

#[test]
fn two_runs_at_the_same_moment_create_nobody_twice() {
    let world = World::with_csv(&people::csv(1..=20));
    world.fault("create delay=20ms");
    let started: Vec<Process> = (0..4).map(|_| world.start(&["--once", "--json"])).collect();
    let codes = started.into_iter().map(|process| PrintedRun::of(process.ended()).ended.code);
    let (won, lost): (Vec<_>, Vec<_>) = codes.partition(|code| *code == Some(0));
    assert!(!won.is_empty() && lost.iter().all(|code| *code == Some(7)), "{lost:?}");
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.linq().clear_faults();
    world.expect_silence();
}
