//! What a command has said, as a log or a message may show it.
//!
//! Owns that a secret in it is not shown: a command that fetches the token, or tells a
//! channel, may print either when it fails, and logs are read by more people.

/// So much of it is shown, in characters.
const SHOWN: usize = 200;
/// So much of it is read, in bytes, by those who call a command.
pub const MOST_SAID: u64 = 4 * 1024;
/// From this length on a word that looks random is taken for a secret.
const LONG: usize = 12;

/// The beginning of what a command has said, in one line. Each of `secrets`, what looks like
/// a secret, and all of an address but its host are `***`.
pub fn mask_output(said: &[u8], secrets: &[&str]) -> String {
    let mut text = String::from_utf8_lossy(said).into_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    let words: Vec<String> = text.split_whitespace().map(mask_word).collect();
    let mut shown: Vec<char> = words.join(" ").chars().take(SHOWN + 1).collect();
    if shown.len() > SHOWN {
        shown.pop();
        shown.push('…');
    }
    shown.into_iter().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn mask_word(word: &str) -> String {
    if let Some((scheme, rest)) = word.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default();
        let is_all = host.len() == rest.len();
        return format!("{scheme}://{host}{}", if is_all { "" } else { "/***" });
    }
    let is_separator = |c: char| "=:,;()[]{}<>\"'`".contains(c);
    word.split_inclusive(is_separator)
        .map(|part| {
            let name = part.trim_end_matches(is_separator);
            let end = &part[name.len()..];
            if is_random(name) { format!("***{end}") } else { part.to_owned() }
        })
        .collect()
}

/// Whether `name` looks like something that a machine made up: long, with letters and
/// digits, and no path.
fn is_random(name: &str) -> bool {
    let has = |kind: fn(&char) -> bool| name.chars().any(|c| kind(&c));
    let is_path = name.starts_with(['/', '.', '~']);
    name.len() >= LONG && !is_path && has(char::is_ascii_digit) && has(char::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_whatever_stands_around_them() {
        for (said, shown) in [
            ("no such entry: linq", "no such entry: linq"),
            ("token=s3cr3t and more", "token=*** and more"),
            ("+ curl -H Authorization:Bearer-9f8e7d6c5b4a", "+ curl -H Authorization:***"),
            (
                "posting to https://u:p@hooks.example/T0/B1/xyz failed",
                "posting to https://hooks.example/*** failed",
            ),
            ("see https://docs.example", "see https://docs.example"),
            ("AKIAIOSFODNN7EXAMPLE", "***"),
            (
                "/usr/lib/x86_64-linux-gnu/libfoo.so.1: missing",
                "/usr/lib/x86_64-linux-gnu/libfoo.so.1: missing",
            ),
            ("two\nlines\u{1b}[31m", "two lines\u{fffd}[31m"),
        ] {
            assert_eq!(mask_output(said.as_bytes(), &["s3cr3t"]), shown, "{said}");
        }
    }

    #[test]
    fn only_the_beginning_is_shown() {
        let shown = mask_output("word ".repeat(1_000).as_bytes(), &[]);
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.ends_with('…'));
        assert_eq!(mask_output(b"\xff\xfe", &[""]), "\u{fffd}\u{fffd}");
    }
}
