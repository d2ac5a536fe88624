//! Less than everything: one way only, or some contacts only.

use crate::harness::{TestFiles, World, people};

fn one_way(direction: &str) -> World {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.direction", direction);
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.write(world.text() + &people::row(5));
    world.linq().insert([("first_name", "New")]).unwrap();
    world
}

#[test]
fn push_writes_linq_and_never_the_source() {
    let world = one_way("\"push\"");
    world.edit(&people::row(3), "");
    world.remove("First004");
    let before = TestFiles::at(&world.csv());
    let run = world.once();
    assert_eq!((&run.linq()[1..], &run.source()[1..]), (&[1, 1, 1][..], &[0, 0, 0][..]));
    assert_eq!(TestFiles::at(&world.csv()), before);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    assert_eq!(world.contact("First005").company.as_deref(), Some("Company 005"));
    world.linq().forget_requests();
    world.once();
    assert_eq!((world.writes(), TestFiles::at(&world.csv())), (vec![], before));
}

#[test]
fn pull_writes_the_source_and_never_linq() {
    let world = one_way("\"pull\"");
    world.edit(&people::row(3), "");
    world.remove("First004");
    let contacts = world.linq().contacts();
    let run = world.once();
    assert_eq!((&run.linq()[1..], &run.source()[1..]), (&[0, 0, 0][..], &[1, 1, 1][..]));
    assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts));
    let text = world.text();
    assert!(text.contains("Captain") && text.contains("Chief") && text.contains("\nNew,"));
    assert!(!text.contains("First004"), "{text}");
    let after = TestFiles::at(&world.csv());
    world.once();
    assert_eq!((world.writes(), TestFiles::at(&world.csv())), (vec![], after));
}

#[test]
fn a_value_edited_where_nothing_is_sent_stays_until_the_sending_side_changes_it() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.direction", "\"push\"");
    world.change("First001", "title", "Captain");
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Captain"));
    world.edit("Title 001", "Chief");
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), world.writes()), (1, vec![]));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Captain"));
}

#[test]
fn a_field_can_have_a_direction_of_its_own() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.fields.title", "\"pull\"");
    world.edit("Title 001", "Chief");
    world.edit("Company 001", "Works");
    world.change("First002", "title", "Captain");
    world.once().expect(0);
    let first = world.contact("First001");
    assert_eq!(first.title.as_deref(), Some("Title 001"));
    assert_eq!(first.company.as_deref(), Some("Works"));
    assert!(world.text().contains("Captain") && world.text().contains("Chief"));
}

#[test]
fn only_the_owners_contacts_take_part_and_one_that_leaves_is_left_alone() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("linq.owner", "\"sam@linq.example\"").set("linq.scope", "\"owner\"");
    let others = [("first_name", "Other"), ("user_email", "ada@linq.example")];
    world.linq().insert(others).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[1], run.count("in_sync")), (2, 0, 2));
    assert!(!world.text().contains("Other"));

    world.change("First001", "user_email", "ada@linq.example");
    world.edit("Title 001", "Chief");
    let before = world.text();
    for _ in 0..2 {
        world.linq().forget_requests();
        world.once().expect(0);
        assert_eq!((world.writes(), world.text()), (vec![], before.clone()));
    }
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
}

#[test]
fn a_decision_for_the_side_that_is_written_lets_each_side_keep_what_it_has() {
    for (direction, wins) in [("push", "linq"), ("pull", "source")] {
        let mut world = World::synced("First Name,Email,Title\nAda,ada@e.example,Countess\n");
        world.set("sync.direction", &format!("\"{direction}\""));
        world.edit("Countess", "Analyst");
        world.change("Ada", "title", "Lady");
        world.once().expect(3);
        world.run(&["resolve", "ada@e.example", "--take", wins]).expect(0);
        world.once().expect(0);
        assert_eq!(world.contact("Ada").title.as_deref(), Some("Lady"));
        assert!(world.text().contains("Analyst"));
        world.once().expect(0);
    }
}

/// Forty contacts, half of the rows edited; only Linq or only the file is written.
#[test]
fn what_nothing_follows_from_stops_no_run() {
    let row = |n: usize| format!("P{n},p{n}@x.example,Cook\n");
    let rows: String = (0..40).map(row).collect();
    let text = format!("First Name,Email,Title\n{rows}");
    for direction in ["push", "pull"] {
        let mut world = World::synced(&text);
        world.set("sync.direction", &format!("\"{direction}\""));
        world.once().expect(0);
        if direction == "push" {
            for n in 0..25 {
                world.remove(&format!("P{n}"));
            }
            world.edit("p30@x.example,Cook", "p30@x.example,Chief");
        } else {
            let kept: String = (25..40).map(row).collect();
            world.write(format!("First Name,Email,Title\n{kept}"));
            world.change("P30", "title", "Chief");
        }
        let run = world.once().expect(3);
        let told = format!("{direction}: {:#}", run.json);
        assert_eq!(run.count("held_deletes"), 0, "{told}");
        assert_eq!(world.contact("P30").title.as_deref(), Some("Chief"), "{told}");
        assert!(world.text().contains("p30@x.example,Chief"), "{told}");
    }
}

#[test]
fn of_three_owners_the_contacts_of_two_take_part_and_whoever_is_taken_out_is_left_alone() {
    let mut world = World::with_csv(&people::csv(1..=1));
    world.set("linq.scope", "[\"sam@linq.example\", \"Ada@Linq.example\"]");
    for (name, owner) in [("Hers", "ada@linq.example"), ("Foreign", "olivia@linq.example")] {
        let email = format!("{name}@people.example");
        let values = [("first_name", name), ("email", &email), ("title", "Cook")];
        world.linq().insert(values.into_iter().chain([("user_email", owner)])).unwrap();
    }
    world.once().expect(0);
    // A new contact belongs to the first of them.
    let owner = |name: &str| world.contact(name).contact_owner.map(|owner| owner.email);
    assert_eq!(owner("First001").as_deref(), Some("sam@linq.example"));
    let text = world.text();
    assert!(text.contains("\nHers,") && !text.contains("Foreign"), "{text}");
    world.set("linq.scope", "[\"sam@linq.example\"]");
    world.edit("Cook", "Chef");
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!((world.writes(), world.text()), (vec![], text.replace("Cook", "Chef")));
}

#[test]
fn the_owner_of_new_contacts_is_one_of_the_scope_whatever_the_case() {
    let mut world = World::with_csv(&people::csv(1..=1));
    world.set("linq.scope", "[\"sam@linq.example\"]").set("linq.owner", "\"Sam@Linq.example\"");
    world.run(&["plan"]).expect(0);
    world.set("linq.owner", "\"olivia@linq.example\"");
    world.run(&["plan"]).expect(2);
}
