//! The table of names by which columns are recognised.
//!
//! Owns reading `headers.txt`, which holds the words and which `docs/csv.md` repeats.
//! Leaves to [`super::names`] how a name is compared with them.

use std::sync::LazyLock;

use crate::model::Field;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ColumnMeaning {
    /// A field.
    Field(Field),
    /// First and last name in one.
    FullName,
}

impl ColumnMeaning {
    /// Everything that a column can be recognised as, in the order of the documentation.
    pub(super) fn all_meanings() -> impl Iterator<Item = ColumnMeaning> {
        let fields = Field::ALL.into_iter().filter(|field| *field != Field::Owner);
        fields.map(ColumnMeaning::Field).chain([ColumnMeaning::FullName])
    }

    /// What it is called in the configuration.
    pub(super) const fn name(self) -> &'static str {
        match self {
            ColumnMeaning::Field(field) => field.name(),
            ColumnMeaning::FullName => "full_name",
        }
    }

    fn from_name(name: &str) -> Option<ColumnMeaning> {
        ColumnMeaning::all_meanings().find(|target| target.name() == name)
    }
}

/// A name of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownName {
    /// What a column of this name holds.
    pub(super) target: ColumnMeaning,
    /// The name as people write it.
    pub(super) text: &'static str,
    /// Whether it counts only where the header has no other name of its section.
    pub(super) is_alone: bool,
    /// Whether whole names below it have the last name first.
    pub(super) is_last_first: bool,
}

/// A name that means something only in a header with one of certain others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BesideName {
    pub(super) target: ColumnMeaning,
    pub(super) text: &'static str,
    pub(super) others: Vec<&'static str>,
}

/// The table: the names in their order, and those that count beside others.
pub(super) struct Wording {
    pub(super) names: Vec<KnownName>,
    pub(super) beside: Vec<BesideName>,
}

/// All names by which columns are recognised.
pub(super) static WORDING: LazyLock<Wording> =
    LazyLock::new(|| Wording::parse_table(include_str!("headers.txt")));

impl Wording {
    /// Reads the table. Lines that say nothing are left out; a test looks for them.
    fn parse_table(table: &'static str) -> Wording {
        let mut wording = Wording { names: Vec::new(), beside: Vec::new() };
        let mut section = "";
        for line in table.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(';') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            } else if section == "beside" {
                wording.beside.extend(BesideName::parse_line(line));
            } else if let Some(target) = ColumnMeaning::from_name(section) {
                let alone = line.strip_prefix("alone: ");
                let last_first = line.strip_prefix("last name first: ");
                let text = alone.or(last_first).unwrap_or(line);
                let (is_alone, is_last_first) = (alone.is_some(), last_first.is_some());
                wording.names.push(KnownName { target, text, is_alone, is_last_first });
            }
        }
        wording
    }

    /// The names of `target`, the best first.
    #[cfg(test)]
    pub(super) fn of_target(&self, target: ColumnMeaning) -> impl Iterator<Item = &KnownName> {
        self.names.iter().filter(move |name| name.target == target)
    }
}

impl BesideName {
    fn parse_line(line: &'static str) -> Option<BesideName> {
        let mut parts = line.split(" | ");
        let (text, target, others) = (parts.next()?, parts.next()?, parts.next()?);
        let target = ColumnMeaning::from_name(target)?;
        Some(BesideName { target, text, others: others.split(", ").collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// The tables of `docs/csv.md`.
    fn tables() -> String {
        let listed = |names: Vec<&str>| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        let mut text = String::from("| field | names |\n|---|---|\n");
        for target in ColumnMeaning::all_meanings() {
            let names = WORDING.of_target(target).map(|name| name.text).collect();
            writeln!(text, "| `{}` | {} |", target.name(), listed(names)).unwrap();
        }
        text += "\nSome names are too common to mean anything by themselves, or mean something \
                 else there, and\nare recognised only in a header with one of certain others:\n\n\
                 | name | field | beside |\n|---|---|---|\n";
        for BesideName { target, text: name, others } in &WORDING.beside {
            writeln!(text, "| `{name}` | `{}` | {} |", target.name(), listed(others.clone()))
                .unwrap();
        }
        text
    }

    /// `docs/csv.md` is to say what the program does. `LINQSYNC_WRITE_DOCS=1 cargo test --lib
    /// wording` writes its tables anew.
    #[test]
    fn the_documentation_lists_exactly_these_names() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/csv.md");
        let page = std::fs::read_to_string(path).unwrap();
        let (start, end) =
            ("<!-- Made from src/source/csv/headers.txt by a test. -->\n\n", "<!-- End. -->");
        let at = page.find(start).unwrap() + start.len();
        let until = page.find(end).unwrap();
        let made = format!("{}{}\n{}", &page[..at], tables(), &page[until..]);
        if std::env::var_os("LINQSYNC_WRITE_DOCS").is_some() {
            std::fs::write(path, &made).unwrap();
            return;
        }
        assert!(
            page == made,
            "docs/csv.md is out of date: LINQSYNC_WRITE_DOCS=1 cargo test --lib wording"
        );
    }

    #[test]
    fn every_line_of_the_table_says_something() {
        let table = include_str!("headers.txt");
        let is_name = |line: &&str| !line.is_empty() && !line.starts_with([';', '[']);
        let lines = table.lines().filter(is_name).count();
        assert_eq!(WORDING.names.len() + WORDING.beside.len(), lines);
        for target in ColumnMeaning::all_meanings() {
            assert!(WORDING.of_target(target).next().is_some(), "{}", target.name());
        }
        assert!(table.lines().all(|line| line.trim() == line));
    }
}
