//! What people read, in 80 columns.

use insta::assert_snapshot;

use crate::harness::{Process, World, people};

/// No line may be wider than this.
const WIDTH: usize = 80;

#[track_caller]
fn expect_narrow(text: &str) {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
    assert!(wide.is_empty(), "wider than {WIDTH} columns: {wide:#?}");
}

#[track_caller]
fn shown(world: &World, arguments: &[&str], code: i32) -> String {
    let ended = world.run(&[arguments, &["-q"]].concat()).expect(code);
    expect_narrow(&ended.stdout);
    assert_eq!(ended.stderr, "");
    assert!(!ended.stdout.contains('\u{1b}'), "colours without a terminal");
    ended.stdout
}

/// A small world in which most things that can happen are about to.
fn eventful() -> World {
    let mut world = World::with_csv(
        "First Name,Last Name,Email,Phone,Company,Title\n\
         Ada,King,ada@engines.example,+14155552671,Engines,Countess\n\
         Bo,Wang,bo@lanterns.example,,Lanterns,Engineer\n\
         Cy,Young,cy@lanterns.example,,Lanterns,\n\
         Dee,Zhou,dee@lanterns.example,,Lanterns,\n",
    );
    // One at a time, so that the ids in Linq are in the order of the rows.
    world.set("linq.concurrency", "1");
    world.sync();
    world.edit("Engines,Countess", "Analytical Engines Limited of London and Turin,Countess");
    world.change("Ada", "title", "Lady");
    world.edit("Engineer", "Chief Engineer");
    world.change("Bo", "title", "CTO");
    world.edit("Cy,Young,cy@lanterns.example,,Lanterns,\n", "");
    world.remove("Dee");
    let kai = "Kai,Novák,kai@harbour.example,,Harbour & Sons,Pilot\n";
    world.write(world.text() + kai + ",,ADA@engines.example,,,\n");
    world.linq().insert([("first_name", "Léa"), ("email", "lea@atelier.example")]).unwrap();
    world
}

