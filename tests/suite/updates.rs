//! What Linq answers to an update, and what it does: neither is believed further than
//! it goes.

use linqsync::sandbox::{ObservedMoment, RouteKind};

use crate::harness::{World, people};

/// How an answer to an update may look.
const ANSWERS: [&[&str]; 5] = [
    &["update-answer=whole"],
    &["update-answer=partial"],
    &["update-answer=partial", "blanks=empty"],
    &["update-answer=partial", "blanks=absent"],
    &["update-answer=partial", "owner-reset", "phone=raw"],
];

#[test]
fn an_answer_with_nothing_but_what_was_sent_clears_nothing() {
    for quirks in ANSWERS {
        let world = World::with_quirks(quirks);
        world.write(people::csv(1..=3));
        world.sync();
        let owner = world.contact("First001").contact_owner;
        world.edit("Title 001", "Chief");
        world.edit("Title 002", "");
        world.edit("p003@people.example", "third@people.example");
        let text = world.text();
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.source()), ([3, 0, 3, 0], [3, 0, 0, 0]), "{quirks:?}");
        assert_eq!(world.text(), text, "{quirks:?}: nothing was cleared in the source");
        assert_eq!(world.people_in_linq(), world.people_in_csv(), "{quirks:?}");
        assert_eq!(world.contact("First001").contact_owner, owner, "{quirks:?}");
        world.expect_silence();
        world.run(&["verify"]).expect(0);
    }
}

#[test]
fn an_owner_that_was_changed_and_is_not_in_the_answer_is_asked_for() {
    for quirks in ANSWERS {
        let mut world = World::with_quirks(quirks);
        world.set("source.columns.owner", "\"Owner\"");
        world.write("First Name,Email,Owner\nAda,a@e.example,sam@linq.example\n");
        world.sync();
        world.edit("sam@linq.example", "ada@linq.example");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[2], run.source()[2]), (1, 0), "{quirks:?}");
        assert_eq!(world.contact("Ada").contact_owner.unwrap().email, "ada@linq.example");
        let shown = world.state().contacts().unwrap().into_values().next().unwrap();
        assert_eq!(shown.values[linqsync::model::Field::Owner], "ada@linq.example", "{quirks:?}");
        world.expect_silence();
    }
}

/// Edits a title in the source while Linq does `what` with updates.
fn edited_under(what: &[&str]) -> World {
    let world = World::synced(&people::csv(1..=3));
    world.quirks(what);
    world.edit("Title 002", "Chief");
    world
}

#[test]
fn an_update_that_linq_answers_and_ignores_is_told_and_not_sent_for_ever() {
    for answer in ["update-answer=whole", "update-answer=partial"] {
        let world = edited_under(&["updates=ignored", answer]);
        let run = world.once().expect(3);
        assert_eq!((run.linq(), run.source()), ([3, 0, 0, 0], [3, 0, 0, 0]), "{answer}");
        assert_eq!((run.count("rejected"), run.count("in_sync")), (1, 2), "{answer}");
        assert!(world.text().contains("Chief"), "the source keeps what was typed");
        assert_eq!(world.requests(RouteKind::Update).len(), 1, "{answer}");

        world.linq().forget_requests();
        let told = world.run(&["--once"]).expect(3).stdout;
        assert_eq!(world.writes(), [], "{answer}: it is not sent again");
        let listed = world.run(&["list", "rejected"]).expect(0).stdout;
        for word in ["First002 Last002", "row:3", "kept the old value"] {
            assert!(told.contains(word) && listed.contains(word), "{word}:\n{told}\n{listed}");
        }
        world.run(&["verify"]).expect(3);

        // What is typed later is another thing to try, and so it is once Linq takes it.
        world.edit("Chief", "Captain");
        world.once().expect(3);
        assert_eq!(world.requests(RouteKind::Update).len(), 1, "{answer}");
        world.quirks(&[answer]);
        world.edit("Captain", "Pilot");
        let run = world.once().expect(0);
        assert_eq!((run.linq()[2], run.count("rejected"), run.count("in_sync")), (1, 0, 3));
        assert_eq!(world.contact("First002").title.as_deref(), Some("Pilot"));
        world.expect_silence();
    }
}

