//! A directory of vCards that other programs and people write at the same time, and
//! runs that do not come to their end.

use std::fs;

use linqsync::sandbox::RouteKind;

use crate::harness::{TestFiles, World, people, wait_until};
use crate::vcards::{ADA, BO, edit, expect_silence, file, text, world, write};

/// The card of person number `n`, with a UID.
fn card(n: usize) -> String {
    let [first, last, email, phone, company, title] = people::person(n);
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nUID:person-{n}\nN:{last};{first};;;\nFN:{first} {last}\n\
         EMAIL:{email}\nTEL;TYPE=CELL:{phone}\nORG:{company}\nTITLE:{title}\nEND:VCARD\n"
    )
}

/// A directory with the cards of so many people, and an empty Linq.
fn crowd(people: usize) -> World {
    let world = world(&[]);
    for n in 1..=people {
        write(&world, &format!("{n}.vcf"), &card(n));
    }
    world
}

fn card_files(world: &World) -> usize {
    let entries = fs::read_dir(world.path("cards")).unwrap();
    let is_card = |name: &std::ffi::OsStr| name.to_string_lossy().ends_with(".vcf");
    entries.filter(|entry| is_card(&entry.as_ref().unwrap().file_name())).count()
}

#[test]
fn a_card_that_somebody_saves_during_the_run_is_not_lost_and_the_others_go_on() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    world.change("Ada", "title", "Programmer");
    world.change("Bo", "title", "Owner");
    write(&world, "new.vcf", &card(1));
    world.fault("create delay=300ms");
    let process = world.start(&["--once", "--json"]);
    wait_until("the create has arrived", || !world.requests(RouteKind::Create).is_empty());
    edit(&world, "ada.vcf", "ORG:Engines", "ORG:Looms");
    process.ended().expect(0);
    let ada = text(&world, "ada.vcf");
    assert_eq!(ada, ADA.replace("ORG:Engines", "ORG:Looms").replace("Countess", "Programmer"));
    assert!(text(&world, "bo.vcf").contains("TITLE:Owner\n"));
    assert_eq!(world.contact("Ada").company.as_deref(), Some("Looms"));
    world.linq().clear_faults();
    expect_silence(&world);
}

#[test]
fn a_run_that_is_killed_while_it_creates_contacts_is_finished_by_the_next() {
    for nth in [1, 20, 40] {
        let world = crowd(40);
        world.fault("create delay=20ms");
        let process = world.start(&["--once"]);
        wait_until("enough creates have arrived", || {
            world.requests(RouteKind::Create).len() >= nth
        });
        process.kill();
        let run = world.once().expect(0);
        assert_eq!((run.count("in_sync"), run.source()), (40, [40, 0, 0, 0]), "killed at {nth}");
        assert_eq!(world.linq().contacts().len(), 40, "killed at {nth}");
        world.linq().clear_faults();
        expect_silence(&world);
    }
}

#[test]
fn a_run_that_is_killed_while_it_makes_cards_is_finished_by_the_next() {
    for nth in [1, 60] {
        let mut world = World::with_contacts(120);
        fs::create_dir(world.path("cards")).unwrap();
        world.set("source.path", "\"cards\"");
        let process = world.start(&["--once"]);
        wait_until("enough cards are there", || card_files(&world) >= nth);
        process.kill();
        let run = world.once().expect(0);
        assert_eq!((run.count("in_sync"), card_files(&world)), (120, 120), "killed at {nth}");
        assert_eq!(world.writes(), []);
        assert!(
            !TestFiles::at(&world.path("cards")).names().iter().any(|name| name.starts_with('.'))
        );
        expect_silence(&world);
    }
}

#[test]
fn another_linqsync_on_the_same_directory_is_found() {
    let mut world = crowd(3);
    world.sync();
    world.fault("list delay=20s");
    let first = world.start(&["--once"]);
    wait_until("the first is at work", || !world.requests(RouteKind::List).is_empty());
    world.set("state.dir", "\"other\"");
    let ended = world.run(&["--once"]).expect(7);
    assert!(ended.stderr.contains(&first.pid().to_string()), "{}", ended.stderr);
    first.kill();
}

#[test]
fn a_directory_that_is_missing_or_suddenly_empty_deletes_nobody() {
    let world = crowd(4);
    world.sync();
    fs::rename(world.path("cards"), world.path("elsewhere")).unwrap();
    world.once().expect(2);
    fs::create_dir(world.path("cards")).unwrap();
    world.once().expect(4);
    assert_eq!((world.writes(), world.linq().contacts().len(), card_files(&world)), (vec![], 4, 0));
    fs::remove_dir(world.path("cards")).unwrap();
    fs::rename(world.path("elsewhere"), world.path("cards")).unwrap();
    expect_silence(&world);
}

