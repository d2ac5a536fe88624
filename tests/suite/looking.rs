//! Seeing afterwards: `history`, `explain`, `verify`, `status`, `export`.

use insta::assert_snapshot;
use linqsync::sandbox::RouteKind;
use serde_json::Value;

use crate::harness::{Process, TestFiles, World, people, wait_until};

const TEAM: &str = "\
First Name,Last Name,Email,Company,Title
Ada,King,ada@engines.example,Engines,Countess
Bo,Wang,bo@lanterns.example,Lanterns,Engineer
";

#[track_caller]
fn told(world: &World, arguments: &[&str], code: i32) -> String {
    let text = world.run(&[arguments, &["-q"]].concat()).expect(code).stdout;
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "wider than 80 columns: {wide:#?}");
    text
}

#[track_caller]
fn document(world: &World, arguments: &[&str], code: i32) -> Value {
    let ended = world.run(&[arguments, &["--json"]].concat()).expect(code);
    serde_json::from_str(&ended.stdout).unwrap()
}

/// Instants, and the ends of lines, without which nothing is the same twice.
fn timeless(text: &str) -> String {
    let digits = |line: &str| {
        let mut line = line.to_owned();
        if let Some(at) = line.find(" UTC") {
            line.replace_range(at - 19..at, "YYYY-MM-DD hh:mm:ss");
        }
        line
    };
    let text = text.lines().map(digits).collect::<Vec<_>>().join("\n");
    text.replace(&format!("by {} with", linqsync::users::calling_user()), "by anna with")
}

fn eventful() -> World {
    let mut world = World::with_csv(TEAM);
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Engines,", "Engines Ltd,");
    world.change("Ada", "title", "Lady");
    world.remove("Bo");
    world.once().expect(0);
    world
}

