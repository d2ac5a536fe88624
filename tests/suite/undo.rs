//! `undo`: what a run did is put back, on both sides, and stays so.

use linqsync::sandbox::{LoggedRequest, ObservedMoment, RouteKind};

use crate::harness::{PrintedRun, TestFiles, World, people, wait_until};

const TEAM: &str = "\
First Name,Last Name,Email,Phone,Company,Title
Ada,King,ada@engines.example,(415) 555-2671,Engines,Countess
Bo,Wang,bo@lanterns.example,,Lanterns,Engineer
";

impl World {
    /// `undo RUN --json` and further arguments.
    #[track_caller]
    fn undo(&self, run: &PrintedRun, arguments: &[&str]) -> PrintedRun {
        let number = run.json["run"].to_string();
        PrintedRun::of(self.run(&[&["undo", &number, "--json"], arguments].concat()))
    }

    /// A run with no edits in between writes nothing: what was put back stays so.
    #[track_caller]
    fn expect_nothing_to_do(&self) {
        let (before, contacts) = (TestFiles::at(&self.csv()), self.linq().contacts());
        self.linq().forget_requests();
        self.once().expect(0);
        assert_eq!(self.writes(), []);
        assert_eq!(TestFiles::at(&self.csv()), before);
        assert_eq!(self.linq().contacts(), contacts);
    }
}

#[test]
fn edits_of_both_sides_go_back_on_both_sides_to_the_byte() {
    let world = World::synced(TEAM);
    let linq = world.people_in_linq();
    world.edit("Engines,Countess", "Engines Ltd,Countess");
    world.change("Ada", "title", "Lady");
    world.change("Bo", "phone_number", "+14155552999");
    let run = world.once().expect(0);

    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.linq(), undone.source()), ([2, 0, 2, 0], [2, 0, 2, 0]));
    assert_eq!((undone.count("skipped"), undone.count("in_sync")), (0, 2));
    assert_eq!(world.text(), TEAM);
    assert_eq!(world.people_in_linq(), linq);
    world.expect_silence();

    let again = world.undo(&run, &[]).expect(0);
    assert!(!again.ended.stdout.contains("\"updated\": 1"));
    assert!(again.notices().contains("nothing of run 2 is left to be put back"));
    world.expect_silence();
}

#[test]
fn an_undo_can_itself_be_undone() {
    let world = World::synced(TEAM);
    world.edit("Engines,Countess", "Engines Ltd,Countess");
    world.change("Ada", "title", "Lady");
    let run = world.once().expect(0);
    let (text, linq) = (world.text(), world.people_in_linq());
    let undone = world.undo(&run, &[]).expect(0);
    assert_ne!(world.text(), text);
    world.undo(&undone, &[]).expect(0);
    assert_eq!((world.text(), world.people_in_linq()), (text, linq));
    world.expect_silence();
}

#[test]
fn a_later_edit_is_told_and_left_alone() {
    let world = World::synced(TEAM);
    world.edit("Engines,Countess", "Engines Ltd,Lady");
    let run = world.once().expect(0);
    world.change("Ada", "title", "Duchess");
    let undone = world.undo(&run, &[]).expect(3);
    assert_eq!(undone.count("skipped"), 1);
    assert!(undone.notices().contains("Ada King: title: edited since"), "{}", undone.notices());
    let ada = world.contact("Ada");
    assert_eq!((ada.company.as_deref(), ada.title.as_deref()), (Some("Engines"), Some("Duchess")));
    world.once().expect(0);
    assert_eq!(world.text(), TEAM.replace("Countess", "Duchess"));
    world.expect_silence();
}

#[test]
fn a_conflict_that_the_policy_decided_goes_back_to_what_both_had() {
    let mut world = World::synced(TEAM);
    world.set("sync.on_conflict", "\"source\"");
    world.edit("Engineer", "Chief Engineer");
    world.change("Bo", "title", "CTO");
    let run = world.once().expect(0);
    world.undo(&run, &[]).expect(0);
    assert_eq!(world.text(), TEAM);
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Engineer"));
    world.expect_silence();
}

