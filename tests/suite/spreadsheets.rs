//! How a spreadsheet is read: where its table begins and ends, in which encoding it is, and
//! what quotation marks mean. Whatever is not certain is named, and reaches nobody.

use std::fs;

use linqsync::sandbox::Contact;

use crate::harness::{World, people};
use crate::vcards;

fn names(world: &World) -> Vec<(String, String)> {
    let name = |text: Option<String>| text.unwrap_or_default();
    let contacts = world.linq().contacts().into_iter();
    contacts
        .map(|Contact { first_name, last_name, .. }| (name(first_name), name(last_name)))
        .collect()
}

/// A file of people who are the same on both sides, whose lines stand in another order.
fn sorted(order: impl Fn(Vec<String>) -> Vec<String>) -> World {
    let world = World::synced(&people::csv(1..=10));
    let lines = world.text().lines().map(str::to_owned).collect();
    world.write(order(lines).join("\n") + "\n");
    world
}

#[test]
fn a_table_that_was_sorted_with_its_header_deletes_nobody_and_names_who_is_above() {
    for header_at in [1, 4, 9, 10] {
        let world = sorted(|mut lines| {
            let header = lines.remove(0);
            lines.insert(header_at, header);
            lines
        });
        let before = world.linq().contacts();
        for _ in 0..2 {
            let run = world.once();
            let run = run.expect(3);
            assert_eq!(run.linq()[1..], [0, 0, 0], "{header_at}");
            assert_eq!(run.count("rejected"), header_at as u64, "{header_at}");
        }
        assert_eq!(world.linq().contacts(), before, "{header_at}");
        let shown = world.run(&["check", "--offline"]);
        let text = shown.stdout + &shown.stderr;
        assert!(text.contains("row:1 (line 1)") && text.contains("move the header"), "{text}");
    }
}

#[test]
fn what_is_written_below_a_header_in_the_middle_still_flows() {
    let world = sorted(|mut lines| {
        let header = lines.remove(0);
        lines.insert(5, header);
        lines
    });
    world.edit("Title 009", "Boss");
    let run = world.once();
    assert_eq!(run.expect(3).linq()[1..], [0, 1, 0]);
    assert_eq!(world.contact("First009").title.as_deref(), Some("Boss"));
}

#[test]
fn titles_and_labels_above_the_header_are_harmless() {
    for above in [
        "Contact list\n\n",
        "Company,Acme Ltd\nReport date,2024-01-02\n\n",
        "Title,All customers,,\n",
        "Exported by:,ann@acme.example\n",
        "Phone,\n",
    ] {
        let text = format!("{above}First Name,Last Name,Email,Phone\nAnn,Lee,a@x.example,\n");
        let world = World::with_csv(&text);
        assert_eq!(world.once().expect(0).linq(), [1, 1, 0, 0], "{above}");
        assert_eq!(world.contact("Ann").last_name.as_deref(), Some("Lee"), "{above}");
        world.change("Ann", "last_name", "Li");
        world.once().expect(0);
        assert_eq!(world.text(), text.replace("Lee", "Li"), "{above}");
        world.expect_silence();
    }
}

#[test]
fn a_row_with_an_address_or_a_number_is_no_header() {
    let known = "GCLID,Lead Email,Lead Phone,Keyword,Device\n\
                 c1,alex@x.example,+447700900123,flat,Mobile\n";
    let world = World::with_csv(known);
    assert_eq!(world.once().expect(0).linq(), [1, 1, 0, 0]);
    assert_eq!(world.linq().contacts()[0].email.as_deref(), Some("alex@x.example"));

    let leads = "GCLID,Reached by,Or by,Keyword,Device\n\
                 c1,alex@x.example,+447700900123,flat,Mobile\n";
    let mut world = World::with_csv(leads);
    let ended = world.run(&["--once"]).expect(2);
    assert!(ended.stderr.contains("`Reached by`"), "{}", ended.stderr);
    assert_eq!(world.linq().contacts().len(), 0);
    world.set("source.columns.email", "\"Reached by\"");
    world.set("source.columns.phone_number", "\"Or by\"");
    assert_eq!(world.once().expect(0).linq(), [1, 1, 0, 0]);
    assert_eq!(world.linq().contacts()[0].email.as_deref(), Some("alex@x.example"));

    let world = World::with_csv("ann@x.example,Mobile\nbob@x.example,Home\n");
    let ended = world.run(&["--once"]).expect(2);
    assert!(ended.stderr.contains("looks like a contact"), "{}", ended.stderr);
}

