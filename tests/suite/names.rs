//! Whole names: in one column of a table, and in cards that tell a name twice.

use crate::harness::World;
use crate::vcards;

const TABLE: &str = "Name,Email,Title\nAda King,ada@x.example,Countess\n\
                     Dr. Mary Ann Lee Jr.,mary@x.example,\nCher,cher@x.example,\n";

/// First and last names in Linq, sorted.
fn names(world: &World) -> Vec<(String, String)> {
    let contacts = world.linq().contacts();
    let mut names: Vec<(String, String)> = contacts
        .iter()
        .map(|contact| {
            let json = serde_json::to_value(contact).unwrap();
            let name = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
            (name("first_name"), name("last_name"))
        })
        .collect();
    names.sort();
    names
}

fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(first, last)| ((*first).to_owned(), (*last).to_owned())).collect()
}

#[test]
fn whole_names_arrive_taken_apart_and_edits_go_both_ways() {
    let world = World::synced(TABLE);
    assert_eq!(names(&world), pairs(&[("Ada", "King"), ("Cher", ""), ("Mary Ann", "Lee")]));
    world.expect_silence();

    world.change("Mary Ann", "last_name", "van der Berg");
    world.change("Cher", "last_name", "Bono");
    assert_eq!(world.once().expect(0).source(), [3, 0, 2, 0]);
    let text = TABLE.replace("Lee", "van der Berg").replace("Cher,", "Cher Bono,");
    assert_eq!(world.text(), text);
    world.expect_silence();

    world.edit("Ada King", "Eve Byron");
    assert_eq!(world.once().expect(0).linq(), [3, 0, 1, 0]);
    assert!(names(&world).contains(&("Eve".to_owned(), "Byron".to_owned())));
    world.expect_silence();
}

#[test]
fn the_order_of_a_column_is_kept_and_new_rows_have_it() {
    let world =
        World::synced("Contact,E-mail\n\"King, Ada\",ada@x.example\n\"Lee, Bo\",bo@x.example\n");
    assert_eq!(names(&world), pairs(&[("Ada", "King"), ("Bo", "Lee")]));
    world.change("Ada", "first_name", "Eve");
    let new = [("first_name", "Ana"), ("last_name", "García Márquez"), ("email", "ana@x.example")];
    world.linq().insert(new).unwrap();
    world.once().expect(0);
    assert_eq!(
        world.text(),
        "Contact,E-mail\n\"King, Eve\",ada@x.example\n\"Lee, Bo\",bo@x.example\n\
         \"García Márquez, Ana\",ana@x.example\n"
    );
    world.expect_silence();
}

#[test]
fn a_name_that_would_be_read_otherwise_is_never_written_and_the_rest_is() {
    let world = World::synced(TABLE);
    world.change("Ada", "last_name", "King Noel");
    world.change("Ada", "title", "Lady");
    let run = world.once().expect(3);
    assert_eq!(run.count("rejected"), 1, "{}", run.json);
    assert_eq!(world.text(), TABLE.replace("Countess", "Lady"));
    assert!(run.notices().contains("taken apart in another way"), "{}", run.json);
    // The next run says so again, and writes nothing.
    world.linq().forget_requests();
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    assert_eq!(world.writes(), []);
    assert_eq!(world.contact("Ada").last_name.as_deref(), Some("King Noel"));
}

#[test]
fn names_in_east_asian_characters_keep_their_order() {
    let world =
        World::synced("氏名,メールアドレス\n山田 太郎,taro@x.example\n田中実,minoru@x.example\n");
    assert_eq!(names(&world), pairs(&[("太郎", "山田"), ("実", "田中")]));
    world.change("太郎", "first_name", "次郎");
    world.once().expect(0);
    assert!(world.text().contains("山田 次郎,"));
    world.expect_silence();
}

