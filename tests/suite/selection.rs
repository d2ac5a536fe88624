//! `[source.only]`: rows and cards that take no part are seen, and nothing happens to them.

use linqsync::sandbox::{ObservedMoment, RouteKind};
use serde_json::Value;

use crate::harness::{World, wait_until};
use crate::vcards::{self, file, text, write};

/// Three rows that take part, and one that does not.
const FOUR: &str = "Sync,First Name,Last Name,Email,Title\n\
                    yes,Ada,Bell,ada@x.example,Chief\n\
                    YES ,Bo,Cole,bo@x.example,Cook\n\
                    no,Cy,Dorn,cy@x.example,Clerk\n\
                    x,Di,East,di@x.example,Coach\n";

fn selecting(text: &str) -> World {
    let mut world = World::with_csv(text);
    world.set("source.only.column", "\"sync\"").set("source.only.values", "[\"yes\", \"x\"]");
    world
}

fn names(world: &World) -> Vec<String> {
    let contacts = world.linq().contacts().into_iter();
    let mut names: Vec<String> = contacts.filter_map(|contact| contact.first_name).collect();
    names.sort();
    names
}

/// A text without its line breaks.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A run that writes nothing.
#[track_caller]
fn expect_silence(world: &World) {
    let (text, contacts) = (world.text(), world.linq().contacts());
    world.linq().forget_requests();
    world.once().expect(0);
    assert_eq!((world.writes(), world.text(), world.linq().contacts()), (vec![], text, contacts));
}

fn status(world: &World) -> Value {
    serde_json::from_str(&world.run(&["status", "--json"]).expect(0).stdout).unwrap()
}

#[test]
fn rows_outside_the_selection_are_not_created_and_new_rows_are_inside() {
    let world = selecting(FOUR);
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di"]);
    world.linq().insert([("first_name", "Flo"), ("email", "flo@x.example")]).unwrap();
    world.once().expect(0);
    assert!(world.text().ends_with("\nyes,Flo,,flo@x.example,\n"), "{}", world.text());
    expect_silence(&world);
    world.run(&["verify"]).expect(0);
    let status = status(&world);
    assert_eq!(
        (&status["taking_part"]["source"], &status["outside"]["source"]),
        (&4.into(), &1.into())
    );
    for command in ["status", "check", "plan"] {
        let shown = world.run(&[command]).expect(0).stdout;
        assert!(shown.contains("4 of 5"), "{command}: {shown}");
    }
    let told = world.run(&["explain", "row:4"]).expect(0).stdout;
    assert!(told.contains("takes no part (source.only"), "{told}");
}

#[test]
fn a_contact_of_linq_whose_row_is_outside_gets_no_second_row() {
    let world = selecting(FOUR);
    world.linq().insert([("first_name", "Cy"), ("email", "CY@x.example")]).unwrap();
    world.once().expect(0);
    assert_eq!(world.text(), FOUR);
    let report = world.run(&["report"]).expect(0).stdout;
    assert!(!report.contains("only in"), "{report}");
    assert_eq!(names(&world), ["Ada", "Bo", "Cy", "Di"]);
    world.edit("no,Cy", "yes,Cy");
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Cy", "Di"]);
    assert_eq!(status(&world)["linked"], 4);
}

#[test]
fn leaving_releases_and_coming_back_links_again_without_a_double() {
    for direction in ["both", "push", "pull"] {
        let mut world = selecting(FOUR);
        world.once().expect(0);
        world.set("sync.direction", &format!("\"{direction}\""));
        world.once().expect(0);
        world.edit("yes,Ada", "no,Ada");
        let left = world.once().expect(0);
        assert!(left.notices().contains("takes no part any more (source.only)"), "{}", left.json);
        world.linq().forget_requests();
        // Edits on either side go nowhere, and nothing is deleted.
        world.edit("Chief", "Boss");
        world.change("Ada", "title", "Head");
        world.once().expect(0);
        assert_eq!((world.writes().len(), names(&world).len()), (0, 3));
        assert!(world.text().contains("no,Ada,Bell,ada@x.example,Boss\n"), "{}", world.text());
        world.edit("Boss", "Chief");
        world.edit("no,Ada", "yes,Ada");
        world.once();
        assert_eq!(names(&world), ["Ada", "Bo", "Di"], "{direction}");
        assert_eq!(world.text().matches("ada@x.example").count(), 1, "{direction}");
        assert_eq!(status(&world)["linked"], 3);
        let history = world.run(&["history", "--contact", "ada@x.example"]).expect(0).stdout;
        assert!(history.contains("source.only"), "{history}");
    }
}

