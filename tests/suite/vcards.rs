//! A directory of vCards: both ways, byte for byte.

use std::fs;
use std::path::PathBuf;

use crate::harness::{PrintedRun, TestFiles, World};

/// A directory `cards` with these files, and an empty Linq.
pub(crate) fn world(files: &[(&str, &str)]) -> World {
    let mut world = World::new();
    fs::create_dir(world.path("cards")).unwrap();
    world.set("source.path", "\"cards\"");
    for (name, text) in files {
        write(&world, name, text);
    }
    world
}

pub(crate) fn file(world: &World, name: &str) -> PathBuf {
    world.path("cards").join(name)
}

/// Saves a file of cards, whose lines end with CRLF.
pub(crate) fn write(world: &World, name: &str, text: &str) {
    fs::write(file(world, name), text.replace('\n', "\r\n")).unwrap();
}

/// What a file of cards holds, with its line ends as LF; each must be CRLF.
#[track_caller]
pub(crate) fn text(world: &World, name: &str) -> String {
    let text = fs::read_to_string(file(world, name)).unwrap();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text:?}");
    text.replace("\r\n", "\n")
}

/// Replaces the first `from` in a file of cards.
#[track_caller]
pub(crate) fn edit(world: &World, name: &str, from: &str, to: &str) {
    let text = text(world, name);
    assert!(text.contains(from), "there is no {from:?} in\n{text}");
    write(world, name, &text.replacen(from, to, 1));
}

/// A run that finds everything in sync and touches nothing, not even a time.
#[track_caller]
pub(crate) fn expect_silence(world: &World) -> PrintedRun {
    let (before, contacts) = (TestFiles::at(&world.path("cards")), world.linq().contacts());
    world.linq().forget_requests();
    let run = world.once().expect(0);
    assert_eq!(world.writes(), [], "a silent run wrote to Linq");
    assert_eq!(TestFiles::at(&world.path("cards")), before, "a silent run touched the source");
    assert_eq!(world.linq().contacts(), contacts);
    assert_eq!(run.count("in_sync"), contacts.len() as u64);
    run
}

pub(crate) const ADA: &str = "BEGIN:VCARD\nVERSION:3.0\nUID:4fbe8971-0bc3\nN:King;Ada;Augusta;Dr.;\n\
    FN:Dr. Ada Augusta King\nORG:Engines;Analytical Department\nTITLE:Countess\n\
    item1.EMAIL;type=INTERNET;type=pref:ada@engines.example\nitem1.X-ABLabel:_$!<Work>!$_\n\
    EMAIL;type=INTERNET;type=HOME:ada@home.example\nTEL;type=FAX:+14155550199\n\
    TEL;type=HOME:+14155550142\nTEL;type=CELL:+14155550141\n\
    ADR;type=WORK:;;12 St James Sq;London;;SW1;UK\nNOTE:Likes\\, among others\\, engines that are \
    so large\n  that their notes are folded\nX-OTHER;X-PARAM=\"a;b\":kept\nEND:VCARD\n";

pub(crate) const BO: &str = "BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:W=C3=A4ng;Bo\n\
    FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Bo W=C3=A4ng\nEMAIL;INTERNET:bo@lanterns.example\n\
    TEL;CELL;VOICE:(415) 555-0143\nPHOTO;ENCODING=BASE64;TYPE=JPEG:\n /9j/4QoPRXhpZgAATU0A\n\nEND:VCARD\n";

/// The members of the contact with this first name.
fn members(world: &World, first_name: &str, names: &[&str]) -> Vec<String> {
    let shown = serde_json::to_value(world.contact(first_name)).unwrap();
    names.iter().map(|name| shown[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn cards_become_contacts_and_contacts_cards_and_the_next_run_is_silent() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    let cy = [("first_name", "Cy"), ("last_name", "Young"), ("email", "cy@young.example")];
    let cy = cy.into_iter().chain([("company", "Acme, Inc."), ("location", "Oslo, Norway")]);
    let cy = world.linq().insert(cy).unwrap();
    let before = [text(&world, "ada.vcf"), text(&world, "bo.vcf")];

    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 2, 0, 0], [3, 1, 0, 0]));
    assert_eq!([text(&world, "ada.vcf"), text(&world, "bo.vcf")], before);
    let names = ["last_name", "email", "phone_number", "company", "title", "location"];
    assert_eq!(
        members(&world, "Ada", &names),
        ["King", "ada@engines.example", "+14155550141", "Engines", "Countess", "London, UK"]
    );
    assert_eq!(members(&world, "Bo", &names[..2]), ["Wäng", "bo@lanterns.example"]);
    assert_eq!(
        text(&world, &format!("linqsync-{cy}.vcf")),
        format!(
            "BEGIN:VCARD\nVERSION:3.0\nUID:linqsync-{cy}\nN:Young;Cy;;;\nFN:Cy Young\n\
             EMAIL;TYPE=INTERNET:cy@young.example\nORG:Acme\\, Inc.\n\
             ADR;TYPE=WORK:;;;Oslo;Norway;;\nEND:VCARD\n"
        )
    );
    expect_silence(&world);
}

