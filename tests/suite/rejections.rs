//! One bad row never stops the others.

use linqsync::sandbox::RouteKind;
use serde_json::{Value, json};

use crate::harness::{World, people};

#[test]
fn a_row_that_linq_refuses_is_named_and_not_sent_again_until_it_changes() {
    let world = World::with_csv(&people::csv(1..=3).replace("p002@people", "p002 at people"));
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected"), run.count("in_sync")), ([3, 3, 0, 0], 1, 2));
    // The one that was refused, and the same without what was refused of it.
    assert_eq!(world.requests(RouteKind::Create).len(), 4);

    world.linq().forget_requests();
    let again = world.run(&["--once"]).expect(3);
    assert_eq!(world.writes(), []);
    for word in ["First002 Last002", "row:3", "Email is invalid", "1 rejected"] {
        assert!(again.stdout.contains(word), "no {word:?} in\n{}", again.stdout);
    }
    world.edit("p002 at people", "p002@people");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("rejected"), run.count("in_sync")), ([3, 0, 1, 0], 0, 3));
    world.expect_silence();
}

#[test]
fn a_row_that_linq_refuses_is_sent_again_when_the_mapping_changes() {
    let mut world = World::with_csv(
        "First Name,Email,Work Email,Title\nAda,ada at people,ada@people.example,Countess\n\
         Bo,bo@people.example,bo@people.example,Pilot\n",
    );
    world.set("source.columns.email", "\"Email\"");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("rejected")), (2, 1), "{:#}", run.json);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.set("source.columns.email", "\"Work Email\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("rejected")), ([2, 0, 1, 0], 0), "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn who_was_refused_for_the_configured_owner_is_sent_again_when_it_is_another() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("linq.owner", "\"nobody@linq.example\"");
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1], run.count("rejected")), (0, 2), "{:#}", run.json);
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.set("linq.owner", "\"sam@linq.example\"");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("rejected")), ([2, 2, 0, 0], 0), "{:#}", run.json);
    world.expect_silence();
}

#[test]
fn an_edit_that_linq_refuses_waits_while_others_flow() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("p002@people.example", "nobody at all");
    world.edit("Title 003", "Chief");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected"), run.count("in_sync")), ([3, 0, 1, 0], 1, 2));
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
    world.edit("nobody at all", "somebody@people.example");
    assert_eq!(world.once().expect(0).linq(), [3, 0, 1, 0]);
    world.expect_silence();
}

#[test]
fn a_row_that_cannot_be_read_is_named_with_its_line_while_others_flow_and_nobody_is_deleted() {
    let world = World::synced(&people::csv(1..=5));
    // Row 3 begins on line 3 and is torn; row 5 is removed; row 1 is edited.
    world.edit(&people::row(2), "First002,Last002,,,,,torn\n");
    world.edit(&people::row(5), "");
    world.edit("Title 001", "Chief");
    world.change("First004", "title", "Captain");
    let before = world.text();
    let run = world.once().expect(3);
    assert_eq!(run.count("rejected"), 1);
    assert_eq!((run.linq(), run.source()), ([5, 0, 1, 0], [3, 0, 1, 0]));
    assert_eq!(world.text(), before.replace("Title 004", "Captain"));
    let shown = world.run(&["--once"]).expect(3).stdout;
    assert!(shown.contains("row:3 (line 3)"), "{shown}");
    world.edit("First002,Last002,,,,,torn\n", &people::row(2));
    assert_eq!(world.once().expect(0).linq(), [4, 0, 0, 1]);
    world.expect_silence();
}

#[test]
fn an_unterminated_quotation_mark_deletes_nobody_and_leaves_the_file_alone() {
    let world = World::synced(&people::csv(1..=5));
    world.edit("Title 002", "\"Title 002");
    world.edit("Title 001", "Chief");
    world.change("First001", "company", "Works");
    let before = world.text();
    let run = world.once().expect(3);
    assert_eq!((run.linq()[1..].to_vec(), run.source()[1..].to_vec()), (vec![0, 1, 0], vec![0; 3]));
    assert_eq!(world.text(), before);
    world.edit("\"Title 002", "Title 002");
    world.once().expect(0);
    assert!(world.text().contains("Works,Chief"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn a_number_that_a_spreadsheet_damaged_is_a_rejected_field_and_no_edit() {
    let world = World::synced(&people::csv(1..=3));
    world.edit("+14155550002", "1.41556E+10");
    world.edit("Title 002", "Chief");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([3, 0, 1, 0], 1));
    let person = world.contact("First002");
    assert_eq!(person.phone_number.as_deref(), Some("+14155550002"));
    assert_eq!(person.title.as_deref(), Some("Chief"));
    world.edit("1.41556E+10", "+14155550002");
    world.once().expect(0);
    world.expect_silence();
}

#[test]
fn a_clearing_that_linq_ignores_is_told_and_not_sent_for_ever() {
    let world = World::with_quirks(&["ignore-clearing"]);
    world.write(people::csv(1..=2));
    world.sync();
    world.edit("Title 001", "");
    let run = world.once().expect(3);
    assert_eq!((run.count("rejected"), run.source()[2]), (1, 0));
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(
        (world.writes(), world.text()),
        (vec![], people::csv(1..=2).replace("Title 001", ""))
    );
}

#[test]
fn a_row_that_loses_whatever_identifies_its_person_is_refused() {
    let world = World::synced("First Name,Email,Title\nAda,a@e.example,Countess\nBo,,Pilot\n");
    world.edit("Ada,a@e.example,Countess", ",,Countess");
    let run = world.once().expect(3);
    assert_eq!((run.count("rejected"), run.linq(), run.source()), (1, [2, 0, 0, 0], [2, 0, 0, 0]));
    assert_eq!(world.writes(), []);
}

#[test]
fn an_owner_whom_linq_does_not_know_is_a_rejected_field_of_that_row_alone() {
    let mut world = World::with_csv(
        "First Name,Email,Owner\nAda,a@e.example,nobody@linq.example\nBo,b@e.example,sam@linq.example\n",
    );
    world.set("source.columns.owner", "\"Owner\"");
    let run = world.once().expect(3);
    assert_eq!((run.linq(), run.count("rejected")), ([2, 2, 0, 0], 1));
    assert_eq!(world.contact("Bo").contact_owner.unwrap().email, "sam@linq.example");
    world.linq().forget_requests();
    world.once().expect(3);
    assert_eq!(world.writes(), []);
}

/// The fields of the plan's only step that rejects something.
fn rejected_fields(world: &World) -> Value {
    let plan = world.plan();
    let mut steps = plan.steps().iter().filter(|step| step["action"] == "reject");
    let step = steps.next().unwrap_or_else(|| panic!("{:#}", plan.json));
    assert_eq!(steps.next(), None);
    step["fields"].clone()
}

#[test]
fn a_plan_says_of_what_is_rejected_what_would_have_become_what() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("+14155550002", "1.41556E+10");
    let phone = json!({ "phone_number": { "from": "+14155550002", "to": "1.41556E+10" } });
    assert_eq!(rejected_fields(&world), phone);

    world.edit("1.41556E+10", "+14155550002");
    world.edit("p001@people.example", "nobody at all");
    world.once().expect(3);
    let email = json!({ "email": { "from": "p001@people.example", "to": "nobody at all" } });
    assert_eq!(rejected_fields(&world), email);

    world.edit("nobody at all", "p001@people.example");
    world.write(world.text() + "New,,nobody at all,,,\n");
    world.once().expect(3);
    let new = json!({ "email": { "from": "", "to": "nobody at all" } });
    assert_eq!(rejected_fields(&world), new);
}