#[test]
fn a_blank_that_the_first_run_filled_is_blank_again_and_is_not_filled_anew() {
    let world = World::with_csv(TEAM);
    let bo = [("first_name", "Bo"), ("last_name", "Wang"), ("email", "bo@lanterns.example")];
    world.linq().insert(bo).unwrap();
    world.linq().insert([("first_name", "Cy"), ("email", "cy@lanterns.example")]).unwrap();
    let linq = world.people_in_linq();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 1, 1, 0], [3, 1, 0, 0]));
    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.linq(), undone.source()), ([2, 0, 1, 1], [2, 0, 0, 1]));
    assert_eq!((world.text(), world.people_in_linq()), (TEAM.to_owned(), linq));
    world.expect_nothing_to_do();
    world.change("Bo", "title", "CTO");
    world.once().expect(0);
    assert!(world.text().contains("Lanterns,CTO"), "an edit still arrives");
}

#[test]
fn whom_a_run_created_goes_and_is_not_created_again() {
    let world = World::synced(TEAM);
    let kai = "Kai,Novak,kai@harbour.example,,Harbour,Pilot\n";
    world.write(world.text() + kai);
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    let run = world.once().expect(0);
    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.linq()[3], undone.source()[3]), (1, 1));
    assert_eq!(world.text(), TEAM.to_owned() + kai);
    let names: Vec<_> = world.linq().contacts().into_iter().filter_map(|c| c.first_name).collect();
    assert_eq!(names.len(), 3);
    assert!(!names.contains(&"Kai".to_owned()) && names.contains(&"Léa".to_owned()));
    world.expect_nothing_to_do();
    let again = world.undo(&run, &[]).expect(0);
    assert_eq!(
        (again.linq()[1..].to_vec(), again.source()[1..].to_vec()),
        (vec![0; 3], vec![0; 3])
    );

    // And the removal itself can be put back.
    world.undo(&undone, &[]).expect(0);
    assert_eq!((world.linq().contacts().len(), world.people_in_csv().len()), (4, 4));
    world.expect_silence();
}

#[test]
fn somebody_who_was_edited_since_is_not_removed() {
    let world = World::synced(TEAM);
    world.write(world.text() + "Kai,Novak,kai@harbour.example,,Harbour,Pilot\n");
    let run = world.once().expect(0);
    world.change("Kai", "title", "Captain");
    let undone = world.undo(&run, &[]).expect(3);
    assert!(undone.notices().contains("Kai Novak: it stays in Linq"), "{}", undone.notices());
    assert_eq!(world.contact("Kai").title.as_deref(), Some("Captain"));
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn whom_a_run_deleted_is_created_again_on_both_sides_at_once() {
    let world = World::synced(&(TEAM.to_owned() + "Cy,,cy@e.example,,,\nDee,,dee@e.example,,,\n"));
    world.linq().set(world.contact("Ada").id, "location", "London").unwrap();
    world.change("Bo", "user_email", "sam@linq.example");
    world.sync();
    let linq = world.people_in_linq();
    world.edit("Ada,King,ada@engines.example,(415) 555-2671,Engines,Countess\n", "");
    world.remove("Bo");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 1], [2, 0, 0, 1]));

    let undone = world.undo(&run, &["--max-deletes", "0"]).expect(0);
    assert_eq!((undone.linq(), undone.source()), ([4, 2, 0, 0], [4, 2, 0, 0]));
    assert!(undone.notices().contains("colleagues' notes"), "{}", undone.notices());
    assert_eq!(world.people_in_linq(), linq);
    assert_eq!(world.people_in_csv().len(), 4);
    assert_eq!(world.contact("Bo").contact_owner.unwrap().email, "sam@linq.example");
    assert_eq!(world.contact("Ada").location.as_deref(), Some("London"));
    world.expect_silence();

    let again = world.undo(&run, &[]).expect(0);
    assert_eq!(
        (again.linq()[1..].to_vec(), again.source()[1..].to_vec()),
        (vec![0; 3], vec![0; 3])
    );
    world.change("Ada", "title", "Lady");
    world.sync();
    let again = world.undo(&run, &[]).expect(0);
    assert_eq!(again.linq()[1..], [0; 3], "nobody is there twice");

    // Undoing that deletes them once more, on both sides.
    world.change("Ada", "title", "Countess");
    world.sync();
    world.undo(&undone, &[]).expect(0);
    assert_eq!((world.linq().contacts().len(), world.people_in_csv().len()), (2, 2));
    world.expect_silence();
}

