//! What the architecture promises of the source itself: decisions touch nothing but
//! values, modules use only what they may, and each says what it owns.
//!
//! Each check is shown a piece of source that breaks its rule, too: one that could
//! not fail would prove nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What nothing in the pure modules may name, whatever it is called there.
const IMPURE: [&str; 38] = [
    "Instant",
    "SystemTime",
    "Local",
    "Clock", // the clock
    "fs",
    "File",
    "OpenOptions",
    "Path",
    "PathBuf",
    "rustix",
    "tempfile", // files
    "net",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "reqwest",
    "hyper", // sockets
    "rusqlite",
    "Connection", // SQL
    "fastrand",
    "rand",
    "getrandom",
    "RandomState",
    "HashMap",
    "HashSet", // randomness
    "async",
    "await",
    "tokio",
    "Future",
    "spawn", // async
    "tracing",
    "info",
    "warn", // logs
    "env",
    "process",
    "io",
    "unsafe", // the rest of the world
];

/// Paths that read the clock although their type is a value.
const CLOCKS: [[&str; 2]; 2] = [["Utc", "now"], ["Timestamp", "now"]];

/// The modules that decide and compare, and do nothing.
const PURE: [&str; 2] = ["plan", "model"];

#[test]
fn decisions_name_no_clock_file_socket_randomness_or_log() {
    for module in PURE {
        for file in product_files(&root().join("src").join(module)) {
            assert_eq!(impurities(&read(&file)), Vec::<String>::new(), "{}", file.display());
        }
    }
    for bad in [
        "fn f() -> u64 { std::time::Instant::now().elapsed().as_secs() }",
        "fn f() { let now = chrono::Utc::now(); }",
        "use std::{collections::BTreeMap, fs};",
        "async fn f() {}",
        "fn f() { tracing::debug!(\"decided\"); }",
        "fn f() { let order = std::collections::HashMap::<u8, u8>::new(); }",
        "mod inner { use rusqlite::Row; }",
        "fn f() { let jitter = fastrand::u8(..); }",
    ] {
        assert_ne!(impurities(bad), Vec::<String>::new(), "{bad}");
    }
    for good in [
        "//! Files and `std::fs` may be spoken of, as may tokio.\nfn f() -> &'static str { \"File\" }",
        "fn f(now: Timestamp) -> Timestamp { now }",
        "#[cfg(test)]\nmod tests { use std::fs::File; }\nfn f() {}",
        "#[cfg(test)] use std::time::Instant;",
    ] {
        assert_eq!(impurities(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn modules_use_only_what_the_architecture_lets_them() {
    let allowed = arrows(&read(&root().join("ARCHITECTURE.md")));
    let sources = root().join("src");
    let declared: BTreeSet<String> = read(&sources.join("lib.rs"))
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    let listed: BTreeSet<String> = allowed.keys().cloned().collect();
    assert_eq!(declared, listed, "ARCHITECTURE.md, “Who may use whom”, has a row for each module");
    assert_eq!(circle(&allowed), None, "ARCHITECTURE.md draws a circle");
    let adapters = BTreeSet::from(["source", "linq", "mirror"].map(str::to_owned));
    for adapter in &adapters {
        assert!(allowed[adapter].is_disjoint(&adapters), "{adapter} may use another adapter");
    }
    for module in &declared {
        let mut files = product_files(&sources.join(module));
        files.extend(Some(sources.join(format!("{module}.rs"))).filter(|file| file.exists()));
        assert!(!files.is_empty(), "{module} has no file");
        for file in files {
            let strays = strays(module, &read(&file), &allowed);
            assert_eq!(strays, BTreeSet::new(), "{} may not use these", file.display());
        }
    }
}

/// Modules of which each may use the next, and the last the first; `None` if there are none.
fn circle(allowed: &BTreeMap<String, BTreeSet<String>>) -> Option<BTreeSet<String>> {
    let mut left = allowed.clone();
    loop {
        let done: Vec<String> = left
            .iter()
            .filter(|(module, uses)| {
                uses.iter().all(|used| used == *module || !left.contains_key(used))
            })
            .map(|(module, _)| module.clone())
            .collect();
        if done.is_empty() {
            return (!left.is_empty()).then(|| left.into_keys().collect());
        }
        left.retain(|module, _| !done.contains(module));
    }
}

#[test]
fn a_circle_of_modules_is_found() {
    let table = |rows: &str| arrows(&format!("## Who may use whom\n\n{rows}\n"));
    assert_eq!(circle(&table("| `run` | `plan` `run` |\n| `plan` | |")), None);
    let bent = circle(&table("| `run` | `outage` |\n| `outage` | `run` |\n| `plan` | |"));
    assert_eq!(bent, Some(BTreeSet::from(["outage", "run"].map(str::to_owned))));
}

#[test]
fn an_arrow_that_is_not_drawn_is_found() {
    let allowed = arrows(
        "## Who may use whom\n\n| module | uses |\n|---|---|\n| `plan` | `model` |\n\
         | `model` | |\n\n## More\n| `linq` | `plan` |\n",
    );
    assert_eq!(allowed.len(), 2);
    let stray = |source| strays("plan", source, &allowed).into_iter().collect::<Vec<_>>();
    assert_eq!(
        stray("use crate::model::Field; use crate::plan::Step; use super::case::Case;"),
        [""; 0]
    );
    assert_eq!(stray("use crate::mirror::State;"), ["mirror"]);
    assert_eq!(stray("use crate::{model::Field, source::Reading, run};"), ["run", "source"]);
    assert_eq!(stray("fn f() { let x = { crate::linq::walk() }; }"), ["linq"]);
    assert_eq!(stray("fn f() { assert!(crate::apply::done()); }"), ["apply"]);
    assert_eq!(
        stray("/// See [`crate::apply`].\n#[cfg(test)]\nmod tests { use crate::run; }"),
        [""; 0]
    );
}

#[test]
fn every_module_says_what_it_owns() {
    for file in files(&root().join("src")) {
        assert!(is_documented(&read(&file)), "{} begins without //! docs", file.display());
    }
    assert!(is_documented("//! Owns a thing.\n\nuse std::fmt;\n"));
    assert!(!is_documented("use std::fmt;\n//! Owns a thing.\n"));
    assert!(!is_documented("/// Owns a thing.\nstruct S;\n"));
    assert!(!is_documented("//!\nuse std::fmt;\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The Rust files below `place`, in order.
fn files(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Those that are part of the product: modules for tests are left out where their
/// parent names them as such.
fn product_files(place: &Path) -> Vec<PathBuf> {
    let only_tests = |path: &Path| {
        let names = path.strip_prefix(root()).unwrap().iter().map(|name| name.to_string_lossy());
        names
            .into_iter()
            .any(|name| ["tests", "tests.rs", "testing.rs", "scripted.rs"].contains(&name.as_ref()))
    };
    files(place).into_iter().filter(|path| !only_tests(path)).collect()
}

fn is_documented(source: &str) -> bool {
    source.lines().next().and_then(|line| line.strip_prefix("//! ")).is_some()
}

/// The words of `source` in order, without comments, literals and what is compiled
/// for tests only. Groups keep their brackets.
fn words(source: &str) -> Vec<String> {
    let tokens: TokenStream = source.parse().unwrap_or_else(|error| panic!("{error}: {source}"));
    let mut words = Vec::new();
    spell(tokens, &mut words);
    words
}

fn spell(tokens: TokenStream, words: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut skipping = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if skipping => skipping = group.delimiter() != Delimiter::Brace,
            TokenTree::Punct(punct) if skipping => skipping = punct.as_char() != ';',
            TokenTree::Ident(_) | TokenTree::Literal(_) if skipping => {}
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // An attribute: of interest only if it makes what follows a test.
                let Some(TokenTree::Group(attribute)) =
                    tokens.next_if(|next| matches!(next, TokenTree::Group(_)))
                else {
                    continue;
                };
                skipping = attribute.stream().to_string().replace(' ', "") == "cfg(test)";
            }
            TokenTree::Group(group) => {
                words.push("(".to_owned());
                spell(group.stream(), words);
                words.push(")".to_owned());
            }
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Punct(punct) => words.push(punct.to_string()),
            TokenTree::Literal(_) => words.push("\"\"".to_owned()),
        }
    }
}

/// What `source` names and a pure module may not.
fn impurities(source: &str) -> Vec<String> {
    let words = words(source);
    let named = words.iter().filter(|word| IMPURE.contains(&word.as_str())).cloned();
    let clocks = words.windows(4).filter(|path| {
        path[1] == ":"
            && path[2] == ":"
            && CLOCKS.iter().any(|c| path[0] == c[0] && path[3] == c[1])
    });
    named.chain(clocks.map(<[String]>::concat)).collect()
}

/// The modules that `source`, which is part of `module`, uses without being let.
fn strays(
    module: &str,
    source: &str,
    allowed: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut used = used(&words(source));
    used.remove(module);
    used.difference(&allowed[module]).cloned().collect()
}

/// The first names of all paths that begin with `crate`.
fn used(words: &[String]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in words.windows(3).enumerate().filter(|(_, w)| w.concat() == "crate::") {
        let rest = &words[at + 3..];
        match rest.first().map(String::as_str) {
            Some("(") => used.extend(first_names(&rest[1..])),
            Some(name) => drop(used.insert(name.to_owned())),
            None => {}
        }
    }
    used
}

/// In `{a::b, c::{d, e}, f}`, of which the bracket is open: `a`, `c` and `f`.
fn first_names(words: &[String]) -> Vec<String> {
    let (mut depth, mut fresh, mut names) = (0, true, Vec::new());
    for word in words {
        match word.as_str() {
            "(" => depth += 1,
            ")" if depth == 0 => break,
            ")" => depth -= 1,
            "," if depth == 0 => fresh = true,
            name if depth == 0 && fresh => {
                names.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// The table under “Who may use whom”.
fn arrows(architecture: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (_, table) = architecture.split_once("## Who may use whom").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let quoted = |cell: &str| -> Vec<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        let mut cells = row.trim_matches('|').splitn(2, '|');
        let (modules, uses) = (quoted(cells.next().unwrap()), quoted(cells.next().unwrap()));
        modules.into_iter().map(move |module| (module, uses.iter().cloned().collect()))
    })
    .collect()
}
