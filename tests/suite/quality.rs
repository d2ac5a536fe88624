//! `report`: what could be better in the data of both sides.

use serde_json::Value;

use crate::harness::{TestFiles, World};

const TABLE: &str = "\
First Name,Last Name,Email,Phone,Company,Title,Birthday
Ada,King,ada@engines.example,+14155552671,Engines,Countess,10.12.1815
Bo,Wang,bo at lanterns,12,Lanterns,,
,,cy@lanterns.example,,Lanterns,,
Dee,Zhou,,,,,
Eve,Moor,eve@e.example,+14155552672,,,
Eve,Moor,eve@e.example,+14155552673,,,1.1.1901
";

fn report(world: &World) -> Value {
    let ended = world.run(&["report", "--json"]).expect(0);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The names, or places, of one kind of finding on one side.
fn found(report: &Value, kind: &str, side: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings
        .filter(|one| one["finding"] == kind && one["side"] == side)
        .map(|one| if one["name"] == "" { text(&one["detail"]) } else { text(&one["name"]) })
        .collect()
}

#[test]
fn what_is_missing_unusable_or_there_twice_is_found_before_the_first_run_too() {
    let world = World::with_csv(TABLE);
    let before = TestFiles::at(world.dir()).without_companions();
    let report = report(&world);
    assert_eq!((&report["schema"], &report["source"]), (&"linqsync.report/1".into(), &6.into()));
    assert_eq!(report["linq"], Value::Null, "Linq was not asked");
    let of = |kind: &str| found(&report, kind, "source");
    assert_eq!(of("unusable-phone"), ["Bo Wang"]);
    assert_eq!(of("unusable-email"), ["Bo Wang"]);
    assert_eq!(of("no-name"), ["cy@lanterns.example"]);
    assert_eq!(of("no-phone"), ["cy@lanterns.example"]);
    assert_eq!(of("no-email-or-phone"), ["Dee Zhou"]);
    assert_eq!(of("duplicate"), ["Eve Moor", "Eve Moor"]);
    assert_eq!(of("unmapped"), ["`Birthday` is filled for 2 of 6"]);
    assert_eq!(of("no-owner"), Vec::<String>::new(), "the file has no owners");
    let phone =
        report["findings"].as_array().unwrap().iter().find(|one| one["field"] == "phone_number");
    assert_eq!(phone.unwrap()["cell"], "`Phone` in row 3");
    assert_eq!(TestFiles::at(world.dir()).without_companions(), before, "it changes nothing");
    assert!(world.linq().requests().is_empty());
}

#[test]
fn contacts_on_one_side_alone_and_contacts_without_owner_are_found_after_a_run() {
    let mut world = World::with_csv(TABLE);
    world.set("sync.direction", "\"push\"");
    world.linq().insert([("first_name", "Zoe"), ("email", "zoe@e.example")]).unwrap();
    world.once().expect(3);
    world.write(world.text().replace("Countess", "Lady") + "New,Row,new@e.example,,,,\n");
    let report = report(&world);
    assert!(found(&report, "only-in-source", "source").contains(&"New Row".to_owned()));
    let alone = found(&report, "only-in-source", "source");
    assert!(!alone.contains(&"Ada King".to_owned()), "an edited row is still linked: {alone:?}");
    assert_eq!(found(&report, "only-in-linq", "linq"), ["Zoe"]);
    assert_eq!(found(&report, "no-phone", "linq").len(), 2, "{report:#}");
}

#[test]
fn columns_that_are_mostly_empty_are_told() {
    let rows: String = (1..=20).fold(String::new(), |rows, n| {
        let title = if n == 1 { "Chief" } else { "" };
        rows + &format!("First{n},Last{n},p{n}@e.example,{title}\n")
    });
    let world = World::with_csv(&format!("First Name,Last Name,Email,Title\n{rows}"));
    let report = report(&world);
    assert_eq!(found(&report, "mostly-empty", "source"), ["title (`Title`) is filled for 1 of 20"]);
}

#[test]
fn the_report_is_text_and_a_table_as_well() {
    let world = World::with_csv(TABLE);
    let text = world.run(&["report"]).expect(0).stdout;
    assert!(
        text.starts_with("data quality               contacts.csv: 6 contacts; Linq: "),
        "{text}"
    );
    assert!(text.contains("possible duplicates        2 in contacts.csv"), "{text}");
    assert!(text.contains("Bo Wang (row:3)  “12”  `Phone` in row 3"), "{text}");
    let table = world.run(&["report", "--csv"]).expect(0).stdout;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(&reader.headers().unwrap()[0], "finding");
    assert!(reader.records().all(|record| record.unwrap().len() == 12));
    assert!(
        table.contains("unusable-phone,source,Bo Wang,row:3,,3,bo at lanterns,12,phone_number,12,")
    );
    world.run(&["report", "--csv", "--json"]).expect(2);
    std::fs::remove_file(world.csv()).unwrap();
    world.run(&["report"]).expect(2);
}
