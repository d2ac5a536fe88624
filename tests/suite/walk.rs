//! Listings that cannot be trusted: nobody is taken to be gone on their word, and
//! what they do show is used.

use linqsync::sandbox::Kind;

use crate::harness::{Run, World, people};

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
fn expect_everything(world: &World, run: &Run, what: &str) {
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
        assert!(world.requests(Kind::List).len() <= 3 * 5, "{lie}: a budget of three walks");
        assert!(world.text().matches("@people.example").count() >= 29, "{lie}");
        world.linq().clear_faults();
        world.once().expect(0);
        assert_eq!(world.people_in_linq(), world.people_in_csv(), "{lie}");
        world.expect_silence();
    }
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
    assert!(world.requests(Kind::Get).len() <= 10, "{:#}", run.json);
}

#[test]
fn a_contact_that_goes_while_it_is_asked_whether_anybody_answers_alarms_nobody() {
    let world = World::synced(&people::csv(1..=6));
    world.remove("First006");
    // The one who is asked for first.
    let (linq, id) = (world.linq().clone(), world.linq().contacts()[0].id);
    world.linq().set_witness(std::sync::Arc::new(move |moment, request| {
        let arrived = moment == linqsync::sandbox::Moment::Arrived;
        if arrived && request.path.ends_with(&id.to_string()) {
            let _ = linq.remove(id);
        }
    }));
    assert_eq!(world.once().expect(0).source()[3], 1);
    world.linq().dismiss_witness();
    assert_eq!(world.once().expect(0).source()[3], 1);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
}
