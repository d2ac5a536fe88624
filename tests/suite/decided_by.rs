//! The history says who decided, with which command and when, and for what reason each
//! field was written.

use serde_json::Value;

use linqsync::sandbox::{ObservedMoment, RouteKind};

use crate::harness::{World, people, wait_until};

const TEAM: &str = "First Name,Email,Title,Company\nAda,ada@engines.example,Countess,Engines\n\
                    Bo,bo@lanterns.example,Engineer,Lanterns\n";

/// The entries of the last run, oldest first.
#[track_caller]
fn last_run(world: &World) -> Vec<Value> {
    let run = world.state().last_runs(1).unwrap()[0].id.to_string();
    let ended = world.run(&["history", "--run", &run, "--json"]).expect(0);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    json["entries"].as_array().unwrap().iter().rev().cloned().collect()
}

/// Side, field, new value, reason and the command of who decided, of each change.
#[track_caller]
fn told(world: &World) -> Vec<String> {
    let mut told = Vec::new();
    for entry in last_run(world) {
        let decided = &entry["decided"];
        let by = if decided.is_null() {
            String::new()
        } else {
            assert!(decided["by"].as_str().is_some_and(|by| !by.is_empty()), "{decided}");
            assert!(decided["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{decided}");
            format!(" [{}]", decided["command"].as_str().unwrap())
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (side, action) = (text(&entry["side"]), text(&entry["action"]));
        let reason = text(&entry["reason"]);
        let changes = entry["changes"].as_array().unwrap();
        if action != "update" {
            told.push(format!("{action} in {side}: {reason}{by}"));
            continue;
        }
        for change in changes {
            let (field, to) = (text(&change["field"]), text(&change["to"]));
            told.push(format!("{side} {field}={to}: {reason}{by}"));
        }
    }
    told
}

fn conflicts() -> World {
    let world = World::synced(TEAM);
    world.edit("Countess,Engines", "Lady,Works");
    world.change("Ada", "title", "Dame");
    world.change("Ada", "company", "Mills");
    world.once().expect(3);
    world
}

#[test]
fn a_conflict_that_a_person_resolved_is_told_as_that_on_each_side() {
    let world = conflicts();
    let resolve = |field: &str, how: &[&str]| {
        let who = ["resolve", "ada@engines.example", "--field", field];
        world.run(&[&who, how].concat()).expect(0);
    };
    resolve("title", &["--value", "CEO"]);
    resolve("company", &["--take", "linq"]);
    // What nobody decided about has its own reason, in the same step.
    world.edit("ada@engines.example", "ada@works.example");
    world.once().expect(0);
    assert_eq!(
        told(&world),
        [
            "linq email=ada@works.example: edited in the source",
            "source company=Mills: conflict resolved: Linq is right [resolve --take linq]",
            "source title=CEO: conflict resolved with another value [resolve --value]",
            "linq title=CEO: conflict resolved with another value [resolve --value]",
        ]
    );
    let ended = world.run(&["history", "--contact", "ada@works.example"]).expect(0);
    let text = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("with `resolve --value` at 20"), "{text}");
    let ended = world.run(&["explain", "ada@works.example"]).expect(0);
    let text = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("with `resolve --value` at 20"), "{text}");
    world.expect_silence();
}

#[test]
fn the_winner_of_a_conflict_by_policy_is_told_with_the_policy() {
    for (policy, expected) in [
        (
            "source",
            "linq title=Lady: edited on both sides: the source wins by \
                    sync.on_conflict = \"source\"",
        ),
        (
            "linq",
            "source title=Dame: edited on both sides: Linq wins by \
                  sync.on_conflict = \"linq\"",
        ),
    ] {
        let mut world = World::synced(TEAM);
        world.set("sync.on_conflict", &format!("\"{policy}\""));
        world.edit("Countess", "Lady");
        world.change("Ada", "title", "Dame");
        world.change("Ada", "location", "London");
        world.edit("Engines\n", "Works\n");
        world.once().expect(0);
        let mut told = told(&world);
        told.sort();
        let other = "linq company=Works: edited in the source".to_owned();
        let mut all = vec![expected.to_owned(), other];
        all.sort();
        assert_eq!(told, all);
    }
}

#[test]
fn blanks_that_are_filled_are_no_edits() {
    let world = World::with_csv(TEAM);
    world.linq().insert([("first_name", "Ada"), ("email", "ada@engines.example")]).unwrap();
    world.once().expect(0);
    let told = told(&world);
    for field in ["title=Countess", "company=Engines"] {
        let expected = format!("linq {field}: filled from the source");
        assert!(told.contains(&expected), "{told:#?}");
    }
}

#[test]
fn approved_and_rejected_deletions_are_told_with_who_decided() {
    let world = World::with_csv(&people::csv(1..=40));
    world.sync();
    world.write(people::csv(16..=40));
    assert_eq!(world.once().expect(4).count("held_deletes"), 15);
    let listed = world.state().stored_waiting().unwrap();
    let id = |at: usize| listed[at].linq_id.unwrap().to_string();
    world.run(&["reject", &id(0)]).expect(0);
    world.run(&["approve", &id(1)]).expect(0);
    world.once().expect(4);
    assert_eq!(
        told(&world),
        [
            "create in source: put back: a person rejected what was done [reject]",
            "delete in linq: deleted in the source [approve]",
        ]
    );
}

