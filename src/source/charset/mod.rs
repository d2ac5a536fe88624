//! The charset of bytes that do not say it, for tables and for cards.
//!
//! Owns the verdict whether a text that is no UTF-8 is Windows-1252, which is what
//! spreadsheets and phones of the western world write without a word. That is believed
//! only if no word of it speaks against it and enough speaks for it, by our own rules and
//! by the detector of Firefox; anything else is a [`CharsetDoubt`] with what the text would read
//! as. A wrong refusal costs a setting, a wrong guess somebody's name. Leaves what is done
//! about a doubt to the two kinds of source.

mod cards;
mod words;

use std::fmt;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, IBM866, KOI8_U, MACINTOSH, SHIFT_JIS, UTF_16BE,
    UTF_16LE, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255,
    WINDOWS_1256, WINDOWS_1257,
};

use words::{ForeignWord, WordEvidence, foreign_words};

pub(super) use cards::{Fallback, declared_charset, fallback_charset, undeclared_charset};

/// Why nobody can tell the charset of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct CharsetDoubt {
    /// Where the word begins that tells most against Windows-1252.
    pub(in crate::source) at: usize,
    /// Charsets in which it may be, and what letters of that word read as in each.
    readings: Vec<(&'static Encoding, String)>,
}

impl CharsetDoubt {
    /// The charset that is most likely, for an example of a setting.
    pub(in crate::source) fn likeliest_charset(&self) -> &'static str {
        self.readings.first().map_or("windows-1250", |(encoding, _)| setting_name(encoding))
    }
}

/// What to write into the configuration for an encoding.
fn setting_name(encoding: &'static Encoding) -> &'static str {
    LABELS.iter().find(|(known, _)| *known == encoding).map_or(encoding.name(), |(_, label)| label)
}

/// Encodings whose names are known better in lower case.
const LABELS: [(&Encoding, &str); 5] = [
    (SHIFT_JIS, "shift_jis"),
    (GBK, "gbk"),
    (BIG5, "big5"),
    (EUC_KR, "euc-kr"),
    (KOI8_U, "koi8-u"),
];

impl CharsetDoubt {
    /// What it means for a value of a card, for people.
    pub(in crate::source) fn of_a_value(&self) -> String {
        let readings = self.to_string();
        let readings = if readings.is_empty() { readings } else { format!(": {readings}") };
        format!(
            "its charset is not declared and cannot be told; save the card as UTF-8, or add \
             CHARSET= with the one in which its letters are right{readings}"
        )
    }
}

impl fmt::Display for CharsetDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (encoding, letters)) in self.readings.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{letters} in {}", setting_name(encoding))?;
        }
        Ok(())
    }
}

