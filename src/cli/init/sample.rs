//! What was recognised in a source, with three people as examples.

use std::fmt::Write;
use std::path::Path;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::check::{NAMELESS, Numbers, country_name, delimiter_name};
use crate::cli::text::{count_noun, shown_text, wrap_text};
use crate::model::{Field, Region, SourceRecord};
use crate::source::SourceReading;
use crate::source::csv::TableShape;

/// How many contacts are shown, and in how many columns of the terminal each: all of them fit
/// into 80.
const PEOPLE: usize = 3;
const WIDTH: usize = 15;

/// The source in words: how it is written, which field is where, and examples.
pub(super) fn sample_text(
    path: &Path,
    shape: Option<&TableShape>,
    key: Option<&str>,
    reading: &SourceReading,
    (phones, notes): (&str, &[String]),
) -> String {
    let people = count_noun(reading.records.len(), "contact", "contacts");
    let form = shape.map_or(String::new(), |shape| {
        format!(", {}, separated by {}", shape.encoding, delimiter_name(shape.delimiter))
    });
    let mut text = wrap_text(&format!("{}: {people}{form}", path.display()), 0) + "\n\n";
    if reading.records.is_empty() && shape.is_none() {
        let notes = notes.iter().chain(&reading.notices);
        return notes
            .fold(text, |text, note| text + &wrap_text(&format!("note: {note}"), 0) + "\n")
            + "\n";
    }
    let examples: Vec<&SourceRecord> = reading.records.iter().take(PEOPLE).collect();
    let labels = examples.iter().map(|record| record.label.clone());
    add_sample_row(&mut text, "Linq", if shape.is_some() { "column" } else { "" }, labels);
    for field in Field::ALL.into_iter().filter(|field| reading.mapped.contains(*field)) {
        let column = shape.and_then(|shape| shape.columns.get(&field)).map_or("", String::as_str);
        let values = examples.iter().map(|record| record.values[field].to_string());
        add_sample_row(&mut text, field.name(), column, values);
    }
    if let Some(key) = key {
        text += &(wrap_text(&format!("identifies rows: {}", shown_text(key, 100)), 0) + "\n");
    }
    text += phones;
    text += &other_columns(shape, key);
    if shape.is_some_and(|shape| !shape.has_names()) {
        text += &(wrap_text(&format!("note: {NAMELESS}"), 0) + "\n");
    }
    for notice in notes.iter().chain(&reading.notices) {
        text += &(wrap_text(&format!("note: {notice}"), 0) + "\n");
    }
    for record in reading.unreadable.iter().take(PEOPLE) {
        let line =
            format!("not readable: {} (line {}): {}", record.label, record.line, record.reason);
        text += &(wrap_text(&shown_text(&line, 300), 0) + "\n");
    }
    if reading.unreadable.len() > PEOPLE {
        let _ =
            writeln!(text, "and {} more that are not readable", reading.unreadable.len() - PEOPLE);
    }
    text + "\n"
}

/// In which country phone numbers are read, why, and how many are none there.
pub(super) fn phone_region_text(
    numbers: &Numbers,
    region: Region,
    because: Option<&str>,
) -> String {
    let Numbers { total, unusable, example, .. } = numbers;
    if *total == 0 {
        return String::new();
    }
    let because = because.map(|because| format!(", because of {because}")).unwrap_or_default();
    let unusable = match example {
        None => "all are valid there".to_owned(),
        Some(cell) => {
            format!("{unusable} of {total} are not valid there, the first in {cell}")
        }
    };
    let country = country_name(region);
    let line = format!(
        "phone numbers: read in {country} (sync.region = \"{region}\"){because}; {unusable}"
    );
    wrap_text(&shown_text(&line, 400), 0) + "\n"
}

fn add_sample_row(
    text: &mut String,
    field: &str,
    column: &str,
    values: impl Iterator<Item = String>,
) {
    let _ = write!(text, "  {field:13} {}", fit_to_width(column));
    for value in values {
        let _ = write!(text, " {}", fit_to_width(&value));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// `text` as it is shown in exactly [`WIDTH`] columns of the terminal, of which some characters
/// take two.
fn fit_to_width(text: &str) -> String {
    let text = shown_text(text, 10 * WIDTH);
    if text.width() <= WIDTH {
        return format!("{text}{}", " ".repeat(WIDTH - text.width()));
    }
    let (mut fitted, mut used) = (String::new(), 0);
    for c in text.chars() {
        let width = c.width().unwrap_or_default();
        // The last column is for the sign that something is missing.
        if used + width >= WIDTH {
            break;
        }
        fitted.push(c);
        used += width;
    }
    format!("{fitted}…{}", " ".repeat(WIDTH - used - 1))
}

/// The columns that are left alone.
fn other_columns(shape: Option<&TableShape>, key: Option<&str>) -> String {
    let Some(shape) = shape else { return String::new() };
    let used: Vec<&String> =
        shape.columns.values().chain(shape.further.values().flatten()).collect();
    let others: Vec<&str> = shape
        .header
        .iter()
        .filter(|name| !name.is_empty() && !used.contains(name) && key != Some(name.as_str()))
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        return String::new();
    }
    wrap_text(&format!("never touched: {}", shown_text(&others.join(", "), 400)), 0) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_the_same_columns_in_every_script() {
        for text in [
            "Ada",
            "",
            "ada@engines.example",
            "株式会社山田製作所本社",
            "a株式会社山田製作",
            "नमस्ते",
        ] {
            assert_eq!(fit_to_width(text).width(), WIDTH, "{text}");
        }
        assert_eq!(fit_to_width("株式会社山田製作所本社"), "株式会社山田製…");
        assert_eq!(fit_to_width("ada@engines.example"), "ada@engines.ex…");
    }
}