#[test]
fn an_approved_and_a_rejected_change_are_told_with_who_decided() {
    let row = |n: u32| format!("P{n},p{n}@e.example,Title {n},Co {n}\n");
    let rows: Vec<String> = (1..=8).map(row).collect();
    let world = World::synced(&("First Name,Email,Title,Company\n".to_owned() + &rows.concat()));
    let text = world.text();
    // The column was sorted alone.
    let rotated = (1..=8).fold(text, |text, n| {
        text.replacen(&format!("Title {n},"), &format!("Title  {},", n % 8 + 1), 1)
    });
    world.write(rotated.replace("Title  ", "Title "));
    assert_eq!(world.once().expect(4).count("held_changes"), 8);
    world.run(&["approve", "p1@e.example"]).expect(0);
    world.run(&["reject", "p2@e.example"]).expect(0);
    world.once().expect(4);
    let mut told = told(&world);
    told.sort();
    assert_eq!(
        told,
        [
            "linq title=Title 2: edited in the source [approve]",
            "source title=Title 2: put back: a person rejected the edit in the source [reject]",
        ]
    );
}

#[test]
fn what_linq_refused_and_a_person_sent_again_is_told_with_who_did() {
    let world = World::synced(TEAM);
    world.fault("update status=422");
    world.edit("Countess", "Lady");
    world.once().expect(3);
    world.linq().clear_faults();
    world.run(&["retry", "--all"]).expect(0);
    world.once().expect(0);
    assert_eq!(told(&world), ["linq title=Lady: edited in the source [retry]"]);
}

#[test]
fn who_an_ambiguous_row_is_was_decided_by_somebody() {
    for (how, expected) in [
        (
            "link",
            "link in linq: the same person on both sides, by a person's decision \
                  [resolve --link]",
        ),
        ("separate", "create in linq: new in the source [resolve --separate]"),
    ] {
        let world = World::with_csv(TEAM);
        let zoe = [("first_name", "Zoe"), ("email", "ada@engines.example")];
        let id = world.linq().insert(zoe).unwrap().to_string();
        world.once().expect(3);
        let how: &[&str] = if how == "link" { &["--link", &id] } else { &["--separate"] };
        world.run(&[&["resolve", "row:2"], how].concat()).expect(0);
        world.once();
        assert!(told(&world).contains(&expected.to_owned()), "{:#?}", told(&world));
    }
}

#[test]
fn an_undo_is_told_with_who_asked_for_it_and_so_is_a_plan_that_was_applied() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.run(&["plan", "--out", "a.plan"]).expect(0);
    world.run(&["apply", "a.plan"]).expect(0);
    assert_eq!(told(&world), ["linq title=Lady: edited in the source [apply]"]);
    world.run(&["undo", "2"]).expect(0);
    assert_eq!(
        told(&world),
        [
            "source title=Countess: put back as it was before run 2 [undo 2]",
            "linq title=Countess: put back as it was before run 2 [undo 2]",
        ]
    );
    let ended = world.run(&["history", "--json"]).expect(0);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    let commands: Vec<&str> =
        json["runs"].as_array().unwrap().iter().filter_map(|run| run["command"].as_str()).collect();
    assert_eq!(commands, ["undo 2", "apply", "--once"]);
    let ended = world.run(&["history"]).expect(0);
    assert!(ended.stdout.contains("with `undo 2`"), "{}", ended.stdout);
}

#[test]
fn who_used_sudo_is_named() {
    let world = conflicts();
    let mut command = world.command(&["resolve", "--all", "--take", "source"]);
    command.env("SUDO_USER", "anna");
    assert!(command.output().unwrap().status.success());
    world.once().expect(0);
    let by: Vec<Value> =
        last_run(&world).into_iter().map(|entry| entry["decided"]["by"].clone()).collect();
    let is_root = rustix::process::getuid().is_root();
    for by in by {
        assert_eq!(by.as_str().unwrap().starts_with("anna ("), is_root, "{by}");
    }
}

#[test]
fn a_decision_beside_the_daemon_and_a_run_that_was_asked_for_are_told() {
    let world = conflicts();
    let daemon = world.start(&[]);
    wait_until("the daemon has made its run", || world.state().last_runs(9).unwrap().len() > 2);
    world.run(&["resolve", "--all", "--take", "source"]).expect(0);
    world.once().expect(0);
    daemon.terminate();
    daemon.ended().expect(0);
    assert_eq!(
        told(&world),
        [
            "linq company=Works: conflict resolved: the source is right [resolve --take source]",
            "linq title=Lady: conflict resolved: the source is right [resolve --take source]",
        ]
    );
    let runs = world.state().last_runs(9).unwrap();
    let asked: Vec<Option<&str>> = runs.iter().map(|run| run.command.as_deref()).collect();
    assert_eq!(asked[..2], [Some("--once"), None], "nobody asked for the daemon's own run");
    assert!(runs[0].asked_by.is_some());
}

#[test]
fn a_decision_that_was_interrupted_is_told_with_the_run_that_began_it() {
    let world = conflicts();
    world.run(&["resolve", "--all", "--take", "source"]).expect(0);
    let update =
        |request: &linqsync::sandbox::LoggedRequest| request.kind == Some(RouteKind::Update);
    world.killed_at(ObservedMoment::CarriedOut, update).ended();
    world.once().expect(0);
    let told = told(&world);
    assert!(
        told.iter().all(|one| one.contains("run 3 had begun it and was interrupted")
            && one.ends_with("[resolve --take source]")),
        "{told:#?}"
    );
    world.expect_silence();
}
