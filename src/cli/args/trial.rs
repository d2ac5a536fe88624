//! Try out: `sandbox` and `demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::Field;
use crate::sandbox::{Fault, Quirk};

use super::field_name;

#[derive(Debug, Args)]
pub(in crate::cli) struct DemoArgs {
    /// Leave the directory with its files
    #[arg(long)]
    pub(in crate::cli) keep: bool,
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  linqsync sandbox --contacts 20 --data mock &\n  linqsync sandbox edit \
                        \"Ada King\" title=Lady"
)]
pub(in crate::cli) struct SandboxArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<SandboxCommand>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8025", value_name = "ADDRESS")]
    pub(in crate::cli) listen: SocketAddr,

    /// How many invented contacts there are at the beginning
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(in crate::cli) contacts: usize,

    /// Keep the contacts in this directory from one start to the next; without it nothing is
    /// kept
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: Option<PathBuf>,

    /// The token that it accepts
    #[arg(long, default_value = "sandbox-token")]
    pub(in crate::cli) token: String,

    /// Where the invention begins: the same seed gives the same contacts
    #[arg(long, default_value_t = 1)]
    pub(in crate::cli) seed: u64,

    /// A fault, such as "create status=500 times=1" or "list delay=2s"
    #[arg(long = "fault", value_name = "FAULT")]
    pub(in crate::cli) faults: Vec<Fault>,

    /// A different reading of the documents, such as owner-reset or truncate=50
    #[arg(long = "quirk", value_name = "QUIRK")]
    pub(in crate::cli) quirks: Vec<Quirk>,
}

/// What a colleague does in a mock server that runs.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SandboxCommand {
    /// Add a contact to a mock server that runs
    Add {
        /// Fields and their values, such as first_name=Ada
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field_value)]
        values: Vec<(Field, String)>,
        #[command(flatten)]
        server: ChangeArgs,
    },
    /// Edit a contact in a mock server that runs
    Edit {
        /// Whom: an id, e-mail, phone or full name
        #[arg(value_name = "WHO")]
        who: String,
        /// Fields and their values, such as title=CTO; an empty one clears the field
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field_value)]
        values: Vec<(Field, String)>,
        #[command(flatten)]
        server: ChangeArgs,
    },
    /// Delete a contact in a mock server that runs
    Delete {
        /// Whom: an id, e-mail, phone or full name
        #[arg(value_name = "WHO")]
        who: String,
        #[command(flatten)]
        server: ChangeArgs,
    },
}

impl SandboxCommand {
    /// Which server is meant.
    pub(in crate::cli) fn server_args(&self) -> &ChangeArgs {
        match self {
            SandboxCommand::Add { server, .. }
            | SandboxCommand::Edit { server, .. }
            | SandboxCommand::Delete { server, .. } => server,
        }
    }
}

/// A mock server that runs.
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// Where it listens [default: as sync.toml says, else http://127.0.0.1:8025]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<String>,

    /// The token that it accepts [default: as sync.toml says, else sandbox-token]
    #[arg(long)]
    pub(in crate::cli) token: Option<String>,
}

fn field_value(text: &str) -> Result<(Field, String), String> {
    let (name, value) = text.split_once('=').ok_or("write FIELD=VALUE")?;
    let field = Field::from_name(&field_name(name)?).filter(|field| *field != Field::Owner);
    Ok((field.ok_or("the owner is not edited here")?, value.to_owned()))
}