#[test]
fn lines_of_a_report_and_the_header_again_are_no_contacts() {
    let table = people::csv(1..=3);
    let again = people::HEADER;
    let footer = "-----,-----,-----\n\nTotal: 3\nGenerated on 2024-01-02\nPage 1 of 2\n";
    let world = World::with_csv(&format!("{table}{again}{}{footer}", people::row(4)));
    let run = world.once();
    assert_eq!(run.expect(0).linq(), [4, 4, 0, 0]);
    let shown = world.run(&["--once"]).expect(0);
    let text = shown.stdout + &shown.stderr;
    for label in ["row:5 (the header again)", "row:7", "row:9", "row:11 (a line of a report)"] {
        assert!(text.contains(label), "{label} in {text}");
    }
    world.expect_silence();
    // A new row comes above them, and they stay.
    world.linq().insert([("first_name", "Bo"), ("email", "bo@x.example")]).unwrap();
    world.once().expect(0);
    let text = world.text();
    assert!(text.ends_with(&format!("\nBo,,bo@x.example,,,\n{footer}")), "{text}");
    // The total changes with the row that goes.
    world.write(text.replace(&people::row(2), "").replace("Total: 3", "Total: 2"));
    assert_eq!(world.once().expect(0).linq(), [4, 0, 0, 1]);
    world.expect_silence();
}

#[test]
fn another_header_makes_what_is_below_it_unreadable() {
    let world = World::with_csv(
        "First Name,Last Name,Email\nAnn,Lee,a@x.example\n\
         Email,First Name,Last Name\nb@x.example,Bo,Fox\n",
    );
    let run = world.once();
    assert_eq!(run.expect(3).linq(), [1, 1, 0, 0]);
    assert_eq!(names(&world), [("Ann".to_owned(), "Lee".to_owned())]);
}

#[test]
fn blanks_before_quotation_marks_are_read_as_meant_and_stay() {
    for (text, last) in [
        ("\"First Name\", \"Last Name\", \"Email\"\n\"Bo\", \"Fox\", \"bo@x.example\"\n", "Fox"),
        ("First Name,Last Name,Email\nBo,\t\"Fox\",   \"bo@x.example\"\n", "Fox"),
        ("First Name,Last Name,Email\nBo, \"Fox, Jr.\" ,bo@x.example\n", "Fox, Jr."),
        ("First Name;Last Name;Email\nBo; \"the \"\"Fox\"\"\";bo@x.example\n", "the \"Fox\""),
    ] {
        let world = World::with_csv(text);
        assert_eq!(world.once().expect(0).linq(), [1, 1, 0, 0], "{text}");
        assert_eq!(world.contact("Bo").last_name.as_deref().map(str::trim), Some(last), "{text}");
        assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@x.example"), "{text}");
        assert_eq!(world.text(), text);
        world.change("Bo", "email", "fox@x.example");
        world.once().expect(0);
        assert_eq!(world.text(), text.replace("bo@x.example", "fox@x.example"));
        world.expect_silence();
    }
}

#[test]
fn marks_of_which_nobody_knows_what_they_hold_are_named_and_reach_nobody() {
    for row in [
        "“Bo”,“Fox”,“bo@x.example”",
        "'Bo','Fox','bo@x.example'",
        "'Bo','Fox, Jr.','bo@x.example'",
        "\"\"\"Bo\"\"\",\"\"\"Fox\"\"\",\"\"\"bo@x.example\"\"\"",
        "Bo, \"Fox\" Smith,bo@x.example",
        "Bo, \"Fox,bo@x.example",
        "\"Bo,Fox,bo@x.example\"",
        "Bo, \"Fox\nSmith\",bo@x.example",
    ] {
        let world = World::with_csv(
            &format!("First Name,Last Name,Email,Title\nAnn,Lee,ann@x.example,CEO\n{row},Chef\n")
                .replace("\",Chef", "\""),
        );
        world.once().expect(3);
        assert!(
            names(&world).iter().all(|(first, _)| first == "Ann"),
            "{row}: {:?}",
            names(&world)
        );
        let shown = world.run(&["check", "--offline"]);
        let text = shown.stdout + &shown.stderr;
        assert!(text.contains("line 3"), "{row}: {text}");
    }
}

#[test]
fn what_linq_holds_and_a_row_could_not_is_named_and_everybody_else_is_written() {
    let world = World::synced("First Name,Last Name,Email\nAnn,Lee,a@x.example\n");
    let insert = |first: &str, last: &str| {
        world.linq().insert([("first_name", first), ("last_name", last)]).unwrap();
    };
    insert("Total: 20", "");
    insert("'Bo'", "'Fox'");
    insert("First Name", "Last Name");
    insert("Cy", "Young");
    let shown = world.run(&["--once"]).expect(3).stdout;
    assert!(shown.contains("could not be written"), "{shown}");
    assert_eq!(world.text(), "First Name,Last Name,Email\nAnn,Lee,a@x.example\nCy,Young,\n");
}

#[test]
fn names_with_marks_in_them_stay_as_they_are() {
    let text = "First Name,Last Name,Email\nBo \"Ace\",O'Neill,bo@x.example\n\
                Jan,'t Hooft,jan@x.example\nAl,\"d'Arcy \"\"Jr\"\"\",al@x.example\n";
    let world = World::synced(text);
    assert_eq!(world.contact("Bo \"Ace\"").last_name.as_deref(), Some("O'Neill"));
    assert_eq!(world.contact("Jan").last_name.as_deref(), Some("'t Hooft"));
    assert_eq!(world.contact("Al").last_name.as_deref(), Some("d'Arcy \"Jr\""));
    assert_eq!(world.text(), text);
}

