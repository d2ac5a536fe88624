//! E-mail addresses as people and programs spell them.

use std::borrow::Cow;
use std::ops::Range;

/// Where in `text` the address itself is, if that is all it says: without a name before it,
/// `mailto:`, angle brackets, quotation marks, punctuation behind it, and characters that
/// nobody sees. `None` for a text that is no single whole address.
pub fn bare_address(text: &str) -> Option<Range<usize>> {
    let mut range = strip_range(text, 0..text.len());
    let inner = &text[range.clone()];
    if let Some(open) = inner.rfind('<') {
        let close = inner[open..].find('>').map(|at| open + at)?;
        let behind = inner[close + 1..].trim_matches(is_around);
        let before = &inner[..open];
        if !behind.is_empty() || before.contains(['<', '>']) {
            return None;
        }
        range = strip_range(text, range.start + open + 1..range.start + close);
    }
    if let Some(scheme) = text[range.clone()].get(..7)
        && scheme.eq_ignore_ascii_case("mailto:")
    {
        let address = &text[range.start + 7..range.end];
        let end = range.start + 7 + address.find('?').unwrap_or(address.len());
        range = strip_range(text, range.start + 7..end);
    }
    is_address(&decoded_address(text, range.clone())).then_some(range)
}

/// The address that stands at `bare` in `text`: in a `mailto:` some characters may be written
/// as `%40`.
pub fn decoded_address(text: &str, bare: Range<usize>) -> Cow<'_, str> {
    let address = &text[bare.clone()];
    let scheme = bare.start.checked_sub(7).and_then(|start| text.get(start..bare.start));
    let is_mailto = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    if !is_mailto || !address.contains('%') {
        return Cow::Borrowed(address);
    }
    percent_decoded(address).map_or(Cow::Borrowed(address), Cow::Owned)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.filter(|_| *byte == b'%');
        let decoded = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(decoded.unwrap_or(*byte));
        rest = decoded.map_or(behind, |_| &behind[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Whether `text` is a whole address and nothing else.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_part = |c: char| !c.is_whitespace() && !c.is_control() && !"@<>,;:\"()[]\\|".contains(c);
    let is_label = |label: &str| !label.is_empty() && label.chars().all(is_of_label);
    !local.is_empty()
        && local.chars().all(is_part)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_of_label(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii() && !c.is_whitespace()
}

fn strip_range(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start_matches(is_around).len());
    let end = range.end - (part.len() - part.trim_end_matches(is_around).len());
    start.min(end)..end
}

/// Whether a character stands around addresses and is no part of them.
fn is_around(c: char) -> bool {
    c.is_whitespace()
        || super::text::is_invisible(c)
        || matches!(c, '"' | '\'' | '`' | '´' | '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»')
        || matches!(c, '‹' | '›' | '.' | ',' | ';' | ':' | '，' | '、' | '；' | '。')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_is_the_same_address() {
        for text in [
            "a@x.example",
            " a@x.example ",
            "\u{feff}a@x.example",
            "a@x.example\u{200b}",
            "a@x.example.",
            "a@x.example,",
            "\"a@x.example\"",
            "'a@x.example'",
            "“a@x.example”",
            "<a@x.example>",
            "mailto:a@x.example",
            "MAILTO:a@x.example?subject=hello",
            "<mailto:a@x.example>",
            "Ann <a@x.example>",
            "\"Lee, Ann\" <a@x.example>",
            "Ann Lee <mailto:a@x.example>;",
        ] {
            assert_eq!(bare_address(text).map(|range| &text[range]), Some("a@x.example"), "{text}");
        }
        for text in [
            "",
            "@",
            "a@",
            "@x.example",
            "a@localhost",
            "a b@x.example",
            "a@x.example b@x.example",
            "a@b@x.example",
            "a@x..example",
            "<a@x.example",
            "a@x.example>",
            "a@x.example, b",
            "a@x.example; b@x.example",
            "<a@x.example> <b@x.example>",
        ] {
            assert_eq!(bare_address(text), None, "{text}");
        }
        for (text, address) in [
            ("mailto:ada%40x.example", "ada@x.example"),
            ("MAILTO:ada%2Bnews@x.example?subject=Hi%20Ada", "ada+news@x.example"),
            ("Ada <mailto:d%C3%B6rte@x.example>", "dörte@x.example"),
            ("mailto:100%@x.example", "100%@x.example"),
            ("ada%2Bnews@x.example", "ada%2Bnews@x.example"),
        ] {
            let bare = bare_address(text).map(|bare| decoded_address(text, bare));
            assert_eq!(bare.as_deref(), Some(address), "{text}");
        }
        let quoted = "o'neill@x.example";
        assert_eq!(bare_address(quoted), Some(0..quoted.len()));
        assert!(bare_address("dörte@münchen.example").is_some());
    }
}
