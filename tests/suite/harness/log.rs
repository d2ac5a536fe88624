//! What a process logs: everything there is, of which the tests are shown what it would
//! log by default. All of it is searched for the token, and for people.
//!
//! Logs are told from what a person is told on standard error, such as errors and help,
//! by their form. The former name nobody; the latter may.

use std::process::Command;

use super::world::TOKEN;

/// What is never in any output.
const SECRETS: [&str; 3] = [TOKEN, "tok-CANARY", "dG9rLUNBTkFSW"];

/// What is never in a log: everybody whom [`super::people`] makes, in each of their
/// fields, and whatever is an e-mail address in a test.
const PEOPLE: [&str; 12] = [
    "First0",
    "Last0",
    "Company 0",
    "Title 0",
    "1415555",
    "415-555",
    "people.example",
    "@example.",
    "%40example.",
    "%40people",
    "canary-mail",
    "canary.example",
];

/// How much of its log a test is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogShown {
    /// All of it: the process was told what to log.
    All,
    /// What is logged by default. The process logs everything for us to search.
    Default,
}

impl LogShown {
    /// What the harness asks every process for; a flag and a variable of its own win.
    pub(super) const EVERYTHING: (&str, &str) = ("RUST_LOG", "trace");

    pub(super) fn of(command: &Command) -> LogShown {
        let set = |name: &str, to: Option<&str>| {
            let is = |value: &std::ffi::OsStr| to.is_none_or(|to| value == to);
            command.get_envs().any(|(key, value)| key == name && value.is_some_and(is))
        };
        let (name, everything) = LogShown::EVERYTHING;
        let flagged = command.get_args().any(|argument| {
            let argument = argument.to_string_lossy();
            ["-v", "-vv", "-q", "--verbose", "--quiet"].contains(&argument.as_ref())
        });
        if set(name, Some(everything)) && !set("LINQSYNC_LOG", None) && !flagged {
            LogShown::Default
        } else {
            LogShown::All
        }
    }

    /// Whether a line is shown.
    pub(super) fn shows(self, line: &str) -> bool {
        self == LogShown::All
            || match LogLevel::of(line) {
                None | Some(LogLevel::Warning) => true,
                Some(LogLevel::Info) => line.contains("linqsync"),
                Some(LogLevel::Debug) => false,
            }
    }
}

/// What a line shows that it must not, if it does.
pub(super) fn leak(line: &str) -> Option<&'static str> {
    let found = |needles: &'static [&'static str]| needles.iter().find(|n| line.contains(**n));
    let people = || LogLevel::of(line).and_then(|_| found(&PEOPLE));
    found(&SECRETS).or_else(people).copied()
}

/// How urgent a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogLevel {
    Warning,
    Info,
    Debug,
}

impl LogLevel {
    /// `None` for a line that is none of a log.
    fn of(line: &str) -> Option<LogLevel> {
        let named = |name: &str| match name {
            "ERROR" | "WARN" | "0" | "1" | "2" | "3" | "4" => Some(LogLevel::Warning),
            "INFO" | "5" | "6" => Some(LogLevel::Info),
            "DEBUG" | "TRACE" | "7" => Some(LogLevel::Debug),
            _ => None,
        };
        if line.starts_with("{\"timestamp\":") {
            let (_, rest) = line.split_once("\"level\":\"")?;
            return named(rest.split_once('"')?.0);
        }
        if let Some((priority, _)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            return named(priority);
        }
        let mut words = line.split_whitespace();
        let at = words.next()?;
        chrono::DateTime::parse_from_rfc3339(at).ok()?;
        named(words.next()?)
    }
}

#[test]
fn a_leak_is_found_in_each_form_of_log_and_people_may_be_named_to_people() {
    let logs = [
        "2026-11-21T06:48:18.311375Z TRACE hyper: First001",
        "2026-11-21T06:48:18.311375Z  INFO run{run=1}: linqsync::apply: p001@people.example",
        "{\"timestamp\":\"2026-11-21T06:48:18Z\",\"level\":\"DEBUG\",\"message\":\"Title 001\"}",
        "<7>linqsync::apply: +14155550001",
    ];
    for log in logs {
        assert!(leak(log).is_some(), "{log}");
    }
    assert_eq!(leak("error: First001 is ambiguous"), None);
    assert_eq!(leak(&format!("error: {TOKEN}")), Some(TOKEN));
    assert_eq!(logs.map(|log| LogShown::Default.shows(log)), [false, true, false, false]);
    assert!(LogShown::Default.shows("error: no") && LogShown::All.shows(logs[0]));
}
