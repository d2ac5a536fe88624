//! The documentation: every command in it is run, every file in it is used, and
//! every configuration in it is one.
//!
//! What a fenced block is, its first line says. `console`: commands behind `$ `, run
//! in order by `sh` in the document's own directory, each followed by what it
//! prints, where `…` stands for anything within a line and, alone, for any lines.
//! `csv contacts.csv`: a file of that name. `toml`: a configuration, which must be
//! right; with a name it is written as well. `text`: something to read. `sh`: what
//! changes the machine and is not tried, and no command of linqsync is among it.
//! Anything else fails, so that nothing is left untried by mistake. `reference` and
//! `told` keep the reference pages as the program is, `printed` the page about JSON, and
//! `links` sees to it that everything is found.

mod blocks;
mod demo;
mod exporters;
mod links;
mod printed;
mod reader;
mod reference;
mod told;

use std::path::{Path, PathBuf};

use blocks::{Block, BlockKind, blocks};
use reader::Reader;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every document for people, by its path below the project.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Does what a document says, as somebody would who reads it from top to bottom.
fn follow(path: &Path) {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    let mut reader = Reader::new();
    for Block { line, kind, text } in blocks(&text) {
        let place = format!("{}:{line}", path.display());
        match kind {
            BlockKind::Console => reader.types(&place, &text),
            BlockKind::File(name) => reader.saves(&name, &text),
            BlockKind::Configuration => reader.checks(&place, &text),
            BlockKind::Text => {}
            BlockKind::Machine => {
                let ours = text.lines().find(|line| line.trim_start().starts_with("linqsync"));
                assert_eq!(ours, None, "{place}: a command that is not tried");
            }
            BlockKind::Unknown(info) => panic!("{place}: what is a block of `{info}`?"),
        }
    }
}

#[test]
fn every_document_does_what_it_says() {
    let documents = documents();
    assert!(documents.len() > 1, "{documents:?}");
    let failed: Vec<String> = std::thread::scope(|scope| {
        let following: Vec<_> =
            documents.iter().map(|path| (path, scope.spawn(|| follow(path)))).collect();
        following
            .into_iter()
            .filter_map(|(path, thread)| thread.join().is_err().then(|| path.display().to_string()))
            .collect()
    });
    assert!(failed.is_empty(), "these documents do not do what they say: {failed:?}");
}
