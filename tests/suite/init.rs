//! `init`: from a file to a configuration that works.

use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::harness::{EndedProcess, Process, TOKEN, TestFiles, World};

const EXPORT: &str = "First Name,Last Name,E-mail Address,Mobile Phone,Employee ID,Birthday\n\
                      Ada,King,ada@engines.example,+1 415 555 2671,17,\n\
                      Bo,Wang,bo@lanterns.example,,18,\n\
                      Cy,Young,cy@lanterns.example,,19,1 May\n\
                      Dee,Zhou,dee@lanterns.example,,20,\n";

/// A directory with an export and nothing else, beside a Linq.
fn fresh() -> World {
    let world = World::with_csv(EXPORT);
    for file in ["sync.toml", "linq.token"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    world
}

/// Runs `init` with a token on standard input.
fn init(world: &World, token: &str, arguments: &[&str]) -> EndedProcess {
    let mut typed = tempfile::tempfile().unwrap();
    typed.write_all(token.as_bytes()).unwrap();
    typed.rewind().unwrap();
    let url = world.url();
    let always = ["init", "contacts.csv", "--token-stdin", "--base-url", &url];
    let mut command = world.command(&[&always, arguments].concat());
    command.stdin(Stdio::from(typed));
    Process::start(command).ended()
}

/// A French list that says so in three ways, and has two numbers that are none.
const FRENCH: &str = "First Name,Email,Phone,Country\n\
                      Ida,ida@pain.fr,06 12 34 56 78,France\n\
                      Luc,luc@vin.example,+33 6 98 76 54 32,\n\
                      Eve,eve@sel.example,01 42 68 53 00,FR\n\
                      Max,max@sel.example,n/a,France\n\
                      Zoe,zoe@sel.example,12,\n";

#[test]
fn the_country_of_phone_numbers_is_found_out_and_said() {
    let world = fresh();
    world.write(FRENCH);
    let ended = init(&world, TOKEN, &[]).expect(0);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "read in France (sync.region = \"FR\")",
        "3 country names, 1 number with its prefix, 1 e-mail address in its domain",
        "2 of 5 are not valid there, the first in `Phone` in row 5",
    ] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let text = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    assert!(text.lines().any(|line| line == "region = \"FR\""), "{text}");
    world.run(&["--once"]).expect(3);
    let phone = world.contact("Ida").phone_number;
    assert_eq!(phone.as_deref(), Some("+33612345678"));

    // Whoever says which it is, is believed.
    for file in ["sync.toml", "linq.token"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    let ended = init(&world, TOKEN, &["--region", "US"]).expect(0);
    assert!(ended.stdout.contains("read in United States"), "{}", ended.stdout);
}

fn mode(world: &World, file: &str) -> u32 {
    std::fs::metadata(world.path(file)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn from_a_file_to_a_first_run_without_editing_anything() {
    let world = fresh();
    let ended = init(&world, TOKEN, &[]).expect(0);
    assert!(ended.stdout.ends_with("\n  linqsync plan\n"), "{}", ended.stdout);
    assert_eq!((mode(&world, "sync.toml"), mode(&world, "linq.token")), (0o640, 0o600));
    assert!(!ended.stdout.contains(TOKEN) && !ended.stderr.contains(TOKEN));

    let text = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    for line in ["key = \"Employee ID\"", "email = \"E-mail Address\"", "path = \"contacts.csv\""] {
        assert!(text.lines().any(|written| written == line), "{line} is not in {text}");
    }
    assert!(!text.contains(TOKEN));

    world.run(&["plan"]).expect(0);
    let run = world.once();
    assert_eq!(run.expect(0).linq()[1], 4);
}

#[test]
fn what_was_recognised_is_shown_with_three_people() {
    let ended = init(&fresh(), TOKEN, &[]).expect(0);
    let shown: Vec<&str> = ended.stdout.lines().take_while(|l| !l.starts_with("Wrote")).collect();
    assert_snapshot!(shown.join("\n"), @r#"
    contacts.csv: 4 contacts, UTF-8, separated by commas

      Linq          column          row:2           row:3           row:4
      first_name    First Name      Ada             Bo              Cy
      last_name     Last Name       King            Wang            Young
      email         E-mail Address  ada@engines.ex… bo@lanterns.ex… cy@lanterns.ex…
      phone_number  Mobile Phone    +1 415 555 2671
    identifies rows: Employee ID
    phone numbers: read in United States (sync.region = "US"); all are valid there
    never touched: Birthday
    "#);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let world = World::with_csv(EXPORT);
    let before = TestFiles::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("sync.toml is there already"), "{}", ended.stderr);
    assert_eq!(TestFiles::at(world.dir()), before);

    assert!(
        ended.stderr.contains("linqsync -c contacts.toml init contacts.csv"),
        "{}",
        ended.stderr
    );

    std::fs::remove_file(world.path("sync.toml")).unwrap();
    std::fs::write(world.path("linq.token"), "another-token\n").unwrap();
    let before = TestFiles::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("linq.token is there already"), "{}", ended.stderr);
    assert_eq!(TestFiles::at(world.dir()), before);
}

#[test]
fn a_second_pair_in_the_same_directory_takes_the_token_that_is_there() {
    let world = fresh();
    init(&world, TOKEN, &[]).expect(0);
    std::fs::write(world.path("more.csv"), "First Name,Email\nEve,eve@x.example\n").unwrap();
    let url = world.url();
    let arguments = ["-c", "more.toml", "init", "more.csv", "--base-url", &url];
    let ended = world.run(&arguments).expect(0);
    assert!(ended.stdout.contains("linq.token"), "{}", ended.stdout);
    assert!(!world.path("more.token").exists());
    let check = world.run(&["-c", "more.toml", "check"]).expect(0);
    assert!(check.stdout.contains("from the file"), "{}", check.stdout);
}

#[test]
fn a_token_is_kept_where_linq_cannot_be_asked() {
    let world = fresh();
    let mut typed = tempfile::tempfile().unwrap();
    typed.write_all(TOKEN.as_bytes()).unwrap();
    typed.rewind().unwrap();
    let arguments = ["init", "contacts.csv", "--token-stdin", "--base-url", "http://127.0.0.1:9"];
    let mut command = world.command(&arguments);
    command.stdin(Stdio::from(typed));
    let ended = Process::start(command).ended().expect(0);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("Whether Linq takes the token is not known"), "{said}");
    assert!(said.contains("linq.token, which only you can read"), "{said}");
    assert_eq!((mode(&world, "sync.toml"), mode(&world, "linq.token")), (0o640, 0o600));
}

#[test]
fn what_is_no_table_is_refused_with_the_way_out() {
    let world = fresh();
    for (name, bytes, way_out) in [
        ("book.xlsx", &b"PK\x03\x04\x14\x00\x06\x00"[..], "Save As > CSV UTF-8"),
        ("book.csv", b"PK\x03\x04\x14\x00\x06\x00", "Save As > CSV UTF-8"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Save As > CSV UTF-8"),
        (
            "one.vcf",
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEND:VCARD\r\n",
            "linqsync init cards",
        ),
    ] {
        std::fs::write(world.path(name), bytes).unwrap();
        let ended = world.run(&["init", name]).expect(2);
        assert!(ended.stderr.contains(way_out), "{name}: {}", ended.stderr);
        assert!(!world.path("sync.toml").exists());
    }
}

#[test]
fn a_directory_without_cards_says_what_becomes_of_it() {
    let world = fresh();
    std::fs::create_dir(world.path("cards")).unwrap();
    let ended = world.run(&["init", "cards", "-c", "cards.toml"]).expect(0);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("writes one for each contact in Linq"), "{said}");
    std::fs::create_dir(world.path("mixed")).unwrap();
    std::fs::copy(world.csv(), world.path("mixed/people.csv")).unwrap();
    let ended = world.run(&["init", "mixed"]).expect(2);
    assert!(ended.stderr.contains("linqsync init mixed/people.csv"), "{}", ended.stderr);
}

#[test]
fn a_file_that_a_spreadsheet_or_another_pair_works_with_is_told() {
    let mut world = World::synced(EXPORT);
    world.unset("state.dir");
    world.sync();
    std::fs::write(world.path(".~lock.contacts.csv#"), ",sam,host,;").unwrap();
    let url = world.url();
    let arguments = ["-c", "second.toml", "init", "contacts.csv", "--base-url", &url];
    let ended = world.run(&arguments).expect(0);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("is open in LibreOffice"), "{said}");
    assert!(said.contains("two pairs on one source"), "{said}");
}

