//! Dry runs: `plan`, and `--once --dry-run`.

use serde_json::{Value, json};

use crate::harness::{PrintedPlan, TestFiles, World, people};

/// Every way to ask for a plan.
const DRY: [&[&str]; 4] =
    [&["plan"], &["plan", "--json"], &["--once", "--dry-run"], &["--once", "--dry-run", "--json"]];

#[track_caller]
fn expect_nothing_touched(world: &World) {
    let files = || TestFiles::at(world.dir()).without_companions();
    let (before, contacts) = (files(), world.linq().contacts());
    for arguments in DRY {
        let ended = world.run(arguments).expect(0);
        assert_eq!(files(), before, "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts));
}

#[test]
fn a_dry_run_before_the_first_sync_leaves_no_trace_and_makes_no_state() {
    let world = World::with_contacts(5);
    world.write(people::csv(1..=5));
    expect_nothing_touched(&world);
    assert!(!world.path("state").exists());
    let plan = world.plan();
    assert_eq!(plan.steps().len(), 10);
}

#[test]
fn a_dry_run_with_something_of_everything_to_do_leaves_no_trace() {
    let world = something_of_everything();
    expect_nothing_touched(&world);
    assert_eq!(world.once().expect(3).json["run"], 2, "a dry run is no run");
}

/// Two sides on which everything is waiting to be done.
fn something_of_everything() -> World {
    let mut world = World::synced(&people::csv(1..=8));
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.edit("Title 003", "Source");
    world.change("First003", "title", "Linq");
    world.write(world.text().replace(&people::row(4), "") + &people::row(9));
    world.remove("First005");
    world.linq().insert([("first_name", "New")]).unwrap();
    let [first, last, email, ..] = people::person(10);
    world.write(world.text() + &people::row(10));
    let linked = [("first_name", &*first), ("last_name", &*last), ("email", &*email)];
    world.linq().insert(linked).unwrap();
    world.write(world.text() + "Twice,,p001@people.example,,,\n");
    world.write(world.text() + "Torn,row,,,,,7\n");
    world.set("sync.on_conflict", "\"hold\"");
    world
}

#[test]
fn a_plan_tells_each_step_with_its_fields_and_its_reason() {
    let world = something_of_everything();
    // Nothing is deleted while a row cannot be read.
    world.edit("Torn,row,,,,,7\n", "");
    let plan = world.plan();
    for step in plan.steps() {
        for member in ["side", "action", "linq_id", "source_key", "fields", "reason"] {
            assert!(step.get(member).is_some(), "{member} is missing: {step:#}");
        }
        assert!(!step["reason"].as_str().unwrap().is_empty(), "{step:#}");
        assert!(step["fields"].is_object(), "{step:#}");
    }
    let id = |name: &str| json!(world.contact(name).id);
    let expected = [
        ("linq", "update", id("First001"), json!("row:2"), change("title", "Title 001", "Chief")),
        (
            "source",
            "update",
            id("First002"),
            json!("row:3"),
            change("title", "Title 002", "Captain"),
        ),
        (
            "",
            "conflict",
            id("First003"),
            json!("row:4"),
            json!({"title": {"base": "Title 003", "source": "Source", "linq": "Linq"}}),
        ),
        ("linq", "delete", id("First004"), Value::Null, Value::Null),
        ("source", "delete", Value::Null, json!("row:5"), Value::Null),
        ("linq", "create", Value::Null, json!("row:9"), Value::Null),
        ("", "link", id("First010"), json!("row:10"), Value::Null),
        ("linq", "update", id("First010"), json!("row:10"), Value::Null),
        ("linq", "hold", Value::Null, json!("row:11"), Value::Null),
        ("source", "create", id("New"), Value::Null, change("first_name", "", "New")),
    ];
    for (side, action, linq_id, key, fields) in expected {
        find(&plan, side, action, &linq_id, &key, &fields);
    }
    assert_eq!(plan.steps().len(), 10, "{:?}", plan.outline());
    let summary = &plan.json["summary"];
    assert_eq!((&summary["conflicts"], &summary["ambiguous"]), (&json!(1), &json!(1)));
    assert_eq!(summary["outcome"], "attention");
}

fn change(field: &str, from: &str, to: &str) -> Value {
    json!({ field: {"from": from, "to": to} })
}

/// The one step of this description; a `Null` for the id, the key or the fields
/// stands for any.
#[track_caller]
fn find(plan: &PrintedPlan, side: &str, action: &str, id: &Value, key: &Value, fields: &Value) {
    let fits = |expected: &Value, got: &Value| expected.is_null() || expected == got;
    let found = plan.steps().iter().filter(|step| {
        step["side"].as_str().unwrap_or_default() == side
            && step["action"] == action
            && fits(id, &step["linq_id"])
            && fits(key, &step["source_key"])
            && fits(fields, &step["fields"])
    });
    let wanted = format!("{side} {action} {id} {key} {fields}");
    assert_eq!(found.count(), 1, "{wanted} in {:#}", plan.json["steps"]);
}

#[test]
fn an_unreadable_row_is_a_step_that_rejects_it() {
    let world = something_of_everything();
    let plan = world.plan();
    let torn = plan.steps().iter().find(|step| step["action"] == "reject").unwrap();
    assert_eq!((&torn["side"], &torn["source_key"]), (&json!("source"), &json!("row:12")));
    assert!(torn["reason"].as_str().unwrap().starts_with("line 12: "), "{torn:#}");
    assert!(!plan.outline().contains(&"linq delete".to_owned()), "{:?}", plan.outline());
    assert_eq!(plan.json["summary"]["rejected"], 1);
}

#[test]
fn the_plan_is_what_the_run_then_does() {
    let world = something_of_everything();
    world.edit("Torn,row,,,,,7\n", "");
    let planned = world.plan();
    let count = |step: &str| planned.outline().iter().filter(|s| *s == step).count() as u64;
    let writes = |side: &str| {
        ["create", "update", "delete"].map(|action| count(&format!("{side} {action}")))
    };
    let (linq, source) = (writes("linq"), writes("source"));
    let run = world.once().expect(3);
    assert_eq!((&run.linq()[1..], &run.source()[1..]), (&linq[..], &source[..]));
    assert_eq!(run.count("linked"), count("null link"));
    assert_eq!(run.count("conflicts"), count("null conflict"));
}

#[test]
fn the_detailed_exit_code_tells_whether_there_are_steps() {
    let world = World::with_csv(&people::csv(1..=2));
    let detailed = ["plan", "--detailed-exitcode"];
    world.run(&detailed).expect(8);
    world.run(&[&detailed[..], &["--json"]].concat()).expect(8);
    world.run(&["plan"]).expect(0);
    world.sync();
    world.run(&detailed).expect(0);
    assert_eq!(world.plan().steps(), [] as [Value; 0]);
    world.edit("Title 001", "Chief");
    world.run(&detailed).expect(8);
}

#[test]
fn what_is_only_to_be_remembered_is_no_step() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("Title 001", "Chief");
    world.change("First001", "title", "Chief");
    assert_eq!(world.plan().steps(), [] as [Value; 0]);
    let text = world.run(&["plan", "--detailed-exitcode"]).expect(0).stdout;
    assert_eq!(text, "Plan: nothing to write; 1 change to remember\n");
    world.sync();
    let text = world.run(&["plan"]).expect(0).stdout;
    assert_eq!(text, "Plan: nothing to do; 2 contacts in sync\n");
}

#[test]
fn a_plan_beside_a_running_daemon_works() {
    let world = World::synced(&people::csv(1..=2));
    let daemon = world.start(&[]);
    crate::harness::wait_until("the daemon has begun", || !world.linq().requests().is_empty());
    world.edit("Title 001", "Chief");
    world.run(&["plan"]).expect(0);
    daemon.terminate();
    daemon.ended().expect(0);
}
