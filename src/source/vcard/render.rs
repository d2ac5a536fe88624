//! How a value is written into a card.
//!
//! Owns charset, quoted-printable and folding of what is new: as the property had
//! them, and where it had none, as the card does. Unchanged components keep their
//! bytes. Leaves which property changes to [`super::put`].

use encoding_rs::{Encoding, UTF_8};

use super::card::{Card, CardVersion, Undecodable, split_at};
use super::escape::{
    escape_text, from_base64, from_quoted_printable, separator_positions, to_base64,
    to_quoted_printable, unify_line_ends,
};
use super::property::Property;
use super::put::NotWritten;
use super::scan::Transfer;
use super::splice::{Splice, UNTOLD};
use crate::source::charset;

/// The length at which lines are folded (RFC 6350, section 3.2).
const LINE: usize = 75;

/// What a property is to say.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewValue<'t> {
    /// This text.
    Text(&'t str),
    /// These texts in these components, and what it said in the others.
    Components(&'t [(usize, &'t str)]),
}

impl NewValue<'_> {
    fn value_texts(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            NewValue::Text(text) => (Some(*text), &[][..]),
            NewValue::Components(components) => (None, *components),
        };
        one.into_iter().chain(many.iter().map(|component| component.1))
    }
}

/// A value as it is written: its pieces, between which semicolons stand.
struct WrittenValue {
    pieces: Vec<Vec<u8>>,
    transfer: Transfer,
    /// Parameters that it needs besides those that are there.
    parameters: &'static str,
}

/// `property` with another value.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn replace_property(
    card: &Card<'_>,
    property: &Property,
    value: NewValue<'_>,
) -> Result<Splice, NotWritten> {
    let line = property.line;
    let old = value_pieces(card, property, value).map_err(|Undecodable(reason)| reason)?;
    let written = put_pieces(card, Some(property), old, value)?;
    let mut head = line.head_bytes(card.body).to_vec();
    if !written.parameters.is_empty() {
        head.pop();
        head.extend(written.parameters.bytes().chain([b':']));
    }
    let ending = &card.body[line.content_end..line.end];
    let ending = if ending.is_empty() { card.line_end() } else { ending };
    let is_folded = match card.version {
        CardVersion::V2 => property.is_folded(card.body),
        CardVersion::V3 | CardVersion::V4 => property.is_folded(card.body) || card.folds_lines(),
    };
    let head_end = head.len();
    let bytes = laid_out(card, head, &written, ending, is_folded);
    check_reads_back(card, &bytes, ending, head_end, value)?;
    Ok(Splice { range: line.start..line.content_end, bytes })
}

/// A new property at the end of the card. `head` is its name with parameters.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn add_property(
    card: &Card<'_>,
    head: &str,
    value: NewValue<'_>,
) -> Result<Splice, NotWritten> {
    let old = vec![Vec::new(); usize::from(matches!(value, NewValue::Text(_)))];
    let written = put_pieces(card, None, old, value)?;
    let head = format!("{head}{}:", written.parameters).into_bytes();
    let ending = card.line_end();
    let is_folded = card.version != CardVersion::V2 && card.folds_lines();
    let head_end = head.len();
    let mut bytes = laid_out(card, head, &written, ending, is_folded);
    check_reads_back(card, &bytes, ending, head_end, value)?;
    bytes.extend_from_slice(ending);
    let end = card.properties_end();
    Ok(Splice { range: end..end, bytes })
}

/// Makes sure that a new line is read as it is meant, which a damaged head and an
/// undeclared charset can keep it from.
fn check_reads_back(
    card: &Card<'_>,
    line: &[u8],
    ending: &[u8],
    head_end: usize,
    value: NewValue<'_>,
) -> Result<(), NotWritten> {
    let whole = [line, ending].concat();
    let Some((read, property)) =
        card.parsed_alone(&whole).filter(|(_, property)| property.line.value == head_end)
    else {
        return Err("the parameters of its line are damaged".to_owned());
    };
    let is = |found: Option<String>, text: &str| found.as_deref() == Some(&*unify_line_ends(text));
    let is_said = match value {
        NewValue::Text(text) => is(read.property_text(&property).ok(), text),
        NewValue::Components(new) => {
            let found = read.property_components(&property).unwrap_or_default();
            new.iter().all(|(at, text)| is(found.get(*at).cloned(), text))
        }
    };
    if is_said { Ok(()) } else { Err(UNTOLD.to_owned()) }
}

