//! A run soon after the source was saved.

use linqsync::sandbox::RouteKind;

use crate::harness::{Process, World, people, wait_until};

/// A daemon that begins runs only because of what it sees.
fn watching(world: &mut World) -> Process {
    world.set("sync.schedule", "\"every 24h\"");
    let daemon = world.start(&["-v"]);
    settled(world, &daemon, 1);
    daemon
}

/// Waits until so many runs were made.
fn settled(world: &World, daemon: &Process, runs: usize) {
    wait_until(&format!("{runs} runs were made"), || self::runs(daemon) >= runs);
    assert_eq!(world.requests(RouteKind::List).len(), runs, "one listing each");
}

fn runs(daemon: &Process) -> usize {
    let said = daemon.stderr();
    ["nothing to do", "run finished", "will be made again"]
        .iter()
        .map(|words| said.matches(words).count())
        .sum()
}

fn title_is(world: &World, first_name: &str, title: &str) {
    wait_until(title, || world.contact(first_name).title.as_deref() == Some(title));
}

#[track_caller]
fn end(daemon: Process) {
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn a_save_in_place_and_one_by_replacement_are_seen_and_our_own_writes_are_not() {
    let mut world = World::synced(&people::csv(1..=3));
    let daemon = watching(&mut world);
    world.edit("Title 001", "Chief");
    title_is(&world, "First001", "Chief");
    settled(&world, &daemon, 2);
    std::fs::write(world.path("new.csv"), world.text().replace("Title 002", "Cook")).unwrap();
    std::fs::rename(world.path("new.csv"), world.csv()).unwrap();
    title_is(&world, "First002", "Cook");
    settled(&world, &daemon, 3);
    // Both ways in one run: linqsync writes the file, and sees nothing new in it.
    world.change("First003", "title", "Captain");
    world.edit("Cook", "Baker");
    title_is(&world, "First002", "Baker");
    wait_until("the source was written", || world.text().contains("Captain"));
    settled(&world, &daemon, 4);
    // Nothing follows: a look at the source comes every two seconds.
    world.edit("Baker", "Pilot");
    title_is(&world, "First002", "Pilot");
    settled(&world, &daemon, 5);
    end(daemon);
    world.expect_silence();
}

#[test]
fn a_save_during_a_run_is_not_lost() {
    let mut world = World::synced(&people::csv(1..=3));
    let daemon = watching(&mut world);
    world.fault("list delay=2s times=1");
    let before = world.requests(RouteKind::List).len();
    world.edit("Title 001", "Chief");
    wait_until("a run is being made", || world.requests(RouteKind::List).len() > before);
    world.edit("Title 002", "Cook");
    title_is(&world, "First002", "Cook");
    end(daemon);
    world.expect_silence();
}

#[test]
fn a_link_to_the_source_is_followed() {
    let mut world = World::with_csv(&people::csv(1..=2));
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    std::fs::rename(world.csv(), world.path("elsewhere/real.csv")).unwrap();
    std::os::unix::fs::symlink(world.path("elsewhere/real.csv"), world.csv()).unwrap();
    world.sync();
    let daemon = watching(&mut world);
    world.edit("Title 001", "Chief");
    title_is(&world, "First001", "Chief");
    end(daemon);
}

#[test]
fn a_directory_that_vanishes_and_comes_back_as_another_as_a_mount_does_is_watched_again() {
    let mut world = World::new();
    std::fs::create_dir(world.path("mount")).unwrap();
    let file = world.path("mount/contacts.csv");
    std::fs::write(&file, people::csv(1..=2)).unwrap();
    world.set("source.path", "\"mount/contacts.csv\"");
    world.sync();
    let daemon = watching(&mut world);
    for title in ["Chief", "Cook"] {
        std::fs::rename(world.path("mount"), world.path("unmounted")).unwrap();
        std::fs::create_dir(world.path("mount")).unwrap();
        let text = std::fs::read_to_string(world.path("unmounted/contacts.csv")).unwrap();
        let text = text.replace("Title 001", title).replace("Chief", title);
        std::fs::write(&file, text).unwrap();
        std::fs::remove_dir_all(world.path("unmounted")).unwrap();
        title_is(&world, "First001", title);
    }
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("Cook", "Pilot"))
        .unwrap();
    title_is(&world, "First001", "Pilot");
    end(daemon);
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn nothing_is_watched_where_that_is_not_wanted() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.watch", "false").set("sync.schedule", "\"every 4s\"");
    let daemon = world.start(&["-v"]);
    wait_until("the first run was made", || runs(&daemon) == 1);
    world.edit("Title 001", "Chief");
    title_is(&world, "First001", "Chief");
    assert!(!daemon.stderr().contains("the source was saved"));
    end(daemon);
}
