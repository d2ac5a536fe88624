//! Looks at everything that a run needs, and changes nothing.
//!
//! Owns what is looked at, in which order, and how bad what it finds is: `source`
//! looks at the source, `region` at the country of its phone numbers, `state` at the state directory, `linq` at the token, at
//! Linq and at the clock, `unit` at the service. Leaves what is wrong with a
//! configuration to [`crate::config`], which says it all at once, and the printing
//! to [`crate::cli`].

mod inbox;
mod language;
mod linq;
mod region;
mod schedule;
mod source;
mod state;
mod unit;

use serde::Serialize;

use crate::config::{Config, ConfigError};
use crate::model::Timestamp;
use crate::report::ReportedError;

pub use region::{Better, Numbers, count_numbers, country_name};
pub use source::{NAMELESS, delimiter_name};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Not looked at, and the text says why.
    Skipped,
    /// A run is possible, and somebody should know.
    Warning,
    /// No run is possible.
    Error,
}

impl Grade {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Skipped => "skipped",
            Grade::Warning => "warning",
            Grade::Error => "error",
        }
    }
}

/// What one look at one thing has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckFinding {
    /// The thing: `configuration`, `schedule`, `health`, `source`, `columns`, `phones`, `writing`,
    /// `state`, `token`, `linq`, `owner`, `clock`,
    /// `inbox`, `notify` or `service`.
    pub check: &'static str,
    /// How it is.
    pub status: Grade,
    /// What was found. No contact's values, and no token.
    pub message: String,
    /// What to do about it; empty where there is nothing to do.
    pub hint: String,
    /// The exit code that a run would end with because of it; 0 unless it is an error.
    #[serde(skip)]
    pub code: u8,
}

impl CheckFinding {
    fn new(check: &'static str, status: Grade, message: impl Into<String>) -> CheckFinding {
        CheckFinding { check, status, message: message.into(), hint: String::new(), code: 0 }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> CheckFinding {
        CheckFinding::new(check, Grade::Ok, message)
    }

    fn warning(check: &'static str, message: impl Into<String>, hint: &str) -> CheckFinding {
        CheckFinding { hint: hint.to_owned(), ..CheckFinding::new(check, Grade::Warning, message) }
    }

    fn error(check: &'static str, error: ReportedError) -> CheckFinding {
        CheckFinding {
            hint: error.hint,
            code: error.code,
            ..CheckFinding::new(check, Grade::Error, error.message)
        }
    }
}

/// Whether Linq is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is.
    Online,
    /// Nothing goes over the network.
    Offline,
}

/// Looks at everything; the findings are in the order in which a run would come
/// upon them, and there is at least one for each thing. `now` tells the time and is
/// also asked for how long Linq takes to answer.
pub async fn check(
    config: &Config,
    reach: Reach,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Vec<CheckFinding> {
    let mut findings = check_configuration(config);
    findings.push(schedule::check_schedule(&config.sync.schedule, now()));
    findings.push(schedule::look_at_silence(config, now()));
    findings.extend(source::check_source(config));
    findings.extend(state::check_state(config));
    findings.extend(linq::check_linq(config, reach, now).await);
    findings.extend(inbox::look(config));
    findings.push(unit::check_unit());
    findings
}

/// What is wrong with a configuration that cannot be used, one finding for each problem.
pub fn of_configuration(error: &ConfigError) -> Vec<CheckFinding> {
    let finding = |message| {
        CheckFinding::error(
            "configuration",
            ReportedError { code: 2, message, hint: String::new() },
        )
    };
    error.lines().into_iter().map(finding).collect()
}

/// The exit code that the findings call for: that of the first error.
pub fn exit_code(findings: &[CheckFinding]) -> u8 {
    findings.iter().map(|finding| finding.code).find(|code| *code != 0).unwrap_or(0)
}

fn check_configuration(config: &Config) -> Vec<CheckFinding> {
    let file = CheckFinding::ok("configuration", config.file.display().to_string());
    let warnings = config
        .warnings
        .iter()
        .map(|warning| CheckFinding::warning("configuration", warning.to_string(), ""));
    std::iter::once(file).chain(warnings).collect()
}
