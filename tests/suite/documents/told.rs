//! The reference pages that are compared with what the program makes: metrics, the
//! state, and the texts of errors.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use rusqlite::Connection;

use super::reference::is_up_to_date;
use super::root;
use crate::harness::{World, people, wait_until};
use crate::service_metrics::{get, telling};

const LABELS: &str = "\
| label | values |
|---|---|
| `outcome` | `clean`, `attention`, `held`, `failed`, as in [JSON](json.md#linqsyncrun1) |
| `side` | `source`, `linq` |
| `action` | `create`, `update`, `delete` |
| `state` | `conflicts`, `ambiguous`, `rejected`, `held` |
| `call` | `list`, `find`, `get`, `create`, `update`, `delete` |
| `code` | the HTTP status; `none` where there was no answer |
| `version`, `revision` | of the program |
";

#[test]
fn the_page_about_metrics_has_every_family_as_it_is_told() {
    let mut world = World::with_csv(&people::csv(1..=2));
    let (daemon, address) = telling(&mut world);
    wait_until("it is ready", || get(&address, "/readyz").0 == 200);
    let text = get(&address, "/metrics").2;
    daemon.terminate();
    daemon.ended().expect(0);
    let mut page = "# Metrics\n\n<!-- Made from the metrics themselves by a test. -->\n\n\
        `status.listen` tells them at `/metrics`, `status.textfile` writes them to a file: see\n\
        [the service](../service.md). Rules for Prometheus are in [alerts](../how-to/alerts.md).\n\
        The form is OpenMetrics 1.0. No label says anything of anybody.\n\n\
        Counters and histograms go on from one process to the next: the state keeps what they\n\
        have come to, wherever one of the two settings is set. A run that was killed is not\n\
        counted. What begins with `process_` is of the daemon alone, and not in the file.\n\n\
        | metric | type | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for family in families(&text) {
        let Family { name, kind, help, labels } = family;
        let name = if kind == "counter" { format!("{name}_total") } else { name };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    for label in ["outcome", "side", "action", "state", "call", "code", "version", "revision"] {
        assert!(page.contains(&format!("`{label}`")) && LABELS.contains(&format!("`{label}`")));
    }
    is_up_to_date("docs/reference/metrics.md", &format!("{page}\n{LABELS}"));
}

struct Family {
    name: String,
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        let comment = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>());
        match comment.as_deref() {
            Some(["HELP", name, help]) => families.push(Family {
                name: (*name).to_owned(),
                kind: String::new(),
                help: help.trim_end_matches('.').to_owned(),
                labels: BTreeSet::new(),
            }),
            Some(["TYPE", _, kind]) => (*kind).clone_into(&mut families.last_mut().unwrap().kind),
            Some(other) => panic!("{other:?}"),
            None => {
                let inside = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
                let labels = inside.map_or("", |(inside, _)| inside).split(',');
                let names = labels.filter_map(|label| label.split_once('=')).map(|(name, _)| name);
                let names = names.filter(|name| *name != "le").map(String::from);
                families.last_mut().unwrap().labels.extend(names);
            }
        }
    }
    families
}

/// Every table and view with its columns, by `Table `x`` or `View `x``.
type Schema = BTreeMap<String, Vec<(String, String)>>;

#[test]
fn the_page_about_the_state_has_every_column_that_there_is() {
    let world = World::synced(&people::csv(1..=2));
    let state = Connection::open(world.path("state").join("state.db")).unwrap();
    let mut names = state
        .prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut made = Schema::new();
    for (kind, name) in names.map(|row: Result<(String, String), _>| row.unwrap()) {
        let kind = if kind == "view" { "View" } else { "Table" };
        let mut columns = state.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
        let columns = columns.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        made.insert(format!("{kind} `{name}`"), columns.map(Result::unwrap).collect());
    }
    let page = std::fs::read_to_string(root().join("docs/reference/state.md")).unwrap();
    let mut written = Schema::new();
    for section in page.split("\n## ").skip(1) {
        let (heading, rest) = section.split_once('\n').unwrap();
        let rows = rest.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = |row: &str| {
            let mut cells = row.split('|').map(|cell| cell.trim().trim_end_matches('`').to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        };
        written.insert(heading.to_owned(), rows.map(cells).collect());
    }
    assert_eq!(written, made);
}

/// The text of every error in a file of the program, with `…` for what it is filled with.
fn texts(source: &str) -> Vec<String> {
    let attributes = source.split("#[error(").skip(1);
    attributes.filter_map(|rest| rest.trim_start().strip_prefix('"')).map(text).collect()
}

fn text(rest: &str) -> String {
    let mut text = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('\n') => {
                    let blanks = chars.as_str().len() - chars.as_str().trim_start().len();
                    chars.by_ref().take(blanks).for_each(drop);
                }
                Some('n') => text.push(' '),
                other => text.extend(other),
            },
            '{' => {
                chars.by_ref().find(|c| *c == '}');
                text.push('…');
            }
            c => text.push(c),
        }
    }
    while text.contains("……") {
        text = text.replace("……", "…");
    }
    text
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_page_about_errors_has_the_text_of_every_error() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let made: BTreeSet<String> = files.iter().flat_map(|file| texts(file)).collect();
    // Texts that are filled with others, and say nothing themselves.
    let made: BTreeSet<String> = made.into_iter().filter(|text| text != "…").collect();
    let page = std::fs::read_to_string(root().join("docs/reference/errors.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let first = rows.filter_map(|row| row.split(" | ").next());
    let written: BTreeSet<String> = first
        .filter(|cell| !matches!(*cell, "message" | "part"))
        .map(|c| c.replace('`', ""))
        .collect();
    let made: BTreeSet<String> = made.into_iter().map(|text| text.replace('`', "")).collect();
    let missing: Vec<_> = made.difference(&written).collect();
    let too_many: Vec<_> = written.difference(&made).collect();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "not on the page: {missing:#?}\nnot in the program: {too_many:#?}"
    );
}

#[test]
fn the_text_of_an_error_is_found_as_it_is_shown() {
    let source = "#[error(transparent)]\n#[error(\"a {} \\\"b\\\" {x:?}\", y)]\n#[error(\n    \"one \\\n     two\"\n)]";
    assert_eq!(texts(source), ["a … \"b\" …", "one two"]);
}
