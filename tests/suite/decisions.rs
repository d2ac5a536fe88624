//! What waits is listed, people decide about exactly that, and the next run carries it
//! out: also beside a running daemon.

use serde_json::Value;

use linqsync::sandbox::{LoggedRequest, ObservedMoment, RouteKind};

use crate::harness::{Process, World, people, wait_until};

const TEAM: &str = "First Name,Email,Title,Company\nAda,ada@engines.example,Countess,Engines\n\
                    Bo,bo@lanterns.example,Engineer,Lanterns\n";

/// What `list` shows of one state, as JSON.
#[track_caller]
fn list(world: &World, state: &str) -> Vec<Value> {
    let listed = world.run(&["list", state, "--json"]).expect(0);
    let json: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&json["schema"], &json["state"]), (&"linqsync.list/1".into(), &state.into()));
    assert!(json["error"].is_null(), "{json:#}");
    json["items"].as_array().unwrap().clone()
}

/// Decides, and expects so many decisions to be remembered.
#[track_caller]
fn decide(world: &World, arguments: &[&str], decisions: u64) {
    let ended = world.run(&[arguments, &["--json"]].concat()).expect(0);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["decided"], decisions, "{json:#}");
}

/// A decision about something that does not wait changes nothing and ends with 2.
#[track_caller]
fn expect_no_decision(world: &World, arguments: &[&str]) {
    let before = world.state().stored_decisions().unwrap();
    let ended = world.run(&[arguments, &["--json"]].concat()).expect(2);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["error"]["code"], 2, "{json:#}");
    assert_eq!(world.state().stored_decisions().unwrap(), before);
}

/// Both sides have given Ada another title and another company.
fn two_conflicts() -> World {
    let world = World::synced(TEAM);
    world.edit("Countess,Engines", "Lady,Works");
    world.change("Ada", "title", "Dame");
    world.change("Ada", "company", "Mills");
    assert_eq!(world.once().expect(3).count("conflicts"), 1);
    world
}

/// Ada's title and company in the source and in Linq.
fn ada(world: &World) -> [String; 4] {
    let text = world.text();
    let mut cells = text.lines().nth(1).unwrap().rsplit(',').map(str::to_owned);
    let (company, title) = (cells.next().unwrap(), cells.next().unwrap());
    let contact = world.contact("Ada");
    [title, company, contact.title.unwrap_or_default(), contact.company.unwrap_or_default()]
}

#[test]
fn conflicts_are_listed_with_all_values_and_vanish_when_the_sides_agree() {
    let world = two_conflicts();
    for _ in 0..2 {
        let listed = list(&world, "conflicts");
        assert_eq!(listed.len(), 2, "{listed:#?}");
        let title = &listed.iter().find(|item| item["kind"]["field"] == "title").unwrap();
        let values = ["base", "source", "linq"].map(|which| title["kind"][which].clone());
        assert_eq!(values, ["Countess", "Lady", "Dame"].map(Value::from));
        assert_eq!((&title["name"], &title["decided"]), (&"Ada".into(), &Value::Null));
        world.once().expect(3);
    }
    world.change("Ada", "title", "Lady");
    world.change("Ada", "company", "Works");
    world.once().expect(0);
    assert!(list(&world, "conflicts").is_empty());
    expect_no_decision(&world, &["resolve", "ada@engines.example", "--take", "linq"]);
}

#[test]
fn one_side_is_taken_for_one_field_or_for_all() {
    let world = two_conflicts();
    decide(&world, &["resolve", "ada@engines.example", "--field", "title", "--take", "source"], 1);
    assert_eq!(world.once().expect(3).count("conflicts"), 1);
    assert_eq!(ada(&world), ["Lady", "Works", "Lady", "Mills"]);
    decide(&world, &["resolve", "--all", "--take", "linq"], 1);
    world.once().expect(0);
    assert_eq!(ada(&world), ["Lady", "Mills", "Lady", "Mills"]);
    world.expect_silence();
}

