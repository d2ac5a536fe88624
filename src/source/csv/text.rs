//! Bytes to text and back, without losing a byte.
//!
//! Owns the encoding and the byte order mark. A file in UTF-8 is used as it is,
//! even where single rows are not valid; every other encoding is decoded to UTF-8
//! as a whole, and may only be written if encoding it again gives the same bytes.
//! Leaves rows and cells to [`super::scan`].

use std::fmt;

use encoding_rs::{DecoderResult, Encoding, UTF_8, WINDOWS_1252};

use crate::source::charset::{
    CharsetDoubt, believe_western, encode, is_plainly_western, is_utf8_by_chance,
};

use super::Defect;
use super::scan::line_breaks;

/// Which encoding a file is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Found out: by the byte order mark, else UTF-8, else Windows-1252 where nothing
    /// speaks against it.
    Auto,
    /// This one, by its name in the WHATWG Encoding Standard, such as
    /// `windows-1252`. A byte order mark wins over it.
    Named(String),
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Charset::Auto => "auto",
            Charset::Named(name) => name,
        })
    }
}

/// A file and its text.
pub(super) struct DecodedTable {
    raw: Vec<u8>,
    /// The text in UTF-8 where the file is in another encoding.
    decoded: Option<String>,
    encoding: &'static Encoding,
    bom: usize,
    origin: EncodingOrigin,
    /// What keeps the file from being written.
    pub(super) flaw: Option<Flaw>,
}

/// How the encoding is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EncodingOrigin {
    Certain,
    Guessed,
}

/// Why a text that can be read cannot be written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It ends within a character.
    Cut,
    /// Encoding it again gives other bytes.
    Inexact,
}

impl DecodedTable {
    /// Takes `raw` for text in the encoding that `charset` says.
    ///
    /// # Errors
    /// [`Defect`] when it is none.
    pub(super) fn new(raw: Vec<u8>, charset: &Charset) -> Result<DecodedTable, Defect> {
        let (encoding, bom, origin) = find_encoding(&raw, charset)?;
        let mut text = DecodedTable { raw, decoded: None, encoding, bom, origin, flaw: None };
        if encoding == UTF_8 {
            let cut =
                text.body_bytes().utf8_chunks().last().is_some_and(|last| is_cut(last.invalid()));
            text.flaw = cut.then_some(Flaw::Cut);
        } else {
            text.decoded = Some(decode_strictly(&text.raw[bom..], encoding)?);
            text.flaw = (text.encode_body(text.body_bytes()) != text.raw).then_some(Flaw::Inexact);
        }
        Ok(text)
    }

    /// The text without byte order mark: UTF-8, except where rows of a file in
    /// UTF-8 are damaged.
    pub(super) fn body_bytes(&self) -> &[u8] {
        match &self.decoded {
            Some(text) => text.as_bytes(),
            None => &self.raw[self.bom..],
        }
    }

    /// The file.
    pub(super) fn raw_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// The name of the encoding.
    pub(super) fn encoding_name(&self) -> &'static str {
        self.encoding.name()
    }

    /// Whether nothing but the bytes beyond ASCII tells the encoding.
    pub(super) fn is_guessed(&self) -> bool {
        self.origin == EncodingOrigin::Guessed
    }

    /// Whether the encoding is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }

    /// The bytes of a file with `body` as its text, in this file's encoding.
    pub(super) fn encode_body(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = self.raw[..self.bom].to_vec();
        if self.encoding == UTF_8 {
            bytes.extend_from_slice(body);
            return bytes;
        }
        // Decoding made this text, so that nothing in it is lost here.
        bytes.extend(encode(&String::from_utf8_lossy(body), self.encoding).unwrap_or_default());
        bytes
    }

    /// Whether a file with `body` as its text would be taken for UTF-8 that is cut off in
    /// its last character: if its encoding was guessed, and the only letter beyond ASCII is
    /// its last one. A line end behind it makes that plain.
    pub(super) fn looks_cut(&self, body: &[u8]) -> bool {
        self.is_guessed()
            && body.last().is_some_and(|last| !last.is_ascii())
            && is_cut(&self.encode_body(body))
    }

    /// Why `value` cannot be written so that it is read again as it is, if it cannot.
    pub(super) fn trouble_with(&self, value: &str) -> Option<String> {
        let name = self.encoding_name();
        let Some(bytes) = encode(value, self.encoding) else {
            return Some(format!(
                "has a character that the file's encoding {name} lacks; save the file as UTF-8"
            ));
        };
        let stays = self.origin == EncodingOrigin::Certain
            || is_plainly_western(&bytes) && !has_utf8(&bytes)
            || self.is_western_with(&bytes);
        (!stays).then(|| {
            format!(
                "has characters by which the file would no longer be taken for {name}; save \
                 the file as UTF-8, or set source.encoding to `{name}`"
            )
        })
    }

    /// Whether the file is still taken for Windows-1252 with `bytes` in it.
    fn is_western_with(&self, bytes: &[u8]) -> bool {
        let whole = [&self.raw, &b"\n"[..], bytes].concat();
        !has_utf8(bytes) && believe_western(&whole).is_ok()
    }
}

