//! WHO: how a contact is named on the command line.

use serde_json::Value;

use crate::harness::World;

const TABLE: &str = "First Name,Last Name,Email,Title\nAda,King,ada@x.example,Countess\n\
                     Bo,Lee,bo@x.example,Cook\nBo,Lee,bo@y.example,Chef\n";

/// A world in which the titles of Ada and of the first Bo were changed on both sides.
fn with_conflicts() -> World {
    let world = World::synced(TABLE);
    world.edit("Countess", "Lady");
    world.change("Ada", "title", "Baroness");
    world.once().expect(3);
    world
}

#[test]
fn a_full_name_that_one_contact_has_names_it_for_every_command() {
    let world = with_conflicts();
    for name in ["Ada King", "king, ada", "KING ADA"] {
        let told = world.run(&["explain", name]).expect(0).stdout;
        assert!(told.contains("Baroness"), "{name}: {told}");
    }
    let history = world.run(&["history", "--contact", "Ada King"]).expect(0).stdout;
    assert!(history.contains("Ada King"), "{history}");
    world.run(&["resolve", "Ada King", "--take", "linq"]).expect(0);
    world.once().expect(0);
    assert!(world.text().contains("Baroness"));
    world.run(&["undo", "3", "--contact", "ada king", "--dry-run"]).expect(0);
    world.run(&["purge", "Ada King", "--yes"]).expect(0);
}

#[test]
fn a_name_that_several_have_is_refused_with_their_ids() {
    let world = with_conflicts();
    for command in [
        &["explain", "Bo Lee"][..],
        &["history", "--contact", "Bo Lee"],
        &["resolve", "Bo Lee", "--take", "linq"],
        &["retry", "Bo Lee"],
        &["approve", "Bo Lee"],
        &["reject", "Bo Lee"],
        &["purge", "Bo Lee", "--yes"],
        &["undo", "1", "--contact", "Bo Lee", "--dry-run"],
    ] {
        let told = world.run(command).expect(2).stderr;
        assert!(told.contains("2 contacts are called Bo Lee"), "{command:?}: {told}");
        assert!(told.contains("bo@x.example") && told.contains("id "), "{command:?}: {told}");
    }
    let told = world.run(&["explain", "Cy Young"]).expect(2).stderr;
    assert!(told.contains("Cy Young"), "{told}");
}

#[test]
fn a_row_that_is_no_contact_yet_is_found_by_its_name() {
    let world = World::synced(TABLE);
    world.write(TABLE.to_owned() + "Di,Moss,di@x.example,\n");
    let told = world.run(&["explain", "Di Moss"]).expect(0).stdout;
    assert!(told.contains("row:5"), "{told}");
}

#[test]
fn a_list_without_a_state_shows_whatever_needs_attention() {
    let world = with_conflicts();
    world.edit("bo@y.example", "nobody at all");
    world.once().expect(3);
    let told = world.run(&["list"]).expect(0).stdout;
    assert!(told.contains("1 conflict") && told.contains("1 rejected"), "{told}");
    let json: Value =
        serde_json::from_str(&world.run(&["list", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((json["items"].as_array().unwrap().len(), &json["state"]), (2, &Value::Null));
    let quiet = World::synced(TABLE);
    assert_eq!(quiet.run(&["list"]).expect(0).stdout, "nothing needs attention\n");
}
