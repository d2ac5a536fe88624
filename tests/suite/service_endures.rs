//! What a service meets in years: nothing of it ends the daemon, and what passes is waited
//! for.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use linqsync::sandbox::RouteKind;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Process, TOKEN, World, people, wait_until};
use crate::service_metrics::{get, telling};

fn full() -> Stdio {
    Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap())
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

#[track_caller]
fn end(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}

#[test]
fn a_log_that_cannot_be_written_ends_no_run() {
    for (log, title) in [(full as fn() -> Stdio, "Chief"), (unread, "Pilot")] {
        for format in ["text", "json", "journald"] {
            let world = World::synced(&people::csv(1..=2));
            world.edit("Title 001", title);
            let mut once = world.command(&["--once", "-vv", "--log-format", format]);
            let status = once.stdout(Stdio::null()).stderr(log()).status().unwrap();
            assert_eq!(status.code(), Some(0), "{format}");
            assert_eq!(world.contact("First001").title.as_deref(), Some(title));
        }
    }
}

#[test]
fn a_defect_is_no_worse_when_the_log_cannot_be_written() {
    let world = World::synced(&people::csv(1..=2));
    world.edit("Title 001", "Chief");
    let mut once = world.command(&["--once"]);
    once.env("LINQSYNC_TEST_DEFECT", "3").stdout(Stdio::null()).stderr(full());
    assert_eq!(once.status().unwrap().code(), Some(1));
    world.once().expect(0);
    assert_eq!(world.contact("First001").title.as_deref(), Some("Chief"));
}

#[test]
fn a_daemon_whose_log_cannot_be_written_goes_on() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"");
    let mut command = world.command(&["-vv"]);
    let mut daemon = command.stdout(Stdio::null()).stderr(full()).spawn().unwrap();
    world.edit("Title 001", "Chief");
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    world.fault("list status=500 times=1");
    world.edit("Title 002", "Pilot");
    wait_until("the next one as well", || {
        world.let_the_probe_come();
        world.contact("First002").title.as_deref() == Some("Pilot")
    });
    assert_eq!(daemon.try_wait().unwrap(), None);
    let pid = Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

/// A pipe that is full, and whose reader is there and does not read.
fn stuck() -> (std::io::PipeReader, Stdio) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while std::io::Write::write(&mut writer, &[b'.'; 512]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, Stdio::from(writer))
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"");
    let (reader, log) = stuck();
    let mut command = world.command(&["-vv"]);
    let mut daemon = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    world.edit("Title 001", "Chief");
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    rustix::process::kill_process(Pid::from_child(&daemon), rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    drop(reader);
}

#[test]
fn a_command_that_holds_the_state_for_a_while_is_waited_for() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("linq.timeout", "\"60s\"");
    world.fault("list delay=2s times=1");
    let once = world.start(&["--once", "--json"]);
    wait_until("the listing was asked for", || !world.requests(RouteKind::List).is_empty());
    let daemon = world.start(&[]);
    let waiting = format!("waiting: another linqsync (pid {}", once.pid());
    wait_until("it says what it waits for", || daemon.stderr().contains(&waiting));
    once.ended().expect(0);
    world.edit("Title 001", "Chief");
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    let said = end(daemon);
    assert_eq!(said.matches("waiting: another linqsync").count(), 1, "{said}");
}

#[test]
fn what_waits_for_a_command_still_hears_signals() {
    let world = World::synced(&people::csv(1..=2));
    // Any program may hold the file.
    let mut holder = Command::new("flock")
        .arg(world.csv())
        .args(["-c", "echo held; exec tail -f /dev/null"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 4];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    let daemon = world.start(&[]);
    wait_until("it waits", || daemon.stderr().contains("waiting: another"));
    std::fs::write(world.path("sync.toml"), "nonsense").unwrap();
    daemon.hang_up();
    wait_until("it has read it", || daemon.stderr().contains("sync.toml:1"));
    assert!(!daemon.has_ended());
    end(daemon);
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_second_daemon_on_one_source_with_a_state_of_its_own_ends_and_names_the_first() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let first = world.start(&["-v"]);
    wait_until("the first run is over", || first.stderr().contains("nothing to do"));
    world.linq().forget_requests();
    let mut second = world.command(&[]);
    second.env("LINQSYNC_STATE__DIR", world.path("another-state"));
    let said = Process::start(second).ended().expect(7).stderr;
    assert!(said.contains(&format!("pid {}", first.pid())), "{said}");
    assert!(said.contains("contacts.csv"), "{said}");
    assert_eq!(world.linq().requests(), []);
    end(first);
}

#[test]
fn a_daemon_that_takes_the_place_of_one_that_was_killed_in_a_run_starts() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("linq.timeout", "\"60s\"");
    for (before, title) in [("Title 001", "Chief"), ("Chief", "Pilot")] {
        world.fault("list delay=60s times=1");
        world.linq().forget_requests();
        let first = world.start(&[]);
        wait_until("a run is being made", || !world.requests(RouteKind::List).is_empty());
        first.kill();
        // The worker of the first has the state for an instant more.
        let second = world.start(&[]);
        world.edit(before, title);
        wait_until("the edit arrived", || {
            world.contact("First001").title.as_deref() == Some(title)
        });
        end(second);
    }
}

