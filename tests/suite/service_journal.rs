//! What journald is told: fields of their own, by its native protocol.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{World, people};

/// Runs a program where the directory `$1` is `/run/systemd/journal`, and standard error
/// is what systemd says that leads to journald.
const BESIDE_JOURNALD: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && \
     mount --bind \"$1\" /run/systemd/journal && shift && \
     JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"";

/// A program in a world of mounts of its own; `None`, and a word about it, where the
/// system does not let anybody have one.
fn beside_journald(world: &World, program: &Command) -> Option<Command> {
    let unshare = |with: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user"]).args(with);
        command
    };
    let possible = unshare(&["mount", "-t", "tmpfs", "tmpfs", "/run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        use std::io::Write;
        let mut terminal = std::fs::OpenOptions::new().write(true).open("/dev/stderr").unwrap();
        writeln!(terminal, "\nNOT PROVEN: the fields in the journal: no mounts of our own")
            .unwrap();
        return None;
    }
    let mut command = unshare(&["sh", "-c", BESIDE_JOURNALD, "sh"]);
    command.arg(world.path("journal")).arg(program.get_program()).args(program.get_args());
    command.current_dir(world.dir()).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("HOME", world.dir()).env("RUST_LOG", "linqsync=debug");
    Some(command)
}

/// The fields of an entry (systemd.io/JOURNAL_NATIVE_PROTOCOL): a value with a line end
/// comes behind its length.
fn fields(entry: &[u8]) -> BTreeMap<String, String> {
    let (mut fields, mut rest) = (BTreeMap::new(), entry);
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        rest = &rest[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.insert(name.to_owned(), value.to_owned());
        } else {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap());
            let length = usize::try_from(length).unwrap();
            let value = String::from_utf8(rest[8..8 + length].to_vec()).unwrap();
            fields.insert(line.to_owned(), value);
            rest = &rest[8 + length + 1..];
        }
    }
    fields
}

fn entries(journald: &UnixDatagram) -> Vec<BTreeMap<String, String>> {
    let mut buffer = vec![0; 1 << 20];
    let mut entries = Vec::new();
    while let Ok(length) = journald.recv(&mut buffer) {
        // An empty one asks whether anybody is there.
        entries.extend((length > 0).then(|| fields(&buffer[..length])));
    }
    entries
}

#[test]
fn run_request_priority_and_message_are_fields_and_nothing_comes_twice() {
    let world = World::with_csv(&people::csv(1..=3));
    // The source is written, and copied before: that is told.
    world.linq().insert([("first_name", "Zoe"), ("email", "zoe@people.example")]).unwrap();
    std::fs::create_dir(world.path("journal")).unwrap();
    let journald = UnixDatagram::bind(world.path("journal/socket")).unwrap();
    journald.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let Some(mut command) = beside_journald(&world, &world.command(&["--once"])) else { return };
    // Few entries fit into the socket, so it is emptied meanwhile.
    let running = std::thread::spawn(move || command.output().unwrap());
    let mut got = Vec::new();
    while !running.is_finished() {
        got.extend(entries(&journald));
    }
    got.extend(entries(&journald));
    let ended = running.join().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert_eq!(said, "", "what the journal has is not on standard error, too");
    let told = format!("{got:#?}");
    assert!(got.len() > 3, "{told}");
    for entry in &got {
        assert!(entry.contains_key("MESSAGE") && entry.contains_key("PRIORITY"), "{entry:?}");
        assert_eq!(entry["SYSLOG_IDENTIFIER"], "linqsync");
        assert!(entry["TARGET"].starts_with("linqsync"), "{entry:?}");
    }
    let of_the_run = got.iter().filter(|e| e.get("LINQSYNC_RUN").is_some_and(|run| run == "1"));
    assert!(of_the_run.count() >= 1, "{told}");
    assert!(got.iter().any(|entry| entry.contains_key("LINQSYNC_REQUEST_ID")), "{told}");
    let priorities: Vec<&str> = got.iter().map(|entry| entry["PRIORITY"].as_str()).collect();
    assert!(priorities.contains(&"7") && priorities.contains(&"6"), "{told}");
    assert!(!priorities.contains(&"5"), "as in text: {told}");
    for person in ["First0", "people.example", "Title 0", "1415555"] {
        assert!(!told.contains(person), "{told}");
    }
}
