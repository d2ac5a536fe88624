//! `init`: from a file to a configuration that works.

use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::harness::{Ended, Files, Process, TOKEN, World};

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
fn init(world: &World, token: &str, arguments: &[&str]) -> Ended {
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

      Linq          column           row:2            row:3            row:4
      first_name    First Name       Ada              Bo               Cy
      last_name     Last Name        King             Wang             Young
      email         E-mail Address   ada@engines.ex…  bo@lanterns.ex…  cy@lanterns.ex…
      phone_number  Mobile Phone     +1 415 555 2671
    identifies rows: Employee ID
    phone numbers: read in United States (sync.region = "US"); all are valid there
    never touched: Birthday
    "#);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let world = World::with_csv(EXPORT);
    let before = Files::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("sync.toml is there already"), "{}", ended.stderr);
    assert_eq!(Files::at(world.dir()), before);

    std::fs::remove_file(world.path("sync.toml")).unwrap();
    let before = Files::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("linq.token is there already"), "{}", ended.stderr);
    assert_eq!(Files::at(world.dir()), before);
}

#[test]
fn a_token_that_linq_refuses_is_not_written_down() {
    let world = fresh();
    let before = Files::at(world.dir());
    let ended = init(&world, "another-token", &[]).expect(5);
    assert!(ended.stderr.contains("Linq refused the token"), "{}", ended.stderr);
    let ended = init(&world, "two\nlines", &[]).expect(2);
    assert!(ended.stderr.contains("the token has more than one line"), "{}", ended.stderr);
    assert_eq!(Files::at(world.dir()), before);
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
    let before = Files::at(world.dir());
    let ended = init(&world, TOKEN, &[]).expect(2);
    assert!(ended.stderr.contains("the header has `Bezeichnung`"), "{}", ended.stderr);
    assert_eq!(Files::at(world.dir()), before);
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
