//! A Linq that fails, answers nonsense, or is not there.

use std::time::Duration;

use linqsync::sandbox::RouteKind;

use crate::harness::{PrintedRun, TestFiles, World, people};

/// Something to do for every kind of request: person 4 is new, 1 was edited, 2 was
/// removed from the source and 3 from Linq.
fn busy() -> World {
    let world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    world.write(world.text().replace(&people::row(2), "") + &people::row(4));
    world.remove("First003");
    world
}

/// What a run in a busy world needs when nothing fails.
fn undisturbed() -> u64 {
    requests(&busy().once().expect(0))
}

fn requests(run: &PrintedRun) -> u64 {
    let kinds = ["list", "find", "get", "create", "update", "delete"];
    kinds.iter().map(|kind| run.requests(kind)).sum()
}

/// Makes a run in a busy world in which each of these faults strikes once, and
/// expects everything to be done as if nothing had happened.
#[track_caller]
fn overcome(faults: &[&str], undisturbed: u64) {
    let world = busy();
    for fault in faults {
        world.fault(&format!("{fault} times=1"));
    }
    let run = world.once();
    assert_eq!(run.ended.code, Some(0), "{faults:?}: {:#}\n{}", run.json, run.ended.stderr);
    assert_eq!((run.linq(), run.source()), ([2, 1, 1, 1], [2, 0, 0, 1]), "{faults:?}");
    assert_eq!(world.people_in_linq(), world.people_in_csv(), "{faults:?}");
    let repeated = requests(&run) - undisturbed;
    assert!(repeated >= faults.len() as u64, "{faults:?} did not all strike: {:#}", run.json);
    world.expect_silence();
}

#[test]
fn one_500_of_any_kind_of_request_is_overcome_without_a_duplicate() {
    let undisturbed = undisturbed();
    for kind in ["list", "find", "get", "create", "update", "delete"] {
        overcome(&[&format!("{kind} status=500")], undisturbed);
    }
}

#[test]
fn a_dropped_connection_for_every_kind_of_request_is_overcome_without_a_duplicate() {
    let kinds = ["list", "find", "get", "create", "update", "delete"];
    let faults = kinds.map(|kind| format!("{kind} drop-before"));
    overcome(&faults.each_ref().map(String::as_str), undisturbed());
}

#[test]
fn a_write_that_landed_without_an_answer_is_not_made_twice() {
    let undisturbed = undisturbed();
    for fault in ["drop-after", "status=500 after"] {
        let faults = ["create", "update", "delete"].map(|kind| format!("{kind} {fault}"));
        overcome(&faults.each_ref().map(String::as_str), undisturbed);
    }
}

#[test]
fn a_create_that_landed_and_was_answered_with_nonsense_is_adopted() {
    let undisturbed = undisturbed();
    for reply in ["empty after", "html after", "truncate"] {
        overcome(&[&format!("create {reply}")], undisturbed);
    }
}

#[test]
fn a_create_without_an_answer_is_adopted_though_find_cannot_see_the_person() {
    let world = World::with_csv("First Name,Last Name,Company\nAda,King,Engines\nBo,Wang,\n");
    world.fault("create drop-after times=2");
    let run = world.once().expect(0);
    assert_eq!((world.requests(RouteKind::Create).len(), world.linq().contacts().len()), (2, 2));
    assert_eq!((run.linq(), run.count("linked"), run.count("in_sync")), ([2, 2, 0, 0], 0, 2));
    world.expect_silence();
}

#[test]
fn a_create_that_did_not_land_is_sent_again_once_that_is_certain() {
    let world = World::with_csv("First Name,Last Name,Company\nAda,King,Engines\n");
    world.fault("create drop-before times=1");
    let run = world.once().expect(0);
    assert_eq!((world.requests(RouteKind::Create).len(), world.linq().contacts().len()), (2, 1));
    assert_eq!((run.linq(), run.count("in_sync")), ([1, 1, 0, 0], 1));
    world.expect_silence();
}

#[test]
fn retry_after_is_obeyed() {
    let world = busy();
    // Without it the wait would be half a second at most.
    world.fault("list status=429 retry-after=1 times=1");
    let run = world.once().expect(0);
    assert!(run.ended.took >= Duration::from_secs(1), "{:?}", run.ended.took);
    assert_eq!(run.requests("retries"), 1);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
}

#[test]
fn too_many_requests_at_a_create_make_no_duplicate() {
    overcome(&["create status=429 retry-after=1"], undisturbed());
}

