//! Sync: `run`, `plan` and `apply`.

use std::path::PathBuf;

use clap::Args;

use super::LimitArgs;

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct PlanArgs {
    /// Exit with 8 when there are steps
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,

    /// Only these contacts: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(long, value_name = "WHO", num_args = 1..)]
    pub(in crate::cli) only: Vec<String>,

    /// Keep the plan in this file, for `apply`; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) limit: LimitArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    /// Show what the run would do, as `plan` does
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    #[command(flatten)]
    pub(in crate::cli) limit: LimitArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ApplyArgs {
    /// The file that `plan --out` has written
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) limit: LimitArgs,
}
