//! A row or card that a *person* removed comes back whole: with all its columns, its quoting
//! and its place; a card to the byte and under its name.

use std::fs;

use linqsync::sandbox::{LoggedRequest, ObservedMoment, RouteKind};

use crate::harness::{PrintedRun, TestFiles, World, people};

/// Columns that nobody maps, texts in quotation marks that need none, and a key.
const TEAM: &str = "\
No;First Name;Last Name;Notes;Email;Phone;Company;Badge
E-1;Ada;King;\"met; 1833\";ada@engines.example;(415) 555-2671;Engines;07
E-2;Bo;Wang;\"plain\";bo@lanterns.example;;Lanterns;08
E-3;Cy;Roe;;cy@mills.example;;\"Mills\";09
E-4;Dee;Li;\"two
lines\";dee@docks.example;;Docks;
";

/// The row of somebody, which may have two lines.
fn row(key: &str) -> &'static str {
    let start = TEAM.find(key).unwrap();
    let end = TEAM[start..].find("\nE-").map_or(TEAM.len(), |end| start + end + 1);
    &TEAM[start..end]
}

fn team() -> World {
    let mut world = World::new();
    world.set("source.key", "\"No\"");
    world.write(TEAM);
    world.sync();
    world
}

#[track_caller]
fn undo(world: &World, run: &PrintedRun) -> PrintedRun {
    PrintedRun::of(world.run(&["undo", &run.json["run"].to_string(), "--json"]))
}

#[test]
fn a_row_that_a_person_removed_comes_back_to_the_byte_wherever_it_stood() {
    for keys in [&["E-2"][..], &["E-1"], &["E-4"], &["E-2", "E-3"], &["E-1", "E-2"]] {
        let world = team();
        let linq = world.people_in_linq();
        for key in keys {
            world.edit(row(key), "");
        }
        let run = world.once().expect(0);
        let count = keys.len() as u64;
        assert_eq!(run.linq()[3], count);
        let undone = undo(&world, &run).expect(0);
        assert_eq!((undone.linq()[1], undone.source()[1]), (count, count));
        assert_eq!(world.text(), TEAM, "{keys:?}");
        assert_eq!(world.people_in_linq(), linq);
        world.expect_silence();
    }
}

#[test]
fn all_that_was_read_last_counts_also_what_no_field_knows() {
    let world = team();
    world.edit("\"plain\"", "\"called twice\"");
    world.sync();
    let text = world.text();
    world.edit("E-2;Bo;Wang;\"called twice\";bo@lanterns.example;;Lanterns;08\n", "");
    let run = world.once().expect(0);
    // Meanwhile others are edited, added and moved.
    world.edit("E-1;", "E-0;Zoe;Ash;;zoe@e.example;;;\nE-1;");
    world.edit("07\n", "70\n");
    world.sync();
    undo(&world, &run).expect(0);
    let expected =
        text.replace("E-1;", "E-0;Zoe;Ash;;zoe@e.example;;;\nE-1;").replace(";07\n", ";70\n");
    assert_eq!(world.text(), expected);
    world.expect_silence();
}

#[test]
fn of_columns_that_are_gone_the_dry_run_and_the_run_say_so() {
    let world = team();
    world.edit(row("E-2"), "");
    let run = world.once().expect(0);
    let text = world.text();
    let without: String =
        text.replacen(";Badge\n", ";Room\n", 1).replace(";07\n", ";\n").replace(";09\n", ";\n");
    world.write(without);
    world.sync();
    let number = run.json["run"].to_string();
    let ended = world.run(&["undo", &number, "--dry-run"]).expect(0);
    let told = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Bo Wang: cannot come back with its column “Badge”"), "{told}");
    let undone = undo(&world, &run).expect(0);
    assert!(undone.notices().contains("its column “Badge”"), "{}", undone.notices());
    assert!(world.text().contains("E-2;Bo;Wang;\"plain\";bo@lanterns.example;;Lanterns;\n"));
    world.expect_silence();
}

#[test]
fn what_separates_cells_by_then_is_no_matter() {
    let world = team();
    world.edit(row("E-2"), "");
    let run = world.once().expect(0);
    let commas = world.text().replace("met; 1833", "met in 1833").replace(';', ",");
    world.write(commas);
    world.sync();
    let undone = undo(&world, &run).expect(0);
    assert!(!undone.notices().contains("cannot come back with"), "{}", undone.notices());
    let back = "E-2,Bo,Wang,\"plain\",bo@lanterns.example,,Lanterns,08\n";
    assert!(world.text().contains(back), "{}", world.text());
    world.expect_silence();
}

#[test]
fn undone_redone_and_undone_again_it_ends_right_each_time() {
    let world = team();
    world.edit(row("E-2"), "");
    let without = world.text();
    let second = world.once().expect(0);
    let third = undo(&world, &second).expect(0);
    assert_eq!(world.text(), TEAM);
    undo(&world, &third).expect(0);
    assert_eq!((world.text(), world.linq().contacts().len()), (without, 3));
    world.expect_silence();
    undo(&world, &second).expect(0);
    assert_eq!((world.text().as_str(), world.linq().contacts().len()), (TEAM, 4));
    world.expect_silence();
    undo(&world, &second).expect(0);
    assert_eq!((world.text().as_str(), world.linq().contacts().len()), (TEAM, 4));
}

#[test]
fn an_undo_that_is_killed_ends_right_when_it_is_asked_for_again() {
    let world = team();
    let linq = world.people_in_linq();
    world.edit(row("E-2"), "");
    let run = world.once().expect(0);
    let creates = |request: &LoggedRequest| request.kind == Some(RouteKind::Create);
    for moment in [ObservedMoment::Arrived, ObservedMoment::CarriedOut] {
        let number = run.json["run"].to_string();
        world.command_killed_at(&["undo", &number, "--json"], moment, creates).ended();
        world.linq().dismiss_witness();
        undo(&world, &run).expect(0);
        assert_eq!((world.text().as_str(), world.people_in_linq()), (TEAM, linq.clone()));
        world.once().expect(0);
        world.expect_silence();
        world.edit(row("E-2"), "");
        world.once().expect(0);
    }
}

