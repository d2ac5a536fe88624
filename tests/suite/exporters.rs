//! The cards of many programs, from end to end: a push leaves their bytes, the next run
//! is silent, an edit in Linq changes its property alone, a new contact is one new file,
//! and a deletion takes one card away.
//!
//! `LINQSYNC_CARDS=DIRECTORY` does the same with every file of cards below a directory,
//! each on its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use linqsync::model::{Field, Values};
use linqsync::source::vcard::cards_of;

use crate::harness::{TestFiles, World, names_in};
use crate::vcards;

/// A file of cards in a world of its own.
struct Exported {
    name: String,
    world: World,
    raw: Vec<u8>,
}

impl Exported {
    fn new(path: &Path) -> Exported {
        let (world, raw) = (vcards::world(&[]), fs::read(path).unwrap());
        fs::write(world.path("cards/exported.vcf"), &raw).unwrap();
        Exported { name: path.display().to_string(), world, raw }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        fs::read(self.world.path("cards/exported.vcf")).ok()
    }

    /// What a run must leave: 3 where some cards of the file cannot be read.
    fn run(&self, what: &str) {
        let run = self.world.once();
        let is_well = matches!(run.ended.code, Some(0 | 3));
        assert!(is_well, "{}: {what}: {:#}\n{}", self.name, run.json, run.ended.stderr);
    }

    fn expect_bytes(&self, what: &str) {
        assert!(self.bytes().as_ref() == Some(&self.raw), "{}: {what}", self.name);
    }

    fn expect_silence(&self, what: &str) {
        let before = TestFiles::at(&self.world.path("cards"));
        self.world.linq().forget_requests();
        self.run(what);
        assert_eq!(self.world.writes(), [], "{}: {what} wrote to Linq", self.name);
        assert_eq!(TestFiles::at(&self.world.path("cards")), before, "{}: {what}", self.name);
    }

    /// The first person of the file who is in Linq, by position, with the contact's id.
    fn somebody(&self) -> Option<(usize, u64)> {
        let contacts = self.world.linq().contacts();
        let is_same = |values: &Values, contact: &serde_json::Value| {
            [Field::FirstName, Field::LastName, Field::Title, Field::Company].iter().all(|field| {
                let shown = contact[field.name()].as_str().unwrap_or_default();
                values[*field].trim() == shown.trim()
            })
        };
        let people = cards_of(&self.raw).people.into_iter().enumerate();
        let mut people = people.filter_map(|(at, values)| Some((at, values?)));
        people.find_map(|(at, values)| {
            let found = contacts
                .iter()
                .find(|contact| is_same(&values, &serde_json::to_value(contact).unwrap()))?;
            Some((at, found.id))
        })
    }

    /// Whether some cards cannot be read, or cannot be told apart.
    fn is_incomplete(&self) -> bool {
        let whole = cards_of(&self.raw);
        let uids: Vec<&String> = whole.uids.iter().flatten().collect();
        let distinct: BTreeSet<&String> = uids.iter().copied().collect();
        !whole.broken.is_empty() || distinct.len() < uids.len()
    }

    /// Everything that this module promises.
    fn must_keep_its_ways(&mut self) {
        self.run("the push");
        self.expect_bytes("a push changed it");
        self.expect_silence("the second run");
        let Some((at, id)) = self.somebody() else {
            assert!(self.world.linq().contacts().is_empty(), "{}: nobody is found", self.name);
            return;
        };
        self.world.linq().set(id, "title", "Chief of many things").unwrap();
        self.run("an edit");
        let edited = self.bytes().unwrap();
        let found = cards_of(&edited).people.swap_remove(at).unwrap();
        assert_eq!(found[Field::Title], "Chief of many things", "{}", self.name);
        only_the_title_differs(&self.name, &self.raw, &edited);
        self.raw = edited;
        self.expect_silence("the run after an edit");

        let new = [("first_name", "Nova"), ("last_name", "Newly"), ("email", "nova@new.example")];
        let new = self.world.linq().insert(new).unwrap();
        self.run("a new contact");
        self.expect_bytes("a new contact changed it");
        let mut names = names_in(&self.world.path("cards"));
        // What an editor may still write into is in a directory of its own.
        names.retain(|name| name != ".linqsync");
        assert_eq!(names, ["exported.vcf", &format!("linqsync-{new}.vcf")], "{}", self.name);

        self.world.linq().remove(id).unwrap();
        self.run("a deletion");
        let cards = |raw: &[u8]| cards_of(raw).people.len();
        let left = self.bytes().map_or(0, |raw| cards(&raw));
        // While something cannot be read nobody is deleted.
        let gone = usize::from(!self.is_incomplete());
        assert_eq!(left, cards(&self.raw) - gone, "{}: one card goes", self.name);
        assert!(self.world.path(&format!("cards/linqsync-{new}.vcf")).exists(), "{}", self.name);
    }
}

/// The lines of a file as text, UTF-16 decoded, everything else byte by byte.
fn lines(raw: &[u8]) -> Vec<String> {
    let encoding = match raw {
        [0xff, 0xfe, ..] => encoding_rs::UTF_16LE,
        [0xfe, 0xff, ..] => encoding_rs::UTF_16BE,
        _ => encoding_rs::WINDOWS_1252,
    };
    let (text, ..) = encoding.decode(raw);
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// Apart from one `TITLE`, of one line or several, both must be the same.
fn only_the_title_differs(name: &str, old: &[u8], new: &[u8]) {
    assert_eq!(old[..2], new[..2], "{name}: the byte order mark");
    let (old, new) = (lines(old), lines(new));
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same..], &new[same..]);
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - same], &new[..new.len() - same]);
    let is_title = |lines: &[String]| {
        let (first, others) = lines.split_first().unwrap();
        let head = first.split([':', ';']).next().unwrap().to_uppercase();
        let goes_on =
            |line: &String| line.trim_end().ends_with('=') || line.starts_with([' ', '\t']);
        head.rsplit('.').next() == Some("TITLE")
            && (others.is_empty() || goes_on(first) || others.iter().all(goes_on))
    };
    assert!(is_title(new) && (old.is_empty() || is_title(old)), "{name}: {old:?} became {new:?}");
}

fn files_of_cards(path: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_of_cards(&path, into);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("vcf")) {
            into.push(path);
        }
    }
}

#[test]
fn the_cards_of_every_program_keep_their_ways() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards");
    let asked = std::env::var_os("LINQSYNC_CARDS").map(PathBuf::from);
    let mut files = Vec::new();
    files_of_cards(asked.as_deref().unwrap_or(&own), &mut files);
    assert!(!files.is_empty(), "there are no cards");
    for file in &files {
        Exported::new(file).must_keep_its_ways();
    }
}
