//! What Linq's documents leave open, and what Linq may rewrite: the same story under
//! every reading of it ends the same, and what cannot end the same is told.

use linqsync::sandbox::RouteKind;
use serde_json::Value;

use crate::harness::{World, people};

/// Every reading of every switch, the plain one of each aside.
const READINGS: [&[&str]; 38] = [
    &[],
    &["owner-reset"],
    &["unknown-users"],
    &["phone=raw"],
    &["phone=any"],
    &["title-case"],
    &["trim"],
    &["lower-email"],
    &["drop-emoji"],
    &["truncate=13"],
    &["trim", "lower-email", "drop-emoji", "title-case", "truncate=13"],
    &["update-answer=partial"],
    &["updated-at=stays"],
    &["updated-at=stays", "order=updated-desc"],
    &["blanks=empty"],
    &["blanks=absent"],
    &["list-lacks=location"],
    &["list-lacks=email"],
    &["order=created-desc", "per-page=2"],
    &["order=updated-desc", "per-page=2"],
    &["per-page=1"],
    &["per-page=2", "past-end=missing"],
    &["per-page=2", "past-end=last"],
    &["find-shape=contact"],
    &["find-shape=data"],
    &["find-phones=kept", "phone=raw"],
    &["find-phones=kept", "phone=any"],
    &["find-picks=last"],
    &["late-visibility=1"],
    &["late-visibility=3"],
    &["late-deletion=1"],
    &["late-deletion=3"],
    &["duplicates=refuse"],
    &["duplicates=merge"],
    &["errors=list"],
    &["errors=typed"],
    &["errors=html"],
    &["errors=none"],
];

const HEADER: &str = "First Name,Last Name,Email,Phone,Company,Title,Location\n";
const ROWS: [&str; 6] = [
    "ada maria,king,Ada@People.example,(415) 555-0001,Engines & more,Countess,",
    "Bo,Wang,bo@people.example,,\" Works, north \",Pilot,Oslo",
    "Cy,,,415-555-0003,,Cook,",
    "Di,Young,di@people.example,+14155550004,Works 🚀 and rockets,,Bergen",
    "Ed,Names,,,Only,,",
    "Flo,Hill,flo@people.example,+14155550006,,Smith,",
];

/// Whom Linq has at first: Bo by e-mail, and Cy by phone.
fn begin(quirks: &[&str]) -> World {
    let world = World::with_quirks(quirks);
    let bo = [("first_name", "Bo"), ("last_name", "Wang"), ("email", "bo@people.example")];
    world.linq().insert(bo).unwrap();
    world.linq().insert([("first_name", "Cy"), ("phone_number", "+14155550003")]).unwrap();
    world.write(format!("{HEADER}{}\n", ROWS.join("\n")));
    world
}

/// What is shown late is shown after some more looks.
fn let_it_be_shown(world: &World, quirks: &[&str], late: &str) {
    if quirks.iter().any(|quirk| quirk.starts_with(late)) {
        (0..4).for_each(|_| drop(world.run(&["plan"])));
    }
}

fn row<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(name)).unwrap_or_default()
}

