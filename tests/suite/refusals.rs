//! What is refused before anything is done: each with one exit code, on stderr for
//! people and, where it was asked for, on stdout as one JSON document.

use crate::harness::{EndedProcess, PrintedRun, TOKEN, World, people};

/// Every command that needs a configuration and ends by itself.
const COMMANDS: [&[&str]; 3] = [&["--once"], &["plan"], &["--once", "--dry-run"]];

/// Runs each command with and without `--json` and expects it to end with `code`,
/// and to name all of `words`.
#[track_caller]
fn expect_refusal(world: &World, code: i32, words: &[&str]) {
    let contacts = world.linq().contacts();
    for command in COMMANDS {
        let plain = world.run(command).expect(code);
        assert_eq!(plain.stdout, "", "{command:?}");
        expect_words(&plain.stderr, words);
        let run = PrintedRun::of(world.run(&[command, &["--json"]].concat()));
        assert_eq!(run.json["error"]["code"], code, "{command:?}");
        assert_ne!(run.json["error"]["hint"], "", "{command:?}");
        expect_clean(&run.ended);
        expect_words(run.message(), &words[..words.len().min(2)]);
    }
    assert_eq!((world.writes(), world.linq().contacts()), (vec![], contacts));
}

#[track_caller]
fn expect_words(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
}

fn expect_clean(ended: &EndedProcess) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains('\u{1b}') && !text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_source_that_is_missing_is_named() {
    let world = World::new();
    expect_refusal(&world, 2, &["contacts.csv", "No such file"]);
    assert_eq!(world.linq().requests(), [], "a source that is not there costs no request");
}

#[test]
fn a_source_of_zero_bytes_is_not_readable_as_one_and_deletes_nobody() {
    let world = World::synced(&people::csv(1..=3));
    world.write("");
    expect_refusal(&world, 2, &["contacts.csv", "empty"]);
}

#[test]
fn a_source_without_a_column_for_people_is_named_with_its_columns() {
    let world = World::with_csv("Colour,Size\nred,1\n");
    expect_refusal(&world, 2, &["contacts.csv", "no column for a name", "Colour"]);
}

#[test]
fn a_directory_in_place_of_the_source_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.csv()).unwrap();
    expect_refusal(&world, 2, &["contacts.csv"]);
}

#[test]
fn a_misspelled_key_is_named_with_its_line_and_the_one_that_was_meant() {
    let mut world = World::with_csv(people::HEADER);
    world.set("sync.direcshun", "\"push\"");
    let text = std::fs::read_to_string(world.path("sync.toml")).unwrap();
    let line = text.lines().position(|line| line.contains("direcshun")).unwrap() + 1;
    expect_refusal(&world, 2, &[&format!("sync.toml:{line}:"), "direcshun", "`direction`"]);
    assert_eq!(world.linq().requests(), []);
}

#[test]
fn a_value_that_cannot_be_followed_is_named_with_its_line_and_what_is_possible() {
    let mut world = World::with_csv(people::HEADER);
    world.set("sync.on_conflict", "\"sauce\"");
    expect_refusal(&world, 2, &["sync.toml:", "on_conflict", "source"]);
}

#[test]
fn a_variable_that_cannot_be_followed_is_named() {
    let world = World::with_csv(people::HEADER);
    let mut command = world.command(&["--once", "--json"]);
    command.env("LINQSYNC_SYNC__DIRECTION", "sideways");
    let run = PrintedRun::of(crate::harness::Process::start(command).ended()).expect(2);
    expect_words(run.message(), &["LINQSYNC_SYNC__DIRECTION", "direction"]);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let world = World::new();
    let run = PrintedRun::of(world.run(&["-c", "other.toml", "--once", "--json"])).expect(2);
    assert!(run.message().contains("other.toml"), "{}", run.message());
    std::fs::remove_file(world.path("sync.toml")).unwrap();
    expect_refusal(&world, 2, &["sync.toml"]);
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_csv(people::HEADER);
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.path("linq.token"), readable).unwrap();
    expect_refusal(&world, 2, &["linq.token"]);
    assert_eq!(world.linq().requests(), []);
}

#[test]
fn plain_http_to_another_machine_is_refused() {
    let mut world = World::with_csv(people::HEADER);
    world.set("linq.base_url", "\"http://linq.example\"");
    expect_refusal(&world, 2, &["sync.toml:", "base_url"]);
}

#[test]
fn a_state_of_another_pair_is_refused() {
    let mut world = World::synced(&people::csv(1..=2));
    std::fs::copy(world.csv(), world.path("others.csv")).unwrap();
    world.set("source.path", "\"others.csv\"");
    expect_refusal(&world, 2, &["state", "contacts.csv"]);
}

#[test]
fn a_refused_token_is_told_without_the_token() {
    let world = World::synced(&people::csv(1..=2));
    world.fault("any status=401");
    expect_refusal(&world, 5, &["401"]);
}

#[test]
fn wrong_usage_is_told_in_json_too_where_json_was_asked_for() {
    let world = World::with_csv(people::HEADER);
    for (wrong, word) in [
        (&["--once", "--max-deletes", "many"][..], "'many'"),
        (&["--once", "--frobnicate"], "'--frobnicate'"),
        (&["plan", "--detailed-exitcod"], "'--detailed-exitcod'"),
        (&["--dry-run"], "--once"),
        (&["--once", "--log-format", "xml"], "journald"),
    ] {
        let plain = world.run(wrong).expect(2);
        assert_eq!(plain.stdout, "");
        assert!(plain.stderr.starts_with("error: "), "{}", plain.stderr);
        let run = PrintedRun::of(world.run(&[wrong, &["--json"]].concat())).expect(2);
        expect_clean(&run.ended);
        assert!(run.message().contains(word), "{}", run.message());
    }
}

#[test]
fn a_log_filter_that_means_nothing_is_wrong_usage() {
    let world = World::with_csv(people::HEADER);
    let mut command = world.command(&["--once", "--json"]);
    command.env("LINQSYNC_LOG", "linqsync=loud");
    let run = PrintedRun::of(crate::harness::Process::start(command).ended()).expect(2);
    assert!(run.message().contains("linqsync=loud"), "{}", run.message());
}

#[test]
fn the_daemon_refuses_to_start_with_the_same_codes() {
    let mut world = World::with_csv(people::HEADER);
    world.set("sync.schedule", "\"whenever\"");
    let ended = world.run(&[]).expect(2);
    expect_words(&ended.stderr, &["sync.toml:", "schedule"]);
    let run = PrintedRun::of(world.run(&["--json"])).expect(2);
    expect_words(run.message(), &["sync.toml:", "schedule"]);
}
