//! The CSV file, as people keep it: what is not synchronised keeps every byte.

use std::os::unix::fs::PermissionsExt;

use linqsync::sandbox::RouteKind;

use crate::harness::{World, names_in, people, wait_until};

/// Files that differ from a plain one in every way that spreadsheets know. Each
/// holds Ada, with the title `Countess`.
const ODD: [(&str, &str); 8] = [
    ("a byte order mark", "\u{feff}First Name,Email,Title\nAda,a@e.example,Countess\n"),
    ("line ends of Windows", "First Name,Email,Title\r\nAda,a@e.example,Countess\r\n"),
    ("semicolons", "First Name;Email;Title\nAda;a@e.example;Countess\n"),
    ("tabs", "First Name\tEmail\tTitle\nAda\ta@e.example\tCountess\n"),
    ("quoted cells", "\"First Name\",\"Email\",\"Title\"\n\"Ada\",\"a@e.example\",\"Countess\"\n"),
    (
        "columns of others",
        "Nr,First Name,Notes,Email,Title,\n7,Ada,\"two\nlines, \"\"quoted\"\"\",a@e.example,Countess,x\n",
    ),
    ("blank lines at the end", "First Name,Email,Title\nAda,a@e.example,Countess\n\n\n,,\n"),
    ("no line end", "First Name,Email,Title\nAda,a@e.example,Countess"),
];

#[test]
fn an_edit_from_linq_changes_one_cell_and_no_other_byte_of_an_odd_file() {
    for (odd, text) in ODD {
        let world = World::synced(text);
        assert_eq!(world.text(), text, "{odd}");
        world.change("Ada", "title", "Lady");
        let run = world.once().expect(0);
        assert_eq!(run.source(), [1, 0, 1, 0], "{odd}");
        assert_eq!(world.text(), text.replace("Countess", "Lady"), "{odd}");
        world.expect_silence();
    }
}

#[test]
fn a_new_row_is_written_as_the_others_are_and_goes_before_trailing_blank_lines() {
    let added = [
        "\u{feff}First Name,Email,Title\nAda,a@e.example,Countess\nBo,,\n",
        "First Name,Email,Title\r\nAda,a@e.example,Countess\r\nBo,,\r\n",
        "First Name;Email;Title\nAda;a@e.example;Countess\nBo;;\n",
    ];
    for ((odd, text), expected) in ODD.into_iter().zip(added) {
        let world = World::synced(text);
        world.linq().insert([("first_name", "Bo")]).unwrap();
        world.once().expect(0);
        assert_eq!(world.text(), expected, "{odd}");
        world.expect_silence();
    }
    let (_, blank_lines) = ODD[6];
    let world = World::synced(blank_lines);
    world.linq().insert([("first_name", "Bo")]).unwrap();
    world.once().expect(0);
    assert_eq!(world.text(), "First Name,Email,Title\nAda,a@e.example,Countess\nBo,,\n\n\n,,\n");
}

#[test]
fn a_file_in_utf_16_stays_one() {
    let utf_16 = |text: &str| -> Vec<u8> {
        "\u{feff}"
            .chars()
            .chain(text.chars())
            .collect::<String>()
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let text = "First Name\tEmail\tTitle\r\nZoë\tz@e.example\tCountess\r\n";
    let world = World::new();
    world.write(utf_16(text));
    world.sync();
    world.change("Zoë", "title", "Lädy");
    world.once().expect(0);
    assert_eq!(std::fs::read(world.csv()).unwrap(), utf_16(&text.replace("Countess", "Lädy")));
}

#[test]
fn the_id_column_is_filled_once_and_stays() {
    let mut world = World::with_csv(
        "linq_id,First Name,Email\n,Ada,ada@engines.example\n,Bo,bo@lanterns.example\n",
    );
    world.set("source.id_column", "\"linq_id\"");
    world.linq().insert([("first_name", "Cy")]).unwrap();
    world.once().expect(0);
    let id = |name| world.contact(name).id;
    let expected = format!(
        "linq_id,First Name,Email\n{},Ada,ada@engines.example\n{},Bo,bo@lanterns.example\n{},Cy,\n",
        id("Ada"),
        id("Bo"),
        id("Cy")
    );
    assert_eq!(world.text(), expected);
    world.expect_silence();
    // By its id a row stays the same person whatever else changes.
    let ada = id("Ada");
    world.edit("Ada,ada@engines.example", "Augusta,augusta@king.example");
    assert_eq!(world.once().expect(0).linq(), [3, 0, 1, 0]);
    assert_eq!(id("Augusta"), ada);
    world.expect_silence();
}

const KEYED: &str = "Nr,First Name,Last Name,Email\n1,Ada,King,a@x.example\n\
                     2,Bo,Wang,b@x.example\n3,Cy,Young,c@x.example\n";

#[test]
fn a_key_column_keeps_rows_apart_however_they_are_sorted_and_edited() {
    let mut world = World::with_csv(KEYED);
    world.set("source.key", "\"Nr\"");
    world.sync();
    let bo = world.contact("Bo").id;
    world.write(
        "Nr,First Name,Last Name,Email\n3,Cy,Young,c@x.example\n\
         2,Robert,Wong,r@y.example\n1,Ada,King,a@x.example\n",
    );
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 0, 1, 0], [3, 0, 0, 0]));
    let [patch] = &world.writes()[..] else { panic!("{:?}", world.writes()) };
    assert_eq!(patch.path, format!("/api/partner/v2/contacts/{bo}"));
    assert_eq!(world.contact("Robert").id, bo);
    world.expect_silence();
}