#[test]
fn an_update_that_linq_takes_is_in_sync_whatever_it_answers() {
    for answer in ["update-answer=whole", "update-answer=partial"] {
        let world = edited_under(&["updates=taken", answer]);
        let run = world.once().expect(0);
        assert_eq!((run.linq()[2], run.count("rejected"), run.count("in_sync")), (1, 0, 3));
        assert_eq!(world.requests(RouteKind::Get).len(), 0, "{answer}: a true answer is believed");
        world.expect_silence();
    }
}

#[test]
fn an_owner_that_linq_does_not_change_is_told_and_not_sent_for_ever() {
    let mut world = World::with_csv("First Name,Email,Owner\nAda,a@e.example,sam@linq.example\n");
    world.set("source.columns.owner", "\"Owner\"");
    world.sync();
    world.quirks(&["updates=ignored"]);
    world.edit("sam@linq.example", "ada@linq.example");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[2], run.count("rejected"), run.count("in_sync")), (0, 1, 0));
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    assert!(world.text().contains("ada@linq.example"), "{}", world.text());
}

/// A Linq that rewrites, and one whose process is killed when it has carried out the
/// first request of `kind`, before there is an answer.
fn killed_after(world: &World, kind: RouteKind) {
    let _ = world
        .killed_at(ObservedMoment::CarriedOut, move |request| request.kind == Some(kind))
        .ended();
    world.linq().dismiss_witness();
}

#[test]
fn what_was_sent_is_the_base_of_a_create_that_linq_rewrote_and_people_edited_meanwhile() {
    let mut world = World::with_quirks(&["title-case", "truncate=16"]);
    world.set("linq.settle", "\"1s\"");
    world.write(
        "First Name,Last Name,Email,Company,Title\n\
         ada,king,ada@e.example,Engines and others,Countess\n",
    );
    killed_after(&world, RouteKind::Create);
    assert_eq!(world.contact("Ada").company.as_deref(), Some("Engines and othe"));
    world.edit("Countess", "Lady");
    world.change("Ada", "last_name", "Lovelace");
    let run = world.once().expect(0);
    assert_eq!((run.count("conflicts"), world.requests(RouteKind::Create).len()), (0, 1));
    let contact = world.contact("Ada");
    assert_eq!(
        (contact.title.as_deref(), contact.last_name.as_deref()),
        (Some("Lady"), Some("Lovelace"))
    );
    assert!(
        world.text().contains(",Lovelace,ada@e.example,Engines and others,Lady\n"),
        "{}",
        world.text()
    );
    world.expect_silence();
}

#[test]
fn what_was_sent_is_the_base_of_an_update_that_linq_rewrote_before_its_run_was_killed() {
    let world = World::with_quirks(&["title-case", "truncate=12"]);
    world.write("First Name,Email,Company,Title\nBo,b@e.example,Works,Cook\n");
    world.sync();
    world.edit("Bo,b@e.example,Works", "bob,b@e.example,Works of the north");
    killed_after(&world, RouteKind::Update);
    assert_eq!(world.contact("Bob").company.as_deref(), Some("Works of the"));
    let text = world.text();
    world.linq().forget_requests();
    let run = world.once().expect(0);
    assert_eq!((world.writes(), world.text()), (vec![], text), "{:#}", run.json);
    // The base is what each side has: an edit on either side is one, and no conflict.
    world.edit("bob", "rob");
    world.change("Bob", "company", "Lamps");
    world.once().expect(0);
    assert_eq!(world.contact("Rob").company.as_deref(), Some("Lamps"));
    assert!(world.text().contains("rob,b@e.example,Lamps,Cook"), "{}", world.text());
    world.expect_silence();
}
