//! Rows that were copied in a spreadsheet, with the id or the key of their original: a
//! copy never speaks for the person, and nobody goes because of it.

use crate::harness::{Run, World};

const HEADER: &str = "linq_id,First Name,Last Name,Email,Title\n";
const ADA: &str = "Ada,King,ada@people.example,Countess";
const BO: &str = "Bo,Wang,bo@people.example,Pilot";

/// Ada and Bo with their ids in the file.
fn with_ids() -> World {
    let mut world = World::with_csv(&format!("{HEADER},{ADA}\n,{BO}\n"));
    world.set("source.id_column", "\"linq_id\"");
    world.sync();
    world
}

/// Saves Ada's row as `original`, Bo's, and a copy of Ada's, with her id, as `copy`, in
/// either order. Tells what was saved.
fn save(world: &World, original: &str, copy: &str, copy_first: bool) -> String {
    let (ada, bo) = (world.contact("Ada").id, world.contact("Bo").id);
    let (first, last) = if copy_first { (copy, original) } else { (original, copy) };
    let text = format!("{HEADER}{ada},{first}\n{bo},{BO}\n{ada},{last}\n");
    world.write(&text);
    text
}

/// A run that leaves Linq and the file as they are, with so many rows waiting.
#[track_caller]
fn expect_waiting(world: &World, text: &str, ambiguous: u64) -> Run {
    let contacts = world.linq().contacts();
    let run = world.once().expect(3);
    let told = format!("{text}{:#}", run.json);
    assert_eq!((run.count("ambiguous"), run.count("rejected")), (ambiguous, 0), "{told}");
    assert_eq!((world.writes(), world.text()), (vec![], text.to_owned()), "{told}");
    assert_eq!(world.linq().contacts(), contacts, "{told}");
    run
}

#[test]
fn a_copy_with_the_id_of_its_original_waits_and_changes_nobody() {
    let copies = [
        ADA,
        "Ada,King,ada@people.example,Lady",
        "Ada,King,ada@home.example,Countess",
        "Ada,Lovelace,ada@people.example,Duchess",
    ];
    for copy in copies {
        for copy_first in [false, true] {
            let world = with_ids();
            let text = save(&world, ADA, copy, copy_first);
            expect_waiting(&world, &text, 1);
            let told = world.run(&["--once"]).expect(3).stdout;
            for word in ["row:2", "row:4", "same id in the id column", "that is a copy"] {
                assert!(told.contains(word), "{copy}: no {word:?} in\n{told}");
            }
            // The person goes on, by the original.
            world.change("Ada", "title", "Dame");
            let run = world.once().expect(3);
            assert_eq!((run.source()[2], run.count("ambiguous")), (1, 1), "{copy}");
            assert_eq!(world.text().matches("Dame").count(), 1, "{copy}: {}", world.text());
        }
    }
}

#[test]
fn of_two_edited_rows_with_one_id_neither_is_believed_until_one_is_removed() {
    let (original, copy) =
        ("Ada,King,ada@people.example,Duchess", "Ada,King,ada@home.example,Lady");
    for copy_first in [false, true] {
        let world = with_ids();
        let text = save(&world, original, copy, copy_first);
        expect_waiting(&world, &text, 2);
        let told = world.run(&["list", "ambiguous"]).expect(0).stdout;
        assert!(told.contains("row:2") && told.contains("row:4"), "{told}");
        let lines: Vec<&str> = text.lines().filter(|line| !line.ends_with(copy)).collect();
        world.write(lines.join("\n") + "\n");
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.source()), ([2, 0, 1, 0], [2, 0, 0, 0]), "{:#}", run.json);
        assert_eq!(world.contact("Ada").title.as_deref(), Some("Duchess"));
        world.expect_silence();
    }
}

#[test]
fn neither_of_two_edited_rows_is_taken_for_a_deletion_when_linq_is_edited_meanwhile() {
    let world = with_ids();
    let text = save(&world, "Ada,King,,Duchess", "Ada,King,ada@people.example,Lady", false);
    world.change("Ada", "title", "Dame");
    expect_waiting(&world, &text, 2);
}

#[test]
fn a_copy_that_was_made_another_person_becomes_one_and_gets_an_id_of_its_own() {
    for original in [ADA, "Ada,King,ada@people.example,Duchess"] {
        let world = with_ids();
        save(&world, original, "Cy,Young,cy@people.example,Countess", true);
        let run = world.once().expect(0);
        let edited = u64::from(original != ADA);
        assert_eq!((run.linq(), run.source()[1]), ([3, 1, edited, 0], 0), "{:#}", run.json);
        let row = format!("{},Cy,Young,", world.contact("Cy").id);
        assert!(world.text().contains(&row), "{}", world.text());
        world.expect_silence();
    }
}

#[test]
fn a_copy_that_is_told_to_be_another_person_becomes_one() {
    let world = with_ids();
    let text = save(&world, ADA, "Ada,King,ada@home.example,Lady", false);
    expect_waiting(&world, &text, 1);
    world.run(&["resolve", "row:4", "--separate"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("in_sync")), ([3, 1, 0, 0], 3), "{:#}", run.json);
    let ids: Vec<String> = world.linq().contacts().iter().map(|c| c.id.to_string()).collect();
    assert!(ids.iter().all(|id| world.text().contains(id)), "{}", world.text());
    world.expect_silence();
}

#[test]
fn rows_with_one_id_that_were_never_synced_both_wait() {
    let mut world = World::new();
    let id = world.linq().insert([("first_name", "Ada"), ("title", "Countess")]).unwrap();
    world.set("source.id_column", "\"linq_id\"");
    let text = format!("{HEADER}{id},Ada,,,Lady\n{id},Ada,,,Dame\n");
    world.write(&text);
    let contacts = world.linq().contacts();
    let run = world.once().expect(3);
    assert_eq!((run.count("ambiguous"), world.linq().contacts()), (2, contacts));
    assert_eq!((world.writes(), world.text()), (vec![], text));
}

#[test]
fn rows_that_share_a_key_are_both_named_and_nobody_is_changed_or_deleted() {
    let keyed = "No,First Name,Email,Title\n1,Ada,ada@people.example,Countess\n\
                 2,Bo,bo@people.example,Pilot\n";
    let mut world = World::with_csv(keyed);
    world.set("source.key", "\"No\"");
    world.sync();
    let text = format!("{keyed}1,Ada,ada@people.example,Lady\n").replace("Pilot", "Chief");
    world.write(&text);
    let run = world.once().expect(3);
    // Everybody else flows; these two wait until one has another key.
    assert_eq!((run.count("rejected"), run.count("ambiguous")), (2, 0), "{:#}", run.json);
    assert_eq!((run.linq(), run.source()[1..].to_vec()), ([2, 0, 1, 0], vec![0, 0, 0]));
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Countess"));
    assert_eq!(world.text(), text);
    let told = world.run(&["--once"]).expect(3).stdout;
    for word in ["row:2 (line 2)", "row:4 (line 4)", "same value as row:2", "`No`"] {
        assert!(told.contains(word), "no {word:?} in\n{told}");
    }
    world.edit("\n1,Ada,ada@people.example,Lady", "");
    world.once().expect(0);
    world.expect_silence();
}
