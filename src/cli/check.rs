//! `check`: everything that a run needs, looked at in one pass.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use crate::check::{self, Finding, Grade, Reach};
use crate::config::{Config, ConfigError, Overrides};
use crate::open;

use super::args::{CheckArgs, Cli, Output};
use super::text::{counted, shown, wrapped};
use super::{now, print, print_json, say};

/// The exit code of a strict check with warnings: a run is possible, and something waits for a
/// person.
const WARNED: u8 = 3;

/// Where the text of a finding begins.
const INDENT: usize = 24;

/// Looks at everything and prints what it found. Returns the exit code.
pub(super) async fn check(cli: &Cli, args: &CheckArgs) -> anyhow::Result<u8> {
    let overrides = Overrides { max_deletes: cli.max_deletes() };
    let config = match Config::load(cli.config.as_deref(), &overrides).map(open::located) {
        Ok(config) => config,
        Err(error) => return unusable(cli.output, &error),
    };
    let reach = if args.offline { Reach::Offline } else { Reach::Online };
    let findings = check::check(&config, reach, &now).await;
    if cli.output.json {
        print_json(&document(&findings))?;
    } else {
        print(&text(&findings, &cli.command_line("plan")))?;
    }
    let warns = findings.iter().any(|finding| finding.status == Grade::Warning);
    Ok(match check::exit_code(&findings) {
        0 if args.strict && warns => WARNED,
        code => code,
    })
}

/// Says everything that is wrong with the configuration; without one there is nothing
/// else to look at.
fn unusable(output: Output, error: &ConfigError) -> anyhow::Result<u8> {
    say(&error.render());
    if output.json {
        print_json(&document(&check::of_configuration(error)))?;
    }
    Ok(2)
}

fn document(findings: &[Finding]) -> serde_json::Value {
    let ok = findings.iter().all(|finding| finding.status != Grade::Error);
    json!({ "schema": "linqsync.check/1", "ok": ok, "checks": findings })
}

fn text(findings: &[Finding], next: &str) -> String {
    let mut text = String::new();
    for Finding { check, status, message, hint, .. } in findings {
        let (style, name) = (style(*status), status.name());
        let message = wrapped(&shown(message, 2000), INDENT);
        let _ = writeln!(text, "{style}{name:7}{style:#}  {check:13}  {message}");
        if !hint.is_empty() {
            let _ = writeln!(text, "{:INDENT$}{}", "", wrapped(&format!("fix: {hint}"), INDENT));
        }
    }
    text + "\n" + &verdict(findings, next) + "\n"
}

fn verdict(findings: &[Finding], next: &str) -> String {
    let number = |grade| findings.iter().filter(|finding| finding.status == grade).count();
    match (number(Grade::Error), number(Grade::Warning)) {
        (0, 0) => format!("Everything is in place. See what a run would do: {next}"),
        (0, warnings) => format!(
            "A run is possible, with {}. See what it would do: {next}",
            counted(warnings, "warning", "warnings")
        ),
        (errors, _) => format!("No run is possible: {}.", counted(errors, "error", "errors")),
    }
}

const fn style(grade: Grade) -> Style {
    match grade {
        Grade::Ok => AnsiColor::Green.on_default(),
        Grade::Skipped => Style::new().dimmed(),
        Grade::Warning => AnsiColor::Yellow.on_default(),
        Grade::Error => AnsiColor::Red.on_default(),
    }
}
