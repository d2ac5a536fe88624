//! Everything of ours beside the source lies in one hidden directory, out of the way of
//! other programs that read the directory of the source.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::harness::{TestFiles, World, names_in, people};
use crate::vcards::{ADA, BO, file, text, world, write};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_removed_and_an_edited_card_leave_no_file_that_others_take_for_a_card() {
    let [cy, dee, eve] =
        ["Cy", "Dee", "Eve"].map(|name| format!("BEGIN:VCARD\nN:Young;{name}\nEND:VCARD\n"));
    let files = [("ada.vcf", ADA), ("cy.vcf", &cy), ("dee.vcf", &dee), ("eve.vcf", &eve)];
    let mut world = world(&files);
    fs::create_dir(file(&world, "team")).unwrap();
    write(&world, "team/bo.vcf", BO);
    world.set("source.recursive", "true");
    world.sync();
    assert_eq!(names_in(&world.path("cards")), ["ada.vcf", "cy.vcf", "dee.vcf", "eve.vcf", "team"]);
    world.remove("Ada");
    world.remove("Bo");
    world.change("Cy", "title", "Chief");
    world.once().expect(0);
    assert_eq!(
        names_in(&world.path("cards")),
        [".linqsync", "cy.vcf", "dee.vcf", "eve.vcf", "team"]
    );
    assert_eq!(names_in(&world.path("cards/team")), [""; 0], "there is one for all of them");
    let ours = world.path("cards/.linqsync");
    assert_eq!((mode(&ours), names_in(&ours).len()), (0o700, 3));
    let is_card = |name: &String| Path::new(name).extension() != Some("old".as_ref());
    assert!(!names_in(&ours).iter().any(is_card), "{:?}", names_in(&ours));
    world.once().expect(0);
    world.run(&["verify"]).expect(0);
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_written_past_it() {
    for (csv, is_link) in [(true, false), (true, true), (false, false), (false, true)] {
        let world = if csv {
            World::with_csv(&people::csv(1..=2))
        } else {
            world(&[("ada.vcf", ADA), ("bo.vcf", BO)])
        };
        world.sync();
        let beside = if csv { world.dir().to_owned() } else { world.path("cards") };
        let outside = world.path("outside");
        fs::create_dir(&outside).unwrap();
        let ours = beside.join(".linqsync");
        if is_link {
            symlink(&outside, &ours).unwrap();
        } else {
            fs::write(&ours, "mine").unwrap();
        }
        let [one, other] = if csv { ["First001", "First002"] } else { ["Ada", "Bo"] };
        world.change(one, "title", "Chief");
        let before = TestFiles::at(&beside);
        let run = world.once().expect(3);
        assert_eq!((run.source(), run.count("skipped")), ([2, 0, 0, 0], 1), "{:#}", run.json);
        assert!(run.notices().contains("/.linqsync is"), "{}", run.notices());
        assert!(world.run(&["check"]).expect(0).stdout.contains("/.linqsync is"));
        if !csv {
            assert_eq!(TestFiles::at(&beside), before);
        }
        assert_eq!(names_in(&outside), [""; 0]);
        // Linq is written all the same.
        if csv {
            world.edit("Title 002", "Captain");
        } else {
            write(&world, "bo.vcf", &BO.replace("EMAIL", "TITLE:Captain\nEMAIL"));
        }
        world.once().expect(3);
        assert_eq!(world.contact(other).title.as_deref(), Some("Captain"));
        fs::remove_file(&ours).unwrap();
        assert_eq!(world.once().expect(0).source(), [2, 0, 1, 0]);
    }
}

#[test]
fn what_version_0_1_0_left_beside_the_cards_is_finished() {
    let mut world = world(&[("ada.vcf", ADA)]);
    world.set("source.recursive", "true");
    fs::create_dir(file(&world, "team")).unwrap();
    write(&world, "team/bo.vcf", BO);
    world.sync();
    let short = |bytes: &[u8]| linqsync::model::Fingerprint::of(bytes).to_hex()[..16].to_owned();
    let late = BO.replace("Bo", "Bob").replace('\n', "\r\n");
    let removed = ADA.replace("4fbe8971-0bc3", "another").replace('\n', "\r\n");
    let now = fs::read(file(&world, "team/bo.vcf")).unwrap();
    // Somebody wrote into the version that was replaced, and one was removed.
    let replaced = format!(
        "team/.linqsync-{}-{}-{}-aB3xY9.old",
        short(b"bo.vcf"),
        short(b"before"),
        short(&now)
    );
    fs::write(file(&world, &replaced), &late).unwrap();
    let gone = format!(".linqsync-gone-{}-eve.vcf", short(removed.as_bytes()));
    fs::write(file(&world, &gone), &removed).unwrap();
    fs::write(file(&world, ".linqsync-new-aB3xY9.part"), "half").unwrap();
    let run = world.once().expect(0);
    assert_eq!(run.linq(), [2, 0, 1, 0], "{:#}", run.json);
    assert_eq!(text(&world, "team/bo.vcf"), late.replace("\r\n", "\n"));
    assert_eq!(names_in(&world.path("cards")), [".linqsync", "ada.vcf", "team"]);
    assert_eq!(names_in(&world.path("cards/team")), ["bo.vcf"]);
    assert_eq!(
        names_in(&world.path("cards/.linqsync")).len(),
        1,
        "what was removed is kept a while"
    );
}

#[test]
fn what_an_editor_writes_into_a_card_that_was_removed_comes_back_where_it_was() {
    let mut world = world(&[("ada.vcf", ADA)]);
    world.set("source.recursive", "true");
    fs::create_dir(file(&world, "team")).unwrap();
    // Such names leave no room for anything beside them.
    let name = format!("team/{}.vcf", "ö".repeat(125));
    write(&world, &name, BO);
    world.sync();
    let opened = fs::OpenOptions::new().write(true).open(file(&world, &name)).unwrap();
    world.change("Bo", "title", "Chief");
    world.once().expect(0);
    assert!(text(&world, &name).contains("Chief"));
    let late = BO.replace("BEGIN:VCARD\n", "BEGIN:VCARD\nNICKNAME:Captain\n").replace('\n', "\r\n");
    std::os::unix::fs::FileExt::write_all_at(&opened, late.as_bytes(), 0).unwrap();
    world.once().expect(0);
    let (late, now) = (late.replace("\r\n", "\n"), text(&world, &name));
    assert!(now.contains("NICKNAME:Captain") && now.contains("TITLE:Chief"), "{now}");
    assert!(late.lines().all(|line| now.lines().any(|other| other == line)), "{now}");
    world.remove("Bo");
    world.once().expect(0);
    assert!(!file(&world, &name).exists());
}
