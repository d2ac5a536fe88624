//! `sync.toml` as a text: where each key stands, and what may be shown of it.
//!
//! Owns syntax, unknown keys and the masking of secrets: whatever is quoted in
//! a message comes from [`ConfigFile::shown`]. Leaves values to the sections.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{ImDocument, Item, TableLike};

use super::error::{ConfigLocation, ConfigProblem};
use super::keys::{self, ConfigKey, Spelling};

/// A file whose syntax is right.
#[derive(Debug)]
pub(super) struct ConfigFile {
    /// The text with every secret masked, byte for byte as long as the original.
    pub(super) shown: String,
    /// Where the values and sections stand, by name.
    places: BTreeMap<String, Range<usize>>,
}

/// A file that is not TOML.
#[derive(Debug)]
pub(super) struct NotToml {
    /// The text with everything masked that may be a secret.
    pub(super) shown: String,
    /// What is wrong.
    pub(super) problem: ConfigProblem,
}

impl ConfigFile {
    /// Reads the syntax of `text`. The problems are its unknown keys.
    ///
    /// # Errors
    /// When it is not TOML.
    pub(super) fn parse(text: &str) -> Result<(ConfigFile, Vec<ConfigProblem>), NotToml> {
        let document = ImDocument::parse(text).map_err(|error| NotToml::new(text, &error))?;
        let mut reading = ConfigReader::default();
        reading.read_section("", document.as_table());
        let file = ConfigFile { shown: mask_ranges(text, &reading.masks), places: reading.places };
        Ok((file, reading.problems))
    }

    /// Where `name` stands: a key's value, or the name of a section; for a key
    /// that is not there, its section.
    pub(super) fn location_of(&self, name: &str) -> ConfigLocation {
        let section = name.rsplit_once('.').map_or("", |(section, _)| section);
        let span = self.places.get(name).or_else(|| self.places.get(section));
        span.cloned().map_or(ConfigLocation::File, ConfigLocation::Span)
    }
}

#[derive(Default)]
struct ConfigReader {
    places: BTreeMap<String, Range<usize>>,
    masks: Vec<Range<usize>>,
    problems: Vec<ConfigProblem>,
}

impl ConfigReader {
    fn read_section(&mut self, section: &str, table: &dyn TableLike) {
        let entries = table.iter().filter_map(|(name, _)| table.get_key_value(name));
        for (key, item) in entries {
            let name = full_name(section, key.get());
            let at = key.span().unwrap_or(0..0);
            // A quoted key may contain dots, and is then none of ours.
            let is_ours = keys::names_below(section).contains(&key.get());
            if let (true, Some(known)) = (is_ours, keys::find_key(&name)) {
                self.hide_unless_harmless(known, item);
                self.places.insert(name, item.span().unwrap_or(at));
            } else if let (true, Some(below)) = (is_ours, item.as_table_like()) {
                self.places.insert(name.clone(), at);
                self.read_section(&name, below);
            } else {
                self.unknown_key(section, key.get(), item, at);
            }
        }
    }

    fn unknown_key(&mut self, section: &str, key: &str, item: &Item, at: Range<usize>) {
        let meant = keys::nearest_name(key, keys::names_below(section));
        match meant.and_then(|leaf| keys::find_key(&format!("{section}.{leaf}"))) {
            Some(known) => self.hide_unless_harmless(known, item),
            None => self.hide_secret(item),
        }
        let name = full_name(section, key);
        let (title, hint) = if keys::is_section(&name) {
            (format!("`{name}` is a section: write `[{name}]`"), None)
        } else {
            let kind = if item.is_value() { "key" } else { "section" };
            (format!("unknown {kind} `{key}`"), Some(unknown_key_hint(section, key, meant)))
        };
        self.problems.push(ConfigProblem { place: ConfigLocation::Span(at), title, hint });
    }

    fn hide_unless_harmless(&mut self, key: &ConfigKey, item: &Item) {
        let is_table = item.is_table_like() && key.spelling == Spelling::Text;
        if key.hides_value(item.as_str().unwrap_or_default()) || !item.is_value() || is_table {
            self.hide_secret(item);
        }
    }

    fn hide_secret(&mut self, item: &Item) {
        match item {
            Item::None => {}
            Item::Value(value) => self.masks.extend(value.span()),
            Item::Table(table) => table.iter().for_each(|(_, item)| self.hide_secret(item)),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().flat_map(|table| table.iter());
                items.for_each(|(_, item)| self.hide_secret(item));
            }
        }
    }
}

