//! A terminal of 80 columns on which linqsync runs, with a person before it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::process::wait_until;

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// What a terminal was sent, and what it shows in the end.
pub(crate) struct ScreenSeen {
    pub(crate) sent: String,
    pub(crate) screen: Vec<String>,
}

/// A command on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    sent: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
    /// How much of what was sent has been answered.
    answered: usize,
}

impl Terminal {
    /// Starts `command` on a terminal.
    pub(crate) fn start(mut command: Command) -> Terminal {
        let (ours, theirs) = terminal();
        command.env("TERM", "xterm-256color");
        let copy = || Stdio::from(theirs.try_clone().unwrap());
        command.stdin(copy()).stdout(copy()).stderr(copy());
        let child = command.spawn().unwrap();
        // With the last copy of their end the terminal hangs up.
        drop((command, theirs));
        let mut screen = File::from(ours);
        let keyboard = screen.try_clone().unwrap();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&sent);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                into.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Terminal { child, keyboard, sent, reader, answered: 0 }
    }

    /// Waits until `text` is shown after what was answered last, and presses `keys`.
    #[track_caller]
    pub(crate) fn answer(&mut self, text: &str, keys: &str) {
        wait_until(&format!("the terminal shows {text:?}"), || {
            let sent = self.sent.lock().unwrap();
            String::from_utf8_lossy(&sent[self.answered..]).contains(text)
        });
        self.answered = self.sent.lock().unwrap().len();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Interrupts the command, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }

    /// Waits for the end, which must have this exit code.
    #[track_caller]
    pub(crate) fn ended(mut self, code: i32) -> ScreenSeen {
        self.reader.join().unwrap();
        let bytes = std::mem::take(&mut *self.sent.lock().unwrap());
        let sent = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{sent}");
        let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
        screen.process(&bytes);
        let rows = screen.screen().rows(0, COLUMNS);
        ScreenSeen { sent, screen: rows.map(|row| row.trim_end().to_owned()).collect() }
    }
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
