//! Linq changes while its listing is read: people come, go and are edited between
//! one page and the next.
//!
//! Whole runs, in process and in virtual time, against a listing in each of three
//! orders. Whatever the pages miss or show twice, nobody who is there is deleted,
//! nobody is created a second time, and when Linq comes to rest both sides agree.
//!
//! ```sh
//! LINQSYNC_DRIFT=3000 cargo test --test suite drift -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::Request;
use linqsync::linq::{
    BaseUrl, Client, ClientSettings, Sending, TokenSource, Transport, TransportError,
};
use linqsync::mirror::State;
use linqsync::model::{Limit, Policy, Timestamp};
use linqsync::run::{RunOptions, RunResult, Sides, run_sync};
use linqsync::sandbox::{Options, Quirk, Sandbox};
use linqsync::source::csv::{CsvOptions, CsvSource, SourceAccess};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many histories are played for each order, unless `LINQSYNC_DRIFT` says more.
const TRIALS: u64 = 150;

/// How many people there are in the beginning.
const PEOPLE: usize = 24;

/// How many contacts that a listing lacks are asked for one by one, with so few people. If
/// it lacks more of them, they are skipped until the next run, which it says.
const ASKED: usize = 10;

/// A Linq that moves.
struct Drifting {
    linq: Sandbox,
    people: Mutex<People>,
}

/// What people in Linq do, and have done.
struct People {
    random: fastrand::Rng,
    /// How likely something happens before a page is read.
    restless: f64,
    came: usize,
    went: usize,
    missed: u64,
}

impl Transport for Drifting {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            if request.method() == "GET" {
                self.drift();
            }
            let broken = |_| TransportError::Broken("there are no faults here".into());
            self.linq.handle_request(request).await.map_err(broken)
        })
    }
}

impl Drifting {
    /// What happens between two requests: nothing, one thing, or several.
    fn drift(&self) {
        let people = &mut *self.people.lock().unwrap();
        while people.random.f64() < people.restless {
            let there = self.linq.contacts();
            let somebody = people.random.choice(&there).map(|contact| contact.id);
            match (people.random.u8(..3), somebody) {
                (0, _) | (_, None) => {
                    people.came += 1;
                    let name = format!("Came{:03}", people.came);
                    let mail = format!("{name}@came.example");
                    let mail = if people.random.bool() { mail } else { String::new() };
                    self.linq.insert([("first_name", &*name), ("email", &*mail)]).unwrap();
                }
                // Fewer than the guard would hold back.
                (1, Some(id)) if people.went < 8 => {
                    people.went += 1;
                    self.linq.remove(id).unwrap();
                }
                (_, Some(id)) => {
                    let title = format!("Title {}", people.random.u32(..));
                    self.linq.set(id, "title", &title).unwrap();
                }
            }
        }
    }

    fn calm(&self) {
        self.people.lock().unwrap().restless = 0.0;
    }

    /// The first names of everybody who is there.
    fn names(&self) -> Vec<String> {
        let contacts = self.linq.contacts();
        let mut names: Vec<String> = contacts.into_iter().filter_map(|c| c.first_name).collect();
        names.sort();
        names
    }
}

/// One history.
struct DriftTrial<'a> {
    linq: Arc<Drifting>,
    csv: &'a Path,
    state: State,
    start: Instant,
    seed: u64,
}

fn mail(n: usize) -> String {
    // Every third person has no e-mail, so that find cannot see them.
    if n.is_multiple_of(3) { String::new() } else { format!("p{n}@people.example") }
}