#[test]
fn a_table_in_another_script_is_shown_in_80_columns_and_speaks_for_its_country() {
    let world = fresh();
    world.write(
        "氏名,メールアドレス,電話番号,会社名,役職\n\
         山田 太郎,taro@x.example,090-1234-5678,株式会社山田製作所本社,代表取締役社長兼最高経営責任者\n\
         鈴木 花子,hanako.suzuki@x.example,03-1234-5678,鈴木商店東京営業所分室,課長\n\
         佐藤 次郎,jiro@x.example,03-1234-5679,佐藤,部長\n",
    );
    let ended = init(&world, TOKEN, &[]).expect(0);
    let widths = ended.stdout.lines().take_while(|line| !line.starts_with("Wrote"));
    let widest = widths.map(unicode_width::UnicodeWidthStr::width).max();
    assert!(widest <= Some(80), "{widest:?}\n{}", ended.stdout);
    assert!(ended.stdout.contains("sync.region = \"JP\""), "{}", ended.stdout);
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("because of 1 header in Japanese"), "{said}");
}

#[test]
fn a_check_warns_of_addresses_that_are_not_read() {
    let world = World::with_csv("First Name,Kontakt\nAda,ada@x.example\nBo,bo@x.example\n");
    let check = world.run(&["check", "--offline"]).expect(0).stdout;
    let warns = check.lines().any(|line| line.starts_with("warning") && line.contains("email"));
    assert!(warns, "{check}");
    world.run(&["check", "--offline", "--strict"]).expect(3);
}

