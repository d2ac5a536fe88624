//! Listings that cannot be trusted: nobody is taken to be gone on their word, and
//! what they do show is used.

use linqsync::sandbox::RouteKind;

use crate::harness::{PrintedRun, World, people};

/// Thirty pairs, ten to a page. Somebody was deleted in Linq, somebody edited there,
/// and somebody added.
fn moved(quirks: &[&str]) -> World {
    let world = World::with_quirks(&[quirks, &["per-page=10"]].concat());
    world.write(people::csv(1..=30));
    world.sync();
    world.remove("First005");
    world.change("First006", "title", "Captain");
    world.linq().insert([("first_name", "First031"), ("email", "p031@people.example")]).unwrap();
    world
}

#[track_caller]
fn expect_everything(world: &World, run: &PrintedRun, what: &str) {
    assert_eq!(run.ended.code, Some(0), "{what}: {:#}\n{}", run.json, run.ended.stderr);
    assert_eq!((run.source(), world.writes()), ([30, 1, 1, 1], vec![]), "{what}");
    assert_eq!(world.people_in_linq(), world.people_in_csv(), "{what}");
    world.expect_silence();
}

const LIES: [&str; 8] =
    ["short", "empty-page", "repeat", "twice", "more", "fewer", "no-totals", "no-ids"];

#[test]
fn a_page_that_lies_once_is_read_again_or_deletes_nobody_in_that_run() {
    for lie in LIES {
        let world = moved(&[]);
        world.fault(&format!("list lie={lie} nth=2"));
        let run = world.once();
        match lie {
            // Another walk cannot be known to mend it, and is not made.
            "no-ids" => assert_eq!(run.source()[3], 0, "{lie}"),
            _ => expect_everything(&world, &run, lie),
        }
    }
}

#[test]
fn a_listing_that_always_lies_deletes_nobody_and_what_it_shows_is_used() {
    for lie in LIES {
        let world = moved(&[]);
        world.fault(&format!("list lie={lie}"));
        let run = world.once();
        assert!(matches!(run.ended.code, Some(0 | 3 | 6)), "{lie}: {:#}", run.json);
        // Only where the whole is still beyond doubt somebody may go, and only the one
        // who is gone.
        let gone = u64::from(lie == "twice");
        assert_eq!(run.source()[3], gone, "{lie}: {:#}", run.json);
        assert_eq!(world.writes(), [], "{lie}");
        assert!(world.requests(RouteKind::List).len() <= 3 * 5, "{lie}: a budget of three walks");
        assert!(world.text().matches("@people.example").count() >= 29, "{lie}");
        world.linq().clear_faults();
        world.once().expect(0);
        assert_eq!(world.people_in_linq(), world.people_in_csv(), "{lie}");
        world.expect_silence();
    }
}

#[test]
fn who_is_not_in_a_listing_in_parts_is_asked_for_where_that_are_few() {
    let world = World::with_quirks(&["per-page=10"]);
    world.write(people::csv(1..=30));
    world.sync();
    // Each page lacks its last contact, however often it is read.
    world.fault("list lie=short");
    world.edit("Title 030", "Chief");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([30, 0, 1, 0], [30, 0, 0, 0]), "{:#}", run.json);
    assert_eq!((run.count("in_sync"), run.requests("get")), (30, 3));
    world.linq().clear_faults();
    world.expect_silence();
}

#[test]
fn who_is_gone_from_a_listing_in_parts_waits_for_a_whole_one_and_for_nobody() {
    let world = World::with_quirks(&["per-page=10"]);
    world.write(people::csv(1..=30));
    world.sync();
    world.remove("First005");
    world.edit("Title 006", "Chief");
    world.fault("list lie=fewer");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([29, 0, 1, 0], [30, 0, 0, 0]), "{:#}", run.json);
    assert!(run.notices().contains("1 linked contact seems to be gone"), "{}", run.notices());
    world.linq().clear_faults();
    assert_eq!(world.once().expect(0).source(), [29, 0, 0, 1]);
    world.expect_silence();
}

#[test]
fn who_is_gone_while_the_listing_always_moves_is_asked_for_in_several_runs_and_then_removed() {
    let world = World::with_quirks(&["per-page=10"]);
    world.write(people::csv(1..=30));
    world.sync();
    world.remove("First005");
    world.fault("list lie=fewer");
    for _ in 0..4 {
        let run = world.once().expect(0);
        assert_eq!(run.source(), [30, 0, 0, 0], "{:#}", run.json);
        assert!(run.notices().contains("1 linked contact seems to be gone"), "{}", run.notices());
    }
    let state = rusqlite::Connection::open(world.path("state/state.db")).unwrap();
    let older = "UPDATE not_found SET since = since - 600000";
    assert_eq!(state.execute(older, []).unwrap(), 1);
    drop(state);
    let run = world.once().expect(0);
    assert_eq!(run.source(), [29, 0, 0, 1], "{:#}", run.json);
    assert!(run.notices().contains("did not exist when asked for in 5 runs"), "{}", run.notices());
    assert_eq!(world.writes(), []);
    world.linq().clear_faults();
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn many_who_are_not_in_a_listing_in_parts_are_told_and_not_asked_for() {
    let world = World::with_quirks(&["per-page=20"]);
    world.write(people::csv(1..=60));
    world.sync();
    world.fault("list lie=empty-page");
    let run = world.once().expect(3);
    assert_eq!((run.source(), world.writes()), ([60, 0, 0, 0], vec![]));
    assert_eq!((run.count("skipped"), run.requests("get")), (60, 0), "{:#}", run.json);
    world.linq().clear_faults();
    world.expect_silence();
}

#[test]
fn a_contact_that_is_deleted_just_before_it_is_written_waits_for_the_next_run_and_for_nobody() {
    let world = World::synced(&people::csv(1..=4));
    world.edit("Title 002", "Chief");
    world.edit(&people::row(3), "");
    world.edit("Title 004", "Pilot");
    let (linq, going) =
        (world.linq().clone(), ["First002", "First003"].map(|n| world.contact(n).id));
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::ObservedMoment::Arrived;
        for id in going.iter().filter(|id| request.path.ends_with(&id.to_string())) {
            let _ = (arrived && request.method != "GET").then(|| linq.remove(*id));
        }
    }));
    let run = world.once().expect(0);
    world.linq().dismiss_witness();
    assert_eq!((run.linq()[2], run.source()), (1, [3, 0, 0, 0]), "{:#}", run.json);
    assert!(run.notices().contains("1 linked contact seems to be gone"), "{}", run.notices());
    // An edit in the source beats a deletion in Linq.
    assert_eq!(world.once().expect(0).linq(), [3, 1, 0, 0]);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Chief"));
    world.expect_silence();
}

