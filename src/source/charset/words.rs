//! What words say about the charset of a text, once they are read as Windows-1252.
//!
//! Owns the rules by which a word is western or cannot be. Most accented letters are at the
//! same place in Windows-1250 and -1254: words with these alone are the same whichever it
//! is. Others, such as `ø` and `ř`, share their byte: there the letters beside them tell.
//! Leaves the verdict on a whole text to [`super`].

use encoding_rs::WINDOWS_1252;

/// What a word says, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WordEvidence {
    /// It reads alike in the charsets that are easily confused.
    Alike,
    /// It is one of a western language, and hardly one of another.
    Western,
    /// It may be one of a western language.
    Doubtful,
    /// It is none of a western language.
    Foreign,
}

/// A word beyond ASCII, with the punctuation that is not apart from it.
pub(super) struct ForeignWord<'t> {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) bytes: &'t [u8],
}

/// The words beyond ASCII of a text in a charset that keeps ASCII as it is.
pub(super) fn foreign_words(text: &[u8]) -> impl Iterator<Item = ForeignWord<'_>> {
    let is_in_word = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].iter().position(is_in_word)?;
        let length = text[at..].iter().position(|byte| !is_in_word(byte));
        let word =
            ForeignWord { at, bytes: &text[at..length.map_or(text.len(), |length| at + length)] };
        at += word.bytes.len();
        Some(word)
    })
    .filter(|word| !word.bytes.is_ascii())
}

/// How many bytes beyond ASCII a western word has in a row at most: other alphabets have
/// whole words of them.
const IN_A_ROW: usize = 3;

impl ForeignWord<'_> {
    /// What it says.
    pub(super) fn word_evidence(&self) -> WordEvidence {
        let undefined = |byte: &u8| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
        let in_a_row = self.bytes.split(u8::is_ascii).map(<[u8]>::len).max().unwrap_or(0);
        if in_a_row > IN_A_ROW || self.bytes.iter().any(undefined) {
            return WordEvidence::Foreign;
        }
        let text = WINDOWS_1252.decode_without_bom_handling(self.bytes).0;
        let chars: Vec<char> = text.chars().collect();
        let marks = (0..chars.len()).filter(|at| !is_letter(chars[*at]));
        let marks = marks.map(|at| {
            mark_evidence(chars[at], letter_before(&chars, at), chars.get(at + 1).copied())
        });
        let letters = chars.split(|c| !is_letter(*c)).map(letters_evidence);
        marks.chain(letters).max().unwrap_or(WordEvidence::Alike)
    }
}

fn letter_before(chars: &[char], at: usize) -> Option<char> {
    at.checked_sub(1).and_then(|at| chars.get(at)).copied()
}

/// Whether it is a letter of a word in Windows-1252.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, 'Š' | 'š' | 'Ž' | 'ž' | 'Œ' | 'œ' | 'Ÿ')
        || matches!(c, 'À'..='ÿ') && !matches!(c, '×' | '÷')
}

/// What a character says that is no letter, by those beside it.
fn mark_evidence(c: char, before: Option<char>, after: Option<char>) -> WordEvidence {
    let letter = |c: Option<char>| c.is_some_and(is_letter);
    let small = |c: Option<char>| c.is_some_and(|c| is_letter(c) && c.is_lowercase());
    let within = letter(before) && letter(after);
    let within_small = small(before) && small(after);
    let (is_foreign, is_doubtful) = match c {
        '’' | '‘' | '´' | '·' | '\u{ad}' => (false, false),
        '\u{a0}' | '–' | '—' | '…' | '•' => (false, within_small),
        '“' | '”' | '«' | '»' | '‹' | '›' => (within, false),
        '„' | '‚' | '¿' | '¡' => (letter(before), false),
        '®' | '™' | '©' | 'º' | 'ª' | '°' | '²' => (within || small(after), letter(after)),
        '€' | '§' => (within || small(after), letter(before) || letter(after)),
        _ => (letter(before) || letter(after), false),
    };
    let goes_with_marks = |c: char| matches!(c, '\u{a0}' | '–' | '—' | '…' | '“' | '”' | '’' | '»');
    let beside_a_mark = after
        .is_some_and(|after| !is_letter(after) && !goes_with_marks(after) && !goes_with_marks(c));
    match (is_foreign, is_doubtful || beside_a_mark) {
        (true, _) => WordEvidence::Foreign,
        (false, true) => WordEvidence::Doubtful,
        (false, false) => WordEvidence::Alike,
    }
}

