//! The guard: too many deletions wait, and an emptied side stops everything.

use std::sync::atomic::{AtomicUsize, Ordering};

use linqsync::sandbox::{LoggedRequest, ObservedMoment, RouteKind};

use crate::harness::{TestFiles, World, people};

/// Forty people, of whom the first eleven were removed from the CSV file and one
/// was edited.
fn eleven_of_forty_removed() -> World {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::csv(12..=40));
    world.edit("Title 040", "Chief");
    world
}

#[test]
fn eleven_of_forty_removed_rows_are_held_while_edits_flow() {
    let world = eleven_of_forty_removed();
    for round in 0..2 {
        let run = world.once().expect(4);
        assert_eq!((run.count("held_deletes"), run.count("in_sync")), (11, 29));
        assert_eq!(run.linq(), [40, 0, 1 - round, 0]);
    }
    assert_eq!(world.linq().contacts().len(), 40);
    assert_eq!(world.contact("First040").title.as_deref(), Some("Chief"));
    assert_eq!(world.requests(RouteKind::Delete), []);
}

#[test]
fn eleven_of_forty_contacts_deleted_in_linq_are_held_without_a_storm_of_requests() {
    let world = World::synced(&people::csv(1..=40));
    for n in 1..=11 {
        world.remove(&people::person(n)[0]);
    }
    world.edit("Title 040", "Chief");
    let before = world.text();
    let run = world.once().expect(4);
    assert_eq!((run.count("held_deletes"), run.linq()[2]), (11, 1));
    assert_eq!((run.requests("get"), world.text()), (0, before));
}

#[test]
fn a_limit_for_this_run_releases_held_deletions() {
    let world = eleven_of_forty_removed();
    world.once().expect(4);
    let run = world.once_with(&["--max-deletes", "10"]).expect(4);
    assert_eq!((run.count("held_deletes"), run.linq()[3]), (11, 0));
    let run = world.once_with(&["--max-deletes", "11"]).expect(0);
    assert_eq!((run.count("held_deletes"), run.linq()), (0, [29, 0, 0, 11]));
    world.expect_silence();
}

#[test]
fn ten_deletions_in_a_day_use_the_limit_up() {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::csv(11..=40));
    assert_eq!(world.once().expect(0).linq(), [30, 0, 0, 10]);
    world.write(people::csv(12..=40));
    let run = world.once().expect(4);
    assert_eq!((run.count("held_deletes"), run.linq()[3]), (1, 0));
}

#[test]
fn people_who_come_back_are_no_longer_held() {
    let world = eleven_of_forty_removed();
    world.once().expect(4);
    world.write(people::csv(1..=40).replace("Title 040", "Chief"));
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn a_source_without_any_row_stops_the_run_before_it_writes_anything() {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::HEADER);
    world.change("First001", "title", "Chief");
    world.linq().insert([("first_name", "New")]).unwrap();
    let (contacts, before) = (world.linq().contacts(), TestFiles::at(&world.csv()));
    for _ in 0..2 {
        let run = world.once().expect(4);
        assert_eq!((run.linq(), run.source()), ([41, 0, 0, 0], [0, 0, 0, 0]));
        assert!(run.count("held_deletes") > 0 && run.count("in_sync") == 0, "{:#}", run.json);
        assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts.clone()));
        assert_eq!(TestFiles::at(&world.csv()), before);
    }
}

#[test]
fn a_linq_without_any_contact_stops_the_run_before_it_writes_anything() {
    let world = World::synced(&people::csv(1..=40));
    for contact in world.linq().contacts() {
        world.linq().remove(contact.id).unwrap();
    }
    world.edit("Title 001", "Chief");
    let before = TestFiles::at(&world.csv());
    let run = world.once().expect(4);
    assert_eq!((run.linq(), run.source()), ([0, 0, 0, 0], [40, 0, 0, 0]));
    assert!(run.count("held_deletes") > 0, "{:#}", run.json);
    assert_eq!((world.writes(), TestFiles::at(&world.csv())), (vec![], before));
}

#[test]
fn three_people_who_all_vanish_are_as_suspicious_as_three_hundred() {
    let world = World::synced(&people::csv(1..=3));
    world.write(people::HEADER);
    let run = world.once().expect(4);
    assert_eq!((run.count("held_deletes"), world.writes()), (3, vec![]));
}

#[test]
fn more_than_half_of_everybody_missing_at_once_stops_the_run() {
    let world = World::synced(&people::csv(1..=10));
    world.write(people::csv(7..=10));
    world.edit("Title 010", "Chief");
    let run = world.once().expect(4);
    assert_eq!((run.count("held_deletes"), world.writes()), (6, vec![]));
    assert_eq!(world.once_with(&["--max-deletes", "100%"]).expect(4).linq(), [10, 0, 0, 0]);
}

#[test]
fn a_column_blanked_for_eleven_people_is_held_like_deletions() {
    let world = World::synced(&people::csv(1..=40));
    let blanked = (1..=11).fold(world.text(), |text, n| text.replace(&people::person(n)[4], ""));
    world.write(&blanked);
    world.edit("Title 040", "Chief");
    let run = world.once().expect(4);
    assert_eq!((run.count("held_clears"), run.linq()), (11, [40, 0, 1, 0]));
    assert_eq!(world.contact("First001").company.as_deref(), Some("Company 001"));
    let run = world.once_with(&["--max-deletes", "11"]).expect(0);
    assert_eq!((run.count("held_clears"), run.linq()), (0, [40, 0, 11, 0]));
    world.expect_silence();
}

