//! Edits after the first run.

use linqsync::sandbox::RouteKind;
use serde_json::json;

use crate::harness::{World, people};

const TEAM: &str = "\
First Name,Last Name,Email,Company,Title
Ada,King,ada@engines.example,Engines,Countess
Bo,Wang,bo@lanterns.example,Lanterns,Engineer
";

#[test]
fn edits_of_different_fields_on_both_sides_are_both_kept_on_both_sides() {
    let world = World::synced(TEAM);
    let owner = world.contact("Ada").contact_owner.unwrap().email;
    world.edit("Engines", "Engines Ltd");
    world.change("Ada", "title", "Lady");

    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 1, 0], [2, 0, 1, 0]));
    let ada = world.contact("Ada");
    assert_eq!((ada.company.as_deref(), ada.title.as_deref()), (Some("Engines Ltd"), Some("Lady")));
    let edited = TEAM.replace("Engines,Countess", "Engines Ltd,Lady");
    assert_eq!(world.text(), edited);

    let [patch] = &world.writes()[..] else { panic!("{:?}", world.writes()) };
    assert_eq!((patch.method.as_str(), patch.kind), ("PATCH", Some(RouteKind::Update)));
    let body = patch.body.clone().unwrap();
    assert_eq!(body["user_email"], json!(owner));
    let contact = body["contact"].as_object().unwrap();
    assert_eq!(contact["company"], "Engines Ltd");
    let identity = ["first_name", "last_name", "email", "phone_number"];
    let others: Vec<&String> = contact.keys().filter(|name| *name != "company").collect();
    assert!(matches!(others[..], [one] if identity.contains(&one.as_str())), "{others:?}");
    world.expect_silence();
}

#[test]
fn an_owner_other_than_the_first_admin_keeps_a_contact_through_an_update() {
    let world = World::with_quirks(&["owner-reset"]);
    world.write(TEAM);
    world.sync();
    world.change("Ada", "user_email", "sam@linq.example");
    world.edit("Engines", "Engines Ltd");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").contact_owner.unwrap().email, "sam@linq.example");
    world.expect_silence();
}

#[test]
fn a_changed_email_or_name_is_an_update_and_not_another_person() {
    let world = World::synced(TEAM);
    let (ada, bo) = (world.contact("Ada").id, world.contact("Bo").id);
    world.edit("Ada,King", "Augusta,Byron");
    world.edit("bo@lanterns.example", "bob@lamps.example");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 2, 0], [2, 0, 0, 0]));
    assert_eq!((world.contact("Augusta").id, world.contact("Bo").id), (ada, bo));
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bob@lamps.example"));

    world.change("Augusta", "email", "augusta@king.example");
    world.change("Augusta", "last_name", "Lovelace");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 0, 0], [2, 0, 1, 0]));
    assert!(world.text().contains("\nAugusta,Lovelace,augusta@king.example,Engines,Countess\n"));
    world.expect_silence();
}

#[test]
fn a_cleared_cell_clears_the_field_in_linq_and_the_other_way_round() {
    let world = World::synced(TEAM);
    world.edit("Engines,Countess", ",Countess");
    world.change("Bo", "title", "");
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([2, 0, 1, 0], [2, 0, 1, 0]));
    assert_eq!(world.contact("Ada").company, None);
    assert_eq!(world.text(), TEAM.replace("Engines,", ",").replace(",Engineer", ","));
    world.expect_silence();
}

#[test]
fn one_new_person_on_each_side_arrives_on_the_other() {
    let world = World::synced(TEAM);
    world.write(world.text() + "Kai,Novak,kai@harbour.example,Harbour,Pilot\n");
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([4, 1, 0, 0], [4, 1, 0, 0]));
    assert_eq!((run.count("linked"), run.count("in_sync")), (0, 4));
    assert!(world.text().ends_with("Léa,,lea@atelier.example,,\n"), "{}", world.text());
    assert_eq!(world.contact("Kai").title.as_deref(), Some("Pilot"));
    world.expect_silence();
}

#[test]
fn what_linq_rewrites_does_not_bounce() {
    let world = World::with_quirks(&["title-case", "truncate=20", "blanks=absent"]);
    world.write(
        "First Name,Last Name,Email,Phone,Company,Title\n\
         ada,KING,Ada@Engines.example,(415) 555-2671,A very long name of a company,\n",
    );
    let before = world.text();
    world.once().expect(0);
    assert_eq!(world.contact("Ada").company.as_deref(), Some("A very long name of "));
    assert_eq!(world.text(), before);
    world.expect_silence();
    world.edit("A very long name of a company", "A very long name of another one");
    world.once().expect(0);
    assert!(world.text().contains("A very long name of another one"));
    world.expect_silence();
}

#[test]
fn the_configured_owner_gets_the_contacts_that_are_created() {
    let mut world = World::with_csv(&people::csv(1..=1));
    world.set("linq.owner", "\"sam@linq.example\"");
    world.once().expect(0);
    let created = &world.requests(RouteKind::Create)[0];
    assert_eq!(created.body.as_ref().unwrap()["user_email"], "sam@linq.example");
    assert_eq!(world.contact("First001").contact_owner.unwrap().email, "sam@linq.example");
}

#[test]
fn an_owner_is_a_field_like_the_others_where_it_has_a_column() {
    let mut world = World::with_csv(
        "First Name,Email,Owner\nAda,a@e.example,sam@linq.example\nBo,b@e.example,\n",
    );
    world.set("source.columns.owner", "\"Owner\"");
    world.once().expect(0);
    let owner = |name: &str| world.contact(name).contact_owner.unwrap().email;
    assert_eq!([owner("Ada"), owner("Bo")], ["sam@linq.example", "olivia@linq.example"]);
    let filled = "First Name,Email,Owner\nAda,a@e.example,sam@linq.example\n\
                  Bo,b@e.example,olivia@linq.example\n";
    assert_eq!(world.text(), filled);
    world.expect_silence();
    world.edit("sam@linq.example", "ada@linq.example");
    world.change("Bo", "user_email", "sam@linq.example");
    let run = world.once().expect(0);
    assert_eq!((run.linq()[2], run.source()[2]), (1, 1));
    assert_eq!([owner("Ada"), owner("Bo")], ["ada@linq.example", "sam@linq.example"]);
    assert!(world.text().ends_with("Bo,b@e.example,sam@linq.example\n"), "{}", world.text());
    world.expect_silence();
}
