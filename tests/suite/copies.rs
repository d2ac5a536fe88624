//! Rows that were copied in a spreadsheet, with the id or the key of their original: a
//! copy never speaks for the person, and nobody goes because of it.

use crate::harness::{PrintedRun, World};

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
fn expect_waiting(world: &World, text: &str, ambiguous: u64) -> PrintedRun {
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

const KEYED: &str = "No,First Name,Email,Title\n1,Ada,ada@people.example,Countess\n\
                     2,Bo,bo@people.example,Pilot\n3,Cy,cy@people.example,Cook\n";

/// Three contacts with keys, in sync.
fn keyed() -> World {
    let mut world = World::with_csv(KEYED);
    world.set("source.key", "\"No\"");
    world.sync();
    world
}

#[test]
fn a_row_with_the_key_of_another_waits_while_the_other_goes_on() {
    for (original, copy) in [
        ("1,Ada,ada@people.example,Countess", "1,Ada,ada@people.example,Lady"),
        ("1,Ada,ada@people.example,Countess", "1,Ada,ada@home.example,Countess"),
        ("1,Ada,ada@people.example,Countess", "1,Adam,adam@people.example,Baker"),
        // The original was edited, and the copy left as it was.
        ("1,Ada,ada@home.example,Countess", "1,Ada,ada@people.example,Countess"),
    ] {
        let world = keyed();
        let text = KEYED.replace("1,Ada,ada@people.example,Countess", original);
        world.write(format!("{}{copy}\n", text.replace("Pilot", "Chief")));
        world.change("Ada", "title", "Dame");
        let run = world.once().expect(3);
        let told = format!("{copy}: {:#}", run.json);
        assert_eq!((run.count("ambiguous"), run.count("rejected")), (1, 0), "{told}");
        assert_eq!((run.linq()[0], run.source()), (3, [4, 0, 1, 0]), "{told}");
        assert!(world.text().contains(&original.replace("Countess", "Dame")), "{}", world.text());
        assert!(world.text().contains(copy), "{}", world.text());
        assert_eq!(world.contact("Bo").title.as_deref(), Some("Chief"), "{told}");
        let email = original.split(',').nth(2);
        assert_eq!(world.contact("Ada").email.as_deref(), email, "{told}");
        let listed = world.run(&["list", "ambiguous"]).expect(0).stdout;
        assert!(listed.contains("has the same key"), "{listed}");
        world.run(&["resolve", "row:5", "--separate"]).expect(2);
        world.write(world.text().replace(&format!("{copy}\n"), ""));
        world.once().expect(0);
        world.expect_silence();
    }
}

#[test]
fn identical_rows_and_cards_with_one_key_are_created_once() {
    let rows = "No,First Name,Email\n1,Ida,ida@x.example\n2,Bo,bo@x.example\n1,Ida,ida@x.example\n";
    let mut world = World::with_csv(rows);
    world.set("source.key", "\"No\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (2, 0), "{:#}", run.json);
    assert_eq!(world.once().expect(0).linq()[1..], [0; 3]);
    let mut world = World::new();
    std::fs::create_dir(world.path("cards")).unwrap();
    for name in ["a.vcf", "copy.vcf"] {
        std::fs::write(world.path("cards").join(name), card("u-1", "Ida", "Cook")).unwrap();
    }
    world.set("source.path", "\"cards\"");
    assert_eq!(world.once().expect(0).linq()[1], 1);
    assert_eq!(world.once().expect(0).linq()[1..], [0; 3]);
}

#[test]
fn a_copy_with_a_key_keeps_nobody_else_from_being_deleted() {
    let world = keyed();
    let text = format!("{KEYED}1,Ada,ada@people.example,Lady\n");
    world.write(text.replace("3,Cy,cy@people.example,Cook\n", ""));
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("ambiguous")), ([2, 0, 0, 1], 1), "{:#}", run.json);
    assert!(world.linq().contacts().iter().all(|one| one.first_name.as_deref() != Some("Cy")));
}

#[test]
fn a_known_row_that_got_the_key_of_another_is_not_taken_for_deleted() {
    let world = keyed();
    world.write(KEYED.replace("3,Cy", "2,Cy"));
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("ambiguous")), ([3, 0, 0, 0], 1), "{:#}", run.json);
    world.write(KEYED);
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn an_identical_copy_with_a_key_is_named_and_asks_nothing() {
    let world = keyed();
    let text = format!("{KEYED}1,Ada,ada@people.example,Countess\n");
    world.write(&text);
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()[1..].to_vec()), ([3, 0, 0, 0], vec![0; 3]));
    assert!(run.notices().contains("row:5 of row:2"), "{}", run.notices());
    assert_eq!(world.text(), text);
    world.run(&["verify"]).expect(0);
    // Where one of them goes, the other is the contact.
    world.write(
        KEYED.replace("1,Ada,ada@people.example,Countess\n", "")
            + "1,Ada,ada@people.example,Countess\n",
    );
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 3);
    world.expect_silence();
}

#[test]
fn new_rows_with_one_key_are_created_once() {
    let mut world = World::with_csv("No,First Name,Email\n7,Di,di@x.example\n7,Ed,ed@x.example\n");
    world.set("source.key", "\"No\"");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (1, 1), "{:#}", run.json);
    assert_eq!(world.contact("Di").email.as_deref(), Some("di@x.example"));
    world.edit("7,Ed", "8,Ed");
    assert_eq!(world.once().expect(0).linq()[1], 1);
    world.expect_silence();
}

/// A directory with two cards, in sync.
fn cards() -> World {
    let mut world = World::new();
    let cards = world.path("cards");
    std::fs::create_dir(&cards).unwrap();
    for (uid, name) in [("a-1", "Ada"), ("b-2", "Bo")] {
        std::fs::write(cards.join(format!("{name}.vcf")), card(uid, name, "Pilot")).unwrap();
    }
    world.set("source.path", "\"cards\"");
    world.sync();
    world
}

fn card(uid: &str, name: &str, title: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name} King\r\nN:King;{name};;;\r\n\
         TITLE:{title}\r\nEND:VCARD\r\n"
    )
}

#[test]
fn a_copied_card_asks_nothing_until_it_says_something_else() {
    let world = cards();
    let (original, copy) = (world.path("cards/Ada.vcf"), world.path("cards/Ada copy.vcf"));
    std::fs::copy(&original, &copy).unwrap();
    let run = world.once().expect(0);
    assert!(run.notices().contains("Ada copy.vcf of Ada.vcf"), "{}", run.notices());
    std::fs::write(&copy, card("a-1", "Ada", "Captain")).unwrap();
    std::fs::write(&original, card("a-1", "Ada", "Admiral")).unwrap();
    std::fs::remove_file(world.path("cards/Bo.vcf")).unwrap();
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("ambiguous")), ([1, 0, 1, 1], 1), "{:#}", run.json);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Admiral"));
    std::fs::remove_file(&copy).unwrap();
    world.once().expect(0);
    world.expect_silence();
}