#[test]
fn a_changed_selection_deletes_clears_and_overwrites_nothing_then_or_later() {
    for policy in ["hold", "source", "linq"] {
        let mut world = World::synced(FOUR);
        world.set("sync.on_conflict", &format!("\"{policy}\""));
        world.set("source.only.column", "\"Sync\"").set("source.only.values", "\"yes\"");
        let before = world.linq().contacts();
        let run = world.once().expect(0);
        assert!(run.notices().contains("source.only was changed"), "{}", run.json);
        assert_eq!((world.linq().contacts(), world.text()), (before, FOUR.to_owned()));
        world.once().expect(0);
        // Both sides of someone outside are edited, and one blanked; then all take part again.
        world.edit("Clerk", "Chair");
        world.change("Cy", "title", "Cheese");
        world.edit("di@x.example,Coach", "di@x.example,");
        world.unset("source.only.column").unset("source.only.values");
        world.once().expect(3);
        for _ in 0..2 {
            assert_eq!(world.once().expect(3).count("conflicts"), 1);
            assert!(world.text().contains("cy@x.example,Chair\n"), "{}", world.text());
            assert_eq!(world.contact("Cy").title.as_deref(), Some("Cheese"));
            assert_eq!(world.contact("Di").title.as_deref(), Some("Coach"));
            assert_eq!(names(&world), ["Ada", "Bo", "Cy", "Di"]);
        }
    }
}

#[test]
fn all_but_some_values_take_part_and_new_rows_stay_blank() {
    let mut world = World::with_csv(&FOUR.replace("no,Cy", "Left; 2024,Cy"));
    world.set("source.only.column", "\"Sync\"").set("source.only.values", "[\"LEFT\"]");
    world.set("source.only.except", "true");
    world.linq().insert([("first_name", "Flo"), ("email", "flo@x.example")]).unwrap();
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di", "Flo"]);
    assert!(world.text().ends_with("\n,Flo,,flo@x.example,\n"), "{}", world.text());
    expect_silence(&world);
}

#[test]
fn where_the_column_is_a_fields_the_contacts_own_value_decides() {
    let mut world = World::with_csv(
        "First Name,Email,Company\nAda,ada@x.example,Acme\nBo,bo@x.example,Other\n",
    );
    world.set("source.only.column", "\"Company\"").set("source.only.values", "[\"acme\"]");
    let linq = world.linq();
    linq.insert([("first_name", "Cy"), ("email", "cy@x.example"), ("company", "ACME")]).unwrap();
    linq.insert([("first_name", "Di"), ("email", "di@x.example"), ("company", "Else")]).unwrap();
    linq.insert([("first_name", "Flo"), ("email", "flo@x.example")]).unwrap();
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Cy", "Di", "Flo"]);
    assert!(world.text().ends_with("Cy,cy@x.example,ACME\n"), "{}", world.text());
    assert_eq!(status(&world)["outside"]["linq"], 2);
}

#[test]
fn a_missing_column_is_an_error_that_names_it_and_the_setting() {
    let mut world = World::synced(FOUR);
    world.set("source.only.column", "\"Synk\"").set("source.only.values", "[\"yes\"]");
    for command in [&["--once"][..], &["check", "--offline"]] {
        let ended = world.run(command).expect(2);
        let said = flowing(&(ended.stdout + &ended.stderr));
        assert!(said.contains("no column `Synk`, which source.only.column names"), "{said}");
        assert!(said.contains("did you mean `Sync`?"), "{said}");
    }
    assert_eq!(names(&world).len(), 4);
    world.unset("source.only.values");
    let said = world.run(&["check", "--offline"]).expect(2);
    assert!((said.stdout + &said.stderr).contains("`source.only.values` is missing"));
}

