//! Mass edits of one field wait like mass deletions, on whichever side they were made.

use crate::harness::{World, people};

/// A table of people as cells, the header first.
fn cells(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn text(cells: &[Vec<String>]) -> String {
    cells.iter().map(|row| row.join(",") + "\n").collect()
}

/// Edits one column of the file as a person does in a spreadsheet who selects it alone.
fn edit_column(world: &World, name: &str, edit: impl FnOnce(&mut Vec<String>)) {
    let mut cells = cells(&world.text());
    let at = cells[0].iter().position(|column| column == name).unwrap();
    let mut column: Vec<String> = cells[1..].iter().map(|row| row[at].clone()).collect();
    edit(&mut column);
    for (row, cell) in cells[1..].iter_mut().zip(column) {
        row[at] = cell;
    }
    world.write(text(&cells));
}

/// Nobody's value of a field is replaced: everything in Linq is as before, but for the title
/// of the last one, who was promoted besides.
#[track_caller]
fn expect_held(world: &World, held: u64) {
    world.edit("Title 020", "Chief");
    let mut before = world.people_in_linq();
    for person in &mut before {
        for cell in person.iter_mut().filter(|cell| *cell == "Title 020") {
            "Chief".clone_into(cell);
        }
    }
    for updated in [1, 0] {
        let run = world.once().expect(4);
        assert_eq!(run.count("held_changes") + run.count("held_clears"), held, "{:#}", run.json);
        assert_eq!(run.linq()[2], updated, "edits of other fields go on");
        assert_eq!(world.people_in_linq(), before);
    }
}

fn twenty() -> World {
    World::synced(&people::csv(1..=20))
}

#[test]
fn a_column_that_was_sorted_alone_waits_and_is_named() {
    let world = twenty();
    edit_column(&world, "Phone", |column| column.reverse());
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.linq()), (20, [20, 0, 0, 0]));
    let notices = run.notices();
    assert!(notices.contains("20 values of phone_number moved between contacts"), "{notices}");
    assert_eq!(notices.matches(" → ").count(), 3, "three examples: {notices}");
    let listed = world.run(&["list", "held"]).expect(0).stdout;
    assert!(listed.contains("First001") && listed.contains("moved"), "{listed}");
    let status = world.run(&["status"]).stdout;
    assert!(status.contains("20 held changes"), "{status}");
    expect_held(&world, 20);
}

#[test]
fn a_column_that_was_pasted_a_row_off_waits() {
    for off in [1, 19] {
        let world = twenty();
        edit_column(&world, "Company", |column| column.rotate_left(off));
        expect_held(&world, 20);
    }
}

#[test]
fn a_column_that_was_shifted_with_a_blank_waits() {
    let world = twenty();
    edit_column(&world, "Phone", |column| {
        column.insert(0, String::new());
        column.pop();
    });
    expect_held(&world, 20);
}

#[test]
fn a_sparse_column_that_was_sorted_alone_waits() {
    // Six of twenty have a company; sorted, they stand on top.
    let sparse = (1..=20)
        .filter(|n| n % 3 != 0)
        .fold(people::csv(1..=20), |text, n| text.replace(&people::person(n)[4], ""));
    let world = World::synced(&sparse);
    edit_column(&world, "Company", |column| column.sort_by_key(String::is_empty));
    let run = world.once().expect(4);
    assert!(run.count("held_changes") + run.count("held_clears") >= 8, "{:#}", run.json);
    assert_eq!(run.linq(), [20, 0, 0, 0]);
}

#[test]
fn a_cell_that_was_filled_down_waits() {
    let world = twenty();
    edit_column(&world, "Phone", |column| {
        let first = column[0].clone();
        column[1..8].fill(first);
    });
    expect_held(&world, 7);
}

#[test]
fn a_column_that_was_replaced_waits_beyond_half_of_its_values_and_in_a_day() {
    let world = twenty();
    let retitle = |range: std::ops::Range<usize>| {
        edit_column(&world, "Title", |column| {
            column[range.clone()].iter_mut().for_each(|title| title.insert_str(0, "New "));
        });
    };
    retitle(0..10);
    assert_eq!(world.once().expect(0).linq()[2], 10, "ten may change at any size");
    retitle(10..11);
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.linq()[2]), (1, 0), "the day counts");
    assert!(run.notices().contains("replaced"), "{}", run.notices());
}

