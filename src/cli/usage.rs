//! Wrong usage: clap's words on stderr and, where `--json` is among the arguments,
//! one JSON document on stdout as for every other failure.

use clap::error::ErrorKind;

use crate::report::ReportedError;

use super::{print_failed_run, print_text, say_on_stderr};

/// Prints what clap has to say: the help or the version that was asked for, or what
/// is wrong with the arguments. Returns the exit code.
pub(super) fn report_usage(error: &clap::Error) -> anyhow::Result<u8> {
    let text = grouped(&error.render().ansi().to_string());
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print_text(&text)?;
        return Ok(0);
    }
    say_on_stderr(text.trim_end());
    // The arguments could not be read, so this one is looked for by hand.
    if std::env::args_os().any(|argument| argument == "--json") {
        print_failed_run(usage_error(&error.to_string()))?;
    }
    Ok(2)
}

/// The commands at which a group begins, in the order of the help.
const GROUPS: [(&str, &str); 6] = [
    ("init", "Set up"),
    ("run", "Sync"),
    ("list", "Decide"),
    ("status", "Look back"),
    ("adopt", "Maintain"),
    ("sandbox", "Try out"),
];

/// The help of the program with its commands in groups; every other text as it is.
fn grouped(text: &str) -> String {
    let (mut listing, mut groups, mut shown) =
        (false, GROUPS.into_iter().peekable(), String::new());
    for line in text.split_inclusive('\n') {
        let plain = anstream::adapter::strip_str(line).to_string();
        listing = if listing { !plain.trim().is_empty() } else { plain.trim_end() == "Commands:" };
        let name = plain.strip_prefix("  ").and_then(|rest| rest.split(' ').next());
        if listing && let Some((_, title)) = groups.next_if(|(first, _)| name == Some(*first)) {
            shown += title;
            shown.push('\n');
        }
        shown += line;
    }
    shown
}

/// Clap's text, whose paragraphs are what is wrong, a tip or none, and the usage.
fn usage_error(text: &str) -> ReportedError {
    let paragraphs: Vec<String> = text.split("\n\n").map(one_line).collect();
    let wrong = paragraphs.first().map_or("", |text| text.trim_start_matches("error: "));
    let tip = paragraphs.iter().find_map(|text| text.strip_prefix("tip: "));
    ReportedError {
        code: 2,
        message: wrong.to_owned(),
        hint: tip.unwrap_or("see `linqsync --help`").to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    fn told(arguments: &[&str]) -> (String, String) {
        let error = Cli::try_parse_from(["linqsync"].iter().chain(arguments)).unwrap_err();
        let ReportedError { message, hint, .. } = usage_error(&error.to_string());
        (message, hint)
    }

    #[test]
    fn the_message_is_one_line_and_a_tip_becomes_the_hint() {
        let (message, hint) = told(&["--once", "--max-deletes", "many"]);
        assert!(message.starts_with("invalid value 'many' for '--max-deletes"), "{message}");
        assert_eq!(hint, "see `linqsync --help`");
        let (message, hint) = told(&["plan", "--detailed-exitcod"]);
        assert_eq!(message, "unexpected argument '--detailed-exitcod' found");
        assert!(hint.contains("'--detailed-exitcode'"), "{hint}");
        let (message, _) = told(&["--dry-run"]);
        assert_eq!(message, "the following required arguments were not provided: --once");
    }
}
