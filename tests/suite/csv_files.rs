//! Files that other programs wrote: what each of them exports is taken as it is.

use crate::harness::World;

/// One e-mail address and one phone number for each place that an address book has.
const SEVERAL: &str = "First Name,E-mail Address,E-mail 2 Address,Mobile Phone,Business Phone\n\
                       Ada,,ada@two.example,,+14155552671\n\
                       Bo,bo@one.example,bo@two.example,+14155552672,\n";

#[test]
fn the_first_filled_of_several_columns_is_linqs_and_stays_where_it_stands() {
    let world = World::synced(SEVERAL);
    assert_eq!(world.text(), SEVERAL);
    let ada = world.contact("Ada");
    assert_eq!(ada.email.as_deref(), Some("ada@two.example"));
    assert_eq!(ada.phone_number.as_deref(), Some("+14155552671"));
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@one.example"));
    world.expect_silence();

    // What Linq changes is written into the column that it came from.
    world.change("Ada", "email", "ada@new.example");
    world.once().expect(0);
    let expected = SEVERAL.replace("ada@two", "ada@new");
    assert_eq!(world.text(), expected);
    world.expect_silence();
}

#[test]
fn a_better_column_that_is_filled_in_later_changes_nothing_in_linq() {
    let world = World::synced(SEVERAL);
    world.edit("Ada,,", "Ada,ada@one.example,");
    world.expect_silence();
    world.change("Ada", "email", "ada@new.example");
    world.once().expect(0);
    let ada = "Ada,ada@one.example,ada@new.example,,+14155552671\n";
    assert!(world.text().contains(ada), "{}", world.text());
    world.expect_silence();
    // Clearing the one that is Linq's hands over the other.
    world.edit("ada@new.example", "");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@one.example"));
    world.expect_silence();
}

#[test]
fn what_linq_clears_is_cleared_where_it_stood_and_the_next_one_is_linqs() {
    let world = World::synced(SEVERAL);
    world.change("Bo", "email", "");
    world.once().expect(0);
    assert!(world.text().contains("Bo,,bo@two.example,"), "{}", world.text());
    assert_eq!(world.contact("Bo").email.as_deref(), Some("bo@two.example"));
    world.expect_silence();
}

#[test]
fn lines_above_the_header_stay_as_they_are() {
    let text = "Notes:\n\"Some addresses, and \"\"others\"\",\nmay be missing.\"\n\n\
                First Name,Last Name,URL,Email Address,Company,Position\n\
                Ada,King,https://x.example,ada@x.example,Engines,Countess\n";
    let world = World::synced(text);
    world.change("Ada", "title", "Lady");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("Countess", "Lady"));
    world.expect_silence();
}

#[test]
fn a_row_without_its_last_cells_is_a_row_and_is_written_as_far_as_needed() {
    let text = "First Name,Email,Title,Notes\nAda\nBo,bo@x.example\n";
    let world = World::synced(text);
    assert_eq!(world.text(), text);
    world.change("Ada", "title", "Countess");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("Ada\n", "Ada,,Countess\n"));
    world.expect_silence();
}
