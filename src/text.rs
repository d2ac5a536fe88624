//! Text for terminals: contacts cannot act on them, and lines stay short.

use std::borrow::Cow;

use crate::model::is_invisible;

/// `text` with every character made visible that acts on a terminal or that nobody sees, and
/// cut to `width` characters. A control character is `�`; others are named, such as
/// `<U+00A0>` for a no-break space, by which two texts that look alike can be told apart.
pub(crate) fn shown_text(text: &str, width: usize) -> String {
    if text.len() <= width && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut shown: Vec<String> = Vec::new();
    let mut used = 0;
    for c in text.chars() {
        let one = visible_char(c);
        used += one.chars().count();
        shown.push(one);
        if used > width {
            while used >= width {
                let Some(last) = shown.pop() else { break };
                used -= last.chars().count();
            }
            shown.push("…".to_owned());
            break;
        }
    }
    shown.concat()
}

/// `text` without anything that acts on a terminal but colours and line ends: the door
/// through which everything goes that people see, whoever has put it together.
pub(crate) fn harmless_text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = colour_length(rest).unwrap_or(c.len_utf8());
        let (one, after) = rest.split_at(length);
        if length > c.len_utf8() || matches!(c, '\n' | '\t') {
            shown.push_str(one);
        } else {
            shown.push_str(&visible_char(c));
        }
        rest = after;
    }
    Cow::Owned(shown)
}

/// The length of the sequence for a colour or a style (SGR) with which `text` begins.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    parameters[end..].starts_with('m').then_some(end + 3)
}

/// `c` as it is shown.
fn visible_char(c: char) -> String {
    let joins = matches!(c, '\u{200c}' | '\u{200d}');
    let separates_lines = matches!(c, '\u{2028}' | '\u{2029}');
    // An ideographic space is seen.
    let is_odd_space = c.is_whitespace() && !c.is_ascii() && c != '\u{3000}';
    match c {
        c if c.is_control() || separates_lines => '\u{fffd}'.to_string(),
        c if is_odd_space || joins || is_invisible(c) => format!("<U+{:04X}>", u32::from(c)),
        c => c.to_string(),
    }
}

/// The width of lines.
pub(crate) const COLUMNS: usize = 80;

/// `text` in lines that fit when all of them are indented by `indent`; the caller
/// indents the first. A word that is longer than a line is broken.
pub(crate) fn wrap_text(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(1);
    let (mut lines, mut used) = (String::new(), 0);
    for piece in text.split_whitespace().flat_map(|word| split_word(word, width)) {
        let length = piece.chars().count();
        if used > 0 && used + 1 + length <= width {
            lines.push(' ');
            used += 1;
        } else if used > 0 {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        }
        lines += &piece;
        used += length;
    }
    lines
}

fn split_word(word: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// `count` things: "1 row", "2 rows".
pub(crate) fn count_noun(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_contact_can_act_on_the_terminal() {
        assert_eq!(shown_text("a\u{1b}[31mb\r\n\u{9b}\u{202e}c\u{7f}", 40), "a�[31mb���<U+202E>c�");
        assert_eq!(shown_text("Ægir الحسن", 40), "Ægir الحسن");
    }

    #[test]
    fn through_the_door_come_colours_and_lines_and_nothing_else_that_acts() {
        let good = "\u{1b}[1;31merror\u{1b}[0m: Ægir\n\tthe end\n";
        assert_eq!(harmless_text(good), good);
        for (text, shown) in [
            ("a\u{1b}]0;title\u{7}b", "a�]0;title�b"),
            ("a\u{1b}[2Jb\u{1b}[1", "a�[2Jb�[1"),
            ("a\rb\u{9b}31mc", "a�b�31mc"),
            ("x\u{202e}fdp.exe", "x<U+202E>fdp.exe"),
        ] {
            assert_eq!(harmless_text(text), shown);
        }
    }

    #[test]
    fn what_nobody_sees_is_named() {
        assert_eq!(shown_text("Mary\u{a0}Ann", 40), "Mary<U+00A0>Ann");
        assert_eq!(shown_text("\u{feff}Ada\u{200b}", 40), "<U+FEFF>Ada<U+200B>");
        assert_eq!(shown_text("山田\u{3000}太郎", 40), "山田\u{3000}太郎");
        assert_eq!(shown_text("a\u{a0}b", 6), "a…");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(shown_text("abcdef", 6), "abcdef");
        assert_eq!(shown_text("abcdefg", 6), "abcde…");
    }

    #[test]
    fn lines_are_wrapped_between_words_and_only_long_words_are_broken() {
        assert_eq!(wrap_text("short", 4), "short");
        let (ten, wide) = ("ten chars!", "w".repeat(COLUMNS));
        let text = [ten; 9].join(" ");
        let lines = [[ten; 7].join(" "), [ten; 2].join(" ")].join("\n    ");
        assert_eq!(
            wrap_text(&text.replace("ten chars!", "ten_chars!"), 4),
            lines.replace("n c", "n_c")
        );
        assert_eq!(wrap_text(&format!("a {wide}"), 2), format!("a\n  {}\n  ww", &wide[2..]));
        assert_eq!(wrap_text("", 4), "");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(count_noun(1, "row", "rows"), "1 row");
        assert_eq!(count_noun(0, "row", "rows"), "0 rows");
    }
}
