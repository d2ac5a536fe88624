//! People who have the file open while it is synchronised.

use std::io::Write;

use crate::harness::{World, people};

#[test]
fn a_file_that_is_open_in_an_editor_is_read_and_written_once_it_is_closed() {
    let world = World::synced(&people::csv(1..=3));
    let mark = world.path(".~lock.contacts.csv#");
    std::fs::write(&mark, "").unwrap();
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    let before = world.text();
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.source()), ([3, 0, 1, 0], [3, 0, 0, 0]));
    assert_eq!((run.count("skipped"), run.count("in_sync")), (1, 2));
    assert!(run.notices().contains("open in LibreOffice"), "{}", run.notices());
    assert_eq!(world.text(), before);
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(world.once().expect(0).source(), [3, 0, 1, 0]);
    assert!(world.text().contains("Captain") && world.text().contains("Chief"));
    world.expect_silence();
}

#[test]
fn a_mark_alone_is_told_and_is_no_trouble() {
    let world = World::synced(&people::csv(1..=2));
    std::fs::write(world.path(".contacts.csv.swp"), "").unwrap();
    let run = world.once().expect(0);
    assert!(run.notices().contains("open in Vim"), "{}", run.notices());
}

#[test]
fn what_an_editor_writes_into_the_file_that_was_replaced_is_a_save() {
    let world = World::synced(&people::csv(1..=2));
    let mut opened = std::fs::OpenOptions::new().append(true).open(world.csv()).unwrap();
    world.change("First001", "title", "Captain");
    world.once().expect(0);
    assert!(world.text().contains("Captain"));
    opened.write_all(people::row(3).as_bytes()).unwrap();
    // The editor's version is the newest save of the whole file, and knows nothing of the
    // title, which no person has taken back.
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 1, 0, 0], [3, 0, 1, 0]));
    assert_eq!(world.text(), people::csv(1..=3).replace("Title 001", "Captain"));
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn a_file_that_was_just_saved_is_read_when_it_has_rested() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("source.quiet", "\"50ms\"");
    world.sync();
    world.edit("Title 001", "Chief");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 1, 0]);
}