#[test]
fn a_deleted_person_who_is_back_by_other_means_is_not_created_twice() {
    let world = World::synced(TEAM);
    world.remove("Bo");
    let run = world.once().expect(0);
    world.linq().insert([("first_name", "Bo"), ("email", "BO@lanterns.example")]).unwrap();
    let undone = world.undo(&run, &[]).expect(3);
    assert!(undone.notices().contains("is there by now"), "{}", undone.notices());
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn the_ids_in_the_id_column_follow_whom_they_belong_to() {
    let mut world = World::new();
    world.write("First Name,Email,linq_id\nAda,ada@e.example,\nBo,bo@e.example,\n");
    world.set("source.id_column", "\"linq_id\"");
    world.sync();
    world.remove("Bo");
    let run = world.once().expect(0);
    world.undo(&run, &[]).expect(0);
    let id = world.contact("Bo").id;
    assert!(world.text().ends_with(&format!("Bo,bo@e.example,{id}\n")), "{}", world.text());
    world.expect_silence();
}

#[test]
fn an_undo_that_would_delete_too_much_is_held() {
    let world = World::with_csv(&people::csv(1..=100));
    let run = world.once().expect(0);
    let held = world.undo(&run, &[]).expect(4);
    assert_eq!((held.count("held_deletes"), held.linq()), (100, [100, 0, 0, 0]));
    world.expect_silence();
    let undone = world.undo(&run, &["--max-deletes", "100"]).expect(0);
    assert_eq!((undone.linq()[3], world.linq().contacts().len()), (100, 0));
    assert_eq!(world.text(), people::csv(1..=100));
}

#[test]
fn one_contact_alone_is_put_back_by_whatever_name() {
    for name in ["id", "ada@ENGINES.example", "+1 415 555 2671", "row:2"] {
        let world = World::synced(TEAM);
        let id = world.contact("Ada").id.to_string();
        let name = if name == "id" { &id } else { name };
        world.edit("Countess", "Lady");
        world.change("Bo", "title", "CTO");
        let run = world.once().expect(0);
        let undone = world.undo(&run, &["--contact", name]).expect(0);
        assert_eq!((undone.linq()[2], undone.source()[2]), (1, 1), "{name}");
        assert_eq!(world.text(), TEAM.replace("Engineer", "CTO"), "{name}");
        world.expect_silence();
        let nobody = world.undo(&run, &["--contact", "nobody@example.org"]).expect(2);
        assert!(nobody.message().contains("changed no contact of that name"));
    }
    let mut world = World::new();
    world.write("Employee ID,First Name,Email\nE-1,Ada,ada@e.example\nE-2,Bo,bo@e.example\n");
    world.set("source.key", "\"Employee ID\"");
    let run = world.once().expect(0);
    let undone = world.undo(&run, &["--contact", "E-2"]).expect(0);
    assert_eq!((undone.linq()[3], world.linq().contacts().len()), (1, 1));
}

#[test]
fn a_run_that_there_is_not_is_refused_with_those_that_there_are() {
    let world = World::synced(TEAM);
    world.sync();
    let ended = world.run(&["undo", "99"]).expect(2);
    assert!(ended.stderr.contains("there is no run 99"), "{}", ended.stderr);
    assert!(ended.stderr.contains("changed something: 1\n"), "{}", ended.stderr);
}

#[test]
fn a_dry_undo_shows_everything_and_writes_nothing() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.remove("Bo");
    let run = world.once().expect(0);
    let before = TestFiles::at(world.dir()).without_companions();
    world.linq().forget_requests();
    let number = run.json["run"].to_string();
    let ended = world.run(&["undo", &number, "--dry-run", "-q"]).expect(0);
    insta::assert_snapshot!(ended.stdout, @"
    Plan: 2 to create, 2 to update, 0 to delete; 0 to link; 0 waiting
    about 5 requests to Linq, 1s at 1000 per second (linq.requests_per_second)
    + create  ~ update

    to Linq
      ~ Ada King (row:2)
          put back as it was before run 2
          title         “Lady” → “Countess”
      + Bo Wang (row:3)
          put back as it was before run 2
          first_name    “Bo”
          last_name     “Wang”
          email         “bo@lanterns.example”
          company       “Lanterns”
          title         “Engineer”

    to contacts.csv
      ~ Ada King (row:2)
          put back as it was before run 2
          title         “Lady” → “Countess”
      + Bo Wang (row:3)
          put back as it was before run 2
          first_name    “Bo”
          last_name     “Wang”
          email         “bo@lanterns.example”
          company       “Lanterns”
          title         “Engineer”

    note: who is created in Linq again gets a new id; colleagues' notes, and
    whatever Linq kept beyond the fields, cannot come back
    Plan: 2 to create, 2 to update, 0 to delete; 0 to link; 0 waiting
    ");
    assert_eq!(world.writes(), []);
    assert_eq!(TestFiles::at(world.dir()).without_companions(), before);
}

#[test]
fn an_undo_beside_a_daemon_ends_with_7() {
    let world = World::synced(TEAM);
    let daemon = world.start(&[]);
    wait_until("the daemon has made its run", || world.state().last_runs(9).unwrap().len() > 1);
    let ended = world.run(&["undo", "1"]).expect(7);
    assert!(ended.stderr.contains(&daemon.pid().to_string()), "{}", ended.stderr);
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn where_only_the_source_is_written_only_the_source_goes_back() {
    let mut world = World::synced(TEAM);
    world.set("sync.direction", "\"pull\"");
    world.change("Ada", "title", "Lady");
    world.remove("Bo");
    let run = world.once().expect(0);
    world.linq().forget_requests();
    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.source()[1], undone.source()[2]), (1, 1));
    assert_eq!(world.writes(), []);
    assert_eq!(world.text(), TEAM);
    world.expect_nothing_to_do();
    world.change("Ada", "title", "Duchess");
    world.once().expect(0);
    assert!(world.text().contains("Duchess"), "a later edit still arrives");
}