#[test]
fn a_deletion_on_the_other_side_of_who_is_outside_is_none_here() {
    let world = selecting(FOUR);
    world.once().expect(0);
    world.edit("yes,Ada", "no,Ada");
    world.once().expect(0);
    world.remove("Ada");
    world.once().expect(0);
    assert!(world.text().contains("no,Ada"), "the row stays");
    // Back in the selection it is a row like any other.
    world.edit("no,Ada", "yes,Ada");
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di"]);
    world.edit("yes,Ada", "no,Ada");
    world.once().expect(0);
    world.edit("no,Ada,Bell,ada@x.example,Chief\n", "");
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di"], "so does the contact");
}

#[test]
fn an_undo_of_the_run_before_leaves_who_is_outside_alone_and_says_so() {
    let world = selecting(FOUR);
    world.once().expect(0);
    world.edit("Chief", "Boss");
    let run = world.once().expect(0);
    world.edit("yes,Ada", "no,Ada");
    world.once().expect(0);
    let undone = world.run(&["undo", &run.json["run"].to_string()]);
    assert!(undone.stdout.contains("takes no part"), "{}{}", undone.stdout, undone.stderr);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Boss"));
}

fn card(name: &str, lines: &str) -> String {
    let mail = name.to_lowercase();
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nUID:{name}\nN:;{name};;;\nFN:{name}\n\
         EMAIL:{mail}@x.example\n{lines}END:VCARD\n"
    )
}

#[test]
fn cards_take_part_by_any_of_several_categories_and_new_cards_get_the_first() {
    let mut world = vcards::world(&[
        ("ada.vcf", &card("Ada", "CATEGORIES:Friends,Linq\n")),
        ("bo.vcf", &card("Bo", "CATEGORIES:Friends\nCATEGORIES:linq \n")),
        ("cy.vcf", &card("Cy", "CATEGORIES:Friends\n")),
        ("di.vcf", &card("Di", "")),
    ]);
    world.set("source.only.column", "\"Categories\"").set("source.only.values", "[\"Linq\"]");
    world.linq().insert([("first_name", "Flo"), ("email", "flo@x.example")]).unwrap();
    world.linq().insert([("first_name", "Cy"), ("email", "cy@x.example")]).unwrap();
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Cy", "Flo"]);
    let made = std::fs::read_dir(world.path("cards")).unwrap().flatten();
    let made: Vec<String> = made
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("linqsync-"))
        .collect();
    assert_eq!(made.len(), 1, "Cy has a card: {made:?}");
    assert!(text(&world, &made[0]).contains("CATEGORIES:Linq\n"), "{}", text(&world, &made[0]));
    // Leaving and coming back, and a card at rest is seen under another selection.
    write(&world, "ada.vcf", &card("Ada", ""));
    world.once().expect(0);
    world.once().expect(0);
    write(&world, "ada.vcf", &card("Ada", "CATEGORIES:LINQ\n"));
    world.once().expect(0);
    assert_eq!((names(&world).len(), status(&world)["linked"].clone()), (4, 3.into()));
    world.set("source.only.values", "[\"Friends\"]");
    world.once().expect(0);
    assert!(file(&world, "ada.vcf").exists() && file(&world, &made[0]).exists());
    let status = status(&world);
    assert_eq!((&status["linked"], &status["released"]), (&2.into(), &2.into()), "{status:#}");
}

#[test]
fn one_way_syncs_keep_to_the_selection() {
    let mut world = selecting(FOUR);
    world.set("sync.direction", "\"push\"");
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di"]);
    let mut pulled = selecting(FOUR);
    pulled.set("sync.direction", "\"pull\"");
    pulled.linq().insert([("first_name", "Flo"), ("email", "flo@x.example")]).unwrap();
    pulled.once();
    assert_eq!(names(&pulled), ["Flo"]);
    assert!(pulled.text().ends_with("yes,Flo,,flo@x.example,\n"), "{}", pulled.text());
}

