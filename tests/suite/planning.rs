//! `plan`: what it says first, what it costs, and plans of some contacts alone.

use serde_json::Value;

use crate::harness::{World, people};

/// Two edited rows and a new one.
fn edited() -> World {
    let mut world = World::with_csv(&people::csv(1..=3));
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Title 001", "Chief");
    world.edit("Title 002", "Pilot");
    world.write(world.text() + &people::row(9));
    world
}

#[test]
fn a_plan_begins_with_its_summary_its_cost_and_the_meaning_of_its_signs() {
    let mut world = edited();
    world.set("linq.requests_per_second", "2");
    let text = world.run(&["plan"]).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    let summary = "Plan: 1 to create, 2 to update, 0 to delete; 0 to link; 0 waiting";
    assert_eq!((lines[0], lines.last()), (summary, Some(&summary)), "{text}");
    let cost = "about 7 requests to Linq, 4s at 2 per second (linq.requests_per_second)";
    assert_eq!(lines[1..3], [cost, "+ create  ~ update"], "{text}");
    let json: Value =
        serde_json::from_str(&world.run(&["plan", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(json["estimate"], serde_json::json!({ "requests": 7, "seconds": 4 }));
}

#[test]
fn only_the_contacts_that_are_named_are_planned() {
    let world = edited();
    let plan = |only: &[&str]| -> Value {
        let arguments = [&["plan", "--json", "--only"][..], only].concat();
        serde_json::from_str(&world.run(&arguments).expect(0).stdout).unwrap()
    };
    let names = |plan: &Value| -> Vec<String> {
        let steps = plan["steps"].as_array().unwrap().iter();
        steps.map(|step| step["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&plan(&["p002@people.example"])), ["First002 Last002"]);
    assert_eq!(
        names(&plan(&["First002 Last002", "row:5"])),
        ["First002 Last002", "First009 Last009"]
    );
    assert_eq!(names(&plan(&["row:4"])), Vec::<String>::new(), "in sync already");
    let error = world.run(&["plan", "--only", "nobody@e.example"]).expect(2).stderr;
    assert!(error.contains("no contact matches nobody@e.example"), "{error}");
}

#[test]
fn a_run_of_some_contacts_writes_nothing_of_others() {
    let world = edited();
    let run = world.once_with(&["--only", "p002@people.example"]);
    run.expect(0);
    assert_eq!(world.writes().len(), 1);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Pilot"));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Title 001"));
    assert_eq!(world.linq().contacts().len(), 3);
    world.run(&["--once", "--only", "nobody@e.example"]).expect(2);
    // The rest is as due as before.
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
    assert_eq!(world.linq().contacts().len(), 4);
    world.expect_silence();
}
