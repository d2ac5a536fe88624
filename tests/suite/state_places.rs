//! Where the state of a configuration is that names no directory for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{PrintedRun, Process, World, people};

/// A home in which nothing names a state directory.
fn home() -> World {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.unset("state.dir");
    world
}

/// A second configuration in a directory of its own, with a source of its own.
fn second(world: &World, dir: &str, text: &str) -> PathBuf {
    let dir = world.path(dir);
    std::fs::create_dir(&dir).unwrap();
    for name in ["sync.toml", "linq.token"] {
        std::fs::copy(world.path(name), dir.join(name)).unwrap();
    }
    std::fs::write(dir.join("contacts.csv"), text).unwrap();
    dir
}

/// A run from `dir` in the home of `world`.
fn once_in(world: &World, dir: &Path) -> PrintedRun {
    let mut command = world.command(&["--once", "--json"]);
    Command::current_dir(&mut command, dir);
    PrintedRun::of(Process::start(command).ended())
}

/// The directories with a state below the default place.
fn states(world: &World) -> Vec<PathBuf> {
    let all = world.path(".local/state/linqsync");
    let found = std::fs::read_dir(all).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = found.filter(|dir| dir.join("state.db").exists()).collect();
    found.sort();
    found
}

#[test]
fn two_pairs_in_two_directories_of_one_home_just_work() {
    let world = home();
    world.sync();
    let other = second(&world, "crm", &people::csv(3..=4));
    // What is in Linq already becomes rows of the second file, too.
    once_in(&world, &other).expect(0);
    once_in(&world, &other).expect(0);
    world.once().expect(0);
    let states = states(&world);
    assert_eq!(states.len(), 2, "{states:?}");
    let name = |dir: &PathBuf| dir.file_name().unwrap().to_string_lossy().into_owned();
    assert!(states.iter().any(|dir| name(dir).starts_with("crm-")), "{states:?}");
}

#[test]
fn one_configuration_has_one_state_from_wherever_it_is_named() {
    let world = home();
    world.sync();
    std::fs::create_dir(world.path("below")).unwrap();
    for (dir, file) in [("below", "../sync.toml"), (".", "./sync.toml")] {
        let mut command = world.command(&["-c", file, "--once", "--json"]);
        command.current_dir(world.path(dir));
        let run = PrintedRun::of(Process::start(command).ended()).expect(0);
        assert_eq!(run.count("linked"), 0, "it is known who is linked");
    }
    assert_eq!(states(&world).len(), 1);
}

#[test]
fn what_other_settings_would_do_is_planned_with_the_state_that_is_there() {
    let mut world = home();
    world.sync();
    let used = std::fs::read(world.path("sync.toml")).unwrap();
    world.set("linq.scope", "\"owner\"");
    world.set("linq.owner", "\"vacant@linq.example\"");
    std::fs::rename(world.path("sync.toml"), world.path("other.toml")).unwrap();
    std::fs::write(world.path("sync.toml"), used).unwrap();
    let planned = world.run(&["plan", "-c", "other.toml"]).expect(0);
    assert!(planned.stdout.contains("2 to release"), "{}", planned.stdout);
    assert!(planned.stdout.contains("no longer synced, deleted on no side"), "{}", planned.stdout);
    assert!(planned.stderr.contains("as if this one took its place"), "{}", planned.stderr);
    let json = world.run(&["plan", "-c", "other.toml", "--json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["steps"], serde_json::json!([]));
    assert_eq!(json["released"].as_array().unwrap().len(), 2, "{json:#}");
    let kept = world.run(&["plan", "-c", "other.toml", "--out", "it.plan"]).expect(2);
    assert!(kept.stderr.contains("leave --out away"), "{}", kept.stderr);
    assert!(!world.path("it.plan").exists());
    // Nothing came of it, and the configuration that is in use goes on.
    assert_eq!(states(&world).len(), 1);
    let json = world.run(&["plan", "--json"]).expect(0).stdout;
    assert!(json.contains("\"released\": []"), "{json}");
}

#[test]
fn the_state_that_was_shared_goes_on_for_the_pair_that_has_it_and_for_no_other() {
    let mut world = home();
    let shared = world.path(".local/state/linqsync");
    world.set("state.dir", &format!("{:?}", shared.to_str().unwrap()));
    world.sync();
    world.unset("state.dir");
    let run = world.once().expect(0);
    assert_eq!(run.count("linked"), 0, "the links are known");
    assert!(states(&world).is_empty(), "no second state was made");
    assert!(world.run(&["status"]).expect(0).stdout.contains("local/state/linqsync\n"));

    let other = second(&world, "crm", &people::csv(3..=3));
    once_in(&world, &other).expect(0);
    assert_eq!(states(&world).len(), 1, "the other pair has one of its own");
    assert_eq!(world.once().expect(0).count("linked"), 0);
    // Neither is there a trace of the one in the files of the other.
    let purged = world.run(&["purge", &email(1), "--yes"]);
    assert!(!purged.stderr.contains("crm-"), "{}", purged.stderr);
}

#[test]
fn a_pair_that_could_not_be_read_has_no_claim_on_the_state() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("linq.base_url", "\"http://127.0.0.1:9\"");
    world.once().expect(6);
    world.set("source.path", "\"typo.csv\"");
    world.once().expect(2);
    let url = format!("{:?}", world.url());
    world.set("linq.base_url", &url).set("source.path", "\"contacts.csv\"");
    world.once().expect(0);

    world.set("source.path", "\"other.csv\"");
    std::fs::write(world.path("other.csv"), people::csv(1..=2)).unwrap();
    let refused = world.run(&["--once"]).expect(2);
    let state = world.path("state").display().to_string();
    assert!(refused.stderr.contains(&state), "{}", refused.stderr);
    assert!(refused.stderr.contains("linqsync adopt"), "{}", refused.stderr);
}

#[test]
fn the_daemon_keeps_the_state_of_its_configuration() {
    let world = home();
    let daemon = world.start(&[]);
    crate::harness::wait_until("it has run", || world.linq().contacts().len() == 2);
    crate::harness::wait_until("it is done", || {
        world.run(&["status", "--json"]).stdout.contains("\"in_sync\": true")
    });
    daemon.terminate();
    daemon.ended().expect(0);
    assert_eq!(states(&world).len(), 1);
    assert_eq!(world.once().expect(0).count("linked"), 0);
}

fn email(n: usize) -> String {
    people::person(n)[2].clone()
}
