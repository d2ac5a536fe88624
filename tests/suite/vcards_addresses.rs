//! Cards with several addresses: which of them Linq knows, and that one stays.

use crate::harness::World;
use crate::vcards::{expect_silence, text, world};

const KAY: &str = "BEGIN:VCARD\nVERSION:3.0\nUID:kay\nN:McNulty;Kay;;;\nFN:Kay McNulty\n\
    EMAIL;TYPE=HOME:kay@home.example\nEMAIL;TYPE=WORK:kay@eniac.example\n\
    TEL;TYPE=CELL:+14155550141\nTEL;TYPE=HOME:+14155550142\nEND:VCARD\n";

const NAMES: [(&str, &str); 2] = [("first_name", "Kay"), ("last_name", "McNulty")];

fn known(world: &World, names: [(&str, &str); 2], others: &[(&str, &str)]) -> u64 {
    world.linq().insert(names.into_iter().chain(others.iter().copied())).unwrap()
}

#[test]
fn a_card_is_matched_by_each_of_its_addresses_and_that_one_is_edited_afterwards() {
    let table = [
        ("email", "Kay@ENIAC.example", "kay@eniac.example", "kay@new.example"),
        ("phone_number", "(415) 555-0142", "+14155550142", "+14155550177"),
    ];
    for (member, shown, written, new) in table {
        let world = world(&[("kay.vcf", KAY)]);
        let id = known(&world, NAMES, &[(member, shown)]);
        let run = world.once().expect(0);
        assert_eq!((run.count("linked"), run.linq()[1]), (1, 0), "{member}");
        assert_eq!((world.linq().contacts().len(), run.source()[1]), (1, 0), "{member}");
        assert_eq!(text(&world, "kay.vcf"), KAY, "{member}");
        assert_eq!(world.contact("Kay").id, id);
        expect_silence(&world);

        world.change("Kay", member, new);
        world.once().expect(0);
        assert_eq!(text(&world, "kay.vcf"), KAY.replace(written, new), "{member}");
        expect_silence(&world);
    }
}

#[test]
fn an_address_that_others_have_too_makes_nobody_somebody_else() {
    let world = world(&[("kay.vcf", KAY)]);
    let betty = [("first_name", "Betty"), ("last_name", "McNulty")];
    known(&world, betty, &[("email", "kay@eniac.example")]);
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (0, 1, 1));
    assert_eq!(world.contact("Kay").email.as_deref(), Some("kay@home.example"));
    expect_silence(&world);
}

#[test]
fn of_two_contacts_the_one_with_the_first_address_is_meant() {
    let world = world(&[("kay.vcf", KAY)]);
    known(&world, NAMES, &[("email", "kay@eniac.example"), ("title", "Second")]);
    known(&world, NAMES, &[("email", "kay@home.example"), ("title", "First")]);
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (1, 0, 1));
    assert!(text(&world, "kay.vcf").contains("TITLE:First\n"));
    expect_silence(&world);
}

#[test]
fn a_row_is_matched_by_each_of_its_addresses_too() {
    let table = "First Name,Last Name,E-mail Address,E-mail 2 Address\n\
        Kay,McNulty,kay@home.example,kay@eniac.example\n";
    let world = World::with_csv(table);
    known(&world, NAMES, &[("email", "kay@eniac.example")]);
    let run = world.once().expect(0);
    assert_eq!((run.count("linked"), run.linq()[1], run.source()[1]), (1, 0, 0));
    assert_eq!(world.text(), table);
    world.expect_silence();
    world.change("Kay", "email", "kay@new.example");
    world.once().expect(0);
    assert_eq!(world.text(), table.replace("kay@eniac.example", "kay@new.example"));
    world.expect_silence();
}

#[test]
fn an_address_with_a_city_comes_before_one_without() {
    let card = KAY.replace(
        "TEL;TYPE=CELL",
        "ADR;TYPE=WORK,PREF:;;1 Main St;;PA;;USA\nADR;TYPE=HOME:;;;Philadelphia;;;\nTEL;TYPE=CELL",
    );
    let world = world(&[("kay.vcf", &card)]);
    world.once().expect(0);
    assert_eq!(world.contact("Kay").location.as_deref(), Some("Philadelphia"));
    expect_silence(&world);
}

#[test]
fn an_address_of_the_web_is_read_without_its_encoding() {
    let card = KAY.replace(
        "EMAIL;TYPE=HOME:kay@home.example",
        "EMAIL;VALUE=uri:mailto:kay%2Bhome%40x.example?subject=Hi",
    );
    let card = card.replace("EMAIL;TYPE=WORK:kay@eniac.example\n", "");
    let world = world(&[("kay.vcf", &card)]);
    world.once().expect(0);
    assert_eq!(world.contact("Kay").email.as_deref(), Some("kay+home@x.example"));
    expect_silence(&world);
    world.change("Kay", "email", "kay@new.example");
    world.once().expect(0);
    assert!(
        text(&world, "kay.vcf").contains("mailto:kay@new.example"),
        "{}",
        text(&world, "kay.vcf")
    );
    expect_silence(&world);
}
