//! The reference: pages that are made from the program, and are as the program is.
//!
//! `LINQSYNC_WRITE_DOCS=1 cargo test --test suite documents` writes them anew.

use std::fmt::Write;
use std::path::Path;

use linqsync::config::reference::{self, EXAMPLE, Section};
use serde_json::Value;

use super::root;
use crate::harness::World;

/// The text of `path` is `made`; or it is from now on, if that is asked for.
#[track_caller]
pub(super) fn is_up_to_date(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("LINQSYNC_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, made).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == made,
        "{path} is out of date: run LINQSYNC_WRITE_DOCS=1 cargo test --test suite documents"
    );
}

#[test]
fn the_page_about_the_configuration_has_every_key_as_the_program_knows_it() {
    let mut page = format!(
        "# sync.toml\n\n<!-- Made from sync.toml.example by a test: edit that file. -->\n\n{}\n",
        reference::introduction()
    );
    for Section { name, about, entries } in reference::sections() {
        write!(page, "\n## `[{name}]`\n\n").unwrap();
        if !about.is_empty() {
            write!(page, "{about}\n\n").unwrap();
        }
        page += "| key | default | what it is for |\n|---|---|---|\n";
        for entry in entries {
            let default = match &entry.default {
                Some(default) => format!("`{default}`"),
                None => format!("unset, such as `{}`", entry.example),
            };
            let cells = [format!("`{}`", entry.key), default, entry.about];
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            writeln!(page, "| {} |", cells.join(" | ")).unwrap();
        }
    }
    is_up_to_date("docs/reference/configuration.md", &page);
}

#[test]
fn editors_get_a_schema_of_the_configuration() {
    let schema = reference::config_schema();
    is_up_to_date(
        "docs/reference/sync.schema.json",
        &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()),
    );
    let kind = schema["properties"]["linq"]["properties"]["concurrency"]["type"].clone();
    assert_eq!(kind, "integer");
}

/// What the schema lists as allowed is taken by the program, and nothing else is.
#[test]
fn the_schema_allows_what_the_program_takes() {
    let schema = reference::config_schema();
    let mut compared = 0;
    for (section, inside) in schema["properties"].as_object().unwrap() {
        for (key, property) in inside["properties"].as_object().unwrap() {
            // Of what takes other texts too, the first alternative lists some.
            let listed = property["enum"].as_array();
            let listed = listed.or_else(|| property["anyOf"][0]["enum"].as_array());
            let Some(values) = listed else { continue };
            let takes = |value: &str| takes(section, key, value);
            for value in values.iter().map(|value| value.as_str().unwrap()) {
                assert!(takes(value), "{section}.{key} = {value:?}");
                compared += 1;
            }
            assert!(!takes("something-else"), "{section}.{key}");
        }
    }
    assert!(compared > 15, "{compared}");
}

fn takes(section: &str, key: &str, value: &str) -> bool {
    let path = if section == "source" { "" } else { "[source]\npath = \"contacts.csv\"\n" };
    let own = if section == "source" { "path = \"contacts.csv\"\n" } else { "" };
    // Whose scope is somebody's needs to say whose.
    let owner = if key == "scope" { "owner = \"sam@acme.example\"\n" } else { "" };
    let text = format!("{path}[{section}]\n{own}{owner}{key} = \"{value}\"\n");
    linqsync::config::Config::of_text(Path::new("/tmp/sync.toml"), &text).is_ok()
}

#[test]
fn every_line_of_the_example_is_in_the_reference() {
    let entries: usize = reference::sections().iter().map(|section| section.entries.len()).sum();
    let lines = EXAMPLE.lines().filter(|line| line.contains(" = ") && !line.starts_with("# "));
    assert_eq!(entries, lines.count());
    for section in reference::sections() {
        for entry in section.entries {
            assert!(!entry.variable.is_empty(), "{}.{} is no key", section.name, entry.key);
            assert!(entry.default.is_none_or(|default| !default.is_empty()));
        }
    }
    let schema: Value = reference::config_schema();
    assert_eq!(schema["properties"]["sync"]["properties"]["fields"]["additionalProperties"], false);
}

/// What `--help` of each command says, on one page.
#[test]
fn the_page_about_the_commands_is_what_they_say_themselves() {
    let world = World::new();
    let help = |arguments: &[&str]| world.run(&[arguments, &["--help"]].concat()).expect(0).stdout;
    let program = help(&[]);
    let mut page = format!(
        "# Commands\n\n<!-- Made from --help by a test. -->\n\n{}\n\
         Exit codes are explained in [exit-codes.md](exit-codes.md).\n",
        block(&program)
    );
    for command in commands(&program) {
        // The options that every command has are on the first block.
        let own = help(&[&command]);
        let own =
            own.split("\n\nOptions:").next().unwrap_or(&own).to_owned() + &options(&own, &program);
        write!(page, "\n## `{command}`\n\n{}", block(&own)).unwrap();
    }
    is_up_to_date("docs/reference/commands.md", &page);
}

fn block(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    format!("```text\n{}\n```\n", lines.trim())
}

/// The commands that the help lists, in its order.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(String::from)
        .collect()
}

/// The options of a command's help that the program itself does not have.
fn options(own: &str, program: &str) -> String {
    let listed = |help: &str| paragraphs(help.split_once("\n\nOptions:\n").map_or("", |p| p.1));
    let shared: Vec<String> = listed(program).iter().map(|option| head(option)).collect();
    let own = listed(own).into_iter().filter(|option| !shared.contains(&head(option)));
    let own: Vec<String> = own.map(|option| option.trim_end().to_owned()).collect();
    if own.is_empty() { String::new() } else { format!("\n\nOptions:\n{}", own.join("\n\n")) }
}

/// The options, each with its lines; the first of them names it.
fn paragraphs(listed: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in listed.lines() {
        let begins = line.trim_start().starts_with('-') && line.len() - line.trim_start().len() < 8;
        match found.last_mut() {
            Some(last) if !begins => *last = format!("{last}{line}\n"),
            _ => found.push(format!("{line}\n")),
        }
    }
    found
}

fn head(paragraph: &str) -> String {
    paragraph.lines().next().unwrap_or_default().trim().to_owned()
}
