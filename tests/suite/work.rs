//! How much of both sides a run reads: what has changed, and not how many there are.
//!
//! Whole runs, in process: what is counted is who was part of the last plan.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::Request;
use linqsync::linq::{
    BaseUrl, Client, ClientSettings, Sending, TokenSource, Transport, TransportError,
};
use linqsync::mirror::State;
use linqsync::model::{Canon, Policy, Region};
use linqsync::plan::Observation;
use linqsync::run::{RunOptions, RunResult, Sides, run_sync};
use linqsync::sandbox::{Options, Sandbox};
use linqsync::source::csv::{CsvOptions, CsvSource};
use linqsync::source::vcard::{VcardOptions, VcardSource, VcardVersion};
use linqsync::source::{QuietTime, Source, SourceAccess};
use tokio_util::sync::CancellationToken;

/// Linq in this process.
struct Near(Sandbox);

impl Transport for Near {
    fn send(&self, request: Request<Bytes>) -> Sending<'_> {
        Box::pin(async move {
            let broken = |_| TransportError::Broken("there are no faults here".into());
            self.0.handle_request(request).await.map_err(broken)
        })
    }
}

/// A Linq, a source and a state, with people who are the same on both sides.
struct WorkOffice {
    linq: Sandbox,
    dir: tempfile::TempDir,
    cards: bool,
    region: Region,
    /// How many runs were made.
    runs: i64,
}

impl WorkOffice {
    async fn new(people: usize, cards: bool) -> WorkOffice {
        let (linq, dir) = (Sandbox::new(Options::default()), tempfile::tempdir().unwrap());
        let mut rows = "First Name,Last Name,Email,Company,Title\n".to_owned();
        for n in 1..=people {
            let (first, mail) = (format!("P{n:05}"), format!("p{n}@people.example"));
            let person = [("first_name", &*first), ("last_name", "Moor"), ("company", "Works")];
            linq.insert(person.into_iter().chain([("email", &*mail)])).unwrap();
            writeln!(rows, "{first},Moor,{mail},Works,").unwrap();
            if cards {
                fs::create_dir_all(dir.path().join("cards")).unwrap();
                let card = format!(
                    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u{n}\r\nN:Moor;{first};;;\r\nFN:{first} Moor\r\n\
                     EMAIL:{mail}\r\nORG:Works\r\nEND:VCARD\r\n"
                );
                fs::write(dir.path().join(format!("cards/{n:05}.vcf")), card).unwrap();
            }
        }
        fs::write(dir.path().join("contacts.csv"), rows).unwrap();
        let region = Region::US;
        let mut office = WorkOffice { linq, dir, cards, region, runs: 0 };
        if cards {
            office.age();
        }
        // Linked by the first, and found to be at rest by the second at the latest.
        for _ in 0..2 {
            office.run().await;
        }
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets all cards be old enough to be told by their times.
    fn age(&self) {
        for entry in fs::read_dir(self.path("cards")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let day = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
                fs::File::options().append(true).open(&path).unwrap().set_modified(day).unwrap();
            }
        }
    }

    fn source(&self) -> Box<dyn Source> {
        if self.cards {
            return Box::new(VcardSource::new(VcardOptions {
                only: None,
                path: self.path("cards"),
                recursive: false,
                version: VcardVersion::V3,
                access: SourceAccess::Exclusive,
                clock: QuietTime::frozen_time(),
            }));
        }
        Box::new(CsvSource::new(CsvOptions::new(self.path("contacts.csv"))))
    }

    /// A run in which all goes well, with what was part of its last plan.
    async fn run(&mut self) -> (RunResult, Observation) {
        let mut ran = self.attempt().await;
        assert_eq!(ran.report.exit_code(), 0, "{:?} {:?}", ran.report, ran.notices);
        let (_, seen) = ran.left.take().unwrap();
        (ran, seen)
    }

    async fn attempt(&mut self) -> RunResult {
        self.runs += 1;
        let url = BaseUrl::new("https://linq.example".parse().unwrap()).unwrap();
        let transport = Arc::new(Near(self.linq.clone())) as Arc<dyn Transport>;
        let token = TokenSource::fixed("sandbox-token".into());
        let client = Client::new(transport, ClientSettings::new(url, 1), token);
        let mut source = self.source();
        let policy = Policy { canon: Canon::new(self.region), ..Policy::default() };
        let stop = CancellationToken::new();
        let now = DateTime::from_timestamp(1_790_000_000 + self.runs, 0).unwrap();
        let state = State::open(&self.path("state"), now).unwrap();
        let terms = RunOptions {
            policy: &policy,
            settle: Duration::from_secs(1),
            history: TimeDelta::days(400),
            clock: &|| now,
            by: None,
            stop: &stop,
        };
        let mut sides = Sides { linq: &client, source: &mut *source, state: &state };
        run_sync(&mut sides, &terms).await
    }

    fn edit_row(&self, n: usize, title: &str) {
        let text = fs::read_to_string(self.path("contacts.csv")).unwrap();
        let (before, after) =
            (format!("p{n}@people.example,Works,"), format!("p{n}@people.example,Works,{title}"));
        assert!(text.contains(&before));
        fs::write(self.path("contacts.csv"), text.replacen(&before, &after, 1)).unwrap();
    }
}

