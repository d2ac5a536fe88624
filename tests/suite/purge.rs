//! `purge`: afterwards no byte of the state tells of the person.

use crate::harness::{TestFiles, World, wait_until};

const TEAM: &str = "\
First Name,Last Name,Email,Phone,Company
Ada,King,ada@engines.example,(415) 555-2671,Engines
Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lanterns
";

/// What nothing may contain afterwards.
const TRACES: [&str; 5] =
    ["Zebedee", "Quagmire", "zebedee@quagmire", "(212) 555-0199", "+12125550199"];

#[track_caller]
fn expect_no_trace(world: &World) {
    let state = TestFiles::at(&world.path("state"));
    let displaced = TestFiles::at(&world.path(".linqsync"));
    for trace in TRACES {
        assert_eq!(displaced.containing(trace), Vec::<&std::path::Path>::new(), "{trace}");
        assert_eq!(state.containing(trace), Vec::<&std::path::Path>::new(), "{trace}");
    }
    assert!(!state.containing("ada@engines").is_empty(), "others are still there");
}

#[test]
fn somebody_who_was_deleted_is_erased_to_the_last_byte() {
    let world = World::synced(TEAM);
    // Everything that keeps people: history, a conflict, a refusal, a backup.
    world.edit("Lanterns", "Lamps");
    world.change("Zebedee", "company", "Lights");
    world.once().expect(3);
    world.linq().insert([("first_name", "Cy"), ("email", "cy@e.example")]).unwrap();
    world.once().expect(3);
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lamps\n", "");
    world.remove("Zebedee");
    world.once().expect(0);
    assert!(!TestFiles::at(&world.path("state")).containing("zebedee@quagmire").is_empty());
    assert!(!TestFiles::at(&world.path("state/backups")).containing("Zebedee").is_empty());

    let (text, contacts) = (world.text(), world.linq().contacts());
    world.linq().forget_requests();
    let ended = world.run(&["purge", "zebedee@quagmire.example"]).expect(2);
    assert!(ended.stderr.contains("cancelled; nothing was erased"), "{}", ended.stderr);
    let ended = world.run(&["purge", "zebedee@quagmire.example", "--yes"]).expect(0);
    assert!(ended.stdout.contains("backups (1"), "{}", ended.stdout);
    assert!(ended.stdout.contains("earlier version"), "{}", ended.stdout);
    expect_no_trace(&world);
    assert_eq!((world.text(), world.linq().contacts()), (text, contacts));
    assert_eq!(world.linq().requests(), [], "nobody is asked");
    world.expect_silence();
    expect_no_trace(&world);
    world.run(&["purge", "zebedee@quagmire.example", "--yes"]).expect(2);

    // The next write copies the source anew.
    world.change("Ada", "company", "Engines Ltd");
    world.once().expect(0);
    assert!(!TestFiles::at(&world.path("state/backups")).containing("ada@engines").is_empty());
    expect_no_trace(&world);
}

#[test]
fn who_is_still_on_one_side_is_erased_and_is_not_created_on_the_other() {
    let mut world = World::synced(TEAM);
    world.set("sync.deletes", "\"keep\"");
    let id = world.contact("Zebedee").id.to_string();
    world.remove("Zebedee");
    world.once().expect(0);
    world.run(&["purge", &id, "--yes"]).expect(0);
    expect_no_trace(&world);
    world.once().expect(0);
    assert_eq!(world.linq().contacts().len(), 1, "nobody is created again");
    assert_eq!(world.text(), TEAM);
}

#[test]
fn who_is_still_on_both_sides_stays_there_and_is_read_again() {
    let world = World::synced(TEAM);
    world.run(&["purge", "+1 212 555 0199", "--yes"]).expect(0);
    expect_no_trace(&world);
    let run = world.once().expect(0);
    assert_eq!((run.count("in_sync"), run.linq()), (2, [2, 0, 0, 0]));
    world.expect_silence();
}

#[test]
fn of_several_people_with_one_phone_number_nobody_is_erased_by_it() {
    let shared = TEAM.replace("(212) 555-0199", "(415) 555-2671");
    let world = World::synced(&shared);
    let ended = world.run(&["purge", "+14155552671", "--yes"]).expect(2);
    assert!(ended.stderr.contains("several contacts are called"), "{}", ended.stderr);
    let id = world.contact("Zebedee").id.to_string();
    assert!(ended.stderr.contains(&id), "{}", ended.stderr);
    world.run(&["purge", &id, "--yes"]).expect(0);
    expect_no_trace(&world);
}

#[test]
fn who_was_deleted_and_created_again_is_erased_under_every_id() {
    let world = World::synced(TEAM);
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lanterns\n", "");
    world.once().expect(0);
    world.run(&["undo", "2"]).expect(0);
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lanterns\n", "");
    let id = world.contact("Zebedee").id.to_string();
    world.once().expect(0);
    world.run(&["purge", &id, "--yes"]).expect(0);
    expect_no_trace(&world);
}

