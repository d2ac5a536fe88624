//! `check`: everything that a run needs, looked at in one pass.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::check::{self, CheckFinding, Grade, Reach};
use crate::config::{Config, ConfigError, Overrides};
use crate::open;

use super::args::{CheckArgs, Cli, OutputArgs};
use super::text::{count_noun, shown_text, wrap_text};
use super::{print_json, print_text, say_on_stderr, system_now};

/// The exit code of a strict check with warnings: a run is possible, and something waits for a
/// person.
const WARNED: u8 = 3;

/// Where the text of a finding begins.
const INDENT: usize = 24;

/// Looks at everything and prints what it found. Returns the exit code.
pub(super) async fn check(cli: &Cli, args: &CheckArgs) -> anyhow::Result<u8> {
    let overrides = Overrides { max_deletes: cli.max_deletes() };
    let config = match Config::load(cli.config.as_deref(), &overrides).map(open::locate_state) {
        Ok(config) => config,
        Err(error) => return report_unusable(cli.output, &error),
    };
    let reach = if args.offline { Reach::Offline } else { Reach::Online };
    let findings = check::check(&config, reach, &system_now).await;
    if cli.output.json {
        print_json(&findings_document(&findings))?;
    } else {
        print_text(&findings_text(&findings, &cli.command_line("plan")))?;
    }
    let warns = findings.iter().any(|finding| finding.status == Grade::Warning);
    Ok(match check::exit_code(&findings) {
        0 if args.strict && warns => WARNED,
        code => code,
    })
}

/// Says everything that is wrong with the configuration; without one there is nothing
/// else to look at.
fn report_unusable(output: OutputArgs, error: &ConfigError) -> anyhow::Result<u8> {
    say_on_stderr(&error.render());
    if output.json {
        print_json(&findings_document(&check::of_configuration(error)))?;
    }
    Ok(2)
}

fn findings_document(findings: &[CheckFinding]) -> serde_json::Value {
    let ok = findings.iter().all(|finding| finding.status != Grade::Error);
    json!({ "schema": "linqsync.check/1", "ok": ok, "checks": findings })
}

fn findings_text(findings: &[CheckFinding], next: &str) -> String {
    let mut text = String::new();
    for CheckFinding { check, status, message, hint, .. } in findings {
        let (style, name) = (grade_style(*status), status.name());
        let message = wrap_text(&shown_text(message, 2000), INDENT);
        let _ = writeln!(text, "{style}{name:7}{style:#}  {check:13}  {message}");
        if !hint.is_empty() {
            let _ = writeln!(text, "{:INDENT$}{}", "", wrap_text(&format!("fix: {hint}"), INDENT));
        }
    }
    text + "\n" + &check_verdict(findings, next) + "\n"
}

fn check_verdict(findings: &[CheckFinding], next: &str) -> String {
    let number = |grade| findings.iter().filter(|finding| finding.status == grade).count();
    match (number(Grade::Error), number(Grade::Warning)) {
        (0, 0) => format!("Everything is in place. See what a run would do: {next}"),
        (0, warnings) => format!(
            "A run is possible, with {}. See what it would do: {next}",
            count_noun(warnings, "warning", "warnings")
        ),
        (errors, _) => format!("No run is possible: {}.", count_noun(errors, "error", "errors")),
    }
}

const fn grade_style(grade: Grade) -> Style {
    match grade {
        Grade::Ok => AnsiColor::Green.on_default(),
        Grade::Skipped => Style::new().dimmed(),
        Grade::Warning => AnsiColor::Yellow.on_default(),
        Grade::Error => AnsiColor::Red.on_default(),
    }
}
