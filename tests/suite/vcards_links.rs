//! Cards and folders that are not what they seem: an error belongs to its file, and
//! nothing is taken for deleted because of it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::World;

fn card(name: &str, title: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}-1\r\nFN:{name} King\r\nN:King;{name};;;\r\n\
         TITLE:{title}\r\nEND:VCARD\r\n"
    )
}

/// Cards in a directory, each at its path, in sync.
fn world(cards: &[(&str, &str)]) -> World {
    let mut world = World::new();
    for (path, name) in cards {
        let path = world.path("cards").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, card(name, "Cook")).unwrap();
    }
    world.set("source.path", "\"cards\"").set("source.recursive", "true");
    world.sync();
    world
}

#[test]
fn a_card_behind_a_symbolic_link_waits_and_the_others_are_written() {
    let world = world(&[("ada.vcf", "Ada"), ("bo.vcf", "Bo"), ("cy.vcf", "Cy")]);
    let outside = world.path("outside.vcf");
    fs::rename(world.path("cards/ada.vcf"), &outside).unwrap();
    symlink(&outside, world.path("cards/ada.vcf")).unwrap();
    for name in ["Ada", "Bo", "Cy"] {
        world.change(name, "title", "Chief");
    }
    let run = world.once().expect(3);
    let text = |name: &str| fs::read_to_string(world.path("cards").join(name)).unwrap();
    assert!(text("bo.vcf").contains("TITLE:Chief") && text("cy.vcf").contains("TITLE:Chief"));
    assert!(text("ada.vcf").contains("TITLE:Cook"), "{:#}", run.json);
    let told = world.run(&["--once"]).expect(3).stdout;
    assert!(told.contains("symbolic link"), "{told}");
    fs::remove_file(world.path("cards/ada.vcf")).unwrap();
    fs::rename(&outside, world.path("cards/ada.vcf")).unwrap();
    world.once().expect(0);
    assert!(text("ada.vcf").contains("TITLE:Chief"));
}

#[test]
fn a_folder_that_became_a_symbolic_link_is_followed_once_and_nobody_is_deleted() {
    let world = world(&[("ada.vcf", "Ada"), ("work/bo.vcf", "Bo"), ("work/cy.vcf", "Cy")]);
    fs::rename(world.path("cards/work"), world.path("elsewhere")).unwrap();
    symlink(world.path("elsewhere"), world.path("cards/work")).unwrap();
    // A loop, and the same folder once more.
    symlink(world.path("cards"), world.path("elsewhere/up")).unwrap();
    symlink(world.path("elsewhere"), world.path("cards/work again")).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.count("in_sync")), ([3, 0, 0, 0], 3), "{:#}", run.json);
    fs::write(world.path("elsewhere/bo.vcf"), card("Bo", "Chief")).unwrap();
    world.once().expect(0);
    assert_eq!(world.contact("Bo").title.as_deref(), Some("Chief"));
    world.change("Cy", "title", "Clerk");
    world.once().expect(0);
    assert!(fs::read_to_string(world.path("elsewhere/cy.vcf")).unwrap().contains("TITLE:Clerk"));
}

#[test]
fn a_link_that_leads_nowhere_at_present_deletes_nobody_and_the_others_go_on() {
    let world = world(&[("ada.vcf", "Ada"), ("bo.vcf", "Bo"), ("work/cy.vcf", "Cy")]);
    let cards = |name: &str| world.path("cards").join(name);
    // A card, and a folder, on a disk that is not mounted now.
    for name in ["ada.vcf", "work"] {
        fs::rename(cards(name), world.path(name)).unwrap();
        symlink(world.path(name), cards(name)).unwrap();
        fs::rename(world.path(name), world.path("away")).unwrap();
        fs::write(cards("bo.vcf"), card("Bo", name)).unwrap();
        let run = world.once().expect(3);
        assert_eq!(run.linq(), [3, 0, 1, 0], "{:#}", run.json);
        assert_eq!(world.contact("Bo").title.as_deref(), Some(name));
        let told = world.run(&["check"]).expect(0).stdout;
        assert!(told.contains(name) && told.contains("symbolic link"), "{told}");
        fs::rename(world.path("away"), world.path(name)).unwrap();
        assert_eq!(world.once().expect(0).count("in_sync"), 3);
    }
}

#[test]
fn a_directory_in_which_the_changes_never_end_deletes_nobody() {
    let mut world = world(&[("ada.vcf", "Ada"), ("bo.vcf", "Bo"), ("cy.vcf", "Cy")]);
    world.set("source.quiet", "\"200ms\"");
    fs::remove_file(world.path("cards/cy.vcf")).unwrap();
    fs::write(world.path("cards/ada.vcf"), card("Ada", "Chief")).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let rewrite = || {
        while !over.load(std::sync::atomic::Ordering::SeqCst) {
            let _ = fs::remove_file(world.path("cards/bo.vcf"));
            fs::write(world.path("cards/bo.vcf"), card("Bo", "Clerk")).unwrap();
        }
    };
    let run = std::thread::scope(|scope| {
        scope.spawn(rewrite);
        let run = world.once();
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        run
    });
    assert_eq!(run.expect(3).linq(), [3, 0, 1, 0], "only Ada's card was left alone");
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Chief"));
    let run = world.once().expect(0);
    assert_eq!(run.linq()[1..], [0, 1, 1], "{:#}", run.json);
}
