//! `check`: everything that a run needs, before one is made.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::{TestFiles, World, wait_until};

const TWO: &str = "First Name,Last Name,Email,Phone,Employee\n\
                   Ada,King,ada@engines.example,,1\n\
                   Bo,Wang,bo@lanterns.example,,2\n";

/// What `check` finds, by what it looked at; without the machine's own service.
fn checks(world: &World, arguments: &[&str], code: i32) -> Vec<(String, String, String)> {
    let ended = world.run(&[&["check", "--json"], arguments].concat()).expect(code);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["schema"], "linqsync.check/1");
    assert_eq!(document["ok"], code == 0);
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let findings = document["checks"].as_array().unwrap().iter();
    findings
        .map(|f| (text(f, "check"), text(f, "status"), text(f, "message")))
        .filter(|finding| finding.0 != "service")
        .collect()
}

#[track_caller]
fn expect(findings: &[(String, String, String)], check: &str, status: &str, says: &str) {
    let found = findings.iter().any(|f| f.0 == check && f.1 == status && f.2.contains(says));
    assert!(found, "no {status} of {check} that says {says:?} in {findings:#?}");
}

#[test]
fn a_set_up_that_is_in_order_is_found_so_and_nothing_is_changed() {
    let world = World::with_csv(TWO);
    let before = TestFiles::at(world.dir());
    let findings = checks(&world, &[], 0);
    assert!(findings.iter().all(|finding| finding.1 == "ok"), "{findings:#?}");
    expect(&findings, "source", "ok", "UTF-8, separated by commas; rows with contacts: 2");
    expect(&findings, "columns", "ok", "email = `Email`");
    expect(&findings, "columns", "ok", "not in the file: company, title, location");
    expect(&findings, "schedule", "ok", "at the start, then ");
    expect(&findings, "state", "ok", "nothing yet");
    expect(&findings, "linq", "ok", "0 contacts");
    expect(&findings, "clock", "ok", "agrees");
    assert_eq!(TestFiles::at(world.dir()), before);
    assert!(world.writes().is_empty());

    world.sync();
    expect(&checks(&world, &[], 0), "state", "ok", "2 pairs; the last run, 1, began");
}

#[test]
fn every_obstacle_is_named_in_one_pass() {
    let mut world = World::with_csv("Bezeichnung,Ort\nAda,Turin\n");
    let wide = std::fs::Permissions::from_mode(0o755);
    std::fs::create_dir(world.path("state")).unwrap();
    std::fs::set_permissions(world.path("state"), wide).unwrap();
    world.unset("linq.token_file");
    let findings = checks(&world, &[], 2);
    expect(&findings, "source", "error", "has no column for a name");
    expect(&findings, "state", "error", "can be read by others");
    expect(&findings, "token", "error", "no token");
    expect(&findings, "linq", "skipped", "was not asked without a token");
}

#[test]
fn what_only_hinders_is_a_warning() {
    let world = World::with_csv(&format!("{TWO}Cy,\"Young,cy@lanterns.example,,3\n"));
    let findings = checks(&world, &[], 0);
    expect(&findings, "source", "warning", "cannot read row:4 (line 4)");
    expect(&findings, "writing", "warning", "the source will not be written");
}

#[test]
fn a_file_without_names_is_told_before_people_lose_theirs() {
    let world = World::with_csv("Whole,Email\nAda King,ada@engines.example\n");
    expect(&checks(&world, &[], 0), "columns", "warning", "not in the file: first_name, last_name");
    let told = world.run(&["check"]).expect(0).stdout;
    assert!(told.contains("one with whole"), "{told}");
    let configuration = world.path("another.toml");
    let init = ["init", "contacts.csv", "-c", configuration.to_str().unwrap()];
    let told = world.run(&init).expect(0).stdout;
    assert!(told.contains("note: contacts from this file have no names in Linq"), "{told}");
}

#[test]
fn a_token_that_is_refused_and_a_linq_that_is_away_have_exit_codes_of_their_own() {
    let mut world = World::with_csv(TWO);
    world.fault("list status=401");
    expect(&checks(&world, &[], 5), "linq", "error", "Linq refused the token");
    world.unplug();
    expect(&checks(&world, &[], 6), "linq", "error", "no connection");
}

#[test]
fn offline_nobody_is_asked() {
    let mut world = World::with_csv(TWO);
    world.unplug();
    let findings = checks(&world, &["--offline"], 0);
    expect(&findings, "linq", "skipped", "was not asked (--offline)");
    expect(&findings, "token", "ok", "from ");
}

