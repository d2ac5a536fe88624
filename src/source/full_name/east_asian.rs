//! Names in Chinese, Japanese and Korean characters.
//!
//! Owns how many characters of a name that has no space are the surname.

use super::words::{DOUBLE_SURNAMES, JAPANESE_SURNAMES};

/// Whether every letter is a Chinese, Japanese or Korean one, and there are at least two.
pub(super) fn is_east_asian(text: &str) -> bool {
    let mut letters = 0;
    for c in text.chars() {
        match writing_system(c) {
            Some(_) => letters += 1,
            None if c.is_whitespace() || matches!(c, '・' | '·' | ',' | '，' | '、') => {}
            None => return false,
        }
    }
    letters > 1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WritingSystem {
    Han,
    Kana,
    Hangul,
}

fn writing_system(c: char) -> Option<WritingSystem> {
    match c {
        '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3134f}'
        | '々'
        | '〆' => Some(WritingSystem::Han),
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | 'ー' | '\u{ff66}'..='\u{ff9f}' => {
            Some(WritingSystem::Kana)
        }
        '\u{ac00}'..='\u{d7a3}' => Some(WritingSystem::Hangul),
        _ => None,
    }
}

/// How many bytes of a name without spaces are its surname; `None` where nothing tells.
pub(super) fn surname_length(name: &str) -> Option<usize> {
    let chars: Vec<(usize, char)> = name.char_indices().collect();
    let end = |count: usize| chars.get(count).map(|(at, _)| *at);
    let scripts: Vec<Option<WritingSystem>> =
        chars.iter().map(|(_, c)| writing_system(*c)).collect();
    let begins = |surnames: &[&str]| surnames.iter().any(|surname| name.starts_with(surname));
    let han = scripts.iter().take_while(|script| **script == Some(WritingSystem::Han)).count();
    if han > 0 && han < chars.len() {
        // `高橋みなみ`: the surname is in characters, the rest in letters.
        let is_kana = scripts[han..].iter().all(|script| *script == Some(WritingSystem::Kana));
        return is_kana.then(|| end(han)).flatten();
    }
    let is_hangul = scripts.iter().all(|script| *script == Some(WritingSystem::Hangul));
    if han != chars.len() && !is_hangul {
        return None;
    }
    let is_double = chars.len() > 2 && begins(DOUBLE_SURNAMES)
        || han > 2 && begins(JAPANESE_SURNAMES)
        || han == 4;
    match chars.len() {
        2..=4 if is_double => end(2),
        2..=4 => end(1),
        5 if han == 5 => {
            end(if name.starts_with("佐々木") || name.starts_with("長谷川") { 3 } else { 2 })
        }
        _ => None,
    }
}
