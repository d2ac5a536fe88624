//! `sync.blank_clears`: a blank that clears nothing is filled.

use crate::harness::World;
use crate::vcards;

const TWO: &str = "First Name,Email,Title,Company\n\
                   Ada,ada@x.example,Chief,Acme\n\
                   Bo,bo@x.example,Cook,Acme\n";

#[test]
fn a_blank_cell_is_filled_and_clears_nothing_where_it_is_configured_so() {
    for (clears, company) in [("{ title = false }", None), ("false", Some("Acme"))] {
        let mut world = World::synced(TWO);
        world.set("sync.blank_clears", clears);
        world.once().expect(0);
        world.edit("Chief,Acme", ",");
        let run = world.once().expect(0);
        assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"), "{:#}", run.json);
        assert_eq!(world.contact("Ada").company.as_deref().filter(|c| !c.is_empty()), company);
        let row = format!("Ada,ada@x.example,Chief,{}\n", company.unwrap_or_default());
        assert!(world.text().contains(&row), "{}", world.text());
        world.expect_silence();
        // A blank in Linq clears the source, and one on both sides is agreed on.
        world.change("Ada", "title", "");
        world.once().expect(0);
        assert!(world.text().contains("Ada,ada@x.example,,"), "{}", world.text());
        world.edit("Cook", "");
        world.change("Bo", "title", "");
        world.once().expect(0);
        world.edit("bo@x.example,", "bo@x.example,Baker");
        world.once().expect(0);
        assert_eq!(world.contact("Bo").title.as_deref(), Some("Baker"));
    }
}

#[test]
fn where_only_linq_is_written_the_blank_stays_and_clears_nothing_then_or_later() {
    let mut world = World::synced(TWO);
    world.set("sync.blank_clears", "{ default = false, company = true }");
    world.set("sync.direction", "\"push\"");
    world.once().expect(0);
    world.edit("Chief", "");
    for _ in 0..2 {
        world.once().expect(0);
        assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"));
        assert!(world.text().contains("ada@x.example,,Acme"), "{}", world.text());
    }
    world.run(&["verify"]).expect(0);
    // The setting is taken back: what is blank already is no edit.
    world.unset("sync.blank_clears");
    let run = world.once().expect(0);
    assert!(run.notices().contains("sync.blank_clears"), "{:#}", run.json);
    for _ in 0..2 {
        world.once().expect(0);
        assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"));
    }
    world.edit("Cook", "");
    world.once().expect(0);
    assert_eq!(world.contact("Bo").title.as_deref().unwrap_or_default(), "");
}

#[test]
fn a_property_that_is_gone_comes_back() {
    let card = |title: &str| {
        format!(
            "BEGIN:VCARD\nVERSION:3.0\nUID:ada\nN:Bell;Ada;;;\nFN:Ada Bell\n\
             EMAIL:ada@x.example\n{title}END:VCARD\n"
        )
    };
    let mut world = vcards::world(&[("ada.vcf", &card("TITLE:Chief\n"))]);
    world.set("sync.blank_clears", "{ title = false }");
    world.once().expect(0);
    vcards::write(&world, "ada.vcf", &card(""));
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"));
    assert!(vcards::text(&world, "ada.vcf").contains("TITLE:Chief\n"));
    vcards::expect_silence(&world);
}

#[test]
fn a_wrong_field_is_named_with_the_one_that_was_meant() {
    let mut world = World::with_csv(TWO);
    world.set("sync.blank_clears", "{ titel = false }");
    let said = world.run(&["check", "--offline"]).expect(2);
    let said = said.stdout + &said.stderr;
    assert!(said.contains("`titel` is no field: did you mean `title`?"), "{said}");
}
