//! Records that a run removed come back whole: with all that linqsync knows nothing of.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use crate::harness::{PrintedRun, World};
use crate::vcards::{ADA, BO, edit, expect_silence, file, text, world, write};

fn undo(world: &World, run: &PrintedRun) -> PrintedRun {
    let number = run.json["run"].to_string();
    PrintedRun::of(world.run(&["undo", &number, "--json"]))
}

/// The files of cards, by name.
fn cards(world: &World) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(world.path("cards")).unwrap().map(|entry| entry.unwrap());
    let entries = entries.filter(|entry| entry.path().is_file());
    let files = entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| !name.as_encoded_bytes().starts_with(b".")).collect()
}

/// Removes these people in Linq, and then from the source.
fn remove(world: &World, people: &[&str]) -> PrintedRun {
    for person in people {
        world.remove(person);
    }
    let run = world.once().expect(0);
    assert_eq!(run.source()[3], people.len() as u64);
    run
}

#[test]
fn a_removed_card_comes_back_to_the_byte_under_its_own_name() {
    let world = world(&[("Ada K.vcf", ADA), ("bo.vcf", BO)]);
    let utf16 =
        ADA.replace("4fbe8971", "utf16").replace("ada@", "eve@").replace("King;Ada", "King;Eve");
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(utf16.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let latin = b"BEGIN:VCARD\nVERSION:3.0\nN:M\xfcller;Zo\xeb;;;\nNOTE:gr\xfcn\nEND:VCARD\n\n";
    fs::write(file(&world, "eve.vcf"), utf16).unwrap();
    fs::write(file(&world, "zoe.vcf"), latin).unwrap();
    for other in ["Fay", "Gil", "Hal", "Ivo", "Jo"] {
        let card = format!("BEGIN:VCARD\nVERSION:3.0\nN:Friend;{other}\nEND:VCARD\n");
        write(&world, &format!("{other}.vcf"), &card);
    }
    world.sync();
    let before = cards(&world);
    let linq = world.people_in_linq();
    let run = remove(&world, &["Ada", "Bo", "Eve", "Zoë"]);
    let undone = undo(&world, &run).expect(0);
    assert_eq!((undone.source()[1], undone.linq()[1], undone.count("skipped")), (4, 4, 0));
    assert_eq!(cards(&world), before);
    assert_eq!(world.people_in_linq(), linq);
    expect_silence(&world);
}

#[test]
fn a_card_whose_name_is_taken_comes_back_beside_it() {
    let world = world(&[("all.vcf", &[ADA, BO].concat())]);
    world.sync();
    let run = remove(&world, &["Ada"]);
    assert_eq!(text(&world, "all.vcf"), BO);
    undo(&world, &run).expect(0);
    assert_eq!((text(&world, "all.vcf"), text(&world, "all-2.vcf")), (BO.into(), ADA.into()));
    expect_silence(&world);
}

#[test]
fn a_card_comes_back_into_its_subdirectory() {
    let mut world = world(&[("ada.vcf", ADA)]);
    world.set("source.recursive", "true");
    fs::create_dir(world.path("cards/team")).unwrap();
    write(&world, "team/bo.vcf", BO);
    world.sync();
    let run = remove(&world, &["Bo"]);
    undo(&world, &run).expect(0);
    assert_eq!(text(&world, "team/bo.vcf"), BO);
    let run = remove(&world, &["Bo"]);
    fs::remove_dir_all(world.path("cards/team")).unwrap();
    undo(&world, &run).expect(0);
    assert_eq!(text(&world, "bo.vcf"), BO);
    expect_silence(&world);
}

#[test]
fn the_linked_address_of_a_card_that_comes_back_is_still_the_linked_one() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    edit(&world, "ada.vcf", "type=HOME:ada@home", "type=HOME;type=pref:ada@home");
    edit(&world, "ada.vcf", "type=pref:ada@engines", "type=WORK:ada@engines");
    expect_silence(&world);
    let before = text(&world, "ada.vcf");
    let run = remove(&world, &["Ada"]);
    undo(&world, &run).expect(0);
    assert_eq!(text(&world, "ada.vcf"), before);
    assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@engines.example"));
    expect_silence(&world);
}

