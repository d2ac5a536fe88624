//! Where settings and the token come from.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{PrintedRun, Process, TOKEN, World, people};

#[test]
fn paths_begin_at_the_directory_of_the_file_wherever_linqsync_is_started() {
    let world = World::with_csv(&people::csv(1..=2));
    let file = world.path("sync.toml");
    let mut command = world.command(&["--once", "--json", "-c", file.to_str().unwrap()]);
    command.current_dir("/");
    PrintedRun::of(Process::start(command).ended()).expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
    assert!(world.path("state/state.db").exists());
}

#[test]
fn the_configuration_is_found_with_the_user_too() {
    let world = World::with_csv(&people::csv(1..=2));
    let elsewhere = world.path("elsewhere");
    let text = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    let dir = world.dir().display();
    let text = text.replace("= \"contacts.csv\"", &format!("= \"{dir}/contacts.csv\""));
    let text = text.replace("= \"linq.token\"", &format!("= \"{dir}/linq.token\""));
    std::fs::create_dir_all(world.path(".config/linqsync")).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(world.path(".config/linqsync/sync.toml"), text).unwrap();
    std::fs::remove_file(world.path("sync.toml")).unwrap();
    let mut command = world.command(&["--once", "--json"]);
    command.current_dir(elsewhere);
    PrintedRun::of(Process::start(command).ended()).expect(0);
    assert_eq!(world.linq().contacts().len(), 2);
}

#[test]
fn a_variable_wins_over_the_file_and_a_flag_over_both() {
    let mut world = World::synced(&people::csv(1..=30));
    world.set("sync.direction", "\"pull\"").set("sync.max_deletes", "5");
    world.write(people::csv(8..=30));
    let run = |flags: &[&str]| {
        let mut command = world.command(&[&["--once", "--json"], flags].concat());
        command.env("LINQSYNC_SYNC__DIRECTION", "push").env("LINQSYNC_SYNC__MAX_DELETES", "6");
        PrintedRun::of(Process::start(command).ended())
    };
    assert_eq!(run(&[]).expect(4).count("held_deletes"), 7);
    assert_eq!(run(&["--max-deletes", "7"]).expect(0).linq(), [23, 0, 0, 7]);
}

#[test]
fn a_variable_that_sets_nothing_is_warned_of_with_the_one_that_was_meant() {
    let world = World::synced(&people::csv(1..=1));
    let mut command = world.command(&["--once"]);
    command.env("LINQSYNC_SYNC__DIRECTON", "push");
    let said = Process::start(command).ended().expect(0).stderr;
    assert!(said.contains("did you mean LINQSYNC_SYNC__DIRECTION?"), "{said}");
}

#[test]
fn the_token_comes_from_the_environment_or_a_program_or_the_file() {
    let mut world = World::with_csv(&people::csv(1..=1));
    std::fs::remove_file(world.path("linq.token")).unwrap();
    world.once().expect(2);
    let mut command = world.command(&["--once", "--json"]);
    command.env("LINQ_TOKEN", TOKEN);
    PrintedRun::of(Process::start(command).ended()).expect(0);

    world.unset("linq.token_file");
    world.set("linq.token_command", &format!("[\"/bin/echo\", \"{TOKEN}\"]"));
    world.once().expect(0);

    world.unset("linq.token_command").set("linq.token", &format!("\"{TOKEN}\""));
    let readable = world.run(&["--once"]).expect(0).stderr;
    assert!(readable.contains("others can read it") && readable.contains("chmod 600"));
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(world.path("sync.toml"), private).unwrap();
    assert_eq!(world.run(&["--once"]).expect(0).stderr, "");
}

#[test]
fn a_token_that_was_changed_while_the_daemon_runs_is_read_again() {
    let mut world = World::with_csv(&people::csv(1..=1));
    world.set("sync.schedule", "\"every 1s\"");
    std::fs::write(world.path("linq.token"), "an-old-token\n").unwrap();
    let daemon = world.start(&[]);
    crate::harness::wait_until("the old token was refused", || daemon.stderr().contains("401"));
    std::fs::write(world.path("linq.token"), TOKEN).unwrap();
    crate::harness::wait_until("the new token works", || world.linq().contacts().len() == 1);
    daemon.terminate();
    daemon.ended().expect(0);
}
