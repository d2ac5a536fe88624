//! Creates of which nobody knows whether they arrived, and answers that are not what
//! was asked for: nobody is there twice, and nobody is sent for ever.

use std::time::Duration;

use linqsync::sandbox::RouteKind;

use crate::harness::{World, people, wait_until};

/// A person whom find sees, and one whom it does not.
const TWO: &str = "First Name,Last Name,Email,Phone,Company,Title\n\
                   ada maria,king,ada@people.example,(415) 555-0001,Engines and more,Countess\n\
                   bo,wang,,,Works of the north,Pilot\n";

/// Every way in which Linq may keep something else than it was sent, or show it late.
const READINGS: [&[&str]; 15] = [
    &[],
    &["phone=raw"],
    &["phone=any", "blanks=absent"],
    &["title-case", "blanks=empty"],
    &["truncate=6"],
    &["late-visibility=1"],
    &["late-visibility=2", "order=created-desc"],
    &["find-shape=contact", "order=updated-desc"],
    &["find-shape=data", "duplicates=merge"],
    &["duplicates=refuse", "owner-reset"],
    &["find-phones=kept", "phone=raw"],
    &["find-picks=last", "errors=typed"],
    &["trim", "lower-email", "drop-emoji"],
    &["updated-at=stays"],
    &["unknown-users", "errors=html"],
];

/// The two of them; find sees both where Linq shows a contact only to the third who looks: for
/// whom find does not see, two listings are all that is looked at.
fn two(quirks: &[&str]) -> String {
    if quirks.contains(&"late-visibility=2") {
        return TWO.replace("bo,wang,,", "bo,wang,bo@people.example,");
    }
    TWO.to_owned()
}

/// What Linq does not show yet it shows after some more looks.
fn expect_silence_in_the_end(world: &World, quirks: &[&str]) {
    if quirks.iter().any(|quirk| quirk.starts_with("late-visibility")) {
        (0..4).for_each(|_| drop(world.plan()));
    }
    world.expect_silence();
}

#[test]
fn a_create_without_an_answer_is_adopted_under_every_reading_of_the_documents() {
    for quirks in READINGS {
        for fault in [
            "drop-after",
            "status=502 after",
            "empty after",
            "html after",
            "truncate",
            "lie=no-ids",
        ] {
            let world = World::with_quirks(quirks);
            world.write(two(quirks));
            world.fault(&format!("create {fault} times=2"));
            let run = world.once();
            let told = format!("{quirks:?} {fault}: {:#}\n{}", run.json, run.ended.stderr);
            assert_eq!(run.ended.code, Some(0), "{told}");
            assert_eq!(world.requests(RouteKind::Create).len(), 2, "{told}");
            assert_eq!((world.linq().contacts().len(), run.linq()[1]), (2, 2), "{told}");
            expect_silence_in_the_end(&world, quirks);
        }
    }
}

#[test]
fn a_create_that_was_lost_is_sent_again_under_every_reading_of_the_documents() {
    for quirks in READINGS {
        let world = World::with_quirks(quirks);
        world.write(TWO);
        world.fault("create drop-before times=2");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[1], world.requests(RouteKind::Create).len()), (2, 4), "{quirks:?}");
        assert_eq!(world.linq().contacts().len(), 2, "{quirks:?}");
        expect_silence_in_the_end(&world, quirks);
    }
}

#[test]
fn a_create_is_recognised_whatever_the_clock_of_linq_shows() {
    for ahead in [-3_600, 3_600, -40 * 86_400] {
        let mut world = World::with_linq_ahead(ahead);
        world.set("linq.settle", "\"1s\"");
        world.write(TWO);
        world.fault("create drop-after times=2");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[1], world.requests(RouteKind::Create).len()), (2, 2), "{ahead}");
        // The same when the process is killed before it can look.
        world.write(format!("{TWO}cy,young,,,Mill,Miller\n"));
        world.fault("create drop-after");
        let process = world.start(&["--once"]);
        wait_until("it has arrived", || world.linq().contacts().len() == 3);
        process.kill();
        let run = world.once().expect(0);
        assert_eq!(world.linq().contacts().len(), 3, "{ahead}: {:#}", run.json);
        world.expect_silence();
    }
}

