//! What the source cannot hold is told like what Linq refuses: it is listed, counted the same
//! everywhere, and ends when it no longer applies.

use serde_json::Value;

use crate::harness::World;

const TABLE: &str = "Name,Email,Title\nAda King,ada@x.example,Countess\nBo Lee,bo@x.example,\n";

/// `list rejected --json`
fn rejected(world: &World) -> Vec<Value> {
    let listed = world.run(&["list", "rejected", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    listed["items"].as_array().unwrap().clone()
}

/// Side, field, value and cell of what is rejected.
fn shown(world: &World) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = rejected(world);
    let one = |item: &Value| {
        let kind = &item["kind"];
        [&kind["side"], &kind["field"], &item["value"], &item["cell"]].map(text)
    };
    all.iter().map(one).collect()
}

/// That run, `status` and `list` count the same.
fn expect_count(world: &World, count: u64) {
    let code = if count == 0 { 0 } else { 3 };
    let run = world.once().expect(code);
    assert_eq!(run.count("rejected"), count, "{:#}", run.json);
    assert_eq!(rejected(world).len() as u64, count);
    let status = world.run(&["status", "--json"]).expect(0);
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["rejected"], count);
    assert_eq!(status["in_sync"], count == 0);
}

#[test]
fn a_name_that_a_cell_cannot_hold_is_listed_counted_and_explained() {
    let world = World::synced(TABLE);
    world.change("Ada", "last_name", "King Noel");
    expect_count(&world, 1);
    let cell = "`Name` in row 2";
    assert_eq!(shown(&world), [["source", "last_name", "King Noel", cell].map(str::to_owned)]);
    expect_count(&world, 1);
    let text = world.run(&["list", "rejected"]).expect(0).stdout;
    assert!(text.contains("King Noel") && text.contains("taken apart in another way"), "{text}");
    assert!(text.contains("retry WHO"), "{text}");
    let explained = world.run(&["explain", "ada@x.example"]).expect(0).stdout;
    assert!(explained.contains("taken apart in another way"), "{explained}");
    let planned = world.run(&["plan", "--json"]).expect(0).stdout;
    assert!(planned.contains("\"reject\""), "{planned}");
    assert_eq!(world.text(), TABLE);
}

#[test]
fn what_the_source_could_not_hold_ends_when_it_no_longer_applies() {
    // Linq has something else.
    let world = World::synced(TABLE);
    world.change("Ada", "last_name", "King Noel");
    expect_count(&world, 1);
    world.change("Ada", "last_name", "Byron");
    expect_count(&world, 0);
    assert_eq!(world.text(), TABLE.replace("Ada King", "Ada Byron"));

    // The person writes it as it can be held.
    world.change("Ada", "last_name", "King Noel");
    expect_count(&world, 1);
    world.edit("Ada Byron", "\"King Noel, Ada\"");
    expect_count(&world, 0);
    world.expect_silence();

    // The columns become others.
    world.change("Bo", "last_name", "Lee Young");
    expect_count(&world, 1);
    let mut split = String::from("First Name,Last Name,Email,Title\n");
    split += "Ada,King Noel,ada@x.example,Countess\nBo,Lee Young,bo@x.example,\n";
    world.write(&split);
    expect_count(&world, 0);
    assert_eq!(world.text(), split);
}

#[test]
fn both_halves_of_a_name_wait_together_and_are_written_together() {
    let world = World::synced(TABLE);
    world.change("Ada", "last_name", "King Noel");
    world.change("Ada", "first_name", "Eve");
    expect_count(&world, 2);
    assert_eq!(world.text(), TABLE);
    // What was refused as a whole is tried again as a whole.
    world.change("Eve", "last_name", "Noel");
    expect_count(&world, 0);
    assert_eq!(world.text(), TABLE.replace("Ada King", "Eve Noel"));
}

#[test]
fn a_new_row_comes_without_what_its_cells_cannot_hold_and_other_fields_flow() {
    let world = World::synced(TABLE);
    let new = [("first_name", "Cy"), ("last_name", "Young, Esq"), ("email", "cy@x.example")];
    world.linq().insert(new).unwrap();
    expect_count(&world, 2);
    assert!(world.text().ends_with("\n,cy@x.example,\n"), "{}", world.text());
    world.linq().forget_requests();
    expect_count(&world, 2);
    assert_eq!(world.writes(), []);
    world.change("Cy", "title", "Cook");
    world.edit("Countess", "Lady");
    expect_count(&world, 2);
    assert!(world.text().ends_with("\n,cy@x.example,Cook\n"), "{}", world.text());
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Lady"));
    assert_eq!(world.contact("Cy").last_name.as_deref(), Some("Young, Esq"));
}

#[test]
fn a_retry_is_taken_up_and_is_over_once_it_was_tried() {
    let world = World::synced(TABLE);
    world.change("Ada", "last_name", "King Noel");
    expect_count(&world, 1);
    let said = world.run(&["retry", "ada@x.example"]).expect(0).stdout;
    assert!(said.contains("send last_name to the source again"), "{said}");
    expect_count(&world, 1);
    assert!(!world.run(&["status"]).expect(0).stdout.contains("decided"));
    world.change("Ada", "last_name", "Byron");
    world.once().expect(0);
    world.run(&["retry", "ada@x.example"]).expect(2);
}

#[test]
fn a_cell_whose_encoding_lacks_a_letter_is_told_until_the_file_is_saved_as_utf_8() {
    let mut world = World::with_csv("First Name,Email\nZo\u{e9},zoe@x.example\n");
    world.set("source.encoding", "\"windows-1252\"");
    std::fs::write(world.path("contacts.csv"), b"First Name,Email\nZo\xe9,zoe@x.example\n")
        .unwrap();
    world.once().expect(0);
    world.change("Zo\u{e9}", "first_name", "東京");
    expect_count(&world, 1);
    assert_eq!(shown(&world)[0][2], "東京");
}
