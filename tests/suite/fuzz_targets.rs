//! The fuzz targets, for a short time: their bodies are functions of the library, which
//! are driven here with inputs that are the same every time.
//!
//! `LINQSYNC_FUZZ=N` tries N inputs of each kind; `fuzz/Cargo.toml` tells how to look
//! for further ones. A new target takes a line in [`TARGETS`], and is as short as the
//! others.

use std::fs;
use std::path::{Path, PathBuf};

use crate::csv_laws;
use crate::damage::{Damage, words};

/// How many inputs are tried of each kind.
const INPUTS: usize = 1000;

/// What a target is called, what it calls, where its seeds are, and that function.
type FuzzTarget = (&'static str, &'static str, &'static str, fn(&[u8]) -> Result<(), String>);

const TARGETS: [FuzzTarget; 3] = [
    ("csv_edits", "csv_laws::edits_of_bytes", "tests/tables", csv_laws::edits_of_bytes),
    ("csv_reading", "csv_laws::reading_of_bytes", "tests/tables", csv_laws::reading_of_bytes),
    ("vcards", "linqsync::source::vcard::probe", "tests/cards", linqsync::source::vcard::probe),
];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The contents of the files in a directory, in the order of their names.
pub(crate) fn seeds(directory: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(at(directory)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn no_input_of_a_fuzz_target_breaks_its_laws() {
    let inputs = std::env::var("LINQSYNC_FUZZ").map_or(INPUTS, |n| n.parse().unwrap());
    for (name, _, directory, law) in TARGETS {
        let seeds = seeds(directory);
        for seed in &seeds {
            assert_eq!(law(seed), Ok(()), "{name}: {}", seed.escape_ascii());
        }
        let dictionary = fs::read_to_string(at(&format!("fuzz/{name}.dict"))).unwrap();
        let mut damage = Damage::new(seeds, words(&dictionary));
        for _ in 0..inputs {
            let input = damage.next();
            assert_eq!(law(&input), Ok(()), "{name}: {}", input.escape_ascii());
        }
    }
}

#[test]
fn every_fuzz_target_is_driven_here_and_calls_the_same_function() {
    let files = fs::read_dir(at("fuzz/fuzz_targets")).unwrap();
    let mut found: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let known: Vec<String> = TARGETS.iter().map(|(name, ..)| format!("{name}.rs")).collect();
    assert_eq!(found, known);
    for (name, function, ..) in TARGETS {
        let text = fs::read_to_string(at(&format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("{function}(raw)")), "{name} calls something else");
    }
}

#[test]
fn a_dictionary_is_read_as_libfuzzer_reads_it() {
    let text = "# words\n\"BEGIN:\"\nkw=\"\\x0d\\x0a \"\n\n\"a\\\"b\\\\\"\n";
    let expected: [&[u8]; 3] = [b"BEGIN:", b"\r\n ", b"a\"b\\"];
    assert_eq!(words(text), expected);
}