/// The pieces of a property's value as they are written; one for a text.
fn value_pieces(
    card: &Card<'_>,
    property: &Property,
    value: NewValue<'_>,
) -> Result<Vec<Vec<u8>>, Undecodable> {
    if matches!(value, NewValue::Text(_)) {
        return Ok(vec![Vec::new()]);
    }
    let written = property.written_value(card.body);
    if property.transfer == Transfer::QuotedPrintable {
        return Ok(split_at(&written, &separator_positions(&written))
            .map(<[u8]>::to_vec)
            .collect());
    }
    let written = match property.transfer {
        Transfer::Base64 => from_base64(&written).unwrap_or_default(),
        Transfer::Plain | Transfer::QuotedPrintable => written,
    };
    // In Shift_JIS a backslash may be half a character: text is cut, not bytes.
    let encoding = card.property_charset(property, &written);
    let pieces = card.property_pieces(property)?;
    let pieces: Option<Vec<Vec<u8>>> =
        pieces.iter().map(|piece| charset::encode(piece, encoding)).collect();
    let pieces = pieces.filter(|pieces| pieces.join(&b';') == written);
    let reason = || Undecodable(format!("{} cannot be written as it was", encoding.name()));
    pieces.ok_or_else(reason)
}

/// Puts `value` into the pieces that are there.
fn put_pieces(
    card: &Card<'_>,
    property: Option<&Property>,
    mut pieces: Vec<Vec<u8>>,
    value: NewValue<'_>,
) -> Result<WrittenValue, NotWritten> {
    if value.value_texts().any(|text| text.contains('\0')) {
        return Err("it contains a NUL character, which no card can hold".to_owned());
    }
    let (mut transfer, mut encoding) = value_spelling(card, property);
    let mut parameters = "";
    if transfer == Transfer::Plain && needs_quoted_printable(card, property, value) {
        transfer = Transfer::QuotedPrintable;
        parameters = ";ENCODING=QUOTED-PRINTABLE";
        if !is_declared(property) {
            encoding = UTF_8;
            parameters = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE";
        }
        if let (NewValue::Components(_), Some(property)) = (value, property) {
            pieces = requote_value(card, property, encoding)?;
        }
    }
    let encoded = |text: &str| -> Result<Vec<u8>, NotWritten> {
        let bytes =
            charset::encode(&escape_text(text, card.version), encoding).ok_or_else(|| {
                format!("it has a character that the card's encoding {} lacks", encoding.name())
            })?;
        Ok(match transfer {
            Transfer::Plain | Transfer::Base64 => bytes,
            Transfer::QuotedPrintable => to_quoted_printable(&bytes),
        })
    };
    match value {
        NewValue::Text(text) => pieces = vec![encoded(text)?],
        NewValue::Components(components) => {
            for (at, text) in components {
                pieces.resize(pieces.len().max(at + 1), Vec::new());
                pieces[*at] = encoded(text)?;
            }
        }
    }
    Ok(WrittenValue { pieces, transfer, parameters })
}

fn is_declared(property: Option<&Property>) -> bool {
    property.is_some_and(|property| property.parameter_values("CHARSET").next().is_some())
}

/// The components of a plain value in quoted-printable.
fn requote_value(
    card: &Card<'_>,
    property: &Property,
    encoding: &'static Encoding,
) -> Result<Vec<Vec<u8>>, NotWritten> {
    let pieces = card.property_pieces(property).map_err(|Undecodable(reason)| reason)?;
    let pieces: Option<Vec<_>> = pieces
        .iter()
        .map(|piece| Some(to_quoted_printable(&charset::encode(piece, encoding)?)))
        .collect();
    pieces.ok_or_else(|| "its encoding cannot be kept".to_owned())
}

