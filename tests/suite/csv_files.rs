//! Files that other programs wrote: several columns for a field, lines above the header,
//! short rows, and cells that a spreadsheet damaged.

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
fn what_linq_clears_is_cleared_where_it_stood_and_the_next_one_stays_in_the_file() {
    let world = World::synced(SEVERAL);
    world.change("Bo", "email", "");
    world.once().expect(0);
    assert!(world.text().contains("Bo,,bo@two.example,"), "{}", world.text());
    assert_eq!(world.contact("Bo").email.unwrap_or_default(), "");
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

#[test]
fn a_file_in_windows_1252_keeps_its_encoding_and_refuses_what_it_lacks() {
    let western = |text: &str| -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    let text = "Vorname;Nachname;E-Mail;Firma\r\nZoë;Müller;z@x.example;Köln AG\r\n";
    let world = World::new();
    world.write(western(text));
    world.sync();
    world.change("Zoë", "company", "Übersee");
    world.once().expect(0);
    let written = text.replace("Köln AG", "Übersee");
    assert_eq!(std::fs::read(world.csv()).unwrap(), western(&written));
    world.change("Zoë", "company", "Łódź");
    let run = world.once().expect(3);
    assert_eq!(run.count("rejected"), 1);
    assert_eq!(std::fs::read(world.csv()).unwrap(), western(&written));
    let shown = world.run(&["--once"]).expect(3).stdout;
    assert!(shown.contains("encoding windows-1252 lacks"), "{shown}");
}

#[test]
fn cells_that_a_spreadsheet_damaged_wait_for_repair() {
    let text = "First Name,Email,Phone\nAda,ada@x.example,+4915112345678\n";
    let world = World::synced(text);
    for damaged in ["4.91511E+12", "4915112345678"] {
        world.edit("+4915112345678", damaged);
        let run = world.once().expect(3);
        assert_eq!((run.count("rejected"), world.writes().len()), (1, 0), "{damaged}");
        world.edit(damaged, "+4915112345678");
    }
    world.edit("Ada,", "1.41556E+10,");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    world.edit("1.41556E+10,", "2-Mar,");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    world.edit("2-Mar,", "Ada,");
    world.expect_silence();
}

#[test]
fn a_damaged_number_is_sent_in_no_field() {
    let text = "First Name,Last Name,Email,Company,Title,Location\n\
                Ada,King,ada@x.example,Engines,Countess,London\n";
    let world = World::synced(text);
    for value in ["King", "ada@x.example", "Engines", "Countess", "London"] {
        for damaged in ["1.41556E+10", "#NAME?", "#####"] {
            world.edit(value, damaged);
            let run = world.once().expect(3);
            assert_eq!((run.count("rejected"), world.writes().len()), (1, 0), "{value} {damaged}");
            world.edit(damaged, value);
        }
    }
    world.expect_silence();
}

#[test]
fn what_looks_damaged_and_is_linqs_own_value_is_no_damage() {
    let world = World::synced("First Name,Email,Phone,Company\nAda,ada@x.example,,\n");
    let odd =
        [("first_name", "2-Mar"), ("phone_number", "4915112345678"), ("company", "1.41556E+10")];
    world.linq().insert(odd).unwrap();
    world.once().expect(0);
    assert!(world.text().ends_with("\n2-Mar,,4915112345678,1.41556E+10\n"), "{}", world.text());
    world.expect_silence();
    // Somebody else's cell with the same text is damaged all the same.
    world.edit("ada@x.example,,", "ada@x.example,,1.41556E+10");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
}
