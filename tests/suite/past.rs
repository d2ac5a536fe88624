//! The past: which runs did what to whom, for how long back, and putting several back.

use serde_json::Value;

use crate::harness::{World, people};

/// What a command prints on stdout.
#[track_caller]
fn told(world: &World, arguments: &[&str]) -> String {
    world.run(arguments).expect(0).stdout
}

#[track_caller]
fn json(world: &World, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(world, &[arguments, &["--json"]].concat())).unwrap()
}

/// A world with so many runs that change a title.
fn with_runs(runs: usize) -> World {
    let mut world = World::with_csv("First Name,Email,Title\nAda,ada@e.example,Title 0\n");
    world.set("linq.concurrency", "1");
    world.sync();
    for run in 1..runs {
        world.edit(&format!("Title {}", run - 1), &format!("Title {run}"));
        world.once().expect(0);
    }
    world
}

#[test]
fn runs_that_are_left_out_are_counted_and_it_is_said_how_to_see_them() {
    let world = with_runs(23);
    let text = told(&world, &["history"]);
    assert!(text.contains("… and 3 earlier runs; `linqsync history --all` shows all"), "{text}");
    assert!(text.contains("run 23 ") && !text.contains("run 3 "), "{text}");
    assert_eq!(json(&world, &["history"])["more"], 3);
    let text = told(&world, &["history", "--all"]);
    assert!(text.contains("run 1 ") && !text.contains("earlier"), "{text}");
    let all = json(&world, &["history", "--all"]);
    assert_eq!((all["runs"].as_array().unwrap().len(), &all["more"]), (23, &0.into()));
}

#[test]
fn the_history_of_a_time_has_the_runs_and_entries_of_that_time() {
    let world = with_runs(3);
    let all = json(&world, &["history", "--since", "1h"]);
    assert_eq!(all["runs"].as_array().unwrap().len(), 3);
    assert_eq!(all["entries"].as_array().unwrap().len(), 3, "one change each");
    let second = all["runs"][1]["started_at"].as_str().unwrap().to_owned();
    let from_second = json(&world, &["history", "--since", &second]);
    assert_eq!(from_second["runs"].as_array().unwrap().len(), 2);
    let before = json(&world, &["history", "--until", "1d"]);
    assert_eq!(before["runs"], Value::Array(Vec::new()));
    assert_eq!(before["entries"], Value::Array(Vec::new()));
    let text = told(&world, &["history", "--until", "yesterday"]);
    assert_eq!(text, "no run has changed anything in that time\n");
    let of_ada = json(&world, &["history", "--contact", "ada@e.example", "--since", &second]);
    let runs: Vec<&Value> =
        of_ada["entries"].as_array().unwrap().iter().map(|e| &e["run"]).collect();
    assert_eq!(runs, [3, 2]);
    let wrong = world.run(&["history", "--since", "soon"]).expect(2).stderr;
    assert!(wrong.contains("“soon” is no time; write 2026-11-20"), "{wrong}");
}

#[test]
fn each_run_names_its_contacts_and_who_decided() {
    let world = World::synced(&people::csv(1..=8));
    let text = told(&world, &["history"]);
    assert!(text.contains("First001 Last001"), "{text}");
    assert!(text.contains("First005 Last005 and 3 more"), "{text}");
    world.edit("Title 002", "Chief");
    world.change("First002", "title", "CTO");
    world.once().expect(3);
    world.run(&["resolve", "p002@people.example", "--take", "linq"]).expect(0);
    world.once().expect(0);
    let text = told(&world, &["history"]);
    let by = linqsync::users::calling_user();
    let decided = format!("by {by} with `resolve --take linq`: 1 change");
    let line = text.lines().find(|line| line.trim_start().starts_with("decided"));
    assert!(line.is_some_and(|line| line.ends_with(&decided)), "{text}");
}

#[test]
fn failed_runs_are_listed_and_those_with_one_reason_together() {
    let mut world = World::synced("First Name,Email\nAda,ada@e.example\n");
    let text = world.text();
    std::fs::remove_file(world.csv()).unwrap();
    for _ in 0..3 {
        world.once().expect(2);
    }
    world.write(text.replace("Ada", "Adah"));
    world.once().expect(0);
    world.set("linq.max_attempts", "1");
    world.fault("any status=503");
    world.once().expect(6);
    let text = told(&world, &["history"]);
    let line = |of: &str| text.lines().find(|line| line.contains(of)).map(str::to_owned);
    let gone = line("runs 2–4").unwrap_or_else(|| panic!("{text}"));
    assert!(gone.contains("failed 3 times: ") && gone.contains("contacts.csv"), "{gone}");
    assert!(line("run 6").is_some_and(|line| line.contains("failed: ")), "{text}");
    let runs = json(&world, &["history"])["runs"].as_array().unwrap().len();
    assert_eq!(runs, 6);
}

