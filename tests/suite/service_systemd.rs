//! What systemd is told.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use linqsync::sandbox::RouteKind;

use crate::harness::{Process, World, people, wait_until};

/// systemd's end of `$NOTIFY_SOCKET`.
struct Systemd {
    socket: UnixDatagram,
    path: std::path::PathBuf,
    heard: Vec<String>,
}

impl Systemd {
    fn listen(world: &World) -> Systemd {
        let path = world.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Systemd { socket, path, heard: Vec::new() }
    }

    fn start(&self, mut command: Command) -> Process {
        command.env("NOTIFY_SOCKET", &self.path);
        Process::start(command)
    }

    /// What has been said so far.
    fn heard(&mut self) -> &[String] {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        &self.heard
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str) -> String {
        let mut found = None;
        wait_until(what, || {
            found = self.heard().iter().find(|words| words.contains(what)).cloned();
            found.is_some()
        });
        found.unwrap()
    }

    fn forget(&mut self) {
        self.heard();
        self.heard.clear();
    }
}

#[test]
fn it_is_ready_when_the_configuration_is_good_and_before_the_first_run() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.timeout", "\"60s\"");
    let mut systemd = Systemd::listen(&world);
    let daemon = systemd.start(world.command(&[]));
    let ready = systemd.wait_for("READY=1");
    assert!(ready.contains("STATUS=started"), "{ready}");
    systemd.wait_for("STATUS=2 contacts in sync; last run");
    daemon.terminate();
    systemd.wait_for("STOPPING=1");
    daemon.ended().expect(0);
}

#[test]
fn it_is_not_ready_with_a_bad_configuration_or_state() {
    let mut world = World::synced(&people::csv(1..=2));
    let mut systemd = Systemd::listen(&world);
    world.set("state.dir", "\"sync.toml\"");
    systemd.start(world.command(&[])).ended().expect(1);
    world.set("sync.direction", "\"sideways\"");
    systemd.start(world.command(&[])).ended().expect(2);
    assert_eq!(systemd.heard(), [] as [String; 0]);
}

#[test]
fn what_it_waits_for_is_its_status() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let mut systemd = Systemd::listen(&world);
    std::fs::write(world.path("linq.token"), "revoked").unwrap();
    let daemon = systemd.start(world.command(&[]));
    systemd.wait_for("READY=1");
    systemd.wait_for("STATUS=Linq has refused the token");
    std::fs::remove_file(world.path("linq.token")).unwrap();
    daemon.terminate();
    daemon.ended().expect(0);
    systemd.forget();
    let daemon = systemd.start(world.command(&[]));
    systemd.wait_for("STATUS=waiting for the token: cannot read token file");
    systemd.forget();
    systemd.wait_for("WATCHDOG=1");
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn the_watchdog_is_fed_while_it_waits_and_in_a_long_run_which_also_gets_more_time() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"").set("linq.timeout", "\"60s\"");
    let mut systemd = Systemd::listen(&world);
    let mut command = world.command(&[]);
    command.env("WATCHDOG_USEC", "120000000");
    let daemon = systemd.start(command);
    systemd.wait_for("STATUS=2 contacts in sync");
    systemd.forget();
    systemd.wait_for("WATCHDOG=1");
    world.fault("list delay=60s");
    let before = world.requests(RouteKind::List).len();
    let _asking = world.start(&["--once"]);
    wait_until("a run is being made", || world.requests(RouteKind::List).len() > before);
    systemd.forget();
    let busy = systemd.wait_for("EXTEND_TIMEOUT_USEC=120000000");
    assert!(busy.contains("WATCHDOG=1"), "{busy}");
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn that_it_stops_is_told_before_what_is_in_flight_has_ended() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("linq.timeout", "\"60s\"");
    world.edit("Title 001", "Chief");
    world.fault("update delay=60s");
    let mut systemd = Systemd::listen(&world);
    let daemon = systemd.start(world.command(&[]));
    wait_until("an update is on its way", || !world.requests(RouteKind::Update).is_empty());
    let asked = Instant::now();
    daemon.terminate();
    systemd.wait_for("STOPPING=1");
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?}", asked.elapsed());
    daemon.ended().expect(0);
}

#[test]
fn how_far_a_long_run_is_is_told_to_systemd_and_to_who_asks() {
    let mut world = World::synced(&people::csv(1..=3));
    world.set("linq.timeout", "\"60s\"");
    let text = world.text().replace("Title 00", "Chief 00");
    world.write(text);
    world.fault("update delay=60s times=1");
    let mut systemd = Systemd::listen(&world);
    let daemon = systemd.start(world.command(&["-q"]));
    let far = "(writing to Linq: 2 of 3 contacts";
    let status = systemd.wait_for(far);
    assert!(status.starts_with("STATUS=started; a run is being made for "), "{status}");
    daemon.ask_how_it_is();
    wait_until("it told", || daemon.stderr().contains(far));
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn a_reload_is_told_with_its_time_and_its_end() {
    let mut world = World::synced(&people::csv(1..=2));
    world.set("sync.schedule", "\"every 24h\"");
    let mut systemd = Systemd::listen(&world);
    let daemon = systemd.start(world.command(&[]));
    systemd.wait_for("STATUS=2 contacts in sync");
    for (text, words) in [("\"every 12h\"", "is in force"), ("\"never\"", "stays as it was")] {
        systemd.forget();
        world.set("sync.schedule", text);
        daemon.hang_up();
        let reloading = systemd.wait_for("RELOADING=1");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        systemd.wait_for("READY=1");
        wait_until(words, || daemon.stderr().contains(words));
    }
    daemon.terminate();
    daemon.ended().expect(0);
}

#[test]
fn a_single_run_asks_for_more_time_while_there_is_progress() {
    let world = World::synced(&people::csv(1..=2));
    let mut systemd = Systemd::listen(&world);
    systemd.start(world.command(&["--once"])).ended().expect(0);
    systemd.wait_for("EXTEND_TIMEOUT_USEC=120000000");
    assert!(systemd.heard().iter().all(|words| !words.contains("READY=1")));
}