/// A run that fails with this code and changes nothing on either side.
#[track_caller]
fn expect_failure(world: &World, code: i32) -> PrintedRun {
    let (contacts, file) = (world.linq().contacts(), TestFiles::at(&world.csv()));
    let run = world.once().expect(code);
    assert_eq!(run.json["error"]["code"], code);
    assert!(!run.message().is_empty() && run.json["error"]["hint"] != "", "{:#}", run.json);
    assert_eq!(world.linq().contacts(), contacts, "something was written to Linq");
    assert_eq!(TestFiles::at(&world.csv()), file, "the source was touched");
    run
}

#[test]
fn nonsense_in_place_of_the_listing_is_not_believed() {
    let world = busy();
    for fault in ["html", "empty", "truncate", "status=500", "status=302", "status=404"] {
        world.fault(&format!("list {fault}"));
        expect_failure(&world, 6);
        assert_eq!(world.writes(), [], "{fault}");
        world.linq().clear_faults();
    }
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 1, 1, 1], [2, 0, 0, 1]));
}

#[test]
fn nonsense_in_place_of_a_single_contact_deletes_nobody() {
    let world = World::synced(&people::csv(1..=3));
    world.remove("First003");
    let nonsense = ["html", "empty", "truncate", "status=500", "status=302", "status=403"];
    // The last is a 404 that is not the documented one: some proxy's, say.
    for fault in nonsense.into_iter().chain(["status=404"]) {
        world.fault(&format!("get {fault}"));
        let run = world.once();
        assert_eq!(run.source()[3], 0, "{fault}");
        assert_eq!((world.writes(), world.text()), (vec![], people::csv(1..=3)), "{fault}");
        world.linq().clear_faults();
    }
    assert_eq!(world.once().expect(0).source()[3], 1);
}

#[test]
fn a_linq_that_is_not_there_changes_nothing_and_the_next_run_catches_up() {
    let mut world = busy();
    world.unplug();
    let run = expect_failure(&world, 6);
    assert_eq!(world.linq().requests(), []);
    assert!(run.requests("list") >= 1, "attempts count: {:#}", run.json);
}

#[test]
fn a_wrong_token_is_refused_after_one_request_and_changes_nothing() {
    let world = busy();
    std::fs::write(world.path("linq.token"), "another-token\n").unwrap();
    let run = expect_failure(&world, 5);
    assert_eq!((world.linq().requests().len(), requests(&run)), (1, 1));
    assert!(run.message().contains("401"), "{}", run.message());
}

#[test]
fn a_token_that_is_refused_in_the_middle_stops_every_write() {
    // A 403 may be about one contact: only if the listing is refused as well it is not.
    for faults in [
        &["create status=401 nth=10 times=1000"][..],
        &["create status=403 nth=10 times=1000", "list status=403 nth=2 times=1000"],
    ] {
        let world = World::with_csv(&people::csv(1..=50));
        for fault in faults {
            world.fault(fault);
        }
        let run = world.once().expect(5);
        // Four are under way at a time.
        let sent = world.requests(RouteKind::Create).len();
        assert!((10..=13).contains(&sent), "{sent} creates");
        assert_eq!(run.linq()[1], 9);
        world.linq().clear_faults();
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.count("in_sync")), ([50, 41, 0, 0], 50));
        world.expect_silence();
    }
}

#[test]
fn who_alone_is_refused_with_403_waits_and_stops_nobody() {
    let world = World::with_csv(&people::csv(1..=12));
    world.fault("create status=403 nth=5 times=1");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("rejected")), (11, 1), "{:#}", run.json);
}

#[test]
fn a_linq_that_fails_in_the_middle_keeps_what_landed_and_the_next_run_goes_on() {
    let world = busy();
    world.fault("delete status=503");
    let run = world.once().expect(6);
    assert_eq!(run.linq(), [3, 1, 1, 0]);
    world.linq().clear_faults();
    assert_eq!(world.once().expect(0).linq(), [2, 0, 0, 1]);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn a_listing_that_is_said_to_be_longer_than_it_is_leaves_the_run_unfinished() {
    // More than are asked for one by one.
    let world = World::synced(&people::csv(1..=12));
    world.edit("Title 001", "Chief");
    world.fault("list lie=empty-page");
    let run = world.once().expect(3);
    assert_eq!((run.count("skipped"), run.count("in_sync")), (12, 0));
    assert!(run.notices().contains("could not be seen in Linq"), "{:#}", run.json);
}
