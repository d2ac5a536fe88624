//! `sandbox`: the local server, for trying things out.
//!
//! Owns serving it. `data` keeps its contacts, `edit` changes them while it runs.

mod data;
mod edit;

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::sandbox::{Options, Sandbox};

use super::args::{Cli, SandboxArgs};
use super::signals::Signals;
use super::text::count_noun;
use super::{print_text, system_now};

/// Serves until it is asked to stop, or changes what another process serves. Returns the exit
/// code.
pub(super) async fn run_sandbox(cli: &Cli, args: &SandboxArgs) -> anyhow::Result<u8> {
    match &args.command {
        Some(command) => edit::change_contact(cli, command).await,
        None => serve_sandbox(args).await,
    }
}

async fn serve_sandbox(args: &SandboxArgs) -> anyhow::Result<u8> {
    let signals = Signals::listen()?;
    let sandbox = Sandbox::new(Options {
        token: args.token.clone(),
        contacts: args.contacts,
        seed: args.seed,
        quirks: args.quirks.iter().copied().collect(),
        faults: args.faults.clone(),
        now: Arc::new(system_now),
        ..Options::default()
    });
    if let Some(dir) = &args.data {
        data::keep_data(&sandbox, dir)?;
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let kept = args.data.as_ref().map_or("nothing is kept (see --data).".to_owned(), |dir| {
        format!("its contacts are kept in {}.", dir.display())
    });
    print_text(&format!(
        "A mock Linq server, with {}, at http://{address}\n\
         Token: {}\n\
         In sync.toml:\n\
         \x20 [linq]\n\
         \x20 base_url = \"http://{address}\"\n\
         \x20 token = \"{}\"\n\
         Change a contact as a colleague would: linqsync sandbox edit WHO title=CTO\n\
         Ctrl-C ends it; {kept}\n",
        count_noun(sandbox.save().len(), "contact", "contacts"),
        args.token,
        args.token,
    ))?;
    sandbox.serve(listener, signals.stop().clone()).await?;
    Ok(0)
}
