//! What the text of a cell means.
//!
//! Owns two pairs of functions. [`meant_text`] takes off what a text has around it for the sake of
//! spreadsheets, the formula guard's apostrophe or Excel's `="…"`, and [`write_cell`] puts it on
//! again as the cell had it. [`cell_values`] finds the values in a text, of which there may be
//! several, each in one of the usual spellings of an address or a number, and [`exchange_value`]
//! gives one of them another text and leaves the rest as it is. The law for both: what is
//! written is what is read, or nothing is written. Leaves which cell it is to
//! [`super::location`].

use std::borrow::Cow;
use std::ops::Range;

use crate::model::{Field, bare_address, decoded_address};
use crate::source::formula::FormulaGuard;

use super::looks::is_phone;

/// The text that is meant by what stands in a cell.
pub(super) fn meant_text(guard: FormulaGuard, text: &str) -> Cow<'_, str> {
    excel_text(text).unwrap_or_else(|| Cow::Borrowed(guard.strip_guard(text)))
}

/// How `value` is written into a cell in which `old` stands. `None` where it would be read
/// as another text.
pub(super) fn write_cell(
    guard: FormulaGuard,
    field: Field,
    old: &str,
    value: &str,
) -> Option<String> {
    let text = match excel_text(old) {
        Some(_) if !value.is_empty() => format!("=\"{}\"", value.replace('"', "\"\"")),
        Some(_) | None => guard.guard_value(field, value).into_owned(),
    };
    (meant_text(guard, &text) == value).then_some(text)
}

/// The text in `="4155550101"`, by which Excel is told that a number is text.
fn excel_text(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.trim().strip_prefix("=\"")?.strip_suffix('"')?;
    if !inner.contains('"') {
        return Some(Cow::Borrowed(inner));
    }
    let is_whole = !inner.replace("\"\"", "").contains('"');
    is_whole.then(|| Cow::Owned(inner.replace("\"\"", "\"")))
}

/// A value within a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CellPart {
    /// What stands between two separators.
    segment: Range<usize>,
    /// The value in it.
    value: Range<usize>,
    /// What another value takes the place of.
    replaced: Range<usize>,
}

impl CellPart {
    fn whole_range(range: Range<usize>) -> CellPart {
        CellPart { segment: range.clone(), value: range.clone(), replaced: range }
    }
}

/// The values in the text of a cell, at least one; a blank text is one, which is blank.
pub(super) fn cell_values(field: Field, text: &str) -> Vec<Cow<'_, str>> {
    value_parts(field, text).into_iter().map(|part| value_at(field, text, part.value)).collect()
}

fn value_at(field: Field, text: &str, at: Range<usize>) -> Cow<'_, str> {
    if field == Field::Email { decoded_address(text, at) } else { Cow::Borrowed(&text[at]) }
}

/// `text` with `to` in the place of its value `from`. `None` where it would not be read so.
pub(super) fn exchange_value(field: Field, text: &str, from: &str, to: &str) -> Option<String> {
    let parts = value_parts(field, text);
    let mut wanted: Vec<Cow<'_, str>> =
        parts.iter().map(|part| value_at(field, text, part.value.clone())).collect();
    let at = wanted.iter().position(|value| value == from)?;
    let new = if !to.trim().is_empty() {
        wanted[at] = Cow::Borrowed(to);
        let range = parts[at].replaced.clone();
        format!("{}{to}{}", &text[..range.start], &text[range.end..])
    } else if parts.len() == 1 {
        wanted[at] = Cow::Borrowed(to);
        to.to_owned()
    } else {
        wanted.remove(at);
        without_part(text, &parts, at)
    };
    let found = cell_values(field, &new);
    let is_same = |a: &str, b: &str| {
        a == b || field == Field::Email && bare_address(b).is_some_and(|bare| *a == b[bare])
    };
    let reads_back = found.len() == wanted.len()
        && found.iter().zip(&wanted).all(|(found, wanted)| is_same(found, wanted));
    reads_back.then_some(new)
}

/// The text without a part and the separator beside it.
fn without_part(text: &str, parts: &[CellPart], at: usize) -> String {
    let range = match parts.get(at + 1) {
        Some(next) => parts[at].segment.start..next.segment.start,
        None => parts[at - 1].segment.end..parts[at].segment.end,
    };
    format!("{}{}", &text[..range.start], &text[range.end..])
}

