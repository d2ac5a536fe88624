//! `demo` and `sandbox`: for those who want to see it first.

use std::time::Duration;

use crate::harness::{World, people, wait_until};

#[test]
fn the_demo_tells_five_chapters_and_leaves_nothing_behind() {
    let world = World::new();
    let ended = world.run(&["demo"]).expect(0);
    assert!(ended.took < Duration::from_secs(30), "it took {:?}", ended.took);
    let told = &ended.stdout;
    let mut rest = told.as_str();
    for (chapter, words) in [
        (
            "1.",
            &["$ linqsync plan", "Léa Rossi", "Sam Okafor", "$ linqsync run", "Sam,Okafor,"][..],
        ),
        ("2.", &["“Engines” → “Engines Ltd”", "“Countess” → “Lady”"]),
        (
            "3.",
            &["“CTO”", "$ linqsync resolve bo@lanterns.example --take source", "“Chief Engineer”"],
        ),
        ("4.", &["1 deleted", "$ linqsync undo 5", "1 created"]),
        (
            "5.",
            &["0 created, 0 updated, 0 deleted", "Writes sent to Linq: 0", "the same to the byte"],
        ),
    ] {
        rest = rest.split_once(&format!("\n{chapter} ")).unwrap_or_else(|| panic!("{told}")).1;
        for word in words {
            assert!(rest.contains(word), "no {word:?} after {chapter} in\n{told}");
        }
    }
    let wide = told.lines().filter(|line| line.chars().count() > 84);
    let wide: Vec<&str> = wide.filter(|line| !line.contains("/linqsync-demo-")).collect();
    assert!(wide.is_empty(), "wider than the terminal: {wide:#?}");
    assert_eq!(ended.stderr, "", "logs would interrupt the story");
    // The demo made its directory in the world's.
    let left = || std::fs::read_dir(world.dir()).unwrap().map(|e| e.unwrap().file_name());
    let is_of_demo = |name: &std::ffi::OsString| name.to_string_lossy().contains("demo");
    assert_eq!(left().filter(is_of_demo).count(), 0);

    let kept = world.run(&["demo", "--keep"]).expect(0);
    let dir = left().find(is_of_demo).unwrap();
    assert!(kept.stdout.contains(&*dir.to_string_lossy()), "it says where its files are");
    for name in ["contacts.csv", "sync.toml", "state/state.db"] {
        assert!(world.path(&dir.to_string_lossy()).join(name).exists(), "{name}");
    }
}

#[test]
fn the_sandbox_can_be_synchronised_with_as_its_own_words_say() {
    let mut world = World::with_csv(&people::csv(1..=3));
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--contacts", "4", "--token", "mine"];
    let faults = ["--fault", "create status=500 times=1", "--quirk", "find-shape=data"];
    let sandbox = world.start(&[&arguments[..], &faults].concat());
    wait_until("the sandbox says where it is", || sandbox.stdout().contains("Ctrl-C"));
    let said = sandbox.stdout();
    let setting = |name: &str| {
        let line = said.lines().find(|line| line.trim().starts_with(name)).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    world.unset("linq.token_file");
    world.set("linq.base_url", &setting("base_url")).set("linq.token", &setting("token"));
    let run = world.once().expect(0);
    assert_eq!((run.linq(), run.source()), ([7, 3, 0, 0], [7, 4, 0, 0]));
    assert_eq!((run.requests("create"), world.linq().requests()), (4, vec![]));
    sandbox.terminate();
    sandbox.ended().expect(0);
}

#[test]
fn a_fault_or_quirk_that_does_not_exist_is_wrong_usage() {
    let world = World::new();
    for wrong in [["--fault", "create explode"], ["--quirk", "upside-down"]] {
        let said = world.run(&[&["sandbox"], &wrong[..]].concat()).expect(2).stderr;
        assert!(said.starts_with("error: invalid value"), "{said}");
    }
}
