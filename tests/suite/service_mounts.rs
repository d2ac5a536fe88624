//! A file system that comes and goes under the source, in a name space of its own: with
//! nothing mounted there is an empty directory, which is not a source that was emptied.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Process, World, people, wait_until};
use crate::vcards;

/// A daemon that sees mounts which nobody else sees.
struct Apart {
    daemon: Process,
    /// Where mounts are made.
    on: PathBuf,
}

impl Apart {
    /// `None` where this user may mount nothing, which is told.
    fn start(world: &World, on: &str) -> Option<Apart> {
        let mut tried = Command::new("unshare");
        let tried = tried.args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
        if !tried.as_ref().is_ok_and(|tried| tried.status.success()) {
            skipped(&format!("nothing can be mounted here: {tried:?}"));
            return None;
        }
        let inside = world.command(&["-v"]);
        let mut command = Command::new("unshare");
        command.arg("--mount").arg(inside.get_program()).args(inside.get_args());
        command.current_dir(inside.get_current_dir().unwrap()).env_clear();
        command.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Some(Apart { daemon: Process::start(command), on: world.path(on) })
    }

    fn mount(&self) {
        self.inside(&["mount", "-t", "tmpfs", "none"]);
    }

    /// Takes the file system away also from who uses it, as a stick that is pulled out.
    fn take_away(&self) {
        self.inside(&["umount", "--lazy"]);
    }

    fn inside(&self, words: &[&str]) {
        let mut command = Command::new("nsenter");
        command.arg("--mount").arg(format!("--target={}", self.daemon.pid()));
        let done = command.args(words).arg(&self.on).output().unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
    }

    /// A path as the daemon sees it.
    fn seen(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.daemon.pid()));
        root.join(self.on.strip_prefix("/").unwrap()).join(name)
    }

    fn end(self) {
        self.daemon.terminate();
        self.daemon.ended().expect(0);
    }
}

#[expect(clippy::print_stderr, reason = "who reads the tests is to know")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

fn title_is(world: &World, first_name: &str, title: &str) {
    wait_until(title, || world.contact(first_name).title.as_deref() == Some(title));
}

#[test]
fn a_table_on_a_file_system_that_comes_and_goes_is_taken_up_again() {
    let mut world = World::new();
    fs::create_dir(world.path("mount")).unwrap();
    let file = world.path("mount/contacts.csv");
    fs::write(&file, people::csv(1..=5)).unwrap();
    world.set("source.path", "\"mount/contacts.csv\"").set("sync.schedule", "\"every 24h\"");
    world.sync();
    fs::remove_file(file).unwrap();
    let Some(apart) = Apart::start(&world, "mount") else { return };
    wait_until("it misses the source", || apart.daemon.stderr().contains("contacts.csv"));
    let mut text = people::csv(1..=5);
    for (was, is) in [("Title 001", "Chief"), ("Chief", "Cook")] {
        // A file system without the file, as while it is being filled.
        apart.mount();
        world.once().expect(2);
        text = text.replace(was, is);
        fs::write(apart.seen("contacts.csv"), &text).unwrap();
        title_is(&world, "First001", is);
        world.change("First002", "title", is);
        world.once().expect(0);
        text = fs::read_to_string(apart.seen("contacts.csv")).unwrap();
        assert_eq!(text.matches(is).count(), 2, "linqsync writes there, too: {text}");
        apart.take_away();
        world.once().expect(2);
        assert_eq!(world.linq().contacts().len(), 5, "nobody is gone because a mount is");
    }
    apart.end();
}

#[test]
fn cards_on_a_file_system_that_comes_and_goes_are_taken_up_again() {
    let card = |n: usize, title: &str| {
        format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-{n}\r\nN:Last{n};First{n};;;\r\nFN:First{n} \
                 Last{n}\r\nEMAIL:p{n}@people.example\r\nTITLE:{title}\r\nEND:VCARD\r\n"
        )
    };
    let mut world = vcards::world(&[]);
    let fill = |directory: PathBuf, title: &str| {
        for n in 1..=5 {
            fs::write(directory.join(format!("{n}.vcf")), card(n, title)).unwrap();
        }
    };
    fill(world.path("cards"), "Chief");
    world.set("sync.schedule", "\"every 24h\"");
    world.sync();
    for n in 1..=5 {
        fs::remove_file(world.path(&format!("cards/{n}.vcf"))).unwrap();
    }
    let Some(apart) = Apart::start(&world, "cards") else { return };
    let said = || apart.daemon.stderr();
    wait_until("the first run is over", || said().contains("held=5") || said().contains("empty"));
    for title in ["Cook", "Pilot"] {
        world.once().expect(4);
        assert_eq!(world.linq().contacts().len(), 5, "nobody is gone because a mount is");
        apart.mount();
        world.once().expect(4);
        fill(apart.seen(""), title);
        title_is(&world, "First3", title);
        world.once().expect(0);
        assert_eq!(world.linq().contacts().len(), 5);
        apart.take_away();
    }
    apart.end();
}
