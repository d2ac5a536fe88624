//! A program that has the source open while it is written saves what it knew from before:
//! what was written is not taken for a person's edit, and is written again.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use crate::harness::{PrintedRun, World};

const TEAM: &str = "\
First Name,Email,Title,Company
Ada,ada@engines.example,Countess,Engines
Bo,bo@lanterns.example,Engineer,Lanterns
";

const NEW: &str = "Kai,kai@harbour.example,Pilot,Harbour\n";

/// A program that has opened a file, and saves into it later, in place.
struct Editor(File);

impl Editor {
    fn open(path: &Path) -> Editor {
        Editor(OpenOptions::new().read(true).write(true).open(path).unwrap())
    }

    fn save(mut self, text: &str) {
        self.0.set_len(0).unwrap();
        self.0.rewind().unwrap();
        self.0.write_all(text.as_bytes()).unwrap();
        self.0.sync_all().unwrap();
    }
}

/// The version that the last write displaced.
fn displaced(dir: &Path) -> PathBuf {
    let paths = fs::read_dir(dir.join(".linqsync")).unwrap().map(|entry| entry.unwrap().path());
    let is_old = |path: &PathBuf| path.extension().is_some_and(|end| end == "old");
    paths.filter(is_old).max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap()
}

/// Two titles that Linq had changed are written into the source, which a program has open.
fn written() -> (World, Editor) {
    let world = World::synced(TEAM);
    let editor = Editor::open(&world.csv());
    world.change("Ada", "title", "Lady");
    world.change("Bo", "title", "CTO");
    world.once().expect(0);
    assert!(world.text().contains("Lady") && world.text().contains("CTO"));
    world.linq().forget_requests();
    (world, editor)
}

#[track_caller]
fn expect_new_titles(world: &World, run: &PrintedRun) {
    assert_eq!(run.linq()[2], 0, "no old title reaches Linq");
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Lady"));
    assert_eq!(world.contact("Bo").title.as_deref(), Some("CTO"));
}

#[test]
fn an_old_title_is_not_sent_to_linq_and_the_new_one_is_written_again() {
    let (world, editor) = written();
    editor.save(&(TEAM.to_owned() + NEW));
    let run = world.once().expect(0);
    expect_new_titles(&world, &run);
    let expected = TEAM.replace("Countess", "Lady").replace("Engineer", "CTO") + NEW;
    assert_eq!(world.text(), expected);
    assert!(run.notices().contains("from before our last write"), "{}", run.notices());
    world.expect_silence();
    assert_eq!(world.linq().contacts().len(), 3);
}

#[test]
fn a_person_who_typed_in_the_same_field_is_asked() {
    let (world, editor) = written();
    editor.save(&(TEAM.replace("Countess", "Duchess") + NEW));
    let run = world.once().expect(3);
    expect_new_titles(&world, &run);
    assert_eq!(run.count("conflicts"), 1);
    assert_eq!(world.text(), TEAM.replace("Countess", "Duchess").replace("Engineer", "CTO") + NEW);
    world.run(&["resolve", "ada@engines.example", "--take", "source"]).expect(0);
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Duchess"));
    world.expect_silence();
}

#[test]
fn another_field_that_a_person_typed_still_arrives() {
    let (world, editor) = written();
    editor.save(&TEAM.replace("Engines\n", "Works\n"));
    let run = world.once().expect(0);
    assert_eq!(run.linq()[2], 1);
    assert_eq!(world.contact("Ada").company.as_deref(), Some("Works"));
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Lady"));
    assert!(world.text().contains("Lady,Works") && world.text().contains("CTO"));
    world.expect_silence();
}

#[test]
fn who_has_the_new_title_already_is_left_alone() {
    let (world, editor) = written();
    editor.save(&TEAM.replace("Countess", "Lady"));
    let run = world.once().expect(0);
    expect_new_titles(&world, &run);
    assert_eq!(run.source()[2], 1);
    world.expect_silence();
}