/// How a property's value is written by now.
fn value_spelling(card: &Card<'_>, property: Option<&Property>) -> (Transfer, &'static Encoding) {
    let Some(property) = property else { return (Transfer::Plain, card.fallback.encoding) };
    let written = property.written_value(card.body);
    let bytes = match property.transfer {
        Transfer::QuotedPrintable => from_quoted_printable(&written),
        Transfer::Base64 => from_base64(&written).unwrap_or_default(),
        Transfer::Plain => written,
    };
    (property.transfer, card.property_charset(property, &bytes))
}

/// Whether plain text would not do: in vCard 2.1 there are no line ends in it, and
/// nothing but ASCII unless the card shows otherwise.
fn needs_quoted_printable(
    card: &Card<'_>,
    property: Option<&Property>,
    value: NewValue<'_>,
) -> bool {
    let is_ascii_card = !is_declared(property) && card.card_bytes().is_ascii();
    card.version == CardVersion::V2
        && value
            .value_texts()
            .any(|text| unify_line_ends(text).contains('\n') || !text.is_ascii() && is_ascii_card)
}

/// The line without its end, folded where it has to be.
fn laid_out(
    card: &Card<'_>,
    head: Vec<u8>,
    written: &WrittenValue,
    ending: &[u8],
    is_folded: bool,
) -> Vec<u8> {
    let value = written.pieces.join(&b';');
    let mut line = head;
    let column = line.len() - line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    match written.transfer {
        Transfer::QuotedPrintable => {
            fold_line(&mut line, column, split_escapes(&value), &[b"=", ending].concat(), 0);
        }
        Transfer::Base64 => {
            let value = to_base64(&value);
            fold_line(&mut line, column, value.chunks(1).collect(), &[ending, b" "].concat(), 1);
        }
        Transfer::Plain => match std::str::from_utf8(&value) {
            Ok(text) if is_folded && !is_multibyte(card, text) => {
                let units = text.split_inclusive(|_: char| true).map(str::as_bytes).collect();
                fold_line(&mut line, column, units, &[ending, b" "].concat(), 1);
            }
            Ok(_) | Err(_) => line.extend(value),
        },
    }
    line
}

/// Whether `text` is in a charset whose characters cannot be told from their bytes.
fn is_multibyte(card: &Card<'_>, text: &str) -> bool {
    card.fallback.encoding != UTF_8 && !text.is_ascii()
}

/// The bytes of quoted-printable, parted where it may be broken.
fn split_escapes(mut value: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::with_capacity(value.len());
    while let Some(first) = value.first() {
        let length = if *first == b'=' { 3.min(value.len()) } else { 1 };
        let (unit, rest) = value.split_at(length);
        units.push(unit);
        value = rest;
    }
    units
}

fn fold_line(line: &mut Vec<u8>, mut column: usize, units: Vec<&[u8]>, with: &[u8], indent: usize) {
    for unit in units {
        if column + unit.len() > LINE {
            line.extend_from_slice(with);
            column = indent;
        }
        line.extend_from_slice(unit);
        column += unit.len();
    }
}

impl Card<'_> {
    pub(super) fn card_bytes(&self) -> &[u8] {
        match (self.lines.first(), self.lines.last()) {
            (Some(first), Some(last)) => &self.body[first.start..last.end],
            _ => &[],
        }
    }

    /// Where new properties go: before its end, and before a line that would take them
    /// for its own.
    fn properties_end(&self) -> usize {
        let [.., before, last] = self.lines else { return self.body.len() };
        if before.is_open(self.body) { before.start } else { last.start }
    }

    /// How its lines end.
    fn line_end(&self) -> &[u8] {
        let first = self.lines.first().map(|line| &self.body[line.content_end..line.end]);
        first.filter(|ending| !ending.is_empty()).unwrap_or(b"\r\n")
    }

    /// Whether long lines are folded in it: unless one is long and is not.
    fn folds_lines(&self) -> bool {
        let is_long = |line: &&super::scan::Line| {
            let bytes = &self.body[line.start..line.content_end];
            bytes.len() > LINE + 2 && !bytes.contains(&b'\n')
        };
        !self.lines.iter().any(|line| is_long(&line))
    }
}
