//! The same field, edited on both sides.

use linqsync::mirror::HistoryAction;
use linqsync::model::{LinqId, Side};

use crate::harness::World;

const TEAM: &str = "First Name,Email,Title\nAda,ada@engines.example,Countess\n\
                    Bo,bo@lanterns.example,Engineer\n";

/// Both sides have given Ada's title another value.
fn clashing(policy: &str) -> World {
    let mut world = World::synced(TEAM);
    world.set("sync.on_conflict", policy);
    world.edit("Countess", "Lady");
    world.change("Ada", "title", "Dame");
    world
}

fn titles(world: &World) -> (String, String) {
    let text = world.text();
    let cell = text.lines().nth(1).unwrap().rsplit(',').next().unwrap().to_owned();
    (cell, world.contact("Ada").title.unwrap())
}

fn both(source: &str, linq: &str) -> (String, String) {
    (source.to_owned(), linq.to_owned())
}

#[test]
fn a_conflict_leaves_both_values_where_they_are_and_everything_else_goes_on() {
    let world = clashing("\"hold\"");
    world.edit("Engineer", "Chief Engineer");
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.count("in_sync")), (1, 1));
    assert_eq!((run.linq(), run.source()), ([2, 0, 1, 0], [2, 0, 0, 0]));
    assert_eq!(titles(&world), both("Lady", "Dame"));
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Chief Engineer"));

    world.linq().forget_requests();
    let again = world.once().expect(3);
    assert_eq!((again.count("conflicts"), world.writes()), (1, vec![]));
    assert_eq!(titles(&world), both("Lady", "Dame"));
}

#[test]
fn a_conflict_disappears_by_itself_when_the_sides_agree() {
    let world = clashing("\"hold\"");
    world.once().expect(3);
    world.change("Ada", "title", "Lady");
    let run = world.once().expect(0);
    assert_eq!((run.count("conflicts"), run.count("in_sync")), (0, 2));
    world.expect_silence();
    world.edit("Lady", "Baroness");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 1, 0]);
    assert_eq!(titles(&world), both("Baroness", "Baroness"));
}

#[test]
fn two_different_values_on_the_first_run_are_a_conflict() {
    let world = World::with_csv(TEAM);
    let ada = [("first_name", "Ada"), ("email", "ada@engines.example"), ("title", "Dame")];
    world.linq().insert(ada).unwrap();
    let run = world.once().expect(3);
    assert_eq!((run.count("conflicts"), run.count("linked")), (1, 1));
    assert_eq!(titles(&world), both("Countess", "Dame"));
    for _ in 0..2 {
        let listed = world.run(&["list", "conflicts"]).expect(0).stdout;
        assert!(listed.contains("title is not the same on both sides"), "nobody edited: {listed}");
        world.once().expect(3);
    }
}

#[test]
fn the_source_wins_where_it_is_configured_and_linqs_value_is_in_the_history() {
    let world = clashing("\"source\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 1, 0], [2, 0, 0, 0]));
    assert_eq!(titles(&world), both("Lady", "Lady"));
    assert_eq!(overwritten(&world, Side::Linq), [both("Dame", "Lady")]);
    world.expect_silence();
}

#[test]
fn linq_wins_where_it_is_configured_and_the_sources_value_is_in_the_history() {
    let world = clashing("\"linq\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 0], [2, 0, 1, 0]));
    assert_eq!(titles(&world), both("Dame", "Dame"));
    assert_eq!(overwritten(&world, Side::Source), [both("Lady", "Dame")]);
    world.expect_silence();
}

/// What was replaced by what on this side, of Ada.
fn overwritten(world: &World, side: Side) -> Vec<(String, String)> {
    let history = world.state().history_of(LinqId(world.contact("Ada").id)).unwrap();
    let updates = history.into_iter().map(|row| row.entry);
    let updates =
        updates.filter(|entry| entry.side == side && entry.action == HistoryAction::Update);
    updates
        .flat_map(|entry| entry.changes)
        .map(|change| (change.from.into(), change.to.into()))
        .collect()
}

#[test]
fn the_newest_holds_for_a_csv_file_which_does_not_tell_its_time() {
    let world = clashing("\"newest\"");
    world.once().expect(3);
    assert_eq!(titles(&world), both("Lady", "Dame"));
}

#[test]
fn a_field_with_a_policy_of_its_own_goes_by_that_and_the_others_by_the_default() {
    for (policy, title, exit) in [
        ("{ title = \"linq\" }", both("Dame", "Dame"), 3),
        ("{ default = \"source\", title = \"linq\" }", both("Dame", "Dame"), 0),
        ("{ default = \"linq\", title = \"hold\" }", both("Lady", "Dame"), 3),
    ] {
        let mut world = World::synced(TEAM);
        world.set("sync.on_conflict", policy);
        world.edit("Ada,ada@engines.example,Countess", "Ada,ada@lace.example,Lady");
        world.change("Ada", "title", "Dame");
        world.change("Ada", "email", "ada@linq.example");
        world.once().expect(exit);
        assert_eq!(titles(&world), title, "{policy}");
        let mail = match policy {
            "{ title = \"linq\" }" => "ada@linq.example",
            _ if exit == 0 => "ada@lace.example",
            _ => "ada@linq.example",
        };
        assert_eq!(world.contact("Ada").email.as_deref(), Some(mail), "{policy}");
    }
}