/// The text of `bytes`; `None` if they are none in this charset.
pub(super) fn decode(bytes: &[u8], encoding: &'static Encoding) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

/// `text` in this charset; `None` if it would be read as another one, because the charset
/// lacks a character or has two for the same bytes (`¥` in Shift_JIS).
pub(super) fn encode(text: &str, encoding: &'static Encoding) -> Option<Vec<u8>> {
    // The crate follows browsers, which never write UTF-16.
    if encoding == UTF_16LE {
        return Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    }
    if encoding == UTF_16BE {
        return Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    let (bytes, _, unmappable) = encoding.encode(text);
    let is_read_back = || {
        text.is_ascii() && bytes.is_ascii()
            || encoding.decode_without_bom_handling(&bytes).0 == text
    };
    (!unmappable && is_read_back()).then(|| bytes.into_owned())
}

/// How many readings are shown, and how many letters of each.
const READINGS: usize = 5;
const LETTERS: usize = 3;

/// Takes bytes, which are no UTF-8, for Windows-1252.
///
/// # Errors
/// [`CharsetDoubt`] where they may be something else.
pub(super) fn believe_western(bytes: &[u8]) -> Result<(), CharsetDoubt> {
    let (mut western, mut doubtful, mut telling) =
        (0_usize, 0_usize, None::<(WordEvidence, ForeignWord<'_>)>);
    for word in foreign_words(bytes) {
        let evidence = word.word_evidence();
        match evidence {
            WordEvidence::Alike => {}
            WordEvidence::Western => western += 1,
            WordEvidence::Doubtful => doubtful += 1,
            WordEvidence::Foreign => return Err(charset_doubt(&word, evidence, bytes)),
        }
        if telling.as_ref().is_none_or(|(found, _)| *found < evidence) {
            telling = Some((evidence, word));
        }
    }
    let Some((evidence, telling)) = telling else { return Ok(()) };
    let is_seconded = || reads_alike(detected_charset(bytes), bytes);
    let is_believed = match doubtful {
        0 => western > 0 || is_seconded(),
        _ => western >= doubtful && is_seconded(),
    };
    if is_believed { Ok(()) } else { Err(charset_doubt(&telling, evidence, bytes)) }
}

/// Whether no word of `text` in Windows-1252 gives a file that is taken for that away.
pub(super) fn is_plainly_western(text: &[u8]) -> bool {
    foreign_words(text).all(|word| word.word_evidence() <= WordEvidence::Western)
}

/// Whether a text has UTF-8 in it by chance: more of it is broken than sound, and what is
/// sound is no Latin letter, or all of it is a text in a charset of another alphabet.
pub(super) fn is_utf8_by_chance(bytes: &[u8]) -> bool {
    let (mut sound, mut latin, mut broken) = (0_usize, 0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars().filter(|c| !c.is_ascii()) {
            sound += 1;
            latin += usize::from(letter <= '\u{24f}');
        }
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if broken <= sound || latin == 0 {
        return broken > sound;
    }
    let detected = detected_charset(bytes);
    let east_asian = [SHIFT_JIS, GBK, GB18030, BIG5, EUC_KR, EUC_JP];
    let others = [WINDOWS_1251, KOI8_U, WINDOWS_1253, WINDOWS_1255, WINDOWS_1256, IBM866];
    (east_asian.contains(&detected) || others.contains(&detected) && broken > 2 * sound)
        && decode(bytes, detected).is_some()
}

/// The opinion of another detector.
fn detected_charset(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether a text reads in an encoding as it does in Windows-1252.
fn reads_alike(encoding: &'static Encoding, bytes: &[u8]) -> bool {
    encoding == WINDOWS_1252
        || foreign_words(bytes).all(|word| {
            let read =
                |encoding: &'static Encoding| encoding.decode_without_bom_handling(word.bytes).0;
            read(encoding) == read(WINDOWS_1252)
        })
}

/// What the text may be instead, most likely first.
fn charset_doubt(word: &ForeignWord<'_>, evidence: WordEvidence, bytes: &[u8]) -> CharsetDoubt {
    let latin = [WINDOWS_1250, WINDOWS_1254, WINDOWS_1252, WINDOWS_1257, MACINTOSH];
    let others = [WINDOWS_1251, KOI8_U, WINDOWS_1253, IBM866, SHIFT_JIS, GBK, BIG5, EUC_KR, EUC_JP];
    let detected = detected_charset(bytes);
    let is_latin =
        latin.contains(&detected) || word.bytes.split(u8::is_ascii).all(|run| run.len() < 2);
    let likely: Vec<&'static Encoding> = if is_latin {
        [detected].into_iter().chain(latin).chain([SHIFT_JIS]).collect()
    } else {
        [detected].into_iter().chain(others).collect()
    };
    let mut readings: Vec<(&'static Encoding, String)> = Vec::new();
    for encoding in likely {
        let is_new = readings.iter().all(|(known, _)| *known != encoding)
            && (encoding != WINDOWS_1252 || evidence != WordEvidence::Foreign);
        if is_new
            && readings.len() < READINGS
            && encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some()
            && let Some(letters) = letters_in(word, encoding)
            && readings.iter().all(|(_, known)| *known != letters)
        {
            readings.push((encoding, letters));
        }
    }
    CharsetDoubt { at: word.at, readings }
}

/// Single letters of a word as they read in an encoding: enough to see which is right, and
/// less than the name of a person. `None` if they are no letters there.
fn letters_in(word: &ForeignWord<'_>, encoding: &'static Encoding) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(word.bytes)?;
    let mut letters: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    let is_private = |c: &char| matches!(c, '\u{e000}'..='\u{f8ff}');
    if letters.iter().any(|c| c.is_control() || is_private(c)) {
        return None;
    }
    letters.sort_unstable();
    letters.dedup();
    let shown: Vec<String> = letters.iter().take(LETTERS).map(|c| format!("`{c}`")).collect();
    (!shown.is_empty()).then(|| shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_charset_cannot_give_back_is_not_written() {
        assert_eq!(encode("Zoë", WINDOWS_1252), Some(b"Zo\xeb".to_vec()));
        assert_eq!(encode("山", WINDOWS_1252), None);
        assert_eq!(encode("¥5", SHIFT_JIS), None, "it would come back as a backslash");
        assert_eq!(encode("Z", UTF_16BE), Some(b"\0Z".to_vec()));
        assert_eq!(decode(b"\xff", encoding_rs::UTF_8), None);
    }

    fn believed(label: &str, text: &str) -> Result<(), CharsetDoubt> {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        believe_western(&encoding.encode(text).0)
    }

    #[test]
    fn what_a_western_spreadsheet_writes_is_believed() {
        for text in [
            "First Name,Last Name\nJosé,Müller\n",
            "Vorname;Ort\nJürgen;Köln\nZoë;\n",
            "Hélène,Lefèvre\n",
            "Søren,Ødegård\n",
            "João,Conceição\nNúñez,Peña\n",
            "Nicolò,Gesù\n",
            "Guðrún,Sigurðardóttir\n",
            "Žižek\n",
            "Zoë says “yes” – for 5 €\n",
        ] {
            assert_eq!(believed("windows-1252", text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_may_be_anything_else_is_told_with_what_it_would_read_as() {
        assert!(is_utf8_by_chance(b"First Name,Last Name\n\xc3\xb6\xbc\xf6,\xb1\xe8\n"));
        assert!(is_utf8_by_chance(b"\xce\xb0,\xd5\xc5\n"));
        assert!(!is_utf8_by_chance(b"Zo\xc3\xab,M\xfcller,Ren\xe9\n"));
        let table = [
            ("macintosh", "José\n", "`é` in macintosh"),
            ("windows-1254", "Ann,Lee\nŞükrü,Yıldız\n", "`ü` `Ş` in windows-1254"),
            ("windows-1254", "Ayşe,Doğan\n", "`ş` in windows-1254"),
            ("windows-1250", "Jiří,Dvořák\n", "`í` `ř` in windows-1250"),
            ("windows-1250", "Ann,Čapek\n", "`Č` in windows-1250"),
            ("windows-1250", "Erdős\n", "`ő` in windows-1250"),
            ("koi8-r", "Иван\n", "in koi8-u"),
            ("windows-1251", "Сергей,Лев\n", "in windows-1251"),
            ("shift_jis", "山田,太郎\n", "in shift_jis"),
            ("gbk", "李明,张伟\n", "in gbk"),
        ];
        for (label, text, reading) in table {
            let doubt = believed(label, text).unwrap_err();
            assert!(doubt.to_string().contains(reading), "{text}: {doubt}");
        }
    }

    #[test]
    fn the_word_that_tells_most_is_named() {
        let doubt = believed("windows-1254", "José\nYıldız\nŞükrü\n").unwrap_err();
        assert_eq!(doubt.at, "José\n".chars().count() + "Yildiz\n".len());
    }
}