/// The letters beyond ASCII of western languages, and of those whose letters are the same
/// in Windows-1250.
const LANGUAGES: [&str; 10] = [
    "àâçéèêëîïôùûüÿœæ",
    "àéèìíïòóùúüç",
    "áéíóúñüï",
    "áâãàçéêíóôõúü",
    "æøåéöäóòêü",
    "åäöéü",
    "áðéíóúýþæö",
    "äöüõšž",
    "ïéèöüëäê",
    "áéíóúýäôšžöü",
];

/// The letters whose bytes are others in Windows-1250 or -1254.
const SHARED: &str = "àãåæèêìïðñòõøùûýþÿœ";

/// What the letters of a word say.
fn letters_evidence(word: &[char]) -> WordEvidence {
    let beyond = word.iter().filter(|c| !c.is_ascii()).count();
    let (length, plain) = (word.len(), lower_case(word));
    if beyond == 0 {
        return WordEvidence::Alike;
    }
    if (length >= 2 && beyond == length) || beyond * 3 > length * 2 && length > 2 {
        return WordEvidence::Foreign;
    }
    if (1..length).any(|at| is_capital_within(word, at)) {
        return WordEvidence::Foreign;
    }
    let shared = |c: &char| SHARED.contains(*c);
    let is_of_a_language =
        |language: &&str| plain.iter().filter(|c| !c.is_ascii()).all(|c| language.contains(*c));
    if plain.iter().any(shared) && !LANGUAGES.iter().any(is_of_a_language) {
        return WordEvidence::Foreign;
    }
    (0..length).map(|at| letter_evidence(&plain, at)).max().unwrap_or(WordEvidence::Alike)
}

fn lower_case(word: &[char]) -> Vec<char> {
    word.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect()
}

/// Whether a capital beyond ASCII stands where nobody writes one: behind a small letter, or
/// before one within the word.
fn is_capital_within(word: &[char], at: usize) -> bool {
    let is_small = |at: usize| word.get(at).is_some_and(|c| c.is_lowercase());
    !word[at].is_ascii() && word[at].is_uppercase() && (is_small(at - 1) || is_small(at + 1))
}

/// What the letter at a place of a word in small letters says.
fn letter_evidence(word: &[char], at: usize) -> WordEvidence {
    let (before, after) = (letter_before(word, at), word.get(at + 1).copied());
    let rest: String = word[at + 1..].iter().collect();
    let vowel = |c: Option<char>| c.is_some_and(is_vowel);
    let consonant = |c: Option<char>| c.is_some_and(|c| !is_vowel(c));
    let is_last = after.is_none();
    let acute = || word.iter().any(|c| "áéíóúæ".contains(*c));
    let is_western = match word[at] {
        // Before a vowel it is none of Poland.
        'ñ' if vowel(after) => true,
        'ñ' => return WordEvidence::Foreign,
        'å' | 'ÿ' => true,
        'ã' => rest.starts_with(['o', 'e']),
        'õ' => rest.starts_with('e'),
        'ø' => !vowel(before) && (consonant(after) || after == Some('y') || is_last),
        'æ' => consonant(after) && !vowel(before) && !matches!(after, Some('w' | 'm')),
        'è' => is_french_e(before, &rest),
        'ê' => {
            rest == "t"
                || rest == "s"
                || ["tr", "te", "ch", "me"].iter().any(|s| rest.starts_with(s))
        }
        'à' => !(consonant(before) && consonant(after)),
        'ï' => vowel(before) && after.is_some_and(|c| "scmnldtr".contains(c)),
        'ò' => is_last && consonant(before),
        'û' => matches!(before, Some('o' | 'a')) && !is_last,
        'œ' => after == Some('u'),
        'ð' => acute() || (before == Some('r') && rest == "ur"),
        'þ' => {
            acute()
                || (at == 0
                    && ["ors", "orv", "orb", "org", "orl"].iter().any(|s| rest.starts_with(s)))
        }
        'ý' if acute() => return WordEvidence::Alike,
        'ì' | 'ù' | 'ý' => false,
        // The `ö` and `û` of old Macs.
        'š' | 'ž' if consonant(before) && consonant(after) => false,
        _ => return WordEvidence::Alike,
    };
    if is_western { WordEvidence::Western } else { WordEvidence::Doubtful }
}

fn is_vowel(c: char) -> bool {
    "aeiouyáàâäãåæéèêëíìîïóòôöõøúùûüýœ".contains(c)
}

/// Whether `è` stands where French has it: before a consonant or three and `e` or `s`.
fn is_french_e(before: Option<char>, rest: &str) -> bool {
    let consonants = rest.find(is_vowel).unwrap_or(rest.len());
    rest == "ve" && before.is_none()
        || before.is_some_and(|c| !is_vowel(c))
            && (rest == "s" || (1..=3).contains(&consonants) && rest[consonants..].starts_with('e'))
}

