//! What a person sees on a terminal of 80 columns while they wait.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::World;

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// What a terminal was sent, and what it shows in the end.
struct Seen {
    sent: String,
    screen: Vec<String>,
}

impl Seen {
    /// Whether it told at some time how many of the three rows were written.
    fn tells_of_writing(&self) -> bool {
        (0..3).any(|done| self.sent.contains(&format!("writing to Linq: {done} of 3 contacts")))
    }
}

/// Runs linqsync on a terminal of its own to its end, which must have this exit code.
fn on_a_terminal(world: &World, arguments: &[&str], code: i32) -> Seen {
    let (ours, theirs) = terminal();
    let mut command = world.command(arguments);
    command.env("TERM", "xterm-256color");
    let copy = || Stdio::from(theirs.try_clone().unwrap());
    command.stdin(copy()).stdout(copy()).stderr(copy());
    let mut child = command.spawn().unwrap();
    // With the last copy of their end the terminal hangs up.
    drop((command, theirs));
    let mut bytes = Vec::new();
    let mut ours = File::from(ours);
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = ours.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    let sent = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(child.wait().unwrap().code(), Some(code), "{sent}");
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    screen.process(&bytes);
    let screen = screen.screen().rows(0, COLUMNS).map(|row| row.trim_end().to_owned()).collect();
    Seen { sent, screen }
}

fn terminal() -> (OwnedFd, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&theirs, size).unwrap();
    (ours, theirs)
}

/// Three new rows, each of which takes Linq a while.
fn slow() -> World {
    let mut world = World::with_csv(
        "First Name,Last Name,Email\n\
         Ada,King,ada@engines.example\n\
         Bo,Wang,bo@lanterns.example\n\
         Cy,Young,cy@lanterns.example\n",
    );
    world.set("linq.concurrency", "1");
    world.fault("create delay=500ms");
    world
}

#[test]
fn a_line_tells_how_far_a_run_is_and_leaves_nothing_behind() {
    let seen = on_a_terminal(&slow(), &["--once"], 0);
    assert!(seen.tells_of_writing(), "{}", seen.sent);
    let last = seen.screen.iter().rposition(|row| !row.is_empty()).unwrap();
    assert!(seen.screen[last].starts_with("in sync "), "{:#?}", seen.screen);
    assert!(!seen.screen.iter().any(|row| row.contains("writing to Linq:")), "{:#?}", seen.screen);
}

#[test]
fn logs_stand_above_the_line_and_are_not_torn_by_it() {
    let world = slow();
    world.fault("create status=503 times=1");
    let seen = on_a_terminal(&world, &["--once", "-v"], 0);
    assert!(seen.tells_of_writing(), "{}", seen.sent);
    let log = |row: &&String| row.contains("linqsync::") || row.contains("linqsync:");
    for row in seen.screen.iter().filter(log) {
        assert!(!row.contains("writing to Linq:"), "{:#?}", seen.screen);
    }
    assert!(seen.screen.iter().any(|row| log(&row)), "{:#?}", seen.screen);
}

#[test]
fn whoever_wants_no_line_gets_none() {
    for flag in ["--no-progress", "-q"] {
        let seen = on_a_terminal(&slow(), &["--once", flag], 0);
        assert!(!seen.tells_of_writing(), "{flag}: {}", seen.sent);
    }
}
