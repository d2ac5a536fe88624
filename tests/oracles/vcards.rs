//! Looks at every file of cards below a directory: whether taking it apart and putting
//! it together keeps every byte (also with other line ends), and whether each field of
//! each card can be edited and changed back.
//!
//! ```text
//! cargo run --example vcards -- DIRECTORY [MUTATIONS]
//! ```
//!
//! With a number, each file is damaged so many times at random, and what is left of it
//! must obey the same laws. It writes nothing. It ends with 1 if a file does not come back as it was.

#![allow(clippy::print_stdout, reason = "it reports to people")]

use std::path::{Path, PathBuf};

use linqsync::model::{Field, FieldChange};
use linqsync::source::vcard::{cards_of, edit_file, probe};

#[derive(Default)]
struct CardTally {
    files: usize,
    cards: usize,
    edits: usize,
    refused: usize,
    broken: usize,
    mutated: usize,
    wrong: usize,
}

fn main() -> std::process::ExitCode {
    let Some(root) = std::env::args_os().nth(1) else {
        println!("usage: vcards DIRECTORY");
        return 2.into();
    };
    let mutations = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut files = Vec::new();
    collect(Path::new(&root), &mut files);
    let mut tally = CardTally::default();
    for file in &files {
        let Ok(raw) = std::fs::read(file) else { continue };
        for variant in [raw.clone(), with_crlf(&raw)] {
            look(file, &variant, &mut tally);
        }
        mutate(file, &raw, mutations, &mut tally);
        tally.files += 1;
    }
    let CardTally { files, cards, edits, refused, broken, mutated, wrong } = tally;
    println!("{mutated} damaged files looked at");
    println!(
        "{files} files, twice each: {cards} cards, {edits} edits, {refused} refused, {broken} broken places, {wrong} wrong"
    );
    u8::from(wrong > 0).into()
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("vcf")) {
            into.push(path);
        }
    }
    into.sort();
}

fn with_crlf(raw: &[u8]) -> Vec<u8> {
    if raw.starts_with(b"\xff\xfe") || raw.starts_with(b"\xfe\xff") {
        return raw.to_vec();
    }
    let bare: Vec<u8> = raw.iter().copied().filter(|byte| *byte != b'\r').collect();
    bare.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}

fn look(file: &Path, raw: &[u8], tally: &mut CardTally) {
    let mut wrong = |what: &str| {
        println!("{}: {what}", file.display());
        tally.wrong += 1;
    };
    let whole = cards_of(raw);
    match edit_file(raw, usize::MAX, &[]) {
        Ok(same) if same != raw => wrong("it is not put together as it was"),
        Ok(_) => {}
        Err(reason) => println!("{}: {reason}", file.display()),
    }
    tally.broken += whole.broken.len();
    for line in &whole.broken {
        println!("{}:{line}: broken", file.display());
    }
    tally.cards += whole.people.len();
    // Of a file of very many cards some are edited.
    let step = whole.people.len() / 20 + 1;
    for (card, values) in whole.people.iter().enumerate().step_by(step) {
        let Some(values) = values else { continue };
        for field in Field::ALL.into_iter().filter(|field| *field != Field::Owner) {
            let change = |from: &str, to: &str| {
                vec![FieldChange { field, from: from.into(), to: to.into() }]
            };
            match edit_file(raw, card, &change(&values[field], &values[field])) {
                Ok(same) if same != raw => wrong(&format!("card {card}: {field} put as it is")),
                Ok(_) | Err(_) => {}
            }
            let to = "Zwölf; \\Böx, Keller";
            match edit_file(raw, card, &change(&values[field], to)) {
                Err(reason) => {
                    println!("{}: card {card}: {field}: {reason}", file.display());
                    tally.refused += 1;
                }
                Ok(new) => {
                    tally.edits += 1;
                    let read = cards_of(&new).people;
                    match read.get(card).and_then(Option::as_ref) {
                        Some(found) if found[field] == to => {}
                        _ => wrong(&format!("card {card}: {field} is not read as it was put")),
                    }
                    match edit_file(&new, card, &change(to, &values[field])) {
                        Ok(back) if cards_of(&back).people[card].as_ref() == Some(values) => {}
                        // The card says so in another place as well, which is enough.
                        Ok(back) if back == new => {}
                        Ok(_) => wrong(&format!("card {card}: {field} changed back differs")),
                        Err(reason) => wrong(&format!("card {card}: {field} back: {reason}")),
                    }
                }
            }
        }
    }
}

/// Damages a file of moderate size at random, the same way each time.
fn mutate(file: &Path, raw: &[u8], mutations: usize, tally: &mut CardTally) {
    if raw.is_empty() || raw.len() > 20_000 {
        return;
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..mutations {
        let mut damaged = raw.to_vec();
        for _ in 0..random.usize(1..8) {
            let at = random.usize(..damaged.len());
            let byte = *random.choice(b"\r\n\t =:;,\\\"\x82\xe9\xc3\xff\0BE.").unwrap_or(&b' ');
            match random.u8(..4) {
                0 => damaged[at] = byte,
                1 => damaged.insert(at, byte),
                2 if damaged.len() > 1 => drop(damaged.remove(at)),
                _ => damaged[at] = random.u8(..),
            }
        }
        tally.mutated += 1;
        if let Err(problem) = probe(&damaged) {
            println!("{}: damaged: {problem}: {}", file.display(), damaged.escape_ascii());
            tally.wrong += 1;
        }
    }
}