#[test]
fn an_edit_in_linq_that_beats_the_deletion_brings_the_whole_row_back() {
    let world = team();
    world.edit(row("E-2"), "");
    world.change("Bo", "company", "Lamps");
    world.once().expect(0);
    assert_eq!(world.text(), TEAM.replace(";Lanterns;", ";Lamps;"));
    world.expect_silence();
}

#[test]
fn a_rejected_deletion_brings_whole_rows_back() {
    let row = |n: u32| format!("P{n},p{n}@e.example,\"note {n}\"\n");
    let rows: Vec<String> = (1..=40).map(row).collect();
    let text = "First Name,Email,Notes\n".to_owned() + &rows.concat();
    let world = World::synced(&text);
    let kept: String = text
        .lines()
        .filter(|line| !line.starts_with("P1") && !line.starts_with("P2"))
        .map(|line| line.to_owned() + "\n")
        .collect();
    world.write(kept);
    world.once().expect(4);
    world.run(&["reject", "--all"]).expect(0);
    world.once().expect(0);
    assert_eq!(world.text(), text);
    world.expect_silence();
}

#[test]
fn a_row_that_linq_lost_comes_back_to_its_place_too() {
    let world = team();
    world.remove("Bo");
    let run = world.once().expect(0);
    assert_eq!(world.text(), TEAM.replace(row("E-2"), ""));
    undo(&world, &run).expect(0);
    assert_eq!(world.text(), TEAM);
    world.expect_silence();
}

const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada-1\r\nN:King;Ada;;;\r\nFN:Ada King\r\n\
    EMAIL;TYPE=HOME:ada@home.example\r\nX-ODD;A=\"b,c\":d\r\nNOTE:met in\r\n  1833\r\n\
    PHOTO;ENCODING=b;TYPE=JPEG:QUJD\r\nEND:VCARD\r\n";

/// The cards of a world, hidden files aside: their paths and bytes.
fn texts(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut texts = Vec::new();
    for below in ["cards", "cards/team"] {
        for entry in fs::read_dir(world.path(below)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{below}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_file() && !name.contains("/.") {
                texts.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    texts.sort();
    texts
}

#[test]
fn a_card_that_a_person_removed_comes_back_to_the_byte_and_under_its_name() {
    let mut world = World::new();
    world.set("source.path", "\"cards\"").set("source.recursive", "true");
    let (ada, bo) = (world.path("cards/team/ada k.vcf"), world.path("cards/bo.vcf"));
    fs::create_dir_all(ada.parent().unwrap()).unwrap();
    fs::write(&ada, CARD).unwrap();
    let latin = CARD.replace("ada", "bo").replace("Ada", "B\u{f6}").replace("King", "Wang");
    let latin: Vec<u8> = latin.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    fs::write(&bo, &latin).unwrap();
    for n in 1..=3 {
        let card = CARD.replace("ada", &format!("p{n}")).replace("Ada", &format!("P{n}"));
        fs::write(world.path(&format!("cards/{n}.vcf")), card).unwrap();
    }
    world.sync();
    let before = texts(&world);
    let linq = world.people_in_linq();
    fs::remove_file(&ada).unwrap();
    fs::remove_file(&bo).unwrap();
    let run = world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 3);
    let undone = undo(&world, &run).expect(0);
    assert_eq!(undone.source()[1], 2);
    assert_eq!(texts(&world), before);
    assert_eq!(world.people_in_linq(), linq);
    world.once().expect(0);
    assert_eq!(texts(&world), before);
}

#[test]
fn a_card_whose_name_is_taken_says_so() {
    let mut world = World::new();
    world.set("source.path", "\"cards\"");
    fs::create_dir(world.path("cards")).unwrap();
    for n in 1..=3 {
        let card = CARD.replace("ada", &format!("p{n}")).replace("Ada", &format!("P{n}"));
        fs::write(world.path(&format!("cards/{n}.vcf")), card).unwrap();
    }
    world.sync();
    let was = fs::read(world.path("cards/1.vcf")).unwrap();
    fs::remove_file(world.path("cards/1.vcf")).unwrap();
    let run = world.once().expect(0);
    let other = CARD.replace("ada", "zoe").replace("Ada", "Zoe").replace("King", "Ash");
    fs::write(world.path("cards/1.vcf"), other).unwrap();
    world.sync();
    let number = run.json["run"].to_string();
    let told = world.run(&["undo", &number, "--dry-run"]).expect(0).stdout;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("cannot come back with its file name 1.vcf"), "{told}");
    undo(&world, &run).expect(0);
    let back = TestFiles::at(&world.path("cards"));
    assert_eq!(back.containing("UID:p1-1").len(), 1);
    let place = back.containing("UID:p1-1")[0].to_owned();
    assert_eq!(fs::read(world.path("cards").join(place)).unwrap(), was);
}

#[test]
fn what_a_person_removed_is_kept_while_it_waits() {
    let mut world = World::synced(&people::csv(1..=40));
    world.set("sync.delete_grace", "\"1h\"");
    let text = world.text();
    world.write(people::csv(2..=40));
    world.once().expect(0);
    world.once().expect(0);
    world.set("sync.delete_grace", "\"0s\"");
    let run = world.once().expect(0);
    assert_eq!(run.linq()[3], 1);
    undo(&world, &run).expect(0);
    assert_eq!(world.text(), text);
}
