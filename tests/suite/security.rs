//! The table of SECURITY.md, the alerts, the dashboard and what belongs to containers.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn sources(place: &Path, into: &mut String) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_line_of_the_checklist_is_answered_and_every_test_that_it_names_is_there() {
    let mut tests = String::new();
    sources(&root().join("src"), &mut tests);
    sources(&root().join("tests"), &mut tests);
    let table = text("SECURITY.md");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| S")).collect();
    let numbers: Vec<String> =
        rows.iter().map(|row| row[2..].split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(numbers, (1..=30).map(|number| format!("S{number}")).collect::<Vec<_>>());
    let is_test = |word: &&str| {
        word.contains('_')
            && word.len() > 15
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut named = 0;
    for name in table.split('`').filter(is_test) {
        assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
        named += 1;
    }
    assert!(named > 40, "{named}");
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard: serde_json::Value = serde_json::from_str(&text("docs/grafana.json")).unwrap();
    let reference = text("docs/reference/metrics.md");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids: Vec<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    let mut asked = 0;
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let expression = target["expr"].as_str().unwrap();
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            assert_eq!(expression.matches(open).count(), expression.matches(close).count());
        }
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let metrics =
            words.filter(|word| word.starts_with("linqsync_") || word.starts_with("process_"));
        for name in metrics {
            let family = name.trim_end_matches("_bucket");
            assert!(reference.contains(&format!("`{family}`")), "{name} of {expression}");
            asked += 1;
        }
    }
    assert!(asked > 15, "{asked}");
}

#[test]
fn containers_are_without_privileges_bury_what_hooks_leave_behind_and_tell_their_health() {
    let image = text("Containerfile");
    assert!(image.contains("\nUSER 10001:10001\n"));
    assert!(image.contains("CMD [\"/usr/bin/linqsync\", \"status\", \"--healthy\"]"));
    let compose = text("docs/compose.yml");
    for line in ["  init: true", "  read_only: true", "    - ALL", "    - no-new-privileges:true"] {
        assert!(compose.lines().any(|found| found == line), "{line}");
    }
    assert!(!compose.contains('\t'));
    for pair in ["sales", "support"] {
        assert!(
            compose.contains(&format!("      - ./{pair}:/work\n      - {pair}-state:/state\n"))
        );
        assert!(compose.contains(&format!("\n  {pair}-state:\n")), "its state is a volume");
    }
}
