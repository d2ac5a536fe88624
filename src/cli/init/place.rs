//! What is told of the place of a source before it is set up: an empty directory, a file that
//! another program or another pair works with.

use std::path::{Path, PathBuf};

use crate::config::{Config, SourceKind};
use crate::open;
use crate::report::ReportedError;
use crate::source::SourceReading;

/// Refuses a directory without vCards that holds a table.
pub(super) fn refuse_directory_of_a_table(
    path: &Path,
    config: &Config,
    reading: &SourceReading,
) -> Option<ReportedError> {
    if !is_empty(config, reading) {
        return None;
    }
    let table =
        list_files(path).into_iter().find(|file| has_ending(file, &["csv", "tsv", "xlsx"]))?;
    Some(ReportedError {
        code: 2,
        message: format!("{} holds no vCards (.vcf)", path.display()),
        hint: format!("to set up the table in it: linqsync init {}", table.display()),
    })
}

/// What whoever sets the source up should know, for people.
pub(super) fn location_notes(path: &Path, config: &Config, reading: &SourceReading) -> Vec<String> {
    let mut notes = Vec::new();
    if is_empty(config, reading) {
        let below = list_files(path).into_iter().filter(|file| file.is_dir());
        let mut cards =
            below.flat_map(|dir| list_files(&dir)).filter(|file| has_ending(file, &["vcf"]));
        notes.push(if cards.next().is_some() {
            "no .vcf file is in the directory itself, but below it: set source.recursive = true \
             for those"
                .to_owned()
        } else {
            "no .vcf file is in the directory: the first run writes one for each contact in Linq"
                .to_owned()
        });
    }
    notes.extend(open_elsewhere(&config.source.path));
    let source = open::configured_pair(config).source;
    let others = open::other_states(config).into_iter();
    notes.extend(others.filter(|(_, pair)| pair.source == source).map(|(dir, pair)| {
        format!(
            "this source is kept the same as {} already, with the state in {}; two pairs on one \
             source are not meant",
            pair.base_url,
            dir.display()
        )
    }));
    notes
}

/// Whether it is a directory of vCards in which there is none.
fn is_empty(config: &Config, reading: &SourceReading) -> bool {
    matches!(config.source.kind, SourceKind::Vcard(_))
        && reading.records.is_empty()
        && reading.unreadable.is_empty()
}

/// Whether a spreadsheet says that it has the file open, by a file of its own beside it.
fn open_elsewhere(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let locks = [(format!(".~lock.{name}#"), "LibreOffice"), (format!("~${name}"), "Excel")];
    let (_, program) = locks.into_iter().find(|(lock, _)| path.with_file_name(lock).exists())?;
    Some(format!(
        "{name} is open in {program}: load it anew there after a run, or its next save takes the \
         run's edits for deleted"
    ))
}

fn list_files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn has_ending(file: &Path, with: &[&str]) -> bool {
    let end = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    with.contains(&end.as_str())
}