#[test]
fn the_limit_of_changes_is_configured() {
    let mut world = twenty();
    world.set("sync.max_changes", "2");
    edit_column(&world, "Title", |column| {
        column[..3].iter_mut().for_each(|title| title.insert_str(0, "New "));
    });
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.linq()[2]), (3, 0));
}

#[test]
fn values_that_come_where_there_were_none_do_not_wait() {
    let blank =
        (1..=20).fold(people::csv(1..=20), |text, n| text.replace(&people::person(n)[5], ""));
    let world = World::synced(&blank);
    edit_column(&world, "Title", |column| {
        for (n, title) in column.iter_mut().enumerate() {
            *title = format!("Title {n}");
        }
    });
    assert_eq!(world.once().expect(0).linq()[2], 20);
    world.expect_silence();
}

#[test]
fn a_few_who_move_to_another_office_are_nothing_unusual() {
    let offices = (1..=40).fold(people::csv(1..=40), |text, n| {
        text.replace(&people::person(n)[4], ["Berlin", "Paris", "Rome", "Oslo"][n % 4])
    });
    let world = World::synced(&offices);
    edit_column(&world, "Company", |column| {
        column.iter_mut().filter(|office| *office == "Oslo").take(6).for_each(|office| {
            "Rome".clone_into(office);
        });
    });
    assert_eq!(world.once().expect(0).linq()[2], 6);
    world.expect_silence();
}

#[test]
fn all_numbers_of_a_short_list_that_was_blanked_wait() {
    let world = World::synced(&people::csv(1..=10));
    edit_column(&world, "Phone", |column| column.fill(String::new()));
    let run = world.once().expect(4);
    assert_eq!((run.count("held_clears"), run.linq()), (10, [10, 0, 0, 0]));
    // By hand, one after the other, it is no less.
    let world = World::synced(&people::csv(1..=10));
    for blanked in 1..=5 {
        edit_column(&world, "Phone", |column| column[..blanked].fill(String::new()));
        assert_eq!(world.once().expect(0).linq()[2], 1);
    }
    edit_column(&world, "Phone", |column| column[..6].fill(String::new()));
    assert_eq!(world.once().expect(4).count("held_clears"), 1);
}

#[test]
fn clearings_of_a_day_count_together() {
    let world = World::synced(&people::csv(1..=40));
    for round in 0..3 {
        edit_column(&world, "Title", |column| column[..(round + 1) * 5].fill(String::new()));
        let run = world.once();
        let expected = if round < 2 { (0, 5, 0) } else { (4, 0, 5) };
        assert_eq!((run.ended.code.unwrap(), run.linq()[2], run.count("held_clears")), expected);
    }
}

#[test]
fn a_mass_edit_in_linq_waits_likewise() {
    let world = twenty();
    let phones: Vec<String> =
        (1..=20).map(|n| world.contact(&people::person(n)[0]).phone_number.unwrap()).collect();
    for n in 1..=20 {
        world.change(&people::person(n)[0], "phone_number", &phones[n % 20]);
    }
    let before = world.text();
    for _ in 0..2 {
        let run = world.once().expect(4);
        assert_eq!((run.count("held_changes"), run.source()[2]), (20, 0));
        assert_eq!(world.text(), before);
    }
    world.run(&["reject", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[2], 20);
    let now: Vec<String> =
        (1..=20).map(|n| world.contact(&people::person(n)[0]).phone_number.unwrap()).collect();
    assert_eq!((now, world.text()), (phones, before));
    world.expect_silence();
}

#[test]
fn what_was_approved_of_a_mass_edit_goes_and_the_rest_stays() {
    let world = twenty();
    edit_column(&world, "Phone", |column| column.reverse());
    world.once().expect(4);
    world.run(&["approve", &people::person(3)[2]]).expect(0);
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.linq()[2]), (19, 1));
    assert_eq!(world.contact("First003").phone_number, world.contact("First018").phone_number);
    world.run(&["approve", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[2], 19);
    world.expect_silence();
}