#[test]
fn a_value_that_neither_side_has_reaches_both() {
    let world = two_conflicts();
    let who = world.contact("Ada").id.to_string();
    decide(&world, &["resolve", &who, "--field", "title", "--value", "Baroness"], 1);
    decide(&world, &["resolve", &who, "--field", "company", "--value", "Looms"], 1);
    world.once().expect(0);
    assert_eq!(ada(&world), ["Baroness", "Looms", "Baroness", "Looms"]);
    world.expect_silence();
}

#[test]
fn a_decision_is_about_the_values_that_were_shown_and_no_others() {
    let world = two_conflicts();
    decide(&world, &["resolve", "ada@engines.example", "--take", "source"], 2);
    world.change("Ada", "title", "Duchess");
    assert_eq!(world.once().expect(3).count("conflicts"), 1);
    assert_eq!(ada(&world), ["Lady", "Works", "Duchess", "Works"]);
    expect_no_decision(&world, &["resolve", "nobody@engines.example", "--take", "linq"]);
    expect_no_decision(&world, &["resolve", "ada@engines.example", "--separate"]);
    expect_no_decision(&world, &["approve", "ada@engines.example"]);
    expect_no_decision(&world, &["resolve", "--take", "linq"]);
}

/// A row that shares its mailbox with a contact of another name.
fn ambiguous() -> World {
    let world = World::with_csv(TEAM);
    let namesake = [("first_name", "Zoe"), ("email", "ada@engines.example")];
    world.linq().insert(namesake).unwrap();
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    world
}

#[test]
fn an_ambiguous_row_is_linked_with_a_candidate_and_with_nobody_else() {
    let world = ambiguous();
    let listed = list(&world, "ambiguous");
    let zoe = world.contact("Zoe").id;
    assert_eq!(listed[0]["kind"]["candidates"], serde_json::json!([zoe]));
    expect_no_decision(&world, &["resolve", "row:2", "--link", "1"]);
    decide(&world, &["resolve", "row:2", "--link", &zoe.to_string()], 1);
    let run = world.once().expect(3);
    assert_eq!((run.count("linked"), run.count("ambiguous"), run.count("conflicts")), (1, 0, 1));
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn an_ambiguous_row_that_is_somebody_else_is_created() {
    let world = ambiguous();
    decide(&world, &["resolve", "--all", "--separate"], 1);
    world.once();
    assert!(list(&world, "ambiguous").is_empty());
    let names: Vec<String> =
        world.linq().contacts().into_iter().filter_map(|contact| contact.first_name).collect();
    assert_eq!(names.iter().filter(|name| *name == "Ada").count(), 1, "{names:?}");
    assert_eq!(names.len(), 3);
}

/// Twelve of forty rows are removed, two more than go without asking.
fn twelve_held() -> World {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::csv(13..=40));
    assert_eq!(world.once().expect(4).count("held_deletes"), 12);
    world
}

#[test]
fn exactly_who_was_approved_is_deleted_and_once() {
    let world = twelve_held();
    assert_eq!(list(&world, "held").len(), 12);
    decide(&world, &["approve", "p001@people.example"], 1);
    let run = world.once().expect(4);
    assert_eq!((run.linq()[3], run.count("held_deletes")), (1, 11));
    expect_no_decision(&world, &["approve", "p001@people.example"]);
    decide(&world, &["approve", "--all"], 11);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], world.linq().contacts().len()), (11, 28));
    assert!(list(&world, "held").is_empty());
}

#[test]
fn who_changed_after_the_approval_is_not_deleted() {
    let world = twelve_held();
    decide(&world, &["approve", "--all"], 12);
    world.change("First001", "title", "Chief");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[1]), (11, 1));
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
}

