//! Somebody who does what a document says.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::harness::{Process, World, wait_until};

use super::blocks::{TypedBlock, is_as_said, typed};

/// Where `linqsync sandbox` listens when nobody says where.
const USUAL: &str = "127.0.0.1:8025";

/// The home of all readers: what one document does is in the way of no other.
static HOME: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// A directory of its own, which is not the home, and what is running in it.
pub(super) struct Reader {
    world: World,
    /// What the document starts in the background, with the address where it listens.
    sandbox: Option<(Process, String)>,
    daemon: Option<Process>,
    /// The `export`s so far, which each further command begins with.
    exported: String,
}

impl Reader {
    pub(super) fn new() -> Reader {
        let world = World::new();
        for file in ["sync.toml", "linq.token"] {
            std::fs::remove_file(world.path(file)).unwrap();
        }
        Reader { world, sandbox: None, daemon: None, exported: String::new() }
    }

    /// Text of the document as it is true here.
    fn here(&self, text: &str) -> String {
        match &self.sandbox {
            Some((_, address)) => text.replace(USUAL, address),
            None => text.to_owned(),
        }
    }

    /// What was printed here, as the document would show it.
    fn there(&self, text: &str) -> String {
        let text = text.replace(&format!("{}/", self.world.dir().display()), "");
        match &self.sandbox {
            Some((_, address)) => text.replace(address, USUAL),
            None => text,
        }
    }

    /// Saves a file; whoever writes a configuration keeps it to himself.
    pub(super) fn saves(&self, name: &str, text: &str) {
        let path = self.world.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.here(text)).unwrap();
    }

    /// Checks a part of a configuration.
    pub(super) fn checks(&self, place: &str, text: &str) {
        let complete = if text.contains("[source]") {
            text.to_owned()
        } else {
            format!("{text}\n[source]\npath = \"contacts.csv\"\n")
        };
        let path = self.world.path("part.toml");
        if let Err(error) = linqsync::config::Config::of_text(&path, &complete) {
            panic!("{place}: {:#?}", error.lines());
        }
    }

    /// Types the commands of a block.
    pub(super) fn types(&mut self, place: &str, text: &str) {
        for TypedBlock { command, printed } in typed(text) {
            let serves = command.strip_prefix("linqsync sandbox").filter(|a| a.ends_with('&'));
            if let Some(arguments) = serves {
                self.starts_sandbox(arguments);
            } else if command == "linqsync &" {
                self.starts_daemon();
            } else if command == "kill $!" {
                let daemon = self.daemon.take().unwrap();
                daemon.terminate();
                daemon.ended().expect(0);
            } else if command.starts_with("export ") {
                self.exported += &(self.here(&command) + "\n");
            } else {
                self.runs(place, &command, &printed);
            }
        }
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let mut command = self.world.command(arguments);
        command.env("HOME", HOME.path());
        Process::start(command)
    }

    fn starts_sandbox(&mut self, arguments: &str) {
        let arguments = arguments.trim_end_matches('&').split_whitespace();
        let arguments: Vec<&str> =
            ["sandbox", "--listen", "127.0.0.1:0"].into_iter().chain(arguments).collect();
        let process = self.start(&arguments);
        wait_until("the sandbox says where it is", || process.stdout().contains("Ctrl-C"));
        let said = process.stdout();
        let address = said.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        self.sandbox = Some((process, address.unwrap().to_owned()));
    }

    fn starts_daemon(&mut self) {
        let daemon = self.start(&[]);
        wait_until("the daemon has started", || daemon.stderr().contains("started"));
        self.daemon = Some(daemon);
    }

    fn runs(&self, place: &str, command: &str, said: &[String]) {
        let command = self.here(command);
        let (code, printed) = match command.strip_prefix("curl ") {
            Some(arguments) => (Some(0), ask(arguments)),
            None => self.shell(&(self.exported.clone() + &command)),
        };
        let printed = self.there(&printed);
        // A command whose exit code matters prints it.
        assert_eq!(code, Some(0), "{place}: `{command}` failed:\n{printed}");
        let lines: Vec<&str> = printed.lines().map(str::trim_end).collect();
        assert!(
            said.is_empty() || is_as_said(said, &lines),
            "{place}: `{command}` printed\n{printed}\nand not\n{}",
            said.join("\n")
        );
    }

    /// Runs a command by `sh`, with both of its outputs in one.
    fn shell(&self, command: &str) -> (Option<i32>, String) {
        let (mut read, write) = std::io::pipe().unwrap();
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_linqsync"));
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.world.dir()).env_clear();
        shell.env("HOME", HOME.path()).env("PATH", path).stdin(Stdio::null());
        shell.stdout(write.try_clone().unwrap()).stderr(write);
        let mut child = shell.spawn().unwrap();
        // The other ends of the pipe are the child's alone.
        drop(shell);
        let mut printed = String::new();
        read.read_to_string(&mut printed).unwrap();
        (child.wait().unwrap().code(), printed)
    }
}

/// Does what curl would, which not every machine has: `-X METHOD URL -H HEADER -d BODY`.
fn ask(arguments: &str) -> String {
    let mut words = words(arguments).into_iter();
    let (mut method, mut url, mut headers, mut body) = ("GET".to_owned(), None, Vec::new(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => method = words.next().unwrap(),
            "-H" => headers.push(words.next().unwrap()),
            "-d" => body = words.next(),
            "-s" | "-sS" => {}
            _ => url = Some(word),
        }
    }
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = reqwest::Client::new().request(method, url.unwrap());
            for header in headers {
                let (name, value) = header.split_once(": ").unwrap();
                request = request.header(name, value);
            }
            if let Some(body) = body {
                request = request.body(body);
            }
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{answer:?}");
            answer.text().await.unwrap()
        })
    })
    .join()
    .unwrap()
}

/// The words of a command: quotes keep spaces, a `\` at the end of a line joins two.
fn words(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, ' ') => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            (_, c) => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}