#[test]
fn a_contact_that_was_there_before_is_not_taken_for_what_a_create_has_made() {
    // A listing showed her, and the create of the very same row was lost since.
    let mut world = World::with_linq_ahead(-3_600);
    world.set("sync.direction", "\"push\"");
    let bare = [("first_name", "Ann"), ("last_name", "Bell")];
    world.linq().insert(bare.into_iter().chain([("title", "Cook")])).unwrap();
    world.write("First Name,Last Name,Title\nAnn,Bell,Pilot\n");
    let run = world.once().expect(3);
    assert_eq!((run.count("ambiguous"), world.writes()), (1, vec![]), "{:#}", run.json);
    world.run(&["resolve", "row:2", "--separate"]).expect(0);
    world.fault("create drop-before times=1");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], world.linq().contacts().len()), (1, 2), "{:#}", run.json);
}

#[test]
fn a_create_that_linq_carries_out_after_the_timeout_is_found_before_it_is_sent_again() {
    let mut world = World::with_csv(TWO);
    world.set("linq.timeout", "\"300ms\"").set("linq.settle", "\"3s\"");
    world.fault("create delay=900ms times=2");
    let run = world.once().expect(0);
    assert!(run.ended.stderr.contains("no answer to a create"), "{}", run.ended.stderr);
    assert!(run.ended.took >= Duration::from_secs(3), "{:?}", run.ended.took);
    assert_eq!((world.requests(RouteKind::Create).len(), world.linq().contacts().len()), (2, 2));
    world.expect_silence();
}

#[test]
fn a_create_that_linq_carries_out_after_a_kill_and_a_restart_is_found_before_it_is_sent_again() {
    let mut world = World::with_csv(TWO);
    world.set("linq.settle", "\"3s\"");
    world.fault("create delay=1s times=2");
    let process = world.start(&["--once"]);
    wait_until("both were sent", || world.requests(RouteKind::Create).len() == 2);
    process.kill();
    assert_eq!(world.linq().contacts().len(), 0, "the restart is to come before the effect");
    let run = world.once().expect(0);
    assert_eq!((world.requests(RouteKind::Create).len(), world.linq().contacts().len()), (2, 2));
    assert_eq!(run.count("in_sync"), 2);
    world.expect_silence();
}

#[test]
fn a_create_that_always_fails_is_sent_a_few_times_and_everything_else_is_done() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("Title 001", "Chief");
    world.change("First002", "title", "Captain");
    world.write(world.text() + &people::row(4));
    world.fault("create status=500");
    let run = world.once().expect(6);
    assert_eq!(world.requests(RouteKind::Create).len(), 3);
    assert!(run.message().contains("everything else was done"), "{}", run.message());
    assert_eq!((run.linq()[2], run.source()[2]), (1, 1));
    assert!(
        world.text().contains("Captain") && world.contact("First001").title.unwrap() == "Chief"
    );
    world.linq().clear_faults();
    assert_eq!(world.once().expect(0).linq()[1], 1);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn a_linq_that_answers_no_create_is_not_sent_everybody() {
    let world = World::with_csv(&people::csv(1..=60));
    world.fault("create status=500");
    world.once().expect(6);
    let sent = world.requests(RouteKind::Create).len();
    assert!(sent <= 3 * (8 + 3), "{sent} creates: eight in doubt, what was under way, three times");
    world.linq().clear_faults();
    assert_eq!(world.once().expect(0).linq()[1], 60);
    world.expect_silence();
}

#[test]
fn one_contact_on_which_linq_always_fails_does_not_stop_the_others() {
    let world = World::synced(&people::csv(1..=6));
    for n in 1..=4 {
        world.edit(&format!("Title 00{n}"), &format!("Chief {n}"));
    }
    world.write(world.text().replace(&people::row(6), ""));
    world.change("First005", "title", "Captain");
    // Each contact is updated at least once before the first is updated again.
    world.fault("update status=500 nth=1 times=2");
    world.fault("update lie=other nth=1 times=1");
    let run = world.once();
    assert!(matches!(run.ended.code, Some(0 | 6)), "{:#}", run.json);
    assert_eq!((run.source()[2], run.linq()[3]), (1, 1), "{:#}\n{}", run.json, run.ended.stderr);
    world.linq().clear_faults();
    world.once().expect(0);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn somebody_whom_linq_takes_for_a_contact_of_another_row_waits_and_doubles_nobody() {
    let world = World::with_quirks(&["duplicates=merge"]);
    world.write("First Name,Last Name,Email,Phone\nAda,King,ada@people.example,\n");
    world.sync();
    world.write(world.text() + "Bo,Wang,bo@people.example,\n");
    // Just before Bo is created, Ada gets that address, and Linq merges the two.
    let (linq, id) = (world.linq().clone(), world.contact("Ada").id);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::ObservedMoment::Arrived;
        if arrived && request.kind == Some(RouteKind::Create) {
            linq.set(id, "email", "bo@people.example").unwrap();
        }
    }));
    let run = world.once().expect(3);
    assert_eq!((world.requests(RouteKind::Create).len(), world.linq().contacts().len()), (1, 1));
    assert!(run.count("rejected") + run.count("ambiguous") > 0, "{:#}", run.json);
    world.linq().dismiss_witness();
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.requests(RouteKind::Create), [], "it is not sent again until it changes");
}

