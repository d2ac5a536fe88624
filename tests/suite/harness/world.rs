//! A place to synchronise: a directory, and a Linq on a port of its own.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use linqsync::mirror::{LinqDown, State};
use linqsync::sandbox::{
    Contact, LoggedRequest, ObservedMoment, Options, Quirk, Quirks, RouteKind, Running, Sandbox,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::files::TestFiles;
use super::log::LogShown;
use super::people::MEMBERS;
use super::process::{EndedProcess, Process, kill};
use super::reports::{PrintedPlan, PrintedRun};

/// The token that every Linq here takes. It must not turn up anywhere.
pub(crate) const TOKEN: &str = "tok-CANARY-5f1d0b7e";

/// Serves every Linq of this process.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A directory with `contacts.csv`, `sync.toml` and `state`, and a Linq.
pub(crate) struct World {
    dir: TempDir,
    sandbox: Sandbox,
    serving: Option<Running>,
    settings: BTreeMap<String, String>,
}

impl World {
    /// An empty Linq and no CSV file.
    pub(crate) fn new() -> World {
        World::with_contacts(0)
    }

    /// A Linq with so many invented contacts, and no CSV file.
    pub(crate) fn with_contacts(contacts: usize) -> World {
        World::of(contacts, &[], 0)
    }

    /// An empty Linq whose clock is so many seconds ahead, and no CSV file.
    pub(crate) fn with_linq_ahead(seconds: i64) -> World {
        World::of(0, &[], seconds)
    }

    /// An empty Linq with these quirks, and no CSV file.
    pub(crate) fn with_quirks(quirks: &[&str]) -> World {
        World::of(0, quirks, 0)
    }

    /// An empty Linq and this CSV file.
    pub(crate) fn with_csv(text: &str) -> World {
        let world = World::new();
        world.write(text);
        world
    }

    /// Two sides that agree on this CSV file.
    #[track_caller]
    pub(crate) fn synced(text: &str) -> World {
        let world = World::with_csv(text);
        world.sync();
        world
    }

    fn of(contacts: usize, quirks: &[&str], ahead: i64) -> World {
        let quirks: Quirks = quirks.iter().map(|text| text.parse().unwrap()).collect();
        let sandbox = Sandbox::new(Options {
            token: TOKEN.to_owned(),
            contacts,
            quirks,
            now: Arc::new(move || chrono::Utc::now() + chrono::TimeDelta::seconds(ahead)),
            ..Options::default()
        });
        let serving = RUNTIME.block_on(sandbox.start()).unwrap();
        let settings = [
            ("linq.base_url", format!("\"{}\"", serving.url)),
            ("linq.token_file", "\"linq.token\"".to_owned()),
            ("linq.requests_per_second", "1000".to_owned()),
            ("linq.max_attempts", "2".to_owned()),
            ("linq.settle", "\"200ms\"".to_owned()),
            ("source.path", "\"contacts.csv\"".to_owned()),
            ("source.quiet", "\"0s\"".to_owned()),
            ("state.dir", "\"state\"".to_owned()),
        ];
        let world = World {
            dir: tempfile::tempdir().unwrap(),
            sandbox,
            serving: Some(serving),
            settings: settings.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        std::fs::write(world.path("linq.token"), format!("{TOKEN}\n")).unwrap();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(world.path("linq.token"), private).unwrap();
        world.configure();
        world
    }

    /// Replaces the quirks of Linq.
    pub(crate) fn quirks(&self, quirks: &[&str]) {
        self.sandbox.set_quirks(quirks.iter().map(|text| text.parse::<Quirk>().unwrap()).collect());
    }

    /// Sets a key of `sync.toml` to a value in TOML's spelling.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut World {
        self.settings.insert(key.to_owned(), value.to_owned());
        self.configure();
        self
    }

    /// Takes a key out of `sync.toml`.
    pub(crate) fn unset(&mut self, key: &str) -> &mut World {
        self.settings.remove(key);
        self.configure();
        self
    }

    fn configure(&self) {
        let text = self.settings.iter().fold(String::new(), |mut text, (key, value)| {
            writeln!(text, "{key} = {value}").unwrap();
            text
        });
        std::fs::write(self.path("sync.toml"), text).unwrap();
    }

    // The disk.

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Something in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn csv(&self) -> PathBuf {
        self.path("contacts.csv")
    }

    /// What the CSV file holds.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(std::fs::read(self.csv()).unwrap()).unwrap()
    }

    /// Saves the CSV file, as an editor that writes in place does.
    pub(crate) fn write(&self, text: impl AsRef<[u8]>) {
        std::fs::write(self.csv(), text).unwrap();
    }

    /// Replaces the first `from` in the CSV file.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "there is no {from:?} in\n{text}");
        self.write(text.replacen(from, to, 1));
    }

    /// The state, as a copy to read.
    pub(crate) fn state(&self) -> State {
        State::open_copy(&self.path("state")).unwrap()
    }

    /// Lets the time come at which a Linq that is down is asked again.
    pub(crate) fn let_the_probe_come(&self) {
        let state = State::open_beside(&self.path("state")).unwrap().unwrap();
        let next_attempt = chrono::Utc::now();
        let down = state.linq_down().unwrap().filter(|down| down.next_attempt > next_attempt);
        if let Some(down) = down {
            state.remember_linq_down(Some(&LinqDown { next_attempt, ..down })).unwrap();
        }
    }

    // Linq.

    pub(crate) fn linq(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(crate) fn fault(&self, fault: &str) {
        self.sandbox.add_fault(fault.parse().unwrap());
    }

    /// The contact with this first name.
    #[track_caller]
    pub(crate) fn contact(&self, first_name: &str) -> Contact {
        let contacts = self.sandbox.contacts();
        let mut found =
            contacts.into_iter().filter(|c| c.first_name.as_deref() == Some(first_name));
        match (found.next(), found.next()) {
            (Some(contact), None) => contact,
            (None, _) => panic!("nobody in Linq is called {first_name}"),
            (Some(_), Some(_)) => panic!("several in Linq are called {first_name}"),
        }
    }

    /// Changes a contact as a colleague in Linq would.
    #[track_caller]
    pub(crate) fn change(&self, first_name: &str, member: &str, text: &str) {
        self.sandbox.set(self.contact(first_name).id, member, text).unwrap();
    }

    /// Removes a contact as a colleague in Linq would.
    #[track_caller]
    pub(crate) fn remove(&self, first_name: &str) {
        self.sandbox.remove(self.contact(first_name).id).unwrap();
    }

    /// Requests that could change something in Linq.
    pub(crate) fn writes(&self) -> Vec<LoggedRequest> {
        let requests = self.sandbox.requests();
        requests.into_iter().filter(|request| request.method != "GET").collect()
    }

    /// Requests of one kind.
    pub(crate) fn requests(&self, kind: RouteKind) -> Vec<LoggedRequest> {
        let requests = self.sandbox.requests();
        requests.into_iter().filter(|request| request.kind == Some(kind)).collect()
    }

    /// Takes Linq off the network.
    pub(crate) fn unplug(&mut self) {
        if let Some(serving) = self.serving.take() {
            RUNTIME.block_on(serving.stop());
        }
    }

    // linqsync.

    /// Where this world's Linq is.
    pub(crate) fn url(&self) -> String {
        self.serving.as_ref().unwrap().url.clone()
    }

    /// A command with these arguments, in this directory and with no environment
    /// but a home and a place for temporary files. It logs everything, of which tests are
    /// shown what is logged by default.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_linqsync"));
        let dir = self.dir();
        command.args(arguments).current_dir(dir).env_clear().env("HOME", dir).env("TMPDIR", dir);
        let (name, everything) = LogShown::EVERYTHING;
        command.env(name, everything).stdin(Stdio::null());
        command
    }

    /// Starts linqsync.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(arguments))
    }

    /// Starts a run that is killed, as by a power cut, at the first request that is the
    /// one, at this moment of it.
    pub(crate) fn killed_at(
        &self,
        moment: ObservedMoment,
        is_the_one: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static,
    ) -> Process {
        self.command_killed_at(&["--once", "--json"], moment, is_the_one)
    }

    /// The same for a command with these arguments.
    pub(crate) fn command_killed_at(
        &self,
        arguments: &[&str],
        moment: ObservedMoment,
        is_the_one: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static,
    ) -> Process {
        let pid = Arc::new(AtomicU32::new(0));
        let known = Arc::clone(&pid);
        self.sandbox.set_witness(Arc::new(move |now, request| {
            if now == moment && is_the_one(request) {
                while known.load(Ordering::SeqCst) == 0 {
                    std::hint::spin_loop();
                }
                kill(known.load(Ordering::SeqCst));
            }
        }));
        let process = self.start(arguments);
        pid.store(process.pid(), Ordering::SeqCst);
        process
    }

    /// Runs linqsync to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> EndedProcess {
        self.start(arguments).ended()
    }

    /// `--once --json`
    #[track_caller]
    pub(crate) fn once(&self) -> PrintedRun {
        self.once_with(&[])
    }

    /// `--once --json` and further arguments.
    #[track_caller]
    pub(crate) fn once_with(&self, arguments: &[&str]) -> PrintedRun {
        PrintedRun::of(self.run(&[&["--once", "--json"], arguments].concat()))
    }

    /// A run after which everything is in sync and the log of requests is empty.
    #[track_caller]
    pub(crate) fn sync(&self) {
        self.once().expect(0);
        self.sandbox.forget_requests();
    }

    /// `plan --json`
    #[track_caller]
    pub(crate) fn plan(&self) -> PrintedPlan {
        PrintedPlan::of(&self.run(&["plan", "--json"]).expect(0))
    }

    /// A run that finds everything in sync and writes nothing, on no side.
    #[track_caller]
    pub(crate) fn expect_silence(&self) {
        let (before, contacts) = (TestFiles::at(&self.csv()), self.sandbox.contacts());
        self.sandbox.forget_requests();
        let run = self.once().expect(0);
        assert_eq!(self.writes(), [], "a silent run wrote to Linq");
        assert_eq!(TestFiles::at(&self.csv()), before, "a silent run touched the source");
        assert_eq!(self.sandbox.contacts(), contacts);
        let both = contacts.len() as u64;
        assert_eq!((run.linq(), run.source()), ([both, 0, 0, 0], [both, 0, 0, 0]));
        assert_eq!((run.count("linked"), run.count("in_sync")), (0, both));
    }

    // Both sides.

    /// Everybody in the CSV file, in order: what [`MEMBERS`] names.
    pub(crate) fn people_in_csv(&self) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(std::fs::File::open(self.csv()).unwrap());
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
        let mut people: Vec<Vec<String>> = rows.collect();
        people.sort();
        people
    }

    /// Everybody in Linq, in order: what [`MEMBERS`] names.
    pub(crate) fn people_in_linq(&self) -> Vec<Vec<String>> {
        let members = |contact: &Contact| {
            let shown = serde_json::to_value(contact).unwrap();
            MEMBERS.map(|member| shown[member].as_str().unwrap_or_default().to_owned()).to_vec()
        };
        let mut people: Vec<Vec<String>> = self.sandbox.contacts().iter().map(members).collect();
        people.sort();
        people
    }
}