#[test]
fn where_only_linq_is_written_only_linq_goes_back() {
    let mut world = World::synced(TEAM);
    world.set("sync.direction", "\"push\"");
    world.edit("Countess", "Lady");
    let run = world.once().expect(0);
    let text = world.text();
    world.undo(&run, &[]).expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Countess"));
    assert_eq!(world.text(), text);
    world.expect_nothing_to_do();

    world.edit("Bo,Wang,bo@lanterns.example,,Lanterns,Engineer\n", "");
    let run = world.once().expect(0);
    let undone = world.undo(&run, &[]).expect(3);
    assert!(undone.notices().contains("put its record back into the source"));
    assert_eq!(world.linq().contacts().len(), 1);
}

#[test]
fn an_undo_that_would_clear_too_much_is_held() {
    let blank = people::csv(1..=12).replace("Title ", "");
    let blank = (1..=12).fold(blank, |text, n| text.replace(&format!(",{n:03}\n"), ",\n"));
    let world = World::synced(&blank);
    world.write(people::csv(1..=12));
    let run = world.once().expect(0);
    assert_eq!(run.linq()[2], 12);
    let held = world.undo(&run, &[]).expect(4);
    assert_eq!((held.linq()[2], held.source()[2]), (0, 0));
    assert!(held.count("held_clears") >= 12);
    assert!(held.notices().contains("--max-deletes"), "{}", held.notices());
    world.expect_silence();
    world.undo(&run, &["--max-deletes", "12"]).expect(0);
    assert_eq!(world.text(), blank);
    world.expect_silence();
}

