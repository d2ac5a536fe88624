//! "In sync" is said only when `verify` would say so; a run that could not even begin is
//! remembered; and an edit of anything in a row or card beats a deletion in Linq.

use std::fmt::Write;

use serde_json::Value;

use crate::harness::{World, people, wait_until};

fn status(world: &World) -> Value {
    serde_json::from_str(&world.run(&["status", "--json"]).expect(0).stdout).unwrap()
}

/// What `status` says of it agrees with `verify`, and is this.
#[track_caller]
fn expect_in_sync(world: &World, expected: bool) {
    let verify = world.run(&["verify"]);
    let code = if expected { 0 } else { 3 };
    let told = verify.expect(code).stdout;
    assert_eq!(status(world)["in_sync"], expected, "{:#}\n{told}", status(world));
    let text = world.run(&["status"]).expect(0).stdout;
    assert_eq!(text.starts_with("in sync    yes"), expected, "{text}");
}

// A failed start.

/// Runs that must fail with `code`, and leave a record of it.
#[track_caller]
fn expect_failed_start(world: &World, code: i32, words: &str) {
    let good = status(world)["last_success"].clone();
    let first = world.once().expect(code);
    let number = first.count("run");
    world.once().expect(code);
    let json = status(world);
    assert_eq!(json["in_sync"], false, "{json:#}");
    assert_eq!(json["last_run"]["run"], number + 1, "{json:#}");
    assert_eq!(json["last_run"]["outcome"], "failed", "{json:#}");
    assert_eq!(json["last_run"]["error"]["code"], code, "{json:#}");
    assert_eq!((&json["failures"], &json["last_success"]), (&2.into(), &good), "{json:#}");
    assert!(json["failing_since"].is_string(), "{json:#}");
    let text = world.run(&["status"]).expect(0).stdout;
    assert!(text.starts_with("in sync    unknown"), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["failed: ", "2 runs in a row have failed", words] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_source_that_cannot_be_read_is_a_failed_run_that_status_shows() {
    let table = people::csv(1..=3);
    let world = World::synced(&table);
    expect_in_sync(&world, true);
    std::fs::remove_file(world.csv()).unwrap();
    expect_failed_start(&world, 2, "last good run 1");
    for (what, words) in [
        (&b""[..], "is empty"),
        (b"Colour,Size\nred,7\n", "no column for a name"),
        (b"\n\n\n", "only blank lines"),
    ] {
        world.write(&table);
        world.once().expect(0);
        expect_in_sync(&world, true);
        world.write(what);
        expect_failed_start(&world, 2, words);
    }
    world.write(&table);
    world.once().expect(0);
    expect_in_sync(&world, true);
    let json = status(&world);
    assert_eq!((&json["failures"], &json["failing_since"]), (&0.into(), &Value::Null));
}

#[test]
fn a_directory_in_the_place_of_the_table_is_a_failed_run() {
    let world = World::synced(&people::csv(1..=2));
    std::fs::remove_file(world.csv()).unwrap();
    std::fs::create_dir(world.csv()).unwrap();
    expect_failed_start(&world, 2, "last good run 1");
}

#[test]
fn two_columns_of_the_configured_name_are_a_failed_run() {
    let mut world = World::synced("First Name,Email,Note\nAda,a@x.example,x\n");
    world.set("source.columns.title", "\"Note\"");
    world.once();
    world.write("First Name,Email,Note,Note\nAda,a@x.example,x,y\n");
    expect_failed_start(&world, 2, "Note");
}

#[test]
fn linq_that_cannot_be_reached_or_refuses_the_token_is_a_failed_run() {
    let world = World::synced(&people::csv(1..=2));
    world.fault("list status=401");
    expect_failed_start(&world, 5, "last good run 1");
}

#[test]
fn a_first_run_that_failed_is_no_run_that_was_not_made() {
    let world = World::new();
    std::fs::remove_file(world.csv()).unwrap_or_default();
    world.once().expect(2);
    let text = world.run(&["status"]).expect(0).stdout;
    assert!(text.starts_with("in sync    unknown: no run has compared"), "{text}");
    assert!(text.contains("1 run has failed"), "{text}");
    assert!(!text.contains("last good"), "{text}");
}

#[test]
fn the_state_of_another_pair_is_told_nothing() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("source.path", "\"other.csv\"");
    world.once().expect(2);
    world.set("source.path", "\"contacts.csv\"");
    let json = status(&world);
    assert_eq!((&json["failures"], &json["last_run"]["run"]), (&0.into(), &1.into()), "{json:#}");
}

#[test]
fn a_failed_start_changed_nothing_and_the_history_says_why() {
    let table = people::csv(1..=2);
    let world = World::synced(&table);
    std::fs::remove_file(world.csv()).unwrap();
    let run = world.once().expect(2).count("run").to_string();
    world.write(&table);
    world.once().expect(0);
    let all = world.run(&["history"]).expect(0).stdout;
    assert!(all.contains(&format!("run {run:<6}")) && all.contains("failed: "), "{all}");
    let told = world.run(&["history", "--run", &run]).expect(0).stdout;
    assert!(told.contains("failed") && told.contains("contacts.csv"), "{told}");
}

#[test]
fn a_plan_that_could_not_begin_is_not_spent() {
    let table = people::csv(1..=2);
    let world = World::synced(&table);
    world.edit("Title 001", "Chief");
    world.run(&["plan", "--out", "p.plan"]).expect(0);
    let edited = world.text();
    std::fs::remove_file(world.csv()).unwrap();
    world.run(&["apply", "p.plan"]).expect(2);
    assert_eq!(status(&world)["last_run"]["outcome"], "failed");
    world.write(edited);
    world.run(&["apply", "p.plan"]).expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
}

#[test]
fn a_daemon_records_that_it_cannot_read_the_source() {
    let table = people::csv(1..=2);
    let mut world = World::synced(&table);
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = world.start(&[]);
    wait_until("the daemon has made a run", || world.state().last_runs(9).unwrap().len() > 1);
    std::fs::remove_file(world.csv()).unwrap();
    wait_until("its failure is recorded", || world.state().failures_since().unwrap().is_some());
    let json = status(&world);
    assert_eq!((&json["in_sync"], &json["last_run"]["error"]["code"]), (&false.into(), &2.into()));
    world.write(&table);
    wait_until("it has recovered", || world.state().failures_since().unwrap().is_none());
    daemon.terminate();
    daemon.ended().expect(0);
}

// In sync, and nothing less.

#[test]
fn what_one_direction_leaves_alone_is_no_difference_and_is_told() {
    for (direction, there) in [("push", "Linq"), ("pull", "the source")] {
        let mut world = World::synced(&people::csv(1..=4));
        world.set("sync.direction", &format!("\"{direction}\""));
        if direction == "push" {
            world.change("First001", "title", "Captain");
            world.linq().insert([("first_name", "New")]).unwrap();
        } else {
            world.edit("Title 001", "Captain");
            world.write(world.text() + &people::row(5));
        }
        world.once().expect(0);
        expect_in_sync(&world, true);
        let told = world.run(&["verify"]).expect(0).stdout;
        for words in [format!("edited in {there}"), format!("in {there} only")] {
            assert!(told.contains(&words), "{words}: {told}");
        }
    }
}

#[test]
fn a_half_that_is_gone_where_nothing_can_follow_is_told_and_keeps_a_run_from_being_clean() {
    for direction in ["push", "pull"] {
        let mut world = World::synced(&people::csv(1..=6));
        world.set("sync.direction", &format!("\"{direction}\""));
        if direction == "push" {
            world.remove("First002");
        } else {
            world.edit(&people::row(2), "");
        }
        for _ in 0..2 {
            let run = world.once().expect(3);
            assert_eq!((run.count("in_sync"), world.writes()), (5, vec![]));
            assert!(run.notices().contains("1 linked contact left alone: gone from"));
            expect_in_sync(&world, false);
        }
        let json = status(&world);
        assert_eq!(json["unknown"][0]["pairs"], 1, "{json:#}");
        let text = world.run(&["status"]).expect(0).stdout;
        assert!(text.contains("unknown    1 contact: gone from"), "{text}");
        world.linq().forget_requests();
    }
}

#[test]
fn many_that_are_gone_from_linq_are_told_whatever_happens_to_their_rows() {
    let world = World::synced(&people::csv(1..=40));
    for person in 1..=18 {
        world.remove(&format!("First{person:03}"));
    }
    let mut text = world.text();
    for person in 1..=5 {
        text = text.replace(&format!("Title {person:03}"), "Chief");
    }
    world.write(text);
    for _ in 0..3 {
        world.once().expect(4);
        expect_in_sync(&world, false);
    }
}

#[test]
fn a_deletion_that_waits_for_its_grace_is_not_in_sync() {
    let mut world = World::synced(&people::csv(1..=4));
    world.set("sync.delete_grace", "\"1h\"");
    world.remove("First002");
    world.once().expect(0);
    expect_in_sync(&world, false);
}

#[test]
fn what_linq_rewrites_is_in_sync_and_what_it_has_otherwise_is_not() {
    let world = World::with_quirks(&["truncate=20"]);
    world.write("First Name,Email,Company\nAda,a@e.example,A very long name of a company\n");
    world.sync();
    expect_in_sync(&world, true);
    world.change("Ada", "company", "Another");
    world.run(&["verify"]).expect(3);
}

/// Ada's title is "Cook" in the source and "Chief" in Linq, and a person decided on "Boss".
fn decided() -> World {
    let world = World::synced("First Name,Email,Title\nAda,a@x.example,Aide\nBo,b@x.example,CTO\n");
    world.edit("Aide", "Cook");
    world.change("Ada", "title", "Chief");
    world.once().expect(3);
    world.run(&["resolve", "a@x.example", "--field", "title", "--value", "Boss"]).expect(0);
    world
}

#[test]
fn two_different_values_are_agreed_on_by_nobody() {
    let world = decided();
    world.quirks(&["updates=ignored"]);
    world.once().expect(3);
    assert!(world.text().contains("Boss"));
    expect_in_sync(&world, false);
    // Linq has refused what was decided, and the person types the old value again.
    world.edit("Boss", "Cook");
    world.once().expect(3);
    expect_in_sync(&world, false);
    // Nothing was agreed on since both sides changed it: another value is no more right.
    world.quirks(&[]);
    world.edit("Cook", "Pilot");
    world.once().expect(3);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"));
    world.run(&["resolve", "a@x.example", "--take", "source"]).expect(0);
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Pilot"));
    expect_in_sync(&world, true);
}

#[test]
fn each_side_keeps_its_own_only_where_a_person_said_so() {
    let mut world = World::synced("First Name,Email,Title\nAda,ada@e.example,Countess\n");
    world.set("sync.direction", "\"push\"");
    world.edit("Countess", "Analyst");
    world.change("Ada", "title", "Lady");
    world.once().expect(3);
    expect_in_sync(&world, false);
    world.run(&["resolve", "ada@e.example", "--take", "linq"]).expect(0);
    world.once().expect(0);
    expect_in_sync(&world, true);
    let told = world.run(&["verify"]).expect(0).stdout;
    assert!(told.contains("each side keeps its own"), "{told}");
}

// Any byte.

const NOTES: &str = "First Name,Email,Phone,Notes\n";

fn with_notes() -> World {
    let mut text = NOTES.to_owned();
    for n in 1..=6 {
        let _ = writeln!(text, "First{n},p{n}@x.example,+1415555010{n},note {n}");
    }
    World::synced(&text)
}

#[test]
fn a_note_that_was_typed_beats_the_deletion_in_linq() {
    for (from, to) in [
        ("note 2", "call back"),
        ("note 2", ""),
        ("First2", "FIRST2"),
        ("+14155550102", "(415) 555-0102"),
    ] {
        let world = with_notes();
        world.edit(from, to);
        let text = world.text();
        let name = text.lines().nth(2).unwrap().split(',').next().unwrap().to_owned();
        world.remove("First2");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[1], run.source()[3]), (1, 0), "{to}");
        assert_eq!(world.text(), text, "{to}");
        world.contact(&name);
        world.expect_silence();
        expect_in_sync(&world, true);
    }
}

