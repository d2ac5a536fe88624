//! How characters that have a meaning stand in a value.
//!
//! Owns backslashes, the semicolons between components, and quoted-printable. In
//! vCard 2.1 there is no `\n`; in later versions (RFC 2426, section 4; RFC 6350,
//! section 3.4) there is. A backslash before any other character is that backslash.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{NO_PAD, PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose};

use super::card::CardVersion;

/// The text that is written as `written`.
pub(super) fn unescape_text(written: &str, version: CardVersion) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    let mut text = String::with_capacity(written.len());
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        let next = (character == '\\').then(|| characters.peek().copied()).flatten();
        let meant = match (next, version) {
            (Some(next @ ('\\' | ';' | ',' | ':')), _) => Some(next),
            (Some('n' | 'N'), CardVersion::V3 | CardVersion::V4) => Some('\n'),
            (Some(_) | None, _) => None,
        };
        if meant.is_some() {
            characters.next();
        }
        text.push(meant.unwrap_or(character));
    }
    Cow::Owned(text)
}

/// `text` as it is written.
pub(super) fn escape_text(text: &str, version: CardVersion) -> String {
    let mut written = String::with_capacity(text.len() + 8);
    for character in unify_line_ends(text).chars() {
        match (character, version) {
            ('\\' | ';', _) | (',', CardVersion::V3 | CardVersion::V4) => {
                written.extend(['\\', character]);
            }
            ('\n', CardVersion::V3 | CardVersion::V4) => written.push_str("\\n"),
            // Only quoted-printable holds it.
            ('\n', CardVersion::V2) => written.push_str("\r\n"),
            _ => written.push(character),
        }
    }
    written
}

/// `text` with one kind of line end.
pub(super) fn unify_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The positions of the semicolons that separate components.
pub(super) fn separator_positions(written: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = memchr::memchr2(b';', b'\\', &written[at..]) {
        at += step;
        if written[at] == b';' {
            found.push(at);
            at += 1;
        } else {
            at = (at + 2).min(written.len());
        }
    }
    found
}

/// The bytes that are written in quoted-printable (RFC 2045, section 6.7), without
/// soft line breaks. What is none stands for itself.
pub(super) fn from_quoted_printable(written: &[u8]) -> Vec<u8> {
    from_hexadecimal(b'=', written)
}

/// The bytes that base64 without space stands for, padded or not; `None` where it is
/// damaged.
pub(super) fn from_base64(written: &[u8]) -> Option<Vec<u8>> {
    let padding = DecodePaddingMode::Indifferent;
    let lenient = NO_PAD.with_decode_padding_mode(padding).with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, lenient).decode(written).ok()
}

/// Bytes in base64.
pub(super) fn to_base64(bytes: &[u8]) -> Vec<u8> {
    GeneralPurpose::new(&STANDARD, PAD).encode(bytes).into_bytes()
}

/// The bytes of which some are written as two hexadecimal digits behind `mark`.
pub(super) fn from_hexadecimal(mark: u8, written: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(written.len());
    let mut at = 0;
    while at < written.len() {
        match written[at..] {
            [first, high, low, ..]
                if first == mark && digit(high).is_some() && digit(low).is_some() =>
            {
                bytes.push(digit(high).unwrap_or(0) * 16 + digit(low).unwrap_or(0));
                at += 3;
            }
            [byte, ..] => {
                bytes.push(byte);
                at += 1;
            }
            [] => {}
        }
    }
    bytes
}

/// `bytes` in quoted-printable, without soft line breaks. Semicolons and backslashes
/// are encoded too: what is not separates components.
pub(super) fn to_quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_last = at + 1 == bytes.len();
        match byte {
            b' ' if !is_last => written.push(b' '),
            b'=' | b';' | b'\\' => written.extend(format!("={byte:02X}").bytes()),
            b'!'..=b'~' => written.push(*byte),
            _ => written.extend(format!("={byte:02X}").bytes()),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_version_has_its_own_escapes() {
        let table = [
            (CardVersion::V3, r"a\,b\;c\\d\ne\Nf\:g", "a,b;c\\d\ne\nf:g"),
            (CardVersion::V2, r"a\,b\;c\\d\ne", "a,b;c\\d\\ne"),
            (CardVersion::V4, r"C:\temp\", "C:\\temp\\"),
        ];
        for (version, written, text) in table {
            assert_eq!(unescape_text(written, version), text);
        }
    }

    #[test]
    fn an_escaped_semicolon_separates_nothing() {
        assert_eq!(separator_positions(br"a;b\;c;\\;d\"), [1, 6, 9]);
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(text in "[\\\\;,:n\\n =a-zé]{0,12}|.{0,12}") {
            for version in [CardVersion::V3, CardVersion::V4] {
                let text = unify_line_ends(&text);
                let written = escape_text(&text, version);
                prop_assert_eq!(unescape_text(&written, version), text.as_ref());
                prop_assert_eq!(separator_positions(written.as_bytes()), Vec::<usize>::new());
            }
            let flat = text.replace(['\n', '\r'], " ");
            let written = escape_text(&flat, CardVersion::V2);
            prop_assert_eq!(unescape_text(&written, CardVersion::V2), flat);
        }

        #[test]
        fn quoted_printable_holds_every_byte(bytes in any::<Vec<u8>>()) {
            let written = to_quoted_printable(&bytes);
            prop_assert!(written.is_ascii() && !written.contains(&b';'));
            prop_assert_eq!(from_quoted_printable(&written), bytes);
        }
    }
}
