//! Which record and which contact are the same: nothing is doubled, and nothing that may
//! be somebody else is joined without asking.

use crate::harness::World;

const HEADER: &str = "First Name,Last Name,Email,Phone,Company,Title\n";

fn world(rows: &[&str]) -> World {
    World::with_csv(&format!("{HEADER}{}\n", rows.join("\n")))
}

/// A contact in Linq with some members.
fn insert(world: &World, members: &[(&'static str, &str)]) -> u64 {
    world.linq().insert(members.iter().copied()).unwrap()
}

#[test]
fn contacts_with_nothing_but_a_name_are_recognised_when_the_state_is_lost() {
    let world = world(&["Ann,Bell,,,,", "Bob,Cole,,,,"]);
    world.sync();
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let text = world.text();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 0], [2, 0, 0, 0]), "{:#}", run.json);
    assert_eq!((run.count("linked"), world.text()), (2, text));
    world.expect_silence();
}

#[test]
fn what_is_equal_in_every_field_is_joined_and_an_equal_name_alone_is_asked_about() {
    for (row, member, joined) in [
        ("Ann,Bell,,,Acme,Chief", ("title", "Chief"), false),
        ("Ann,Bell,,,,Chief", ("title", "Chief "), true),
        ("Ann,Bell,,,,Chief", ("title", ""), false),
        ("Ann,Bell,ann@x.example,,,", ("email", "ann.bell@x.example"), false),
        ("Ann,Bell,,+14155552671,,", ("phone_number", "+14155552672"), false),
        ("Ann Bell,,,,,", ("title", ""), false),
    ] {
        let world = world(&[row]);
        insert(&world, &[("first_name", "Ann"), ("last_name", "Bell"), member]);
        let run = world.once();
        let told = format!("{row}: {:#}", run.json);
        if joined {
            assert_eq!(run.expect(0).count("linked"), 1, "{told}");
        } else {
            let run = run.expect(3);
            assert_eq!((run.count("ambiguous"), world.writes()), (1, vec![]), "{told}");
            let listed = world.run(&["list", "ambiguous"]).expect(0).stdout;
            assert!(listed.contains("same name"), "{listed}");
        }
    }
}

#[test]
fn of_several_that_are_equal_in_every_field_none_is_joined_by_chance() {
    let world = world(&["Ann,Bell,,,,", "Cy,Dee,,,,"]);
    for _ in 0..2 {
        insert(&world, &[("first_name", "Ann"), ("last_name", "Bell")]);
    }
    insert(&world, &[("first_name", "Cy"), ("last_name", "Dee")]);
    let run = world.once().expect(3);
    assert_eq!((run.count("linked"), run.count("ambiguous")), (1, 1), "{:#}", run.json);
    assert_eq!(world.linq().contacts().len(), 3);
}

#[test]
fn two_rows_with_one_name_and_nothing_that_speaks_against_it_are_created_once() {
    let rows = ["Ann,Bell,ann@x.example,,,", "Ann,Bell,,+14155552671,,"];
    let world = world(&rows);
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (1, 1), "{:#}", run.json);
    world.run(&["resolve", "row:3", "--separate"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!(run.linq()[1], 1, "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn two_of_one_name_with_different_addresses_are_two_and_are_listed() {
    let world = world(&["Ann,Bell,ann@x.example,,,", "Ann,Bell,bell@y.example,,,"]);
    let run = world.once().expect(0);
    assert_eq!(run.linq()[1], 2, "{:#}", run.json);
    let listed = world.run(&["list", "duplicates"]).expect(0).stdout;
    assert!(listed.matches("Ann Bell").count() >= 2, "{listed}");
}

#[test]
fn rows_with_the_same_bytes_have_questions_of_their_own() {
    let world = world(&["Ann,Bell,,,,", "Ann,Bell,,,,", "Ann,Bell,,,,"]);
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (1, 2), "{:#}", run.json);
    world.run(&["resolve", "row:3", "--separate"]).expect(0);
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (1, 1), "{:#}", run.json);
    world.run(&["resolve", "row:4", "--separate"]).expect(0);
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], world.linq().contacts().len()), (1, 3), "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn a_half_name_is_not_filled_beside_a_clash_of_the_other_half() {
    for (take, name) in [("linq", ["Ann Bell", ""]), ("source", ["Ann", "Bell"])] {
        let world = world(&["Ann,Bell,ann@x.example,,,"]);
        insert(&world, &[("first_name", "Ann Bell"), ("email", "ann@x.example")]);
        let run = world.once().expect(3);
        assert_eq!((run.count("conflicts"), world.writes()), (1, vec![]), "{:#}", run.json);
        world.run(&["resolve", "ann@x.example", "--take", take]).expect(0);
        world.once().expect(0);
        let ann = &world.linq().contacts()[0];
        let shown = [&ann.first_name, &ann.last_name].map(|name| name.clone().unwrap_or_default());
        assert_eq!(shown, name, "{take}");
        world.expect_silence();
    }
}