#[test]
fn a_column_with_whole_names_can_be_named_and_is_shown() {
    let mut world = World::with_csv("Kunde,First Name,Email\nAda King,x,ada@x.example\n");
    world.set("source.columns.full_name", "\"Kunde\"");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ada", "King")]));
    let check = world.run(&["check", "--offline"]);
    assert!(check.stdout.contains("full_name = `Kunde`"), "{}", check.stdout);
    world.set("source.columns.last_name", "\"First Name\"");
    let refused = world.run(&["check", "--offline"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}

#[test]
fn several_columns_make_up_a_location() {
    let mut world = World::with_csv(
        "First Name,Email,City,State\nAda,ada@x.example,Oslo,Norway\nBo,bo@x.example,Rome,\n",
    );
    world.set("source.columns.location", "[\"City\", \"State\"]");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").location.as_deref(), Some("Oslo, Norway"));
    assert_eq!(world.contact("Bo").location.as_deref(), Some("Rome"));
    world.expect_silence();
    world.change("Ada", "location", "Bergen, Norge");
    world.change("Bo", "location", "Milan");
    world.once().expect(0);
    let text =
        "First Name,Email,City,State\nAda,ada@x.example,Bergen,Norge\nBo,bo@x.example,Milan,\n";
    assert_eq!(world.text(), text);
    world.expect_silence();
    world.change("Ada", "location", "Bergen, Vestland, Norge");
    let run = world.once().expect(3);
    assert_eq!((run.count("rejected"), world.text().as_str()), (1, text));
}

#[test]
fn a_part_of_a_location_that_goes_is_blanked_where_that_reads_back_the_same() {
    let mut world = World::with_csv(
        "First Name,Email,City,State,Country\nAda,ada@x.example,Austin,TX,\n\
         Bo,bo@x.example,Dallas,TX,USA\nCy,cy@x.example,Oslo,,Norway\n",
    );
    world.set("source.columns.location", "[\"City\", \"State\", \"Country\"]");
    world.once().expect(0);
    world.change("Ada", "location", "Austin");
    world.change("Bo", "location", "Dallas, USA");
    world.change("Cy", "location", "Bergen, Norway");
    world.once().expect(0);
    world.expect_silence();
    world.change("Ada", "location", "Rome, USA");
    world.once().expect(0);
    assert_eq!(
        world.text(),
        "First Name,Email,City,State,Country\nAda,ada@x.example,Rome,,USA\n\
         Bo,bo@x.example,Dallas,,USA\nCy,cy@x.example,Bergen,,Norway\n"
    );
    world.expect_silence();
    world.change("Ada", "location", "Rome, Lazio, Italy, Europe");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
}

#[test]
fn a_location_that_is_parted_alike_is_the_same() {
    let mut world = World::with_csv("First Name,Email,City,State\nAda,ada@x.example,Austin,TX\n");
    world.set("source.columns.location", "[\"City\", \"State\"]");
    let ada = [("first_name", "Ada"), ("email", "ada@x.example"), ("location", "Austin,TX")];
    world.linq().insert(ada).unwrap();
    assert_eq!(world.once().expect(0).count("linked"), 1);
    world.expect_silence();
    world.change("Ada", "location", "Dallas,TX");
    world.once().expect(0);
    assert!(world.text().contains("ada@x.example,Dallas,TX"), "{}", world.text());
    world.expect_silence();
    world.edit("Dallas", "Houston");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").location.as_deref(), Some("Houston, TX"));
    world.expect_silence();
}

#[test]
fn a_cell_that_would_be_written_so_agrees_however_linq_parts_the_name() {
    let text = "Name,Email,Title\nAnn Bell Cole,ann@x.example,Cook\n\
                \"Cole, Bo\",bo@x.example,\nCy de la Cruz,cy@x.example,\n";
    let world = World::with_csv(text);
    for (first, last, email) in [
        ("Ann", "Bell Cole", "ann@x.example"),
        ("Bo", "Cole", "bo@x.example"),
        ("Cy de la", "Cruz", "cy@x.example"),
    ] {
        let contact = [("first_name", first), ("last_name", last), ("email", email)];
        world.linq().insert(contact).unwrap();
    }
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.count("in_sync")), (3, 3), "{:#}", run.json);
    world.expect_silence();
    assert_eq!(world.text(), text);
    world.run(&["verify"]).expect(0);

    // Edits of the cell keep the half that stayed, and those of other cells the name.
    world.edit("Ann Bell Cole,ann@x.example,Cook", "Ann Bell Coles,ann@x.example,Chef");
    world.once().expect(0);
    assert!(names(&world).contains(&("Ann".to_owned(), "Bell Coles".to_owned())));
    world.edit("Ann Bell Coles", "Eve Bell Coles");
    world.once().expect(0);
    assert!(names(&world).contains(&("Eve".to_owned(), "Bell Coles".to_owned())));
    world.expect_silence();

    // Linq's edit is written where it reads back by itself.
    world.change("Eve", "last_name", "Bell");
    world.once().expect(0);
    assert!(world.text().contains("\nEve Bell,ann@x.example,Chef\n"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn the_name_of_a_column_tells_which_name_comes_first() {
    for (header, cell, first, last) in [
        ("ФИО", "Иванов Иван Иванович", "Иван Иванович", "Иванов"),
        ("Név", "Kovács Péter", "Péter", "Kovács"),
        ("Név", "dr. Nagy Anna Mária", "Anna Mária", "Nagy"),
        ("Teljes név", "\"Kovács, Péter\"", "Péter", "Kovács"),
        ("Cognome e nome", "Rossi Maria", "Maria", "Rossi"),
        ("Nachname Vorname", "von Ende Ida", "Ida", "von Ende"),
        ("Vorname Nachname", "Ida von Ende", "Ida", "von Ende"),
        ("Surname,Name", "Bell,Ann", "Ann", "Bell"),
        ("Nachname,Name", "Bell,Ann", "Ann", "Bell"),
        ("Name,Last Name", "Ann,Bell", "Ann", "Bell"),
        ("Name,Vorname", "Bell,Ann", "Ann", "Bell"),
        ("Name,First Name,Last Name", "x,Ann,Bell", "Ann", "Bell"),
        ("First Name,Full Name", "Ann,Ann Bell", "Ann", "Bell"),
        ("Név,Keresztnév", "Bell,Ann", "Ann", "Bell"),
    ] {
        let text = format!("{header},Email\n{cell},ann@x.example\n");
        let world = World::with_csv(&text);
        world.once().expect(0);
        assert_eq!(names(&world), pairs(&[(first, last)]), "{header}");
        world.expect_silence();
    }
}

#[test]
fn a_column_whose_last_name_comes_first_is_written_like_that() {
    let world = World::synced("ФИО,Email\nИванов Иван,ivan@x.example\n");
    world.change("Иван", "last_name", "Петров");
    let new = [("first_name", "Анна"), ("last_name", "Смирнова"), ("email", "anna@x.example")];
    world.linq().insert(new).unwrap();
    world.once().expect(0);
    assert_eq!(
        world.text(),
        "ФИО,Email\nПетров Иван,ivan@x.example\nСмирнова Анна,anna@x.example\n"
    );
    world.expect_silence();
    let empty = World::with_csv("Név,Email\n");
    let new = [("first_name", "Péter"), ("last_name", "Kovács"), ("email", "p@x.example")];
    empty.linq().insert(new).unwrap();
    empty.once().expect(0);
    assert_eq!(empty.text(), "Név,Email\nKovács Péter,p@x.example\n");
    empty.expect_silence();
}

fn card(lines: &str) -> String {
    format!("BEGIN:VCARD\nVERSION:3.0\nUID:1\n{lines}EMAIL:ada@x.example\nEND:VCARD\n")
}

#[test]
fn a_display_name_alone_is_taken_apart() {
    for (display, first, last) in [
        ("King\\, Ada", "Ada", "King"),
        ("山田 太郎", "太郎", "山田"),
        ("Ada King Jr.", "Ada", "King"),
        ("Dr. Ada van der Berg", "Ada", "van der Berg"),
    ] {
        let world = vcards::world(&[("a.vcf", &card(&format!("FN:{display}\n")))]);
        world.once().expect(0);
        assert_eq!(names(&world), pairs(&[(first, last)]), "{display}");
    }
    for lines in ["FN:Engines Works\nKIND:org\n", "FN:Engines Works\nX-ABShowAs:COMPANY\n"] {
        let world = vcards::world(&[("a.vcf", &card(lines))]);
        world.once().expect(0);
        assert_eq!(names(&world), pairs(&[("", "")]), "{lines}");
    }
}

#[test]
fn whichever_way_of_telling_a_name_was_changed_is_the_edit() {
    let world =
        vcards::world(&[("a.vcf", &card("N:King;Ada;Augusta;Dr.;\nFN:Dr. Ada Augusta King\n"))]);
    world.once().expect(0);
    vcards::expect_silence(&world);

    // A web address book renames: the display name alone is changed.
    vcards::edit(&world, "a.vcf", "FN:Dr. Ada Augusta King", "FN:Dr. Ada Augusta Lovelace");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ada", "Lovelace")]));
    vcards::expect_silence(&world);
    vcards::expect_silence(&world);

    // What is changed in Linq then is written in both places.
    world.change("Ada", "first_name", "Eve");
    world.once().expect(0);
    let text = vcards::text(&world, "a.vcf");
    assert!(text.contains("N:Lovelace;Eve;Augusta;Dr.;"), "{text}");
    assert!(text.contains("FN:Dr. Eve Augusta Lovelace"), "{text}");
    vcards::expect_silence(&world);

    // The parts alone are changed.
    vcards::edit(&world, "a.vcf", "N:Lovelace;Eve", "N:Byron;Eve");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Eve", "Byron")]));
    vcards::expect_silence(&world);
}

#[test]
fn a_display_name_that_has_always_said_something_else_is_no_name() {
    let world = vcards::world(&[("a.vcf", &card("N:King;Ada;;;\nFN:The Countess\n"))]);
    world.once().expect(0);
    vcards::edit(&world, "a.vcf", "FN:The Countess", "FN:Her Ladyship");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ada", "King")]));
    vcards::expect_silence(&world);
}

#[test]
fn an_edit_of_a_display_name_survives_a_run_that_cannot_carry_it() {
    let world = vcards::world(&[("a.vcf", &card("N:King;Ada;;;\nFN:Ada King\n"))]);
    world.once().expect(0);
    vcards::edit(&world, "a.vcf", "FN:Ada King", "FN:Ada Lovelace");
    world.fault("update status=500 times=1000");
    world.once().expect(6);
    world.linq().clear_faults();
    world.let_the_probe_come();
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ada", "Lovelace")]));
    vcards::expect_silence(&world);
}

#[test]
fn a_display_name_that_is_shortened_takes_no_name_away() {
    let world = vcards::world(&[("a.vcf", &card("N:Roy;Ida;;;\nFN:Ida Roy\n"))]);
    world.once().expect(0);
    vcards::edit(&world, "a.vcf", "FN:Ida Roy", "FN:Ida");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ida", "Roy")]));
    vcards::expect_silence(&world);
    vcards::edit(&world, "a.vcf", "FN:Ida", "FN:Ida Lovelace");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ida", "Lovelace")]));
    vcards::expect_silence(&world);
}

#[test]
fn a_form_of_address_before_an_old_display_name_brings_no_old_name_back() {
    let world = vcards::world(&[("a.vcf", &card("N:Roy;Ida;;;\nFN:Ida Roy\n"))]);
    world.once().expect(0);
    vcards::edit(&world, "a.vcf", "N:Roy;Ida", "N:Byron;Ida");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ida", "Byron")]));
    vcards::edit(&world, "a.vcf", "FN:Ida Roy", "FN:Dr. Ida Roy");
    world.once().expect(0);
    assert_eq!(names(&world), pairs(&[("Ida", "Byron")]));
    vcards::expect_silence(&world);
}