fn value_parts(field: Field, text: &str) -> Vec<CellPart> {
    let found = match field {
        Field::Email => address_parts(text),
        Field::PhoneNumber => number_parts(text),
        Field::Location => separated_parts(text, &[" ::: "], CellPart::whole_range),
        Field::FirstName | Field::LastName | Field::Company | Field::Title | Field::Owner => None,
    };
    found.unwrap_or_else(|| vec![CellPart::whole_range(0..text.len())])
}

/// The addresses in a text, if it has any in a usual spelling.
fn address_parts(text: &str) -> Option<Vec<CellPart>> {
    // Most are addresses and nothing else.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@._+-".contains(&byte);
    let is_bare = text.bytes().all(is_plain) && !text.ends_with('.') && !text.starts_with('.');
    if is_bare || !text.contains('@') && !text.contains("%40") {
        return None;
    }
    let all = split_segments(text, &[";", ",", "|", "\n", "\r", " ::: "]).into_iter();
    let segments = all.map(|segment| trim_range(text, segment));
    let mut found: Vec<CellPart> = Vec::new();
    let mut start = None;
    for segment in segments {
        let part = &text[segment.clone()];
        if part.trim().is_empty() {
            continue;
        }
        if let Some(value) = bare_address(part) {
            let value = segment.start + value.start..segment.start + value.end;
            // The name before an address may have a comma in it: `King, Ada <ada@x.example>`.
            let begin = start.take().filter(|_| part.contains('<')).unwrap_or(segment.start);
            let segment = begin..segment.end;
            found.push(CellPart { segment, value: value.clone(), replaced: value });
        } else if let Some(words) = between_blanks(text, segment.clone()) {
            found.extend(words);
            start = None;
        } else {
            start = Some(start.unwrap_or(segment.start));
        }
    }
    // Blanks around an address are part of the text, as in every other cell.
    let is_bare = matches!(&found[..], [only] if text[only.value.clone()] == *text.trim());
    (!found.is_empty() && !is_bare).then_some(found)
}

/// Addresses with nothing but blanks between them.
fn between_blanks(text: &str, range: Range<usize>) -> Option<Vec<CellPart>> {
    let inner = &text[range.clone()];
    let words: Vec<&str> = inner.split_whitespace().collect();
    let part = |word: &&str| {
        let at = range.start + (word.as_ptr() as usize - inner.as_ptr() as usize);
        let value = bare_address(word)?;
        let value = at + value.start..at + value.end;
        Some(CellPart { segment: at..at + word.len(), value: value.clone(), replaced: value })
    };
    (words.len() > 1).then(|| words.iter().map(part).collect()).flatten()
}

/// The phone numbers in a text: several, or one that a spreadsheet wrote as a number.
fn number_parts(text: &str) -> Option<Vec<CellPart>> {
    // Most are numbers and nothing else.
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+ ()-.".contains(&byte);
    if text.bytes().all(is_plain)
        && !text.trim_end().ends_with(".0")
        && !text.trim_end().ends_with(".00")
    {
        return None;
    }
    let separators = [";", ",", " | ", "|", "\n", "\r", " ::: ", " / "];
    let is_one = |segment: &Range<usize>| {
        let part = text[segment.clone()].trim();
        is_phone(part) || float_digits(part).is_some_and(is_phone)
    };
    let segments: Vec<Range<usize>> = split_segments(text, &separators)
        .into_iter()
        .map(|segment| trim_range(text, segment))
        .filter(|segment| !segment.is_empty())
        .collect();
    let number = |segment: Range<usize>| {
        let length = float_digits(&text[segment.clone()]).map_or(segment.len(), str::len);
        let value = segment.start..segment.start + length;
        CellPart { segment: segment.clone(), value, replaced: segment }
    };
    match &segments[..] {
        [only] if float_digits(&text[only.clone()]).is_some() => Some(vec![number(only.clone())]),
        [_, _, ..] if segments.iter().all(is_one) => {
            Some(segments.into_iter().map(number).collect())
        }
        _ => None,
    }
}