fn story(quirks: &[&str]) {
    let world = begin(quirks);
    let told = |what: &str, run: &crate::harness::PrintedRun| {
        format!("{quirks:?}, {what}: {:#}\n{}\n{}", run.json, run.ended.stderr, world.text())
    };
    let file = world.text();
    let run = world.once();
    assert_eq!(run.ended.code, Some(0), "{}", told("first", &run));
    assert_eq!((run.count("linked"), run.linq()[1..].to_vec()), (2, vec![4, 2, 0]), "{quirks:?}");
    assert_eq!((world.text(), world.linq().contacts().len()), (file, 6), "{quirks:?}");
    let_it_be_shown(&world, quirks, "late-visibility");
    world.expect_silence();
    let owners: Vec<_> = world.linq().contacts().into_iter().map(|c| c.contact_owner).collect();

    // Edits and clearings on both sides, and a deletion in the source.
    world.edit("Countess", "Lady");
    world.edit("Pilot,Oslo", "Pilot,");
    world.edit(&format!("{}\n", ROWS[4]), "");
    world.change("Flo", "title", "Baker");
    world.change("Cy", "title", "");
    world.linq().forget_requests();
    let run = world.once();
    assert_eq!(run.ended.code, Some(0), "{}", told("edits", &run));
    assert_eq!(
        (run.linq()[1..].to_vec(), run.source()[1..].to_vec()),
        (vec![0, 2, 1], vec![0, 2, 0]),
        "{}",
        told("edits", &run)
    );
    let text = world.text();
    for (name, has) in
        [("ada maria", "Lady"), ("Bo", "Pilot,"), ("Flo", "Baker"), ("Cy", "0003,,,")]
    {
        assert!(
            row(&text, name).ends_with(has) || row(&text, name).contains(has),
            "{quirks:?}: {text}"
        );
    }
    let_it_be_shown(&world, quirks, "late-visibility");
    world.expect_silence();
    let left: Vec<_> = world.linq().contacts().into_iter().map(|c| c.contact_owner).collect();
    assert!(left.iter().all(|owner| owners.contains(owner)), "{quirks:?}");

    // A deletion in Linq.
    world.remove("Di");
    let run = world.once();
    let proof = !quirks.iter().any(|quirk| matches!(*quirk, "errors=html" | "errors=none"));
    if proof {
        let_it_be_shown(&world, quirks, "late-deletion");
        world.once().expect(0);
        assert!(!world.text().contains("Di,"), "{}", told("deletion", &run));
        world.expect_silence();
    } else {
        // Without the documented code nothing proves that she is gone.
        assert_eq!(run.source(), [5, 0, 0, 0], "{}", told("deletion", &run));
        assert!(world.text().contains("Di,"), "{quirks:?}");
        assert_ne!(run.notices(), "", "{}", told("deletion", &run));
    }
}

#[test]
fn the_same_story_ends_the_same_under_every_reading_of_the_documents() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let tell = || {
            while let Some(quirks) =
                READINGS.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
            {
                story(quirks);
            }
        };
        let tellers = [scope.spawn(tell), scope.spawn(tell), scope.spawn(tell)];
        assert!(tellers.into_iter().all(|teller| teller.join().is_ok()));
    });
}

#[test]
fn an_update_for_an_owner_who_has_left_is_sent_once_more_without_naming_them() {
    for quirks in [&["unknown-users"][..], &["unknown-users", "update-answer=partial"]] {
        let world = World::with_csv(&people::csv(1..=3));
        let sam = world.linq().clone();
        world.sync();
        let id = world.contact("First002").id;
        sam.set(id, "user_email", "sam@linq.example").unwrap();
        world.quirks(quirks);
        world.edit("Title 002", "Chief");
        let run = world.once().expect(0);
        assert_eq!((run.linq(), run.count("rejected")), ([3, 0, 1, 0], 0), "{:#}", run.json);
        let named: Vec<bool> = world
            .requests(RouteKind::Update)
            .iter()
            .map(|update| update.body.as_ref().is_some_and(|body| body.get("user_email").is_some()))
            .collect();
        assert_eq!(named, [true, false]);
        let contact = world.contact("First002");
        assert_eq!(contact.title.as_deref(), Some("Chief"));
        assert_eq!(contact.contact_owner.unwrap().email, "sam@linq.example");
        world.quirks(&[]);
        world.expect_silence();
    }
}

