//! Every JSON document says which form it has, and in which version.

use serde_json::Value;

use crate::harness::{PAGE, World};

/// Whether a text names a form and its version, as `linqsync.run/1`.
fn is_versioned(schema: &str) -> bool {
    let Some((name, version)) = schema.split_once('/') else { return false };
    let Some(name) = name.strip_prefix("linqsync.") else { return false };
    !name.is_empty() && version.parse::<u32>().is_ok_and(|version| version > 0)
}

#[test]
fn every_json_document_names_its_form_with_a_version() {
    assert!(is_versioned("linqsync.run/1"));
    for bad in ["linqsync.run", "run/1", "linqsync.run/0", "linqsync.run/one", "linqsync./1"] {
        assert!(!is_versioned(bad), "{bad}");
    }
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/json.md"))
            .unwrap();
    let schemas: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `schema` | `\"")?.split('"').next())
        .collect();
    assert!(schemas.len() > 10 && schemas.iter().all(|schema| is_versioned(schema)), "{schemas:?}");
    assert_eq!(
        PAGE.members().iter().filter(|(_, member)| member == "schema").count(),
        schemas.len()
    );

    // What each command prints, after a run and where nothing is set up at all.
    let world = World::with_csv("First Name,Last Name,Email\nAda,King,ada@acme.example\n");
    world.sync();
    let nowhere = tempfile::tempdir().unwrap();
    let missing = nowhere.path().join("sync.toml");
    let help = world.run(&["--help"]);
    let commands: Vec<String> = help
        .stdout
        .split("\nOptions:")
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("  "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        // They print what is not JSON, or serve.
        .filter(|name| !["completions", "man", "help", "demo", "sandbox"].contains(&name.as_str()))
        .filter(|name| !name.contains("password"))
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        let operand: &[&str] = match command.as_str() {
            "init" => &["contacts.csv"],
            "apply" => &["missing.plan"],
            "explain" | "purge" => &["Ada King"],
            "undo" => &["1"],
            "list" => &["in-sync"],
            "export" => &["--format", "json"],
            "resolve" | "approve" | "reject" | "retry" => &["--all"],
            _ => &[],
        };
        let mut there = vec![command.as_str(), "--json"];
        there.extend(operand);
        let mut elsewhere = vec!["-c", missing.to_str().unwrap()];
        elsewhere.extend(&there);
        for arguments in [there, elsewhere] {
            let ended = world.run(&arguments);
            let document: Value = serde_json::from_str(&ended.stdout)
                .unwrap_or_else(|_| panic!("{arguments:?} printed {:?}", ended.stdout));
            let schema = document["schema"].as_str().unwrap_or_default();
            assert!(is_versioned(schema), "{arguments:?}: {document}");
        }
    }
}
