//! A state that is lost, damaged or somebody else's: nothing is deleted for want of it,
//! and nothing is written over.

use std::path::{Path, PathBuf};

use linqsync::sandbox::RouteKind;
use rusqlite::Connection;

use crate::harness::{TestFiles, World, people, wait_until};

/// Where the state is kept.
fn database(world: &World) -> PathBuf {
    world.path("state").join("state.db")
}

/// Takes the whole state away.
fn lose_state(world: &World) {
    std::fs::remove_dir_all(world.path("state")).unwrap();
}

#[test]
fn without_its_state_both_sides_are_linked_again_and_nothing_is_written() {
    let world = World::synced(&people::csv(1..=30));
    let (before, contacts) = (TestFiles::at(&world.csv()), world.linq().contacts());
    lose_state(&world);
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (30, 30));
    assert_eq!((run.linq(), run.source()), ([30, 0, 0, 0], [30, 0, 0, 0]));
    assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts));
    assert_eq!(TestFiles::at(&world.csv()), before);
    world.expect_silence();
}

#[test]
fn what_was_deleted_while_the_state_was_lost_comes_back() {
    let world = World::synced(&people::csv(1..=10));
    world.write(people::csv(3..=10));
    world.remove("First009");
    lose_state(&world);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[3]), (0, 0), "nothing is deleted without a state");
    assert_eq!((run.linq()[1], run.source()[1]), (1, 2));
    assert_eq!((world.linq().contacts().len(), world.people_in_csv().len()), (10, 10));
    world.expect_silence();
}

#[test]
fn what_was_edited_while_the_state_was_lost_waits_with_both_values() {
    let world = World::synced(&people::csv(1..=4));
    world.edit("Title 001", "Chief");
    lose_state(&world);
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.count("linked")), (1, 4));
    assert_eq!(world.writes(), []);
    assert!(world.text().contains("Chief"));
}

/// Every command that needs the state ends with `code`, says `words`, and changes nothing
/// on disk or in Linq.
#[track_caller]
fn expect_refused(world: &World, code: i32, words: &str) {
    world.linq().forget_requests();
    let before = TestFiles::at(&database(world));
    for command in [&["--once"][..], &["plan"], &["list", "held"], &["approve", "--all"]] {
        let ended = world.run(command).expect(code);
        assert!(ended.stderr.contains(words), "{command:?}: {}", ended.stderr);
        assert_eq!(TestFiles::at(&database(world)), before, "{command:?} wrote over the state");
    }
    assert_eq!(world.writes(), []);
}

/// Two sides in sync, of which one has been edited since.
fn edited() -> World {
    let world = World::synced(&people::csv(1..=4));
    world.edit("Title 001", "Chief");
    world
}

#[test]
fn a_damaged_state_is_refused_and_left_as_it_is() {
    let world = edited();
    let mut bytes = std::fs::read(database(&world)).unwrap();
    bytes[..100].fill(0x5a);
    std::fs::write(database(&world), bytes).unwrap();
    expect_refused(&world, 1, "damaged");
}

#[test]
fn a_state_that_is_damaged_within_is_refused_and_left_as_it_is() {
    let world = edited();
    let mut bytes = std::fs::read(database(&world)).unwrap();
    bytes[100..].fill(0x5a);
    std::fs::write(database(&world), bytes).unwrap();
    expect_refused(&world, 1, "damaged");
}

#[test]
fn a_state_from_a_newer_linqsync_is_refused_and_left_as_it_is() {
    let world = edited();
    let state = Connection::open(database(&world)).unwrap();
    state.pragma_update(None, "user_version", 99).unwrap();
    drop(state);
    expect_refused(&world, 2, "newer");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let world = edited();
    lose_state(&world);
    std::fs::create_dir(world.path("state")).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.path("state"), private).unwrap();
    let other = Connection::open(database(&world)).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1;").unwrap();
    drop(other);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(database(&world), private).unwrap();
    expect_refused(&world, 2, "another program");
}

/// The state as it is, put aside; it belongs to its owner alone, like the state.
fn put_aside(world: &World) -> PathBuf {
    let copy = world.path("copy");
    std::fs::create_dir(&copy).unwrap();
    copy_files(&world.path("state"), &copy);
    copy
}

/// The state is the copy again.
fn restore(world: &World, copy: &Path) {
    lose_state(world);
    std::fs::create_dir(world.path("state")).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.path("state"), private).unwrap();
    copy_files(copy, &world.path("state"));
}

fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn an_older_state_finds_everything_that_was_done_since_on_both_sides() {
    let world = World::synced(&people::csv(1..=30));
    let copy = put_aside(&world);
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.edit(&people::row(3), "");
    world.remove("First004");
    world.write(world.text() + &people::row(31));
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    world.once().expect(0);
    let (file, contacts) = (world.text(), world.linq().contacts());
    restore(&world, &copy);
    world.linq().forget_requests();
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (2, 30));
    assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts));
    assert_eq!(world.text(), file);
    world.expect_silence();
}

#[test]
fn what_was_edited_after_an_older_state_and_again_before_it_was_restored_waits() {
    let world = World::synced(&people::csv(1..=4));
    let copy = put_aside(&world);
    world.edit("Title 001", "Chief");
    world.edit("Title 002", "Pilot");
    world.sync();
    world.edit("Chief", "Captain");
    world.change("First003", "title", "Lady");
    restore(&world, &copy);
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.count("in_sync")), (1, 3));
    assert!(world.text().contains("Captain") && world.text().contains("Lady"));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
}

#[test]
fn an_older_state_before_a_mass_deletion_asks_before_it_forgets_anybody() {
    let world = World::synced(&people::csv(1..=30));
    let copy = put_aside(&world);
    world.write(people::csv(21..=30));
    world.once().expect(4);
    world.run(&["approve", "--all"]).expect(0);
    world.once().expect(0);
    let contacts = world.linq().contacts();
    restore(&world, &copy);
    world.once().expect(4);
    assert_eq!(world.linq().contacts(), contacts);
    world.run(&["approve", "--all"]).expect(0);
    world.once().expect(0);
    assert_eq!((world.linq().contacts(), world.people_in_csv().len()), (contacts, 10));
    world.expect_silence();
}

#[test]
fn a_state_copied_in_the_middle_of_a_run_creates_nobody_twice_when_it_is_restored() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("linq.settle", "\"1s\"");
    world.write(people::csv(1..=5));
    world.fault("create delay=200ms");
    let process = world.start(&["--once"]);
    wait_until("the create was sent", || !world.requests(RouteKind::Create).is_empty());
    process.kill();
    let copy = put_aside(&world);
    assert_eq!(world.linq().contacts().len(), 4, "the copy is to come before the effect");
    world.linq().clear_faults();
    world.sync();
    restore(&world, &copy);
    world.once().expect(0);
    assert_eq!((world.linq().contacts().len(), world.people_in_csv().len()), (5, 5));
    world.expect_silence();
}

/// Litestream keeps two tables of its own in what it copies, and restores a database
/// that is not in WAL mode.
#[test]
fn what_a_copying_program_leaves_in_the_state_is_no_trouble() {
    let world = World::synced(&people::csv(1..=3));
    let state = Connection::open(database(&world)).unwrap();
    state
        .execute_batch(
            "PRAGMA journal_mode = DELETE;
             CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
             CREATE TABLE _litestream_lock (id INTEGER);
             INSERT INTO _litestream_seq VALUES (1, 7);",
        )
        .unwrap();
    drop(state);
    world.expect_silence();
    world.edit("Title 001", "Chief");
    assert_eq!(world.once().expect(0).linq()[2], 1);
}
