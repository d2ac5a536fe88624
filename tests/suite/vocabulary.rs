//! The words of the project: a type has one meaning, and where the field has a term it is used.
//! What they are is in GLOSSARY.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a text for users must not say, and what it says instead.
const REPLACED: [(&str, &str); 13] = [
    ("played on this machine", "a mock Linq server on your machine"),
    ("asked to be left alone", "rate limited by Linq"),
    ("waiting for you", "needs attention"),
    ("both had  ", "last synced"),
    ("nobody is there twice", "no duplicates"),
    ("as it was any more", "changed since the plan was saved"),
    ("nobody has confirmed it", "cancelled"),
    ("is no word of a fault", "unknown fault option"),
    ("carries out just these", "plan saved to …; apply it with …"),
    ("inside the same walls", "same sandbox"),
    ("tug of war", "edit loop"),
    ("windows that nobody", "known race conditions"),
    ("machine in reserve", "standby server"),
];

/// Modules and types that once had a name of their own where the field has a term.
const RENAMED: [&str; 30] = [
    "gauge",
    "weather",
    "ghosts",
    "unshown",
    "Aim",
    "Making",
    "Ran",
    "Ears",
    "Heard",
    "Eye",
    "Desk",
    "Hired",
    "Lie",
    "Witness",
    "Teller",
    "Somebody",
    "Crowd",
    "Had",
    "There",
    "Seeker",
    "Bereft",
    "Suspect",
    "unasked",
    "elusive",
    "nobody_answers",
    "persons_like",
    "Told",
    "Deeds",
    "Nobody",
    "Board",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(place: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path.extension().is_some_and(|e| extensions.iter().any(|known| e == *known)) {
            found.push(path);
        }
    }
}

/// The types that `source` declares at the top of a file or a module, not those of a trait.
fn types(source: &str) -> Vec<&str> {
    let declared = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let declared = declared.filter_map(|line| {
        let line = line.trim_start();
        let line = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
            Some(rest) => rest.strip_prefix(' ')?,
            None => line,
        };
        let (kind, rest) = line.split_once(' ')?;
        let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        let is_type = ["struct", "enum", "trait", "union"].contains(&kind);
        (is_type && name.starts_with(char::is_uppercase)).then_some(name)
    });
    declared.collect()
}

#[test]
fn a_name_of_a_type_has_one_meaning_in_the_product_and_in_the_tests() {
    let mut sources = Vec::new();
    files(&root().join("src"), &["rs"], &mut sources);
    files(&root().join("tests"), &["rs"], &mut sources);
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for file in sources {
        let source = std::fs::read_to_string(&file).unwrap();
        for name in types(&source) {
            places.entry(name.to_owned()).or_default().insert(file.clone());
        }
    }
    assert!(places.len() > 500, "{}", places.len());
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "types with several meanings: {places:#?}");
    assert_eq!(
        types("pub(super) struct Place;\nenum Kind {\n}\ntrait T {\n    type Place;\n}"),
        ["Place", "Kind", "T"]
    );
}

#[test]
fn a_text_for_users_says_the_term_of_the_field() {
    let mut texts = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    files(&root().join("src"), &["rs"], &mut texts);
    files(&root().join("docs"), &["md"], &mut texts);
    files(&root().join("tests/suite/reports"), &["txt"], &mut texts);
    for file in texts {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_code = file.extension().is_some_and(|extension| extension == "rs");
        for (number, line) in text.lines().enumerate() {
            if is_code && line.trim_start().starts_with("//") {
                continue;
            }
            for (old, term) in REPLACED {
                assert!(
                    !line.contains(old),
                    "{}:{}: “{old}”: say “{term}”",
                    file.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn no_identifier_has_a_name_that_was_given_up() {
    let mut sources = Vec::new();
    files(&root().join("src"), &["rs"], &mut sources);
    for file in sources {
        let source = std::fs::read_to_string(&file).unwrap();
        let mut declared = types(&source);
        let modules = source.lines().filter_map(|line| {
            line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ")
        });
        declared.extend(modules.map(|name| name.trim_end_matches([';', ' ', '{'])));
        for name in RENAMED {
            assert!(!declared.contains(&name), "{}: {name}; see GLOSSARY.md", file.display());
        }
    }
}

#[test]
fn the_glossary_explains_each_word_once() {
    let glossary = std::fs::read_to_string(root().join("GLOSSARY.md")).unwrap();
    let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
    let words: Vec<&str> = rows.map(|row| row.split(" | ").next().unwrap()).collect();
    let once: BTreeSet<&&str> = words.iter().collect();
    assert_eq!(once.len(), words.len(), "{words:?}");
    for term in
        ["rate limit", "mock server", "circuit breaker", "watcher", "progress", "retry", "two-way"]
    {
        assert!(glossary.contains(term), "{term}");
    }
}