/// The digits of `14155550101.0`, as a spreadsheet writes a number.
fn float_digits(text: &str) -> Option<&str> {
    let digits = text.strip_suffix(".0").or_else(|| text.strip_suffix(".00"))?;
    let bare = digits.strip_prefix('+').unwrap_or(digits);
    (bare.len() >= 7 && bare.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// Parts between separators, if there is more than one that says something.
fn separated_parts(
    text: &str,
    separators: &[&str],
    part: impl Fn(Range<usize>) -> CellPart,
) -> Option<Vec<CellPart>> {
    let segments: Vec<Range<usize>> = split_segments(text, separators)
        .into_iter()
        .map(|segment| trim_range(text, segment))
        .filter(|segment| !segment.is_empty())
        .collect();
    (segments.len() > 1).then(|| segments.into_iter().map(part).collect())
}

/// What stands between separators outside of quotation marks and angle brackets.
fn split_segments(text: &str, separators: &[&str]) -> Vec<Range<usize>> {
    let mut segments = Vec::new();
    let (mut start, mut at) = (0, 0);
    let (mut is_quoted, mut is_bracketed) = (false, false);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let separator = separators.iter().filter(|by| rest.starts_with(**by)).map(|by| by.len());
        match (c, separator.max()) {
            ('"', _) if rest[1..].contains('"') || is_quoted => is_quoted = !is_quoted,
            ('<', _) if rest.contains('>') && !is_quoted => is_bracketed = true,
            ('>', _) => is_bracketed = false,
            (_, Some(length)) if !is_quoted && !is_bracketed => {
                segments.push(start..at);
                at += length;
                start = at;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    segments.push(start..text.len());
    segments
}

fn trim_range(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = range.end - (part.len() - part.trim_end().len());
    start.min(end)..end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cell_that_excel_takes_for_text_is_read_as_meant_and_stays_one() {
        let guard = FormulaGuard::On;
        for (cell, text) in [
            ("=\"4155550101\"", "4155550101"),
            ("=\"3M\"", "3M"),
            ("=\"Bo \"\"Ace\"\" Fox\"", "Bo \"Ace\" Fox"),
            ("=\"\"", ""),
            (" =\"x\" ", "x"),
            ("=\"a\"b\"", "=\"a\"b\""),
            ("=1+1", "=1+1"),
            ("'=\"x\"", "=\"x\""),
        ] {
            assert_eq!(meant_text(guard, cell), text, "{cell}");
        }
        let write = |old, value| write_cell(guard, Field::Company, old, value);
        assert_eq!(write("=\"3M\"", "4M \"x\"").as_deref(), Some("=\"4M \"\"x\"\"\""));
        assert_eq!(write("=\"3M\"", "").as_deref(), Some(""));
        assert_eq!(write("3M", "=\"x\"").as_deref(), Some("'=\"x\""));
        assert_eq!(write_cell(FormulaGuard::Off, Field::Company, "", "=\"x\""), None);
    }

    #[test]
    fn several_values_in_a_cell_are_told_apart() {
        for (field, text, found) in [
            (Field::Email, "a@x.example; b@y.example", &["a@x.example", "b@y.example"][..]),
            (Field::Email, "a@x.example,b@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "a@x.example ::: b@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "a@x.example | b@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "a@x.example\nb@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "a@x.example b@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "King, Ada <a@x.example>; b@y.example", &["a@x.example", "b@y.example"]),
            (Field::Email, "\"King, Ada\" <a@x.example>", &["a@x.example"]),
            (Field::Email, "mailto:a@x.example", &["a@x.example"]),
            (Field::Email, "mailto:ada%40x.example", &["ada@x.example"]),
            (Field::Email, "mailto:a%2Bb@x.example?subject=Hi", &["a+b@x.example"]),
            (Field::Email, "<a@x.example>", &["a@x.example"]),
            (Field::Email, "\u{feff}a@x.example.", &["a@x.example"]),
            (Field::Email, "a@x.example;", &["a@x.example"]),
            (Field::Email, "'a@x.example'", &["a@x.example"]),
            (Field::Email, "n/a", &["n/a"]),
            (Field::Email, "ask a@x.example", &["ask a@x.example"]),
            (Field::Email, "", &[""]),
            (
                Field::PhoneNumber,
                "+1 415 555 0101; +1 415 555 0102",
                &["+1 415 555 0101", "+1 415 555 0102"],
            ),
            (
                Field::PhoneNumber,
                "(415) 555-0101 ::: 415.555.0102",
                &["(415) 555-0101", "415.555.0102"],
            ),
            (Field::PhoneNumber, "+14155550101\r\n+14155550102", &["+14155550101", "+14155550102"]),
            (Field::PhoneNumber, "14155550101.0", &["14155550101"]),
            (Field::PhoneNumber, "030/1234567", &["030/1234567"]),
            (Field::PhoneNumber, "+14155550101;5", &["+14155550101;5"]),
            (Field::PhoneNumber, "+14155550101,,123", &["+14155550101,,123"]),
            (Field::Location, "Oslo ::: Bergen", &["Oslo", "Bergen"]),
            (Field::Location, "Oslo, Norway", &["Oslo, Norway"]),
            (Field::Company, "Lever ::: Sons", &["Lever ::: Sons"]),
        ] {
            assert_eq!(cell_values(field, text), found, "{text:?}");
        }
    }

    #[test]
    fn an_edit_exchanges_one_value_and_keeps_the_rest() {
        for (field, text, from, to, expected) in [
            (
                Field::Email,
                "a@x.example; b@y.example",
                "a@x.example",
                "c@z.example",
                Some("c@z.example; b@y.example"),
            ),
            (
                Field::Email,
                "a@x.example; b@y.example",
                "b@y.example",
                "c@z.example",
                Some("a@x.example; c@z.example"),
            ),
            (Field::Email, "a@x.example; b@y.example", "a@x.example", "", Some("b@y.example")),
            (Field::Email, "a@x.example ::: b@y.example", "b@y.example", "", Some("a@x.example")),
            (
                Field::Email,
                "mailto:a@x.example",
                "a@x.example",
                "c@z.example",
                Some("mailto:c@z.example"),
            ),
            (
                Field::Email,
                "Ada <a@x.example>",
                "a@x.example",
                "c@z.example",
                Some("Ada <c@z.example>"),
            ),
            (Field::Email, "Ada <a@x.example>", "a@x.example", "", Some("")),
            (Field::Email, "", "", "a@x.example", Some("a@x.example")),
            (Field::Email, "a@x.example", "a@x.example", "b@x.example; c@x.example", None),
            (Field::Email, "a@x.example", "a@x.example", "b@x.example.", Some("b@x.example.")),
            (Field::Email, " a@x.example ", " a@x.example ", " b@x.example", Some(" b@x.example")),
            (
                Field::PhoneNumber,
                "14155550101.0",
                "14155550101",
                "+14155550102",
                Some("+14155550102"),
            ),
            (
                Field::PhoneNumber,
                "415 555 0101; 415 555 0102",
                "415 555 0101",
                "+14155550103",
                Some("+14155550103; 415 555 0102"),
            ),
            (Field::Location, "Oslo ::: Bergen", "Oslo", "Paris", Some("Paris ::: Bergen")),
            (Field::Location, "Oslo ::: Bergen", "Oslo", "Paris ::: Rome", None),
        ] {
            assert_eq!(exchange_value(field, text, from, to).as_deref(), expected, "{text} {to}");
        }
    }

    fn field() -> impl Strategy<Value = Field> {
        prop::sample::select(Field::ALL.to_vec())
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a@x.example",
            "b@y.example",
            "+14155550101",
            "415 555 0102",
            "14155550101.0",
            "; ",
            ", ",
            " ::: ",
            "|",
            "\n",
            "<",
            ">",
            "\"",
            "=",
            "'",
            " ",
            "Ada",
            "mailto:",
            ".",
            "Oslo",
        ]);
        prop_oneof![
            prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat()),
            ".{0,10}",
        ]
    }

    proptest! {
        #[test]
        fn what_is_exchanged_is_what_is_read(
            field in field(), text in text(), to in text(), at in any::<prop::sample::Index>(),
        ) {
            let before: Vec<String> =
                cell_values(field, &text).into_iter().map(Cow::into_owned).collect();
            let from = at.get(&before).clone();
            if let Some(new) = exchange_value(field, &text, &from, &to) {
                let after = cell_values(field, &new);
                let first = before.iter().position(|value| *value == from).unwrap();
                if to.trim().is_empty() && before.len() > 1 {
                    prop_assert_eq!(after.len(), before.len() - 1);
                } else {
                    let bare = bare_address(&to).map(|range| &to[range]);
                    prop_assert!(after[first] == to || bare == Some(&*after[first]));
                    prop_assert_eq!(after.len(), before.len());
                }
            }
        }

        #[test]
        fn what_is_written_is_what_is_meant(field in field(), old in text(), value in text()) {
            for guard in [FormulaGuard::On, FormulaGuard::Off] {
                if let Some(text) = write_cell(guard, field, &old, &value) {
                    prop_assert_eq!(meant_text(guard, &text), value.as_str());
                }
            }
        }
    }
}
