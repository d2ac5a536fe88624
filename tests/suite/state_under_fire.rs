//! The state and the source when the system fails: nothing is sent that cannot be
//! recorded, and what was sent is recognised by the next run.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use linqsync::sandbox::{ObservedMoment, RouteKind};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{PrintedRun, Process, Stage, World, people, wait_until};

/// A run that may write no file beyond so many blocks of 512 bytes.
fn with_little_room(stage: &Stage, blocks: u32) -> Process {
    let program = stage.world.command(&[]);
    let mut shell = Command::new("/bin/sh");
    // Ignored, the signal becomes an error of the write.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --once --json");
    shell.args(["-c", &script]).arg(program.get_program());
    let dir = stage.world.dir();
    shell.current_dir(dir).env_clear().env("HOME", dir).env("TMPDIR", dir);
    Process::start(shell)
}

#[test]
fn no_room_for_the_state_or_the_source_at_any_write_loses_and_doubles_nobody() {
    let stage = Stage::of_pairs();
    let (mut failed, mut done) = (0, 0);
    for blocks in (0..=2_560).step_by(64) {
        stage.reset();
        let run = PrintedRun::of(with_little_room(&stage, blocks).ended());
        let told = format!("{blocks} blocks: {:#}\n{}", run.json, run.ended.stderr);
        match run.ended.code {
            Some(0) => done += 1,
            Some(1) => failed += 1,
            _ => panic!("{told}"),
        }
        stage.must_heal(&told);
    }
    assert!(failed >= 5 && done >= 5, "{failed} failed, {done} did not");
}

/// A command that may write only where the modes of files say so, whoever runs the tests.
fn without_privileges(world: &World, arguments: &[&str]) -> Process {
    let program = world.command(&[]);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut setpriv = Command::new("setpriv");
        setpriv.arg("--bounding-set=-dac_override,-dac_read_search").arg(program.get_program());
        setpriv
    } else {
        Command::new(program.get_program())
    };
    let dir = world.dir();
    command.args(arguments).current_dir(dir).env_clear();
    command.env("HOME", dir).env("TMPDIR", dir).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Process::start(command)
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_is_sent_while_the_state_is_read_only() {
    let stage = Stage::of_pairs();
    let state = stage.world.path("state");
    for (directory, file) in [(0o500, 0o600), (0o500, 0o400)] {
        stage.reset();
        let files = || std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
        files().filter(|path| path.is_file()).for_each(|path| set_mode(&path, file));
        set_mode(&state, directory);
        let run = PrintedRun::of(without_privileges(&stage.world, &["--once", "--json"]).ended());
        set_mode(&state, 0o700);
        files().filter(|path| path.is_file()).for_each(|path| set_mode(&path, 0o600));
        let told = format!("{directory:o} {file:o}: {:#}\n{}", run.json, run.ended.stderr);
        assert!(matches!(run.ended.code, Some(1 | 2)), "{told}");
        assert!(run.message().contains("state"), "{told}");
        assert_eq!(stage.world.writes(), [], "{told}");
        stage.must_heal(&told);
    }
}

#[test]
fn a_state_that_is_read_only_can_be_looked_at() {
    let world = World::synced(&people::csv(1..=3));
    let state = world.path("state");
    let database = state.join("state.db");
    let whole = std::fs::read(&database).unwrap();
    for companion in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(state.join(companion));
    }
    set_mode(&database, 0o400);
    set_mode(&state, 0o500);
    let commands = [&["status"][..], &["list"], &["list", "in-sync"], &["history"], &["export"]];
    let ended = commands.map(|command| {
        let ended = without_privileges(&world, command).ended();
        (command, ended.code, ended.stdout, ended.stderr)
    });
    set_mode(&state, 0o700);
    set_mode(&database, 0o600);
    for (command, code, stdout, stderr) in ended {
        assert_eq!(code, Some(0), "{command:?}: {stderr}");
        assert!(!stdout.is_empty(), "{command:?}");
    }
    assert_eq!(std::fs::read(&database).unwrap(), whole);
}

#[test]
fn looking_at_a_state_leaves_nothing_to_check_and_nothing_changed() {
    let world = World::synced(&people::csv(1..=3));
    let known = |name: &str| std::fs::read(world.path("state").join(name)).unwrap();
    let before = [known("state.db"), known("state.db-checked")];
    for command in [&["status"][..], &["list"], &["list", "in-sync"], &["history"], &["export"]] {
        assert_eq!(world.run(command).code, Some(0), "{command:?}");
    }
    assert!([known("state.db"), known("state.db-checked")] == before);
    world.expect_silence();
}

