//! Signals to the daemon, at many moments.

use std::time::{Duration, Instant};

use linqsync::sandbox::RouteKind;

use crate::harness::{Process, World, people, wait_until};

const SOON: Duration = Duration::from_secs(5);

#[track_caller]
fn expect_end(daemon: Process, signal: fn(&Process)) -> String {
    let asked = Instant::now();
    signal(&daemon);
    let ended = daemon.ended().expect(0);
    assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    assert!(ended.stderr.contains("stopped") || ended.stderr.is_empty(), "{}", ended.stderr);
    ended.stderr
}

fn idle(world: &mut World, arguments: &[&str]) -> Process {
    world.set("sync.schedule", "\"every 24h\"").set("sync.watch", "false");
    let before = world.requests(RouteKind::List).len();
    let daemon = world.start(arguments);
    wait_until("the first run is being made", || world.requests(RouteKind::List).len() > before);
    world.once();
    daemon
}

/// A world with something of everything to do, in which a call is held back.
fn held_back(fault: &str) -> World {
    let mut world = World::synced(&people::csv(1..=20));
    world.set("linq.timeout", "\"60s\"").set("sync.schedule", "\"every 24h\"");
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.remove("First003");
    world.write(world.text().replace(&people::row(4), "") + &people::row(21) + &people::row(22));
    world.linq().forget_requests();
    world.fault(fault);
    world
}

#[test]
fn the_daemon_ends_soon_and_the_next_run_finishes_whatever_was_in_flight() {
    let moments = [
        ("list delay=30s", RouteKind::List, 1),
        ("find delay=30s", RouteKind::Find, 1),
        ("get delay=30s", RouteKind::Get, 1),
        // One that is answered within the time that is left, and one that is not.
        ("create delay=1s", RouteKind::Create, 2),
        ("create delay=4s", RouteKind::Create, 1),
        ("update delay=1s", RouteKind::Update, 1),
        ("update delay=30s", RouteKind::Update, 1),
        ("delete delay=30s", RouteKind::Delete, 1),
    ];
    let signals = [Process::terminate as fn(&Process), Process::interrupt];
    std::thread::scope(|scope| {
        for ((fault, kind, count), signal) in moments.into_iter().zip(signals.into_iter().cycle()) {
            scope.spawn(move || ended_at(fault, kind, count, signal));
        }
    });
}

/// Ends a daemon when so many requests of a kind have arrived, and expects the next run
/// to end as if there had been no other.
fn ended_at(fault: &str, kind: RouteKind, count: usize, signal: fn(&Process)) {
    let mut world = held_back(fault);
    let daemon = world.start(&[]);
    wait_until(fault, || world.requests(kind).len() >= count);
    expect_end(daemon, signal);
    world.linq().clear_faults();
    // A create that is on its way for four seconds may still arrive.
    world.set("linq.settle", "\"5s\"");
    let run = world.once().expect(0);
    assert_eq!(run.count("in_sync"), 20, "{fault}: {:#}", run.json);
    assert_eq!(world.people_in_linq(), world.people_in_csv(), "{fault}");
    world.expect_silence();
}

#[test]
fn a_second_signal_ends_the_daemon_at_once() {
    let world = held_back("create delay=30s");
    let daemon = world.start(&[]);
    wait_until("a create is in flight", || !world.requests(RouteKind::Create).is_empty());
    let asked = Instant::now();
    wait_until("it has ended", || {
        daemon.terminate();
        daemon.has_ended()
    });
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?}", asked.elapsed());
    daemon.ended().expect(0);
    // A kill is safe at any moment: see the module `killed`.
}

#[test]
fn what_is_told_to_stop_while_it_waits_for_an_unanswered_create_stops() {
    let mut world = World::with_csv("First Name\nAda\n");
    world.set("linq.settle", "\"1m\"").set("sync.schedule", "\"every 24h\"");
    world.fault("create drop-after");
    let daemon = world.start(&[]);
    wait_until("it waits", || daemon.stderr().contains("no answer to a create"));
    expect_end(daemon, Process::terminate);
    world.linq().clear_faults();
    world.set("linq.settle", "\"200ms\"");
    world.once().expect(0);
    assert_eq!(world.requests(RouteKind::Create).len(), 1);
}

#[test]
fn sighup_swaps_in_a_good_configuration_between_two_runs() {
    let mut world = World::synced(&people::csv(1..=2));
    world.fault("list delay=1s times=2");
    world.set("sync.schedule", "\"every 24h\"");
    let daemon = world.start(&[]);
    wait_until("the first run is being made", || world.requests(RouteKind::List).len() == 1);
    world.set("sync.schedule", "\"every 1s\"").set("sync.direction", "\"push\"");
    daemon.hang_up();
    wait_until("it is in force", || daemon.stderr().contains("the new configuration is in force"));
    let seen = world.requests(RouteKind::List).len();
    wait_until("the new schedule is followed", || {
        world.requests(RouteKind::List).len() >= seen + 4
    });
    world.change("First001", "title", "Captain");
    world.edit("Title 002", "Chief");
    wait_until("the source's edit arrived", || {
        world.contact("First002").title.as_deref() == Some("Chief")
    });
    assert!(!world.text().contains("Captain"), "only Linq is written now");
    expect_end(daemon, Process::terminate);
}

#[test]
fn sighup_keeps_the_old_configuration_and_says_what_is_wrong_with_the_new() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world, &[]);
    let good = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    let wrong = [
        (good.clone() + "sync.direcshun = \"push\"\n", "did you mean `direction`"),
        (good.replace("contacts.csv", "others.csv"), "belongs to http"),
        (good.replace("linq.token\"", "nowhere.token\""), "cannot read token file"),
        ("source = [".to_owned(), "sync.toml:1:"),
    ];
    for (text, problem) in wrong {
        std::fs::write(world.path("sync.toml"), text).unwrap();
        daemon.hang_up();
        wait_until(problem, || daemon.stderr().contains(problem));
        let said = daemon.stderr();
        let line = said.lines().rfind(|line| line.contains(problem)).unwrap();
        assert!(line.contains("ERROR") && line.contains("stays as it was"), "{line}");
    }
    std::fs::write(world.path("sync.toml"), good).unwrap();
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"), "it still works");
    expect_end(daemon, Process::terminate);
}

#[test]
fn sighup_can_move_the_state() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world, &[]);
    world.set("state.dir", "\"moved\"");
    daemon.hang_up();
    wait_until("it is in force", || daemon.stderr().contains("the new configuration is in force"));
    let run = world.once().expect(0);
    assert_eq!(run.count("in_sync"), 2, "the daemon takes requests in the new directory");
    world.set("state.dir", "\"state\"");
    world.once().expect(7);
    expect_end(daemon, Process::terminate);
}

#[test]
fn sigusr1_tells_how_it_is_also_during_a_run_and_when_little_is_logged() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = idle(&mut world, &["-q"]);
    daemon.ask_how_it_is();
    wait_until("it told", || daemon.stderr().contains("2 contacts in sync; last run"));
    world.fault("list delay=30s");
    let _asking = world.start(&["--once"]);
    let before = world.requests(RouteKind::List).len();
    wait_until("a run is being made", || world.requests(RouteKind::List).len() > before);
    daemon.ask_how_it_is();
    wait_until("it told", || daemon.stderr().contains("a run is being made for"));
    let said = expect_end_quietly(daemon);
    assert!(!said.contains("First0") && said.lines().count() == 2, "{said}");
}

#[track_caller]
fn expect_end_quietly(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}