#[test]
fn a_clearing_that_linq_refuses_is_told_and_not_sent_for_ever_and_others_flow() {
    let world = World::with_quirks(&["refuse-clearing"]);
    world.write(people::csv(1..=3));
    world.sync();
    world.edit("Title 001", "");
    world.edit("Title 002", "Chief");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([3, 0, 1, 0], 1), "{:#}", run.json);
    world.linq().forget_requests();
    let told = world.run(&["--once"]).expect(3).stdout;
    assert_eq!(world.writes(), []);
    assert!(told.contains("row:2") && told.contains("can't be blank"), "{told}");
    world.edit("Company 001,", "Company 001,Lady");
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn what_another_writer_puts_back_each_time_is_written_a_few_times_and_then_waits() {
    let world = World::synced(&people::csv(1..=3));
    world.quirks(&["reverts=title"]);
    for round in 0..8 {
        // Whoever puts it back, the source says the same each time.
        if !world.text().contains("Chief") {
            world.edit("Title 002", "Chief");
        }
        let run = world.once();
        assert!(matches!(run.ended.code, Some(0 | 3)), "{round}: {:#}", run.json);
    }
    let updates = world.requests(RouteKind::Update).len();
    assert!((1..=3).contains(&updates), "{updates} updates");
    let run = world.once().expect(3);
    assert_eq!(run.count("conflicts"), 1, "{:#}", run.json);
    let told = world.run(&["list", "conflicts"]).expect(0).stdout;
    assert!(told.contains("keeps changing title back"), "{told}");
    assert!(world.text().contains("Chief"), "what was typed stays: {}", world.text());
}

#[test]
fn of_two_whom_find_may_show_neither_is_taken_and_nobody_is_created() {
    for picks in ["find-picks=first", "find-picks=last"] {
        // The listing does not show e-mail addresses, so that find alone knows.
        let world = World::with_quirks(&[picks, "list-lacks=email"]);
        for title in ["Cook", "Chief"] {
            let person = [("first_name", "Ada"), ("email", "ada@people.example"), ("title", title)];
            world.linq().insert(person).unwrap();
        }
        world.write("First Name,Email\nAda,ada@people.example\n");
        let run = world.once();
        assert_eq!(run.linq()[1], 0, "{picks}: {:#}", run.json);
        assert_eq!((world.linq().contacts().len(), run.linq()[3]), (2, 0), "{picks}");
    }
}

/// Every form of an error, and what a refused row is told with.
const FORMS: [(&str, &str); 5] = [
    ("errors=documented", "Email is invalid"),
    ("errors=list", "Email is invalid"),
    ("errors=typed", "Email is invalid"),
    ("errors=html", "422"),
    ("errors=none", "422"),
];

#[test]
fn a_row_that_linq_refuses_is_named_in_whatever_form_it_is_refused() {
    for (form, reason) in FORMS {
        let world = World::with_quirks(&[form]);
        world.write(people::csv(1..=3).replace("p002@people", "p002 at people"));
        let run = world.once().expect(3);
        assert_eq!((run.linq()[1], run.count("rejected")), (3, 1), "{form}: {:#}", run.json);
        world.linq().forget_requests();
        let told = world.run(&["--once"]).expect(3).stdout;
        assert_eq!(world.writes(), [], "{form}");
        assert!(told.contains("row:3") && told.contains(reason), "{form}: {told}");
    }
}

#[test]
fn a_refused_token_and_a_failing_linq_are_known_in_whatever_form_they_are_told() {
    for (form, _) in FORMS {
        for (fault, code) in [("any status=401", 5), ("any status=403", 5), ("any status=503", 6)] {
            let world = World::with_quirks(&[form]);
            world.write(people::csv(1..=3));
            world.fault(fault);
            let run = world.once().expect(code);
            let written: Vec<Value> = world.writes().into_iter().filter_map(|w| w.body).collect();
            assert_eq!(written, Vec::<Value>::new(), "{form} {fault}");
            assert_eq!(run.linq()[1], 0, "{form} {fault}");
        }
    }
}

#[test]
fn somebody_who_is_listed_for_a_while_after_a_deletion_does_not_come_back() {
    let world = World::with_quirks(&["late-deletion=4"]);
    world.write(people::csv(1..=3));
    world.sync();
    world.edit(&people::row(2), "");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 0, 1]);
    let text = world.text();
    for _ in 0..6 {
        let run = world.once();
        assert_eq!(world.text(), text, "{:#}", run.json);
        assert_eq!((run.source()[1], run.linq()[1]), (0, 0), "{:#}", run.json);
    }
    world.expect_silence();
}
