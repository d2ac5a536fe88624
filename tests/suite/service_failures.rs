//! What the daemon makes of failures: quiet, loud, and over.

use std::os::unix::fs::PermissionsExt;

use linqsync::sandbox::RouteKind;

use crate::harness::{Process, TOKEN, World, people, wait_until};

fn daemon(world: &mut World, arguments: &[&str]) -> Process {
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    let daemon = world.start(arguments);
    wait_until("it is under way", || world.requests(RouteKind::List).len() >= 2);
    daemon
}

#[track_caller]
fn end(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}

fn lines<'a>(said: &'a str, word: &str) -> Vec<&'a str> {
    said.lines().filter(|line| line.contains(word)).collect()
}

#[test]
fn an_outage_is_told_when_it_lasts_and_its_end_with_its_length() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = daemon(&mut world, &[]);
    world.fault("any status=503");
    for failed in 1..=7 {
        wait_until("a run failed", || {
            world.state().linq_down().unwrap().is_some_and(|down| down.runs == failed)
        });
        world.let_the_probe_come();
    }
    world.linq().clear_faults();
    wait_until("it recovered", || {
        world.let_the_probe_come();
        daemon.stderr().contains("runs succeed again")
    });
    let said = end(daemon);
    assert_eq!(lines(&said, "will be made again").len(), 2, "{said}");
    assert_eq!(lines(&said, " ERROR ").len(), 1, "once an hour:\n{said}");
    assert!(lines(&said, " ERROR ")[0].contains("failures=3"), "{said}");
    let recovered = lines(&said, "runs succeed again");
    assert!(recovered.len() == 1, "{said}");
    assert!(recovered[0].contains("outage=") && recovered[0].contains("failures="), "{said}");
    world.expect_silence();
}

#[test]
fn a_refused_token_is_asked_for_once_and_a_new_one_is_taken_without_a_restart() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = daemon(&mut world, &[]);
    std::fs::write(world.path("linq.token"), "revoked-token").unwrap();
    // The client holds on to a token while it is good, and each run reads it anew.
    wait_until("it was refused", || daemon.stderr().contains(" ERROR "));
    let asked = world.linq().requests().len();
    world.edit("Title 001", "Chief");
    daemon.ask_how_it_is();
    wait_until("it told", || daemon.stderr().contains("Linq has refused the token for"));
    let status = || daemon.stderr().matches("Linq has refused the token for").count();
    for more in 2..5 {
        // The schedule has been due several times meanwhile.
        let seen = daemon.stderr().len();
        daemon.ask_how_it_is();
        wait_until("it told again", || status() >= more && daemon.stderr().len() > seen);
    }
    assert_eq!(world.linq().requests().len(), asked, "it did not ask again");
    std::fs::write(world.path("linq.token"), TOKEN).unwrap();
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    wait_until("it was told", || daemon.stderr().contains("runs succeed again"));
    let said = end(daemon);
    assert_eq!(lines(&said, " ERROR ").len(), 1, "{said}");
    assert!(!said.contains("revoked-token"));
}

#[test]
fn a_token_that_is_replaced_in_the_middle_of_a_run_is_read_again() {
    for place in ["file", "command"] {
        let mut world = World::synced(&people::csv(1..=2));
        if place == "command" {
            let script = "#!/bin/sh\ncat \"$(dirname \"$0\")/linq.token\"\n";
            std::fs::write(world.path("token.sh"), script).unwrap();
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(world.path("token.sh"), mode).unwrap();
            world.unset("linq.token_file").set("linq.token_command", "[\"./token.sh\"]");
        }
        let daemon = daemon(&mut world, &[]);
        // Whoever revokes a token gives out the next one.
        world.linq().set_token("the-next-token");
        std::fs::write(world.path("linq.token"), "the-next-token").unwrap();
        world.edit("Title 001", "Chief");
        wait_until("the edit arrived", || {
            world.contact("First001").title.as_deref() == Some("Chief")
        });
        let said = end(daemon);
        assert_eq!(lines(&said, " ERROR ").len(), 0, "{place}: {said}");
    }
}

#[test]
fn a_daemon_that_starts_with_a_refused_token_asks_once_and_waits_for_another() {
    let world = World::synced(&people::csv(1..=2));
    std::fs::write(world.path("linq.token"), "revoked-token").unwrap();
    let daemon = world.start(&[]);
    wait_until("it was refused", || daemon.stderr().contains(" ERROR "));
    world.edit("Title 001", "Chief");
    // A run that is asked for by a person is made, and tells it.
    let asked = world.once().expect(5);
    assert!(asked.message().contains("401"), "{}", asked.message());
    assert_eq!(world.linq().requests().len(), 2, "the save of the source is no reason to ask");
    std::fs::write(world.path("linq.token"), TOKEN).unwrap();
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    end(daemon);
}

#[test]
fn a_daemon_starts_although_linq_does_not_answer() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    world.unplug();
    let daemon = world.start(&[]);
    wait_until("runs fail", || daemon.stderr().contains("will be made again"));
    assert!(!daemon.has_ended());
    end(daemon);
}

#[test]
fn bad_rows_and_a_broken_source_do_not_end_the_daemon() {
    let mut world = World::synced(&people::csv(1..=2));
    let daemon = daemon(&mut world, &[]);
    let good = world.text();
    for broken in [&b""[..], b"\xff\xfe\x00", b"no,known,columns\n1,2,3\n"] {
        let before = daemon.stderr().len();
        world.write(broken);
        wait_until("it was noticed", || daemon.stderr().len() > before);
    }
    world.write(good.replace("Title 001", "Chief") + "\"Bo,Unterminated\n");
    wait_until("the rest flowed", || world.contact("First001").title.as_deref() == Some("Chief"));
    world.write(good.replace("Title 001", "Pilot"));
    wait_until("it is whole again", || world.contact("First001").title.as_deref() == Some("Pilot"));
    end(daemon);
    assert_eq!(world.linq().contacts().len(), 2);
}
