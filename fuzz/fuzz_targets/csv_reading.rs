//! Any bytes as a CSV file: nothing panics, an independent reader sees the same, and
//! without edits the file is written as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "another target uses the rest")]
#[path = "../../tests/oracles/csv_laws.rs"]
mod csv_laws;

fuzz_target!(|raw: &[u8]| {
    if let Err(problem) = csv_laws::reading_of_bytes(raw) {
        panic!("{problem}");
    }
});