#[test]
fn a_token_that_linq_refuses_is_not_written_down() {
    let world = fresh();
    let before = TestFiles::at(world.dir());
    let ended = init(&world, "another-token", &[]).expect(5);
    assert!(ended.stderr.contains("Linq refused the token"), "{}", ended.stderr);
    let ended = init(&world, "two\nlines", &[]).expect(2);
    assert!(ended.stderr.contains("the token has more than one line"), "{}", ended.stderr);
    assert_eq!(TestFiles::at(world.dir()), before);
}

#[test]
fn without_a_token_it_says_where_to_put_one() {
    let world = fresh();
    let ended = world.run(&["init", "contacts.csv"]).expect(0);
    assert!(ended.stdout.contains("linq.token first (chmod 600)"), "{}", ended.stdout);
    assert!(!world.path("linq.token").exists());
    assert!(world.run(&["plan"]).expect(2).stderr.contains("linq.token"));
}

#[test]
fn a_file_that_is_no_source_leaves_nothing_behind() {
    let world = fresh();
    world.write("Bezeichnung,Ort\nAda,Turin\n");
    let before = TestFiles::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("the header has `Bezeichnung`"), "{}", ended.stderr);
    assert_eq!(TestFiles::at(world.dir()), before);
    init(&world, TOKEN, &["--column", "last_name=Bezeichnung"]).expect(0);
    let ended = world.run(&["init", "missing.csv", "-c", "other.toml"]).expect(2);
    assert!(ended.stderr.contains("missing.csv"), "{}", ended.stderr);
}

#[test]
fn a_column_that_does_not_tell_rows_apart_is_nobodys_key() {
    let world = fresh();
    world.edit("18", "17");
    init(&world, TOKEN, &[]).expect(0);
    let text = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    assert!(text.contains("\n#key = "), "{text}");
}

#[test]
fn scripts_get_one_document() {
    let world = fresh();
    let ended = init(&world, TOKEN, &["--json"]).expect(0);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["schema"], "linqsync.init/1");
    assert_eq!(document["columns"]["phone_number"], "Mobile Phone");
    assert_eq!(document["records"], 4);
}
