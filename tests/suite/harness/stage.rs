//! A prepared world to which one can go back, as often as needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use linqsync::model::{Field, Values};
use linqsync::sandbox::{RouteKind, SandboxSnapshot};
use linqsync::source::vcard::cards_of;

use super::{PrintedRun, Process, World, people};

/// Two sides with something to do for every kind of write.
pub(crate) struct Stage {
    pub(crate) world: World,
    memory: SandboxSnapshot,
    saved: PathBuf,
    /// The file or directory of the source.
    source: &'static str,
    /// Everybody, once everything is done.
    people: Vec<Vec<String>>,
    /// How many requests a run makes that nothing disturbs.
    pub(crate) requests: u64,
    /// How long it takes.
    pub(crate) took: std::time::Duration,
}

const CSV: &str = "contacts.csv";
const CARDS: &str = "cards";

/// The card of person number `n`.
fn card(n: usize) -> String {
    let [first, last, email, phone, company, title] = people::person(n);
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:person-{n}\r\nN:{last};{first};;;\r\nFN:{first} {last}\r\n\
         EMAIL:{email}\r\nTEL;TYPE=CELL:{phone}\r\nORG:{company}\r\nTITLE:{title}\r\nNOTE:kept\r\n\
         END:VCARD\r\n"
    )
}

/// A person without e-mail and phone number, whom find cannot see.
fn nameless(n: usize) -> String {
    format!("First{n:03},Last{n:03},,,Company {n:03},\n")
}

impl Stage {
    /// Pairs with edits, deletions and new people on both sides.
    pub(crate) fn of_pairs() -> Stage {
        let mut world = World::with_csv(&(people::csv(1..=6) + &nameless(7)));
        calm(&mut world);
        world.sync();
        world.edit("Title 001", "Chief");
        world.change("First002", "title", "Captain");
        world.write(world.text().replace(&people::row(3), ""));
        world.remove("First004");
        world.write(world.text() + &people::row(8) + &nameless(9) + &nameless(10));
        world
            .linq()
            .insert([("first_name", "First011"), ("email", "p011@people.example")])
            .unwrap();
        Stage::of(world, CSV)
    }

    /// Cards that are edited in place and removed, in files of one and of many.
    pub(crate) fn of_cards() -> Stage {
        let mut world = World::new();
        std::fs::create_dir(world.path(CARDS)).unwrap();
        world.set("source.path", "\"cards\"");
        calm(&mut world);
        let save = |name: &str, numbers: &[usize]| {
            let text: String = numbers.iter().map(|n| card(*n)).collect();
            std::fs::write(world.path(CARDS).join(name), text).unwrap();
        };
        (1..=4).for_each(|n| save(&format!("{n}.vcf"), &[n]));
        save("many.vcf", &[5, 6, 7]);
        world.sync();
        save("8.vcf", &[8]);
        let first = world.path("cards/1.vcf");
        let edited = std::fs::read_to_string(&first).unwrap().replace("Title 001", "Chief");
        std::fs::write(&first, edited).unwrap();
        std::fs::remove_file(world.path("cards/3.vcf")).unwrap();
        world.change("First002", "title", "Captain");
        world.remove("First004");
        world.change("First005", "company", "Other works");
        world.remove("First006");
        let new = [("first_name", "First011"), ("email", "p011@people.example")];
        world.linq().insert(new).unwrap();
        Stage::of(world, CARDS)
    }

    /// A first run that links, creates on both sides and fills a column with ids.
    pub(crate) fn of_a_first_run() -> Stage {
        let mut world = World::with_csv(
            "First Name,Last Name,Email,Phone,Company,Title,linq_id\n\
             Ada,King,ada@people.example,,Engines,,\nBo,Wang,,,,,\n\
             Cy,Young,cy@people.example,,,Pilot,\nDee,,,,Works,,\n",
        );
        world.set("source.id_column", "\"linq_id\"");
        calm(&mut world);
        let ada = [("first_name", "Ada"), ("last_name", "King"), ("email", "ada@people.example")];
        world.linq().insert(ada.into_iter().chain([("title", "Countess")])).unwrap();
        world.linq().insert([("first_name", "Eve"), ("last_name", "Moor")]).unwrap();
        Stage::of(world, CSV)
    }

    fn of(world: World, source: &'static str) -> Stage {
        world.linq().forget_requests();
        let (memory, saved) = (world.linq().take_snapshot(), world.path("saved"));
        std::fs::create_dir(&saved).unwrap();
        copy(&world.path(source), &saved.join(source));
        copy(&world.path("state"), &saved.join("state"));
        let run = world.once().expect(0);
        let requests = world.linq().requests().len() as u64;
        let (people, took) = (world.people_in_linq(), run.ended.took);
        let stage = Stage { world, memory, saved, source, people, requests, took };
        assert_eq!(stage.people_in_source(), stage.people);
        stage
    }