#[test]
fn where_nothing_waits_the_lists_say_so_and_nothing_is_decided() {
    let world = World::synced("First Name,Email\nAda,ada@engines.example\n");
    let told = |arguments: &[&str]| world.run(arguments).expect(0).stdout;
    assert_eq!(told(&["list", "conflicts"]), "no conflicts\n");
    assert_eq!(told(&["list", "ambiguous"]), "no record is ambiguous\n");
    assert_eq!(told(&["list", "held"]), "nothing is held\n");
    assert_eq!(told(&["list", "rejected"]), "nothing is rejected\n");
    assert_eq!(told(&["list", "duplicates"]), "no duplicates\n");
    assert!(told(&["list", "in-sync"]).ends_with("1 in sync\n"));
    assert_eq!(told(&["approve", "--all"]), "nothing is held, so nothing was decided\n");
}

#[test]
fn what_is_rejected_is_listed_with_its_line() {
    let world = World::with_csv("First Name,Email,Phone\nAda,ada@x.example,1.41556E+10\n");
    world.once().expect(3);
    let listed = list(&world, "rejected");
    assert_eq!((listed.len(), &listed[0]["line"]), (1, &2.into()), "{listed:#?}");
    assert_eq!(listed[0]["kind"]["field"], "phone_number");
}

#[test]
fn whoever_looks_like_one_person_within_a_side_is_listed_for_that_side() {
    let mut world =
        World::with_csv("ID,First Name,Email\n1,Ada,ada@x.example\n2,Bo,bo@x.example\n");
    world.set("source.key", "\"ID\"");
    world.sync();
    // Each is linked already: that they have come to look alike is nobody's error.
    world.edit("bo@x.example", "ADA@x.example");
    world.edit("2,Bo,", "2,Ada,");
    world.once().expect(0);
    let listed = list(&world, "duplicates");
    let sides: Vec<(&Value, usize)> =
        listed.iter().map(|group| (&group[0]["side"], group.as_array().unwrap().len())).collect();
    assert_eq!(sides, [(&"linq".into(), 2), (&"source".into(), 2)], "{listed:#?}");
    assert_eq!(listed[1][1]["source_key"], "2");
    assert_eq!((world.linq().contacts().len(), world.people_in_csv().len()), (2, 2));
    let shown = world.run(&["list", "duplicates"]).expect(0).stdout;
    assert!(shown.contains("in Linq") && shown.contains("in the source"), "{shown}");
    world.expect_silence();
}

