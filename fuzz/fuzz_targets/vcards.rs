//! Any bytes as a file of cards: what is taken apart is put together as it was, what is
//! put is read, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use linqsync::source::vcard::kept;

fuzz_target!(|raw: &[u8]| {
    if let Err(problem) = kept(raw) {
        panic!("{problem}");
    }
});
