//! SIGTERM and SIGINT: the first asks to stop, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a program that SIGTERM ended.
const TERMINATED: u8 = 143;
/// The exit code of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// The signals that ask this process to stop.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    stop: CancellationToken,
    code: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on. Must be called within the runtime.
    pub(super) fn listen() -> std::io::Result<Signals> {
        let signals =
            Signals { stop: CancellationToken::new(), code: Arc::new(AtomicU8::new(TERMINATED)) };
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(signals.clone().wait(terminate, interrupt));
        Ok(signals)
    }

    /// Is cancelled when the process is asked to stop.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The exit code of a one-shot command that was stopped.
    pub(super) fn code(&self) -> u8 {
        self.code.load(Ordering::Relaxed)
    }

    async fn wait(self, mut terminate: Signal, mut interrupt: Signal) {
        let code = received(&mut terminate, &mut interrupt).await;
        self.code.store(code, Ordering::Relaxed);
        self.stop.cancel();
        let code = received(&mut terminate, &mut interrupt).await;
        #[expect(clippy::disallowed_methods, reason = "asked twice; the journal makes it safe")]
        std::process::exit(i32::from(code));
    }
}

async fn received(terminate: &mut Signal, interrupt: &mut Signal) -> u8 {
    tokio::select! {
        _ = terminate.recv() => TERMINATED,
        _ = interrupt.recv() => INTERRUPTED,
    }
}