#[test]
fn a_run_and_all_after_it_are_put_back_in_one_go() {
    let mut world = World::with_csv(&people::csv(1..=5));
    world.set("linq.concurrency", "1");
    world.sync();
    let before = world.text();
    world.edit("Title 001", "Chief");
    world.edit("Company 004", "Mills");
    world.once().expect(0);
    world.edit("Chief", "Captain");
    world.edit(&people::row(3), "");
    world.change("First002", "title", "Lady");
    world.once().expect(0);
    world.write(world.text() + &people::row(9));
    world.once().expect(0);

    let plan = json(&world, &["undo", "--since", "2", "--dry-run"]);
    assert_eq!(plan["schema"], "linqsync.plan/1");
    assert!(world.text().contains("Captain"), "a dry run changes nothing");
    world.run(&["undo", "--since", "2"]).expect(0);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    // What the run created in Linq goes from there, and its row stays.
    let before = before + &people::row(9);
    assert_eq!(sorted(&world.text()), sorted(&before));
    let mut names: Vec<String> =
        world.linq().contacts().into_iter().filter_map(|contact| contact.first_name).collect();
    names.sort();
    assert_eq!(names, ["First001", "First002", "First003", "First004", "First005"]);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
    assert_eq!(world.contact("First002").title.as_deref(), Some("Title 002"));
    assert_eq!(world.contact("First004").company.as_deref(), Some("Company 004"));
    let command = json(&world, &["history"])["runs"][0]["command"].clone();
    assert_eq!(command, "undo --since 2");
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!(world.writes(), vec![]);
    // What is put back already is not put back again, also where it is asked for by run.
    for again in [&["undo", "--since", "2"][..], &["undo", "3"]] {
        let ended = world.run(again);
        assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.stderr);
        assert_eq!(world.linq().contacts().len(), 5, "{}", ended.stdout);
        assert_eq!(sorted(&world.text()), sorted(&before));
    }
    for wrong in [&["undo"][..], &["undo", "2", "--since", "2"], &["undo", "--since", "99"]] {
        world.run(wrong).expect(2);
    }
}

#[test]
fn contacts_leave_as_they_were_at_an_earlier_time() {
    let mut world = World::with_csv(&people::csv(1..=4));
    world.set("linq.concurrency", "1");
    world.sync();
    let first = json(&world, &["export"])["contacts"].clone();
    let at = |run: &str| {
        json(&world, &["history", "--run", run])["runs"][0]["finished_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first_at = at("1");
    // An edit and a deletion on either side, a new contact, and a conflict that is decided.
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Lady");
    world.edit(&people::row(3), "");
    world.write(world.text() + &people::row(9));
    world.once().expect(0);
    let (second, second_at) = (json(&world, &["export"])["contacts"].clone(), at("2"));
    world.remove("First004");
    world.edit("Chief", "Captain");
    world.change("First001", "title", "CTO");
    world.once().expect(3);
    world.run(&["resolve", "--all", "--take", "source"]).expect(0);
    world.once().expect(0);
    let exported = |at: &str| json(&world, &["export", "--at", at]);
    assert_eq!(exported(&second_at)["contacts"], second);
    assert_eq!(exported(&first_at)["contacts"], first);
    assert!(!exported(&first_at)["at"].is_null());
    let now = json(&world, &["export"]);
    assert_eq!((&now["at"], now["contacts"].as_array().unwrap().len()), (&Value::Null, 3));
    let table = told(&world, &["export", "--at", &first_at]);
    assert!(table.contains("Title 001") && table.contains("First003"), "{table}");
    for wrong in ["2d", "soon", "500d"] {
        world.run(&["export", "--at", wrong]).expect(2);
    }
}

#[test]
fn two_formats_at_once_are_refused() {
    let world = with_runs(1);
    for arguments in [["export", "--format", "csv"], ["export", "--format", "vcard"]] {
        let error = json_of_failure(&world, &arguments);
        assert!(error.contains("exclude one another"), "{error}");
    }
    let same = json(&world, &["export", "--format", "json"]);
    assert_eq!(same["schema"], "linqsync.export/1");
}

#[track_caller]
fn json_of_failure(world: &World, arguments: &[&str]) -> String {
    let ended = world.run(&[arguments, &["--json"]].concat()).expect(2);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    json["error"]["message"].as_str().unwrap().to_owned()
}
