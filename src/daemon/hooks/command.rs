//! A command that gets JSON on its standard input.
//!
//! Owns its life: it runs in a process group of its own for at most half a minute, one
//! after the other, and whatever it says is read and dropped, apart from the beginning
//! of what it says on standard error when it fails, without what looks like a secret.

use std::os::unix::process::CommandExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Argv, MOST_SAID, mask_output};

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(30);
/// So many calls may wait for a slow one.
const QUEUE: usize = 8;

/// The queue of a command.
pub(super) struct HookQueue {
    name: &'static str,
    queue: mpsc::Sender<String>,
}

impl HookQueue {
    /// Runs the command of the setting `name` whenever it is called, until the queue is
    /// dropped or `closing`.
    pub(super) fn start(
        name: &'static str,
        argv: Argv,
        closing: CancellationToken,
    ) -> (HookQueue, JoinHandle<()>) {
        let (queue, mut calls) = mpsc::channel::<String>(QUEUE);
        let task = tokio::spawn(async move {
            while let Some(text) = calls.recv().await {
                run_command(name, &argv, &text, LIMIT, &closing).await;
            }
        });
        (HookQueue { name, queue }, task)
    }

    /// Calls it with this document.
    pub(super) fn call(&self, document: &Value) {
        if self.queue.try_send(format!("{document}\n")).is_err() {
            tracing::warn!(hook = self.name, "not called: earlier calls have not ended");
        }
    }
}

async fn run_command(
    name: &'static str,
    argv: &Argv,
    text: &str,
    limit: Duration,
    closing: &CancellationToken,
) {
    let mut command = argv.command();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let mut child = match tokio::process::Command::from(command).kill_on_drop(true).spawn() {
        Ok(child) => child,
        Err(error) => return tracing::warn!(hook = name, %error, "cannot be run"),
    };
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut said = Vec::new();
    let ended = tokio::select! {
        ended = timeout(limit, wait_for_child(&mut child, text, &mut said)) => ended.ok(),
        () = closing.cancelled() => None,
    };
    match ended {
        Some(Ok(status)) if status.success() => tracing::debug!(hook = name, "done"),
        Some(Ok(status)) => {
            let said = mask_output(&said, &[]);
            tracing::warn!(hook = name, %status, said, "failed");
        }
        Some(Err(error)) => tracing::warn!(hook = name, %error, "failed"),
        None => {
            tracing::warn!(hook = name, "did not end in time and is killed");
            // An error means that the group has just ended by itself.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            let _ = child.wait().await;
        }
    }
}

/// Gives the command its document, and waits for its end.
async fn wait_for_child(
    child: &mut Child,
    text: &str,
    said: &mut Vec<u8>,
) -> std::io::Result<ExitStatus> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A command need not read what it is given.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let (ended, (), ()) = tokio::join!(child.wait(), give, read_stderr(stderr, said));
    ended
}

/// Keeps the beginning of what is said, and reads the rest, so that nobody waits. What
/// the command has left running may go on talking for as long as the command itself may.
async fn read_stderr(stderr: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let _ = (&mut stderr).take(MOST_SAID).read_to_end(said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sh(script: &str) -> Argv {
        Argv {
            program: "sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            directory: "/".into(),
        }
    }

    async fn called(script: &str, limit: Duration) {
        run_command(
            "hooks.on_change",
            &sh(script),
            "{\"a\":1}\n",
            limit,
            &CancellationToken::new(),
        )
        .await;
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn a_command_gets_its_document_and_may_be_noisy_or_deaf() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("got");
        let script = format!("cat > '{}'; yes | head -c 300000 >&2", path.display());
        called(&script, LIMIT).await;
        assert_eq!(text(&path), "{\"a\":1}\n");
        called("exec 0<&-; exit 3", LIMIT).await;
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_all_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let script = format!("tail -f /dev/null & echo $! $$ > '{}'; wait", pids.display());
        called(&script, Duration::from_millis(500)).await;
        for pid in text(&pids).split_whitespace() {
            // A process that was killed goes as soon as it gets the processor, and what its
            // parent did not live to bury is a zombie for an instant.
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
            let lives = || state().is_ok_and(|state| !state.contains(") Z "));
            let gone = timeout(LIMIT, async {
                while lives() {
                    tokio::task::yield_now().await;
                }
            });
            gone.await.unwrap();
        }
    }

    #[tokio::test]
    async fn calls_that_a_slow_command_cannot_take_are_dropped_and_nobody_waits() {
        let closing = CancellationToken::new();
        let argv = sh("tail -f /dev/null");
        let (command, task) = HookQueue::start("hooks.on_change", argv, closing.clone());
        for _ in 0..100 {
            command.call(&serde_json::json!({}));
        }
        drop(command);
        closing.cancel();
        task.await.unwrap();
    }
}