fn full_name(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// What to do about an unknown key.
fn unknown_key_hint(section: &str, key: &str, meant: Option<&str>) -> String {
    if let Some(meant) = meant {
        return format!("did you mean `{meant}`?");
    }
    let elsewhere = keys::KEYS.iter().find(|known| known.leaf_name() == key);
    match elsewhere {
        Some(known) => format!("it belongs in `[{}]`", known.section()),
        None => format!("known here: {}", keys::names_below(section).join(", ")),
    }
}

impl NotToml {
    fn new(text: &str, error: &toml_edit::TomlError) -> NotToml {
        let mut message = error.message().lines();
        let what = message.next().unwrap_or("it cannot be read");
        let hint: Vec<&str> = message.collect();
        let problem = ConfigProblem {
            place: error.span().map_or(ConfigLocation::File, ConfigLocation::Span),
            title: format!("not valid TOML: {what}"),
            hint: (!hint.is_empty()).then(|| hint.join("; ")),
        };
        NotToml { shown: mask_ranges(text, &unsure_ranges(text)), problem }
    }
}

/// What must not be shown of a text that is not TOML, so that nobody knows for
/// certain where its secrets are: everything but section names, known keys, and
/// the values behind keys that hold no secret.
fn unsure_ranges(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut masks = Vec::new();
    for line in text.split_inclusive('\n') {
        masks.push(start + harmless_prefix(line)..start + line.len());
        start += line.len();
    }
    masks
}

/// How many bytes at the start of a line are certainly no secret.
fn harmless_prefix(line: &str) -> usize {
    let indent = line.len() - line.trim_start().len();
    if let Some((header, _)) = line[indent..].split_once(']')
        && let Some(name) = header.strip_prefix('[')
    {
        return if keys::is_section(name.trim()) { indent + header.len() + 1 } else { indent };
    }
    let word = line[indent..].split(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c)));
    let name = word.into_iter().next().unwrap_or_default();
    let leaf = name.rsplit('.').next().unwrap_or_default();
    let after_name = indent + name.len();
    match keys::KEYS.iter().find(|key| key.leaf_name() == leaf) {
        None => indent,
        Some(key) if key.hides_value(line) || line[after_name..].contains("token") => after_name,
        Some(_) => line.len(),
    }
}

/// Replaces the bytes in `masks`, line ends aside, by as many asterisks, so that
/// every other byte stays at its line and column.
fn mask_ranges(text: &str, masks: &[Range<usize>]) -> String {
    let mut masks: Vec<Range<usize>> = masks.to_vec();
    masks.sort_by_key(|mask| mask.start);
    let (mut ahead, mut covered_until) = (masks.iter().peekable(), 0);
    let mut shown = String::with_capacity(text.len());
    for (start, c) in text.char_indices() {
        while let Some(mask) = ahead.next_if(|mask| mask.start <= start) {
            covered_until = covered_until.max(mask.end);
        }
        if c == '\n' || c == '\r' || start >= covered_until {
            shown.push(c);
        } else {
            shown.extend(std::iter::repeat_n('*', c.len_utf8()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "s3cr3t";

    fn shown(text: &str) -> String {
        match ConfigFile::parse(text) {
            Ok((file, _)) => file.shown,
            Err(error) => error.shown,
        }
    }

    #[test]
    fn the_token_and_the_values_of_unknown_keys_are_masked() {
        for text in [
            "[linq]\ntoken = \"s3cr3t\"",
            "[linq]\ntoken = \"\"\"\nüs3cr3t\ns3cr3t\"\"\"",
            "linq = { token = \"s3cr3t\", scope = \"all\" }",
            "linq.token.value = \"s3cr3t\"",
            "[linq]\ntokn = \"s3cr3t\"",
            "[linq]\nkey = \"s3cr3t\"",
            "[linq]\nscope.token = \"s3cr3t\"",
            "[linq]\nowner_ = { token = \"s3cr3t\" }",
            "[linq]\nbase_ur = \"https://s3cr3t@example.org\"",
            "[sync]\ntoken = \"s3cr3t\"",
            "[[linq]]\ntoken = \"s3cr3t\"",
            "[lniq]\ntoken = [\"s3cr3t\"]",
            "token = \"s3cr3t\"",
            "\"linq.token\" = \"s3cr3t\"",
            "[hooks]\nping_url = \"https://hc.example/s3cr3t\"",
            "[linq]\nbase_url = \"https://s3cr3t@example.org\"",
            "[linq]\nbase_url = \"https://example.org/?key=s3cr3t\"",
        ] {
            assert!(ConfigFile::parse(text).is_ok(), "{text}");
            assert!(!shown(text).contains(SECRET), "{}", shown(text));
            assert_eq!(shown(text).len(), text.len());
            assert_eq!(shown(text).lines().count(), text.lines().count());
        }
    }

    #[test]
    fn nothing_that_may_be_a_secret_is_shown_of_a_broken_file() {
        for text in [
            "[linq]\ntoken = \"s3cr3t",
            "[linq]\ntoken = s3cr3t",
            "[linq]\ntoken s3cr3t",
            "[linq]\ntoken: \"s3cr3t\"",
            "[linq] token = \"s3cr3t\"",
            "[linq]\nscope = \"all\" token = \"s3cr3t\"",
            "[linq]\nlinq.token = s3cr3t",
            "[linq]\n\"token\" = s3cr3t",
            "[linq]\ntoken = \"\"\"\ns3cr3t\n",
            "[linq]\ntokn = s3cr3t",
            "s3cr3t",
            "[linq\ntoken = \"s3cr3t\"",
        ] {
            assert!(ConfigFile::parse(text).is_err(), "{text}");
            assert!(!shown(text).contains(SECRET), "{}", shown(text));
        }
    }

    #[test]
    fn a_harmless_line_of_a_broken_file_is_shown() {
        assert_eq!(shown("[sync]\ndirection = both\n"), "[sync]\ndirection = both\n");
    }

    proptest! {
        #[test]
        fn masking_keeps_every_byte_in_its_place(text in "[a-z=\"\\[\\]\n#ü.]{0,60}") {
            let shown = shown(&text);
            prop_assert_eq!(shown.len(), text.len());
            for (masked, byte) in shown.bytes().zip(text.bytes()) {
                prop_assert!(masked == byte || masked == b'*');
            }
        }
    }
}