#[test]
fn a_token_that_is_not_there_yet_is_waited_for() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let token = world.path("linq.token");
    std::fs::remove_file(&token).unwrap();
    world.edit("Title 001", "Chief");
    let (daemon, address) = telling(&mut world);
    wait_until("it waits", || daemon.stderr().contains("waiting for the token: cannot read"));
    assert_eq!(get(&address, "/livez").0, 200);
    assert!(get(&address, "/healthz").2.starts_with("waiting for the token"));
    assert_eq!(world.linq().requests(), []);
    // Half of it is there, and others could read it.
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    wait_until("it looked", || get(&address, "/healthz").2.contains("can be read by others"));
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    wait_until("it is well", || get(&address, "/readyz").0 == 200);
    end(daemon);
}

#[test]
fn a_token_that_goes_for_a_while_is_waited_for_whatever_the_schedule() {
    for place in ["file", "command"] {
        let mut world = World::synced(&people::csv(1..=2));
        world.set("sync.schedule", "\"every 24h\"").set("sync.watch", "false");
        let token = world.path("linq.token");
        if place == "command" {
            let argv = format!("[\"cat\", \"{}\"]", token.display());
            world.unset("linq.token_file").set("linq.token_command", &argv);
        }
        let daemon = world.start(&["-v"]);
        wait_until("the first run is over", || daemon.stderr().contains("nothing to do"));
        std::fs::remove_file(&token).unwrap();
        world.edit("Title 001", "Chief");
        world.once().expect(2);
        daemon.ask_how_it_is();
        wait_until("it waits", || daemon.stderr().contains("waiting for the token: "));
        std::fs::write(&token, TOKEN).unwrap();
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
        if place == "command" {
            // It is run once a minute, and whenever a person asks.
            world.once().expect(0);
        }
        wait_until("the edit arrived", || {
            world.contact("First001").title.as_deref() == Some("Chief")
        });
        let told = daemon.stderr().len();
        wait_until("it waits no more", || {
            daemon.ask_how_it_is();
            daemon.stderr()[told..].contains("2 contacts in sync; last run")
        });
        end(daemon);
    }
}

#[test]
fn a_token_that_can_never_come_ends_the_start() {
    let mut world = World::synced(&people::csv(1..=2));
    world.unset("linq.token_file");
    let said = world.run(&[]).expect(2).stderr;
    assert!(said.contains("no token"), "{said}");
    let mut command = world.command(&[]);
    command.env("LINQ_TOKEN", "two words");
    let said = Process::start(command).ended().expect(2).stderr;
    assert!(said.contains("visible ASCII"), "{said}");
}

#[test]
fn a_refused_token_is_asked_for_again_in_its_time_although_the_schedule_is_a_slow_one() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("sync.watch", "false");
    world.fault("any status=403");
    let daemon = world.start(&[]);
    wait_until("it was refused", || world.state().linq_down().unwrap().is_some());
    let down = world.state().linq_down().unwrap().unwrap();
    let quarter = chrono::TimeDelta::minutes(15);
    assert!(down.next_attempt - down.since <= quarter, "{down:?}");
    world.linq().clear_faults();
    world.edit("Title 001", "Chief");
    world.let_the_probe_come();
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    end(daemon);
}

#[test]
fn a_reload_while_linq_wants_to_be_left_alone_asks_nothing() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("linq.max_attempts", "1");
    world.fault("list status=429 retry-after=600 times=1");
    let daemon = world.start(&[]);
    wait_until("it is known", || world.state().linq_down().unwrap().is_some());
    wait_until("the run is over", || daemon.stderr().contains("will be made again"));
    let asked = world.linq().requests().len();
    world.set("sync.schedule", "\"every 12h\"");
    daemon.hang_up();
    wait_until("it is in force", || daemon.stderr().contains("is in force"));
    daemon.ask_how_it_is();
    wait_until("it told", || {
        daemon.stderr().contains("rate limited by Linq (HTTP 429 or 503) since")
    });
    let check = world.run(&["check"]).expect(0).stdout;
    assert!(check.contains("not asked: rate limited by Linq (HTTP 429 or 503) since"), "{check}");
    assert_eq!(world.linq().requests().len(), asked);
    end(daemon);
}