#[test]
fn a_row_that_is_only_written_in_another_way_goes_with_its_contact() {
    let ways: [fn(&str) -> String; 5] = [
        // Another dialect, as a spreadsheet saves it.
        |text| {
            let quoted = |line: &str| {
                let cells: Vec<String> = line.split(',').map(|c| format!("\"{c}\"")).collect();
                cells.join(";")
            };
            text.lines().map(|line| quoted(line) + "\r\n").collect()
        },
        // Sorted the other way round.
        |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[1..].reverse();
            lines.join("\n") + "\n"
        },
        // A blank column more, in front.
        |text| {
            let wider =
                |line: &str| if line == NOTES.trim() { "Met," } else { "," }.to_owned() + line;
            text.lines().map(wider).collect::<Vec<_>>().join(
                "
",
            ) + "
"
        },
        // The columns in another order.
        |text| {
            let turned = |line: &str| line.split(',').rev().collect::<Vec<_>>().join(",") + "\n";
            text.lines().map(turned).collect()
        },
        |text| format!("\u{feff}{text}"),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let world = with_notes();
        world.write(way(&world.text()));
        world.remove("First2");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[1], run.source()[3]), (0, 1), "way {number}");
        assert!(!world.text().contains("note 2"), "way {number}");
        world.expect_silence();
    }
}

