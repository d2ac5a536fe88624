//! Look back: `status`, `explain`, `history`, `report`, `export` and `undo`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::LimitArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// Only tell whether a daemon answers and its runs do what they should: exit code 0 or 1
    #[arg(long, conflicts_with = "json")]
    pub(in crate::cli) healthy: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO")]
    pub(in crate::cli) who: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArgs {
    /// Every change of this run
    #[arg(long, value_name = "N")]
    pub(in crate::cli) run: Option<i64>,

    /// Only this contact: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO")]
    pub(in crate::cli) contact: Option<String>,

    /// From this time on: 2026-11-20, "2026-11-20 14:30", 2d (two days ago) or yesterday
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,

    /// Up to this time
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,

    /// All runs, and not only the last 20 lines of them
    #[arg(long)]
    pub(in crate::cli) all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// The format [default: csv; with --json: json]
    #[arg(long, value_enum)]
    pub(in crate::cli) format: Option<ExportFormat>,

    /// As they were at this time, as far as the history tells: 2026-11-20,
    /// "2026-11-20 14:30", 2d (two days ago) or yesterday
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,

    /// Save it here, readable by you alone; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// A format in which contacts leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportFormat {
    /// A table (RFC 4180) with Linq's names for the fields.
    Csv,
    /// Cards, vCard 3.0 (RFC 2426).
    Vcard,
    /// One document.
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// Print a table for a spreadsheet
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndoArgs {
    /// The number of the run, as `linqsync history` shows it
    #[arg(value_name = "RUN", required_unless_present = "since", conflicts_with = "since")]
    pub(in crate::cli) run: Option<i64>,

    /// Put back what this run and all runs after it did
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) since: Option<i64>,

    /// Only what it did to this contact: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO")]
    pub(in crate::cli) contact: Option<String>,

    /// Show what would be done, and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    #[command(flatten)]
    pub(in crate::cli) limit: LimitArgs,
}