fn find_encoding(
    raw: &[u8],
    charset: &Charset,
) -> Result<(&'static Encoding, usize, EncodingOrigin), Defect> {
    if raw.starts_with(b"\xff\xfe\0\0") || raw.starts_with(b"\0\0\xfe\xff") {
        return Err(Defect::new(None, "is in UTF-32", "save it as UTF-8"));
    }
    if let Some((encoding, bom)) = Encoding::for_bom(raw) {
        return Ok((encoding, bom, EncodingOrigin::Certain));
    }
    match charset {
        Charset::Named(name) => match Encoding::for_label_no_replacement(name.as_bytes()) {
            Some(encoding) => Ok((encoding, 0, EncodingOrigin::Certain)),
            None => Err(Defect::new(
                None,
                &format!("cannot be read in the encoding `{name}`, which does not exist"),
                "set source.encoding to `auto`, `utf-8`, `windows-1252` or another name of an encoding",
            )),
        },
        Charset::Auto => guess_encoding(raw),
    }
}

fn guess_encoding(raw: &[u8]) -> Result<(&'static Encoding, usize, EncodingOrigin), Defect> {
    if raw.iter().take(2).any(|byte| *byte == 0) {
        return Err(Defect::new(
            Some(1),
            "looks like UTF-16 without a byte order mark",
            "set source.encoding to `utf-16le` or `utf-16be`, or save the file as UTF-8",
        ));
    }
    let Err(first) = std::str::from_utf8(raw) else {
        return Ok((UTF_8, 0, EncodingOrigin::Certain));
    };
    let only_cut = first.error_len().is_none();
    if has_utf8(raw) && !is_utf8_by_chance(raw) || only_cut {
        return Ok((UTF_8, 0, EncodingOrigin::Certain));
    }
    believe_western(raw).map(|()| (WINDOWS_1252, 0, EncodingOrigin::Guessed)).map_err(|doubt| {
        Defect::new(
            Some(line_breaks(&raw[..doubt.at]) + 1),
            &format!("is neither UTF-8 nor Windows-1252 for certain{}", possible_readings(&doubt)),
            &format!(
                "set source.encoding to the one in which the letters are right, as in \
                 encoding = \"{}\" (with init: --encoding), or save the file as UTF-8",
                doubt.likeliest_charset()
            ),
        )
    })
}

/// What the letters of a file would be, for people.
fn possible_readings(doubt: &CharsetDoubt) -> String {
    let readings = doubt.to_string();
    if readings.is_empty() { readings } else { format!(": its letters are {readings}") }
}

/// Whether there is a character beyond ASCII in UTF-8. Text in another encoding
/// hardly ever has one by chance.
fn has_utf8(raw: &[u8]) -> bool {
    raw.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// Whether bytes that end a text begin a character of UTF-8.
fn is_cut(end: &[u8]) -> bool {
    std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none())
}

