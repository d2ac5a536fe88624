//! Accidents in a spreadsheet: what nobody meant does not reach Linq.

use crate::harness::{World, people};

/// Twenty people with a key, who are the same on both sides.
fn twenty_with_a_key() -> World {
    let mut world = World::new();
    let mut rows = people::csv(1..=20).lines().map(str::to_owned).collect::<Vec<_>>();
    rows[0].insert_str(0, "No,");
    for (number, row) in (1..).zip(&mut rows[1..]) {
        row.insert_str(0, &format!("E{number},"));
    }
    world.write(rows.join("\n") + "\n");
    world.set("source.key", "\"No\"");
    world.sync();
    world
}

#[test]
fn a_cell_that_a_row_lacks_clears_nothing_and_the_row_is_named() {
    let world = twenty_with_a_key();
    let before = world.contact("First007");
    let row = world.text().lines().nth(7).unwrap().to_owned();
    world.edit(&row, "E7,First007");
    for _ in 0..2 {
        let run = world.once().expect(3);
        assert_eq!(run.linq()[2], 0);
        assert!(run.count("rejected") > 0);
    }
    assert_eq!(world.contact("First007"), before);
    let listed = world.run(&["list", "rejected"]).stdout;
    assert!(listed.contains("E7") && listed.contains("too short"), "{listed}");
    // Once the cells are back, nothing waits any more.
    world.edit("E7,First007", &row);
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn a_new_row_may_be_as_short_as_a_spreadsheet_leaves_it() {
    let world = twenty_with_a_key();
    world.write(world.text() + "E21,Zed\n");
    assert_eq!(world.once().expect(0).linq(), [21, 1, 0, 0]);
    world.expect_silence();
}

#[test]
fn letters_that_an_encoding_lacked_do_not_reach_linq() {
    let world = World::synced(
        "First Name,Last Name,Email,Title\nJosé,Łukasik,j@x.example,Chef\n太郎,東京,t@x.example,CEO\n",
    );
    let before = world.linq().contacts();
    world.write(
        "First Name,Last Name,Email,Title\nJos?,?ukasik,j@x.example,Chief\n??,??,t@x.example,CEO\n",
    );
    let run = world.once().expect(3);
    assert_eq!((run.count("rejected"), run.linq()[2]), (2, 1));
    let names = |contacts: Vec<linqsync::sandbox::Contact>| -> Vec<_> {
        contacts.into_iter().map(|contact| (contact.first_name, contact.last_name)).collect()
    };
    assert_eq!(names(world.linq().contacts()), names(before));
    assert_eq!(world.contact("José").title.as_deref(), Some("Chief"), "other fields flow");
}

#[test]
fn a_question_mark_that_somebody_types_is_an_edit() {
    let world = World::synced("First Name,Email,Title\nAda,a@x.example,CEO\n");
    world.edit("CEO", "CE?");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("CE?"));
}
