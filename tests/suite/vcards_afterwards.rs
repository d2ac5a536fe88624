//! What can be done about a run over cards before and after it: `plan`, `undo`, `export`
//! and `purge`; and saves that come late.

use std::fs;
use std::io::Write;

use crate::harness::{PrintedRun, TestFiles, World};
use crate::vcards::{ADA, BO, edit, expect_silence, file, text, world, write};

fn undo(world: &World, run: &PrintedRun) -> PrintedRun {
    let number = run.json["run"].to_string();
    PrintedRun::of(world.run(&["undo", &number, "--json"]))
}

#[test]
fn a_plan_says_by_its_exit_code_whether_a_card_would_change() {
    let world = world(&[("ada.vcf", ADA)]);
    let before = TestFiles::at(&world.path("cards"));
    world.run(&["plan", "--detailed-exitcode"]).expect(8);
    assert_eq!(TestFiles::at(&world.path("cards")), before);
    world.sync();
    world.run(&["plan", "--detailed-exitcode"]).expect(0);
    world.change("Ada", "title", "Programmer");
    let shown = world.run(&["plan", "--detailed-exitcode"]).expect(8).stdout;
    assert!(shown.contains("Countess") && shown.contains("Programmer"), "{shown}");
    assert_eq!(text(&world, "ada.vcf"), ADA);
}

#[test]
fn an_edit_of_a_card_goes_back_to_the_byte() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    world.change("Ada", "title", "Programmer");
    world.change("Ada", "location", "Paris, UK");
    world.change("Bo", "last_name", "Wong");
    edit(&world, "bo.vcf", "bo@lanterns", "bo@lamps");
    let edited = text(&world, "bo.vcf");
    let run = world.once().expect(0);
    assert_ne!(text(&world, "ada.vcf"), ADA);
    let undone = undo(&world, &run).expect(0);
    assert_eq!((undone.source()[2], undone.linq()[2], undone.count("skipped")), (2, 2, 0));
    assert_eq!(text(&world, "ada.vcf"), ADA);
    assert_eq!(text(&world, "bo.vcf"), edited.replace("bo@lamps", "bo@lanterns"));
    expect_silence(&world);
}

#[test]
fn a_card_that_a_run_made_goes() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    let cy = [("first_name", "Cy"), ("last_name", "Young"), ("email", "cy@young.example")];
    let id = world.linq().insert(cy).unwrap();
    let run = world.once().expect(0);
    assert!(file(&world, &format!("linqsync-{id}.vcf")).exists());
    undo(&world, &run).expect(0);
    assert!(!file(&world, &format!("linqsync-{id}.vcf")).exists());
    assert_eq!(world.contact("Cy").id, id, "Linq is not where it was created");
    world.once().expect(0);
    assert!(!file(&world, &format!("linqsync-{id}.vcf")).exists(), "the pair is released");
}

#[test]
fn an_export_of_cards_is_a_source_that_is_in_sync() {
    let mut world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    // Nothing but the id tells these two apart.
    for _ in 0..2 {
        world.linq().insert([("first_name", "Cy")]).unwrap();
    }
    world.sync();
    let exported = world.run(&["export", "--format", "vcard"]).expect(0).stdout;
    fs::create_dir(world.path("exported")).unwrap();
    fs::write(world.path("exported/all.vcf"), exported).unwrap();
    world.set("source.path", "\"exported\"").set("state.dir", "\"other\"");
    let before = TestFiles::at(&world.path("exported"));
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq(), run.source()), (4, [4, 0, 0, 0], [4, 0, 0, 0]));
    assert_eq!(TestFiles::at(&world.path("exported")), before);
}

