//! `demo` and `sandbox`: for those who want to see it first.

use std::time::Duration;

use crate::harness::{Files, World, people, wait_until};

#[test]
fn the_demo_tells_five_chapters_and_leaves_its_files_to_look_at() {
    let world = World::new();
    let ended = world.run(&["demo"]).expect(0);
    assert!(ended.took < Duration::from_secs(15), "it took {:?}", ended.took);
    let told = &ended.stdout;
    let mut rest = told.as_str();
    for (chapter, words) in [
        ("1.", &["Léa Rossi", "Sam Okafor", "1 of them found on both sides", "Sam,Okafor,"][..]),
        ("2.", &["“Engines” → “Engines Ltd”", "“Countess” → “Lady”"]),
        ("3.", &["“Chief Engineer”", "“CTO”", "edited on both sides", "1 conflict"]),
        ("4.", &["Noor Haddad", "1 deleted"]),
        ("5.", &["nothing to do", "Writes sent to Linq: 0", "the same to the byte"]),
    ] {
        rest = rest.split_once(&format!("\n{chapter} ")).unwrap_or_else(|| panic!("{told}")).1;
        for word in words {
            assert!(rest.contains(word), "no {word:?} after {chapter} in\n{told}");
        }
    }
    let wide = told.lines().filter(|line| line.chars().count() > 80);
    let wide: Vec<&str> = wide.filter(|line| !line.contains("/linqsync-demo-")).collect();
    assert!(wide.is_empty(), "wider than 80 columns: {wide:#?}");
    assert_eq!(ended.stderr, "", "logs would interrupt the story");
    // The demo made its directory in the world's, which is removed with it.
    let names = Files::at(world.dir()).names();
    for name in ["contacts.csv", "sync.toml", "state.db"] {
        assert!(names.iter().any(|n| n == name), "{names:?}");
    }
    assert!(told.contains(world.dir().to_str().unwrap()), "it says where its files are");
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
