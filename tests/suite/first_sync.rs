//! The first run, and the one after it.

use crate::harness::{World, people};

#[test]
fn two_hundred_and_fifty_rows_are_created_in_an_empty_linq_and_the_next_run_is_silent() {
    let world = World::with_csv(&people::csv(1..=250));
    let before = world.text();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([250, 250, 0, 0], [250, 0, 0, 0]));
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 250));
    assert_eq!((run.requests("create"), run.requests("retries")), (250, 0));
    assert_eq!(run.json["run"], 1);
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    assert_eq!(world.text(), before);
    world.expect_silence();
}

#[test]
fn two_hundred_and_thirty_contacts_become_rows_and_the_next_run_is_silent() {
    let world = World::with_contacts(230);
    world.write(people::HEADER);
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([230, 0, 0, 0], [230, 230, 0, 0]));
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 230));
    assert_eq!(world.writes(), []);
    assert_eq!(world.people_in_csv(), world.people_in_linq());
    world.expect_silence();
}

#[test]
fn forty_people_spelled_differently_on_both_sides_are_linked_without_any_write() {
    let world = World::with_csv(&people::csv(1..=40));
    for n in 1..=40 {
        let [first, last, email, phone, company, title] = people::person(n);
        let local = &phone["+1415".len()..];
        let phone = format!("(415) {}-{}", &local[..3], &local[3..]);
        let email = email.to_uppercase();
        let values = [first, last, email, phone, company, title];
        let members = people::MEMBERS.into_iter().zip(values.iter().map(String::as_str));
        world.linq().insert(members).unwrap();
    }
    let before = world.text();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([40, 0, 0, 0], [40, 0, 0, 0]));
    assert_eq!((run.count("linked"), run.count("in_sync")), (40, 40));
    assert_eq!((world.writes(), world.text()), (vec![], before));
    world.expect_silence();
}

#[test]
fn the_first_run_fills_blanks_on_both_sides_and_deletes_nobody() {
    let world = World::with_csv(
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Ada,King,ada@engines.example,,Engines,\n\
         Bo,Wang,bo@lanterns.example,,,\n",
    );
    let linq = world.linq();
    let ada = [("first_name", "Ada"), ("email", "ada@engines.example"), ("title", "Countess")];
    linq.insert(ada.into_iter().chain([("phone_number", "+14155552671")])).unwrap();
    linq.insert([("first_name", "Cy"), ("last_name", "Young")]).unwrap();

    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([3, 1, 1, 0], [3, 1, 1, 0]));
    assert_eq!((run.count("linked"), run.count("in_sync")), (1, 3));
    assert_eq!(
        world.text(),
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Ada,King,ada@engines.example,+14155552671,Engines,Countess\n\
         Bo,Wang,bo@lanterns.example,,,\n\
         Cy,Young,,,,\n"
    );
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    world.expect_silence();
}

#[test]
fn two_people_who_share_a_mailbox_are_not_joined_and_nothing_happens_to_them() {
    let world = World::with_csv("First Name,Last Name,Email\nAda,King,office@engines.example\n");
    let other = [("first_name", "Bo"), ("last_name", "Wang"), ("email", "office@engines.example")];
    world.linq().insert(other).unwrap();
    let before = world.text();
    let run = world.once().expect(3);
    assert_eq!((run.count("ambiguous"), run.count("linked")), (1, 0));
    assert_eq!((world.writes(), world.text()), (vec![], before));
}

#[test]
fn rows_that_look_like_one_person_are_created_once_and_the_others_wait() {
    let twice = people::csv(1..=2) + &people::row(2);
    let world = World::with_csv(&twice);
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("ambiguous")), (2, 1));
    let again = world.once().expect(3);
    assert_eq!((again.linq(), again.count("ambiguous")), ([2, 0, 0, 0], 1));
    assert_eq!(world.text(), twice);
}

#[test]
fn a_search_that_fails_after_a_create_is_no_failure_of_the_create() {
    let world = World::with_csv(&people::csv(1..=3));
    // The first two look for the first row; the third tries what one search can find.
    world.fault("find status=422 nth=3");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[1], run.count("in_sync")), (3, 3), "{:#}", run.json);
    world.expect_silence();
}
