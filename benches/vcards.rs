//! How long a directory of cards takes: to be read, the first time and when nothing has
//! changed; and a whole run, the first one, which links everybody with a contact in
//! `linqsync sandbox`, and a silent one.
//!
//! ```text
//! cargo bench --bench vcards               # 10,000 and 100,000 cards
//! cargo bench --bench vcards -- 1000
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it reports to people")]
#![allow(clippy::disallowed_methods, reason = "it prepares files and measures time")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linqsync::sandbox::{Options, Sandbox};
use linqsync::source::vcard::{VcardOptions, VcardSource, VcardVersion};
use linqsync::source::{QuietTime, Source, SourceAccess};

const TOKEN: &str = "bench-token";

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|size| size.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![10_000, 100_000] } else { asked };
    for size in sizes {
        let dir = tempfile::tempdir().unwrap();
        let cards = dir.path().join("cards");
        std::fs::create_dir(&cards).unwrap();
        (0..size).for_each(|n| std::fs::write(cards.join(format!("{n}.vcf")), card(n)).unwrap());
        // Files that are this young would be read again.
        std::thread::sleep(Duration::from_secs(4));
        readings(size, &cards);
        runs(size, dir.path());
    }
}

fn card(n: usize) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:person-{n}\r\nN:Last{n};First{n};;;\r\nFN:First{n} \
         Last{n}\r\nEMAIL;TYPE=INTERNET:p{n}@people.example\r\nTEL;TYPE=CELL:+1415{n:07}\r\n\
         ORG:Company {n}\r\nTITLE:Title {n}\r\nADR;TYPE=WORK:;;1 Main St;Oslo;;0150;Norway\r\n\
         NOTE:A note that nobody looks at\\, and that is kept as it is\r\nEND:VCARD\r\n"
    )
}

fn readings(size: usize, cards: &Path) {
    let mut source = VcardSource::new(VcardOptions {
        only: None,
        path: cards.to_owned(),
        recursive: false,
        version: VcardVersion::V3,
        access: SourceAccess::Exclusive,
        clock: QuietTime::frozen_time(),
    });
    for what in ["first reading", "nothing changed"] {
        let start = Instant::now();
        assert_eq!(source.read_records().unwrap().records.len(), size);
        println!("{size} cards, {what}: {:?}", start.elapsed());
    }
}

/// Whole runs of the program, beside a Linq that has the same people already.
fn runs(size: usize, dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = Arc::new(chrono::Utc::now);
    let sandbox =
        Sandbox::new(Options { token: TOKEN.to_owned(), contacts: 0, now, ..Options::default() });
    for n in 0..size {
        let members = [
            ("first_name", format!("First{n}")),
            ("last_name", format!("Last{n}")),
            ("email", format!("p{n}@people.example")),
            ("phone_number", format!("+1415{n:07}")),
            ("company", format!("Company {n}")),
            ("title", format!("Title {n}")),
            ("location", "Oslo, Norway".to_owned()),
        ];
        sandbox.insert(members.iter().map(|(name, text)| (*name, text.as_str()))).unwrap();
    }
    let serving = runtime.block_on(sandbox.start()).unwrap();
    let config = format!(
        "linq.base_url = \"{}\"\nlinq.token_command = [\"echo\", \"{TOKEN}\"]\n\
         linq.requests_per_second = 1000\nsource.path = \"cards\"\nstate.dir = \"state\"\n",
        serving.url
    );
    std::fs::write(dir.join("sync.toml"), config).unwrap();
    for what in ["first run", "silent run"] {
        let start = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_linqsync"));
        command.args(["--once", "-q"]).current_dir(dir).stdout(Stdio::null());
        let status = command.status().unwrap();
        println!("{size} cards, {what}: {:?}, {status}", start.elapsed());
    }
    runtime.block_on(serving.stop());
}
