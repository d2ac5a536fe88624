//! The lines of a file, and the cards that they make.
//!
//! Owns which bytes belong to which content line: folding (RFC 6350, section 3.2),
//! soft line breaks of quoted-printable, and base64 over several lines. Every byte
//! is part of exactly one line, and lines say only where they are. Leaves what is in
//! a line to [`super::property`].

use std::ops::Range;

/// A content line with all its continuations, as positions in the file's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: usize,
    /// The position behind the colon; `content_end` where there is none.
    pub(super) value: usize,
    /// Where the last part's line end begins.
    pub(super) content_end: usize,
    pub(super) end: usize,
    /// Its number in the file, counted from 1.
    pub(super) number: u32,
    pub(super) kind: LineKind,
    pub(super) breaks: Breaks,
}

/// By what lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breaks {
    /// LF, and all CRs before it: some programs write CR CR LF. Any other CR is text.
    Feeds,
    /// CR, in a file without any LF.
    Returns,
}

impl Breaks {
    fn detect_breaks(body: &[u8]) -> Breaks {
        let has_feed = memchr::memchr(b'\n', body).is_some();
        if has_feed { Breaks::Feeds } else { Breaks::Returns }
    }

    const fn break_byte(self) -> u8 {
        match self {
            Breaks::Feeds => b'\n',
            Breaks::Returns => b'\r',
        }
    }

    /// Where the line break at `at` ends, if there is one.
    pub(super) fn break_end(self, bytes: &[u8], at: usize) -> Option<usize> {
        let returns = match self {
            Breaks::Feeds => bytes[at..].iter().take_while(|byte| **byte == b'\r').count(),
            Breaks::Returns => 0,
        };
        (bytes.get(at + returns) == Some(&self.break_byte())).then_some(at + returns + 1)
    }

    /// `bytes` without line breaks and the one blank behind each.
    pub(super) fn unfold_bytes(self, bytes: &[u8]) -> Vec<u8> {
        let mut unfolded = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(step) = memchr::memchr2(b'\r', b'\n', &bytes[at..]) {
            unfolded.extend_from_slice(&bytes[at..at + step]);
            at += step;
            if let Some(end) = self.break_end(bytes, at) {
                at = end + usize::from(matches!(bytes.get(end), Some(b' ' | b'\t')));
            } else {
                let text = at + Breaks::text_at(bytes, at);
                unfolded.extend_from_slice(&bytes[at..text]);
                at = text;
            }
        }
        unfolded.extend_from_slice(&bytes[at..]);
        unfolded
    }

    /// How many bytes at `at`, where no line breaks, are text: one, or a run of CRs that no
    /// LF follows.
    pub(super) fn text_at(bytes: &[u8], at: usize) -> usize {
        bytes[at..].iter().take_while(|byte| **byte == b'\r').count().max(1)
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// `BEGIN:VCARD`
    Begin,
    /// `END:VCARD`
    End,
    /// Any other line with a name and a value.
    Property,
    /// Nothing but space.
    Blank,
    /// Text without a colon: a comment, or debris.
    Other,
}

/// One line of the file as an editor counts.
#[derive(Clone, Copy)]
struct Physical {
    start: usize,
    content_end: usize,
    end: usize,
}

impl Line {
    /// The whole line, its line end included.
    pub(super) fn line_bytes<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        &body[self.start..self.end]
    }

    /// Whether it waits for a next line: quoted-printable that ends with a soft break.
    pub(super) fn is_open(&self, body: &[u8]) -> bool {
        let head = self.breaks.unfold_bytes(self.head_bytes(body));
        let head = head.strip_suffix(b":").unwrap_or(&head);
        Transfer::transfer_of(head) == Transfer::QuotedPrintable
            && is_soft_break(&body[self.value..self.content_end])
    }

    /// Name and parameters with the colon, as they are written.
    pub(super) fn head_bytes<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        &body[self.start..self.value]
    }
}

