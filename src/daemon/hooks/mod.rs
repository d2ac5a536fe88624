//! What is called when something happens: two commands and a dead-man's switch.
//!
//! Owns when each is called and with what: `on_change` after a run that changed
//! something, `on_health` when the health changes, the ping at the start and the end of
//! each run, at most once a minute unless something is new. Each has a queue and a task
//! of its own, so that none of them ever holds up a run.

mod command;
mod ping;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::HooksConfig;
use crate::report::RunReport;
use command::HookQueue;
use ping::Ping;

/// How long a process that is done waits for what is still being told.
const LAST: Duration = Duration::from_secs(35);

/// What is called; each is optional.
pub(crate) struct Hooks {
    on_change: Option<HookQueue>,
    on_health: Option<HookQueue>,
    ping: Option<Ping>,
    closing: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// How a run ended, for the dead-man's switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnding {
    /// It did what it could; something may wait for a person.
    Well,
    /// It failed.
    Badly,
}

impl Hooks {
    /// The hooks that `config` names. Must be called within the runtime.
    pub(crate) fn new(config: &HooksConfig) -> Hooks {
        let closing = CancellationToken::new();
        let mut tasks = Vec::new();
        let mut command = |name, argv: &Option<crate::config::Argv>| {
            let argv = argv.clone()?;
            let (command, task) = HookQueue::start(name, argv, closing.clone());
            tasks.push(task);
            Some(command)
        };
        let on_change = command("hooks.on_change", &config.on_change);
        let on_health = command("hooks.on_health", &config.on_health);
        let ping = config.ping_url.clone().and_then(|url| {
            let (ping, task) = Ping::start(url, closing.clone())?;
            tasks.push(task);
            Some(ping)
        });
        Hooks { on_change, on_health, ping, closing, tasks }
    }

    /// A run begins.
    pub(crate) fn run_begins(&mut self) {
        if let Some(ping) = &mut self.ping {
            ping.run_begins();
        }
    }

    /// A run has ended.
    pub(crate) fn run_ended(&mut self, report: &RunReport) {
        let how = if report.error.is_some() { RunEnding::Badly } else { RunEnding::Well };
        self.ended_as(how, &counts_line(report));
        if report.changed_anything()
            && let Some(hook) = &self.on_change
        {
            // Notices name people, and a hook may send what it gets anywhere.
            let mut run = report.clone();
            run.notices.clear();
            hook.call(&json!({ "schema": "linqsync.change/1", "run": run }));
        }
    }

    /// A run has ended, or could not begin.
    pub(crate) fn ended_as(&mut self, how: RunEnding, text: &str) {
        if let Some(ping) = &mut self.ping {
            ping.run_ended(how, text);
        }
    }

    /// The health has changed to what `document` says.
    pub(crate) fn health_changed(&self, document: &Value) {
        if let Some(hook) = &self.on_health {
            hook.call(document);
        }
    }

    /// Waits until everything is told, within a time.
    pub(crate) async fn finish(self, stop: &CancellationToken) {
        let Hooks { on_change, on_health, ping, closing, tasks } = self;
        drop((on_change, on_health, ping));
        let told = timeout(LAST, futures_util::future::join_all(tasks));
        tokio::select! {
            _ = told => {}
            () = stop.cancelled() => {}
        }
        closing.cancel();
    }

    /// Ends what is being told.
    pub(crate) async fn stop(self) {
        let now = CancellationToken::new();
        self.closing.cancel();
        let _ = timeout(Duration::from_millis(500), self.finish(&now)).await;
    }
}

/// A run in a line, without anything of anybody.
fn counts_line(report: &RunReport) -> String {
    match &report.error {
        Some(error) => format!("failed with code {}", error.code),
        None => format!(
            "{} in sync; Linq: {} created, {} updated, {} deleted; source: {} created, {} updated, \
             {} deleted",
            report.in_sync,
            report.linq.created,
            report.linq.updated,
            report.linq.deleted,
            report.source.created,
            report.source.updated,
            report.source.deleted,
        ),
    }
}
