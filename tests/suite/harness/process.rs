//! Child processes: started with a clean environment, read while they run, and
//! never left behind.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::log::{LogShown, leak};

use super::documented::expect_documented;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `condition` holds, which `what` describes in a failure.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a process, as a power cut would, if it is still there.
pub(super) fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

/// A running linqsync. It is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    started: Instant,
    stdout: Pipe,
    stderr: Pipe,
}

impl Process {
    /// Starts `command`.
    pub(crate) fn start(mut command: Command) -> Process {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = LogShown::of(&command);
        let mut child = command.spawn().unwrap();
        let stdout = Pipe::read(child.stdout.take().unwrap(), LogShown::All);
        let stderr = Pipe::read(child.stderr.take().unwrap(), shown);
        Process { child, started: Instant::now(), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// SIGHUP: read the configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGUSR1: tell how it is.
    pub(crate) fn ask_how_it_is(&self) {
        self.signal(Signal::USR1);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it and what it has started, and waits until all of it is gone.
    pub(crate) fn kill_with_children(mut self) {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid()));
        let children: Vec<i32> =
            children.unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        for pid in &children {
            let _ = kill_process(Pid::from_raw(*pid).unwrap(), Signal::KILL);
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        wait_until("the children are gone", || {
            children.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
        });
    }

    /// Whether it has ended, and waits to be asked how.
    pub(crate) fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        // The state follows the name, which is in parentheses: Z for a zombie.
        stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, s)| s.starts_with('Z')))
    }

    /// Waits for its end. What it has printed as JSON is as the page about it says.
    #[track_caller]
    pub(crate) fn ended(mut self) -> EndedProcess {
        let mut status = None;
        wait_until("linqsync ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let stdout = self.stdout.rest();
        expect_documented(&stdout);
        EndedProcess {
            code: status.and_then(|status| status.code()),
            took: self.started.elapsed(),
            stdout,
            stderr: self.stderr.rest(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.stdout.expect_no_leak();
            self.stderr.expect_no_leak();
        }
    }
}

/// A linqsync that has ended.
#[derive(Debug)]
pub(crate) struct EndedProcess {
    /// The exit code; `None` if a signal killed it.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl EndedProcess {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> EndedProcess {
        let EndedProcess { code: got, stdout, stderr, .. } = &self;
        assert_eq!(*got, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        self
    }
}

/// An output, read by a thread of its own so that it never fills up, and searched line
/// by line for what must not be in it.
struct Pipe {
    said: Arc<Mutex<ProcessOutput>>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct ProcessOutput {
    shown: Vec<u8>,
    /// The beginning of a line.
    rest: Vec<u8>,
    leak: Option<String>,
}

impl ProcessOutput {
    fn hear(&mut self, bytes: &[u8], shown: LogShown) {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.take(&line, shown);
        }
    }

    fn take(&mut self, line: &[u8], shown: LogShown) {
        let text = String::from_utf8_lossy(line);
        if let Some(what) = leak(&text) {
            self.leak.get_or_insert_with(|| format!("{what} is in: {text}"));
        }
        if shown.shows(&text) {
            self.shown.extend_from_slice(line);
        }
    }
}

impl Pipe {
    fn read(mut from: impl Read + Send + 'static, shown: LogShown) -> Pipe {
        let said = Arc::new(Mutex::new(ProcessOutput::default()));
        let into = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                into.lock().unwrap().hear(&buffer[..read], shown);
            }
            let mut said = into.lock().unwrap();
            let last = std::mem::take(&mut said.rest);
            said.take(&last, shown);
        });
        Pipe { said, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap().shown).into_owned()
    }

    fn rest(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }

    /// Of what was heard so far: who else holds the other end may go on talking.
    #[track_caller]
    fn expect_no_leak(&self) {
        let leak = self.said.lock().unwrap().leak.clone();
        assert_eq!(leak, None, "a secret or somebody's value was told");
    }
}
