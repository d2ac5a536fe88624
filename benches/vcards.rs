//! How long a directory of cards takes to be read, the first time and when nothing has
//! changed.
//!
//! ```text
//! cargo bench --bench vcards               # 10,000 and 100,000 files
//! cargo bench --bench vcards -- 1000
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it reports to people")]
#![allow(clippy::disallowed_methods, reason = "it prepares files and measures time")]

use std::time::Instant;

use linqsync::source::vcard::{VcardOptions, VcardSource, VcardVersion};
use linqsync::source::{Access, Pace, Source};

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![10_000, 100_000] } else { asked };
    for size in sizes {
        measure(size);
    }
}

fn measure(size: usize) {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..size {
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:person-{n}\r\nN:Last{n};First{n};;;\r\nFN:First{n} \
             Last{n}\r\nEMAIL;TYPE=INTERNET:p{n}@people.example\r\nTEL;TYPE=CELL:+1415{n:07}\r\n\
             ORG:Company {n}\r\nTITLE:Title {n}\r\nADR;TYPE=WORK:;;1 Main St;Oslo;;0150;Norway\r\n\
             NOTE:A note that nobody looks at\\, and that is kept as it is\r\nEND:VCARD\r\n"
        );
        std::fs::write(dir.path().join(format!("{n}.vcf")), card).unwrap();
    }
    // Files that are this young would be read again.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let mut source = VcardSource::new(VcardOptions {
        path: dir.path().to_owned(),
        recursive: false,
        version: VcardVersion::V3,
        access: Access::Exclusive,
        pace: Pace::still(),
    });
    for what in ["first reading", "nothing changed"] {
        let start = Instant::now();
        assert_eq!(source.read().unwrap().records.len(), size);
        println!("{size} cards, {what}: {:?}", start.elapsed());
    }
}