#[cfg(test)]
mod tests {
    use encoding_rs::{Encoding, WINDOWS_1250, WINDOWS_1254, WINDOWS_1257};

    use super::*;

    fn evidence(text: &str, encoding: &'static Encoding) -> WordEvidence {
        let (bytes, ..) = encoding.encode(text);
        foreign_words(&bytes).map(|word| word.word_evidence()).max().unwrap()
    }

    #[test]
    fn western_names_are_western_or_alike() {
        for name in [
            "José",
            "Müller",
            "Zoë",
            "Søren",
            "Åse",
            "François",
            "Muñoz",
            "Hélène",
            "Gonçalves",
            "João",
            "Simões",
            "Lädy",
            "Jürgen",
            "Žižek",
            "Citroën",
            "Guðrún",
            "Þór",
            "Sigurður",
            "Öberg",
            "Bjørn",
            "Ødegård",
            "Ólafur",
            "Núñez",
            "Lefèvre",
            "Forêt",
            "Noël",
            "Nicolò",
            "O’Neill",
            "Bø",
            "Straße",
            "Blåbær",
            "Iñigo",
            "Àngel",
            "Pérez",
            "Brandão",
            "Conceição",
            "São",
            "Genève",
            "“Zoë”",
            "Renée",
            "François’",
            "5 €",
            "M\u{a0}Müller",
            "Loïc",
            "MÜLLER",
            "MUÑOZ",
            "Kjær",
            "Anaïs",
            "Thérèse",
            "Agnès",
            "Þorsteinn",
            "Acme®",
            "Mª José",
        ] {
            assert!(evidence(name, WINDOWS_1252) <= WordEvidence::Western, "{name}");
        }
    }

    #[test]
    fn names_in_other_charsets_are_not_western() {
        for name in [
            "Jiří",
            "Dvořák",
            "Čapek",
            "Wałęsa",
            "Kowalewić",
            "Jasiński",
            "Gdańsk",
            "Petrović",
            "Kovačević",
            "Jurić",
            "Dębski",
            "Zaręba",
            "Horvatiček",
            "Mlinarič",
            "Řehoř",
            "Bedřich",
            "Martinů",
            "Hrůša",
            "Erdős",
            "Szőke",
            "Győr",
            "Popă",
            "Brăila",
            "Ionuţ",
            "Łukasz",
            "Żak",
            "Ślązak",
            "Kučera",
            "Nováček",
            "Němec",
            "Květa",
            "Smrčka",
            "Timişoara",
        ] {
            assert!(evidence(name, WINDOWS_1250) >= WordEvidence::Doubtful, "{name}");
        }
        for name in [
            "Şükrü",
            "Ayşe",
            "Şahin",
            "Yıldız",
            "Yılmaz",
            "Doğan",
            "Erdoğan",
            "Yiğit",
            "Işık",
            "Kılıç",
            "Aydın",
            "İstanbul",
            "Tuğba",
        ] {
            assert!(evidence(name, WINDOWS_1254) >= WordEvidence::Doubtful, "{name}");
        }
        for name in ["Bērziņš", "Žukauskas", "Šarūnas"] {
            assert!(evidence(name, WINDOWS_1257) >= WordEvidence::Doubtful, "{name}");
        }
    }

    #[test]
    fn other_alphabets_and_old_machines_are_foreign() {
        let table: [(&str, &str); 12] = [
            ("windows-1251", "Иван"),
            ("windows-1251", "Ия"),
            ("koi8-r", "Лев"),
            ("koi8-r", "Имя"),
            ("windows-1253", "Γιώργος"),
            ("gbk", "李明"),
            ("gbk", "王"),
            ("shift_jis", "太郎"),
            ("shift_jis", "山田"),
            ("euc-kr", "김철수"),
            ("iso-8859-2", "Łukasz"),
            ("macintosh", "José"),
        ];
        for (label, name) in table {
            let encoding = Encoding::for_label(label.as_bytes()).unwrap();
            assert_eq!(evidence(name, encoding), WordEvidence::Foreign, "{name}");
        }
        for old in [&b"Mart\xa1nez"[..], b"M\x81ller", b"Ren\x82e", b"K\x94ln", b"K\x9anig"] {
            let found = foreign_words(old).map(|word| word.word_evidence()).max().unwrap();
            assert!(found >= WordEvidence::Doubtful, "{old:?}");
        }
    }
}