fn encoded(label: &str, text: &str) -> Vec<u8> {
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
    let (bytes, _, lost) = encoding.encode(text);
    assert!(!lost, "{text}");
    bytes.into_owned()
}

/// People whose names only one old encoding writes as they are.
const ENCODED: [(&str, &str, &str); 8] = [
    ("windows-1254", "Şükrü", "Yıldız"),
    ("windows-1254", "Ayşe", "Doğan"),
    ("windows-1250", "Jiří", "Dvořák"),
    ("windows-1250", "Łukasz", "Wałęsa"),
    ("KOI8-R", "Иван", "Петров"),
    ("windows-1251", "Лев", "Ким"),
    ("Shift_JIS", "太郎", "山田"),
    ("GBK", "伟", "张"),
];

#[test]
fn an_undeclared_encoding_is_refused_with_the_way_out_and_read_once_it_is_set() {
    for (label, first, last) in ENCODED {
        let text = format!(
            "First Name,Last Name,Email\nAnn,Lee,a@x.example\n{first},{last},b@x.example\n"
        );
        let mut world = World::new();
        world.write(encoded(label, &text));
        let ended = world.run(&["--once"]).expect(2);
        assert!(ended.stderr.contains("contacts.csv:3"), "{label}: {}", ended.stderr);
        assert!(ended.stderr.contains("encoding"), "{label}: {}", ended.stderr);
        assert_eq!(world.linq().contacts().len(), 0, "{label}");

        world.set("source.encoding", &format!("{label:?}"));
        assert_eq!(world.once().expect(0).linq(), [2, 2, 0, 0], "{label}");
        assert_eq!(world.contact(first).last_name.as_deref(), Some(last), "{label}");
        // It is written back in the same encoding.
        world.change("Ann", "last_name", last);
        world.once().expect(0);
        let expected = text.replace("Lee", last);
        assert_eq!(fs::read(world.csv()).unwrap(), encoded(label, &expected), "{label}");
        world.expect_silence();
        // What it lacks is refused for that field, by name.
        world.change("Ann", "last_name", "김철수");
        let shown = world.run(&["--once"]).expect(3);
        assert!(shown.stdout.contains("its last_name has a"), "{label}: {}", shown.stdout);
        assert_eq!(fs::read(world.csv()).unwrap(), encoded(label, &expected), "{label}");
    }
}

#[test]
fn a_western_file_of_a_spreadsheet_needs_no_setting() {
    for (first, last) in
        [("José", "Müller"), ("Hélène", "Lefèvre"), ("Søren", "Åberg"), ("João", "Peña")]
    {
        let text = format!("First Name,Last Name,Email\n{first},{last},b@x.example\n");
        let world = World::new();
        world.write(encoded("windows-1252", &text));
        assert_eq!(world.once().expect(0).linq(), [1, 1, 0, 0], "{first}");
        assert_eq!(world.contact(first).last_name.as_deref(), Some(last));
        world.expect_silence();
    }
}

#[test]
fn a_refused_encoding_of_a_file_that_was_read_before_deletes_nobody() {
    let world = World::synced("First Name,Last Name,Email\nŞükrü,Yıldız,s@x.example\n");
    let before = world.linq().contacts();
    world.write(encoded("windows-1254", &world.text()));
    world.run(&["--once"]).expect(2);
    assert_eq!(world.linq().contacts(), before);
}

#[test]
fn init_takes_the_encoding_that_it_cannot_find_out() {
    let world = World::new();
    world.write(encoded("windows-1250", "First Name,Last Name,Email\nJiří,Dvořák,j@x.example\n"));
    fs::remove_file(world.path("sync.toml")).unwrap();
    let ended = world.run(&["init", "contacts.csv"]).expect(2);
    assert!(ended.stderr.contains("--encoding"), "{}", ended.stderr);
    world.run(&["init", "contacts.csv", "--encoding", "Windows-1250"]).expect(0);
    let config = fs::read_to_string(world.path("sync.toml")).unwrap();
    assert!(config.contains("encoding = \"Windows-1250\""), "{config}");
}

#[test]
fn a_card_whose_charset_nobody_knows_gives_no_wrong_name() {
    let card = |parameters: &str| {
        let head = format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nN{parameters}:");
        let rest = "\r\nEMAIL:j@x.example\r\nEND:VCARD\r\n";
        [head.into_bytes(), encoded("windows-1250", "Dvořák;Jiří;;;"), rest.into()].concat()
    };
    let world = vcards::world(&[]);
    fs::write(vcards::file(&world, "j.vcf"), card("")).unwrap();
    world.once().expect(3);
    let wrong = |(first, last): &(String, String)| !first.is_empty() || !last.is_empty();
    assert!(!names(&world).iter().any(wrong), "{:?}", names(&world));
    let shown = world.run(&["list", "rejected"]).stdout;
    assert!(shown.contains("CHARSET="), "{shown}");
    fs::write(vcards::file(&world, "j.vcf"), card(";CHARSET=windows-1250")).unwrap();
    world.once().expect(0);
    assert_eq!(names(&world), [("Jiří".to_owned(), "Dvořák".to_owned())]);
}
