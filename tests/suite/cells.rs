//! What people and programs write into cells, read as it is meant and kept as it is written.

use crate::harness::World;

#[test]
fn a_cell_that_excel_takes_for_text_is_read_as_meant_and_stays_one() {
    let text = "First Name,Phone,Company\nAda,\"=\"\"4155552671\"\"\",\"=\"\"3M\"\"\"\nBo,=\"4155552672\",=\"4M\"\n";
    let world = World::synced(text);
    assert_eq!(world.contact("Ada").company.as_deref(), Some("3M"));
    assert_eq!(world.contact("Bo").phone_number.as_deref(), Some("+14155552672"));
    world.expect_silence();
    world.change("Bo", "company", "5M");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("=\"4M\"", "\"=\"\"5M\"\"\""));
    world.expect_silence();
}

#[test]
fn the_first_of_several_values_is_linqs_and_the_others_stay_in_the_cell() {
    let text = "First Name,Email,Phone,City\n\
                Ida,ida@x.example; ida@home.example,415 555 2671 ::: 415 555 2672,Oslo ::: Bergen\n";
    let world = World::synced(text);
    let ida = world.contact("Ida");
    assert_eq!(ida.email.as_deref(), Some("ida@x.example"));
    assert_eq!(ida.phone_number.as_deref(), Some("+14155552671"));
    assert_eq!(ida.location.as_deref(), Some("Oslo"));
    world.expect_silence();
    world.change("Ida", "email", "ida@new.example");
    world.change("Ida", "location", "Rome");
    world.once().expect(0);
    let edited = text.replace("ida@x.example", "ida@new.example").replace("Oslo", "Rome");
    assert_eq!(world.text(), edited);
    world.expect_silence();
}

#[test]
fn a_contact_that_linq_knows_by_the_second_value_of_a_cell_is_matched() {
    let world = World::with_csv("First Name,Email\nIda,ida@x.example; ida@home.example\n");
    world.linq().insert([("first_name", "Ida"), ("email", "ida@home.example")]).unwrap();
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 1);
    assert_eq!(world.contact("Ida").email.as_deref(), Some("ida@home.example"));
    world.expect_silence();
}

#[test]
fn every_spelling_of_an_address_is_the_address() {
    let text = "First Name,Email\nAda,mailto:ada@x.example\nBo,<bo@x.example>\n\
                Cy,Cy Young <cy@x.example>\nDi,\u{feff}di@x.example.\nEd,'ed@x.example'\n";
    let world = World::synced(text);
    for (name, email) in [("Ada", "ada"), ("Bo", "bo"), ("Cy", "cy"), ("Di", "di"), ("Ed", "ed")] {
        let expected = format!("{email}@x.example");
        assert_eq!(world.contact(name).email.as_deref(), Some(expected.as_str()), "{name}");
    }
    world.change("Cy", "email", "cy@new.example");
    world.once().expect(0);
    assert_eq!(world.text(), text.replace("cy@x.example", "cy@new.example"));
    world.expect_silence();
}

#[test]
fn a_number_that_a_spreadsheet_wrote_with_a_fraction_is_read_without() {
    let world = World::synced("First Name,Phone\nAda,14155552671.0\n");
    assert_eq!(world.contact("Ada").phone_number.as_deref(), Some("+14155552671"));
    world.expect_silence();
}

#[test]
fn the_next_column_with_a_city_counts_where_the_first_is_blank() {
    let world = World::synced(
        "First Name,Email,Business City,Home City\nAda,ada@x.example,,Oslo\nBo,bo@x.example,Rome,Pisa\n",
    );
    assert_eq!(world.contact("Ada").location.as_deref(), Some("Oslo"));
    assert_eq!(world.contact("Bo").location.as_deref(), Some("Rome"));
    world.expect_silence();
}

#[test]
fn a_column_with_forms_of_address_is_no_job_title_and_that_is_told() {
    let world = World::with_csv(
        "Title,First Name,Email\nMr,Bo,bo@x.example\nDr.,Ada,ada@x.example\nMrs,Cy,cy@x.example\n",
    );
    let run = world.once().expect(0);
    assert_eq!(world.contact("Bo").title, None);
    assert!(run.json["notices"].to_string().contains("forms of address"), "{}", run.json);
    let check = world.run(&["check", "--offline"]);
    assert!(check.stdout.contains("forms of address"), "{}", check.stdout);
}

#[test]
fn a_column_with_addresses_that_nobody_reads_is_told() {
    let world = World::with_csv("First Name,Anschrift,Rufnr\nAda,ada@x.example,+1 415 555 2671\n");
    let run = world.once().expect(0);
    let notices = run.json["notices"].to_string();
    assert!(notices.contains("`Anschrift` holds e-mail addresses"), "{notices}");
    assert!(notices.contains("`Rufnr` holds phone numbers"), "{notices}");
    let init = world.run(&["-c", "new.toml", "init", "contacts.csv"]);
    assert!(init.stdout.contains("Anschrift"), "{}", init.stdout);
}

#[test]
fn spaces_that_look_alike_make_no_difference_and_are_shown_where_they_do() {
    let world = World::with_csv("First Name,Email,Title\nMary\u{a0}Ann,m@x.example,Boss\n");
    world
        .linq()
        .insert([("first_name", "Mary Ann"), ("email", "m@x.example"), ("title", "Bo\u{200b}ss!")])
        .unwrap();
    let run = world.once().expect(3);
    assert_eq!(run.count("conflicts"), 1, "{}", run.json);
    let list = world.run(&["list", "conflicts"]);
    assert!(list.stdout.contains("Bo<U+200B>ss!"), "{}", list.stdout);
}

#[test]
fn several_numbers_in_a_cell_get_no_apostrophe() {
    let world = World::synced("First Name,Phone\nAda,+14155552671; +14155552672\n");
    world.change("Ada", "phone_number", "+14155552673");
    world.once().expect(0);
    assert_eq!(world.text(), "First Name,Phone\nAda,+14155552673; +14155552672\n");
    world.expect_silence();
}

#[test]
fn a_value_that_is_cleared_in_linq_is_not_replaced_by_the_next_one() {
    for (text, after) in [
        (
            "First Name,Email,Title\nAda,ada@x.example; ada@home.example,Cook\n",
            "First Name,Email,Title\nAda,ada@home.example,Cook\n",
        ),
        (
            "First Name,Title,Work Email,Home Email\nAda,Cook,ada@x.example,ada@home.example\n",
            "First Name,Title,Work Email,Home Email\nAda,Cook,,ada@home.example\n",
        ),
    ] {
        let world = World::synced(text);
        world.change("Ada", "email", "");
        world.once().expect(0);
        assert_eq!(world.text(), after);
        world.expect_silence();
        world.edit("Cook", "Chef");
        world.once().expect(0);
        let ada = world.contact("Ada");
        assert_eq!(
            (ada.email.unwrap_or_default(), ada.title.as_deref()),
            (String::new(), Some("Chef"))
        );
        world.run(&["verify"]).expect(0);
        // A person makes it Linq's.
        world.edit("ada@home.example", "ada@new.example");
        world.once().expect(0);
        assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@new.example"));
        world.expect_silence();
    }
}
