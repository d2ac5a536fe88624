//! Text for terminals: contacts cannot act on them, and lines stay short.

/// `text` with every control and direction-changing character made visible, and cut
/// to `width` characters.
pub(crate) fn shown(text: &str, width: usize) -> String {
    let mut shown: String = String::new();
    for (position, c) in text.chars().enumerate() {
        if position == width {
            shown.pop();
            shown.push('…');
            break;
        }
        if is_harmless(c) { shown.push(c) } else { shown.push('\u{fffd}') }
    }
    shown
}

/// Whether a terminal shows `c` and does nothing else.
fn is_harmless(c: char) -> bool {
    let changes_direction = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let separates_lines = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !changes_direction && !separates_lines
}

/// The width of lines.
pub(crate) const COLUMNS: usize = 80;

/// `text` in lines that fit when all of them are indented by `indent`; the caller
/// indents the first. A word that is longer than a line is broken.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let width = COLUMNS.saturating_sub(indent).max(1);
    let (mut lines, mut used) = (String::new(), 0);
    for piece in text.split_whitespace().flat_map(|word| pieces(word, width)) {
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

fn pieces(word: &str, width: usize) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// `count` things: "1 row", "2 rows".
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_contact_can_act_on_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\r\n\u{9b}\u{202e}c\u{7f}", 40), "a�[31mb����c�");
        assert_eq!(shown("Ægir الحسن", 40), "Ægir الحسن");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(shown("abcdef", 6), "abcdef");
        assert_eq!(shown("abcdefg", 6), "abcde…");
    }

    #[test]
    fn lines_are_wrapped_between_words_and_only_long_words_are_broken() {
        assert_eq!(wrapped("short", 4), "short");
        let (ten, wide) = ("ten chars!", "w".repeat(COLUMNS));
        let text = [ten; 9].join(" ");
        let lines = [[ten; 7].join(" "), [ten; 2].join(" ")].join("\n    ");
        assert_eq!(
            wrapped(&text.replace("ten chars!", "ten_chars!"), 4),
            lines.replace("n c", "n_c")
        );
        assert_eq!(wrapped(&format!("a {wide}"), 2), format!("a\n  {}\n  ww", &wide[2..]));
        assert_eq!(wrapped("", 4), "");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
    }
}
