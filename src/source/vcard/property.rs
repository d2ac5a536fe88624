//! One property of a card: its name, its parameters, and the bytes of its value.
//!
//! Owns taking a content line apart (RFC 6350, section 3.3, and the habits of vCard
//! 2.1, where parameters may have no name). Leaves charsets and escapes to
//! [`super::card`].

use std::borrow::Cow;

use super::scan::{Breaks, Line, Transfer};

/// A property of a card that linqsync reads.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) line: Line,
    /// The group, `item1` for example, in lower case.
    pub(super) group: Option<String>,
    /// The name, in upper case.
    pub(super) name: String,
    /// Names in upper case, and values. A parameter of vCard 2.1 without a name is a
    /// `TYPE`, or an `ENCODING` where it is one.
    parameters: Vec<(String, String)>,
    pub(super) transfer: Transfer,
}

/// The properties that are looked at. The others are never taken apart.
const NAMES: [&str; 14] = [
    "VERSION",
    "UID",
    "REV",
    "KIND",
    "X-ADDRESSBOOKSERVER-KIND",
    "X-ABSHOWAS",
    "N",
    "FN",
    "EMAIL",
    "TEL",
    "ORG",
    "TITLE",
    "ADR",
    "X-ABLABEL",
];

/// What a line begins with, unfolded: its name, and before that its group.
pub(super) fn start_of<'b>(line: &Line, body: &'b [u8]) -> Cow<'b, [u8]> {
    let head = line.head_bytes(body);
    let end = head.iter().position(|byte| matches!(byte, b';' | b':'));
    let start = &head[..end.unwrap_or(head.len())];
    if memchr::memchr2(b'\r', b'\n', start).is_some() {
        return Cow::Owned(line.breaks.unfold_bytes(start));
    }
    Cow::Borrowed(start)
}

/// The name that a line starts with, and its group, as they are written.
pub(super) fn name_of(start: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let name = start.trim_ascii();
    match memchr::memrchr(b'.', name) {
        Some(dot) => (Some(&name[..dot]), &name[dot + 1..]),
        None => (None, name),
    }
}

impl Property {
    /// Takes `line` apart, if it is one that is looked at.
    pub(super) fn parse_line(line: Line, body: &[u8]) -> Option<Property> {
        Property::of_names(line, body, &NAMES)
    }

    /// Takes `line` apart, if it is one of those called `names`, which are in upper case.
    pub(super) fn of_names(line: Line, body: &[u8], names: &[&str]) -> Option<Property> {
        let start = start_of(&line, body);
        let (group, name) = name_of(&start);
        let name = names.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))?;
        let head = line.head_bytes(body);
        let head = line.breaks.unfold_bytes(head.strip_suffix(b":").unwrap_or(head));
        let transfer = Transfer::transfer_of(&head);
        Some(Property {
            line,
            group: group.map(|group| String::from_utf8_lossy(group).to_lowercase()),
            name: (*name).to_owned(),
            parameters: parse_parameters(&String::from_utf8_lossy(&head)),
            transfer,
        })
    }

    /// The values of a parameter, in order.
    pub(super) fn parameter_values<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        let named = self.parameters.iter().filter(move |parameter| parameter.0 == name);
        named.map(|parameter| parameter.1.as_str())
    }

    /// Whether it is of this type, whose name is in lower case.
    pub(super) fn is_of_type(&self, name: &str) -> bool {
        self.parameter_values("TYPE").flat_map(|types| types.split(',')).any(|one| {
            // Some programs write `type=pref` within the value of `TYPE`.
            one.trim().eq_ignore_ascii_case(name)
        })
    }

    /// The bytes of the value without folding, soft line breaks and, in base64, space.
    pub(super) fn written_value(&self, body: &[u8]) -> Vec<u8> {
        let value = &body[self.line.value..self.line.content_end];
        match self.transfer {
            Transfer::Plain => self.line.breaks.unfold_bytes(value),
            Transfer::QuotedPrintable => without_soft_breaks(value, self.line.breaks),
            Transfer::Base64 => {
                value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
            }
        }
    }

    /// Whether its value goes over several lines.
    pub(super) fn is_folded(&self, body: &[u8]) -> bool {
        let line = &body[self.line.start..self.line.content_end];
        self.line.breaks.unfold_bytes(line).len() != line.len()
    }
}

/// Quoted-printable without its soft line breaks. Lines that are folded besides lose
/// the blank of the fold.
fn without_soft_breaks(bytes: &[u8], breaks: Breaks) -> Vec<u8> {
    let mut joined = JoinedLines::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = breaks.break_end(bytes, at) {
            let softly = joined.take_soft_break();
            let folded = !softly && matches!(bytes.get(end), Some(b' ' | b'\t'));
            at = end + usize::from(folded);
        } else {
            let text = at + Breaks::text_at(bytes, at);
            bytes[at..text].iter().for_each(|byte| joined.push_byte(*byte));
            at = text;
        }
    }
    if joined.bytes.last() == Some(&b'=') {
        joined.bytes.pop();
    }
    joined.bytes
}

