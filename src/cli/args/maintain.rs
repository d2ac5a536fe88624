//! Maintain: `adopt`, `purge`, `completions` and `man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// A command, or "sync.toml" for the configuration
    #[arg(value_name = "COMMAND")]
    pub(in crate::cli) page: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Reads both sides and says how many linked contacts are recognised, and refuses \
                        when less than half are. Whoever is not recognised is not deleted by the \
                        next run.\n\nExamples:\n  linqsync adopt\n  linqsync adopt --yes \
                        /backup/linqsync"
)]
pub(in crate::cli) struct AdoptArgs {
    /// The state directory to take over [default: the configuration's own, else the one at the
    /// default place that has this source or this Linq]
    #[arg(value_name = "DIR")]
    pub(in crate::cli) dir: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PurgeArgs {
    /// Whom: a Linq id, e-mail, phone, full name, key or row:N
    #[arg(value_name = "WHO")]
    pub(in crate::cli) who: String,

    /// Do not ask whether it is meant
    #[arg(long)]
    pub(in crate::cli) yes: bool,
}
