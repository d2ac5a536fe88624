//! The token and people's data stay where they belong.

use std::process::Command;

use linqsync::sandbox::RouteKind;

use crate::harness::{PrintedRun, Process, TOKEN, TestFiles, World, wait_until};

/// What must not turn up in any log: parts of e-mail addresses and phone numbers in
/// the spellings in which they travel, and the token.
const CANARIES: [&str; 9] = [
    TOKEN,
    "tok-CANARY",
    "dG9rLUNBTkFSW", // the token in base64
    "canary-mail",
    "canary.example",
    "canary%2Email",
    "5552671",
    "555-2671",
    "5559999",
];

const PEOPLE: &str = "\
First Name,Last Name,Email,Phone,Company,Title
Ada,King,canary-mail-1@canary.example,(415) 555-2671,Engines,Countess
,,canary-mail-2@canary.example,,,
,,,415-555-9999,,
Bo,,canary-mail-3@canary.example,,,Pilot
Cy,,canary-mail-4 at canary.example,,,
";

/// People whose data shows up in as many places as possible: some without a name,
/// one refused by Linq, one in conflict, one ambiguous, and a Linq that fails.
fn watched() -> World {
    let world = World::with_csv(PEOPLE);
    let linq = world.linq();
    linq.insert([("email", "canary-mail-5@canary.example")]).unwrap();
    let bo = [("first_name", "Bo"), ("email", "canary-mail-3@canary.example"), ("title", "Cook")];
    linq.insert(bo).unwrap();
    linq.insert([("first_name", "Dee"), ("phone_number", "+14155552671")]).unwrap();
    world.fault("find status=500 times=1");
    world.fault("list truncate times=1");
    world.fault("create drop-after times=1");
    world
}

fn traced(world: &World, arguments: &[&str], format: &str) -> Command {
    let mut command = world.command(arguments);
    command.args(["--log-format", format]).env("LINQSYNC_LOG", "trace");
    command
}

#[track_caller]
fn expect_no_canary(text: &str, least: usize) {
    assert!(text.lines().count() >= least, "that is no trace:\n{text}");
    for line in text.lines() {
        for canary in CANARIES {
            assert!(!line.contains(canary), "{canary} is in: {line}");
        }
    }
}

#[test]
fn nothing_of_anybody_is_in_the_logs_of_a_run_however_much_is_logged() {
    for format in ["text", "json"] {
        let world = watched();
        let first = Process::start(traced(&world, &["--once", "--json"], format)).ended();
        expect_no_canary(&first.stderr, 10);
        assert_eq!(PrintedRun::of(first).count("conflicts"), 1, "the canaries took part");
        world.edit("415-555-9999", "415-555-9998");
        world.fault("update status=422 times=1");
        world.fault("list status=503");
        let failed = Process::start(traced(&world, &["--once"], format)).ended();
        expect_no_canary(&failed.stderr, 5);
        assert_eq!(failed.code, Some(6));
        world.linq().clear_faults();
        world.write(world.text() + ",,canary-mail-6@canary.example,,,\n");
        world.fault("create drop-before");
        let doubtful = Process::start(traced(&world, &["--once"], format)).ended();
        expect_no_canary(&doubtful.stderr, 10);
        assert!(doubtful.stdout.contains("canary-mail-6"), "{}", doubtful.stdout);
    }
}

#[test]
fn nothing_of_anybody_is_in_the_logs_of_the_daemon() {
    let mut world = watched();
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = Process::start(traced(&world, &[], "text"));
    wait_until("two runs were made", || {
        daemon.stderr().contains("run finished") && daemon.stderr().contains("nothing to do")
    });
    world.edit("415-555-9999", "");
    world.fault("any status=500 times=3");
    let so_far = world.linq().requests().len();
    wait_until("it went on", || {
        world.let_the_probe_come();
        world.linq().requests().len() > so_far + 4
    });
    daemon.terminate();
    expect_no_canary(&daemon.ended().expect(0).stderr, 20);
}

#[test]
fn the_token_is_in_no_file_but_its_own_and_in_no_request_but_its_header() {
    let world = watched();
    world.once().expect(3);
    let files = TestFiles::at(world.dir());
    assert_eq!(files.containing(TOKEN), [world.path("linq.token")]);
    for request in world.linq().requests() {
        assert!(!format!("{request:?}").contains(TOKEN));
    }
}

#[test]
fn nobody_else_can_read_the_state_even_where_the_umask_would_let_them() {
    let world = World::new();
    world.write(PEOPLE);
    world.linq().insert([("first_name", "New")]).unwrap();
    world.fault("create delay=300ms");
    let program = world.command(&[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "umask 0; exec \"$0\" --once --json"]).arg(program.get_program());
    shell.current_dir(world.dir()).env_clear().env("HOME", world.dir());
    let running = Process::start(shell);
    wait_until("a create is under way", || !world.requests(RouteKind::Create).is_empty());
    let meanwhile = TestFiles::at(&world.path("state"));
    assert_eq!(meanwhile.with_mode(0o077), [] as [&std::path::Path; 0]);
    assert!(meanwhile.names().contains(&"state.db-wal".to_owned()), "{:?}", meanwhile.names());
    PrintedRun::of(running.ended()).expect(3);
    let after = TestFiles::at(&world.path("state"));
    assert_eq!(after.with_mode(0o077), [] as [&std::path::Path; 0]);
    assert!(after.names().contains(&"backups".to_owned()), "{:?}", after.names());
}

#[test]
fn a_state_that_others_can_look_into_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::synced("First Name\nAda\n");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(world.path("state"), open).unwrap();
    let run = world.once().expect(2);
    assert!(run.message().contains("state"), "{}", run.message());
}

#[test]
fn a_proxy_in_the_environment_gets_nothing_that_is_meant_for_this_machine() {
    let world = World::with_csv("First Name\nAda\n");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = world.command(&["--once", "--json"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &address);
    }
    PrintedRun::of(Process::start(command).ended()).expect(0);
    assert!(proxy.accept().is_err(), "somebody called the proxy");
    assert_eq!(world.linq().contacts().len(), 1);
}

#[test]
fn a_redirect_is_not_followed_to_another_host() {
    use std::io::{Read, Write};
    let mut world = World::with_csv("First Name\nAda\n");
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/", elsewhere.local_addr().unwrap());
    let redirecting = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = redirecting.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in redirecting.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\n\
                 content-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    world.set("linq.base_url", &format!("\"http://{address}\""));
    world.once().expect(6);
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}