#[test]
fn a_card_of_which_another_has_the_uid_by_now_is_named_and_not_put_back() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    let run = remove(&world, &["Ada"]);
    let other = BO.replace("VERSION:2.1", "VERSION:2.1\nUID:4fbe8971-0bc3");
    write(
        &world,
        "other.vcf",
        &other.replace("bo@", "cy@").replace("555-0143", "555-0177").replace("g;Bo", "g;Cy"),
    );
    world.once().expect(0);
    let undone = undo(&world, &run);
    let said = undone.ended.stderr.clone() + &undone.notices();
    assert!(said.contains("another card with the UID 4fbe8971-0bc3"), "{said}");
    assert!(!file(&world, "ada.vcf").exists());
}

const TEAM: &str = "\
Notes,Email,Phone,Phone,First Name,Last Name,linq_id,\"Name, short\"\r
\"likes \"\"tea\"\"\",ada@engines.example,+14155552671,\"x, or y\",Ada,King,,\"AK\"\r
coffee,bo@lanterns.example,,,\"Bo\",Wang,,\r
";

#[test]
fn a_removed_row_comes_back_with_the_columns_that_linqsync_does_not_know() {
    let mut world = World::with_csv(TEAM);
    world.set("source.id_column", "\"linq_id\"");
    world.sync();
    let without_ids = |text: String| {
        let digits = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit());
        let cells = |line: &str| {
            line.split(',')
                .map(|cell| if digits(cell) { "" } else { cell })
                .collect::<Vec<_>>()
                .join(",")
        };
        text.split('\n').map(cells).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_ids(world.text()), TEAM);
    let run = remove(&world, &["Bo"]);
    undo(&world, &run).expect(0);
    assert_eq!(without_ids(world.text()), TEAM);
    let bo = world.contact("Bo").id.to_string();
    assert!(world.text().contains(&format!("Wang,{bo},")), "{}", world.text());
    world.expect_silence();

    let run = remove(&world, &["Ada"]);
    // Meanwhile somebody moves columns, and drops one.
    world.write(
        "First Name,Phone,Notes,Email,Last Name,linq_id\r\nBo,,coffee,bo@lanterns.example,Wang,"
            .to_owned()
            + &bo
            + "\r\n",
    );
    undo(&world, &run).expect(0);
    let ada = world.contact("Ada").id;
    let row = format!("Ada,+14155552671,\"likes \"\"tea\"\"\",ada@engines.example,King,{ada}\r\n");
    let (_, below) =
        world.text().split_once('\n').map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
    assert!(below.starts_with(&row), "it comes back above Bo, where it was: {below}");
    world.expect_silence();
}

#[test]
fn a_row_comes_back_with_its_key_unless_another_has_it_by_now() {
    let text = "Nr,First Name,Last Name,Email\n1,Ada,King,ada@engines.example\n2,Bo,Wang,bo@lanterns.example\n";
    let mut world = World::with_csv(text);
    world.set("source.key", "\"Nr\"");
    world.sync();
    let run = remove(&world, &["Bo"]);
    undo(&world, &run).expect(0);
    assert_eq!(world.text(), text);
    let run = remove(&world, &["Bo"]);
    world.write(world.text() + "2,Cy,Young,cy@young.example\n");
    world.once().expect(0);
    undo(&world, &run).expect(0);
    let expected = "\n,Bo,Wang,bo@lanterns.example\n2,Cy,Young,cy@young.example\n";
    assert!(world.text().ends_with(expected), "it comes back where it was: {}", world.text());
    world.expect_silence();
}
