//! People who go, on one side or on both.

use linqsync::sandbox::RouteKind;

use crate::harness::{World, people};

#[test]
fn a_removed_row_is_deleted_in_linq_and_kept_whole_in_the_history() {
    let world = World::synced(&people::csv(1..=3));
    let id = world.contact("First002").id;
    world.edit(&people::row(2), "");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 1], [2, 0, 0, 0]));
    assert_eq!(world.linq().contact(id), None);
    assert_eq!(world.requests(RouteKind::Delete).len(), 1);
    let history = world.state().history_of(linqsync::model::LinqId(id)).unwrap();
    let before = history.last().and_then(|row| row.entry.before.clone()).unwrap();
    for value in people::person(2) {
        assert!(before.contains(&value), "{before}");
    }
    world.expect_silence();
}

#[test]
fn a_contact_deleted_in_linq_is_removed_from_the_source_and_nothing_else_is() {
    let world = World::synced(&people::csv(1..=3));
    world.remove("First002");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 0], [2, 0, 0, 1]));
    assert_eq!(world.text(), people::csv(1..=3).replace(&people::row(2), ""));
    assert_eq!(world.writes(), []);
    world.expect_silence();
}

#[test]
fn who_is_gone_from_both_sides_is_forgotten() {
    let world = World::synced(&people::csv(1..=3));
    world.edit(&people::row(2), "");
    world.remove("First002");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 0], [2, 0, 0, 0]));
    world.expect_silence();
}

#[test]
fn an_edit_in_the_source_beats_a_deletion_in_linq() {
    let world = World::synced(&people::csv(1..=3));
    let id = world.contact("First002").id;
    world.remove("First002");
    world.edit("Title 002", "Chief");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 1, 0, 0], [3, 0, 0, 0]));
    let again = world.contact("First002");
    assert_ne!(again.id, id);
    assert_eq!(again.title.as_deref(), Some("Chief"));
    world.expect_silence();
}

#[test]
fn an_edit_in_linq_beats_a_deletion_in_the_source() {
    let world = World::synced(&people::csv(1..=3));
    world.change("First002", "title", "Chief");
    world.edit(&people::row(2), "");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 0, 0, 0], [3, 1, 0, 0]));
    let back = people::csv(1..=3).replace("Title 002", "Chief");
    assert_eq!(world.text(), back, "it comes back where it was");
    world.expect_silence();
}

#[test]
fn who_was_never_synced_is_never_deleted() {
    let world = World::synced(&people::csv(1..=3));
    // New on each side between two runs, and gone again before anybody looked.
    world.write(people::csv(1..=4));
    world.linq().insert([("first_name", "New"), ("email", "new@linq.example")]).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([5, 1, 0, 0], [5, 1, 0, 0]));
    // A state that was lost makes everybody new: nobody is deleted.
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.edit(&people::row(1), "");
    world.remove("First002");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[3]), (0, 0));
    assert_eq!((run.linq()[1], run.source()[1], run.count("linked")), (1, 1, 3));
    assert_eq!(world.people_in_csv().len(), 5);
    assert_eq!(world.linq().contacts().len(), 5);
}

#[test]
fn a_contact_that_the_listing_lacks_but_answers_by_its_id_is_not_deleted() {
    let world = World::synced(&people::csv(1..=3));
    world.linq().set_quirks(["late-visibility=1000000".parse().unwrap()].into_iter().collect());
    world.write(people::csv(1..=5));
    world.sync();
    for _ in 0..2 {
        let run = world.once().expect(0);
        assert_eq!((run.requests("get"), run.count("in_sync")), (2, 5));
        assert_eq!((run.linq(), run.source()), ([5, 0, 0, 0], [5, 0, 0, 0]));
    }
    assert_eq!((world.writes(), world.text()), (vec![], people::csv(1..=5)));
}

#[test]
fn kept_deletions_leave_the_other_side_alone_for_good() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.deletes", "\"keep\"");
    world.edit(&people::row(2), "");
    world.remove("First003");
    let left = world.text();
    for _ in 0..2 {
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.source()), ([3, 0, 0, 0], [3, 0, 0, 0]));
        assert_eq!((world.writes(), world.text()), (vec![], left.clone()));
    }
    // Released: an edit of what is left goes nowhere, either.
    world.change("First002", "title", "Chief");
    world.edit("Title 003", "Captain");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 0, 0, 0], [3, 0, 0, 0]));
}

#[test]
fn deletions_can_be_kept_on_one_side_alone() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.deletes", "{ linq = \"keep\", source = \"propagate\" }");
    world.edit(&people::row(2), "");
    world.remove("First003");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 0, 0, 0], [2, 0, 0, 1]));
    assert_eq!(world.text(), people::csv(1..=4).replace(&(people::row(2) + &people::row(3)), ""));
}

#[test]
fn a_released_person_who_comes_back_is_kept_the_same_again() {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("sync.deletes", "\"keep\"");
    world.edit(&people::row(2), "");
    world.once().expect(0);
    world.change("First002", "title", "Chief");
    world.write(people::csv(1..=3));
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[1]), (0, 0), "{:#}", run.json);
    assert!(world.text().contains("Chief"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn a_deletion_waits_for_its_grace_without_being_an_error() {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("sync.delete_grace", "\"1h\"");
    world.edit(&people::row(2), "");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("held_deletes")), ([3, 0, 0, 0], 0));
    world.set("sync.delete_grace", "\"0s\"");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 0, 1]);
}

#[test]
fn who_was_kept_and_is_created_in_linq_anew_is_the_same_person() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.deletes", "\"keep\"");
    let before = world.text();
    let [first, last, email, ..] = people::person(1);
    world.remove(&first);
    world.once().expect(0);
    world
        .linq()
        .insert([("first_name", &*first), ("last_name", &*last), ("email", &*email)])
        .unwrap();
    world.once().expect(0);
    assert_eq!(world.text(), before, "no second row");
    world.edit("Title 001", "Chief");
    world.once().expect(0);
    assert_eq!(world.contact(&first).title.as_deref(), Some("Chief"));
}

/// Contacts of these people are deleted in Linq and created again under other ids.
fn create_again(world: &World, numbers: std::ops::RangeInclusive<usize>) {
    for n in numbers {
        world.remove(&people::person(n)[0]);
        let person = people::person(n);
        world
            .linq()
            .insert(people::MEMBERS.into_iter().zip(person.iter().map(String::as_str)))
            .unwrap();
    }
}

#[test]
fn who_was_created_again_under_another_id_keeps_its_row() {
    // Within the limit, and more than are asked for otherwise.
    for last in [3, 15] {
        let world = World::synced(&people::csv(1..=40));
        let before = world.text();
        create_again(&world, 1..=last);
        let run = world.once().expect(0);
        assert_eq!((run.count("in_sync"), run.linq(), run.source()[1]), (40, [40, 0, 0, 0], 0));
        assert_eq!((world.text(), world.linq().contacts().len()), (before, 40));
        world.expect_silence();
    }
}

#[test]
fn who_was_created_again_gets_no_second_row_while_it_cannot_be_told_that_the_first_is_gone() {
    let world = World::synced(&people::csv(1..=40));
    let before = world.text();
    create_again(&world, 1..=3);
    world.fault("list lie=empty-page");
    world.once();
    assert_eq!((world.text(), world.linq().contacts().len()), (before.clone(), 40));
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!((world.text(), world.linq().contacts().len()), (before, 40));
    world.expect_silence();
}