/// Cuts `body` into content lines. They follow one another without gaps.
pub(super) fn content_lines(body: &[u8]) -> Vec<Line> {
    let breaks = Breaks::detect_breaks(body);
    let physical = physical_lines(body, breaks);
    let mut lines = Vec::with_capacity(physical.len());
    let mut at = 0;
    while at < physical.len() {
        let end = logical_end(body, &physical, at, breaks);
        lines.push(content_line(body, &physical[at..end], at, breaks));
        at = end;
    }
    lines
}

/// The lines as an editor counts them.
fn physical_lines(body: &[u8], breaks: Breaks) -> Vec<Physical> {
    let mark = breaks.break_byte();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < body.len() {
        let end = memchr::memchr(mark, &body[start..]).map_or(body.len(), |at| start + at + 1);
        let is_ending = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let ending = if body[end - 1] == mark {
            body[start..end].iter().rev().take_while(|byte| is_ending(byte)).count()
        } else {
            0
        };
        lines.push(Physical { start, content_end: end - ending, end });
        start = end;
    }
    lines
}

/// Where the content line that begins with line `at` ends, as a position in `physical`.
fn logical_end(body: &[u8], physical: &[Physical], at: usize, breaks: Breaks) -> usize {
    let content = |at: usize| &body[physical[at].start..physical[at].content_end];
    let is_folded = |at: usize| at < physical.len() && content(at).starts_with_blank();
    let mut end = at + 1;
    if content(at).trim_ascii().is_empty() {
        return end;
    }
    while is_folded(end) {
        end += 1;
    }
    let first = &body[physical[at].start..physical[end - 1].content_end];
    let Some(colon) = find_colon(first) else { return end };
    let transfer = if end == at + 1 {
        Transfer::transfer_of(&first[..colon])
    } else {
        Transfer::transfer_of(&breaks.unfold_bytes(&first[..colon]))
    };
    match transfer {
        Transfer::Plain => {}
        Transfer::QuotedPrintable => {
            // Folded lines may end with a soft break as well.
            while end < physical.len()
                && (is_folded(end) || is_soft_break(content(end - 1)) && !ends_card(content(end)))
            {
                end += 1;
            }
        }
        Transfer::Base64 => {
            while end < physical.len() && (is_folded(end) || is_base64(content(end))) {
                end += 1;
            }
        }
    }
    end
}

trait StartsWithBlank {
    fn starts_with_blank(&self) -> bool;
}

impl StartsWithBlank for [u8] {
    fn starts_with_blank(&self) -> bool {
        matches!(self.first(), Some(b' ' | b'\t'))
    }
}

/// How the bytes of a value are made fit for mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Plain,
    QuotedPrintable,
    Base64,
}

impl Transfer {
    /// What a line's name and parameters say, with or without `ENCODING=`.
    pub(super) fn transfer_of(head: &[u8]) -> Transfer {
        for parameter in head.split(|byte| *byte == b';').skip(1) {
            let is = |text: &[u8], name: &str| text.eq_ignore_ascii_case(name.as_bytes());
            let mut parts = parameter.splitn(2, |byte| *byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next());
            let name = name.trim_ascii();
            let value = match value {
                Some(value) if is(name, "ENCODING") => value.trim_ascii(),
                Some(_) => continue,
                None => name,
            };
            if is(value, "QUOTED-PRINTABLE") {
                return Transfer::QuotedPrintable;
            } else if is(value, "BASE64") || is(value, "B") {
                return Transfer::Base64;
            }
        }
        Transfer::Plain
    }
}

/// Whether quoted-printable goes on in the next line.
fn is_soft_break(content: &[u8]) -> bool {
    content.trim_ascii_end().last() == Some(&b'=')
}

fn is_base64(content: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let content = content.trim_ascii();
    !content.is_empty() && content.iter().all(is_digit)
}

fn ends_card(content: &[u8]) -> bool {
    content.trim_ascii().eq_ignore_ascii_case(b"END:VCARD")
}