    /// Goes back to the beginning.
    pub(crate) fn reset(&self) {
        let linq = self.world.linq();
        linq.clear_faults();
        linq.dismiss_witness();
        linq.restore_snapshot(&self.memory);
        linq.forget_requests();
        let _ = std::fs::remove_dir_all(self.world.path("state"));
        copy(&self.saved.join("state"), &self.world.path("state"));
        for entry in std::fs::read_dir(self.world.dir()).unwrap() {
            let path = entry.unwrap().path();
            let is_source =
                path.file_name().is_some_and(|name| name.to_string_lossy().contains(self.source));
            if path.ends_with(".linqsync") || is_source && path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else if is_source {
                std::fs::remove_file(path).unwrap();
            }
        }
        copy(&self.saved.join(self.source), &self.world.path(self.source));
    }

    pub(crate) fn start(&self) -> Process {
        self.world.start(&["--once", "--json"])
    }

    fn people_in_source(&self) -> Vec<Vec<String>> {
        if self.source == CARDS {
            return self.people_in_cards();
        }
        let columns = |person: Vec<String>| person.into_iter().take(6).collect();
        self.world.people_in_csv().into_iter().map(columns).collect()
    }

    fn people_in_cards(&self) -> Vec<Vec<String>> {
        let members = |values: Values| {
            people::MEMBERS.map(|name| values[Field::from_name(name).unwrap()].to_string()).to_vec()
        };
        let files = self.bytes().into_iter().filter(|(name, _)| is_card(name));
        let cards = files.flat_map(|(_, raw)| cards_of(&raw).people);
        let mut people: Vec<Vec<String>> = cards.map(|person| members(person.unwrap())).collect();
        people.sort();
        people
    }

    /// The files of the source, by name.
    fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let path = self.world.path(self.source);
        if path.is_file() {
            return BTreeMap::from([(self.source.to_owned(), std::fs::read(path).unwrap())]);
        }
        let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        let files = files.filter(|file| file.path().is_file());
        let name = |file: &std::fs::DirEntry| file.file_name().into_string().unwrap();
        files.map(|file| (name(&file), std::fs::read(file.path()).unwrap())).collect()
    }

    /// A run that does everything, whatever the faults.
    pub(crate) fn must_end_well(&self, point: &str) {
        let run = self.world.once();
        let left = format!("{point}: {:#}\n{}", run.json, run.ended.stderr);
        assert_eq!(run.ended.code, Some(0), "{left}");
        assert_eq!(self.world.people_in_linq(), self.people, "{left}");
        assert_eq!(self.people_in_source(), self.people, "{left}");
    }

    /// Two further runs: the first ends as if there had been no other before it, the
    /// second has nothing to do.
    pub(crate) fn must_heal(&self, point: &str) -> PrintedRun {
        let linq = self.world.linq();
        linq.clear_faults();
        linq.dismiss_witness();
        let left = |run: &PrintedRun| format!("{point}: {:#}\n{}", run.json, run.ended.stderr);
        let run = self.world.once();
        assert_eq!(run.ended.code, Some(0), "{}", left(&run));
        assert_eq!(self.world.people_in_linq(), self.people, "{}", left(&run));
        assert_eq!(self.people_in_source(), self.people, "{}", left(&run));
        assert_eq!(run.count("in_sync"), self.people.len() as u64, "{}", left(&run));
        let files = self.bytes();
        linq.forget_requests();
        let second = self.world.once();
        assert_eq!(
            (second.ended.code, self.world.writes()),
            (Some(0), vec![]),
            "{}",
            left(&second)
        );
        assert_eq!(self.bytes(), files, "{}", left(&second));
        assert_eq!(self.world.requests(RouteKind::Get), vec![], "{}", left(&second));
        run
    }
}

/// Waits that are short beside those of a real Linq, and long beside this one's.
fn calm(world: &mut World) {
    world.set("linq.settle", "\"150ms\"").set("linq.timeout", "\"5s\"");
}

fn copy(from: &Path, to: &Path) {
    if !from.exists() {
        return;
    }
    let metadata = std::fs::metadata(from).unwrap();
    if metadata.is_dir() {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        std::fs::set_permissions(to, metadata.permissions()).unwrap();
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

/// Whether linqsync and others take a file for cards: versions that it has set aside have
/// further endings.
fn is_card(name: &str) -> bool {
    !name.starts_with('.') && Path::new(name).extension().is_some_and(|ending| ending == "vcf")
}
