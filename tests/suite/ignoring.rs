//! `resolve --ignore`: a row, card or contact that is left alone until that is taken back.

use serde_json::Value;

use crate::harness::World;
use crate::vcards;

const HEADER: &str = "First Name,Last Name,Email,Phone,Title\n";

fn listed(world: &World) -> Vec<Value> {
    let text = world.run(&["list", "ignored", "--json"]).expect(0).stdout;
    let list: Value = serde_json::from_str(&text).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// Bo is linked; a row that looks like him waits.
fn with_a_twin() -> World {
    let world = World::with_csv(&format!(
        "{HEADER}Bo,Cole,bo@x.example,,Cook\nAnn,Bell,ann@x.example,,Chief\n\
         Bo,Cole,bo@x.example,,Baker\n"
    ));
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    world
}

#[test]
fn an_ignored_row_is_left_alone_through_edits_until_that_is_taken_back() {
    let world = with_a_twin();
    let told = world.run(&["resolve", "row:4", "--ignore"]).expect(0).stdout;
    assert!(told.contains("Bo Cole (row:4): ignored"), "{told}");
    for title in ["Baker", "Brewer", "Banker"] {
        let text = world.text();
        let row = text.lines().last().unwrap().to_owned();
        world.edit(&row, &format!("Bo,Cole,bo@x.example,,{title}"));
        let run = world.once().expect(0);
        assert_eq!((run.count("ambiguous"), world.linq().contacts().len()), (0, 2));
    }
    world.run(&["verify"]).expect(0);
    let [item] = &listed(&world)[..] else { panic!("{:?}", listed(&world)) };
    assert_eq!(item["name"], "Bo Cole");
    assert!(item["ignored_by"].is_string() && item["ignored_at"].is_string(), "{item}");
    let text = world.run(&["list", "ignored"]).expect(0).stdout;
    assert!(text.contains("ignored by"), "{text}");
    let status: Value =
        serde_json::from_str(&world.run(&["status", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((&status["ignored"], &status["ambiguous"]), (&1.into(), &0.into()));
    // The one that it looks like goes on.
    world.change("Bo", "title", "Chef");
    world.once().expect(0);
    assert!(world.text().contains("Bo,Cole,bo@x.example,,Chef\n"), "{}", world.text());
    world.run(&["resolve", "row:4", "--unignore"]).expect(0);
    assert!(listed(&world).is_empty());
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
}

#[test]
fn a_pair_with_a_refused_field_that_is_ignored_is_released_whole() {
    let world =
        World::synced(&format!("{HEADER}Bo,Cole,bo@x.example,,Cook\nAnn,Bell,ann@x.example,,x\n"));
    world.edit("bo@x.example,,Cook", "bo@x.example,12,Cook");
    assert!(world.once().expect(3).count("rejected") > 0);
    world.run(&["resolve", "bo@x.example", "--ignore"]).expect(0);
    world.edit("12,Cook", "12,Chef");
    world.linq().forget_requests();
    assert_eq!(world.once().expect(0).count("rejected"), 0);
    assert_eq!((world.writes().len(), world.linq().contacts().len()), (0, 2));
    let history = world.run(&["history", "--contact", "bo@x.example"]).expect(0).stdout;
    assert!(history.contains("--ignore"), "{history}");
    // What happens to the contact in Linq does not reach the row, nor the other way round.
    world.change("Bo", "title", "Baker");
    world.once().expect(0);
    assert!(world.text().contains("12,Chef\n"), "{}", world.text());
    world.remove("Bo");
    world.once().expect(0);
    assert!(world.text().contains("Bo,Cole"), "{}", world.text());
}

#[test]
fn a_contact_that_an_ignored_row_may_be_gets_no_row_and_the_key_is_what_counts() {
    let mut world = World::with_csv(
        "No,First Name,Last Name,Email\nE1,Ann,Bell,office@x.example\nE2,Cy,Dorn,cy@x.example\n",
    );
    world.set("source.key", "\"No\"");
    world.linq().insert([("first_name", "Bob"), ("email", "office@x.example")]).unwrap();
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    world.run(&["resolve", "E1", "--ignore"]).expect(0);
    world.once().expect(0);
    world.edit("office@x.example", "ann@x.example");
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 2, "Ann is not created");
    world.run(&["resolve", "E1", "--unignore"]).expect(0);
    world.once().expect(0);
    assert!(world.contact("Ann").email.as_deref() == Some("ann@x.example"));
}

#[test]
fn cards_are_ignored_by_their_uid() {
    let card = |uid: &str, title: &str| {
        format!(
            "BEGIN:VCARD\nVERSION:3.0\nUID:{uid}\nN:Cole;Bo;;;\nFN:Bo Cole\n\
             EMAIL:bo@x.example\nTITLE:{title}\nEND:VCARD\n"
        )
    };
    let world = vcards::world(&[("a.vcf", &card("one", "Cook")), ("b.vcf", &card("two", "Baker"))]);
    assert_eq!(world.once().expect(3).count("ambiguous"), 1);
    world.run(&["resolve", "two", "--ignore"]).expect(0);
    world.once().expect(0);
    vcards::edit(&world, "b.vcf", "Baker", "Brewer");
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 1);
    assert_eq!(listed(&world).len(), 1);
}

#[test]
fn only_what_is_ambiguous_or_rejected_is_ignored_and_only_that_taken_back() {
    let world = with_a_twin();
    world.run(&["resolve", "ann@x.example", "--ignore"]).expect(2);
    world.run(&["resolve", "row:4", "--unignore"]).expect(2);
    world.run(&["resolve", "--ignore"]).expect(2);
    assert!(listed(&world).is_empty());
    world.write(format!(
        "{HEADER}Bo,Cole,bo@x.example,,Cook\nAnn,Bell,ann@x.example,,Chief\nx,\"y\"z,,,\n"
    ));
    world.once().expect(3);
    let refused = world.run(&["resolve", "row:4", "--ignore"]).expect(2);
    assert!(refused.stderr.contains("cannot be read"), "{}", refused.stderr);
}

#[test]
fn who_is_erased_is_not_remembered_as_ignored_either() {
    let world = with_a_twin();
    world.run(&["resolve", "row:4", "--ignore"]).expect(0);
    world.run(&["purge", "bo@x.example", "--yes"]).expect(0);
    assert!(listed(&world).is_empty());
}

#[test]
fn explain_tells_that_a_person_wants_it_to_be_ignored() {
    let world = with_a_twin();
    world.run(&["resolve", "row:4", "--ignore"]).expect(0);
    world.once().expect(0);
    let told = world.run(&["explain", "row:4"]).expect(0).stdout;
    assert!(told.contains("ignored: `linqsync resolve"), "{told}");
}

#[test]
fn an_ignored_pair_whose_contact_was_deleted_is_new_when_that_is_taken_back() {
    let world =
        World::synced(&format!("{HEADER}Bo,Cole,bo@x.example,,Cook\nAnn,Bell,ann@x.example,,x\n"));
    world.edit("bo@x.example,,Cook", "bo@x.example,12,Cook");
    world.once().expect(3);
    world.run(&["resolve", "bo@x.example", "--ignore"]).expect(0);
    world.once().expect(0);
    world.remove("Bo");
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 1);
    world.edit("bo@x.example,12,Cook", "bo@x.example,,Cook");
    world.run(&["resolve", "bo@x.example", "--unignore"]).expect(0);
    world.once().expect(0);
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
}