/// The position of the colon that ends name and parameters: the first outside of
/// quotation marks, or the first of all where those are not closed.
fn find_colon(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b':' if !quoted => return Some(at),
            _ => {}
        }
    }
    memchr::memchr(b':', line)
}

fn content_line(body: &[u8], parts: &[Physical], at: usize, breaks: Breaks) -> Line {
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let bytes = &body[first.start..last.content_end];
    let colon = find_colon(bytes);
    let kind = match colon {
        // A mark that is folded is short all the same.
        Some(_) if parts.len() > 1 && bytes.len() < 2 * b"BEGIN:VCARD".len() => {
            let whole = breaks.unfold_bytes(bytes);
            let at = memchr::memchr(b':', &whole).unwrap_or_default();
            line_kind(&whole[..at], &whole[at + 1..])
        }
        Some(colon) => line_kind(&bytes[..colon], &bytes[colon + 1..]),
        None if bytes.trim_ascii().is_empty() => LineKind::Blank,
        None => LineKind::Other,
    };
    Line {
        start: first.start,
        value: colon.map_or(last.content_end, |colon| first.start + colon + 1),
        content_end: last.content_end,
        end: last.end,
        number: u32::try_from(at + 1).unwrap_or(u32::MAX),
        kind,
        breaks,
    }
}

fn line_kind(name: &[u8], value: &[u8]) -> LineKind {
    let name = name.trim_ascii();
    if !value.trim_ascii().eq_ignore_ascii_case(b"VCARD") {
        LineKind::Property
    } else if name.eq_ignore_ascii_case(b"BEGIN") {
        LineKind::Begin
    } else if name.eq_ignore_ascii_case(b"END") {
        LineKind::End
    } else {
        LineKind::Property
    }
}

/// Something in a file that is no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) line: u32,
    pub(super) reason: &'static str,
}

/// The cards of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) lines: Vec<Line>,
    /// The lines of each card, `BEGIN` and `END` included; cards within cards are
    /// part of the outer one.
    pub(super) cards: Vec<Range<usize>>,
    pub(super) broken: Vec<Broken>,
}

impl Layout {
    /// Finds the cards of `body`.
    pub(super) fn find_cards(body: &[u8]) -> Layout {
        let lines = content_lines(body);
        let (mut open, mut ends) = (Vec::new(), vec![None; lines.len()]);
        let mut broken = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            match line.kind {
                LineKind::Begin => open.push(at),
                LineKind::End => match open.pop() {
                    Some(begin) => ends[begin] = Some(at + 1),
                    None => broken.push(Broken {
                        line: line.number,
                        reason: "a card ends here that does not begin anywhere",
                    }),
                },
                LineKind::Property | LineKind::Blank | LineKind::Other => {}
            }
        }
        let reason = "the card that begins here does not end";
        broken.extend(open.iter().map(|at| Broken { line: lines[*at].number, reason }));
        let mut layout = Layout { lines, cards: Vec::new(), broken };
        layout.take_cards(&ends);
        layout.broken.sort_by_key(|broken| broken.line);
        layout
    }

    /// Takes the outermost cards that end, and notes properties outside of any card.
    fn take_cards(&mut self, ends: &[Option<usize>]) {
        let mut at = 0;
        // A card that does not end takes the properties behind it along.
        let mut in_broken = false;
        while at < self.lines.len() {
            let line = self.lines[at];
            if let Some(end) = ends[at] {
                self.cards.push(at..end);
                (at, in_broken) = (end, false);
                continue;
            }
            in_broken |= line.kind == LineKind::Begin;
            if line.kind == LineKind::Property && !in_broken {
                let reason = "there is text outside of any card";
                self.broken.push(Broken { line: line.number, reason });
                in_broken = true;
            }
            at += 1;
        }
    }

    /// Where the card with this position is in the body.
    pub(super) fn card_range(&self, card: usize) -> Range<usize> {
        let lines = &self.lines[self.cards[card].clone()];
        lines[0].start..lines[lines.len() - 1].end
    }
}

#[cfg(test)]
mod tests;