#[test]
fn a_new_row_that_looks_like_another_waits_and_is_listed() {
    let world = World::synced(TEAM);
    world.write(TEAM.to_owned() + "Ada,ada@engines.example,Twin,Engines\n");
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    let listed = list(&world, "duplicates");
    assert_eq!((listed.len(), &listed[0][0]["side"]), (1, &"source".into()), "{listed:#?}");
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn a_row_is_not_given_a_contact_that_is_somebody_elses() {
    let world = World::synced(TEAM);
    world.write(TEAM.to_owned() + "Adda,ada@engines.example,Twin,Engines\n");
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    let id = world.contact("Ada").id.to_string();
    let ended = world.run(&["resolve", "row:4", "--link", &id]).expect(2);
    assert!(
        ended.stderr.contains("is linked with somebody else in the source"),
        "{}",
        ended.stderr
    );
    assert!(world.state().stored_decisions().unwrap().is_empty());
    let told = world.run(&["explain", "row:4"]).expect(0).stdout;
    insta::assert_snapshot!(told.replace(&id, "ID"), @"
    Adda (row:4)
      not linked: it is ambiguous who it is
      first_name    “Adda”
      email         “ada@engines.example”
      company       “Engines”
      title         “Twin”

    the next run
      ? Adda (row:4)
          ambiguous: Ada (id ID) in Linq has the same e-mail and is taken
    ");
}

/// A daemon that has made its first run and makes no other for an hour.
fn daemon(world: &mut World) -> Process {
    world.set("sync.schedule", "\"every 1h\"").set("sync.watch", "false");
    let before = world.state().last_runs(1).unwrap();
    let daemon = world.start(&[]);
    wait_until("the daemon has made a run", || {
        let last = world.state().last_runs(1).unwrap();
        last != before && last.iter().all(|run| run.ending.is_some())
    });
    daemon
}

#[test]
fn people_decide_beside_a_running_daemon() {
    let mut world = twelve_held();
    world.edit("Title 040", "Chief");
    world.change("First040", "title", "Captain");
    let running = daemon(&mut world);
    assert_eq!((list(&world, "held").len(), list(&world, "conflicts").len()), (12, 1));
    for state in ["ambiguous", "rejected", "duplicates", "in-sync"] {
        list(&world, state);
    }
    decide(&world, &["approve", "p002@people.example"], 1);
    decide(&world, &["resolve", "p040@people.example", "--take", "linq"], 1);
    expect_no_decision(&world, &["approve", "p040@people.example"]);
    assert!(list(&world, "conflicts")[0]["decided"].is_object());
    running.terminate();
    running.ended().expect(0);
    let run = world.once().expect(4);
    assert_eq!((run.linq()[3], run.count("held_deletes"), run.count("conflicts")), (1, 11, 0));
    assert!(world.text().contains("Captain"));
}

/// A colleague writes a title into the file again and again, and something in Linq puts
/// the old one back each time.
fn changed_back_three_times() -> World {
    let world = World::synced(TEAM);
    for round in 1..=3 {
        world.edit("Ada,ada@engines.example,Countess", "Ada,ada@engines.example,Lady");
        world.once().expect(0);
        world.change("Ada", "title", "Countess");
        if round < 3 {
            world.once().expect(0);
        }
    }
    world.linq().forget_requests();
    world
}

#[test]
fn a_field_that_is_changed_back_three_times_waits_and_is_not_written_any_more() {
    let world = changed_back_three_times();
    for _ in 0..3 {
        let run = world.once().expect(3);
        assert_eq!((run.count("conflicts"), run.count("in_sync")), (1, 1));
        assert_eq!(world.writes(), []);
        assert_eq!(ada(&world), ["Lady", "Engines", "Countess", "Engines"]);
    }
    let listed = list(&world, "conflicts");
    let reason = listed[0]["reason"].as_str().unwrap();
    assert!(reason.contains("keeps changing title back"), "{reason}");
    let shown = world.run(&["list", "conflicts"]).expect(0).stdout;
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let planned = world.plan();
    assert_eq!(planned.outline(), ["null conflict"]);
    let said = planned.steps()[0]["reason"].as_str().unwrap();
    assert!(said.contains("keeps changing title back"), "{said}");
    world.edit("Engineer", "Chief Engineer");
    assert_eq!(world.once().expect(3).linq()[2], 1, "others go on");
}

#[test]
fn a_field_that_was_changed_back_is_freed_by_a_decision_or_by_another_value() {
    let world = changed_back_three_times();
    world.once().expect(3);
    decide(&world, &["resolve", "ada@engines.example", "--take", "linq"], 1);
    world.once().expect(0);
    assert_eq!(ada(&world), ["Countess", "Engines", "Countess", "Engines"]);
    world.expect_silence();

    let world = changed_back_three_times();
    world.once().expect(3);
    decide(&world, &["resolve", "ada@engines.example", "--take", "source"], 1);
    world.once().expect(0);
    assert_eq!(ada(&world), ["Lady", "Engines", "Lady", "Engines"]);
    world.expect_silence();

    let world = changed_back_three_times();
    world.once().expect(3);
    world.edit("Lady", "Baroness");
    world.once().expect(0);
    assert_eq!(ada(&world), ["Baroness", "Engines", "Baroness", "Engines"]);
    world.expect_silence();
}

/// Fifteen people with a key, whose titles both sides have changed.
fn fifteen_conflicts() -> World {
    let world = World::synced(&people::csv(1..=15));
    world.write(world.text().replace("Title 0", "Chief 0"));
    for n in 1..=15 {
        world.change(&people::person(n)[0], "title", "Captain");
    }
    assert_eq!(world.once().expect(3).count("conflicts"), 15);
    world
}

#[test]
fn what_a_person_decides_needs_no_further_approval() {
    for (arguments, title) in [
        (["--value", ""], None),
        (["--value", "Boss"], Some("Boss")),
        (["--take", "linq"], Some("Captain")),
        (["--take", "source"], Some("Chief 001")),
    ] {
        let world = fifteen_conflicts();
        decide(&world, &[&["resolve", "--all", "--field", "title"], &arguments[..]].concat(), 15);
        let run = world.once().expect(0);
        assert_eq!(run.count("in_sync"), 15, "{:#}", run.json);
        assert_eq!(world.contact("First001").title.as_deref(), title);
        assert!(world.text().lines().nth(1).unwrap().ends_with(title.unwrap_or("")));
        assert!(world.state().stored_decisions().unwrap().is_empty());
        world.expect_silence();
    }
}

#[test]
fn a_decision_outlasts_runs_that_cannot_carry_it_out() {
    let world = two_conflicts();
    for field in ["title", "company"] {
        decide(&world, &["resolve", "--all", "--field", field, "--value", "Both"], 1);
    }
    world.fault("list status=503 times=1000");
    world.once().expect(6);
    world.linq().clear_faults();
    world.let_the_probe_come();
    assert_eq!(world.state().stored_decisions().unwrap().len(), 2);
    // An unterminated quotation mark: the file is not written in that run.
    world.write(world.text() + "\"Cy,cy@x.example\n");
    world.once().expect(3);
    assert_eq!(world.state().stored_decisions().unwrap().len(), 2);
    world.edit("\"Cy,cy@x.example\n", "");
    world.fault("update status=500 times=1000");
    world.once().expect(6);
    assert_eq!(ada(&world), ["Both", "Both", "Dame", "Mills"]);
    world.linq().clear_faults();
    world.let_the_probe_come();
    world.once().expect(0);
    assert_eq!(ada(&world), ["Both"; 4]);
    assert!(world.state().stored_decisions().unwrap().is_empty());
    world.expect_silence();
}

#[test]
fn a_decision_is_void_and_said_to_be_once_what_was_shown_has_changed() {
    let world = two_conflicts();
    decide(&world, &["resolve", "--all", "--take", "source"], 2);
    world.change("Ada", "title", "Duchess");
    let run = world.once().expect(3);
    assert_eq!(run.count("conflicts"), 1);
    assert!(run.notices().contains("the decision about title was not carried out"));
    assert_eq!(ada(&world), ["Lady", "Works", "Duchess", "Works"]);
    assert!(world.state().stored_decisions().unwrap().is_empty());
}

#[test]
fn an_agreement_of_two_different_values_is_never_recorded() {
    let world = two_conflicts();
    for field in ["title", "company"] {
        decide(&world, &["resolve", "--all", "--field", field, "--value", "CEO"], 1);
    }
    world.fault("update status=422 times=1000");
    let run = world.once().expect(3);
    assert_eq!(run.count("in_sync"), 1);
    world.linq().clear_faults();
    // The person types back what was there before.
    world.edit("CEO,CEO", "Lady,Works");
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.count("in_sync")), (1, 1));
    assert_eq!(ada(&world), ["Lady", "Works", "Dame", "Mills"]);
}

#[test]
fn a_run_that_is_killed_between_the_sides_carries_a_decision_on() {
    let world = two_conflicts();
    for field in ["title", "company"] {
        decide(&world, &["resolve", "--all", "--field", field, "--value", "CEO"], 1);
    }
    let update = |request: &LoggedRequest| request.kind == Some(RouteKind::Update);
    world.killed_at(ObservedMoment::Arrived, update).ended();
    assert_eq!(ada(&world)[..2], ["CEO", "CEO"], "the file comes first");
    world.linq().dismiss_witness();
    world.once().expect(0);
    assert_eq!(ada(&world), ["CEO"; 4]);
    world.expect_silence();
}