#[test]
fn an_edit_in_linq_changes_its_line_and_no_other_byte() {
    let table = [
        ("first_name", "Eve", "N:King;Eve;Augusta;Dr.;", "FN:Dr. Eve Augusta King"),
        ("last_name", "Lovelace", "N:Lovelace;Ada;Augusta;Dr.;", "FN:Dr. Ada Augusta Lovelace"),
        ("email", "ada@new.example", "item1.EMAIL;type=INTERNET;type=pref:ada@new.example", ""),
        ("phone_number", "+14155550177", "TEL;type=CELL:+14155550177", ""),
        ("company", "Difference; Ltd", "ORG:Difference\\; Ltd;Analytical Department", ""),
        ("title", "Programmer, first", "TITLE:Programmer\\, first", ""),
        ("location", "Paris, UK", "ADR;type=WORK:;;12 St James Sq;Paris;;SW1;UK", ""),
    ];
    for (member, value, line, display) in table {
        let world = world(&[("ada.vcf", ADA)]);
        world.sync();
        world.change("Ada", member, value);
        let run = world.once().expect(0);
        assert_eq!((run.linq()[2], run.source()), (0, [1, 0, 1, 0]), "{member}");
        let (before, after) = (ADA.lines(), text(&world, "ada.vcf"));
        assert_eq!(before.clone().count(), after.lines().count(), "{member}");
        let changed: Vec<_> = before.zip(after.lines()).filter(|(a, b)| a != b).collect();
        assert_eq!(changed[0].1, line, "{member}");
        assert!(changed[1..].iter().all(|(_, now)| *now == display), "{member}: {changed:?}");
        expect_silence(&world);
    }
}

#[test]
fn an_edit_of_a_card_reaches_linq() {
    let table = [
        ("N:King;Ada;", "N:King;Augusta;", "first_name", "Augusta"),
        ("N:King;", "N:Lovelace;", "last_name", "Lovelace"),
        ("pref:ada@engines.example", "pref:ada@new.example", "email", "ada@new.example"),
        ("CELL:+14155550141", "CELL:+14155550177", "phone_number", "+14155550177"),
        ("ORG:Engines", "ORG:Difference\\, Ltd", "company", "Difference, Ltd"),
        ("TITLE:Countess", "TITLE:Programmer", "title", "Programmer"),
        (";London;;", ";Paris;Ile-de-France;", "location", "Paris, Ile-de-France"),
    ];
    for (from, to, member, value) in table {
        let world = world(&[("ada.vcf", ADA)]);
        world.sync();
        edit(&world, "ada.vcf", from, to);
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.source()), ([1, 0, 1, 0], [1, 0, 0, 0]), "{member}");
        let shown = serde_json::to_value(&world.linq().contacts()[0]).unwrap();
        assert_eq!(shown[member], value);
        expect_silence(&world);
    }
}

#[test]
fn edits_of_different_fields_on_both_sides_are_both_kept_and_of_one_field_wait() {
    let world = world(&[("ada.vcf", ADA)]);
    world.sync();
    world.change("Ada", "title", "Programmer");
    edit(&world, "ada.vcf", "ORG:Engines", "ORG:Looms");
    world.once().expect(0);
    assert_eq!(
        text(&world, "ada.vcf"),
        ADA.replace("Countess", "Programmer").replace("ORG:Engines", "ORG:Looms")
    );
    assert_eq!(members(&world, "Ada", &["company", "title"]), ["Looms", "Programmer"]);

    world.change("Ada", "title", "Poet");
    edit(&world, "ada.vcf", "TITLE:Programmer", "TITLE:Painter");
    let before = text(&world, "ada.vcf");
    assert_eq!(world.once().expect(3).count("conflicts"), 1);
    assert_eq!(
        (text(&world, "ada.vcf"), members(&world, "Ada", &["title"])),
        (before, vec!["Poet".to_owned()])
    );
}

