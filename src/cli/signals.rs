//! SIGTERM and SIGINT: the first asks to stop, the second stops at once.
//!
//! Owns the last word: five seconds after the first signal the process is gone,
//! whatever it is doing. The journal makes that safe at any instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The exit code of a program that SIGTERM ended.
const TERMINATED: u8 = 143;
/// The exit code of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// When the process ends even if it is stuck, for example in a file system that hangs.
const LAST: Duration = Duration::from_millis(4_500);

/// The exit code of a process that was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignalCode {
    /// A command that was not done: 143 or 130.
    OfTheSignal,
    /// A daemon, which has done what it should.
    Zero,
}

/// The signals that ask this process to stop.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    stop: CancellationToken,
    code: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on, for a command. Must be called within the runtime.
    pub(super) fn listen() -> std::io::Result<Signals> {
        Signals::listen_and_end_with(SignalCode::OfTheSignal)
    }

    /// Listens from now on, for the daemon. Must be called within the runtime.
    pub(super) fn listen_for_the_daemon() -> std::io::Result<Signals> {
        Signals::listen_and_end_with(SignalCode::Zero)
    }

    fn listen_and_end_with(code: SignalCode) -> std::io::Result<Signals> {
        let signals =
            Signals { stop: CancellationToken::new(), code: Arc::new(AtomicU8::new(TERMINATED)) };
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(signals.clone().wait(terminate, interrupt, code));
        Ok(signals)
    }

    /// Is cancelled when the process is asked to stop.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The exit code of a one-shot command that was stopped.
    pub(super) fn exit_code(&self) -> u8 {
        self.code.load(Ordering::Relaxed)
    }

    async fn wait(self, mut terminate: Signal, mut interrupt: Signal, code: SignalCode) {
        let first = next_signal(&mut terminate, &mut interrupt).await;
        self.code.store(first, Ordering::Relaxed);
        self.stop.cancel();
        let again = timeout(LAST, next_signal(&mut terminate, &mut interrupt)).await;
        let code = match code {
            SignalCode::OfTheSignal => again.unwrap_or(first),
            SignalCode::Zero => 0,
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "asked twice or stuck; the journal makes it safe"
        )]
        std::process::exit(i32::from(code));
    }
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) -> u8 {
    tokio::select! {
        _ = terminate.recv() => TERMINATED,
        _ = interrupt.recv() => INTERRUPTED,
    }
}