#[test]
fn a_half_name_that_the_other_side_has_already_is_not_added_to_it() {
    let world = world(&["Ann,Bell,ann@x.example,,,"]);
    insert(&world, &[("first_name", "Ann Bell"), ("email", "ann@x.example")]);
    world.once().expect(3);
    world.run(&["resolve", "ann@x.example", "--field", "first_name", "--take", "linq"]).expect(0);
    world.once().expect(3);
    assert_eq!(world.linq().contacts()[0].last_name.as_deref().unwrap_or_default(), "");
}

#[test]
fn another_address_of_the_row_that_linq_takes_overwrites_nothing() {
    let text = "First Name,Email,Email 2\nAda,ada@x.example,ada@home.example\nBo,bo@x.example,\n";
    let world = World::synced(text);
    world.change("Ada", "email", "ada@home.example");
    let run = world.once().expect(0);
    assert_eq!((run.source()[2], world.text()), (0, text.to_owned()), "{:#}", run.json);
    world.expect_silence();
    // From now on that one is the same on both sides.
    world.change("Ada", "email", "ada@new.example");
    world.once().expect(0);
    assert!(world.text().contains("Ada,ada@x.example,ada@new.example"), "{}", world.text());
}

/// How many requests creating some contacts costs, the listing aside.
fn cost_of_creating(world: &World, contacts: usize) -> usize {
    let row = |n: usize| format!("P{n},Q{n},p{n}@x.example,+1415{n:07},,\n");
    let rows: String = (2_000_000..).take(contacts).map(row).collect();
    world.write(format!("{HEADER}{rows}"));
    let run = world.once().expect(0);
    assert_eq!(run.linq()[1], contacts as u64, "{:#}", run.json);
    let requests = run.requests("find") + run.requests("create") + run.requests("get");
    usize::try_from(requests).unwrap()
}

#[test]
fn creating_a_contact_costs_two_requests() {
    let mut world = World::new();
    insert(
        &world,
        &[("first_name", "Z"), ("email", "z@x.example"), ("phone_number", "+14155552671")],
    );
    world.set("sync.direction", "\"push\"");
    // Two to see that one search finds whom either of two finds.
    assert_eq!(cost_of_creating(&world, 50), 2 * 50 + 2);
}

#[test]
fn creating_the_first_contacts_costs_little_more() {
    // Of the first, e-mail address and number are asked for apart.
    assert_eq!(cost_of_creating(&World::new(), 100), 2 * 100 + 3);
}

#[test]
fn a_linq_that_finds_only_who_has_both_is_asked_for_each() {
    let mut world = World::new();
    world.set("sync.direction", "\"push\"");
    world.quirks(&["find-joins=all"]);
    insert(
        &world,
        &[("first_name", "Z"), ("email", "z@x.example"), ("phone_number", "+14155552671")],
    );
    assert!(cost_of_creating(&world, 10) >= 3 * 10);
}
