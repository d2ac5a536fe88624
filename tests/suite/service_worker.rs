//! The process that makes a run for the daemon, and what becomes of either without the
//! other.

use linqsync::sandbox::RouteKind;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Process, World, people, wait_until};

/// A daemon in the middle of an update that Linq does not answer, and its worker.
fn in_the_middle() -> (World, Process, i32) {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("sync.schedule", "\"every 24h\"").set("linq.timeout", "\"60s\"");
    world.edit("Title 001", "Chief");
    world.write(world.text() + &people::row(4));
    world.fault("update delay=60s");
    let daemon = world.start(&["-v"]);
    wait_until("an update is on its way", || !world.requests(RouteKind::Update).is_empty());
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    let worker = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    (world, daemon, worker)
}

#[test]
fn a_worker_that_is_killed_takes_nothing_with_it_and_the_next_run_goes_on() {
    let (world, daemon, worker) = in_the_middle();
    kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    wait_until("it is told", || daemon.stderr().contains("the process of the run ended early"));
    assert!(!daemon.has_ended());
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    assert_eq!(world.linq().contacts().len(), 4);
    daemon.terminate();
    daemon.ended().expect(0);
    world.expect_silence();
}

#[test]
fn a_worker_ends_with_its_daemon_and_nobody_else_has_the_state_before() {
    let (world, daemon, worker) = in_the_middle();
    let worker = format!("/proc/{worker}/stat");
    daemon.kill();
    wait_until("the worker is gone", || {
        // What nobody has buried yet has ended, too.
        std::fs::read_to_string(&worker).map_or(true, |stat| stat.contains(") Z "))
    });
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    assert_eq!(world.linq().contacts().len(), 4);
    world.expect_silence();
}
