//! Any edits of any bytes as a CSV file: they change the cells that they name and, to an
//! independent reader, no others.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "another target uses the rest")]
#[path = "../../tests/oracles/csv_laws.rs"]
mod csv_laws;

fuzz_target!(|raw: &[u8]| {
    if let Err(problem) = csv_laws::edits_of_bytes(raw) {
        panic!("{problem}");
    }
});