#[test]
fn a_deletion_goes_both_ways_and_the_card_is_kept_whole() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    let cy = world.linq().insert([("first_name", "Cy"), ("last_name", "Young")]).unwrap();
    world.sync();
    world.remove("Ada");
    fs::remove_file(file(&world, &format!("linqsync-{cy}.vcf"))).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[3]), (1, 1));
    let mut names = TestFiles::at(&world.path("cards")).names();
    // For whoever still writes into it.
    names.retain(|name| name != ".linqsync" && !name.contains("-none-"));
    assert_eq!(names, ["cards", "bo.vcf"]);
    assert_eq!(world.linq().contacts().len(), 1);
    let history = world.state().history_of_run(linqsync::model::RunId(2)).unwrap();
    let kept: Vec<_> = history.into_iter().filter_map(|row| row.entry.before).collect();
    assert!(kept.contains(&ADA.replace('\n', "\r\n")), "{kept:?}");
    expect_silence(&world);
}

#[test]
fn a_file_under_another_name_is_the_same_card() {
    let without_uid = BO;
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", without_uid)]);
    world.sync();
    fs::rename(file(&world, "ada.vcf"), file(&world, "countess.vcf")).unwrap();
    fs::rename(file(&world, "bo.vcf"), file(&world, "aa.vcf")).unwrap();
    expect_silence(&world);
}

#[test]
fn a_broken_card_is_named_left_alone_and_its_absence_is_no_deletion() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    let cropped = ADA.replace("END:VCARD\n", "");
    write(&world, "ada.vcf", &cropped);
    edit(&world, "bo.vcf", "bo@lanterns.example", "bo@new.example");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.source(), run.count("rejected")), ([2, 0, 1, 0], [1, 0, 0, 0], 1));
    assert_eq!(text(&world, "ada.vcf"), cropped);
    let plan = world.plan();
    let step = &plan.json["steps"][0];
    assert_eq!(
        (step["source_key"].as_str(), step["action"].as_str()),
        (Some("ada.vcf"), Some("reject"))
    );
    write(&world, "ada.vcf", ADA);
    expect_silence(&world);
}

#[test]
fn lists_hidden_and_temporary_files_are_no_contacts() {
    let list = "BEGIN:VCARD\nVERSION:3.0\nUID:list\nFN:Friends\nX-ADDRESSBOOKSERVER-KIND:group\n\
        X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:4fbe8971-0bc3\nEND:VCARD\n";
    let world = world(&[
        ("ada.vcf", ADA),
        ("list.vcf", list),
        (".bo.vcf", BO),
        ("bo.vcf.tmp", BO),
        ("#bo.vcf", BO),
        ("notes.txt", BO),
    ]);
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([1, 1, 0, 0], [1, 0, 0, 0]));
    expect_silence(&world);
}

#[test]
fn subdirectories_take_part_when_asked() {
    let mut world = world(&[("ada.vcf", ADA)]);
    fs::create_dir(world.path("cards/team")).unwrap();
    write(&world, "team/bo.vcf", BO);
    assert_eq!(world.once().expect(0).source()[0], 1);
    world.set("source.recursive", "true");
    assert_eq!(world.once().expect(0).source()[0], 2);
    world.change("Bo", "title", "Owner");
    world.once().expect(0);
    assert!(text(&world, "team/bo.vcf").contains("TITLE:Owner\n"));
    expect_silence(&world);
}

#[test]
fn many_cards_of_one_file_are_edited_and_removed_one_by_one() {
    let both = format!("{ADA}\n{BO}");
    let world = world(&[("all.vcf", &both)]);
    world.sync();
    world.change("Bo", "email", "bo@new.example");
    world.once().expect(0);
    let edited = both.replace("bo@lanterns.example", "bo@new.example");
    assert_eq!(text(&world, "all.vcf"), edited);
    world.remove("Ada");
    world.once().expect(0);
    assert_eq!(text(&world, "all.vcf"), edited.replace(ADA, ""));
    expect_silence(&world);
}

#[test]
fn directories_that_take_no_part_any_more_are_no_deletions() {
    let mut world = world(&[("ada.vcf", ADA)]);
    fs::create_dir(file(&world, "friends")).unwrap();
    write(
        &world,
        "friends/bo.vcf",
        &ADA.replace("4fbe8971", "bo").replace("Ada", "Bo").replace("ada@", "bo@"),
    );
    world.set("source.recursive", "true");
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
    world.set("source.recursive", "false");
    let run = world.once();
    assert!(run.notices().contains("nothing is deleted or cleared in this run"), "{:#}", run.json);
    assert_eq!(world.linq().contacts().len(), 2);
}
