//! Any bytes as a file of cards: what is taken apart is put together as it was, what is
//! put is read and changes nothing else, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &[u8]| {
    if let Err(problem) = linqsync::source::vcard::probe(raw) {
        panic!("{problem}");
    }
});
