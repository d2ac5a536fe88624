//! JSON as it is shown: on a terminal nothing in it acts, and a program reads the same.
//!
//! Owns escaping what a terminal would obey or nobody would see, which JSON itself leaves as
//! it is: control characters beyond the first 32, and those that change the direction of
//! text. Leaves what is said to the documents.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::model::is_invisible;

/// Writes `document`, indented.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(out: impl Write, document: &impl Serialize) -> io::Result<()> {
    let formatter = Escaping(PrettyFormatter::new());
    document.serialize(&mut Serializer::with_formatter(out, formatter)).map_err(io::Error::from)
}

/// `document` as text, indented, with a line end.
pub fn json_text(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    // Writing into memory cannot fail, and our documents are all of them JSON.
    let _ = write_json(&mut text, document);
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

struct Escaping(PrettyFormatter<'static>);

/// Whether `c` is to be escaped.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| needs_escape(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_nothing_else_differs() {
        let document = serde_json::json!({ "a\u{202e}": ["x\u{9b}31m\u{7f}é山", 1, {}] });
        let text = json_text(&document);
        assert_eq!(
            text,
            "{\n  \"a\\u202e\": [\n    \"x\\u009b31m\\u007fé山\",\n    1,\n    {}\n  ]\n}\n"
        );
    }

    proptest! {
        #[test]
        fn a_program_reads_the_same(text in any::<String>()) {
            let shown = json_text(&text);
            prop_assert!(!shown.trim_end().chars().any(needs_escape));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
