//! A state that goes on after its source or its Linq has moved.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{PrintedRun, Process, World, people};

/// A pair in a home, with its state at the default place.
fn synced(count: usize) -> World {
    let mut world = World::with_csv(&people::csv(1..=count));
    world.unset("state.dir");
    world.sync();
    world
}

fn rename(world: &World, from: &str, to: &str) {
    std::fs::rename(world.path(from), world.path(to)).unwrap();
}

/// The only default state directory.
fn state_of(world: &World) -> PathBuf {
    let all = world.path(".local/state/linqsync");
    let mut found = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let dir = found.next().unwrap();
    assert_eq!(found.next(), None);
    dir
}

#[track_caller]
fn adopted(world: &World, arguments: &[&str]) -> Value {
    let arguments = [&["adopt", "--yes", "--json"], arguments].concat();
    let adopted: Value = serde_json::from_str(&world.run(&arguments).expect(0).stdout).unwrap();
    assert_eq!(adopted["adopted"], true, "{adopted}");
    world.linq().forget_requests();
    adopted
}

#[test]
fn a_renamed_file_goes_on_with_its_links_and_its_history() {
    let mut world = synced(3);
    rename(&world, "contacts.csv", "people.csv");
    world.set("source.path", "\"people.csv\"");
    let refused = world.run(&["--once"]).expect(2);
    assert!(refused.stderr.contains("linqsync adopt"), "{}", refused.stderr);

    // Without a word of confirmation nothing changes.
    let asked = world.run(&["adopt"]).expect(2);
    assert!(asked.stdout.contains("recognised  3 of 3 linked contacts"), "{}", asked.stdout);
    assert!(asked.stderr.contains("--yes"), "{}", asked.stderr);
    world.run(&["--once"]).expect(2);

    let told = adopted(&world, &[]);
    assert_eq!((&told["linked"], &told["recognised"]), (&3.into(), &3.into()));
    assert_eq!(world.writes(), [], "adopting writes nothing to Linq");
    let text = std::fs::read_to_string(world.path("people.csv")).unwrap();
    assert_eq!(text, people::csv(1..=3));
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 3));
    assert_eq!(world.writes(), []);
    assert!(world.run(&["history"]).expect(0).stdout.contains("run 1"), "the history is kept");
    // What was edited before the rename and since is an edit.
    let again = world.run(&["adopt"]).expect(0);
    assert!(again.stdout.contains("already"), "{}", again.stdout);
}

#[test]
fn an_edit_on_the_way_is_an_edit_and_a_deletion_is_none() {
    let mut world = synced(4);
    let rest = people::csv(1..=4).replace(&email(1), "new@acme.example");
    let rest: String =
        rest.split_inclusive('\n').filter(|line| !line.contains(&email(4))).collect();
    std::fs::remove_file(world.csv()).unwrap();
    std::fs::write(world.path("people.csv"), rest).unwrap();
    world.set("source.path", "\"people.csv\"");
    let told = adopted(&world, &[]);
    assert_eq!((&told["recognised"], &told["released"]), (&3.into(), &1.into()));
    let run = world.once().expect(0);
    assert_eq!(run.linq(), [4, 0, 1, 0], "one e-mail is updated, and nobody is deleted");
    assert_eq!(run.source(), [3, 0, 0, 0], "the missing row is not written again");
    let contact = email(4);
    let history = world.run(&["history", "--contact", &contact]).expect(0).stdout;
    assert!(history.contains("not recognised when the"), "{history}");
}

#[test]
fn rows_that_go_after_the_adoption_are_guarded_like_any() {
    let mut world = synced(30);
    rename(&world, "contacts.csv", "people.csv");
    world.set("source.path", "\"people.csv\"");
    adopted(&world, &[]);
    std::fs::write(world.path("people.csv"), people::csv(1..=12)).unwrap();
    let run = world.once().expect(4);
    assert_eq!(run.linq()[3], 0);
    assert_eq!(world.linq().contacts().len(), 30);
}