#[test]
fn an_update_without_an_answer_does_not_overwrite_what_somebody_wrote_meanwhile() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("Title 001", "Chief");
    // While the first answer is lost, a colleague edits the same field.
    let (linq, id) = (world.linq().clone(), world.contact("First001").id);
    let met = std::sync::atomic::AtomicBool::new(false);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let carried_out = moment == linqsync::sandbox::ObservedMoment::CarriedOut;
        if carried_out
            && request.kind == Some(RouteKind::Update)
            && !met.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            linq.set(id, "title", "Captain").unwrap();
        }
    }));
    world.fault("update drop-after times=1");
    let run = world.once().expect(3);
    assert_eq!(
        world.requests(RouteKind::Update).len(),
        1,
        "it is looked at before it is sent again"
    );
    assert_eq!(
        (run.count("conflicts"), world.contact("First001").title.as_deref()),
        (1, Some("Captain"))
    );
    assert!(world.text().contains("Chief"));
}

#[test]
fn a_deletion_without_an_answer_is_not_repeated_on_somebody_who_was_edited_meanwhile() {
    let world = World::synced(&people::csv(1..=3));
    world.edit(&people::row(2), "");
    let (linq, id) = (world.linq().clone(), world.contact("First002").id);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::ObservedMoment::Arrived;
        if arrived && request.kind == Some(RouteKind::Delete) {
            linq.set(id, "title", "Captain").unwrap();
        }
    }));
    world.fault("delete drop-before times=1");
    world.once();
    assert_eq!(world.requests(RouteKind::Delete).len(), 1);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Captain"), "an edit beats it");
    world.linq().dismiss_witness();
    world.once().expect(0);
    assert!(world.text().contains("Captain"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn a_number_is_searched_for_in_the_form_that_means_the_same_to_linq() {
    for (region, written, asked) in [
        ("US", "(415) 555-0001", &["%2B14155550001"][..]),
        ("DE", "030 901820", &["%2B4930901820"]),
        ("US", "+44 20 7946 0018", &["%2B442079460018"]),
        // It has no such form, and is asked for as it is.
        ("US", "555-0001", &["555-0001"]),
    ] {
        let mut world = World::with_quirks(&["phone=any"]);
        world.set("sync.region", &format!("\"{region}\""));
        world.write(format!("First Name,Phone\nAda,{written}\n"));
        world.once().expect(0);
        let finds = world.requests(RouteKind::Find);
        let queries: Vec<&str> = finds.iter().map(|request| request.query.as_str()).collect();
        let expected: Vec<String> =
            asked.iter().map(|number| format!("phone_number={number}")).collect();
        assert_eq!(queries, expected, "{region} {written}");
    }
}

/// A world in which Linq asks to be left alone when `kind` comes, and a colleague edits
/// the contact of the second row in that time.
fn edited_during_a_pause(kind: RouteKind) -> World {
    let world = World::synced(&people::csv(1..=3));
    let (linq, id) = (world.linq().clone(), world.contact("First002").id);
    let met = std::sync::atomic::AtomicBool::new(false);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::ObservedMoment::Arrived;
        if arrived
            && request.kind == Some(kind)
            && !met.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            linq.set(id, "title", "Captain").unwrap();
        }
    }));
    world
}

#[test]
fn an_update_that_had_to_wait_does_not_overwrite_what_somebody_wrote_meanwhile() {
    let world = edited_during_a_pause(RouteKind::Update);
    world.fault("update status=429 retry-after=1 times=1");
    world.edit("Title 002", "Chief");
    let run = world.once().expect(3);
    assert_eq!(
        world.requests(RouteKind::Update).len(),
        1,
        "it is looked at before it is sent again"
    );
    assert_eq!(run.count("conflicts"), 1, "{:#}", run.json);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Captain"));
    assert!(world.text().contains("Chief"));
}

#[test]
fn a_deletion_that_had_to_wait_is_not_made_if_somebody_edited_meanwhile() {
    let world = edited_during_a_pause(RouteKind::Delete);
    world.fault("delete status=429 retry-after=1 times=1");
    world.edit(&people::row(2), "");
    world.once();
    assert_eq!(world.requests(RouteKind::Delete).len(), 1);
    assert_eq!(world.contact("First002").title.as_deref(), Some("Captain"), "an edit beats it");
}
