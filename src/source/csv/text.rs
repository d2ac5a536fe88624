//! Bytes to text and back, without losing a byte.
//!
//! Owns the encoding and the byte order mark. A file in UTF-8 is used as it is,
//! even where single rows are not valid; every other encoding is decoded to UTF-8
//! as a whole, and may only be written if encoding it again gives the same bytes.
//! Leaves rows and cells to [`super::scan`].

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Defect;
use super::scan::line_breaks;

/// Which encoding a file is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Found out: by the byte order mark, else UTF-8, else Windows-1252 where the
    /// bytes look like it.
    Auto,
    /// This one, by its name in the WHATWG Encoding Standard, such as
    /// `windows-1252`. A byte order mark wins over it.
    Named(String),
}

/// A file and its text.
pub(super) struct Text {
    raw: Vec<u8>,
    /// The text in UTF-8 where the file is in another encoding.
    decoded: Option<String>,
    encoding: &'static Encoding,
    bom: usize,
    origin: Origin,
    /// What keeps the file from being written.
    pub(super) flaw: Option<Flaw>,
}

/// How the encoding is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
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

impl Text {
    /// Takes `raw` for text in the encoding that `charset` says.
    ///
    /// # Errors
    /// [`Defect`] when it is none.
    pub(super) fn new(raw: Vec<u8>, charset: &Charset) -> Result<Text, Defect> {
        let (encoding, bom, origin) = find_encoding(&raw, charset)?;
        let mut text = Text { raw, decoded: None, encoding, bom, origin, flaw: None };
        if encoding == UTF_8 {
            let cut = text.body().utf8_chunks().last().is_some_and(|last| is_cut(last.invalid()));
            text.flaw = cut.then_some(Flaw::Cut);
        } else {
            text.decoded = Some(decode(&text.raw[bom..], encoding)?);
            text.flaw = (text.encode(text.body()) != text.raw).then_some(Flaw::Inexact);
        }
        Ok(text)
    }

    /// The text without byte order mark: UTF-8, except where rows of a file in
    /// UTF-8 are damaged.
    pub(super) fn body(&self) -> &[u8] {
        match &self.decoded {
            Some(text) => text.as_bytes(),
            None => &self.raw[self.bom..],
        }
    }

    /// The file.
    pub(super) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The name of the encoding.
    pub(super) fn encoding(&self) -> &'static str {
        self.encoding.name()
    }

    /// Whether nothing but the bytes beyond ASCII tells the encoding.
    pub(super) fn is_guessed(&self) -> bool {
        self.origin == Origin::Guessed
    }

    /// Whether the encoding is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.encoding == UTF_8
    }

    /// The bytes of a file with `body` as its text, in this file's encoding.
    pub(super) fn encode(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = self.raw[..self.bom].to_vec();
        if self.encoding == UTF_8 {
            bytes.extend_from_slice(body);
            return bytes;
        }
        // Decoding made this text, so that nothing in it is replaced here.
        bytes.extend_from_slice(&encode(&String::from_utf8_lossy(body), self.encoding).0);
        bytes
    }

    /// Whether a file with `body` as its text would be taken for UTF-8 that is cut off in
    /// its last character: if its encoding was guessed, and the only letter beyond ASCII is
    /// its last one. A line end behind it makes that plain.
    pub(super) fn looks_cut(&self, body: &[u8]) -> bool {
        self.is_guessed()
            && body.last().is_some_and(|last| !last.is_ascii())
            && is_cut(&self.encode(body))
    }

    /// Why `value` cannot be written so that it is read again as it is, if it cannot.
    pub(super) fn trouble_with(&self, value: &str) -> Option<String> {
        let (bytes, replaced) = encode(value, self.encoding);
        let name = self.encoding();
        match (replaced, self.origin) {
            (Replaced::Something, _) => Some(format!(
                "has a character that the file's encoding {name} lacks; save the file as UTF-8"
            )),
            (Replaced::Nothing, Origin::Guessed) if !is_western(&bytes) || has_utf8(&bytes) => {
                Some(format!(
                    "has characters by which the file would no longer be taken for {name}; save \
                     the file as UTF-8, or set source.encoding to `{name}`"
                ))
            }
            (Replaced::Nothing, Origin::Certain | Origin::Guessed) => None,
        }
    }
}

fn find_encoding(
    raw: &[u8],
    charset: &Charset,
) -> Result<(&'static Encoding, usize, Origin), Defect> {
    if raw.starts_with(b"\xff\xfe\0\0") || raw.starts_with(b"\0\0\xfe\xff") {
        return Err(Defect::new(None, "is in UTF-32", "save it as UTF-8"));
    }
    if let Some((encoding, bom)) = Encoding::for_bom(raw) {
        return Ok((encoding, bom, Origin::Certain));
    }
    match charset {
        Charset::Named(name) => match Encoding::for_label_no_replacement(name.as_bytes()) {
            Some(encoding) => Ok((encoding, 0, Origin::Certain)),
            None => Err(Defect::new(
                None,
                &format!("cannot be read in the encoding `{name}`, which does not exist"),
                "set source.encoding to `auto`, `utf-8`, `windows-1252` or another name of an encoding",
            )),
        },
        Charset::Auto => guess(raw),
    }
}