#[test]
fn another_address_book_is_not_taken_for_the_same() {
    let mut world = synced(6);
    std::fs::write(world.path("people.csv"), people::csv(5..=20)).unwrap();
    world.set("source.path", "\"people.csv\"");
    let refused = world.run(&["adopt", "--yes"]).expect(2);
    assert!(refused.stderr.contains("only 2 of 6 linked contacts"), "{}", refused.stderr);
    // It is as if it had not been tried.
    world.set("source.path", "\"contacts.csv\"");
    world.expect_silence();
}

#[test]
fn ids_that_another_linq_has_given_to_others_are_not_recognised() {
    let mut world = synced(4);
    let other = World::with_csv(&people::csv(21..=24));
    other.sync();
    let ids = |world: &World| -> Vec<u64> {
        world.linq().contacts().iter().map(|contact| contact.id).collect()
    };
    assert_eq!(ids(&world), ids(&other), "both Linqs begin to count at the same number");
    let url = format!("{:?}", other.url());
    world.set("linq.base_url", &url);
    let refused = world.run(&["adopt", "--yes"]).expect(2);
    assert!(refused.stderr.contains("only 0 of 4"), "{}", refused.stderr);
    assert_eq!(other.writes(), []);
}

#[test]
fn another_address_of_linq_is_adopted() {
    let mut world = synced(3);
    // The same server by another name.
    let url = format!("{:?}", world.url().replace("127.0.0.1", "localhost"));
    world.set("linq.base_url", &url);
    world.run(&["--once"]).expect(2);
    adopted(&world, &[]);
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 3));
    assert_eq!(world.writes(), []);
}

#[test]
fn a_directory_that_moved_finds_its_state_at_the_default_place() {
    let world = synced(3);
    let before = state_of(&world);
    let moved = world.path("elsewhere");
    std::fs::create_dir(&moved).unwrap();
    for name in ["sync.toml", "linq.token", "contacts.csv"] {
        std::fs::rename(world.path(name), moved.join(name)).unwrap();
    }
    // Before the first run there, and also after one that failed.
    let in_moved = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.current_dir(&moved);
        Process::start(command).ended()
    };
    for command in [&["plan"][..], &["check"]] {
        let ended = in_moved(command).expect(0);
        assert!((ended.stdout + &ended.stderr).contains("`linqsync adopt` keeps"));
    }
    let told = in_moved(&["adopt", "--yes"]).expect(0).stdout;
    assert!(told.contains("which is not found"), "{told}");
    assert!(told.contains("moves to"), "{told}");
    assert!(!before.exists(), "the state has moved");
    let run = PrintedRun::of(in_moved(&["--once", "--json"])).expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 3));
}

#[test]
fn a_run_that_failed_in_the_new_place_is_not_in_the_way() {
    let world = synced(2);
    let moved = world.path("elsewhere");
    std::fs::create_dir(&moved).unwrap();
    for name in ["sync.toml", "linq.token", "contacts.csv"] {
        std::fs::rename(world.path(name), moved.join(name)).unwrap();
    }
    let in_moved = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.current_dir(&moved);
        Process::start(command).ended()
    };
    std::fs::rename(moved.join("contacts.csv"), moved.join("later")).unwrap();
    in_moved(&["--once"]).expect(2);
    std::fs::rename(moved.join("later"), moved.join("contacts.csv")).unwrap();
    in_moved(&["adopt", "--yes"]).expect(0);
    let run = PrintedRun::of(in_moved(&["--once", "--json"])).expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 2));
}