#[test]
fn a_field_that_the_listing_does_not_show_is_not_cleared() {
    for blanks in ["blanks=null", "blanks=absent"] {
        let world = World::with_quirks(&[blanks]);
        world.write(people::csv(1..=12));
        world.sync();
        let text = world.text();
        // Linq is changed, and its listing shows no e-mail any more.
        world.quirks(&[blanks, "list-lacks=email"]);
        world.change("First002", "title", "Captain");
        world.change("First003", "email", "third@people.example");
        world.edit("Title 004", "Chief");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[2], run.source()[2]), (1, 2), "{blanks}: {:#}", run.json);
        let expected = text
            .replace("Title 002", "Captain")
            .replace("p003@people", "third@people")
            .replace("Title 004", "Chief");
        assert_eq!(world.text(), expected, "{blanks}");
        // Three witnesses, and the two that were changed in Linq.
        assert!(run.requests("get") <= 5, "{blanks}: {:#}", run.json);
        world.linq().forget_requests();
        let run = world.once().expect(0);
        assert_eq!((world.writes(), world.text()), (vec![], expected), "{blanks}");
        assert!(run.requests("get") <= 3, "{blanks}: {:#}", run.json);
        world.quirks(&[blanks]);
        world.expect_silence();
    }
}

#[test]
fn a_field_that_is_blank_for_everybody_is_cleared_although_no_contact_mentions_it() {
    let world = World::with_quirks(&["blanks=absent"]);
    world.write("First Name,Email,Title\nAda,a@e.example,Countess\nBo,b@e.example,\n");
    world.sync();
    world.change("Ada", "title", "");
    let run = world.once().expect(0);
    assert_eq!((run.source()[2], run.requests("get")), (1, 1), "{:#}", run.json);
    assert!(!world.text().contains("Countess"), "{}", world.text());
    world.run(&["verify"]).expect(0);
}

#[test]
fn a_first_run_knows_everybody_by_their_e_mail_although_the_listing_does_not_show_it() {
    let world = World::with_quirks(&["list-lacks=email"]);
    for n in 1..=5 {
        let email = format!("p{n:03}@people.example");
        world.linq().insert([("first_name", "X"), ("email", &*email)]).unwrap();
    }
    let rows: Vec<String> = (1..=5).map(|n| format!("X,p{n:03}@people.example")).collect();
    world.write(format!("First Name,Email\n{}\n", rows.join("\n")));
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (5, 0, 0), "{:#}", run.json);
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!(world.writes(), []);
}

#[test]
fn pages_of_any_size_and_order_and_whatever_comes_past_the_end_make_one_whole() {
    for quirks in [
        &["per-page=1"][..],
        &["per-page=7", "past-end=last"],
        &["per-page=100", "past-end=missing"],
        &["per-page=1000", "order=created-desc"],
        &["order=updated-desc", "blanks=absent"],
    ] {
        let world = moved(quirks);
        expect_everything(&world, &world.once(), &format!("{quirks:?}"));
    }
}

#[test]
fn a_linq_that_counts_pages_of_a_hundred_and_fills_them_with_25_is_read_whole() {
    let world = World::with_contacts(250);
    world.write(people::HEADER);
    world.fault("list lie=page-size");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[0], run.source()[1], world.writes()), (250, 250, vec![]));
}

#[test]
fn more_missing_than_the_guard_allows_is_held_without_a_storm_of_requests() {
    let world = World::synced(&people::csv(1..=60));
    for n in 1..=40 {
        world.remove(&format!("First{n:03}"));
    }
    let run = world.once().expect(4);
    assert_eq!((run.source(), world.writes()), ([60, 0, 0, 0], vec![]));
    assert!(world.requests(RouteKind::Get).len() <= 10, "{:#}", run.json);
}

#[test]
fn a_contact_that_goes_while_it_is_asked_whether_anybody_answers_alarms_nobody() {
    let world = World::synced(&people::csv(1..=6));
    world.remove("First006");
    // The one who is asked for first.
    let (linq, id) = (world.linq().clone(), world.linq().contacts()[0].id);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::ObservedMoment::Arrived;
        if arrived && request.path.ends_with(&id.to_string()) {
            let _ = linq.remove(id);
        }
    }));
    assert_eq!(world.once().expect(0).source()[3], 1);
    world.linq().dismiss_witness();
    assert_eq!(world.once().expect(0).source()[3], 1);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
}