#[test]
fn a_row_that_leaves_after_a_kill_is_neither_lost_nor_doubled() {
    for moment in [ObservedMoment::Arrived, ObservedMoment::CarriedOut] {
        let world = selecting(FOUR);
        let process = world.killed_at(moment, |request| request.kind == Some(RouteKind::Create));
        wait_until("it is killed", || process.has_ended());
        for name in ["Ada", "Bo", "Di"] {
            let text = world.text();
            let row = text.lines().find(|row| row.contains(name)).unwrap();
            let (_, rest) = row.split_once(',').unwrap();
            world.edit(row, &format!("no,{rest}"));
        }
        world.once().expect(0);
        assert!(world.linq().contacts().len() <= 3, "{moment:?}");
        assert_eq!(world.text().lines().count(), FOUR.lines().count(), "no row was added");
        world.write(FOUR);
        world.once().expect(0);
        assert_eq!(names(&world), ["Ada", "Bo", "Di"], "{moment:?}");
        assert_eq!(status(&world)["linked"], 3);
    }
}

#[test]
fn a_row_that_is_back_after_its_contact_was_deleted_is_created_by_the_next_run() {
    let world = selecting(FOUR);
    world.once().expect(0);
    world.edit("YES ,Bo", "no,Bo");
    world.once().expect(0);
    world.remove("Bo");
    world.edit("no,Bo", "yes,Bo");
    world.once().expect(0);
    world.once().expect(0);
    assert_eq!(names(&world), ["Ada", "Bo", "Di"]);
    expect_silence(&world);
}

#[test]
fn a_label_of_google_is_recognised_with_and_without_its_star() {
    for value in ["* myContacts", "myContacts"] {
        let mut world = World::with_csv(
            "First Name,Email,Labels\nAda,ada@x.example,* myContacts ::: Friends\n\
             Bo,bo@x.example,* myContacts\nCy,cy@x.example,Friends\n",
        );
        world.set("source.only.column", "\"Labels\"");
        world.set("source.only.values", &format!("[\"{value}\"]"));
        world.once().expect(0);
        assert_eq!(names(&world), ["Ada", "Bo"], "{value}");
    }
}

#[test]
fn the_key_cannot_be_what_new_rows_are_marked_with() {
    let mut world = selecting(FOUR);
    world.set("source.key", "\"Sync\"");
    let refused = world.run(&["plan"]).expect(2).stderr;
    assert!(flowing(&refused).contains("as source.only.column and as source.key"), "{refused}");
}

#[test]
fn where_a_push_only_column_decides_no_row_is_made_that_would_be_outside() {
    let mut world = World::with_csv(
        "First Name,Last Name,Email,Company\nAda,King,ada@x.example,Acme\n\
         Bo,Wang,bo@x.example,Other\n",
    );
    world.set("source.only.column", "\"Company\"").set("source.only.values", "[\"Acme\"]");
    world.set("sync.fields.company", "\"push\"");
    world.once().expect(0);
    let text = world.text();
    let gus = [("first_name", "Gus"), ("email", "gus@x.example"), ("company", "ACME")];
    world.linq().insert(gus).unwrap();
    world.once().expect(0);
    assert_eq!(world.text(), text);
    expect_silence(&world);
}

#[test]
fn a_column_of_whole_names_is_compared_with_the_whole_name() {
    let mut world = World::with_csv("Name,Email\nAda King,ada@x.example\n");
    world.set("source.only.column", "\"Name\"");
    world.set("source.only.values", "[\"Ada King\", \"Ed Fox\"]");
    world.once().expect(0);
    for (first, last) in [("Ed", "Fox"), ("Ada", "Fox")] {
        let email = format!("{first}.{last}@x.example");
        let values = [("first_name", first), ("last_name", last), ("email", &*email)];
        world.linq().insert(values).unwrap();
    }
    world.once().expect(0);
    let text = world.text();
    assert!(text.contains("Ed Fox,") && !text.contains("Ada Fox"), "{text}");
}