#[test]
fn a_plan_is_told_per_person_and_field_with_the_reason() {
    assert_snapshot!(shown(&eventful(), &["plan"], 0), @"
    Plan: 2 to create, 2 to update, 2 to delete; 0 to link; 2 waiting
    about 7 requests to Linq, 1s at 1000 per second (linq.requests_per_second)
    + create  ~ update  - delete  ! waits  ? ambiguous

    to Linq
      ~ Ada King (row:2)
          edited in the source
          company       “Engines”
                        → “Analytical Engines Limited of London and Turin”
      - Cy Young (id 4100003)
          deleted in the source
      + Kai Novák (row:5)
          new in the source
          first_name    “Kai”
          last_name     “Novák”
          email         “kai@harbour.example”
          company       “Harbour & Sons”
          title         “Pilot”

    to contacts.csv
      ~ Ada King (row:2)
          edited in Linq
          title         “Countess” → “Lady”
      - Dee Zhou (row:4)
          deleted in Linq
      + Léa (id 4100005)
          new in Linq
          first_name    “Léa”
          email         “lea@atelier.example”

    needs attention
      ! Bo Wang (row:3)
          title was edited on both sides
          source        “Chief Engineer”
          Linq          “CTO”
          last synced   “Engineer”
      ? ADA@engines.example (row:6)
          ambiguous: Ada King (id 4100001) in Linq has the same e-mail and is taken

    Plan: 2 to create, 2 to update, 2 to delete; 0 to link; 2 waiting
    ");
}

#[test]
fn a_run_is_told_with_whatever_it_did_and_whatever_waits() {
    assert_snapshot!(shown(&eventful(), &["--once"], 3), @"
    needs attention
      ! Bo Wang (row:3)
          title was edited on both sides
          source        “Chief Engineer”
          Linq          “CTO”
          last synced   “Engineer”
      ? ADA@engines.example (row:5)
          ambiguous: Ada King (id 4100001) in Linq has the same e-mail and is taken

    Linq                     4 contacts seen, 1 created, 1 updated, 1 deleted
    contacts.csv             5 contacts seen, 1 created, 1 updated, 1 deleted
    in sync                  3
    needs attention          1 conflict, 1 ambiguous match
    ");
}

#[test]
fn whatever_waits_is_told_again_by_every_run() {
    let world = eventful();
    world.edit("kai@harbour.example", "kai at harbour");
    world.once().expect(3);
    world.write(world.text() + "Torn,row,,,,,7\n");
    assert_snapshot!(shown(&world, &["--once"], 3), @"
    needs attention
      ! Bo Wang (row:3)
          title was edited on both sides
          source        “Chief Engineer”
          Linq          “CTO”
          last synced   “Engineer”
      ! Kai Novák (row:4)
          Linq refused it: Email is invalid
          `Email` in row 4 “kai at harbour”
      ? ADA@engines.example (row:5)
          ambiguous: Ada King (id 4100001) in Linq has the same e-mail and is taken
      ! row:7 (line 7)
          it has 7 cells where the header has 6; a cell that contains the delimiter
          needs quotation marks

    Linq                     4 contacts seen, 0 created, 0 updated, 0 deleted
    contacts.csv             5 contacts seen, 0 created, 0 updated, 0 deleted
    in sync                  2
    needs attention          1 conflict, 1 ambiguous match, 2 rejected
    ");
}

#[test]
fn a_run_that_found_nothing_to_do_is_told_in_three_lines() {
    let world = World::synced(&people::csv(1..=2));
    assert_snapshot!(shown(&world, &["--once"], 0), @"
    Linq                     2 contacts seen, 0 created, 0 updated, 0 deleted
    contacts.csv             2 contacts seen, 0 created, 0 updated, 0 deleted
    in sync                  2
    ");
    assert_eq!(shown(&world, &["plan"], 0), "Plan: nothing to do; 2 contacts in sync\n");
}

#[test]
fn held_deletions_are_listed() {
    let world = World::synced(&people::csv(1..=40));
    world.write(people::csv(12..=40));
    let text = shown(&world, &["--once"], 4);
    assert!(text.contains("First001") && text.contains("First011"), "{text}");
    assert!(text.ends_with("needs attention          11 held deletions\n"), "{text}");
    world.write(people::HEADER);
    let text = shown(&world, &["--once"], 4);
    assert!(text.contains("note: nothing was written: the source is empty"), "{text}");
}

#[test]
fn a_long_plan_counts_the_people_whom_it_does_not_show() {
    let world = World::with_csv(&people::csv(1..=50));
    let text = shown(&world, &["plan"], 0);
    assert!(text.contains("… and 10 more (--json shows all of them)"), "{text}");
}

#[test]
fn whoever_has_read_enough_gets_no_error() {
    let world = World::with_csv("First Name,Email\nAda,ada@engines.example\n");
    for arguments in [&["plan"][..], &["plan", "--json"], &["man"], &["check"]] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let mut command = world.command(&[arguments, &["-q"]].concat());
        let ended = command.stdout(write).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{arguments:?}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "the help is shown as a whole")]
fn the_help_and_the_version_are_on_stdout() {
    let world = World::new();
    assert_snapshot!(shown(&world, &["--help"], 0), @"
    Keep an organisation's contacts the same in Linq and in a CSV file or vCards.

    Without a command and without --once it is the daemon: a run at start and then
    on the schedule, until SIGTERM.

    Usage: linqsync [OPTIONS] [COMMAND]

    Commands:
    Set up
      init          Look at a file or directory of contacts and write a sync.toml
                    for it
      check         Check configuration, source, state, token and Linq; change
                    nothing
      web-password  Set a password of the inbox that [web] serves
      notify        Test the channel of [notify]
    Sync
      run           Make one run and exit, as --once does [alias: sync]
      plan          Show what a run would do, per contact and field; change nothing
      apply         Apply exactly a plan that `plan --out` saved, once
      verify        Read both sides again and prove them equal, or list the
                    differences
    Decide
      list          List what needs attention, what is in sync, or duplicates, as
                    the last run left it
      resolve       Decide conflicts and ambiguous matches, for the next run to
                    carry out
      approve       Approve held deletions, clearings and changes, for the next run
                    to carry out
      reject        Reject held deletions, clearings and changes: the next run puts
                    back what was done
      retry         Retry what Linq or the source refused, in the next run
    Look back
      status        Show sync state, last run, pending decisions and next run
      explain       Show one contact: both sides, its history, what the next run
                    would do and why
      history       Show what was changed, when, where, by which run and why
      report        Show the data quality of both sides: missing and unusable
                    values, duplicates
      export        Export Linq's contacts, as the last run saw them, as CSV, vCards
                    or JSON
      undo          Undo a run: put back on both sides what it did
    Maintain
      adopt         Adopt the state of a source that was renamed or moved, of
                    another machine, or of a Linq with another address
      purge         Erase a contact from history, backups and mirror
      completions   Print a script that completes commands in a shell
      man           Print the manual page linqsync(1), or that of a command
    Try out
      sandbox       Run a mock Linq server on this machine, or edit its contacts
      demo          Show the main steps in a temporary directory, against a mock
                    Linq server
      help          Print this message or the help of the given subcommand(s)

    Options:
          --once
              Make one run and exit

          --dry-run
              With --once: show what the run would do, as `plan` does

          --only <WHO>...
              With --once: only these contacts take part: a Linq id, e-mail, phone,
              full name, key or row:N

          --max-deletes <N|P%>
              How many deletions this run may carry out on a side: a number or a
              percentage

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    With every command:
      -c, --config <FILE>
              The configuration [default: ./sync.toml, then
              $XDG_CONFIG_HOME/linqsync/sync.toml, then /etc/linqsync/sync.toml]
              
              [env: LINQSYNC_CONFIG=]

          --json
              One JSON document on stdout, on failure too

      -v, --verbose...
              More logging; twice for still more

      -q, --quiet
              Log errors only

          --no-progress
              No line that tells how far a run is; the log tells instead, every 30 s

          --log-format <LOG_FORMAT>
              The form of the logs on stderr

              Possible values:
              - text:     For people: time, level, message, fields
              - json:     One JSON object on each line
              - journald: For journald: a priority before each line (sd-daemon(3)),
                and no time, which journald keeps itself

          --color <COLOR>
              Colours in the output

              Possible values:
              - auto:   On a terminal, unless NO_COLOR is set
              - always: In any case
              - never:  Not at all
              
              [default: auto]

    Exit codes: 0 in sync, 2 wrong usage, configuration or source, 3 something waits
    for a person, 4 deletions are held, 5 the token was refused, 6 Linq unreachable,
    7 another linqsync is at work.
    ");
    let version = shown(&world, &["--version"], 0);
    assert_eq!(version, format!("linqsync {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["plan", "sandbox", "demo"] {
        let text = shown(&world, &[command, "--help"], 0);
        assert!(text.contains("Usage: linqsync"), "{text}");
    }
}

#[test]
fn nothing_in_a_contact_acts_on_the_terminal() {
    let world = World::with_csv("First Name,Email,Title\nAda,a@e.example,\n");
    let hostile = "Bo\u{1b}[31m\u{7}\r\u{202e}";
    world.linq().insert([("first_name", hostile), ("title", "\u{9b}2J")]).unwrap();
    for arguments in [&["plan"][..], &["--once"]] {
        let text = shown(&world, arguments, 0);
        for c in ['\u{1b}', '\u{7}', '\r', '\u{202e}', '\u{9b}'] {
            assert!(!text.contains(c), "{c:?} in {text:?}");
        }
    }
}

#[test]
fn colours_are_there_when_they_are_asked_for_and_never_in_json() {
    let world = World::with_csv(&people::csv(1..=1));
    let colours = |arguments: &[&str], no_color: bool| {
        let mut command = world.command(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        Process::start(command).ended().expect(0).stdout.contains('\u{1b}')
    };
    assert!(colours(&["plan", "--color", "always"], false));
    assert!(!colours(&["plan"], false));
    assert!(!colours(&["plan"], true));
    assert!(!colours(&["plan", "--color", "never"], false));
    assert!(!colours(&["plan", "--json", "--color", "always"], false));
}

#[test]
fn logs_go_to_stderr_in_the_form_that_was_asked_for() {
    let world = World::synced(&people::csv(1..=1));
    let logged = |arguments: &[&str]| world.run(arguments).expect(0).stderr;
    assert_eq!(logged(&["--once", "-q"]), "");
    let events = logged(&["--once", "-vv", "--log-format", "json"]);
    assert!(events.lines().count() > 0);
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{line}");
    }
}