/// How many links, records and contacts were part of a plan, and how many pairs were counted.
fn read(seen: &Observation) -> [usize; 4] {
    [seen.links.len(), seen.source.records.len(), seen.linq.contacts.len(), seen.census.pairs]
}

#[tokio::test]
async fn where_nothing_changed_nobody_is_read_and_everybody_counted() {
    for cards in [false, true] {
        let mut office = WorkOffice::new(300, cards).await;
        let (ran, seen) = office.run().await;
        assert_eq!(read(&seen), [0, 0, 0, 300], "cards: {cards}");
        assert_eq!(
            (ran.report.in_sync, ran.report.linq.seen, ran.report.source.seen),
            (300, 300, 300)
        );
        assert!(ran.report.is_in_sync());
    }
}

#[tokio::test]
async fn of_many_those_are_read_who_were_edited() {
    for people in [100, 400] {
        let mut office = WorkOffice::new(people, false).await;
        office.edit_row(7, "Chief");
        let id = office.linq.requests().len();
        let contact = office
            .linq
            .contacts()
            .into_iter()
            .find(|one| one.email.as_deref() == Some("p9@people.example"));
        let contact = contact.map(|one| one.id).unwrap();
        office.linq.set(contact, "title", "Boss").unwrap();
        let (ran, seen) = office.run().await;
        assert_eq!((ran.report.linq.updated, ran.report.source.updated), (1, 1));
        assert_eq!(read(&seen), [2, 2, 2, people - 2], "of {people}");
        // Its pages, and a PATCH for the one that was edited.
        let requests = office.linq.requests().len() - id;
        assert_eq!(requests, people.div_ceil(100) + 1);
        // What a run wrote is looked at by the next one, and then at rest as well.
        office.run().await;
        assert_eq!(read(&office.run().await.1), [0, 0, 0, people]);
    }
}

#[tokio::test]
async fn whoever_shares_an_address_with_somebody_new_is_read() {
    let mut office = WorkOffice::new(50, false).await;
    let text = fs::read_to_string(office.path("contacts.csv")).unwrap();
    fs::write(office.path("contacts.csv"), text + "Zoe,Zander,p3@people.example,,\nYan,York,,,\n")
        .unwrap();
    // The first of the two waits, since its address is somebody's.
    let ran = office.attempt().await;
    assert_eq!((ran.report.exit_code(), ran.report.linq.created), (3, 1), "{:?}", ran.notices);
    let seen = &ran.left.unwrap().1;
    assert!(seen.linq.contacts.values().any(|one| one.values.display_name().contains("P00003")));
    assert_eq!(seen.census.pairs, 49);
}

#[tokio::test]
async fn whether_one_search_finds_whom_two_find_is_tried_with_somebody_at_rest() {
    let mut office = WorkOffice::new(20, false).await;
    let text = fs::read_to_string(office.path("contacts.csv")).unwrap();
    let mut rows =
        text.replacen(",Title\n", ",Title,Phone\n", 1).replace(",Works,\n", ",Works,,\n");
    for n in 1..=20 {
        let before = format!("p{n}@people.example,Works,,\n");
        assert!(rows.contains(&before));
        let after = format!("p{n}@people.example,Works,,+1415555{:04}\n", 2000 + n);
        rows = rows.replacen(&before, &after, 1);
    }
    fs::write(office.path("contacts.csv"), &rows).unwrap();
    for _ in 0..2 {
        office.run().await;
    }
    assert_eq!(read(&office.run().await.1), [0, 0, 0, 20]);
    for n in 1..=10 {
        writeln!(rows, "N{n},New,n{n}@people.example,Works,,+1415555{:04}", 3000 + n).unwrap();
    }
    fs::write(office.path("contacts.csv"), &rows).unwrap();
    let before = office.linq.requests().len();
    assert_eq!(office.run().await.0.report.linq.created, 10);
    // The listing, a search and a POST each, and the trial of that search.
    let requests = office.linq.requests().len() - before;
    assert!(requests <= 1 + 2 * 10 + 2, "{requests}");
}

#[tokio::test]
async fn other_rules_have_everybody_planned_once() {
    let mut office = WorkOffice::new(40, false).await;
    office.region = "DE".parse().unwrap();
    assert_eq!(read(&office.run().await.1), [40, 40, 40, 0]);
    assert_eq!(read(&office.run().await.1)[3], 40);
}

#[tokio::test]
async fn one_card_of_many_is_read() {
    let mut office = WorkOffice::new(60, true).await;
    let path = office.path("cards/00005.vcf");
    let card = fs::read_to_string(&path).unwrap();
    fs::write(&path, card.replace("ORG:Works", "ORG:Works\r\nTITLE:Chief")).unwrap();
    let (ran, seen) = office.run().await;
    assert_eq!(ran.report.linq.updated, 1);
    assert_eq!(read(&seen), [1, 1, 1, 59]);
}