#[test]
fn nothing_of_a_purged_person_is_left_in_any_spelling() {
    let base64 = "BEGIN:VCARD\nVERSION:3.0\nUID:both\nN:Wäng;Bo;;;\nEMAIL:bo@lanterns.example\n\
        NOTE;ENCODING=b:Qm8gV8OkbmcncyBub3Rl\nEND:VCARD\n";
    for card in [BO, base64] {
        let world = world(&[("ada.vcf", ADA), ("bo.vcf", card)]);
        // Somebody else's card tells of them, in the spelling of their telephone.
        let friend = "BEGIN:VCARD\nVERSION:2.1\nN:Friend;Fay\nEMAIL:fay@friend.example\n\
            NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:of Bo W=C3=\n=A4ng=0D=0A\nEND:VCARD\n";
        write(&world, "fay.vcf", friend);
        world.sync();
        world.change("Bo", "title", "Owner");
        world.once().expect(0);
        world.remove("Bo");
        world.once().expect(0);
        let state = world.path("state");
        let traces = ["W=C3=A4ng", "Wäng", "bo@lanterns", "Qm8gV8Ok", "W=C3=", "555-0143"];
        let found = |trace: &&&str| !TestFiles::at(&state).containing(trace).is_empty();
        assert!(traces.iter().filter(found).count() > 2, "the state knew them");
        world.run(&["purge", "bo@lanterns.example", "--yes"]).expect(0);
        let left: Vec<_> = traces.iter().filter(found).collect();
        let displaced = TestFiles::at(&world.path("cards/.linqsync"));
        assert!(traces.iter().all(|trace| displaced.containing(trace).is_empty()));
        assert!(left.is_empty(), "{left:?}");
        assert!(!TestFiles::at(&state).containing("ada@engines").is_empty(), "others are there");
        world.once().expect(0);
    }
}

#[test]
fn what_an_editor_saves_into_a_card_that_was_replaced_is_not_lost() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    let mut opened = fs::File::options().write(true).open(file(&world, "ada.vcf")).unwrap();
    world.change("Ada", "title", "Programmer");
    world.once().expect(0);
    assert_eq!(text(&world, "ada.vcf"), ADA.replace("Countess", "Programmer"));
    let saved = ADA.replace("ORG:Engines", "ORG:Looms").replace('\n', "\r\n");
    opened.set_len(0).unwrap();
    opened.write_all(saved.as_bytes()).unwrap();
    drop(opened);
    world.once();
    let card = text(&world, "ada.vcf");
    assert!(card.contains("ORG:Looms;Analytical"), "{card}");
    assert_eq!(world.contact("Ada").company.as_deref(), Some("Looms"));
    expect_silence(&world);
}

#[test]
fn what_an_editor_saves_into_a_card_that_was_removed_is_not_lost() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    let mut opened = fs::File::options().write(true).open(file(&world, "ada.vcf")).unwrap();
    world.remove("Ada");
    world.once().expect(0);
    assert!(!file(&world, "ada.vcf").exists());
    let saved = ADA.replace("ORG:Engines", "ORG:Looms").replace('\n', "\r\n");
    opened.set_len(0).unwrap();
    opened.write_all(saved.as_bytes()).unwrap();
    drop(opened);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[1]), (1, 0), "it is a new card");
    assert_eq!(text(&world, "ada.vcf"), ADA.replace("ORG:Engines", "ORG:Looms"));
    assert_eq!(world.contact("Ada").company.as_deref(), Some("Looms"));
    expect_silence(&world);
}

#[test]
fn a_card_in_base64_and_one_with_folded_names_are_read_and_edited() {
    let base64 = "BEGIN:VCARD\nVERSION:3.0\nUID:b\nN;ENCODING=b:S2luZztBZGE7QXVndXN0YTs7\n\
        TITLE;ENCODING=b:Qm9zcw==\nORG;ENCODING=b:!!!\nEND:VCARD\n";
    let folded = "BEGIN:VCARD\nVERSION:3.0\nN:Wang;Bo\nTI\n TLE:Boss\nEND:VCARD\n";
    let world = world(&[("ada.vcf", base64), ("bo.vcf", folded)]);
    let run = world.once().expect(3);
    assert_eq!(run.count("rejected"), 1);
    let listed = world.run(&["list", "rejected"]).expect(0).stdout;
    assert!(listed.contains("its base64 is damaged"), "{listed}");
    for name in ["Ada", "Bo"] {
        assert_eq!(world.contact(name).title.as_deref(), Some("Boss"));
        world.change(name, "title", "Chief");
    }
    world.once().expect(3);
    assert_eq!(text(&world, "ada.vcf"), base64.replace("Qm9zcw==", "Q2hpZWY="));
    assert_eq!(text(&world, "bo.vcf"), folded.replace("Boss", "Chief"));
}

#[test]
fn leftovers_in_subdirectories_are_cleared_up_too() {
    let mut world = world(&[("ada.vcf", ADA)]);
    world.set("source.recursive", "true");
    fs::create_dir(world.path("cards/team")).unwrap();
    write(&world, "team/bo.vcf", BO);
    fs::write(file(&world, "team/.linqsync-new-x.part"), "half").unwrap();
    world.sync();
    let names = TestFiles::at(&world.path("cards/team")).names();
    assert_eq!(names, ["team", "bo.vcf"]);
}
