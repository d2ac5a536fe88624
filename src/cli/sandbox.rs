//! `sandbox`: the local server, for trying things out.

use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::sandbox::{Options, Sandbox};

use super::args::SandboxArgs;
use super::signals::Signals;
use super::{now, print};

/// Serves until it is asked to stop. Returns the exit code.
pub(super) async fn serve(args: &SandboxArgs) -> anyhow::Result<u8> {
    let signals = Signals::listen()?;
    let sandbox = Sandbox::new(Options {
        token: args.token.clone(),
        contacts: args.contacts,
        seed: args.seed,
        quirks: args.quirks.iter().copied().collect(),
        faults: args.faults.clone(),
        now: Arc::new(now),
        ..Options::default()
    });
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    print(&format!(
        "A Linq of your own, with {} contacts, at http://{address}\n\
         Token: {}\n\
         In sync.toml:\n\
         \x20 [linq]\n\
         \x20 base_url = \"http://{address}\"\n\
         \x20 token = \"{}\"\n\
         Ctrl-C ends it; nothing is kept.\n",
        args.contacts, args.token, args.token,
    ))?;
    sandbox.serve(listener, signals.stop().clone()).await?;
    Ok(0)
}