fn guess(raw: &[u8]) -> Result<(&'static Encoding, usize, Origin), Defect> {
    if raw.iter().take(2).any(|byte| *byte == 0) {
        return Err(Defect::new(
            Some(1),
            "looks like UTF-16 without a byte order mark",
            "set source.encoding to `utf-16le` or `utf-16be`, or save the file as UTF-8",
        ));
    }
    let Err(first) = std::str::from_utf8(raw) else { return Ok((UTF_8, 0, Origin::Certain)) };
    let only_cut = first.error_len().is_none();
    if has_utf8(raw) || only_cut {
        return Ok((UTF_8, 0, Origin::Certain));
    }
    if is_western(raw) {
        return Ok((WINDOWS_1252, 0, Origin::Guessed));
    }
    Err(Defect::new(
        Some(line_breaks(&raw[..first.valid_up_to()]) + 1),
        &format!("byte {} of the file is neither UTF-8 nor Windows-1252", first.valid_up_to() + 1),
        "set source.encoding to the file's encoding, or save the file as UTF-8",
    ))
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

/// Whether the bytes beyond ASCII look like Windows-1252: at most three in a row
/// (other alphabets have whole words of them), none that it leaves undefined, and
/// none beside a letter that is a letter only in Windows-1250.
fn is_western(raw: &[u8]) -> bool {
    let undefined = |byte: &u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    let eastern = |byte: u8| matches!(byte, 0xa3 | 0xa5 | 0xb3 | 0xb9 | 0xbc | 0xbe);
    let in_a_row = raw.split(u8::is_ascii).map(<[u8]>::len).max().unwrap_or(0);
    let beside_a_letter = raw.windows(2).any(|pair| {
        eastern(pair[0]) && pair[1].is_ascii_alphabetic()
            || eastern(pair[1]) && pair[0].is_ascii_alphabetic()
    });
    in_a_row <= 3 && !beside_a_letter && !raw.iter().any(undefined)
}

fn decode(raw: &[u8], encoding: &'static Encoding) -> Result<String, Defect> {
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

/// Whether a value had characters that the encoding lacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replaced {
    Nothing,
    Something,
}

fn encode(text: &str, encoding: &'static Encoding) -> (Vec<u8>, Replaced) {
    // The crate follows browsers, which never write UTF-16.
    if encoding == UTF_16LE {
        return (text.encode_utf16().flat_map(u16::to_le_bytes).collect(), Replaced::Nothing);
    }
    if encoding == UTF_16BE {
        return (text.encode_utf16().flat_map(u16::to_be_bytes).collect(), Replaced::Nothing);
    }
    let (bytes, _, unmappable) = encoding.encode(text);
    let replaced = if unmappable { Replaced::Something } else { Replaced::Nothing };
    (bytes.into_owned(), replaced)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn auto(raw: &[u8]) -> Result<Text, Defect> {
        Text::new(raw.to_vec(), &Charset::Auto)
    }

    fn named(raw: &[u8], name: &str) -> Result<Text, Defect> {
        Text::new(raw.to_vec(), &Charset::Named(name.to_owned()))
    }

    fn utf16le(text: &str) -> Vec<u8> {
        [&b"\xff\xfe"[..], &encode(text, UTF_16LE).0].concat()
    }

    #[test]
    fn the_encoding_is_found_and_the_text_read() {
        let utf16be = [&b"\xfe\xff"[..], &encode("Zoë", UTF_16BE).0].concat();
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
            assert_eq!((read.encoding(), read.body()), (encoding, text.as_bytes()));
            assert_eq!(read.encode(read.body()), raw);
            assert_eq!(read.flaw, None);
        }
    }

    #[test]
    fn one_damaged_row_does_not_turn_a_file_in_utf_8_into_another_encoding() {
        let read = auto(b"Zo\xc3\xab\nM\xfcller\n").unwrap();
        assert_eq!((read.encoding(), read.flaw), ("UTF-8", None));
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
        let (cyrillic, _) = encode("Имя;Сергей\n", encoding_rs::WINDOWS_1251);
        let (polish, _) = encode("Paweł;Łukasz\n", encoding_rs::WINDOWS_1250);
        for raw in [cyrillic, polish] {
            assert!(auto(&raw).err().unwrap().problem.contains("neither UTF-8 nor Windows-1252"));
        }
        let raw = encode("Имя\n", encoding_rs::WINDOWS_1251).0;
        assert_eq!(named(&raw, "windows-1251").unwrap().body(), "Имя\n".as_bytes());
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
    fn a_byte_order_mark_wins_over_the_configured_encoding() {
        assert_eq!(named(b"\xef\xbb\xbfa", "windows-1252").unwrap().body(), b"a");
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
                if let Ok(text) = Text::new(raw.clone(), &charset)
                    && text.flaw.is_none()
                {
                    prop_assert_eq!(text.encode(text.body()), &raw[..]);
                }
            }
        }
    }
}