impl<'a> DriftTrial<'a> {
    /// Everybody is in Linq, and all but every fourth in the source too.
    fn new(seed: u64, order: &str, restless: f64, csv: &'a Path) -> DriftTrial<'a> {
        let start = Instant::now();
        let quirks = [format!("order={order}"), "per-page=5".to_owned()];
        let linq = Sandbox::new(Options {
            quirks: quirks.iter().map(|text| text.parse::<Quirk>().unwrap()).collect(),
            now: Arc::new(move || present(start)),
            ..Options::default()
        });
        let mut text = "First Name,Last Name,Email,Company,Title\n".to_owned();
        for n in 1..=PEOPLE {
            let (name, mail) = (format!("P{n:03}"), mail(n));
            let person = [("first_name", &*name), ("last_name", "Moor"), ("company", "Works")];
            linq.insert(person.into_iter().chain([("email", &*mail)])).unwrap();
            if !n.is_multiple_of(4) {
                writeln!(text, "{name},Moor,{mail},Works,").unwrap();
            }
        }
        text += "New1,Moor,new@people.example,,\nNew2,Moor,,Works,\n";
        std::fs::write(csv, text).unwrap();
        let random = fastrand::Rng::with_seed(seed);
        let people = Mutex::new(People { random, restless, came: 0, went: 0, missed: 0 });
        let state = State::open(&csv.with_file_name("state"), present(start)).unwrap();
        DriftTrial { linq: Arc::new(Drifting { linq, people }), csv, state, start, seed }
    }

    /// A run. Other tests start processes, which for an instant have a copy of the lock
    /// that the run before this one has let go of.
    async fn run_alone(&self) -> RunResult {
        loop {
            let ran = self.run().await;
            if ran.report.exit_code() != 7 {
                return ran;
            }
        }
    }

    async fn run(&self) -> RunResult {
        let url = BaseUrl::new("https://linq.example".parse().unwrap()).unwrap();
        let settings = ClientSettings::new(url, self.seed);
        let transport = Arc::clone(&self.linq) as Arc<dyn Transport>;
        let client = Client::new(transport, settings, TokenSource::fixed("sandbox-token".into()));
        let mut options = CsvOptions::new(self.csv);
        options.access = SourceAccess::Exclusive;
        let mut source = CsvSource::new(options);
        // More is edited within a day here than goes without asking.
        let policy = Policy { max_changes: Limit::Count(1_000), ..Policy::default() };
        let (start, stop) = (self.start, CancellationToken::new());
        let terms = RunOptions {
            policy: &policy,
            settle: Duration::from_secs(1),
            history: TimeDelta::days(400),
            clock: &|| present(start),
            by: None,
            stop: &stop,
        };
        let mut sides = Sides { linq: &client, source: &mut source, state: &self.state };
        run_sync(&mut sides, &terms).await
    }

    fn rows(&self) -> Vec<String> {
        let mut reader = csv::Reader::from_path(self.csv).unwrap();
        let mut names: Vec<String> =
            reader.records().map(|row| row.unwrap()[0].to_owned()).collect();
        names.sort();
        names
    }

    /// What must hold after every run: nobody twice, and nobody who is there lost.
    #[track_caller]
    fn check(&self, before: &[String], what: &str) {
        let (rows, contacts) = (self.rows(), self.linq.names());
        for names in [&rows, &contacts] {
            let distinct: BTreeSet<&String> = names.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{what}: somebody is there twice: {names:?}");
        }
        for name in before.iter().filter(|name| contacts.contains(name)) {
            assert!(
                rows.contains(name),
                "{what}: {name} is in Linq and was deleted from the source"
            );
        }
        let deleted = self.linq.linq.requests().into_iter().any(|r| r.method == "DELETE");
        assert!(!deleted, "{what}: nobody was removed from the source");
    }

    async fn play(&self, what: &str) {
        for nth in 1..=3 {
            let before = self.rows();
            let ran = self.run_alone().await;
            let code = if ran.report.skipped > ASKED { 3 } else { 0 };
            let told = (&ran.report, &ran.notices);
            assert_eq!(ran.report.exit_code(), code, "{what}, run {nth}: {told:?}");
            self.check(&before, &format!("{what}, run {nth}"));
            let in_parts = ran.left.is_some_and(|(_, seen)| seen.linq.incomplete.is_some());
            self.linq.people.lock().unwrap().missed += u64::from(in_parts);
        }
        self.linq.calm();
        self.run_alone().await;
        let ran = self.run_alone().await;
        assert_eq!(ran.report.exit_code(), 0, "{what}");
        assert_eq!(self.rows(), self.linq.names(), "{what}: both sides agree in the end");
    }
}

fn present(start: Instant) -> Timestamp {
    let then = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_790_000_000);
    then + TimeDelta::from_std(start.elapsed()).unwrap()
}

#[expect(clippy::print_stderr, reason = "figures that people read")]
fn drift(order: &str) {
    let trials = std::env::var("LINQSYNC_DRIFT").map_or(TRIALS, |text| text.parse().unwrap());
    let shm = Path::new("/dev/shm");
    let mut missed = 0;
    for seed in 0..trials {
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        let csv = dir.path().join("contacts.csv");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let restless = [0.1, 0.25, 0.5][usize::try_from(seed % 3).unwrap()];
        missed += runtime.block_on(async {
            let trial = DriftTrial::new(seed, order, restless, &csv);
            trial.play(&format!("order {order}, seed {seed}")).await;
            trial.linq.people.lock().unwrap().missed
        });
    }
    eprintln!("{order}: {trials} histories of 3 runs, {missed} of them without a whole listing");
}

#[test]
fn nobody_is_lost_or_doubled_while_a_listing_by_id_moves() {
    drift("id");
}

#[test]
fn nobody_is_lost_or_doubled_while_a_listing_of_the_newest_moves() {
    drift("created-desc");
}

#[test]
fn nobody_is_lost_or_doubled_while_a_listing_of_the_last_edited_moves() {
    drift("updated-desc");
}
