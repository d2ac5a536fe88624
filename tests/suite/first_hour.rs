//! What somebody does who tries it out: runs by their usual names, a mock server that keeps its
//! contacts and is edited as by a colleague, and manual pages.

use crate::harness::{Process, World, people, wait_until};

#[test]
fn a_run_goes_by_the_names_that_people_try() {
    let world = World::with_csv(&people::csv(1..=2));
    let planned = world.run(&["run", "--dry-run"]).expect(0).stdout;
    assert!(planned.contains("Plan: 2 to create"), "{planned}");
    assert_eq!(world.linq().contacts().len(), 0);
    world.run(&["run"]).expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
    let again = world.run(&["sync", "--json"]).expect(0).stdout;
    assert!(again.contains("\"linqsync.run/1\""), "{again}");
    // A limit is one of this run, wherever it stands.
    world.write(people::csv(1..=1));
    let held = world.run(&["run", "--max-deletes", "0"]).expect(4);
    assert!(held.stdout.contains("held"), "{}", held.stdout);
}

/// A mock server with its contacts in `mock`, and its address.
fn mock(world: &World) -> (Process, String) {
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--contacts", "2", "--data", "mock"];
    let server = world.start(&arguments);
    wait_until("the server says where it is", || server.stdout().contains("Ctrl-C"));
    let said = server.stdout();
    let url = said.lines().find_map(|line| line.split_once("at http://")).unwrap().1;
    let url = format!("http://{}", url.trim());
    (server, url)
}

#[test]
fn a_mock_server_keeps_its_contacts_and_is_edited_as_by_a_colleague() {
    let world = World::new();
    let (server, url) = mock(&world);
    let edit = |arguments: &[&str]| {
        world.run(&[&["sandbox"], arguments, &["--url", url.as_str()]].concat())
    };
    let added = edit(&["add", "first_name=Ada", "last_name=King", "email=ada@x.example"]).expect(0);
    assert!(added.stdout.contains("added Ada King (id 4100003)"), "{}", added.stdout);
    for who in ["4100003", "ada@x.example", "king, ada"] {
        let edited = edit(&["edit", who, "title=Lady"]).expect(0);
        assert!(edited.stdout.contains("edited Ada King"), "{}", edited.stdout);
    }
    let wrong = edit(&["edit", "Nobody Atall", "title=Lady"]).expect(2);
    assert!(wrong.stderr.contains("no contact matches"), "{}", wrong.stderr);
    edit(&["edit", "4100003", "salary=1"]).expect(2);
    edit(&["delete", "4100001"]).expect(0);
    server.terminate();
    server.ended().expect(0);

    let kept = std::fs::read_to_string(world.path("mock/contacts.json")).unwrap();
    assert!(kept.contains("Lady"), "{kept}");
    let (server, url) = mock(&world);
    let said = server.stdout();
    assert!(said.contains("with 2 contacts") && said.contains("are kept in mock"), "{said}");
    let added = world.run(&["sandbox", "add", "first_name=Bo", "--url", &url]).expect(0);
    assert!(added.stdout.contains("(id 4100004)"), "no id is given twice: {}", added.stdout);
    server.terminate();
    server.ended().expect(0);
}

#[test]
fn only_a_mock_server_on_this_machine_is_edited() {
    let mut world = World::new();
    world.set("linq.base_url", "\"https://api.linqapp.com\"");
    let refused = world.run(&["sandbox", "edit", "1", "title=x"]).expect(2);
    assert!(refused.stderr.contains("is no mock server"), "{}", refused.stderr);
    // As the configuration says, where it names a mock server.
    let url = format!("{:?}", world.url());
    world.set("linq.base_url", &url);
    world.linq().insert([("first_name", "Ada")]).unwrap();
    world.run(&["sandbox", "edit", "Ada", "title=Lady"]).expect(0);
    assert_eq!(world.contact("Ada").title.as_deref(), Some("Lady"));
}

#[test]
fn a_refused_or_missing_token_is_named_with_where_it_comes_from() {
    let world = World::with_csv(&people::csv(1..=1));
    std::fs::write(world.path("linq.token"), "wrong\n").unwrap();
    let file = world.path("linq.token").display().to_string();
    for command in [&["run"][..], &["plan"], &["verify"], &["check"]] {
        let refused = world.run(command).expect(5);
        let told = (refused.stdout + &refused.stderr).replace(['\n', ' '], "");
        assert!(told.contains(&format!("thetokencomesfromthefile{file}")), "{command:?}: {told}");
    }
    let mut command = world.command(&["plan"]);
    command.env("LINQ_TOKEN", "wrong");
    let refused = Process::start(command).ended().expect(5);
    assert!(refused.stderr.contains("environment variable LINQ_TOKEN"), "{}", refused.stderr);
    std::fs::remove_file(world.path("linq.token")).unwrap();
    let missing = world.run(&["plan"]).expect(2);
    assert!(missing.stderr.contains(&format!("{file}: not found")), "{}", missing.stderr);
}
