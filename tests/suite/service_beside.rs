//! `--once` beside a daemon: the daemon makes the run, and it is told as if it had been
//! made here.

use linqsync::sandbox::RouteKind;

use crate::harness::{PrintedRun, Process, World, people, wait_until};

/// A daemon that has made its first run and begins none of its own accord.
fn idle(world: &mut World) -> Process {
    world.set("sync.schedule", "\"every 24h\"").set("sync.watch", "false");
    let daemon = world.start(&["-v"]);
    wait_until("the first run is over", || {
        let said = daemon.stderr();
        said.contains("nothing to do") || said.contains("run finished")
    });
    world.linq().forget_requests();
    daemon
}

#[track_caller]
fn end(daemon: Process) {
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn the_daemon_makes_the_run_and_the_report_is_the_same_as_alone() {
    let mut world = World::synced(&people::csv(1..=3));
    let daemon = idle(&mut world);
    world.edit("Title 001", "Chief");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("in_sync")), ([3, 0, 1, 0], 3));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    world.edit("Title 002", "Cook");
    let beside = world.run(&["--once"]).expect(0);
    assert_eq!(beside.stderr, "");
    world.edit("Cook", "Title 002");
    end(daemon);
    let alone = world.run(&["--once"]).expect(0);
    assert_eq!(beside.stdout, alone.stdout);
    world.expect_silence();
}

#[test]
fn exit_codes_and_what_waits_are_told_by_the_process_that_asked() {
    let mut world = World::synced(&people::csv(1..=30));
    let daemon = idle(&mut world);
    world.edit("Title 001", "Chief");
    world.change("First001", "title", "Captain");
    let conflict = world.run(&["--once"]).expect(3);
    assert!(conflict.stdout.contains("Captain"), "{}", conflict.stdout);
    world.edit("Chief", "Captain");
    world.write(people::csv(1..=15).replace("Title 001", "Captain"));
    assert_eq!(world.once().expect(4).count("held_deletes"), 15);
    let run = world.once_with(&["--max-deletes", "20"]).expect(0);
    assert_eq!(run.linq(), [15, 0, 0, 15], "the limit of the asking process counts, once");
    world.fault("list status=401");
    let refused = world.once().expect(5);
    assert!(
        refused.ended.stderr.contains("put a token there that Linq takes"),
        "{}",
        refused.ended.stderr
    );
    end(daemon);
}

#[test]
fn who_asks_during_a_run_gets_the_next_one() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world);
    world.fault("list delay=1s times=1");
    let first = world.start(&["--once", "--json"]);
    wait_until("a run is being made", || world.requests(RouteKind::List).len() == 1);
    world.edit("Title 001", "Chief");
    let others: Vec<Process> = (0..3).map(|_| world.start(&["--once", "--json"])).collect();
    PrintedRun::of(first.ended()).expect(0);
    let runs: Vec<PrintedRun> =
        others.into_iter().map(|other| PrintedRun::of(other.ended()).expect(0)).collect();
    let numbers: Vec<u64> = runs.iter().map(|run| run.count("run")).collect();
    let updated: u64 = runs.iter().map(|run| run.linq()[2]).max().unwrap();
    assert_eq!(updated, 1, "the edit was seen: {numbers:?}");
    end(daemon);
}

#[test]
fn a_configuration_for_another_pair_is_refused() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world);
    world.write("");
    let mut other = world.command(&["--once", "--json"]);
    other.env("LINQSYNC_SOURCE__PATH", world.path("others.csv"));
    let run = PrintedRun::of(Process::start(other).ended()).expect(2);
    assert!(run.message().contains("contacts.csv"), "{}", run.message());
    assert_eq!(world.linq().requests(), []);
    end(daemon);
}

#[test]
fn a_process_that_asked_and_is_stopped_ends_alone() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world);
    world.fault("list delay=1s times=2");
    for (code, signal) in [(143, Process::terminate as fn(&Process)), (130, Process::interrupt)] {
        let asked = world.requests(RouteKind::List).len();
        let asking = world.start(&["--once", "--json"]);
        wait_until("a run is being made", || world.requests(RouteKind::List).len() > asked);
        signal(&asking);
        PrintedRun::of(asking.ended()).expect(code);
    }
    assert!(!daemon.has_ended());
    world.once().expect(0);
    end(daemon);
}

#[test]
fn a_daemon_that_ends_during_the_run_is_told_by_the_process_that_asked() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.timeout", "\"60s\"");
    let daemon = idle(&mut world);
    world.fault("list delay=60s");
    let asking = world.start(&["--once", "--json"]);
    wait_until("a run is being made", || !world.linq().requests().is_empty());
    daemon.terminate();
    let run = PrintedRun::of(asking.ended()).expect(143);
    assert!(run.message().contains("stopped before"), "{}", run.message());
    daemon.ended().expect(0);

    let daemon = world.start(&[]);
    world.linq().forget_requests();
    wait_until("the daemon has begun", || world.path("state/control").exists());
    let asking = world.start(&["--once", "--json", "-v"]);
    wait_until("the daemon was asked", || asking.stderr().contains("the daemon makes the run"));
    daemon.kill();
    let run = PrintedRun::of(asking.ended()).expect(1);
    assert!(run.message().contains("the daemon ended"), "{}", run.message());
}

#[test]
fn the_socket_is_private_and_gone_with_the_daemon() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world);
    let socket = std::fs::symlink_metadata(world.path("state/control")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    end(daemon);
    assert!(!world.path("state/control").exists());
}