#[test]
fn a_column_that_was_put_right_waits_no_longer() {
    let world = twenty();
    let before = world.text();
    edit_column(&world, "Phone", |column| column.reverse());
    world.once().expect(4);
    world.write(before);
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn a_mass_edit_that_is_rejected_is_put_back_in_the_file() {
    let world = twenty();
    let before = world.text();
    edit_column(&world, "Phone", |column| column.reverse());
    edit_column(&world, "Title", |column| column[..12].fill(String::new()));
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.count("held_clears")), (20, 12));
    let told = world.run(&["reject", &people::person(1)[2]]).expect(0).stdout;
    assert!(told.contains("phone_number stays") && told.contains("title stays"), "{told}");
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.source()[2]), (19, 1));
    world.run(&["reject", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).source()[2], 19);
    assert_eq!(world.text(), before);
    world.expect_silence();
}

#[test]
fn nothing_is_rejected_that_could_not_be_put_back() {
    let mut world = twenty();
    world.set("sync.direction", "\"push\"");
    world.write(people::csv(12..=20));
    world.once().expect(4);
    let ended = world.run(&["reject", "--all"]).expect(2);
    assert!(ended.stderr.contains("the source is not written"), "{}", ended.stderr);
    assert!(world.state().stored_decisions().unwrap().is_empty());
}

#[test]
fn deletions_that_are_rejected_bring_the_other_half_back() {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::csv(13..=40));
    assert_eq!(world.once().expect(4).count("held_deletes"), 12);
    world.run(&["reject", "--all"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.source()[1], run.linq()), (12, [40, 0, 0, 0]));
    let mut rows = world.people_in_csv();
    let mut all = cells(&people::csv(1..=40))[1..].to_vec();
    rows.sort();
    all.sort();
    assert_eq!(rows.len(), all.len());
    world.expect_silence();

    let world = World::synced(&people::csv(1..=40));
    let before = world.text();
    for n in 1..=12 {
        world.remove(&people::person(n)[0]);
    }
    assert_eq!(world.once().expect(4).count("held_deletes"), 12);
    world.run(&["reject", "--all"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()), (12, [40, 0, 0, 0]));
    assert_eq!(world.text(), before);
    world.expect_silence();
}

#[test]
fn an_emptied_side_that_is_rejected_is_filled_again() {
    let world = World::synced(&people::csv(1..=6));
    world.write(people::HEADER);
    assert_eq!(world.once().expect(4).count("held_deletes"), 6);
    world.run(&["reject", "--all"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.source()[1], world.linq().contacts().len()), (6, 6));
    world.expect_silence();

    let world = World::synced(&people::csv(1..=6));
    for contact in world.linq().contacts() {
        world.linq().remove(contact.id).unwrap();
    }
    assert_eq!(world.once().expect(4).count("held_deletes"), 6);
    world.run(&["reject", "--all"]).expect(0);
    assert_eq!(world.once().expect(0).linq()[1], 6);
    world.expect_silence();
}

#[test]
fn what_is_held_of_a_contact_that_is_gone_is_not_created_again_with_it() {
    let world = World::synced(&people::csv(1..=20));
    edit_column(&world, "Title", |column| {
        for title in column {
            title.insert_str(0, "New ");
        }
    });
    assert_eq!(world.once().expect(4).count("held_changes"), 20);
    world.run(&["reject", &people::person(1)[2]]).expect(0);
    for n in 1..=3 {
        world.remove(&people::person(n)[0]);
    }
    let run = world.once().expect(4);
    assert_eq!((run.linq()[1], run.source()[1]), (0, 0), "{:#}", run.json);
    assert!(!world.text().contains("New Title 001"), "what was rejected is put back");
    world.run(&["reject", "--all"]).expect(0);
    world.once();
    world.once().expect(0);
    let titles = world.linq().contacts().into_iter().filter_map(|contact| contact.title);
    assert!(titles.into_iter().all(|title| title.starts_with("Title ")));
}