#[test]
fn what_linqsync_wrote_into_a_row_is_no_edit_of_it() {
    let mut world = World::with_csv("First Name,Email,Title,linq_id,Notes\n");
    world.set("source.id_column", "\"linq_id\"");
    for n in 1..=5 {
        let (first, email) = (format!("First{n}"), format!("p{n}@x.example"));
        world.linq().insert([("first_name", first.as_str()), ("email", &email)]).unwrap();
    }
    world.once().expect(0);
    world.change("First2", "title", "Chief");
    world.once().expect(0);
    assert!(world.text().contains("Chief"));
    world.remove("First2");
    world.remove("First3");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[3]), (0, 2));
}

#[test]
fn a_note_typed_while_a_deletion_waits_is_kept() {
    let mut world = with_notes();
    world.set("sync.delete_grace", "\"1h\"");
    world.remove("First2");
    world.once().expect(0);
    world.once().expect(0);
    world.edit("note 2", "call back");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[3]), (1, 0));
    assert!(world.text().contains("call back"));
    world.contact("First2");
}

#[test]
fn a_note_typed_before_the_contact_was_deleted_was_seen_with_it() {
    let world = with_notes();
    world.edit("note 2", "call back");
    world.once().expect(0);
    world.remove("First2");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.source()[3]), (0, 1));
}

#[test]
fn an_edit_that_the_direction_does_not_send_stays_when_its_contact_goes_and_is_told() {
    let mut world = with_notes();
    world.set("sync.direction", "\"pull\"");
    world.edit("note 2", "call back");
    world.remove("First2");
    let text = world.text();
    for _ in 0..2 {
        let run = world.once().expect(3);
        assert!(run.notices().contains("gone from Linq and edited in the source"));
        assert_eq!((world.text(), world.writes()), (text.clone(), vec![]));
        expect_in_sync(&world, false);
    }
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("call back")).collect();
    world.write(without.join("\n") + "\n");
    world.once().expect(0);
    expect_in_sync(&world, true);
}