#[test]
fn a_row_that_was_added_for_a_contact_is_added_again_and_the_contact_stays() {
    let world = World::synced(TEAM);
    let editor = Editor::open(&world.csv());
    world.linq().insert([("first_name", "Zoe"), ("email", "zoe@e.example")]).unwrap();
    world.once().expect(0);
    editor.save(&(TEAM.to_owned() + NEW));
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[1]), (0, 1), "nobody is deleted");
    assert!(world.text().contains("zoe@e.example"));
    assert_eq!(world.linq().contacts().len(), 4);
    world.expect_silence();
}

#[test]
fn a_row_that_was_removed_with_its_contact_goes_again_and_nobody_is_created() {
    let world = World::synced(&(TEAM.to_owned() + "Cy,cy@e.example,,\nDee,dee@e.example,,\n"));
    let editor = Editor::open(&world.csv());
    world.remove("Bo");
    world.once().expect(0);
    editor.save(&(TEAM.to_owned() + "Cy,cy@e.example,,\nDee,dee@e.example,,\n" + NEW));
    let run = world.once();
    assert_eq!(run.linq()[1], 1, "only Kai is created");
    world.once().expect(0);
    assert!(!world.text().contains("bo@lanterns.example"), "{}", world.text());
    assert_eq!(world.linq().contacts().len(), 4);
    world.expect_silence();
}

#[test]
fn a_late_save_that_a_killed_run_had_put_in_place_is_still_known_as_one() {
    let (world, editor) = written();
    editor.save(&(TEAM.to_owned() + NEW));
    // The exchange of names is all that the killed run did.
    let (old, other) = (displaced(world.dir()), world.path("other"));
    fs::rename(&old, &other).unwrap();
    fs::rename(world.csv(), &old).unwrap();
    fs::rename(&other, world.csv()).unwrap();
    let plan = world.plan();
    assert!(
        plan.outline().iter().all(|step| !step.contains("update linq")),
        "{:?}",
        plan.outline()
    );
    let run = world.once().expect(0);
    expect_new_titles(&world, &run);
    assert!(world.text().contains("Lady") && world.text().contains("CTO"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn a_title_that_a_person_types_back_is_an_edit_like_any_other() {
    let (world, editor) = written();
    drop(editor);
    world.edit("Lady", "Countess");
    let run = world.once().expect(0);
    assert_eq!(run.linq()[2], 1);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Countess"));
    world.expect_silence();
}

#[test]
fn what_a_person_decided_is_written_again_too() {
    let world = World::synced(TEAM);
    world.edit("Countess", "Lady");
    world.change("Ada", "title", "Dame");
    world.once().expect(3);
    let text = world.text();
    let editor = Editor::open(&world.csv());
    let resolve = ["resolve", "ada@engines.example", "--field", "title", "--value", "CEO"];
    world.run(&resolve).expect(0);
    world.once().expect(0);
    editor.save(&(text + NEW));
    world.once().expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("CEO"));
    assert!(world.text().contains("CEO"), "{}", world.text());
    world.expect_silence();
}

#[test]
fn the_same_holds_for_cards() {
    let mut world = World::new();
    world.set("source.path", "\"cards\"");
    fs::create_dir(world.path("cards")).unwrap();
    let card = |name: &str, title: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}-1\r\nN:King;{name};;;\r\nFN:{name} King\r\n\
             TITLE:{title}\r\nEND:VCARD\r\n"
        )
    };
    let path = |name: &str| world.path(&format!("cards/{name}.vcf"));
    for name in ["ada", "bo"] {
        fs::write(path(name), card(name, "Old")).unwrap();
    }
    world.sync();
    let editor = Editor::open(&path("ada"));
    world.change("ada", "title", "New");
    world.once().expect(0);
    assert!(fs::read_to_string(path("ada")).unwrap().contains("TITLE:New"));
    editor.save(&card("ada", "Old").replace("END:", "NOTE:called\r\nEND:"));
    let run = world.once().expect(0);
    assert_eq!(run.linq()[2], 0);
    assert_eq!(world.contact("ada").title.as_deref(), Some("New"));
    let text = fs::read_to_string(path("ada")).unwrap();
    assert!(text.contains("TITLE:New") && text.contains("NOTE:called"), "{text}");
    world.once().expect(0);
}