#[test]
fn a_column_that_vanished_clears_nothing() {
    let world = World::synced(&people::csv(1..=5));
    let without: String = world
        .text()
        .lines()
        .map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n")
        .collect();
    world.write(&without);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[2], run.count("held_clears")), (0, 0));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
    assert!(run.notices().contains("other columns than before"), "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn who_approves_one_of_a_list_has_not_approved_the_others() {
    let mut world = World::synced(&people::csv(1..=20));
    world.set("sync.max_deletes", "2");
    world.write(people::csv(4..=20));
    world.once().expect(4);
    world.run(&["approve", &people::person(1)[2]]).expect(0);
    // Two are within the limit, and were on the list of which one was approved.
    for left in [19, 19] {
        let run = world.once().expect(4);
        assert_eq!((run.count("held_deletes"), world.linq().contacts().len()), (2, left));
    }
    world.run(&["approve", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[3], 2);
    world.expect_silence();
}

#[test]
fn a_greater_limit_releases_what_was_left_of_a_list() {
    let mut world = World::synced(&people::csv(1..=20));
    world.set("sync.max_deletes", "2");
    world.write(people::csv(4..=20));
    world.once().expect(4);
    world.run(&["approve", &people::person(1)[2]]).expect(0);
    world.once().expect(4);
    assert_eq!(world.once_with(&["--max-deletes", "3"]).expect(0).linq()[3], 2);
}

#[test]
fn of_a_stopped_run_only_those_who_were_approved_are_deleted() {
    let world = World::synced(&people::csv(1..=6));
    world.write(people::csv(5..=6));
    world.once().expect(4);
    world.run(&["approve", &people::person(1)[2], &people::person(2)[2]]).expect(0);
    let run = world.once().expect(4);
    assert_eq!((run.linq()[3], run.count("held_deletes")), (2, 2));
    world.once().expect(4);
    assert_eq!(world.linq().contacts().len(), 4);
}

#[test]
fn of_a_column_that_was_blanked_only_what_was_approved_is_cleared() {
    let world = World::synced(&people::csv(1..=40));
    let blanked = (1..=11).fold(world.text(), |text, n| text.replace(&people::person(n)[4], ""));
    world.write(&blanked);
    world.once().expect(4);
    world.run(&["approve", &people::person(1)[2]]).expect(0);
    for updated in [1, 0] {
        let run = world.once().expect(4);
        assert_eq!((run.linq()[2], run.count("held_clears")), (updated, 10));
    }
}

#[test]
fn a_stopped_run_can_be_approved_though_nothing_would_be_deleted() {
    // Everybody was edited on one side and is missing on the other: once it is approved
    // that they are gone, they are created again.
    let world = World::synced(&people::csv(1..=3));
    for contact in world.linq().contacts() {
        world.linq().remove(contact.id).unwrap();
    }
    world.write(world.text().replace("Title 0", "Chief 0"));
    assert_eq!(world.once().expect(4).count("held_deletes"), 3);
    world.run(&["approve", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[1], 3);
    world.expect_silence();
}

#[test]
fn a_stopped_run_can_be_approved_when_people_are_gone_from_both_sides() {
    let world = World::synced(&people::csv(1..=4));
    for n in 1..=3 {
        world.remove(&people::person(n)[0]);
    }
    world.write(people::csv(4..=4));
    assert_eq!(world.once().expect(4).count("held_deletes"), 3);
    world.run(&["approve", "--all"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.count("in_sync"), run.linq()[3], run.source()[3]), (1, 0, 0));
    world.expect_silence();
}

#[test]
fn another_column_for_a_field_clears_and_deletes_nothing_in_that_run() {
    let mut world = World::synced(
        "First Name,Email,Title,Role\nAda,ada@e.example,Countess,\nBo,bo@l.example,Engineer,\n",
    );
    world.set("source.columns.title", "\"Role\"");
    world.edit("Bo,bo@l.example,Engineer,\n", "");
    let run = world.once();
    assert!(run.notices().contains("other columns than before"), "{:#}", run.json);
    assert_eq!((run.linq()[2], run.linq()[3]), (0, 0));
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Countess"));
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn what_was_held_is_not_deleted_because_a_run_could_not_see_it_or_a_limit_grew() {
    let mut world = World::synced(&people::csv(1..=40));
    world.write(people::csv(16..=40));
    assert_eq!(world.once().expect(4).count("held_deletes"), 15);
    for n in 1..=10 {
        world.run(&["approve", &people::person(n)[2]]).expect(0);
    }
    let run = world.once().expect(4);
    assert_eq!((run.linq()[3], run.count("held_deletes")), (10, 5));
    let expect_five = |world: &World| {
        let run = world.once().expect(4);
        assert_eq!((run.linq()[3], run.count("held_deletes")), (0, 5), "{:#}", run.json);
    };
    let text = world.text();
    world.write(text.clone() + "\"open,\n");
    expect_five(&world);
    world.write(&text);
    expect_five(&world);
    world.fault("list lie=empty-page");
    expect_five(&world);
    world.linq().clear_faults();
    expect_five(&world);
    world.set("sync.max_deletes", "\"100%\"");
    expect_five(&world);
    world.run(&["approve", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[3], 5);
    world.expect_silence();
}

#[test]
fn a_run_that_finishes_another_has_the_limit_of_that() {
    let world = World::synced(&people::csv(1..=220));
    world.write(people::csv(12..=220));
    let deletions = AtomicUsize::new(0);
    let sixth = move |request: &LoggedRequest| {
        request.kind == Some(RouteKind::Delete) && deletions.fetch_add(1, Ordering::SeqCst) == 5
    };
    world.killed_at(ObservedMoment::Arrived, sixth).ended();
    world.linq().dismiss_witness();
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 209);
    world.expect_silence();
}
