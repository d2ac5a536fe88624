//! Directories that other programs are changing while they are read.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::model::Field;

use super::*;

const QUIET: Duration = Duration::from_secs(5);

/// What somebody does while the source waits for the `n`th time.
type RestingAction = fn(&Path, usize);

/// A directory with a card of Ada and one of Bo, which was left alone for a long time, and
/// somebody who works in it.
struct RestingCards {
    dir: tempfile::TempDir,
    /// How much time has passed since the directory was made, and how often was waited.
    passed: Arc<Mutex<(Duration, usize)>>,
}

impl RestingCards {
    fn new() -> RestingCards {
        let desk = RestingCards { dir: tempfile::tempdir().unwrap(), passed: Arc::default() };
        write(desk.path(), "ada", "Cook");
        write(desk.path(), "bo", "Cook");
        desk
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn waits(&self) -> usize {
        self.passed.lock().unwrap().1
    }

    /// The source, before which so much time has passed since the directory was made.
    fn source(&self, ahead: Duration, doing: RestingAction) -> VcardSource {
        let (made, root) = (SystemTime::now(), self.path().to_owned());
        let [day, watch, wait] = [(); 3].map(|()| Arc::clone(&self.passed));
        let clock = QuietTime {
            quiet: QUIET,
            now: Arc::new(move || made + ahead + day.lock().unwrap().0),
            elapsed: Arc::new(move || watch.lock().unwrap().0),
            wait: Arc::new(move |rest| {
                let mut passed = wait.lock().unwrap();
                assert!(rest <= QUIET, "{rest:?}");
                passed.0 += rest;
                passed.1 += 1;
                doing(&root, passed.1);
            }),
        };
        VcardSource::new(VcardOptions {
            only: None,
            path: self.path().to_owned(),
            recursive: true,
            version: VcardVersion::V3,
            access: SourceAccess::Exclusive,
            clock,
        })
    }
}

fn write(directory: &Path, name: &str, title: &str) {
    let card = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nN:;{name};;;\r\nTITLE:{title}\r\nEND:VCARD\r\n"
    );
    fs::write(directory.join(format!("{name}.vcf")), card).unwrap();
}

fn titles(reading: &SourceReading) -> Vec<String> {
    reading.records.iter().map(|record| record.values[Field::Title].to_string()).collect()
}

const LONG_AGO: Duration = Duration::from_hours(1);

#[test]
fn a_directory_that_was_left_alone_is_read_at_once() {
    let desk = RestingCards::new();
    let reading = desk.source(LONG_AGO, |_, _| ()).read_records().unwrap();
    assert_eq!((titles(&reading).len(), reading.unreadable.len(), desk.waits()), (2, 0, 0));
}

#[test]
fn a_card_that_was_removed_a_moment_ago_and_comes_back_was_never_missing() {
    let desk = RestingCards::new();
    fs::remove_file(desk.path().join("bo.vcf")).unwrap();
    let put_back: RestingAction = |directory, wait| {
        if wait == 1 {
            write(directory, "bo", "Chief");
        }
    };
    let reading = desk.source(Duration::from_secs(1), put_back).read_records().unwrap();
    assert_eq!(titles(&reading), ["Cook", "Chief"]);
    assert!(reading.unreadable.is_empty() && desk.waits() >= 1);
}

#[test]
fn a_card_that_stays_away_for_the_quiet_time_is_gone() {
    let desk = RestingCards::new();
    fs::remove_file(desk.path().join("bo.vcf")).unwrap();
    let reading = desk.source(Duration::from_secs(1), |_, _| ()).read_records().unwrap();
    assert_eq!((titles(&reading).len(), reading.unreadable.len()), (1, 0));
}

#[test]
fn where_the_changes_never_end_nothing_is_missing_and_what_is_changed_is_not_read() {
    let desk = RestingCards::new();
    fs::remove_file(desk.path().join("bo.vcf")).unwrap();
    // Files get the time of this machine, of which none has passed.
    let mut source = desk.source(Duration::ZERO, |directory, wait| {
        write(directory, "cy", &format!("Title {wait}"));
        let _ = fs::remove_file(directory.join("dee.vcf"));
        write(directory, "dee", "Cook");
    });
    source.options.clock.now = Arc::new(SystemTime::now);
    let reading = source.read_records().unwrap();
    let labels: Vec<&str> = reading.unreadable.iter().map(|one| one.label.as_str()).collect();
    assert!(labels.contains(&".") && labels.contains(&"cy.vcf"), "{labels:?}");
    assert!(reading.unreadable[0].reason.contains("being changed"), "{:?}", reading.unreadable);
    assert!((6..=8).contains(&desk.waits()), "half a minute, not {} waits", desk.waits());
}

#[test]
fn clocks_of_other_machines_are_waited_for_no_longer_than_the_quiet_time() {
    let desk = RestingCards::new();
    // By this clock all files are from tomorrow.
    let mut source = desk.source(Duration::ZERO, |_, _| ());
    source.options.clock.now = Arc::new(|| SystemTime::now() - Duration::from_hours(24));
    assert_eq!(titles(&source.read_records().unwrap()).len(), 2);
    assert_eq!(desk.waits(), 1);
}

#[test]
fn a_second_reading_believes_only_what_was_seen_whatever_the_clocks_say() {
    let desk = RestingCards::new();
    let mut source = desk.source(LONG_AGO, |directory, wait| {
        if wait == 1 {
            write(directory, "bo", "Chief");
        }
    });
    assert_eq!(source.read_records().unwrap().records.len(), 2);
    // It looks like an hour ago.
    fs::remove_file(desk.path().join("bo.vcf")).unwrap();
    let reading = source.read_records().unwrap();
    assert_eq!((titles(&reading), desk.waits()), (vec!["Cook".into(), "Chief".into()], 2));
}