#[test]
fn several_that_may_be_meant_are_listed() {
    let world = synced(2);
    let make = |name: &str, text: &str| {
        let dir = world.path(name);
        std::fs::create_dir(&dir).unwrap();
        for name in ["sync.toml", "linq.token"] {
            std::fs::copy(world.path(name), dir.join(name)).unwrap();
        }
        std::fs::write(dir.join("contacts.csv"), text).unwrap();
        dir
    };
    let run_in = |dir: &Path, arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.current_dir(dir);
        Process::start(command).ended()
    };
    let second = make("second", &people::csv(1..=2));
    run_in(&second, &["--once"]).expect(0);
    let third = make("third", &people::csv(1..=2));
    let refused = run_in(&third, &["adopt", "--yes"]).expect(2);
    assert!(refused.stderr.contains("2 states may be meant"), "{}", refused.stderr);
    assert!(refused.stderr.contains("linqsync adopt DIR"), "{}", refused.stderr);
    let states = world.path(".local/state/linqsync");
    let named = std::fs::read_dir(states).unwrap().map(|entry| entry.unwrap().path());
    let named = named
        .filter(|dir| dir.file_name().unwrap().to_string_lossy().starts_with("second-"))
        .collect::<Vec<_>>();
    run_in(&third, &["adopt", "--yes", named[0].to_str().unwrap()]).expect(0);
    let run = PrintedRun::of(run_in(&third, &["--once", "--json"])).expect(0);
    assert_eq!(run.count("linked"), 0);
}

#[test]
fn a_copy_from_another_machine_is_taken_over_and_stays() {
    let mut world = synced(3);
    let copy = world.path("backup");
    std::fs::rename(state_of(&world), &copy).unwrap();
    rename(&world, "contacts.csv", "people.csv");
    world.set("source.path", "\"people.csv\"").set("state.dir", "\"fresh\"");
    let none = world.run(&["adopt", "--yes"]).expect(2);
    assert!(none.stderr.contains("no state was found"), "{}", none.stderr);
    let told = adopted(&world, &["backup"]);
    assert_eq!(told["recognised"], 3);
    assert!(copy.join("state.db").exists());
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 3));
    assert_eq!(world.writes(), []);
    // What a run did before the move can be put back after it.
    world.run(&["undo", "1", "--dry-run"]).expect(0);
    let refused = world.run(&["adopt", "--yes", "backup"]).expect(2);
    assert!(refused.stderr.contains("has a state already"), "{}", refused.stderr);
}

#[test]
fn nothing_is_adopted_from_a_row_that_cannot_be_read_or_a_linq_that_cannot_be_reached() {
    let mut world = synced(3);
    rename(&world, "contacts.csv", "people.csv");
    world.set("source.path", "\"people.csv\"");
    let text = std::fs::read_to_string(world.path("people.csv")).unwrap();
    std::fs::write(world.path("people.csv"), format!("{text}a,b,c,d,e,f,g,h,i,j,k,l\n")).unwrap();
    let refused = world.run(&["adopt", "--yes"]).expect(2);
    assert!(refused.stderr.contains("line 5"), "{}", refused.stderr);
    std::fs::write(world.path("people.csv"), text).unwrap();
    world.fault("list status=500 times=1000");
    world.run(&["adopt", "--yes"]).expect(6);
    world.run(&["--once"]).expect(2);
}

#[test]
fn a_state_at_work_is_left_to_whoever_works_with_it() {
    let mut world = synced(2);
    let daemon = world.start(&[]);
    crate::harness::wait_until("it has started", || daemon.stderr().contains("started"));
    rename(&world, "contacts.csv", "people.csv");
    world.set("source.path", "\"people.csv\"");
    world.run(&["adopt", "--yes"]).expect(7);
    daemon.terminate();
    daemon.ended();
}

fn email(n: usize) -> String {
    people::person(n)[2].clone()
}

#[test]
fn nothing_is_decided_in_a_state_of_another_source() {
    let mut world = synced(3);
    world.edit("Title 001", "Chief");
    world.change("First001", "title", "Boss");
    world.once().expect(3);
    world.set("source.path", "\"people.csv\"");
    let refused = world.run(&["resolve", "--all", "--take", "linq"]).expect(2);
    assert!(refused.stderr.contains("linqsync adopt"), "{}", refused.stderr);
    assert_eq!(world.state().stored_decisions().unwrap(), []);
}