/// Lines that were joined so far. It knows where they end but for blanks, which may be many.
struct JoinedLines {
    bytes: Vec<u8>,
    /// Where the last byte ends that is no blank, and where the one before it ends, if that
    /// is known.
    solid: usize,
    before: Option<usize>,
}

impl JoinedLines {
    fn with_capacity(capacity: usize) -> JoinedLines {
        JoinedLines { bytes: Vec::with_capacity(capacity), solid: 0, before: None }
    }

    fn push_byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if !byte.is_ascii_whitespace() {
            self.before = Some(self.solid);
            self.solid = self.bytes.len();
        }
    }

    /// Takes out the `=` of a soft break, and the blanks behind it; tells whether there was
    /// one.
    fn take_soft_break(&mut self) -> bool {
        let Some(last) = self.solid.checked_sub(1).filter(|last| self.bytes[*last] == b'=') else {
            return false;
        };
        self.bytes.truncate(last);
        let found = || self.bytes.trim_ascii_end().len();
        self.solid = self.before.take().unwrap_or_else(found);
        true
    }
}

fn parse_parameters(head: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    let parts = head.split(|character| {
        quoted ^= character == '"';
        character == ';' && !quoted
    });
    let unquoted = |text: &str| text.trim().replace('"', "");
    let parameter = |part: &str| match part.split_once('=') {
        Some((name, value)) => Some((name.trim().to_ascii_uppercase(), unquoted(value))),
        None if part.trim().is_empty() => None,
        None => Some(("TYPE".to_owned(), unquoted(part))),
    };
    parts.skip(1).filter_map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scan::content_lines;
    use super::*;

    fn property(line: &str) -> Property {
        Property::parse_line(content_lines(line.as_bytes())[0], line.as_bytes()).unwrap()
    }

    fn written(line: &str) -> String {
        String::from_utf8(property(line).written_value(line.as_bytes())).unwrap()
    }

    #[test]
    fn parameters_are_read_in_every_spelling() {
        let table = [
            "item1.EMAIL;type=INTERNET;type=pref:x",
            "email;INTERNET;PREF:x",
            "Item1.Email;TYPE=\"internet,pref\":x",
            "EMAIL;TYPE=home,pref,internet;;X-A=\"a;b:c\":x",
            "EMAIL;TYPE=inter\r\n net;TYPE=pref:x",
            "EMA\r\n IL;TYPE=internet;TYPE=pref:x",
            "item1.\n\tEMAIL\n ;TYPE=internet;TYPE=pref\n :x",
        ];
        for line in table {
            let property = property(line);
            assert!(property.is_of_type("internet") && property.is_of_type("pref"), "{line}");
            assert_eq!((property.name.as_str(), written(line).as_str()), ("EMAIL", "x"), "{line}");
        }
        assert_eq!(property(table[0]).group.as_deref(), Some("item1"));
        assert_eq!(property(table[3]).parameter_values("X-A").collect::<Vec<_>>(), ["a;b:c"]);
    }

    #[test]
    fn a_value_is_joined_as_its_encoding_wants_it() {
        let table = [
            ("FN:Ann\r\n  Lee\r\n", "Ann Lee"),
            ("FN:Ann\r\r\n Lee\r\r\n", "AnnLee"),
            ("FN;QUOTED-PRINTABLE:a=0D=\r\n=0Ab = \r\n c", "a=0D=0Ab  c"),
            ("FN;ENCODING=QUOTED-PRINTABLE:a\n b=\nc", "abc"),
            ("FN;ENCODING=QUOTED-PRINTABLE:a=", "a"),
            ("FN;ENCODING=B:QW\n 5u\n\n", "QW5u"),
        ];
        for (line, value) in table {
            assert_eq!(written(line), value, "{line:?}");
        }
    }

    #[test]
    fn other_properties_are_not_looked_at() {
        let note = b"NOTE:x";
        assert!(Property::parse_line(content_lines(note)[0], note).is_none());
    }

    #[test]
    fn soft_breaks_among_many_blanks_are_joined_in_one_pass() {
        let blanks = "  \r\n".repeat(200_000);
        let joined = without_soft_breaks(format!("a{blanks}=\r\nb").as_bytes(), Breaks::Feeds);
        assert_eq!((joined.first(), joined.last()), (Some(&b'a'), Some(&b'b')));
        let softly = "  =\r\n".repeat(200_000);
        let joined = without_soft_breaks(format!("a{softly}b").as_bytes(), Breaks::Feeds);
        assert_eq!(joined.len(), 400_002);
        let returns = "\r".repeat(400_000);
        let joined = without_soft_breaks(format!("{returns}b=\r\nc").as_bytes(), Breaks::Feeds);
        assert_eq!(joined.len(), 400_002);
        assert_eq!(without_soft_breaks(b"= =\r\n \r\nx", Breaks::Feeds), b"x");
    }
}
