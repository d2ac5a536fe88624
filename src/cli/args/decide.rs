//! Decide: `list`, `resolve`, `approve`, `reject` and `retry`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::decisions::ListState;

use super::field_name;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// What to list; without it, everything that needs attention, a line for each thing
    #[arg(value_enum)]
    pub(in crate::cli) state: Option<ListState>,

    /// Print a table for a spreadsheet; filled in, it goes back with `resolve --from`
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HeldArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N; without it, a terminal is asked
    #[arg(value_name = "WHO")]
    pub(in crate::cli) who: Vec<String>,

    /// Everything that is held, as `list held` shows it; a terminal is asked first
    #[arg(long, conflicts_with = "who")]
    pub(in crate::cli) all: bool,

    /// With --all: do not ask
    #[arg(long, requires = "all")]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO", required_unless_present = "all")]
    pub(in crate::cli) who: Vec<String>,

    /// Everything that was refused, as `list rejected` shows it
    #[arg(long, conflicts_with = "who")]
    pub(in crate::cli) all: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("decision"))]
pub(in crate::cli) struct ResolveArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N; without it, a terminal is asked
    #[arg(value_name = "WHO")]
    pub(in crate::cli) who: Vec<String>,

    /// Everything that the decision fits; a terminal is asked first
    #[arg(long, conflicts_with = "who", requires = "decision")]
    pub(in crate::cli) all: bool,

    /// With --all: do not ask
    #[arg(long, requires = "all")]
    pub(in crate::cli) yes: bool,

    /// Take the decisions from the table of `list --csv`, in which `decision` is filled in;
    /// "-" reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["who", "all", "decision", "field"])]
    pub(in crate::cli) from: Option<PathBuf>,

    /// Conflicts: this side's value is right
    #[arg(long, value_enum, group = "decision", value_name = "SIDE")]
    pub(in crate::cli) take: Option<TakeSide>,

    /// Conflicts: this value is right; needs --field
    #[arg(long, group = "decision", requires = "field", value_name = "V")]
    pub(in crate::cli) value: Option<String>,

    /// Conflicts: only this field
    #[arg(long, value_name = "F", value_parser = field_name, conflicts_with_all = ["link", "separate"])]
    pub(in crate::cli) field: Option<String>,

    /// Ambiguous: it is this contact in Linq
    #[arg(long, group = "decision", value_name = "ID", conflicts_with = "all")]
    pub(in crate::cli) link: Option<u64>,

    /// Ambiguous or rejected: leave it alone on both sides; `list ignored` shows what is
    #[arg(long, group = "decision", requires = "who", conflicts_with = "field")]
    pub(in crate::cli) ignore: bool,

    /// Look again at what is ignored
    #[arg(long, group = "decision", requires = "who", conflicts_with = "field")]
    pub(in crate::cli) unignore: bool,

    /// Ambiguous: it is a contact that Linq does not have
    #[arg(long, group = "decision")]
    pub(in crate::cli) separate: bool,
}

/// A side whose value is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TakeSide {
    /// The source's.
    Source,
    /// Linq's.
    Linq,
}
