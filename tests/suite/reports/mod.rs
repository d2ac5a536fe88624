//! What each command says in its main situations, in 80 columns: a plain file for each
//! in this directory, to be read as a person would.
//!
//! `LINQSYNC_WRITE_DOCS=1 cargo test --test suite reports` writes them anew. What
//! differs from one time to the next is put in a form that does not: paths, ports,
//! instants, process ids.

mod situations;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::harness::{EndedProcess, World};

/// No line on stdout may be wider than this, but for one with a path.
const WIDTH: usize = 80;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/reports")
}

/// The reports of one world, each in its file.
struct Reports<'a> {
    world: &'a World,
    told: Vec<String>,
}

impl<'a> Reports<'a> {
    fn of(world: &'a World) -> Reports<'a> {
        Reports { world, told: Vec::new() }
    }

    /// What a command says is what the file `name` says.
    #[track_caller]
    fn says(&mut self, name: &str, arguments: &[&str], code: i32) -> &mut Self {
        let ended = self.world.run(&[arguments, &["-q"]].concat()).expect(code);
        let is_wide = |line: &&str| {
            line.chars().count() > WIDTH && !line.contains(self.world.dir().to_str().unwrap())
        };
        let wide: Vec<&str> = ended.stdout.lines().filter(is_wide).collect();
        assert!(wide.is_empty(), "{name} is wider than {WIDTH} columns: {wide:#?}");
        let typed = format!("$ linqsync {}", arguments.join(" "));
        let text = self.text(&typed, &ended, code);
        self.compare(name, &text);
        self
    }

    fn text(&self, typed: &str, ended: &EndedProcess, code: i32) -> String {
        let mut text = format!("{typed}\n{}", ended.stdout);
        if !ended.stderr.is_empty() {
            text = format!("{text}--- stderr\n{}", ended.stderr);
        }
        always_the_same(self.world, &format!("{text}--- exit code {code}\n"))
    }

    #[track_caller]
    fn compare(&mut self, name: &str, text: &str) {
        assert!(!text.contains('\u{1b}'), "colours without a terminal in {name}");
        let file = folder().join(format!("{name}.txt"));
        if std::env::var_os("LINQSYNC_WRITE_DOCS").is_some() {
            std::fs::write(&file, text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "{name}.txt is out of date; run LINQSYNC_WRITE_DOCS=1 cargo test --test suite reports\n\
             {text}"
        );
        self.told.push(name.to_owned());
    }
}

/// The same text, wherever and whenever it was printed.
fn always_the_same(world: &World, text: &str) -> String {
    let text = text.replace(&format!("{}/", world.dir().display()), "DIR/");
    let text = text.replace(&world.dir().display().to_string(), "DIR");
    let text = text.replace(world.url().trim_end_matches('/'), "http://LINQ");
    let text = joined(&text);
    let lines = text.lines().map(|line| {
        let words = line.split_inclusive(' ').map(without_time);
        let line: String = words.collect();
        // The day is told as well where midnight is in between.
        let line = between(&line, " since ", ", next probe", "22:00");
        let line = between(&line, "(", " ago)", "some time");
        let line = between(&line, "pid ", ",", "PID");
        let line = between(&line, "at the start, then ", "", "SOME TIME");
        let line = between(&line, "answers in ", " ms", "SOME");
        let line = between(&line, "decided by ", " with", "USER");
        // Some of these machines have it installed.
        let is_service =
            line.starts_with("ok       service") || line.starts_with("skipped  service");
        if is_service { "…        service\n".to_owned() } else { line + "\n" }
    });
    lines.collect()
}

/// `check` and `status` without their line breaks, where these depend on what is
/// replaced.
fn joined(text: &str) -> String {
    let of = |command: &str| text.starts_with(&format!("$ linqsync {command}"));
    let mut joined: Vec<String> = Vec::new();
    for line in text.lines() {
        let goes_on = match joined.last() {
            Some(_) if of("check") => line.starts_with(&" ".repeat(24)),
            Some(last) if of("status") => {
                line.starts_with("           ")
                    && (last.contains(" ago)") || last.contains("(pid "))
            }
            _ => false,
        };
        match joined.last_mut() {
            Some(last) if goes_on => *last = format!("{last} {}", line.trim_start()),
            _ => joined.push(line.to_owned()),
        }
    }
    joined.join("\n") + "\n"
}

/// The same line, with `known` for what stands between two texts.
fn between(line: &str, before: &str, after: &str, known: &str) -> String {
    let found = line.find(before).map(|at| at + before.len());
    let Some(begin) = found else { return line.to_owned() };
    let length =
        if after.is_empty() { Some(line.len() - begin) } else { line[begin..].find(after) };
    match length {
        Some(length) => format!("{}{known}{}", &line[..begin], &line[begin + length..]),
        None => line.to_owned(),
    }
}

/// The same word, with another date or time of the day in place of one.
fn without_time(word: &str) -> String {
    let trimmed = word.trim_end();
    let rest = &word[trimmed.len()..];
    let digits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(c, f)| match f {
                b'0' => c.is_ascii_digit(),
                f => c == f,
            })
    };
    let core = trimmed.trim_end_matches([':', ',', ')', ';']);
    let after = &trimmed[core.len()..];
    for (form, known) in [
        ("0000-00-00", "2026-11-20"),
        ("00:00:00", "22:00:07"),
        ("00:00", "22:00"),
        ("0000-00-00T00:00:00.000000Z", "2026-11-20T22:00:07.000000Z"),
        ("0000-00-00T00:00:00Z", "2026-11-20T22:00:07Z"),
    ] {
        if digits(core, form) {
            return format!("{known}{after}{rest}");
        }
    }
    word.to_owned()
}

#[test]
fn every_command_says_what_it_should_in_its_main_situations() {
    let told: BTreeSet<String> = situations::all().into_iter().collect();
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(told, files, "a file for each situation, and no other");
    assert!(told.len() > 40, "{}", told.len());
}

#[test]
fn what_changes_from_one_time_to_the_next_is_told_apart_from_what_does_not() {
    assert_eq!(without_time("2030-01-02 "), "2026-11-20 ");
    assert_eq!(without_time("03:04:05,"), "22:00:07,");
    assert_eq!(without_time("row:12"), "row:12");
    assert_eq!(between("a (2 seconds ago): b", "(", " ago)", "some time"), "a (some time ago): b");
    assert_eq!(between("a", "(", " ago)", "x"), "a");
}
