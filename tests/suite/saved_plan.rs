//! `plan --out` and `apply`: what was shown is what is done, once.

use crate::harness::{EndedProcess, PrintedRun, TestFiles, World, people, wait_until};

const TEAM: &str = "\
First Name,Last Name,Email,Company,Title
Ada,King,ada@engines.example,Engines,Countess
Bo,Wang,bo@lanterns.example,Lanterns,Engineer
";

impl World {
    /// `plan --out kept`
    #[track_caller]
    fn keep(&self) -> EndedProcess {
        let ended = self.run(&["plan", "--out", "kept"]).expect(0);
        self.linq().forget_requests();
        ended
    }

    /// `apply kept --json`
    #[track_caller]
    fn apply(&self) -> PrintedRun {
        PrintedRun::of(self.run(&["apply", "kept", "--json"]))
    }
}

#[test]
fn a_kept_plan_is_private_and_is_carried_out_exactly_once() {
    let world = World::synced(TEAM);
    world.edit("Engines,", "Engines Ltd,");
    world.change("Bo", "title", "CTO");
    world.write(world.text() + "Kai,Novak,kai@harbour.example,,\n");
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    let state = TestFiles::at(&world.path("state")).without_companions();
    let ended = world.keep();
    assert!(ended.stderr.contains("(4 changes)"), "{}", ended.stderr);
    assert_eq!(TestFiles::at(&world.path("state")).without_companions(), state, "only a plan");
    assert_eq!(TestFiles::at(&world.path("kept")).with_mode(0o077), Vec::<&std::path::Path>::new());

    let run = world.apply().expect(0);
    assert_eq!((run.linq(), run.source()), ([4, 1, 1, 0], [4, 1, 1, 0]));
    assert_eq!((run.count("skipped"), run.count("in_sync")), (0, 4));
    world.expect_silence();

    let number = run.json["run"].to_string();
    let again = world.apply().expect(2);
    assert!(again.message().ends_with(&format!("was applied already, by run {number}")));
    assert_eq!(again.json["run"], serde_json::Value::Null);
}

#[test]
fn a_kept_plan_works_from_an_empty_state() {
    let world = World::with_csv(TEAM);
    world.linq().insert([("first_name", "Bo"), ("email", "bo@lanterns.example")]).unwrap();
    world.keep();
    let run = world.apply().expect(0);
    assert_eq!((run.count("linked"), run.linq()), (1, [2, 1, 1, 0]));
    world.expect_silence();
}

#[test]
fn a_step_whose_person_has_changed_is_skipped_and_told_and_the_others_go_on() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.edit("Engineer", "Chief");
    world.keep();
    world.change("Ada", "company", "Analytical Engines");
    let run = world.apply().expect(3);
    assert_eq!((run.count("skipped"), run.linq()[2], run.source()[2]), (1, 1, 0));
    assert!(
        run.notices().contains("Ada King: changed since the plan was saved"),
        "{}",
        run.notices()
    );
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Chief"));
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Countess"));
}

#[test]
fn nothing_is_done_that_the_file_does_not_list() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.keep();
    world.edit("Engineer", "Chief");
    world.write(world.text() + "Kai,Novak,kai@harbour.example,,\n");
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    world.remove("Bo");
    let run = world.apply().expect(0);
    assert_eq!((run.linq()[1..].to_vec(), run.source()[1..].to_vec()), (vec![0, 1, 0], vec![0; 3]));
    assert_eq!(world.writes().len(), 1);
}

#[test]
fn a_deletion_is_skipped_when_the_person_was_edited_meanwhile() {
    let world = World::synced(TEAM);
    world.edit("Bo,Wang,bo@lanterns.example,Lanterns,Engineer\n", "");
    world.keep();
    world.change("Bo", "title", "CTO");
    let run = world.apply().expect(3);
    assert_eq!((run.count("skipped"), run.linq()[3], run.source()[1]), (1, 0, 0));
    world.once().expect(0);
    assert_eq!(world.contact("Bo").title.as_deref(), Some("CTO"));
}

#[test]
fn a_file_that_was_changed_or_is_something_else_or_of_another_pair_is_refused() {
    let mut world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.keep();
    let kept = std::fs::read_to_string(world.path("kept")).unwrap();
    for (text, why) in [
        (kept.replace("Lady", "Queen"), "was changed since linqsync wrote it"),
        (kept.replace("saved-plan/1", "saved-plan/2"), "is not a saved plan"),
        (kept.replacen('{', "{\"more\": 1,", 1), "is not a saved plan"),
        (kept[..kept.len() / 2].to_owned(), "is not a saved plan"),
        (String::new(), "is not a saved plan"),
    ] {
        std::fs::write(world.path("kept"), text).unwrap();
        let run = world.apply().expect(2);
        assert!(run.message().contains(why), "{}", run.message());
    }
    std::fs::remove_file(world.path("kept")).unwrap();
    assert!(world.apply().expect(2).message().contains("cannot read"));

    std::fs::write(world.path("kept"), kept).unwrap();
    std::fs::copy(world.csv(), world.path("other.csv")).unwrap();
    world.set("source.path", "\"other.csv\"");
    assert!(world.apply().expect(2).message().contains("was made for"));
    assert_eq!(world.writes(), []);
}

#[test]
fn an_apply_beside_a_daemon_ends_with_7() {
    let world = World::synced(TEAM);
    world.keep();
    let daemon = world.start(&[]);
    wait_until("the daemon has made its run", || world.state().last_runs(9).unwrap().len() > 1);
    world.apply().expect(7);
    daemon.terminate();
    daemon.ended().expect(0);
    world.apply().expect(0);
}

#[test]
fn an_apply_that_is_killed_is_finished_by_an_ordinary_run_and_not_by_itself() {
    let mut world = World::with_csv(&people::csv(1..=30));
    world.keep();
    world.fault("create delay=50ms");
    world.set("linq.settle", "\"1s\"");
    let process = world.start(&["apply", "kept"]);
    let created = || world.requests(linqsync::sandbox::RouteKind::Create).len();
    wait_until("creates have arrived", || created() >= 9);
    process.kill();
    world.linq().clear_faults();
    world.apply().expect(2);
    world.once().expect(0);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    assert_eq!(world.linq().contacts().len(), 30);
}