#[test]
fn an_undo_does_nothing_by_halves_where_the_source_cannot_be_written() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    let run = world.once().expect(0);
    // An unterminated quote: the file is not written in such a run.
    world.write(world.text() + "\"Cy,,,,,\n");
    world.linq().forget_requests();
    let undone = world.undo(&run, &[]).expect(3);
    assert!(undone.count("skipped") > 0, "{:#}", undone.json);
    assert_eq!(world.writes(), []);
}

#[test]
fn what_an_undo_leaves_to_be_synchronised_is_no_part_of_it() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    let run = world.once().expect(0);
    world.edit("Engineer", "Chief");
    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.linq()[2], undone.count("skipped")), (1, 0));
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Engineer"), "the next run's business");
    world.once().expect(0);
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Chief"));
}

/// Kills an undo when the `nth` request of a kind arrives, and expects that it is
/// finished by another undo, after an ordinary run or at once.
fn killed(kind: RouteKind, fault: &str, nth: usize, run_between: bool) {
    let mut world = World::synced(&people::csv(1..=9));
    world.set("linq.settle", "\"1s\"");
    let linq = world.people_in_linq();
    let text = world.text();
    for n in 1..=3 {
        world.edit(&format!("Title {n:03}"), "Boss");
        world.change(&format!("First{:03}", n + 3), "title", "Head");
    }
    world.remove("First007");
    world.edit(&people::row(8), "");
    let run = world.once().expect(0);
    world.linq().forget_requests();
    world.fault(fault);
    let process = world.start(&["undo", &run.json["run"].to_string()]);
    wait_until("the request has arrived", || {
        world.requests(kind).len() >= nth || process.has_ended()
    });
    process.kill();
    world.linq().clear_faults();
    if run_between {
        world.once().expect(0);
    }
    world.undo(&run, &[]).expect(0);
    assert_eq!(world.people_in_linq(), linq, "{kind:?} {nth} {run_between}");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let now = world.text();
    let mut found: Vec<&str> = now.lines().collect();
    found.sort_unstable();
    assert_eq!(found, lines, "{kind:?} {nth} {run_between}");
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!((world.writes(), world.text()), (vec![], now), "{kind:?} {nth} {run_between}");
}

#[test]
fn an_undo_that_is_killed_is_finished_by_the_next() {
    killed(RouteKind::Update, "update delay=300ms", 1, false);
    killed(RouteKind::Update, "update delay=300ms", 1, true);
    killed(RouteKind::Create, "create delay=300ms", 1, false);
    killed(RouteKind::Create, "create delay=300ms", 1, true);
}

#[test]
fn whom_a_killed_run_created_and_the_next_one_found_is_removed_by_undoing_that() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.settle", "\"300ms\"");
    world.write(world.text() + &people::row(3));
    let create = |request: &LoggedRequest| request.kind == Some(RouteKind::Create);
    let _ = world.killed_at(ObservedMoment::CarriedOut, create).ended();
    world.linq().dismiss_witness();
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.count("linked")), (1, 0));
    let undone = world.undo(&run, &[]).expect(0);
    assert_eq!((undone.linq(), undone.source()), ([2, 0, 0, 1], [3, 0, 0, 0]), "{:#}", undone.json);
    assert!(world.text().contains("First003"), "the row was not created by that run");
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!(world.writes(), [], "the pair is released");
}