#[test]
fn a_configuration_with_mistakes_is_told_as_a_whole() {
    let mut world = World::with_csv(TWO);
    world.set("sync.direcshun", "\"both\"").set("linq.timeout", "\"soon\"");
    let findings = checks(&world, &[], 2);
    expect(&findings, "configuration", "error", "did you mean `direction`?");
    expect(&findings, "configuration", "error", "timeout");
    assert_eq!(findings.len(), 2);
}

#[test]
fn it_works_beside_a_daemon() {
    let world = World::synced(TWO);
    let daemon = world.start(&[]);
    wait_until("the daemon has started", || daemon.stderr().contains("started"));
    let findings = checks(&world, &[], 0);
    expect(&findings, "state", "ok", "2 pairs");
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn people_read_it_in_80_columns() {
    let mut world = World::with_csv(TWO);
    world.set("sync.schedule", "\"every 5m\"").fault("list status=401");
    let ended = world.run(&["check"]).expect(5);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    let expected = [
        "ok       schedule       at the start, then every 5m",
        "ok       columns        first_name = `First Name`, last_name = `Last Name`,",
        "                        email = `Email`, phone_number = `Phone`; not in the",
        "                        file: company, title, location",
        "error    linq           Linq: list page 1: Linq refused the token: 401",
        "No run is possible: 1 error.",
    ];
    for line in expected {
        assert!(lines.contains(&line), "{line:?} is not in {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("fix: the token comes from")), "{lines:#?}");
}

#[test]
fn the_manual_and_the_completions_know_every_command() {
    let world = World::new();
    let page = world.run(&["man"]).expect(0).stdout;
    let help = world.run(&["--help"]).expect(0).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"plan") && commands.len() > 5, "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(
            page.contains(&format!("linqsync\\-{}(1)", command.replace('-', "\\-"))),
            "{command} is not in the manual"
        );
        let page = world.run(&["man", command]).expect(0).stdout;
        assert!(page.contains(&format!(".TH linqsync-{command} 1")), "{page}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(&["completions", shell]).expect(0).stdout;
        assert!(script.contains("detailed-exitcode"), "{shell}");
    }
    let page = world.run(&["man", "sync.toml"]).expect(0).stdout;
    for words in [".TH sync.toml 5", "\\fBdelete_grace\\fR", "LINQSYNC_SYNC__DELETE_GRACE"] {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    let ended = world.run(&["man", "plam"]).expect(2);
    assert!(ended.stderr.contains("there is no command `plam`"), "{}", ended.stderr);
}

#[test]
fn phone_numbers_that_are_none_are_counted_with_the_first_cell_and_a_better_country_named() {
    let mut world = World::with_csv(
        "First Name,Email,Phone\nIda,ida@pain.fr,06 12 34 56 78\nLuc,luc@vin.fr,+33698765432\n",
    );
    let found = checks(&world, &["--offline"], 0);
    expect(&found, "phones", "warning", "1 of 2 not valid in United States");
    expect(&found, "phones", "warning", "the first in `Phone` in row 2");
    let people = world.run(&["check", "--offline"]).expect(0).stdout;
    assert!(people.contains("set sync.region = \"FR\""), "{people}");
    world.set("sync.region", "\"FR\"");
    expect(&checks(&world, &["--offline"], 0), "phones", "ok", "2 of 2 valid in France");
    world.edit("06 12 34 56 78", "n/a");
    let found = checks(&world, &["--offline"], 0);
    expect(&found, "phones", "warning", "1 of 2 not valid in France");
    world.write("First Name,Email\nIda,ida@pain.fr\n");
    assert!(checks(&world, &["--offline"], 0).iter().all(|found| found.0 != "phones"));
}

#[test]
fn an_owner_is_said_to_be_known_unknown_or_not_to_be_verified() {
    let mut world = World::with_csv("First Name,Email\nIda,ida@pain.fr\n");
    assert!(checks(&world, &[], 0).iter().all(|found| found.0 != "owner"));
    world.set("linq.owner", "\"ghost@linq.example\"");
    expect(&checks(&world, &[], 0), "owner", "skipped", "cannot be verified");
    world.once().expect(3);
    expect(&checks(&world, &[], 0), "owner", "warning", "does not know the user `ghost@");
    world.set("linq.owner", "\"sam@linq.example\"");
    expect(&checks(&world, &[], 0), "owner", "skipped", "cannot be verified");
    world.once().expect(0);
    expect(&checks(&world, &[], 0), "owner", "ok", "owns contacts in Linq");
}