#[test]
fn what_was_written_to_linq_is_remembered_when_the_source_is_read_only() {
    let stage = Stage::of_pairs();
    stage.reset();
    set_mode(&stage.world.csv(), 0o400);
    set_mode(stage.world.dir(), 0o500);
    let run = PrintedRun::of(without_privileges(&stage.world, &["--once", "--json"]).ended());
    set_mode(stage.world.dir(), 0o700);
    set_mode(&stage.world.csv(), 0o600);
    let told = format!("{:#}\n{}", run.json, run.ended.stderr);
    assert_eq!(run.ended.code, Some(1), "{told}");
    assert!(run.message().contains("contacts.csv"), "{told}");
    assert!(run.linq()[1] >= 3, "{told}");
    stage.must_heal(&told);
}

#[test]
fn nothing_is_sent_while_the_state_cannot_be_written() {
    let world = World::with_csv(&people::csv(1..=12));
    // From the third create on somebody else, a backup for example, has the state.
    let path = world.path("state/state.db");
    let held: Arc<Mutex<Option<Connection>>> = Arc::default();
    let (hold, creates) = (Arc::clone(&held), Mutex::new(0));
    world.linq().set_witness(Arc::new(move |moment, request| {
        if moment == ObservedMoment::Arrived && request.kind == Some(RouteKind::Create) {
            let mut creates = creates.lock().unwrap();
            *creates += 1;
            if *creates == 3 {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
                let busy = Connection::open_with_flags(&path, flags).unwrap();
                busy.busy_timeout(Duration::from_secs(10)).unwrap();
                busy.execute_batch("BEGIN IMMEDIATE").unwrap();
                *hold.lock().unwrap() = Some(busy);
            }
        }
    }));
    let run = world.once().expect(1);
    assert!(run.message().contains("locked by another program"), "{}", run.message());
    let sent = world.requests(RouteKind::Create).len();
    assert!((3..=7).contains(&sent), "{sent} creates: only what was intended before");
    held.lock().unwrap().take();
    world.linq().dismiss_witness();
    let run = world.once().expect(0);
    assert_eq!((run.count("in_sync"), world.linq().contacts().len()), (12, 12));
    assert_eq!(world.requests(RouteKind::Create).len(), 12);
    world.expect_silence();
}

#[test]
fn a_damaged_state_is_refused_left_as_it_is_and_costs_nothing() {
    type StateDamage = fn(&mut Vec<u8>);
    let stage = Stage::of_pairs();
    let database = stage.world.path("state/state.db");
    let whole = {
        stage.reset();
        std::fs::read(&database).unwrap()
    };
    let damages: [(&str, StateDamage); 5] = [
        ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("cut short", |bytes| bytes.truncate(1_000)),
        ("another header", |bytes| bytes[..16].copy_from_slice(b"a letter to Jane")),
        ("zeros", |bytes| bytes[4_096..].fill(0)),
        ("noise", |bytes| bytes[4_096..].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x5a)),
    ];
    for (what, damage) in damages {
        stage.reset();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        for name in ["state/state.db-wal", "state/state.db-shm"] {
            let _ = std::fs::remove_file(stage.world.path(name));
        }
        std::fs::write(&database, &bytes).unwrap();
        let run = stage.world.once();
        assert!(matches!(run.ended.code, Some(1 | 2)), "{what}: {:#}", run.json);
        assert_eq!(stage.world.writes(), [], "{what}");
        assert_eq!(std::fs::read(&database).unwrap(), bytes, "{what}");
    }
}

#[test]
fn a_state_that_was_lost_deletes_nobody_and_creates_nobody_twice() {
    let world = World::synced(&people::csv(1..=5));
    world.edit(&people::row(2), "");
    world.remove("First003");
    std::fs::remove_dir_all(world.path("state")).unwrap();
    let run = world.once().expect(0);
    assert_eq!((run.linq()[3], run.source()[3], run.count("linked")), (0, 0, 3));
    assert_eq!(world.people_in_linq(), world.people_in_csv());
    assert_eq!(world.linq().contacts().len(), 5);
}

#[test]
fn sigterm_at_any_request_ends_in_time_and_the_next_run_finishes() {
    let stage = Stage::of_pairs();
    for nth in 1..=stage.requests {
        stage.reset();
        stage.world.fault(&format!("any delay=100ms nth={nth}"));
        let process = stage.start();
        wait_until("the request came", || {
            stage.world.linq().requests().len() as u64 >= nth || process.has_ended()
        });
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let run = PrintedRun::of(process.ended());
        assert!(matches!(run.ended.code, Some(0 | 143)), "{nth}: {:#}", run.json);
        assert!(run.ended.took < Duration::from_secs(6), "{nth}: {:?}", run.ended.took);
        stage.must_heal(&format!("SIGTERM at request {nth}"));
    }
}
