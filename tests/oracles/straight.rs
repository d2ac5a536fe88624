//! What a quotation mark behind blanks means, for readers of RFC 4180 that do not know.
//!
//! Owns the law of it, which shares no step with the product: blanks and a quotation mark
//! begin a quoted cell, if nothing but blanks is between the mark that closes it and the end
//! of the cell; otherwise all of that is text, and it is *stray*.

use std::ops::Range;

/// A cell as it is written.
#[derive(Clone, Debug)]
pub(crate) struct StraightToken {
    /// All of it.
    pub(crate) span: Range<usize>,
    /// How many bytes of blanks come before its quotation mark.
    pub(crate) lead: usize,
    pub(crate) is_quoted: bool,
    pub(crate) is_stray: bool,
    /// Whether its quotation mark behind blanks is not closed on its line, so that nobody can
    /// tell whether the next lines are rows: such a file is not written.
    pub(crate) dangles: bool,
}

/// The rows of a text: their cells, and where their line end is.
pub(crate) fn rows(text: &[u8], delimiter: u8) -> Vec<(Vec<StraightToken>, Range<usize>)> {
    let (mut rows, mut cells, mut at) = (Vec::new(), Vec::new(), 0);
    while at < text.len() {
        let token = token(text, delimiter, at);
        at = token.span.end;
        cells.push(token);
        match text.get(at) {
            Some(byte) if *byte == delimiter => {
                at += 1;
                if at == text.len() {
                    cells.push(self::token(text, delimiter, at));
                    rows.push((std::mem::take(&mut cells), at..at));
                }
            }
            _ => {
                let length = if text[at..].starts_with(b"\r\n") { 2 } else { 1 };
                let end = at..text.len().min(at + length);
                at = end.end;
                rows.push((std::mem::take(&mut cells), end));
            }
        }
    }
    rows
}

fn token(text: &[u8], delimiter: u8, start: usize) -> StraightToken {
    let bare_end = |from: usize| {
        let ends = |byte: &u8| *byte == delimiter || *byte == b'\n' || *byte == b'\r';
        text[from..].iter().position(ends).map_or(text.len(), |length| from + length)
    };
    let mut open = start;
    loop {
        match text[open..] {
            [b' ', ..] if delimiter != b' ' => open += 1,
            [b'\t', ..] if delimiter != b'\t' => open += 1,
            [0xc2, 0xa0, ..] => open += 2,
            _ => break,
        }
    }
    let bare = |is_stray, dangles| StraightToken {
        span: start..bare_end(start),
        lead: 0,
        is_quoted: false,
        is_stray,
        dangles,
    };
    if text.get(open) != Some(&b'"') {
        return bare(false, false);
    }
    // Quotation marks within come in pairs.
    let mut inside = true;
    let mut at = open + 1;
    while inside && at < text.len() {
        match (text[at], text.get(at + 1)) {
            (b'"', Some(b'"')) => at += 2,
            (b'"', _) => inside = false,
            _ => at += 1,
        }
    }
    let end = if inside { text.len() } else { bare_end(at + 1) };
    let is_proper = !inside && text[at + 1..end].iter().all(u8::is_ascii_whitespace);
    let spread = text[open..at.min(text.len())].iter().any(|byte| b"\r\n".contains(byte));
    if open > start && !is_proper {
        return bare(true, inside || spread);
    }
    let (lead, dangles) = (open - start, open > start && spread);
    StraightToken { span: start..end, lead, is_quoted: true, is_stray: false, dangles }
}

/// The text without the blanks before quotation marks that open a cell.
pub(crate) fn straightened(text: &[u8], delimiter: u8) -> Vec<u8> {
    let mut straight = Vec::with_capacity(text.len());
    for (cells, end) in rows(text, delimiter) {
        for (number, cell) in cells.iter().enumerate() {
            if number > 0 {
                straight.push(delimiter);
            }
            straight.extend_from_slice(&text[cell.span.start + cell.lead..cell.span.end]);
        }
        straight.extend_from_slice(&text[end]);
    }
    straight
}
