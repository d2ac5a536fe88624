//! Points that are system calls: strace meets each with SIGKILL or an error.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Process, Stage};

/// Calls that change something, or that must be believed when they fail.
const CALLS: [&str; 21] = [
    "write",
    "pwrite64",
    "writev",
    "sendto",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "openat",
    "rename",
    "renameat2",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "fchmod",
    "fchown",
    "fsetxattr",
    "flock",
    "read",
    "pread64",
];

/// What happens at a call.
const EVENTS: [(&str, &str); 9] = [
    ("kill", "signal=SIGKILL:when={n}"),
    ("eio", "error=EIO:when={n}"),
    ("eio-sticky", "error=EIO:when={n}+"),
    ("enospc", "error=ENOSPC:when={n}"),
    ("enospc-sticky", "error=ENOSPC:when={n}+"),
    ("erofs", "error=EROFS:when={n}"),
    ("erofs-sticky", "error=EROFS:when={n}+"),
    ("eintr", "error=EINTR:when={n}"),
    ("eintr-sticky", "error=EINTR:when={n}+"),
];

/// Meets every call with every event that `wanted` names: `all`, or names with commas
/// between, such as `kill,eio`; `kill/7` takes every seventh call only.
#[expect(clippy::print_stderr, reason = "figures that people read")]
pub(super) fn sweep(name: &str, stage: &Stage, wanted: &str) -> u32 {
    let (wanted, stride) = wanted.split_once('/').unwrap_or((wanted, "1"));
    let stride: usize = stride.parse().expect("a number after the slash");
    let calls = counted(stage);
    let mut points = 0;
    for (event, inject) in EVENTS {
        if wanted != "all" && !wanted.split(',').any(|wanted| wanted == event) {
            continue;
        }
        let begun = (Instant::now(), points);
        for (call, times) in &calls {
            // What only reads is met by errors, not by kills: the next write is.
            if event == "kill" && matches!(call.as_str(), "read" | "pread64" | "openat") {
                continue;
            }
            for nth in (1..=*times).step_by(stride) {
                meet(stage, event, call, &inject.replace("{n}", &nth.to_string()));
                points += 1;
            }
        }
        eprintln!("{name}: {event}: {} points in {:?}", points - begun.1, begun.0.elapsed());
    }
    points
}

/// How often a run that nothing disturbs makes each call.
fn counted(stage: &Stage) -> BTreeMap<String, usize> {
    stage.reset();
    let trace = stage.world.path("trace");
    let calls = CALLS.join(",");
    let ended = Process::start(strace(stage, &["-e", &format!("trace={calls}")], &trace)).ended();
    ended.expect(0);
    let text = std::fs::read_to_string(&trace).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| !line.contains(" resumed>")) {
        let call = line.split_whitespace().nth(1).and_then(|rest| rest.split('(').next());
        if let Some(call) = call.filter(|call| CALLS.contains(call)) {
            *counts.entry(call.to_owned()).or_insert(0) += 1;
        }
    }
    assert!(counts.len() > 5, "strace saw nothing: {text}");
    counts
}

fn strace(stage: &Stage, arguments: &[&str], trace: &std::path::Path) -> Command {
    let program = stage.world.command(&[]);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(trace).args(arguments);
    command.arg(program.get_program()).args(["--once", "--json"]);
    let dir = stage.world.dir();
    command.current_dir(dir).env_clear().env("HOME", dir).env("TMPDIR", dir);
    command.env("PATH", "/usr/bin:/bin");
    command
}

/// One run that meets `event`, and what must follow.
fn meet(stage: &Stage, event: &str, call: &str, inject: &str) {
    stage.reset();
    let arguments = ["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{inject}")];
    let null = std::path::Path::new("/dev/null");
    let process = Process::start(strace(stage, &arguments, null));
    // What tries again for ever is waited for no longer than it takes to see that.
    let limit = Duration::from_secs(if event == "eintr-sticky" { 2 } else { 20 });
    let begun = Instant::now();
    while !process.has_ended() && begun.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(2));
    }
    let point = format!("{event} at {call}, {inject}");
    // The runtime writes to a descriptor to wake itself. Where that fails it panics, or
    // waits for ever; no disk and no network does that to it.
    let of_the_runtime = call == "write" && event != "kill";
    if process.has_ended() {
        let ended = process.ended();
        // A panic is a defect, whatever the system did.
        let defect = ended.code == Some(101) || ended.stderr.contains("a defect of linqsync");
        assert!(!defect || of_the_runtime, "{point}: {}", ended.stderr);
    } else {
        // An endless EINTR is waited out by everybody who is right to try again.
        let endless = event == "eintr-sticky" || of_the_runtime;
        assert!(endless, "{point} hangs: {}", process.stderr());
        process.kill_with_children();
    }
    stage.must_heal(&point);
}
