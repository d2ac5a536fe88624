//! The charsets of values in cards.
//!
//! Owns what is declared (`CHARSET`) and what is believed where nothing is. A declared
//! charset is believed. Otherwise a value is UTF-8 if it is valid UTF-8, and else Shift_JIS
//! where the card reads like Japanese, or Windows-1252 where nothing speaks against it:
//! these are what phones and Outlook wrote without saying so.

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{CharsetDoubt, believe_western, decode};

/// The charset that a card's undeclared bytes are in, unless they are UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Fallback {
    /// The charset in which they are kept.
    pub(in crate::source) encoding: &'static Encoding,
    /// Why what they say is not believed, if it is not.
    pub(in crate::source) doubt: Option<CharsetDoubt>,
}

/// The charset of the undeclared bytes of `card`.
pub(in crate::source) fn fallback_charset(card: &[u8]) -> Fallback {
    let certain = |encoding| Fallback { encoding, doubt: None };
    if std::str::from_utf8(card).is_ok() {
        certain(UTF_8)
    } else if is_japanese(card) {
        certain(SHIFT_JIS)
    } else {
        Fallback { encoding: WINDOWS_1252, doubt: believe_western(card).err() }
    }
}

/// The charset that a `CHARSET` parameter names, if it is one that can be kept.
pub(in crate::source) fn declared_charset(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.trim().as_bytes())
        .filter(|encoding| *encoding != UTF_16LE && *encoding != UTF_16BE)
}

/// The charset of `bytes`, of which nothing is declared.
pub(in crate::source) fn undeclared_charset(bytes: &[u8], fallback: &Fallback) -> Fallback {
    let certain = |encoding| Fallback { encoding, doubt: None };
    let is_utf_8 = std::str::from_utf8(bytes).is_ok();
    match is_utf_8 {
        true if bytes.is_ascii() => certain(fallback.encoding),
        true => certain(UTF_8),
        // What the card shows is ASCII: its other characters are in quoted-printable.
        false if fallback.encoding == UTF_8 => self::fallback_charset(bytes),
        false => fallback.clone(),
    }
}

/// Whether bytes that are not UTF-8 read like Shift_JIS rather than like accented
/// letters: they are valid, and show kana, or ideographs that no accented letters
/// would make.
fn is_japanese(bytes: &[u8]) -> bool {
    if decode(bytes, SHIFT_JIS).is_none() {
        return false;
    }
    let (mut at, mut half_width) = (0, 0);
    while let Some(lead) = bytes.get(at) {
        let trail = bytes.get(at + 1).copied().unwrap_or_default();
        half_width = if matches!(lead, 0xa1..=0xdf) { half_width + 1 } else { 0 };
        let is_kana = matches!((lead, trail), (0x82, 0x9f..=0xf1) | (0x83, 0x40..=0x96));
        let is_ideograph = matches!(lead, 0x88..=0x9f) && !trail.is_ascii_alphabetic();
        if is_kana || is_ideograph || half_width >= 3 {
            return true;
        }
        at += if matches!(lead, 0x81..=0x9f | 0xe0..=0xfc) { 2 } else { 1 };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_bytes_are_utf_8_or_shift_jis_or_windows_1252() {
        let table: [(&[u8], &str); 8] = [
            ("Zoë 山".as_bytes(), "UTF-8"),
            (b"Ann", "UTF-8"),
            (b"Zo\xeb", "windows-1252"),
            (b"cr\xe9\xe9e", "windows-1252"),
            (b"\x8ei\x9eek", "windows-1252"),
            (b"\x8e\x52\x93\x63 \x91\xbe\x98\x59", "Shift_JIS"),
            (b"\x82\xe2\x82\xdc\x82\xbe", "Shift_JIS"),
            (b"\xd4\xcf\xc0\xde", "Shift_JIS"),
        ];
        for (bytes, name) in table {
            assert_eq!(fallback_charset(bytes).encoding.name(), name, "{bytes:?}");
            assert_eq!(fallback_charset(bytes).doubt, None, "{bytes:?}");
        }
    }

    #[test]
    fn a_charset_that_nobody_knows_is_not_declared() {
        assert_eq!(declared_charset(" ISO-8859-1 ").map(Encoding::name), Some("windows-1252"));
        assert_eq!(declared_charset("Murks"), None);
        assert_eq!(declared_charset("UTF-16"), None);
    }

    #[test]
    fn undeclared_bytes_that_may_be_anything_else_are_not_believed() {
        for bytes in
            [&b"N:D\xf8ev;Ji\xf8\xed"[..], b"N:\xdd\xfdk;\xde\xfckr\xfc", b"FN:\xc8\xe2\xe0\xed"]
        {
            assert!(fallback_charset(bytes).doubt.is_some(), "{bytes:?}");
            assert!(
                undeclared_charset(bytes, &fallback_charset(b"Ann")).doubt.is_some(),
                "{bytes:?}"
            );
            assert_eq!(undeclared_charset(b"Ann", &fallback_charset(bytes)).doubt, None);
        }
    }
}