#[test]
fn an_address_that_moved_names_nobody() {
    let world = World::synced(&people::csv(1..=20));
    edit_column(&world, "Email", |column| column.rotate_left(1));
    assert_eq!(world.once().expect(4).count("held_changes"), 20);
    let ended = world.run(&["approve", &people::person(5)[2]]).expect(2);
    assert!(ended.stderr.contains("First004") && ended.stderr.contains("First005"));
    assert!(world.state().stored_decisions().unwrap().is_empty());
    let id = world.contact("First005").id.to_string();
    world.run(&["approve", &id]).expect(0);
    assert_eq!(world.state().stored_decisions().unwrap().len(), 1);
}

#[test]
fn a_block_that_was_pasted_a_row_off_deletes_nobody() {
    let world = World::synced(&people::csv(1..=40));
    let mut cells = cells(&world.text());
    let block: Vec<Vec<String>> = cells[2..8].iter().map(|row| row[..3].to_vec()).collect();
    for (row, values) in cells[3..9].iter_mut().zip(block) {
        row[..3].clone_from_slice(&values);
    }
    world.write(text(&cells));
    world.once().expect(4);
    assert_eq!(world.requests(linqsync::sandbox::RouteKind::Delete), []);
    assert_eq!(world.linq().contacts().len(), 40);
}

#[test]
fn what_is_held_stays_so_in_another_direction_and_is_asked_about_when_that_ends() {
    let mut world = twenty();
    edit_column(&world, "Phone", |column| column.reverse());
    assert_eq!(world.once().expect(4).count("held_changes"), 20);
    world.set("sync.direction", "\"pull\"");
    let run = world.once().expect(4);
    assert_eq!((run.count("held_changes"), run.linq()[2]), (20, 0), "{:#}", run.json);
    // What had piled up by then is asked about like everything else of the kind.
    world.set("sync.direction", "\"both\"");
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.linq()[2]), (20, 0), "{:#}", run.json);
}

#[test]
fn the_cells_of_a_row_that_slipped_by_one_are_held() {
    let world = World::synced(&people::csv(1..=20));
    let before = world.people_in_linq();
    // The first cell is deleted, and the others move up.
    let row = people::row(7);
    let slipped = row.split_once(',').unwrap().1.trim_end().to_owned() + ",\n";
    world.edit(&row, &slipped);
    world.edit("Title 003", "Chief");
    let run = world.once();
    assert!(matches!(run.ended.code, Some(3 | 4)), "{:#}", run.json);
    assert_eq!(run.linq()[1..], [0, 1, 0], "{:#}", run.json);
    assert!(run.notices().contains("moved from one field to another"), "{}", run.notices());
    for (was, is) in before.iter().zip(world.people_in_linq()) {
        assert!(*was == is || is.contains(&"Chief".to_owned()), "{was:?} {is:?}");
    }
    world.edit(&slipped, &row);
    world.once().expect(0);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn columns_whose_contents_were_exchanged_are_held() {
    let world = World::synced(&people::csv(1..=20));
    let before = world.people_in_linq();
    let mut rows = cells(&world.text());
    let at = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let (company, title) = (at("Company"), at("Title"));
    rows[1..].iter_mut().for_each(|row| row.swap(company, title));
    world.write(text(&rows));
    let run = world.once().expect(4);
    assert_eq!(run.count("held_changes"), 40, "{:#}", run.json);
    assert!(run.notices().contains("other fields of the same contacts"), "{}", run.notices());
    assert_eq!((world.writes(), world.people_in_linq()), (vec![], before));
    world.run(&["approve", "--all"]).expect(0);
    world.once().expect(0);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn first_and_last_name_of_somebody_are_put_right_at_once() {
    let world = World::synced(&people::csv(1..=20));
    let [first, last, ..] = people::person(4);
    world.edit(&format!("{first},{last}"), &format!("{last},{first}"));
    assert_eq!(world.once().expect(0).linq(), [20, 0, 1, 0]);
    world.expect_silence();
}
