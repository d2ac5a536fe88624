//! Characters in texts that nobody sees, or that look like others.
//!
//! Owns which these are: two texts that differ in them alone are the same, and where a text
//! is shown they are made visible.

use std::borrow::Cow;

/// Whether `c` has no width and no meaning of its own: a mark of the writing direction, a
/// byte order mark, a place where a line may break.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether `c` is a space of another kind than the usual one.
fn is_odd_space(c: char) -> bool {
    c.is_whitespace() && !matches!(c, ' ' | '\n' | '\r' | '\t')
}

/// `text` with every kind of space as the usual one, and without what nobody sees.
pub(super) fn fold_spaces(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(|c| is_odd_space(c) || is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let visible = text.chars().filter(|c| !is_invisible(*c));
    Cow::Owned(visible.map(|c| if is_odd_space(c) { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_alike_and_what_nobody_sees_goes() {
        assert_eq!(fold_spaces("Mary\u{a0}Ann"), "Mary Ann");
        assert_eq!(fold_spaces("Mary\u{3000}Ann\u{200b}"), "Mary Ann");
        assert_eq!(fold_spaces("\u{202e}Zoë\u{feff}\n"), "Zoë\n");
        assert!(matches!(fold_spaces("Zoë Lee"), Cow::Borrowed(_)));
        // These join letters, which is a difference that is seen.
        assert_eq!(fold_spaces("a\u{200d}b\u{200c}c"), "a\u{200d}b\u{200c}c");
    }
}