fn decode_strictly(raw: &[u8], encoding: &'static Encoding) -> Result<String, Defect> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(raw.len()).unwrap_or(0);
    let mut text = String::with_capacity(room);
    match decoder.decode_to_string_without_replacement(raw, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        (DecoderResult::OutputFull | DecoderResult::Malformed(..), read) => Err(Defect::new(
            Some(line_breaks(text.as_bytes()) + 1),
            &format!("is not valid {} before byte {read}", encoding.name()),
            "set source.encoding to the file's encoding, or save the file as UTF-8",
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use encoding_rs::{UTF_16BE, UTF_16LE};

    use super::*;

    fn bytes(text: &str, encoding: &'static Encoding) -> Vec<u8> {
        encode(text, encoding).unwrap()
    }

    fn auto(raw: &[u8]) -> Result<DecodedTable, Defect> {
        DecodedTable::new(raw.to_vec(), &Charset::Auto)
    }

    fn named(raw: &[u8], name: &str) -> Result<DecodedTable, Defect> {
        DecodedTable::new(raw.to_vec(), &Charset::Named(name.to_owned()))
    }

    fn utf16le(text: &str) -> Vec<u8> {
        [&b"\xff\xfe"[..], &bytes(text, UTF_16LE)].concat()
    }

    #[test]
    fn the_encoding_is_found_and_the_text_read() {
        let utf16be = [&b"\xfe\xff"[..], &bytes("Zoë", UTF_16BE)].concat();
        let table: [(&[u8], &str, &str); 6] = [
            (b"Zoe", "UTF-8", "Zoe"),
            ("Zoë 李明".as_bytes(), "UTF-8", "Zoë 李明"),
            (b"\xef\xbb\xbfZo\xc3\xab", "UTF-8", "Zoë"),
            (&utf16le("Zoë 🦀"), "UTF-16LE", "Zoë 🦀"),
            (&utf16be, "UTF-16BE", "Zoë"),
            (b"Zo\xeb M\xfcller \x96 5 \x80", "windows-1252", "Zoë Müller – 5 €"),
        ];
        for (raw, encoding, text) in table {
            let read = auto(raw).unwrap();
            assert_eq!((read.encoding_name(), read.body_bytes()), (encoding, text.as_bytes()));
            assert_eq!(read.encode_body(read.body_bytes()), raw);
            assert_eq!(read.flaw, None);
        }
    }

    #[test]
    fn one_damaged_row_does_not_turn_a_file_in_utf_8_into_another_encoding() {
        let read = auto(b"Zo\xc3\xab\nM\xfcller\n").unwrap();
        assert_eq!((read.encoding_name(), read.flaw), ("UTF-8", None));
    }

    #[test]
    fn a_file_cut_within_a_character_is_told() {
        assert_eq!(auto(b"Ann\nZo\xc3").unwrap().flaw, Some(Flaw::Cut));
        let mut raw = utf16le("Zoë");
        raw.pop();
        assert!(auto(&raw).err().unwrap().problem.contains("UTF-16LE"));
    }

    #[test]
    fn what_looks_like_another_alphabet_is_not_guessed() {
        let cyrillic = bytes("Имя;Сергей\n", encoding_rs::WINDOWS_1251);
        let polish = bytes("Paweł;Łukasz\n", encoding_rs::WINDOWS_1250);
        for raw in [cyrillic, polish] {
            assert!(auto(&raw).err().unwrap().problem.contains("neither UTF-8 nor Windows-1252"));
        }
        let raw = bytes("Имя\n", encoding_rs::WINDOWS_1251);
        assert_eq!(named(&raw, "windows-1251").unwrap().body_bytes(), "Имя\n".as_bytes());
    }

    #[test]
    fn an_error_names_the_line_and_what_to_do() {
        let error = auto(b"a\nb\nc\x81\n").err().unwrap();
        assert_eq!(error.line, Some(3));
        assert!(error.hint.contains("source.encoding"));
        assert!(auto(b"\xff\xfe\0\0a\0\0\0").err().unwrap().problem.contains("UTF-32"));
        assert!(auto(b"a\0b\0").err().unwrap().hint.contains("utf-16le"));
        assert!(named(b"a", "utf-9").err().unwrap().problem.contains("`utf-9`"));
    }

    #[test]
    fn letters_that_may_be_others_are_told_and_not_guessed() {
        let table = [
            (encoding_rs::WINDOWS_1254, "Ad\nGül\nŞükrü\n", Some(3), "`ü` `Ş` in windows-1254"),
            (encoding_rs::WINDOWS_1250, "Jméno\nJiří\n", Some(2), "`í` `ř` in windows-1250"),
        ];
        for (encoding, text, line, letters) in table {
            let error = auto(&bytes(text, encoding)).err().unwrap();
            assert_eq!(error.line, line, "{text}");
            assert!(error.problem.contains(letters), "{}", error.problem);
            let setting = format!("encoding = \"{}\"", encoding.name().to_lowercase());
            assert!(error.hint.contains(&setting), "{}", error.hint);
        }
    }

    #[test]
    fn every_name_of_the_standard_is_an_encoding_in_any_case() {
        let text = "Имя\n";
        for (label, encoding) in
            [("KOI8-R", encoding_rs::KOI8_R), ("cp1251", encoding_rs::WINDOWS_1251)]
        {
            assert_eq!(named(&bytes(text, encoding), label).unwrap().body_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn a_byte_order_mark_wins_over_the_configured_encoding() {
        assert_eq!(named(b"\xef\xbb\xbfa", "windows-1252").unwrap().body_bytes(), b"a");
    }

    #[test]
    fn a_value_is_held_only_if_it_is_read_again_as_it_is() {
        let western = auto(b"Zo\xeb\n").unwrap();
        let trouble = |value: &str| western.trouble_with(value).unwrap();
        assert_eq!(western.trouble_with("Müller €"), None);
        assert!(trouble("Łukasz").contains("encoding windows-1252 lacks"));
        assert!(trouble("Ã©").contains("no longer be taken for"), "it would be UTF-8");
        assert!(trouble("éééé").contains("no longer be taken for"), "or another alphabet");
        assert_eq!(named(b"Zo\xeb\n", "windows-1252").unwrap().trouble_with("éééé"), None);
        assert_eq!(auto(b"Zoe\n").unwrap().trouble_with("Łukasz 李明"), None);
    }

    #[test]
    fn what_cannot_be_encoded_to_the_same_bytes_is_not_to_be_written() {
        // Two codes of Shift_JIS stand for the same character.
        assert_eq!(named(b"\xed\x40", "shift_jis").unwrap().flaw, Some(Flaw::Inexact));
        assert_eq!(named(b"\x8b\x9e", "shift_jis").unwrap().flaw, None);
    }

    proptest! {
        #[test]
        fn every_file_that_may_be_written_is_written_back_as_it_was(
            raw in prop::collection::vec(any::<u8>(), 0..60),
            charset in prop::sample::select(vec!["utf-8", "windows-1252", "utf-16le", "shift_jis"]),
        ) {
            for charset in [Charset::Auto, Charset::Named(charset.to_owned())] {
                if let Ok(text) = DecodedTable::new(raw.clone(), &charset)
                    && text.flaw.is_none()
                {
                    prop_assert_eq!(text.encode_body(text.body_bytes()), &raw[..]);
                }
            }
        }
    }
}
