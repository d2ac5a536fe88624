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
    assert_eq!((run.count("rejected"), run.linq()[2]), (4, 1));
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

#[test]
fn rows_without_a_key_that_were_cut_short_delete_and_create_nobody() {
    for cut in ["First004", "broken", "First004,Last004", "Fred,Last004", "Firs"] {
        let world = World::synced(&people::csv(1..=12));
        let before = world.people_in_linq();
        world.edit(people::row(4).trim_end(), cut);
        for _ in 0..2 {
            let run = world.once();
            assert_ne!(run.ended.code, Some(0), "{cut}: {:#}", run.json);
            assert_eq!((run.linq()[1], run.linq()[3]), (0, 0), "{cut}: {:#}", run.json);
        }
        assert_eq!(world.linq().contacts().len(), before.len());
        world.edit(cut, people::row(4).trim_end());
        world.once();
        assert_eq!(world.people_in_linq(), before, "{cut}");
    }
}

#[test]
fn the_cell_in_which_a_row_ends_is_not_believed() {
    for cut in ["First004,Last004,p004@peo", "First004,Last004,"] {
        let world = twenty_with_a_key();
        world.edit(people::row(4).trim_end(), cut);
        world.once().expect(3);
        assert_eq!(world.contact("First004").email.as_deref(), Some("p004@people.example"));
    }
}

#[test]
fn names_that_lost_letters_are_still_known_without_anything_else() {
    let rest = (1..=12).fold(String::new(), |text, n| text + &format!("Ann{n},Lee{n}\n"));
    let world = World::synced(&format!("First Name,Last Name\nŁucja,Świt\n{rest}"));
    let before = world.linq().contacts();
    world.edit("Łucja,Świt", "?ucja,?wit");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1..].to_vec(), run.count("rejected")), (vec![0, 0, 0], 2));
    assert_eq!(world.linq().contacts(), before);
}

#[test]
fn letters_that_were_read_in_another_encoding_do_not_reach_linq() {
    let world = World::synced("First Name,Last Name,Email\nJosé,Müller,j@x.example\n");
    world.edit("José,Müller", "JosÃ©,MÃ¼ller");
    world.once().expect(3);
    assert_eq!(world.contact("José").last_name.as_deref(), Some("Müller"));
}