#[test]
fn sorting_a_file_without_a_key_writes_nothing() {
    let world = World::synced(&people::csv(1..=30));
    let mut rows: Vec<String> = (1..=30).map(people::row).collect();
    rows.reverse();
    rows.swap(3, 17);
    let sorted = people::HEADER.to_owned() + &rows.concat();
    world.write(&sorted);
    world.expect_silence();
    world.edit("Title 007", "Agent");
    assert_eq!(world.once().expect(0).linq(), [30, 0, 1, 0]);
    assert_eq!(world.contact("First007").title.as_deref(), Some("Agent"));
    world.expect_silence();
}

#[test]
fn a_formula_from_linq_is_written_with_an_apostrophe_that_never_comes_back() {
    let world = World::synced("First Name,Email,Title\nAda,a@e.example,Countess\n");
    world.change("Ada", "title", "=1+1");
    world.once().expect(0);
    assert_eq!(world.text(), "First Name,Email,Title\nAda,a@e.example,'=1+1\n");
    assert_eq!(world.contact("Ada").title.as_deref(), Some("=1+1"));
    world.expect_silence();
    world.edit("'=1+1", "'=2+2");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("=2+2"));
    world.expect_silence();
}

#[test]
fn a_phone_number_is_no_formula() {
    let world = World::synced("First Name,Phone\nAda,\n");
    world.change("Ada", "phone_number", "+14155552671");
    world.once().expect(0);
    assert_eq!(world.text(), "First Name,Phone\nAda,+14155552671\n");
    world.expect_silence();
}

#[test]
fn a_replaced_file_keeps_its_mode_and_its_first_version_is_in_the_backups() {
    let text = people::csv(1..=2);
    let world = World::synced(&text);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(world.csv(), std::fs::Permissions::from_mode(0o640)).unwrap();
    world.change("First001", "title", "Chief");
    world.once().expect(0);
    assert_eq!(mode(&world.csv()), 0o640);
    let backups = std::fs::read_dir(world.path("state/backups")).unwrap();
    let backups: Vec<_> = backups.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(backups.len(), 1, "{backups:?}");
    assert_eq!((std::fs::read(&backups[0]).unwrap(), mode(&backups[0])), (text.into(), 0o600));
    let mut names = names_in(world.dir());
    names.retain(|name| name.contains("contacts"));
    assert_eq!(names, ["contacts.csv"], "the file, and nothing else beside it");
    assert_eq!(names_in(&world.path(".linqsync")).len(), 1, "for whoever still has it open");
}

#[test]
fn a_save_while_a_run_is_under_way_is_not_lost() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.fault("update delay=300ms times=1");
    let running = world.start(&["--once", "--json"]);
    wait_until("the update is under way", || !world.requests(RouteKind::Update).is_empty());
    world.edit("Title 003", "Pilot");
    let run = crate::harness::PrintedRun::of(running.ended()).expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 0, 2, 0], [3, 0, 1, 0]));
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    for title in ["Chief", "Captain", "Pilot"] {
        assert!(world.text().contains(title), "{}", world.text());
    }
    world.expect_silence();
}

#[test]
fn whatever_linq_holds_is_written_so_that_it_reads_back_the_same() {
    let world = World::with_csv(people::HEADER);
    let odd = [
        "a,b;c\td",
        "say \"hi\"",
        "two\nlines",
        "two\r\nlines of Windows",
        " spaces around ",
        "\u{a0}no-break\u{a0}",
        "'t Hooft",
        "'quoted'",
        "''=1",
        "Zoë 🦀 הדס 王",
        "007",
        "1.4E+10",
        "TRUE",
        "null",
    ];
    for (n, value) in odd.into_iter().enumerate() {
        let first_name = format!("Person {n:02}");
        let members = [("first_name", &*first_name), ("company", value), ("title", value)];
        world.linq().insert(members).unwrap();
    }
    let run = world.once().expect(0);
    assert_eq!(run.source(), [14, 14, 0, 0]);
    let titles = world.people_in_csv().into_iter().map(|person| person[5].clone());
    assert_eq!(titles.collect::<Vec<_>>(), odd.map(|value| value.replace("''=1", "'''=1")));
    world.expect_silence();
}

#[test]
fn a_contact_without_name_email_and_phone_gets_no_row_and_is_named() {
    let world = World::synced(&people::csv(1..=2));
    let id = world.linq().insert([("company", "Nobody Ltd")]).unwrap();
    let before = world.text();
    for _ in 0..2 {
        let run = world.once();
        assert_eq!((run.source()[1], world.writes()), (0, vec![]), "{:#}", run.json);
        assert_eq!((run.ended.code, &run.json["rejected"]), (Some(3), &1.into()));
        assert_eq!(world.text(), before);
    }
    world.linq().remove(id).unwrap();
    world.once().expect(0);
}

#[test]
fn a_symbolic_link_to_the_file_stays_one() {
    let world = World::with_csv(&people::csv(1..=2));
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    std::fs::rename(world.csv(), world.path("elsewhere/people.csv")).unwrap();
    std::os::unix::fs::symlink("elsewhere/people.csv", world.csv()).unwrap();
    world.sync();
    world.change("First001", "title", "Chief");
    world.once().expect(0);
    assert!(world.csv().is_symlink());
    let text = std::fs::read_to_string(world.path("elsewhere/people.csv")).unwrap();
    assert_eq!(text, people::csv(1..=2).replace("Title 001", "Chief"));
}

#[test]
fn a_row_without_anybody_is_named_and_left_alone() {
    let world = World::with_csv("First Name,Email,Company\nAda,ada@e.example,\n,,Lanterns\n");
    let run = world.once().expect(0);
    assert!(run.notices().contains("so not synchronised: row:3"), "{:#}", run.json);
    assert_eq!(run.linq()[1], 1);
}
