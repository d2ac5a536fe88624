//! What is called when something happens.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{Process, World, expect_documented, people, wait_until};

/// Sets a hook to a script, `$1` of which is a file to write to.
fn hook(world: &mut World, key: &str, script: &str) -> PathBuf {
    let (program, output) = (world.path(&format!("{key}.sh")), world.path(&format!("{key}.out")));
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let argv = format!("[\"{}\", \"{}\"]", program.display(), output.display());
    world.set(&format!("hooks.{key}"), &argv);
    output
}

/// The documents that a hook got, one in a line.
fn documents(output: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(output).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .inspect(|line| expect_documented(line))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn end(daemon: Process) -> String {
    daemon.terminate();
    daemon.ended().expect(0).stderr
}

#[test]
fn on_change_gets_each_run_that_changed_something_and_nobodys_name() {
    let mut world = World::with_csv(&people::csv(1..=3));
    let output = hook(&mut world, "on_change", "cat >> \"$1\"");
    world.once().expect(0);
    let got = documents(&output);
    assert_eq!(got.len(), 1, "one shot waits for its hooks");
    assert_eq!(got[0]["schema"], "linqsync.change/1");
    assert_eq!(got[0]["run"]["linq"]["created"], 3);
    world.set("sync.schedule", "\"every 1s\"");
    let daemon = world.start(&["-v"]);
    wait_until("two runs were made", || daemon.stderr().matches("nothing to do").count() >= 2);
    assert_eq!(documents(&output).len(), 1, "nothing changed");
    world.edit("Title 001", "Chief");
    wait_until("it was called", || documents(&output).len() == 2);
    let text = std::fs::read_to_string(&output).unwrap();
    assert!(!text.contains("First0") && !text.contains("people.example"), "{text}");
    end(daemon);
}

#[test]
fn on_health_is_called_when_the_health_changes_and_only_then() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    let output = hook(&mut world, "on_health", "cat >> \"$1\"");
    let daemon = world.start(&["-v"]);
    wait_until("it is under way", || daemon.stderr().contains("nothing to do"));
    world.fault("any status=503 times=8");
    wait_until("it recovered", || {
        world.let_the_probe_come();
        documents(&output).len() >= 2
    });
    let runs = || daemon.stderr().matches("nothing to do").count();
    let so_far = runs();
    wait_until("more runs were made", || runs() >= so_far + 2);
    let got = documents(&output);
    let healthy: Vec<&Value> = got.iter().map(|document| &document["healthy"]).collect();
    assert_eq!(healthy, [&Value::from(false), &Value::from(true)]);
    assert_eq!((&got[0]["condition"], &got[0]["failures"]), (&"failing".into(), &3.into()));
    end(daemon);
}

#[test]
fn failing_slow_and_noisy_hooks_hold_nothing_up() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 1s\"");
    let started = hook(&mut world, "on_change", "echo $$ >> \"$1\"; exec tail -f /dev/null");
    let daemon = world.start(&[]);
    wait_until("the hook hangs", || started.exists());
    for title in ["Chief", "Cook", "Pilot"] {
        let text = people::csv(1..=2).replace("Title 001", title);
        world.write(text);
        wait_until(title, || world.contact("First001").title.as_deref() == Some(title));
    }
    end(daemon);
    let pid = std::fs::read_to_string(&started).unwrap();
    let proc = PathBuf::from(format!("/proc/{}", pid.lines().next().unwrap()));
    wait_until("the hook is gone with the daemon", || !proc.exists());

    hook(&mut world, "on_change", "yes noise | head -c 500000 >&2; exit 3");
    let daemon = world.start(&[]);
    world.edit("Pilot", "Baker");
    wait_until("its failure is told", || daemon.stderr().contains("exit status: 3"));
    let said = end(daemon);
    assert!(said.len() < 5_000, "{} bytes", said.len());
    world.set("hooks.on_change", "[\"/nowhere/hook\"]");
    world.edit("Baker", "Chief");
    let ended = world.run(&["--once"]).expect(0);
    assert!(ended.stderr.contains("hooks.on_change"), "{}", ended.stderr);
}

#[test]
fn the_dead_mans_switch_is_told_start_success_and_failure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        // A switch that is out of order for a moment.
        let broken = ResponseTemplate::new(503);
        Mock::given(any()).respond_with(broken).up_to_n_times(1).mount(&server).await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        server
    });
    let told = || {
        let told = runtime.block_on(server.received_requests()).unwrap();
        told.iter().map(|request| request.url.path().to_owned()).collect::<Vec<_>>()
    };
    let mut world = World::with_csv(&people::csv(1..=2));
    world.set("hooks.ping_url", &format!("\"{}/secret-uuid\"", server.uri()));
    world.once().expect(0);
    let (start, success, failure) = ("/secret-uuid/start", "/secret-uuid", "/secret-uuid/fail");
    assert_eq!(told(), [start, start, success], "the first one was tried again");
    world.fault("list status=401");
    world.once().expect(5);
    assert_eq!(told()[3..], [start, failure]);
    world.linq().clear_faults();
    world.set("sync.schedule", "\"every 1s\"").set("linq.max_attempts", "1");
    let daemon = world.start(&["-vv"]);
    wait_until("a run was told", || told().len() == 7);
    world.fault("any status=503");
    wait_until("a failure was told", || told().len() == 8);
    assert_eq!(told()[5..], [start, success, failure]);
    let said = end(daemon);
    assert!(!said.contains("secret-uuid"), "{said}");
    let bodies = runtime.block_on(server.received_requests()).unwrap();
    let bodies: String =
        bodies.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert!(bodies.contains("2 in sync") && !bodies.contains("First0"), "{bodies}");
}

#[test]
fn commands_do_not_inherit_the_secrets_of_this_process() {
    let mut world = World::with_csv(&people::csv(1..=2));
    world.unset("linq.token_file");
    let script = "{ env; pwd; } > \"$1.tmp\" && mv \"$1.tmp\" \"$1\"";
    let output = hook(&mut world, "on_change", script);
    let mut once = world.command(&["--once"]);
    once.env("LINQ_TOKEN", crate::harness::TOKEN)
        .env("LINQSYNC_HOOKS__PING_URL", "http://127.0.0.1:9/secret-address")
        .env("NOTIFY_SOCKET", "/nowhere/socket")
        .env("LANG", "C.UTF-8")
        .env("VAULT_ADDR", "https://vault.example");
    Process::start(once).ended().expect(0);
    let got = std::fs::read_to_string(&output).unwrap();
    for gone in ["LINQ_TOKEN", "CANARY", "secret-address", "LINQSYNC_", "NOTIFY_SOCKET"] {
        assert!(!got.contains(gone), "{gone} in {got}");
    }
    for there in ["LANG=C.UTF-8", "VAULT_ADDR=https://vault.example", "HOME="] {
        assert!(got.contains(there), "{there} in {got}");
    }
    let directory = std::fs::canonicalize(world.dir()).unwrap();
    assert!(got.trim_end().ends_with(directory.to_str().unwrap()), "{got}");
}

#[test]
fn what_a_command_says_when_it_fails_is_logged_without_its_secrets() {
    let mut world = World::with_csv(&people::csv(1..=2));
    let script = "echo \"posting to https://hooks.example/T00/B00/x9y8z7 with key-0123456789abcdef\" >&2; exit 1";
    hook(&mut world, "on_change", script);
    let said = world.run(&["--once"]).expect(0).stderr;
    assert!(said.contains("posting to https://hooks.example/*** with ***"), "{said}");
    assert!(!said.contains("x9y8z7") && !said.contains("0123456789abcdef"), "{said}");
}