#[test]
fn the_history_tells_the_runs_and_each_change_newest_first() {
    let world = eventful();
    world.run(&["undo", "2"]).expect(0);
    let text = timeless(&told(&world, &["history"], 0));
    assert_snapshot!(text, @"
    run 3      YYYY-MM-DD hh:mm:ss UTC  clean, put back run 2
        asked for by anna with `undo 2`
        Linq                 1 created, 1 updated
        contacts.csv         1 created, 1 updated
        contacts             Ada King, Bo Wang
    run 2      YYYY-MM-DD hh:mm:ss UTC  clean
        Linq                 1 updated
        contacts.csv         1 updated, 1 deleted
        contacts             Ada King, Bo Wang
    run 1      YYYY-MM-DD hh:mm:ss UTC  clean
        Linq                 2 created
        contacts             Ada King, Bo Wang
    each change with `linqsync history --run N`; put back with `linqsync undo N`
    ");
    let text = timeless(&told(&world, &["history", "--run", "2"], 0));
    assert_snapshot!(text, @"
      Bo Wang (row:3)
          YYYY-MM-DD hh:mm:ss UTC run 2
          deleted in contacts.csv: deleted in Linq
          first_name    “Bo” → (none)
          last_name     “Wang” → (none)
          email         “bo@lanterns.example” → (none)
          company       “Lanterns” → (none)
          title         “Engineer” → (none)
      Ada King (row:2)
          YYYY-MM-DD hh:mm:ss UTC run 2
          updated in contacts.csv: edited in Linq
          title         “Countess” → “Lady”
      Ada King (row:2)
          YYYY-MM-DD hh:mm:ss UTC run 2
          updated in Linq: edited in the source
          company       “Engines” → “Engines Ltd”
    3 entries, newest first
    ");
    let json = document(&world, &["history", "--contact", "ada@engines.example"], 0);
    assert_eq!(json["schema"], "linqsync.history/1");
    let runs: Vec<i64> =
        json["entries"].as_array().unwrap().iter().map(|e| e["run"].as_i64().unwrap()).collect();
    assert!(runs.is_sorted_by(|a, b| a >= b) && runs.contains(&1) && runs.contains(&2), "{runs:?}");
    let gone = told(&world, &["history", "--contact", "bo@lanterns.example"], 0);
    assert!(gone.contains("deleted in contacts.csv: deleted in Linq"), "{gone}");
    world.run(&["history", "--run", "99"]).expect(2);
    world.run(&["history", "--contact", "nobody@example.org"]).expect(2);
}

#[test]
fn nothing_in_the_history_acts_on_the_terminal() {
    let world = World::with_csv("First Name,Email,Title\nAda,a@e.example,\n");
    let hostile = "Bo\u{1b}[31m\u{7}\r\u{202e}";
    world.linq().insert([("first_name", hostile), ("title", "\u{9b}2J")]).unwrap();
    world.once().expect(0);
    for arguments in [&["history", "--run", "1"][..], &["explain", "row:3"], &["verify"]] {
        let text = told(&world, arguments, 0);
        for c in ['\u{1b}', '\u{7}', '\r', '\u{202e}', '\u{9b}'] {
            assert!(!text.contains(c), "{c:?} in {text:?}");
        }
    }
}

#[test]
fn a_contact_is_explained_with_what_the_next_run_would_do() {
    let world = World::synced(TEAM);
    world.edit("Engineer", "Chief");
    world.change("Bo", "title", "CTO");
    world.edit("Lanterns", "Lamps");
    let before = TestFiles::at(world.dir()).without_companions();
    let id = world.contact("Bo").id.to_string();
    let text = timeless(&told(&world, &["explain", "row:3"], 0)).replace(&id, "ID");
    assert_snapshot!(text, @"
    Bo Wang (row:3, id ID)
      linked since run 1: new in the source
      first_name    “Bo”
      last_name     “Wang”
      email         “bo@lanterns.example”
      company       source      “Lamps”
                    Linq        “Lanterns”
                    last synced “Lanterns”
      title         source      “Chief”
                    Linq        “CTO”
                    last synced “Engineer”
      owner         Linq        “olivia@linq.example”

    what was done last
      Bo Wang (row:3)
          YYYY-MM-DD hh:mm:ss UTC run 1
          created in Linq: new in the source
          first_name    (none) → “Bo”
          last_name     (none) → “Wang”
          email         (none) → “bo@lanterns.example”
          company       (none) → “Lanterns”
          title         (none) → “Engineer”
          owner         (none) → “olivia@linq.example”

    the next run
      to Linq
      ~ Bo Wang (row:3)
          edited in the source
          company       “Lanterns” → “Lamps”
      ! Bo Wang (row:3)
          title was edited on both sides
          source        “Chief”
          Linq          “CTO”
          last synced   “Engineer”
    ");
    for name in [id.as_str(), "BO@lanterns.example"] {
        let json = document(&world, &["explain", name], 0);
        assert_eq!(json["schema"], "linqsync.explain/1");
        assert_eq!(json["contacts"][0]["base"]["title"][1], "Engineer");
        assert_eq!(json["contacts"][0]["next"][0]["action"], "update");
    }
    assert_eq!(TestFiles::at(world.dir()).without_companions(), before);
    let gone = eventful();
    let text = told(&gone, &["explain", "bo@lanterns.example"], 0);
    assert!(text.starts_with("on neither side any more"), "{text}");
    let ended = world.run(&["explain", "nobody@example.org"]).expect(2);
    assert!(ended.stderr.contains("no contact matches nobody@example.org"), "{}", ended.stderr);
}

#[test]
fn a_linked_contact_is_explained_without_reading_the_listing() {
    let world = World::synced(&people::csv(1..=12));
    world.once().expect(0);
    world.change("First003", "title", "Owner of a boat");
    let (there, gone) = (world.contact("First003").id, world.contact("First005").id);
    world.remove("First005");
    world.linq().forget_requests();
    let json = document(&world, &["explain", &there.to_string()], 0);
    assert_eq!(json["contacts"][0]["linq"]["title"], "Owner of a boat");
    assert_eq!(json["contacts"][0]["next"][0]["side"], "source");
    assert_eq!(json["contacts"][0]["next"][0]["action"], "update");
    assert_eq!(
        (world.requests(RouteKind::List).len(), world.requests(RouteKind::Get).len()),
        (0, 1)
    );
    // That one is gone counts only if another one answers.
    let json = document(&world, &["explain", &gone.to_string()], 0);
    assert_eq!(json["contacts"][0]["next"][0]["action"], "delete");
    assert_eq!(
        (world.requests(RouteKind::List).len(), world.requests(RouteKind::Get).len()),
        (0, 3)
    );
    // What becomes of a row that is not linked depends on who is in Linq by now.
    world.write(world.text() + &people::row(13));
    let json = document(&world, &["explain", "row:14"], 0);
    assert_eq!(json["contacts"][0]["next"][0]["action"], "create");
    assert_ne!(world.requests(RouteKind::List).len(), 0);
}

#[test]
fn both_sides_are_proven_equal_or_the_differences_are_listed() {
    let world = World::synced(&people::csv(1..=5));
    assert!(told(&world, &["verify"], 0).ends_with("both sides are the same\n"));
    world.edit("Title 002", "Boss");
    world.write(world.text() + &people::row(6));
    world.remove("First004");
    let before = TestFiles::at(world.dir()).without_companions();
    world.linq().forget_requests();
    let text = told(&world, &["verify"], 3);
    assert!(text.contains("“Boss”") && text.contains("Linq “Title 002”"), "{text}");
    assert!(text.ends_with("equal                    3 of 4 pairs\n3 differences\n"), "{text}");
    let json = document(&world, &["verify"], 3);
    assert_eq!((&json["equal"], json["differences"].as_array().unwrap().len()), (&false.into(), 3));
    assert_eq!(world.writes(), []);
    assert_eq!(TestFiles::at(world.dir()).without_companions(), before);
}

#[test]
fn what_linq_writes_in_its_own_way_is_told_and_is_no_difference() {
    let world = World::with_quirks(&["truncate=20"]);
    world.write("First Name,Email,Company\nAda,a@e.example,A very long name of a company\n");
    world.sync();
    let text = told(&world, &["verify"], 0);
    assert!(text.contains("Linq's own spelling of what it was sent"), "{text}");
    // A second opinion needs no belief: once somebody edits it there, it is one.
    world.change("Ada", "company", "Another");
    told(&world, &["verify"], 3);
}

#[test]
fn the_status_tells_what_waits_and_what_decides_it() {
    let world = World::with_csv(TEAM);
    assert!(told(&world, &["status"], 0).starts_with("in sync    not yet: there was no run"));
    world.sync();
    let json = document(&world, &["status"], 0);
    assert_eq!((&json["schema"], &json["in_sync"]), (&"linqsync.status/1".into(), &true.into()));
    world.edit("Engineer", "Chief");
    world.change("Bo", "title", "CTO");
    world.once().expect(3);
    world.linq().forget_requests();
    let text = told(&world, &["status"], 0);
    assert!(text.starts_with("in sync    no"), "{text}");
    assert!(text.contains("waiting    1 conflict: `linqsync list conflicts`"), "{text}");
    let json = document(&world, &["status"], 0);
    assert_eq!((&json["conflicts"], &json["linked"]), (&1.into(), &2.into()));
    assert_eq!(world.linq().requests(), [], "nobody is asked");
}

#[test]
fn the_status_tells_since_when_linq_is_down_and_when_it_is_asked_again() {
    let mut world = World::synced(&people::csv(1..=2));
    assert!(!world.run(&["status"]).expect(0).stdout.contains("Linq down"));
    world.unplug();
    world.once().expect(6);
    let told = world.run(&["status"]).expect(0).stdout;
    assert!(told.contains("Linq down since ") && told.contains(", next probe "), "{told}");
    let json: Value = serde_json::from_str(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["linq_down"]["why"], "failing");
}

#[test]
fn the_status_works_beside_a_daemon_and_names_it() {
    let world = World::synced(TEAM);
    let daemon = world.start(&[]);
    wait_until("the daemon has made its run", || world.state().last_runs(9).unwrap().len() > 1);
    let json = document(&world, &["status"], 0);
    assert_eq!(json["running"]["pid"], daemon.pid());
    daemon.terminate();
    daemon.ended().expect(0);
    assert!(document(&world, &["status"], 0)["running"].is_null());
}

#[test]
fn the_mirror_leaves_as_a_table_as_cards_and_as_one_document() {
    let world = World::synced(TEAM);
    let table = told(&world, &["export"], 0);
    assert!(table.starts_with("id,first_name,last_name,email,phone_number,company,title,"));
    assert!(table.contains(",Bo,Wang,bo@lanterns.example,,Lanterns,Engineer,,"), "{table}");
    let cards = told(&world, &["export", "--format", "vcard"], 0);
    assert_eq!(cards.matches("BEGIN:VCARD\r\nVERSION:3.0\r\n").count(), 2);
    let json = document(&world, &["export"], 0);
    assert_eq!(
        (&json["schema"], json["contacts"].as_array().unwrap().len()),
        (&"linqsync.export/1".into(), 2)
    );

    for umask in ["0000", "0022"] {
        let script = "umask \"$1\" && shift && exec \"$@\"";
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, "sh", umask, env!("CARGO_BIN_EXE_linqsync")]);
        command.args(["export", "--out", "out.csv"]).current_dir(world.dir());
        Process::start(command).ended().expect(0);
        let files = TestFiles::at(&world.path("out.csv"));
        assert_eq!(files.with_mode(0o177), Vec::<&std::path::Path>::new());
        assert_eq!(std::fs::read_to_string(world.path("out.csv")).unwrap(), table);
    }
    world.run(&["export", "--out", "nowhere/out.csv"]).expect(2);
}
