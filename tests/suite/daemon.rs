//! The daemon.

use std::time::{Duration, Instant};

use linqsync::sandbox::RouteKind;

use crate::harness::{Process, World, people, wait_until};

fn listings(world: &World) -> usize {
    world.requests(RouteKind::List).len()
}

#[track_caller]
fn expect_clean_end(daemon: Process) -> String {
    let asked = Instant::now();
    daemon.terminate();
    let ended = daemon.ended().expect(0);
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert_eq!(ended.stdout, "");
    ended.stderr
}

#[test]
fn the_daemon_runs_at_its_start_and_then_on_schedule_and_picks_up_edits() {
    let mut world = World::with_csv(&people::csv(1..=3));
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = world.start(&[]);
    wait_until("the first run created everybody", || world.linq().contacts().len() == 3);
    world.edit("Title 001", "Chief");
    wait_until("an edit of the source arrived", || {
        world.contact("First001").title.as_deref() == Some("Chief")
    });
    world.change("First002", "title", "Captain");
    wait_until("an edit in Linq arrived", || world.text().contains("Captain"));
    let seen = listings(&world);
    wait_until("it goes on", || listings(&world) >= seen + 2);
    let said = expect_clean_end(daemon);
    assert!(said.contains("started") && said.contains("stopped"), "{said}");
    world.expect_silence();
}

#[test]
fn a_schedule_of_cron_with_seconds_is_followed() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"* * * * * *\"");
    let daemon = world.start(&[]);
    wait_until("three runs were made", || listings(&world) >= 3);
    expect_clean_end(daemon);
}

#[test]
fn the_daemon_ends_soon_while_it_waits_and_while_linq_is_slow() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1h\"");
    let daemon = world.start(&["-v"]);
    wait_until("the first run is over", || daemon.stderr().contains("nothing to do"));
    expect_clean_end(daemon);

    world.linq().forget_requests();
    world.fault("list delay=30s");
    let daemon = world.start(&[]);
    wait_until("the listing was asked for", || listings(&world) == 1);
    expect_clean_end(daemon);
}

#[test]
fn sigint_ends_the_daemon_as_sigterm_does() {
    let world = World::synced(&people::csv(1..=2));
    let daemon = world.start(&[]);
    wait_until("the first run was made", || listings(&world) >= 1);
    daemon.interrupt();
    daemon.ended().expect(0);
}

#[test]
fn a_failing_run_is_logged_and_does_not_end_the_daemon() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    world.edit("Title 001", "Chief");
    world.fault("list status=503 times=2");
    let daemon = world.start(&["-v"]);
    wait_until("a run failed", || daemon.stderr().contains("will be made again"));
    wait_until("Linq is left alone", || daemon.stderr().contains("left alone for a while"));
    assert_eq!(listings(&world), 1);
    world.let_the_probe_come();
    wait_until("it was asked again, and failed again", || listings(&world) == 2);
    wait_until("Linq recovered and the edit arrived", || {
        world.let_the_probe_come();
        world.contact("First001").title.as_deref() == Some("Chief")
    });
    let said = expect_clean_end(daemon);
    assert!(said.contains("will be made again") && said.contains("503"), "{said}");
    assert!(!said.contains(" ERROR "), "a hiccup is no alarm:\n{said}");
}

#[test]
fn a_source_that_vanishes_for_a_while_deletes_nobody_and_does_not_end_the_daemon() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = world.start(&[]);
    wait_until("the first run was made", || listings(&world) >= 1);
    std::fs::rename(world.csv(), world.path("elsewhere.csv")).unwrap();
    wait_until("its absence was noticed", || daemon.stderr().contains("contacts.csv"));
    std::fs::rename(world.path("elsewhere.csv"), world.csv()).unwrap();
    world.edit("Title 001", "Chief");
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    expect_clean_end(daemon);
    assert_eq!(world.linq().contacts().len(), 2);
    world.expect_silence();
}

#[test]
fn a_run_that_takes_longer_than_the_schedule_is_never_joined_by_another() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.timeout", "\"10s\"");
    let daemon = world.start(&[]);
    wait_until("it is under way", || listings(&world) >= 3);
    world.linq().forget_requests();
    world.fault("list delay=2500ms times=1");
    wait_until("the slow listing was answered", || {
        let asked = world.requests(RouteKind::List);
        let answered = asked.first().is_some_and(|request| request.status.is_some());
        assert!(answered || asked.len() <= 1, "another run began meanwhile");
        answered
    });
    wait_until("it goes on", || listings(&world) >= 2);
    expect_clean_end(daemon);
}