#[test]
fn of_two_cards_with_one_uid_the_original_goes_on() {
    let world = world(&[("ada.vcf", ADA), ("bo.vcf", BO)]);
    world.sync();
    write(&world, "copy of ada.vcf", ADA);
    world.change("Ada", "title", "Programmer");
    world.change("Bo", "title", "Owner");
    let run = world.once().expect(3);
    assert_eq!((run.count("ambiguous"), run.source()), (1, [3, 0, 2, 0]), "{:#}", run.json);
    let edited = ADA.replace("Countess", "Programmer");
    assert_eq!((text(&world, "ada.vcf"), text(&world, "copy of ada.vcf")), (edited, ADA.into()));
    fs::remove_file(file(&world, "copy of ada.vcf")).unwrap();
    world.once().expect(0);
    expect_silence(&world);
}

#[test]
fn the_linked_address_stays_the_linked_one_wherever_it_moves() {
    let world = world(&[("ada.vcf", ADA)]);
    world.sync();
    edit(&world, "ada.vcf", "type=HOME:ada@home", "type=HOME;type=pref:ada@home");
    edit(&world, "ada.vcf", "type=pref:ada@engines", "type=WORK:ada@engines");
    expect_silence(&world);
    world.change("Ada", "email", "ada@looms.example");
    world.once().expect(0);
    let card = text(&world, "ada.vcf");
    assert!(card.contains("type=WORK:ada@looms.example\n"), "{card}");
    assert!(card.contains("type=pref:ada@home.example\n"), "{card}");
    expect_silence(&world);

    edit(&world, "ada.vcf", "item1.EMAIL;type=INTERNET;type=WORK:ada@looms.example\n", "");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@home.example"));
    expect_silence(&world);
}

#[test]
fn an_address_that_is_cleared_in_linq_goes_from_the_card_and_the_next_stays_there_alone() {
    let world = world(&[("ada.vcf", ADA)]);
    world.sync();
    world.change("Ada", "email", "");
    world.once().expect(0);
    let expected =
        "item1.EMAIL;type=INTERNET;type=pref:ada@engines.example\nitem1.X-ABLabel:_$!<Work>!$_\n";
    assert_eq!(text(&world, "ada.vcf"), ADA.replace(expected, ""));
    assert_eq!(world.contact("Ada").email.unwrap_or_default(), "");
    expect_silence(&world);
    edit(&world, "ada.vcf", "ada@home.example", "ada@new.example");
    world.once().expect(0);
    assert_eq!(world.contact("Ada").email.as_deref(), Some("ada@new.example"));
    expect_silence(&world);
}

#[test]
fn of_two_edits_the_newer_wins_where_the_card_tells_its_time() {
    for (rev, winner) in
        [("REV:20990101T000000Z\n", "Card"), ("REV:2001-01-01T00:00:00Z\n", "Linq")]
    {
        let mut world = world(&[("ada.vcf", ADA)]);
        world.set("sync.on_conflict", "\"newest\"");
        world.sync();
        world.change("Ada", "title", "Linq");
        edit(&world, "ada.vcf", "TITLE:Countess\n", &format!("TITLE:Card\n{rev}"));
        world.once().expect(0);
        assert!(text(&world, "ada.vcf").contains(&format!("TITLE:{winner}\n{rev}")));
        assert_eq!(world.contact("Ada").title.as_deref(), Some(winner));
    }
    let mut world = world(&[("ada.vcf", ADA)]);
    world.set("sync.on_conflict", "\"newest\"");
    world.sync();
    world.change("Ada", "title", "Linq");
    edit(&world, "ada.vcf", "TITLE:Countess", "TITLE:Card");
    assert_eq!(world.once().expect(3).count("conflicts"), 1);
}

#[test]
fn a_card_keeps_its_own_charset_and_what_that_lacks_waits() {
    let world = world(&[]);
    let latin = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:zoe\r\nN:M\xfcller;Zo\xeb;;;\r\nTITLE:Chef\r\nEND:VCARD\r\n";
    fs::write(file(&world, "zoe.vcf"), latin).unwrap();
    world.sync();
    world.change("Zoë", "title", "Größte");
    world.once().expect(0);
    let found = fs::read(file(&world, "zoe.vcf")).unwrap();
    let at = latin.windows(4).position(|window| window == b"Chef").unwrap();
    assert_eq!(found, [&latin[..at], b"Gr\xf6\xdfte", &latin[at + 4..]].concat());
    world.change("Zoë", "title", "山");
    assert_eq!(world.once().expect(3).count("rejected"), 1);
    assert_eq!(fs::read(file(&world, "zoe.vcf")).unwrap(), found);
}
