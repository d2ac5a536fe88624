//! Set up: `init`, `check`, `web-password` and `notify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::field_name;

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// The CSV file, or the directory of vCards
    #[arg(value_name = "PATH")]
    pub(in crate::cli) path: PathBuf,

    /// Read Linq's token from standard input; else it is taken from LINQ_TOKEN, or
    /// asked for on a terminal
    #[arg(long)]
    pub(in crate::cli) token_stdin: bool,

    /// Where the API is [default: Linq's own]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) base_url: Option<String>,

    /// Who owns contacts that are created in Linq
    #[arg(long, value_name = "EMAIL")]
    pub(in crate::cli) owner: Option<String>,

    /// A column that is not recognised, such as "email=Private mail"; full_name stands for
    /// one with whole names, and several for location are joined
    #[arg(long = "column", value_name = "FIELD=COLUMN", value_parser = column)]
    pub(in crate::cli) columns: Vec<(String, String)>,

    /// The column that identifies a row
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) key: Option<String>,

    /// The column to keep filled with Linq's ids
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) id_column: Option<String>,

    /// The encoding of the file, where it is not found out, such as windows-1250
    #[arg(long, value_name = "ENCODING")]
    pub(in crate::cli) encoding: Option<String>,

    /// "both", "push" or "pull"
    #[arg(long, value_name = "DIRECTION")]
    pub(in crate::cli) direction: Option<String>,

    /// The country of phone numbers without a country code, such as US
    #[arg(long, value_name = "REGION")]
    pub(in crate::cli) region: Option<String>,
}

fn column(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("write FIELD=COLUMN")?;
    let field = if field == "full_name" { field.to_owned() } else { field_name(field)? };
    Ok((field, column.to_owned()))
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// Send nothing over the network
    #[arg(long)]
    pub(in crate::cli) offline: bool,

    /// Exit with 3 when there are warnings
    #[arg(long)]
    pub(in crate::cli) strict: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WebPasswordArgs {
    /// Whose password it is; that of the other role stays as it is
    #[arg(long, value_enum, default_value_t = WebRole::Decide)]
    pub(in crate::cli) role: WebRole,
}

/// What somebody may do in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum WebRole {
    /// See everything, and decide.
    Decide,
    /// See everything.
    Look,
}

/// Only a test can be asked for: runs send the messages.
#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyArgs {
    /// Sends a test message
    #[arg(long, required = true)]
    pub(in crate::cli) test: bool,
}