#[test]
fn a_plan_keeps_the_wait_that_linq_asked_for() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.max_attempts", "1");
    world.fault("list status=429 retry-after=2 times=1");
    world.once().expect(6);
    let down = world.state().linq_down().unwrap().unwrap();
    world.run(&["plan"]).expect(0);
    assert!(chrono::Utc::now() >= down.next_attempt, "too early");
}

#[test]
fn a_working_directory_that_is_removed_is_not_missed() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let directory = world.path("here");
    std::fs::create_dir(&directory).unwrap();
    let mut command = world.command(&["-v", "-c", "../sync.toml"]);
    command.current_dir(&directory);
    let daemon = Process::start(command);
    wait_until("the first run is over", || daemon.stderr().contains("nothing to do"));
    std::fs::remove_dir(&directory).unwrap();
    world.edit("Title 001", "Chief");
    wait_until("the edit arrived", || world.contact("First001").title.as_deref() == Some("Chief"));
    world.set("sync.schedule", "\"every 12h\"");
    daemon.hang_up();
    wait_until("it is in force", || daemon.stderr().contains("is in force"));
    end(daemon);
}

#[test]
fn no_descriptors_for_a_while_is_no_end_of_requests_nor_of_the_status() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let open: BTreeSet<u64> = open
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().parse().unwrap())
        .collect();
    let lowest_free = (0..=open.len() as u64).find(|number| !open.contains(number));
    let before = rustix::process::getrlimit(Resource::Nofile);
    let none_left = Rlimit { current: lowest_free, ..before };
    prlimit(Some(pid), Resource::Nofile, none_left).unwrap();
    let refused = || daemon.stderr().matches("a request for a run was not taken").count();
    let told = || daemon.stderr().matches("nobody was told").count();
    let calling = std::os::unix::net::UnixStream::connect(world.path("state/control")).unwrap();
    let asking = std::net::TcpStream::connect(&address).unwrap();
    wait_until("neither was taken", || refused() > 0 && told() > 0);
    drop((calling, asking));
    prlimit(Some(pid), Resource::Nofile, before).unwrap();
    world.edit("Title 001", "Chief");
    assert_eq!(world.once().expect(0).linq(), [2, 0, 1, 0], "the daemon takes requests");
    assert_eq!(get(&address, "/healthz").0, 200);
    end(daemon);
}

#[test]
fn health_is_told_by_an_exit_code() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("linq.max_attempts", "1");
    let said = world.run(&["status", "--healthy"]).expect(1).stdout;
    assert_eq!(said, "no daemon answers\n");
    let daemon = world.start(&["-v"]);
    wait_until("the first run is over", || daemon.stderr().contains("nothing to do"));
    assert_eq!(world.run(&["status", "--healthy"]).expect(0).stdout, "healthy\n");
    world.fault("any status=401");
    world.once().expect(5);
    assert!(world.run(&["status", "--healthy"]).expect(1).stdout.starts_with("unhealthy"));
    end(daemon);
}

/// A process that may be dumped belongs to its user in `/proc`, and one that may not to
/// root (proc(5)).
#[test]
fn no_process_leaves_a_dump_of_its_memory() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(env!("CARGO_BIN_EXE_linqsync"));
    command.args(["sandbox", "--listen", "127.0.0.1:0"]).env_clear().current_dir("/");
    let am_root = rustix::process::geteuid().is_root();
    if am_root {
        command.uid(65_534);
    }
    let mut sandbox = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut first = [0; 1];
    std::io::Read::read_exact(sandbox.stdout.as_mut().unwrap(), &mut first).unwrap();
    let owner = std::fs::metadata(format!("/proc/{}/environ", sandbox.id())).unwrap().uid();
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    assert_eq!(owner, 0);
}

#[test]
fn linq_sees_no_more_requests_in_any_second_than_are_allowed_from_run_to_run() {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};
    let mut world = World::with_csv(&people::csv(1..=6));
    world.set("linq.requests_per_second", "5").set("sync.schedule", "\"every 24h\"");
    // An answer that is late at times is what lets requests come together.
    world.fault("list delay=400ms times=1");
    world.fault("find delay=300ms times=2");
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&arrived);
    world.linq().set_witness(Arc::new(move |moment, _| {
        if moment == linqsync::sandbox::ObservedMoment::Arrived {
            list.lock().unwrap().push(Instant::now());
        }
    }));
    let daemon = world.start(&[]);
    wait_until("everybody is there", || world.linq().contacts().len() == 6);
    for _ in 0..8 {
        world.once().expect(0);
    }
    end(daemon);
    let arrived = arrived.lock().unwrap();
    assert!(arrived.len() > 20, "{}", arrived.len());
    for six in arrived.windows(6) {
        let took = six[5] - six[0];
        // The witness notes the arrival a little after it.
        assert!(took >= Duration::from_millis(980), "6 requests in {took:?}");
    }
}
