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
    fn one_is_not_many() {
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
    }
}
