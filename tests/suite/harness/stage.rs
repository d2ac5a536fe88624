//! A prepared world to which one can go back, as often as needed.

use std::path::{Path, PathBuf};

use linqsync::sandbox::{Kind, Memory};

use super::{Process, Run, World, people};

/// Two sides with something to do for every kind of write.
pub(crate) struct Stage {
    pub(crate) world: World,
    memory: Memory,
    saved: PathBuf,
    /// Everybody, once everything is done.
    people: Vec<Vec<String>>,
    /// How many requests a run makes that nothing disturbs.
    pub(crate) requests: u64,
    /// How long it takes.
    pub(crate) took: std::time::Duration,
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
        Stage::of(world)
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
        Stage::of(world)
    }

    fn of(world: World) -> Stage {
        world.linq().forget_requests();
        let (memory, saved) = (world.linq().remember(), world.path("saved"));
        std::fs::create_dir(&saved).unwrap();
        copy(&world.csv(), &saved.join("contacts.csv"));
        copy(&world.path("state"), &saved.join("state"));
        let run = world.once().expect(0);
        let requests = world.linq().requests().len() as u64;
        let (people, took) = (world.people_in_linq(), run.ended.took);
        let stage = Stage { world, memory, saved, people, requests, took };
        assert_eq!(stage.people_in_csv(), stage.people);
        stage
    }

    /// Goes back to the beginning.
    pub(crate) fn reset(&self) {
        let linq = self.world.linq();
        linq.clear_faults();
        linq.dismiss_witness();
        linq.restore(&self.memory);
        linq.forget_requests();
        let _ = std::fs::remove_dir_all(self.world.path("state"));
        copy(&self.saved.join("state"), &self.world.path("state"));
        for entry in std::fs::read_dir(self.world.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().contains("contacts.csv"))
            {
                std::fs::remove_file(path).unwrap();
            }
        }
        copy(&self.saved.join("contacts.csv"), &self.world.csv());
    }

    pub(crate) fn start(&self) -> Process {
        self.world.start(&["--once", "--json"])
    }

    fn people_in_csv(&self) -> Vec<Vec<String>> {
        let columns = |person: Vec<String>| person.into_iter().take(6).collect();
        self.world.people_in_csv().into_iter().map(columns).collect()
    }

    /// A run that does everything, whatever the faults.
    pub(crate) fn must_end_well(&self, point: &str) {
        let run = self.world.once();
        let left = format!("{point}: {:#}\n{}", run.json, run.ended.stderr);
        assert_eq!(run.ended.code, Some(0), "{left}");
        assert_eq!(self.world.people_in_linq(), self.people, "{left}");
        assert_eq!(self.people_in_csv(), self.people, "{left}");
    }

    /// Two further runs: the first ends as if there had been no other before it, the
    /// second has nothing to do.
    pub(crate) fn must_heal(&self, point: &str) -> Run {
        let linq = self.world.linq();
        linq.clear_faults();
        linq.dismiss_witness();
        let left = |run: &Run| format!("{point}: {:#}\n{}", run.json, run.ended.stderr);
        let run = self.world.once();
        assert_eq!(run.ended.code, Some(0), "{}", left(&run));
        assert_eq!(self.world.people_in_linq(), self.people, "{}", left(&run));
        assert_eq!(self.people_in_csv(), self.people, "{}", left(&run));
        assert_eq!(run.count("in_sync"), self.people.len() as u64, "{}", left(&run));
        let file = std::fs::read(self.world.csv()).unwrap();
        linq.forget_requests();
        let second = self.world.once();
        assert_eq!(
            (second.ended.code, self.world.writes()),
            (Some(0), vec![]),
            "{}",
            left(&second)
        );
        assert_eq!(std::fs::read(self.world.csv()).unwrap(), file, "{}", left(&second));
        assert_eq!(self.world.requests(Kind::Get), vec![], "{}", left(&second));
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