#[test]
fn the_version_of_the_source_that_a_write_replaced_is_erased_too() {
    let world = World::synced(TEAM);
    world.change("Zebedee", "company", "Lights");
    world.once().expect(0);
    let files = TestFiles::at(world.dir());
    let is_hidden = |path: &&std::path::Path| path.to_string_lossy().contains("/.linqsync/");
    assert!(files.containing("Quagmire").into_iter().any(|path| is_hidden(&path)));
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lights\n", "");
    world.once().expect(0);
    let ended = world.run(&["purge", "zebedee@quagmire.example", "--yes"]).expect(0);
    assert!(ended.stdout.contains("earlier version"), "{}", ended.stdout);
    assert_eq!(TestFiles::at(world.dir()).containing("Quagmire"), Vec::<&std::path::Path>::new());
    expect_no_trace(&world);
}

#[test]
fn a_file_that_still_tells_of_the_person_is_named_and_the_exit_code_says_so() {
    let world = World::synced(TEAM);
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lanterns\n", "");
    world.once().expect(0);
    let saved = world.path("contacts.csv.saved-1");
    std::fs::write(&saved, TEAM).unwrap();
    let ended = world.run(&["purge", "zebedee@quagmire.example", "--yes"]).expect(3);
    assert!(ended.stderr.contains("contacts.csv.saved-1"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&saved).unwrap(), TEAM, "it is a person's");
    expect_no_trace(&world);
}

#[test]
fn while_another_program_reads_the_state_it_is_said_that_not_all_of_it_is_gone() {
    let world = World::synced(TEAM);
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(212) 555-0199,Lanterns\n", "");
    world.once().expect(0);
    let reader = rusqlite::Connection::open(world.path("state/state.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM history;").unwrap();
    let ended = world.run(&["purge", "zebedee@quagmire.example", "--yes", "--json"]).expect(3);
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let left = json["left"].as_array().unwrap();
    assert!(
        !left.is_empty() && left.iter().all(|path| path.as_str().unwrap().contains("state.db"))
    );
    drop(reader);
    // What the state knows of them is gone, so that nobody is found any more by that name.
    world.once().expect(0);
    expect_no_trace(&world);
}

#[test]
fn what_others_have_as_well_tells_nothing_about_the_person() {
    let shared = TEAM.replace("(212) 555-0199", "(415) 555-2671");
    let world = World::synced(&shared);
    let id = world.contact("Zebedee").id.to_string();
    world.edit("Zebedee,Quagmire,zebedee@quagmire.example,(415) 555-2671,Lanterns\n", "");
    world.once().expect(0);
    world.run(&["purge", &id, "--yes"]).expect(0);
    expect_no_trace(&world);
    let history = world.run(&["history", "--contact", "ada@engines.example"]).expect(0);
    assert!(history.stdout.contains("created in Linq"), "{}", history.stdout);
}

#[test]
fn what_is_told_of_others_goes_where_it_names_the_person() {
    let world = World::synced(TEAM);
    // Ada had Zebedee's address for a while.
    world.edit("ada@engines.example", "zebedee@quagmire.example");
    world.edit("zebedee@quagmire.example,(212)", "z@quagmire.example,(212)");
    world.once();
    world.edit("zebedee@quagmire.example", "ada@engines.example");
    world.once();
    let id = world.contact("Zebedee").id.to_string();
    world.edit("Zebedee,Quagmire,z@quagmire.example,(212) 555-0199,Lanterns\n", "");
    world.once().expect(0);
    world.run(&["purge", &id, "--yes"]).expect(0);
    expect_no_trace(&world);
}

#[test]
fn cards_that_were_removed_and_displaced_are_erased_too() {
    let mut world = World::new();
    world.set("source.path", "\"cards\"");
    std::fs::create_dir(world.path("cards")).unwrap();
    let card = |name: &str, email: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nN:Quagmire;{name};;;\r\nFN:{name}\r\n\
             EMAIL:{email}\r\nNOTE:knows many\r\nEND:VCARD\r\n"
        )
    };
    for (name, email) in [
        ("Zebedee", "zebedee@quagmire.example"),
        ("Ada", "ada@engines.example"),
        ("Bo", "bo@lanterns.example"),
    ] {
        std::fs::write(world.path(&format!("cards/{name}.vcf")), card(name, email)).unwrap();
    }
    world.sync();
    world.change("Zebedee", "title", "Pilot");
    world.once().expect(0);
    world.remove("Zebedee");
    world.once().expect(0);
    let id = world.state().whole_history().unwrap();
    let id = id.iter().rev().find_map(|row| row.entry.linq_id).unwrap().to_string();
    world.run(&["purge", &id, "--yes"]).expect(0);
    for trace in ["Zebedee", "zebedee@quagmire"] {
        let left = TestFiles::at(world.dir());
        assert_eq!(left.containing(trace), Vec::<&std::path::Path>::new(), "{trace}");
    }
}

#[test]
fn a_purge_beside_a_daemon_ends_with_7() {
    let world = World::synced(TEAM);
    let daemon = world.start(&[]);
    wait_until("the daemon has made its run", || world.state().last_runs(9).unwrap().len() > 1);
    world.run(&["purge", "zebedee@quagmire.example", "--yes"]).expect(7);
    daemon.terminate();
    daemon.ended().expect(0);
}
