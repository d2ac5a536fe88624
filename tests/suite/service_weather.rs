//! A daemon and a Linq that is down: it keeps the time at which it may ask again.

use std::time::Duration;

use linqsync::mirror::WhyDown;

use crate::harness::{Process, World, people, wait_until};

/// A world that is due every second.
fn restless() -> World {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    world
}

fn asked(world: &World) -> usize {
    world.linq().requests().len()
}

/// Waits until the schedule has come round several times, for nothing.
fn left_alone(daemon: &Process, times: usize) {
    let said = || daemon.stderr().matches("Linq is left alone for a while").count();
    let so_far = said();
    wait_until("the schedule came round", || said() >= so_far + times);
}

#[track_caller]
fn end(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}

#[test]
fn a_linq_that_is_down_is_left_alone_by_schedule_watch_and_restart_until_its_time_comes() {
    let world = restless();
    world.fault("any status=503");
    let daemon = world.start(&["-v"]);
    wait_until("the first run failed", || daemon.stderr().contains("will be made again"));
    world.edit("Title 001", "Chief");
    left_alone(&daemon, 3);
    daemon.ask_how_it_is();
    wait_until("it told", || daemon.stderr().contains("Linq down since "));
    assert!(daemon.stderr().contains(", next probe "), "{}", daemon.stderr());
    let status = world.run(&["status"]).expect(0).stdout;
    assert!(status.contains("Linq down since ") && status.contains(", next probe "), "{status}");
    assert_eq!(asked(&world), 1);
    end(daemon);

    let daemon = world.start(&["-v"]);
    wait_until("it knows", || daemon.stderr().contains("no run yet: Linq down since "));
    left_alone(&daemon, 2);
    assert_eq!(asked(&world), 1, "a restart is no reason to ask");

    world.linq().clear_faults();
    world.let_the_probe_come();
    wait_until("it works again", || world.state().linq_down().unwrap().is_none());
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    end(daemon);
    world.expect_silence();
}

#[test]
fn a_probe_comes_in_its_time_although_the_schedule_is_a_slow_one() {
    let mut world = restless();
    world.set("sync.schedule", "\"every 24h\"").set("sync.watch", "false");
    world.fault("any status=503");
    let daemon = world.start(&[]);
    for failed in 1..=3 {
        wait_until("a run failed", || {
            world.state().linq_down().unwrap().is_some_and(|down| down.runs == failed)
        });
        assert_eq!(asked(&world), usize::try_from(failed).unwrap(), "each with one request");
        world.let_the_probe_come();
    }
    world.linq().clear_faults();
    wait_until("it works again", || {
        world.let_the_probe_come();
        world.state().linq_down().unwrap().is_none()
    });
    end(daemon);
}

#[test]
fn who_asks_for_a_run_gets_one_whatever_the_time() {
    let world = restless();
    world.fault("any status=503");
    let daemon = world.start(&["-v"]);
    left_alone(&daemon, 1);
    world.once().expect(6);
    world.linq().clear_faults();
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    end(daemon);
}

#[test]
fn a_wait_that_linq_asked_for_is_kept_across_a_restart_to_its_end_and_no_longer() {
    let world = restless();
    world.fault("list status=429 retry-after=5 times=1");
    let first = world.start(&[]);
    wait_until("it is known", || world.state().linq_down().unwrap().is_some());
    let down = world.state().linq_down().unwrap().unwrap();
    assert_eq!(down.why, WhyDown::AskedToWait);
    first.kill();
    let asked_before = asked(&world);
    let daemon = world.start(&["-v"]);
    wait_until("it knows", || {
        daemon.stderr().contains("no run yet: rate limited by Linq (HTTP 429 or 503)")
    });
    wait_until("it asked", || asked(&world) > asked_before);
    let late = chrono::Utc::now() - down.next_attempt;
    assert!(late >= chrono::TimeDelta::zero(), "too early by {late}");
    assert!(late.to_std().unwrap() < Duration::from_secs(10), "too late by {late}");
    wait_until("it works again", || world.state().linq_down().unwrap().is_none());
    end(daemon);
}
